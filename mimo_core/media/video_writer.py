"""Video files out, through PyAV: streamed, whole or not there, with the sound of the source."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction

import numpy as np

from ..errors import InputError
from ..output import whole_file
from ..progress import Progress, silent
from .video import Sound, open_container


COPIED_AUDIO = {"aac", "mp3", "ac3", "eac3", "alac"}  # what every mp4 player takes as it is; the rest becomes AAC
PREVIEW_EVERY = 8  # frames


def write_video(
    path,
    frames: Iterable[np.ndarray],
    *,
    fps: Fraction,
    sound: Sound | None = None,
    total: int = 0,
    progress: Progress = silent,
) -> int:
    """Write RGB frames (H, W, 3) uint8 as H.264 and return how many. Nothing is left behind after an error.

    Odd sizes are kept exactly by full-resolution colour (yuv444p), which some players do not show; even ones are
    yuv420p. Sound is copied packet by packet where mp4 holds it, else encoded as AAC, and cut to the pictures.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise InputError("There are no frames to write.")
    with whole_file(path) as partial:
        return _write(partial, first, frames, Fraction(fps).limit_denominator(1001), sound, total, progress)


def _write(partial, first, frames, fps, sound, total, progress) -> int:
    import av

    with ExitStack() as stack:
        container = stack.enter_context(av.open(str(partial), "w", options={"movflags": "+faststart"}))
        stream = _picture_stream(container, first, fps)
        track = SoundTrack(container, sound, stack) if sound else None
        count = 0
        for count, picture in enumerate(_with_first(first, frames), 1):
            container.mux(stream.encode(_video_frame(picture, first.shape, count - 1, fps)))
            if track:
                track.write_until(count / fps)
            progress(count, total or count, picture if count % PREVIEW_EVERY == 1 else None)
        container.mux(stream.encode())
        if track:
            track.finish()
    return count


def _with_first(first: np.ndarray, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from frames


def _picture_stream(container, first: np.ndarray, fps: Fraction):
    height, width = first.shape[:2]
    stream = container.add_stream("libx264", rate=fps, options={"crf": "16", "preset": "veryfast"})
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
    stream.time_base = 1 / fps
    context = stream.codec_context
    context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1  # BT.709, limited
    return stream


def _video_frame(picture: np.ndarray, shape: tuple[int, ...], number: int, fps: Fraction):
    import av

    if picture.shape != shape:
        raise InputError(f"Frame {number} is {picture.shape[1]}x{picture.shape[0]}, the first {shape[1]}x{shape[0]}.")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    pixel_format = "yuv444p" if shape[0] % 2 or shape[1] % 2 else "yuv420p"
    frame = frame.reformat(format=pixel_format, dst_colorspace="ITU709")
    frame.pts, frame.time_base = number, 1 / fps
    return frame


class SoundTrack:
    """The sound of an output file, written beside the pictures so that neither has to wait in memory."""

    def __init__(self, container, sound: Sound, stack: ExitStack):
        self._packets = self._copied(container, sound, stack) if sound.file else self._encoded(container, sound)
        self._waiting = None

    def write_until(self, seconds: Fraction) -> None:
        """Write what begins before `seconds`."""
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = packet
            if packet is None or float(packet.pts * packet.time_base) >= seconds:
                return
            self._container.mux(packet)
            self._waiting = None

    def finish(self) -> None:
        """Stop reading; the pictures have ended."""
        self._packets.close()

    def _copied(self, container, sound: Sound, stack: ExitStack) -> Iterator:
        self._container = container
        source = stack.enter_context(open_container(sound.file, "The sound"))
        audio = source.streams.audio[0]
        if audio.codec_context.name in COPIED_AUDIO:
            return self._repacked(source, audio, container.add_stream_from_template(audio))
        return self._recoded(source.decode(audio), container.add_stream("aac", rate=audio.rate))

    def _encoded(self, container, sound: Sound) -> Iterator:
        self._container = container
        stream = container.add_stream("aac", rate=sound.rate)
        stream.layout = "mono" if len(sound.samples) == 1 else "stereo"
        return self._recoded(_sample_frames(sound), stream)

    def _repacked(self, source, audio, stream) -> Iterator:
        begin = _video_begin(source)
        for packet in source.demux(audio):
            if packet.dts is None:
                continue
            shift = round(begin / packet.time_base)
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
            yield packet

    def _recoded(self, frames: Iterable, stream) -> Iterator:
        for frame in frames:
            yield from stream.encode(frame)
        yield from stream.encode()


def _video_begin(source) -> Fraction:
    """Seconds at which the pictures of a file begin; its sound is moved by as much."""
    stream = source.streams.video[0] if source.streams.video else None
    return Fraction(stream.start_time or 0) * stream.time_base if stream else Fraction(0)


def _sample_frames(sound: Sound, chunk: int = 1024) -> Iterator:
    import av

    samples = np.asarray(sound.samples, np.float32)[:2]
    layout = "mono" if len(samples) == 1 else "stereo"
    for start in range(0, samples.shape[1], chunk):
        block = np.ascontiguousarray(samples[:, start : start + chunk])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = sound.rate, start, Fraction(1, sound.rate)
        yield frame
