"""Layers that the user gives: brought to the size and length of the clip, or refused."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..media.clip import Clip, Masks


ASPECT_TOLERANCE = 0.02


def fitted(layer: Clip | Masks | None, clip: Clip, name: str) -> tuple[Clip | Masks | None, str | None]:
    """A layer with the size and number of the clip's frames, and a note if it had to be resized.

    A single frame stands for all. Another shape or length is an InputError.
    """
    if layer is None:
        return None, None
    if len(layer) == 1 and len(clip) > 1:
        layer = _repeated(layer, len(clip))
    if len(layer) != len(clip):
        raise InputError(
            f"The {name} has {len(layer)} frames but the clip has {len(clip)}. Give one frame, or one for every frame."
        )
    if (layer.width, layer.height) == (clip.width, clip.height):
        return layer, None
    stretch = (layer.width / layer.height) / (clip.width / clip.height)
    if abs(stretch - 1) > ASPECT_TOLERANCE:
        raise InputError(
            f"The {name} is {layer.width}x{layer.height} but the clip {clip.width}x{clip.height}: the shape differs. "
            "Crop or pad it to the shape of the clip."
        )
    note = f"The {name} was resized from {layer.width}x{layer.height} to {clip.width}x{clip.height}."
    return _resized(layer, clip.width, clip.height), note


def _repeated(layer: Clip | Masks, length: int) -> Clip | Masks:
    frame = layer[0]
    if isinstance(layer, Masks):
        return Masks.constant(0, length, layer.height, layer.width).derive(lambda _: frame.copy())
    return Clip.still(frame, length, layer.fps)


def _resized(layer: Clip | Masks, width: int, height: int) -> Clip | Masks:
    def frame_at(index: int) -> np.ndarray:
        import cv2

        frame = layer[index]
        smaller = width < frame.shape[1]
        return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)

    if isinstance(layer, Masks):
        return Masks.constant(0, len(layer), height, width).derive(frame_at)
    return Clip.still(np.zeros((height, width, 3), np.uint8), len(layer), layer.fps).derive(frame_at)
