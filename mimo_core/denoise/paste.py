"""Back into the frame: what the denoiser made, over the background, under the occluder.

Section 7 of the specification with its correction 1: one rounding per frame, at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError
from ..geometry.box import Box
from ..identity.prepare import pad_to_square, square_padding
from ..progress import Progress, silent
from ..scene.filters import dilate_mask
from .regions import ClipPlan, cut_region


EDGE_RAMP = 0.08  # of the region's side, at borders inside the frame
CHARACTER_MARGIN = 0.03  # of the region's side: how far around a character's mask the generated pixels count
EDGE_NAMES = (
    "up_down_left_right",
    "left_right_up",
    "left_right_down",
    "up_down_left",
    "up_down_right",
    "left_right",
    "up_down",
    "left_up",
    "right_up",
    "left_down",
    "right_down",
    "left",
    "right",
    "up",
    "down",
    "inner",
)


def cut_network_input(frame: NDArray, region: Box, *, fill: int) -> NDArray:
    """The region of a frame (H, W, 3), padded to a square: black (0) around body code, white (255) around pictures."""
    return pad_to_square(cut_region(frame, region), fill=fill)


def name_edges(region: Box, width: int, height: int) -> str:
    """Which borders of the frame a region touches, in the words of the official masks."""
    touched = {
        "left": region.left <= 0,
        "right": region.right >= width,
        "up": region.top <= 0,
        "down": region.bottom >= height,
    }
    borders = {border for border, is_touched in touched.items() if is_touched}
    return next(name for name in EDGE_NAMES if set(name.split("_")) - {"inner"} == borders)


def make_edge_mask(region: Box, width: int, height: int) -> NDArray:
    """How much of the generated pixels counts, (h, w) float32: a linear ramp at each border inside the frame.

    The ramp is 8 % of the region wide; over borders that the frame cuts off there is none. The official masks are
    files that the release does not contain.
    """
    touched = name_edges(region, width, height).split("_")
    across = _make_ramp(region.width, "left" in touched, "right" in touched)
    down = _make_ramp(region.height, "up" in touched, "down" in touched)
    return np.minimum(across[None], down[:, None]).astype(np.float32)


def _make_ramp(length: int, start_touches: bool, end_touches: bool) -> NDArray:
    distance = np.arange(length) + 0.5
    rising = np.ones(length) if start_touches else distance / (EDGE_RAMP * length)
    falling = np.ones(length) if end_touches else (length - distance) / (EDGE_RAMP * length)
    return np.minimum(1, np.minimum(rising, falling))


def resize_edge_mask(mask: NDArray, region: Box) -> NDArray:
    """An edge mask (H, W) uint8 from a file at the region's size, (h, w) float32."""
    import cv2

    return cv2.resize(mask.astype(np.float32) / 255, (region.width, region.height), interpolation=cv2.INTER_AREA)


