"""Values continued from where they are known to where they are not."""

from __future__ import annotations

import numpy as np


SOLID_ALPHA = 243  # alpha from here on shows the colour of what is in front alone


def extend_solid_color(source: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colour (h, w, 3) of what lies in front without what shines through its soft edge: that of its solid part.

    The edge pixels of the source hold the colours of the person who was replaced; used as they are, they make a halo.
    """
    solid = alpha >= SOLID_ALPHA
    if not solid.any():
        return source
    return np.where(solid[..., None], source, extrapolate_field(source.astype(np.float32), solid.astype(np.float32)))


def extrapolate_field(field: np.ndarray, weight: np.ndarray, *, smooth: int = 0) -> np.ndarray:
    """A field (h, w, C) made dense: weighted means of ever larger cells fill what has no weight (pull-push).

    The `smooth` finest levels are left out, which keeps only what varies slowly.
    """
    import cv2

    levels = [(field * weight[..., None].astype(np.float32), weight.astype(np.float32))]
    while max(levels[-1][1].shape) > 1:
        size = tuple((side + 1) // 2 for side in levels[-1][1].shape[::-1])
        levels.append(tuple(cv2.resize(level, size, interpolation=cv2.INTER_AREA) for level in levels[-1]))
    dense = None
    for number in reversed(range(len(levels))):
        total, trust = levels[number]
        total = total.reshape(*trust.shape, -1)
        mean = total / np.maximum(trust, 1e-6)[..., None]
        if dense is None:
            dense = mean
            continue
        dense = cv2.resize(dense, trust.shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(mean.shape)
        if number >= smooth:
            share = np.minimum(trust * 4, 1)[..., None]
            dense = dense + share * (mean - dense)
    return dense
