"""Masks and pictures brought to the size and length of a clip, or refused."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from .clip import Clip, Masks


ASPECT_TOLERANCE = 0.02  # share by which width / height may differ: a rounding of small sizes, no other shape


def fit_layer(values: Clip | Masks | None, clip: Clip, name: str) -> tuple[Clip | Masks | None, str | None]:
    """Masks or pictures with the size and number of the clip's frames, and a note if it had to be resized.

    A single frame stands for all. Raises InputError for another shape or length.
    """
    if values is None:
        return None, None
    if len(values) == 1 and len(clip) > 1:
        values = _repeat_frame(values, len(clip))
    if len(values) != len(clip):
        raise InputError(
            f"The {name} has {len(values)} frames but the clip has {len(clip)}. Give one frame, or one for every frame."
        )
    if (values.width, values.height) == (clip.width, clip.height):
        return values, None
    stretch = (values.width / values.height) / (clip.width / clip.height)
    if abs(stretch - 1) > ASPECT_TOLERANCE:
        raise InputError(
            f"The {name} is {values.width}x{values.height} but the clip {clip.width}x{clip.height}: the shape differs. "
            "Crop or pad it to the shape of the clip."
        )
    note = f"The {name} was resized from {values.width}x{values.height} to {clip.width}x{clip.height}."
    return _resize_layer(values, clip.width, clip.height), note


def _repeat_frame(values: Clip | Masks, length: int) -> Clip | Masks:
    frame = values[0]
    if isinstance(values, Masks):
        return Masks.constant(0, length, values.height, values.width).derive(lambda _: frame.copy())
    return Clip.still(frame, length, values.fps)


def _resize_layer(values: Clip | Masks, width: int, height: int) -> Clip | Masks:
    def frame_at(index: int) -> np.ndarray:
        import cv2

        frame = values[index]
        smaller = width < frame.shape[1]
        return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)

    if isinstance(values, Masks):
        return Masks.constant(0, len(values), height, width).derive(frame_at)
    return Clip.still(np.zeros((height, width, 3), np.uint8), len(values), values.fps).derive(frame_at)
