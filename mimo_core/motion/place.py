"""Where a motion takes place: moved, turned and scaled in its world."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..body.person import Person
from ..errors import InputError
from ..geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from .cameras import floor_height, pelvis_path, rest_pelvis
from .motion import Motion


LARGEST_SCALE = 100.0


def place_motion(motion: Motion, *, shift: tuple[float, float, float] = (0.0, 0.0, 0.0), turn: float = 0.0) -> Motion:
    """The motion moved by `shift` metres and turned by `turn` degrees about the place where the first person starts.

    The camera stays. Convention: world Y up; the turn is counter-clockwise seen from above, so 90 turns a body that
    faces +Z to +X. Raises InputError for numbers that are not finite.
    """
    if not all(math.isfinite(value) for value in (*shift, turn)):
        raise InputError("The place and the turn of a motion must be finite numbers.")
    about = pelvis_path(motion.person)[0]
    people = tuple(turn_person(person, turn, about=about, shift=torch.tensor(shift)) for person in motion.people)
    return replace(motion, people=people, seen=None)


def turn_person(person: Person, turn: float, *, about: Tensor, shift: Tensor) -> Person:
    """The person turned by `turn` degrees about the vertical through `about` (3,), then moved by `shift` (3,).

    Convention: counter-clockwise seen from above. A pelvis 1 m in front of `about` on +Z comes to +X by 90 degrees.
    """
    matrix = matrix_from_axis_angle(torch.tensor([0.0, math.radians(turn), 0.0]))
    pelvis = (pelvis_path(person) - about) @ matrix.T + about + shift
    root = axis_angle_from_matrix(matrix @ matrix_from_axis_angle(person.global_orient))
    return replace(person, global_orient=root, transl=pelvis - rest_pelvis(person))


def turn_world(motion: Motion, new_from_old: Tensor) -> Motion:
    """The same motion, seen by the same camera, in a world that a rotation (3, 3) takes the old one to."""
    people = []
    for person in motion.people:
        root = axis_angle_from_matrix(new_from_old @ matrix_from_axis_angle(person.global_orient))
        people.append(
            replace(person, global_orient=root, transl=pelvis_path(person) @ new_from_old.T - rest_pelvis(person))
        )
    matrix = motion.camera.extrinsics().expand(motion.frames, 4, 4).clone()
    matrix[:, :3, :3] = matrix[:, :3, :3] @ new_from_old.T
    return replace(motion, people=tuple(people), camera=replace(motion.camera, camera_from_world=matrix))


def scale_motion(motion: Motion, scale: float) -> Motion:
    """The motion seen `scale` times as large, standing on the same spot of the picture's ground.

    Bodies keep their metres: the camera comes closer to the first person's starting point instead, which gives the
    same picture. Raises InputError for a scale outside of 0.01 to 100.
    """
    if not 1 / LARGEST_SCALE <= scale <= LARGEST_SCALE:
        raise InputError(f"The scale must lie between {1 / LARGEST_SCALE:g} and {LARGEST_SCALE:g}, got {scale:g}.")
    if scale == 1:
        return motion
    start = pelvis_path(motion.person)[0]
    anchor = torch.stack([start[0], floor_height(motion.person), start[2]])
    matrix = motion.camera.extrinsics().expand(motion.frames, 4, 4).clone()
    seen = (matrix[:, :3, :3] @ anchor) + matrix[:, :3, 3]  # the anchor in camera space
    matrix[:, :3, 3] += seen * (1 / scale - 1)
    return replace(motion, camera=replace(motion.camera, camera_from_world=matrix), seen=None)
