"""Depth of a clip by Depth Anything V2 (Yang et al. 2024, arXiv 2406.09414), by transformers: near is bright."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..media.clip import Clip
from ..weights.transformers_networks import find_class, keep_on_device, load_network, load_processor, read_model_type


MODEL_TYPE = "depth_anything"
EXTREMES = (0.5, 99.5)  # percentiles of a frame that become black and white


class DepthNetwork:
    """A network that tells how near each pixel is, frame by frame. One object serves one clip at a time."""

    def __init__(self, folder: Path, *, device: str = "cpu"):
        kind = read_model_type(folder)
        if kind != MODEL_TYPE:
            raise InputError(
                f"The depth network in {folder} is a {kind or 'folder without config.json'}; {MODEL_TYPE} is known. "
                "Put another one there, or choose classical."
            )
        self._processor = load_processor(find_class("DPTImageProcessor", since="4.45"), folder)
        self._network = load_network(find_class("DepthAnythingForDepthEstimation", since="4.45"), folder, "cpu")
        self._device, self._lock = device, threading.Lock()

    def estimate(self, clip: Clip, tick: Callable[[], None] = lambda: None) -> Clip:
        """Depth as grey pictures (F, H, W, 3) uint8, near is bright, each frame on its own scale.

        They go to a temporary file. `tick` is called once a frame; it may raise.
        """
        return Clip.from_frames(self._draw_depths(clip, tick), clip.fps)

    def _draw_depths(self, clip: Clip, tick: Callable[[], None]) -> Iterator[NDArray]:
        import cv2

        with self._lock, keep_on_device(self._network, self._device):
            for frame in clip:
                depth = cv2.resize(self._look(frame), (clip.width, clip.height), interpolation=cv2.INTER_LINEAR)
                yield np.repeat(_stretch(depth)[..., None], 3, -1)
                tick()

    def _look(self, frame: NDArray) -> NDArray:
        """Inverse depth (h, w) of a frame at the network's size."""
        import torch

        with torch.inference_mode():
            inputs = self._processor(images=frame, return_tensors="pt", input_data_format="channels_last")
            depth = self._network(**inputs.to(self._device)).predicted_depth[0]
        return depth.float().cpu().numpy()


def _stretch(depth: NDArray) -> NDArray:
    """Inverse depths (h, w) as levels uint8, the farthest black and the nearest white."""
    low, high = np.percentile(depth, EXTREMES)
    return (255 * ((depth - low) / (high - low or 1.0)).clip(0, 1) + 0.5).astype(np.uint8)
