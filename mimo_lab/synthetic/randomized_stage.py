"""The stage of a randomized shot: everything that Variety allows, from streams of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mimo_core.body.skeleton import JOINT

from .actor import Actor, dress_actor
from .backgrounds import ShotBackground
from .occluders import Cutout, StageView, make_fixed_occluder, make_moving_occluder
from .optics import sample_optics
from .photographs import project_photograph
from .randomized_appearance import sample_randomized_appearance
from .randomized_backgrounds import build_randomized_background, sample_box
from .randomized_cameras import RANDOMIZED_CAMERAS, TRAVELING_CAMERAS, place_randomized_camera
from .randomized_motions import perform_randomized_motion
from .recordings import sample_recording
from .stage import ShotStage, make_movers
from .streams import pick_weighted, random_stream
from .variety import Variety


OCCLUDER_COUNTS = {0: 4, 1: 4, 2: 2, 3: 1}  # how many things pass in front, and how often


def build_randomized_stage(
    seed, size, frames, fps, camera, occluders, place, performance, variety: Variety
) -> ShotStage:
    """The stage of a randomized shot, see `make_shot`."""
    seconds = np.arange(frames) / fps
    performed = _sample_performance(seed, seconds, frames, fps, performance, variety)
    actor = dress_actor(sample_randomized_appearance(seed), performed, fps)
    points = actor.points[:, ::7]
    rng = random_stream(seed, "rich camera")
    camera_kind = camera or pick_weighted(rng, RANDOMIZED_CAMERAS)
    lens = place_randomized_camera(rng, points, size, seconds, kind=camera_kind)
    background = _sample_background(seed, lens, place, variety)
    if performed.kind == "sit":
        background = replace(background, boxes=(_make_seat(random_stream(seed, "seat"), actor, performed),))
    view = StageView.of(lens, points, moves=camera_kind in TRAVELING_CAMERAS)
    in_front, words = _sample_occluders(random_stream(seed, "rich occluders"), view, seconds, occluders, variety)
    rng = random_stream(seed, "rich mover")
    movers = ()
    if rng.random() < 0.3 and camera_kind not in TRAVELING_CAMERAS:
        movers = make_movers(rng, lens, background, points, view, seconds)
    seen_by = sample_optics(random_stream(seed, "optics"), size) if variety.optics else None
    return ShotStage(performed, actor, lens, background, in_front, movers, view, seen_by, camera_kind, words)


def _sample_performance(seed, seconds, frames, fps, performance, variety: Variety):
    rng = random_stream(seed, "rich motion")
    if variety.motions and performance is None and rng.random() < variety.motions_share:
        return sample_recording(rng, variety.motions[rng.integers(len(variety.motions))], frames, fps)
    return perform_randomized_motion(rng, seconds, kind=performance)


def _sample_background(seed, lens, place, variety: Variety) -> ShotBackground:
    background = build_randomized_background(random_stream(seed, "rich scenery"), lens, place=place)
    rng = random_stream(seed, "photograph")
    if variety.pictures and place is None and rng.random() < variety.pictures_share:
        return project_photograph(background, variety.pictures[rng.integers(len(variety.pictures))], lens)
    return background


def _make_seat(rng: np.random.Generator, actor: Actor, performed):
    """A box under whoever sits, behind the calves."""
    pelvis = actor.dressed.weights[:, JOINT["pelvis"]].numpy() > 0.5
    hips = actor.points[:, pelvis]
    height = max(float(np.percentile(hips[..., 1], 4)) - 0.01, 0.15)
    middle = hips.mean((0, 1))
    turn = float(performed.yaw.mean())
    width, depth = rng.uniform(0.4, 0.7), rng.uniform(0.34, 0.4)
    back = 0.1
    place = (middle[0] - back * np.sin(turn), middle[2] - back * np.cos(turn))
    return sample_box(rng, (float(place[0]), float(place[1])), (width, height, depth), turn)


def _sample_occluders(rng, view: StageView, seconds, occluders, variety: Variety) -> tuple[tuple[Cutout, ...], str]:
    """Things in front, the farthest first, and what they are in words."""
    if occluders is None:
        counts = {count: weight for count, weight in OCCLUDER_COUNTS.items() if count <= variety.most_in_front}
        words = [("fixed", "moving")[rng.integers(2)] for _ in range(pick_weighted(rng, counts))]
    else:
        words = [] if occluders == "none" else [occluders]
    things = [
        make_fixed_occluder(child, view) if word == "fixed" else make_moving_occluder(child, view, seconds)
        for word, child in zip(words, rng.spawn(len(words)), strict=True)
    ]
    things = tuple(sorted(things, key=lambda thing: -thing.distance))
    return things, " and ".join(sorted(words)) or "none"
