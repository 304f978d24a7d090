"""Fingers and the turn of the wrist from 21 points of each hand, calm over a clip; what is not seen relaxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..body.fingers import BONES, FINGERS, HandRig
from ..body.model import free_body, load_hands
from ..body.person import Person
from ..body.skeleton import FINGER_JOINTS, JOINT, PARENTS
from ..geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from ..motion.motion import Motion
from .hand_fit import FIRST_POINTS, HandModel, finger_axes, fit_hands
from .hands import HandPose
from .prior import tabulate_priors
from .refine import world_from_camera_axes


RELAXED_BENDS = (0.25, 0.45, 0.25)  # of a hand that hangs; the thumb lies still
RELAXED_CLOSING = 0.7  # of the way to fingers that lie side by side
RELAXED_SLOPE = {"index": 0.8, "middle": 1.0, "ring": 1.15, "pinky": 1.3}
# MediaPipe's own threshold is 0.5; of 14 hands those from 0.66 to 0.7 were doubtful, those above 0.89 sat well.
PRESENCE = (0.6, 0.8)  # not trusted below, fully trusted above
MISFIT = (0.007, 0.014)  # meters in the picture: fully trusted below, not above
FITTED_AT_ONCE = 128  # frames
LARGE_HAND = 36.0  # pixels: twice the smallest hand whose fingers are looked for
CALM_SECONDS, HOLD_SECONDS = 0.05, 0.4  # over which angles are averaged, and for which a lost hand keeps them
KERNEL_REACH = 6  # times HOLD_SECONDS, beyond which a frame counts less than 1e-9
HOLD_SHARE, REST_SHARE = 0.02, 0.003  # of a frame of its own: what frames further away and the hand at rest count


@dataclass(frozen=True, eq=False)
class HandAngles:
    """What the points of one hand say over F frames."""

    fingers: Tensor  # (F, 45) axis-angle in the order and the axes of SMPL-H
    palm: Tensor  # (F, 3, 3) world from rest
    trust: Tensor  # (F,) 0 to 1


def add_hands(motion: Motion, hands: Sequence[tuple[HandPose | None, HandPose | None]]) -> Motion:
    """The motion with fingers and wrists as F pairs of left and right hand show them.

    Fingers that are not seen for a second relax; wrists keep what the body's landmarks said. A hand that most frames do
    not have, because it is outside the picture or too small, stays at rest, unless it is seen large in some.
    """
    person = motion.person
    for side, (name, rig) in enumerate(zip(("left", "right"), load_hands(), strict=True)):
        poses = [pair[side] for pair in hands]
        if not _is_drawn(poses):
            continue
        seen = solve_hand(rig, poses, name)
        fingers = _calm(seen.fingers, seen.trust, relax_hand(rig), motion.fps)
        person = replace(_turn_wrist(person, seen, name, motion.fps), **{f"{name}_hand_pose": fingers.float()})
    return motion.with_person(person)


def _is_drawn(poses: Sequence[HandPose | None]) -> bool:
    if sum(pose is None for pose in poses) <= len(poses) / 2:
        return True
    trusted = (pose for pose in poses if pose is not None and pose.presence >= PRESENCE[1])
    return any((pose.pixels.max(0) - pose.pixels.min(0)).max() >= LARGE_HAND for pose in trusted)


def solve_hand(rig: HandRig, poses: Sequence[HandPose | None], name: str) -> HandAngles:
    """The angles of the hand `name`, left or right, in every frame by itself."""
    frames = len(poses)
    presence = torch.tensor([0.0 if pose is None else pose.presence for pose in poses], dtype=torch.float64)
    angles, palm = torch.zeros(frames, 3 * FINGER_JOINTS), torch.eye(3, dtype=torch.float64).repeat(frames, 1, 1)
    trust = _share_between(presence, *PRESENCE)
    body = free_body()
    wrist = (body.joint_regressor @ body.template)[JOINT[f"{name}_wrist"]]
    model = HandModel.of(rig, rig.joints(body.template), wrist)
    seen = trust.nonzero()[:, 0]
    for part in seen.split(FITTED_AT_ONCE) if len(seen) else ():
        points = torch.stack([_points_of(poses[frame]) for frame in part.tolist()])
        found, palm[part], misfit = fit_hands(model, points, _turn_palm(model, points))
        turns = axis_angle_from_matrix(model.turns(found))
        angles[part] = turns.flatten(1).float()
        trust[part] *= 1 - _share_between(misfit, *MISFIT)
    return HandAngles(angles, palm, trust)


def _share_between(values: Tensor, low: float, high: float) -> Tensor:
    return ((values - low) / (high - low)).clamp(0, 1)


def relax_hand(rig: HandRig) -> Tensor:
    """Angles (45) of a hand that hangs."""
    turns = torch.zeros(FINGER_JOINTS, 3, dtype=torch.float64)
    middle = finger_axes(rig, FINGERS.index("middle"))[0]
    for finger, name in enumerate(FINGERS[:-1]):
        along, up, across = finger_axes(rig, finger)
        aside = torch.atan2(torch.linalg.cross(along, middle) @ up, along @ middle)
        for joint, bend in enumerate(RELAXED_BENDS):
            turns[BONES * finger + joint] = bend * RELAXED_SLOPE[name] * across
        closed = matrix_from_axis_angle(RELAXED_CLOSING * aside * up) @ matrix_from_axis_angle(turns[BONES * finger])
        turns[BONES * finger] = axis_angle_from_matrix(closed)
    return turns.flatten()


def _points_of(pose: HandPose) -> Tensor:
    """Points (21, 3) in the world's axes: the picture's x and y, which are exact, in meters, and the guessed depth."""
    world, pixels = torch.from_numpy(pose.world).double(), torch.from_numpy(pose.pixels).double()
    world, pixels = world - world.mean(0), pixels - pixels.mean(0)
    size = (pixels * world[:, :2]).sum() / pixels.square().sum().clamp_min(1e-9)
    return world_from_camera_axes(torch.cat([pixels * size, world[:, 2:]], 1))


def _turn_palm(model: HandModel, points: Tensor) -> Tensor:
    """The palm's rotation from rest (F, 3, 3) by least squares over wrist and knuckles of points (F, 21, 3)."""
    still = torch.stack([model.wrist, *model.joints[::BONES]])
    still = still - still.mean(0)
    moved = points[:, [0, *(FIRST_POINTS[finger] for finger in FINGERS)]]
    u, _, v = torch.linalg.svd((moved - moved.mean(1, keepdim=True)).mT @ still)
    sign = torch.ones(len(points), 3, dtype=torch.float64)
    sign[:, 2] = torch.linalg.det(u @ v).sign()
    return u @ (sign[..., None] * v)


