"""Strokes that mend the masks of a scene: read from a workflow, grouped into shapes, drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from ..errors import InputError
from ..media.container import MAX_PIXELS


STROKE_MASKS = ("person", "occluder")  # of a scene
STROKE_MODES = ("add", "remove")  # of painting
LONGEST_TEXT = 20_000  # characters: strokes travel inside the workflow
LARGEST_RADIUS = 2048.0  # pixels
FARTHEST_POINT = 65_536.0  # pixels from the picture's corner
ELONGATION = 1.5  # how much longer than wide a shape must be for its direction to mean something
STROKE_FORM = "[layer, frame, add or remove, radius, [[x, y], ...]]"


@dataclass(frozen=True, eq=False)
class Stroke:
    """A line painted on one frame with a round brush, in pixels of the scene; pixel centres lie at .5."""

    mask: str
    frame: int
    mode: str
    radius: float
    points: np.ndarray  # (N, 2) x, y


def read_strokes(text: str, frames: int) -> tuple[Stroke, ...]:
    """Strokes from the JSON text of a workflow, for a scene of `frames`. An empty text holds none.

    Raises InputError for anything that is not a list of strokes, or is painted on a frame that does not exist.
    """
    if len(text) > LONGEST_TEXT:
        raise InputError(
            f"The strokes take {len(text)} characters, the limit is {LONGEST_TEXT}. "
            "Clear some frames in Review Layers; strokes on a few frames are carried to those between."
        )
    try:
        entries = json.loads(text) if text.strip() else []
    except (ValueError, RecursionError) as error:
        raise InputError(f"The strokes are not JSON: {error}. Clear them in Review Layers.") from error
    if not isinstance(entries, list):
        raise InputError(f"The strokes must be a list of {STROKE_FORM}. Clear them in Review Layers.")
    return tuple(_stroke(number, entry, frames) for number, entry in enumerate(entries))


def _stroke(number: int, entry, frames: int) -> Stroke:
    if not isinstance(entry, list) or len(entry) != 5:
        raise InputError(f"Stroke {number} must be {STROKE_FORM}.")
    mask, frame, mode, radius, points = entry
    if mask not in STROKE_MASKS or mode not in STROKE_MODES:
        raise InputError(
            f"Stroke {number} says {mask!r} and {mode!r}; "
            f"the layer is one of {', '.join(STROKE_MASKS)}, then add or remove."
        )
    if isinstance(frame, bool) or not isinstance(frame, int) or not 0 <= frame < frames:
        raise InputError(
            f"Stroke {number} is painted on frame {frame} but the scene has {frames} frames, counted from 0. "
            "The strokes belong to another clip: clear them in Review Layers."
        )
    if not _is_number(radius) or not 0 < radius <= LARGEST_RADIUS:
        raise InputError(f"The radius of stroke {number} must lie between 0 and {LARGEST_RADIUS:g} pixels.")
    if not isinstance(points, list) or not points or not all(_is_point(point) for point in points):
        raise InputError(f"Stroke {number} needs points [[x, y], ...] in pixels of the scene.")
    return Stroke(mask, frame, mode, float(radius), np.array(points, np.float64))


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -math.inf < value < math.inf


def _is_point(value) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_number(v) and abs(v) < FARTHEST_POINT for v in value)


@dataclass(frozen=True, eq=False)
class Shape:
    """Strokes of one kind on one frame that touch each other: one painted area."""

    strokes: tuple[Stroke, ...]
    order: int  # when it was painted

    @property
    def mask(self) -> str:
        return self.strokes[0].mask

    @property
    def frame(self) -> int:
        return self.strokes[0].frame

    @property
    def mode(self) -> str:
        return self.strokes[0].mode

    def box(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1 of the painted pixels; it may leave the picture."""
        low = np.min([stroke.points.min(0) - stroke.radius for stroke in self.strokes], 0)
        high = np.max([stroke.points.max(0) + stroke.radius for stroke in self.strokes], 0)
        return (*(int(side) - 1 for side in np.floor(low)), *(int(side) + 1 for side in np.ceil(high)))

    def inside(self, box) -> np.ndarray:
        """Signed distance (h, w) from the outline within `box`, in pixels: above 0 inside."""
        import cv2

        x0, y0, x1, y1 = box
        nearest = np.full((y1 - y0, x1 - x0), -np.inf, np.float32)
        for radius in {stroke.radius for stroke in self.strokes}:
            line = np.ones(nearest.shape, np.uint8)
            for stroke in self.strokes:
                if stroke.radius == radius:
                    # Four bits of subpixels; OpenCV counts pixel centres at whole numbers, and draws no single point.
                    places = np.rint((stroke.points[[*range(len(stroke.points)), -1]] - (x0 + 0.5, y0 + 0.5)) * 16)
                    places = places.astype(np.int32)
                    cv2.polylines(line, [places], False, 0, shift=4)
            distance = cv2.distanceTransform(line, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
            nearest = np.maximum(nearest, radius - distance)
        return nearest


def group_strokes(strokes: Iterable[Stroke]) -> list[Shape]:
    """The painted areas. Strokes join where they touch, unless one of the other mode was painted in between.

    Raises InputError for an area that no picture can hold.
    """
    numbered = sorted(enumerate(strokes), key=lambda entry: (entry[1].mask, entry[1].frame, entry[0]))
    shapes = []
    for _, run in groupby(numbered, key=lambda entry: (entry[1].mask, entry[1].frame, entry[1].mode)):
        areas: list[list] = []
        for entry in run:
            joined = [area for area in areas if any(_touch(entry[1], other) for _, other in area)]
            areas = [area for area in areas if area not in joined] + [[*sum(joined, []), entry]]
        shapes += [_check_size(Shape(tuple(stroke for _, stroke in area), area[0][0])) for area in areas]
    return shapes


def _check_size(shape: Shape) -> Shape:
    """Refuse what no picture can hold, before memory is taken for it."""
    x0, y0, x1, y1 = shape.box()
    if (x1 - x0) * (y1 - y0) > MAX_PIXELS:
        raise InputError(
            f"Strokes on frame {shape.frame} reach over {x1 - x0}x{y1 - y0} pixels; the limit is "
            f"{MAX_PIXELS / 1e6:.0f} megapixels. Clear them in Review Layers."
        )
    return shape


def _touch(a: Stroke, b: Stroke) -> bool:
    """Whether the brush marks overlap. The lines are sampled as finely as the brush is wide."""
    reach = a.radius + b.radius
    first, second = _sample_line(a), _sample_line(b)
    return any((np.hypot(*(second - point).T) < reach).any() for point in first)


def _sample_line(stroke: Stroke) -> np.ndarray:
    """Points on a stroke's line, no farther apart than its radius."""
    points = [stroke.points[:1]]
    for start, end in zip(stroke.points[:-1], stroke.points[1:], strict=True):
        steps = max(1, math.ceil(np.hypot(*(end - start)) / max(stroke.radius, 0.5)))
        points.append(start + (end - start) * np.linspace(0, 1, steps + 1)[1:, None])
    return np.concatenate(points)


@dataclass(frozen=True, eq=False)
class Placement:
    """A similarity that moves a shape to where it is: p -> center + e^growth R(angle) (p - painted center).

    Convention: pixels, y down; the angle turns x towards y, in radians.
    """

    center: np.ndarray  # (2,)
    angle: float = 0.0
    growth: float = 0.0

    def apply(self, shape: Shape, painted: np.ndarray) -> Shape:
        """A shape whose center was `painted` (2,), moved here."""
        cos, sin, scale = math.cos(self.angle), math.sin(self.angle), math.exp(self.growth)
        turn = scale * np.array([[cos, -sin], [sin, cos]])
        moved = (
            Stroke(s.mask, s.frame, s.mode, s.radius * scale, (s.points - painted) @ turn.T + self.center)
            for s in shape.strokes
        )
        return Shape(tuple(moved), shape.order)


@dataclass(frozen=True, eq=False)
class Moments:
    """Center, size and direction of a shape's area."""

    center: np.ndarray  # (2,)
    area: float
    angle: float | None  # of the long side, None where there is none

    @classmethod
    def of(cls, shape: Shape) -> Moments:
        import cv2

        x0, y0, x1, y1 = box = shape.box()
        found = cv2.moments((shape.inside(box) > -0.5).astype(np.uint8), binaryImage=True)
        area = max(found["m00"], 1.0)
        center = np.array([x0 + 0.5 + found["m10"] / area, y0 + 0.5 + found["m01"] / area])
        spread = np.array([[found["mu20"], found["mu11"]], [found["mu11"], found["mu02"]]]) / area
        values, vectors = np.linalg.eigh(spread)
        is_long = values[1] > ELONGATION**2 * max(values[0], 1e-9)
        return cls(center, area, math.atan2(vectors[1, 1], vectors[0, 1]) if is_long else None)
