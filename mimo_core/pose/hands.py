"""BlazePose's companion for hands: 21 points of a hand in 2D and in meters.

The network is MediaPipe's hand_landmark_full. Where to look is told by the wrist and the knuckles of the body's
landmarks, so no palm detector is needed.
"""

from __future__ import annotations

import math
import threading
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .blazepose import (
    HIPS,
    INDICES,
    NETWORK_FOLDER,
    PINKIES,
    SHOULDERS,
    WRISTS,
    CropRegion,
    FramePose,
    cut_region,
    rotate_world,
)
from .hand_fit import HAND_POINTS
from .litert import load_network, run_network


HAND_SIZE = 224  # input of hand_landmark_full.tflite
REGION_SCALE = 4.3  # of the way from the wrist to the knuckles: side of the square; 14 hands of 7 pictures (2026-11-27)
# Of the trunk, at least, the same: what is taken for a hand but is smaller is seen along the arm, or is no hand.
LEAST_OF_TRUNK = 0.4
SMALLEST_REGION = 36.0  # pixels, a hand of about 18: in a smaller one fingers are a pixel wide


@dataclass(frozen=True, eq=False, slots=True)
class HandPose:
    """The points of a hand in one frame."""

    presence: float  # 0 to 1: a hand is in the region
    pixels: np.ndarray  # (21, 2)
    world: np.ndarray  # (21, 3) meters about the hand's middle; x right, y down, z away from the camera


HandPair = tuple[HandPose | None, HandPose | None]  # left and right
NO_HANDS: HandPair = (None, None)
NUMBERS = 1 + HAND_POINTS * (2 + 3)  # of a hand: presence, pixels and world


class HandStore(Sequence):
    """Left and right hand over a clip, as pairs, in half the memory: 850 bytes a frame."""

    def __init__(self):
        self._numbers = array("f")

    def __len__(self) -> int:
        return len(self._numbers) // (2 * NUMBERS)

    def __getitem__(self, frame: int) -> HandPair:
        """The pair of a frame. Raises IndexError beyond the last."""
        return tuple(self._unpack(2 * range(len(self))[frame] + side) for side in range(2))

    def append(self, pair: HandPair) -> None:
        """Add the hands of the next frame."""
        for pose in pair:
            if pose is None:
                self._numbers.extend([math.nan] * NUMBERS)
            else:
                self._numbers.append(pose.presence)
                self._numbers.frombytes(np.concatenate([pose.pixels.ravel(), pose.world.ravel()]).tobytes())

    def _unpack(self, number: int) -> HandPose | None:
        presence, *points = self._numbers[number * NUMBERS : (number + 1) * NUMBERS]
        if math.isnan(presence):
            return None
        pixels, world = np.split(np.array(points, np.float32), [2 * HAND_POINTS])
        return HandPose(presence, pixels.reshape(HAND_POINTS, 2), world.reshape(HAND_POINTS, 3))


class HandNetwork:
    """The network. One object serves one thread at a time."""

    def __init__(self, *, threads: int = 1):
        self._network = load_network(NETWORK_FOLDER / "hand_landmark_full.tflite", threads)
        self._lock = threading.Lock()

    def find_points(self, frame: np.ndarray, region: CropRegion) -> HandPose:
        """The points of the hand in `region` of an RGB frame (H, W, 3) uint8."""
        image = cut_region(frame, region, HAND_SIZE)
        with self._lock:
            points, presence, _, world = run_network(self._network, image.astype(np.float32) / 255)
        frame_from_region = region.frame_from_region(HAND_SIZE)
        pixels = points.reshape(HAND_POINTS, 3)[:, :2] @ frame_from_region[:, :2].T + frame_from_region[:, 2]
        return HandPose(
            float(presence[0]),
            pixels.astype(np.float32),
            rotate_world(world.reshape(HAND_POINTS, 3), region.angle),
        )


@lru_cache(maxsize=1)
def load_hand_network() -> HandNetwork:
    """The network, loaded once."""
    return HandNetwork()


def find_hands(frame: np.ndarray, pose: FramePose) -> HandPair:
    """Left and right hand of a person in an RGB frame (H, W, 3) uint8; None for one outside it or too small."""
    return tuple(_find_hand(frame, pose, side) for side in range(2))


def find_hands_elsewhere(frame: np.ndarray, pose: FramePose, known: FramePose) -> HandPair:
    """The same, None for a hand whose wrist is so near one of the `known` pose that it was looked for there."""
    wrists, reach = known.pixels[list(WRISTS)], [plan_region(pose.pixels, side).size / 2 for side in range(2)]
    return tuple(
        None
        if np.linalg.norm(wrists - pose.pixels[WRISTS[side]], axis=1).min() < reach[side]
        else _find_hand(frame, pose, side)
        for side in range(2)
    )


def _find_hand(frame: np.ndarray, pose: FramePose, side: int) -> HandPose | None:
    region = plan_region(pose.pixels, side)
    height, width = frame.shape[:2]
    is_inside = 0 <= region.center[0] <= width and 0 <= region.center[1] <= height
    if region.size < SMALLEST_REGION or not is_inside:
        return None
    return load_hand_network().find_points(frame, region)


def plan_region(pixels: np.ndarray, side: int) -> CropRegion:
    """The square around the left or right hand, 0 or 1, of landmarks (33, 2)."""
    wrist, pinky, index = (pixels[pair[side]] for pair in (WRISTS, PINKIES, INDICES))
    center = (pinky + 2 * index) / 3
    x, y = center - wrist
    trunk = pixels[list(SHOULDERS)].mean(0) - pixels[list(HIPS)].mean(0)
    size = max(REGION_SCALE * float(np.hypot(x, y)), LEAST_OF_TRUNK * float(np.linalg.norm(trunk)))
    return CropRegion((float(center[0]), float(center[1])), size, float(np.arctan2(x, -y)))
