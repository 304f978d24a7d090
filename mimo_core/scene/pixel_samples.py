"""Samples of every background pixel from the frames in which it was free."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ..geometry.box import Box
from .canvas import BackgroundCanvas
from .filters import whole_pixels


PIXEL_SAMPLES = 11  # kept per pixel
SORTED_AT_ONCE = 20_000  # pixels, whose samples fit the processor's cache


class BackgroundSamples:
    """Up to SAMPLES colours of each canvas pixel, a fair draw from all frames that showed it."""

    def __init__(self, canvas: BackgroundCanvas, *, is_joint: bool = False):
        """With `is_joint` pixels that were free in the same frames keep the same ones: frames may differ in light."""
        self.is_joint = is_joint
        width, height = canvas.size
        self.samples = np.zeros((PIXEL_SAMPLES, height, width, 3), np.uint8)
        self.count = np.zeros((height, width), np.int32)
        self.rank = np.zeros((height, width), np.uint8)  # of the samples that are kept

    def add(
        self,
        picture: np.ndarray,
        free: np.ndarray,
        frame: int,
        rank: np.ndarray | None = None,
        part: Box | None = None,
    ) -> None:
        """Take in a picture (h, w, 3) of the canvas, or of a `part` of it, where `free` (h, w) bool.

        Samples of a higher `rank` (h, w) uint8 take the place of those of a lower one.
        """
        part = part or Box(0, 0, *self.count.shape[::-1])
        if rank is not None:
            known, counted = part.cut(self.rank), part.cut(self.count)
            better = free & (rank > known)
            counted[better] = 0
            known[better] = rank[better]
            free = free & (rank == known)
        places = np.flatnonzero(free)
        if not len(places):
            return
        rows, columns = np.divmod(places, part.width)
        pixels = (rows + part.top) * self.count.shape[1] + columns + part.left
        count = self.count.reshape(-1)
        slot = seen = count.take(pixels)
        if seen.max() >= PIXEL_SAMPLES:
            # Reservoir sampling: the n-th colour of a pixel replaces one of K kept ones with probability K / n.
            random = np.random.default_rng(frame).random(1 if self.is_joint else len(pixels), np.float32)
            slot = np.where(seen < PIXEL_SAMPLES, seen, (random * (seen + 1)).astype(np.int32))
        count[pixels] = seen + 1
        kept = np.flatnonzero(slot < PIXEL_SAMPLES)
        slot, pixels = slot.take(kept), pixels.take(kept)
        colors = whole_pixels(np.ascontiguousarray(picture)).reshape(-1).take(places.take(kept))
        whole_pixels(self.samples).reshape(-1)[slot.astype(np.int64) * len(count) + pixels] = colors

    def median(self) -> np.ndarray:
        """The middle colour of each pixel, (h, w, 3) uint8; black where it was never free."""
        return self._pick(_find_middle)

    def bright(self) -> np.ndarray:
        """The same of a bright colour, which a tenth of the samples exceed in each channel."""
        return self._pick(_find_bright)

    def _pick(self, choose: Callable[[list[np.ndarray]], np.ndarray]) -> np.ndarray:
        kept = np.minimum(self.count, PIXEL_SAMPLES).reshape(-1)
        samples = whole_pixels(self.samples).reshape(PIXEL_SAMPLES, -1)
        result = np.zeros((len(kept), 3), np.uint8)
        colors = whole_pixels(result)
        for number in range(1, PIXEL_SAMPLES + 1):
            pixels = np.flatnonzero(kept == number)
            for part in np.array_split(pixels, len(pixels) // SORTED_AT_ONCE + 1):
                chosen = choose([layer.take(part).view(np.uint8) for layer in samples[:number]])
                colors[part] = whole_pixels(chosen.reshape(-1, 3))
        return result.reshape(*self.count.shape, 3)


def _find_middle(layers: list[np.ndarray]) -> np.ndarray:
    """The middle of K values at every place, layers (N,) uint8 that are changed; of an even number, the mean of two."""
    _sort_layers(layers)
    middle = layers[(len(layers) - 1) // 2].astype(np.uint16) + layers[len(layers) // 2] + 1
    return (middle // 2).astype(np.uint8)


def _find_bright(layers: list[np.ndarray]) -> np.ndarray:
    """The value of K that a tenth of them exceed at every place, layers (N,) uint8 that are changed."""
    _sort_layers(layers)
    return layers[(9 * len(layers) - 1) // 10]


def _sort_layers(layers: list[np.ndarray]) -> None:
    """Sort K values at every place, layers (N,) uint8, by a network of comparisons.

    `np.sort` over a short axis takes ten times as long.
    """
    for one, other in list_comparisons(len(layers)):
        lower = np.minimum(layers[one], layers[other])
        np.maximum(layers[one], layers[other], out=layers[other])
        layers[one] = lower


@lru_cache(maxsize=PIXEL_SAMPLES)
def list_comparisons(count: int) -> tuple[tuple[int, int], ...]:
    """Pairs of places in a list whose values are put in order one after another to sort it all (Batcher 1968)."""
    pairs, merged = [], 1
    while merged < count:
        step = merged
        while step:
            for start in range(step % merged, count - step, 2 * step):
                near = range(start, min(start + step, count - step))
                pairs += [(at, at + step) for at in near if at // (2 * merged) == (at + step) // (2 * merged)]
            step //= 2
        merged *= 2
    return tuple(pairs)
