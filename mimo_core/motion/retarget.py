"""A driver's motion on another body: the same pose, the feet where the driver's feet are."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..body.head import measure_stature
from ..body.height import measure_height, scale_to_height
from ..body.model import BodyModel, free_body
from ..body.person import Person
from ..body.skeleton import JOINT
from ..errors import InputError
from .half_body import place_half_body, steady, weigh_feet
from .legs import (
    LEGS,
    Skeleton,
    apply_limb_rotations,
    blend_people,
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
FACE_LEVELS = 0.6, 0.85  # of the picture's height: with its neck above the first a face is seen, below the second none
STATURES = ("driver", "own")


def retarget_motion(motion: Motion, character, *, stature: str = "driver") -> Motion:
    """The motion on the body of a character: an Identity, a Motion fitted to it, or its shape values (10).

    The character gets the driver's stature, because one picture does not tell its own, a large head included;
    `stature` "own" keeps what was fitted. The ankles stay over the driver's, at the height that puts the soles where
    the driver's soles are; the pelvis keeps its place over the ground and rises or sinks with the length of the legs,
    which bend at the knee to reach. A foot that swings further than the leg is long points the same way. A character
    with a large head is placed by the driver's hips and hands while no foot of the driver is seen. Without a fitted
    body the motion is unchanged. Raises InputError for an unknown `stature`.
    """
    return _retarget(motion, character, stature)[0]


def retarget_onto_body(motion: Motion, character) -> Motion:
    """The motion on the body of an Identity with its own legs: `retarget_motion`, then `move_onto_body`."""
    moved, feet = _retarget(motion, character, "driver")
    return move_onto_body(moved, character.body, feet)


def _retarget(motion: Motion, character, stature: str) -> tuple[Motion, Tensor | None]:
    """The motion on a character's body, and how far it stands on the driver's feet (F,), None as `weigh_feet` says."""
    if stature not in STATURES:
        raise InputError(f"Unknown stature {stature!r}. Choose one of {', '.join(STATURES)}.")
    betas = _character_betas(character)
    if betas is None:
        return motion, None
    body, person = free_body(), motion.person
    driver_betas = body.betas_of(person)
    if stature == "driver":
        # The same build is the character already, whose head may have cost it some of the driver's height.
        if person.body == body.name and torch.allclose(betas[1:], driver_betas[1:], atol=1e-3):
            return motion, None
        share, growth = _body_share(character, betas), getattr(character, "head_growth", 1.0)
        feet = weigh_feet(motion) if share != 1 else torch.ones(person.frames)
        if not feet.any():
            return place_half_body(motion, betas, growth), feet
        if (feet < 1).any():
            return _stand_in_part(motion, betas, share, growth, feet, getattr(character, "body", body))
        betas = scale_to_height(body, betas, measure_height(body, driver_betas) * share)
    if person.body == body.name and torch.allclose(betas, driver_betas, atol=1e-3):
        return motion, None
    return motion.with_person(_move_person(person, driver_betas, betas)), None


def _move_person(person: Person, driver_betas: Tensor, betas: Tensor) -> Person:
    """A person of one shape (10) on another one, feet where they were."""
    body, slices = free_body(), split_frames(person.frames)
    return join_moved(person, (_move_frames(body, person.index(part), driver_betas, betas) for part in slices))


def _stand_in_part(
    motion: Motion, betas: Tensor, share: float, growth: float, feet: Tensor, own: BodyModel
) -> tuple[Motion, Tensor]:
    """The motion on a shape (10) with a large head, and how far it stands on the driver's feet in each frame, (F,).

    `own` is the body with the character's legs. It stands while feet are seen, by weights (F,), and as long as its face
    stays in the picture; else hips and hands are the driver's.
    """
    body, person = free_body(), motion.person
    driver_betas = body.betas_of(person)
    small = scale_to_height(body, betas, measure_height(body, driver_betas) * share)
    standing = _move_person(person, driver_betas, small)
    on_legs = move_onto_body(motion.with_person(standing), own, torch.ones(person.frames)).person
    necks = [
        motion.camera.pixels(motion.camera.view(_find_neck(own, on_legs.index(part)), part))[:, 0, 1]
        for part in split_frames(person.frames)
    ]
    low, high = (level * motion.camera.size[1] for level in FACE_LEVELS)
    room = ((high - torch.cat(necks)) / (high - low)).clamp(0, 1)
    feet = torch.maximum(feet, steady(room, motion.fps))
    half = place_half_body(motion, betas, growth, share=share, feet=feet)
    return half.with_person(blend_people(half.person, standing, feet)), feet


def _find_neck(body: BodyModel, person: Person) -> Tensor:
    """The neck's joint of a person on a body, in the world, (F, 1, 3)."""
    skeleton = pose_skeleton(body, free_body().betas_of(person), person)
    return (skeleton.joints[:, JOINT["neck"]] + person.transl)[:, None]


def _character_betas(character) -> Tensor | None:
    if character is None or isinstance(character, Tensor):
        return character
    fitted = character if isinstance(character, Motion) else character.motion
    return None if fitted is None else free_body().betas_of(fitted.person)


def _body_share(character, betas: Tensor) -> float:
    """The height of a character's body (10) by that with its own head, which may be larger than the body's."""
    growth, own = getattr(character, "head_growth", 1.0), getattr(character, "body", free_body())
    return measure_height(free_body(), betas) / measure_stature(own, betas, growth)


def move_onto_body(motion: Motion, body: BodyModel, feet: Tensor | None = None) -> Motion:
    """A motion of the free body on one with other legs in the same shape: ankles as before, the pelvis over them.

    The pelvis stays where it is where no feet are seen, by the weights `feet` (F,) of the driver, else the motion's.
    """
    if body is free_body():
        return motion
    feet = weigh_feet(motion) if feet is None else feet
    if not feet.any():
        return motion
    person, betas = motion.person, free_body().betas_of(motion.person)
    parts = []
    for frames in split_frames(person.frames):
        part = person.index(frames)
        own, other = (pose_skeleton(which, betas, part) for which in (free_body(), body))
        parts.append(_move_to_goals(body, part, betas, own, other))
    moved = join_moved(person, parts)
    return motion.with_person(blend_people(person, moved, feet) if (feet < 1).any() else moved)


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
