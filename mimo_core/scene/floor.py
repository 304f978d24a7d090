"""The floor in a picture of inverse depths: it comes nearer than the person without being in front of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


FEET_SHARE = 0.15  # of the body's height above the lowest of the person: from there on the floor may be seen
TRIALS = 60
LEAST_SHARE = 0.3  # of the pixels around and below the feet that must lie on the plane
MOST_SAMPLES = 2000
TOLERANCE = 4.0  # levels between a pixel and the plane
TOES_SHARE = 0.05  # of the body's height by which feet reach further down than where the legs stand


def find_floor(level: NDArray, person: NDArray, body_height: float) -> NDArray:
    """Where the floor on which a person stands is seen, (h, w) bool; nowhere if no plane is found.

    `level` (h, w) float32 rises with inverse depth, `person` (h, w) bool is what is seen of them. The inverse depth of
    a plane is linear in the picture's x and y, so three pixels tell it; the plane with the most pixels around the feet
    wins (RANSAC), if it comes nearer downwards. A plane that is nearer than the lowest of the person where that ends, a
    table or a counter, is in front of them and no floor.
    """
    nowhere = np.zeros(person.shape, bool)
    rows = np.flatnonzero(person.any(1))
    if not len(rows):
        return nowhere
    y, x = np.nonzero(~person)
    below = y >= rows[-1] - FEET_SHARE * body_height
    y, x = y[below], x[below]
    if len(y) < 30:
        return nowhere
    chosen = np.random.default_rng(0).permutation(len(y))[:MOST_SAMPLES]
    points = np.column_stack([x[chosen], y[chosen], np.ones(len(chosen))])
    plane = _fit_plane(points, level[y[chosen], x[chosen]])
    if plane is None or plane[1] <= 0 or _is_before(plane, level, person, body_height):
        return nowhere
    height, width = person.shape
    shown = plane[0] * np.arange(width) + plane[1] * np.arange(height)[:, None] + plane[2]
    return np.abs(level - shown) < TOLERANCE


def _is_before(plane: NDArray, level: NDArray, person: NDArray, body_height: float) -> bool:
    """Whether a plane is nearer than a person's feet where they end."""
    y, x = np.nonzero(person)
    lowest = y >= y.max() - FEET_SHARE * body_height
    at_end = plane[0] * np.median(x[lowest]) + plane[1] * (y.max() - TOES_SHARE * body_height) + plane[2]
    return bool(at_end > np.median(level[y[lowest], x[lowest]]) + 2 * TOLERANCE)


def _fit_plane(points: NDArray, values: NDArray) -> NDArray | None:
    """The plane (3,) on which most points (N, 3) as x, y, 1 have their values (N,); None if these are few."""
    random, best = np.random.default_rng(1), None
    for _ in range(TRIALS):
        three = random.choice(len(points), 3, replace=False)
        if abs(np.linalg.det(points[three])) < 1:
            continue
        on_plane = np.abs(points @ np.linalg.solve(points[three], values[three]) - values) < TOLERANCE
        if best is None or on_plane.sum() > best.sum():
            best = on_plane
    if best is None or best.mean() < LEAST_SHARE:
        return None
    return np.linalg.lstsq(points[best], values[best], rcond=None)[0]
