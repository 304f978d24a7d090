"""A character's picture framed as the driver is seen in the clip.

Models that take a reference picture (SCAIL-2, Wan-Animate-2) draw the character in the size that it has there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..body.height import measure_height
from ..body.model import free_body
from ..errors import InputError
from ..geometry.box import Box
from ..motion.cameras import pelvis_path
from ..motion.motion import Motion
from .identity import Identity


NEAREST_METERS = 0.2  # a body closer to the camera than this is a mistake
PELVIS_HEIGHT = 0.53  # of a standing body, for characters without a fitted one


@dataclass(frozen=True, eq=False)
class FramedCharacter:
    """The character on a picture of the clip's shape."""

    picture: NDArray  # (H, W, 3) uint8
    mask: NDArray  # (H, W) uint8, coverage of the character
    body_height: float  # pixels of the standing body
    notes: tuple[str, ...] = ()


def frame_character(
    identity: Identity, driver: Motion, *, size: tuple[int, int], background: NDArray, frame: int | None = None
) -> FramedCharacter:
    """The character of an identity where and as tall as the driver is in one frame of the clip.

    Args:
        identity: The character; without a fitted body the height of its matte counts.
        driver: The motion of the clip.
        size: (width, height) of the picture; the clip is taken to be stretched to it.
        background: (H, W, 3) uint8 of that size, behind the character.
        frame: Of the driver. None takes the place in the first visible frame, and the median height of all.

    Raises:
        InputError: The driver is seen in no frame, or not in the one that is named.
    """
    width, height = size
    if background.shape != (height, width, 3):
        shape = "x".join(map(str, background.shape[1::-1]))
        raise InputError(f"The background is {shape} but the framed picture is {width}x{height}.")
    seen = _visible_frames(driver, frame)
    heights, pelvis = measure_body_pixels(driver)
    wanted = float(heights[seen].median())
    own_height, own_pelvis = _measure_character(identity)
    stretch = np.array([width / driver.camera.size[0], height / driver.camera.size[1]])
    scale = wanted / own_height * stretch
    at = pelvis[seen[0]].numpy() * stretch - np.array(own_pelvis) * scale
    box = Box.of_mask(identity.matte)
    at, is_cut = _keep_inside(at, scale, box, size)
    share = wanted * stretch[1] / height
    cut = f"The driver's body is {share:.0%} as tall as the clip's picture, so the framed character is cut off."
    notes = (cut,) if is_cut else ()
    picture, mask = _draw_scaled(identity, scale, at, background)
    return FramedCharacter(picture, mask, wanted * float(stretch[1]), notes)


def measure_body_pixels(motion: Motion) -> tuple[torch.Tensor, torch.Tensor]:
    """What the first person of a motion measures in the picture: height (F,) and pelvis (F, 2), in pixels.

    The height is that of the body standing upright where its pelvis is, so a crouching or lying body measures the
    same. Frames in which it is behind the camera give NaN.
    """
    pelvis = motion.camera.view(pelvis_path(motion.person)[:, None])
    depth = pelvis[:, 0, 2]
    height = measure_height(free_body(), free_body().betas_of(motion.person)) * motion.camera.focal / depth
    return height.where(depth > NEAREST_METERS, torch.nan), motion.camera.pixels(pelvis)[:, 0]


def choose_size(clip: tuple[int, int], *, longest: int, multiple: int) -> tuple[int, int]:
    """The size next to the clip's shape whose longer side is about `longest` (0 keeps it), in whole multiples."""
    scale = longest / max(clip) if longest else 1.0
    width, height = (max(round(side * scale / multiple), 1) * multiple for side in clip)
    return width, height


def round_up_length(frames: int) -> int:
    """The least 4 n + 1 that is not below `frames`: what video models with four frames in a latent one draw."""
    return -(-(frames - 1) // 4) * 4 + 1


def _visible_frames(driver: Motion, frame: int | None) -> torch.Tensor:
    heights, _ = measure_body_pixels(driver)
    seen = driver.person.visible & heights.isfinite()
    if not seen.any():
        raise InputError("The motion shows nobody, so there is no height to take over. Check the pose estimate.")
    if frame is None:
        return torch.nonzero(seen)[:, 0]
    if not 0 <= frame < driver.frames:
        raise InputError(f"frame is {frame} but the motion has the frames 0 to {driver.frames - 1}.")
    if not seen[frame]:
        first = int(torch.nonzero(seen)[0])
        raise InputError(f"Nobody is seen in frame {frame}. Choose another, such as {first}, or -1.")
    return torch.tensor([frame])


def _measure_character(identity: Identity) -> tuple[float, tuple[float, float]]:
    """Height and pelvis of the character in its own picture, in pixels."""
    if identity.motion is not None:
        heights, pelvis = measure_body_pixels(identity.motion)
        if heights.isfinite().all():
            return float(heights[0]), tuple(pelvis[0].tolist())
    box = Box.of_mask(identity.matte)
    return float(box.height), ((box.left + box.right) / 2, box.bottom - PELVIS_HEIGHT * box.height)


def _keep_inside(at: NDArray, scale: NDArray, box: Box, size: tuple[int, int]) -> tuple[NDArray, bool]:
    """The character's place moved so that all of it is inside where it fits, and whether it does not."""
    low = np.array([box.left, box.top]) * scale
    high = np.array([box.right, box.bottom]) * scale
    fits = high - low <= np.array(size)
    inside = np.clip(at, -low, np.maximum(np.array(size) - high, -low))
    return np.where(fits, inside, at), not fits.all()


def _draw_scaled(identity: Identity, scale: NDArray, at: NDArray, background: NDArray) -> tuple[NDArray, NDArray]:
    """The character on the background, its picture's corner at `at`; picture and mask."""
    import cv2

    height, width = background.shape[:2]
    side = identity.side
    target = tuple(max(round(side * factor), 1) for factor in scale)
    # Areas are averaged where the picture becomes smaller, so that stripes do not flicker into moire.
    method = cv2.INTER_AREA if max(scale) < 1 else cv2.INTER_CUBIC
    picture = cv2.resize(identity.picture, target, interpolation=method)
    matte = cv2.resize(identity.matte, target, interpolation=method)
    left, top = (round(float(offset)) for offset in at)
    mask = _shift(matte, left, top, width, height, fill=0)
    moved = _shift(picture, left, top, width, height, fill=255)
    alpha = mask[..., None].astype(np.float32) / 255
    # The identity's picture stands on white: take the white out, and put the background in.
    mixed = moved - 255 * (1 - alpha) + background * (1 - alpha)
    return mixed.round().clip(0, 255).astype(np.uint8), mask


def _shift(layer: NDArray, left: int, top: int, width: int, height: int, *, fill: int) -> NDArray:
    """The layer with its corner at (left, top) of a picture (height, width), `fill` around it."""
    out = np.full((height, width, *layer.shape[2:]), fill, np.uint8)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + layer.shape[1], width), min(top + layer.shape[0], height)
    if x0 < x1 and y0 < y1:
        out[y0:y1, x0:x1] = layer[y0 - top : y1 - top, x0 - left : x1 - left]
    return out
