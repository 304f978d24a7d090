"""A close look at a person whose place is known: their hands, and their pose as it is seen in a mirror.

A network that is sure of a landmark may be wrong all the same, but seldom says the same of the mirror image. So the
mean of both looks is better than one, what they disagree on counts for less, and where limbs jump or change sides the
reading that moves least over the clip is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from .blazepose import (
    ANKLES,
    ELBOWS,
    HEELS,
    HIPS,
    INDICES,
    KNEES,
    PINKIES,
    SHOULDERS,
    THUMBS,
    TOES,
    WRISTS,
    BlazePose,
    CropRegion,
    FramePose,
    load_blazepose,
)
from .hands import NO_HANDS, HandPose, HandStore, find_hands, find_hands_elsewhere
from .landmarks import BRIDGE_SECONDS, Landmarks
from .sides import MIRRORED_LANDMARKS, settle_sides
from .turned_look import agrees, look_turned


ARMS = [*ELBOWS, *WRISTS, *PINKIES, *INDICES, *THUMBS]
LEGS = [*KNEES, *ANKLES, *HEELS, *TOES]
LIMBS = {"arms": ARMS, "legs": LEGS}
READINGS = 4  # of limbs: either look, then either with left and right exchanged
SWAP_COST = 0.15  # of a reading that exchanges left and right, a frame
USUAL_SPEED = 3.0  # meters a second about the hips: a limb that moves so fast costs half of one that is elsewhere
# Meters by which the looks are apart where the second counts a quarter. Joints of seeds 1000-1019 with focal lengths:
# 79.9 mm by one look, 76.4 by the mean of both, 74.2 by both so; jitter 42.8, 40.1, 35.9 mm (2026-11-28).
DOUBT = 0.1
FRAMES_AT_ONCE = 1024  # of which readings, 6 kB each, are compared
LEAST_BELIEF = 0.65  # of the confidence of a landmark of which the looks say quite different things


class CloseLook:
    """What a second pass over the frames shows of one person. One object serves one clip, whose shots `cuts` begin.

    `ask` is called between the looks at a doubtful frame; it may raise to cancel.
    """

    def __init__(
        self,
        *,
        fingers: bool,
        networks: BlazePose | None = None,
        cuts: Collection[int] = (),
        ask: Callable[[], None] = lambda: None,
    ):
        self.networks = networks or load_blazepose()
        self.cuts, self.ask = cuts, ask
        self.hands = HandStore() if fingers else None
        self.mirrored_hands = HandStore()  # at wrists that only the mirrored look sees
        self.mirrored: list[FramePose | None] = []
        self._before: FramePose | None = None  # of the last frame of the shot, if it is not doubtful

    def add(self, frame: np.ndarray, pose: FramePose | None) -> FramePose | None:
        """Look at the person with `pose` in the next frame (H, W, 3) uint8; None if nobody was found there.

        The pose that is kept: another one where the mirror image and a turned region say so.
        """
        mirrored = None
        if len(self.mirrored) in self.cuts:
            self._before = None
        if pose is not None:
            mirrored = find_mirrored(self.networks, frame, pose.region)
            pose, mirrored = look_turned(self.networks, frame, pose, mirrored, self._before, find_mirrored, self.ask)
        self._before = pose if pose is not None and agrees(pose, mirrored) else None
        self.mirrored.append(mirrored)
        if self.hands is not None:
            self.hands.append(NO_HANDS if pose is None else find_hands(frame, pose))
            elsewhere = NO_HANDS if pose is None else find_hands_elsewhere(frame, self.mirrored[-1], pose)
            self.mirrored_hands.append(elsewhere)
        return pose

    def settle(self, first: Landmarks, fps: float) -> Landmarks:
        """The landmarks of both looks together, sides told apart, from those of the first."""
        second = replace(Landmarks.from_poses(self.mirrored), score=first.score)
        return merge_looks(settle_sides(first, fps), settle_sides(second, fps), fps)

    def match_hands(self, first: Landmarks, settled: Landmarks) -> HandStore:
        """Left and right hand of every frame: they were looked for at the wrists of both looks, and each wrist of
        `settled` has the one that is nearer; a hand that is half a trunk away is not this one.
        Empty where nobody looked for hands."""
        matched = HandStore()
        for frame, pair in enumerate(self.hands or ()):
            now, then = settled.pixels[frame, list(WRISTS)], first.pixels[frame, list(WRISTS)]
            straight, across = ((now - other).norm(dim=1) for other in (then, then.flip(0)))
            is_swapped = bool(across.sum() < straight.sum())
            away = (across if is_swapped else straight).tolist()
            trunk = settled.pixels[frame, list(SHOULDERS)].mean(0) - settled.pixels[frame, list(HIPS)].mean(0)
            reach = float(trunk.norm()) / 2
            found = [pair[side ^ is_swapped] if away[side] <= reach else None for side in range(2)]
            for pose, wrist in self._list_elsewhere(frame):
                side = int((now - wrist).norm(dim=1).argmin())
                if float((now[side] - wrist).norm()) < min(away[side], reach):
                    found[side] = pose
            matched.append(tuple(found))
        return matched

    def _list_elsewhere(self, frame: int) -> list[tuple[HandPose, Tensor]]:
        """The hands that were looked for at wrists of the mirrored look alone, with these wrists (2,)."""
        look = self.mirrored[frame]
        pairs = zip(self.mirrored_hands[frame], WRISTS, strict=True)
        return [(pose, torch.from_numpy(look.pixels[wrist])) for pose, wrist in pairs if pose is not None]


def find_mirrored(networks: BlazePose, frame: np.ndarray, region: CropRegion) -> FramePose:
    """The person in `region` of an RGB frame (H, W, 3) uint8 as the mirror image shows them, without a mask.

    Left and right are the person's own. The regions are those of the mirror image.
    """
    width = frame.shape[1]
    center = (width - region.center[0], region.center[1])
    seen = networks.find_landmarks(np.ascontiguousarray(frame[:, ::-1]), CropRegion(center, region.size, -region.angle))
    pixels, world = seen.pixels[MIRRORED_LANDMARKS], seen.world[MIRRORED_LANDMARKS] * np.float32([-1, 1, 1])
    pixels = np.column_stack([width - pixels[:, 0], pixels[:, 1]])
    return replace(seen, pixels=pixels, world=world, confidence=seen.confidence[MIRRORED_LANDMARKS], mask=None)


def merge_looks(first: Landmarks, second: Landmarks, fps: float) -> Landmarks:
    """The mean of two looks at the same frames, the second weighed by how near it is.

    Legs and arms are first read so that they move least over the clip: by either look, with left and right exchanged
    where they were taken for each other. What the looks disagree on loses up to a third of its confidence.
    """
    known = first.found.nonzero()[:, 0]
    paths = {part: _find_path(first, second, limbs, known, fps) for part, limbs in LIMBS.items()}
    whole = [values.clone() for values in (first.pixels, first.world, first.confidence)]
    for start in range(0, len(known), FRAMES_AT_ONCE):
        part = slice(start, start + FRAMES_AT_ONCE)
        merged = _merge_part(
            first[known[part]], second[known[part]], {name: path[part] for name, path in paths.items()}
        )
        for values, found in zip(whole, merged, strict=True):
            values[known[part]] = found.to(values)
    return Landmarks(*whole, first.score)


def _merge_part(first: Landmarks, second: Landmarks, paths: dict[str, Tensor]) -> list[Tensor]:
    """Pixels, world and confidence of K frames in which both looks found the person, by the readings (K,) of limbs."""
    pixels, world, confidence = (
        _list_readings(getattr(first, name), getattr(second, name)) for name in ("pixels", "world", "confidence")
    )
    chosen = torch.zeros(len(first), first.pixels.shape[1], dtype=torch.long)
    other = chosen + 1
    for name, path in paths.items():
        chosen[:, LIMBS[name]] = path[:, None]
        other[:, LIMBS[name]] = _find_nearer(world[:, :, LIMBS[name]], path)[:, None]
    mine, theirs = ([_take(values, reading) for values in (pixels, world, confidence)] for reading in (chosen, other))
    belief = _weigh_agreement(mine, theirs)
    merged = [
        (own + _expand(belief, own) * their) / (1 + _expand(belief, own))
        for own, their in zip(mine, theirs, strict=True)
    ]
    merged[2] = merged[2] * (LEAST_BELIEF + (1 - LEAST_BELIEF) * belief)
    return merged


def _list_readings(first: Tensor, second: Tensor) -> Tensor:
    """(K, READINGS, 33, ...) of what the looks (K, 33, ...) say."""
    return torch.stack([first, second, first[:, MIRRORED_LANDMARKS], second[:, MIRRORED_LANDMARKS]], 1).double()


def _find_path(first: Landmarks, second: Landmarks, limbs: list[int], frames: Tensor, fps: float) -> Tensor:
    """The reading (K,) of limbs in known frames (K,) that moves least, by dynamic programming."""
    swap = torch.tensor([0.0, 0.0, SWAP_COST, SWAP_COST], dtype=torch.float64)
    cost, came_from = swap, []
    for start in range(0, len(frames) - 1, FRAMES_AT_ONCE):
        part = frames[start : start + FRAMES_AT_ONCE + 1]
        places = _list_readings(first.world[part], second.world[part])[:, :, limbs]
        for step in _measure_change(places, part, fps):
            total = cost[:, None] + step
            came_from.append(total.argmin(0).tolist())
            cost = total.amin(0) + swap
    states = [int(cost.argmin())] if len(frames) else []
    for before in reversed(came_from):
        states.append(before[states[-1]])
    return torch.tensor(states[::-1], dtype=torch.long)


def _measure_change(places: Tensor, frames: Tensor, fps: float) -> Tensor:
    """How much limbs move from every reading to every other (K - 1, before, after), 0 to 1, by places
    (K, READINGS, L, 3) in meters in known frames (K,)."""
    way = frames.diff().double()
    moved = (places[1:, None] - places[:-1, :, None]).square().sum(-1)  # (K - 1, before, after, L)
    usual = (USUAL_SPEED * way / fps).square()[:, None, None, None]
    is_near = way <= max(1.0, BRIDGE_SECONDS * fps)
    return (moved / (moved + usual)).mean(-1) * is_near[:, None, None]


def _find_nearer(places: Tensor, path: Tensor) -> Tensor:
    """Of the two readings of the other look that one (K,) which is nearer to the reading on the path (K,)."""
    row = torch.arange(len(path))
    away = (places - places[row, path][:, None]).norm(dim=-1).mean(-1)  # (K, READINGS)
    same = path ^ 1
    return torch.where(away[row, same ^ 2] < away[row, same], same ^ 2, same)


def _take(values: Tensor, reading: Tensor) -> Tensor:
    """Of values (K, READINGS, 33, ...) the ones of a reading (K, 33)."""
    frames, count = reading.shape
    return values[torch.arange(frames)[:, None], reading, torch.arange(count)]


def _weigh_agreement(mine: list[Tensor], theirs: list[Tensor]) -> Tensor:
    """0 to 1 (K, 33): how near two readings, pixels and world, are to each other, in the picture and in space."""
    reach = [(points - points.mean(1, keepdim=True))[..., :2].norm(dim=-1).mean(1) for points in mine[:2]]
    scale = (reach[0] / reach[1].clamp_min(1e-6)).clamp_min(1e-6)[:, None]  # pixels a meter
    seen = (mine[0] - theirs[0]).norm(dim=-1) / scale
    away = torch.maximum(seen, (mine[1] - theirs[1]).norm(dim=-1))
    return (1 + (away / DOUBT).square()) ** -2


def _expand(weight: Tensor, values: Tensor) -> Tensor:
    return weight.view(*weight.shape, *[1] * (values.ndim - weight.ndim))
