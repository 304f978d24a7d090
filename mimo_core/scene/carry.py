"""Carrying painted shapes to the frames between those on which they were painted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..media.clip import Clip
from ..media.store import FrameStore
from ..progress import Progress, silent
from .strokes import Moments, Place, Shape, Stroke, shapes_of


WORKING_SIDE = 320  # pixels of the longer side at which shapes are followed
SEARCH = 0.05  # of the longer side: how far a shape may move otherwise than the flow of its pixels says
DISTRUST = 5.0  # squared levels by which a place must look more alike for each squared pixel that it is off the flow
KEPT_FLOWS = 64  # of 640 kB each
SAME = 0.25  # of the longer side: shapes on two frames are one if the first is carried so near to the second


@dataclass(frozen=True, eq=False)
class Span:
    """A shape painted on two frames, and where each of the two is on every frame from the first to the last."""

    first: Shape
    last: Shape
    from_first: list[Place]
    from_last: list[Place]

    def inside(self, frame: int) -> tuple[tuple[int, int, int, int], np.ndarray]:
        """The box of the shape on a frame between, and its signed distance (h, w) there: the blend of the two."""
        step = frame - self.first.frame
        share = step / (self.last.frame - self.first.frame)
        here = self.from_first[step].of(self.first, self.from_first[0].center)
        there = self.from_last[step].of(self.last, self.from_last[-1].center)
        a, b = here.box(), there.box()
        box = (*np.minimum(a[:2], b[:2]), *np.maximum(a[2:], b[2:]))
        return box, (1 - share) * here.inside(box) + share * there.inside(box)


def carry(strokes: Iterable[Stroke], clip: Clip, *, progress: Progress = silent) -> tuple[list[Shape], list[Span]]:
    """The painted shapes, and how each goes on to the next frame on which the same was painted.

    The pixels within a shape say how it moves; the frames that were painted say where it must be, how large and how
    turned. What was missed is spread over the frames between. A shape painted on one frame only stays on that frame.
    """
    shapes = shapes_of(strokes)
    frames = sorted({shape.frame for shape in shapes})
    if not shapes or frames[-1] - frames[0] < 2:
        return shapes, []
    follower = _Follower(clip, frames[0], frames[-1], progress)
    pairs = _pairs(shapes, follower, SAME * max(clip.width, clip.height))
    return shapes, [_span(first, last, follower) for first, last in pairs if last.frame - first.frame > 1]


def _pairs(shapes: list[Shape], follower: _Follower, limit: float) -> list[tuple[Shape, Shape]]:
    """Shapes that show the same thing on two frames: the nearest ones when the earlier is carried to the later."""
    pairs, ends = [], []  # ends: the last shape of each chain, and where its center is now
    frames = sorted({shape.frame for shape in shapes})
    for now, following in zip(frames, [*frames[1:], None], strict=True):
        fresh = [(shape, Moments.of(shape).center) for shape in shapes if shape.frame == now]
        met = _nearest(ends, fresh, limit)
        pairs += [(ends[old][0], fresh[new][0]) for old, new in met.items()]
        ends = [end for number, end in enumerate(ends) if number not in met] + fresh
        if following is not None:
            ends = [(shape, follower.places(shape, center, now, following)[-1]) for shape, center in ends]
    return pairs


def _nearest(ends: list, fresh: list, limit: float) -> dict[int, int]:
    """Which of the shapes `ends` meets which of `fresh`, one to one, nearest first."""
    distances = sorted(
        (math.dist(there, here), old, new)
        for old, (end, there) in enumerate(ends)
        for new, (shape, here) in enumerate(fresh)
        if (end.layer, end.mode) == (shape.layer, shape.mode)
    )
    met: dict[int, int] = {}
    for distance, old, new in distances:
        if distance <= limit and old not in met and new not in met.values():
            met[old] = new
    return met


def _span(first: Shape, last: Shape, follower: _Follower) -> Span:
    start, end = Moments.of(first), Moments.of(last)
    ahead = follower.places(first, start.center, first.frame, last.frame)
    back = follower.places(last, end.center, last.frame, first.frame)
    turn = _turn(start.angle, end.angle)
    return Span(first, last, _led(ahead, start, end, turn), _led(back, end, start, -turn)[::-1])


def _turn(painted: float | None, target: float | None) -> float:
    """The smaller of the two turns that bring one long side onto another: it has no front."""
    if painted is None or target is None:
        return 0.0
    return (target - painted + math.pi / 2) % math.pi - math.pi / 2


def _led(centers: np.ndarray, painted: Moments, target: Moments, turn: float) -> list[Place]:
    """Places that follow `centers` (N, 2) but end on the target, turned and grown like it on the way."""
    growth = math.log(target.area / painted.area) / 2
    missed = target.center - centers[-1]
    return [
        Place(center + share * missed, share * turn, share * growth)
        for center, share in zip(centers, np.linspace(0, 1, len(centers)), strict=True)
    ]


class _Follower:
    """Finds shapes again in the next frame, by the pixels within them, at a small size."""

    def __init__(self, clip: Clip, first: int, last: int, progress: Progress):
        import cv2

        self.first, self.scale = first, min(1.0, WORKING_SIDE / max(clip.width, clip.height))
        size = tuple(max(16, round(side * self.scale)) for side in (clip.width, clip.height))
        self.search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self.pictures, self.flows = FrameStore(), {}
        for done, frame in enumerate(clip.read(first, last + 1), 1):
            self.pictures.append(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
            progress(done, last + 1 - first)

    def places(self, shape: Shape, center: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Where a shape whose center (2,) is known on frame `start` is up to and with `stop`, (steps + 1, 2)."""
        painted = Moments.of(shape).center
        centers = [center]
        step = 1 if stop > start else -1
        for now, following in pairwise(range(start, stop + step, step)):
            here = Place(centers[-1] * self.scale, growth=math.log(self.scale)).of(shape, painted)
            pictures = (self.pictures[frame - self.first] for frame in (now, following))
            centers.append(centers[-1] + _shift(here, *pictures, self._flow(now, following)) / self.scale)
        return np.array(centers)

    def _flow(self, now: int, following: int) -> np.ndarray:
        """(h, w, 2), how far the pixels of frame `now` have moved in the following one."""
        import cv2

        if (now, following) not in self.flows:
            if len(self.flows) > KEPT_FLOWS:
                self.flows.clear()
            pictures = (
                cv2.cvtColor(self.pictures[frame - self.first], cv2.COLOR_RGB2GRAY) for frame in (now, following)
            )
            self.flows[now, following] = self.search.calc(*pictures, None)
        return self.flows[now, following]


