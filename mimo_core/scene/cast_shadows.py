"""The long shadow that the person casts on the ground, followed from their feet as far as it goes.

A shadow is darker than the same ground without it, in all channels alike, and joins the feet in every frame. Shadows
of what stands still are in the background as well, so they never count, whatever their form.
"""

from __future__ import annotations

import numpy as np

from .filters import channel_maximum, channel_sum, dilate_mask
from .find_remains import FAINT_LEVELS, FAINT_NOISE, FOOT_SHARE, SHADE_SPREAD, SURE_LEVELS, SURE_NOISE


# In reaches within which remains are looked for anyway (`REMAINS_REACH`).
CAST_REACH = 12.5  # long shadows are followed so far,
CAST_ROWS = 2.5  # and so far below the feet
GOES_ON = 0.85  # a shadow that is found so far from the hole may go on
FOOT_REACH = 0.5  # how dark it is, this surrounding of the feet tells
DARK_SHARE = 0.4  # of that darkness it has at least, where the sky lights it
MOST_DARK, THING_SHARE = 2.2, 0.3  # and at most: what is darker is a thing, if so much of it is;
SURE_DARK, SURE_SHARE = 1.6, 0.1  # the same where it has to be told whether there is a long shadow at all,
KNOWN_SHARE = 0.4  # and that much of it lies where it does not fade: of another one shreds would stay
DARK_RANK = 0.75  # of the shadow at the feet is less dark: its soft rim is none
FADE_REACH = 0.5  # where it leaves what is known of the ground it fades over so much
LARGEST_SHARE = 0.3  # of where it is looked for: more is another light
BLUR = 1.2  # pixels
GAP = 2.0  # pixels: texture breaks thin shadows


def follow_shadow(
    frame: np.ndarray,
    background: np.ndarray,
    hole: np.ndarray,
    usable: np.ndarray,
    reach: float,
    *,
    is_sure: bool = False,
) -> np.ndarray:
    """How much of each pixel is the shadow on the ground that begins at the hole and goes on beyond `reach` pixels from
    it, (h, w) float32 in 0 to 1.

    `frame` and `background` (h, w, 3) are in one light; `usable` (h, w) bool is where the background was seen and
    nothing else hides it: where a shadow leaves that, it fades. Nothing where it ends within `reach`. One that
    `is_sure` is as even as no dark thing beside the feet is, and lies on ground that is known for a good part.
    """
    import cv2

    nothing = np.zeros(hole.shape, np.float32)
    if not hole.any():
        return nothing
    away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    below = np.arange(len(hole))[:, None] - np.flatnonzero(hole.any(1))[-1]
    asked = usable & ~hole & (away <= CAST_REACH * reach)
    asked &= (below > -FOOT_SHARE * reach) & (below < CAST_ROWS * reach)
    feet, far = asked & (away <= FOOT_REACH * reach), usable & (away > reach)
    if not feet.any() or not far.any():
        return nothing
    soft = [cv2.GaussianBlur(picture.astype(np.float32), (0, 0), BLUR) for picture in (frame, background)]
    noise = 1.48 * float(np.median(channel_maximum(np.abs(soft[0] - soft[1]))[far]))
    sure, faint = max(SURE_LEVELS, SURE_NOISE * noise), max(FAINT_LEVELS, FAINT_NOISE * noise)
    shares = soft[0] / np.maximum(soft[1], 8)
    spread = channel_maximum(shares) + channel_maximum(-shares)
    light = [channel_sum(picture) / 3 for picture in soft]
    dark, darker = 1 - light[0] / np.maximum(light[1], 8), light[1] - light[0]
    shade = asked & (spread < SHADE_SPREAD) & (darker > faint)
    if not (shade & feet & (darker > sure)).any():
        return nothing
    at_feet = float(np.quantile(dark[shade & feet & (darker > sure)], DARK_RANK))
    shade &= dark > DARK_SHARE * at_feet
    count, parts = cv2.connectedComponents(dilate_mask(shade, GAP).astype(np.uint8), connectivity=8)
    kept = np.bincount(parts[shade & (away < 2)], minlength=count) > 0
    most, most_share = (SURE_DARK, SURE_SHARE) if is_sure else (MOST_DARK, THING_SHARE)
    beyond = np.bincount(parts[shade & (away > reach)], minlength=count)
    black = np.bincount(parts[shade & (away > reach) & (dark > most * at_feet)], minlength=count)
    kept &= (beyond > 0) & (black <= most_share * beyond)
    kept[0] = False
    found = kept[parts] & shade
    if found.sum() > LARGEST_SHARE * asked.sum():
        return nothing
    room = cv2.distanceTransform((asked | hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    share = np.minimum(room / max(FADE_REACH * reach, 1), 1).astype(np.float32)
    if is_sure and (share[found] == 1).sum() < KNOWN_SHARE * found.sum():
        return nothing
    return (dilate_mask(found, GAP) & usable & ~hole) * share
