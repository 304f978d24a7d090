"""Masks that select the background: ComfyUI's Load Image gives what is transparent, not what is shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


BORDER = 0.02  # of a side: the outermost pixels
BORDER_SHARE = 0.75  # of the border that a mask of the background covers; half figures leave the lower edge open
SURE_SHARE = 0.9  # of the border, where nobody is found who could decide
LEAST_LEFT = 0.02  # of the picture that must be left for a character


def is_inverted_mask(colors: NDArray, mask: NDArray) -> bool:
    """Whether a mask (H, W) uint8 selects what is around the character of a picture (H, W, 3) uint8.

    It does if it covers most of the border and leaves the person out who is found without it.
    """
    from ..pose.estimate import estimate_picture

    selected = mask > 127
    border = np.ones(selected.shape, bool)
    rows, columns = (max(1, round(BORDER * side)) for side in selected.shape)
    border[rows:-rows, columns:-columns] = False
    covered = selected[border].mean()
    if covered < BORDER_SHARE or (~selected).mean() < LEAST_LEFT:
        return False
    seen = estimate_picture(colors)
    if not seen.is_found:
        return bool(covered > SURE_SHARE)
    person = seen.masks[0] > 127
    return bool((person & ~selected).sum() > (person & selected).sum())
