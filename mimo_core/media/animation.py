"""Animated WebP as a clip, through Pillow: FFmpeg reads only still ones. GIF and APNG are videos to FFmpeg."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import InputError
from .container import check_size
from .picture import DAMAGED_PICTURE
from .timing import describe_grid, fit_frame_rate


SHORTEST = 10  # milliseconds of a picture; browsers take what is shorter for a mistake
ASSUMED = 100  # milliseconds of such a picture


def is_webp(file) -> bool:
    """Whether a path or bytes begin as WebP does."""
    if isinstance(file, (str, Path)):
        if not Path(file).is_file():
            return False
        with open(file, "rb") as stream:
            start = stream.read(12)
    else:
        start = bytes(file[:12])
    return start[:4] == b"RIFF" and start[8:] == b"WEBP"


class AnimatedPicture:
    """The frames of an animated WebP at a constant rate, without alpha."""

    sound = None

    def __init__(self, file):
        """`file` is a path or bytes. Raises InputError if it is damaged or too large."""
        self.file = file
        self.name = Path(file).name if isinstance(file, (str, Path)) else "The video"
        self.notes: tuple[str, ...] = ()
        times, now = [], 0
        for picture in self._pictures():
            if not times:
                self.shape = (picture.height, picture.width, 3)
                if picture.mode == "RGBA":
                    self.notes = ("The video has an alpha channel; it is ignored.",)
            times.append(now / 1000)
            duration = picture.info.get("duration", 0)
            now += duration if duration >= SHORTEST else ASSUMED
        self._times = times
        self.fps, self._shown = fit_frame_rate(times, Fraction(1000 * len(times), now).limit_denominator(1001))
        self.notes += describe_grid(self.fps, self._shown, len(times))

    def __len__(self) -> int:
        return len(self._shown)

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Frames `start` up to and without `stop`."""
        wanted = self._shown[start:stop]
        if not len(wanted):
            return
        pictures, number, frame = enumerate(self._pictures(wanted[0]), wanted[0]), -1, None
        for index in wanted:
            while number < index:
                number, picture = next(pictures)
                frame = np.array(picture.convert("RGB"))
            yield frame.copy()

    def _pictures(self, first: int = 0) -> Iterator:
        """Pillow's picture, moved on from frame to frame."""
        from PIL import Image

        source = self.file if isinstance(self.file, (str, Path)) else io.BytesIO(self.file)
        try:
            with Image.open(source, formats=["WEBP"]) as picture:
                check_size(*picture.size)
                for number in range(first, getattr(picture, "n_frames", 1)):
                    picture.seek(number)
                    picture.load()
                    yield picture
        except InputError:
            raise
        except (*DAMAGED_PICTURE, Image.DecompressionBombError) as error:
            raise InputError(
                f"{self.name} cannot be read as a picture: {error}. Export it again, for example as H.264 mp4."
            ) from error
