"""Pass 9, plate: the source frame with the person filled by what lies behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ahead import leave_if_unwanted
from ..geometry.box import Box
from .background import Background
from .cast_shadows import CAST_REACH, CAST_ROWS, GOES_ON, follow_shadow
from .fields import SOLID_ALPHA, extend_solid_color, extrapolate_field
from .filters import channel_maximum, channel_sum, dilate_mask, take_pixels
from .find_remains import find_remains
from .frame_light import find_light_change


# By eye on the juggling clip, 2026-11-23.
LIGHT_LIMIT = 40.0  # levels by which local light may lift or lower the background
LIGHT_OUTLIER = 25.0  # a difference of this size is half distrusted: something moves there


@dataclass(frozen=True, eq=False)
class FilledPatch:
    """The filled part of one plate frame, and how it was filled."""

    box: tuple[int, int, int, int]  # x0, y0, x1, y1
    pixels: np.ndarray  # (h, w, 3) uint8, equal to the source outside the hole
    hole: int  # pixels filled
    unseen: int  # of these, pixels that no frame showed


def fill_hole(
    source: np.ndarray,
    hole: np.ndarray,
    background: Background,
    frame: int,
    *,
    front: np.ndarray,
    feather: float = 1.0,
    remains: float = 0.0,
) -> FilledPatch:
    """Fill `hole` (H, W) bool of a source frame (H, W, 3). Outside of it nothing changes but what the person left.

    Remains of the person, such as the shadow of their feet, are filled too up to `remains` pixels from the hole, and
    beyond on a background with a long shadow, where that goes on (`cast_shadows`).

    `front` (H, W) uint8 is the alpha of what passes in front of the person: it stays in the plate. The fill fades in
    over `feather` pixels from the rim of the hole, where the source must still be free of the person.
    """
    box = _box_around(hole, round(1.3 * remains))
    patch = _fill_box(box, source, hole, background, frame, front, feather, remains)
    if patch is None:
        wide = box.expanded(round(CAST_REACH * remains), round(CAST_ROWS * remains), *hole.shape)
        patch = _fill_box(wide, source, hole, background, frame, front, feather, remains, is_wide=True)
    return patch


def _fill_box(
    box: Box,
    source: np.ndarray,
    hole: np.ndarray,
    background: Background,
    frame: int,
    front: np.ndarray,
    feather: float,
    remains: float,
    *,
    is_wide: bool = False,
) -> FilledPatch | None:
    """The same within a box; None if a shadow may go on beyond it. One that `is_wide` holds long shadows."""
    inside, alpha = box.cut(hole), box.cut(front)
    others = alpha > 0
    here = box.cut(source)
    picture, seen = _look_up(background, frame, box)
    free = ~inside & ~others & seen
    if not background.canvas.is_shift:
        picture = _align(picture, here, inside | others | ~seen)
    leave_if_unwanted()
    asked, shadow = inside, 1.0
    if remains >= 1:
        light = _estimate_light(here, picture, free & ~dilate_mask(inside, 0.5 * remains))
        found = find_remains(here, picture + light, inside, free, remains)
        if is_wide:
            shadow = np.maximum(follow_shadow(here, picture + light, inside, free, remains), inside | found)
            inside = shadow > 0
        elif background.has_long_shadow and (found & ~dilate_mask(inside, GOES_ON * remains)).any():
            return None
        else:
            inside = inside | found
        free &= ~inside
    leave_if_unwanted()
    light = _estimate_light(here, picture, free)
    grain = background.grain.sample_noise(picture, frame, box)
    pixels, chosen = here.copy(), np.flatnonzero(inside)
    weight = np.minimum(_fade(inside, feather), shadow).take(chosen)[:, None]
    base, behind, lift = (take_pixels(layer, chosen) for layer in (pixels, picture, light))
    filled = base * (1 - weight) + (behind + lift + grain.take(chosen)[:, None]) * weight
    share = alpha.take(chosen).astype(np.float32) / 255
    if share.any():
        solid, share = take_pixels(extend_solid_color(here, alpha), chosen), share[:, None]
        filled = filled * (1 - share) + solid * share
    pixels.reshape(-1, 3)[chosen] = (filled + 0.5).clip(0, 255).astype(np.uint8)
    hidden = asked & (alpha < SOLID_ALPHA)
    return FilledPatch(box, pixels, int(hidden.sum()), int((hidden & ~seen).sum()))


def _box_around(hole: np.ndarray, least: int) -> Box:
    """The hole's box with room around it from which light is taken."""
    box = Box.of_mask(hole)
    margin = max(8, least, round(0.06 * max(box.width, box.height)))
    return box.expanded(margin, margin, *hole.shape)


def _look_up(background: Background, frame: int, box) -> tuple[np.ndarray, np.ndarray]:
    """Background colours (float32), and where they were seen."""
    import cv2

    canvas = background.canvas
    picture = canvas.lookup(background.picture, frame, box, flags=cv2.INTER_CUBIC)
    seen = canvas.lookup(background.seen, frame, box, flags=cv2.INTER_NEAREST) > 0
    return picture.astype(np.float32), seen


def _align(picture: np.ndarray, here: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """The background moved by the small flow that is left around the hole, continued smoothly into it.

    Parallax and lens distortion make a homography miss by a pixel or two.
    """
    import cv2

    target = np.where(unknown[..., None], picture, here).astype(np.uint8)
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (target, picture.astype(np.uint8))]
    if min(grey[0].shape) < 24:
        return picture
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(*grey, None)
    size = np.abs(flow)
    flow = extrapolate_field(flow, ~unknown & (np.maximum(size[..., 0], size[..., 1]) < 4))
    y, x = (np.arange(side, dtype=np.float32) for side in picture.shape[:2])
    moved_x, moved_y = flow[..., 0] + x, flow[..., 1] + y[:, None]
    moved = cv2.remap(picture, moved_x, moved_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    known = np.flatnonzero(~unknown)
    shown = take_pixels(here, known)
    before, after = (
        (channel_sum(np.abs(take_pixels(image, known) - shown)) / 3).mean() if len(known) else 0.0
        for image in (picture, moved)
    )
    return moved if after < 0.95 * before else picture


def _estimate_light(here: np.ndarray, picture: np.ndarray, free: np.ndarray) -> np.ndarray:
    """How much brighter the frame is than the background, smooth, continued from the free pixels into the hole."""
    difference = here - picture
    change = find_light_change(difference, free)
    if change is not None:
        difference = difference - change
    size = channel_maximum(np.abs(difference))
    trust = free / np.square(1 + np.square(size / LIGHT_OUTLIER))
    light = extrapolate_field(difference.clip(-LIGHT_LIMIT, LIGHT_LIMIT), trust, smooth=3)
    return light if change is None else light + change


def _fade(inside: np.ndarray, feather: float) -> np.ndarray:
    """0 outside the hole, 1 from `feather` pixels inside: the fill begins softly."""
    import cv2

    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    feather = max(feather, 1e-3)
    return np.minimum(depth, feather) / feather  # a depth without any rim is the largest float
