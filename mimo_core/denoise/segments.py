"""What of a clip the networks get: the plan of a part of it, and its frames cut out, padded and scaled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError
from ..media.clip import Clip
from ..scene.scene import Scene
from .paste import cut_network_input
from .regions import ClipPlan, Context
from .windows import plan_fixed_windows


BLACK, WHITE = 0, 255  # what surrounds body code, and what surrounds pictures


def select_frames(plan: ClipPlan, start: int, length: int = 0) -> ClipPlan:
    """The plan of frames `start` to `start + length` of the clip, to its end if `length` is 0.

    Frames keep their numbers and regions, so that segments that share no window give what the whole clip gives.
    Raises InputError if they are not all in the clip.
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


def split_plan(plan: ClipPlan, *, window: int, overlap: int, windows_each: int) -> list[ClipPlan]:
    """The plan in parts of so many windows, worked one after the other.

    Their windows are those of the whole, so parts that share no window give what the whole gives. Other neighbours
    share frames, as two contexts do, over which the result fades from one to the next. The windows of `official` run
    around the whole clip, which stays in one part.
    """
    if plan.behavior == "official":
        return [plan]
    windows = [
        (context, context.first + part[0], context.first + part[-1] + 1)
        for context in plan.contexts
        for part in plan_fixed_windows(len(context.frames), size=window, overlap=overlap)
    ]
    groups = [windows[first : first + windows_each] for first in range(0, len(windows), windows_each)]
    return [replace(plan, contexts=_cover_windows(group)) for group in groups]


def join_plans(parts: Sequence[ClipPlan]) -> ClipPlan:
    """One plan of several parts, with the frames that parts share twice."""
    return replace(parts[0], contexts=tuple(context for part in parts for context in part.contexts))


def _cover_windows(windows: list[tuple[Context, int, int]]) -> tuple[Context, ...]:
    """The stretches of contexts that neighbouring windows (context, first, stop) cover."""
    covered: dict[Context, tuple[int, int]] = {}
    for context, first, stop in windows:
        covered[context] = (covered.get(context, (first, stop))[0], stop)
    return tuple(
        replace(context, first=first, start=max(context.start, first), stop=stop)
        for context, (first, stop) in covered.items()
    )


def extend_layer(layer, frames: int, *, is_still: bool) -> Sequence[NDArray]:
    """A layer of a scene (Clip or Masks) as a sequence of at least `frames` frames: a still is repeated.

    Raises InputError if it has fewer.
    """
    if is_still:
        return [layer[0]] * frames
    if len(layer) < frames:
        raise InputError(
            f"The scene has {len(layer)} frames but the plan goes to {frames}. Give the scene it was made of."
        )
    return layer


def select_paste_layers(scene: Scene, frames: int) -> dict[str, Sequence[NDArray] | None]:
    """What `paste_back` lays its squares between: background, and source and occluder if anything passes in front.

    Without an occluder they are None: the official release rounds otherwise where it has one to lay over.
    """
    plate, source, occluder = (
        extend_layer(layer, frames, is_still=scene.is_still) for layer in (scene.plate, scene.source, scene.occluder)
    )
    if scene.occluder.is_blank:
        return {"background": plate, "source": None, "occluder": None}
    return {"background": plate, "source": source, "occluder": occluder}


def cut_network_frames(clip: Clip, plan: ClipPlan, size: int, *, fill: int) -> Iterator[NDArray]:
    """Square frames (size, size, 3) uint8 in the order of `plan.network_frames`, scaled as officially by Lanczos."""
    wanted = plan.network_frames
    for frame, (_, region) in zip(clip.select(number for number, _ in wanted), wanted, strict=True):
        square = Image.fromarray(cut_network_input(frame, region, fill=fill))
        yield np.asarray(square.resize((size, size), Image.Resampling.LANCZOS))
