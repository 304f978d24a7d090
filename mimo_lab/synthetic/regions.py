"""Where a garment lies: coordinates on the undressed template, and the outlines of necklines, openings and hair.

`down` runs along the column of trunk and legs: -1 at the neck, 0 at the hips, 1 at the ankles. `along` runs along an
arm: 0 at the shoulder, 1 at the wrist. Both are what garment tables are written in.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from .garments import anatomy


NECKLINES = {  # height of the collar in `down` at the neck
    "crew": -0.98, "v": -0.98, "deep v": -0.98, "scoop": -0.97, "boat": -0.93, "square": -0.97, "high": -1.09,
    "half": -1.03, "bare shoulders": -0.80, "one shoulder": -0.97, "straps": -0.97, "thin straps": -0.97,
    "halter": -1.0, "racer": -0.97, "bib": -0.74, "open": -1.0,
}  # fmt: skip
HAIRLINES = ("full", "receding", "crown", "strip", "top", "sides")


@dataclass(frozen=True, eq=False)
class BodyPoints:
    """N points of the body: metres on the template, and shares of the parts that move them."""

    points: np.ndarray  # (N, 3)
    head: np.ndarray  # (N,)
    arm: np.ndarray
    leg: np.ndarray

    @classmethod
    def of_body(cls) -> BodyPoints:
        """The vertices of the free body."""
        map_ = anatomy()
        return cls(map_.points, map_.head, map_.arm, map_.leg)

    @property
    def x(self) -> np.ndarray:
        return self.points[:, 0]

    @property
    def y(self) -> np.ndarray:
        return self.points[:, 1]

    @property
    def z(self) -> np.ndarray:
        return self.points[:, 2]

    @functools.cached_property
    def down(self) -> np.ndarray:
        return measure_down(self.y)

    @functools.cached_property
    def along(self) -> np.ndarray:
        return anatomy().along_arm(self.points)

    @functools.cached_property
    def is_front(self) -> np.ndarray:
        """On the front of the trunk or the legs."""
        return self.z > measure_middle(self.y)


def measure_down(y: np.ndarray) -> np.ndarray:
    """The coordinate `down` of heights in metres."""
    hip, ankle, neck = _levels()
    return np.where(y < hip, (hip - y) / (hip - ankle), (hip - y) / (neck - hip))


def height_of_down(down: float) -> float:
    """Metres of a coordinate `down`."""
    hip, ankle, neck = _levels()
    return hip - down * (hip - ankle if down > 0 else neck - hip)


def _levels() -> tuple[float, float, float]:
    joints = anatomy().joints
    return joints["left_hip"][1], joints["left_ankle"][1], joints["neck"][1]


def measure_middle(y: np.ndarray) -> np.ndarray:
    """The depth z of the plane between front and back at heights `y`."""
    joints = anatomy().joints
    rows = [joints[name][[1, 2]] for name in ("left_ankle", "left_knee", "left_hip", "spine2", "neck")]
    return np.interp(y, *np.array(rows, np.float64).T) + 0.02


def mark_below_collar(place: BodyPoints, neckline: str) -> np.ndarray:
    """True for points of the trunk that a neckline leaves covered, (N,)."""
    width, front = np.abs(place.x), place.z > anatomy().joints["neck"][2] - 0.02
    top = NECKLINES[neckline]
    covered = place.down > top
    if neckline in ("v", "deep v", "scoop", "square", "open"):
        drop = {
            "v": 0.24 - 3.6 * width,
            "deep v": 0.5 - 5.0 * width,
            "scoop": 0.24 * (width < 0.1) * np.sqrt(np.clip(1 - (width / 0.1) ** 2, 0, 1)),
            "square": 0.2 * (width < 0.075),
            "open": 0.12 - 1.6 * width,
        }[neckline]
        return place.down > top + np.where(front, np.clip(drop, 0, None), 0)
    chest = place.down > -0.78
    if neckline == "straps":
        return covered & (chest | (np.abs(width - 0.095) < 0.025))
    if neckline == "thin straps":
        return covered & (chest | (np.abs(width - 0.09) < 0.008))
    if neckline == "halter":
        return covered & (chest | (width < 0.03 + 0.28 * (-0.78 - place.down))) & (front | (place.down > -0.6))
    if neckline == "racer":
        return covered & (chest | np.where(front, np.abs(width - 0.085) < 0.02, width < 0.045))
    if neckline == "one shoulder":
        return place.down > np.where(place.x > 0, top, -0.74 - 1.4 * place.x)
    if neckline == "bib":
        return covered & ((place.down > -0.42) | (front & (width < 0.115)))
    return covered


def mark_opening(place: BodyPoints, opening: float) -> np.ndarray:
    """The front opening of a jacket or coat: `opening` metres wide to each side at the waist, wider above."""
    if opening <= 0:
        return np.zeros(len(place.points), bool)
    rise = np.clip(-place.down - 0.2, 0, 0.8)
    return place.is_front & (np.abs(place.x) < opening * (1 + 0.8 * rise)) & (place.arm < 0.5)


def mark_scalp(place: BodyPoints, hairline: str, nape: float) -> np.ndarray:
    """Where hair grows, `nape` metres below the ears: one of HAIRLINES."""
    map_ = anatomy()
    width = np.abs(place.x)
    lift = {"receding": 0.012 + 0.5 * np.clip(width - 0.015, 0, 0.03)}.get(hairline, 0.0)
    forehead = map_.eye[1] + 0.068 + lift - 0.25 * width**1.2
    temple = map_.ear[2] + 0.028 + 0.03 * np.clip((place.y - map_.eye[1]) / 0.05, 0, 1)
    low = map_.ear[1] - np.clip(nape, 0.015, 0.06)
    grown = (place.head > 0.5) & (place.y > low) & (
        (place.y > forehead)
        | ((place.z < temple) & (place.y > map_.ear[1] - 0.015))
        | (place.z < map_.ear[2] - 0.015)
    )  # fmt: skip
    if hairline == "crown":  # bald on top, a wreath around
        return grown & (place.y < map_.eye[1] + 0.062)
    if hairline == "strip":
        return grown & (width < 0.02) & (place.y > map_.eye[1])
    if hairline == "top":
        return grown & (place.y > map_.eye[1] + 0.042)
    if hairline == "sides":
        return grown & (width > 0.022)
    return grown


def mark_under_hat(place: BodyPoints, line: float, tilt: float) -> np.ndarray:
    """The head above a line `line` metres over the eyes that rises to the front by `tilt` metres a metre."""
    map_ = anatomy()
    return (place.head > 0.5) & (place.y > map_.eye[1] + line + tilt * (place.z - map_.nose[2]))