def _calm(values: Tensor, trust: Tensor, usual: Tensor, fps: float) -> Tensor:
    """Values (F, N) averaged in time by trust (F,); where there is none near, `usual` (N)."""
    total, share = _sum_in_time(values, trust, fps)
    return (total + REST_SHARE * usual) / (share + REST_SHARE)


def _sum_in_time(values: Tensor, trust: Tensor, fps: float) -> tuple[Tensor, Tensor]:
    """Values (F, N) and ones, each times `trust` (F,) and summed over the frames around: (F, N) and (F, 1)."""
    reach = math.ceil(KERNEL_REACH * HOLD_SECONDS * fps)
    away = torch.arange(-reach, reach + 1, dtype=torch.float64).div(fps).square() / 2
    kernel = (-away / CALM_SECONDS**2).exp() + HOLD_SHARE * (-away / HOLD_SECONDS**2).exp()
    weighed = torch.cat([values.double() * trust[:, None], trust[:, None].double()], 1)
    padded, frames = torch.nn.functional.pad(weighed, (0, 0, reach, reach)), len(weighed)
    summed = weighed * kernel[reach]
    for number in range(reach):  # the kernel is the same both ways
        summed += (padded[number : number + frames] + padded[2 * reach - number :][:frames]) * kernel[number]
    return summed[:, :-1], summed[:, -1:]


def _turn_wrist(person: Person, seen: HandAngles, name: str, fps: float) -> Person:
    """The person with the wrist turned to where the palm is, as far as a wrist turns."""
    joint = JOINT[f"{name}_wrist"]
    pose = person.pose().double()
    low, high = tabulate_priors((joint,))[2:]
    parts = zip(pose.split(FITTED_AT_ONCE), seen.palm.split(FITTED_AT_ONCE), strict=True)
    wanted = torch.cat([_turn_to_palm(turns, palm, joint) for turns, palm in parts])
    is_possible = ((wanted > 2 * low) & (wanted < 2 * high)).all(1)
    wanted = wanted.clamp(low[0], high[0])
    total, share = _sum_in_time(wanted, seen.trust * is_possible, fps)
    share, mean = share / (share + REST_SHARE), total / share.clamp_min(1e-9)
    pose[:, joint] = pose[:, joint] * (1 - share) + mean * share
    return person.with_pose(pose.float())


def _turn_to_palm(pose: Tensor, palm: Tensor, joint: int) -> Tensor:
    """Axis-angle (F, 3) of a wrist, `joint` of a pose (F, 24, 3), that brings the hand to palms (F, 3, 3)."""
    local = matrix_from_axis_angle(pose)
    world = local[:, 0]
    for number in _list_chain(PARENTS[joint]):
        world = world @ local[:, number]
    return axis_angle_from_matrix(world.mT @ palm)


def _list_chain(joint: int) -> list[int]:
    """The joints from the one after the pelvis down to `joint`."""
    chain = []
    while joint > 0:
        chain.append(joint)
        joint = PARENTS[joint]
    return chain[::-1]
