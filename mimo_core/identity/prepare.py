"""The character picture on its way to the networks: on white, cropped to its matte, padded to a square.

Section 4 of the specification of the official release; every function is proven on official samples.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..errors import InputError
from ..geometry.box import Box


# OpenAI's CLIP preprocessing.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CLIP_SIZE = 224


def composite_on_white(picture: NDArray, matte: NDArray) -> NDArray:
    """The picture (H, W, 3) uint8 over white where the matte (H, W) uint8 is not full. Truncated, as in the release."""
    alpha = matte[..., None].astype(np.float64) / 255
    return (picture * alpha + 255 * (1 - alpha)).astype(np.uint8)


def matte_box(matte: NDArray) -> Box:
    """The box around every pixel of the matte above 0.

    A margin of 5 % of the height is added above and below, inside the picture; none at the sides. Raises
    InputError where there is no such pixel.
    """
    box = Box.of_mask(matte)
    if box is None:
        raise InputError(
            f"The character's matte is empty: none of its {matte.shape[1]}x{matte.shape[0]} pixels is above 0. "
            "Use a picture with one person in it, or with a transparent background."
        )
    return box.expanded(0, int(0.05 * box.height), *matte.shape)


def crop_to_matte(picture: NDArray, matte: NDArray) -> tuple[NDArray, NDArray]:
    """Picture and matte, both cropped to `matte_box`. Raises InputError where their sizes differ."""
    if picture.shape[:2] != matte.shape[:2]:
        raise InputError(
            f"The picture is {picture.shape[1]}x{picture.shape[0]} but its matte is {matte.shape[1]}x{matte.shape[0]}. "
            "Give a matte of the picture's size."
        )
    box = matte_box(matte)
    return box.cut(picture), box.cut(matte)


def square_padding(height: int, width: int, multiple: int = 16) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) up to a square with a side divisible by `multiple`; odd pixels go right and down."""
    side = -(-max(height, width) // multiple) * multiple
    left, top = (side - width) // 2, (side - height) // 2
    return left, top, side - width - left, side - height - top


def pad_to_square(picture: NDArray, *, fill: int = 255, multiple: int = 16) -> NDArray:
    """A picture (H, W, 3) or matte (H, W) in the middle of a square whose side is divisible by `multiple`."""
    left, top, right, bottom = square_padding(*picture.shape[:2], multiple)
    padding = ((top, bottom), (left, right), (0, 0))[: picture.ndim]
    return np.pad(picture, padding, constant_values=fill)


def make_vae_input(picture: NDArray, width: int, height: int) -> Tensor:
    """A picture (H, W, 3) uint8 as the VAE reads it: Lanczos to the size, (1, 3, height, width) in -1..1."""
    return make_pose_input(picture, width, height) * 2 - 1


def make_pose_input(picture: NDArray, width: int, height: int) -> Tensor:
    """A body-code frame (H, W, 3) uint8 as the pose guider reads it: Lanczos, (1, 3, height, width) in 0..1."""
    return _to_channels_first(_resize(picture, width, height, Image.Resampling.LANCZOS))


def make_clip_input(picture: NDArray, size: int = CLIP_SIZE) -> Tensor:
    """A picture (H, W, 3) uint8 as CLIP vision reads it: bicubic, no crop, normalized, (1, 3, size, size)."""
    pixels = _to_channels_first(_resize(picture, size, size, Image.Resampling.BICUBIC))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return (pixels - mean) / std


def _resize(picture: NDArray, width: int, height: int, resampling: Image.Resampling) -> NDArray:
    return np.asarray(Image.fromarray(picture).resize((width, height), resampling))


def _to_channels_first(picture: NDArray) -> Tensor:
    return torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]  # (H, W, 3) -> (1, 3, H, W)
