"""Places: a floor and a backdrop with real texture, lit, seen through a camera that may turn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mimo_core.geometry.camera import Camera

from .boxes import FloorBox
from .light import ShotLight
from .streams import pick_weighted
from .textures import Texture, color_of_hsv, paint_art, paint_bricks, paint_stripes


BENCHMARK_PLACES = {"room": 4, "street": 2.5, "park": 2, "studio": 1, "hall": 1.5}
TOP, SIDE = 9.0, 22.0  # nothing is painted higher or farther to the side, in metres


@dataclass(frozen=True, eq=False)
class ShotBackground:
    """A backdrop (x, y) at world z = -distance and a floor (x, -z) at y = 0, and boxes on it."""

    backdrop: Texture
    floor: Texture
    distance: float
    light: ShotLight
    boxes: tuple[FloorBox, ...] = ()

    def end_rays(self, rays: Rays, camera: Camera, frame: int) -> Rays:
        """The rays of one frame, stopped by the boxes."""
        matrix = camera.extrinsics()[frame].numpy()
        eye = -matrix[:3, :3].T @ matrix[:3, 3]
        for number, box in enumerate(self.boxes):
            rays = box.clip_rays(rays, eye, number)
        return rays

    def view(self, rays: Rays) -> np.ndarray:
        """What the rays see, (H, W, 3) float32."""
        wall = _sample_surface(self.backdrop, rays.x, rays.y)
        ground = _sample_surface(self.floor, rays.x, -rays.z)
        return self.paint_boxes(np.where(rays.is_floor[..., None], ground, wall), rays)

    def paint_boxes(self, seen: np.ndarray, rays: Rays) -> np.ndarray:
        """A picture of floor and backdrop with the boxes and the dark around their feet."""
        for number, box in enumerate(self.boxes):
            seen = box.paint(seen, rays, number, self.light)
        return seen


@dataclass(frozen=True, eq=False)
class Rays:
    """Where the pixels of one frame meet the floor or the backdrop, in world metres. All (H, W)."""

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    depth: np.ndarray
    is_floor: np.ndarray
    side: np.ndarray | None = None  # int, 8 x the number of the box that is seen + its side from 1; 0: no box


def cast_rays(camera: Camera, frame: int, distance: float) -> Rays:
    """Rays through the pixel centres of one frame, to the floor y = 0 or the backdrop z = -distance."""
    width, height = camera.size
    matrix = camera.extrinsics()[frame].numpy()
    rotation, eye = matrix[:3, :3], -matrix[:3, :3].T @ matrix[:3, 3]
    u = (np.arange(width, dtype=np.float32)[None] + 0.5 - camera.center[0]) / camera.focal
    v = (np.arange(height, dtype=np.float32)[:, None] + 0.5 - camera.center[1]) / camera.focal
    x, y, z = (rotation[0, k] * u + rotation[1, k] * v + rotation[2, k] for k in range(3))
    to_wall = (-distance - eye[2]) / np.minimum(z, -1e-3)
    to_floor = np.where(y < -1e-6, -eye[1] / np.minimum(y, -1e-6), np.inf)
    is_floor = to_floor < to_wall
    depth = np.where(is_floor, to_floor, to_wall).astype(np.float32)
    return Rays(eye[0] + x * depth, eye[1] + y * depth, eye[2] + z * depth, depth, is_floor)


def _sample_surface(surface: Texture, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    import cv2

    columns = ((x - surface.left) * surface.scale - 0.5).astype(np.float32)
    rows = ((surface.top - y) * surface.scale - 0.5).astype(np.float32)
    return cv2.remap(surface.image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def build_benchmark_background(
    rng: np.random.Generator, camera: Camera, *, place: str | None = None, painter=None, distance: float | None = None
) -> ShotBackground:
    """A random place (one of PLACES) that fills every frame of the camera.

    A `painter` (rng, backdrop, floor) paints another one, `distance` metres deep.
    """
    place = place or pick_weighted(rng, BENCHMARK_PLACES)
    if distance is None:
        distance = {"park": rng.uniform(9, 16), "street": rng.uniform(2.5, 6)}.get(place, rng.uniform(1.6, 4))
    light = _sample_place_light(rng, place)
    small = camera.resize(*limit_size(camera.size, 24))
    every = [cast_rays(small, frame, distance) for frame in range(len(camera.camera_from_world))]
    x, y, z = (np.stack([getattr(rays, axis) for rays in every]) for axis in "xyz")
    left, right = np.clip([x.min() - 0.5, x.max() + 0.5], -SIDE, SIDE)
    top, near = np.clip(y.max() + 0.5, 2.5, TOP), min(z.max() + 0.5, 12.0)
    matrix = camera.extrinsics()[0].numpy()
    eye = -matrix[:3, :3].T @ matrix[:3, 3]
    scale = camera.focal / (eye[2] + distance)
    backdrop = Texture(left, top, right - left, top, scale=1.1 * scale)
    floor = Texture(left, distance, right - left, distance + near, scale=1.1 * camera.focal / (eye[2] + 0.5 * distance))
    (painter or BENCHMARK_PAINTERS[place])(rng, backdrop, floor)
    for surface in (backdrop, floor):
        surface.shade(1 + 0.02 * surface.noise(rng, cells=25.0, octaves=3, fall=0.9))
        np.clip(surface.image, 0.02, 0.98, out=surface.image)
    return ShotBackground(backdrop, floor, distance, light)


def limit_size(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """The size of a small picture of the same shape."""
    scale = longest / max(size)
    return max(2, round(size[0] * scale)), max(2, round(size[1] * scale))


def _sample_place_light(rng, place: str) -> ShotLight:
    outside = place in ("street", "park")
    direction = np.array([rng.normal(0, 0.7), rng.uniform(0.5, 1.1), rng.uniform(0.15, 1.0)])
    warmth = rng.uniform(-0.06, 0.08)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    key = rng.uniform(0.45, 0.75) if outside else rng.uniform(0.3, 0.55)
    level = rng.uniform(0.92, 1.12) - key
    sky = level * (np.array([0.96, 1.0, 1.06]) if outside else np.ones(3)) * 1.1
    softness, shadow = (0.03, 0.25) if outside else (0.08, 0.1)
    return ShotLight(
        (direction / np.linalg.norm(direction)).astype(np.float32),
        key * tint,
        sky,
        0.72 * level * tint,
        softness * rng.uniform(1, 3),
        shadow * rng.uniform(1, 2),
    )


def _sample_muted_tint(rng, *, value=(0.45, 0.9)) -> np.ndarray:
    return color_of_hsv(rng.random(), rng.uniform(0.03, 0.35), rng.uniform(*value))


def _wall(rng, surface: Texture):
    """Cover a wall with plaster, brick, wallpaper, boards or tiles."""
    tint = _sample_muted_tint(rng)
    kind = pick_weighted(rng, {"plaster": 3, "brick": 2, "paper": 1.5, "boards": 1.5, "tiles": 1})
    if kind == "brick":
        tint = color_of_hsv(rng.uniform(0.0, 0.09), rng.uniform(0.25, 0.55), rng.uniform(0.4, 0.75))
        paint_bricks(surface, rng, tint, width=0.24, height=0.08, joint=0.012)
    elif kind == "paper":
        paint_stripes(surface, rng, tint, width=rng.uniform(0.08, 0.3))
    elif kind == "boards":
        paint_bricks(surface, rng, tint, width=rng.uniform(0.1, 0.2), height=4.0, joint=0.01, bond=0.3)
    elif kind == "tiles":
        paint_bricks(surface, rng, tint, width=0.2, height=0.2, joint=0.008, bond=0.0)
    else:
        surface.image[:] = tint
    surface.shade(1 + 0.07 * surface.noise(rng, cells=0.8, octaves=6, fall=0.7))


def _boards(rng, surface: Texture):
    tint = color_of_hsv(rng.uniform(0.05, 0.1), rng.uniform(0.25, 0.6), rng.uniform(0.3, 0.75))
    paint_bricks(surface, rng, tint, width=1.2, height=rng.uniform(0.09, 0.16), joint=0.006, bond=0.4)
    surface.shade(1 + 0.05 * surface.noise(rng, cells=2, octaves=5, fall=0.8))


def _paving(rng, surface: Texture):
    side = rng.uniform(0.25, 0.7)
    paint_bricks(surface, rng, _sample_muted_tint(rng, value=(0.4, 0.7)), width=side,
                 height=side * rng.choice([1, 0.5]), joint=0.015, bond=rng.choice([0, 0.5]))  # fmt: skip
    surface.shade(1 + 0.08 * surface.noise(rng, cells=1.5, octaves=6, fall=0.75))


def _carpet(rng, surface: Texture):
    surface.image[:] = _sample_muted_tint(rng, value=(0.3, 0.7))
    surface.shade(1 + 0.1 * surface.noise(rng, cells=0.7, octaves=7, fall=0.85))


def _spread_along(rng, surface: Texture, every: float) -> np.ndarray:
    """Places along the whole width, about `every` metres apart."""
    count = int(2 * SIDE / every)
    places = (np.arange(count) + rng.uniform(0.1, 0.9, count)) * every - SIDE
    return places[(places > surface.left - 3) & (places < surface.left + surface.width + 3)]


def _room(rng, wall: Texture, floor: Texture):
    _wall(rng, wall)
    (_boards if rng.random() < 0.5 else rng.choice([_carpet, _paving]))(rng, floor)
    x, gap = -SIDE + rng.uniform(0, 2), rng.uniform(0.15, 0.8)
    while x < SIDE:
        kind = pick_weighted(rng, {"picture": 4, "window": 1.2, "door": 0.8, "shelf": 1.2, "cabinet": 1.2, "plant": 1})
        draw, low, high = FURNITURE[kind]
        width = rng.uniform(low, high)
        draw(rng, wall, x, width)
        x += width + gap * rng.uniform(0.5, 1.5)
    board = _sample_muted_tint(rng, value=(0.3, 0.95))
    wall.box(wall.left, 0, wall.width, rng.uniform(0.06, 0.14), board)
    light = rng.uniform(-0.06, 0.06)
    x, y = wall.grid()
    wall.shade(1 + light * x / 3 + 0.04 * (y - 1.5))


def _picture(rng, wall: Texture, x: float, width: float):
    height = rng.uniform(0.3, 0.9)
    y, frame = rng.uniform(1.0, 1.7), rng.uniform(0.02, 0.05)
    wall.box(x - frame, y - frame, width + 2 * frame, height + 2 * frame, _sample_muted_tint(rng, value=(0.1, 0.9)))
    wall.box(x, y, width, height, paint_art(rng))


def _window(rng, wall: Texture, x: float, width: float):
    height, y = rng.uniform(0.9, 1.4), rng.uniform(0.8, 1.1)
    frame = np.full(3, rng.uniform(0.5, 0.95), np.float32)
    wall.box(x - 0.06, y - 0.06, width + 0.12, height + 0.12, frame)
    fade = np.linspace(0, 1, 16, dtype=np.float32)[:, None, None]
    sky = (
        color_of_hsv(0.58, rng.uniform(0.1, 0.4), 0.95) * (1 - fade)
        + color_of_hsv(0.3, 0.25, rng.uniform(0.4, 0.8)) * fade
    )
    for column in range(2):
        for row in range(2):
            wall.box(x + column * width / 2 + 0.02, y + row * height / 2 + 0.02, width / 2 - 0.04, height / 2 - 0.04,
                     np.repeat(sky if row else sky[8:], 8, 1))  # fmt: skip


def _door(rng, wall: Texture, x: float, width: float):
    tint = _sample_muted_tint(rng, value=(0.25, 0.85))
    wall.box(x - 0.07, 0, width + 0.14, 2.12, tint * 0.75)
    wall.box(x, 0, width, 2.05, tint)
    for y in (0.2, 1.15):
        wall.box(x + 0.13, y, width - 0.26, 0.75, tint * 0.88)
    wall.disc(x + width - 0.08, 1.02, 0.03, np.array([0.85, 0.75, 0.4]))


def _shelf(rng, wall: Texture, x: float, width: float):
    rows = int(rng.integers(2, 6))
    wood = color_of_hsv(0.08, rng.uniform(0.2, 0.5), rng.uniform(0.25, 0.7))
    wall.box(x - 0.04, 0, width + 0.08, rows * 0.38 + 0.04, wood * 0.7)
    for row in range(rows):
        wall.box(x, row * 0.38 + 0.04, width, 0.34, wood * 0.4)
        place = x + rng.uniform(0, 0.05)
        while place < x + width - 0.08:
            thick = rng.uniform(0.02, 0.07)
            if rng.random() < 0.85:
                tint = color_of_hsv(rng.random(), rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.9))
                wall.box(place, row * 0.38 + 0.04, thick, rng.uniform(0.18, 0.3), tint)
            place += thick + 0.004


def _cabinet(rng, wall: Texture, x: float, width: float):
    height, tint = rng.uniform(0.6, 1.0), _sample_muted_tint(rng, value=(0.25, 0.9))
    wall.box(x, 0, width, height, tint)
    for column in range(int(width / 0.4) + 1):
        wall.box(x + column * 0.4 + 0.02, 0.08, min(0.36, width - column * 0.4 - 0.04), height - 0.13, tint * 0.88)
    wall.box(x + 0.1, height, 0.18, rng.uniform(0.1, 0.3), color_of_hsv(rng.random(), 0.5, 0.7))


def _plant(rng, wall: Texture, x: float, width: float):
    """A clipped shrub in a pot. Plants with arms and a waist pass for people with a detector."""
    x += width / 2
    wall.box(x - 0.2, 0, 0.4, 0.3, _sample_muted_tint(rng, value=(0.3, 0.9)))
    leaf = color_of_hsv(rng.uniform(0.25, 0.4), rng.uniform(0.4, 0.7), rng.uniform(0.25, 0.55))
    wide, tall = width / 2, rng.uniform(0.5, 0.9)
    for _ in range(300):
        side, up = rng.uniform(-1, 1, 2)
        tint = leaf * rng.uniform(0.5, 1.2) * (0.9 + 0.25 * up)
        wall.disc(x + side * wide, 0.32 + tall / 2 * (1 + up), rng.uniform(0.03, 0.055), tint)


FURNITURE = {  # what draws it, and its width in metres
    "picture": (_picture, 0.3, 0.9),
    "window": (_window, 0.8, 1.3),
    "door": (_door, 0.8, 1.0),
    "shelf": (_shelf, 0.7, 1.3),
    "cabinet": (_cabinet, 0.6, 1.4),
    "plant": (_plant, 0.7, 1.2),
}


def _studio(rng, wall: Texture, floor: Texture):
    """A painted canvas that runs from the wall onto the floor."""
    tint = _sample_muted_tint(rng, value=(0.3, 0.85))
    for surface in (wall, floor):
        surface.image[:] = tint
        surface.shade(1 + 0.06 * surface.noise(rng, cells=0.6, octaves=7, fall=0.8))
    x, y = wall.grid()
    wall.shade(1.1 - 0.05 * (x * x + (y - 1.2) ** 2).clip(0, 6))


def _hall(rng, wall: Texture, floor: Texture):
    """A gym or workshop: wall bars, painted bands, lines on the floor."""
    _wall(rng, wall)
    wall.box(wall.left, 0, wall.width, rng.uniform(0.8, 1.4), _sample_muted_tint(rng, value=(0.3, 0.7)))
    _boards(rng, floor)
    for x in _spread_along(rng, wall, rng.uniform(1.3, 2.2)):
        if rng.random() < 0.5:
            wood = color_of_hsv(0.09, 0.5, rng.uniform(0.4, 0.7))
            for bar in np.arange(0.3, 2.6, 0.2):
                wall.box(x, bar, 0.9, 0.05, wood)
            wall.box(x - 0.05, 0, 0.06, 2.7, wood * 0.8)
            wall.box(x + 0.9, 0, 0.06, 2.7, wood * 0.8)
        else:
            _picture(rng, wall, x, rng.uniform(0.4, 0.9))
    for y in rng.uniform(-4, floor.top, 4):
        floor.box(floor.left, y, floor.width, 0.06, color_of_hsv(rng.random(), 0.6, 0.9))
    for x in rng.uniform(-4, 4, 3):
        floor.box(x, floor.top - floor.height, 0.06, floor.height, color_of_hsv(rng.random(), 0.6, 0.9))


def _street(rng, wall: Texture, floor: Texture):
    """House fronts: a window or door in every bay, on brick or plaster, over paving."""
    _paving(rng, floor)
    _wall(rng, wall)
    trim = _sample_muted_tint(rng, value=(0.4, 0.95))
    bay = rng.uniform(1.5, 2.3)
    for number in range(int(-SIDE / bay), int(SIDE / bay)):
        x = number * bay
        for storey in range(3):
            y = storey * 3.0
            if storey == 0 and rng.random() < 0.35:
                _door(rng, wall, x + 0.3, 0.9)
                continue
            wall.box(x + 0.25, y + 0.75, bay * 0.55 + 0.1, 1.6, trim)
            glass = color_of_hsv(0.58, rng.uniform(0.05, 0.3), rng.uniform(0.2, 0.7))
            wall.box(x + 0.3, y + 0.8, bay * 0.55, 1.5, glass)
            wall.box(x + 0.3, y + 0.8, bay * 0.55, rng.uniform(0.2, 1.2), glass * 0.75)
            wall.box(x + 0.3 + bay * 0.27, y + 0.8, 0.04, 1.5, trim)
        if rng.random() < 0.3:
            _picture(rng, wall, x + bay * 0.85, 0.3)
    wall.box(wall.left, 0, wall.width, rng.uniform(0.2, 0.5), trim * 0.6)
    for storey in (2.75, 5.75):
        wall.box(wall.left, storey, wall.width, 0.12, trim * 0.9)


def _park(rng, backdrop: Texture, floor: Texture):
    """Sky with clouds, rows of trees, grass with a path."""
    x, y = backdrop.grid()
    horizon = color_of_hsv(0.57, rng.uniform(0.05, 0.2), rng.uniform(0.8, 0.95))
    zenith = color_of_hsv(rng.uniform(0.56, 0.62), rng.uniform(0.3, 0.6), rng.uniform(0.6, 0.9))
    backdrop.image[:] = horizon + (zenith - horizon) * np.clip(y / 7, 0, 1)[..., None]
    cloud = np.clip(backdrop.noise(rng, cells=0.25, octaves=5) - 0.4, 0, 1)[..., None]
    backdrop.image += cloud * (0.97 - backdrop.image) * 0.8
    green = color_of_hsv(rng.uniform(0.2, 0.36), rng.uniform(0.3, 0.6), rng.uniform(0.35, 0.55))
    for row, (height, tone) in enumerate(((rng.uniform(2.5, 4.5), 1.15), (rng.uniform(1.0, 2.4), 0.85))):
        ridge = height + 0.9 * backdrop.noise(rng, cells=0.15, octaves=7, fall=0.62)[0]
        leaves = 1 + 0.28 * backdrop.noise(rng, cells=1.2, octaves=6, fall=0.8)
        haze = np.array([0.1, 0.1, 0.14]) if row == 0 else np.zeros(3)
        tree = (green * tone + haze) * leaves[..., None]
        backdrop.image[:] = np.where((y < ridge[None])[..., None], tree, backdrop.image)
    for place in _spread_along(rng, backdrop, rng.uniform(2.5, 5)):
        trunk = color_of_hsv(0.07, 0.4, rng.uniform(0.15, 0.35))
        backdrop.box(place, 0, rng.uniform(0.15, 0.4), rng.uniform(1.5, 4), trunk)
    floor.image[:] = green * rng.uniform(0.9, 1.2)
    floor.shade(1 + 0.2 * floor.noise(rng, cells=1.0, octaves=7, fall=0.85))
    sand = color_of_hsv(0.1, rng.uniform(0.15, 0.4), rng.uniform(0.5, 0.75))
    _, back = floor.grid()
    path = np.abs(back - rng.uniform(-1, 1) + 0.3 * np.sin(floor.grid()[0] * 0.6)) < rng.uniform(0.6, 1.4)
    grain = 1 + 0.1 * floor.noise(rng, cells=2.0, octaves=6, fall=0.85)
    floor.image[:] = np.where(path[..., None], sand * grain[..., None], floor.image)


BENCHMARK_PAINTERS = {"room": _room, "street": _street, "park": _park, "studio": _studio, "hall": _hall}
