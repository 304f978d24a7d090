"""Which square of the frame the denoiser works on, and when it moves: the plan of a clip.

Section 7 of the specification. `official` keeps the release's behavior to the pixel; `fixed` ignores frames without a
body, keeps the frames that two contexts share inside both boxes, and tests the last frame like all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.box import Box
from .windows import plan_context_windows, plan_official_windows


CONTEXT_OVERLAP = 4  # frames that a context repeats of the one before
BODY_LUMA = 10  # a body code darker than this is codec noise


EMPTY_BOX = Box(0, 0, 0, 0)


def cut_region(picture: NDArray, region: Box) -> NDArray:
    """The region of a picture (H, W, ...), a view. An empty one leaves out the last row and column, as officially."""
    return region.cut(picture) if region.area else picture[:-1, :-1]


@dataclass(frozen=True)
class Context:
    """Neighbouring frames, `first` to `stop` - 1, that share a region. Up to `start` the one before has them too."""

    first: int
    start: int
    stop: int
    region: Box

    @property
    def frames(self) -> range:
        return range(self.first, self.stop)


@dataclass(frozen=True)
class ClipPlan:
    """The contexts of a clip in order. The network sees their frames one context after the other."""

    contexts: tuple[Context, ...]
    width: int
    height: int
    behavior: str = "fixed"

    @property
    def first(self) -> int:
        """The first frame of the clip that the plan covers: above 0 for a part of a clip."""
        return self.contexts[0].first

    @property
    def frames(self) -> int:
        return self.contexts[-1].stop

    @property
    def network_frames(self) -> list[tuple[int, Box]]:
        """(frame of the clip, its region) for every frame that the network makes; shared frames come twice."""
        return [(frame, context.region) for context in self.contexts for frame in context.frames]

    def windows(self, *, size: int = 24, overlap: int = 4) -> list[list[int]]:
        """Windows over `network_frames`. The official ones run across contexts, which differ in scale."""
        if self.behavior == "official":
            return plan_official_windows(len(self.network_frames), size=size, overlap=overlap)
        return plan_context_windows([len(context.frames) for context in self.contexts], size=size, overlap=overlap)


def plan_clip(body_code: Iterable[NDArray], *, behavior: str = "fixed", overlap: int = CONTEXT_OVERLAP) -> ClipPlan:
    """The plan for body-code frames (H, W, 3) uint8 on black, of one size.

    Raises InputError without frames, or if all are black.
    """
    regions, height, width = [], 0, 0
    for frame in body_code:
        height, width = frame.shape[:2]
        regions.append(expand_to_square(measure_body_region(clean_mask(mask_body(frame))), width, height))
    if not regions:
        raise InputError("The body code has no frames. Give a motion of at least one frame.")
    contexts = _plan_official_contexts(regions, overlap) if behavior == "official" else _plan_contexts(regions, overlap)
    return ClipPlan(tuple(contexts), width, height, behavior)


def measure_clip_region(body_code: Iterable[NDArray]) -> Box:
    """One region around the body in all frames, not square: what the release uses without a scene."""
    union = Box(10000, 10000, 0, 0)
    for frame in body_code:
        region = measure_body_region(mask_body(frame))
        union = union.union(region)
    return round_to_even(union)


def mask_body(frame: NDArray) -> NDArray:
    """Where a body-code frame (H, W, 3) uint8 shows a body: 255 above a luma of 10, in OpenCV's integer weights."""
    red, green, blue = frame.astype(np.int32).transpose(2, 0, 1)
    return np.where((4899 * red + 9617 * green + 1868 * blue + 8192) >> 14 > BODY_LUMA, 255, 0).astype(np.uint8)


def clean_mask(mask: NDArray) -> NDArray:
    """The mask without holes below 5 pixels and specks of one. The 2x2 opening moves it by one pixel right and down."""
    import cv2

    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_RECT, (5, 5)))
    return cv2.morphologyEx(closed, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_RECT, (2, 2)))


def measure_body_region(mask: NDArray) -> Box:
    """The rectangle of a mask with 10 % of its height above and below and 5 % of its width at the sides."""
    box = Box.of_mask(mask)
    if box is None:
        return EMPTY_BOX
    return box.expanded(int(0.05 * box.width), int(0.1 * box.height), *mask.shape)


def round_to_even(region: Box) -> Box:
    """Even in width and height by one more pixel right and down, which may lie outside the frame."""
    return Box(region.left, region.top, region.right + region.width % 2, region.bottom + region.height % 2)


def expand_to_square(region: Box, width: int, height: int) -> Box:
    """A square around the region with a side divisible by 16, cut off where it leaves the frame."""
    region = round_to_even(region)
    side = -(-max(region.width, region.height) // 16) * 16
    across, down = side - region.width, side - region.height
    return Box(
        max(region.left - across // 2, 0),
        max(region.top - down // 2, 0),
        min(region.right + across - across // 2, width),
        min(region.bottom + down - down // 2, height),
    )


def _plan_contexts(regions: Sequence[Box], overlap: int) -> list[Context]:
    """A new context where an earlier frame's region would be less than half of the common one."""
    if not any(region.area for region in regions):
        raise InputError(
            f"The body code is black in all {len(regions)} frames: there is nobody to draw. Check the motion."
        )
    starts, union = [0], None
    for frame, region in enumerate(regions):
        if not region.area:
            continue
        joint = union.union(region) if union else region
        if any(0 < earlier.area < joint.area / 2 for earlier in regions[starts[-1] : frame]):
            starts.append(frame)
            joint = region
        union = joint

    contexts: list[Context] = []
    for start, stop in zip(starts, starts[1:] + [len(regions)], strict=True):
        first = start - min(overlap, len(contexts[-1].frames)) if contexts else start
        seen = [region for region in regions[first:stop] if region.area]
        union = seen[0]
        for region in seen[1:]:
            union = union.union(region)
        contexts.append(Context(first, start, stop, union))
    return contexts


def _plan_official_contexts(regions: Sequence[Box], overlap: int) -> list[Context]:
    contexts: list[Context] = []
    start, union = 0, Box(10000, 10000, 0, 0)

    def close(stop: int) -> None:
        first = start - min(overlap, len(contexts[-1].frames)) if contexts else start
        contexts.append(Context(first, start, stop, union))

    for frame, region in enumerate(regions):
        joint = union.union(region)
        shares = [earlier.area / joint.area for earlier in regions[start:frame]] if joint.area else []
        if frame < len(regions) - 1 and sum(shares) and min(shares) < 0.5:
            close(frame)
            start, joint = frame, region
        union = joint
    close(len(regions))
    return contexts
