"""What is painted on small things: shoes, socks, jewellery, straps, hats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .canvas import DARK, STEEL, WHITE, GarmentCanvas
from .fabrics import EMBLEMS
from .garments import anatomy
from .regions import height_of_down


def _sole(c: GarmentCanvas, high: float = 0.026, tint=None):
    floor = anatomy().points[:, 1].min()
    c.fill(c.trunk & (c.place.y < floor + high), WHITE if tint is None else tint)


def _toes(c: GarmentCanvas, reach: float) -> np.ndarray:
    front = anatomy().points[:, 2].max()
    return c.trunk & (c.place.z > front - reach)


def _laces(c: GarmentCanvas):
    bridge = c.trunk & (c.place.z > 0.0) & (np.abs(c.beside_leg - 0.01) < 0.03) & (c.place.down > 0.85)
    c.fill(bridge & (np.sin((c.place.y - c.place.z) * 260) > 0.3), c.second)


def _sandal(c: GarmentCanvas):
    floor = anatomy().points[:, 1].min()
    skin = c.trunk & (c.place.y > floor + 0.026)
    c.fill(skin, c.skin)
    straps = (np.abs(c.place.z - 0.07) < 0.016) | (np.abs(c.place.z - 0.015) < 0.014) | (c.place.down < 1.03)
    c.fill(skin & straps, c.cloth.colors[0])


def _toe_strap(c: GarmentCanvas):
    floor = anatomy().points[:, 1].min()
    skin = c.trunk & (c.place.y > floor + 0.026)
    c.fill(skin, c.skin)
    fork = np.abs(np.abs(c.beside_leg - 0.02) - 0.5 * (0.13 - c.place.z)) < 0.009
    c.fill(skin & fork & (c.place.z > 0.05), c.second)


def _nails(c: GarmentCanvas):
    """Bare feet: nothing but nails."""
    points = anatomy().points
    toes = (c.place.leg > 0.5) & (c.place.z > points[:, 2].max() - 0.02)
    c.fill(toes & (c.place.y > points[:, 1].min() + 0.02), c.second, 0.6)


def _net(c: GarmentCanvas):
    across, level = c.beside_leg + 0.5 * c.place.z, c.place.y
    threads = (np.abs(np.sin((across + level) * 150)) < 0.35) | (np.abs(np.sin((across - level) * 150)) < 0.35)
    c.fill(c.zone & ~threads, c.skin)


def _guard(c: GarmentCanvas):
    inner = c.zone & c.place.is_front & (np.abs(c.beside_leg) < 0.05)
    c.fill(inner | (c.sleeves & (c.place.z < anatomy().joints["left_elbow"][2])), c.second)


def _ribbon(c: GarmentCanvas):
    chest = (c.place.arm < 0.5) & (c.place.head < 0.6) & c.place.is_front & (np.abs(c.place.down + 0.765) < 0.205)
    c.fill(chest & (np.abs(c.width - 0.22 * (-c.place.down - 0.56) - 0.004) < 0.012), c.cloth.colors[0])


def _throat(c: GarmentCanvas, low: float, high: float, tint):
    neck = (c.place.arm < 0.5) & (c.place.down < low) & (c.place.down > high)
    c.fill(neck & (c.place.head < 0.95), tint)


def _beads(c: GarmentCanvas, drop: float, thick: float):
    chest = (c.place.arm < 0.5) & (c.place.head < 0.7) & c.place.is_front
    line = height_of_down(-0.97) - drop * np.sqrt(np.clip(1 - (c.width / 0.085) ** 2, 0, 1))
    beads = np.sin(c.width * 420) > -0.5
    c.fill(chest & (np.abs(c.place.y - line) < thick) & (c.width < 0.085) & beads, c.cloth.colors[0])


def _straps(c: GarmentCanvas):
    band = (np.abs(c.width - 0.1) < 0.022) & (c.place.down < -0.45) & (c.place.down > -1.05)
    c.fill((c.place.arm < 0.6) & (c.place.head < 0.5) & band, c.second)


def _chest_strap(c: GarmentCanvas):
    level = np.abs(c.place.y - height_of_down(-0.68)) < 0.012
    c.fill((c.place.arm < 0.5) & c.place.is_front & level & (c.width < 0.11), c.second)


def _cross_strap(c: GarmentCanvas, wide: float):
    across = c.place.y - height_of_down(-0.58) + 1.15 * c.place.x
    trunk = (c.place.arm < 0.6) & (c.place.head < 0.5) & (c.place.down > -1.05) & (c.place.down < -0.05)
    c.fill(trunk & (np.abs(across) < wide), c.second)


def _watch(c: GarmentCanvas):
    top = c.place.y > c.place.y[c.zone].mean() if c.zone.any() else c.zone
    c.fill(c.zone & top, STEEL)


def _locks(c: GarmentCanvas):
    c.shade(c.zone, (0.75 + 0.35 * (np.sin(c.place.x[c.zone] * 300 + 40 * c.place.z[c.zone]) > -0.2))[:, None])


def _curls(c: GarmentCanvas):
    p = c.place.points[c.zone]
    c.shade(c.zone, (1 + 0.3 * np.sin(210 * p[:, 0]) * np.sin(210 * p[:, 1]) * np.sin(190 * p[:, 2]))[:, None])


def _hat_level(c: GarmentCanvas, low: float, high: float) -> np.ndarray:
    rise = c.place.y - anatomy().eye[1]
    return c.zone & (rise > low) & (rise < high)


def _badge(c: GarmentCanvas, size: float = 0.03):
    u, v = c.place.x / size, (c.place.y - anatomy().eye[1] - 0.08) / size
    c.fill(c.zone & (c.place.z > 0.06) & EMBLEMS[c.emblem](u, v), c.second)


def _wraps(c: GarmentCanvas):
    c.shade(c.zone, (0.8 + 0.25 * (np.sin((c.place.y + 0.7 * np.abs(c.place.x))[c.zone] * 220) > 0))[:, None])


def _vents(c: GarmentCanvas):
    c.fill(c.zone & (np.abs(np.sin(c.place.x * 90)) > 0.75) & (np.abs(c.place.z - 0.04) < 0.07), DARK)


def _visor_glass(c: GarmentCanvas):
    map_ = anatomy()
    pane = (c.place.head > 0.5) & (c.place.z > map_.ear[2] + 0.03) & (np.abs(c.place.y - map_.eye[1] - 0.005) < 0.045)
    c.fill(pane, (0.08, 0.09, 0.12))
    c.gloss[pane] = 0.8


def _nothing(c: GarmentCanvas):
    """Painted by faces.py, or on the pieces."""


SMALL: dict[str, Callable[[GarmentCanvas], None]] = {
    "sole": _sole,
    "thin sole": lambda c: _sole(c, 0.014, c.cloth.colors[0] * 0.3),
    "thick sole": lambda c: _sole(c, 0.045, c.second),
    "toe cap": lambda c: c.fill(_toes(c, 0.055), c.second),
    "laces": _laces,
    "sandal straps": _sandal,
    "toe strap": _toe_strap,
    "nails": _nails,
    "net": _net,
    "guard": _guard,
    "ribbon v": _ribbon,
    "choker": lambda c: _throat(c, -1.01, -1.06, c.cloth.colors[0]),
    "choker wide": lambda c: _throat(c, -0.95, -1.06, c.cloth.colors[0]),
    "white collar": lambda c: _throat(c, -0.96, -1.05, WHITE),
    "necklace": lambda c: _beads(c, 0.06, 0.007),
    "long beads": lambda c: _beads(c, 0.2, 0.011),
    "straps": _straps,
    "chest strap": _chest_strap,
    "cross strap": lambda c: _cross_strap(c, 0.02),
    "cross strap wide": lambda c: _cross_strap(c, 0.045),
    "watch face": _watch,
    "strands": _nothing,
    "locks": _locks,
    "curls": _curls,
    "hat ribbon": lambda c: c.fill(_hat_level(c, 0.04, 0.075), c.second),
    "hat band": lambda c: c.fill(_hat_level(c, 0.0, 0.07), c.second),
    "fur band": lambda c: c.fill(_hat_level(c, 0.0, 0.08), WHITE),
    "badge": _badge,
    "wraps": _wraps,
    "vents": _vents,
    "visor glass": _visor_glass,
    "stars": _nothing,
}
