"""The noise of the source, given back to what is filled."""

from __future__ import annotations

import numpy as np

from .filters import channel_sum


GRAIN_BINS = 8  # brightness classes in which the noise of the source is measured
GRAIN_TILE = 256  # pixels of a side: larger than the noise can be seen to repeat


class Grain:
    """The noise of the source, measured against the background, and given back to what is filled."""

    def __init__(self):
        self._variances = [[] for _ in range(GRAIN_BINS)]
        self._correlations = []
        self._tile = None

    def measure(self, picture: np.ndarray, background: np.ndarray, usable: np.ndarray) -> None:
        """Learn from a frame (h, w, 3) and the noise-free background behind it where `usable` (h, w) bool."""
        residual = channel_sum(picture.astype(np.float32) - background) / 3
        height, width = (side // 8 * 8 for side in residual.shape)
        blocks = residual[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2).reshape(-1, 8, 8)
        whole = usable[:height, :width].reshape(height // 8, 8, width // 8, 8).all((1, 3)).reshape(-1)
        blocks = blocks[whole] - blocks[whole].mean((1, 2), keepdims=True)
        light = background[:height, :width].mean(-1).reshape(height // 8, 8, width // 8, 8).mean((1, 3)).reshape(-1)
        variance = np.square(blocks).mean((1, 2))
        # A misaligned background differs by more than noise: the frame's own fine variation is the limit.
        own = _split_blocks(_fine_variance(picture))[whole]
        shelf = (light[whole] * GRAIN_BINS / 256).astype(int)
        for number in np.unique(shelf):
            # The calm quarter: in the others the background itself moves, or is misaligned.
            calm = float(np.percentile(variance[shelf == number], 25))
            self._variances[number].append(min(calm, float(np.percentile(own[shelf == number], 25))))
        total = variance.sum()
        if total > 0:
            self._correlations.append(float((blocks[:, :, 1:] * blocks[:, :, :-1]).mean() / np.square(blocks).mean()))

    def sample_noise(self, picture: np.ndarray, frame: int, box) -> np.ndarray:
        """Noise (h, w, 1) for a filled picture (h, w, 3), another for every frame."""
        if not self._correlations:
            return np.zeros((*picture.shape[:2], 1), np.float32)
        if self._tile is None:
            self._levels, self._tile = self._sigma(), self._noise()  # the tile last: other threads look for it
        rows, columns = np.arange(box[1], box[3]), np.arange(box[0], box[2])
        shift = np.random.default_rng(frame).integers(GRAIN_TILE, size=2)
        tile = self._tile[np.ix_((rows + shift[0]) % GRAIN_TILE, (columns + shift[1]) % GRAIN_TILE)]
        shelf = (channel_sum(picture) / 3 * (GRAIN_BINS / 256)).astype(int).clip(0, GRAIN_BINS - 1)
        return (tile * self._levels[shelf])[..., None]

    def _sigma(self) -> np.ndarray:
        known = [number for number, values in enumerate(self._variances) if values]
        sigma = [np.sqrt(np.median(self._variances[number])) for number in known]
        return np.interp(np.arange(GRAIN_BINS), known, sigma).astype(np.float32)

    def _noise(self) -> np.ndarray:
        """White noise smoothed to the neighbour correlation of the source, variance 1."""
        import cv2

        correlation = float(np.clip(np.median(self._correlations), 0, 0.7))
        side = 0.0 if correlation < 0.02 else (1 - np.sqrt(1 - 2 * correlation**2)) / (2 * correlation)
        kernel = np.array([side, 1.0, side])
        white = np.random.default_rng(0).standard_normal((GRAIN_TILE, GRAIN_TILE)).astype(np.float32)
        noise = cv2.sepFilter2D(white, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)
        return noise / noise.std()


def _fine_variance(picture: np.ndarray) -> np.ndarray:
    """The variance (h, w) of the noise around each pixel of a picture (h, w, 3), were the picture itself a plane.

    The difference of two Laplacians of Immerkaer, "Fast Noise Variance Estimation" (CVIU 1996).
    """
    import cv2

    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
    variance = cv2.blur(np.square(cv2.filter2D(channel_sum(picture.astype(np.float32)) / 3, -1, kernel)), (8, 8))
    return np.maximum(variance, 0)  # running sums end a little below it where a picture is flat


def _split_blocks(values: np.ndarray) -> np.ndarray:
    """The means (N,) of the whole blocks of 8x8 of values (h, w), row by row."""
    height, width = (side // 8 * 8 for side in values.shape)
    return values[:height, :width].reshape(height // 8, 8, width // 8, 8).mean((1, 3)).reshape(-1)
