"""The plain background of a picture: a wall, paper, a gradient, with its shadows and vignettes.

Everything that can be reached from the picture's border without crossing an edge is background; its colors, continued
behind the rest, tell how far each pixel is from it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .push_pull import push_pull


FLAT = 1.0  # levels of 8-bit CIELAB: nine tenths of a ground of one color differ by less from its mean nearby
OTHER_HUE = 16  # levels of 8-bit CIELAB's two hues: what is farther from those of the border is no plain ground
PLAIN_SHARE = 0.85  # share of the background that must follow a smooth color for it to count as plain


def measure_backdrop(picture: NDArray, covered: NDArray, *, plain_share: float = PLAIN_SHARE) -> NDArray | None:
    """How far a picture (H, W, 3) uint8 is from the smooth background around what is `covered` (H, W) bool.

    (H, W) float32, in units of the background's noise; None where it is not plain: `plain_share` of what the border
    shows must follow it, or PLAIN_SHARE where it is one color, as around a cut-out. What is covered is no background.
    """
    import cv2

    height, width = covered.shape
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    reached = _flood_from_border(cv2.GaussianBlur(lab, (0, 0), max(height, width) / 900), covered)
    reached &= _has_border_hue(lab, reached)
    free = ~covered
    if reached.sum() < 0.05 * covered.size or reached[free].mean() < 0.25:
        return None
    smooth = push_pull(lab, reached, blur=3)
    difference = np.linalg.norm(lab.astype(np.float32) - smooth, axis=2)
    noise = max(1.5, float(np.median(difference[reached])) * 1.5)
    distance = difference / noise
    border = _border_mask(covered.shape, max(2, min(height, width) // 60)) & free
    is_flat = np.quantile(difference[reached], 0.9) < FLAT
    if (distance[border] < 4).mean() < (min(plain_share, PLAIN_SHARE) if is_flat else plain_share):
        return None
    return distance


def _flood_from_border(lab: NDArray, covered: NDArray) -> NDArray:
    """Pixels joined to the border by small steps of color, (H, W) bool, a few pixels away from any edge."""
    import cv2

    height, width = covered.shape
    barrier = np.zeros((height + 2, width + 2), np.uint8)
    barrier[1:-1, 1:-1] = covered
    steps = range(0, height, max(1, height // 24)), range(0, width, max(1, width // 24))
    seeds = [(x, y) for y in steps[0] for x in (0, width - 1)] + [(x, y) for x in steps[1] for y in (0, height - 1)]
    for x, y in seeds:
        if not barrier[y + 1, x + 1]:
            cv2.floodFill(lab, barrier, (x, y), 0, (2,) * 3, (2,) * 3, cv2.FLOODFILL_MASK_ONLY | (2 << 8) | 4)
    reached = (barrier[1:-1, 1:-1] == 2).astype(np.uint8)
    return cv2.erode(reached, np.ones((3, 3)), borderValue=1) > 0


def _has_border_hue(lab: NDArray, reached: NDArray) -> NDArray:
    """Where a picture (H, W, 3) uint8 CIELAB is hardly more colorful than what is `reached` of its border, (H, W) bool.

    Light changes how bright a ground is; what has another hue was reached over the soft edge of a thing.
    """
    hue = lab[..., 1:].astype(np.int16)
    at_border = hue[reached & _border_mask(reached.shape, 2)]
    if not len(at_border):
        return reached
    low, high = np.percentile(at_border, (1, 99), axis=0)
    return ((hue >= low - OTHER_HUE) & (hue <= high + OTHER_HUE)).all(2)


def _border_mask(shape: tuple[int, int], width: int) -> NDArray:
    border = np.ones(shape, bool)
    border[width:-width, width:-width] = False
    return border
