"""Where BlazePose's detector looks in a frame, and what its numbers say: boxes and points of people."""

from __future__ import annotations

import numpy as np


DETECTOR_SIZE = 224  # input of pose_detection.tflite
DETECTOR_LAYERS = ((8, 2), (16, 2), (32, 6))  # (stride, anchors a cell), 2254 anchors in all
MOST_TILES = 400  # of one size; a banner's short side would give thousands
SAME_PERSON_IOU = 0.3  # min_suppression_threshold of MediaPipe's pose_detection graph


def list_anchors() -> np.ndarray:
    """Centres (2254, 2) of the detector's anchors in letterboxed pixels, pixel centers at .5."""
    centers = []
    for stride, count in DETECTOR_LAYERS:
        cells = (np.arange(DETECTOR_SIZE // stride) + 0.5) * stride
        y, x = np.meshgrid(cells, cells, indexing="ij")
        centers.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), count, axis=0))
    return np.concatenate(centers)


def decode_boxes(values: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Raw boxes and keypoints (N, 12), relative to their anchors, as pixels: x, y, width, height, four points."""
    decoded = values.astype(np.float64)
    decoded[:, :2] += anchors
    decoded[:, 4:] += np.tile(anchors, 4)
    return decoded


def merge_boxes(
    coordinates: np.ndarray, scores: np.ndarray, threshold: float, *, iou: float = SAME_PERSON_IOU
) -> list[tuple[float, np.ndarray]]:
    """Merge detections that overlap by more than `iou` into their score-weighted mean: (best score, (12,) coordinates)
    of each person."""
    left = np.flatnonzero(scores >= threshold)
    left = left[np.argsort(-scores[left], kind="stable")]
    people = []
    while len(left):
        same = _box_iou(coordinates[left[0]], coordinates[left]) > iou
        same[0] = True
        group = left[same]
        people.append((float(scores[left[0]]), np.average(coordinates[group], axis=0, weights=scores[group])))
        left = left[~same]
    return people


def corners_from_center(box: np.ndarray) -> np.ndarray:
    return np.concatenate([box[:2] - box[2:] / 2, box[:2] + box[2:] / 2])


def _box_iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with boxes (N, 4+), all as x, y, width, height."""
    low = np.maximum(box[:2] - box[2:4] / 2, boxes[:, :2] - boxes[:, 2:4] / 2)
    high = np.minimum(box[:2] + box[2:4] / 2, boxes[:, :2] + boxes[:, 2:4] / 2)
    shared = (high - low).clip(0).prod(1)
    return shared / (box[2:4].prod() + boxes[:, 2:4].prod(1) - shared).clip(1e-9)


def list_tiles(width: int, height: int, levels: int = 1) -> list[tuple[int, int, int]]:
    """Squares (x, y, side) that overlap by half: the short side of a frame wide, then a half, a quarter of it, ...

    None of the first size for a frame that is almost square, and none of a size of which there were too many.
    """
    tiles = []
    for level in range(levels):
        side = max(1, min(width, height) >> level)
        if max(width, height) < 1.2 * side:
            continue
        starts = [
            np.linspace(0, length - side, int(np.ceil((length - side) / (side / 2))) + 1).astype(int).tolist()
            for length in (width, height)
        ]
        if len(starts[0]) * len(starts[1]) <= MOST_TILES:
            tiles += [(x, y, side) for x in starts[0] for y in starts[1]]
    return tiles


def letterbox(frame: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """The frame in a black square of the detector's size, and what maps frame pixels to it: scale and offset (2,)."""
    import cv2

    height, width = frame.shape[:2]
    scale = DETECTOR_SIZE / max(width, height)
    inner = (max(round(width * scale), 1), max(round(height * scale), 1))
    left, top = ((DETECTOR_SIZE - size) // 2 for size in inner)
    image = np.zeros((DETECTOR_SIZE, DETECTOR_SIZE, 3), np.uint8)
    image[top : top + inner[1], left : left + inner[0]] = cv2.resize(frame, inner, interpolation=cv2.INTER_AREA)
    return image, scale, np.array([left, top], np.float64)
