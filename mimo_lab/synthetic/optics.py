"""What lens, sensor and file do to a picture: blur, exposure, noise, compression.

The truth of a shot is that of the clean picture at the middle of the exposure. Frames, plate and background go through
the same lens, the same noise and the same compression, so they stay equal where neither person nor shadow comes near:
within the lens's blur, what the shutter smears, and a block of 16 pixels.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


TAPS = 5  # pictures that a smear is the mean of


@dataclass(frozen=True, eq=False)
class Optics:
    """One camera: what it does to every picture of a shot."""

    shutter: float = 0.0  # share of the time between two frames in which it is open
    blur: float = 0.0  # pixels, standard deviation
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)  # exposure and white balance
    contrast: float = 1.0
    gamma: float = 1.0
    vignette: float = 0.0  # how much darker the corners are
    grain: float = 1.0  # noise in black, of 255
    shot_noise: float = 0.0  # noise added in white, of 255
    coarse: float = 0.0  # pixels of blur of the noise
    quality: int = 0  # of JPEG; 0: none

    def expose(self, picture: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """A picture (H, W, 3) in 0..1 as the file has it, uint8. `noise` (H, W, 3) has unit spread."""
        return self.expose_all([picture], noise)[0]

    def expose_all(self, pictures: list[np.ndarray], noise: np.ndarray) -> list[np.ndarray]:
        """Pictures with the same noise. Where one equals the one before, its values are taken."""
        import cv2

        if self.blur > 0.15:
            pictures = [cv2.GaussianBlur(picture, (0, 0), self.blur) for picture in pictures]
        if self.coarse:
            noise = cv2.GaussianBlur(noise, (0, 0), self.coarse) * (1 + 2.2 * self.coarse)
        light = np.repeat(_vignette_factor(noise.shape[:2], self.vignette), 3) if self.vignette else None
        exposed = [self._develop(pictures[0].reshape(-1), noise.reshape(-1), light).reshape(noise.shape)]
        for before, picture in pairwise(pictures):
            developed = exposed[-1].copy()
            where = np.flatnonzero(picture != before)
            if len(where):
                some = None if light is None else light[where]
                developed.reshape(-1)[where] = self._develop(
                    picture.reshape(-1)[where], noise.reshape(-1)[where], some, where % 3
                )
            exposed.append(developed)
        return [compress_picture(picture, self.quality) for picture in exposed] if self.quality else exposed

    def _develop(self, values, noise, light, channel: np.ndarray | None = None) -> np.ndarray:
        """What the sensor makes of values (N,) in 0..1, uint8; they are of red, green and blue in turn, or `channel`.

        The arrays have one axis: numpy is slow where the last one is short.
        """
        gain = np.float32(self.gain)
        values = values * (np.tile(gain, len(values) // 3) if channel is None else gain[channel])
        values = np.clip(values, 0, 1) ** self.gamma
        values = 0.5 + (values - 0.5) * self.contrast
        if light is not None:
            values = values * light
        spread = self.grain + self.shot_noise * np.sqrt(np.clip(values, 0, 1))
        return np.clip(np.rint(values * 255 + spread * noise), 0, 255).astype(np.uint8)


def sample_optics(rng: np.random.Generator, size: tuple[int, int]) -> Optics:
    """A random camera: half of them good ones."""
    bad = rng.random() < 0.5
    scale = min(size) / 256
    warmth, level = rng.normal(0, 0.04), np.exp(rng.normal(0, 0.06))
    values = {
        "shutter": rng.uniform(0.15, 0.6) if rng.random() < 0.6 else 0.0,
        "gain": (level * (1 + warmth), level, level * (1 - warmth)),
        "contrast": rng.normal(1.0, 0.05), "gamma": np.exp(rng.normal(0, 0.07)),
        "vignette": rng.uniform(0, 0.35) if rng.random() < 0.4 else 0.0,
        "grain": rng.uniform(0.5, 2.2), "shot_noise": rng.uniform(0, 1.5),
    }  # fmt: skip
    if bad:
        values |= {
            "blur": rng.uniform(0, 1.6) * scale, "grain": rng.uniform(1, 5), "shot_noise": rng.uniform(0, 4),
            "coarse": rng.uniform(0, 0.9) if rng.random() < 0.5 else 0.0,
            "quality": int(rng.integers(35, 95)) if rng.random() < 0.7 else 0,
        }  # fmt: skip
    return Optics(**values)


def _vignette_factor(shape: tuple[int, int], amount: float) -> np.ndarray:
    height, width = shape
    y, x = np.ogrid[:height, :width]
    distance = ((x + 0.5) / width * 2 - 1) ** 2 + ((y + 0.5) / height * 2 - 1) ** 2
    return (1 - amount * np.clip(distance / 2, 0, 1) ** 1.5).astype(np.float32)


def compress_picture(picture: np.ndarray, quality: int) -> np.ndarray:
    """A picture (H, W, 3) uint8 through JPEG."""
    import cv2

    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def smear_along_flow(picture: np.ndarray, flow: np.ndarray, shutter: float, *, alone: bool = False) -> np.ndarray:
    """A layer (H, W, C) averaged over `shutter` of its flow (H, W, 2), the given instant in the middle.

    The last channel is alpha and the others are times alpha, but for a layer that fills the picture (`alone`).
    Around what is there its movement is taken to go on, so that edges smear outwards too.
    """
    import cv2

    height, width = flow.shape[:2]
    if not alone:
        flow = _spread_flow(flow, picture[..., 3])
    longest = np.abs(flow).max() * shutter
    if longest < 0.6:
        return picture
    box = slice(None), slice(None)
    if not alone:
        box = find_box(picture[..., 3] > 0, int(longest / 2) + 2)
    x, y = _pixel_places(height, width)
    x, y, across, down = (np.ascontiguousarray(values[box]) for values in (x, y, flow[..., 0], flow[..., 1]))
    border = cv2.BORDER_REPLICATE if alone else cv2.BORDER_CONSTANT
    total = None
    for part in (np.arange(TAPS) / (TAPS - 1) - 0.5) * shutter:
        part = np.float32(part)
        seen = cv2.remap(picture, x - part * across, y - part * down, cv2.INTER_LINEAR, borderMode=border)
        total = seen if total is None else np.add(total, seen, out=total)
    smeared = np.zeros_like(picture)
    smeared[box] = total / TAPS
    return smeared


def find_box(inside: np.ndarray, margin: int = 0) -> tuple[slice, slice]:
    """The rows and columns of a mask (H, W) that hold True pixels, and `margin` more to each side."""
    box = []
    for axis, limit in enumerate(inside.shape):
        held = np.flatnonzero(inside.any(1 - axis))
        box.append(slice(max(held[0] - margin, 0), min(held[-1] + margin + 1, limit)) if len(held) else slice(0, 0))
    return tuple(box)


@functools.lru_cache(maxsize=4)
def _pixel_places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return x, y


def _spread_flow(flow: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The flow of what is there, continued around it."""
    import cv2

    inside = alpha > 0.5
    spread = np.zeros_like(flow)
    if not inside.any():
        return spread
    reach = max(2.0, 0.04 * max(alpha.shape))
    box = find_box(inside, round(4 * reach) + 2)  # farther away the blur brings nothing
    flow, inside = flow[box], inside[box]
    weight = inside.astype(np.float32)
    planes = np.empty((*inside.shape, 3), np.float32)
    for axis in range(2):
        planes[..., axis] = flow[..., axis] * weight
    planes[..., 2] = weight
    total = cv2.GaussianBlur(planes, (0, 0), reach)
    weight = np.maximum(total[..., 2], np.float32(1e-4))
    for axis in range(2):
        spread[box][..., axis] = np.where(inside, flow[..., axis], total[..., axis] / weight)
    return spread
