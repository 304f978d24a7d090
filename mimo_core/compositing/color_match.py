"""Bringing a character's brightness and contrast near those of the scene, gently and once for the clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..scene.scene import Scene


COLOR_MATCHES = ("none", "mean", "histogram")
LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
MATCH_STRENGTH = 0.35  # of the way towards the scene: clothes differ, light should not
LARGEST_SHIFT = 20.0  # levels
CONTRAST = (0.88, 1.15)
TONE_FRAMES = 8  # frames of the scene that are looked at
MIN_TONE_PIXELS = 64  # pixels that tell anything


@dataclass(frozen=True, eq=False)
class Tone:
    """A curve of brightness: `shift[luma]` is added to every channel."""

    shift: np.ndarray | None  # (256,) float32 levels

    @classmethod
    def none(cls) -> Tone:
        return cls(None)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The image (H, W, 3) uint8 with its brightness changed, hue kept: channels move together."""
        if self.shift is None:
            return image
        luma = (image @ LUMA_WEIGHTS + 0.5).astype(np.uint8)
        return (image + self.shift[luma][..., None] + 0.5).clip(0, 255).astype(np.uint8)


def match_tone(scene: Scene, drawn: list[tuple[np.ndarray, np.ndarray]], kind: str) -> Tone:
    """The curve that brings drawn frames, pairs of image and mask, part of the way towards the scene.

    `mean` moves mean and spread of the brightness, `histogram` its whole distribution. The scene's brightness is that
    of the person who was replaced, or of the plate around the character where there was nobody.
    """
    own = _luma_histogram((image, mask > 127) for image, mask in drawn)
    wanted = _luma_histogram(_sample_replaced(scene))
    if wanted.sum() < MIN_TONE_PIXELS:
        wanted = _luma_histogram(_sample_surroundings(scene, drawn))
    if own.sum() < MIN_TONE_PIXELS or wanted.sum() < MIN_TONE_PIXELS:
        return Tone.none()
    curve = _match_moments(own, wanted) if kind == "mean" else _match_distribution(own, wanted)
    return Tone((MATCH_STRENGTH * curve).clip(-LARGEST_SHIFT, LARGEST_SHIFT).astype(np.float32))


def _luma_histogram(samples) -> np.ndarray:
    """Brightness histogram (256,) over pairs of image (H, W, 3) and bool mask (H, W)."""
    counts = np.zeros(256)
    for image, mask in samples:
        luma = (image[mask] @ LUMA_WEIGHTS + 0.5).astype(np.uint8)
        counts += np.bincount(luma, minlength=256)
    return counts


def _sample_replaced(scene: Scene):
    for frame in _spread_frames(scene.frames):
        yield scene.source[frame], (scene.person[frame] > 200) & (scene.occluder[frame] < 55)


def _sample_surroundings(scene: Scene, drawn):
    for frame, (_, mask) in zip(_spread_frames(scene.frames), drawn, strict=False):
        rows, columns = np.flatnonzero((mask > 127).any(1)), np.flatnonzero((mask > 127).any(0))
        around = np.zeros(mask.shape, bool)
        if len(rows):
            margin = len(columns) // 2
            around[rows[0] : rows[-1] + 1, max(columns[0] - margin, 0) : columns[-1] + margin] = True
        yield scene.plate[frame], around


def _spread_frames(frames: int) -> list[int]:
    return sorted({int(frame) for frame in np.linspace(0, frames - 1, TONE_FRAMES)})


def _match_moments(own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    levels = np.arange(256)

    def mean_and_spread_frames(counts):
        mean = (counts @ levels) / counts.sum()
        return mean, max(np.sqrt(counts @ np.square(levels - mean) / counts.sum()), 1.0)

    (mean, spread), (target, width) = mean_and_spread_frames(own), mean_and_spread_frames(wanted)
    contrast = np.clip(width / spread, *CONTRAST)
    return (levels - mean) * contrast + target - levels


def _match_distribution(own: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    levels = np.arange(256)
    rank, target = (np.cumsum(counts) / counts.sum() for counts in (own, wanted))
    matched = np.interp(rank, target, levels)
    # Neighbouring levels move alike, so that gradients stay smooth.
    kernel = np.ones(31) / 31
    return np.convolve(np.pad(matched - levels, 15, mode="edge"), kernel, mode="valid")
