"""Values known at some pixels, carried on smoothly over all others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def push_pull(values: NDArray, known: NDArray, *, blur: float = 0.0) -> NDArray:
    """Values (H, W, C) float32 of the pixels `known` (H, W), bool or weights 0..1, continued over the picture.

    Push and pull over a pyramid (Gortler et al. 1996): where nothing is known the next coarser level decides. Known
    pixels keep their values, unless `blur`, in pixels, smooths every level.
    """
    weight = known.astype(np.float32)
    groups = range(0, values.shape[2], 4)  # OpenCV shrinks at most 4 channels at once
    return np.concatenate([_pull_level(values[..., at : at + 4].astype(np.float32), weight, blur) for at in groups], 2)


def _pull_level(values: NDArray, weight: NDArray, blur: float) -> NDArray:
    import cv2

    height, width = weight.shape
    if min(height, width) < 2 or weight.min() > 0.999:
        total = np.maximum(weight.sum(), 1e-6)
        mean = (values * weight[..., None]).sum((0, 1)) / total
        return values * weight[..., None] + mean * (1 - weight[..., None])
    size = ((width + 1) // 2, (height + 1) // 2)
    smaller_weight = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    smaller = _keep_channels(cv2.resize(values * weight[..., None], size, interpolation=cv2.INTER_AREA))
    smaller = smaller / np.maximum(smaller_weight, 1e-6)[..., None]
    coarse = _pull_level(smaller, np.minimum(smaller_weight * 4, 1), blur)
    fine = _keep_channels(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
    if blur:
        values = _keep_channels(cv2.GaussianBlur(values * weight[..., None], (0, 0), blur))
        weight = cv2.GaussianBlur(weight, (0, 0), blur)
        return values + fine * (1 - weight[..., None])
    return values * weight[..., None] + fine * (1 - weight[..., None])


def _keep_channels(values: NDArray) -> NDArray:
    return values if values.ndim == 3 else values[..., None]  # OpenCV drops a single channel