def _shift(shape: Shape, picture: np.ndarray, following: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """How far (2,) the pixels of a picture (h, w, 3) within a shape have moved in the following one.

    Flow (h, w, 2) sees the whole picture move and loses small fast things; so the shape is looked for around the place
    that the flow says. A shape outside the picture stays.
    """
    import cv2

    height, width = picture.shape[:2]
    x0, y0, x1, y1 = box = shape.box()
    left, top, right, bottom = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if right - left < 3 or bottom - top < 3:
        return np.zeros(2)
    inside = shape.inside(box)[top - y0 : bottom - y0, left - x0 : right - x0] > -1
    if not inside.any():
        return np.zeros(2)
    guess = np.median(flow[top:bottom, left:right][inside], 0)
    reach = max(2, round(SEARCH * max(width, height)))
    x, y = np.rint(guess).astype(int)
    edge = reach + int(np.abs(guess).max()) + 1
    framed = cv2.copyMakeBorder(following, *(edge,) * 4, cv2.BORDER_REPLICATE)
    rows = slice(top + y + edge - reach, bottom + y + edge + reach)
    columns = slice(left + x + edge - reach, right + x + edge + reach)
    template = np.ascontiguousarray(picture[top:bottom, left:right])
    unlike = cv2.matchTemplate(framed[rows, columns], template, cv2.TM_SQDIFF, mask=inside.astype(np.uint8))
    down, across = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    unlike = unlike / (3 * inside.sum()) + DISTRUST * ((across - guess[0]) ** 2 + (down - guess[1]) ** 2)
    row, column = np.unravel_index(unlike.argmin(), unlike.shape)
    finer = _between(unlike[row], column), _between(unlike[:, column], row)
    return np.array([across[row, column], down[row, column]]) + finer


def _between(values: np.ndarray, least: int) -> float:
    """How far from the index of the least value the parabola through it and its neighbours has its bottom."""
    if not 0 < least < len(values) - 1:
        return 0.0
    before, here, after = values[least - 1 : least + 2]
    bend = before - 2 * here + after
    return float((before - after) / (2 * bend)) if bend > 0 else 0.0
