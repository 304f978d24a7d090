"""What the front of a garment shows and its back does not: prints, numbers, ties, buttons, the shirt in an open jacket.

A garment goes around the trunk, so its stripes and checks are seen at the sides of the front too. What is colored like
nothing at the sides at the same height is on the front only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .hands import SAME_COLOR, color_distance, convert_to_lab
from .surface import BodySurface


SIDE_START = 0.7  # of the trunk's half width: where its sides begin
SAME_CLOTH = 16.0  # in Lab, lightness counting SHADING_SHARE: folds stay below, prints above
SHADING_SHARE = 0.4
SAME_HEIGHT = 0.08  # meters up or down within which the sides are asked
OPEN_SIDE, COVERED_SIDES = 0.5, 0.6  # of the half width: where an open front ends; share of cloth beyond
BAND = 0.02  # meters of height over which the trunk's width is measured
WITNESS_AREA = 1e-4  # square meters at the sides that must be of a color for it to be the garment's
WITNESS_SHARE = 0.05  # of the sides seen at that height that must be of a color besides
LEAST_SEEN = 4  # times WITNESS_AREA that must be seen of the sides for them to be asked
RIM = 0.014  # meters around a print that are mixed with it
BLENDED = 48  # texels of cloth whose mean takes the place of a print: folds go, stripes stay
LEVEL = np.array([1, 4, 1, 1], np.float32)  # heights count more: cloth beside a print, not what begins below it
SPREAD = 5  # every fifth texel of cloth is asked for, so that the mean reaches a little further


@dataclass(frozen=True, eq=False)
class PlainFront:
    """Colors of the front, and which of its texels are cloth that goes around the trunk."""

    surface: BodySurface
    colors: NDArray  # (N, 3)
    is_print: NDArray  # (N,) bool
    cloth: NDArray  # texels (n,) of the trunk's front that are no print

    @classmethod
    def of(cls, surface: BodySurface, colors: NDArray, source: NDArray, skin: NDArray | None = None) -> PlainFront:
        """The front as the seen texels `source` (n,) show it in `colors` (N, 3); `skin` (3,) is the face's, if seen."""
        front = source[(surface.trunk[source] > 0.5) & (surface.place[source, 2] > surface.axis[source, 2])]
        is_print = np.zeros(len(colors), bool)
        is_print[front[_find_prints(surface, colors, front)]] = True
        if skin is not None and len(front):
            is_print[front[_find_bare(surface, colors, front, skin)]] = True
        return cls(surface, colors, is_print, front[~is_print[front]])

    def copy_onto(self, target: NDArray, chosen: NDArray) -> NDArray:
        """Colors (n, 3) of the texels `chosen` (n,) for the back texels `target`, with cloth in place of prints."""
        from scipy.spatial import cKDTree

        copies = self.colors[chosen].copy()
        place = self.surface.place
        behind = (self.surface.trunk[target] > 0.5) & (place[target, 2] < self.surface.axis[target, 2])
        printed = np.flatnonzero(behind & self.is_print[chosen])
        scattered = self.cloth[::SPREAD]
        if len(printed) and len(scattered) >= BLENDED:
            tree = cKDTree(self.surface.along(scattered) * LEVEL)
            asked = self.surface.along(target[printed]) * LEVEL
            nearest = tree.query(asked, k=[*range(1, BLENDED + 1)], eps=0.3, workers=-1)[1]
            copies[printed] = np.median(self.colors[scattered[nearest]], 1)
        return copies


