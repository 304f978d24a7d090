"""BlazePose: where people are, 33 landmarks in 2D and in meters, and a soft person mask.

Two networks run through LiteRT. The detector finds people in a letterboxed frame and gives each a rotated square
region; the landmark network looks into such a region. Bazarevsky et al. 2020 (arXiv 2006.10204); the numbers of the
decoders are those of MediaPipe's published graphs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..ahead import map_ahead
from ..media.store import FrameStore
from .darkness import lift_dark
from .detector_boxes import (
    SAME_PERSON_IOU,
    corners_from_center,
    decode_boxes,
    letterbox,
    list_anchors,
    list_tiles,
    merge_boxes,
)
from .litert import load_network, run_network


NETWORK_FOLDER = Path(__file__).parent.parent / "assets" / "blazepose"  # the two .tflite files of MediaPipe, Apache-2.0
LANDMARK_COUNT = 33  # MediaPipe's pose topology, as are the numbers below
NOSE, EYES, EARS, MOUTH = 0, (2, 5), (7, 8), (9, 10)
SHOULDERS, ELBOWS, WRISTS = (11, 12), (13, 14), (15, 16)
PINKIES, INDICES, THUMBS = (17, 18), (19, 20), (21, 22)
HIPS, KNEES, ANKLES, HEELS, TOES = (23, 24), (25, 26), (27, 28), (29, 30), (31, 32)

SEEN_CONFIDENCE = 0.5  # of a landmark that is seen
REGION_SIZE = 256  # input of pose_landmark_full.tflite
REGION_MARGIN = 1.25  # scale of MediaPipe's pose_landmarks_to_roi graph
HEATMAP_KERNEL = 7  # kernel_size of MediaPipe's RefineLandmarksFromHeatmapCalculator
HEATMAP_CONFIDENCE = 0.5  # min_confidence_to_refine of the same


@dataclass(frozen=True, eq=False, slots=True)
class CropRegion:
    """A square of the frame, turned by `angle` so that the person in it stands upright.

    Convention: pixels, pixel centers at .5; `angle` in radians, clockwise on the screen.
    """

    center: tuple[float, float]
    size: float
    angle: float = 0.0

    @classmethod
    def from_axis(cls, center: np.ndarray, top: np.ndarray) -> CropRegion:
        """The region around `center` whose upward axis points to `top`, a point on the circle around the person."""
        x, y = top - center
        size = 2 * REGION_MARGIN * float(np.hypot(x, y))
        return cls((float(center[0]), float(center[1])), max(size, 1.0), float(np.arctan2(x, -y)))

    @classmethod
    def from_box(cls, box) -> CropRegion:
        """The upright region around a box (x0, y0, x1, y1)."""
        x0, y0, x1, y1 = (float(value) for value in box)
        return cls(((x0 + x1) / 2, (y0 + y1) / 2), REGION_MARGIN * max(x1 - x0, y1 - y0, 1.0))

    def move(self, shift: tuple[float, float]) -> CropRegion:
        """The same square elsewhere, by (x, y) pixels."""
        return replace(self, center=(self.center[0] + shift[0], self.center[1] + shift[1]))

    def frame_from_region(self, side: int = REGION_SIZE) -> np.ndarray:
        """The affine map (2, 3) from region pixels, 0 to `side`, to frame pixels; the middle comes to the center."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        linear = np.array([[cos, -sin], [sin, cos]]) * self.size / side
        return np.column_stack([linear, np.array(self.center) - linear @ np.full(2, side / 2)])

    def warp_mask(self, mask: np.ndarray, width: int, height: int) -> np.ndarray:
        """A mask (256, 256) uint8 of what is in the region as (height, width) in frame pixels."""
        import cv2

        matrix = _opencv_affine(self.frame_from_region())
        return cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_LINEAR)


@dataclass(frozen=True, eq=False)
class Detection:
    """A person found in a frame, in pixels."""

    score: float
    face: np.ndarray  # (4,) box of the head: x0, y0, x1, y1
    keypoints: np.ndarray  # (4, 2): hips, circle around the body, shoulders, circle around the upper body

    @property
    def region(self) -> CropRegion:
        return CropRegion.from_axis(self.keypoints[0], self.keypoints[1])


