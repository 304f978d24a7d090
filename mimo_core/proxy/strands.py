"""Strands of hair for what is not seen of it: noise drawn out along its flow, as strongly as the seen hair varies.

Texture synthesis by statistics (Heeger and Bergen 1995), with one statistic: how the picture's hair differs from the
tone around it. Drawn hair that has one tone gets none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .surface import BodySurface


AROUND_TONE = 0.012  # meters around a texel whose mean is its tone
LARGEST_CONTRAST = 0.25  # of the tone's brightness that strands differ from it
OCTAVES = ((26, 0.12, 0.7), (60, 0.09, 0.55), (130, 0.16, 0.45))  # locks around the head, meters along, share
WAVE, WAVE_LENGTH = 0.1, 0.09  # of a turn by which locks curve, over meters
HEIGHTS = 24  # rows of noise
TEXTURE_METERS = 2.0  # that the texture's side spans, about: 2 mm a texel at 1024


def draw_strands(surface: BodySurface, shown: NDArray, hair: NDArray, target: NDArray) -> NDArray:
    """Factors (n,) on the tone of hidden texels `target` (n,), as the `hair` (m,) seen in `shown` (N, 3) varies."""
    return np.exp(_measure_contrast(surface, shown, hair) * np.clip(_wave_noise(surface, target), -2, 2))


def _measure_contrast(surface: BodySurface, shown: NDArray, hair: NDArray) -> float:
    """The standard deviation of seen hair's brightness over that around it, without its darkest and brightest."""
    import cv2

    side = surface.atlas.side
    row, column = surface.atlas.row.numpy()[hair], surface.atlas.column.numpy()[hair]
    top, left = row.min(), column.min()
    picture = np.zeros((row.max() - top + 1, column.max() - left + 1, 2), np.float32)
    picture[row - top, column - left] = np.column_stack([shown[hair].mean(1), np.ones(len(hair))])
    blurred = cv2.GaussianBlur(picture, (0, 0), AROUND_TONE / TEXTURE_METERS * side)[row - top, column - left]
    relative = shown[hair].mean(1) * blurred[:, 1] / np.maximum(blurred[:, 0], 1e-3) - 1
    return float(min(np.clip(relative, *np.quantile(relative, (0.05, 0.95))).std(), LARGEST_CONTRAST))


def _wave_noise(surface: BodySurface, target: NDArray) -> NDArray:
    """Noise (n,) of mean 0 and deviation 1, long along the hair's flow from the crown down and narrow across it."""
    head = surface.place[surface.head > 0.5]
    place = surface.place[target] - head.mean(0)
    turn = np.arctan2(place[:, 0], -place[:, 2]) / (2 * np.pi)  # 0 behind
    down = head[:, 1].max() - surface.place[target, 1] + 0.5 * np.hypot(place[:, 0], place[:, 2])
    random = np.random.default_rng(7)
    turn = turn + WAVE * _sample_noise(random, 4, turn, down / WAVE_LENGTH)
    total = sum(share * _sample_noise(random, locks, turn, down / length) for locks, length, share in OCTAVES)
    return (total / np.sqrt(sum(share**2 for *_, share in OCTAVES))).astype(np.float32)


def _sample_noise(random: np.random.Generator, locks: int, turn: NDArray, down: NDArray) -> NDArray:
    """Smooth noise (n,) of deviation about 1 on a grid of `locks` around, which closes, and one row a unit down."""
    import cv2

    grid = random.standard_normal((HEIGHTS, locks)).astype(np.float32) * 1.5  # what interpolation takes away
    grid = np.concatenate([grid, grid[:, :3]], 1)
    x, y = (turn % 1) * locks + 1, down % (HEIGHTS - 4) + 1
    columns = -(-len(x) // 4096) * 4096
    maps = [np.pad(values, (0, columns - len(x))).astype(np.float32).reshape(-1, 4096) for values in (x, y)]
    return cv2.remap(grid, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).ravel()[: len(turn)]
