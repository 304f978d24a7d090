"""Black where a frame has no picture, as stabilizing or cutting out leaves it: nothing that lies behind the person."""

from __future__ import annotations

import numpy as np

from .pixel_samples import BackgroundSamples


VOID_LEVELS = 6  # black of a compressed clip stays below
VOID_SHARE = 1e-3  # of a frame: smaller black spots at its border are dark things
VOID_RIM = 5  # pixels: resampling and compression blur the edge of an area over half of it
CLEAR_LEVELS = 24  # what is brighter than this is no black
SHOWN_SHARE = 0.2  # of a black area is seen as something else in other frames: then all of it is no picture


class VoidSamples:
    """Where the frames of a canvas are black up to their border, and whether that is their picture."""

    def __init__(self, shape: tuple[int, int]):
        self.black = np.zeros(shape, bool)  # on the canvas, where any frame is

    def find(self, source: np.ndarray) -> np.ndarray | None:
        """Black areas (H, W) uint8 0 or 1 that reach the border of a frame (H, W, 3) uint8; None without any."""
        import cv2

        dark = cv2.inRange(source, (0, 0, 0), (VOID_LEVELS,) * 3)
        least = VOID_SHARE * dark.size
        if not dark[[0, -1]].any() and not dark[:, [0, -1]].any() or cv2.countNonZero(dark) < least:
            return None
        dark = cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        count, parts, boxes, _ = cv2.connectedComponentsWithStats(dark)
        at_border = np.zeros(count, bool)
        for edge in (parts[0], parts[-1], parts[:, 0], parts[:, -1]):
            at_border[edge] = True
        kept = at_border & (boxes[:, cv2.CC_STAT_AREA] >= least)
        kept[0] = False
        return cv2.dilate(kept[parts].astype(np.uint8), np.ones((VOID_RIM,) * 2)) if kept.any() else None

    def remove_from(self, samples: BackgroundSamples) -> None:
        """Forget the samples of rank 0, which are black, in areas that other frames show to be something else."""
        import cv2

        if not self.black.any():
            return
        count, parts = cv2.connectedComponents(self.black.astype(np.uint8))
        shown = self.black & (samples.rank > 0) & (samples.samples[0].max(-1) > CLEAR_LEVELS)
        area, clear = (np.bincount(parts[mask], minlength=count) for mask in (self.black, shown))
        is_void = clear >= SHOWN_SHARE * np.maximum(area, 1)
        samples.count[self.black & (samples.rank == 0) & is_void[parts]] = 0
