"""A driver's motion on another body: the same pose, the feet where the driver's feet are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..body.model import BodyModel, free_body
from ..body.skeleton import JOINT
from ..body.skinning import matrix_from_axis_angle, world_from_rest
from ..body.stature import of_stature, stature_of
from ..errors import InputError
from .motion import Motion, Person
from .rotations import axis_angle_from_matrix


LEGS = tuple(tuple(JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle")) for side in ("left", "right"))
SWING = 0.03  # metres above the lower ankle from which a foot carries less and less weight
RELEASE = 8.0  # how fast: 10 cm higher the leg may want 8 cm more than it has
GIVE = 0.015  # metres before the end of a leg's reach at which the pelvis begins to sink, for no jerk, if legs differ
ALIKE = 0.05  # relative difference of leg length from which legs differ fully
BENT = 0.02  # a knee straighter than about this many radians bends around the hinge of the thigh
STRAIGHT = 0.999  # of a leg's length: the furthest that it reaches
TENSE = 0.97  # of a leg's length: from here on, or from the driver's own stretch, a swinging leg follows less and less


@dataclass(frozen=True, eq=False)
class _Skeleton:
    """A posed skeleton without its place in the world."""

    rest: Tensor  # (24, 3)
    linear: Tensor  # (F, 24, 3, 3), world from rest
    joints: Tensor  # (F, 24, 3)
    ankle_height: Tensor  # (2,) above the sole, at rest

    def bone(self, joint: int, child: int) -> Tensor:
        """The bone from a joint to its child, (F, 3)."""
        return self.linear[:, joint] @ (self.rest[child] - self.rest[joint])


STATURES = ("driver", "own")


def retarget(motion: Motion, character, *, stature: str = "driver") -> Motion:
    """The motion on the body of a character: an Identity, a Motion fitted to it, or its shape values (10).

    The character gets the driver's stature, because one picture does not tell its own; `stature` "own" keeps what was
    fitted. The ankles stay over the driver's, at the height that puts the soles where the driver's soles are; the
    pelvis keeps its place over the ground and rises or sinks with the length of the legs, which bend at the knee to
    reach. A foot that swings further than the leg is long points the same way. Without a fitted body the motion is
    unchanged.
    """
    if stature not in STATURES:
        raise InputError(f"Unknown stature {stature!r}. Choose one of {', '.join(STATURES)}.")
    betas = _betas(character)
    if betas is None:
        return motion
    body, person = free_body(), motion.person
    driver_betas = body.betas_of(person)
    if stature == "driver":
        betas = of_stature(body, betas, stature_of(body, driver_betas))
    if person.body == body.name and torch.allclose(betas, driver_betas, atol=1e-3):
        return motion
    driver, target = (_skeleton(body, shape, person) for shape in (driver_betas, betas))
    return motion.with_person(_placed(body, person, betas, driver, target))


def _betas(character) -> Tensor | None:
    if character is None or isinstance(character, Tensor):
        return character
    fitted = character if isinstance(character, Motion) else character.motion
    return None if fitted is None else free_body().betas_of(fitted.person)


def _skeleton(body: BodyModel, betas: Tensor, person: Person) -> _Skeleton:
    vertices, rest = body.shape(betas)
    transforms = world_from_rest(matrix_from_axis_angle(person.pose()), rest, body.parents)
    linear = transforms[..., :3, :3]
    joints = (linear @ rest[..., None])[..., 0] + transforms[..., :3, 3]
    soles = torch.stack([vertices[_foot(body, side), 1].amin() for side in ("left", "right")])
    return _Skeleton(rest, linear, joints, rest[[leg[2] for leg in LEGS], 1] - soles)


def _foot(body: BodyModel, side: str) -> Tensor:
    return (body.parts == JOINT[f"{side}_ankle"]) | (body.parts == JOINT[f"{side}_foot"])


def _placed(body: BodyModel, person: Person, betas: Tensor, driver: _Skeleton, target: _Skeleton) -> Person:
    ankles = driver.joints[:, [leg[2] for leg in LEGS]] + person.transl[:, None]  # (F, 2, 3)
    lift = torch.zeros_like(ankles)
    lift[..., 1] = target.ankle_height - driver.ankle_height
    goals = ankles + lift
    pelvis = _pelvis(driver.joints[:, 0] + person.transl, ankles, goals, driver, target)
    linear = target.linear.clone()
    for side, leg in enumerate(LEGS):
        hip = pelvis + target.joints[:, leg[0]] - target.joints[:, 0]
        _reach(linear, target, leg, goals[:, side] - hip, _stretch(driver, leg))
    local = linear.clone()
    for joint, parent in enumerate(body.parents[1:], 1):
        local[:, joint] = linear[:, parent].mT @ linear[:, joint]
    changed = [joint for leg in LEGS for joint in leg]  # all other rotations stay as they are, to the last bit
    pose = person.pose().clone()
    pose[:, changed] = axis_angle_from_matrix(local[:, changed])
    moved = replace(person, betas=betas, body=body.name, transl=pelvis - target.rest[0])
    return moved.with_pose(pose)


def _pelvis(pelvis: Tensor, ankles: Tensor, goals: Tensor, driver: _Skeleton, target: _Skeleton) -> Tensor:
    """Where the pelvis goes, (F, 3): over the same ground, its height over the lower ankle scaled by the legs."""
    scale = sum(_leg_length(target, leg) for leg in LEGS) / sum(_leg_length(driver, leg) for leg in LEGS)
    ground, goal_ground = _lower(ankles[..., 1]), _lower(goals[..., 1])
    height = goal_ground + scale * (pelvis[:, 1] - ground)
    give = GIVE * ((scale - 1).abs() / ALIKE).clamp(1e-3, 1)
    for side, leg in enumerate(LEGS):
        hip = target.joints[:, leg[0]] - target.joints[:, 0]
        reach = _stretch(driver, leg) * _leg_length(target, leg)
        away = goals[:, side] - pelvis - hip
        rise = (reach**2 - away[:, 0] ** 2 - away[:, 2] ** 2).clamp_min((0.3 * reach) ** 2).sqrt()
        swing = (goals[:, side, 1] - goal_ground - SWING).clamp_min(0)
        excess = height - (goals[:, side, 1] + rise - hip[:, 1] + RELEASE * swing**2)
        height = height - torch.where(excess < give, (excess + give).clamp_min(0) ** 2 / (4 * give), excess)
    return torch.stack([pelvis[:, 0], height, pelvis[:, 2]], 1)


def _lower(heights: Tensor, softness: float = 0.02) -> Tensor:
    """The lower of two heights (F, 2) without a kink where they swap, (F,)."""
    return -softness * torch.logsumexp(-heights / softness, 1)


def _leg_length(skeleton: _Skeleton, leg: tuple[int, int, int]) -> Tensor:
    hip, knee, ankle = (skeleton.rest[joint] for joint in leg)
    return (knee - hip).norm() + (ankle - knee).norm()


def _stretch(skeleton: _Skeleton, leg: tuple[int, int, int]) -> Tensor:
    """How far the ankle is from the hip, (F,), as a share of the leg's length; a bent leg counts as TENSE."""
    hip, _, ankle = leg
    distance = (skeleton.joints[:, ankle] - skeleton.joints[:, hip]).norm(dim=1)
    return (distance / _leg_length(skeleton, leg)).clamp(TENSE, STRAIGHT)


def _reach(linear: Tensor, skeleton: _Skeleton, leg: tuple[int, int, int], goal: Tensor, stretch: Tensor):
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
    swing = _shortest_turn(bent, goal)
    linear[:, hip] = swing @ linear[:, hip]
    linear[:, knee] = swing @ bend @ linear[:, knee]


def _shortest_turn(start: Tensor, end: Tensor) -> Tensor:
    """Rotations (F, 3, 3) that turn directions `start` into `end`, (F, 3) each."""
    axis = torch.linalg.cross(start, end)
    sine = axis.norm(dim=1, keepdim=True)
    angle = torch.atan2(sine, (start * end).sum(1, keepdim=True))
    return matrix_from_axis_angle(axis / sine.clamp_min(1e-9) * angle)