def paste_back(
    plan: ClipPlan,
    generated: Iterable[NDArray],
    background: Sequence[NDArray],
    *,
    source: Sequence[NDArray] | None = None,
    occluder: Sequence[NDArray] | None = None,
    edge_masks: Mapping[str, NDArray] | None = None,
    within: Sequence[NDArray] | None = None,
    progress: Progress = silent,
) -> Iterator[NDArray]:
    """The frames of the clip, (H, W, 3) uint8, one at a time.

    generated: square network frames (S, S, 3) uint8 in the order of `plan.network_frames`
    background, source: frames (H, W, 3) uint8; `source` is seen where `occluder` (H, W) uint8 is above 0
    edge_masks: masks (H, W) uint8 by `EDGE_NAMES`; without them `make_edge_mask` makes them
    within: coverage (H, W) uint8 of the character in every frame; generated pixels count in and closely around it, and
        the background keeps its own sharpness. Without it the whole squares count, as officially.

    A frame that two contexts made is a cross-fade: with n shared frames, (i + 1) / (n + 1) of the later one in its i-th
    frame; officially always (i + 1) / 5, which is the same for 4.
    Raises InputError if frames run out, or one of `source` and `occluder` is given alone.
    """
    if (source is None) != (occluder is None):
        raise InputError("An occluder needs the source frames it is cut from, and they are of no use without it.")
    generated, waiting, emitted = iter(generated), {}, plan.first
    for number, context in enumerate(plan.contexts):
        mask = _choose_edge_mask(context.region, plan, edge_masks)
        before = sum(frame in waiting for frame in context.frames)
        fade = 5 if plan.behavior == "official" else before + 1
        shared = min((later.first for later in plan.contexts[number + 1 :]), default=context.stop)
        for position, frame in enumerate(context.frames):
            picture = next(generated, None)
            if picture is None:
                raise InputError(f"There are fewer generated frames than the plan's {len(plan.network_frames)}.")
            pasted = _paste_square(
                picture, context.region, _limit_to_character(mask, within, frame, context.region), background[frame]
            )
            if occluder is not None:
                alpha = occluder[frame][..., None].astype(np.float64) / 255
                pasted = pasted * (1 - alpha) + source[frame] * alpha
            if frame in waiting:
                weight = (position + 1) / fade
                pasted = waiting[frame] * (1 - weight) + pasted * weight
            waiting[frame] = pasted.astype(np.uint8)
            while emitted in waiting and emitted < min(frame + 1, shared):
                yield waiting.pop(emitted)
                emitted += 1
                progress(emitted, plan.frames)


def mark_drawn_areas(
    plan: ClipPlan,
    occluder: Sequence[NDArray] | None = None,
    edge_masks: Mapping[str, NDArray] | None = None,
    within: Sequence[NDArray] | None = None,
) -> Iterator[NDArray]:
    """Where `paste_back` shows generated pixels, (H, W) uint8 for every frame of the plan; at cross-fades, the last."""
    for frame in range(plan.first, plan.frames):
        context = [context for context in plan.contexts if frame in context.frames][-1]
        area = np.zeros((plan.height, plan.width), np.float32)
        mask = _limit_to_character(_choose_edge_mask(context.region, plan, edge_masks), within, frame, context.region)
        if mask is not None:
            cut_region(area, context.region)[:] = mask
        if occluder is not None:
            area *= 1 - occluder[frame].astype(np.float32) / 255
        yield (area * 255 + 0.5).astype(np.uint8)


def _choose_edge_mask(region: Box, plan: ClipPlan, edge_masks: Mapping[str, NDArray] | None) -> NDArray | None:
    if not region.area:
        return None
    if edge_masks is None:
        return make_edge_mask(region, plan.width, plan.height)
    return resize_edge_mask(edge_masks[name_edges(region, plan.width, plan.height)], region)


def _limit_to_character(
    mask: NDArray | None, within: Sequence[NDArray] | None, frame: int, region: Box
) -> NDArray | None:
    """The mask of a region (h, w) where the character of a frame is near, softly."""
    if mask is None or within is None:
        return mask
    import cv2

    margin = CHARACTER_MARGIN * max(region.width, region.height)
    around = dilate_mask(cut_region(within[frame], region) > 127, margin).astype(np.float32)
    return mask * cv2.GaussianBlur(around, (0, 0), margin / 3, borderType=cv2.BORDER_REPLICATE)


def _paste_square(picture: NDArray, region: Box, mask: NDArray | None, background: NDArray) -> NDArray:
    """Float32 frame: the network's picture in its region, faded into the background by the mask."""
    frame = background.astype(np.float32)
    if mask is None:
        return frame
    left, top, _, _ = square_padding(region.height, region.width)
    side = max(region.width, region.height)
    side = -(-side // 16) * 16
    square = np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))
    inside = square[top : top + region.height, left : left + region.width]
    target = cut_region(frame, region)
    target[:] = inside * mask[..., None] + target * (1 - mask[..., None])
    return frame
