"""Limbs that the picture does not show: the networks put them somewhere all the same, the body lets them hang."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from ..body.skeleton import JOINT
from ..geometry.rotations import matrix_from_axis_angle
from .blazepose import ANKLES, HEELS, KNEES, TOES
from .landmarks import Landmarks
from .prior import tabulate_priors


SEEN_CONFIDENCE = 0.3  # of knee or ankle; on a talking head it took frames with pops from 70 to 24 % (2026-11-27)
SEEN_SECONDS = 0.5  # that it is averaged over: what passes in front of a leg for a moment does not make it hang


def drop_unseen_limbs(landmarks: Landmarks, fps: float) -> Landmarks:
    """The same landmarks, without confidence in those of legs (F, 33) of which neither knee nor ankle is seen."""
    confidence = landmarks.confidence.clone()
    for side in range(2):
        leg = [pair[side] for pair in (KNEES, ANKLES, HEELS, TOES)]
        seen = torch.where(landmarks.found, confidence[:, leg[:2]].amax(1), 0.0)
        is_unseen = _averaged(seen, landmarks.found, fps) < SEEN_CONFIDENCE
        confidence[:, leg] = torch.where(is_unseen[:, None], 0.0, confidence[:, leg])
    return replace(landmarks, confidence=confidence)


def _averaged(values: Tensor, found: Tensor, fps: float) -> Tensor:
    """Values (F,) averaged over those of the frames around that are found (F,) bool."""
    reach = round(SEEN_SECONDS * fps / 2)
    both = torch.stack([values, found.to(values)])[:, None]
    total, count = avg_pool1d(both, 2 * reach + 1, stride=1, padding=reach)[:, 0]
    return total / count.clamp_min(1e-6)


def hang_unseen_limbs(rotations: Tensor, confidence: Tensor) -> Tensor:
    """Joint rotations (F, 24, 3, 3) with the usual ones of the prior in legs whose landmarks (F, 33) have no weight."""
    hung = rotations.clone()
    for side, name in enumerate(("left", "right")):
        joints = tuple(JOINT[f"{name}_{joint}"] for joint in ("hip", "knee", "ankle"))
        is_unseen = (confidence[:, [KNEES[side], ANKLES[side]]] == 0).all(1)
        usual = matrix_from_axis_angle(tabulate_priors(joints)[0])
        hung[:, joints] = torch.where(is_unseen[:, None, None, None], usual, hung[:, joints])
    return hung
