"""Which part of a picture each pixel of a hole is copied from, so that seams show least."""

from __future__ import annotations

import numpy as np


SWEEPS = 2  # over all offsets; the second one still lowers the cost by some percent
CHANGE_COST = 2.0  # of neighbors with different offsets, whatever they look like: fewer and larger pieces
UNKNOWN_COST = 1e4  # of copying from where nothing is known
RIM_UNKNOWN_COST = 60.0  # of a piece of whose surroundings beside the rim nothing is known
GUIDE_WEIGHT = 0.4  # of the distance from the appearance that is expected
GUIDE_LIMIT = 60.0  # levels of that distance beyond which it counts no more
LEVEL_REACH = 0.25  # of the hole's height: coming from so far above or below, or further, costs the whole level cost
CAPACITY_STEPS = 16  # of whole numbers to one unit of cost
CHANCE_PAIRS = 4000  # of places that tell how different the surroundings are
NEIGHBOR_STEPS = ((0, 1), (1, 0))  # from each pixel to the neighbors that follow it


class OffsetLabels:
    """For every pixel of a hole one of K offsets (rows, columns) into what is known.

    Photomontage of a picture with itself: Kwatra et al., "Graphcut Textures" (SIGGRAPH 2003), with the offsets as
    labels as in Pritch et al., "Shift-Map Image Editing" (ICCV 2009), by alpha-expansion (Boykov et al., PAMI 2001).
    """

    def __init__(self, hole: np.ndarray, known: np.ndarray, offsets: np.ndarray):
        """Of a `hole` (h, w) bool, in pictures `known` (h, w) bool; `offsets` (K, 2)."""
        self.hole, self.known, self.offsets = hole, known, offsets
        self.places = np.argwhere(hole)
        self.labels = np.zeros(len(self.places), int)
        number = np.full(np.array(hole.shape) + 1, -1)
        number[:-1, :-1][hole] = np.arange(len(self.places))
        pairs = [(number[:-1, :-1][hole], number[tuple((self.places + step).T)]) for step in NEIGHBOR_STEPS]
        pairs = [np.stack(pair)[:, pair[1] >= 0] for pair in pairs]
        self.first, self.second = np.concatenate(pairs, axis=1)

    def choose(
        self,
        looks: np.ndarray,
        averages: np.ndarray,
        expected: np.ndarray,
        ask=lambda: None,
        *,
        level_cost: float = 0.0,
    ) -> None:
        """Set `labels` (N,) to the offsets of least cost. `ask` is called for each try of an offset.

        `looks` (h, w, C) must agree along seams and with the rim, `averages` (h, w, D) stay near the `expected` ones.
        `level_cost` is what it costs to come from far above or below.
        """
        copies = np.stack([self._copy(looks, offset) for offset in self.offsets])  # (K, N, C)
        cost = np.stack([self._cost_of(looks, averages, expected, offset, level_cost) for offset in self.offsets])
        self.labels = cost.argmin(0)
        for _ in range(SWEEPS):
            before = self.labels
            for number in range(len(self.offsets)):
                ask()
                self._expand(number, cost, copies)
            if (before == self.labels).all():
                break

    def find_sources(self) -> tuple[np.ndarray, np.ndarray]:
        """The places (N, 2) to copy from, and which of them are known, (N,) bool."""
        return self._look_up(self.places, self.offsets[self.labels])

    def compare_rim(self, looks: np.ndarray) -> float:
        """How far pieces differ from the rim which they continue, against two known places drawn by chance.

        Near 0 the surroundings repeat, near 1 they do not. `looks` (h, w, C) are those of `choose`.
        """
        differences = []
        for step in (*NEIGHBOR_STEPS, (0, -1), (-1, 0)):
            beside, known = self._look_up(self.places, np.array(step))
            copied, is_known = self._look_up(beside, self.offsets[self.labels])
            both = known & is_known
            differences.append(looks[tuple(copied[both].T)] - looks[tuple(beside[both].T)])
        places = np.argwhere(self.known)
        one, other = places[np.random.default_rng(0).integers(len(places), size=(2, CHANCE_PAIRS))]
        by_chance = np.linalg.norm(looks[tuple(one.T)] - looks[tuple(other.T)], axis=1).mean()
        found = np.linalg.norm(np.concatenate(differences), axis=1)
        return float(found.mean() / max(by_chance, 1e-6)) if len(found) else 1.0

    def measure_departure(self, looks: np.ndarray, averages: np.ndarray, expected: np.ndarray) -> float:
        """How far pieces are from the expected appearance, against the roughness of what is known.

        Below 1 where the surroundings are alike everywhere, as a wall or grass. The arrays are those of `choose`.
        """
        moved, _ = self.find_sources()
        away = np.linalg.norm(averages[tuple(moved.T)] - expected[self.hole], axis=1).mean()
        return float(away / max(np.linalg.norm(looks[self.known], axis=1).mean(), 1e-6))

    def _look_up(self, places: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        moved = places + offset
        inside = ((moved >= 0) & (moved < self.hole.shape)).all(1)
        moved = moved.clip(0, np.array(self.hole.shape) - 1)
        return moved, inside & self.known[tuple(moved.T)]

    def _copy(self, values: np.ndarray, offset: np.ndarray) -> np.ndarray:
        moved, known = self._look_up(self.places, offset)
        return values[tuple(moved.T)] * known[:, None]

    def _cost_of(self, looks, averages, expected, offset: np.ndarray, level_cost: float) -> np.ndarray:
        """What it costs each pixel (N,) to have an offset, its neighbors in the hole aside."""
        moved, known = self._look_up(self.places, offset)
        off = np.linalg.norm(averages[tuple(moved.T)] - expected[tuple(self.places.T)], axis=1)
        cost = np.where(known, GUIDE_WEIGHT * np.minimum(off, GUIDE_LIMIT), UNKNOWN_COST)
        cost += level_cost * min(abs(offset[0]) / (LEVEL_REACH * (np.ptp(self.places[:, 0]) + 1)), 1.0)
        for step in (*NEIGHBOR_STEPS, (0, -1), (-1, 0)):
            beside = self.places + step
            at_rim = np.flatnonzero(((beside >= 0) & (beside < self.hole.shape)).all(1))
            at_rim = at_rim[self.known[tuple(beside[at_rim].T)]]
            beside = beside[at_rim]
            copied, is_known = self._look_up(beside, offset)
            seam = 2 * np.linalg.norm(looks[tuple(copied.T)] - looks[tuple(beside.T)], axis=1)
            cost[at_rim] += np.where(is_known, seam, RIM_UNKNOWN_COST)
        return cost

    def _seam(self, copies: np.ndarray, first, second) -> np.ndarray:
        """The cost of each pair of neighbors, were the first one labelled `first` and the second one `second`."""
        here = copies[first, self.first] - copies[second, self.first]
        there = copies[first, self.second] - copies[second, self.second]
        return np.linalg.norm(here, axis=1) + np.linalg.norm(there, axis=1) + CHANGE_COST * (first != second)

    def _expand(self, label: int, cost: np.ndarray, copies: np.ndarray) -> None:
        """Let all pixels that gain by it change to one label at once: the smallest cut of a graph."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import breadth_first_order, maximum_flow

        count, everywhere = len(self.places), np.full(len(self.first), label)
        one, two = self.labels[self.first], self.labels[self.second]
        keep, change = self._seam(copies, one, two), self._seam(copies, everywhere, two)
        between = self._seam(copies, one, everywhere) + change - keep
        gain = cost[label] - cost[self.labels, np.arange(count)]
        gain += np.bincount(self.first, change - keep, count) - np.bincount(self.second, change, count)
        between, gain = (np.rint(values * CAPACITY_STEPS).astype(np.int32) for values in (between, gain))
        joined, lose, win = np.flatnonzero(between > 0), np.flatnonzero(gain > 0), np.flatnonzero(gain < 0)
        if not len(win):
            return
        source, sink = count, count + 1
        rows = np.concatenate([self.first[joined], np.full(len(lose), source), win])
        columns = np.concatenate([self.second[joined], lose, np.full(len(win), sink)])
        capacity = np.concatenate([between[joined], gain[lose], -gain[win]])
        graph = csr_matrix((capacity, (rows, columns)), shape=(count + 2,) * 2, dtype=np.int32)
        left = graph - maximum_flow(graph, source, sink).flow
        left.data = np.maximum(left.data, 0)
        left.eliminate_zeros()
        changes = np.ones(count + 2, bool)
        changes[breadth_first_order(left, source, return_predecessors=False)] = False
        self.labels = np.where(changes[:count], label, self.labels)
