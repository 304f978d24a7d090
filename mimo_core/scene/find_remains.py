"""What the person leaves in a frame beside their mask: the shadow of their feet, and the blurred rim of hands."""

from __future__ import annotations

import numpy as np

from .filters import channel_maximum, channel_sum, dilate_mask


REMAINS_REACH = 0.2  # of the body height: shadows of feet are looked for so far from the hole
RIM_SHARE = 0.2  # of that reach: a rim of any color lies nearer than this
FOOT_SHARE = 0.8  # of that reach above the lowest row of the hole shadows of feet begin
SURE_LEVELS, FAINT_LEVELS = 10.0, 4.0  # remains differ so much somewhere; and where they end
SURE_NOISE, FAINT_NOISE = 5.0, 2.5  # the same in deviations of frame and background where nobody is near
SHADE_SPREAD = 0.2  # by which the channels' shares of light may differ in a shadow
LARGEST_SHARE = 0.8  # of all places in reach: more is a background that does not fit
REMAINS_MARGIN = 2  # pixels around what was found


def find_remains(
    frame: np.ndarray, background: np.ndarray, hole: np.ndarray, usable: np.ndarray, reach: float
) -> np.ndarray:
    """Where remains of the person join the hole, (h, w) bool, at most `reach` pixels away from it.

    `frame` and `background` (h, w, 3) are in one light; `usable` (h, w) bool is where the background was seen and
    nothing else hides it. A shadow is darker in all channels alike and lies around the lowest part of the hole; a
    rim of any color is as narrow as blur. What goes on beyond the reach of a rim is something else that moves.
    """
    import cv2

    nothing = np.zeros(hole.shape, bool)
    away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    near, far = usable & ~hole & (away <= reach), usable & (away > reach)
    if not near.any():
        return nothing
    soft = [cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.2) for picture in (frame, background)]
    difference = soft[0] - soft[1]
    noise = 1.48 * float(np.median(channel_maximum(np.abs(difference))[far])) if far.any() else 0.0
    sure, faint = max(SURE_LEVELS, SURE_NOISE * noise), max(FAINT_LEVELS, FAINT_NOISE * noise)
    shares = soft[0] / np.maximum(soft[1], 8)
    spread = channel_maximum(shares) + channel_maximum(-shares)
    darker = -channel_sum(difference) / 3
    rows = np.arange(len(hole))[:, None] > np.flatnonzero(hole.any(1))[-1] - FOOT_SHARE * reach
    shadow = near & rows & (darker > faint) & (spread < SHADE_SPREAD)
    if shadow.sum() > LARGEST_SHARE * (near & rows).sum():
        shadow = nothing
    changed = channel_maximum(np.abs(difference))
    rim = usable & ~hole & (away <= 2 * RIM_SHARE * reach) & (changed > faint)
    rim = _keep_joined(rim, away, changed > sure, RIM_SHARE * reach)
    found = _keep_joined(shadow, away, darker > sure, np.inf) | rim
    return dilate_mask(found, REMAINS_MARGIN) & usable & ~hole & (away <= reach + REMAINS_MARGIN)


def _keep_joined(places: np.ndarray, away: np.ndarray, sure: np.ndarray, furthest: float) -> np.ndarray:
    """The connected parts of `places` (h, w) bool that begin at the hole, are `sure` somewhere, and end in reach."""
    import cv2

    count, parts = cv2.connectedComponents(places.astype(np.uint8), connectivity=4)
    begins = np.bincount(parts[places & (away < 2)], minlength=count) > 0
    is_sure = np.bincount(parts[places & sure], minlength=count) > 0
    ends = np.bincount(parts[places & (away > furthest)], minlength=count) == 0
    kept = begins & is_sure & ends
    kept[0] = False
    return kept[parts]
