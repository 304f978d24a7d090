"""Joint rotations from 33 landmarks in 3D, in closed form: torso, head, then swing and twist limb by limb."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..body.skeleton import JOINT, PARENTS
from ..geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from .blazepose import (
    ANKLES,
    EARS,
    ELBOWS,
    HEELS,
    HIPS,
    INDICES,
    KNEES,
    MOUTH,
    NOSE,
    PINKIES,
    SHOULDERS,
    TOES,
    WRISTS,
)


SIDES = ("left", "right")
STRAIGHT_SINE = 0.25  # a limb bent by less than about this sine does not tell where its hinge points


def rotations_from_landmarks(points: Tensor, rest: Tensor) -> Tensor:
    """Rotations (F, 24, 3, 3), relative to the parents, that bring rest landmarks (33, 3) close to points (F, 33, 3).

    Both in the world's axes (Y up). Only directions count, so scale and origin of the points do not matter.
    """
    seen, still = _bone_frames(points), _bone_frames(rest[None])
    world = {name: seen[name] @ still[name].mT for name in seen}  # world from rest, of the bones that are seen
    return _relative_rotations(_share_spine_turns(world), len(points))


def frame_from_axes(main: Tensor, other: Tensor) -> Tensor:
    """Orthonormal columns (F, 3, 3): along `main` (F, 3), along what of `other` (F, 3) is across it, and their cross
    product. With main (0, 2, 0) and other (1, 1, 0) the columns are Y, X and -Z."""
    first = normalize(main, dim=-1)
    second = normalize(other - (other * first).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.cross(first, second, dim=-1)], -1)


def _bone_frames(points: Tensor) -> dict[str, Tensor]:
    """An orthonormal frame (F, 3, 3) for each bone that the landmarks (F, 33, 3) show."""
    up = _midpoint(points, SHOULDERS) - _midpoint(points, HIPS)
    across_hips, across_shoulders = _difference(points, HIPS), _difference(points, SHOULDERS)
    frames = {
        "pelvis": frame_from_axes(up, across_hips),
        "spine3": frame_from_axes(up, across_shoulders),
        "head": frame_from_axes(
            _difference(points, EARS), points[:, NOSE] + _midpoint(points, MOUTH) - 2 * _midpoint(points, EARS)
        ),
    }
    for side, name in enumerate(SIDES):
        frames |= _arm_frames(points, side, name)
        frames |= _leg_frames(points, side, name, across_hips)
    return frames


def _arm_frames(points: Tensor, side: int, name: str) -> dict[str, Tensor]:
    shoulder, elbow, wrist = (points[:, pair[side]] for pair in (SHOULDERS, ELBOWS, WRISTS))
    upper, fore = elbow - shoulder, wrist - elbow
    palm = points[:, INDICES[side]] - points[:, PINKIES[side]]
    # A straight arm takes its hinge from the hand, whose thumb side leads when the elbow bends.
    hinge = _hinge_axis(upper, fore, torch.cross(fore, palm, dim=-1))
    hand = points[:, INDICES[side]] + points[:, PINKIES[side]] - 2 * wrist
    return {
        f"{name}_shoulder": frame_from_axes(upper, hinge),
        f"{name}_elbow": frame_from_axes(fore, hinge),
        f"{name}_wrist": frame_from_axes(hand, palm),
    }


def _leg_frames(points: Tensor, side: int, name: str, across_hips: Tensor) -> dict[str, Tensor]:
    hip, knee, ankle, heel, toe = (points[:, pair[side]] for pair in (HIPS, KNEES, ANKLES, HEELS, TOES))
    thigh, shin, foot = knee - hip, ankle - knee, toe - heel
    # A straight leg takes its hinge from the foot, and from the hips where the foot points along the shin.
    fallback = normalize(torch.cross(foot, thigh, dim=-1), dim=-1) + 0.5 * normalize(across_hips, dim=-1)
    hinge = _hinge_axis(thigh, shin, fallback)
    return {
        f"{name}_hip": frame_from_axes(thigh, hinge),
        f"{name}_knee": frame_from_axes(shin, hinge),
        f"{name}_ankle": frame_from_axes(foot, ankle - heel),
    }


def _hinge_axis(first: Tensor, second: Tensor, fallback: Tensor) -> Tensor:
    """The axis about which a two-bone limb bends, blended into `fallback` where it is almost straight."""
    axis = torch.cross(normalize(first, dim=-1), normalize(second, dim=-1), dim=-1)
    bend = axis.norm(dim=-1, keepdim=True)
    return axis + (STRAIGHT_SINE - bend).clamp_min(0) * normalize(fallback, dim=-1)


def _share_spine_turns(world: dict[str, Tensor]) -> dict[str, Tensor]:
    """Share the turn from pelvis to chest among the spine, and that from chest to head between neck and head."""
    bend = axis_angle_from_matrix(world["pelvis"].mT @ world["spine3"])
    nod = axis_angle_from_matrix(world["spine3"].mT @ world["head"])
    return world | {
        "spine1": world["pelvis"] @ matrix_from_axis_angle(bend / 3),
        "spine2": world["pelvis"] @ matrix_from_axis_angle(bend * 2 / 3),
        "neck": world["spine3"] @ matrix_from_axis_angle(nod / 2),
    }


def _relative_rotations(world: dict[str, Tensor], frames: int) -> Tensor:
    """World from rest of some joints as rotations relative to the parents; other joints stay at rest."""
    identity = torch.eye(3, dtype=world["pelvis"].dtype).expand(frames, 3, 3)
    known = {JOINT[name]: value for name, value in world.items()}
    complete = [known[0]]
    relative = [known[0]]
    for joint, parent in enumerate(PARENTS[1:], 1):
        complete.append(known.get(joint, complete[parent]))
        relative.append(complete[parent].mT @ complete[joint] if joint in known else identity)
    return torch.stack(relative, 1)


def _midpoint(points: Tensor, pair: tuple[int, int]) -> Tensor:
    """Between two landmarks of (F, 33, 3), (F, 3)."""
    return (points[:, pair[0]] + points[:, pair[1]]) / 2


def _difference(points: Tensor, pair: tuple[int, int]) -> Tensor:
    """From the second landmark of a pair to the first, (F, 3)."""
    return points[:, pair[0]] - points[:, pair[1]]
