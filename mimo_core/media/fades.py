"""Fades from black and to black: found, undone before a clip is looked at, and done again to what was made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .clip import Clip


BLACK = 16.0  # mean level below which a frame that begins or ends a clip may be the dark end of a fade
LEAST_RISE = 1.02  # factor by which each frame of a fade is brighter than the one before
LEAST_FRAMES = 3  # that become brighter: two frames of another brightness are a flash or a cut
LEAST_GAIN = 0.12  # what is darker shows too little: the nearest frame that is brighter stands for it
UNSEEN_GAIN = 0.05  # so dark a frame is left as it is
SAME_PICTURE = 0.6  # correlation of two neighboring frames of a fade at least
THUMBNAIL = (32, 18)


@dataclass(frozen=True, eq=False)
class Fade:
    """How bright the frames of a clip are beside what they would be without a fade, (F,) 0 to 1."""

    gains: np.ndarray

    def lift(self, clip: Clip) -> Clip:
        """The clip without its fade. Frames that are too dark to show anything are the nearest ones that are not."""
        shown = np.flatnonzero(self.gains >= LEAST_GAIN)

        def frame_at(index: int) -> np.ndarray:
            nearest = int(shown[np.abs(shown - index).argmin()])
            return lift_frame(clip[nearest], float(self.gains[nearest]))

        return clip.derive(frame_at)

    def apply(self, frames: Iterator[np.ndarray], clip: Clip) -> Iterator[np.ndarray]:
        """Finished frames (H, W, 3) uint8, made from the lifted clip, as dark as the clip; what was equal stays."""
        for picture, source, gain in zip(frames, clip, self.gains.tolist(), strict=True):
            if gain >= 1:
                yield picture
            elif gain < UNSEEN_GAIN:
                yield source
            else:
                faded = (picture * np.float32(gain) + 0.5).astype(np.uint8)
                same = (lift_frame(source, gain) == picture).all(-1, keepdims=True)
                yield np.where(same, source, faded)


def lift_frame(frame: np.ndarray, gain: float) -> np.ndarray:
    """A frame (H, W, 3) uint8 as bright as it would be without a fade that left `gain` of it."""
    return frame if gain >= 1 else (frame * np.float32(1 / gain) + 0.5).clip(0, 255).astype(np.uint8)


def find_fade(clip: Clip) -> Fade | None:
    """The fade that a clip begins or ends with, or None. Only frames of fades are read, and the two at the ends."""
    frames = len(clip)
    if frames <= LEAST_FRAMES:
        return None
    gains = np.ones(frames)
    opening = _measure_ramp(clip, range(frames))
    closing = _measure_ramp(clip, range(frames - 1, -1, -1)) if len(opening) < frames else []
    gains[: len(opening)] = opening
    gains[frames - len(closing) :] = np.minimum(gains[frames - len(closing) :], closing[::-1])
    return Fade(gains) if (gains < 1).any() and (gains >= LEAST_GAIN).any() else None


def _measure_ramp(clip: Clip, order: range) -> list[float]:
    """The gains of frames from the dark end on, as long as they become brighter; none without a fade."""
    levels, pictures = [], []
    for index in order:
        small = _shrink(clip[index])
        level = float(small.mean())
        is_dark = not levels or levels[-1] < 1
        if not levels and level >= BLACK:
            return []
        if not is_dark and level < LEAST_RISE * levels[-1]:
            break
        levels.append(level)
        pictures.append(small)
    bright = levels[-1]
    gains = [min(level / max(bright, 1.0), 1.0) for level in levels]
    rising = [at for at, gain in enumerate(gains) if LEAST_GAIN <= gain < 1]
    if bright < 2 * BLACK or len(rising) < LEAST_FRAMES:
        return []
    pairs = ((pictures[at].ravel(), pictures[at + 1].ravel()) for at in rising)
    return gains if all(np.corrcoef(one, other)[0, 1] >= SAME_PICTURE for one, other in pairs) else []


def _shrink(frame: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(frame, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
