"""Media containers: opened with clear errors, and decoded as far as a player would."""

from __future__ import annotations

import io
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import InputError


MAX_PIXELS = 64_000_000
ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC: the cover of an album
PLAYLISTS = {"concat", "dash", "hls", "imf"}  # FFmpeg's readers of lists, which open whatever files a list names
ROW_STEP = 8  # a fingerprint looks at every eighth row, about 0.3 ms at 1920x1080


def check_size(width: int, height: int) -> None:
    """Raise InputError for a picture of more than `MAX_PIXELS`, which would not fit in memory."""
    if width * height > MAX_PIXELS:
        raise InputError(
            f"A picture of {width}x{height} has {width * height / 1e6:.0f} megapixels; the limit is 64. "
            "Make it smaller."
        )


def check_file(path) -> Path:
    """`path`. Raises InputError for a file that is missing or empty, and for a folder."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder. Give a file.")
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.stat().st_size == 0:
        raise InputError(f"{path.name} is empty (0 bytes). Export it again.")
    return path


@contextmanager
def open_container(file, name: str):
    """Open a path or bytes for reading. Raises InputError for what is no media file, called `name` in the message."""
    import av

    source = str(file) if isinstance(file, (str, Path)) else io.BytesIO(file)
    try:
        container = av.open(source)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{name} cannot be opened as a video: it is damaged, cut off, or another kind of file. "
            "Export it again, for example as H.264 mp4."
        ) from error
    with container:
        if container.format.name in PLAYLISTS:
            raise InputError(f"{name} is a list of other files. Give the video itself.")
        yield container


def find_video_stream(container, name: str):
    """The largest video stream that is no album cover, decoding on several threads. Raises InputError without one."""
    streams = [stream for stream in container.streams.video if not int(stream.disposition) & ATTACHED_PICTURE]
    if not streams:
        raise InputError(f"{name} has {'sound but ' if container.streams.audio else ''}no video stream. Give a video.")
    # Without a decoder a stream has no size.
    streams = [stream for stream in streams if stream.codec_context is not None and stream.width and stream.height]
    stream = max(streams, key=lambda found: found.width * found.height, default=None)
    if stream is None:
        raise InputError(f"{name} has no picture that can be read. Export it again, for example as H.264 mp4.")
    check_size(stream.width, stream.height)
    stream.thread_type = "AUTO"
    # Headers inside the stream may declare another size than the container.
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


@dataclass
class Tally:
    """What became of the packets of a stream."""

    packets: int = 0
    stamps: array = field(default_factory=lambda: array("q"))  # of packets, in the order of decoding
    key_stamps: dict[int, int] = field(default_factory=dict)  # of key packets: when decoded, by when shown
    broken: int = 0  # packets after the first frame that cannot be decoded
    is_cut: bool = False  # reading ended with an error
    reason: str = ""  # what the decoder said last

    def add(self, packet) -> None:
        """Count a packet that was read."""
        self.packets += 1
        if packet.dts is not None:
            self.stamps.append(packet.dts)
        if packet.is_keyframe and packet.pts is not None:
            self.key_stamps[packet.pts] = packet.pts if packet.dts is None else min(packet.pts, packet.dts)


def decode_frames(container, stream, tally: Tally | None = None) -> Iterator:
    """The frames of a stream in the order in which they are shown.

    Like a player it skips packets that cannot be decoded; `tally` counts them.
    """
    import av

    tally = tally if tally is not None else Tally()
    has_begun = False
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            tally.is_cut, tally.reason, packet = True, error.strerror, None
        if packet is not None and packet.size:
            tally.add(packet)
        try:
            for frame in stream.codec_context.decode(None) if packet is None else packet.decode():
                has_begun = True
                yield frame
        except av.error.EOFError:  # flushed already
            pass
        except av.error.FFmpegError as error:
            tally.broken, tally.reason = tally.broken + has_begun, error.strerror
        if packet is None:
            return


def fingerprint_frame(frame) -> int:
    """A number that tells frames apart: the CRC-32 of every eighth row of the first plane."""
    plane, layout = frame.planes[0], frame.format
    if plane.line_size <= 0:  # stored bottom up
        return zlib.crc32(frame.to_ndarray(format="gray")[::ROW_STEP].tobytes())
    if layout.is_planar:
        used = plane.width * -(-max(part.bits for part in layout.components) // 8)
    else:
        used = -(-plane.width * layout.padded_bits_per_pixel // 8)
    rows = np.frombuffer(plane, np.uint8)[: plane.line_size * plane.height].reshape(plane.height, plane.line_size)
    # What lies between the end of a row and the next is not defined.
    return zlib.crc32(np.ascontiguousarray(rows[::ROW_STEP, : min(used, plane.line_size)]))
