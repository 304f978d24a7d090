"""Filters for masks that follow the edges of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np


SHADOW = 0.3  # the person's shadow darkens the plate at most so much
SHADOW_NOISE = 3.0  # levels by which sensor noise makes the darkening vary
SHADOW_TEXTURE = 2.0  # weight of its other variation
LEAST_WEIGHT = 1e-3  # of the pixels around, whose colors are averaged
WIDE_SIGMA = 24.0  # pixels: wider averages are taken at a smaller size
LARGEST_DISC = 24.0  # pixels: masks are dilated by larger discs by their distances, which takes as long for any disc


def guided_filter(mask: np.ndarray, guide: np.ndarray, radius: int, smoothness: float) -> np.ndarray:
    """A map (h, w) float32 smoothed where a colour picture (h, w, 3) uint8 is smooth, its edges on the picture's.

    `smoothness` is a variance in 0..1 colours.
    """
    return GuidedFilter(guide, radius, smoothness).smooth(mask)


class GuidedFilter:
    """The guided filter of He, Sun and Tang (ECCV 2010) in three channels, for several maps of one picture."""

    def __init__(self, guide: np.ndarray, radius: int, smoothness: float):
        """`guide` (h, w, 3) uint8; `smoothness` is a variance in 0..1 colours."""
        import cv2

        self.side = (2 * radius + 1,) * 2
        self.channels = red, green, blue = cv2.split(guide.astype(np.float32) / 255)
        mean = self._mean
        self.means = means = [mean(channel) for channel in self.channels]
        rr = mean(red * red) - means[0] * means[0] + smoothness
        rg = mean(red * green) - means[0] * means[1]
        rb = mean(red * blue) - means[0] * means[2]
        gg = mean(green * green) - means[1] * means[1] + smoothness
        gb = mean(green * blue) - means[1] * means[2]
        bb = mean(blue * blue) - means[2] * means[2] + smoothness
        # The inverse of the symmetric 3x3 covariance, written out.
        irr, irg, irb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
        igg, igb, ibb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
        self.inverse = (irr, irg, irb), (irg, igg, igb), (irb, igb, ibb)
        self.determinant = irr * rr + irg * rg + irb * rb

    def smooth(self, mask: np.ndarray) -> np.ndarray:
        """A map (h, w), smoothed where the picture is smooth, its edges on the picture's; float32."""
        mask, mean = mask.astype(np.float32), self._mean
        mean_mask, pairs = mean(mask), list(zip(self.channels, self.means, strict=True))
        cov = [mean(channel * mask) - middle * mean_mask for channel, middle in pairs]
        slope = [(row[0] * cov[0] + row[1] * cov[1] + row[2] * cov[2]) / self.determinant for row in self.inverse]
        offset = mean_mask - sum(a * middle for a, middle in zip(slope, self.means, strict=True))
        return sum(mean(a) * channel for a, channel in zip(slope, self.channels, strict=True)) + mean(offset)

    def _mean(self, values: np.ndarray) -> np.ndarray:
        import cv2

        return cv2.blur(values, self.side, borderType=cv2.BORDER_REFLECT)


def dilate_mask(mask: np.ndarray, pixels: float) -> np.ndarray:
    """A mask (h, w) bool dilated by a disc of a radius in pixels, exactly: no kernel artefacts, any radius."""
    import cv2

    if pixels <= 0:
        return mask
    if not mask.any():
        return mask
    if pixels < LARGEST_DISC:
        return _dilate_rows(mask, pixels)
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= pixels


def _dilate_rows(mask: np.ndarray, pixels: float) -> np.ndarray:
    """The same, row by row of the disc: OpenCV dilates by a line in a time that does not depend on its length."""
    import cv2

    lines, reach = _cut_disc(pixels)
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), reach, reach, 0, 0, cv2.BORDER_CONSTANT, value=0)
    result = np.zeros(mask.shape, np.uint8)
    for width, rows in lines:
        wide = cv2.dilate(padded, np.ones((1, width), np.uint8))
        for row in rows:
            np.bitwise_or(result, wide[row : row + len(mask)], out=result)
    return result.view(bool)


@lru_cache(maxsize=64, typed=True)
def _cut_disc(pixels: float) -> tuple[tuple[tuple[int, tuple[int, ...]], ...], int]:
    """The widths of a disc's lines, each with the rows that are so wide, and the row of its middle."""
    import cv2

    reach = int(pixels)
    outside = np.ones((2 * reach + 1,) * 2, np.uint8)
    outside[reach, reach] = 0
    disc = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= pixels
    widths = disc.sum(1).tolist()
    rows = {width: tuple(row for row, other in enumerate(widths) if other == width) for width in widths}
    return tuple(rows.items()), reach


