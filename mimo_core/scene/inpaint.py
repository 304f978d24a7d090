"""Painting over what the coarse background lacks, which nobody sees: texture is continued, coarse to fine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .patch_search import LEVEL_VOTES, PATCH_RADIUS, PatchSearch


# By eye.
LARGEST_HOLE = 40_000  # pixels; above it, patches are copied as the level below found them
SMALLEST_HOLE = 60  # pixels at the coarsest level


def paint_unseen(
    picture: np.ndarray, unseen: np.ndarray, known: np.ndarray | None = None, ask: Callable[[], None] = lambda: None
) -> np.ndarray:
    """A picture (h, w, 3) uint8 with the pixels of `unseen` (h, w) bool continued from those of `known` (h, w) bool.

    Pixels that are neither are not looked at; without `known` all that are not unseen are known. `ask()` may raise to
    cancel.

    Starts from OpenCV's inpainting and sharpens it by patches of the picture itself: Wexler et al., "Space-Time
    Completion of Video" (PAMI 2007), with PatchMatch's search (Barnes et al. 2009).
    """
    import cv2

    known = ~unseen if known is None else known
    if not unseen.any() or not known.any():
        return picture
    x, y, width, height = cv2.boundingRect(unseen.astype(np.uint8))
    margin = max(16, round(0.7 * max(width, height)))
    rows = slice(max(y - margin, 0), y + height + margin)
    columns = slice(max(x - margin, 0), x + width + margin)
    result = picture.copy()
    part = _paint_levels(picture[rows, columns], ~known[rows, columns], ask)
    result[rows, columns] = np.where(unseen[rows, columns, None], part, result[rows, columns])
    return result


def _paint_levels(picture: np.ndarray, hole: np.ndarray, ask: Callable[[], None]) -> np.ndarray:
    import cv2

    levels = _pyramid(picture, hole)
    coarse, coarse_hole = levels[-1]
    current = cv2.inpaint(coarse, coarse_hole.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.float32)
    field = None
    for depth, (level, level_hole) in enumerate(reversed(levels)):
        known = level.astype(np.float32)
        if depth:
            grown = cv2.resize(current, level.shape[1::-1], interpolation=cv2.INTER_CUBIC)
            current = np.where(level_hole[..., None], grown, known)
        search = PatchSearch(level_hole, field, seed=depth)
        if not len(search.sources) or not len(search.targets):
            continue
        is_searched = level_hole.sum() <= LARGEST_HOLE or field is None
        for _ in range(LEVEL_VOTES[min(depth, len(LEVEL_VOTES) - 1)] if is_searched else 0):
            search.improve(current, ask=ask)
            current = search.vote(known, ask)
        if not is_searched:
            current = search.vote(known, ask)
        field = search.field()
    return np.where(hole[..., None], current.clip(0, 255) + 0.5, picture).astype(np.uint8)


def _pyramid(picture: np.ndarray, hole: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    import cv2

    levels = [(picture, hole)]
    while levels[-1][1].sum() > SMALLEST_HOLE and min(levels[-1][1].shape) > 8 * PATCH_RADIUS:
        picture, hole = levels[-1]
        size = (picture.shape[1] // 2, picture.shape[0] // 2)
        free = cv2.resize((~hole).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        masked = cv2.resize(picture * (~hole)[..., None].astype(np.float32), size, interpolation=cv2.INTER_AREA)
        smaller = (masked / np.maximum(free, 1e-6)[..., None]).clip(0, 255).astype(np.uint8)
        levels.append((smaller, free < 0.25))
    return levels
