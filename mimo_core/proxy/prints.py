"""What the front of a garment shows and its back does not: prints, numbers, ties, buttons, the shirt in an open jacket.

A garment goes around the trunk, so its stripes and checks are seen at the sides of the front too. What is colored like
nothing at the sides at the same height is on the front only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab
from .surface import BodySurface
from .texture import BakedTexture


SIDE_START = 0.7  # of the trunk's half width: where its sides begin
SAME_CLOTH = 16.0  # in Lab, lightness counting SHADING_SHARE: folds stay below, prints above
SHADING_SHARE = 0.4
SAME_HEIGHT = 0.08  # meters up or down within which the sides are asked
OPEN_SIDE, COVERED_SIDES = 0.5, 0.6  # of the half width: where an open front ends; share of cloth beyond
SIDE_TEXELS = 8  # of the sides that must be seen in a band
BAND = 0.02  # meters of height over which the trunk's width is measured
WITNESS_AREA = 1e-4  # square meters at the sides that must be of a color for it to be the garment's
SIDE_SPREAD = 4  # every so many of the sides' texels are looked up
WITNESS_SHARE = 0.05  # of the sides seen at that height that must be of a color besides
LEAST_SEEN = 4  # times WITNESS_AREA that must be seen of the sides for them to be asked
RIM = 0.014  # meters around a print that are mixed with it
BLENDED = 48  # texels of cloth whose mean takes the place of a print: folds go, stripes stay
HEIGHT_FIRST = np.array([1, 4, 0.2], np.float32)  # cloth beside a print, not what begins below it
LEAST_AWAY = 0.01  # meters: nearer cloth does not count more
PRINT_SHARE = 0.7  # of the texels of a color that are print for all of it to be
COLOR_CELL = np.array([12, 10, 10], np.float32)  # in Lab: what is one color
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
        if len(front):
            found = _find_prints(surface, colors, front)
            if skin is not None:
                found |= _find_bare(surface, colors, front, skin)
            is_print[front[_spread_colors(surface, colors, front, found)]] = True
        return cls(surface, colors, is_print, front[~is_print[front]])

    def copy_onto(self, target: NDArray, chosen: NDArray) -> NDArray:
        """Colors (n, 3) of the texels `chosen` (n,) for the back texels `target`, with cloth in place of prints."""
        copies = self.colors[chosen].copy()
        place = self.surface.place
        behind = (self.surface.trunk[target] > 0.5) & (place[target, 2] < self.surface.axis[target, 2])
        printed = np.flatnonzero(behind & self.is_print[chosen])
        if len(printed) and len(self.cloth[::SPREAD]) >= BLENDED:
            copies[printed] = self._weave(target[printed])
        return copies

    def _weave(self, target: NDArray) -> NDArray:
        """Cloth (n, 3) for texels (n,), from both sides of what is printed, the nearer one counting more."""
        from scipy.spatial import cKDTree

        woven, weights = [], []
        scattered = self.cloth[::SPREAD]
        aside = self.surface.place[scattered, 0]
        halves = [half for half in (scattered[aside < 0], scattered[aside >= 0]) if len(half) >= BLENDED]
        for half in halves or [scattered]:
            tree = cKDTree(self.surface.place[half] * HEIGHT_FIRST)
            mirrored = self.surface.place[target] * [1, 1, -1]  # what is asked is the front, as far from the middle
            distance, nearest = tree.query(mirrored * HEIGHT_FIRST, k=[*range(1, BLENDED + 1)], eps=0.3, workers=-1)
            woven.append(np.median(self.colors[half[nearest]], 1))
            weights.append(1 / np.maximum(distance.mean(1), LEAST_AWAY) ** 2)
        weights = np.stack(weights)[..., None]
        return (np.stack(woven) * weights).sum(0) / weights.sum(0)


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
    every = min(SIDE_SPREAD, witnesses)
    distance = cKDTree(features[is_side][::every]).query(
        features[asked], k=[round(witnesses / every)], eps=0.1, distance_upper_bound=1.0, workers=-1
    )[0]
    found[asked[np.isinf(distance[:, 0])]] = True
    found[asked[_share_at_sides(features, is_side, asked) < WITNESS_SHARE]] = True
    if found.any():
        rim = cKDTree(surface.place[front[found]]).query(surface.place[front], distance_upper_bound=RIM)[0]
        found |= np.isfinite(rim) & ~is_side
    return found


def _find_bare(surface: BodySurface, colors: NDArray, front: NDArray, skin: NDArray) -> NDArray:
    """Which of the front's texels (n,) are skin between cloth, a neckline or an open jacket, (n,) bool.

    Heights at which the sides are hidden, by arms on the hips, are asked as the nearest ones. What hangs on the skin,
    between skin and skin, is on the front only as well.
    """
    bare = color_distance(convert_to_lab(colors[front]), convert_to_lab(skin[None])[0]) < SAME_COLOR
    band = _band_of(surface.place[front, 1])
    across = surface.place[front, 0]
    is_side = np.abs(across) > OPEN_SIDE * _half_width(surface)[band]
    count = band.max() + 1
    sides = np.bincount(band[is_side], minlength=count)
    covered = np.bincount(band[is_side & ~bare], minlength=count)
    known = np.flatnonzero(sides >= SIDE_TEXELS)
    if not len(known):
        return np.zeros(len(front), bool)
    nearest = known[np.abs(known[None] - np.arange(count)[:, None]).argmin(1)]
    is_covered = covered[nearest] > COVERED_SIDES * sides[nearest]
    found = bare & ~is_side & is_covered[band]
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, band[found], across[found])
    np.maximum.at(high, band[found], across[found])
    return found | (~is_side & (across > low[band]) & (across < high[band]))


def _spread_colors(surface: BodySurface, colors: NDArray, front: NDArray, found: NDArray) -> NDArray:
    """The prints `found` (n,) of the front's texels (n,), and what has a color that hardly anything else has.

    Not below them, where other clothes begin.
    """
    if not found.any():
        return found
    cells = np.floor(convert_to_lab(colors[front]) / COLOR_CELL).astype(int)
    _, color = np.unique(cells, axis=0, return_inverse=True)
    color = color.ravel()
    share = np.bincount(color, found) / np.bincount(color)
    is_side = np.abs(surface.place[front, 0]) > SIDE_START * _half_width(surface)[_band_of(surface.place[front, 1])]
    height = surface.place[front, 1]
    return found | ((share > PRINT_SHARE)[color] & ~is_side & (height > np.quantile(height[found], 0.01)))


def find_stray_skin(surface: BodySurface, baked: BakedTexture, trusted: NDArray) -> NDArray:
    """Which seen texels (N,) at the sides of the trunk show the skin of an arm.

    It is where an arm lies beside a trunk that wears something, or whose other side shows cloth there.
    """
    stray = np.zeros(len(trusted), bool)
    face = surface.face & trusted
    side = np.flatnonzero(trusted & (surface.trunk > 0.5))
    if baked.beside_arm is None or face.sum() < LEAST_TEXELS or not len(side):
        return stray
    away = color_distance(convert_to_lab(baked.colors), convert_to_lab(np.median(baked.colors[face], 0)[None])[0])
    if (away[side] > SAME_COLOR).mean() > COVERED_SIDES:
        stray[side] = True
    else:
        half_width = _half_width(surface)[_band_of(surface.place[side, 1])]
        side = side[np.abs(surface.place[side, 0]) > OPEN_SIDE * half_width]
        other = surface.partners(side)
        stray[side] = trusted[other] & (away[other] > 2 * SAME_COLOR)
    return stray & baked.beside_arm & (away < SAME_COLOR)


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
