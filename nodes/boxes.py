"""Boxes of detector nodes. Two types are in use: BBOX holds corners, BOUNDING_BOX holds a corner and a size."""

from __future__ import annotations

import math
from numbers import Real

import numpy as np

from ..mimo_core.errors import InputError
from ..mimo_core.pose.linking import link_detections


BOX_REACH = 0.5  # of the height of a box: so far its middle may be off in the next frame
SIZED = ("x", "y", "width", "height")
CORNERS = (("x1", "y1", "x2", "y2"), ("x0", "y0", "x1", "y1"), ("xmin", "ymin", "xmax", "ymax"))
NESTED = ("boxes", "bboxes", "bbox", "box")  # where detectors keep them beside scores and classes


def parse_boxes(value, frames: int, person: int = 0) -> list[tuple[float, ...] | None] | None:
    """One box (x0, y0, x1, y1) in pixels per frame, or None in a frame without any. A single box stands for all.

    Where detectors found several, `person` counts them from the largest in the first frame that has any; in every other
    frame the box that overlaps the last one most goes on.
    """
    if value is None:
        return None
    value = value.tolist() if hasattr(value, "tolist") else value
    entries = [value] if _is_box(value) or isinstance(value, dict) else list(value)
    found = [_collect_boxes(entry, frame) for frame, entry in enumerate(entries)]
    if not any(found):
        raise InputError("None of the boxes holds anything. Lower the detector's threshold, or leave boxes open.")
    boxes = _follow_box(found, person)
    return boxes * frames if len(boxes) == 1 else boxes


def parse_people_boxes(value, frames: int) -> list[list[tuple[float, ...] | None]] | None:
    """The boxes of everybody whom a detector found, one list as that of `parse_boxes` for each person.

    Boxes are linked from frame to frame by their places. A single frame stands for all.
    """
    if value is None:
        return None
    value = value.tolist() if hasattr(value, "tolist") else value
    entries = [value] if _is_box(value) or isinstance(value, dict) else list(value)
    found = [_collect_boxes(entry, frame) for frame, entry in enumerate(entries)]
    corners = [np.array(boxes, np.float32).reshape(-1, 4) for boxes in found]
    middles = [(each[:, :2] + each[:, 2:]) / 2 for each in corners]
    links = link_detections(middles, [BOX_REACH * (each[:, 3] - each[:, 1]) for each in corners])
    if not links:
        raise InputError("None of the boxes holds anything. Lower the detector's threshold, or leave boxes open.")
    people = [[found[at][link[at]] if at in link else None for at in range(len(found))] for link in links]
    return [boxes * frames if len(boxes) == 1 else boxes for boxes in people]


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
    entry = entry.tolist() if hasattr(entry, "tolist") else entry
    if entry is None:
        return []
    if isinstance(entry, dict) and not _is_box(entry):
        nested = next((entry[name] for name in NESTED if name in entry), None)
        if nested is None:
            raise InputError(
                f"The box of frame {frame} lacks x, y, width, height; it has {', '.join(map(str, entry))}."
            )
        return _collect_boxes(nested, frame)
    if _is_box(entry):
        return [_read_corners(entry, frame)]
    if not isinstance(entry, (list, tuple)):
        raise InputError(f"Frame {frame} has {entry!r} in place of a box of four numbers.")
    return [corners for one in entry for corners in _collect_boxes(one, frame)]


def _is_box(value) -> bool:
    if isinstance(value, dict):
        return any(all(name in value for name in names) for names in CORNERS) or any(name in value for name in SIZED)
    return isinstance(value, (list, tuple)) and len(value) > 0 and isinstance(value[0], Real)


def _read_corners(box, frame: int) -> tuple[float, ...]:
    """(x0, y0, x1, y1). Behind four numbers a score and a class may stand."""
    if isinstance(box, dict):
        corners = _read_named(box, frame)
    elif 4 <= len(box) <= 6:
        corners = tuple(box[:4])
    else:
        raise InputError(f"The box of frame {frame} has {len(box)} numbers in place of four.")
    if not all(isinstance(number, Real) and math.isfinite(number) for number in corners):
        raise InputError(f"The box of frame {frame} holds {corners}, which are no numbers. Check the detector.")
    return corners


def _read_named(box: dict, frame: int) -> tuple[float, ...]:
    for names in CORNERS:
        if all(name in box for name in names):
            return tuple(box[name] for name in names)
    if missing := [name for name in SIZED if name not in box]:
        raise InputError(f"The box of frame {frame} lacks {', '.join(missing)}.")
    left, top, width, height = (box[name] for name in SIZED)
    if not all(isinstance(number, Real) for number in (left, top, width, height)):
        raise InputError(f"The box of frame {frame} holds {box}, which are no numbers. Check the detector.")
    return left, top, left + width, top + height


def _measure_area(box) -> float:
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def _measure_overlap(a, b) -> float:
    """Intersection over union, and where nothing overlaps, the nearer the less below 0."""
    shared = _measure_area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    if shared:
        return shared / (_measure_area(a) + _measure_area(b) - shared)
    return -abs(a[0] + a[2] - b[0] - b[2]) - abs(a[1] + a[3] - b[1] - b[3])
