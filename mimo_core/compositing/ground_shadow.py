"""What a character takes of the light on the ground: the shadow of whoever stood there before, and one at the soles."""

from __future__ import annotations

import numpy as np

from ..geometry.box import Box
from ..scene.fields import extrapolate_field
from ..scene.filters import blur_widely, channel_maximum, channel_sum, dilate_mask


# Lengths are in heights of the character. By eye on seven real clips, 2026-11-28.
SOLE_SHARE = 0.1  # the lowest outline within this of the lowest point may stand on the ground
SOLE_DEPTH = 0.018  # so much of it lies on the ground
LAYERS = ((0.03, 0.018, 0.7), (0.1, 0.04, 0.6))  # softness across and along the ground, and share of the darkness
EDGE_ROOM = 0.02  # of ground below the soles in the picture, else they may be cut
LIFT = 0.1  # a character lifted this far off the ground has hardly a contact shadow left
SINK = 0.01  # by which the ground they are lifted off may rise in a frame: they walk away, or the camera turns
DARKEST = 1.0  # of what the layers take, at full strength
# The shadow of the person who was there:
ACROSS, ALONG = 2.7, 0.5  # it is looked for so far beside them, and above and below their lowest row
FOOT_REACH, FOOT_ROWS = 0.08, 0.15  # it begins so near their outline, not higher than this above their lowest row
RIM = 2.0  # pixels around the person whose colors are theirs in part
LEG_REACH = 0.03  # above the feet, what is darker so near their outline is its blur
BLUR = 0.6  # pixels
FAINT, SURE = 0.02, 0.05  # of the light: less is grain, more is shadow
SURE_LEVELS = 3.0  # the same in levels, which counts at night: less is grain
BLACK = 8.0  # levels below which shares of the light say nothing
LEAST_AREA = 1e-3  # of the squared height
LARGEST_SHARE = 0.5  # of where it is looked for: more is a plate in another light
GRAY = 0.25  # by which the channels' shares of the light may differ in a shadow
MOST_DARK = 0.85
LOST_DETAIL = 1.3  # for its light the ground has so much more detail without its shadow at most: else it is no ground
NEAR, FAR = 0.15, 0.4  # between the feet then and now: up to this their shadow stays, from this on it is gone


class GroundShadow:
    """Darkens the ground under a character, and remembers how low they stood.

    `strength` (0 to 1) is that of the shadow at the soles; the shadow of the person who was there stays whole from 0.5
    on. `level` is the lowest row on which the character stood in the frames before.
    """

    def __init__(self, strength: float, level: float | None = None):
        self.strength, self.level = strength, level

    def shade(self, plate: np.ndarray, mask: np.ndarray, source: np.ndarray, person: np.ndarray, hidden: np.ndarray):
        """The plate (H, W, 3) uint8, which is changed, under a character of coverage `mask` (H, W) uint8.

        `person` (H, W) uint8 is who was there in the `source`, and `hidden` (H, W) bool where it does not show the
        ground for other reasons.
        """
        box = self.settle(mask)
        if box is None:
            return plate
        darkness = np.zeros(mask.shape, np.float32)
        around, soles = self._shade_soles(mask, box)
        around.cut(darkness)[:] = soles
        found = find_cast_shadow(source, plate, person, hidden)
        if found is not None:
            share = min(1.0, 2 * self.strength) * _compare_feet(mask, box, person)
            part = found[0].cut(darkness)
            np.maximum(part, share * found[1], out=part)
            around = around.union(found[0])
        here, dark = around.cut(plate), around.cut(darkness)[..., None]
        dark = np.where(dark < 1 / 255, 0, dark)
        here[:] = (here * (1 - dark) + 0.5).astype(np.uint8)
        return plate

    def settle(self, mask: np.ndarray) -> Box | None:
        """Follow the ground to this frame; the character's box, or None if the frame does not tell where it stands."""
        box = Box.of_mask(mask > 127)
        # A character cut by the frame stands somewhere below it.
        if box is None or box.bottom >= mask.shape[0] - 1:
            return None
        self.level = box.bottom if self.level is None else max(box.bottom, self.level - SINK * box.height)
        return box

    def _shade_soles(self, mask: np.ndarray, box: Box) -> tuple[Box, np.ndarray]:
        """How much of the light the soles take, (h, w) in 0 to 1, and the box around them for which it is given."""
        height = box.height
        soft = int(3 * max(max(across, along) for across, along, _ in LAYERS) * height) + 2
        around = Box(box.left, int(box.bottom - SOLE_SHARE * height), box.right, box.bottom)
        around = around.expanded(soft, soft, *mask.shape)
        window = around.cut(mask) > 127
        rows = np.arange(window.shape[0])[:, None]
        lowest = np.where(window, rows, -1).max(0)
        depth = (box.bottom - around.top) - 1 - lowest
        weight = np.where(lowest >= 0, (1 - depth / (SOLE_SHARE * height)).clip(0, 1), 0).astype(np.float32)
        thickness = max(1, round(SOLE_DEPTH * height))
        soles = ((rows > lowest - thickness) & (rows <= lowest) & (lowest >= 0)) * weight
        light = np.ones(window.shape, np.float32)
        lift = (self.level - box.bottom) / (LIFT * height)
        most = DARKEST * self.strength * float(np.exp(-lift * lift)) * _measure_room_below(box, len(mask))
        for across, along, share in LAYERS:
            spread = blur_widely(soles, max(across * height, 0.8), max(along * height, 0.8))
            light *= 1 - spread * (share * most * float(weight.max()) / max(float(spread.max()), 1e-6))
        return around, 1 - light


