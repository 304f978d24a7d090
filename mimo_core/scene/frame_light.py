"""Frames brought to one light before their colors are compared: exposure drifts, and the person's shadow moves."""

from __future__ import annotations

import numpy as np

from .fields import extrapolate_field
from .filters import channel_maximum, channel_sum


LIGHT_SCALE = 4  # light varies slowly: it is compared on a canvas this many times smaller
LIGHT_SMOOTH = 2  # finest levels of that which are left out, see `extrapolate_field`
LIGHT_OUTLIER = 15.0  # levels: a difference of this size is half distrusted, something moves there
LIGHT_LIMIT = 30.0  # levels by which a frame is lifted or lowered at most
DISTANCE_GAIN = 2.0  # pixels that another frame must be further from the person to teach a pixel's light anew


class FrameLight:
    """The light of a canvas: for each pixel, that of the frame in which the person was furthest away.

    The median of samples from differently lit frames is grainy, because each pixel draws its own frames, and has
    seams where few frames saw it. Near the person a frame is darkened by their shadow.
    """

    def __init__(self, size: tuple[int, int]):
        width, height = size
        self.picture = np.zeros((height, width, 3), np.uint8)
        self.distance = np.full((height, width), -1, np.float32)

    def level(self, picture: np.ndarray, free: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """A picture (h, w, 3) uint8 of the canvas in its light, which is learned where the picture is `free` (h, w).

        `distance` (h, w) is that in pixels to what is not free.
        """
        import cv2

        if not free.any():
            return picture
        known = self.distance >= 0
        picture = self.apply(picture, free)
        better = free & (~known | (distance > self.distance + DISTANCE_GAIN))
        cv2.copyTo(picture, better.view(np.uint8), self.picture)
        np.copyto(self.distance, distance, where=better)
        return picture

    def apply(self, picture: np.ndarray, free: np.ndarray) -> np.ndarray:
        """A picture (h, w, 3) uint8 of the canvas in its light, compared where the picture is `free` (h, w) bool."""
        import cv2

        both = free & (self.distance >= 0)
        return cv2.add(picture, self._compare(picture, both), dtype=cv2.CV_8U) if both.any() else picture

    def _compare(self, picture: np.ndarray, both: np.ndarray) -> np.ndarray:
        """How much brighter the canvas is than a picture, (h, w, 3) float32, from the pixels that `both` show.

        Brightness varies smoothly over the picture, its color is that of the whole: what moves would tint what is near.
        """
        import cv2

        size = tuple(max(1, side // LIGHT_SCALE) for side in both.shape[::-1])
        difference = cv2.subtract(self.picture, picture, dtype=cv2.CV_32F)
        weight = both / np.square(1 + np.square(channel_maximum(np.abs(difference)) / LIGHT_OUTLIER))
        weight = weight.astype(np.float32)
        brighter = channel_sum(difference) / 3
        tint = np.tensordot(weight, difference, 2) / max(float(weight.sum()), 1e-6)
        tint -= tint.mean()
        small, trust = (
            cv2.resize(values, size, interpolation=cv2.INTER_AREA) for values in (brighter * weight, weight)
        )
        field = extrapolate_field((small / np.maximum(trust, 1e-6))[..., None], trust, smooth=LIGHT_SMOOTH)
        field = cv2.resize(field.astype(np.float32), both.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return cv2.merge([np.clip(field + one, -LIGHT_LIMIT, LIGHT_LIMIT) for one in tint.astype(np.float32)])
