"""How far the outline of a drawn body is from the outline of a mask, along rays across it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


NEAR_OUTLINE = 3.0  # pixels between a vertex and the outline of the body that it stands for
SIDEWAYS = 0.8  # length of a unit normal on the picture from which its vertex can lie on the outline


def is_near_edge(mask: NDArray, pixels: NDArray) -> NDArray:
    """True for points (N, 2) within NEAR pixels of the outline of a mask (H, W), inside the picture."""
    import cv2

    height, width = mask.shape
    inside = cv2.distanceTransform(np.pad(mask, 1, mode="edge"), cv2.DIST_L2, 3)[1:-1, 1:-1]
    x, y = np.clip(pixels.astype(int), 0, [width - 1, height - 1]).T
    on_picture = ((pixels > 2) & (pixels < [width - 2, height - 2])).all(1)
    return (inside[y, x] < NEAR_OUTLINE) & on_picture


def outline_offsets(
    matte: NDArray, body: NDArray, origin: NDArray, direction: NDArray, *, reach: float
) -> tuple[NDArray, NDArray]:
    """Signed pixels (R,) from the body's outline to the matte's along rays, and where that is certain, (R,) bool.

    Rays start at points (R, 2) near the body's outline and run along unit directions. Uncertain: no outline within
    reach, another part of the body or the picture's border in between.
    """
    import cv2

    steps = np.arange(-np.ceil(reach), np.ceil(reach) + NEAR_OUTLINE, 0.5, dtype=np.float32)
    x, y = (origin[:, None] + direction[:, None] * steps[:, None]).astype(np.float32).transpose(2, 0, 1)  # (R, steps)
    of_matte, of_body = (
        cv2.remap(mask, x - 0.5, y - 0.5, cv2.INTER_LINEAR, borderValue=0).astype(np.float32) for mask in (matte, body)
    )
    start = len(steps) // 2 - int(NEAR_OUTLINE)
    own_end = _find_end(of_body, steps, start, outwards=np.ones(len(x), bool))
    start = np.abs(steps - own_end[:, None]).argmin(1)
    is_inside = np.take_along_axis(of_matte, start[:, None], 1)[:, 0] > 127
    end = _find_end(of_matte, steps, start, outwards=is_inside)
    offset = end - own_end
    certain = (np.abs(offset) < reach) & (np.abs(own_end) < 2 * NEAR_OUTLINE)
    low, high = np.minimum(end, own_end)[:, None], np.maximum(end, own_end)[:, None]
    off_picture = (x < 1) | (y < 1) | (x > matte.shape[1] - 1) | (y > matte.shape[0] - 1)
    certain &= ~((of_body > 127) & (steps > own_end[:, None] + 2) & (steps < high - 1)).any(1)
    certain &= ~(off_picture & (steps > low - 1) & (steps < high + 1)).any(1)
    return np.where(certain, offset, 0), certain


def _find_end(values: NDArray, steps: NDArray, start, *, outwards: NDArray) -> NDArray:
    """Where values (R, S) along the steps (S,) fall below 127.5, (R,): the first place from `start` on outwards, or the
    last place before it. Far beyond the steps where there is none.
    """
    falls = (values[:, :-1] >= 127.5) & (values[:, 1:] < 127.5)
    index = np.arange(len(steps) - 1)
    start = np.broadcast_to(start, len(values))[:, None]
    ahead, behind = falls & (index >= start - 1), falls & (index <= start)
    chosen = np.where(outwards, ahead.argmax(1), len(index) - 1 - behind[:, ::-1].argmax(1))
    found = np.where(outwards, ahead.any(1), behind.any(1))
    before, after = (np.take_along_axis(values, (chosen + step)[:, None], 1)[:, 0] for step in (0, 1))
    share = (before - 127.5) / np.maximum(before - after, 1e-3)
    return np.where(found, steps[chosen] + 0.5 * share, 2 * steps[-1] + 100)
