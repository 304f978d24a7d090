"""Bringing a character into the light of the scene, once for the clip.

Dark and colored light is followed by a factor on each channel; then brightness and contrast, gently, by a curve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..scene.scene import Scene


COLOR_MATCHES = ("none", "mean", "histogram")
LUMA_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
MATCH_STRENGTH = 0.2  # of the way towards the scene: clothes differ, light should not
LARGEST_SHIFT = 6.0  # levels; dark trousers darkened faces by 20 (2026-11-28, 8 shots: 19.27 dB, now 19.45)
CONTRAST = (0.88, 1.15)
TONE_FRAMES = 8  # frames of the scene that are looked at
MIN_TONE_PIXELS = 64  # pixels that tell anything
# In seven real clips in plain light what is brightest around the person has 0.87 or more of what is brightest in four
# character pictures, and the scene's light is within 0.13 of grey (2026-11-27).
DARK_SCENE = 0.75  # what is brightest around the person against the character: below it the light is dim
DARKEST_GAIN = 0.2
BRIGHTEST = 98  # percentile of the brightness
LIGHT_NORM = 6  # Minkowski norm between the mean color and the brightest one (shades of gray)
CLIPPED = 250  # levels from which a pixel does not tell the color of the light
PLAIN_LIGHT, COLORED_LIGHT = 0.12, 0.3  # largest log of a channel against the mean: no light yet, surely light
COLOR_STRENGTH = 0.8  # of the way towards the scene's light
LIGHT_SIDE = 160  # pixels of the longer side of the frames in which light is measured


@dataclass(frozen=True, eq=False)
class Tone:
    """How colors change: every channel times `gain`, then `shift[luma]` is added to all of them."""

    shift: np.ndarray | None  # (256,) float32 levels
    gain: np.ndarray | None = None  # (3,) float32

    @classmethod
    def none(cls) -> Tone:
        return cls(None)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """The image (H, W, 3) uint8 in the light of the scene. The curve keeps the hue: channels move together."""
        if self.gain is not None:
            image = (image * self.gain + 0.5).clip(0, 255).astype(np.uint8)
        if self.shift is None:
            return image
        luma = (image @ LUMA_WEIGHTS + 0.5).astype(np.uint8)
        return (image + self.shift[luma][..., None] + 0.5).clip(0, 255).astype(np.uint8)


def match_tone(scene: Scene, drawn: list[tuple[np.ndarray, np.ndarray]], kind: str) -> Tone:
    """What brings drawn frames, pairs of image and mask, into the light of the scene.

    `mean` moves mean and spread of the brightness, `histogram` its whole distribution. The scene's brightness is that
    of the person who was replaced, or of the plate around the character where there was nobody. Light that is dim or
    colored, by the person and by what is around them alike, is followed first.
    """
    gain = _measure_gain(scene, drawn)
    lit = Tone(None, gain)
    own = _luma_histogram((lit(image), mask > 127) for image, mask in drawn)
    wanted = _luma_histogram(_sample_replaced(scene))
    if wanted.sum() < MIN_TONE_PIXELS:
        wanted = _luma_histogram(_sample_surroundings(scene, drawn))
    if own.sum() < MIN_TONE_PIXELS or wanted.sum() < MIN_TONE_PIXELS:
        return lit
    curve = _match_moments(own, wanted) if kind == "mean" else _match_distribution(own, wanted)
    return Tone((MATCH_STRENGTH * curve).clip(-LARGEST_SHIFT, LARGEST_SHIFT).astype(np.float32), gain)


def _measure_gain(scene: Scene, drawn: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray | None:
    """Factors (3,) on the channels that bring the character into dim or colored light; None in plain light."""
    if not drawn:
        return None
    everywhere, around, person = [], [], []
    for frame in _spread_frames(scene.frames):
        picture = _shrink(scene.source[frame])
        shown = (_shrink(scene.person[frame]) > 200) & (_shrink(scene.occluder[frame]) < 55)
        everywhere.append(picture.reshape(-1, 3))
        around.append(picture[_surround(shown)])
        person.append(picture[shown])
    around, person = np.concatenate(around), np.concatenate(person)
    if len(person) < MIN_TONE_PIXELS:
        around = np.concatenate(
            [_shrink(plate)[_shrink(mask.astype(np.uint8)) > 0] for plate, mask in _sample_surroundings(scene, drawn)]
        )
    own = np.concatenate([image[mask > 127] for image, mask in map(_shrink_pair, drawn)])
    if min(len(around), len(own)) < MIN_TONE_PIXELS:
        return None
    dimness = _measure_dimness(around, own)
    color = _measure_light_color(np.concatenate(everywhere), person, own)
    if dimness == 1 and not color.any():
        return None
    tint = np.exp(COLOR_STRENGTH * color)
    return (dimness * tint / (tint @ LUMA_WEIGHTS)).astype(np.float32)


def _measure_dimness(around: np.ndarray, own: np.ndarray) -> float:
    """The factor on the character's brightness that dim light asks for; 1 where nothing is dim.

    A black coat may be as dark in the sun, so what counts is the brightest of the person and what is beside them.
    """
    brightest, brightest_own = (np.percentile(colors @ LUMA_WEIGHTS, BRIGHTEST) for colors in (around, own))
    return float(np.clip(brightest / max(brightest_own, 1.0) / DARK_SCENE, DARKEST_GAIN, 1.0))


def _measure_light_color(everywhere: np.ndarray, person: np.ndarray, own: np.ndarray) -> np.ndarray:
    """The color of the light as logs (3,) of its channels; zeros in plain light.

    Things have colors, too: only what the whole picture and the person have in common is light, where it is more than
    plain light shows, less what the character has already.
    """
    whole, beside, has = (_estimate_illuminant(colors) for colors in (everywhere, person, own))
    common = np.where(whole * beside > 0, np.sign(whole) * np.minimum(np.abs(whole), np.abs(beside)), 0)
    common *= np.interp(np.abs(common).max(), (PLAIN_LIGHT, COLORED_LIGHT), (0, 1))
    already = (has * np.sign(common)).clip(0, np.abs(common))
    return common - np.sign(common) * already


def _estimate_illuminant(colors: np.ndarray) -> np.ndarray:
    """Logs (3,) of the channels of the light on colors (N, 3), less their mean (Finlayson and Trezzi, CIC 2004)."""
    told = colors[(colors < CLIPPED).all(1)].astype(np.float64) / 255
    if len(told) < MIN_TONE_PIXELS:
        return np.zeros(3)
    light = np.log((told**LIGHT_NORM).mean(0) ** (1 / LIGHT_NORM) + 1e-3)
    return light - light.mean()


def _shrink(layer: np.ndarray) -> np.ndarray:
    import cv2

    scale = min(1.0, LIGHT_SIDE / max(layer.shape[:2]))
    size = tuple(max(1, round(side * scale)) for side in layer.shape[1::-1])
    return cv2.resize(layer, size, interpolation=cv2.INTER_AREA)


def _shrink_pair(pair: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    image, mask = pair
    return _shrink(image), _shrink(mask)


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
        yield scene.plate[frame], _surround(mask > 127)


def _surround(mask: np.ndarray) -> np.ndarray:
    """The rows of a mask (H, W) bool, and half its width to both sides."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    around = np.zeros(mask.shape, bool)
    if len(rows):
        margin = len(columns) // 2
        around[rows[0] : rows[-1] + 1, max(columns[0] - margin, 0) : columns[-1] + margin] = True
    return around


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
