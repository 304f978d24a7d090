"""Boxes of detector nodes. Two types are in use: BBOX holds corners, BOUNDING_BOX holds a corner and a size."""

from __future__ import annotations

from numbers import Real

from ..mimo_core.errors import InputError


def parse_boxes(value, frames: int, person: int = 0) -> list[tuple[float, ...] | None] | None:
    """One box (x0, y0, x1, y1) in pixels per frame, or None in a frame without any. A single box stands for all.

    Where detectors found several, `person` counts them from the largest in the first frame that has any; in every other
    frame the box that overlaps the last one most goes on.
    """
    if value is None:
        return None
    value = value.tolist() if hasattr(value, "tolist") else value
    entries = [value] if _is_box(value) else list(value)
    found = [_collect_boxes(entry, frame) for frame, entry in enumerate(entries)]
    if not any(found):
        raise InputError("None of the boxes holds anything. Lower the detector's threshold, or leave boxes open.")
    boxes = _follow_box(found, person)
    return boxes * frames if len(boxes) == 1 else boxes


def _follow_box(found: list[list[tuple[float, ...]]], person: int) -> list[tuple[float, ...] | None]:
    boxes, last = [], None
    for frame, candidates in enumerate(found):
        if candidates and last is None:
            if len(candidates) > 1 and person >= len(candidates):
                raise InputError(
                    f"Frame {frame} has {len(candidates)} boxes, so there is no person {person}. People are counted "
                    "from 0, the largest first."
                )
            last = sorted(candidates, key=_measure_area, reverse=True)[min(person, len(candidates) - 1)]
        elif candidates:
            last = max(candidates, key=lambda box, last=last: _measure_overlap(box, last))
        boxes.append(last if candidates else None)
    return boxes


def _collect_boxes(entry, frame: int) -> list[tuple[float, ...]]:
    """The boxes of one frame: a box, a list of them, or nothing."""
    if entry is None:
        return []
    if _is_box(entry):
        return [_read_corners(entry, frame)]
    if not isinstance(entry, (list, tuple)):
        raise InputError(f"Frame {frame} has {entry!r} in place of a box of four numbers.")
    return [corners for one in entry for corners in _collect_boxes(one, frame)]


def _is_box(value) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, (list, tuple)) and len(value) > 0 and isinstance(value[0], Real)
    )


def _read_corners(box, frame: int) -> tuple[float, ...]:
    if isinstance(box, dict):
        missing = [name for name in ("x", "y", "width", "height") if name not in box]
        if missing:
            raise InputError(f"The box of frame {frame} lacks {', '.join(missing)}.")
        left, top = box["x"], box["y"]
        return left, top, left + box["width"], top + box["height"]
    if len(box) != 4:
        raise InputError(f"The box of frame {frame} has {len(box)} numbers in place of four.")
    return tuple(box)


def _measure_area(box) -> float:
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def _measure_overlap(a, b) -> float:
    """Intersection over union, and where nothing overlaps, the nearer the less below 0."""
    shared = _measure_area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    if shared:
        return shared / (_measure_area(a) + _measure_area(b) - shared)
    return -abs(a[0] + a[2] - b[0] - b[2]) - abs(a[1] + a[3] - b[1] - b[3])
