"""Cloth: patterns as functions of a place, and emblems to put on it. Lengths in metres on the template."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .streams import pick_weighted
from .textures import color_of_hsv


FABRIC_NEUTRALS = (
    (0.06, 0.06, 0.07), (0.92, 0.91, 0.88), (0.45, 0.46, 0.48), (0.12, 0.16, 0.30), (0.74, 0.66, 0.52),
    (0.24, 0.34, 0.52), (0.35, 0.25, 0.18), (0.68, 0.69, 0.70), (0.36, 0.38, 0.24), (0.40, 0.10, 0.14),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Fabric:
    """Three colors (3, 3) and how they take turns, every `pitch` metres, turned by `turn` radians."""

    colors: np.ndarray
    pattern: str = "plain"
    pitch: float = 0.1
    turn: float = 0.0
    phase: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def paint(self, points: np.ndarray) -> np.ndarray:
        """Colours (N, 3) at places (N, 3)."""
        if self.pattern == "plain":
            return np.broadcast_to(self.colors[0], points.shape)
        u = (points[:, 0] + 0.35 * points[:, 2]) / self.pitch + self.phase[0]
        v = points[:, 1] / self.pitch + self.phase[1]
        share = FABRIC_PATTERNS[self.pattern](u, v, self, points)
        if share.dtype.kind in "ui":
            return self.colors[share]
        return self.colors[0] + (self.colors[1] - self.colors[0]) * np.asarray(share, np.float32)[:, None]


def sample_dye(rng: np.random.Generator) -> np.ndarray:
    """A color that cloth has."""
    if rng.random() < 0.5:
        return np.clip(
            np.array(FABRIC_NEUTRALS[rng.integers(len(FABRIC_NEUTRALS))]) * rng.uniform(0.85, 1.15), 0, 1
        ).astype(np.float32)
    return color_of_hsv(rng.random(), rng.uniform(0.25, 0.85), rng.uniform(0.3, 0.95))


def sample_fabric(rng: np.random.Generator, *, pattern: str | None = None) -> Fabric:
    """A random cloth. Without `pattern`, half of all are plain."""
    colors = [sample_dye(rng)]
    while len(colors) < 3:
        other = sample_dye(rng)
        if np.abs(other - colors[0]).max() > 0.2:
            colors.append(other)
    if pattern is None:
        pattern = "plain" if rng.random() < 0.45 else pick_weighted(rng, dict.fromkeys(FABRIC_PATTERNS, 1.0))
    return Fabric(
        np.stack(colors), pattern, rng.uniform(0.05, 0.15), rng.uniform(0, np.pi), tuple(rng.uniform(0, 6, 3))
    )


def _wave(values: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * values)


def _saw(values: np.ndarray) -> np.ndarray:
    """Triangle wave, 0 to 1."""
    return np.abs(2 * (values - np.floor(values)) - 1)


def _rotate_coordinates(u, v, fabric: Fabric):
    cos, sin = np.cos(fabric.turn), np.sin(fabric.turn)
    return cos * u + sin * v, cos * v - sin * u


def _cells(u, v, fabric: Fabric, count: int = 64) -> np.ndarray:
    """A fixed random value in 0..1 per cell of the grid."""
    seed = int(fabric.phase[2] * 1e6)
    table = np.random.default_rng(seed).random((count, count))
    return table[np.floor(u).astype(int) % count, np.floor(v).astype(int) % count]


def _lumps(points: np.ndarray, fabric: Fabric, scale: float) -> np.ndarray:
    """A smooth field of unit spread with lumps `scale` pitches wide."""
    axes = np.random.default_rng(int(fabric.phase[2] * 1e6)).normal(size=(5, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    wave = points @ (axes.T * 2 * np.pi / (fabric.pitch * scale)).astype(np.float32) + np.arange(5) * fabric.phase[0]
    return np.sin(wave + 0.7 * np.sin(wave[:, ::-1])).sum(1) * 0.63


def _petals(u, v, count: int):
    """Flowers on a staggered grid: distance from the nearest one's outline, negative inside."""
    row = np.floor(v)
    du, dv = (u + 0.5 * (row % 2)) % 1 - 0.5, v % 1 - 0.5
    angle = np.arctan2(dv, du)
    return np.hypot(du, dv) - 0.3 - 0.09 * np.cos(count * angle)


