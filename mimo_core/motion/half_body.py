"""Drivers whose feet are out of the picture or behind a table, and characters of other proportions in their place.

Such a character is placed by what is seen of the driver, hips, shoulders and hands, and not by feet that are assumed.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..body.height import measure_height, scale_to_height
from ..body.model import BodyModel, free_body
from ..body.person import Person
from ..body.skeleton import JOINT
from ..geometry.camera import Camera
from .legs import (
    ARMS,
    LEGS,
    STRAIGHT_LEG,
    Skeleton,
    apply_limb_rotations,
    join_moved,
    pose_skeleton,
    reach_goal,
    split_frames,
)
from .motion import Motion


SEEN_CONFIDENCE = 0.3  # of an ankle
LEAST_SEEN = 0.2  # share of the frames in which a foot must be seen for the driver to stand on it
TOP_MARGIN = 0.02  # of the picture's height over the crown
OFTEN = 0.1  # quantile over the frames of what room the head has
LEAST_SIZE = 0.6  # of the driver's size: a larger head than then fits is cut off
HAIR = 1.2  # a head with its hair over one without


def shows_feet(motion: Motion) -> bool:
    """Whether a foot of a motion's first person is seen in the picture in more than a few frames."""
    person, ankles = motion.person, [leg[2] for leg in LEGS]
    if not person.visible.any():
        return True
    camera, shown = motion.camera, []
    for frames in split_frames(person.frames):
        seen = camera.view(_pose_driver(person.index(frames))[1][:, ankles], frames)
        shown.append((camera.pixels(seen)[..., 1] < camera.size[1]) & (seen[..., 2] > 0))
    trusted = person.joint_confidence[:, ankles] >= SEEN_CONFIDENCE
    return bool((torch.cat(shown) & trusted).any(1)[person.visible].float().mean() >= LEAST_SEEN)


def place_half_body(motion: Motion, betas: Tensor, head_growth: float) -> Motion:
    """A motion on the shape `betas` (10), as tall as the driver, hips and hands where the driver's are seen.

    It stands further away, by which it is seen smaller, where the head, `head_growth` times as large as the body's,
    would not fit into the picture.
    """
    body, person = free_body(), motion.person
    betas = scale_to_height(body, betas, measure_height(body, body.betas_of(person)))
    camera, slices = motion.camera, list(split_frames(person.frames))
    room = torch.cat([_measure_room(camera, person.index(part), part, head_growth) for part in slices])
    size = float(room.quantile(OFTEN).clamp(LEAST_SIZE, 1.0)) if len(room) else 1.0
    parts = [_place_frames(camera, person.index(part), part, betas, size) for part in slices]
    confidence = person.joint_confidence.clone()
    confidence[:, [leg[2] for leg in LEGS]] = 0  # further away they may come into the picture, where nobody saw them
    return motion.with_person(replace(join_moved(person, parts), joint_confidence=confidence))


def _pose_driver(person: Person) -> tuple[Skeleton, Tensor]:
    """The skeleton of a person, and its joints in the world (F, 24, 3)."""
    skeleton = pose_skeleton(free_body(), free_body().betas_of(person), person)
    return skeleton, skeleton.joints + person.transl[:, None]


def _measure_room(camera: Camera, person: Person, frames: slice, head_growth: float) -> Tensor:
    """How large the character may be over the driver for its crown to stay in the picture, (n,) of n seen `frames`.

    A driver's head that is cut off may be replaced by one that is.
    """
    driver, joints = _pose_driver(person)
    base, pelvis = (joints[:, JOINT[name]] for name in ("head", "pelvis"))
    up = _measure_head(free_body(), driver) * driver.linear[:, JOINT["head"], :, 1]
    seen = camera.view(torch.stack([pelvis, base + up, base + HAIR * head_growth * up], 1), frames)
    shown = person.visible & (seen[:, [0, 2], 2] > 0).all(1)
    hips, crown, top = camera.pixels(seen[shown])[..., 1].T
    return (hips - crown.clamp(max=TOP_MARGIN * camera.size[1])) / (hips - top).clamp_min(1.0)


def _place_frames(camera: Camera, person: Person, frames: slice, betas: Tensor, size: float) -> Person:
    """Some frames of a person on another shape (10), seen `size` times as large at the same hips and hands."""
    body = free_body()
    own = pose_skeleton(body, betas, person)
    placed = _push_away(_pose_driver(person)[1], camera, frames, size)
    moved = replace(person, betas=betas, body=body.name, transl=placed[:, 0] - own.joints[:, 0])
    return _reach_hands(body, moved, placed, own)


def _push_away(points: Tensor, camera: Camera, frames: slice, size: float) -> Tensor:
    """World points (F, N, 3) of `frames` so far off that they are seen in their places and a body `size` as large."""
    eye = torch.linalg.inv(camera.extrinsics(frames).to(points))[:, None, :3, 3]
    return eye + (points - eye) / size


def _measure_head(body: BodyModel, skeleton: Skeleton) -> float:
    """Meters from the head's joint up to the crown, at rest and for the average shape's head."""
    head = body.template[body.parts == JOINT["head"], 1]
    at_rest = body.joint_regressor @ body.template
    scale = skeleton.rest[JOINT["neck"], 1] - skeleton.rest[JOINT["pelvis"], 1]
    average = at_rest[JOINT["neck"], 1] - at_rest[JOINT["pelvis"], 1]
    return float((head.max() - at_rest[JOINT["head"], 1]) * scale / average)


def _reach_hands(body: BodyModel, moved: Person, goals: Tensor, own: Skeleton) -> Person:
    """The moved person with wrists where those of the driver are seen (F, 24, 3), as far as its arms reach."""
    linear = own.linear.clone()
    straight = torch.full((moved.frames,), STRAIGHT_LEG)
    for arm in ARMS:
        shoulder = own.joints[:, arm[0]] + moved.transl
        reach_goal(linear, own, arm, goals[:, arm[2]] - shoulder, straight)
    return apply_limb_rotations(moved, linear, body.parents, ARMS)
