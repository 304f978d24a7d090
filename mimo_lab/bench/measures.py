"""How alike two pictures or masks are."""

from __future__ import annotations

import numpy as np


def psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio of uint8 pictures (..., H, W, 3) in dB, over the pixels of a bool mask (..., H, W).

    A difference of one grey level everywhere gives 48.13 dB, equal pictures 99, a mask without pixels NaN.
    """
    square = (a.astype(np.float64) - b) ** 2
    if mask is not None:
        square = square[mask]
    if not square.size:
        return float("nan")
    return float(min(10 * np.log10(255.0**2 / max(square.mean(), 1e-12)), 99.0))


def ssim(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Structural similarity of two uint8 pictures (H, W, 3), mean of the map over channels and mask.

    Wang et al. 2004, with windows of 7x7 equal weights, unbiased variances, K1 0.01 and K2 0.03, as scikit-image has
    it by default; windows that reach over the border are mirrored.
    """
    values = _ssim_map(a, b).mean(-1)
    values = values[3:-3, 3:-3] if mask is None else values[mask]
    return float(values.mean()) if values.size else float("nan")


def _ssim_map(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    import cv2

    def average(picture):
        return cv2.blur(picture, (7, 7), borderType=cv2.BORDER_REFLECT)

    x, y = a.astype(np.float64), b.astype(np.float64)
    unbiased = 49 / 48
    mean_x, mean_y = average(x), average(y)
    var_x = unbiased * (average(x * x) - mean_x**2)
    var_y = unbiased * (average(y * y) - mean_y**2)
    covariance = unbiased * (average(x * y) - mean_x * mean_y)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return above / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of bool masks; 1 where both are empty."""
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 1.0


def dilate(mask: np.ndarray, radius: float) -> np.ndarray:
    """A bool mask (H, W) grown by a disc of `radius` pixels."""
    import cv2

    if not mask.any():
        return mask
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) <= radius
