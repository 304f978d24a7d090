"""What a character looks like: body shape, skin, hair, face and clothes, from a seed, painted point by point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .faces import paint_face, shade_creases, shade_strands
from .garments import BRIM, HAIR, SKIRT, Anatomy, ClothSheet, anatomy, make_benchmark_brim, make_long_hair, make_skirt
from .streams import pick_weighted, random_stream
from .textures import color_of_hsv


SKINS = (
    (0.95, 0.78, 0.68),
    (0.90, 0.70, 0.56),
    (0.80, 0.58, 0.43),
    (0.62, 0.42, 0.30),
    (0.44, 0.29, 0.21),
    (0.32, 0.21, 0.16),
)
HAIRS = (
    (0.07, 0.06, 0.06),
    (0.17, 0.11, 0.08),
    (0.32, 0.20, 0.12),
    (0.50, 0.33, 0.18),
    (0.78, 0.62, 0.38),
    (0.48, 0.18, 0.09),
    (0.66, 0.66, 0.68),
)
CLOTH_NEUTRALS = (
    (0.10, 0.10, 0.12), (0.90, 0.89, 0.86), (0.45, 0.46, 0.48), (0.13, 0.17, 0.30), (0.72, 0.64, 0.50),
    (0.24, 0.34, 0.50), (0.34, 0.26, 0.20),
)  # fmt: skip
CLOTH_PATTERNS = {
    "plain": 5,
    "hoops": 2,
    "stripes": 1.5,
    "plaid": 1.5,
    "dots": 1,
    "fade": 0.7,
    "blocks": 0.8,
    "patches": 1,
}


@dataclass(frozen=True, eq=False)
class Cloth:
    """A fabric: two colors and how they alternate."""

    first: np.ndarray  # (3,)
    second: np.ndarray
    pattern: str
    pitch: float  # metres
    turn: float  # radians
    phase: np.ndarray  # (3,)

    def paint(self, points: np.ndarray) -> np.ndarray:
        """Colours (N, 3) at places (N, 3) on the template."""
        x, y, z = points.T
        wave = 2 * np.pi / self.pitch
        if self.pattern == "plain":
            return np.broadcast_to(self.first, points.shape)
        if self.pattern == "hoops":
            share = np.sin(y * wave + self.phase[0]) > 0.2
        elif self.pattern == "stripes":
            share = np.sin((np.cos(self.turn) * x + np.sin(self.turn) * y) * wave + self.phase[0]) > 0.3
        elif self.pattern == "plaid":
            share = 0.5 * (np.sin(x * wave + self.phase[0]) > 0.4) + 0.5 * (np.sin(y * wave + self.phase[1]) > 0.4)
        elif self.pattern == "dots":
            share = np.sin((x + 0.3 * z) * wave + self.phase[0]) * np.sin(y * wave + self.phase[1]) > 0.45
        elif self.pattern == "fade":
            share = np.clip(0.5 - (y + 0.2) * 1.4, 0, 1)
        elif self.pattern == "blocks":
            share = y + 0.25 * np.abs(x) > 0.05
        else:
            share = sum(np.sin(points @ _direction(k) * 0.55 * wave + self.phase[k % 3] + k) for k in range(4)) > 0.7
        return self.first + (self.second - self.first) * np.asarray(share, np.float32)[:, None]


def _direction(number: int) -> np.ndarray:
    """One of a few fixed unit vectors that point all ways."""
    angle = 2.4 * number
    height = 0.8 - 0.45 * number
    flat = np.sqrt(max(1 - height * height, 0.05))
    return np.array([flat * np.cos(angle), height, flat * np.sin(angle)], np.float32)


@dataclass(frozen=True, eq=False)
class BenchmarkAppearance:
    """Everything that makes one character. Lengths along a limb are 0 at its root and 1 at ankle or wrist."""

    betas: torch.Tensor  # (10,)
    skin: np.ndarray
    hair: np.ndarray
    hair_style: str  # bald, short, bob, long
    hair_length: float  # metres below the ears
    eye: np.ndarray
    lips: np.ndarray
    beard: float  # 0 to 1
    glasses: bool
    hat: str  # none, cap, hat, beanie
    hat_color: np.ndarray
    top: Cloth
    inner: Cloth
    bottom: Cloth
    sleeve: float
    trousers: float
    top_hem: float  # metres above the pelvis
    neckline: str  # crew, v, high
    is_jacket: bool
    skirt: str  # none, skirt, dress, coat
    skirt_hem: float  # along the leg
    flare: float
    belt: np.ndarray | None
    logo: str  # none, disc, bar, heart
    logo_color: np.ndarray
    shoe: np.ndarray
    sole: np.ndarray
    boot: float  # where the shoe ends, along the leg
    sock: np.ndarray | None
    glove: np.ndarray | None
    bulk: tuple[float, float, float]  # metres: top, trousers, hair
    folds: np.ndarray  # (3, 4) directions and phases of creases

    def volume(self) -> np.ndarray:
        """Metres by which hair and clothes stand off the body, (V,)."""
        return measure_volume(self)

    def sheets(self) -> list[ClothSheet]:
        """The separate pieces this character wears."""
        return make_sheets(self)

    def paint(self, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colours (N, 3) in 0..1 and gloss (N,) at surface points given by their marks (N, 7), see garments.MARKS."""
        return paint_surface(self, marks)


