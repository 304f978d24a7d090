"""The noise a clip starts from: by seed and absolute frame, or as the official release draws it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor


def draw_frame_noise(seed: int, frames: Iterable[int], height: int, width: int, *, channels: int = 4) -> Tensor:
    """Standard normal latents (F, channels, height, width) float32, each a function of (seed, frame) alone.

    `frames` are absolute indices in the clip (ComfyUI's `batch_index`), so a segment has the noise that it has in the
    whole. The seed and the frame are the two halves of the key of a counter-based generator: no two pairs collide.
    """
    shape = (channels, height, width)
    return torch.stack(
        [torch.from_numpy(_make_generator(seed, frame).standard_normal(shape, np.float32)) for frame in frames]
    )


def make_step_generators(seed: int, frames: Iterable[int]) -> list[torch.Generator]:
    """One generator per frame for samplers that draw noise on the way, independent of `draw_frame_noise`."""
    return [torch.Generator().manual_seed(int(_make_generator(seed, frame).integers(2**32))) for frame in frames]


def draw_official_noise(frames: int, height: int, width: int, *, seed: int = 42) -> Tensor:
    """(F, 4, height, width) float32 as the official release draws it, rounded through float16.

    One draw for the whole clip on the CPU, laid out (1, 4, F, height, width). F counts the frames of all contexts, so
    the frames that two contexts share count twice.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(1, 4, frames, height, width, generator=generator, dtype=torch.float16)
    return drawn[0].transpose(0, 1).float()  # (4, F, h, w) -> (F, 4, h, w)


def _make_generator(seed: int, frame: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed % 2**64, frame], np.uint64)))
