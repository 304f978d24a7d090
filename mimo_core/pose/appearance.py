"""What somebody wears, as two histograms of color: enough to tell them from somebody else and from a wall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .blazepose import HIPS, KNEES, SHOULDERS, CropRegion, FramePose


CROP_SIDE = 48  # pixels of a region in which colors are counted
LAB_BINS = (4, 8, 8)  # of lightness and the two color axes of Lab; lightness changes with shade
COLOR_RANGE = (64, 192)  # of the color axes that is told apart, of 0 to 255
LEAST_BAND_PIXELS = 12  # of a band that tell anything
UNKNOWN_UNLIKENESS = 0.5  # of two of whom no band is seen in both


def describe_appearance(frame: NDArray, pose: FramePose, *, gain: float = 1.0) -> NDArray:
    """Colors between shoulders and hips and between hips and knees of a pose in a frame (H, W, 3): (2, 256), each sums
    to 1, or to 0 where it is not seen. They are as in a light that is `gain` times as strong."""
    import cv2

    region = pose.region
    scale = CROP_SIDE / region.size
    left, top = CROP_SIDE / 2 - scale * np.array(region.center)
    matrix = np.array([[scale, 0, left], [0, scale, top]])
    crop = cv2.warpAffine(frame, matrix, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_AREA)
    crop = crop if gain == 1 else cv2.convertScaleAbs(crop, alpha=gain)
    lab = cv2.cvtColor(crop, cv2.COLOR_RGB2LAB)
    lab[..., 1:] = lab[..., 1:].clip(COLOR_RANGE[0], COLOR_RANGE[1] - 1)  # vivid colors are in the outermost bins
    bands = (_cut_band(pose, SHOULDERS, HIPS), _cut_band(pose, HIPS, KNEES))
    return np.stack([_count_lab(lab, points @ matrix[:, :2].T + matrix[:, 2], frame, region) for points in bands])


def measure_light(frame: NDArray) -> float:
    """The mean level of a frame (H, W, 3) uint8, by every eighth row and column; at least 1."""
    return max(1.0, float(frame[::8, ::8].mean()))


def _cut_band(pose: FramePose, upper: tuple[int, int], lower: tuple[int, int]) -> NDArray:
    """Corners (4, 2) in frame pixels of what lies between two pairs of landmarks, drawn in by a sixth."""
    corners = pose.pixels[[upper[0], upper[1], lower[1], lower[0]]].astype(np.float64)
    middle = corners.mean(0)
    return middle + (corners - middle) * (5 / 6)


def _count_lab(lab: NDArray, corners: NDArray, frame: NDArray, region: CropRegion) -> NDArray:
    import cv2

    inside = np.zeros(lab.shape[:2], np.uint8)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(corners).astype(np.int32)), 1)
    scale = CROP_SIDE / region.size
    low = (np.array([0.0, 0.0]) - region.center) * scale + CROP_SIDE / 2
    high = (np.array(frame.shape[1::-1]) - region.center) * scale + CROP_SIDE / 2
    y, x = np.mgrid[:CROP_SIDE, :CROP_SIDE]
    inside &= ((x >= low[0]) & (x < high[0]) & (y >= low[1]) & (y < high[1])).astype(np.uint8)
    if inside.sum() < LEAST_BAND_PIXELS:
        return np.zeros(np.prod(LAB_BINS))
    counts = cv2.calcHist([lab], [0, 1, 2], inside, LAB_BINS, [0, 256, *COLOR_RANGE, *COLOR_RANGE]).ravel()
    return counts / max(counts.sum(), 1)


def compare_appearance(one: NDArray, other: NDArray) -> float:
    """Hellinger distance of two appearances, 0 to 1: the mean over bands that both show, else UNKNOWN_UNLIKENESS."""
    known = (one.sum(1) > 0) & (other.sum(1) > 0)
    if not known.any():
        return UNKNOWN_UNLIKENESS
    mine, theirs = (each[known] / each[known].sum(1, keepdims=True) for each in (one, other))
    return float(np.sqrt((1 - np.sqrt(mine * theirs).sum(1)).clip(0)).mean())
