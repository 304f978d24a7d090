"""How things look: colour histograms, one per patch of the body or one for a whole thing."""

from __future__ import annotations

import numpy as np


# Set with the appearance model, on the tuning shots 6-17 and 30-35, 2026-11-23.
COLOR_LEVELS = 16  # per channel
HISTOGRAM_BINS = COLOR_LEVELS**3  # of a histogram
BIN_VOLUME = (256 / COLOR_LEVELS) ** 3  # colours in a bin: densities are per colour
LEVEL_BLUR = (0.25, 0.5, 0.25)  # across neighbouring levels: shading changes
EVEN_SHARE = 0.03  # share of a flat distribution: a colour never seen is improbable, not impossible
PATCH_WEIGHT = 25.0  # pixels after which a patch is trusted over the whole body
COARSE_LEVELS = 8  # levels per channel for counting in how many frames a colour was there
RARE_SHARE, USUAL_SHARE = 0.15, 0.5  # a colour seen in fewer frames is not the patch's own; in more, it is
PART_SHARE = 0.02  # share of a body part that a colour covers to be one of its colours
ENOUGH_FRAMES = 5  # frames before rarity means anything


def bins_of(picture: np.ndarray) -> np.ndarray:
    """The colour bin of each pixel of a picture (..., 3) uint8, int32."""
    level = (picture >> 4).astype(np.int32)
    return (level[..., 0] * COLOR_LEVELS + level[..., 1]) * COLOR_LEVELS + level[..., 2]


class ColorHistograms:
    """Colour histograms of `patches` places, which share what they know: a patch seen little looks like the whole."""

    def __init__(self, patches: int = 1, neighbors: np.ndarray | None = None):
        """`neighbours` (patches, N) are the patches around each, itself included; needed for `usual`."""
        self.counts = np.zeros((patches, HISTOGRAM_BINS), np.float32)
        self._density = self._usual = self._own = None
        self._neighbors = neighbors
        if neighbors is not None:
            self._present = np.zeros((patches, COARSE_LEVELS**3), np.int32)
            self._frames = np.zeros(patches, np.int32)

    def add(self, bins: np.ndarray, patches: np.ndarray | int = 0) -> None:
        """Count colour bins (N,) of pixels on `patches` (N,)."""
        flat = (np.asarray(patches, np.int64) * HISTOGRAM_BINS + bins).reshape(-1)
        places, counted = np.unique(flat, return_counts=True)
        self.counts.reshape(-1)[places] += counted
        self._density = self._usual = self._own = None
        if self._neighbors is not None:
            patch, color = np.divmod(places, HISTOGRAM_BINS)
            coarse = np.zeros((len(self.counts), COARSE_LEVELS**3), np.int64)
            np.add.at(coarse, (patch, _coarse_bins(color)), counted)
            shown = np.flatnonzero(coarse.any(0))
            present = coarse[:, shown][self._neighbors].sum(1) > 2
            self._present[:, shown] += present
            self._frames += present.any(1)

    @property
    def is_taught(self) -> bool:
        """Whether any color was counted."""
        return bool(self.counts.any())

    def usual(self) -> np.ndarray:
        """How far each colour belongs to each patch, (patches, BINS) in 0 to 1.

        What passes in front of a patch is there for a few frames; the patch's own colours nearly always are.
        """
        if self._usual is not None:
            return self._usual
        share = self._present / np.maximum(self._frames, 1)[:, None]
        share = np.where(self._frames[:, None] < ENOUGH_FRAMES, 1.0, share)
        own = ((share - RARE_SHARE) / (USUAL_SHARE - RARE_SHARE)).clip(0.02, 1).astype(np.float32)
        level = np.arange(COLOR_LEVELS) * COARSE_LEVELS // COLOR_LEVELS
        fine = own.reshape(-1, COARSE_LEVELS, COARSE_LEVELS, COARSE_LEVELS)
        self._usual = fine[:, level][:, :, level][:, :, :, level].reshape(self.counts.shape)
        return self._usual

    def has(self, bins: np.ndarray, patches: np.ndarray) -> np.ndarray:
        """Whether any of some patches usually shows a colour, bool like `bins` (N,)."""
        if self._own is None:
            self._own = self.counts * self.usual()
        counts = self._own[patches].sum(0)
        coarse = _coarsen(counts[None])[0]
        return coarse[_coarse_bins(bins)] > PART_SHARE * max(coarse.sum(), 1)

    def log_density(self, bins: np.ndarray, patches: np.ndarray | int = 0) -> np.ndarray:
        """Log probability density over RGB of colour bins (...) on patches (...), float32."""
        if self._density is None:
            self._density = np.log(self._mixture() / BIN_VOLUME).astype(np.float32)
        return self._density[patches, bins]

    def log_density_of_all(self, bins: np.ndarray) -> np.ndarray:
        """Log probability density of colour bins (...) over all patches together, float32."""
        counts = self.counts if self._neighbors is None else self.counts * self.usual()
        whole = _blur_histograms(counts.sum(0, keepdims=True))[0]
        return np.log(
            ((1 - EVEN_SHARE) * whole / max(whole.sum(), 1e-6) + EVEN_SHARE / HISTOGRAM_BINS) / BIN_VOLUME
        ).astype(np.float32)[bins]

    def _mixture(self) -> np.ndarray:
        counts = self.counts if self._neighbors is None else self.counts * self.usual()
        whole = _blur_histograms(counts.sum(0, keepdims=True))
        whole = whole / max(whole.sum(), 1e-6)
        own = _blur_histograms(counts)
        mixed = (own + PATCH_WEIGHT * whole) / (own.sum(1, keepdims=True) + PATCH_WEIGHT)
        return (1 - EVEN_SHARE) * mixed + EVEN_SHARE / HISTOGRAM_BINS


def _coarse_bins(bins: np.ndarray) -> np.ndarray:
    """The bin with COARSE levels a channel of each color bin."""
    level = bins >> 8, bins >> 4 & 15, bins & 15
    red, green, blue = (values * COARSE_LEVELS // COLOR_LEVELS for values in level)
    return (red * COARSE_LEVELS + green) * COARSE_LEVELS + blue


def _coarsen(counts: np.ndarray) -> np.ndarray:
    """Histograms (N, BINS) with COARSE levels a channel."""
    step = COLOR_LEVELS // COARSE_LEVELS
    return (
        counts.reshape(-1, COARSE_LEVELS, step, COARSE_LEVELS, step, COARSE_LEVELS, step)
        .sum((2, 4, 6))
        .reshape(len(counts), -1)
    )


def _blur_histograms(counts: np.ndarray) -> np.ndarray:
    """Histograms (N, BINS) blurred along each channel."""
    cube = counts.reshape(-1, COLOR_LEVELS, COLOR_LEVELS, COLOR_LEVELS)
    for axis in (1, 2, 3):
        side, middle, _ = LEVEL_BLUR
        blurred = middle * cube
        lower = np.take(cube, [0, *range(COLOR_LEVELS - 1)], axis)
        upper = np.take(cube, [*range(1, COLOR_LEVELS), COLOR_LEVELS - 1], axis)
        cube = blurred + side * (lower + upper)
    return cube.reshape(counts.shape)
