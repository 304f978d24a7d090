"""Pass 8, edges: masks of the working size on the edges of the full picture."""

from __future__ import annotations

import numpy as np

from .filters import GuidedFilter, guided_filter
from .frame_masks import FrameMasks
from .soften_occluder import soften_occluder


OBJECT_OUTLINE = 0.42  # of the soft mask: the blurred rim of a moving object is the object's


def guide_edges(picture: np.ndarray, scale: float) -> GuidedFilter | None:
    """What brings masks of the working size, `scale` of the full one, onto the edges of a full picture (h, w, 3).

    None where both sizes are nearly the same.
    """
    return GuidedFilter(picture, max(2, round(1.5 / scale)), 1e-4) if scale < 0.9 else None


def refine_mask(
    mask: np.ndarray, picture: np.ndarray, guide: GuidedFilter | None, *, edge: int, outline: float = 0.5
) -> np.ndarray:
    """A soft mask of the working size on the edges of a full picture (h, w, 3), `edge` pixels soft, (h, w) uint8.

    `guide` is of `guide_edges`. The outline is where the mask reaches `outline`.
    """
    import cv2

    if not mask.any():
        return np.zeros(picture.shape[:2], np.uint8)
    large = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    if guide is not None:
        large = guide.smooth(large)
    steep = ((large - outline) * 3 + 0.5).clip(0, 1)
    if edge:
        steep = cv2.GaussianBlur(steep, (0, 0), edge / 3)
    return (steep * 255 + 0.5).astype(np.uint8)


def refine_occluder(
    masks: FrameMasks,
    picture: np.ndarray,
    guide: GuidedFilter | None,
    person: np.ndarray,
    *,
    edge: int,
    body_height: float,
) -> np.ndarray:
    """The alpha (h, w) uint8 of what moves or stands in front of the refined `person` (h, w) uint8.

    It is soft where its rim mixes with the person's colors; `body_height` is in pixels of the picture, `guide` is of
    `guide_edges`.
    """
    moving = refine_mask(masks.moving, picture, guide, edge=edge, outline=OBJECT_OUTLINE)
    fixed = refine_mask(masks.fixed, picture, guide, edge=edge).astype(np.uint16) * (255 - person) // 255
    return soften_occluder(np.maximum(moving, fixed).astype(np.uint8), person, picture, body_height)


def smooth_along_edges(mask: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """A mask (h, w) bool as alpha uint8, smooth along the edges of a picture (h, w, 3) uint8."""
    soft = guided_filter(mask.astype(np.float32), picture, 3, 1e-4).clip(0, 1)
    return (soft * 255 + 0.5).astype(np.uint8)
