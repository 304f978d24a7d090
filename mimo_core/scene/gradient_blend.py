"""A hole filled by gradients: seams vanish, and colors run over into those around."""

from __future__ import annotations

import numpy as np

from .filters import channel_maximum


DIRECT_PIXELS = 60_000  # pixels of a hole that are solved for at once; larger ones begin from half the size
EDGE_LEVELS = 60.0  # a step at the rim that differs so much from the wanted one is an edge of things, not of light
POLISH_STEPS = 40  # of conjugate gradients from there: what is left is of a few pixels' length


def blend_gradients(
    picture: np.ndarray,
    hole: np.ndarray,
    known: np.ndarray,
    across: np.ndarray,
    down: np.ndarray,
    *,
    reach: float,
    ask=lambda: None,
) -> np.ndarray:
    """A picture (h, w, 3) float32 with its `hole` (h, w) bool set to what has given gradients and meets `known`.

    `across` and `down` (h, w, 3) are the wanted steps from each pixel to the one on its right and to the one below it.
    Pixels that are neither hole nor known are as if there were none. Colors that do not meet run over into those
    which the picture shows in the hole within about `reach` pixels, unless they differ so much (EDGE_LEVELS) that the
    rim is the edge of something. Perez et al., "Poisson Image Editing" (SIGGRAPH 2003), in its screened form. `ask` is
    called between steps, and may raise.
    """
    from scipy.sparse.linalg import cg, splu

    matrix, wanted = _set_up(picture, hole, known, across, down, reach, ask)
    result = picture.copy()
    if len(wanted) <= DIRECT_PIXELS:
        result[hole] = splu(matrix.tocsc()).solve(wanted)
        return result
    start = _begin_from_half(picture, hole, known, across, down, reach, ask)[hole].astype(np.float64)
    asked = {"maxiter": POLISH_STEPS, "callback": lambda _: ask()}
    columns = (cg(matrix, wanted[:, at], start[:, at], **asked)[0] for at in range(3))
    result[hole] = np.stack(list(columns), axis=1)
    return result


def _set_up(picture, hole, known, across, down, reach: float, ask):
    """The equations of the hole's N pixels: a sparse matrix (N, N) and its right side (N, 3)."""
    from scipy.sparse import coo_matrix

    count = int(hole.sum())
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(count)
    degree, entries = np.full(count, 1 / reach**2), []
    wanted = picture[hole].astype(np.float64) / reach**2
    here, after = (slice(None), slice(None, -1)), (slice(None), slice(1, None))
    for one, two, step in ((here, after, across[here]), (here[::-1], after[::-1], down[here[::-1]])):
        for inner, outer, sign in ((one, two, -1.0), (two, one, 1.0)):
            ask()
            at = hole[inner] & (hole[outer] | known[outer])
            off = np.abs(picture[inner] - picture[outer] - sign * step)
            at &= hole[outer] | (channel_maximum(off) < EDGE_LEVELS)
            row = number[inner][at]
            degree[row] += 1
            wanted[row] += sign * step[at]
            fixed = known[outer][at] & ~hole[outer][at]
            wanted[row[fixed]] += picture[outer][at][fixed]
            entries.append(np.stack([row, number[outer][at]])[:, ~fixed])
    ask()
    rows, columns = np.concatenate([*entries, np.tile(np.arange(count), (2, 1))], axis=1)
    values = np.concatenate([np.full(len(rows) - count, -1.0), degree])
    return coo_matrix((values, (rows, columns)), shape=(count, count)).tocsr(), wanted


def _begin_from_half(picture, hole, known, across, down, reach: float, ask) -> np.ndarray:
    """The picture corrected by what its half needs."""
    import cv2

    ask()
    size = tuple((side + 1) // 2 for side in hole.shape[::-1])
    weight = (hole | known).astype(np.float32)
    share, free, steps_across, steps_down, small = (
        cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        for values in (
            weight, (known & ~hole).astype(np.float32), across.astype(np.float32), down.astype(np.float32),
            (picture * weight[..., None]).astype(np.float32),
        )
    )  # fmt: skip
    small /= np.maximum(share, 1e-6)[..., None]
    half_known = free > 0.99
    half_hole = (share > 0) & ~half_known
    solved = blend_gradients(small, half_hole, half_known, 2 * steps_across, 2 * steps_down, reach=reach / 2, ask=ask)
    return picture + cv2.resize(solved - small, hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
