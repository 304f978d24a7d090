"""Motions and the floor: the soles, where they stand, and feet that neither slide, float nor sink."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..body.model import free_body
from ..body.person import Person
from ..body.skeleton import JOINT
from ..body.skinning import blend_skin, world_from_rest
from ..geometry.rotations import matrix_from_axis_angle
from .edit import smooth_path
from .intervals import find_intervals
from .legs import LEGS, apply_limb_rotations, foot_vertices, leg_stretch, pose_skeleton, reach_goal
from .motion import Motion


SOLE_HEIGHT = 0.025  # metres above the lowest point of a foot at rest that count as its sole
SLOW, LOW = 0.5, 0.06  # metres a second along and off the floor, metres over it: below all a foot is planted
SHORTEST_STAND = 0.1  # seconds that a foot stands at least
RELEASE_SECONDS = 0.2  # seconds in which a foot that was held comes back to its own way
STEADY = 0.12  # seconds: window in which the pelvis follows the feet
DRIFT = 0.6  # seconds: window of the way that "in place" takes out; sway within a step stays


@dataclass(frozen=True, eq=False)
class Soles:
    """The undersides of the two feet over F frames, left and right."""

    lowest: Tensor  # (F, 2) height of the lowest point
    middle: Tensor  # (F, 2, 3)
    tip: Tensor  # (F, 2, 3) the ball of the foot


def locate_soles(person: Person) -> Soles:
    """Where the soles are, in world space."""
    posed = pose_sole_points(person)
    rest, transforms = _pose_joints(person)
    lowest = torch.stack([points[..., 1].amin(1) for points in posed], 1)
    middle = torch.stack([points.mean(1) for points in posed], 1)
    toes = [JOINT["left_foot"], JOINT["right_foot"]]
    tip = (transforms[:, toes, :3, :3] @ rest[toes, :, None])[..., 0] + transforms[:, toes, :3, 3]
    return Soles(lowest, middle, tip + person.transl[:, None])


def pose_sole_points(person: Person) -> list[Tensor]:
    """Points of the left and the right sole in world space, (F, N, 3) each."""
    body = free_body()
    vertices, _ = body.shape(body.betas_of(person))
    _, transforms = _pose_joints(person)
    posed = []
    for side in ("left", "right"):
        foot = foot_vertices(body, side).nonzero()[:, 0]
        height = vertices[foot, 1]
        sole = foot[height < height.amin() + SOLE_HEIGHT]
        posed.append(blend_skin(vertices[sole], body.weights[sole], transforms) + person.transl[:, None])
    return posed


def _pose_joints(person: Person) -> tuple[Tensor, Tensor]:
    """Joints at rest (24, 3) and the transforms (F, 24, 4, 4) of the pose, at the origin."""
    body = free_body()
    _, rest = body.shape(body.betas_of(person))
    return rest, world_from_rest(matrix_from_axis_angle(person.pose()), rest, body.parents)


def estimate_floor(person: Person) -> float:
    """The height of the floor that the person moves on: where the lower foot mostly is, without leaps."""
    lowest = locate_soles(person).lowest[person.visible].amin(1)
    return float(lowest.quantile(0.2)) if len(lowest) else 0.0


def remove_travel(motion: Motion) -> Motion:
    """Take the way over the ground out: everybody stays where they start; sway, jumps and turns stay."""
    people = []
    for person in motion.people:
        path = smooth_path(person.transl, DRIFT * motion.fps)
        away = path - path[:1]
        away[:, 1] = 0
        people.append(replace(person, transl=person.transl - away))
    return replace(motion, people=tuple(people))


def hold_feet_on_floor(motion: Motion, *, floor: float | None = None) -> Motion:
    """Hold planted feet: they neither slide, float nor sink, and no foot goes below the floor.

    The floor is level; without a height in metres it is where the lower foot mostly is. The pelvis follows the feet a
    little and the knees do the rest; contacts are found anew.
    """
    people = tuple(
        _hold_feet(person, estimate_floor(person) if floor is None else floor, motion.fps) for person in motion.people
    )
    return replace(motion, people=people)


def find_floor_contacts(soles: Soles, floor: float, visible: Tensor, fps: float) -> Tensor:
    """Which feet stand, (F, 2) bool: low and slow for at least a tenth of a second."""
    frames = len(soles.lowest)
    if frames < 2:
        return soles.lowest < floor + LOW
    velocity = torch.gradient(soles.tip, dim=0)[0] * fps
    is_slow = (velocity[..., [0, 2]].norm(dim=2) < SLOW) & (velocity[..., 1].abs() < SLOW)
    planted = is_slow & (soles.lowest < floor + LOW) & visible[:, None]
    for foot in range(2):
        for start, stop in find_intervals(planted[:, foot]):
            if stop - start < SHORTEST_STAND * fps:
                planted[start:stop, foot] = False
    return planted


def _hold_feet(person: Person, floor: float, fps: float) -> Person:
    body, soles = free_body(), locate_soles(person)
    contacts = find_floor_contacts(soles, floor, person.visible, fps)
    wanted = _foot_corrections(soles, floor, contacts, fps)
    # The pelvis takes what both feet share, smoothly; the legs do the rest.
    weight = contacts.float() + 1e-3
    shared = (wanted * weight[..., None]).sum(1) / weight.sum(1, keepdim=True)
    shared = smooth_path(shared, STEADY * fps)
    skeleton = pose_skeleton(body, body.betas_of(person), person)
    linear = skeleton.linear.clone()
    for side, leg in enumerate(LEGS):
        goal = skeleton.joints[:, leg[2]] - skeleton.joints[:, leg[0]] + wanted[:, side] - shared
        reach_goal(linear, skeleton, leg, goal, leg_stretch(skeleton, leg))
    moved = replace(person, transl=person.transl + shared, contacts=contacts)
    return apply_limb_rotations(moved, linear, body.parents)


def _foot_corrections(soles: Soles, floor: float, contacts: Tensor, fps: float) -> Tensor:
    """How far each foot has to move, (F, 2, 3): to where it stands, and back to its own way in the air."""
    wanted = torch.zeros_like(soles.tip)
    for foot in range(2):
        strength = torch.zeros(len(wanted))
        held = torch.zeros(len(wanted), 3)
        release = max(round(RELEASE_SECONDS * fps), 1)
        for start, stop in find_intervals(contacts[:, foot]):
            tip = soles.tip[start:stop, foot]
            offset = tip.mean(0) - tip
            offset[:, 1] = floor - soles.lowest[start:stop, foot]
            held[start:stop], strength[start:stop] = offset, 1
            for frame in range(max(start - release, 0), start):
                _lend_offset(held, strength, frame, offset[0], 1 - (start - frame) / release)
            for frame in range(stop, min(stop + release, len(wanted))):
                _lend_offset(held, strength, frame, offset[-1], 1 - (frame - stop + 1) / release)
        wanted[:, foot] = held
        sunk = (floor - soles.lowest[:, foot] - wanted[:, foot, 1]).clamp_min(0)
        wanted[:, foot, 1] += sunk
    return wanted


def _lend_offset(held: Tensor, strength: Tensor, frame: int, offset: Tensor, share: float):
    """Let a frame in the air follow the nearer of the stands around it."""
    if share > strength[frame]:
        held[frame], strength[frame] = offset * share * share * (3 - 2 * share), share
