"""What stands still in the scene around the person, whatever the plate shows there.

Where somebody walks away the plate may show what was behind them only in other frames, or a companion who came there
later. Then ground and bystanders differ from it and look like something that moves. The frames shortly before and after
show them at the same place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .carried_things import FEWEST_COMPARED, find_unsteady, list_compared


if TYPE_CHECKING:
    from ..geometry.box import Box
    from .first_guess import WorkingClip

SPECK_SIDE = 5  # pixels: smaller places that seem to hold still are parts of what moves


def find_still(working: WorkingClip, frame: int, box: Box) -> np.ndarray:
    """Where a frame shows within `box` what most others before and after show there, too, (h, w) bool.

    Nothing where too few of them show the place without the person.
    """
    import cv2

    others = list_compared(working.path, frame, float(working.clip.fps))
    if len(others) < FEWEST_COMPARED:
        return np.zeros((box.height, box.width), bool)
    pictures, soft = working.pictures.__getitem__, working.soft.__getitem__
    unsteady, known, _ = find_unsteady(pictures, soft, working.path, frame, others, box)
    return cv2.medianBlur((known & ~unsteady).astype(np.uint8), SPECK_SIDE) > 0


def trim_still(passes: np.ndarray, still: np.ndarray, least: float = 0) -> np.ndarray:
    """What passes (h, w) bool without the parts of its rim, of `least` pixels, that hold `still` (h, w) bool.

    What does so inside it is an even part of a thing that moves.
    """
    import cv2

    gone = passes & still
    count, label = cv2.connectedComponents(gone.astype(np.uint8), connectivity=4)
    outside = cv2.dilate((~passes).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    is_rim = np.bincount(label[gone & outside], minlength=count) > 0
    is_rim &= np.bincount(label.reshape(-1), minlength=count) >= least
    is_rim[0] = False
    return passes & ~is_rim[label]
