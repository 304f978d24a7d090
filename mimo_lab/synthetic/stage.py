"""A shot before anybody is drawn: who performs what, where, seen by which camera, behind what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mimo_core.geometry.camera import Camera
from mimo_core.motion.choreography import Performance

from .actor import Actor, act
from .appearance import look
from .framing import film
from .motions import perform
from .optics import Optics
from .passing import Cutout, View, fixed_occluder, mover, moving_occluder
from .scenery import Scenery, build, coarse
from .streams import stream


@dataclass(frozen=True, eq=False)
class Stage:
    """A shot before anybody is drawn. What is in front is in order, the farthest first."""

    performance: Performance
    actor: Actor
    camera: Camera
    scenery: Scenery
    in_front: tuple[Cutout, ...]
    elsewhere: tuple[Cutout, ...]
    view: View
    optics: Optics | None  # None: the plain camera, nothing but fine grain
    filmed: str  # one of CAMERAS
    passing: str  # one of OCCLUDERS


def plain_stage(seed, size, frames, fps, camera, passing, place, performance) -> Stage:
    """The stage of a plain shot, see `shot`."""
    seconds = np.arange(frames) / fps
    performed = perform(stream(seed, "motion"), seconds, kind=performance)
    actor = act(look(seed), performed, fps)
    points = actor.points[:, ::7]
    lens = film(stream(seed, "camera"), points, size, kind=camera)
    scenery = build(stream(seed, "scenery"), lens, place=place)
    view = View.of(lens, points)
    rng = stream(seed, "occluder")
    in_front = ()
    if passing == "fixed":
        in_front = (fixed_occluder(rng, view),)
    elif passing == "moving":
        in_front = (moving_occluder(rng, view, seconds),)
    elsewhere = wanderers(stream(seed, "mover"), lens, scenery, points, view, seconds) if seed % 3 == 0 else ()
    return Stage(performed, actor, lens, scenery, in_front, elsewhere, view, None, camera, passing)


def wanderers(rng, camera: Camera, scenery: Scenery, points: np.ndarray, view: View, seconds) -> tuple[Cutout, ...]:
    """Something that moves beside the person and never touches it, if there is room."""
    far = view.distance + min(1.5, 0.7 * scenery.distance)
    small = camera.scaled(*coarse(camera.size, 96))
    thing = mover(rng, view, View.of(small, points), seconds, _where(small, points), far)
    return () if thing is None else (thing,)


def _where(camera: Camera, points: np.ndarray) -> np.ndarray:
    """Roughly the pixels of a person given by points (F, N, 3): (F, H, W) bool."""
    import cv2

    width, height = camera.size
    pixels = camera.project(torch.from_numpy(points)).numpy()
    masks = np.zeros((len(points), height, width), np.uint8)
    for mask, places in zip(masks, np.round(pixels).astype(int), strict=True):
        inside = ((places >= 0) & (places < (width, height))).all(1)
        mask[places[inside, 1], places[inside, 0]] = 1
        reach = max(1, round(0.02 * height))
        cv2.dilate(mask, np.ones((2 * reach + 1,) * 2, np.uint8), dst=mask)
    return masks > 0
