"""PatchMatch: for each patch of a hole the known patch that looks most like it, and the picture that these propose."""

from __future__ import annotations

import numpy as np

from .filters import take_pixels, whole_pixels


PATCH_RADIUS = 3  # patches are 2 * PATCH + 1 pixels wide
# Votes from the coarsest level on, the last number for all finer ones, where matches change little. By eye.
LEVEL_VOTES = (16, 10, 6, 4, 2)
SEARCH_ROUNDS = 3  # rounds of propagation and random search for each vote
DEPTH_DISTRUST = 1.3  # a patch counts less by this factor for every pixel that it lies deeper in the hole
COMPARED_PATCHES = 20_000  # at a time, which bounds memory: 16 MB of four channels
LIFT_COST = 0.1  # of the square of the levels by which a patch is lifted or lowered


class PatchSearch:
    """For each patch that touches the hole, the known patch that looks most like it.

    Randomized search and propagation of Barnes et al., "PatchMatch" (SIGGRAPH 2009). Patches may be brought to the
    light of the place that they fill, as in Darabi et al., "Image Melding" (SIGGRAPH 2012).
    """

    def __init__(
        self,
        hole: np.ndarray,
        field: np.ndarray | None,
        *,
        seed: int,
        known: np.ndarray | None = None,
        level_cost: float = 0.0,
        level_reach: float = 1.0,
        most_lift: float = 0.0,
    ):
        """Of a `hole` (h, w) bool, from the matches `field` (h/2, w/2, 2) of the level below.

        Patches are taken from what is `known` (h, w) bool, all but the hole if not given. `level_cost` is what it costs
        to come from `level_reach` rows above or below, or further. The first three channels of a patch may be lifted or
        lowered by `most_lift` levels.
        """
        import cv2

        self.random = np.random.default_rng(seed)
        self.hole, self.shape = hole, hole.shape
        self.level_cost, self.level_reach, self.most_lift = level_cost, level_reach, most_lift
        window = np.ones((2 * PATCH_RADIUS + 1,) * 2, np.uint8)
        touched = cv2.dilate(hole.astype(np.uint8), window) > 0
        unusable = touched if known is None else touched | (cv2.dilate((~known).astype(np.uint8), window) > 0)
        inside = np.zeros(self.shape, bool)
        inside[PATCH_RADIUS:-PATCH_RADIUS, PATCH_RADIUS:-PATCH_RADIUS] = True
        self.is_source = inside & ~unusable
        self.sources = np.argwhere(self.is_source)
        self.targets = np.argwhere(touched & inside)
        self.number = np.full(self.shape, -1, np.int32)
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

    def look_at(self, picture: np.ndarray) -> None:
        """Take in the picture (h, w, C) float32 that patches of the hole should look like."""
        self._take_in(picture)
        self.wanted = self._cut_patches(self.targets)
        self.cost = self._cost(self.matches)

    def compare(self, picture: np.ndarray, ask=lambda: None) -> None:
        """The same where nothing is searched for: patches are compared some at a time. `ask` is called between them."""
        self._take_in(picture)
        for start in range(0, len(self.targets), COMPARED_PATCHES):
            ask()
            part = slice(start, start + COMPARED_PATCHES)
            wanted = self._cut_patches(self.targets[part])
            self.cost[part] = self._cost(self.matches[part], part, wanted)

    def _take_in(self, picture: np.ndarray) -> None:
        import cv2

        self.flat = picture.reshape(-1, picture.shape[-1])
        if self.most_lift:
            means = cv2.blur(np.ascontiguousarray(picture[..., :3]), (2 * PATCH_RADIUS + 1,) * 2)
            self.means = means.reshape(-1, 3)
            self.wanted_means = take_pixels(means, self._flatten(self.targets))

    def improve(self, picture: np.ndarray, rounds: int = SEARCH_ROUNDS, ask=lambda: None) -> None:
        """Look for better matches of the patches of a picture (h, w, C) float32, in some `rounds`.

        `ask` is called between steps, and may raise.
        """
        self.look_at(picture)
        radius = max(self.shape)
        for _ in range(rounds):
            for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                ask()
                self._try(self._shift_neighbors(np.array(step)))
            reach = radius
            while reach >= 1:
                ask()
                noise = self.random.integers(-reach, reach + 1, size=self.matches.shape)
                self._try((self.matches + noise).clip(0, np.array(self.shape) - 1))
                reach //= 4
            radius = max(radius // 2, 4)

    def _shift_neighbors(self, step: np.ndarray) -> np.ndarray:
        """What each patch would match if it moved along with its neighbour's match."""
        beside = (self.targets + step).clip(0, np.array(self.shape) - 1)
        number = self.number[tuple(beside.T)]
        moved = np.where((number >= 0)[:, None], self.matches[number] - step, self.matches)
        return moved.clip(0, np.array(self.shape) - 1)

    def _try(self, candidates: np.ndarray) -> None:
        valid = np.flatnonzero(self.is_source[tuple(candidates.T)] & (candidates != self.matches).any(1))
        cost = self._cost(candidates[valid], valid)
        better = cost < self.cost[valid]
        self.matches[valid[better]], self.cost[valid[better]] = candidates[valid[better]], cost[better]

    def _cost(self, places: np.ndarray, chosen=slice(None), wanted: np.ndarray | None = None) -> np.ndarray:
        away = self._cut_patches(places)
        away -= self.wanted[chosen] if wanted is None else wanted
        away *= away
        cost = away.mean((1, 2))
        if self.most_lift:
            off, lift = self._find_lift(places, chosen)
            cost += ((1 + LIFT_COST) * lift * lift - 2 * lift * off).sum(1) / away.shape[2]
        if self.level_cost:
            rows = np.abs(places[:, 0] - self.targets[chosen][:, 0])
            cost = cost + self.level_cost * np.minimum(rows / self.level_reach, 1)
        return cost

    def _find_lift(self, places: np.ndarray, chosen=slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """By how much the means of patches are off (N, 3), and the part of it (N, 3) by which they are lifted."""
        off = self.wanted_means[chosen] - take_pixels(self.means, self._flatten(places))
        return off, off.clip(-self.most_lift, self.most_lift)

    def _flatten(self, places: np.ndarray) -> np.ndarray:
        return places @ np.array([self.shape[1], 1])

    def _cut_patches(self, places: np.ndarray) -> np.ndarray:
        """The patches (N, P, C) around some places (N, 2)."""
        return self.flat.take(self._flatten(places)[:, None] + self.flat_steps, axis=0)

    def vote(self, known: np.ndarray, ask=lambda: None) -> np.ndarray:
        """Every hole pixel becomes the mean of what the patches over it propose, good matches counting more.

        Other pixels are those of `known` (h, w, C) float32. `ask` is called between steps, and may raise.
        """
        channels = known.shape[-1]
        scale = max(float(np.percentile(self.cost, 60)), 1.0)
        weight = self.trust * np.exp(-self.cost / (2 * scale)) + 1e-9
        lift = self._find_lift(self.matches)[1] if self.most_lift else None
        touched = np.flatnonzero(self._find_touched())  # on the canvas of a pan a fraction of all pixels
        number = np.zeros(self.hole.size, np.int32)
        number[touched] = np.arange(len(touched))
        sums = np.zeros((len(touched), channels + 1))  # colors times weights, and weights
        rows = whole_pixels(sums)
        places, sources = self._flatten(self.targets), self._flatten(self.matches)
        for step, offset in zip(self.steps, self.flat_steps, strict=True):
            ask()
            # Nearer patch centres count more, which keeps the texture sharp.
            share = weight * np.exp(-(step @ step) / 4.0)
            here = number.take(places + offset)  # every place once
            # Whole rows are copied several times faster than their numbers.
            part = rows.take(here).view(np.float64).reshape(-1, channels + 1)
            found = take_pixels(known, sources + offset)
            if lift is not None:
                found[:, :3] += lift
            for channel in range(channels):
                part[:, channel] += found[:, channel] * share
            part[:, channels] += share
            rows[here] = whole_pixels(part)
        voted = self.hole.take(touched) & (sums[:, channels] > 0)
        total, weights = sums[voted, :channels], sums[voted, channels]
        result = known.copy()
        result.reshape(-1, channels)[touched[voted]] = total / np.maximum(weights, 1e-12)[:, None]
        return result

    def _find_touched(self) -> np.ndarray:
        """The pixels (h, w) bool over which patches of the hole lie."""
        import cv2

        centers = np.zeros(self.shape, np.uint8)
        centers[tuple(self.targets.T)] = 1
        return cv2.dilate(centers, np.ones((2 * PATCH_RADIUS + 1,) * 2, np.uint8)) > 0
