"""Toes that the network puts beside the foot: where the person's mask contradicts them, the frames around tell."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import torch
from torch import Tensor

from ..media.clip import Masks
from .blazepose import ANKLES, HEELS, TOES
from .landmarks import Landmarks


OUTSIDE = (
    0.02  # of the body's height beyond which a toe is beside the mask; wrong ones had 0.032 and 0.035 (2026-11-27)
)
SURE_CONFIDENCE = 0.3  # of a foot that can be judged, and of toes that stand in for others
REACH_SECONDS = 0.5  # to a frame whose toes stand in
TAKEN_CONFIDENCE = 0.5  # of toes from other frames
INSIDE_LEVEL = 128


def correct_toes(landmarks: Landmarks, masks: Masks, fps: float, *, cuts: Collection[int] = ()) -> Landmarks:
    """The same landmarks with other toes in frames in which ankle and heel lie in the person's mask, but the toe is
    far from it: as they stood to the ankle in the frames before and after, or without confidence where none is near.
    `cuts` are the frames that begin a shot, beyond which nobody looks.

    On soles that face the camera BlazePose puts toes beside the shoe, and is sure of them.
    """
    beside = _find_toes_beside(landmarks, masks)
    if not beside.any():
        return landmarks
    shot = torch.bucketize(torch.arange(len(beside)), torch.tensor(sorted(cuts)), right=True)
    pixels, world, confidence = (values.clone() for values in (landmarks.pixels, landmarks.world, landmarks.confidence))
    for side in range(2):
        toe, ankle = TOES[side], ANKLES[side]
        good = landmarks.found & ~beside[:, side] & (landmarks.confidence[:, toe] >= SURE_CONFIDENCE)
        known = good.nonzero()[:, 0]
        for frame in beside[:, side].nonzero()[:, 0].tolist():
            parts = _weigh_neighbors(frame, known[shot[known] == shot[frame]], REACH_SECONDS * fps)
            confidence[frame, toe] = TAKEN_CONFIDENCE if parts else 0.0
            for values in (pixels, world) if parts else ():
                values[frame, toe] = values[frame, ankle] + sum(
                    weight * (values[other, toe] - values[other, ankle]) for other, weight in parts
                )
    return replace(landmarks, pixels=pixels, world=world, confidence=confidence)


def _find_toes_beside(landmarks: Landmarks, masks: Masks) -> Tensor:
    """Left and right toes (F, 2) bool that lie beside a foot which the mask shows."""
    feet = [*ANKLES, *HEELS, *TOES]
    sure = (landmarks.confidence[:, feet] >= SURE_CONFIDENCE).view(-1, 3, 2).all(1) & landmarks.found[:, None]
    height = (landmarks.pixels.amax(1) - landmarks.pixels.amin(1)).amax(1)
    beside = torch.zeros_like(sure)
    for frame, mask in enumerate(masks):
        for side in sure[frame].nonzero()[:, 0].tolist():
            ankle, heel, toe = (landmarks.pixels[frame, pair[side]].tolist() for pair in (ANKLES, HEELS, TOES))
            reach = OUTSIDE * float(height[frame])
            beside[frame, side] = (
                _is_near(mask, ankle, 0) and _is_near(mask, heel, 0) and not _is_near(mask, toe, reach)
            )
    return beside


def _is_near(mask, point: list[float], reach: float) -> bool:
    """Whether a mask (H, W) uint8 selects a pixel within `reach` of a point; beyond the picture every point is."""
    x, y = int(point[0]), int(point[1])
    if not (0 <= x < mask.shape[1] and 0 <= y < mask.shape[0]):
        return True
    radius = int(reach)
    top, left = max(y - radius, 0), max(x - radius, 0)
    rows, columns = (mask[top : y + radius + 1, left : x + radius + 1] >= INSIDE_LEVEL).nonzero()
    return bool(((rows + top - y) ** 2 + (columns + left - x) ** 2 <= radius**2).any())


def _weigh_neighbors(frame: int, known: Tensor, reach: float) -> list[tuple[int, float]]:
    """The nearest known frames before and after within `reach`, with weights that sum to 1."""
    before, after = known[known < frame], known[known > frame]
    sides = [int(part) for part in (*before[-1:], *after[:1]) if abs(int(part) - frame) <= reach]
    if len(sides) < 2:
        return [(other, 1.0) for other in sides]
    first, second = sides
    share = (frame - first) / (second - first)
    return [(first, 1 - share), (second, share)]
