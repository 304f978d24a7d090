"""What a character looks like: body shape, skin, hair, face and clothes, from a seed, painted point by point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .faces import creases, paint_face, strands
from .garments import BRIM, HAIR, SKIRT, Anatomy, Sheet, anatomy, brim, long_hair, skirt
from .streams import pick, stream
from .textures import colour


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
NEUTRALS = (
    (0.10, 0.10, 0.12), (0.90, 0.89, 0.86), (0.45, 0.46, 0.48), (0.13, 0.17, 0.30), (0.72, 0.64, 0.50),
    (0.24, 0.34, 0.50), (0.34, 0.26, 0.20),
)  # fmt: skip
PATTERNS = {"plain": 5, "hoops": 2, "stripes": 1.5, "plaid": 1.5, "dots": 1, "fade": 0.7, "blocks": 0.8, "patches": 1}


@dataclass(frozen=True, eq=False)
class Cloth:
    """A fabric: two colours and how they alternate."""

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
class Look:
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
    hat_colour: np.ndarray
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
    logo_colour: np.ndarray
    shoe: np.ndarray
    sole: np.ndarray
    boot: float  # where the shoe ends, along the leg
    sock: np.ndarray | None
    glove: np.ndarray | None
    bulk: tuple[float, float, float]  # metres: top, trousers, hair
    folds: np.ndarray  # (3, 4) directions and phases of creases

    def volume(self) -> np.ndarray:
        """Metres by which hair and clothes stand off the body, (V,)."""
        return volume(self)

    def sheets(self) -> list[Sheet]:
        """The separate pieces this character wears."""
        return sheets(self)

    def paint(self, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Colours (N, 3) in 0..1 and gloss (N,) at surface points given by their marks (N, 7), see garments.MARKS."""
        return paint(self, marks)


def _dye(rng) -> np.ndarray:
    if rng.random() < 0.4:
        return np.clip(np.array(NEUTRALS[rng.integers(len(NEUTRALS))], np.float32) * rng.uniform(0.85, 1.15), 0, 1)
    return colour(rng.random(), rng.uniform(0.35, 0.9), rng.uniform(0.35, 0.95))


def _cloth(rng) -> Cloth:
    first, second = _dye(rng), _dye(rng)
    while np.abs(first - second).max() < 0.2:
        second = _dye(rng)
    pattern = pick(rng, PATTERNS)
    pitch = rng.uniform(0.05, 0.16) * (1.3 if pattern == "patches" else 1)
    return Cloth(first, second, pattern, pitch, rng.uniform(0, np.pi), rng.uniform(0, 2 * np.pi, 3))


def body_shape(seed: int) -> torch.Tensor:
    """The shape values (10) of a character."""
    rng = stream(seed, "body shape")
    betas = np.clip(rng.normal(0, 0.8, 10), -1.8, 1.8)
    betas[0] = np.clip(rng.normal(0, 0.28), -0.55, 0.55)  # one unit is 25 cm of height
    return torch.from_numpy(betas.astype(np.float32))


