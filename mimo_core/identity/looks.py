"""The network's mask of the person on a picture, from several looks.

It sees 256 x 256 pixels, and what it takes for hair or an arm by mistake it seldom takes for it in another crop. So the
mean of several crops and of mirror images is better than one; around the head closer looks are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..geometry.box import Box
from ..pose.blazepose import EARS, HIPS, NOSE, REGION_SIZE, SHOULDERS, CropRegion, load_blazepose
from ..pose.landmarks import Landmarks


FIRST_WEIGHT = 2.0  # of the first look against the others: it is the one that the landmarks come from
# Looks at the whole person, around the mask's box and around the hips: sizes in longer sides of the box and in
# distances of the farthest landmark from the hips, turns in radians, mirrored or not.
BOX_LOOKS = ((1.25, 0.0, True), (1.6, 0.0, False))
HIP_LOOKS = ((2.2, 0.0, True), (2.64, 0.2, False))
HIP_SIZE = (1.0, 2.5)  # longer sides of the box that a look around the hips is large at least and at most
# In lengths of the trunk; closer ones lose clothes.
HEAD_LOOKS = ((1.8, 0.0, False), (1.8, 0.0, True), (2.6, 0.0, False))
HEAD_REACH = (0.55, 0.85)  # trunks from the nose within which closer looks decide, and from which on they do not count
HEAD_SHARE = 0.75  # of the closer looks there, but
SURE, SURE_DEPTH = 1.5, (0.015, 0.035)  # not that deep, in heights of the person, where the others are so sure (logits)
HEAD_SIZE = 1.1  # radius of a head with hair in distances of the ears; a cartoon's is too large for closer looks
LEAST_TRUNK = 0.12  # of the box: shorter ones point at the camera, and tell nothing of sizes
FINEST = 2.0  # pixels of the picture that fall on one of the network's; more are averaged first
LEAST_SHARE = 0.04  # of 1: no look is surer than that it may err so often
EDGE = 6  # of the network's pixels along a crop's edge, of which it is not asked


class Look(NamedTuple):
    """What the network takes for the person in one crop of a picture."""

    logits: NDArray  # (H, W) float32
    seen: NDArray  # (H, W) bool: what the crop shows
    belief: float  # 0 to 1: somebody is there


def find_person_mask(
    picture: NDArray, first: NDArray, landmarks: Landmarks, ask: Callable[[], None] = lambda: None
) -> NDArray:
    """The mask (H, W) uint8 of a person on a picture (H, W, 3) uint8 from several looks, of which `first` is one.

    `ask` is called before each look; it may raise to cancel.
    """
    import cv2

    box = Box.of_mask(first > 127)
    if box is None:
        return first
    points = landmarks.pixels[0].numpy()
    shoulders, hips, nose = points[list(SHOULDERS)].mean(0), points[list(HIPS)].mean(0), points[NOSE]
    trunk, longest = float(np.linalg.norm(shoulders - hips)), max(box.width, box.height)
    is_long = trunk > LEAST_TRUNK * longest
    upright = float(np.arctan2(shoulders[0] - hips[0], hips[1] - shoulders[1])) if is_long else 0.0
    middle = np.array([box.left + box.right, box.top + box.bottom]) / 2
    reach = float(np.linalg.norm(points - hips, axis=1).max())
    squares = [(middle, size * longest, turn, mirrored) for size, turn, mirrored in BOX_LOOKS]
    for size, turn, mirrored in HIP_LOOKS:
        squares.append((hips, float(np.clip(size * reach, *(np.array(HIP_SIZE) * longest))), turn, mirrored))

    def look(center: NDArray, size: float, turn: float, mirrored: bool) -> Look:
        ask()
        return look_at(picture, center, size, upright + turn, mirrored)

    looks = [look(*square) for square in squares]
    whole = Look(convert_to_logits(first), np.ones(first.shape, bool), 1.0)
    logits = average_looks([whole, *looks], [FIRST_WEIGHT] + [1.0] * len(looks))
    if is_long and HEAD_SIZE * np.linalg.norm(np.diff(points[list(EARS)], axis=0)) < HEAD_REACH[0] * trunk:
        middle = (nose + shoulders) / 2
        close = [look(middle, size * trunk, turn, mirrored) for size, turn, mirrored in HEAD_LOOKS]
        depth = cv2.distanceTransform((logits > SURE).astype(np.uint8), cv2.DIST_L2, 5) / box.height
        is_open = np.clip((SURE_DEPTH[1] - depth) / (SURE_DEPTH[1] - SURE_DEPTH[0]), 0, 1)
        share = HEAD_SHARE * is_open * _weigh_near(nose, first.shape, *(radius * trunk for radius in HEAD_REACH))
        logits = logits * (1 - share) + average_looks(close, [1.0] * len(close)) * share
    return convert_to_mask(logits)


def convert_to_mask(logits: NDArray) -> NDArray:
    """Log odds (H, W) as a mask (H, W) uint8."""
    return (255 / (1 + np.exp(-logits)) + 0.5).astype(np.uint8)


def convert_to_logits(mask: NDArray) -> NDArray:
    """A mask (H, W) uint8 as log odds, (H, W) float32, of which none is too sure."""
    share = np.clip(mask.astype(np.float32) / 255, LEAST_SHARE, 1 - LEAST_SHARE)
    return np.log(share / (1 - share))


def look_at(picture: NDArray, center: NDArray, size: float, angle: float, mirrored: bool) -> Look:
    """What the network takes for the person in a square of `size` pixels, turned by `angle` radians."""
    import cv2

    height, width = picture.shape[:2]
    scale = min(1.0, FINEST * REGION_SIZE / size)
    if scale < 1:
        small = (max(1, round(width * scale)), max(1, round(height * scale)))
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    x, y = (np.asarray(center) * scale).tolist()
    if mirrored:
        picture, x, angle = np.ascontiguousarray(picture[:, ::-1]), picture.shape[1] - x, -angle
    region = CropRegion((x, y), size * scale, angle)
    shown = np.zeros((REGION_SIZE, REGION_SIZE), np.uint8)
    shown[EDGE:-EDGE, EDGE:-EDGE] = 255
    pose, layers = load_blazepose().find_landmarks(picture, region), []
    for layer in (pose.mask, shown):
        warped = region.warp_mask(layer, *picture.shape[1::-1])
        warped = np.ascontiguousarray(warped[:, ::-1] if mirrored else warped)
        layers.append(cv2.resize(warped, (width, height), interpolation=cv2.INTER_LINEAR))
    return Look(convert_to_logits(layers[0]), layers[1] > 127, pose.score)


def average_looks(looks: list[Look], weights: list[float]) -> NDArray:
    """The weighted mean (H, W) of the looks that show a place; where none does, nobody is there."""
    total = sum(weight * look.logits * look.seen for weight, look in zip(weights, looks, strict=True))
    count = sum(weight * look.seen.astype(np.float32) for weight, look in zip(weights, looks, strict=True))
    nobody = convert_to_logits(np.zeros((1, 1), np.uint8))
    return np.where(count > 0, total / np.maximum(count, 1e-6), nobody).astype(np.float32)


def _weigh_near(place: NDArray, shape: tuple[int, int], near: float, far: float) -> NDArray:
    """1 within `near` pixels of a place (x, y), 0 beyond `far`, (H, W) float32."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    away = np.hypot(columns + 0.5 - place[0], rows + 0.5 - place[1])
    return np.clip((far - away) / (far - near), 0, 1).astype(np.float32)
