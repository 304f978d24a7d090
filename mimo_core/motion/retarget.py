"""A driver's motion on another body: the same pose, the feet where the driver's feet are."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..body.head import measure_stature
from ..body.height import measure_height, scale_to_height
from ..body.model import BodyModel, free_body
from ..body.person import Person
from ..errors import InputError
from .half_body import place_half_body, shows_feet
from .legs import (
    LEGS,
    Skeleton,
    apply_limb_rotations,
    join_moved,
    leg_length,
    leg_stretch,
    pose_skeleton,
    reach_goal,
    split_frames,
)
from .motion import Motion


SWING = 0.03  # metres above the lower ankle from which a foot carries less and less weight
SWING_RELEASE = 8.0  # how fast: 10 cm higher the leg may want 8 cm more than it has
GIVE = 0.015  # metres before the end of a leg's reach at which the pelvis begins to sink, for no jerk, if legs differ
ALIKE_LEGS = 0.05  # relative difference of leg length from which legs differ fully
STATURES = ("driver", "own")


def retarget_motion(motion: Motion, character, *, stature: str = "driver") -> Motion:
    """The motion on the body of a character: an Identity, a Motion fitted to it, or its shape values (10).

    The character gets the driver's stature, because one picture does not tell its own, a large head included;
    `stature` "own" keeps what was fitted. The ankles stay over the driver's, at the height that puts the soles where
    the driver's soles are; the pelvis keeps its place over the ground and rises or sinks with the length of the legs,
    which bend at the knee to reach. A foot that swings further than the leg is long points the same way. A character
    with a large head is placed by the driver's hips and hands where no foot of the driver is seen. Without a fitted
    body the motion is unchanged. Raises InputError for an unknown `stature`.
    """
    if stature not in STATURES:
        raise InputError(f"Unknown stature {stature!r}. Choose one of {', '.join(STATURES)}.")
    betas = _character_betas(character)
    if betas is None:
        return motion
    body, person = free_body(), motion.person
    driver_betas = body.betas_of(person)
    if stature == "driver":
        # The same build is the character already, whose head may have cost it some of the driver's height.
        if person.body == body.name and torch.allclose(betas[1:], driver_betas[1:], atol=1e-3):
            return motion
        share = _body_share(character, betas)
        if share != 1 and not shows_feet(motion):
            return place_half_body(motion, betas, getattr(character, "head_growth", 1.0))
        betas = scale_to_height(body, betas, measure_height(body, driver_betas) * share)
    if person.body == body.name and torch.allclose(betas, driver_betas, atol=1e-3):
        return motion
    parts = (_move_frames(body, person.index(part), driver_betas, betas) for part in split_frames(person.frames))
    return motion.with_person(join_moved(person, parts))


def _character_betas(character) -> Tensor | None:
    if character is None or isinstance(character, Tensor):
        return character
    fitted = character if isinstance(character, Motion) else character.motion
    return None if fitted is None else free_body().betas_of(fitted.person)


def _body_share(character, betas: Tensor) -> float:
    """The height of a character's body (10) by that with its own head, which may be larger than the body's."""
    growth, own = getattr(character, "head_growth", 1.0), getattr(character, "body", free_body())
    return measure_height(free_body(), betas) / measure_stature(own, betas, growth)


def move_onto_body(motion: Motion, body: BodyModel) -> Motion:
    """A motion of the free body on one with other legs in the same shape: ankles as before, the pelvis over them.

    The pelvis stays where it is if no feet are seen.
    """
    if body is free_body() or not shows_feet(motion):
        return motion
    person, betas = motion.person, free_body().betas_of(motion.person)
    parts = []
    for frames in split_frames(person.frames):
        part = person.index(frames)
        own, other = (pose_skeleton(which, betas, part) for which in (free_body(), body))
        parts.append(_move_to_goals(body, part, betas, own, other))
    return motion.with_person(join_moved(person, parts))


def _move_frames(body: BodyModel, person: Person, driver_betas: Tensor, betas: Tensor) -> Person:
    driver, target = (pose_skeleton(body, shape, person) for shape in (driver_betas, betas))
    return _move_to_goals(body, person, betas, driver, target)


def _move_to_goals(body: BodyModel, person: Person, betas: Tensor, driver: Skeleton, target: Skeleton) -> Person:
    ankles = driver.joints[:, [leg[2] for leg in LEGS]] + person.transl[:, None]  # (F, 2, 3)
    lift = torch.zeros_like(ankles)
    lift[..., 1] = target.ankle_height - driver.ankle_height
    goals = ankles + lift
    pelvis = _pelvis_over_ankles(driver.joints[:, 0] + person.transl, ankles, goals, driver, target)
    linear = target.linear.clone()
    for side, leg in enumerate(LEGS):
        hip = pelvis + target.joints[:, leg[0]] - target.joints[:, 0]
        reach_goal(linear, target, leg, goals[:, side] - hip, leg_stretch(driver, leg))
    moved = replace(person, betas=betas, body=body.name, transl=pelvis - target.rest[0])
    return apply_limb_rotations(moved, linear, body.parents)


def _pelvis_over_ankles(pelvis: Tensor, ankles: Tensor, goals: Tensor, driver: Skeleton, target: Skeleton) -> Tensor:
    """Where the pelvis goes, (F, 3): over the same ground, its height over the lower ankle scaled by the legs."""
    scale = sum(leg_length(target, leg) for leg in LEGS) / sum(leg_length(driver, leg) for leg in LEGS)
    ground, goal_ground = _soft_minimum(ankles[..., 1]), _soft_minimum(goals[..., 1])
    height = goal_ground + scale * (pelvis[:, 1] - ground)
    give = GIVE * ((scale - 1).abs() / ALIKE_LEGS).clamp(1e-3, 1)
    for side, leg in enumerate(LEGS):
        hip = target.joints[:, leg[0]] - target.joints[:, 0]
        longest = leg_stretch(driver, leg) * leg_length(target, leg)
        away = goals[:, side] - pelvis - hip
        rise = (longest**2 - away[:, 0] ** 2 - away[:, 2] ** 2).clamp_min((0.3 * longest) ** 2).sqrt()
        swing = (goals[:, side, 1] - goal_ground - SWING).clamp_min(0)
        excess = height - (goals[:, side, 1] + rise - hip[:, 1] + SWING_RELEASE * swing**2)
        height = height - torch.where(excess < give, (excess + give).clamp_min(0) ** 2 / (4 * give), excess)
    return torch.stack([pelvis[:, 0], height, pelvis[:, 2]], 1)


def _soft_minimum(heights: Tensor, softness: float = 0.02) -> Tensor:
    """The lower of two heights (F, 2) without a kink where they swap, (F,)."""
    return -softness * torch.logsumexp(-heights / softness, 1)