def look(seed: int) -> Look:
    """The character of a seed."""
    rng = stream(seed, "appearance")
    style = pick(rng, {"short": 5, "long": 3, "bob": 2, "bald": 0.6})
    lower = pick(rng, {"none": 6, "skirt": 1.2, "dress": 1.4, "coat": 1.2})
    jacket = lower == "coat" or (lower == "none" and rng.random() < 0.3)
    bare = lower in ("skirt", "dress")
    skin = np.clip(np.array(SKINS[rng.integers(len(SKINS))], np.float32) * rng.uniform(0.92, 1.05), 0, 1)
    hair = np.array(HAIRS[rng.integers(len(HAIRS))], np.float32) * rng.uniform(0.8, 1.2)
    shoe = _dye(rng) * rng.uniform(0.4, 1.0)
    return Look(
        betas=body_shape(seed),
        skin=skin,
        hair=colour(rng.random(), 0.6, 0.7) if rng.random() < 0.08 else hair,
        hair_style=style,
        hair_length={"long": rng.uniform(0.2, 0.4), "bob": rng.uniform(0.06, 0.14)}.get(
            style, rng.uniform(-0.01, 0.05)
        ),
        eye=np.array([(0.25, 0.16, 0.10), (0.25, 0.40, 0.55), (0.30, 0.42, 0.25)][rng.integers(3)], np.float32),
        lips=np.clip(skin * (0.92, 0.66, 0.66) + (0.05, 0, 0), 0, 1),
        beard=rng.uniform(0.5, 0.9) if style in ("short", "bald") and not bare and rng.random() < 0.4 else 0.0,
        glasses=rng.random() < 0.15,
        hat=pick(rng, {"none": 7, "cap": 1, "hat": 0.8, "beanie": 0.8}),
        hat_colour=_dye(rng),
        top=_cloth(rng),
        inner=_cloth(rng),
        bottom=_cloth(rng) if rng.random() < 0.4 else Cloth(_dye(rng), _dye(rng), "plain", 0.1, 0.0, np.zeros(3)),
        sleeve=rng.uniform(0.85, 0.97) if jacket else rng.choice([-0.05, 0.3, 0.36, 0.6, 0.94]),
        trousers=0.0 if bare and rng.random() < 0.7 else rng.choice([0.3, 0.42, 0.7, 0.97, 0.97, 0.97, 0.97]),
        top_hem=rng.choice([0.06, 0.0, -0.06, -0.12]),
        neckline=pick(rng, {"crew": 3, "v": 2, "high": 1}),
        is_jacket=jacket,
        skirt=lower,
        skirt_hem=rng.uniform(0.3, 0.8),
        flare=rng.uniform(0.02, 0.14),
        belt=_dye(rng) * 0.6 if rng.random() < 0.35 else None,
        logo=pick(rng, {"none": 4, "disc": 1, "bar": 1, "heart": 1}),
        logo_colour=_dye(rng),
        shoe=shoe,
        sole=np.full(3, 0.9, np.float32) if rng.random() < 0.5 else shoe * 0.4,
        boot=rng.uniform(0.62, 0.85) if rng.random() < 0.2 else 0.95,
        sock=_dye(rng) if rng.random() < 0.4 else None,
        glove=_dye(rng) if rng.random() < 0.07 else None,
        bulk=(rng.uniform(0.004, 0.024), rng.uniform(0.004, 0.02), rng.uniform(0.01, 0.03)),
        folds=rng.normal(0, 1, (3, 4)).astype(np.float32),
    )


def sheets(look: Look) -> list[Sheet]:
    """The separate pieces this character wears."""
    map_, pieces = anatomy(), []
    room = 1.4 * max(look.bulk[:2]) + 0.004
    pelvis = map_.joints["pelvis"][1]
    hem = map_.joints["left_hip"][1] - look.skirt_hem * (map_.joints["left_hip"][1] - map_.joints["left_ankle"][1])
    if look.skirt in ("skirt", "dress"):
        pieces.append(skirt(waist=pelvis + 0.10, hem=hem, flare=look.flare, room=room))
    if look.skirt == "coat":
        pieces.append(skirt(waist=pelvis + 0.08, hem=hem, flare=0.5 * look.flare, gap=0.07, room=room))
    if look.hair_style in ("long", "bob"):
        pieces.append(long_hair(length=look.hair_length, width=0.02 + 0.1 * look.hair_length))
    if look.hat in ("cap", "hat"):
        pieces.append(brim(height=_hat_line(map_), reach=0.085, front_only=look.hat == "cap"))
    return pieces


def _hat_line(map_: Anatomy) -> float:
    return map_.eye[1] + 0.048


