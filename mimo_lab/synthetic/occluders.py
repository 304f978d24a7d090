"""Things in front of the person, fixed or moving, and things that move elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mimo_core.geometry.camera import Camera

from .streams import pick_weighted
from .textures import Texture, color_of_hsv, paint_bricks


FIXED_OCCLUDERS = {"post": 2, "fence": 1.5, "bush": 1.5, "crate": 1.5, "rail": 1}
MOVING_OCCLUDERS = {"ball": 3, "board": 2, "cart": 2, "balloon": 1}
CLEARANCE = 0.05  # what moves elsewhere stays this share of the frame's height away from the person


@dataclass(frozen=True, eq=False)
class Cutout:
    """A flat thing that faces the camera of the middle frame, `distance` metres away.

    Convention: places on that camera's picture are in units of its focal length, x right, y down. `tangent_from_pixel`
    (F, 3, 3) puts the pixels of `picture` there.
    """

    picture: np.ndarray  # (h, w, 4) float32, color times alpha
    distance: float
    tangent_from_pixel: np.ndarray  # (F, 3, 3)

    def layer(self, view: StageView, frame: int, size: tuple[int, int]) -> np.ndarray:
        """The thing on one frame, (H, W, 4)."""
        import cv2

        # warpPerspective counts pixels from their centres
        half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
        matrix = np.linalg.inv(half) @ view.pixels_at(frame, self.distance) @ self.tangent_from_pixel[frame] @ half
        layer = cv2.warpPerspective(self.picture, matrix, size, flags=cv2.INTER_LINEAR)
        return cv2.copyTo(layer, (layer[..., 3] >= 1 / 255).view(np.uint8))

    def flow(self, view: StageView, frame: int) -> np.ndarray:
        """Homography from the pixels of `frame` to those of the next frame, (3, 3)."""
        here, there = (view.pixels_at(k, self.distance) @ self.tangent_from_pixel[k] for k in (frame, frame + 1))
        return there @ np.linalg.inv(here)


@dataclass(frozen=True, eq=False)
class StageView:
    """What the middle frame's camera sees, and how every frame's pixels relate to it."""

    pixel_from_tangent: np.ndarray  # (F, 3, 3)
    box: np.ndarray  # (F, 4) of the person on that picture: left, top, right, bottom, in tangents
    distance: float  # of the nearest part of the person, metres
    scale: float  # pixels per unit of tangent
    floor: float  # camera height above the floor, metres
    up: np.ndarray  # (3,) the world's Y in the middle camera
    shift: np.ndarray | None = None  # (F, 3) pixels times metres by which nearer things slip; None: it only turns

    def pixels_at(self, frame: int, distance: float) -> np.ndarray:
        """pixel_from_tangent (3, 3) of one frame for what is `distance` metres from the middle camera."""
        matrix = self.pixel_from_tangent[frame]
        if self.shift is None:
            return matrix
        return matrix + self.shift[frame][:, None] * np.array([0, 0, 1 / distance])

    @classmethod
    def of(cls, camera: Camera, points: np.ndarray, *, moves: bool = False) -> StageView:
        """For points (F, N, 3) of the person in the world. `moves` says that the camera does not only turn."""
        matrices = camera.extrinsics().numpy().astype(np.float64)
        middle = matrices[len(matrices) // 2]
        lens = np.array([[camera.focal, 0, camera.center[0]], [0, camera.focal, camera.center[1]], [0, 0, 1]])
        turned = np.stack([lens @ matrix[:3, :3] @ middle[:3, :3].T for matrix in matrices])
        seen = points @ middle[:3, :3].T + middle[:3, 3]
        flat = seen[..., :2] / seen[..., 2:]
        box = np.concatenate([flat.min(1), flat.max(1)], 1)
        eye = -middle[:3, :3].T @ middle[:3, 3]
        shift = None
        if moves:  # x_k = R_k R_m' x_m + (t_k - R_k R_m' t_m)
            shift = np.stack([lens @ matrix[:3, 3] for matrix in matrices]) - turned @ middle[:3, 3]
        return cls(turned, box, float(seen[..., 2].min()), camera.focal, float(eye[1]), middle[:3, 1], shift)

    def floor_at(self, distance: float) -> float:
        """Where the floor lies on the middle picture at a distance: y in tangents at x = 0."""
        return -(self.floor / distance + self.up[2]) / self.up[1]


def make_fixed_occluder(rng: np.random.Generator, view: StageView, *, kind: str | None = None) -> Cutout:
    """A thing that stands on the floor in front of the person and hides some of the legs or more: one of FIXED."""
    kind = kind or pick_weighted(rng, FIXED_OCCLUDERS)
    distance = view.distance * rng.uniform(0.6, 0.9)
    person = view.box[len(view.box) // 2]
    wide, tall = np.ptp(person[[0, 2]]), np.ptp(person[[1, 3]])
    floor = view.floor_at(distance)
    x = (person[0] + person[2]) / 2 + rng.uniform(-0.35, 0.35) * wide
    top = person[3] - rng.uniform(0.14, 0.4) * tall if kind != "post" else floor - 5.0 / distance
    picture, width, height = STANDING[kind](rng, view.scale, distance, max(floor - top, 0.1) * distance)
    left = x - width * (rng.uniform(0.2, 0.8) if kind in ("fence", "rail") else 0.5)
    return Cutout(
        picture, distance, np.tile(_place_picture(picture, left, floor - height, width), (len(view.box), 1, 1))
    )


def _place_picture(picture: np.ndarray, left, top, width, *, turn: float = 0.0, pivot=(0.5, 0.5)) -> np.ndarray:
    """tangent_from_pixel (3, 3) of a picture with its upper left corner at (left, top), turned about a pivot in it."""
    h, w = picture.shape[:2]
    scale = width / w
    center = np.array([pivot[0] * w, pivot[1] * h])
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.eye(3)
    matrix[:2, :2] = scale * rotation
    matrix[:2, 2] = np.array([left, top]) + scale * center - scale * rotation @ center
    return matrix


def make_moving_occluder(
    rng: np.random.Generator, view: StageView, seconds: np.ndarray, *, kind: str | None = None
) -> Cutout:
    """A thing that passes in front of the person at times `seconds` (F,): one of MOVING."""
    kind = kind or pick_weighted(rng, MOVING_OCCLUDERS)
    distance = view.distance * rng.uniform(0.6, 0.85)
    time = seconds / max(seconds[-1], 1e-3)
    crossing, way = rng.uniform(0.35, 0.65), rng.choice([-1, 1])
    person = view.box[int(crossing * (len(view.box) - 1))]
    x, wide, tall = (person[0] + person[2]) / 2, np.ptp(person[[0, 2]]), np.ptp(person[[1, 3]])
    picture, width, height = _draw_moving(rng, kind, view.scale, distance)
    if kind == "board":
        return _make_pendulum(rng, picture, distance, width, height, time, crossing, person)
    travel = (wide + 2 * width) * rng.uniform(1.0, 1.5)
    left = x - width / 2 + way * travel * (time - crossing)
    if kind == "cart":
        top = np.full(len(time), person[3] - rng.uniform(0.2, 0.45) * tall)
        turn = np.zeros(len(time))
    else:
        high = person[1] + rng.uniform(0.15, 0.6) * tall - height / 2
        arch = (0.35 if kind == "ball" else -0.15) * tall
        top = high + arch * ((time - crossing) / 0.5) ** 2 + 0.1 * tall * rng.normal() * (time - crossing)
        turn = way * (travel / max(width, 1e-6) if kind == "ball" else 0.4) * (time - crossing)
    places = [
        _place_picture(picture, *values[:2], width, turn=values[2]) for values in zip(left, top, turn, strict=True)
    ]
    return Cutout(picture, distance, np.stack(places))


def _make_pendulum(rng, picture, distance, width, height, time, crossing, person) -> Cutout:
    """A hanging board that swings through the person once or twice."""
    x, tall = (person[0] + person[2]) / 2, np.ptp(person[[1, 3]])
    top = person[1] + rng.uniform(0.3, 0.8) * tall - height
    swing = rng.choice([-1, 1]) * rng.uniform(0.25, 0.4) * np.sin(np.pi * rng.uniform(1.0, 1.6) * (time - crossing))
    places = [_place_picture(picture, x - width / 2, top, width, turn=angle, pivot=(0.5, 0.0)) for angle in swing]
    return Cutout(picture, distance, np.stack(places))


def make_mover(
    rng: np.random.Generator, view: StageView, coarse: StageView, seconds: np.ndarray, person: np.ndarray, far: float
) -> Cutout | None:
    """A thing that moves beside or above the person, `far` metres away, and never comes near: None if there is no room.

    `person` (F, h, w) bool is where the person is in small pictures of the view `coarse`, on which room is sought, so
    that it does not depend on the size of the shot.
    """
    import cv2

    frames, height, width = person.shape
    grow = max(1, round(CLEARANCE * height))
    near = [cv2.dilate(mask.astype(np.uint8), np.ones((2 * grow + 1,) * 2, np.uint8)) > 0 for mask in person]
    free = (np.argwhere(~np.any(near, 0))[:, ::-1] + 0.5) / (width, height)
    for attempt, seed in enumerate(rng.integers(2**32, size=48 if len(free) else 0)):
        thing = _try_mover(np.random.default_rng(seed), coarse, free * (width, height), seconds, far, attempt)
        shown = [thing.layer(coarse, frame, (width, height))[..., 3] for frame in range(frames)]
        is_seen = np.mean([mask.max() > 0.5 for mask in shown]) > 0.6
        if is_seen and not any((mask > 0)[close].any() for mask, close in zip(shown, near, strict=True)):
            scale = view.scale / coarse.scale
            return _try_mover(np.random.default_rng(seed), view, free * (width, height) * scale, seconds, far, attempt)
    return None


def _try_mover(rng, view: StageView, free: np.ndarray, seconds: np.ndarray, far: float, attempt: int) -> Cutout:
    """One try of a mover between two of the `free` pixels (N, 2), smaller and shorter with every attempt."""
    kind = rng.choice(["ball", "balloon", "ball", "cart"]) if attempt < 8 else "ball"
    picture, wide, tall = _draw_moving(rng, kind, view.scale, far, small=0.96**attempt)
    start, end = free[rng.integers(len(free), size=2)]
    end = start + (end - start) * 0.93**attempt
    start, end = _tangent_from_pixel(view, 0, start), _tangent_from_pixel(view, -1, end)
    time = seconds / max(seconds[-1], 1e-3)
    hops = 0.25 * tall * np.abs(np.sin(2 * np.pi * time * rng.uniform(0.5, 2)))
    if kind == "cart":
        start[1] = end[1] = view.floor_at(far) - tall / 2
        hops = 0 * hops
    path = start + (end - start) * time[:, None] - (wide / 2, tall / 2)
    path[:, 1] -= hops
    return Cutout(picture, far, np.stack([_place_picture(picture, x, y, wide) for x, y in path]))


def _tangent_from_pixel(view: StageView, frame: int, pixel: np.ndarray) -> np.ndarray:
    """A pixel (2) of one frame on the middle picture."""
    x, y, w = np.linalg.inv(view.pixel_from_tangent[frame]) @ (*pixel, 1)
    return np.array([x / w, y / w])


def _make_surface(width: float, height: float, scale: float) -> Texture:
    """An empty drawing of a thing, in metres, with its lower left corner at (0, 0). `scale` pixels a metre."""
    return Texture(0.0, height, width, height, scale=scale)


def _cut_out(surface: Texture, shape: np.ndarray, samples: int = 3) -> np.ndarray:
    """The drawing inside `shape` (h, w), made smaller by `samples`, as color times alpha (h', w', 4).

    A clear border keeps the edges soft.
    """
    import cv2

    full = np.dstack([np.clip(surface.image, 0.02, 0.98) * shape[..., None], shape]).astype(np.float32)
    small = (max(2, full.shape[1] // samples), max(2, full.shape[0] // samples))
    full = cv2.resize(full, small, interpolation=cv2.INTER_AREA)
    full[[0, -1]] = 0
    full[:, [0, -1]] = 0
    return full


def _make_cutout(surface: Texture, shape: np.ndarray, distance: float) -> tuple[np.ndarray, float, float]:
    picture = _cut_out(surface, shape)
    return picture, surface.width / distance, surface.height / distance


def _pixels_per_metre(scale: float, distance: float) -> float:
    return 3 * scale / distance


def _sample_tint(rng) -> np.ndarray:
    return color_of_hsv(rng.random(), rng.uniform(0.15, 0.85), rng.uniform(0.3, 0.95))


def _add_grain(rng, surface: Texture):
    surface.shade(1 + 0.08 * surface.noise(rng, cells=4, octaves=4, fall=0.8))


def _draw_moving(rng, kind: str, scale: float, distance: float, *, small: float = 1.0):
    """A moving thing: picture, width and height in tangents."""
    return {"ball": _ball, "board": _board, "cart": _cart, "balloon": _balloon}[kind](rng, scale, distance, small)


def _ball(rng, scale, distance, small):
    size = 2 * rng.uniform(0.11, 0.22) * small
    surface = _make_surface(size, size, _pixels_per_metre(scale, distance))
    x, y = surface.grid()
    u, v = (x / size * 2 - 1) * 1.06, (y / size * 2 - 1) * 1.06
    square = u * u + v * v
    angle = np.arctan2(v, u) + 0.0 * u
    first, second = _sample_tint(rng), _sample_tint(rng)
    wedges = np.sin(angle * rng.choice([3, 4])) > 0
    dots = np.sin(7 * u + rng.uniform(0, 6)) * np.sin(7 * v) > 0.2
    seams = (wedges, np.abs(v + 0.3 * u) < 0.25, dots)[rng.integers(3)]
    surface.image[:] = np.where(seams[..., None], second, first)
    surface.shade(0.55 + 0.5 * np.sqrt(np.clip(1 - (u - 0.3) ** 2 - (v - 0.4) ** 2, 0, 1)))
    return _make_cutout(surface, (square < 1).astype(np.float32), distance)


def _balloon(rng, scale, distance, small):
    width = 2 * rng.uniform(0.14, 0.24) * small
    height = width * 2.6
    surface = _make_surface(width, height, _pixels_per_metre(scale, distance))
    x, y = surface.grid()
    u, v = (x / width * 2 - 1) * 1.06, ((y - height + 0.6 * width) / (0.58 * width)) * 1.0
    surface.image[:] = _sample_tint(rng)
    surface.shade(0.6 + 0.5 * np.sqrt(np.clip(1 - (u + 0.3) ** 2 - (v - 0.3) ** 2, 0, 1)))
    string = (np.abs(x - width / 2 - 0.02 * np.sin(12 * y)) < 0.007) & (v < 0)
    return _make_cutout(surface, ((u * u + v * v < 1) | string).astype(np.float32), distance)


def _board(rng, scale, distance, small):
    width, height, rope = rng.uniform(0.35, 0.75), rng.uniform(0.3, 0.6), 2.2
    surface = _make_surface(width, height + rope, _pixels_per_metre(scale, distance))
    paint_bricks(surface, rng, _sample_tint(rng), width=4.0, height=rng.uniform(0.08, 0.2), joint=0.01, bond=0.0)
    surface.box(0.12 * width, 0.2 * height, 0.76 * width, 0.55 * height, _sample_tint(rng))
    surface.disc(0.5 * width, 0.48 * height, 0.16 * height, _sample_tint(rng))
    _add_grain(rng, surface)
    x, y = surface.grid()
    ropes = (np.abs(np.abs(x - width / 2) - 0.38 * width) < 0.011) & (y > height - 0.02)
    surface.image[:] = np.where(ropes[..., None], np.array([0.45, 0.36, 0.25], np.float32), surface.image)
    return _make_cutout(surface, ((y < height) | ropes).astype(np.float32), distance)


def _cart(rng, scale, distance, small):
    """Somebody pushes a pile of boxes past: boxes on wheels."""
    width, height, wheel = rng.uniform(0.45, 0.8) * small, rng.uniform(0.9, 1.2) * small, 0.1 * small
    surface = _make_surface(width, height, _pixels_per_metre(scale, distance))
    card = color_of_hsv(rng.uniform(0.06, 0.1), rng.uniform(0.2, 0.6), rng.uniform(0.45, 0.8))
    paint_bricks(surface, rng, card, width=width * 0.7, height=height * 0.37, joint=0.012, bond=0.5)
    for y in (0.3, 0.68):
        surface.box(rng.uniform(0.1, 0.5) * width, y * height, 0.2, 0.1, _sample_tint(rng))
    surface.box(0, wheel, width, 0.05, _sample_tint(rng) * 0.5)
    _add_grain(rng, surface)
    x, y = surface.grid()
    wheels = np.minimum(np.hypot(x - 0.2 * width, y - wheel), np.hypot(x - 0.8 * width, y - wheel)) < wheel
    surface.image[:] = np.where(wheels[..., None] & (y < wheel + 0.02)[..., None], np.float32(0.13), surface.image)
    return _make_cutout(surface, ((y > wheel) | wheels).astype(np.float32), distance)


def _post(rng, scale, distance, height):
    width = rng.uniform(0.06, 0.16)
    surface = _make_surface(width, height, _pixels_per_metre(scale, distance))
    surface.image[:] = _sample_tint(rng) * 0.8
    if rng.random() < 0.5:
        paint_bricks(surface, rng, _sample_tint(rng), width=4.0, height=rng.uniform(0.2, 0.5), joint=0.02, bond=0.0)
    _add_grain(rng, surface)
    x, _ = surface.grid()
    surface.shade(0.6 + 0.5 * np.sqrt(np.clip(1 - (x / width * 1.6 - 0.5) ** 2, 0, 1)))
    return _make_cutout(surface, np.ones(surface.image.shape[:2], np.float32), distance)


def _fence(rng, scale, distance, height):
    width = 3.2
    surface = _make_surface(width, height, _pixels_per_metre(scale, distance))
    surface.image[:] = _sample_tint(rng)
    _add_grain(rng, surface)
    x, y = surface.grid()
    pitch = rng.uniform(0.12, 0.2)
    place = x % pitch
    picket = (place < 0.6 * pitch) & (y < height - 0.8 * np.abs(place - 0.3 * pitch))
    rails = (np.abs(y - 0.75 * height) < 0.04) | (np.abs(y - 0.3 * height) < 0.04)
    surface.shade(np.where(picket, 1.0, 0.75))
    return _make_cutout(surface, (picket | rails).astype(np.float32), distance)


def _rail(rng, scale, distance, height):
    width = 3.2
    surface = _make_surface(width, height, _pixels_per_metre(scale, distance))
    surface.image[:] = _sample_tint(rng) * 0.7
    _add_grain(rng, surface)
    x, y = surface.grid()
    bars = (x % 0.8 < 0.05) | (np.abs(y - height + 0.035) < 0.03) | (np.abs(y - 0.5 * height) < 0.02)
    return _make_cutout(surface, bars.astype(np.float32), distance)


def _bush(rng, scale, distance, height):
    width = rng.uniform(0.5, 1.1)
    surface = _make_surface(width, height, _pixels_per_metre(scale, distance))
    leaf = color_of_hsv(rng.uniform(0.2, 0.4), rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.6))
    surface.image[:] = leaf * 0.5
    shape = Texture(0.0, height, width, height, scale=surface.scale, base=(0, 0, 0))
    for _ in range(420):
        y = height * rng.random() ** 0.8
        half = 0.42 * width * np.sqrt(1 - (y / height) ** 4)
        x = width / 2 + half * rng.uniform(-1, 1)
        radius = rng.uniform(0.02, 0.05)
        y = min(y, height - radius)
        surface.disc(x, y, radius, leaf * rng.uniform(0.55, 1.1) * (0.7 + 0.5 * y / height))
        shape.disc(x, y, radius, (1, 1, 1))
    surface.shade(1 + 0.12 * surface.noise(rng, cells=12, octaves=3, fall=0.9))
    return _make_cutout(surface, shape.image[..., 0], distance)


def _crate(rng, scale, distance, height):
    width = rng.uniform(0.5, 1.3)
    surface = _make_surface(width, height, _pixels_per_metre(scale, distance))
    paint_bricks(surface, rng, _sample_tint(rng), width=4.0, height=rng.uniform(0.08, 0.16), joint=0.012, bond=0.0)
    frame = _sample_tint(rng) * 0.6
    for x in (0, width - 0.07):
        surface.box(x, 0, 0.07, height, frame)
    surface.box(0, height - 0.06, width, 0.06, frame)
    _add_grain(rng, surface)
    return _make_cutout(surface, np.ones(surface.image.shape[:2], np.float32), distance)


STANDING = {"post": _post, "fence": _fence, "rail": _rail, "bush": _bush, "crate": _crate}
