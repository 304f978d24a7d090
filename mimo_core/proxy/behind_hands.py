"""Hair that hands hide on the picture: a hand raised to the head leaves no hole in it once it has moved away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..identity.push_pull import push_pull


BRIDGED = 0.2  # of the head's height: hands between hair and hair up to this wide are bridged
HAND_RIM = 3  # pixels beside the fitted hands that show them, too
BESIDE_HEAD = 0.6  # of its height: how far from the head hair is looked for
FADE = 3.0  # pixels over which hair ends where a hand hid its end


def find_hair_behind_hands(missing: NDArray, head: NDArray, hands: NDArray) -> tuple[NDArray, NDArray]:
    """What of the hair is behind `hands`, and what of the missing pieces are fingers, (H, W) bool both.

    `missing` (H, W) bool is what the body leaves of the figure, `head` (H, W) bool is what is seen of the head.
    """
    import cv2

    nothing = np.zeros_like(missing)
    rows = np.flatnonzero(head.any(1))
    if not len(rows) or not hands.any():
        return nothing, nothing
    height = np.ptp(rows) + 1
    around = _grow(head, BESIDE_HEAD * height)
    near = _grow(hands, HAND_RIM) & around
    if not near.any():
        return nothing, nothing
    clear = (missing & around & ~_grow(hands, 1)).astype(np.uint8)
    known = head | (cv2.morphologyEx(clear, cv2.MORPH_OPEN, np.ones((3, 3))) > 0)  # rims of fingers are thin
    radius = max(1, round(BRIDGED * height / 2)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    padded = np.pad(known.astype(np.uint8), 2 * radius)
    whole = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[2 * radius : -2 * radius, 2 * radius : -2 * radius] > 0
    return whole & near & (hands | missing), missing & near & ~whole


def paint_behind_hands(
    colors: NDArray, alpha: NDArray, figure: NDArray, hair: NDArray, hidden: NDArray
) -> tuple[NDArray, NDArray]:
    """Colors (S, S, 3) and alpha (S, S) with hair where hands hide it.

    `figure` (H, W) bool is the body with its hair, on the picture's grid or a coarser one, `hair` (H, W) bool what lies
    beside the body, `hidden` (H, W) bool what hands hide.
    """
    import cv2

    side = hair.shape[::-1]
    small = cv2.resize(colors, side, interpolation=cv2.INTER_AREA)
    continued = push_pull(small, hair & ~hidden)
    share, shape = (
        cv2.resize(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), width), colors.shape[1::-1])
        for mask, width in ((_grow(hidden, 1), FADE / 4), (figure, FADE / 2))
    )
    painted = cv2.resize(continued, colors.shape[1::-1])
    near = cv2.resize(_grow(hidden, 2 * HAND_RIM).astype(np.float32), colors.shape[1::-1])
    ends = (alpha * np.clip(2 * shape - 0.5, 0, 1) + 0.5).astype(np.uint8)
    return colors * (1 - share[..., None]) + painted * share[..., None], np.where(near > 0.5, ends, alpha)


def _grow(mask: NDArray, pixels: float) -> NDArray:
    import cv2

    size = 2 * max(1, round(pixels)) + 1
    return cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))) > 0