def _hair_zone(look: Look, map_: Anatomy, points: np.ndarray, head: np.ndarray) -> np.ndarray:
    """Where hair grows: above the forehead, behind the ears, down to the nape."""
    if look.hair_style == "bald":
        return np.zeros(len(points), bool)
    x, y, z = points.T
    forehead = map_.eye[1] + 0.068 - 0.25 * np.abs(x) ** 1.2
    temple = map_.ear[2] + 0.028 + 0.03 * np.clip((y - map_.eye[1]) / 0.05, 0, 1)
    nape = map_.ear[1] - np.clip(look.hair_length, 0.015, 0.06)
    return (
        (head > 0.5)
        & (y > nape)
        & ((y > forehead) | ((z < temple) & (y > map_.ear[1] - 0.015)) | (z < map_.ear[2] - 0.015))
    )


def _hat_zone(look: Look, map_: Anatomy, points: np.ndarray, head: np.ndarray) -> np.ndarray:
    if look.hat == "none":
        return np.zeros(len(points), bool)
    return (head > 0.5) & (
        points[:, 1] > _hat_line(map_) + 0.06 * (points[:, 2] - map_.nose[2]) * (look.hat == "beanie")
    )


def _top_zone(look: Look, map_: Anatomy, points: np.ndarray, head, arm, leg) -> np.ndarray:
    x, y, z = points.T
    collar = map_.joints["neck"][1] + {"crew": -0.012, "v": -0.012, "high": 0.045}[look.neckline]
    if look.neckline == "v":
        collar = collar - np.where(z > map_.joints["neck"][2] - 0.02, np.clip(0.14 - 2.2 * np.abs(x), 0, 0.14), 0)
    trunk = (arm < 0.5) & (head < 0.75) & (y < collar) & (y > map_.joints["pelvis"][1] + look.top_hem)
    return trunk | ((arm >= 0.5) & (map_.along_arm(points) < look.sleeve))


def _bottom_zone(look: Look, map_: Anatomy, points: np.ndarray, arm) -> np.ndarray:
    length = max(look.trousers, 0.06)
    return (arm < 0.5) & (points[:, 1] < map_.joints["pelvis"][1] + 0.10) & (map_.along_leg(points) < length)


def _shoe_zone(look: Look, map_: Anatomy, points: np.ndarray, leg) -> np.ndarray:
    return (leg > 0.5) & (map_.along_leg(points) > look.boot)


def volume(look: Look) -> np.ndarray:
    """Metres by which hair and clothes stand off the body, (V,)."""
    map_ = anatomy()
    points, head, arm, leg = map_.points, map_.head, map_.arm, map_.leg
    top, trousers, hair = look.bulk
    off = np.zeros(len(points))
    off = np.where(_bottom_zone(look, map_, points, arm), trousers * (0.6 + 0.6 * map_.along_leg(points)), off)
    off = np.where(_top_zone(look, map_, points, head, arm, leg), top * (1.3 if look.is_jacket else 1.0), off)
    off = np.where(_shoe_zone(look, map_, points, leg), 0.008, off)
    rise = np.clip((points[:, 1] - map_.ear[1] + 0.06) / 0.1, 0.2, 1)
    off = np.where(_hair_zone(look, map_, points, head), hair * rise, off)
    return np.where(_hat_zone(look, map_, points, head), 0.014, off)


