"""Colours of the whole surface from those of the points that were seen: smooth, mirrored, and continued.

The official colours are a smooth function of the point. So what was seen is explained as a plane over the body at rest
plus a Gaussian process (Rasmussen and Williams 2006, chapter 2): it averages neighbours where there are many, and leans
towards the plane where there are none. Points that were never seen take the color of their mirror image, brought over
to the other side as the points seen on both sides say; hands that no frame shows are continued from the wrist.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import BodyModel


LENGTHS = (0.45, 0.25, 0.13)  # metres over which colours are alike; the first that explains what was seen is taken
EXPLAINED = 10.0  # levels, root mean square: what was seen is itself 4 to 8 off where the fit slid
SPREAD = 40.0  # levels by which colours stray from a plane
POINT_NOISE, FRAME_NOISE = 4.0, 6.0  # levels: of a point however often it is seen, and of one frame
DEVIATION_COUNTS = 3.0  # what changes from frame to frame lies where the fit slides, and is off in the mean as well
SEEN_WEIGHT = 1.0  # frames that face the camera squarely; a point with less counts as not seen
POINTS = 1200  # of those seen that are used: the work grows with the cube
MIDDLE = 0.03  # metres from the plane of symmetry, on which points have no other side
MIRROR_POINTS, MIRROR_ERROR = 200, 12.0  # points seen on both sides, and levels, before mirror images count
TREND_FREEDOM = 1e5  # levels squared a metre squared: how steep the plane may be
DARKEST_COLOR = 25.0  # levels of the brightest channel: the release takes darker pixels for ground


def extend_colors(colors: Tensor, deviation: Tensor, evidence: Tensor, body: BodyModel) -> Tensor:
    """Colours (V, 3) 0 to 255 of all points from those that were seen.

    They deviate by (V,) levels from frame to frame, and were seen in (V,) frames' worth of evidence.
    """
    colors, deviation, evidence = (values.double().numpy() for values in (colors, deviation, evidence))
    place, mirrored = body.template.double().numpy(), body.mirrored.numpy()
    seen = evidence >= SEEN_WEIGHT
    chosen = _choose_points(np.flatnonzero(seen), POINTS)
    points, values = place[chosen], colors[chosen]
    variance = POINT_NOISE**2 + DEVIATION_COUNTS * deviation**2 + FRAME_NOISE**2 / evidence.clip(1e-3)
    noise = variance[chosen]
    relation = _learn_mirror(colors, seen, place, mirrored)
    if relation is not None:
        map_across, error = relation
        added = _choose_points(np.flatnonzero(~seen & seen[mirrored]), POINTS // 2)
        points = np.concatenate([points, place[added]])
        values = np.concatenate([values, _append_one(colors[mirrored[added]]) @ map_across])
        noise = np.concatenate([noise, error**2 + variance[mirrored[added]]])
    for length in LENGTHS:
        extended = _regress(points, values, noise, place, length)
        missed = np.square(extended[chosen] - colors[chosen]).mean(1)
        if np.sqrt(np.average(missed, weights=1 / variance[chosen])) <= EXPLAINED:
            break
    extended = extended.clip(0, 255)
    extended += (DARKEST_COLOR - extended.max(1, keepdims=True)).clip(0)
    return torch.from_numpy(extended).float()


def _choose_points(numbers: NDArray, count: int) -> NDArray:
    """At most `count` of some vertices, spread over them by chance that is the same every time."""
    return np.sort(np.random.default_rng(0).permutation(numbers)[:count])


def _append_one(values: NDArray) -> NDArray:
    return np.concatenate([values, np.ones_like(values[:, :1])], 1)


def _learn_mirror(colors: NDArray, seen: NDArray, place: NDArray, mirrored: NDArray) -> tuple[NDArray, float] | None:
    """How a colour follows from that of its mirror image, (4, 3), and the error in levels; None where it does not."""
    both = seen & seen[mirrored] & (np.abs(place[:, 0]) > MIDDLE)
    if both.sum() < MIRROR_POINTS:
        return None
    across = _append_one(colors[mirrored[both]])
    relation = np.linalg.lstsq(across, colors[both], rcond=None)[0]
    error = float(np.sqrt(np.square(across @ relation - colors[both]).mean()))
    return (relation, error) if error <= MIRROR_ERROR else None


def _regress(points: NDArray, values: NDArray, noise: NDArray, wanted: NDArray, length: float) -> NDArray:
    """Values (M, 3) at points wanted (M, 3) from values (N, 3) at points (N, 3): a plane and a Gaussian process."""
    from scipy.linalg import cho_factor, cho_solve

    factor = cho_factor(_correlate(points, points, length) + np.diag(noise), lower=True)
    plane = _append_one(points)
    weighted = cho_solve(factor, plane)
    freedom = np.diag([1 / TREND_FREEDOM] * 3 + [1e-8])
    trend = np.linalg.solve(plane.T @ weighted + freedom, weighted.T @ values)
    rest = cho_solve(factor, values - plane @ trend)
    return _append_one(wanted) @ trend + _correlate(wanted, points, length) @ rest


def _correlate(some: NDArray, others: NDArray, length: float) -> NDArray:
    """Covariance (N, M) of colours at two sets of points, levels squared."""
    squared = np.square(some).sum(1)[:, None] + np.square(others).sum(1) - 2 * some @ others.T
    return SPREAD**2 * np.exp(-squared / (2 * length**2))
