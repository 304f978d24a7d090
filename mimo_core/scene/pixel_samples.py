"""Samples of every background pixel from the frames in which it was free."""

from __future__ import annotations

import numpy as np

from .canvas import BackgroundCanvas


PIXEL_SAMPLES = 11  # kept per pixel


class BackgroundSamples:
    """Up to SAMPLES colours of each canvas pixel, a fair draw from all frames that showed it."""

    def __init__(self, canvas: BackgroundCanvas, *, is_joint: bool = False):
        """With `is_joint` pixels that were free in the same frames keep the same ones: frames may differ in light."""
        self.is_joint = is_joint
        width, height = canvas.size
        self.samples = np.zeros((PIXEL_SAMPLES, height, width, 3), np.uint8)
        self.count = np.zeros((height, width), np.int32)
        self.is_sure = np.zeros((height, width), bool)  # a sure sample was taken in: no others are kept

    def add(self, picture: np.ndarray, free: np.ndarray, frame: int, sure: np.ndarray | None = None) -> None:
        """Take in a picture (h, w, 3) of the canvas where `free` (h, w) bool.

        Where it is `sure` (h, w) bool too, it takes the place of samples that were not.
        """
        if sure is not None:
            sure = free & sure
            self.count[sure & ~self.is_sure] = 0
            self.is_sure |= sure
            free = sure | (free & ~self.is_sure)
        pixels = np.flatnonzero(free)
        if not len(pixels):
            return
        count = self.count.reshape(-1)
        seen = count[pixels]
        # Reservoir sampling: the n-th colour of a pixel replaces one of K kept ones with probability K / n.
        random = np.random.default_rng(frame).random(1 if self.is_joint else len(pixels), np.float32)
        slot = np.where(seen < PIXEL_SAMPLES, seen, (random * (seen + 1)).astype(np.int32))
        count[pixels] += 1
        kept = slot < PIXEL_SAMPLES
        flat = self.samples.reshape(-1, 3)
        flat[slot[kept].astype(np.int64) * len(count) + pixels[kept]] = picture.reshape(-1, 3)[pixels[kept]]

    def median(self) -> np.ndarray:
        """The middle colour of each pixel, (h, w, 3) uint8; black where it was never free."""
        kept = np.minimum(self.count, PIXEL_SAMPLES).reshape(-1)
        flat = self.samples.reshape(PIXEL_SAMPLES, -1, 3)
        result = np.zeros((len(kept), 3), np.uint8)
        for number in range(1, PIXEL_SAMPLES + 1):
            pixels = np.flatnonzero(kept == number)
            for part in np.array_split(pixels, len(pixels) // 100_000 + 1):
                ordered = np.sort(flat[:number, part], axis=0)
                middle = ordered[(number - 1) // 2].astype(np.uint16) + ordered[number // 2] + 1
                result[part] = middle // 2
        return result.reshape(*self.count.shape, 3)