def _sample_tint(rng) -> np.ndarray:
    if rng.random() < 0.4:
        return np.clip(
            np.array(CLOTH_NEUTRALS[rng.integers(len(CLOTH_NEUTRALS))], np.float32) * rng.uniform(0.85, 1.15), 0, 1
        )
    return color_of_hsv(rng.random(), rng.uniform(0.35, 0.9), rng.uniform(0.35, 0.95))


def _sample_cloth(rng) -> Cloth:
    first, second = _sample_tint(rng), _sample_tint(rng)
    while np.abs(first - second).max() < 0.2:
        second = _sample_tint(rng)
    pattern = pick_weighted(rng, CLOTH_PATTERNS)
    pitch = rng.uniform(0.05, 0.16) * (1.3 if pattern == "patches" else 1)
    return Cloth(first, second, pattern, pitch, rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi, 3))


def sample_body_shape(seed: int) -> torch.Tensor:
    """The shape values (10) of a character."""
    rng = random_stream(seed, "body shape")
    betas = np.clip(rng.normal(0, 0.8, 10), -1.8, 1.8)
    betas[0] = np.clip(rng.normal(0, 0.28), -0.55, 0.55)  # one unit is 25 cm of height
    return torch.from_numpy(betas.astype(np.float32))


def sample_benchmark_appearance(seed: int) -> BenchmarkAppearance:
    """The character of a seed."""
    rng = random_stream(seed, "appearance")
    style = pick_weighted(rng, {"short": 5, "long": 3, "bob": 2, "bald": 0.6})
    lower = pick_weighted(rng, {"none": 6, "skirt": 1.2, "dress": 1.4, "coat": 1.2})
    jacket = lower == "coat" or (lower == "none" and rng.random() < 0.3)
    bare = lower in ("skirt", "dress")
    skin = np.clip(np.array(SKINS[rng.integers(len(SKINS))], np.float32) * rng.uniform(0.92, 1.05), 0, 1)
    hair = np.array(HAIRS[rng.integers(len(HAIRS))], np.float32) * rng.uniform(0.8, 1.2)
    shoe = _sample_tint(rng) * rng.uniform(0.4, 1.0)
    return BenchmarkAppearance(
        betas=sample_body_shape(seed),
        skin=skin,
        hair=color_of_hsv(rng.random(), 0.6, 0.7) if rng.random() < 0.08 else hair,
        hair_style=style,
        hair_length={"long": rng.uniform(0.2, 0.4), "bob": rng.uniform(0.06, 0.14)}.get(
            style, rng.uniform(-0.01, 0.05)
        ),
        eye=np.array([(0.25, 0.16, 0.10), (0.25, 0.40, 0.55), (0.30, 0.42, 0.25)][rng.integers(3)], np.float32),
        lips=np.clip(skin * (0.92, 0.66, 0.66) + (0.05, 0, 0), 0, 1),
        beard=rng.uniform(0.5, 0.9) if style in ("short", "bald") and not bare and rng.random() < 0.4 else 0.0,
        glasses=rng.random() < 0.15,
        hat=pick_weighted(rng, {"none": 7, "cap": 1, "hat": 0.8, "beanie": 0.8}),
        hat_color=_sample_tint(rng),
        top=_sample_cloth(rng),
        inner=_sample_cloth(rng),
        bottom=_sample_cloth(rng)
        if rng.random() < 0.4
        else Cloth(_sample_tint(rng), _sample_tint(rng), "plain", 0.1, 0.0, np.zeros(3)),
        sleeve=rng.uniform(0.85, 0.97) if jacket else rng.choice([-0.05, 0.3, 0.36, 0.6, 0.94]),
        trousers=0.0 if bare and rng.random() < 0.7 else rng.choice([0.3, 0.42, 0.7, 0.97, 0.97, 0.97, 0.97]),
        top_hem=rng.choice([0.06, 0.0, -0.06, -0.12]),
        neckline=pick_weighted(rng, {"crew": 3, "v": 2, "high": 1}),
        is_jacket=jacket,
        skirt=lower,
        skirt_hem=rng.uniform(0.3, 0.8),
        flare=rng.uniform(0.02, 0.14),
        belt=_sample_tint(rng) * 0.6 if rng.random() < 0.35 else None,
        logo=pick_weighted(rng, {"none": 4, "disc": 1, "bar": 1, "heart": 1}),
        logo_color=_sample_tint(rng),
        shoe=shoe,
        sole=np.full(3, 0.9, np.float32) if rng.random() < 0.5 else shoe * 0.4,
        boot=rng.uniform(0.62, 0.85) if rng.random() < 0.2 else 0.95,
        sock=_sample_tint(rng) if rng.random() < 0.4 else None,
        glove=_sample_tint(rng) if rng.random() < 0.07 else None,
        bulk=(rng.uniform(0.004, 0.024), rng.uniform(0.004, 0.02), rng.uniform(0.01, 0.03)),
        folds=rng.normal(0, 1, (3, 4)).astype(np.float32),
    )


