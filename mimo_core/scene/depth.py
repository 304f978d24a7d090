"""What a depth map says about who is in front."""

from __future__ import annotations

import numpy as np

from .fields import extrapolate_field
from .filters import dilate_mask, erode_mask
from .floor import find_floor
from .moving_objects import SMALLEST_OBJECT, TOUCH_DISTANCE, remove_small


DEPTH_MARGIN = 6.0  # levels that an object must be nearer than the body


def find_nearer(depth: np.ndarray, person: np.ndarray, body_height: float) -> np.ndarray:
    """Where something near the person is nearer than they are, (h, w) bool.

    `depth` (h, w, 3) uint8 is bright where near, on any scale; `person` (h, w) uint8 is the visible person. The body's
    depth is taken from where the person is seen and continued smoothly to where they are hidden. The floor in front of
    their feet is nearer, too, and hides nothing.
    """
    level = depth[..., 0].astype(np.float32)
    inside = person > 127
    if not inside.any():
        return np.zeros(inside.shape, bool)
    core = erode_mask(inside, 0.01 * body_height)
    core = core if core.any() else inside
    body = extrapolate_field(level[..., None], core.astype(np.float32))[..., 0]
    spread = float(np.percentile(np.abs(level - body)[core], 90))
    nearer = (level > body + max(DEPTH_MARGIN, 2 * spread)) & ~inside & ~find_floor(level, inside, body_height)
    return _keep_touching(remove_small(nearer, SMALLEST_OBJECT * body_height**2), inside, body_height)


def _keep_touching(found: np.ndarray, person: np.ndarray, body_height: float) -> np.ndarray:
    import cv2

    count, label = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    kept = np.zeros(count, bool)
    kept[np.unique(label[dilate_mask(person, 2 * TOUCH_DISTANCE * body_height) & found])] = True
    kept[0] = False
    return kept[label]
