"""Places of randomized shots beyond those of backgrounds.py, and lights from every side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mimo_core.geometry.camera import Camera

from .backgrounds import BENCHMARK_PAINTERS, BENCHMARK_PLACES, ShotBackground, build_benchmark_background
from .boxes import FloorBox
from .light import ShotLight
from .streams import pick_weighted
from .textures import Texture, color_of_hsv, paint_bricks


def _beach(rng, backdrop: Texture, floor: Texture):
    """Sky, sea, sand."""
    x, y = backdrop.grid()
    horizon, zenith = (
        color_of_hsv(rng.uniform(0.05, 0.6), rng.uniform(0.05, 0.4), 0.95),
        color_of_hsv(0.58, rng.uniform(0.2, 0.6), 0.9),
    )
    backdrop.image[:] = horizon + (zenith - horizon) * np.clip(y / 6, 0, 1)[..., None]
    cloud = np.clip(backdrop.noise(rng, cells=0.2, octaves=5) - 0.5, 0, 1)[..., None]
    backdrop.image += cloud * (0.97 - backdrop.image) * 0.7
    sea = color_of_hsv(rng.uniform(0.48, 0.6), rng.uniform(0.3, 0.7), rng.uniform(0.45, 0.8))
    level = rng.uniform(0.5, 1.6)
    swell = 1 + 0.12 * backdrop.noise(rng, cells=2.0, octaves=4) + 0.1 * np.sin(30 * y)
    backdrop.image[:] = np.where((y < level)[..., None], sea * swell[..., None], backdrop.image)
    sand = color_of_hsv(rng.uniform(0.08, 0.13), rng.uniform(0.15, 0.4), rng.uniform(0.7, 0.95))
    floor.image[:] = sand
    floor.shade(1 + 0.12 * floor.noise(rng, cells=1.5, octaves=6, fall=0.8))


def _theatre(rng, backdrop: Texture, floor: Texture):
    """A curtain in folds, boards, a pool of light."""
    x, y = backdrop.grid()
    backdrop.image[:] = color_of_hsv(rng.random(), rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.8))
    folds = 0.75 + 0.35 * np.sin(2 * np.pi * x / rng.uniform(0.2, 0.45) + 0.6 * np.sin(3 * x))
    backdrop.shade(folds * (1.1 - 0.06 * np.clip((x * x + (y - 1.3) ** 2), 0, 8)))
    tint = color_of_hsv(rng.uniform(0.05, 0.1), rng.uniform(0.2, 0.5), rng.uniform(0.25, 0.6))
    paint_bricks(floor, rng, tint, width=1.6, height=rng.uniform(0.1, 0.18), joint=0.008, bond=0.4)
    u, v = floor.grid()
    floor.shade(1.25 - 0.08 * np.clip(u * u + v * v, 0, 8))


def _night(rng, backdrop: Texture, floor: Texture):
    """A city at night: dark blocks with lit windows, wet asphalt."""
    x, y = backdrop.grid()
    backdrop.image[:] = color_of_hsv(rng.uniform(0.55, 0.8), 0.6, 0.16) * (1.2 - 0.1 * np.clip(y, 0, 6))[..., None]
    left = -22.0
    while left < 22:
        width, tall = rng.uniform(1.5, 4), rng.uniform(2, 8)
        backdrop.box(left, 0, width, tall, color_of_hsv(rng.random(), 0.2, rng.uniform(0.08, 0.22)))
        for row in np.arange(0.6, tall - 0.5, 0.7):
            for column in np.arange(0.3, width - 0.4, 0.55):
                if rng.random() < 0.45:
                    lamp = color_of_hsv(rng.choice([0.11, 0.13, 0.55]), rng.uniform(0.1, 0.6), rng.uniform(0.5, 1.0))
                    backdrop.box(left + column, row, 0.3, 0.4, lamp)
        left += width + rng.uniform(-0.1, 0.5)
    for _ in range(6):
        backdrop.box(rng.uniform(-8, 8), rng.uniform(1, 3), rng.uniform(0.4, 1.6), rng.uniform(0.15, 0.5),
                     color_of_hsv(rng.random(), 0.8, 0.95))  # fmt: skip
    floor.image[:] = color_of_hsv(0.6, 0.1, rng.uniform(0.15, 0.35))
    floor.shade(1 + 0.2 * floor.noise(rng, cells=1.0, octaves=7, fall=0.85))


def _abstract(rng, backdrop: Texture, floor: Texture):
    """Clouds, bands or polygons in any colors, for a network that must not trust places."""
    kind = pick_weighted(rng, {"clouds": 2, "shapes": 2, "gradient": 1, "checks": 1})
    for surface in (backdrop, floor):
        first, second = (color_of_hsv(rng.random(), rng.uniform(0.0, 0.9), rng.uniform(0.15, 0.95)) for _ in range(2))
        x, y = surface.grid()
        if kind == "clouds":
            share = 0.5 + 0.35 * surface.noise(rng, cells=rng.uniform(0.3, 2.5), octaves=6, fall=0.75)
        elif kind == "checks":
            pitch = rng.uniform(0.2, 0.9)
            share = ((np.floor(x / pitch) + np.floor(y / pitch)) % 2) * rng.uniform(0.3, 1)
        else:
            angle = rng.uniform(0, 2 * np.pi)
            share = 0.5 + (np.cos(angle) * x + np.sin(angle) * y) / rng.uniform(4, 12)
        surface.image[:] = first + (second - first) * np.clip(share, 0, 1)[..., None]
        if kind == "shapes":
            for _ in range(rng.integers(8, 30)):
                middle = np.array([rng.uniform(-7, 7), surface.top - rng.random() * min(surface.height, 9)])
                corners = middle + rng.normal(0, rng.uniform(0.2, 0.9), (int(rng.integers(3, 7)), 2))
                surface.polygon(corners, color_of_hsv(rng.random(), rng.uniform(0.1, 0.9), rng.uniform(0.2, 0.95)))


def _screen(rng, backdrop: Texture, floor: Texture):
    """One even color: a green, blue, grey or white screen."""
    tint = color_of_hsv(
        *((0.36, 0.7, 0.7), (0.6, 0.7, 0.7), (0, 0, 0.5), (0, 0, 0.93), (rng.random(), 0.5, 0.7))[rng.integers(5)]
    )
    for surface in (backdrop, floor):
        surface.image[:] = tint
        surface.shade(1 + 0.03 * surface.noise(rng, cells=0.4, octaves=3))


RANDOMIZED_PLACES = {**BENCHMARK_PLACES, "beach": 1, "theatre": 1, "night": 1, "abstract": 1.5, "screen": 0.8}
RANDOMIZED_PAINTERS = {
    **BENCHMARK_PAINTERS, "beach": _beach, "theatre": _theatre, "night": _night, "abstract": _abstract,
    "screen": _screen,
}  # fmt: skip
OUTDOOR_PLACES = ("street", "park", "beach")


def build_randomized_background(
    rng: np.random.Generator, camera: Camera, *, place: str | None = None
) -> ShotBackground:
    """A random place, one of RICH_PLACES, lit from anywhere above the floor."""
    place = place or pick_weighted(rng, RANDOMIZED_PLACES)
    distance = {"park": (9, 16), "beach": (10, 18), "night": (6, 14), "street": (2.5, 6)}.get(place, (1.6, 5))
    built = build_benchmark_background(
        rng, camera, place=place, painter=RANDOMIZED_PAINTERS[place], distance=rng.uniform(*distance)
    )
    return replace(built, light=sample_light(rng, is_outside=place in OUTDOOR_PLACES, is_dark=place == "night"))


def sample_light(rng: np.random.Generator, *, is_outside: bool, is_dark: bool = False) -> ShotLight:
    """A key light from any side, low or high, soft or hard, warm or cold; now and then from behind."""
    azimuth = rng.normal(0, 0.9) if rng.random() < 0.9 else rng.uniform(-np.pi, np.pi)
    rise = rng.uniform(0.35, 1.35)
    direction = np.array([np.sin(azimuth) * np.cos(rise), np.sin(rise), np.cos(azimuth) * np.cos(rise)], np.float32)
    warmth = rng.normal(0.01, 0.06)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    if rng.random() < 0.08:  # colored stage light
        tint = 0.6 + 0.6 * color_of_hsv(rng.random(), 0.5, 1.0)
    key = rng.uniform(0.4, 0.85) if is_outside else rng.uniform(0.2, 0.7)
    level = rng.uniform(0.85, 1.15) * (0.75 if is_dark else 1.0)
    ambient = max(level - key, 0.34)
    sky = ambient * (np.array([0.94, 1.0, 1.08]) if is_outside else np.ones(3)) * rng.uniform(1.0, 1.2)
    hard = is_outside and rng.random() < 0.6
    return ShotLight(
        direction, key * tint, sky, rng.uniform(0.55, 0.85) * ambient * tint,
        rng.uniform(0.02, 0.06) if hard else rng.uniform(0.06, 0.3),
        rng.uniform(0.3, 0.6) if hard else rng.uniform(0.08, 0.35),
    )  # fmt: skip


def sample_box(
    rng: np.random.Generator, place: tuple[float, float], size: tuple[float, float, float], turn: float
) -> FloorBox:
    """A painted or wooden box."""
    tint = color_of_hsv(rng.random(), rng.uniform(0.05, 0.6), rng.uniform(0.3, 0.9))
    return FloorBox(place, size, turn, tint, tint * rng.uniform(0.6, 1.0), rng.choice([0.0, 0.09, 0.16]))
