"""Video files in, through PyAV: every frame once, in order, at its time, as players show it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..progress import Progress, silent
from .container import (
    Tally,
    check_file,
    check_size,
    decode_frames,
    find_video_stream,
    fingerprint_frame,
    open_container,
)
from .pixels import FrameConverter, deinterlace
from .sound import Sound, find_sound
from .timing import describe_grid, fit_frame_rate, mend_times, trust_rate


__all__ = ["Sound", "VideoFile", "check_size", "fit_frame_rate"]

NO_TIME = -(2**63)
# Streams without a container, whose frames FFmpeg numbers as well as it can.
RAW_FORMATS = {"h264", "hevc", "vvc", "mpegvideo", "m4v", "mjpeg", "obu", "dirac", "dnxhd", "h261", "h263", "cavsvideo"}
RUN_ON_FRAMES = 64  # frames that the decoder of single frames runs on before a seek is cheaper
MOST_BROKEN = 0.1  # share of the packets that may be unreadable, as players skip them
INTERLACED_SHARE = 0.05  # of the frames, from which on a file counts as interlaced


class VideoFile:
    """The frames of a video file. Every frame is decoded once on opening, to be sure that it can be.

    Frame k is found by the time stamp that it had then, wherever reading begins, and known by its fingerprint. Where a
    container cannot be searched, or what is found is another picture, decoding begins at the start of the file.
    """

    def __init__(self, file, *, progress: Progress = silent):
        """`file` is a path or bytes. Raises InputError if it is missing, empty, damaged, too large or not a video."""
        self.file = file
        self.name = Path(file).name if isinstance(file, (str, Path)) else "The video"
        self.notes: tuple[str, ...] = ()
        self._reader, self._next = None, 0
        self._stamps, self._prints = array("q"), array("L")
        self._key_frames, self._key_stamps = array("q"), array("q")
        self._check_file()
        self._examine(progress)

    def __len__(self) -> int:
        return len(self._shown)

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Frames `start` up to and without `stop`. Reading single frames keeps one decoder that runs forward."""
        if stop - start == 1:
            yield self._read_single(start)
            return
        for _, frame in zip(range(start, stop), self._read_from(start), strict=False):
            yield frame

    def _read_single(self, index: int) -> np.ndarray:
        if self._reader is None or not 0 <= index - self._next < RUN_ON_FRAMES:
            self._reader, self._next = self._read_from(index), index
        while self._next <= index:
            frame = next(self._reader)
            self._next += 1
        return frame

    def _read_from(self, start: int) -> Iterator[np.ndarray]:
        """Constant-rate frames from `start` on."""
        first = self._shown[start]
        frames = self._decode_from(max(first - 2, 0) if self._is_interlaced else first)
        if self._is_interlaced:  # the filter looks at the frames before and after
            frames = deinterlace(frames)
        number, frame = -1, None
        for wanted in self._shown[start:]:
            while number < wanted:
                number, frame = next(frames)
            yield self._convert(frame)

    def _decode_from(self, first: int) -> Iterator[tuple[int, object]]:
        """Numbered frames of the file from `first` on, each exactly once."""
        for target in self._seek_targets(first):
            for number, frame in self._decode_after(target):
                if number < first:
                    continue
                if number > first or fingerprint_frame(frame) != self._prints[number]:
                    break  # the seek missed, or the picture needs others from before it
                yield number, frame
                first += 1
            if first == len(self._stamps):
                return
        with open_container(self.file, self.name) as container:
            for number, frame in enumerate(decode_frames(container, find_video_stream(container, self.name))):
                if number >= first:
                    yield number, frame

    def _seek_targets(self, first: int) -> Iterator[int]:
        """Time stamps to try: of the last key frame up to `first`, then of those 1, 3 and 7 before it."""
        last = int(np.searchsorted(np.asarray(self._key_frames), first, side="right")) - 1
        for back in (0, 1, 3, 7):
            if last - back > 0 and self._has_stamps:
                yield self._key_stamps[last - back]

    def _decode_after(self, target: int) -> Iterator[tuple[int, object]]:
        """Numbered frames from the first key frame on that is found at a time stamp; -1 has none that is known."""
        import av

        with open_container(self.file, self.name) as container:
            stream = find_video_stream(container, self.name)
            try:
                container.seek(target, stream=stream)
            except av.error.FFmpegError:
                return
            has_begun = False
            for frame in decode_frames(container, stream):
                has_begun = has_begun or frame.key_frame
                if has_begun:
                    yield self._find_number(frame.pts), frame

    def _find_number(self, stamp: int | None) -> int:
        """The number of the frame with a time stamp, that of no frame if there is none."""
        at = 0 if stamp is None else int(np.searchsorted(self._ordered_stamps, stamp))
        is_found = stamp is not None and at < len(self._stamps) and self._ordered_stamps[at] == stamp
        return int(self._order[at]) if is_found else len(self._stamps)

    def _examine(self, progress: Progress) -> None:
        tally, interlaced = Tally(), 0
        with open_container(self.file, self.name) as container:
            stream = find_video_stream(container, self.name)
            self._convert = None
            for frame in decode_frames(container, stream, tally):
                if self._convert is None:
                    self._convert = FrameConverter(frame, stream.sample_aspect_ratio)
                check_size(frame.width, frame.height)
                interlaced += frame.interlaced_frame
                self._record(frame, tally.key_stamps)
                progress(len(self._stamps), max(stream.frames, len(self._stamps)))
            self._check_complete(stream, tally)
            self._put_on_grid(stream, self._frame_stamps(container, tally), is_raw=container.format.name in RAW_FORMATS)
            begin = self._begin(stream)
            has_alpha = stream.metadata.get("alpha_mode") == "1"  # beside the pictures, as WebM has it
        self.shape = self._convert.shape
        self._is_interlaced = interlaced > INTERLACED_SHARE * len(self._stamps)
        self.sound, silence = find_sound(self.file, self.name, begin)
        self._add_notes(tally, silence, has_alpha)

    def _record(self, frame, key_stamps: dict[int, int]) -> None:
        """Keep what finds a frame again."""
        if frame.key_frame and frame.pts is not None:
            self._key_frames.append(len(self._stamps))
            self._key_stamps.append(key_stamps.get(frame.pts, frame.pts))
        self._stamps.append(NO_TIME if frame.pts is None else frame.pts)
        self._prints.append(fingerprint_frame(frame))

    def _frame_stamps(self, container, tally: Tally) -> array:
        """Time stamps of the frames in the order in which they are shown.

        An AVI has no times: its packets are counted, and B-frames come out with the number of another one.
        """
        if container.format.name == "avi" and len(tally.stamps) == len(self._stamps):
            return array("q", sorted(tally.stamps))
        return self._stamps

    def _put_on_grid(self, stream, stamps: array, *, is_raw: bool) -> None:
        """Learn the frame rate, and which frame is shown at each of its ticks. A raw stream has no times of its own."""
        base = float(stream.time_base or 0)
        rate = trust_rate(stream.average_rate, stream.guessed_rate)
        nominal = trust_rate(stream.guessed_rate, stream.average_rate)
        known = [None if stamp == NO_TIME else stamp * base for stamp in stamps]
        if is_raw or known.count(None) > len(known) // 2:  # its own headers know more than the container
            known, rate = [None] * len(known), nominal
        self._times = array("d", mend_times(known, nominal))
        self.fps, self._shown = fit_frame_rate(self._times, rate, nominal)
        self._order = np.argsort(self._stamps).astype(np.int32)
        self._ordered_stamps = np.asarray(self._stamps)[self._order]
        is_known = bool(len(self._stamps)) and self._ordered_stamps[0] != NO_TIME
        self._has_stamps = is_known and not (np.diff(self._ordered_stamps) == 0).any()

    def _begin(self, stream) -> Fraction:
        """Seconds of the file's clock at which the first picture is shown; its sound is moved by as much."""
        first = min((stamp for stamp in self._stamps if stamp != NO_TIME), default=stream.start_time or 0)
        return Fraction(first) * (stream.time_base or 0)

    def _check_file(self) -> None:
        if isinstance(self.file, (str, Path)):
            check_file(self.file)

    def _check_complete(self, stream, tally: Tally) -> None:
        """Raise InputError for a file of which much is missing."""
        count = len(self._stamps)
        if not count and not stream.frames:
            raise InputError(f"{self.name} has no picture that can be read. Export it again, for example as H.264 mp4.")
        rate = float(trust_rate(stream.average_rate, stream.guessed_rate))
        if count and (tally.is_cut or tally.broken > MOST_BROKEN * tally.packets):
            raise InputError(
                f"{self.name} is damaged after frame {count} ({count / rate:.1f} s): "
                f"{tally.reason}. Export it again, or trim it before that."
            )
        if not count or (tally.packets < stream.frames - 2 and not self._fills_duration(stream, rate)):
            raise InputError(
                f"{self.name} is cut off: {count} of {stream.frames} frames can be read. "
                f"Export it again, or trim it to its first {count / rate:.1f} s."
            )

    def _fills_duration(self, stream, rate: float) -> bool:
        """Whether the last frame lies where the stream says that it ends.

        A list of edits may leave out most of a file, and an AVI may count frames before the first that it does not
        hold.
        """
        stamps = [stamp for stamp in self._stamps if stamp != NO_TIME]
        if not stream.duration or not stream.time_base or not stamps:
            return False
        begin = min(stamps) if stream.start_time is None else min(min(stamps), stream.start_time)
        return (max(stamps) - begin) * float(stream.time_base) >= float(stream.duration * stream.time_base) - 4 / rate

    def _add_notes(self, tally: Tally, silence: str, has_alpha: bool) -> None:
        notes = list(self._convert.notes)
        if self._is_interlaced:
            notes.append("The video is interlaced; it was deinterlaced.")
        if has_alpha:
            notes.append("The video has an alpha channel; it is ignored.")
        if tally.broken:
            notes.append(f"{tally.broken} of {tally.packets} packets of the video are damaged; they were skipped.")
        notes += describe_grid(self.fps, self._shown, len(self._stamps))
        self.notes = (*notes, *([silence] if silence else []))
