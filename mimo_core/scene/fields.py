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

    channels = field.shape[2] if field.ndim == 3 else 1
    weight = weight.astype(np.float32)
    levels = [(field * _repeat(weight, channels), weight)]
    while max(levels[-1][1].shape) > 1:
        size = tuple((side + 1) // 2 for side in levels[-1][1].shape[::-1])
        levels.append(tuple(cv2.resize(level, size, interpolation=cv2.INTER_AREA) for level in levels[-1]))
    dense = None
    for number in reversed(range(len(levels))):
        total, trust = levels[number]
        if dense is not None:
            dense = cv2.resize(dense, trust.shape[::-1], interpolation=cv2.INTER_LINEAR)
            dense = dense.reshape(*trust.shape, channels)
        if dense is not None and number < smooth:
            continue
        mean = total.reshape(*trust.shape, channels) / _repeat(np.maximum(trust, 1e-6), channels)
        if dense is None:
            dense = mean
            continue
        mean -= dense
        mean *= _repeat(np.minimum(trust * 4, 1), channels)
        dense += mean
    return dense


def _repeat(values: np.ndarray, channels: int) -> np.ndarray:
    """Values (h, w) for each channel, (h, w, C): arithmetic with (h, w, 1) takes three times as long."""
    import cv2

    return cv2.merge([values] * channels) if 1 < channels <= 4 else values[..., None]
