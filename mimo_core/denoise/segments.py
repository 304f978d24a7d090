"""What of a clip the networks get: the plan of a part of it, and its frames cut out, padded and scaled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..clip import Clip
from ..errors import InputError
from .paste import network_input
from .regions import ClipPlan


BLACK, WHITE = 0, 255  # what surrounds body code, and what surrounds pictures


def segment(plan: ClipPlan, start: int, length: int = 0) -> ClipPlan:
    """The plan of frames `start` to `start + length` of the clip, to its end if `length` is 0.

    Frames keep their numbers and regions, so that segments that share no window give what the whole clip gives.
    """
    stop = plan.frames if not length else start + length
    if not 0 <= start < stop <= plan.frames:
        raise InputError(
            f"Frames {start} to {stop - 1} are not all in the clip, which has frames 0 to {plan.frames - 1}. "
            "Lower start or length; length 0 goes to the end."
        )
    parts = [
        replace(
            context,
            first=max(context.first, start),
            start=min(max(context.start, start), stop),
            stop=min(context.stop, stop),
        )
        for context in plan.contexts
    ]
    return replace(plan, contexts=tuple(part for part in parts if part.start < part.stop))


def lasting(layer, frames: int, *, is_still: bool) -> Sequence[NDArray]:
    """A layer of a scene (Clip or Masks) as a sequence of at least `frames` frames: a still is repeated."""
    if is_still:
        return [layer[0]] * frames
    if len(layer) < frames:
        raise InputError(
            f"The scene has {len(layer)} frames but the plan goes to {frames}. Give the scene it was made of."
        )
    return layer


def network_frames(clip: Clip, plan: ClipPlan, size: int, *, fill: int) -> Iterator[NDArray]:
    """Square frames (size, size, 3) uint8 in the order of `plan.network_frames`, scaled as officially by Lanczos."""
    wanted = plan.network_frames
    for frame, (_, region) in zip(clip.selected(number for number, _ in wanted), wanted, strict=True):
        square = Image.fromarray(network_input(frame, region, fill=fill))
        yield np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))
