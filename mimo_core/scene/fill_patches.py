"""A hole whose surroundings do not repeat, filled by patches of them, coarse to fine: as sharp as they are."""

from __future__ import annotations

import numpy as np

from .expected_colors import continue_colors
from .fields import extrapolate_field
from .filters import average_colors, channel_maximum
from .patch_search import LEVEL_VOTES, PATCH_RADIUS, PatchSearch


# By eye on twenty-two holes of real clips, 2026-11-28; one round of search for each vote is as good as three.
SMALLEST_HOLE = 200  # pixels at the coarsest level: at 60 things that stand beside a hole are copied in parts
LARGEST_HOLE = 10_000  # pixels; above it, patches are copied as the level below found them
LEVEL_COST, LEVEL_REACH = 400.0, 0.25  # squared levels that it costs to come from so much of the hole's height away
MOST_LIFT = 15.0  # levels by which a patch may be lighter or darker where it comes from
# A copy that is not the truth is off by twice the contrast of what it copies, its mean with the expected colors by
# less. Far from them it is a thing of its own, which would only fade. By eye on five clips and three synthetic shots.
SOFT_SHARE, SOFT_LEVELS = 0.4, 40.0  # of the way to the expected colors; half as much if they are so many levels away
SOFT_DEPTH = 0.04  # of the root of a hole's area from its rim, where nothing tells any more what is there
DETAIL_SIGMA, ROUGH_SIGMA = 2.0, 3.0  # pixels: finer than the first is detail, of which the second gives the strength


def fill_patches(picture: np.ndarray, hole: np.ndarray, known: np.ndarray, ask=lambda: None) -> np.ndarray:
    """A picture (h, w, 3) uint8 with its `hole` (h, w) bool filled by patches of what is `known` (h, w) bool.

    Patches and votes of Wexler et al., "Space-Time Completion of Video" (PAMI 2007), from the colors that are expected.
    Beside colors patches are alike in the strength of their detail, as in Newson et al., "Video Inpainting of Complex
    Scenes" (SIAM 2014): colors alone put plain surfaces where windows were. Other pixels than those of the hole are not
    changed. `ask` is called between steps, and may raise.
    """
    levels = _make_levels(_describe(picture, hole, known, ask), hole, known)
    ask()
    rows = np.ptp(np.flatnonzero(hole.any(1))) + 1
    current, field = levels[-1][0], None
    for depth, (level, level_hole, level_known) in enumerate(reversed(levels)):
        ask()
        current = _grow(current, level, level_hole)
        reach = max(LEVEL_REACH * rows * len(level) / len(picture), 1.0)
        costs = {"level_cost": LEVEL_COST, "level_reach": reach, "most_lift": MOST_LIFT}
        search = PatchSearch(level_hole, field, seed=depth, known=level_known, **costs)
        if not len(search.sources) or not len(search.targets):
            continue
        is_searched = level_hole.sum() <= LARGEST_HOLE
        if not is_searched and field is None:  # what is known is thinner than a patch at all smaller sizes
            continue
        for _ in range(LEVEL_VOTES[min(depth, len(LEVEL_VOTES) - 1)] if is_searched else 0):
            ask()
            search.improve(current, rounds=1)
            current = search.vote(level, ask)
        if not is_searched:
            ask()
            search.compare(current, ask)
            current = search.vote(level, ask)
        ask()
        field = search.field()
    ask()
    current = _soften(current[..., :3], levels[0][0][..., :3], hole)
    return np.where(hole[..., None], current.clip(0, 255) + 0.5, picture).astype(np.uint8)


def _soften(filled: np.ndarray, expected: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The colors of a filled `hole` (h, w) bool nearer to the expected ones, deep in it; all (h, w, 3) float32."""
    import cv2

    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    away = expected - filled
    share = 1 - np.exp(-depth / (SOFT_DEPTH * np.sqrt(np.count_nonzero(hole))))
    share *= SOFT_SHARE * SOFT_LEVELS / (SOFT_LEVELS + channel_maximum(np.abs(away)))
    return filled + share[..., None] * away


def _describe(picture: np.ndarray, hole: np.ndarray, known: np.ndarray, ask) -> np.ndarray:
    """Colors and strength of detail of each pixel, (h, w, 4) float32; as expected where they are not known."""
    import cv2

    weight = known.astype(np.float32)
    detail = picture - average_colors(picture.astype(np.float32), known, DETAIL_SIGMA)
    ask()
    energy = cv2.GaussianBlur(np.square(detail).mean(2) * weight, (0, 0), ROUGH_SIGMA)
    rough = np.sqrt(energy / np.maximum(cv2.GaussianBlur(weight, (0, 0), ROUGH_SIGMA), 1e-3))
    rough = np.where(known, rough, extrapolate_field(rough[..., None], weight)[..., 0])
    ask()
    colors = np.where(known[..., None], picture, continue_colors(picture, hole, known, ask))
    return np.dstack([colors, rough]).astype(np.float32)


def _make_levels(picture: np.ndarray, hole: np.ndarray, known: np.ndarray) -> list[tuple]:
    """Picture (h, w, 4) float32, hole and known (h, w) bool, each half as large as the one before."""
    import cv2

    levels = [(picture, hole, known)]
    while hole.sum() > SMALLEST_HOLE and min(hole.shape) > 8 * PATCH_RADIUS:
        size = hole.shape[1] // 2, hole.shape[0] // 2
        picture, inside, free = (
            cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)
            for values in (picture, hole, known)
        )
        hole = inside > 0
        known = (free > 0.99) & ~hole
        levels.append((picture, hole, known))
    return levels


def _grow(current: np.ndarray, level: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """What the level below found, at the size of a level (h, w, 4), in its `hole` (h, w) bool."""
    import cv2

    if current.shape == level.shape:
        return level
    grown = cv2.resize(current, level.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.where(hole[..., None], grown, level)
