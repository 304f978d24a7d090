"""What is painted on clothes: collars, buttons, pockets, stripes, emblems. Metres on the template."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .canvas import DARK, STEEL, WHITE, GarmentCanvas
from .details_small import SMALL
from .fabrics import EMBLEMS
from .garments import anatomy
from .regions import NECKLINES, BodyPoints, height_of_down, mark_below_collar


def _hem(c: GarmentCanvas, wide: float = 0.05):
    low = c.place.y[c.trunk].min(initial=9.0)
    c.fill(c.trunk & (c.place.y < low + wide), c.second)


def _cuffs(c: GarmentCanvas):
    end = c.place.along[c.sleeves].max(initial=-9.0)
    c.fill(c.sleeves & (c.place.along > end - 0.13), c.second)


def _collar(c: GarmentCanvas):
    shrunk = _lowered(c, 0.06)
    c.fill(c.trunk & ~shrunk & (c.place.down < -0.6), c.second)


def _lowered(c: GarmentCanvas, by: float) -> np.ndarray:
    """Where the garment would be if its neckline were lower by `by` in `down`."""
    shifted = BodyPoints(
        c.place.points - np.array([0, -by * 0.57, 0], np.float32), c.place.head, c.place.arm, c.place.leg
    )
    return mark_below_collar(shifted, c.neckline)


def _buttons(c: GarmentCanvas, columns=(0.0,), pitch: float = 0.075):
    for x in columns:
        spot = np.hypot(c.place.x - x, (c.place.y % pitch) - pitch / 2) < 0.011
        c.fill(c.front & spot, c.third)
    c.shade(c.front & (np.abs(c.width - (columns[0] and 0.065) - 0.018) < 0.003), 0.7)


def _zip(c: GarmentCanvas):
    c.shade(c.front & (c.width < 0.014), 0.7)
    c.fill(c.front & (c.width < 0.006), STEEL)


def _placket(c: GarmentCanvas):
    c.fill(c.front & (c.width < 0.014) & (c.place.down < -0.72), c.second)


def _pocket(c: GarmentCanvas, x: float, down: float, wide: float, tall: float, sides=(1, -1)):
    for sign in sides:
        dx, dy = np.abs(c.place.x - sign * x), np.abs(c.place.y - height_of_down(down))
        inside = c.zone & (dx < wide / 2) & (dy < tall / 2) & c.place.is_front
        c.shade(inside, 0.92)
        c.shade(inside & ((dx > wide / 2 - 0.006) | (dy > tall / 2 - 0.006)), 0.7)


def _hip_pockets(c: GarmentCanvas):
    slant = np.abs(c.width - 0.06 - 0.6 * (height_of_down(-0.2) - c.place.y)) < 0.005
    c.shade(c.front & slant & (c.place.down > -0.22) & (c.place.down < 0.02), 0.6)
    back = c.trunk & ~c.place.is_front
    c.shade(back & (np.abs(c.width - 0.075) < 0.045) & (np.abs(c.place.y - height_of_down(-0.12)) < 0.05), 0.85)


def _kangaroo(c: GarmentCanvas):
    inside = (
        (c.width < 0.09 + 0.25 * (height_of_down(-0.22) - c.place.y)) & (c.place.down > -0.38) & (c.place.down < -0.12)
    )
    c.shade(c.front & inside, 0.86)


def _strings(c: GarmentCanvas):
    top = max(NECKLINES[c.neckline], -1.0) if c.place.down[c.trunk].min(initial=0) < -0.8 else -0.3
    long = (c.place.down > top) & (c.place.down < top + 0.22)
    c.fill(c.front & (np.abs(c.width - 0.025) < 0.006) & long, c.second)


def _lapels(c: GarmentCanvas):
    inner = 0.03 + 0.13 * np.clip(-c.place.down - 0.45, 0, 0.5)
    outer = inner + 0.055 * np.clip((-c.place.down - 0.35) * 4, 0, 1)
    lapel = c.front & (c.width < outer) & (c.place.down < -0.35)
    c.fill(lapel, c.second if c.cloth.pattern == "plain" else c.cloth.colors[0], 0.6)
    c.shade(lapel & (c.width > outer - 0.008), 0.55)


def _seams(c: GarmentCanvas):
    thread = np.abs(c.beside_leg - 0.055) < 0.004
    c.fill(c.zone & thread & (c.place.down > 0), c.third, 0.8)
    c.fill(c.front & (np.abs(c.width - 0.085) < 0.004) & (c.place.down < -0.35), c.third, 0.8)
    c.fill(c.front & (c.width < 0.004) & (c.place.down > -0.3) & (c.place.down < 0.06), c.third, 0.8)


def _side_stripes(c: GarmentCanvas, wide: float = 0.02, count: int = 2):
    beside = c.beside_leg
    for number in range(count):
        c.fill(c.zone & (np.abs(beside - 0.045 - 0.035 * (number - (count - 1) / 2)) < wide / 2), c.second)


def _side_panels(c: GarmentCanvas):
    leg = (c.place.down > 0.05) & (c.beside_leg > 0.03)
    trunk = (c.place.down <= 0.05) & (c.place.down > -0.75) & (c.width > 0.105)
    c.fill(c.trunk & (leg | trunk), c.second)


def _arm_stripes(c: GarmentCanvas):
    top = c.sleeves & (c.place.y > anatomy().joints["left_elbow"][1] + 0.015)
    c.fill(top & (np.abs(c.place.z - anatomy().joints["left_elbow"][2] + 0.01) % 0.024 < 0.012), c.second)


def _emblem(c: GarmentCanvas, x: float = 0.0, down: float = -0.75, size: float = 0.075, back: bool = False):
    u, v = (c.place.x - x) / size, (c.place.y - height_of_down(down)) / size
    side = c.trunk & ~c.place.is_front if back else c.front
    c.fill(side & EMBLEMS[c.emblem](-u if back else u, v), c.second)


def _number(c: GarmentCanvas):
    _emblem(c, down=-0.62, size=0.08)
    _emblem(c, down=-0.62, size=0.1, back=True)


def _ribs(c: GarmentCanvas):
    around = c.place.x + 0.5 * c.place.z
    c.shade(c.trunk, (1 + 0.13 * np.sin(around * 330))[c.trunk, None])
    c.shade(c.sleeves, (1 + 0.13 * np.sin(c.place.z[c.sleeves] * 330))[:, None])


def _quilted(c: GarmentCanvas):
    level = np.where(c.place.arm >= 0.5, c.place.x, c.place.y)
    puff = np.abs(np.sin(level * np.pi / 0.075))
    c.shade(c.zone, (0.62 + 0.45 * np.sqrt(puff))[c.zone, None])


def _reflective(c: GarmentCanvas):
    for down in (-0.35, -0.6):
        c.fill(c.trunk & (np.abs(c.place.y - height_of_down(down)) < 0.022), STEEL)
    c.fill(c.trunk & (c.place.down < -0.6) & (np.abs(c.width - 0.1) < 0.02), STEEL)
    c.fill(c.trunk & (c.place.down > 0.6) & (np.abs(c.place.y - height_of_down(0.7)) < 0.022), STEEL)


def _knees(c: GarmentCanvas, tint, tall: float, wide: float, amount: float = 1.0):
    spot = (np.abs(c.place.y - height_of_down(0.47)) < tall) & (np.abs(c.beside_leg) < wide) & c.place.is_front
    c.fill(c.zone & spot, tint, amount)


def _ripped(c: GarmentCanvas):
    threads = np.sin(c.place.y * 420) > -0.2
    spot = (np.abs(c.place.y - height_of_down(0.45)) < 0.04) & (np.abs(c.beside_leg) < 0.05) & c.place.is_front
    c.fill(c.zone & spot & threads, c.skin)
    other = (np.abs(c.place.y - height_of_down(0.22)) < 0.025) & (np.abs(c.beside_leg) < 0.04) & c.place.is_front
    c.fill(c.zone & other & (c.place.x > 0) & threads, c.skin)


def _thigh_pockets(c: GarmentCanvas):
    inside = (np.abs(c.place.y - height_of_down(0.28)) < 0.075) & (c.beside_leg > 0.012)
    c.shade(c.zone & inside, 0.78)
    c.shade(c.zone & inside & (c.place.y > height_of_down(0.28) + 0.045), 0.8)


def _band(c: GarmentCanvas, low: float, high: float, tint):
    c.fill(c.trunk & (c.place.down > low) & (c.place.down < high), tint)


def _end_band(c: GarmentCanvas, wide: float, tint, top: bool = False):
    """A band along the lower, or upper, end of what covers the legs."""
    rows = c.place.y[c.trunk]
    if not len(rows):
        return
    edge = c.place.y > rows.max() - wide if top else c.place.y < rows.min() + wide
    c.fill(c.trunk & edge, tint)


def _belt(c: GarmentCanvas, down: float = -0.33, wide: float = 0.022):
    level = np.abs(c.place.y - height_of_down(down)) < wide
    c.fill(c.trunk & level, c.third)
    c.fill(c.front & level & (c.width < 0.022) & (c.width > 0.01), STEEL)


def _buckle(c: GarmentCanvas):
    edge = c.front & (c.width < 0.03)
    c.fill(edge & ((c.width > 0.02) | (np.abs(c.place.y - c.place.y[c.zone].mean()) > 0.012)), STEEL)


def _raglan(c: GarmentCanvas):
    shoulder = (c.width > 0.09 + 0.25 * (-c.place.down - 0.6)) & (c.place.down < -0.68)
    c.fill(c.sleeves | (c.trunk & shoulder), c.second)


def _clasp(c: GarmentCanvas):
    throat = (c.width < 0.03) & (np.abs(c.place.down + 0.93) < 0.04)
    c.fill((c.place.arm < 0.5) & c.place.is_front & throat, STEEL)


def _zigzag(c: GarmentCanvas):
    c.fill(c.zone & (np.abs((c.place.y % 0.07) - 0.035 - 0.4 * np.abs(c.beside_leg)) < 0.008), c.second)


def _sash(c: GarmentCanvas):
    across = c.place.y - height_of_down(-0.55) - 1.1 * c.place.x
    c.fill(c.trunk & (np.abs(across) < 0.06), c.second)


def _epaulettes(c: GarmentCanvas):
    c.fill(c.zone & (np.abs(c.width - 0.15) < 0.045) & (c.place.y > height_of_down(-0.86)), c.third)


def _frill(c: GarmentCanvas):
    waves = np.abs(c.width - 0.035 - 0.012 * np.sin(c.place.y * 160)) < 0.02
    c.fill(c.front & waves & (c.place.down < -0.35), c.second)


def _bones(c: GarmentCanvas):
    ribs = (np.abs((c.place.y % 0.06) - 0.03) < 0.013) & (c.width < 0.11) & (c.place.down < -0.4)
    spine = c.width < 0.018
    limbs = (np.abs(c.beside_leg) < 0.02) & (c.place.down > 0.05)
    c.fill(c.trunk & (ribs | spine | limbs) & (c.place.is_front | spine), WHITE)
    c.fill(c.sleeves & (np.abs(c.place.y - anatomy().joints["left_elbow"][1]) < 0.015), WHITE)


DETAILS: dict[str, Callable[[GarmentCanvas], None]] = {
    "hem": _hem,
    "cuffs": _cuffs,
    "collar": _collar,
    "buttons": _buttons,
    "double buttons": lambda c: _buttons(c, columns=(0.045, -0.045), pitch=0.1),
    "zip": _zip,
    "placket": _placket,
    "chest pocket": lambda c: _pocket(c, 0.085, -0.72, 0.075, 0.08, sides=(1,)),
    "chest pockets": lambda c: _pocket(c, 0.085, -0.7, 0.08, 0.085),
    "hip pockets": _hip_pockets,
    "kangaroo pocket": _kangaroo,
    "strings": _strings,
    "lapels": _lapels,
    "seams": _seams,
    "side stripes": _side_stripes,
    "satin stripe": lambda c: _side_stripes(c, wide=0.014, count=1),
    "side panels": _side_panels,
    "arm stripes": _arm_stripes,
    "logo": _emblem,
    "emblem": lambda c: _emblem(c, down=-0.7, size=0.1),
    "emblem left": lambda c: _emblem(c, x=0.085, size=0.04),
    "number": _number,
    "belly": lambda c: c.fill(
        c.front & (np.hypot(c.place.x / 0.1, (c.place.y - height_of_down(-0.4)) / 0.17) < 1), c.second
    ),
    "ribs": _ribs,
    "quilted": _quilted,
    "reflective": _reflective,
    "knee patches": lambda c: _knees(c, c.second, 0.065, 0.06),
    "ripped knees": _ripped,
    "turn-up": lambda c: _end_band(c, 0.05, c.second),
    "ankle cuffs": lambda c: _end_band(c, 0.045, c.second),
    "crease": lambda c: c.shade(c.zone & c.place.is_front & (np.abs(c.beside_leg) < 0.006) & (c.place.down > 0), 0.62),
    "thigh pockets": _thigh_pockets,
    "chest band": lambda c: _band(c, -0.78, -0.58, c.second),
    "middle band": lambda c: _band(c, -0.48, -0.42, c.third),
    "raglan": _raglan,
    "yoke": lambda c: c.fill(c.zone & (c.place.y > height_of_down(-0.74)), c.second),
    "sash stripe": _sash,
    "epaulettes": _epaulettes,
    "frill": _frill,
    "belt": _belt,
    "wide belt": lambda c: _belt(c, down=-0.38, wide=0.06),
    "belt low": lambda c: _belt(c, down=-0.02),
    "buckle": _buckle,
    "laced": lambda c: c.fill(c.front & (np.abs(c.width - np.abs((c.place.y % 0.05) - 0.025)) < 0.006), WHITE),
    "links": lambda c: c.fill(c.zone & (np.sin(c.place.x * 200) > 0.3), DARK),
    "apron": lambda c: c.fill(c.front & (c.width < 0.12) & (c.place.down > -0.7), c.second),
    "trunks": lambda c: _band(c, -0.25, 0.12, c.second),
    "bones": _bones,
    "clasp": _clasp,
    "boot top": lambda c: _end_band(c, 0.035, c.second, top=True),
    "fur top": lambda c: _end_band(c, 0.05, WHITE, top=True),
    "zigzag": _zigzag,
    "sock bands": lambda c: c.fill(c.zone & (np.abs(c.place.down - 0.82) < 0.02), c.second),
    "sock top": lambda c: _end_band(c, 0.05, c.second, top=True),
    "sock hoops": lambda c: c.fill(c.zone & (np.sin(c.place.y * 90) > 0), c.second),
    "stubble": lambda c: c.fill(c.zone, c.skin, 0.35),
    "front panel": lambda c: c.fill(c.zone & (c.place.z > 0.06), c.second),
    "ridge": lambda c: c.fill(c.zone & (c.width < 0.008), c.second),
} | SMALL