@dataclass(frozen=True, eq=False, slots=True)
class FramePose:
    """The 33 landmarks of a person in one frame."""

    score: float  # 0 to 1: somebody is in the region
    pixels: np.ndarray  # (33, 2)
    world: np.ndarray  # (33, 3) meters, origin between the hips; x right, y down, z away from the camera
    confidence: np.ndarray  # (33,) 0 to 1: the landmark is in the frame and not hidden
    mask: np.ndarray | None  # (256, 256) uint8, the person inside `region`
    region: CropRegion  # where the network looked
    next_region: CropRegion  # where to look in the next frame
    stored: tuple[FrameStore, int] | None = None  # where the mask lies instead, if it was stored

    def warp_mask(self, width: int, height: int) -> np.ndarray:
        """The soft person mask (height, width) uint8 in frame pixels."""
        return self.region.warp_mask(self.mask, width, height)

    def move(self, shift: tuple[float, float]) -> FramePose:
        """The same pose elsewhere in the frame, by (x, y) pixels."""
        regions = {"region": self.region.move(shift), "next_region": self.next_region.move(shift)}
        return replace(self, pixels=self.pixels + np.float32(shift), **regions)

    def drop_mask(self) -> FramePose:
        """The same pose in a fiftieth of the memory."""
        return replace(self, mask=None)

    def store_mask(self, store: FrameStore) -> FramePose:
        """The same with the mask in a temporary file, from where `read_mask` takes it."""
        store.append(self.mask)
        return replace(self, mask=None, stored=(store, len(store) - 1))

    def read_mask(self) -> np.ndarray | None:
        """The mask, also one that was stored; None if it was dropped."""
        return self.mask if self.stored is None else self.stored[0][self.stored[1]]


