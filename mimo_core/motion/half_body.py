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
from .legs import ARMS, LEGS, STRAIGHT_LEG, Skeleton, apply_limb_rotations, pose_skeleton, reach_goal
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
    body = free_body()
    joints = pose_skeleton(body, body.betas_of(person), person).joints[:, ankles] + person.transl[:, None]
    seen = motion.camera.view(joints)
    pixels = motion.camera.pixels(seen)
    inside = (pixels[..., 1] < motion.camera.size[1]) & (seen[..., 2] > 0)
    shown = (inside & (person.joint_confidence[:, ankles] >= SEEN_CONFIDENCE)).any(1)
    return bool(shown[person.visible].float().mean() >= LEAST_SEEN)


def place_half_body(motion: Motion, betas: Tensor, head_growth: float) -> Motion:
    """A motion on the shape `betas` (10), as tall as the driver, hips and hands where the driver's are seen.

    It stands further away, by which it is seen smaller, where the head, `head_growth` times as large as the body's,
    would not fit into the picture.
    """
    body, person = free_body(), motion.person
    driver = pose_skeleton(body, body.betas_of(person), person)
    size = _fit_head(motion, driver, head_growth)
    betas = scale_to_height(body, betas, measure_height(body, body.betas_of(person)))
    own = pose_skeleton(body, betas, person)
    placed = _push_away(driver.joints + person.transl[:, None], motion.camera, size)
    moved = replace(person, betas=betas, body=body.name, transl=placed[:, 0] - own.joints[:, 0])
    return motion.with_person(_reach_hands(body, moved, placed, own))


def _fit_head(motion: Motion, driver: Skeleton, head_growth: float) -> float:
    """How large the character may be over the driver for its crown to stay in the picture, LEAST_SIZE to 1.

    A driver's head that is cut off may be replaced by one that is.
    """
    camera, person = motion.camera, motion.person
    base, pelvis = (driver.joints[:, JOINT[name]] + person.transl for name in ("head", "pelvis"))
    up = _measure_head(free_body(), driver) * driver.linear[:, JOINT["head"], :, 1]
    own, grown = base + up, base + HAIR * head_growth * up
    shown = person.visible & (camera.view(torch.stack([pelvis, grown], 1))[..., 2] > 0).all(1)
    if not shown.any():
        return 1.0
    hips, crown, top = (_rows_of(points, camera)[shown] for points in (pelvis, own, grown))
    goal = crown.clamp(max=TOP_MARGIN * camera.size[1])
    room = (hips - goal) / (hips - top).clamp_min(1.0)
    return float(room.quantile(OFTEN).clamp(LEAST_SIZE, 1.0))


def _push_away(points: Tensor, camera: Camera, size: float) -> Tensor:
    """World points (F, N, 3) so far off that the camera sees them in their places and a body `size` times as large."""
    eye = torch.linalg.inv(camera.extrinsics().to(points))[:, None, :3, 3]
    return eye + (points - eye) / size


def _rows_of(points: Tensor, camera: Camera) -> Tensor:
    return camera.pixels(camera.view(points[:, None]))[:, 0, 1]


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
