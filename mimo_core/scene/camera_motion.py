"""How the camera moved: one homography per frame that brings it onto a common reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError


CAMERA_KINDS = ("auto", "none", "pan", "homography")  # what `CameraTracker.path` can fit
# Set on pans of a painted wall with a known path, found to a tenth of a pixel (`tests/test_plate.py`), 2026-11-23.
CORNER_FEATURES = 600  # Shi-Tomasi corners of a key frame
FEWEST_INLIERS = 12  # three times what a homography needs
KEPT_INLIERS = 0.4  # a new key frame when fewer of the key's features are still found
RANSAC_PIXELS = 1.5  # reprojection error of an inlier
STILL_PIXELS = 0.4  # corners of a frame that never leave this radius: the camera stands still
PAN_PIXELS = 0.15  # a pan is chosen unless a homography fits the features better by this
FEWEST_FOR_SHIFT = 4  # matches that must agree on a plain shift where there are too few for more
# On eight real clips frames on their key had up to 0.28 of wrong edges, those that followed a logo 0.38 and more.
WRONG_LEVELS = 12  # grey levels by which a pixel misses the key, wherever it lies within a pixel of its place
EDGE_LEVELS = 24  # grey levels between neighbors of an edge
MOST_WRONG = 0.33  # share of wrong edges from which another way onto the key is looked for
MUCH_LESS = 0.7  # of that share must be left: on rich texture right fits have 0.45, and a new key lets errors add up
SHIFT_SIDE = 160  # pixels of the longer side of the pictures in which a shift of any size is looked for
LEAST_OVERLAP = 0.2  # share of the free pixels that still meet after such a shift


@dataclass(frozen=True, eq=False)
class CameraPath:
    """The camera over F frames.

    Convention: `reference_from_frame[t]` (F, 3, 3) maps homogeneous pixel indices (centres at whole numbers, as
    OpenCV counts) of frame t to those of the reference frame of its section. Frames of different sections, cut where
    the camera was lost, cannot be brought together.
    """

    kind: str  # none, pan or homography
    reference_from_frame: np.ndarray  # (F, 3, 3) float64
    section: np.ndarray  # (F,) int
    lost: tuple[int, ...] = ()  # frames whose camera could not be found; a new section begins there

    def frame_from_frame(self, target: int, source: int) -> np.ndarray:
        """(3, 3), from pixels of frame `source` to those of frame `target`."""
        return np.linalg.solve(self.reference_from_frame[target], self.reference_from_frame[source])

    def scaled(self, scale: float) -> CameraPath:
        """The path for frames `scale` times as large."""
        # Pixel centres lie at .5, indices at whole numbers: large = (small + 0.5) * scale - 0.5.
        large_from_small = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2], [0, 0, 1]])
        matrices = large_from_small @ self.reference_from_frame @ np.linalg.inv(large_from_small)
        return replace(self, reference_from_frame=matrices / matrices[:, 2:, 2:])

    @classmethod
    def still(cls, frames: int, cuts: Sequence[int] = ()) -> CameraPath:
        """A camera that stands still; a new section begins with each frame of `cuts`."""
        section = np.zeros(frames, int)
        section[list(cuts)] = 1
        return cls("none", np.tile(np.eye(3), (frames, 1, 1)), np.cumsum(section), tuple(cuts))


def check_camera(camera: str) -> None:
    """Raise InputError for a camera that does not exist."""
    if camera not in CAMERA_KINDS:
        raise InputError(f"There is no camera {camera!r}. Choose one of: {', '.join(CAMERA_KINDS)}.")


@dataclass(frozen=True, eq=False)
class _Fit:
    pan: np.ndarray  # (3, 3), key from picture
    homography: np.ndarray  # (3, 3)
    inliers: int
    gain: float  # pixels by which the homography fits better


class CameraTracker:
    """Estimates the path while pictures arrive."""

    def __init__(self):
        self.pans, self.homographies, self.sections, self.lost = [], [], [], []
        self.gains = []  # by how many pixels the homography fits better than the pan
        self.size = None
        self._key = self._before = None  # what the next picture is brought onto; the picture before it

    def add(self, picture: np.ndarray, mask: np.ndarray, *, is_cut: bool = False) -> None:
        """Follow the camera to the next grey picture (H, W) uint8; `mask` (H, W) covers what is no scenery.

        After a cut nothing is followed: a new section begins.
        """
        if self._key is None:
            self.size = picture.shape[::-1]
            self._begin(picture, mask, np.eye(3), np.eye(3), section=0)
            return
        found = None if is_cut else self._follow(picture, mask)
        if found is None:
            self.lost.append(len(self.pans))
            self._begin(picture, mask, np.eye(3), np.eye(3), section=self.sections[-1] + 1)
            return
        key, fit = found
        pan, homography = key.pan @ fit.pan, key.homography @ fit.homography
        self.gains.append(fit.gain)
        if key is not self._key or fit.inliers < KEPT_INLIERS * len(key.points):
            self._begin(picture, mask, pan, homography, section=self.sections[-1])
        else:
            self._append(pan, homography, self.sections[-1])
            self._before = picture, mask

    def _follow(self, picture: np.ndarray, mask: np.ndarray) -> tuple[_Key, _Fit] | None:
        """What brings a picture onto the key, or onto the picture before where it misses the key.

        A logo or a score that is drawn over the clip stands still: where the camera moves fast, its features alone may
        agree. The pictures tell: laid on each other they must be alike.
        """
        fit = self._key.find(picture, mask, self._guess())
        wrong = 1.0 if fit is None else self._key.measure_wrong(picture, mask, fit)
        best = (wrong, self._key, fit)
        if wrong > MOST_WRONG:
            before = _Key(*self._before, self.pans[-1], self.homographies[-1])
            for key in (self._key, before):
                fit = key.find_any_shift(picture, mask)
                share = 1.0 if fit is None else key.measure_wrong(picture, mask, fit)
                if share < MUCH_LESS * best[0]:
                    best = (share, key, fit)
        _, key, fit = best
        return None if fit is None else (key, fit)

    def path(self, camera: str) -> CameraPath:
        """The path over all pictures.

        `camera` is none, pan (shift, turn and zoom), homography, or auto for the simplest that explains the clip.
        """
        kind = self._choose_kind() if camera == "auto" else camera
        matrices = {"pan": self.pans, "homography": self.homographies}.get(kind)
        if matrices is None:
            matrices = CameraPath.still(len(self.pans)).reference_from_frame
        return CameraPath(kind, np.array(matrices), np.array(self.sections), tuple(self.lost))

    def _choose_kind(self) -> str:
        corners = _corners(self.size)
        pans = np.array([_map_points(matrix, corners) for matrix in self.pans])
        # The typical frame decides: one bad fit must not make a still camera move.
        if np.percentile(np.abs(pans - corners).max((1, 2)), 95) < STILL_PIXELS:
            return "none"
        return "pan" if np.median(self.gains or [0.0]) < PAN_PIXELS else "homography"

    def _guess(self) -> np.ndarray:
        """Where key pixels lie in the next picture if the camera keeps its speed."""
        return np.linalg.solve(self.homographies[-1], self._key.homography)

    def _begin(self, picture, mask, pan, homography, *, section: int) -> None:
        self._key, self._before = _Key(picture, mask, pan, homography), (picture, mask)
        self._append(pan, homography, section)

    def _append(self, pan, homography, section: int) -> None:
        self.pans.append(pan)
        self.homographies.append(homography)
        self.sections.append(section)


class _Key:
    """A key frame: features that later frames are matched against, so that errors do not add up."""

    def __init__(self, picture: np.ndarray, mask: np.ndarray, pan: np.ndarray, homography: np.ndarray):
        import cv2

        self.picture, self.mask, self.pan, self.homography = picture, mask, pan, homography
        free = np.where(mask > 0, 0, 255).astype(np.uint8)
        distance = max(4, round(min(picture.shape) / 40))
        points = cv2.goodFeaturesToTrack(picture, CORNER_FEATURES, 0.005, distance, mask=free)
        self.points = np.empty((0, 1, 2), np.float32) if points is None else points

    def find(self, picture: np.ndarray, mask: np.ndarray, guess: np.ndarray) -> _Fit | None:
        """What brings `picture` onto the key."""
        for start in (guess, None):
            fit = _fit(*self._matches(picture, mask, start))
            if fit is not None:
                return fit
        return None

    def find_any_shift(self, picture: np.ndarray, mask: np.ndarray) -> _Fit | None:
        """What brings `picture` onto the key, however far the camera went."""
        shift = find_shift(self.picture, self.mask == 0, picture, mask == 0)
        if shift is None:
            return None
        start = np.eye(3)
        start[:2, 2] = shift
        return _fit(*self._matches(picture, mask, start))

    def measure_wrong(self, picture: np.ndarray, mask: np.ndarray, fit: _Fit) -> float:
        """The share of edges that are not where the key's are when `picture` is laid on it; 0 where there are none."""
        import cv2

        size = self.picture.shape[::-1]
        laid = cv2.warpPerspective(picture, fit.homography, size)
        free = cv2.warpPerspective((mask == 0).astype(np.uint8), fit.homography, size, flags=cv2.INTER_NEAREST)
        near = np.ones((3, 3), np.uint8)
        meet = (cv2.erode(free, near) > 0) & (self.mask == 0)
        (darkest, brightest), (dark, bright) = (
            (cv2.erode(gray, near), cv2.dilate(gray, near)) for gray in (self.picture, laid)
        )
        edges = meet & (np.maximum(brightest - darkest, bright - dark) > EDGE_LEVELS)
        if not edges.any():
            return 0.0
        away = np.maximum(cv2.subtract(darkest, laid), cv2.subtract(laid, brightest))
        return float((away[edges] > WRONG_LEVELS).mean())

    def _matches(self, picture, mask, guess) -> tuple[np.ndarray, np.ndarray]:
        import cv2

        if len(self.points) < FEWEST_FOR_SHIFT:
            return self.points[:0], self.points[:0]
        window = {"winSize": (15, 15), "maxLevel": 4, "flags": cv2.OPTFLOW_USE_INITIAL_FLOW}
        if guess is None:
            start = self.points + self._shift(picture)
        else:
            start = _map_points(guess, self.points[:, 0])[:, None].astype(np.float32)
        there, found, _ = cv2.calcOpticalFlowPyrLK(self.picture, picture, self.points, start.copy(), **window)
        back, returned, _ = cv2.calcOpticalFlowPyrLK(picture, self.picture, there, self.points.copy(), **window)
        good = (found[:, 0] > 0) & (returned[:, 0] > 0) & (np.abs(back - self.points).max((1, 2)) < 0.7)
        height, width = picture.shape
        pixels = np.round(there[:, 0]).clip(-1, max(width, height)).astype(int)
        inside = (pixels >= 0).all(1) & (pixels < (width, height)).all(1)
        good &= inside
        good[good] &= mask[pixels[good, 1], pixels[good, 0]] == 0
        return there[good], self.points[good]

    def _shift(self, picture) -> np.ndarray:
        """The translation of the whole picture, for jumps that feature tracking cannot follow."""
        import cv2

        window = cv2.createHanningWindow(picture.shape[::-1], cv2.CV_32F)
        return np.float32(cv2.phaseCorrelate(self.picture.astype(np.float32), picture.astype(np.float32), window)[0])