def make_sheets(appearance: BenchmarkAppearance) -> list[ClothSheet]:
    """The separate pieces this character wears."""
    map_, pieces = anatomy(), []
    room = 1.4 * max(appearance.bulk[:2]) + 0.004
    pelvis = map_.joints["pelvis"][1]
    hem = map_.joints["left_hip"][1] - appearance.skirt_hem * (
        map_.joints["left_hip"][1] - map_.joints["left_ankle"][1]
    )
    if appearance.skirt in ("skirt", "dress"):
        pieces.append(make_skirt(waist=pelvis + 0.10, hem=hem, flare=appearance.flare, room=room))
    if appearance.skirt == "coat":
        pieces.append(make_skirt(waist=pelvis + 0.08, hem=hem, flare=0.5 * appearance.flare, gap=0.07, room=room))
    if appearance.hair_style in ("long", "bob"):
        pieces.append(make_long_hair(length=appearance.hair_length, width=0.02 + 0.1 * appearance.hair_length))
    if appearance.hat in ("cap", "hat"):
        pieces.append(make_benchmark_brim(height=_hat_line(map_), reach=0.085, front_only=appearance.hat == "cap"))
    return pieces


def _hat_line(map_: Anatomy) -> float:
    return map_.eye[1] + 0.048


def _hair_zone(appearance: BenchmarkAppearance, map_: Anatomy, points: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Where hair grows: above the forehead, behind the ears, down to the nape."""
    if appearance.hair_style == "bald":
        return np.zeros(len(points), bool)
    x, y, z = points.T
    forehead = map_.eye[1] + 0.068 - 0.25 * np.abs(x) ** 1.2
    temple = map_.ear[2] + 0.028 + 0.03 * np.clip((y - map_.eye[1]) / 0.05, 0, 1)
    nape = map_.ear[1] - np.clip(appearance.hair_length, 0.015, 0.06)
    return (
        (head > 0.5)
        & (y > nape)
        & ((y > forehead) | ((z < temple) & (y > map_.ear[1] - 0.015)) | (z < map_.ear[2] - 0.015))
    )


def _hat_zone(appearance: BenchmarkAppearance, map_: Anatomy, points: np.ndarray, head: np.ndarray) -> np.ndarray:
    if appearance.hat == "none":
        return np.zeros(len(points), bool)
    return (head > 0.5) & (
        points[:, 1] > _hat_line(map_) + 0.06 * (points[:, 2] - map_.nose[2]) * (appearance.hat == "beanie")
    )


def _top_zone(appearance: BenchmarkAppearance, map_: Anatomy, points: np.ndarray, head, arm, leg) -> np.ndarray:
    x, y, z = points.T
    collar = map_.joints["neck"][1] + {"crew": -0.012, "v": -0.012, "high": 0.045}[appearance.neckline]
    if appearance.neckline == "v":
        collar = collar - np.where(z > map_.joints["neck"][2] - 0.02, np.clip(0.14 - 2.2 * np.abs(x), 0, 0.14), 0)
    trunk = (arm < 0.5) & (head < 0.75) & (y < collar) & (y > map_.joints["pelvis"][1] + appearance.top_hem)
    return trunk | ((arm >= 0.5) & (map_.along_arm(points) < appearance.sleeve))


def _bottom_zone(appearance: BenchmarkAppearance, map_: Anatomy, points: np.ndarray, arm) -> np.ndarray:
    length = max(appearance.trousers, 0.06)
    return (arm < 0.5) & (points[:, 1] < map_.joints["pelvis"][1] + 0.10) & (map_.along_leg(points) < length)


def _shoe_zone(appearance: BenchmarkAppearance, map_: Anatomy, points: np.ndarray, leg) -> np.ndarray:
    return (leg > 0.5) & (map_.along_leg(points) > appearance.boot)


def measure_volume(appearance: BenchmarkAppearance) -> np.ndarray:
    """Metres by which hair and clothes stand off the body, (V,)."""
    map_ = anatomy()
    points, head, arm, leg = map_.points, map_.head, map_.arm, map_.leg
    top, trousers, hair = appearance.bulk
    off = np.zeros(len(points))
    off = np.where(_bottom_zone(appearance, map_, points, arm), trousers * (0.6 + 0.6 * map_.along_leg(points)), off)
    off = np.where(
        _top_zone(appearance, map_, points, head, arm, leg), top * (1.3 if appearance.is_jacket else 1.0), off
    )
    off = np.where(_shoe_zone(appearance, map_, points, leg), 0.008, off)
    rise = np.clip((points[:, 1] - map_.ear[1] + 0.06) / 0.1, 0.2, 1)
    off = np.where(_hair_zone(appearance, map_, points, head), hair * rise, off)
    return np.where(_hat_zone(appearance, map_, points, head), 0.014, off)


def paint_surface(appearance: BenchmarkAppearance, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours (N, 3) in 0..1 and gloss (N,) at surface points given by their marks (N, 7), see garments.MARKS."""
    map_ = anatomy()
    points, head, arm, leg = marks[:, :3], marks[:, 3], marks[:, 4], marks[:, 5]
    layer = np.round(marks[:, 6]).astype(int)
    rgb = np.empty((len(points), 3), np.float32)
    rgb[:] = appearance.skin
    gloss = np.full(len(points), 0.12, np.float32)
    body = np.flatnonzero(layer == 0)
    _paint_body(appearance, map_, rgb, gloss, points, head, arm, leg, body)
    _paint_sheets(appearance, rgb, gloss, points, layer)
    return rgb, gloss


def _paint_body(appearance, map_, rgb, gloss, points, head, arm, leg, body):
    points, head, arm, leg = points[body], head[body], arm[body], leg[body]
    down = map_.along_leg(points)
    shade = shade_creases(appearance, points)[:, None]

    def fill(zone, tint, shine=0.03):
        chosen = body[zone]
        rgb[chosen] = tint[zone] if np.ndim(tint) == 2 else tint
        gloss[chosen] = shine

    if appearance.sock is not None:
        fill((leg > 0.5) & (down > 0.82), appearance.sock)
    bottom = _bottom_zone(appearance, map_, points, arm)
    fill(
        bottom,
        (appearance.bottom.paint(points) if appearance.skirt != "dress" else appearance.top.paint(points)) * shade,
    )
    if appearance.skirt in ("skirt", "dress"):
        cloth = appearance.top if appearance.skirt == "dress" else appearance.bottom
        fill((leg > 0.3) & (down < appearance.skirt_hem - 0.1), cloth.paint(points) * 0.8)
    top = _top_zone(appearance, map_, points, head, arm, leg)
    fill(top, appearance.top.paint(points) * shade)
    if appearance.is_jacket:
        opening = (
            top
            & (arm < 0.5)
            & (np.abs(points[:, 0]) < 0.035 + 0.06 * np.clip(points[:, 1], 0, 0.3))
            & (points[:, 2] > 0)
        )
        fill(opening, appearance.inner.paint(points) * shade)
    edge = np.abs(map_.along_arm(points) - appearance.sleeve) < 0.012
    fill(top & (arm >= 0.5) & edge, appearance.top.first * 0.7)
    _paint_logo(appearance, map_, fill, points, top & (arm < 0.5))
    if appearance.belt is not None and appearance.skirt != "dress":
        middle = map_.joints["pelvis"][1] + 0.075
        fill((arm < 0.5) & (np.abs(points[:, 1] - middle) < 0.02), appearance.belt, 0.15)
    shoe = _shoe_zone(appearance, map_, points, leg)
    fill(shoe, appearance.shoe, 0.2)
    fill(shoe & (points[:, 1] < map_.points[:, 1].min() + 0.026), appearance.sole)
    if appearance.glove is not None:
        fill((arm > 0.5) & (map_.along_arm(points) > 0.97), appearance.glove)
    face = np.flatnonzero(head > 0.5)
    paint_face(appearance, map_, rgb, gloss, points[face], body[face])
    fill(_hair_zone(appearance, map_, points, head), appearance.hair * shade_strands(appearance, points)[:, None], 0.25)
    fill(_hat_zone(appearance, map_, points, head), appearance.hat_color * shade)


def _paint_logo(appearance, map_, fill, points, chest):
    if appearance.logo == "none" or appearance.is_jacket:
        return
    x, y, z = points.T
    y = y - map_.joints["spine3"][1] - 0.03
    front = chest & (z > map_.joints["spine3"][2] + 0.03)
    if appearance.logo == "disc":
        fill(front & (x * x + y * y < 0.07**2), appearance.logo_color)
    elif appearance.logo == "bar":
        fill(front & (np.abs(y) < 0.03) & (np.abs(x) < 0.12), appearance.logo_color)
    else:
        heart = (x / 0.07) ** 2 + (y / 0.07 - 0.7 * np.sqrt(np.abs(x) / 0.07)) ** 2
        fill(front & (heart < 1), appearance.logo_color)


def _paint_sheets(appearance, rgb, gloss, points, layer):
    for number in (SKIRT, HAIR, BRIM):
        rows = np.flatnonzero(layer == number)
        if not len(rows):
            continue
        if number == HAIR:
            rgb[rows], gloss[rows] = appearance.hair * shade_strands(appearance, points[rows])[:, None], 0.25
        elif number == BRIM:
            rgb[rows], gloss[rows] = appearance.hat_color * 0.85, 0.03
        else:
            cloth = appearance.bottom if appearance.skirt == "skirt" else appearance.top
            rgb[rows] = cloth.paint(points[rows]) * shade_creases(appearance, points[rows])[:, None]
            gloss[rows] = 0.03
