"""Which of a person's sides is left: settled over a clip, because a network sometimes takes a back for a front.

Seen from behind, or half hidden, the person may be found facing the other way for a few frames: left and right swap and
depths are mirrored. A body cannot turn round between two frames, so the cheapest way through the clip says where.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..body.landmarks import BLAZEPOSE_LANDMARKS, other_side
from .blazepose import HIPS, SHOULDERS
from .landmarks import BRIDGE_SECONDS, Landmarks


MIRRORED_LANDMARKS = [BLAZEPOSE_LANDMARKS.index(other_side(name)) for name in BLAZEPOSE_LANDMARKS]
# Seeds 0-39: 15 frames of 3 clips are swapped, all of them rightly; seed 7 faces 12 instead of 50 degrees off.
SWAP_COST = 0.1  # what a frame costs that is taken to be swapped
FREE_TURN = math.pi / 2  # between two frames: what costs 1; half as much costs a sixteenth
SLOWEST_FPS = 12.0  # frames a second from which on a body turns less than that between two of them


def settle_sides(landmarks: Landmarks, fps: float) -> Landmarks:
    """The same landmarks, swapped back in frames in which the person faces the other way than before and after."""
    known = landmarks.found.nonzero()[:, 0]
    is_swapped = torch.zeros(len(landmarks), dtype=torch.bool)
    is_swapped[known] = _find_swaps(_facing_angle(landmarks.world[known]), known, fps)
    if not is_swapped.any():
        return landmarks
    other = swap_sides(landmarks)

    def chosen(name: str) -> Tensor:
        mine, theirs = getattr(landmarks, name), getattr(other, name)
        return torch.where(is_swapped.view(-1, *[1] * (mine.ndim - 1)), theirs, mine)

    return Landmarks(chosen("pixels"), chosen("world"), chosen("confidence"), landmarks.score)


def swap_sides(landmarks: Landmarks) -> Landmarks:
    """The person that faces the other way and looks the same: left is right, and near is far."""
    world = landmarks.world[:, MIRRORED_LANDMARKS] * landmarks.world.new_tensor([1.0, 1.0, -1.0])
    return Landmarks(
        landmarks.pixels[:, MIRRORED_LANDMARKS], world, landmarks.confidence[:, MIRRORED_LANDMARKS], landmarks.score
    )


def _facing_angle(world: Tensor) -> Tensor:
    """The angle (F,) of the line from right to left through shoulders and hips, seen from above; 0 faces the camera."""
    across = sum(world[:, left] - world[:, right] for left, right in (SHOULDERS, HIPS))
    return torch.atan2(across[:, 2], across[:, 0])


def _find_swaps(facing: Tensor, frames: Tensor, fps: float) -> Tensor:
    """Which of the known frames (K,) with these angles (K,) are swapped, by dynamic programming over both readings."""
    readings = torch.stack([facing, math.pi - facing], 1).double()  # (K, 2)
    allowed = FREE_TURN * max(1.0, SLOWEST_FPS / fps)
    turn = readings[1:, None, :] - readings[:-1, :, None]  # (K - 1, before, after)
    turn = torch.atan2(turn.sin(), turn.cos())
    is_near = frames.diff() <= max(1.0, BRIDGE_SECONDS * fps)
    change = (turn / allowed) ** 4 * is_near[:, None, None]
    belief = torch.tensor([0.0, SWAP_COST], dtype=torch.float64)
    cost, came_from = belief, []
    for step in change:
        total = cost[:, None] + step
        came_from.append(total.argmin(0))
        cost = total.amin(0) + belief
    state = int(cost.argmin())
    states = [state]
    for before in reversed(came_from):
        state = int(before[state])
        states.append(state)
    return torch.tensor(states[::-1], dtype=torch.bool)
