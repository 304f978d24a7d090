"""Fades from black and to black: found, undone before a clip is looked at, and done again to what was made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .clip import Clip


BLACK = 16.0  # mean level below which a frame that begins or ends a clip may be the dark end of a fade
LONGEST_SECONDS = 10.0  # of either end, black and fade, that are read at most
LEAST_RISE = 1.6  # factor by which a fade becomes brighter in a second, each frame by its share: 1.02 at 24 a second
LEAST_FRAMES = 3  # that become brighter: two frames of another brightness are a flash or a cut
LARGEST_STEP = 0.4  # of the full brightness from one frame to the next: a cut out of black is larger
HOLD_SECONDS = 0.2  # after a fade in which a clip stays bright; a flash goes out again
LEAST_HELD = 0.7  # of the brightness then
LEAST_GAIN = 0.12  # what is darker shows too little: the nearest frame that is brighter stands for it
UNSEEN_GAIN = 0.05  # so dark a frame is left as it is
SAME_PICTURE = 0.6  # correlation of two neighboring frames of a fade at least
THUMBNAIL = (32, 18)


@dataclass(frozen=True, eq=False)
class Fade:
    """How bright the frames of a clip are beside what they would be without a fade, (F,) 0 to 1."""

    gains: np.ndarray
    dark: Clip  # the frames with a gain below 1, as they are

    def lift(self, clip: Clip) -> Clip:
        """The clip without its fade. Frames that are too dark to show anything are the nearest ones that are not."""
        frames, shown = np.arange(len(self.gains)), np.flatnonzero(self.gains >= LEAST_GAIN)
        after = np.searchsorted(shown, frames).clip(max=len(shown) - 1)
        before = (after - 1).clip(min=0)
        is_nearer = np.abs(shown[before] - frames) <= np.abs(shown[after] - frames)
        nearest = np.where(is_nearer, shown[before], shown[after])
        return replace(clip, source=_Lifted(clip.select(nearest.tolist()), self.gains[nearest]))

    def apply(self, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Finished frames (H, W, 3) uint8, made from the lifted clip, as dark as the clip; what was equal stays."""
        dark = iter(self.dark)
        for picture, gain in zip(frames, self.gains.tolist(), strict=True):
            if gain >= 1:
                yield picture
                continue
            source = next(dark)
            if gain < UNSEEN_GAIN:
                yield source
                continue
            faded = (picture * np.float32(gain) + 0.5).astype(np.uint8)
            same = (lift_frame(source, gain) == picture).all(-1, keepdims=True)
            yield np.where(same, source, faded)


class _Lifted:
    """Frames of a clip, each brighter by its gain (F,). Read in a row they are decoded in a row."""

    def __init__(self, clip: Clip, gains: np.ndarray):
        self.clip, self.gains, self.shape = clip, gains, clip.source.shape

    def __len__(self):
        return len(self.gains)

    def read(self, start, stop):
        for frame, gain in zip(self.clip.read(start, stop), self.gains[start:stop].tolist(), strict=True):
            yield lift_frame(frame, gain)


def lift_frame(frame: np.ndarray, gain: float) -> np.ndarray:
    """A frame (H, W, 3) uint8 as bright as it would be without a fade that left `gain` of it."""
    return frame if gain >= 1 else (frame * np.float32(1 / gain) + 0.5).clip(0, 255).astype(np.uint8)


def find_fade(clip: Clip) -> Fade | None:
    """The fade that a clip begins or ends with, or None. An end is read only where its outermost frame is dark."""
    frames = len(clip)
    if frames <= LEAST_FRAMES:
        return None
    reach, fps, gains = max(1, min(frames, round(LONGEST_SECONDS * clip.fps))), float(clip.fps), np.ones(frames)
    opening = _measure_ramp(_shrink_all(clip.read(0, reach)), fps) if _is_dark(clip[0]) else []
    gains[: len(opening)] = opening
    if len(opening) < frames and _is_dark(clip[frames - 1]):
        closing = _measure_ramp(_shrink_all(clip.read(frames - reach, frames))[::-1], fps)
        gains[frames - len(closing) :] = np.minimum(gains[frames - len(closing) :], closing[::-1])
    if (gains >= 1).all() or (gains < LEAST_GAIN).all():
        return None
    return Fade(gains, clip.select(np.flatnonzero(gains < 1).tolist()))


def _measure_ramp(pictures: list[np.ndarray], fps: float) -> list[float]:
    """The gains of thumbnails from the dark end on, as long as they become brighter; none without a fade."""
    levels = [float(picture.mean()) for picture in pictures]
    length, least = 1, LEAST_RISE ** (1 / fps)
    while length < len(levels) and (levels[length - 1] < 1 or levels[length] >= least * levels[length - 1]):
        length += 1
    bright, held = levels[length - 1], levels[length : length + max(1, round(HOLD_SECONDS * fps))]
    gains = [min(level / max(bright, 1.0), 1.0) for level in levels[:length]]
    rising = [at for at, gain in enumerate(gains) if LEAST_GAIN <= gain < 1]
    if bright < 2 * BLACK or len(rising) < LEAST_FRAMES or min(held, default=bright) < LEAST_HELD * bright:
        return []
    pairs = [(pictures[at], pictures[at + 1]) for at in rising]
    if np.diff(gains).max() > LARGEST_STEP or not all(_is_same_picture(*pair) for pair in pairs):
        return []
    return gains


def _is_dark(frame: np.ndarray) -> bool:
    return float(_shrink(frame).mean()) < BLACK


def _is_same_picture(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two thumbnails (h, w, 3) show the same in another light; one color tells nothing."""
    if one.std() == 0 or other.std() == 0:
        return False
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1]) >= SAME_PICTURE


def _shrink_all(frames: Iterator[np.ndarray]) -> list[np.ndarray]:
    return [_shrink(frame) for frame in frames]


def _shrink(frame: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(frame, THUMBNAIL, interpolation=cv2.INTER_AREA)
