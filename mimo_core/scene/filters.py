"""Filters for masks that follow the edges of the picture."""

from __future__ import annotations

import numpy as np


def guided_filter(mask: np.ndarray, guide: np.ndarray, radius: int, smoothness: float) -> np.ndarray:
    """A map (h, w) float32 smoothed where a colour picture (h, w, 3) uint8 is smooth, its edges on the picture's.

    The guided filter of He, Sun and Tang (ECCV 2010) in three channels; `smoothness` is a variance in 0..1 colours.
    """
    import cv2

    def mean(values):
        return cv2.blur(values, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT)

    red, green, blue = channels = cv2.split(guide.astype(np.float32) / 255)
    mask = mask.astype(np.float32)
    mean_mask, means = mean(mask), [mean(channel) for channel in channels]
    cov = [mean(channel * mask) - middle * mean_mask for channel, middle in zip(channels, means, strict=True)]
    rr = mean(red * red) - means[0] * means[0] + smoothness
    rg = mean(red * green) - means[0] * means[1]
    rb = mean(red * blue) - means[0] * means[2]
    gg = mean(green * green) - means[1] * means[1] + smoothness
    gb = mean(green * blue) - means[1] * means[2]
    bb = mean(blue * blue) - means[2] * means[2] + smoothness
    # The inverse of the symmetric 3x3 covariance, written out.
    irr, irg, irb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    igg, igb, ibb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    det = irr * rr + irg * rg + irb * rb
    slope = [
        (irr * cov[0] + irg * cov[1] + irb * cov[2]) / det,
        (irg * cov[0] + igg * cov[1] + igb * cov[2]) / det,
        (irb * cov[0] + igb * cov[1] + ibb * cov[2]) / det,
    ]
    offset = mean_mask - sum(a * middle for a, middle in zip(slope, means, strict=True))
    return sum(mean(a) * channel for a, channel in zip(slope, channels, strict=True)) + mean(offset)


def dilate_mask(mask: np.ndarray, pixels: float) -> np.ndarray:
    """A mask (h, w) bool dilated by a disc of a radius in pixels, exactly: no kernel artefacts, any radius."""
    import cv2

    if pixels <= 0:
        return mask
    if not mask.any():
        return mask
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= pixels


def erode_mask(mask: np.ndarray, pixels: float) -> np.ndarray:
    """A mask (h, w) bool eroded by a disc; the border of the picture does not erode it."""
    return ~dilate_mask(~mask, pixels)


def channel_maximum(picture: np.ndarray) -> np.ndarray:
    """The largest of the three channels of each pixel, (h, w). NumPy's reductions over three values are slow."""
    return np.maximum(np.maximum(picture[..., 0], picture[..., 1]), picture[..., 2])


def channel_sum(picture: np.ndarray) -> np.ndarray:
    """The sum of the three channels of each pixel, (h, w)."""
    return picture[..., 0] + picture[..., 1] + picture[..., 2]


def channel_norm(picture: np.ndarray) -> np.ndarray:
    """The length of the three channels of each pixel, (h, w)."""
    return np.sqrt(channel_sum(picture * picture))


def plate_distance(picture: np.ndarray, plate: np.ndarray, reach: int = 1) -> np.ndarray:
    """How far each pixel (h, w, 3) uint8 lies outside the colours which the plate has within `reach` pixels, (h, w).

    Forgives a plate that is misaligned by a pixel.
    """
    import cv2

    kernel = np.ones((2 * reach + 1,) * 2, np.uint8)
    above = cv2.subtract(picture, cv2.dilate(plate, kernel))
    below = cv2.subtract(cv2.erode(plate, kernel), picture)
    return channel_norm(cv2.max(above, below).astype(np.float32))
