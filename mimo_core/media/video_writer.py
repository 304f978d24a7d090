"""Video files out, through PyAV: streamed, whole or not there, with the sound of the source."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..output import whole_file
from ..progress import Progress, silent
from .sound import Sound, SoundTrack


PREVIEW_EVERY = 8  # frames
H264 = ("libx264", {"crf": "16", "preset": "veryfast"}, "aac")
H264_LONGEST = 16384  # pixels of a side
VP9 = ("libvpx-vp9", {"crf": "20", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}, "libopus")
ENCODERS = {".mp4": H264, ".m4v": H264, ".mov": H264, ".mkv": H264, ".webm": VP9}  # picture, its options, sound
FORMATS = {".m4v": "mp4"}  # the muxer, where it is not the one of the name


def check_video_name(path) -> Path:
    """`path`. Raises InputError for a name in whose format no video is written."""
    path = Path(path)
    if path.suffix.lower() not in ENCODERS:
        *others, last = ENCODERS
        raise InputError(f"A video is written as {', '.join(others)} or {last}, got {path.name}. Give another name.")
    return path


def write_video(
    path,
    frames: Iterable[np.ndarray],
    *,
    fps: Fraction,
    sound: Sound | None = None,
    total: int = 0,
    progress: Progress = silent,
) -> int:
    """Write RGB frames (H, W, 3) uint8 as H.264 (VP9 for .webm) and return how many. After an error nothing is left.

    Odd sizes are kept exactly by full-resolution colour (yuv444p), which some players do not show; even ones are
    yuv420p. Sound is copied packet by packet where mp4 holds it, else encoded as AAC (Opus), and cut to the pictures.
    Sound that cannot be read is left out with a warning. Raises InputError for a name of another format, no frames,
    frames too large for H.264, or frames of different sizes.
    """
    path = check_video_name(path)
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise InputError("There are no frames to write.")
    if max(first.shape[:2]) > H264_LONGEST and ENCODERS[path.suffix.lower()] is H264:
        raise InputError(
            f"H.264 holds pictures of up to {H264_LONGEST} pixels a side, these are {first.shape[1]}x{first.shape[0]}. "
            "Make them smaller, or write .webm."
        )
    with whole_file(path) as partial:
        return _write_streams(partial, first, frames, Fraction(fps).limit_denominator(1001), sound, total, progress)


def _write_streams(partial, first, frames, fps, sound, total, progress) -> int:
    import av

    suffix = partial.suffix.lower()
    with ExitStack() as stack:
        options = {"movflags": "+faststart"} if suffix in (".mp4", ".m4v", ".mov") else {}
        container = stack.enter_context(av.open(str(partial), "w", format=FORMATS.get(suffix), options=options))
        stream = _add_pictures(container, first, fps, *ENCODERS[suffix][:2])
        track = _add_sound(container, sound, ENCODERS[suffix][2], stack) if sound else None
        count = 0
        for count, picture in enumerate(_put_first(first, frames), 1):
            container.mux(stream.encode(_make_frame(picture, first.shape, count - 1, fps)))
            if track:
                track.write_until(count / fps)
            progress(count, total or count, picture if count % PREVIEW_EVERY == 1 else None)
        container.mux(stream.encode())
        if track:
            track.finish()
    return count


def _put_first(first: np.ndarray, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield first
    yield from frames


def _add_pictures(container, first: np.ndarray, fps: Fraction, codec: str, options: dict):
    height, width = first.shape[:2]
    stream = container.add_stream(codec, rate=fps, options=options)
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
    stream.time_base = 1 / fps
    context = stream.codec_context
    context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1  # BT.709, limited
    return stream


def _add_sound(container, sound: Sound, codec: str, stack: ExitStack) -> SoundTrack | None:
    """The track, or None where the sound cannot be read: the pictures are worth more."""
    import av

    try:
        return SoundTrack(container, sound, codec, stack)
    except (av.error.FFmpegError, InputError, ValueError, IndexError) as error:
        logging.getLogger("mimo").warning("The sound is left out, it cannot be read: %s", error)
        return None


def _make_frame(picture: np.ndarray, shape: tuple[int, ...], number: int, fps: Fraction):
    import av

    if picture.shape != shape:
        raise InputError(f"Frame {number} is {picture.shape[1]}x{picture.shape[0]}, the first {shape[1]}x{shape[0]}.")
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    pixel_format = "yuv444p" if shape[0] % 2 or shape[1] % 2 else "yuv420p"
    frame = frame.reformat(format=pixel_format, dst_colorspace="ITU709")
    frame.pts, frame.time_base = number, 1 / fps
    return frame
