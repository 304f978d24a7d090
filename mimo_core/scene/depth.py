"""What a depth map says about who is in front."""

from __future__ import annotations

import numpy as np

from .filters import grown, shrunk
from .occluder import SMALLEST, TOUCH, without_small
from .plate import continued


MARGIN = 6.0  # levels that a thing must be nearer than the body


def nearer_than(depth: np.ndarray, person: np.ndarray, stature: float) -> np.ndarray:
    """Where something near the person is nearer than they are, (h, w) bool.

    `depth` (h, w, 3) uint8 is bright where near, on any scale; `person` (h, w) uint8 is the visible person. The body's
    depth is taken from where the person is seen and continued smoothly to where they are hidden.
    """
    level = depth[..., 0].astype(np.float32)
    inside = person > 127
    if not inside.any():
        return np.zeros(inside.shape, bool)
    core = shrunk(inside, 0.01 * stature)
    core = core if core.any() else inside
    body = continued(level[..., None], core.astype(np.float32))[..., 0]
    spread = float(np.percentile(np.abs(level - body)[core], 90))
    nearer = (level > body + max(MARGIN, 2 * spread)) & ~inside
    return _touching(without_small(nearer, SMALLEST * stature**2), inside, stature)


def _touching(found: np.ndarray, person: np.ndarray, stature: float) -> np.ndarray:
    import cv2

    count, label = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    kept = np.zeros(count, bool)
    kept[np.unique(label[grown(person, 2 * TOUCH * stature) & found])] = True
    kept[0] = False
    return kept[label]
