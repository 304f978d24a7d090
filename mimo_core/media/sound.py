"""Sound: found in files, decoded and resampled by PyAV, and written beside pictures in step with them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ..errors import InputError
from .container import open_container


COPIED_CODECS = {"aac", "mp3", "ac3", "eac3", "alac"}  # what every mp4 player takes as it is
ENCODED_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # other rates become 48000
SLACK = 0.03  # seconds between time stamps and samples that are left; above, silence or a cut mends it
BLOCK = 1024  # samples
TRIED_PACKETS = 200  # of a stream, before it counts as one that cannot be decoded
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}


@dataclass(frozen=True, eq=False)
class Sound:
    """A sound track: the audio stream of a file, or samples (channels, N) float32 at a rate."""

    file: object = None  # a path or bytes
    samples: np.ndarray | None = None
    rate: int = 0
    stream: int = 0  # which audio stream of the file
    begin: Fraction = Fraction(0)  # seconds of the file's clock at which the pictures begin


def find_sound(file, name: str, begin: Fraction) -> tuple[Sound | None, str]:
    """The first audio stream of a file that can be decoded, and a note where there is sound but none that can."""
    with open_container(file, name) as container:
        kinds = [(number, stream.codec_context) for number, stream in enumerate(container.streams.audio)]
    for number, codec in kinds:
        if codec is not None and _can_decode(file, name, number):
            return Sound(file=file, stream=number, begin=begin), ""
    if not kinds:
        return None, ""
    return None, "The sound of the video cannot be decoded; the result has none."


def _can_decode(file, name: str, stream: int) -> bool:
    with open_container(file, name) as container:
        return next(_decode_sound(container, container.streams.audio[stream], TRIED_PACKETS), None) is not None


def _decode_sound(container, stream, limit: int | None = None) -> Iterator:
    """Audio frames of a stream. Packets that cannot be decoded are skipped."""
    import av

    packets, count = container.demux(stream), 0
    while limit is None or count < limit:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return
        if packet is None:
            return
        count += 1
        try:
            yield from (frame for frame in packet.decode() if frame.samples and frame.sample_rate)
        except (av.error.FFmpegError, ValueError):
            continue


class SoundTrack:
    """The sound of an output file, written beside the pictures so that neither has to wait in memory.

    Sound that fails while it is read ends; the pictures are finished.
    """

    def __init__(self, container, sound: Sound, codec: str, stack: ExitStack):
        """`codec` encodes what cannot be copied. Raises InputError if the sound's file is gone."""
        self._container, self._waiting = container, None
        self._packets = self._copy(sound, stack) if _can_copy(sound, codec) else self._encode(sound, codec)

    def write_until(self, seconds: Fraction) -> None:
        """Write what begins before `seconds`."""
        while True:
            packet = self._waiting or self._read_packet()
            self._waiting = packet
            if packet is None or float(packet.pts * packet.time_base) >= seconds:
                return
            self._container.mux(packet)
            self._waiting = None

    def finish(self) -> None:
        """Stop reading; the pictures have ended."""
        self._packets.close()

    def _read_packet(self):
        import av

        try:
            return next((packet for packet in self._packets if packet.pts is not None), None)
        except (av.error.FFmpegError, InputError, ValueError) as error:
            logging.getLogger("mimo").warning("The sound ends early, it cannot be read further: %s", error)
            return None

    def _copy(self, sound: Sound, stack: ExitStack) -> Iterator:
        source = stack.enter_context(open_container(sound.file, "The sound"))
        audio = source.streams.audio[sound.stream]
        return _shift_packets(source, audio, self._container.add_stream_from_template(audio), sound.begin)

    def _encode(self, sound: Sound, codec: str) -> Iterator:
        rate, channels = _describe_sound(sound)
        rate = rate if rate in ENCODED_RATES and codec == "aac" else ENCODED_RATES[-1]
        stream = self._container.add_stream(codec, rate=rate)
        stream.layout = LAYOUTS[channels]
        return _encode_blocks(read_blocks(sound, rate, channels), stream, rate, channels)


def _can_copy(sound: Sound, codec: str) -> bool:
    """Whether packets can be taken as they are: of a kind that mp4 holds, and beginning with the pictures."""
    if not sound.file or codec != "aac":
        return False
    with open_container(sound.file, "The sound") as source:
        audio = source.streams.audio[sound.stream]
        if audio.codec_context.name not in COPIED_CODECS:
            return False
        packet = next((packet for packet in source.demux(audio) if packet.pts is not None), None)
        return packet is not None and abs(float(packet.pts * packet.time_base - sound.begin)) < SLACK


