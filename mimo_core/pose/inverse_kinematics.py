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
STRAIGHT = 0.25  # a limb bent by less than about this sine does not tell where its hinge points


def rotations_from_landmarks(points: Tensor, rest: Tensor) -> Tensor:
    """Rotations (F, 24, 3, 3), relative to the parents, that bring rest landmarks (33, 3) close to points (F, 33, 3).

    Both in the world's axes (Y up). Only directions count, so scale and origin of the points do not matter.
    """
    seen, still = _frames(points), _frames(rest[None])
    world = {name: seen[name] @ still[name].mT for name in seen}  # world from rest, of the bones that are seen
    return _relative(_with_spine(world), len(points))


def _frames(points: Tensor) -> dict[str, Tensor]:
    """An orthonormal frame (F, 3, 3) for each bone that the landmarks (F, 33, 3) show."""
    up = _middle(points, SHOULDERS) - _middle(points, HIPS)
    across_hips, across_shoulders = _across(points, HIPS), _across(points, SHOULDERS)
    frames = {
        "pelvis": _frame(up, across_hips),
        "spine3": _frame(up, across_shoulders),
        "head": _frame(_across(points, EARS), points[:, NOSE] + _middle(points, MOUTH) - 2 * _middle(points, EARS)),
    }
    for side, name in enumerate(SIDES):
        frames |= _arm(points, side, name)
        frames |= _leg(points, side, name, across_hips)
    return frames


def _arm(points: Tensor, side: int, name: str) -> dict[str, Tensor]:
    shoulder, elbow, wrist = (points[:, pair[side]] for pair in (SHOULDERS, ELBOWS, WRISTS))
    upper, fore = elbow - shoulder, wrist - elbow
    palm = points[:, INDICES[side]] - points[:, PINKIES[side]]
    # A straight arm takes its hinge from the hand, whose thumb side leads when the elbow bends.
    hinge = _hinge(upper, fore, torch.cross(fore, palm, dim=-1))
    hand = points[:, INDICES[side]] + points[:, PINKIES[side]] - 2 * wrist
    return {
        f"{name}_shoulder": _frame(upper, hinge),
        f"{name}_elbow": _frame(fore, hinge),
        f"{name}_wrist": _frame(hand, palm),
    }


def _leg(points: Tensor, side: int, name: str, across_hips: Tensor) -> dict[str, Tensor]:
    hip, knee, ankle, heel, toe = (points[:, pair[side]] for pair in (HIPS, KNEES, ANKLES, HEELS, TOES))
    thigh, shin, foot = knee - hip, ankle - knee, toe - heel
    # A straight leg takes its hinge from the foot, and from the hips where the foot points along the shin.
    fallback = normalize(torch.cross(foot, thigh, dim=-1), dim=-1) + 0.5 * normalize(across_hips, dim=-1)
    hinge = _hinge(thigh, shin, fallback)
    return {
        f"{name}_hip": _frame(thigh, hinge),
        f"{name}_knee": _frame(shin, hinge),
        f"{name}_ankle": _frame(foot, ankle - heel),
    }


def _hinge(first: Tensor, second: Tensor, fallback: Tensor) -> Tensor:
    """The axis about which a two-bone limb bends, blended into `fallback` where it is almost straight."""
    axis = torch.cross(normalize(first, dim=-1), normalize(second, dim=-1), dim=-1)
    bend = axis.norm(dim=-1, keepdim=True)
    return axis + (STRAIGHT - bend).clamp_min(0) * normalize(fallback, dim=-1)


def _frame(main: Tensor, other: Tensor) -> Tensor:
    """Orthonormal columns (F, 3, 3): along `main`, along what of `other` is across it, and their cross product."""
    first = normalize(main, dim=-1)
    second = normalize(other - (other * first).sum(-1, keepdim=True) * first, dim=-1)
    return torch.stack([first, second, torch.cross(first, second, dim=-1)], -1)


def _with_spine(world: dict[str, Tensor]) -> dict[str, Tensor]:
    """Share the turn from pelvis to chest among the spine, and that from chest to head between neck and head."""
    bend = axis_angle_from_matrix(world["pelvis"].mT @ world["spine3"])
    nod = axis_angle_from_matrix(world["spine3"].mT @ world["head"])
    return world | {
        "spine1": world["pelvis"] @ matrix_from_axis_angle(bend / 3),
        "spine2": world["pelvis"] @ matrix_from_axis_angle(bend * 2 / 3),
        "neck": world["spine3"] @ matrix_from_axis_angle(nod / 2),
    }


def _relative(world: dict[str, Tensor], frames: int) -> Tensor:
    """World from rest of some joints as rotations relative to the parents; other joints stay at rest."""
    identity = torch.eye(3, dtype=world["pelvis"].dtype).expand(frames, 3, 3)
    known = {JOINT[name]: value for name, value in world.items()}
    complete = [known[0]]
    relative = [known[0]]
    for joint, parent in enumerate(PARENTS[1:], 1):
        complete.append(known.get(joint, complete[parent]))
        relative.append(complete[parent].mT @ complete[joint] if joint in known else identity)
    return torch.stack(relative, 1)


def _middle(points: Tensor, pair: tuple[int, int]) -> Tensor:
    return (points[:, pair[0]] + points[:, pair[1]]) / 2


def _across(points: Tensor, pair: tuple[int, int]) -> Tensor:
    return points[:, pair[0]] - points[:, pair[1]]