def erode_mask(mask: np.ndarray, pixels: float) -> np.ndarray:
    """A mask (h, w) bool eroded by a disc; the border of the picture does not erode it."""
    return ~dilate_mask(~mask, pixels)


def remove_specks(mask: np.ndarray) -> np.ndarray:
    """A mask (h, w) bool without what is nowhere three pixels wide."""
    import cv2

    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0


def split_components(label: np.ndarray) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """The number of each component of `label` (h, w) uint8, 0 is none, and its rows and columns (N,), row by row."""
    flat = label.reshape(-1)
    places = np.flatnonzero(flat)
    numbers = flat.take(places)
    y, x = np.divmod(places.take(np.argsort(numbers, kind="stable")), label.shape[1])
    counts = np.bincount(numbers, minlength=256)
    stops = np.cumsum(counts)
    for number in np.flatnonzero(counts).tolist():
        part = slice(stops[number] - counts[number], stops[number])
        yield number, y[part], x[part]


def whole_pixels(colors: np.ndarray) -> np.ndarray:
    """Colors (..., C) as one value each, (...): NumPy picks out and puts back those several times faster.

    A view where the channels lie beside each other.
    """
    return colors.view(np.dtype((np.void, colors.shape[-1] * colors.itemsize)))[..., 0]


def take_pixels(picture: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The pixels (..., C) of a picture (h, w, C) at flat places (...)."""
    taken = whole_pixels(np.ascontiguousarray(picture)).reshape(-1).take(places)
    return taken.view(picture.dtype).reshape(*places.shape, picture.shape[-1])


def channel_maximum(picture: np.ndarray) -> np.ndarray:
    """The largest of the three channels of each pixel, (h, w). NumPy is slow over three values, or every third."""
    import cv2

    if picture.ndim != 3:
        return np.maximum(np.maximum(picture[..., 0], picture[..., 1]), picture[..., 2])
    red, green, blue = cv2.split(picture)
    np.maximum(red, green, out=red)
    return np.maximum(red, blue, out=red)


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


def average_colors(picture: np.ndarray, counted: np.ndarray, sigma: float) -> np.ndarray:
    """The average of a picture (h, w, 3) over the pixels `counted` (h, w) bool within some `sigma` pixels.

    It goes to black where these have less than LEAST_WEIGHT of all.
    """
    weight = counted.astype(np.float32)
    total = blur_widely(picture * weight[..., None], sigma, sigma)
    return total / np.maximum(blur_widely(weight, sigma, sigma), LEAST_WEIGHT)[..., None]


def blur_widely(values: np.ndarray, across: float, along: float) -> np.ndarray:
    """Values (h, w[, C]) smoothed by a Gaussian, `across` and `along` the columns.

    A wide one at a smaller size: its time does not grow with it.
    """
    import cv2

    sigmas = across, along
    steps = [int(sigma / WIDE_SIGMA) + 1 for sigma in sigmas]
    if max(steps) == 1:
        return cv2.GaussianBlur(values, (0, 0), sigmaX=across, sigmaY=along)
    size = values.shape[1::-1]
    smaller = tuple(-(-side // step) for side, step in zip(size, steps, strict=True))
    small = cv2.resize(values, smaller, interpolation=cv2.INTER_AREA)
    across, along = (sigma / step for sigma, step in zip(sigmas, steps, strict=True))
    smooth = cv2.GaussianBlur(small, (0, 0), sigmaX=across, sigmaY=along)
    return cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR)


def shadow_distance(picture: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """How far each pixel is from the plate in shadow, in levels (h, w).

    A shadow keeps the plate's hue and its texture: the darkening has no detail. Another object of that hue does not.
    """
    import cv2

    here, there = picture.astype(np.float32), plate.astype(np.float32)
    scale = channel_sum(here * there) / np.maximum(channel_sum(np.square(there)), 1)
    hue = channel_norm(here - scale.clip(SHADOW, 1)[..., None] * there)
    fine = scale - cv2.blur(scale, (3, 3))
    texture = np.sqrt(np.maximum(cv2.blur(fine * fine, (3, 3)), 0)) * (channel_sum(there) / 3)
    return hue + SHADOW_TEXTURE * np.maximum(texture - SHADOW_NOISE, 0)


def cut_by_color(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What of a picture (h, w, 3) uint8 is foreground by color and edges, (h, w) bool; GrabCut's (Rother et al. 2004).

    `labels` (h, w) uint8 are OpenCV's, certain and probable ones, and are changed. The same picture gives the same cut.
    """
    import cv2

    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # its mixture models start from random clusters
    cv2.grabCut(picture, labels, None, *models, 2, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
