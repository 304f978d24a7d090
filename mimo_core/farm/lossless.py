"""Frames and masks in lossless video files (FFV1 in Matroska), which give back every byte and can be read anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..output import whole_file
from ..progress import Progress, silent


RATE = 25  # frames a second of the container: frames are found by number, their real rate is kept elsewhere
SEEKABLE = {"cluster_time_limit": "1"}  # milliseconds: an index entry for every frame
PIXEL_FORMATS = {3: ("rgb24", "bgr0"), 2: ("gray", "gray")}  # by dimensions: in memory, in the file


def write_lossless(path: Path, frames: Iterable[np.ndarray], *, total: int = 0, progress: Progress = silent) -> int:
    """Write frames (H, W, 3) or masks (H, W), uint8, and return how many. Raises InputError if there are none."""
    import av

    count, stream = 0, None
    with whole_file(path) as partial, av.open(str(partial), "w", format="matroska", options=SEEKABLE) as container:
        for count, frame in enumerate(frames, 1):
            held, stored = PIXEL_FORMATS[frame.ndim]
            if stream is None:
                stream = container.add_stream("ffv1", rate=RATE)
                stream.height, stream.width, stream.pix_fmt = *frame.shape[:2], stored
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format=held).reformat(format=stored)
            picture.pts, picture.time_base = count - 1, Fraction(1, RATE)
            container.mux(stream.encode(picture))
            progress(count, max(total, count))
        if stream is None:
            raise InputError(f"There are no frames to write to {path.name}.")
        container.mux(stream.encode())
    return count


@dataclass(eq=False)
class LosslessFrames:
    """The frames of a lossless file: a source for Clip and Masks. Every frame stands alone, so that any can be read."""

    path: Path
    length: int
    shape: tuple[int, ...]  # (H, W, 3) or (H, W)
    _reader: Iterator[np.ndarray] | None = None  # that gave the frame before `_next`
    _next: int = 0

    def __len__(self) -> int:
        return self.length

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Frames `start` up to and without `stop`. Raises InputError if the file is cut or gone."""
        if stop - start != 1:
            yield from self._decode(start, stop)
            return
        if self._reader is None or start != self._next:  # single frames are mostly read one after the other
            self._reader, self._next = self._decode(start, self.length), start
        self._next += 1
        yield next(self._reader)

    def _decode(self, start: int, stop: int) -> Iterator[np.ndarray]:
        import av

        held = PIXEL_FORMATS[len(self.shape)][0]
        wanted = start
        try:
            with av.open(str(self.path)) as container:
                stream = container.streams.video[0]
                container.seek(int(Fraction(start, RATE) / stream.time_base), stream=stream)
                for picture in container.decode(stream):
                    number = round(picture.pts * stream.time_base * RATE)
                    if number < wanted:
                        continue
                    if wanted >= stop or number > wanted:
                        break
                    yield picture.to_ndarray(format=held)
                    wanted += 1
        except (av.FFmpegError, OSError) as error:
            raise InputError(f"{self.path} cannot be read: {error.strerror}. Prepare the work folder again.") from error
        if wanted < stop:
            raise InputError(f"{self.path} ends before frame {wanted}. Prepare the work folder again.")