class BlazePose:
    """The two networks. One object serves one thread at a time.

    With `second`, the file of another landmark network, the landmarks are the mean of both; the mask is the first's.
    """

    same_person_iou = SAME_PERSON_IOU  # of boxes around faces, which hardly overlap
    seen_confidence = SEEN_CONFIDENCE  # from which on a landmark shows that somebody is there

    def __init__(self, *, second: Path | None = None, threads: int = 1):
        self._detector = load_network(NETWORK_FOLDER / "pose_detection.tflite", threads)
        files = [NETWORK_FOLDER / "pose_landmark_full.tflite", *([] if second is None else [second])]
        self._landmarkers = [load_network(file, threads) for file in files]
        self._anchors = list_anchors()
        self._lock = threading.Lock()

    def detect(self, frame: np.ndarray, *, threshold: float = 0.5) -> list[Detection]:
        """People in an RGB frame (H, W, 3) uint8 with a score of at least `threshold`, the largest first."""
        return self._merge_detections([self.detect_boxes(frame, threshold)], threshold)

    def detect_in_tiles(self, frame: np.ndarray, *, threshold: float = 0.5, levels: int = 1) -> list[Detection]:
        """The same with a second look at square parts of the frame, where small people are larger.

        `levels` of such squares: as wide as the short side of the frame, a half of it, a quarter, ...
        """
        people = self.detect(frame, threshold=threshold)
        passes = []
        for x, y, side in list_tiles(frame.shape[1], frame.shape[0], levels):
            boxes, scores = self.detect_boxes(frame[y : y + side, x : x + side], threshold)
            boxes[:, :2] += (x, y)
            boxes[:, 4:] += np.tile((x, y), 4)
            passes.append((boxes, scores))
        for found in self._merge_detections(passes, threshold) if passes else []:
            if not any(_is_same_person(found, person) for person in people):
                people.append(found)
        return sorted(people, key=lambda detection: -detection.region.size)

    def _merge_detections(self, passes: list[tuple[np.ndarray, np.ndarray]], threshold: float) -> list[Detection]:
        boxes, scores = (np.concatenate(parts) for parts in zip(*passes, strict=True))
        people = merge_boxes(boxes, scores, threshold, iou=self.same_person_iou)
        found = [
            Detection(score, corners_from_center(values[:4]), values[4:].reshape(4, 2)) for score, values in people
        ]
        return sorted(found, key=lambda detection: -detection.region.size)

    def detect_boxes(self, frame: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """Boxes and keypoints (N, 12) in frame pixels and their scores (N,), overlapping ones not yet merged."""
        image, scale, offset = letterbox(frame)
        with self._lock:
            boxes, scores = run_network(self._detector, lift_dark(image).astype(np.float32) * (2 / 255) - 1)
        scores = _sigmoid(scores[:, 0])
        kept = scores >= threshold
        boxes = decode_boxes(boxes[kept], self._anchors[kept])
        boxes[:, :2] -= offset
        boxes[:, 4:] -= np.tile(offset, 4)
        return boxes / scale, scores[kept]

    def find_landmarks(self, frame: np.ndarray, region: CropRegion) -> FramePose:
        """The landmarks of the person in `region` of an RGB frame (H, W, 3) uint8."""
        frame_from_region = region.frame_from_region()
        image = cut_region(frame, region, REGION_SIZE)
        image = image.astype(np.float32) / 255
        with self._lock:
            if len(self._landmarkers) == 1:  # threads for one network would cost more than they give
                looks = [run_network(self._landmarkers[0], image)]
            else:
                looks = list(map_ahead(lambda network: run_network(network, image), self._landmarkers))
        points, logits, score, world = (_average(values) for values in zip(*map(_read_look, looks), strict=True))
        pixels = points @ frame_from_region[:, :2].T + frame_from_region[:, 2]
        height, width = frame.shape[:2]
        inside = ((pixels[:LANDMARK_COUNT] >= 0) & (pixels[:LANDMARK_COUNT] <= (width, height))).all(1)
        return FramePose(
            score=float(score),
            pixels=pixels[:LANDMARK_COUNT].astype(np.float32),
            world=rotate_world(world[:LANDMARK_COUNT], region.angle),
            confidence=(inside * _sigmoid(logits[:LANDMARK_COUNT]).prod(1)).astype(np.float32),
            mask=_read_mask(looks[0]),
            region=region,
            next_region=CropRegion.from_axis(pixels[LANDMARK_COUNT], pixels[LANDMARK_COUNT + 1]),
        )

    def find_mask(self, frame: np.ndarray, region: CropRegion) -> np.ndarray:
        """The mask (256, 256) uint8 alone that `find_landmarks` gives of the person in `region`."""
        image = cut_region(frame, region, REGION_SIZE).astype(np.float32) / 255
        with self._lock:
            return _read_mask(run_network(self._landmarkers[0], image))


def _read_mask(outputs: list[np.ndarray]) -> np.ndarray:
    return (_sigmoid(outputs[2][..., 0]) * 255 + 0.5).astype(np.uint8)


def _read_look(outputs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Points (39, 2) in region pixels, logits of being seen (39, 2), score and points in space (39, 3) of a network."""
    values, score, _, heatmap, world = outputs
    values = values.reshape(39, 5)
    return refine_from_heatmap(values[:, :2], heatmap), values[:, 3:5], score[0], world.reshape(39, 3)


def _average(values: Sequence[np.ndarray]) -> np.ndarray:
    return values[0] if len(values) == 1 else np.mean(values, 0)


@lru_cache(maxsize=1)
def load_blazepose() -> BlazePose:
    """The networks that ship, loaded once."""
    return BlazePose()


@lru_cache(maxsize=1)
def load_both(heavy: Path) -> BlazePose:
    """The networks that ship and the heavy one of MediaPipe, loaded once."""
    return BlazePose(second=heavy)


def cut_region(frame: np.ndarray, region: CropRegion, side: int) -> np.ndarray:
    """What a region shows of a frame (H, W, 3), as (side, side, 3), brighter if it is dark; black beyond the frame."""
    import cv2

    shown = cv2.warpAffine(
        frame,
        _opencv_affine(region.frame_from_region(side)),
        (side, side),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return lift_dark(shown)


def _is_same_person(found: Detection, person: Detection) -> bool:
    """Whether two detections are one person, whom the edge of a square may have cut: their middles are close."""
    ways = np.linalg.norm(found.keypoints[[0, 2], None] - person.keypoints[None, [0, 2]], axis=-1)
    return bool(ways.min() < 0.25 * max(found.region.size, person.region.size))


def find_people(frame: np.ndarray, *, threshold: float = 0.5) -> list[Detection]:
    """People in an RGB frame (H, W, 3) uint8, the largest first. An empty list says that nobody is there."""
    return load_blazepose().detect(frame, threshold=threshold)


def refine_from_heatmap(points: np.ndarray, heatmap: np.ndarray) -> np.ndarray:
    """Move points (N, 2) in region pixels to the center of mass of their heatmaps (h, w, N) where these are sure."""
    height, width, count = heatmap.shape
    scale = REGION_SIZE / width
    half = HEATMAP_KERNEL // 2
    refined = points.astype(np.float64)
    cells = np.floor(points / scale).astype(int)
    for index in range(count):
        x, y = cells[index]
        if not (0 <= x < width and 0 <= y < height):
            continue
        top, left = max(y - half, 0), max(x - half, 0)
        weights = _sigmoid(heatmap[top : y + half + 1, left : x + half + 1, index])
        if weights.max() < HEATMAP_CONFIDENCE:
            continue
        rows, columns = weights.sum(1), weights.sum(0)
        mean = [columns @ (left + np.arange(len(columns))), rows @ (top + np.arange(len(rows)))]
        refined[index] = np.array(mean) / weights.sum() * scale
    return refined


def rotate_world(world: np.ndarray, angle: float) -> np.ndarray:
    """World landmarks (N, 3) of a turned region as the upright frame sees them."""
    cos, sin = np.cos(angle), np.sin(angle)
    return (world @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])).astype(np.float32)


def _opencv_affine(matrix: np.ndarray) -> np.ndarray:
    """An affine map of pixels with centers at .5 as OpenCV wants it, with centers at whole numbers."""
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2].sum(1) / 2 - 0.5
    return shifted


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -60, 60)))
