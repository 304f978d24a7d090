"""Video files in, through PyAV: upright, deinterlaced, 8 bit RGB, at a constant frame rate."""

from __future__ import annotations

import io
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..progress import Progress, silent


MAX_PIXELS = 64_000_000


def check_size(width: int, height: int) -> None:
    """Raise InputError for a picture of more than `MAX_PIXELS`, which would not fit in memory."""
    if width * height > MAX_PIXELS:
        raise InputError(
            f"A picture of {width}x{height} has {width * height / 1e6:.0f} megapixels; the limit is 64. "
            "Make it smaller."
        )


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound track: the audio stream of a file, or samples (channels, N) float32 at a rate."""

    file: object = None  # a path or bytes
    samples: np.ndarray | None = None
    rate: int = 0


class VideoFile:
    """The frames of a video file. Every frame is decoded once on opening, to be sure that it can be."""

    def __init__(self, file, *, progress: Progress = silent):
        """`file` is a path or bytes. Raises InputError if it is missing, empty, damaged, too large or not a video."""
        self.file = file
        self.name = Path(file).name if isinstance(file, (str, Path)) else "The video"
        self.notes: tuple[str, ...] = ()
        self._reader, self._next = None, 0
        self._examine(progress)

    def __len__(self) -> int:
        return len(self._shown)

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Frames `start` up to and without `stop`. Reading single frames keeps one decoder that runs forward."""
        if stop - start == 1:
            yield self._single(start)
            return
        for _, frame in zip(range(start, stop), self._sequence(start), strict=False):
            yield frame

    def _single(self, index: int) -> np.ndarray:
        if self._reader is None or not 0 <= index - self._next < 64:
            self._reader, self._next = self._sequence(index), index
        while self._next <= index:
            frame = next(self._reader)
            self._next += 1
        return frame

    def _sequence(self, start: int) -> Iterator[np.ndarray]:
        """Constant-rate frames from `start` on."""
        decoded = self._decoded_from(self._shown[start])
        number, frame = next(decoded)
        for wanted in self._shown[start:]:
            while number < wanted:
                number, frame = next(decoded)
            yield self._rgb(frame)

    def _decoded_from(self, first: int) -> Iterator[tuple[int, object]]:
        """Numbered frames of the file from `first` on, found by their time stamps."""
        number_of = {time: number for number, time in enumerate(self._times)}
        with open_container(self.file, self.name) as container:
            stream = find_video_stream(container, self.name)
            if first and len(number_of) == len(self._times):
                container.seek(self._times[first], stream=stream)
            for count, frame in enumerate(self._upright(container, stream)):
                number = number_of.get(frame.pts, count)
                if number >= first:
                    yield number, frame

    def _upright(self, container, stream) -> Iterator:
        return deinterlace(stream, container.decode(stream)) if self._interlaced else container.decode(stream)

    def _rgb(self, frame) -> np.ndarray:
        picture = frame.to_ndarray(format="rgb24", src_colorspace=_colorspace(frame))
        return np.ascontiguousarray(np.rot90(picture, self._quarter_turns)) if self._quarter_turns else picture

    def _examine(self, progress: Progress) -> None:
        self._check_file()
        self._times = array("q")
        with open_container(self.file, self.name) as container:
            stream = find_video_stream(container, self.name)
            check_size(stream.width, stream.height)
            rate = stream.average_rate or stream.guessed_rate or Fraction(24)
            self.sound = Sound(file=self.file) if container.streams.audio else None
            expected = stream.frames
            for frame in self._checked(container, stream, float(rate)):
                if not self._times:
                    self._describe(frame)
                self._times.append(len(self._times) if frame.pts is None else frame.pts)
                progress(len(self._times), max(expected, len(self._times)))
            base = float(stream.time_base)
        self._check_complete(expected, rate)
        self.fps, self._shown = fit_frame_rate([time * base for time in self._times], rate)
        if self._shown != range(len(self._times)):
            self._note(f"The frame rate varies; frames were put on a steady {float(self.fps):.4g} a second.")

    def _check_file(self) -> None:
        if not isinstance(self.file, (str, Path)):
            return
        path = Path(self.file)
        if not path.is_file():
            raise InputError(f"There is no file {path}.")
        if path.stat().st_size == 0:
            raise InputError(f"{self.name} is empty (0 bytes). Export it again.")

    def _checked(self, container, stream, rate: float) -> Iterator:
        import av

        try:
            yield from container.decode(stream)
        except av.error.FFmpegError as error:
            raise InputError(
                f"{self.name} is damaged after frame {len(self._times)} ({len(self._times) / rate:.1f} s): "
                f"{error.strerror}. Export it again, or trim it before that."
            ) from error

    def _check_complete(self, expected: int, rate: Fraction) -> None:
        if not self._times:
            raise InputError(f"{self.name} has no picture that can be read. Export it again, for example as H.264 mp4.")
        if len(self._times) < expected - 2:
            raise InputError(
                f"{self.name} is cut off: {len(self._times)} of {expected} frames can be read. "
                f"Export it again, or trim it to its first {len(self._times) / float(rate):.1f} s."
            )

    def _describe(self, frame) -> None:
        """Learn from the first frame how the others must be turned and converted."""
        degrees = round(frame.rotation / 90) * 90 % 360
        self._quarter_turns = degrees // 90
        self._interlaced = bool(frame.interlaced_frame)
        size = (frame.height, frame.width)
        self.shape = (*(size[::-1] if self._quarter_turns % 2 else size), 3)
        if degrees:
            self._note(f"The video is marked as turned by {degrees} degrees; it is shown upright.")
        if self._interlaced:
            self._note("The video is interlaced; it was deinterlaced.")
        if any(component.is_alpha for component in frame.format.components):
            self._note("The video has an alpha channel; it is ignored.")
        if max(component.bits for component in frame.format.components) > 8:
            self._note("The video has more than 8 bits a channel; it is worked on in 8.")

    def _note(self, text: str) -> None:
        self.notes = (*self.notes, text)


