"""Any picture a user may bring, as RGB uint8 and, where it has one, its alpha."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import InputError
from ..geometry.box import Box


# An alpha that makes less than LEAST_CLEAR of a picture clear, inside a rim and corners that leave MOST_RIM of it at
# most, is that of a screenshot or a card: one of 99.98 % opaque gave a cape (2026-11-27).
LEAST_CLEAR = 0.02
MOST_RIM = 0.2


def split_alpha(picture) -> tuple[NDArray, NDArray | None]:
    """RGB uint8 (H, W, 3) and alpha uint8 (H, W) of a picture; None for an alpha that leaves nearly all of it opaque.

    Takes arrays and tensors, uint8 or float in 0..1, (H, W), (H, W, C) or one picture (1, H, W, C), with 1 (grey),
    2 (grey, alpha), 3 or 4 channels; raises InputError for other shapes and types.
    """
    pixels = _to_array(picture)
    if pixels.ndim == 4 and len(pixels) == 1:
        pixels = pixels[0]
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4 or 0 in pixels.shape:
        raise InputError(f"A character picture needs the shape (height, width, 1 to 4 channels), got {pixels.shape}.")
    pixels = pixels_to_bytes(pixels)
    colors, alpha = (pixels, None) if pixels.shape[2] % 2 else (pixels[..., :-1], pixels[..., -1])
    colors = np.ascontiguousarray(np.broadcast_to(colors, (*colors.shape[:2], 3)))
    if alpha is None:
        return colors, None
    card = _find_card(alpha > 127)
    if card is None:
        return colors, np.ascontiguousarray(alpha)
    return _continue_card(colors, card), None


def _find_card(opaque: NDArray) -> Box | None:
    """The rectangle that nearly all of a picture's opaque pixels (H, W) bool fill, if they are no figure."""
    box = Box.of_mask(opaque)
    if box is None or box.area < (1 - MOST_RIM) * opaque.size:
        return None
    return box if (~box.cut(opaque)).mean() < LEAST_CLEAR else None


def _continue_card(colors: NDArray, card: Box) -> NDArray:
    """A picture whose clear rim shows the colors of the card's edge."""
    height, width = colors.shape[:2]
    rim = (card.top, height - card.bottom), (card.left, width - card.right), (0, 0)
    return np.pad(card.cut(colors), rim, "edge")


def read_mask(mask, height: int, width: int) -> NDArray:
    """A mask of any size as uint8 (height, width), 255 inside. Raises InputError where it is no picture."""
    import cv2

    pixels = _to_array(mask)
    while pixels.ndim > 2 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim == 3:
        pixels = pixels[..., 0]
    if pixels.ndim != 2 or 0 in pixels.shape:
        raise InputError(f"The character's mask needs the shape (height, width), got {pixels.shape}.")
    pixels = pixels_to_bytes(pixels)
    if pixels.shape == (height, width):
        return pixels
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)


def pixels_to_bytes(pixels: NDArray) -> NDArray:
    """uint8 of uint8, bool, 16-bit, or float in 0..1. What is not a number becomes 0.

    Raises InputError for other types.
    """
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == bool:
        return pixels.astype(np.uint8) * 255
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    if np.issubdtype(pixels.dtype, np.floating):
        return (np.clip(np.nan_to_num(pixels), 0, 1) * 255 + 0.5).astype(np.uint8)
    raise InputError(f"Pictures are uint8, uint16 or float in 0..1, got {pixels.dtype}.")


def _to_array(pixels) -> NDArray:
    if not isinstance(pixels, torch.Tensor):
        return np.asarray(pixels)
    pixels = pixels.detach().cpu()
    return (pixels.float() if pixels.is_floating_point() else pixels).numpy()  # numpy has no bfloat16
