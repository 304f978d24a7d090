"""Painted shapes propagated to the frames between those on which they were painted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..media.clip import Clip
from ..media.store import FrameStore
from ..progress import Progress, silent
from .strokes import Moments, Placement, Shape, Stroke, group_strokes


# Set on 12 synthetic shots (forearms, 192 px, 24 fps), 2026-11-23: overlap between painted frames four apart 0.54,
# interpolation alone 0.26.
TRACKING_SIDE = 320  # pixels of the longer side at which shapes are followed
SEARCH_REACH = 0.05  # of the longer side: how far a shape may move otherwise than the flow of its pixels says
FLOW_DISTRUST = 5.0  # squared levels by which a place must be more alike for each squared pixel off the flow
CACHED_FLOWS = 64  # of 640 kB each
SAME_SHAPE = 0.25  # of the longer side: shapes on two frames are one if the first is carried so near to the second


@dataclass(frozen=True, eq=False)
class ShapeSpan:
    """A shape painted on two frames, and where each of the two is on every frame from the first to the last."""

    first: Shape
    last: Shape
    from_first: list[Placement]
    from_last: list[Placement]

    def blend(self, frame: int) -> tuple[tuple[int, int, int, int], np.ndarray]:
        """The box of the shape on a frame between, and its signed distance (h, w) there: the blend of the two."""
        step = frame - self.first.frame
        share = step / (self.last.frame - self.first.frame)
        here = self.from_first[step].apply(self.first, self.from_first[0].center)
        there = self.from_last[step].apply(self.last, self.from_last[-1].center)
        a, b = here.box(), there.box()
        box = (*np.minimum(a[:2], b[:2]), *np.maximum(a[2:], b[2:]))
        return box, (1 - share) * here.inside(box) + share * there.inside(box)


def propagate_shapes(
    strokes: Iterable[Stroke], clip: Clip, *, progress: Progress = silent
) -> tuple[list[Shape], list[ShapeSpan]]:
    """The painted shapes, and how each moves to the next frame on which the same shape was painted.

    The pixels within a shape say how it moves; the frames that were painted say where it must be, how large and how
    turned. What was missed is spread over the frames between. A shape painted on one frame only stays on that frame.
    Raises InputError for strokes that cover more than a picture can hold.
    """
    shapes = group_strokes(strokes)
    frames = sorted({shape.frame for shape in shapes})
    if not shapes or frames[-1] - frames[0] < 2:
        return shapes, []
    tracker = _ShapeTracker(clip, frames[0], frames[-1], progress)
    pairs = _pair_shapes(shapes, tracker, SAME_SHAPE * max(clip.width, clip.height))
    return shapes, [_make_span(first, last, tracker) for first, last in pairs if last.frame - first.frame > 1]


def _pair_shapes(shapes: list[Shape], tracker: _ShapeTracker, limit: float) -> list[tuple[Shape, Shape]]:
    """Shapes that show the same thing on two frames: the nearest ones when the earlier is carried to the later."""
    pairs, ends = [], []  # ends: the last shape of each chain, and where its center is now
    frames = sorted({shape.frame for shape in shapes})
    for now, following in zip(frames, [*frames[1:], None], strict=True):
        fresh = [(shape, Moments.of(shape).center) for shape in shapes if shape.frame == now]
        met = _match_nearest(ends, fresh, limit)
        pairs += [(ends[old][0], fresh[new][0]) for old, new in met.items()]
        ends = [end for number, end in enumerate(ends) if number not in met] + fresh
        if following is not None:
            ends = [(shape, tracker.track_shape(shape, center, now, following)[-1]) for shape, center in ends]
    return pairs


def _match_nearest(ends: list, fresh: list, limit: float) -> dict[int, int]:
    """Which of the shapes `ends` meets which of `fresh`, one to one, nearest first."""
    distances = sorted(
        (math.dist(there, here), old, new)
        for old, (end, there) in enumerate(ends)
        for new, (shape, here) in enumerate(fresh)
        if (end.mask, end.mode) == (shape.mask, shape.mode)
    )
    met: dict[int, int] = {}
    for distance, old, new in distances:
        if distance <= limit and old not in met and new not in met.values():
            met[old] = new
    return met


def _make_span(first: Shape, last: Shape, tracker: _ShapeTracker) -> ShapeSpan:
    start, end = Moments.of(first), Moments.of(last)
    ahead = tracker.track_shape(first, start.center, first.frame, last.frame)
    back = tracker.track_shape(last, end.center, last.frame, first.frame)
    turn = _rotation_between(start.angle, end.angle)
    return ShapeSpan(
        first, last, _steer_to_target(ahead, start, end, turn), _steer_to_target(back, end, start, -turn)[::-1]
    )


def _rotation_between(painted: float | None, target: float | None) -> float:
    """The smaller of the two turns that bring one long side onto another: it has no front."""
    if painted is None or target is None:
        return 0.0
    return (target - painted + math.pi / 2) % math.pi - math.pi / 2


def _steer_to_target(centers: np.ndarray, painted: Moments, target: Moments, turn: float) -> list[Placement]:
    """Places that follow `centers` (N, 2) but end on the target, turned and grown like it on the way."""
    growth = math.log(target.area / painted.area) / 2
    missed = target.center - centers[-1]
    return [
        Placement(center + share * missed, share * turn, share * growth)
        for center, share in zip(centers, np.linspace(0, 1, len(centers)), strict=True)
    ]


class _ShapeTracker:
    """Finds shapes again in the next frame, by the pixels within them, at a small size."""

    def __init__(self, clip: Clip, first: int, last: int, progress: Progress):
        import cv2

        self.first, self.scale = first, min(1.0, TRACKING_SIDE / max(clip.width, clip.height))
        size = tuple(max(16, round(side * self.scale)) for side in (clip.width, clip.height))
        self.search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self.pictures, self.flows = FrameStore(), {}
        self.ask = lambda: progress(last + 1 - first, last + 1 - first)  # whether to go on
        for done, frame in enumerate(clip.read(first, last + 1), 1):
            self.pictures.append(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
            progress(done, last + 1 - first)

    def track_shape(self, shape: Shape, center: np.ndarray, start: int, stop: int) -> np.ndarray:
        """Where a shape whose center (2,) is known on frame `start` is up to and with `stop`, (steps + 1, 2)."""
        painted = Moments.of(shape).center
        centers = [center]
        step = 1 if stop > start else -1
        for now, following in pairwise(range(start, stop + step, step)):
            self.ask()
            here = Placement(centers[-1] * self.scale, growth=math.log(self.scale)).apply(shape, painted)
            pictures = (self.pictures[frame - self.first] for frame in (now, following))
            centers.append(centers[-1] + _measure_shift(here, *pictures, self._flow(now, following)) / self.scale)
        return np.array(centers)

    def _flow(self, now: int, following: int) -> np.ndarray:
        """(h, w, 2), how far the pixels of frame `now` have moved in the following one."""
        import cv2

        if (now, following) not in self.flows:
            if len(self.flows) > CACHED_FLOWS:
                self.flows.clear()
            pictures = (
                cv2.cvtColor(self.pictures[frame - self.first], cv2.COLOR_RGB2GRAY) for frame in (now, following)
            )
            self.flows[now, following] = self.search.calc(*pictures, None)
        return self.flows[now, following]


def _measure_shift(shape: Shape, picture: np.ndarray, following: np.ndarray, flow: np.ndarray) -> np.ndarray:
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
    reach = max(2, round(SEARCH_REACH * max(width, height)))
    x, y = np.rint(guess).astype(int)
    edge = reach + int(np.abs(guess).max()) + 1
    framed = cv2.copyMakeBorder(following, *(edge,) * 4, cv2.BORDER_REPLICATE)
    rows = slice(top + y + edge - reach, bottom + y + edge + reach)
    columns = slice(left + x + edge - reach, right + x + edge + reach)
    template = np.ascontiguousarray(picture[top:bottom, left:right])
    unlike = cv2.matchTemplate(framed[rows, columns], template, cv2.TM_SQDIFF, mask=inside.astype(np.uint8))
    down, across = np.mgrid[y - reach : y + reach + 1, x - reach : x + reach + 1]
    unlike = unlike / (3 * inside.sum()) + FLOW_DISTRUST * ((across - guess[0]) ** 2 + (down - guess[1]) ** 2)
    row, column = np.unravel_index(unlike.argmin(), unlike.shape)
    finer = _find_minimum(unlike[row], column), _find_minimum(unlike[:, column], row)
    return np.array([across[row, column], down[row, column]]) + finer


def _find_minimum(values: np.ndarray, least: int) -> float:
    """How far from the index of the least value the parabola through it and its neighbours has its bottom."""
    if not 0 < least < len(values) - 1:
        return 0.0
    before, here, after = values[least - 1 : least + 2]
    bend = before - 2 * here + after
    return float((before - after) / (2 * bend)) if bend > 0 else 0.0
