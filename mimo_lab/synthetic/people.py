"""A shot of two people who walk around each other: each passes in front of the other once. With exact truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from mimo_core.body.height import measure_height, scale_to_height
from mimo_core.body.model import free_body
from mimo_core.motion.motion import Motion

from .actor import Actor, dress_actor
from .backgrounds import build_benchmark_background, cast_rays
from .benchmark_appearance import sample_benchmark_appearance
from .benchmark_cameras import place_benchmark_camera
from .benchmark_motions import perform_benchmark_motion
from .figure import Figure, draw_figure
from .layers import cast_shadow, darken, lay_over
from .streams import random_stream


OTHER_SEED = 5000  # between the seeds of the two people
WIDE, DEEP = 0.85, 0.55  # meters: half axes of the ellipse on which they walk


@dataclass(frozen=True, eq=False)
class PeopleShot:
    """Frames of two people and their exact truth. Masks are 0 to 255."""

    frames: np.ndarray  # (F, H, W, 3) uint8
    plate: np.ndarray  # (F, H, W, 3) uint8, without both and their shadows, with the same noise
    visible: np.ndarray  # (2, F, H, W) uint8, what is seen of each
    ranks: np.ndarray  # (F, 2) int, 0 is nearest to the camera
    motion: Motion


def make_people_shot(
    seed: int,
    *,
    size: int | tuple[int, int] = 256,
    frames: int = 24,
    fps: float = 12,
    turns: float = 1.0,
    stature: float = 1.0,
    place: str | None = None,
    samples: int = 2,
) -> PeopleShot:
    """Two people of a seed who walk `turns` times around each other before a fixed camera, in one round two crossings.

    The second is `stature` times as tall as their own appearance says: a child, say, whom a monocular fit takes for
    somebody further away.
    """
    size = (size, size) if isinstance(size, int) else size
    seconds, angle = np.arange(frames) / fps, 2 * np.pi * turns * (np.arange(frames) + 0.5) / frames
    actors = [_walk_around(_dress(number, seed, seconds, fps, stature), angle + np.pi * number) for number in range(2)]
    points = np.concatenate([actor.points[:, ::7] for actor in actors], 1)
    camera = place_benchmark_camera(random_stream(seed, "camera"), points, size, kind="fixed")
    background = build_benchmark_background(random_stream(seed, "scenery"), camera, place=place)
    figures = [
        draw_figure(actor.appearance.paint, actor.dressed, actor.posed, camera, background.light, samples=samples)
        for actor in actors
    ]
    distance = np.stack([camera.view(actor.person.transl[:, None])[:, 0, 2].numpy() for actor in actors], 1)
    ranks = np.argsort(np.argsort(distance, axis=1), axis=1)
    motion = Motion(tuple(actor.person for actor in actors), fps, camera)
    return PeopleShot(*_compose_frames(seed, actors, figures, ranks, camera, background), ranks, motion)


def _dress(number: int, seed: int, seconds: np.ndarray, fps: float, stature: float) -> Actor:
    own = seed + OTHER_SEED * number
    performance = perform_benchmark_motion(random_stream(own, "motion"), seconds, kind="walk")
    worn = sample_benchmark_appearance(own)
    if number and stature != 1:
        betas = scale_to_height(free_body(), worn.betas, stature * measure_height(free_body(), worn.betas))
        worn = replace(worn, betas=betas)
    return dress_actor(worn, performance, fps)


def _walk_around(actor: Actor, angle: np.ndarray) -> Actor:
    """The actor on an ellipse around the origin at angles (F,), feet on the floor, facing where they walk."""
    shift = np.stack([WIDE * np.cos(angle), np.zeros_like(angle), DEEP * np.sin(angle)], 1)
    own = actor.person.transl.numpy() * [1, 0, 1]
    moved = torch.from_numpy((shift - own).astype(np.float32))
    person = replace(actor.person, transl=actor.person.transl + moved, contacts=None)
    return replace(actor, person=person, posed=actor.posed.shift(moved))


def _compose_frames(seed: int, actors, figures: list[Figure], ranks: np.ndarray, camera, background):
    """Frames, plate and what is seen of each person."""
    rng = random_stream(seed, "sensor")
    grain = rng.uniform(0.8, 2.6)
    rays = cast_rays(camera, 0, background.distance)
    empty = background.view(rays)
    pictures, plates, visible = [], [], np.zeros((len(actors), *figures[0].alpha.shape), np.uint8)
    for frame, order in enumerate(np.argsort(-ranks, axis=1)):
        picture = empty
        for actor in actors:
            picture = darken(picture, cast_shadow(background.light, actor.points[frame], rays))
        for number in order:
            figure = figures[number]
            picture = lay_over(picture, np.dstack([figure.rgb[frame], figure.alpha[frame]]))
            visible[:, frame] = (visible[:, frame] * (1 - figure.alpha[frame])).astype(np.uint8)
            visible[number, frame] = np.rint(255 * figure.alpha[frame])
        noise = grain * rng.standard_normal(picture.shape, dtype=np.float32)
        pictures.append(np.clip(np.rint(picture * 255 + noise), 0, 255).astype(np.uint8))
        plates.append(np.clip(np.rint(empty * 255 + noise), 0, 255).astype(np.uint8))
    return np.stack(pictures), np.stack(plates), visible
