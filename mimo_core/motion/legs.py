"""Limbs that reach: a posed skeleton, and knee and hip turned so that an ankle comes where it should be; arms alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..body.model import BodyModel
from ..body.person import Person
from ..body.skeleton import JOINT
from ..body.skinning import world_from_rest
from ..geometry.rotations import (
    axis_angle_from_matrix,
    matrix_from_axis_angle,
    matrix_from_quaternion,
    quaternion_from_matrix,
    shortest_rotations,
    slerp,
)


LEGS = tuple(tuple(JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle")) for side in ("left", "right"))
ARMS = tuple(tuple(JOINT[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist")) for side in ("left", "right"))
FRAMES_AT_ONCE = 256  # posed at once: in between they take 7 kB each
MOVED = ("global_orient", "body_pose", "transl")  # of a person, by another body
BENT = 0.02  # a knee straighter than about this many radians bends around the hinge of the thigh
STRAIGHT_LEG = 0.999  # of a leg's length: the furthest that it reaches
TENSE = 0.97  # of a leg's length: from here on, or from the driver's own stretch, a swinging leg follows less and less


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A posed skeleton without its place in the world."""

    rest: Tensor  # (24, 3)
    linear: Tensor  # (F, 24, 3, 3), world from rest
    joints: Tensor  # (F, 24, 3)
    ankle_height: Tensor  # (2,) above the sole, at rest

    def bone(self, joint: int, child: int) -> Tensor:
        """The bone from a joint to its child, (F, 3)."""
        return self.linear[:, joint] @ (self.rest[child] - self.rest[joint])


def pose_skeleton(body: BodyModel, betas: Tensor, person: Person) -> Skeleton:
    """The skeleton of a body of some shape (10) in the pose of a person."""
    vertices, rest = body.shape(betas)
    transforms = world_from_rest(matrix_from_axis_angle(person.pose()), rest, body.parents)
    linear = transforms[..., :3, :3]
    joints = (linear @ rest[..., None])[..., 0] + transforms[..., :3, 3]
    soles = torch.stack([vertices[foot_vertices(body, side), 1].amin() for side in ("left", "right")])
    return Skeleton(rest, linear, joints, rest[[leg[2] for leg in LEGS], 1] - soles)


def split_frames(frames: int) -> Iterator[slice]:
    """Slices of FRAMES_AT_ONCE frames, in order."""
    return (slice(at, min(at + FRAMES_AT_ONCE, frames)) for at in range(0, frames, FRAMES_AT_ONCE))


def join_moved(person: Person, parts: Iterable[Person]) -> Person:
    """The person on the body and in the places of its `parts`, which follow each other."""
    parts = list(parts)
    moved = {name: torch.cat([getattr(part, name) for part in parts]) for name in MOVED}
    return replace(person, betas=parts[0].betas, body=parts[0].body, **moved)


def blend_people(one: Person, other: Person, share: Tensor) -> Person:
    """The `other` person in the pose and place between `one` (share 0) and its own (share 1), by shares (F,)."""
    turns = [quaternion_from_matrix(matrix_from_axis_angle(person.pose())) for person in (one, other)]
    between = axis_angle_from_matrix(matrix_from_quaternion(slerp(*turns, share[:, None, None])))
    pose = torch.where((share == 0)[:, None, None], one.pose(), between)
    pose = torch.where((share == 1)[:, None, None], other.pose(), pose)
    return replace(other.with_pose(pose), transl=torch.lerp(one.transl, other.transl, share[:, None]))


def foot_vertices(body: BodyModel, side: str) -> Tensor:
    """Which vertices (V,) bool belong to the left or right foot."""
    return (body.parts == JOINT[f"{side}_ankle"]) | (body.parts == JOINT[f"{side}_foot"])


def apply_limb_rotations(person: Person, linear: Tensor, parents: tuple[int, ...], limbs=LEGS) -> Person:
    """The person with limbs of three joints as in `linear` (F, 24, 3, 3); all other rotations stay, to the last bit."""
    local = linear.clone()
    for joint, parent in enumerate(parents[1:], 1):
        local[:, joint] = linear[:, parent].mT @ linear[:, joint]
    changed = [joint for limb in limbs for joint in limb]
    pose = person.pose().clone()
    pose[:, changed] = axis_angle_from_matrix(local[:, changed])
    return person.with_pose(pose)


def leg_length(skeleton: Skeleton, leg: tuple[int, int, int]) -> Tensor:
    """Thigh and shin together, a scalar in metres."""
    hip, knee, ankle = (skeleton.rest[joint] for joint in leg)
    return (knee - hip).norm() + (ankle - knee).norm()


def leg_stretch(skeleton: Skeleton, leg: tuple[int, int, int]) -> Tensor:
    """How far the ankle is from the hip, (F,), as a share of the leg's length; a bent leg counts as TENSE."""
    hip, _, ankle = leg
    distance = (skeleton.joints[:, ankle] - skeleton.joints[:, hip]).norm(dim=1)
    return (distance / leg_length(skeleton, leg)).clamp(TENSE, STRAIGHT_LEG)


def reach_goal(linear: Tensor, skeleton: Skeleton, leg: tuple[int, int, int], goal: Tensor, stretch: Tensor):
    """Turn thigh and shin in `linear` (F, 24, 3, 3) so that the ankle lies at `goal` (F, 3) from the hip.

    First the knee opens or closes until the distance is right, then the whole leg swings the shortest way. The foot
    keeps its direction.
    """
    hip, knee, ankle = leg
    thigh, shin = skeleton.bone(hip, knee), skeleton.bone(knee, ankle)
    long, short = thigh.norm(dim=1), shin.norm(dim=1)
    tense, room = stretch * (long + short), (1 - stretch) * (long + short)
    beyond = (goal.norm(dim=1) - tense).clamp_min(0)
    distance = torch.minimum(goal.norm(dim=1), tense) + room * (1 - (-beyond / room).exp())
    distance = distance.clamp_min(1.05 * (long - short).abs() + 1e-3)
    inner = ((long**2 + short**2 - distance**2) / (2 * long * short)).clamp(-1, 1)
    across = torch.linalg.cross(thigh, shin)
    now = torch.atan2(across.norm(dim=1), (thigh * shin).sum(1))
    hinge = across + BENT * (long * short)[:, None] * linear[:, hip, :, 0]
    hinge = torch.nn.functional.normalize(hinge, dim=1)
    bend = matrix_from_axis_angle(hinge * (torch.pi - inner.acos() - now)[:, None])
    bent = thigh + (bend @ shin[..., None])[..., 0]
    swing = shortest_rotations(bent, goal)
    linear[:, hip] = swing @ linear[:, hip]
    linear[:, knee] = swing @ bend @ linear[:, knee]
