"""Which frames the denoiser sees together. A window is a list of frame indices, in the order of its positions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import InputError


def plan_fixed_windows(frames: int, *, size: int = 24, overlap: int = 4) -> list[list[int]]:
    """Windows of `size` frames that share `overlap`; the last one is shifted back, so that it ends with the clip.

    Raises InputError if the overlap is not below the size.
    """
    if not 0 <= overlap < size:
        raise InputError(f"Windows of {size} frames cannot share {overlap}. The overlap must be 0 to {size - 1}.")
    if frames <= size:
        return [list(range(frames))]
    count = math.ceil((frames - overlap) / (size - overlap))
    starts = [min(index * (size - overlap), frames - size) for index in range(count)]
    return [list(range(start, start + size)) for start in starts]


def plan_context_windows(lengths: Sequence[int], *, size: int = 24, overlap: int = 4) -> list[list[int]]:
    """`plan_fixed_windows` within each of several contexts that lie one after the other; no window sees two of them."""
    windows, start = [], 0
    for length in lengths:
        windows += [
            [start + frame for frame in window] for window in plan_fixed_windows(length, size=size, overlap=overlap)
        ]
        start += length
    return windows


def plan_official_windows(
    frames: int, *, size: int = 24, overlap: int = 4, stride: int = 1, step: int = 0, closed_loop: bool = True
) -> list[list[int]]:
    """AnimateDiff's uniform schedule. The official release calls it with step 0 at every step, in a closed loop.

    The last window wraps: it shows the first frames after the last ones, in an order that no video has.
    """
    if frames <= size:
        return [list(range(frames))]
    levels = min(stride, math.ceil(math.log2(frames / size)) + 1)
    fraction = int(f"{step:064b}"[::-1], 2) / 2**64  # bit reversal spreads the starts of successive steps evenly
    pad = round(frames * fraction)
    end = frames + pad - (0 if closed_loop else overlap)
    return [
        [(start + index * spacing) % frames for index in range(size)]
        for spacing in (2**level for level in range(levels))
        for start in range(int(fraction * spacing) + pad, end, size * spacing - overlap)
    ]