def find_cast_shadow(
    source: np.ndarray, plate: np.ndarray, person: np.ndarray, hidden: np.ndarray
) -> tuple[Box, np.ndarray] | None:
    """The shadow of a person's feet that is in the source and not in the plate: its box, and how much of the light it
    takes, (h, w) in 0 to 1. None where there is none.

    `person` (H, W) uint8 and `hidden` (H, W) bool are where the source does not show the ground. Below the person the
    shadow goes on from around them.
    """
    import cv2

    feet = Box.of_mask(person > 127)
    if feet is None or _measure_room_below(feet, person.shape[0]) == 0:
        return None
    across, along = round(ACROSS * feet.height), round(ALONG * feet.height)
    area = Box(feet.left, feet.bottom - 1, feet.right, feet.bottom).expanded(across, along, *person.shape)
    before, after = (area.cut(picture) for picture in (source, plate))
    changed = channel_maximum(cv2.absdiff(before, after)) > 0
    box = Box.of_mask(changed, 2)
    if box is None:
        return None
    before, after, changed = box.cut(before), box.cut(after), box.cut(changed)
    body = dilate_mask(box.cut(area.cut(person)) > 127, RIM)
    covered = body | dilate_mask(box.cut(area.cut(hidden)), RIM)
    usable = (~covered).astype(np.float32)
    pictures = [cv2.GaussianBlur(picture * usable[..., None], (0, 0), BLUR) for picture in (before, after)]
    pictures = [picture / np.maximum(cv2.GaussianBlur(usable, (0, 0), BLUR), 1e-3)[..., None] for picture in pictures]
    shares = np.maximum(pictures[0], BLACK) / np.maximum(pictures[1], BLACK)
    light = [channel_sum(picture) / 3 for picture in pictures]
    dark = 1 - np.maximum(light[0], BLACK) / np.maximum(light[1], BLACK)
    is_gray = channel_maximum(shares) + channel_maximum(-shares) < GRAY
    found = changed & ~covered & is_gray & (dark > FAINT)
    lowest = feet.bottom - area.top - box.top
    low = np.broadcast_to(np.arange(len(found))[:, None] > lowest - FOOT_ROWS * feet.height, found.shape)
    found &= low | ~dilate_mask(body, LEG_REACH * feet.height)
    begins = dilate_mask(body, max(FOOT_REACH * feet.height, RIM + 1)) & low
    count, parts = cv2.connectedComponents(found.astype(np.uint8), connectivity=8)
    is_sure = (dark > SURE) & (light[1] - light[0] > SURE_LEVELS)
    kept = np.bincount(parts[begins & found & is_sure], minlength=count) > 0
    size = np.bincount(parts.reshape(-1), minlength=count)
    kept &= (size > LEAST_AREA * feet.height**2) & (size < LARGEST_SHARE * area.area)
    kept &= _measure_detail(after, parts, count) < LOST_DETAIL * _measure_detail(before, parts, count)
    kept[0] = False
    if not kept.any():
        return None
    dark = np.where(kept[parts], dark, 0).clip(0, MOST_DARK)
    field = extrapolate_field(dark[..., None], usable)[..., 0]
    # Whom or what the plate shows as the source does has its shadow already.
    goes_on = low & (body | (covered & changed))
    dark = cv2.GaussianBlur(np.where(goes_on, field, dark).astype(np.float32), (0, 0), BLUR)
    box = Box(*(at + start for at, start in zip(box, (area.left, area.top) * 2, strict=True)))
    return box, dark


def _measure_room_below(box: Box, height: int) -> float:
    """0 for a figure cut by the lower edge of a picture, 1 where there is some ground below: between, it may be cut."""
    return float(np.clip((height - 1 - box.bottom) / max(1.0, EDGE_ROOM * box.height), 0, 1))


def _measure_detail(picture: np.ndarray, parts: np.ndarray, count: int) -> np.ndarray:
    """How much neighboring pixels of a picture (h, w, 3) differ in each of the numbered parts (h, w), (count,).

    In shares of the part's light, by which detail fades in a shadow.
    """
    gray = channel_sum(picture.astype(np.float32))
    steps = np.abs(np.diff(gray, axis=0))[:, :-1] + np.abs(np.diff(gray, axis=1))[:-1]
    number = parts[:-1, :-1].reshape(-1)
    total = np.bincount(number, steps.reshape(-1), count)
    return total / np.maximum(np.bincount(number, gray[:-1, :-1].reshape(-1), count), 1)


def _compare_feet(mask: np.ndarray, box: Box, person: np.ndarray) -> float:
    """1 where the character stands on the person's feet, 0 where they stand elsewhere or the feet may be cut."""
    feet = Box.of_mask(person > 127)
    now, then = ((each.bottom, _find_middle(layer, each)) for layer, each in ((mask, box), (person, feet)))
    off = np.hypot(*np.subtract(now, then)) / max(box.height, feet.height)
    return float(np.interp(off, (NEAR, FAR), (1, 0))) * _measure_room_below(feet, len(person))


def _find_middle(mask: np.ndarray, box: Box) -> float:
    """The middle column of a figure's lowest rows."""
    low = box.cut(mask)[-max(1, round(SOLE_SHARE * box.height)) :] > 127
    return box.left + float(np.flatnonzero(low.any(0)).mean())
