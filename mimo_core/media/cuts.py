"""Hard cuts: frames that show another place than the one before."""

from __future__ import annotations

import numpy as np

from .clip import Clip


# Of the 56 ordered pairs of eight real clips joined 55 are seen, within the clips none, 2026-11-27.
THUMBNAIL = (32, 18)  # pixels that are compared
CUT_LEVELS = 24.0  # mean change of a thumbnail's pixel: fast pans and people reach it too,
CUT_OVERLAP = 0.6  # but then the frames share more of their colors than this
MOST_LIGHT = 2.0  # factor by which the light may change at once
# What looks like a cut is none where corners go on together: in 42 pairs of real clips joined 0 of the corners do, in
# fast pans, shaken zooms and spotlights a tenth to two thirds (2026-11-28).
LOOK_SIDE = 160  # pixels of the longer side in which corners are looked for
CORNERS, LEAST_CORNERS = 120, 12
SAME_PLACE_SHARE = 0.08  # of the corners that one movement of the camera carries on
STILL_PIXELS = 1.0  # letters drawn over the picture stay in their place across a cut: what moves less tells nothing


class CutFinder:
    """Looks for cuts while pictures arrive."""

    def __init__(self):
        self.cuts: list[int] = []  # first frames after a cut
        self._frames, self._last, self._gray = 0, None, None

    def add(self, picture: np.ndarray) -> bool:
        """Whether the next picture (h, w, 3) uint8 begins another shot."""
        import cv2

        small = cv2.resize(picture, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        gray = _shrink_gray(picture)
        is_cut = self._last is not None and _is_another_shot(self._last, small) and not _goes_on(self._gray, gray)
        if is_cut:
            self.cuts.append(self._frames)
        self._frames, self._last, self._gray = self._frames + 1, small, gray
        return is_cut


def find_cuts(clip: Clip) -> set[int]:
    """Numbers of the frames with which a new shot begins, the first frame not counted."""
    finder = CutFinder()
    for image in clip:
        finder.add(image)
    return set(finder.cuts)


def _is_another_shot(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two thumbnails (h, w, 3) float32 differ in place and in color, by more than their light."""
    gain = float(np.clip(before.mean() / max(after.mean(), 1.0), 1 / MOST_LIGHT, MOST_LIGHT))
    after = (after * gain).clip(0, 255)
    if np.abs(after - before).mean() <= CUT_LEVELS:
        return False
    return bool(
        np.minimum(_count_color_bins(before), _count_color_bins(after)).sum() < CUT_OVERLAP * before[..., 0].size
    )


def _shrink_gray(picture: np.ndarray) -> np.ndarray:
    import cv2

    scale = LOOK_SIDE / max(picture.shape[:2])
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    return cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def _goes_on(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether corners of a gray picture (h, w) uint8 are found in the next one, moved as by one camera."""
    import cv2

    corners = cv2.goodFeaturesToTrack(before, CORNERS, 0.01, 5)
    if corners is None or len(corners) < LEAST_CORNERS or before.shape != after.shape:
        return False
    window = {"winSize": (15, 15), "maxLevel": 3}
    moved, there, _ = cv2.calcOpticalFlowPyrLK(before, after, corners, None, **window)
    returned, back, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, None, **window)
    is_same = (there[:, 0] > 0) & (back[:, 0] > 0) & (np.linalg.norm((returned - corners)[:, 0], axis=1) < 1)
    is_same &= np.linalg.norm((moved - corners)[:, 0], axis=1) > STILL_PIXELS
    if is_same.sum() < SAME_PLACE_SHARE * len(corners):
        return False
    _, inliers = cv2.estimateAffinePartial2D(corners[is_same], moved[is_same], ransacReprojThreshold=1.5)
    return inliers is not None and int(inliers.sum()) >= SAME_PLACE_SHARE * len(corners)


def _count_color_bins(picture: np.ndarray) -> np.ndarray:
    """Pixels (512,) in each bin of 8 levels a channel."""
    level = (picture / 32).astype(np.int32).reshape(-1, 3)
    return np.bincount((level[:, 0] * 8 + level[:, 1]) * 8 + level[:, 2], minlength=512)