def _plaid(u, v, fabric, points):
    return 0.5 * (_wave(u) > 0.4) + 0.5 * (_wave(v) > 0.4)


def _tartan(u, v, fabric, points):
    lines = (_wave(2 * u) > 0.93) | (_wave(2 * v) > 0.93)
    return np.where(lines, 2, ((_wave(u) > 0.2) ^ (_wave(v) > 0.2)).astype(int)).astype(np.uint8)


def _argyle(u, v, fabric, points):
    diamonds = (np.abs(_saw(u) - 0.5) + np.abs(_saw(0.6 * v) - 0.5)) < 0.3
    lines = np.abs(np.abs(_saw(u) - 0.5) - np.abs(_saw(0.6 * v) - 0.5)) < 0.035
    return np.where(lines, 2, diamonds.astype(int)).astype(np.uint8)


def _camouflage(u, v, fabric, points):
    return np.digitize(_lumps(points, fabric, 2.2), (-0.45, 0.45)).astype(np.uint8)


def _leopard(u, v, fabric, points):
    spots = np.abs(_lumps(points, fabric, 0.8))
    return np.digitize(spots, (0.75, 1.15)).astype(np.uint8)


def _flowers(u, v, fabric, points):
    edge = _petals(u, v, 5)
    return np.where(edge < -0.2, 2, (edge < 0).astype(int)).astype(np.uint8)


def _bands(u, v, fabric, points):
    return (np.floor(0.7 * v) % 3).astype(np.uint8)


def _panels(u, v, fabric, points):
    return np.where(np.abs(points[:, 0]) < 0.07, 1, 0).astype(np.uint8)


def _houndstooth(u, v, fabric, points):
    a, b = np.floor(2 * u).astype(int), np.floor(2 * v).astype(int)
    slant = _saw(2 * (u + v)) > 0.5
    return ((a + b) % 2 == 0) ^ (((a % 2) ^ (b % 2)) > 0) & slant


FABRIC_PATTERNS = {  # (u, v in pitches, fabric, points) -> a share of the second color, or numbers of colors
    "hoops": lambda u, v, f, p: _wave(v) > 0.2,
    "breton": lambda u, v, f, p: _wave(1.8 * v) > 0.7,
    "bands": _bands,
    "stripes": lambda u, v, f, p: _wave(_rotate_coordinates(u, v, f)[0]) > 0.3,
    "pinstripes": lambda u, v, f, p: _wave(2.5 * u) > 0.9,
    "plaid": _plaid,
    "tartan": _tartan,
    "gingham": lambda u, v, f, p: 0.5 * (_wave(2 * u) > 0) + 0.5 * (_wave(2 * v) > 0),
    "checks": lambda u, v, f, p: (np.floor(2 * u) + np.floor(2 * v)) % 2 > 0,
    "houndstooth": _houndstooth,
    "argyle": _argyle,
    "chevron": lambda u, v, f, p: _wave(v + 0.5 * _saw(u)) > 0,
    "waves": lambda u, v, f, p: _wave(v + 0.3 * np.sin(4 * u)) > 0.4,
    "dots": lambda u, v, f, p: np.hypot(u % 1 - 0.5, v % 1 - 0.5) < 0.27,
    "rings": lambda u, v, f, p: np.abs(np.hypot(u % 1 - 0.5, v % 1 - 0.5) - 0.3) < 0.1,
    "flowers": _flowers,
    "camouflage": _camouflage,
    "leopard": _leopard,
    "zebra": lambda u, v, f, p: _wave(0.9 * v + 0.5 * _lumps(p, f, 3.0)) > 0.25,
    "marl": lambda u, v, f, p: 0.6 * _cells(10 * u, 10 * v, f),
    "mosaic": lambda u, v, f, p: _cells(1.5 * u, 1.5 * v, f),
    "patches": lambda u, v, f, p: _lumps(p, f, 1.8) > 0.5,
    "fade": lambda u, v, f, p: np.clip(0.5 - (p[:, 1] + 0.2) * 1.4, 0, 1),
    "blocks": lambda u, v, f, p: p[:, 1] + 0.25 * np.abs(p[:, 0]) > 0.05,
    "halves": lambda u, v, f, p: p[:, 0] > 0,
    "panels": _panels,
    "sunburst": lambda u, v, f, p: _wave(np.arctan2(p[:, 1] - 0.1, p[:, 0]) * 1.5) > 0,
    "tie-dye": lambda u, v, f, p: 0.5 + 0.5 * _wave(np.hypot(p[:, 0], p[:, 1] - 0.08) * 9 + 0.3 * _lumps(p, f, 2.0)),
}


