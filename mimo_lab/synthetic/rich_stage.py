"""The stage of a rich shot: everything that Variety allows, from streams of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mimo_core.body.skeleton import JOINT

from .actor import Actor, act
from .cameras import MOVING, RICH_CAMERAS, film_freely
from .captured import capture
from .optics import optics
from .outfit import outfit
from .passing import Cutout, View, fixed_occluder, moving_occluder
from .performances import perform_richly
from .photographs import photographed
from .places import box, build_richly
from .scenery import Scenery
from .stage import Stage, wanderers
from .streams import pick, stream
from .variety import Variety


IN_FRONT = {0: 4, 1: 4, 2: 2, 3: 1}  # how many things pass in front, and how often


def rich_stage(seed, size, frames, fps, camera, passing, place, performance, variety: Variety) -> Stage:
    """The stage of a rich shot, see `shot`."""
    seconds = np.arange(frames) / fps
    performed = _performance(seed, seconds, frames, fps, performance, variety)
    actor = act(outfit(seed), performed, fps)
    points = actor.points[:, ::7]
    rng = stream(seed, "rich camera")
    filmed = camera or pick(rng, RICH_CAMERAS)
    lens = film_freely(rng, points, size, seconds, kind=filmed)
    scenery = _place(seed, lens, place, variety)
    if performed.kind == "sit":
        scenery = replace(scenery, boxes=(_seat(stream(seed, "seat"), actor, performed),))
    view = View.of(lens, points, moves=filmed in MOVING)
    in_front, words = _in_front(stream(seed, "rich occluders"), view, seconds, passing, variety)
    rng = stream(seed, "rich mover")
    elsewhere = ()
    if rng.random() < 0.3 and filmed not in MOVING:
        elsewhere = wanderers(rng, lens, scenery, points, view, seconds)
    seen_by = optics(stream(seed, "optics"), size) if variety.optics else None
    return Stage(performed, actor, lens, scenery, in_front, elsewhere, view, seen_by, filmed, words)


def _performance(seed, seconds, frames, fps, performance, variety: Variety):
    rng = stream(seed, "rich motion")
    if variety.motions and performance is None and rng.random() < variety.motions_share:
        return capture(rng, variety.motions[rng.integers(len(variety.motions))], frames, fps)
    return perform_richly(rng, seconds, kind=performance)


def _place(seed, lens, place, variety: Variety) -> Scenery:
    scenery = build_richly(stream(seed, "rich scenery"), lens, place=place)
    rng = stream(seed, "photograph")
    if variety.pictures and place is None and rng.random() < variety.pictures_share:
        return photographed(scenery, variety.pictures[rng.integers(len(variety.pictures))], lens)
    return scenery


def _seat(rng: np.random.Generator, actor: Actor, performed):
    """A box under whoever sits, behind the calves."""
    pelvis = actor.dressed.weights[:, JOINT["pelvis"]].numpy() > 0.5
    hips = actor.points[:, pelvis]
    height = max(float(np.percentile(hips[..., 1], 4)) - 0.01, 0.15)
    middle = hips.mean((0, 1))
    turn = float(performed.yaw.mean())
    width, depth = rng.uniform(0.4, 0.7), rng.uniform(0.34, 0.4)
    back = 0.1
    place = (middle[0] - back * np.sin(turn), middle[2] - back * np.cos(turn))
    return box(rng, (float(place[0]), float(place[1])), (width, height, depth), turn)


def _in_front(rng, view: View, seconds, passing, variety: Variety) -> tuple[tuple[Cutout, ...], str]:
    """Things in front, the farthest first, and what they are in words."""
    if passing is None:
        counts = {count: weight for count, weight in IN_FRONT.items() if count <= variety.most_in_front}
        words = [("fixed", "moving")[rng.integers(2)] for _ in range(pick(rng, counts))]
    else:
        words = [] if passing == "none" else [passing]
    things = [
        fixed_occluder(child, view) if word == "fixed" else moving_occluder(child, view, seconds)
        for word, child in zip(words, rng.spawn(len(words)), strict=True)
    ]
    things = tuple(sorted(things, key=lambda thing: -thing.distance))
    return things, " and ".join(sorted(words)) or "none"
