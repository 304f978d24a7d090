"""Which pieces of what moves are balls: whatever colors they share with somebody else, they are nobody's body."""

from __future__ import annotations

import numpy as np

from .filters import dilate_mask, erode_mask


# Of the squared body height: a tennis ball covers 1.2e-3 of it, a basketball 1.5e-2.
SMALLEST_BALL, LARGEST_BALL = 1e-3, 2e-2
ROUND_SHARE = 0.5  # of the square around it that it fills: a whole ball 0.79, a ball behind a toe less, a leg 0.3
BALL_GAP = 0.025  # of the body height: gaps so wide in a ball belong to it, as to any object


def find_balls(moving: np.ndarray, body_height: float) -> np.ndarray:
    """The pieces of what moves, (h, w) bool, that are as round and as large as a ball, with the gaps in them."""
    import cv2

    gap = BALL_GAP * body_height
    closed = erode_mask(dilate_mask(moving, gap), gap).astype(np.uint8)
    _, label, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    area, side = stats[:, cv2.CC_STAT_AREA], stats[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(1)
    is_ball = (area > SMALLEST_BALL * body_height**2) & (area < LARGEST_BALL * body_height**2)
    is_ball &= area > ROUND_SHARE * side**2
    is_ball[0] = False
    return is_ball[label]
