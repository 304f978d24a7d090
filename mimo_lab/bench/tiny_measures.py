"""What `mimo bench tiny` measures beside PSNR: silhouettes, who is drawn, and how steady pictures are in time."""

from __future__ import annotations

import numpy as np

from mimo_core.body.skeleton import JOINT

from ..synthetic import Shot


LEAST_DIFFERENCE = 0.12  # of full brightness, in any channel, from which a pixel is no longer the plate's
RIVALS = 10
HISTOGRAM_LEVELS = 6  # of every channel in a histogram of colors
FEWEST_PART_PIXELS = 30  # pixels of a part that tell its colors
PARTS = {
    "head": ("head", "neck"),
    "trunk": ("pelvis", "spine1", "spine2", "spine3", "left_collar", "right_collar"),
    "upper arms": ("left_shoulder", "right_shoulder"),
    "forearms": ("left_elbow", "right_elbow"),
    "hands": ("left_wrist", "right_wrist", "left_hand", "right_hand"),
    "thighs": ("left_hip", "right_hip"),
    "shins": ("left_knee", "right_knee"),
    "feet": ("left_ankle", "right_ankle", "left_foot", "right_foot"),
}


def mark_difference(picture: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Where a picture (H, W, 3) uint8 shows something else than the plate, (H, W) bool."""
    return (np.abs(picture.astype(np.int16) - plate) > LEAST_DIFFERENCE * 255).any(-1)


def measure_part_colors(frames: np.ndarray, truth: Shot) -> dict[str, np.ndarray]:
    """Histogram of the colors of each body part over a clip, where the truth shows it: (LEVELS^3,), sum 1."""
    shown, found = truth.visible > 127, {}
    for name, joints in PARTS.items():
        mask = shown & np.isin(truth.parts, [JOINT[joint] + 1 for joint in joints])
        if mask.sum() >= FEWEST_PART_PIXELS:
            found[name] = _measure_histogram(frames[mask])
    return found


def _measure_histogram(colors: np.ndarray) -> np.ndarray:
    """Of colors (N, 3), shared out among neighbouring bins, so that small shifts of light change it little."""
    place = colors.astype(np.float64) / 255 * (HISTOGRAM_LEVELS - 1)
    low = np.minimum(place.astype(int), HISTOGRAM_LEVELS - 2)
    share = place - low
    total = np.zeros(HISTOGRAM_LEVELS**3)
    for corner in np.ndindex(2, 2, 2):
        weight = np.where(corner, share, 1 - share).prod(1)
        index = ((low + corner) * (HISTOGRAM_LEVELS**2, HISTOGRAM_LEVELS, 1)).sum(1)
        total += np.bincount(index, weight, HISTOGRAM_LEVELS**3)
    return total / len(colors)


def find_most_alike(seen: dict[str, np.ndarray], rivals: list[dict[str, np.ndarray]]) -> int:
    """Which of several characters has the most similar colors, part by part (sum of absolute differences)."""
    return int(np.argmin([np.mean([np.abs(seen[name] - rival[name]).sum() for name in seen]) for rival in rivals]))


def measure_sharpness(frames: np.ndarray, truth: Shot) -> float:
    """Mean step between neighbouring pixels inside the visible person, in grey levels."""
    inside = truth.visible > 127
    grey = frames.astype(np.float64).mean(-1)
    steps = []
    for axis in (1, 2):
        both = np.logical_and(*(np.delete(inside, index, axis) for index in (0, -1)))
        steps.append(np.abs(np.diff(grey, axis=axis))[both])
    return float(np.concatenate(steps).mean())


def measure_warping_error(frames: np.ndarray, truth: Shot) -> float:
    """Mean difference of a pixel and where it is a frame later along the true flow, in grey levels.

    Counted are pixels of the visible person that are still the person's, on the same body part, a frame later.
    """
    import cv2

    height, width = frames.shape[1:3]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    errors = []
    for frame, flow in enumerate(truth.flow):
        at = (columns + flow[..., 0], rows + flow[..., 1])
        later = cv2.remap(frames[frame + 1].astype(np.float32), *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        part = cv2.remap(truth.parts[frame + 1], *at, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
        shown = cv2.remap(truth.visible[frame + 1], *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        counted = (truth.visible[frame] > 200) & (shown > 200) & (part == truth.parts[frame]) & (part > 0)
        errors.append(np.abs(later - frames[frame])[counted])
    return float(np.concatenate(errors).mean())
