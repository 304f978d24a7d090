"""A scene from a picture, a video or a colour, with or without something in front."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from ..errors import InputError
from ..media.clip import DEFAULT_FPS, Clip, Masks
from .scene import Scene, SceneReport


FITS = ("cover", "contain", "stretch")  # as CSS object-fit names them, fill being stretch
DEFAULT_SIZE = (1280, 720)  # of a scene that is only a colour: 720p


def scene_from_picture(
    picture: np.ndarray | Clip | None = None,
    *,
    color: tuple[int, int, int] = (255, 255, 255),
    foreground: np.ndarray | None = None,
    foreground_mask: np.ndarray | None = None,
    fit: str = "cover",
    width: int = 0,
    height: int = 0,
    length: int = 0,
    fps=None,
) -> Scene:
    """A scene whose plate is a picture (H, W, 3) uint8, a video, or one colour.

    `fit` brings it to `width` x `height` (0: the picture's own): cover crops, contain pads with `color`, stretch
    distorts. `foreground` (H, W, 3 or 4) stands in front of the character where `foreground_mask` (H, W) uint8 or its
    alpha says; it is fitted like the picture. With `length` 0 a picture lasts as long as needed and a video its own
    length; a longer one repeats the video.
    Raises InputError for an unknown fit, negative sizes, and a foreground without alpha or of another size
    than its mask.
    """
    if fit not in FITS:
        raise InputError(f"There is no fit {fit!r}. Choose one of: {', '.join(FITS)}.")
    if min(width, height, length) < 0:
        raise InputError(f"Width, height and length cannot be negative, got {width}, {height} and {length}.")
    size = _choose_size(picture, width, height)
    front = _fit_foreground(foreground, foreground_mask, fit, size)
    if isinstance(picture, Clip):
        return _scene_from_video(picture, front, fit, size, color, length, fps)
    plate = np.full((size[1], size[0], 3), color, np.uint8)
    if picture is not None:
        plate = fit_picture(picture[..., :3], size, fit, color)
    clip = Clip.still(plate, length or 1, Fraction(fps or DEFAULT_FPS))
    return _compose_scene(clip, front, is_still=length == 0)


def fit_picture(picture: np.ndarray, size: tuple[int, int], fit: str, color) -> np.ndarray:
    """A picture (H, W, C) or mask (H, W) uint8 brought to `size` (width, height)."""
    import cv2

    width, height = size
    old_height, old_width = picture.shape[:2]
    ratio = (width / old_width, height / old_height)
    if fit != "stretch":
        ratio = (max(ratio),) * 2 if fit == "cover" else (min(ratio),) * 2
    scaled = max(1, round(old_width * ratio[0])), max(1, round(old_height * ratio[1]))
    shrinks = ratio[0] < 1
    picture = cv2.resize(picture, scaled, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    out = np.empty((height, width, *picture.shape[2:]), np.uint8)
    out[:] = color
    y0, x0 = max(-top, 0), max(-left, 0)
    part = picture[max(top, 0) : max(top, 0) + height, max(left, 0) : max(left, 0) + width]
    out[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]] = part
    return out


def _choose_size(picture: np.ndarray | Clip | None, width: int, height: int) -> tuple[int, int]:
    if picture is None:
        own = DEFAULT_SIZE
    else:
        own = (picture.width, picture.height) if isinstance(picture, Clip) else picture.shape[1::-1]
    if width and height:
        return width, height
    if width or height:
        scale = width / own[0] if width else height / own[1]
        return width or max(1, round(own[0] * scale)), height or max(1, round(own[1] * scale))
    return int(own[0]), int(own[1])


def _fit_foreground(picture, mask, fit: str, size) -> tuple[np.ndarray, np.ndarray] | None:
    """Colour (H, W, 3) and alpha (H, W) of what stands in front."""
    if picture is None:
        if mask is not None:
            raise InputError("A foreground mask needs a foreground picture. Connect one, or remove the mask.")
        return None
    if mask is None:
        if picture.shape[-1] != 4:
            raise InputError("The foreground has no alpha channel and no mask. Give a mask of what stands in front.")
        mask = picture[..., 3]
    if mask.shape[:2] != picture.shape[:2]:
        raise InputError(
            f"The foreground mask is {mask.shape[1]}x{mask.shape[0]} but the foreground "
            f"{picture.shape[1]}x{picture.shape[0]}. Give them in one size."
        )
    return fit_picture(picture[..., :3], size, fit, 0), fit_picture(mask, size, fit, 0)


def _scene_from_video(video: Clip, front, fit: str, size, color, length: int, fps) -> Scene:
    video = video if fps is None else video.resample(Fraction(fps))
    length = length or len(video)
    if length != len(video):
        video = video.select(index % len(video) for index in range(length))
    if (video.width, video.height) != size:
        blank = Clip.still(np.zeros((size[1], size[0], 3), np.uint8), length, video.fps)
        fitted = blank.derive(lambda index, frames=video: fit_picture(frames[index], size, fit, color))
        video = Clip(fitted.source, video.fps, video.sound)
    return _compose_scene(video, front, is_still=False)


def _compose_scene(plate: Clip, front, *, is_still: bool) -> Scene:
    """The plate with a foreground on it: the source is what a viewer would see without the character."""
    nobody = Masks.constant(0, len(plate), plate.height, plate.width)
    report = SceneReport()
    if front is None:
        return Scene(plate, plate, nobody, nobody, report, is_still)
    color, alpha = front
    share = alpha[..., None].astype(np.float32) / 255
    over = color * share

    def covered(frame: np.ndarray) -> np.ndarray:
        return (frame * (1 - share) + over + 0.5).astype(np.uint8)

    source = plate.derive(lambda index: covered(plate[index]))
    return Scene(source, source, nobody, nobody.derive(lambda _: alpha.copy()), report, is_still)