def _find_prints(surface: BodySurface, colors: NDArray, front: NDArray) -> NDArray:
    """Which of the front's texels (n,) have a color that its sides do not have at that height, (n,) bool."""
    from scipy.spatial import cKDTree

    found = np.zeros(len(front), bool)
    height = surface.place[front, 1]
    is_side = np.abs(surface.place[front, 0]) > SIDE_START * _half_width(surface)[_band_of(height)]
    witnesses = max(3, round(WITNESS_AREA * _texels_per_area(surface)))
    levels = np.sort(height[is_side])
    seen = np.searchsorted(levels, height + SAME_HEIGHT) - np.searchsorted(levels, height - SAME_HEIGHT)
    asked = np.flatnonzero((seen >= LEAST_SEEN * witnesses) & ~is_side)
    if not len(asked):
        return found
    features = np.column_stack([_to_lab(colors[front]) / SAME_CLOTH, height / SAME_HEIGHT])
    distance = cKDTree(features[is_side]).query(
        features[asked], k=[witnesses], eps=0.1, distance_upper_bound=1.0, workers=-1
    )[0]
    found[asked[np.isinf(distance[:, 0])]] = True
    found[asked[_share_at_sides(features, is_side, asked) < WITNESS_SHARE]] = True
    if found.any():
        rim = cKDTree(surface.place[front[found]]).query(surface.place[front], distance_upper_bound=RIM)[0]
        found |= np.isfinite(rim) & ~is_side
    return found


def _find_bare(surface: BodySurface, colors: NDArray, front: NDArray, skin: NDArray) -> NDArray:
    """Which of the front's texels (n,) are skin between cloth, a neckline or an open jacket, (n,) bool."""
    bare = color_distance(convert_to_lab(colors[front]), convert_to_lab(skin[None])[0]) < SAME_COLOR
    band = _band_of(surface.place[front, 1])
    is_side = np.abs(surface.place[front, 0]) > OPEN_SIDE * _half_width(surface)[band]
    count = band.max() + 1
    sides = np.bincount(band[is_side], minlength=count)
    covered = np.bincount(band[is_side & ~bare], minlength=count)
    return bare & ~is_side & (sides > 0)[band] & (covered > COVERED_SIDES * sides)[band]


def _share_at_sides(features: NDArray, is_side: NDArray, asked: NDArray) -> NDArray:
    """At most what share of the sides at the height of the texels `asked` (n,) has their color, (n,).

    `features` (N, 4) are color and height in units within which they are the same.
    """
    cells = np.floor(features).astype(int)
    cells -= cells.min(0) - 1
    counts = np.zeros(cells.max(0) + 2)
    np.add.at(counts, tuple(cells[is_side].T), 1)
    for axis in range(4):  # with the neighbors: a color may lie at the border of its cell
        counts = counts + np.roll(counts, 1, axis) + np.roll(counts, -1, axis)
    total = counts[1::3, 1::3, 1::3].sum((0, 1, 2))
    return counts[tuple(cells[asked].T)] / np.maximum(total[cells[asked, 3]], 1)


def _half_width(surface: BodySurface) -> NDArray:
    """Half the trunk's width in meters for every band of height."""
    trunk = surface.place[surface.trunk > 0.5]
    widths = np.full(_band_of(surface.place[:, 1].max()) + 1, 1e-3)
    np.maximum.at(widths, _band_of(trunk[:, 1]), np.abs(trunk[:, 0]))
    return widths


def _band_of(height: NDArray) -> NDArray:
    return np.floor((height + 4.0) / BAND).astype(int)  # the rest pose lies within 4 meters of the origin


def _texels_per_area(surface: BodySurface) -> float:
    """Texels of the trunk's front per square meter of its silhouette."""
    trunk = surface.place[(surface.trunk > 0.5) & (surface.place[:, 2] > surface.axis[:, 2])]
    cells = np.unique(np.floor(trunk[:, :2] / BAND).astype(int), axis=0)
    return len(trunk) / (len(cells) * BAND**2)


def _to_lab(colors: NDArray) -> NDArray:
    """RGB (N, 3) 0..255 as Lab (N, 3) with SHADING_SHARE of the lightness."""
    return convert_to_lab(colors) * np.array([SHADING_SHARE, 1, 1], np.float32)
