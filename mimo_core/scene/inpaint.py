"""Painting over what the coarse background lacks, which nobody sees: texture is continued, coarse to fine."""

from __future__ import annotations

import numpy as np

from .filters import take_pixels, whole_pixels


# Patches and votes after Wexler et al. (PAMI 2007); fewer votes at finer levels, where matches change little. By eye.
PATCH_RADIUS = 3  # patches are 2 * PATCH + 1 pixels wide
LARGEST_HOLE = 40_000  # pixels; above it, patches are copied as the level below found them
SMALLEST_HOLE = 60  # pixels at the coarsest level
SEARCH_ROUNDS = 3  # rounds of propagation and random search for each vote
LEVEL_VOTES = (16, 10, 6, 4, 2)  # from the coarsest level; the last one for all finer levels
DEPTH_DISTRUST = 1.3  # a patch counts less by this factor for every pixel that it lies deeper in the hole


def paint_unseen(picture: np.ndarray, unseen: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """A picture (h, w, 3) uint8 with the pixels of `unseen` (h, w) bool continued from those of `known` (h, w) bool.

    Pixels that are neither are not looked at; without `known` all that are not unseen are known.

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
    part = _paint_levels(picture[rows, columns], ~known[rows, columns])
    result[rows, columns] = np.where(unseen[rows, columns, None], part, result[rows, columns])
    return result


def _paint_levels(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
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
        search = _PatchSearch(level_hole, field, seed=depth)
        if not len(search.sources) or not len(search.targets):
            continue
        is_searched = level_hole.sum() <= LARGEST_HOLE or field is None
        for _ in range(LEVEL_VOTES[min(depth, len(LEVEL_VOTES) - 1)] if is_searched else 0):
            search.improve(current)
            current = search.vote(known)
        if not is_searched:
            current = search.vote(known)
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


class _PatchSearch:
    """For each patch that touches the hole, the known patch that looks most like it."""

    def __init__(self, hole: np.ndarray, field: np.ndarray | None, *, seed: int):
        import cv2

        self.random = np.random.default_rng(seed)
        self.hole, self.shape = hole, hole.shape
        touched = cv2.dilate(hole.astype(np.uint8), np.ones((2 * PATCH_RADIUS + 1,) * 2, np.uint8)) > 0
        inside = np.zeros(self.shape, bool)
        inside[PATCH_RADIUS:-PATCH_RADIUS, PATCH_RADIUS:-PATCH_RADIUS] = True
        self.is_source = inside & ~touched
        self.sources = np.argwhere(self.is_source)
        self.targets = np.argwhere(touched & inside)
        self.number = np.full(self.shape, -1)
        self.number[tuple(self.targets.T)] = np.arange(len(self.targets))
        self.steps = np.mgrid[-PATCH_RADIUS : PATCH_RADIUS + 1, -PATCH_RADIUS : PATCH_RADIUS + 1].reshape(2, -1).T
        self.flat_steps = self.steps @ np.array([self.shape[1], 1])
        depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
        self.trust = DEPTH_DISTRUST ** -depth[tuple(self.targets.T)]
        self.cost = np.ones(len(self.targets))
        if len(self.sources):
            self.matches = self.sources[self.random.integers(len(self.sources), size=len(self.targets))]
            if field is not None:
                self._inherit_matches(field)

    def _inherit_matches(self, field: np.ndarray) -> None:
        """Start from the matches (h/2, w/2, 2) of the level below; -1 where it has none."""
        half = np.minimum(self.targets // 2, np.array(field.shape[:2]) - 1)
        inherited = field[tuple(half.T)]
        moved = (inherited * 2 + self.targets % 2).clip(0, np.array(self.shape) - 1)
        good = (inherited[:, 0] >= 0) & self.is_source[tuple(moved.T)]
        self.matches[good] = moved[good]

    def field(self) -> np.ndarray:
        field = np.full((*self.shape, 2), -1)
        field[tuple(self.targets.T)] = self.matches
        return field

    def improve(self, picture: np.ndarray) -> None:
        flat = picture.reshape(-1, 3)
        self.wanted = self._cut_patches(flat, self.targets)
        self.cost = self._cost(flat, self.matches)
        radius = max(self.shape)
        for _ in range(SEARCH_ROUNDS):
            for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                self._try(flat, self._shift_neighbors(np.array(step)))
            reach = radius
            while reach >= 1:
                noise = self.random.integers(-reach, reach + 1, size=self.matches.shape)
                self._try(flat, (self.matches + noise).clip(0, np.array(self.shape) - 1))
                reach //= 4
            radius = max(radius // 2, 4)

    def _shift_neighbors(self, step: np.ndarray) -> np.ndarray:
        """What each patch would match if it moved along with its neighbour's match."""
        beside = (self.targets + step).clip(0, np.array(self.shape) - 1)
        number = self.number[tuple(beside.T)]
        moved = np.where((number >= 0)[:, None], self.matches[number] - step, self.matches)
        return moved.clip(0, np.array(self.shape) - 1)

    def _try(self, flat: np.ndarray, candidates: np.ndarray) -> None:
        valid = np.flatnonzero(self.is_source[tuple(candidates.T)] & (candidates != self.matches).any(1))
        cost = self._cost(flat, candidates[valid], valid)
        better = cost < self.cost[valid]
        self.matches[valid[better]], self.cost[valid[better]] = candidates[valid[better]], cost[better]

    def _cost(self, flat: np.ndarray, places: np.ndarray, chosen=slice(None)) -> np.ndarray:
        away = self._cut_patches(flat, places)
        away -= self.wanted[chosen]
        away *= away
        return away.mean((1, 2))

    def _cut_patches(self, flat: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The patches (N, P, 3) around some places (N, 2)."""
        return flat.take((places @ np.array([self.shape[1], 1]))[:, None] + self.flat_steps, axis=0)

    def vote(self, known: np.ndarray) -> np.ndarray:
        """Every hole pixel becomes the mean of what the patches over it propose, good matches counting more."""
        scale = max(float(np.percentile(self.cost, 60)), 1.0)
        weight = self.trust * np.exp(-self.cost / (2 * scale)) + 1e-9
        sums = np.zeros((self.hole.size, 4))  # colors times weights, and weights
        rows = whole_pixels(sums)
        places = self.targets @ np.array([self.shape[1], 1])
        sources = self.matches @ np.array([self.shape[1], 1])
        for step, offset in zip(self.steps, self.flat_steps, strict=True):
            # Nearer patch centres count more, which keeps the texture sharp.
            share = weight * np.exp(-(step @ step) / 4.0)
            here = places + offset  # every place once
            # Whole rows are copied several times faster than their numbers.
            part = rows.take(here).view(np.float64).reshape(-1, 4)
            found = take_pixels(known, sources + offset)
            for channel in range(3):
                part[:, channel] += found[:, channel] * share
            part[:, 3] += share
            rows[here] = whole_pixels(part)
        total, weights = sums[:, :3], sums[:, 3]
        mean = (total / np.maximum(weights, 1e-12)[:, None]).reshape(known.shape).astype(np.float32)
        return np.where((self.hole & (weights > 0).reshape(self.shape))[..., None], mean, known)
