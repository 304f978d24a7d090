"""A shot before anybody is drawn: who performs what, where, seen by which camera, behind what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from mimo_core.geometry.camera import Camera
from mimo_core.motion.choreography import Performance

from .actor import Actor, dress_actor
from .backgrounds import ShotBackground, build_benchmark_background, limit_size
from .benchmark_appearance import sample_benchmark_appearance
from .benchmark_cameras import place_benchmark_camera
from .benchmark_motions import perform_benchmark_motion
from .occluders import Cutout, StageView, make_fixed_occluder, make_mover, make_moving_occluder
from .optics import Optics
from .streams import random_stream


@dataclass(frozen=True, eq=False)
class ShotStage:
    """A shot before anybody is drawn. What is in front is in order, the farthest first."""

    performance: Performance
    actor: Actor
    camera: Camera
    background: ShotBackground
    in_front: tuple[Cutout, ...]
    movers: tuple[Cutout, ...]
    view: StageView
    optics: Optics | None  # None: fine grain and nothing else
    camera_kind: str  # one of CAMERAS
    occluders: str  # one of OCCLUDERS


def build_benchmark_stage(seed, size, frames, fps, camera, occluders, place, performance) -> ShotStage:
    """The stage of a benchmark shot, see `make_shot`."""
    seconds = np.arange(frames) / fps
    performed = perform_benchmark_motion(random_stream(seed, "motion"), seconds, kind=performance)
    actor = dress_actor(sample_benchmark_appearance(seed), performed, fps)
    points = actor.points[:, ::7]
    lens = place_benchmark_camera(random_stream(seed, "camera"), points, size, kind=camera)
    background = build_benchmark_background(random_stream(seed, "scenery"), lens, place=place)
    view = StageView.of(lens, points)
    rng = random_stream(seed, "occluder")
    in_front = ()
    if occluders == "fixed":
        in_front = (make_fixed_occluder(rng, view),)
    elif occluders == "moving":
        in_front = (make_moving_occluder(rng, view, seconds),)
    movers = make_movers(random_stream(seed, "mover"), lens, background, points, view, seconds) if seed % 3 == 0 else ()
    return ShotStage(performed, actor, lens, background, in_front, movers, view, None, camera, occluders)


def make_movers(
    rng, camera: Camera, background: ShotBackground, points: np.ndarray, view: StageView, seconds
) -> tuple[Cutout, ...]:
    """Something that moves beside the person and never touches it, if there is room."""
    far = view.distance + min(1.5, 0.7 * background.distance)
    small = camera.resize(*limit_size(camera.size, 96))
    thing = make_mover(rng, view, StageView.of(small, points), seconds, _mark_person(small, points), far)
    return () if thing is None else (thing,)


def _mark_person(camera: Camera, points: np.ndarray) -> np.ndarray:
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
