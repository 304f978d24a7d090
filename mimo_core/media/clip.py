"""Clips and masks: frames behind an iterator, wherever they lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import numpy as np

from ..errors import InputError
from ..progress import Progress, silent
from .animation import AnimatedPicture, is_webp
from .store import FrameStore
from .video import Sound, VideoFile, check_size
from .video_writer import write_video


__all__ = ["DEFAULT_FPS", "Clip", "Masks", "Sound", "join_masks", "to_uint8", "to_rgb", "write_video"]

DEFAULT_FPS = Fraction(24)


class FrameSource(Protocol):
    """Frames of one shape. `read` yields arrays that the caller may write to."""

    shape: tuple[int, ...]

    def __len__(self) -> int: ...

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]: ...


class _Frames:
    """What clips and masks share: length, size, iteration and random access."""

    source: FrameSource

    def __len__(self) -> int:
        return len(self.source)

    @property
    def height(self) -> int:
        return self.source.shape[0]

    @property
    def width(self) -> int:
        return self.source.shape[1]

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """Frames from `start` up to and without `stop`, in order."""
        return self.source.read(start, len(self) if stop is None else min(stop, len(self)))

    def __iter__(self) -> Iterator[np.ndarray]:
        return self.read()

    def __getitem__(self, index: int) -> np.ndarray:
        """One frame. Going forward is cheap; going back in a file costs a seek."""
        index = range(len(self))[index]
        return next(self.read(index, index + 1))


@dataclass(frozen=True, eq=False)
class Clip(_Frames):
    """A shot: RGB frames (H, W, 3) uint8 at a constant frame rate, with or without sound."""

    source: FrameSource
    fps: Fraction = DEFAULT_FPS
    sound: Sound | None = None
    notes: tuple[str, ...] = ()  # what had to be changed on the way in

    @classmethod
    def from_file(cls, path, progress: Progress = silent) -> Clip:
        """Open a video file or an animated picture (a path, or bytes). Every frame is decoded once, so all can be.

        Raises InputError for a file that is empty, damaged, too large or not a video.
        """
        video = AnimatedPicture(path) if is_webp(path) else VideoFile(path, progress=progress)
        return cls(video, video.fps, video.sound, video.notes)

    @classmethod
    def from_array(cls, frames, fps: Fraction = DEFAULT_FPS, sound: Sound | None = None) -> Clip:
        """Wrap frames (F, H, W, C) that lie in memory: uint8, or floats in 0..1; numpy or torch; 1, 3 or 4 channels."""
        return cls(_InMemory(frames, channels=3), Fraction(fps), sound)

    @classmethod
    def from_frames(cls, frames: Iterable[np.ndarray], fps: Fraction = DEFAULT_FPS, sound: Sound | None = None) -> Clip:
        """Spool frames into a temporary file."""
        return cls(_Spooled.spool(frames), Fraction(fps), sound)

    @classmethod
    def still(cls, frame: np.ndarray, length: int, fps: Fraction = DEFAULT_FPS) -> Clip:
        """One picture, `length` times."""
        check_size(frame.shape[1], frame.shape[0])
        return cls(_Repeated(frame, length), Fraction(fps))

    def derive(self, frame_at: Callable[[int], np.ndarray]) -> Clip:
        """A clip like this one whose frames are made when they are read."""
        return replace(self, source=_Computed(frame_at, len(self), self.source.shape))

    def select(self, indices: Iterable[int], fps: Fraction | None = None) -> Clip:
        """Some of the frames in another order or number; repeats are cheap when they stand side by side.

        Raises InputError for frames that the clip does not have.
        """
        indices = tuple(indices)
        missing = [index for index in indices if not 0 <= index < len(self)]
        if missing:
            raise InputError(f"There is no frame {missing[0]}: the clip has {len(self)}, counted from 0.")
        return replace(self, source=_Selected(self.source, indices), fps=Fraction(fps or self.fps))

    def resample(self, fps) -> Clip:
        """The same seconds at another frame rate: frame k is source frame floor(k * source fps / fps).

        Raises InputError for a rate of 0 or less.
        """
        fps = Fraction(fps).limit_denominator(1001)
        if fps <= 0:
            raise InputError(f"A frame rate must be above 0, got {float(fps):g}.")
        if fps == self.fps:
            return self
        count = max(1, int(len(self) * fps / self.fps))
        return self.select((min(int(k * self.fps / fps), len(self) - 1) for k in range(count)), fps)


@dataclass(frozen=True, eq=False)
class Masks(_Frames):
    """One mask (H, W) uint8 per frame, 255 = selected."""

    source: FrameSource

    @classmethod
    def from_array(cls, masks) -> Masks:
        """Wrap masks (F, H, W) that lie in memory: uint8, or floats in 0..1; numpy or torch."""
        return cls(_InMemory(masks, channels=0))

    @classmethod
    def from_frames(cls, masks: Iterable[np.ndarray]) -> Masks:
        """Spool masks into a temporary file."""
        return cls(_Spooled.spool(masks))

    @classmethod
    def constant(cls, value: int, length: int, height: int, width: int) -> Masks:
        """The same value everywhere."""
        return cls(_Repeated(np.full((height, width), value, np.uint8), length))

    @property
    def is_blank(self) -> bool:
        """Whether it is known, without reading them, that all masks are empty."""
        return isinstance(self.source, _Repeated) and not self.source.frame.any()

    def derive(self, mask_at: Callable[[int], np.ndarray]) -> Masks:
        """Masks of the same size and number that are made when they are read."""
        return Masks(_Computed(mask_at, len(self), self.source.shape))


def join_masks(layers: Sequence[Masks]) -> Masks:
    """Where any of some masks of one size and length is selected, made when it is read; a single one as it is."""
    if len(layers) == 1:
        return layers[0]
    return layers[0].derive(lambda at: np.maximum.reduce([layer[at] for layer in layers]))


class _InMemory:
    def __init__(self, frames, *, channels: int):
        self.frames, self.channels = frames, channels
        wanted = "(F, H, W, C)" if channels else "(F, H, W)"
        if frames.ndim != (4 if channels else 3) or 0 in frames.shape:
            raise InputError(f"Expected {wanted} with at least one frame, got {tuple(frames.shape)}.")
        check_size(frames.shape[2], frames.shape[1])
        self.shape = (frames.shape[1], frames.shape[2], *((3,) if channels else ()))

    def __len__(self):
        return len(self.frames)

    def read(self, start, stop):
        for index in range(start, stop):
            frame = to_uint8(self.frames[index])
            yield to_rgb(frame) if self.channels else frame


class _Spooled:
    def __init__(self, store: FrameStore, shape: tuple[int, ...]):
        self.store, self.shape = store, shape

    @classmethod
    def spool(cls, frames: Iterable[np.ndarray]) -> _Spooled:
        store, shape = FrameStore(), None
        for frame in frames:
            if shape is not None and frame.shape != shape:
                raise InputError(
                    f"Frame {len(store)} is {frame.shape}, the ones before it {shape}. Give frames of one size."
                )
            shape = frame.shape
            store.append(frame)
        if shape is None:
            raise InputError("There are no frames.")
        return cls(store, shape)

    def __len__(self):
        return len(self.store)

    def read(self, start, stop):
        return (self.store[index] for index in range(start, stop))


class _Repeated:
    def __init__(self, frame: np.ndarray, length: int):
        self.frame, self.length, self.shape = frame, length, frame.shape

    def __len__(self):
        return self.length

    def read(self, start, stop):
        return (self.frame.copy() for _ in range(start, stop))


class _Computed:
    def __init__(self, frame_at: Callable[[int], np.ndarray], length: int, shape: tuple[int, ...]):
        self.frame_at, self.length, self.shape = frame_at, length, shape

    def __len__(self):
        return self.length

    def read(self, start, stop):
        return (self.frame_at(index) for index in range(start, stop))


class _Selected:
    def __init__(self, source: FrameSource, indices: tuple[int, ...]):
        self.source, self.indices, self.shape = source, indices, source.shape
        self._single = -1, None  # the number of the single frame that was read last, and that frame

    def __len__(self):
        return len(self.indices)

    def read(self, start, stop):
        wanted = self.indices[start:stop]
        if not wanted:
            return
        if len(wanted) == 1:  # a file runs forward from one single frame to the next
            number, frame = self._single
            if number != wanted[0]:
                frame = next(self.source.read(wanted[0], wanted[0] + 1))
                self._single = wanted[0], frame
            yield frame.copy()
            return
        reader, current, frame = None, None, None
        for index in wanted:
            if reader is None or index < current:
                reader, current = self.source.read(index, len(self.source)), index - 1
            while current < index:
                frame, current = next(reader), current + 1
            yield frame.copy()


def to_uint8(frame) -> np.ndarray:
    """A frame or mask as uint8: floats in 0..1, of any precision, are scaled and rounded, True is 255.

    Raises InputError for NaN.
    """
    if hasattr(frame, "detach"):
        frame = frame.detach().cpu()
        frame = (frame.float() if frame.is_floating_point() else frame).numpy()
    if frame.dtype == np.uint8:
        return frame.copy()
    if frame.dtype == bool:
        return frame.astype(np.uint8) * 255
    if np.isnan(frame).any():
        raise InputError(
            "A picture holds NaN values. Check the node that made it, for example a VAE in half precision."
        )
    return (frame.astype(np.float32).clip(0, 1) * 255 + 0.5).astype(np.uint8)


def to_rgb(frame: np.ndarray) -> np.ndarray:
    """A frame (H, W, 3): grey (H, W, 1) is repeated, alpha (H, W, 4) is dropped. Raises InputError for others."""
    channels = frame.shape[-1]
    if channels == 3:
        return frame
    if channels == 1:
        return np.repeat(frame, 3, -1)
    if channels == 4:
        return np.ascontiguousarray(frame[..., :3])
    raise InputError(f"A picture has 1, 3 or 4 channels, got {channels}.")
