"""Rectangles of pixels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Box(NamedTuple):
    """A rectangle of pixels.

    Convention: x right, y down, right and bottom exclusive, so Box(1, 2, 4, 6) is 3 pixels wide and 4 high.
    """

    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of_mask(cls, mask: NDArray, margin: int = 0) -> Box | None:
        """The smallest box around what is not zero in a mask (H, W), or None if nothing is.

        `margin` pixels are added on every side, as far as the mask reaches.
        """
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            return None
        box = cls(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        return box.expanded(margin, margin, *mask.shape)

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def area(self) -> int:
        return self.width * self.height

    def cut(self, picture: NDArray) -> NDArray:
        """The part of a picture (H, W, ...) inside, as a view (height, width, ...)."""
        return picture[self.top : self.bottom, self.left : self.right]

    def union(self, other: Box) -> Box:
        """The smallest box around both."""
        low = (min(self.left, other.left), min(self.top, other.top))
        return Box(*low, max(self.right, other.right), max(self.bottom, other.bottom))

    def expanded(self, across: int, down: int, height: int, width: int) -> Box:
        """Larger by `across` pixels at each side, `down` above and below, inside a frame of `height` x `width`."""
        low = (max(self.left - across, 0), max(self.top - down, 0))
        return Box(*low, min(self.right + across, width), min(self.bottom + down, height))

    def scaled(self, across: float, down: float, height: int, width: int) -> Box:
        """The same place in a picture of `height` x `width`, `across` times as wide and `down` times as high."""
        low = (round(self.left * across), round(self.top * down))
        return Box(*low, min(round(self.right * across), width), min(round(self.bottom * down), height))


def mask_height(mask: NDArray) -> int:
    """Rows from the first to the last in which a mask (H, W) is not zero; 0 if it is empty."""
    rows = np.flatnonzero(mask.any(1))
    return int(rows[-1] - rows[0] + 1) if len(rows) else 0