@contextmanager
def open_container(file, name: str):
    """Open a container for reading, with a clear error for what is not one."""
    import av

    source = str(file) if isinstance(file, (str, Path)) else io.BytesIO(file)
    try:
        container = av.open(source)
    except (av.error.FFmpegError, ValueError) as error:
        raise InputError(
            f"{name} cannot be opened as a video: it is damaged, cut off, or another kind of file. "
            "Export it again, for example as H.264 mp4."
        ) from error
    with container:
        yield container


def find_video_stream(container, name: str):
    """The first video stream, decoding on several threads. Raises InputError where there is none."""
    if not container.streams.video:
        raise InputError(f"{name} has no video stream.")
    stream = container.streams.video[0]
    if not stream.width or not stream.height:
        raise InputError(f"{name} has no picture that can be read. Export it again, for example as H.264 mp4.")
    stream.thread_type = "AUTO"
    return stream


def deinterlace(stream, frames: Iterator) -> Iterator:
    """Frames of an interlaced stream, one for one, through the bwdif filter."""
    import av

    graph = av.filter.Graph()
    source, field = graph.add_buffer(template=stream), graph.add("bwdif", "mode=send_frame")
    sink = graph.add("buffersink")
    source.link_to(field)
    field.link_to(sink)
    graph.configure()
    for frame in frames:
        graph.push(frame)
        yield from _pulled(graph)
    graph.push(None)
    yield from _pulled(graph)


def _pulled(graph) -> Iterator:
    import av

    while True:
        try:
            yield graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def fit_frame_rate(times: list[float], rate: Fraction) -> tuple[Fraction, range | tuple[int, ...]]:
    """Frame rate, and which frame to show at each tick. `times` are seconds in order.

    A clip whose frames stray by less than half a tick from a constant rate keeps each frame once. Otherwise tick k
    shows the last frame that has begun by then.
    """
    count = len(times)
    if times[-1] <= times[0]:  # one frame, or time stamps that say nothing
        return rate, range(count)
    mean = Fraction((count - 1) / (times[-1] - times[0])).limit_denominator(1001)
    for candidate in (rate, mean):
        drift = [abs((time - times[0]) * candidate - number) for number, time in enumerate(times)]
        if max(drift) < 0.5:
            return candidate, range(count)
    ticks = round((times[-1] - times[0]) * mean) + 1
    starts = np.asarray(times) - times[0]
    shown = np.searchsorted(starts, np.arange(ticks) / float(mean) + 1e-6, side="right") - 1
    return mean, tuple(int(number) for number in shown)


def _colorspace(frame) -> str:
    """Players take unmarked video of 720 lines and more for BT.709, smaller for BT.601; so do we."""
    marked = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020"}
    space = int(getattr(frame.colorspace, "value", frame.colorspace))
    return marked.get(space, "ITU709" if min(frame.width, frame.height) >= 720 else "ITU601")
