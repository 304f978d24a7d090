"""Other people in the background: what nobody saw behind the person is not continued from them."""

from __future__ import annotations

import numpy as np

from .filters import dilate_mask


# Of the landmark network, on what the detector found in the backgrounds of twelve real clips, 2026-11-28: people half
# hidden behind the person have 0.95 and more, clouds and shelves 0.55 and less.
SURE_SCORE = 0.8
FAINT_BODY = 38  # mask value from which on somebody is there
BODY_RIM = 0.04  # of the longer side of somebody's mask: hair and clothes reach so far beyond it


def find_bystanders(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where people stand in what is `known` (h, w) bool of a background (h, w, 3) uint8; (h, w) bool.

    The rest of the picture should be soft.
    """
    from ..pose.blazepose import load_blazepose

    networks, people = load_blazepose(), np.zeros(known.shape, bool)
    for detection in networks.detect_in_tiles(picture):
        first = networks.find_landmarks(picture, detection.region)
        second = networks.find_landmarks(picture, first.next_region)  # as sharp as when somebody is followed
        pose = max(first, second, key=lambda found: found.score)
        body = pose.warp_mask(*known.shape[::-1]) > FAINT_BODY
        if pose.score >= SURE_SCORE and body.any():
            sides = (np.ptp(np.flatnonzero(body.any(axis))) for axis in (0, 1))
            people |= dilate_mask(body, BODY_RIM * max(sides))
    return people & known
