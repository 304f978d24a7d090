"""The body's points while one item of the wardrobe is painted on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fabrics import Fabric
from .garments import anatomy
from .regions import BodyPoints


DARK, WHITE, STEEL = (0.06, 0.06, 0.07), (0.93, 0.93, 0.92), (0.75, 0.76, 0.78)


@dataclass(frozen=True, eq=False)
class GarmentCanvas:
    """The body's points while one item is painted on them."""

    place: BodyPoints
    zone: np.ndarray  # (N,) bool, where the item is
    cloth: Fabric
    emblem: str
    skin: np.ndarray
    hair: np.ndarray
    neckline: str
    rgb: np.ndarray  # (N, 3), painted into
    gloss: np.ndarray  # (N,)

    def fill(self, where: np.ndarray, tint, amount: float = 1.0):
        """Mix a color into what is there."""
        self.rgb[where] += amount * (np.asarray(tint, np.float32) - self.rgb[where])

    def shade(self, where: np.ndarray, factor):
        self.rgb[where] *= factor

    @property
    def second(self) -> np.ndarray:
        return self.cloth.colors[1]

    @property
    def third(self) -> np.ndarray:
        return self.cloth.colors[2]

    @property
    def trunk(self) -> np.ndarray:
        return self.zone & (self.place.arm < 0.5)

    @property
    def front(self) -> np.ndarray:
        return self.trunk & self.place.is_front

    @property
    def sleeves(self) -> np.ndarray:
        return self.zone & (self.place.arm >= 0.5)

    @property
    def width(self) -> np.ndarray:
        """Metres from the middle plane."""
        return np.abs(self.place.x)

    @property
    def beside_leg(self) -> np.ndarray:
        """Metres from the middle of the leg towards the outside."""
        joints = anatomy().joints
        heights = [joints[name][1] for name in ("left_ankle", "left_knee", "left_hip")]
        sides = [joints[name][0] for name in ("left_ankle", "left_knee", "left_hip")]
        return self.width - np.interp(self.place.y, heights, sides)
