"""Black bars around the picture of a film, above and below or at the sides: found, cut off, and put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..geometry.box import Box
from .clip import Clip, Masks


# The bars of two films found on the web stay below 4, black stages and night skies are not as even (2026-11-28).
BLACK = 24  # brightest level of a bar
EVEN_LEVELS = 16  # by which the pixels of a bar differ at most, over the clip
ODD_SHARE = 0.005  # of the pixels of a row that may differ more: errors of compression
LEAST_BAR = 0.02  # of the side: less is the rim of a capture
LEAST_PICTURE = 0.3  # of either side
PICTURE_LEVEL = 48  # what becomes brighter is no bar,
# and of a row beside a bar at least so much is, in the mean over frames: a bar ends at a straight edge, in every frame.
PICTURE_SHARE = 0.35
RIM = 0.02  # of the side: in so many rows the picture has begun, since scaling and compression soften its edge
MIXED = 0.7  # of the brightness of the next row: a row that is darker is half bar
SAMPLED_FRAMES = 24

Layer = TypeVar("Layer", Clip, Masks)


def find_picture(clip: Clip, ask: Callable[[], None] = lambda: None) -> Box | None:
    """Where the picture lies between even black bars that stand for the whole clip; None where there are none.

    Where the first frame has no dark rim, no other frame is read. `ask()` is called after each; it may raise.
    """
    first = clip[0].max(-1)
    ask()
    if not _has_dark_rim(first):
        return None
    levels = _Levels(first)
    for frame in np.unique(np.linspace(0, len(clip) - 1, SAMPLED_FRAMES).astype(int))[1:].tolist():
        levels.add(clip[frame].max(-1))
        ask()
        if not _has_dark_rim(levels.brightest):
            return None
    top, bottom = _measure_bars(levels.brightest, levels.rows)
    left, right = _measure_bars(levels.brightest[top : len(levels.rows) - bottom].T, levels.columns)
    picture = Box(left, top, clip.width - right, clip.height - bottom)
    is_whole = picture == (0, 0, clip.width, clip.height)
    is_small = picture.width < LEAST_PICTURE * clip.width or picture.height < LEAST_PICTURE * clip.height
    return None if is_whole or is_small else picture


class _Levels:
    """How bright pictures (H, W) uint8 become: each pixel, and the mean bright share of every row and column."""

    def __init__(self, first: NDArray):
        self.brightest, self.frames = np.zeros_like(first), 0
        self.rows, self.columns = np.zeros(first.shape[0]), np.zeros(first.shape[1])
        self.add(first)

    def add(self, level: NDArray) -> None:
        self.brightest, is_bright = np.maximum(self.brightest, level), level > PICTURE_LEVEL
        self.frames += 1
        self.rows += (is_bright.mean(1) - self.rows) / self.frames
        self.columns += (is_bright.mean(0) - self.columns) / self.frames


def _has_dark_rim(level: NDArray) -> bool:
    """Whether a row or column beside one of the edges of a picture (H, W) uint8 is black."""
    rims = (level[0], level[-1], level[:, 0], level[:, -1])
    return any((rim > BLACK).mean() <= ODD_SHARE for rim in rims)


def _measure_bars(brightest: NDArray, shares: NDArray) -> tuple[int, int]:
    """Rows of the bars at the top and at the bottom, by levels (H, W) uint8 and bright shares (H,) of the rows."""
    return _measure_bar(brightest, shares), _measure_bar(brightest[::-1], shares[::-1])


def _measure_bar(brightest: NDArray, shares: NDArray) -> int:
    """Rows of the bar at the top, 0 for none."""
    height = len(brightest)
    rim = max(2, round(RIM * height))
    is_picture = (brightest > np.minimum(BLACK, np.median(brightest[0]) + EVEN_LEVELS)).mean(1) > ODD_SHARE
    rows = int(is_picture.argmax()) if is_picture.any() else height
    if rows < max(2, LEAST_BAR * height) or shares[rows : rows + rim].max(initial=0) < PICTURE_SHARE:
        return 0
    means = brightest[rows : rows + rim + 1].astype(np.float32).mean(1)
    return rows + int(np.append(means[:-1] >= MIXED * means[1:], True).argmax())


def crop_layer(layer: Layer, box: Box) -> Layer:
    """The part of the frames of a clip or of masks inside `box`, cut when it is read."""
    return replace(layer, source=_Cropped(layer.source, box))


def pad_masks(masks: Masks, box: Box, height: int, width: int, value: int = 0) -> Masks:
    """Masks of the size of `box` in a frame of `height` x `width`, with `value` around them."""
    return Masks(_Padded(masks.source, box, (height, width), value))


class _Cropped:
    def __init__(self, source, box: Box):
        self.source, self.box, self.shape = source, box, (box.height, box.width, *source.shape[2:])

    def __len__(self):
        return len(self.source)

    def read(self, start, stop):
        return (np.ascontiguousarray(self.box.cut(frame)) for frame in self.source.read(start, stop))


class _Padded:
    def __init__(self, source, box: Box, shape: tuple[int, int], value: int):
        self.source, self.box, self.shape, self.value = source, box, shape, value

    def __len__(self):
        return len(self.source)

    def read(self, start, stop):
        for mask in self.source.read(start, stop):
            padded = np.full(self.shape, self.value, np.uint8)
            self.box.cut(padded)[:] = mask
            yield padded