def _star(x, y, points: int):
    angle = np.arctan2(y, x) + np.pi / 2
    return np.hypot(x, y) < 0.62 + 0.38 * np.cos(points * angle)


def _segments(x, y, lit: str):
    """A digit like a clock's: which of its seven bars are lit."""
    bars = {
        "a": (y > 0.75) & (np.abs(x) < 0.6), "g": (np.abs(y) < 0.13) & (np.abs(x) < 0.6),
        "d": (y < -0.75) & (np.abs(x) < 0.6), "f": (x < -0.35) & (y > 0), "b": (x > 0.35) & (y > 0),
        "e": (x < -0.35) & (y < 0), "c": (x > 0.35) & (y < 0),
    }  # fmt: skip
    inside = (np.abs(x) < 0.6) & (np.abs(y) < 1)
    return inside & np.any([bars[bar] for bar in lit], 0)


EMBLEMS = {  # shapes of about unit size around 0
    "disc": lambda x, y: x * x + y * y < 1,
    "ring": lambda x, y: np.abs(np.hypot(x, y) - 0.75) < 0.25,
    "target": lambda x, y: (np.hypot(x, y) < 0.35) | (np.abs(np.hypot(x, y) - 0.85) < 0.16),
    "bar": lambda x, y: (np.abs(y) < 0.4) & (np.abs(x) < 1.6),
    "lines": lambda x, y: (np.abs(x) < 1.5) & (np.abs(_saw(1.2 * y) - 0.5) > 0.25) & (np.abs(y) < 1),
    "heart": lambda x, y: x**2 + (y - 0.7 * np.sqrt(np.abs(x))) ** 2 < 1,
    "star": lambda x, y: _star(x, y, 5),
    "sun": lambda x, y: _star(x, y, 9),
    "flower": lambda x, y: np.hypot(x, y) < 0.75 + 0.25 * np.cos(6 * np.arctan2(y, x)),
    "cross": lambda x, y: ((np.abs(x) < 0.3) | (np.abs(y) < 0.3)) & (np.maximum(np.abs(x), np.abs(y)) < 1),
    "diamond": lambda x, y: np.abs(x) + np.abs(y) < 1,
    "triangle": lambda x, y: (y > -0.7) & (y < 1 - 2 * np.abs(x)),
    "bolt": lambda x, y: (np.abs(x + 0.5 * y - 0.35 * np.sign(y)) < 0.35) & (np.abs(y) < 1.1),
    "moon": lambda x, y: (x * x + y * y < 1) & ((x - 0.5) ** 2 + (y - 0.2) ** 2 > 0.64),
    "face": lambda x, y: (
        (x * x + y * y < 1)
        & ~(np.hypot(np.abs(x) - 0.35, y - 0.3) < 0.16)
        & ~((np.abs(np.hypot(x, y) - 0.6) < 0.12) & (y < -0.15))
    ),
    "one": lambda x, y: (np.abs(x) < 0.2) & (np.abs(y) < 1),
    "two": lambda x, y: _segments(x, y, "abged"),
    "seven": lambda x, y: _segments(x, y, "abc"),
    "five": lambda x, y: _segments(x, y, "afgcd"),
    "arrow": lambda x, y: ((np.abs(y) < 0.25) & (x < 0.2) & (x > -1)) | (np.abs(y) < 0.7 * (1 - x)) & (x > 0.1),
}
