"""The colors that are expected in a hole: those around it go on, across rather than down."""

from __future__ import annotations

import numpy as np

from .fields import extrapolate_field
from .filters import average_colors


LEVEL_SQUEEZE = 3  # colors go on so much further across than up and down: walls, floors and streets are layers
RELAX_SPANS = (0.06, 0.03, 0.012)  # of the root of a hole's area over which its colors are evened out


def continue_colors(picture: np.ndarray, hole: np.ndarray, known: np.ndarray, ask=lambda: None) -> np.ndarray:
    """The colors of the `known` (h, w) bool pixels of a picture (h, w, 3) continued into its hole, float32.

    `ask` is called between steps, and may raise.
    """
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
        ask()
        reach = max(1.0, span * size)
        share = (np.minimum(depth / reach, 1) * hole)[..., None]
        colors += share * (average_colors(colors, hole | known, reach) - colors)
    return colors
