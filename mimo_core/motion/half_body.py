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
from .intervals import find_intervals
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
LEAST_SECONDS = 0.4  # that feet are seen, or below the picture, to change how somebody is placed
GLIDE_SECONDS = 0.7  # in which a character comes from one place to the other, as a zoom or a walk takes
HAIR = 1.2  # a head with its hair over one without


def shows_feet(motion: Motion) -> bool:
    """Whether a foot of a motion's first person is seen in the picture in more than a few frames."""
    visible = motion.person.visible
    return not visible.any() or _is_often(_see_feet(motion)[0], visible)


def weigh_feet(motion: Motion) -> Tensor:
    """How far a motion's first person stands on feet that are seen in each frame, (F,) 0 to 1.

    Feet that are seen only for a moment, or leave the picture for a moment, change nothing; else the weight glides.
    """
    visible, least = motion.person.visible, max(1, round(LEAST_SECONDS * motion.fps))
    if not visible.any():
        return torch.ones(motion.frames)
    shown, beyond = _see_feet(motion)
    shown, beyond = (_hold_last(flags, visible) for flags in (shown, beyond))
    stands = ~_keep_long(beyond, least) if _is_often(shown, visible) else _keep_long(shown, least)
    return steady(stands.float(), motion.fps)


def steady(weights: Tensor, fps: float) -> Tensor:
    """Weights (F,) averaged over GLIDE_SECONDS around each frame."""
    reach = round(GLIDE_SECONDS * fps / 2)
    padded = torch.nn.functional.pad(weights[None, None], (reach, reach), mode="replicate")
    return torch.nn.functional.avg_pool1d(padded, 2 * reach + 1, stride=1)[0, 0].clamp(0, 1)


def _is_often(shown: Tensor, visible: Tensor) -> bool:
    return bool(shown[visible].float().mean() >= LEAST_SEEN)


def _see_feet(motion: Motion) -> tuple[Tensor, Tensor]:
    """Whether a foot is seen, (F,), and whether both are below the picture or nothing of the legs is known, (F,)."""
    person, ankles, camera = motion.person, [leg[2] for leg in LEGS], motion.camera
    shown, beyond = [], []
    for frames in split_frames(person.frames):
        seen = camera.view(_pose_driver(person.index(frames))[1][:, ankles], frames)
        is_in = (camera.pixels(seen)[..., 1] < camera.size[1]) & (seen[..., 2] > 0)
        shown.append(is_in)
        beyond.append(~is_in.any(1))
    trusted = person.joint_confidence[:, ankles] >= SEEN_CONFIDENCE
    nothing = (person.joint_confidence[:, [joint for leg in LEGS for joint in leg]] == 0).all(1)
    return (torch.cat(shown) & trusted).any(1), torch.cat(beyond) | nothing


def _hold_last(flags: Tensor, known: Tensor) -> Tensor:
    """Flags (F,), where they are not known (F,) those of the frame before, or of the first that is known."""
    frames = torch.arange(len(flags))
    last = torch.where(known, frames, -1).cummax(0).values
    return flags[torch.where(last < 0, int(known.nonzero()[0, 0]), last)]


def _keep_long(flags: Tensor, least: int) -> Tensor:
    """The flags (F,) that are set for at least so many frames in a row."""
    kept = torch.zeros_like(flags)
    for start, stop in find_intervals(flags):
        kept[start:stop] = stop - start >= least
    return kept


def place_half_body(
    motion: Motion, betas: Tensor, head_growth: float, *, share: float = 1.0, feet: Tensor | None = None
) -> Motion:
    """A motion on the shape `betas` (10), `share` as tall as the driver, hips and hands where the driver's are seen.

    It is seen as large as if it were as tall, or smaller where the head, `head_growth` times as large as the body's,
    would not fit into the picture. Where it stands on `feet`, by weights (F,), nothing is asked for.
    """
    body, person = free_body(), motion.person
    betas = scale_to_height(body, betas, share * measure_height(body, body.betas_of(person)))
    camera, slices = motion.camera, list(split_frames(person.frames))
    asked = person if feet is None else replace(person, visible=person.visible & (feet < 1))
    room = torch.cat([_measure_room(camera, asked.index(part), part, head_growth) for part in slices])
    size = float(room.quantile(OFTEN).clamp(LEAST_SIZE, 1.0)) if len(room) else 1.0
    parts = [_place_frames(camera, person.index(part), part, betas, size / share) for part in slices]
    confidence = person.joint_confidence.clone()
    # Further away they may come into the picture, where nobody saw them.
    if feet is None:
        confidence[:, [leg[2] for leg in LEGS]] = 0
    else:
        legs = [joint for leg in LEGS for joint in leg]
        confidence[:, legs] = torch.where((feet < 0.5)[:, None], 0.0, confidence[:, legs])
    return motion.with_person(replace(join_moved(person, parts), joint_confidence=confidence))


def _pose_driver(person: Person) -> tuple[Skeleton, Tensor]:
    """The skeleton of a person, and its joints in the world (F, 24, 3)."""
    skeleton = pose_skeleton(free_body(), free_body().betas_of(person), person)
    return skeleton, skeleton.joints + person.transl[:, None]


def _measure_room(camera: Camera, person: Person, frames: slice, head_growth: float) -> Tensor:
    """How large the character may be over the driver for its crown to stay in the picture, (n,) of n seen `frames`.

    A driver's head that is cut off may be replaced by one that is. Frames in which it is below the hips tell nothing.
    """
    driver, joints = _pose_driver(person)
    base, pelvis = (joints[:, JOINT[name]] for name in ("head", "pelvis"))
    up = _measure_head(free_body(), driver) * driver.linear[:, JOINT["head"], :, 1]
    seen = camera.view(torch.stack([pelvis, base + up, base + HAIR * head_growth * up], 1), frames)
    shown = person.visible & (seen[:, [0, 2], 2] > 0).all(1)
    hips, crown, top = camera.pixels(seen[shown])[..., 1].T
    above = (crown < hips) & (top < hips)
    hips, crown, top = hips[above], crown[above], top[above]
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
