"""What lens, sensor and file do to a picture: blur, exposure, noise, compression.

The truth of a shot is that of the clean picture at the middle of the exposure. Frames, plate and background go through
the same lens, the same noise and the same compression, so they stay equal where neither person nor shadow comes near:
within the lens's blur, what the shutter smears, and a block of 16 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

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
        import cv2

        if self.blur > 0.15:
            picture = cv2.GaussianBlur(picture, (0, 0), self.blur)
        picture = np.clip(picture * np.float32(self.gain), 0, 1) ** self.gamma
        picture = 0.5 + (picture - 0.5) * self.contrast
        if self.vignette:
            picture = picture * _vignette_factor(picture.shape[:2], self.vignette)[..., None]
        if self.coarse:
            noise = cv2.GaussianBlur(noise, (0, 0), self.coarse) * (1 + 2.2 * self.coarse)
        spread = self.grain + self.shot_noise * np.sqrt(np.clip(picture, 0, 1))
        picture = np.clip(np.rint(picture * 255 + spread * noise), 0, 255).astype(np.uint8)
        return compress_picture(picture, self.quality) if self.quality else picture


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
    if np.abs(flow).max() * shutter < 0.6:
        return picture
    y, x = np.mgrid[:height, :width].astype(np.float32)
    border = cv2.BORDER_REPLICATE if alone else cv2.BORDER_CONSTANT
    total = 0
    for part in (np.arange(TAPS) / (TAPS - 1) - 0.5) * shutter:
        total = total + cv2.remap(
            picture, x - np.float32(part) * flow[..., 0], y - np.float32(part) * flow[..., 1], cv2.INTER_LINEAR,
            borderMode=border,
        )  # fmt: skip
    return total / TAPS


def _spread_flow(flow: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The flow of what is there, continued around it."""
    import cv2

    inside = alpha > 0.5
    weight = inside.astype(np.float32)
    reach = max(2.0, 0.04 * max(alpha.shape))
    total = cv2.GaussianBlur(np.dstack([flow * weight[..., None], weight]), (0, 0), reach)
    around = total[..., :2] / np.maximum(total[..., 2:], 1e-4)
    return np.where(inside[..., None], flow, around).astype(np.float32)