def paint(look: Look, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours (N, 3) in 0..1 and gloss (N,) at surface points given by their marks (N, 7), see garments.MARKS."""
    map_ = anatomy()
    points, head, arm, leg = marks[:, :3], marks[:, 3], marks[:, 4], marks[:, 5]
    layer = np.round(marks[:, 6]).astype(int)
    rgb = np.empty((len(points), 3), np.float32)
    rgb[:] = look.skin
    gloss = np.full(len(points), 0.12, np.float32)
    body = np.flatnonzero(layer == 0)
    _paint_body(look, map_, rgb, gloss, points, head, arm, leg, body)
    _paint_sheets(look, rgb, gloss, points, layer)
    return rgb, gloss


def _paint_body(look, map_, rgb, gloss, points, head, arm, leg, body):
    points, head, arm, leg = points[body], head[body], arm[body], leg[body]
    down = map_.along_leg(points)
    shade = creases(look, points)[:, None]

    def fill(zone, tint, shine=0.03):
        chosen = body[zone]
        rgb[chosen] = tint[zone] if np.ndim(tint) == 2 else tint
        gloss[chosen] = shine

    if look.sock is not None:
        fill((leg > 0.5) & (down > 0.82), look.sock)
    bottom = _bottom_zone(look, map_, points, arm)
    fill(bottom, (look.bottom.paint(points) if look.skirt != "dress" else look.top.paint(points)) * shade)
    if look.skirt in ("skirt", "dress"):
        cloth = look.top if look.skirt == "dress" else look.bottom
        fill((leg > 0.3) & (down < look.skirt_hem - 0.1), cloth.paint(points) * 0.8)
    top = _top_zone(look, map_, points, head, arm, leg)
    fill(top, look.top.paint(points) * shade)
    if look.is_jacket:
        opening = (
            top
            & (arm < 0.5)
            & (np.abs(points[:, 0]) < 0.035 + 0.06 * np.clip(points[:, 1], 0, 0.3))
            & (points[:, 2] > 0)
        )
        fill(opening, look.inner.paint(points) * shade)
    edge = np.abs(map_.along_arm(points) - look.sleeve) < 0.012
    fill(top & (arm >= 0.5) & edge, look.top.first * 0.7)
    _paint_logo(look, map_, fill, points, top & (arm < 0.5))
    if look.belt is not None and look.skirt != "dress":
        middle = map_.joints["pelvis"][1] + 0.075
        fill((arm < 0.5) & (np.abs(points[:, 1] - middle) < 0.02), look.belt, 0.15)
    shoe = _shoe_zone(look, map_, points, leg)
    fill(shoe, look.shoe, 0.2)
    fill(shoe & (points[:, 1] < map_.points[:, 1].min() + 0.026), look.sole)
    if look.glove is not None:
        fill((arm > 0.5) & (map_.along_arm(points) > 0.97), look.glove)
    face = np.flatnonzero(head > 0.5)
    paint_face(look, map_, rgb, gloss, points[face], body[face])
    fill(_hair_zone(look, map_, points, head), look.hair * strands(look, points)[:, None], 0.25)
    fill(_hat_zone(look, map_, points, head), look.hat_colour * shade)


def _paint_logo(look, map_, fill, points, chest):
    if look.logo == "none" or look.is_jacket:
        return
    x, y, z = points.T
    y = y - map_.joints["spine3"][1] - 0.03
    front = chest & (z > map_.joints["spine3"][2] + 0.03)
    if look.logo == "disc":
        fill(front & (x * x + y * y < 0.07**2), look.logo_colour)
    elif look.logo == "bar":
        fill(front & (np.abs(y) < 0.03) & (np.abs(x) < 0.12), look.logo_colour)
    else:
        heart = (x / 0.07) ** 2 + (y / 0.07 - 0.7 * np.sqrt(np.abs(x) / 0.07)) ** 2
        fill(front & (heart < 1), look.logo_colour)


def _paint_sheets(look, rgb, gloss, points, layer):
    for number in (SKIRT, HAIR, BRIM):
        rows = np.flatnonzero(layer == number)
        if not len(rows):
            continue
        if number == HAIR:
            rgb[rows], gloss[rows] = look.hair * strands(look, points[rows])[:, None], 0.25
        elif number == BRIM:
            rgb[rows], gloss[rows] = look.hat_colour * 0.85, 0.03
        else:
            cloth = look.bottom if look.skirt == "skirt" else look.top
            rgb[rows] = cloth.paint(points[rows]) * creases(look, points[rows])[:, None]
            gloss[rows] = 0.03
