"""Rigid things across the person: where colours no longer tell a thing from the person, its shape seen apart does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..store import FrameStore


WINDOW = 0.08  # of the stature: how far from its predicted place a thing is sought, beside half its speed
TURNS = (-0.12, -0.04, 0.0, 0.04, 0.12)  # radians a frame by which a thing may change how fast it turns
STRAY = 0.08  # of the stature: a thing that strays so far from its predicted place costs 1
NOISE = 30.0  # levels by which the colours of a thing may differ at a cost of 1
PLACE_WEIGHT = 2.0  # of a thing that lies wholly on what is surely scene, and the reward of covering what is strange
LOST = 50.0  # levels from its remembered look at which a thing is gone, behind the person perhaps
BARE = 0.4  # share of a thing that may be surely scene before it is gone
FRESH = 0.3  # weight of the newest frame in the remembered look
LONGEST = 60  # frames that a thing is followed without being seen apart
SAME = 0.5  # IoU of a followed shape and a thing seen apart that ends the pursuit


@dataclass(frozen=True, eq=False)
class Evidence:
    """A frame at working size, (h, w)."""

    picture: np.ndarray  # (h, w, 3) uint8
    scene: np.ndarray  # bool: surely the scene
    strange: np.ndarray  # bool: neither scene nor near the person
    apart: np.ndarray  # bool: things seen whole, away from the person


@dataclass(frozen=True, eq=False)
class Placed:
    """A shape (h, w) bool with its upper left corner at `corner` (x, y) of the frame, which may lie outside."""

    shape: np.ndarray
    corner: np.ndarray

    def on(self, size: tuple[int, int]) -> np.ndarray:
        """The shape in a frame of `size` (width, height), (h, w) bool."""
        mask = np.zeros(size[::-1], bool)
        (y, x), (height, width) = np.nonzero(self.shape), mask.shape
        x, y = x + self.corner[0], y + self.corner[1]
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        mask[y[inside], x[inside]] = True
        return mask


class Follower:
    """A rigid thing that was seen apart, sought in the frames that follow: it moves, turns, but keeps its shape."""

    def __init__(self, mask: np.ndarray, picture: np.ndarray, speed: np.ndarray, stature: float):
        """`mask` (h, w) bool in a frame (h, w, 3) uint8; `speed` (2,) pixels a frame."""
        y, x = np.nonzero(mask)
        self.stature, self.speed, self.rate, self.angle = stature, np.asarray(speed, float), 0.0, 0.0
        self.center = np.array([x.min() + x.max(), y.min() + y.max()]) / 2
        self.half = int(np.ceil(np.hypot(np.ptp(x), np.ptp(y)) / 2)) + 2
        corner = np.round(self.center).astype(int) - self.half
        side = 2 * self.half + 1
        self.shape = _window(mask.astype(np.float32), corner, side, 0)
        self.look = _window(picture.astype(np.float32), corner, side, None)

    def advance(self, seen: Evidence) -> Placed | None:
        """Where the thing is in the next frame, or None if it is no longer there."""
        place = self.center + self.speed
        reach = int(np.ceil(WINDOW * self.stature + 0.5 * np.linalg.norm(self.speed)))
        corner = np.round(place).astype(int) - self.half - reach
        side = 2 * (self.half + reach) + 1
        picture = _window(seen.picture.astype(np.float32), corner, side, None)
        balance = _window(seen.scene.astype(np.float32) - seen.strange, corner, side, 0)
        found = min((self._match(turn, picture, balance, reach) for turn in TURNS), key=lambda match: match[0])
        _, error, share, turn, offset = found
        center = np.round(place) + offset - reach
        height, width = seen.scene.shape
        if error > LOST or share > BARE or not (0 <= center[0] < width and 0 <= center[1] < height):
            return None
        self.rate += turn
        self.angle += self.rate
        self.speed = 0.5 * self.speed + 0.5 * (center - self.center)
        self.center = center
        corner = center.astype(int) - self.half
        self._remember(_window(seen.picture.astype(np.float32), corner, 2 * self.half + 1, None))
        return Placed(self._turned(self.shape, self.angle) > 0.5, corner)

    def _match(self, turn: float, picture: np.ndarray, balance: np.ndarray, reach: int) -> tuple:
        """The best place for one change of turn: cost, levels of error, share of scene, turn, offset (x, y)."""
        import cv2

        angle = self.angle + self.rate + turn
        shape, look = self._turned(self.shape, angle), self._turned(self.look, angle)
        shape = (shape > 0.5).astype(np.float32)
        area = max(float(shape.sum()), 1.0)
        squares = cv2.matchTemplate(picture, look, cv2.TM_SQDIFF, mask=np.dstack([shape] * 3)) / (3 * area)
        share = cv2.matchTemplate(balance, shape, cv2.TM_CCORR) / area
        rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        stray = (rows * rows + columns * columns) / (STRAY * self.stature) ** 2
        cost = squares / NOISE**2 + PLACE_WEIGHT * share + stray + (turn / 0.3) ** 2
        y, x = np.unravel_index(int(np.argmin(cost)), cost.shape)
        return cost[y, x], np.sqrt(max(float(squares[y, x]), 0)), share[y, x], turn, np.array([x, y])

    def _remember(self, picture: np.ndarray) -> None:
        upright = self._turned(picture, -self.angle)
        self.look = (1 - FRESH) * self.look + FRESH * upright

    def _turned(self, layer: np.ndarray, angle: float) -> np.ndarray:
        import cv2

        if abs(angle) < 1e-6:
            return layer
        matrix = cv2.getRotationMatrix2D((self.half, self.half), np.degrees(-angle), 1)
        return cv2.warpAffine(layer, matrix, layer.shape[1::-1], flags=cv2.INTER_LINEAR)


def _window(layer: np.ndarray, corner: np.ndarray, side: int, fill: float | None) -> np.ndarray:
    """A square of a layer (h, w, ...) at a corner (x, y); beyond the layer `fill`, or its border if None."""
    rows, columns = corner[1] + np.arange(side), corner[0] + np.arange(side)
    height, width = layer.shape[:2]
    cut = layer[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
    if fill is not None:
        cut[(rows < 0) | (rows >= height)] = fill
        cut[:, (columns < 0) | (columns >= width)] = fill
    return cut


class Paths:
    """Shapes of followed things, frame by frame, in a temporary file."""

    def __init__(self, size: tuple[int, int]):
        self.size, self.store = size, FrameStore()
        self.found: dict[int, list[tuple[int, np.ndarray]]] = {}

    def add(self, frame: int, placed: Placed) -> None:
        self.found.setdefault(frame, []).append((len(self.store), placed.corner))
        self.store.append(placed.shape.astype(np.uint8))

    def at(self, frame: int) -> np.ndarray:
        """Where followed things are in a frame, (h, w) bool."""
        mask = np.zeros(self.size[::-1], bool)
        for index, corner in self.found.get(frame, []):
            mask |= Placed(self.store[index] > 0, corner).on(self.size)
        return mask


def pursuit(follower: Follower, frames: range, evidence: Callable[[int], Evidence | None]) -> Iterator[tuple]:
    """(frame, Placed) of a thing in `frames`, until it is lost or seen apart again."""
    for frame in frames[:LONGEST]:
        seen = evidence(frame)
        placed = None if seen is None else follower.advance(seen)
        if placed is None:
            return
        mask = placed.on(seen.scene.shape[::-1])
        if (mask & seen.apart).sum() > SAME * mask.sum():
            return
        yield frame, placed
