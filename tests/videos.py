"""Video files whose every frame can be told, written by FFmpeg's own encoders in many containers."""

from fractions import Fraction

import av
import numpy as np


BITS, TILE = 8, 16


def numbered_picture(number, height=64, width=BITS * TILE):
    """A picture (H, W, 3) with its number in eight black or white bars, and a square that moves."""
    picture = np.full((height, width, 3), 90, np.uint8)
    picture[height // 2 :, (3 * number) % (width - 16) :][:, :16] = (200, 120, 60)
    for bit in range(BITS):
        picture[: height // 2, bit * TILE : (bit + 1) * TILE] = 235 if number >> bit & 1 else 20
    return picture


def read_number(picture):
    """The number in a picture, of any size."""
    row = picture[picture.shape[0] // 4].mean(-1)
    tile = len(row) / BITS
    return sum(1 << bit for bit in range(BITS) if row[int((bit + 0.5) * tile)] > 128)


def write_numbered(path, count=40, *, codec="libx264", pixels="yuv420p", rate=24, options=None, form=None,
                   times=None, mark=None, skipped=(), key_every=0):  # fmt: skip
    """Write numbered frames. `times` are seconds, `mark` changes the stream before it is opened."""
    with av.open(str(path), "w", format=form) as container:
        stream = container.add_stream(codec, rate=Fraction(rate), options=options or {})
        stream.height, stream.width = numbered_picture(0).shape[:2]
        stream.pix_fmt = pixels
        if mark:
            mark(stream)
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 90000)
        for number in range(count):
            if number in skipped:
                continue
            frame = av.VideoFrame.from_ndarray(numbered_picture(number), format="rgb24").reformat(format=pixels)
            base = Fraction(1, 90000) if times is not None else 1 / Fraction(rate)
            frame.time_base = base
            frame.pts = round(times[number] / base) if times is not None else number
            if key_every and number % key_every == 0:
                frame.pict_type = av.video.frame.PictureType.I
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remux(source, target, *, form=None, start=0.0, shift=0, matrix=None):
    """Copy packets into another container: from a moment on, or with all times shifted by seconds."""
    with av.open(str(source)) as reader, av.open(str(target), "w", format=form) as writer:
        streams = {stream.index: writer.add_stream_from_template(stream) for stream in reader.streams
                   if stream.type in ("video", "audio")}  # fmt: skip
        if start:
            reader.seek(round(start * av.time_base))
        for packet in reader.demux():
            if packet.dts is None or packet.stream.index not in streams:
                continue
            moved = round(shift / packet.time_base)
            packet.pts, packet.dts = packet.pts + moved, packet.dts + moved
            packet.stream = streams[packet.stream.index]
            writer.mux(packet)
    return target
