"""A fitted body drawn over its frame, to judge the fit by eye."""

from __future__ import annotations

import numpy as np
import torch

from ..body.model import free_body, vertex_normals
from ..body.person import Person
from ..body.raster import interpolate, rasterize
from ..motion.motion import Motion


OPACITY = 0.65  # of the body over its frame
# Colors, RGB in 0..1: what was seen, what was bridged, a planted foot, what follows the prior.
SEEN, BRIDGED, PLANTED, UNSEEN = (0.55, 0.75, 1.0), (1.0, 0.7, 0.3), (0.4, 1.0, 0.4), (0.5, 0.5, 0.5)
FOOT_PARTS = ((7, 10), (8, 11))  # ankle and foot, left and right
LIGHT = (0.3, 0.5, 0.8)  # direction, from the upper right in front


def draw_overlay(frame: np.ndarray, motion: Motion, frame_index: int) -> np.ndarray:
    """The frame (H, W, 3) uint8 with the bodies of all people over it, shaded; who is nearer lies over the others.

    Bridged frames are orange, planted feet green, and limbs that were not seen gray; a frame in which nobody is
    visible stays as it is.
    """
    one = slice(frame_index, frame_index + 1)
    people = [person.index(one) for person in motion.people]
    distance = [float(motion.camera.view(person.transl[:, None], one)[0, 0, 2]) for person in people]
    drawn = frame.copy()
    for _, number in sorted(zip(distance, range(len(people)), strict=True), reverse=True):
        if people[number].visible[0]:
            _draw_body(drawn, frame, motion, people[number], one)
    return drawn


def _draw_body(drawn: np.ndarray, frame: np.ndarray, motion: Motion, person: Person, one: slice) -> None:
    """Lay one person's body, mixed with the frame (H, W, 3), onto what was `drawn`."""
    body = free_body()
    posed = body.pose(person)
    height, width = frame.shape[:2]
    camera = motion.camera.slice(one).resize(width, height)
    raster = rasterize(
        camera.view(posed.vertices), body.faces, focal=camera.focal, center=camera.center, size=(width, height)
    )
    normals = interpolate(raster, body.faces, vertex_normals(posed.vertices, body.faces))[0]
    light = torch.nn.functional.normalize(normals.new_tensor(LIGHT), dim=0)
    shading = 0.4 + 0.6 * (normals @ light).clamp(0, 1)
    face = raster.face[0]
    covered = (face >= 0).numpy()
    colors = (_face_colors(person, body)[face.clamp_min(0)] * shading[..., None] * 255).numpy()
    drawn[covered] = (OPACITY * colors[covered] + (1 - OPACITY) * frame[covered]).astype(np.uint8)


def _face_colors(person, body) -> torch.Tensor:
    """(T, 3) for the first frame of `person`."""
    colors = torch.tensor(BRIDGED if person.bridged[0] else SEEN).repeat(len(body.faces), 1)
    if not person.bridged[0]:
        unseen = (person.joint_confidence[0] == 0).nonzero()[:, 0]
        colors[torch.isin(body.face_parts, unseen)] = torch.tensor(UNSEEN)
    for foot, parts in enumerate(FOOT_PARTS):
        if person.contacts[0, foot]:
            colors[torch.isin(body.face_parts, torch.tensor(parts))] = torch.tensor(PLANTED)
    return colors
