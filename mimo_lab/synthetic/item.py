"""What a row of the wardrobe is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from . import pieces
from .regions import BodyPoints, mark_below_collar, mark_opening, mark_scalp, mark_under_hat


@dataclass(frozen=True)
class Cover:
    """Cloth on the body: `column` from..to along trunk and legs, `arms` from..to along the arms, see regions.py."""

    column: tuple[float, float] | None = None
    arms: tuple[float, float] | None = None
    neckline: str = "crew"
    opening: float = 0.0  # metres to each side

    def __call__(self, place: BodyPoints) -> np.ndarray:
        zone = np.zeros(len(place.points), bool)
        if self.column is not None:
            top, bottom = self.column
            zone |= (place.arm < 0.5) & (place.head < 0.75) & (place.down > top) & (place.down < bottom)
            if top < -0.7:
                zone &= mark_below_collar(place, self.neckline)
            zone &= ~mark_opening(place, self.opening)
        if self.arms is not None:
            along = place.along
            sleeve = (place.arm >= 0.5) & (along >= self.arms[0]) & (along < self.arms[1])
            if self.neckline == "one shoulder":
                sleeve &= place.x > 0
            zone |= sleeve
        return zone


@dataclass(frozen=True)
class Scalp:
    """Hair on the head, see regions.scalp."""

    hairline: str = "full"
    nape: float = 0.02
    bangs: float = 0.0  # metres that hair falls over the forehead

    def __call__(self, place: BodyPoints) -> np.ndarray:
        zone = mark_scalp(place, self.hairline, self.nape)
        if self.bangs:
            from .garments import anatomy

            map_ = anatomy()
            low = map_.eye[1] + 0.062 - self.bangs
            zone |= (place.head > 0.5) & (place.y > low) & (place.z > map_.ear[2] + 0.04)
        return zone


@dataclass(frozen=True)
class Hat:
    """Cloth on the head above a line, see regions.under_hat; `low` metres over the eyes ends it below, as a band."""

    line: float = 0.048
    tilt: float = 0.0
    top: float = 1.0
    hood: bool = False

    def __call__(self, place: BodyPoints) -> np.ndarray:
        zone = mark_under_hat(place, self.line, self.tilt) & ~mark_under_hat(place, self.top, self.tilt)
        if self.hood:
            from .garments import anatomy

            map_ = anatomy()
            face = (place.z > map_.ear[2] + 0.035) & (place.y < map_.eye[1] + 0.06)
            zone = (place.head > 0.35) & ~face
        return zone


@dataclass(frozen=True)
class Item:
    """One row of the wardrobe: what it covers, how thick it is, what is painted on it and what stands off."""

    name: str
    slot: str
    zone: Callable[[BodyPoints], np.ndarray] | None = None
    thick: float = 0.008  # metres off the body
    loose: float = 0.0  # metres more at the lower end
    details: tuple[str, ...] = ()
    pieces: tuple[partial, ...] = ()
    pattern: str | None = None  # None: any
    tone: tuple[float, float, float] | None = None  # a color of its own, such as gold
    gloss: float = 0.03
    weight: float = 1.0  # how often it is drawn, beside the others of its slot
    fits: tuple[str, ...] = ()  # what it asks of hair: "flat" under hats


def piece(name: str, *values, **options) -> partial:
    """A piece that stands off the body: a function of pieces.py and its values."""
    return partial(getattr(pieces, name), *values, **options)
