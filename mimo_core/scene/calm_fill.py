"""A hole whose surroundings do not repeat: soft colors instead of pieces, which would be copied things and streaks."""

from __future__ import annotations

import numpy as np

from .fields import extrapolate_field
from .filters import average_colors


# Of the difference that chance gives, how far pieces miss the rim that they continue: up to GOOD_FIT they may come from
# anywhere; from there on they stay at their level; the nearer to BAD_FIT, the softer they are. By eye on eleven real
# clips, 2026-11-28: 0.09 to 0.35 where walls, rows of lamps or a skyline went on, 0.42 to 0.50 in a market or a street,
# 0.58 to 0.65 where nothing was as what was hidden.
GOOD_FIT, POOR_FIT, BAD_FIT = 0.4, 0.5, 0.65
LEVEL_SQUEEZE = 3  # colors go on so much further across than up and down: walls, floors and streets are layers
RELAX_SPANS = (0.06, 0.03, 0.012)  # of the root of a hole's area over which its colors are evened out
BLUR_SPAN = 0.08  # of the same, over which pieces that fit badly are blurred
BLUR_SLOPE = 0.35  # of the way from the rim at most


def measure_calm(misfit: float) -> float:
    """How calm a fill should be, 0 to 1: 0 is pieces alone, 1 is soft colors alone."""
    return float(np.interp(misfit, (POOR_FIT, BAD_FIT), (0, 1)))


def calm_pieces(
    filled: np.ndarray, picture: np.ndarray, hole: np.ndarray, known: np.ndarray, calm: float
) -> np.ndarray:
    """A `filled` picture (h, w, 3) float32 nearer to soft colors by `calm`, 0 to 1, in its `hole` (h, w) bool.

    What differs from the colors that go on from the `known` (h, w) bool pixels of `picture` (h, w, 3) is blurred, the
    more the deeper in the hole, and weaker.
    """
    import cv2

    if calm == 0:
        return filled
    colors = continue_colors(picture, hole, known)
    detail = np.where(hole[..., None], filled - colors, 0).astype(np.float32)
    reach = max(1.0, calm * BLUR_SPAN * np.sqrt(np.count_nonzero(hole)))
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    share = np.minimum(BLUR_SLOPE * depth / reach, 1)[..., None]
    detail += share * (average_colors(detail, hole | known, reach) - detail)
    return np.where(hole[..., None], colors + (1 - calm) * detail, filled)


def continue_colors(picture: np.ndarray, hole: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The colors of the `known` (h, w) bool pixels of a picture (h, w, 3) continued into its hole, float32."""
    import cv2

    size, width = np.sqrt(np.count_nonzero(hole)), hole.shape[1]
    narrow = max(1, width // LEVEL_SQUEEZE), hole.shape[0]
    weight = known.astype(np.float32)
    total = cv2.resize(picture.astype(np.float32) * weight[..., None], narrow, interpolation=cv2.INTER_AREA)
    trust = cv2.resize(weight, narrow, interpolation=cv2.INTER_AREA)
    dense = extrapolate_field(total / np.maximum(trust, 1e-6)[..., None], trust)
    dense = cv2.resize(dense.astype(np.float32), hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    colors = np.where(known[..., None], picture, dense).astype(np.float32)
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    for span in RELAX_SPANS:
        reach = max(1.0, span * size)
        share = (np.minimum(depth / reach, 1) * hole)[..., None]
        colors += share * (average_colors(colors, hole | known, reach) - colors)
    return colors