def find_shift(key: np.ndarray, key_free, picture: np.ndarray, free) -> np.ndarray | None:
    """By how many pixels (2,) x, y what is free in the key moved in `picture`, both grey (H, W) uint8; any distance.

    Where their normalized cross-correlation under masks is highest (Padfield, CVPR 2010); None where nothing is alike.
    """
    import cv2

    scale = min(1.0, SHIFT_SIDE / max(key.shape))
    size = tuple(max(2, round(side * scale)) for side in key.shape[::-1])
    grid = [2 * side for side in size[::-1]]

    def transform(values: np.ndarray) -> np.ndarray:
        return np.fft.rfft2(values, grid)

    def shrink(values: np.ndarray) -> np.ndarray:
        return cv2.resize(values, size, interpolation=cv2.INTER_AREA).astype(np.float64)

    def correlate(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.fft.irfft2(one * np.conj(other), grid)

    weights = [shrink(mask.astype(np.uint8)) > 0.5 for mask in (free, key_free)]
    if not all(weight.any() for weight in weights):
        return None
    values = [
        (values - values[weight].mean()) * weight
        for values, weight in zip(map(shrink, (picture, key)), weights, strict=True)
    ]
    here, there = map(transform, weights)
    first, second = map(transform, values)
    meet = np.maximum(correlate(here, there), 1e-6)
    sums = correlate(first, there), correlate(here, second)
    spreads = (
        correlate(transform(values[0] ** 2), there) - sums[0] ** 2 / meet,
        correlate(here, transform(values[1] ** 2)) - sums[1] ** 2 / meet,
    )
    alike = (correlate(first, second) - sums[0] * sums[1] / meet) / np.sqrt(np.maximum(spreads[0] * spreads[1], 1.0))
    alike[meet < LEAST_OVERLAP * min(weight.sum() for weight in weights)] = -1
    row, column = np.unravel_index(alike.argmax(), alike.shape)
    if alike[row, column] <= 0:
        return None
    moved = np.array([column, row], float)
    moved -= np.where(moved >= size, grid[::-1], 0)
    return moved * (np.array(key.shape[::-1]) / size)


def _fit(source: np.ndarray, target: np.ndarray) -> _Fit | None:
    """Fit matches (N, 1, 2), target from source."""
    import cv2

    if len(source) < FEWEST_INLIERS:
        return _fit_shift(source, target)
    homography, inliers = cv2.findHomography(source, target, cv2.RANSAC, RANSAC_PIXELS, maxIters=2000, confidence=0.999)
    if homography is None or inliers.sum() < FEWEST_INLIERS:
        return _fit_shift(source, target)
    kept = inliers[:, 0] > 0
    source, target = source[kept], target[kept]
    partial, _ = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PIXELS)
    if partial is None:
        return None
    pan = np.vstack([partial, [0, 0, 1]])
    error_pan, error_homography = (
        np.median(np.linalg.norm(_map_points(matrix, source[:, 0]) - target[:, 0], axis=1))
        for matrix in (pan, homography)
    )
    return _Fit(pan, homography, len(source), float(error_pan - error_homography))


def _fit_shift(source: np.ndarray, target: np.ndarray) -> _Fit | None:
    """The shift that most of a handful of matches agree on."""
    if len(source) < FEWEST_FOR_SHIFT:
        return None
    moves = (target - source)[:, 0]
    shift = np.median(moves, 0)
    agree = np.abs(moves - shift).max(1) < RANSAC_PIXELS
    if agree.sum() < max(FEWEST_FOR_SHIFT, 0.6 * len(moves)):
        return None
    matrix = np.eye(3)
    matrix[:2, 2] = moves[agree].mean(0)
    return _Fit(matrix, matrix, int(agree.sum()), 0.0)


def _corners(size: tuple[int, int]) -> np.ndarray:
    width, height = size
    return np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]], np.float64)


def _map_points(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (N, 2) through a homography (3, 3)."""
    moved = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return moved[:, :2] / moved[:, 2:]
