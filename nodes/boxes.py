"""Boxes of detector nodes. Two types are in use: BBOX holds corners, BOUNDING_BOX holds a corner and a size."""

from __future__ import annotations

from numbers import Real

from ..mimo_core.errors import InputError


def boxes_from(value, frames: int) -> list[tuple[float, ...]] | None:
    """One box (x0, y0, x1, y1) in pixels per frame. A single box stands for all; of several in a frame, the first."""
    if value is None:
        return None
    value = value.tolist() if hasattr(value, "tolist") else value
    entries = [value] if isinstance(value, dict) or (value and isinstance(value[0], Real)) else value
    boxes = [_corners(entry, frame) for frame, entry in enumerate(entries)]
    return boxes * frames if len(boxes) == 1 else boxes


def _corners(entry, frame: int) -> tuple[float, ...]:
    while isinstance(entry, (list, tuple)) and entry and not isinstance(entry[0], Real):
        entry = entry[0]
    if isinstance(entry, dict):
        left, top = entry["x"], entry["y"]
        return left, top, left + entry["width"], top + entry["height"]
    if not isinstance(entry, (list, tuple)) or len(entry) != 4:
        raise InputError(f"Frame {frame} has no box of four numbers. Give one box per frame, or one for all.")
    return tuple(entry)
