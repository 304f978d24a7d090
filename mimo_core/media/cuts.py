"""Hard cuts: frames that show another place than the one before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

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
LEAST_SAME = 5  # of them at least: any two corners fit a movement, and one is an error for OpenCV
# A dissolve mixes its two ends: at its quarters 0.28 of their difference is left, in spotlights 0.30 and in pans, zooms
# and dances 0.38 and more, but only in the dissolve the shares are nearly even (2026-11-28).
DISSOLVE_SECONDS = (0.33, 0.67, 1.0)
MOST_UNMIXED = 0.36  # of the difference
MOST_UNEVEN = 0.14  # of the share of the second end from a quarter, a half and three quarters
SAME_EDGES = 0.3  # correlation: -0.1 to 0.2 of 21 pairs of clips, 0.44 to 0.66 of one scene in two lights
BLACK = 16.0  # mean level: out of black is no other shot
STILL_PIXELS = 1.0  # letters drawn over the picture stay in their place across a cut: what moves less tells nothing


class CutFinder:
    """Looks for cuts while pictures arrive."""

    def __init__(self):
        self.cuts: list[int] = []  # first frames after a cut
        self.last: tuple[np.ndarray, np.ndarray] | None = None  # the last picture as `_shrink` makes it
        self._frames = 0

    def add(self, picture: np.ndarray) -> bool:
        """Whether the next picture (h, w, 3) uint8 begins another shot."""
        before, self.last = self.last, _shrink(picture)
        is_cut = before is not None and _is_another_shot(before[0], self.last[0])
        is_cut = is_cut and not _goes_on(before[1], self.last[1])
        if is_cut:
            self.cuts.append(self._frames)
        self._frames += 1
        return is_cut


def find_cuts(clip: Clip, ask: Callable[[], None] = lambda: None) -> set[int]:
    """Numbers of the frames with which a new shot begins, the first frame not counted; a dissolve ends in its middle.

    `ask()` is called once a frame; it may raise.
    """
    finder, dissolves = CutFinder(), DissolveFinder(float(clip.fps))
    for image in clip:
        ask()
        is_cut = finder.add(image)
        dissolves.add(finder.last, is_cut)
    return set(finder.cuts) | set(dissolves.finish())


class DissolveFinder:
    """Looks for shots that turn into each other while pictures arrive."""

    def __init__(self, fps: float):
        self._cuts: list[int] = []  # frames in the middle of a dissolve
        self._middles: list[int] = []  # of what may be one dissolve
        self._spans = sorted({max(4, 4 * round(seconds * fps / 4)) for seconds in DISSOLVE_SECONDS})
        self._frames, self._last = 0, deque(maxlen=self._spans[-1] + 1)

    def add(self, shrunk: tuple[np.ndarray, np.ndarray], is_cut: bool) -> None:
        """The next picture as `_shrink` makes it, and whether a shot begins with it."""
        if is_cut:
            self.finish()
            self._last.clear()
        self._last.append(shrunk)
        spans = [span for span in self._spans if span < len(self._last) and self._ends_dissolve(span)]
        self._middles += [self._frames - span // 2 for span in spans]
        if self._middles and not spans and self._frames - self._middles[-1] > self._spans[-1]:
            self.finish()
        self._frames += 1

    def finish(self) -> list[int]:
        """All that were found, once no more pictures come. A part of a dissolve is one too, so the middle counts."""
        if self._middles:
            self._cuts.append(int(np.median(self._middles)))
        self._middles = []
        return self._cuts

    def _ends_dissolve(self, span: int) -> bool:
        first, quarter, middle, late, last = (self._last[at - 1] for at in range(-span, 1, span // 4))
        if min(first[0].mean(), last[0].mean()) < BLACK or not _is_another_shot(first[0], last[0]):
            return False
        change = last[0] - first[0]
        for (small, _), share in ((quarter, 0.25), (middle, 0.5), (late, 0.75)):
            found = float((change * (small - first[0])).sum() / np.square(change).sum())
            unmixed = np.abs(small - first[0] - found * change).mean() / np.abs(change).mean()
            if abs(found - share) > MOST_UNEVEN or unmixed > MOST_UNMIXED:
                return False
        return _compare_edges(first[1], last[1]) < SAME_EDGES


def _is_another_shot(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two thumbnails (h, w, 3) float32 differ in place and in color, by more than their light."""
    gain = float(np.clip(before.mean() / max(after.mean(), 1.0), 1 / MOST_LIGHT, MOST_LIGHT))
    after = (after * gain).clip(0, 255)
    if np.abs(after - before).mean() <= CUT_LEVELS:
        return False
    return bool(
        np.minimum(_count_color_bins(before), _count_color_bins(after)).sum() < CUT_OVERLAP * before[..., 0].size
    )


def _shrink(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A picture (h, w, 3) uint8 as a thumbnail in float32, and as a larger gray one (h', w') uint8."""
    import cv2

    scale = LOOK_SIDE / max(picture.shape[:2])
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    gray = cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return cv2.resize(picture, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32), gray


def _compare_edges(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of the edges of two gray pictures (h, w) uint8, whatever light falls on them; 1 where one has none.

    A picture of one color into which another one comes is no other shot, as black is not.
    """
    import cv2

    strengths = []
    for gray in (one, other):
        soft = cv2.GaussianBlur(cv2.equalizeHist(gray), (0, 0), 1.5).astype(np.float32)
        strengths.append(np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)).ravel())
    return float(np.corrcoef(*strengths)[0, 1]) if all(each.std() > 0 for each in strengths) else 1.0


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
    least = max(LEAST_SAME, SAME_PLACE_SHARE * len(corners))
    if is_same.sum() < least:
        return False
    _, inliers = cv2.estimateAffinePartial2D(corners[is_same], moved[is_same], ransacReprojThreshold=1.5)
    return inliers is not None and int(inliers.sum()) >= least


def _count_color_bins(picture: np.ndarray) -> np.ndarray:
    """Pixels (512,) in each bin of 8 levels a channel."""
    level = (picture / 32).astype(np.int32).reshape(-1, 3)
    return np.bincount((level[:, 0] * 8 + level[:, 1]) * 8 + level[:, 2], minlength=512)
