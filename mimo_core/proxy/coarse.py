"""Values that change slowly over the body, found on a coarse atlas and enlarged: a sixteenth of the look-ups."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .surface import BodySurface, load_surface


LARGEST_SHIFT = 0.003  # meters that a texel may be misplaced
COARSE_SIDE = 256  # pixels; 8 mm a texel, less than hair and shading change in


def ask_coarsely(surface: BodySurface, target: NDArray, ask: Callable[[BodySurface, NDArray], NDArray]) -> NDArray:
    """What `ask` says of texels `target` (n,) of a surface, (n, C).

    `ask` gets a surface, coarser where there is one, with some of its texels (m,), and gives (m, C) float.
    """
    import cv2

    side = surface.atlas.side
    if side <= COARSE_SIDE or side % COARSE_SIDE or not len(target):
        return ask(surface, target)
    coarse, step = load_surface(COARSE_SIDE), side // COARSE_SIDE
    row, column = surface.atlas.row.numpy()[target], surface.atlas.column.numpy()[target]
    wanted = np.zeros((COARSE_SIDE, COARSE_SIDE), np.uint8)
    wanted[row // step, column // step] = 1
    wanted = cv2.dilate(wanted, np.ones((3, 3), np.uint8)) > 0
    texels = np.unique(coarse.atlas.nearest[wanted])
    values = ask(coarse, texels)
    spread = np.zeros((len(coarse.place), values.shape[1]), np.float32)
    spread[texels] = values
    enlarged = _enlarge(coarse.atlas.picture(spread), side)[row, column]
    at_seams = np.flatnonzero(_find_seams(side)[target])
    if len(at_seams):
        enlarged[at_seams] = ask(surface, target[at_seams])
    return enlarged


@functools.lru_cache(maxsize=2)
def _find_seams(side: int) -> NDArray:
    """Which texels (N,) of an atlas the enlarged coarse one misplaces: at seams of the texture."""
    surface, coarse = load_surface(side), load_surface(COARSE_SIDE)
    enlarged = _enlarge(coarse.atlas.picture(coarse.place), side)
    enlarged = enlarged[surface.atlas.row.numpy(), surface.atlas.column.numpy()]
    return np.abs(enlarged - surface.place).max(1) > LARGEST_SHIFT


def _enlarge(picture: NDArray, side: int) -> NDArray:
    import cv2

    large = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
    return large if large.ndim == 3 else large[..., None]  # OpenCV drops a single channel


def measure_distances(surface: BodySurface, source: NDArray, target: NDArray) -> NDArray:
    """Meters from texels `target` (n,) to the nearest of `source` (m,), (n,)."""
    from scipy.spatial import cKDTree

    tree = cKDTree(surface.place[source])

    def measure(asked: BodySurface, texels: NDArray) -> NDArray:
        return tree.query(asked.place[texels], workers=-1)[0][:, None]

    return ask_coarsely(surface, target, measure)[:, 0]
