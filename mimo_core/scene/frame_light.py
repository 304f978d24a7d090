"""Frames brought to one light before their colors are compared: exposure drifts, and the person's shadow moves."""

from __future__ import annotations

import numpy as np

from ..geometry.box import Box
from .fields import extrapolate_field
from .filters import channel_maximum, channel_sum


LIGHT_SCALE = 4  # light varies slowly: it is compared on a canvas this many times smaller
LIGHT_SMOOTH = 2  # finest levels of that which are left out, see `extrapolate_field`
LIGHT_OUTLIER = 15.0  # levels: a difference of this size is half distrusted, something moves there
LAMP_CHANGE = 15.0  # levels by which more than half of a picture differs where lamps went on or off
LAMP_SHARE = 0.6  # of the difference that a smooth change must leave at most, else it is none of light
LAMP_SMOOTH = 2  # finest levels that are left out of such a change
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

    def level(self, picture: np.ndarray, free: np.ndarray, distance: np.ndarray, part: Box | None = None) -> np.ndarray:
        """A picture (h, w, 3) uint8 of the canvas in its light, which is learned where the picture is `free` (h, w).

        `distance` (h, w) is that in pixels to what is not free. The picture may be that of a `part` of the canvas.
        """
        import cv2

        if not free.any():
            return picture
        part = part or self._whole
        known = part.cut(self.distance)
        picture = self.apply(picture, free, part)
        better = free & ((known < 0) | (distance > known + DISTANCE_GAIN))
        cv2.copyTo(picture, better.view(np.uint8), part.cut(self.picture))
        np.copyto(known, distance, where=better)
        return picture

    @property
    def _whole(self) -> Box:
        return Box(0, 0, *self.distance.shape[::-1])

    def apply(self, picture: np.ndarray, free: np.ndarray, part: Box | None = None) -> np.ndarray:
        """A picture (h, w, 3) uint8 of the canvas in its light, compared where the picture is `free` (h, w) bool.

        The picture may be that of a `part` of the canvas.
        """
        import cv2

        part = part or self._whole
        both = free & (part.cut(self.distance) >= 0)
        return cv2.add(picture, self._compare(picture, both, part), dtype=cv2.CV_8U) if both.any() else picture

    def _compare(self, picture: np.ndarray, both: np.ndarray, part: Box) -> np.ndarray:
        """How much brighter a part of the canvas is than a picture, (h, w, 3) float32, from pixels that `both` show.

        Brightness varies smoothly over the picture, its color is that of the whole: what moves would tint what is near.
        """
        import cv2

        difference = cv2.subtract(part.cut(self.picture), picture, dtype=cv2.CV_32F)
        change = find_light_change(difference, both, part, self.distance.shape)
        if change is not None:
            difference -= change
        weight = both / np.square(1 + np.square(channel_maximum(np.abs(difference)) / LIGHT_OUTLIER))
        weight = weight.astype(np.float32)
        brighter = channel_sum(difference) / 3
        tint = np.tensordot(weight, difference, 2) / max(float(weight.sum()), 1e-6)
        tint -= tint.mean()
        # Cells of light lie as on the whole canvas, whichever part of it is seen.
        size = self.distance.shape
        small, trust = (_shrink(_lay_out(values, part, size)) for values in (brighter * weight, weight))
        field = extrapolate_field((small / np.maximum(trust, 1e-6))[..., None], trust, smooth=LIGHT_SMOOTH)
        field = part.cut(cv2.resize(field.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR))
        lift = cv2.merge([np.clip(field + one, -LIGHT_LIMIT, LIGHT_LIMIT) for one in tint.astype(np.float32)])
        return lift if change is None else lift + change


def find_light_change(
    difference: np.ndarray, free: np.ndarray, part: Box | None = None, size: tuple[int, int] | None = None
) -> np.ndarray | None:
    """How lamps that went on or off changed a picture, from its difference (h, w, 3) float32 to another one.

    A smooth field (h, w, 3) float32 from where it is `free` (h, w) bool. None where half of that hardly differs, so
    that what differs is something that moves, and where the field explains little, as between pictures that lie apart.
    The picture may be a `part` of a canvas of `size` (h, w).
    """
    import cv2

    before = np.median(channel_maximum(np.abs(difference))[free]) if free.any() else 0.0
    if before < LAMP_CHANGE:
        return None
    size = size or free.shape
    part = part or Box(0, 0, *size[::-1])
    layers = difference * free[..., None], free.astype(np.float32)
    total, trust = (_shrink(_lay_out(values, part, size)) for values in layers)
    field = extrapolate_field(total / np.maximum(trust, 1e-6)[..., None], trust, smooth=LAMP_SMOOTH)
    field = part.cut(cv2.resize(field.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR))
    after = np.median(channel_maximum(np.abs(difference - field))[free])
    return field if after < LAMP_SHARE * before else None


def _lay_out(values: np.ndarray, part: Box, size: tuple[int, int]) -> np.ndarray:
    """Values (h, w, ...) of a part of a canvas of `size` (h, w) in their place, 0 elsewhere."""
    if values.shape[:2] == tuple(size):
        return values
    whole = np.zeros((*size, *values.shape[2:]), values.dtype)
    part.cut(whole)[:] = values
    return whole


def _shrink(values: np.ndarray) -> np.ndarray:
    """Values (h, w) or (h, w, 3) float32 at the size at which light is compared."""
    import cv2

    size = tuple(max(1, side // LIGHT_SCALE) for side in values.shape[1::-1])
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)