def _shift_packets(source, audio, stream, begin: Fraction) -> Iterator:
    for packet in source.demux(audio):
        if packet.dts is None or packet.pts is None:
            continue
        shift = round(begin / packet.time_base)
        packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
        yield packet


def _describe_sound(sound: Sound) -> tuple[int, int]:
    """Rate, and 1 for mono or 2 for all else."""
    if not sound.file:
        return sound.rate, min(len(sound.samples), 2)
    with open_container(sound.file, "The sound") as source:
        audio = source.streams.audio[sound.stream].codec_context
        return audio.sample_rate, min(max(audio.channels, 1), 2)


def read_blocks(sound: Sound, rate: int, channels: int) -> Iterator[np.ndarray]:
    """Sound as blocks (channels, n) float32 at `rate`, from the moment on at which the pictures begin, without gaps.

    What begins before the pictures is cut, what begins later is preceded by silence. NaN and infinity are silence.
    """
    position = 0
    for start, block in _resample(sound, rate, channels):
        late = start - position
        if position and abs(late) <= SLACK * rate:
            late = 0
        for size in _split_count(late, BLOCK):
            yield np.zeros((channels, size), np.float32)
        block = block[:, max(-late, 0) :]
        position += max(late, 0) + block.shape[1]
        if block.size:
            yield block


def _split_count(total: int, size: int) -> Iterator[int]:
    while total > 0:
        yield min(size, total)
        total -= size


def _resample(sound: Sound, rate: int, channels: int) -> Iterator[tuple[int, np.ndarray]]:
    """Blocks with the sample of the result at which each begins.

    Frames are interleaved before they are looked at: eight planes, as decoders give 7.1, end the process in PyAV 18.
    """
    import av

    packer, resampler, kind, last = None, None, None, 0
    for begin, frame in _timed_frames(sound):
        current = (frame.format.name, frame.layout.name, frame.sample_rate)
        if current != kind:
            packer = av.AudioResampler(format="flt", layout=frame.layout, rate=frame.sample_rate)
            resampler, kind = av.AudioResampler(format="fltp", layout=LAYOUTS[channels], rate=rate), current
        frame.pts = None
        start = last if begin is None else round(begin * rate)
        for packed in packer.resample(frame):
            for made in resampler.resample(_remove_nan(packed)):
                block = np.nan_to_num(made.to_ndarray(), posinf=0, neginf=0).clip(-1, 1)
                yield start, block
                start += block.shape[1]
        last = start


def _timed_frames(sound: Sound) -> Iterator[tuple[Fraction | None, object]]:
    """Audio frames, each with the seconds after the pictures' beginning at which it starts, where that is known."""
    if not sound.file:
        yield from _sample_frames(sound)
        return
    with open_container(sound.file, "The sound") as source:
        for frame in _decode_sound(source, source.streams.audio[sound.stream]):
            known = frame.pts is not None and frame.time_base
            yield (Fraction(frame.pts) * frame.time_base - sound.begin if known else None), frame


def _sample_frames(sound: Sound) -> Iterator[tuple[Fraction, object]]:
    samples = np.asarray(sound.samples, np.float32)
    if len(samples) not in LAYOUTS:
        samples = np.nan_to_num(samples).mean(0, keepdims=True)
    for start in range(0, samples.shape[1], BLOCK):
        block = samples[:, start : start + BLOCK]
        yield Fraction(start, sound.rate), _build_frame(block, LAYOUTS[len(samples)], sound.rate)


def _build_frame(samples: np.ndarray, layout: str, rate: int):
    """An audio frame of samples (channels, n). Channels are interleaved: PyAV 18 reads beyond eight planes."""
    import av

    packed = np.ascontiguousarray(samples.T, np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
    frame.sample_rate = rate
    return frame


def _remove_nan(frame):
    """An interleaved float frame, or a copy with silence where it holds no numbers: a resampler would spread them."""
    samples = frame.to_ndarray()
    if np.isfinite(samples).all():
        return frame
    samples = samples.reshape(-1, len(frame.layout.channels)).T
    return _build_frame(np.nan_to_num(samples, posinf=0, neginf=0), frame.layout.name, frame.sample_rate)


def _encode_blocks(blocks: Iterator[np.ndarray], stream, rate: int, channels: int) -> Iterator:
    position = 0
    for block in blocks:
        frame = _build_frame(block, LAYOUTS[channels], rate)
        frame.pts, frame.time_base = position, Fraction(1, rate)
        position += block.shape[1]
        yield from stream.encode(frame)
    yield from stream.encode(None)
