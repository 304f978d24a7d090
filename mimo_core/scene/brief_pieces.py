"""Small pieces that stand in front of the person in one frame only: parts of a shoe or a sleeve, and no thing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..geometry.box import Box
from .filters import dilate_mask
from .frame_masks import FrameMasks, FrameMaskStore


BRIEF_AREA = 0.002  # of the squared body height: larger pieces are something
BRIEF_REACH = 0.25  # of the body height: so near to it a thing is seen in the frame before or after
SURE_FRONT = 127  # mask values from here on are in front


def find_lasting_masks(masks: FrameMaskStore, frame: int, body_height: float) -> FrameMasks | None:
    """The masks of a frame without what its neighbors do not show (`remove_brief_pieces`); None where nobody is."""
    found = masks.get(frame)
    if found is None or not found.moving.any():
        return found
    beside = [other for other in (masks.get(frame - 1), masks.get(frame + 1)) if other is not None]
    return remove_brief_pieces(found, beside, body_height)


def remove_brief_pieces(masks: FrameMasks, beside: list[FrameMasks], body_height: float) -> FrameMasks:
    """The masks of a frame with small pieces in front given to the person where no frame `beside` it shows any near.

    `body_height` is in pixels of the masks. Without other frames nothing is told.
    """
    import cv2

    front = masks.moving > SURE_FRONT
    if not beside or not front.any():
        return masks
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(front.astype(np.uint8), connectivity=8)
    small = boxes[:, cv2.CC_STAT_AREA] < BRIEF_AREA * body_height**2
    small[0] = False
    if not small.any():
        return masks
    seen = np.zeros(front.shape, bool)
    for other in beside:
        seen |= _bring_over(np.maximum(other.moving, other.fixed), other.box, masks.box) > SURE_FRONT
    lasting = np.bincount(parts[dilate_mask(seen, BRIEF_REACH * body_height)], minlength=count) > 0
    brief = (small & ~lasting)[parts]
    if not brief.any():
        return masks
    soft = dilate_mask(brief, 2) & (masks.moving > 0) & ~(front & ~brief)
    person = np.where(soft, np.maximum(masks.person, masks.moving), masks.person)
    return replace(masks, person=person, moving=np.where(soft, 0, masks.moving).astype(np.uint8))


def _bring_over(mask: np.ndarray, box: Box, other: Box) -> np.ndarray:
    """A mask (h, w) that lies in one box of a frame, in another box; 0 where it does not reach."""
    out = np.zeros((other.height, other.width), mask.dtype)
    left, top = max(box.left, other.left), max(box.top, other.top)
    right, bottom = min(box.right, other.right), min(box.bottom, other.bottom)
    if right > left and bottom > top:
        shared = mask[top - box.top : bottom - box.top, left - box.left : right - box.left]
        out[top - other.top : bottom - other.top, left - other.left : right - other.left] = shared
    return out
