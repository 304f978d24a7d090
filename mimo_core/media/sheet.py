"""Contact sheets: a clip at a glance."""

from collections.abc import Sequence

import numpy as np


SHEET_GAP = 4  # pixels between the pictures


def draw_contact_sheet(rows: Sequence[Sequence[np.ndarray]], height: int = 240) -> np.ndarray:
    """Rows of pictures (H, W, 3) uint8, each scaled to `height`, on white."""
    import cv2

    strips = []
    for row in rows:
        scaled = [
            cv2.resize(p, (round(p.shape[1] * height / p.shape[0]), height), interpolation=cv2.INTER_AREA) for p in row
        ]
        gap = np.full((height, SHEET_GAP, 3), 255, np.uint8)
        strips.append(np.hstack([piece for picture in scaled for piece in (picture, gap)][:-1]))
    width = max(strip.shape[1] for strip in strips)
    padded = [np.pad(s, ((0, SHEET_GAP), (0, width - s.shape[1]), (0, 0)), constant_values=255) for s in strips]
    return np.vstack(padded)[:-SHEET_GAP]


def sample_frames(count: int, length: int) -> list[int]:
    """`count` frame numbers spread evenly over a clip of `length` frames, or all if there are fewer."""
    return sorted({round(position) for position in np.linspace(0, length - 1, min(count, length))})
