"""One long clip on many machines: `replace --work DIR`, `replace --work DIR --segments A-B`, `mimo join DIR`."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from pathlib import Path

from ..errors import InputError
from .terminal import add_output, declare_command, print_lines, start_bar


FRAMES_A_SEGMENT = 48  # of the proxy decoder: two seconds, of which nothing is lost if a worker dies
INPUT_OPTIONS = ("character", "video", "motion")


def add_work_options(command) -> None:
    """Add `--work` and `--segments` to a command that draws a character."""
    add = command.add_argument_group("one clip on several machines").add_argument
    add("--work", type=Path, metavar="DIR", help="prepare the job in DIR; --segments draws parts, mimo join the video")
    add("--segments", metavar="A-B", help="draw these segments of DIR, counted from 0, or one, or all")


def add_join(commands) -> None:
    summary = "Join the segments of a work folder, drawn by replace --work DIR --segments A-B, to the video."
    command = declare_command(commands, "join", run_join, summary, "mimo join shot.work --out shot.mp4")
    command.add_argument("work", type=Path, metavar="DIR", help="the work folder")
    add_output(command, "the video to write, with the sound of the source")
    command.add_argument("--device", default="auto", help="of the decoder mimo: auto, cpu, cuda, cuda:1 or mps")


def run_work(options, make_work: Callable, make_decoder: Callable) -> None:
    """Prepare a work folder, if it is not there, and draw the segments that are asked for.

    `make_work()` gives the Work; `make_decoder(options)` the decoder of options, None for the proxy. Raises InputError
    for a folder of another job and for segments that it does not have.
    """
    from ..farm.record import hash_inputs
    from ..farm.work import is_work, open_work, read_key, write_work

    if options.resume:
        raise InputError("--work keeps finished segments anyway: leave --resume out.")
    has_inputs = any(getattr(options, name, None) for name in INPUT_OPTIONS)
    key = hash_inputs(_list_inputs(options), _list_settings(options))
    if not is_work(options.work):
        if options.segments and not has_inputs:
            raise InputError(
                f"{options.work} is not a work folder. Prepare it first: replace --character FILE --video FILE "
                f"--work {options.work}"
            )
        work = dataclasses.replace(make_work(), key=key, settings=_list_settings(options))
        work = dataclasses.replace(work, segments=_count_segments(work, make_decoder(_merge(options, work.settings))))
        write_work(options.work, work, progress=start_bar("work"))
        print_lines(*work.notes, f"wrote {options.work}: {work.frames} frames in {work.segments} segments")
    elif has_inputs and read_key(options.work) != key:
        raise InputError(
            f"{options.work} was prepared from other inputs or settings. Name a new folder, or remove this one."
        )
    if options.segments:
        work = open_work(options.work)
        _draw_segments(options, work, _parse_span(options.segments, work.segments), make_decoder)


def run_join(options) -> None:
    from ..farm.work import open_work
    from ..media.video_writer import check_video_name, write_video
    from ..output import refuse_existing
    from .decoder import make_decoder

    check_video_name(refuse_existing(options.out, force=options.force))
    work = open_work(options.work)
    merged = _merge(options, work.settings)
    frames = _read_frames(options, work, make_decoder(merged))
    frames = frames if work.fade is None else work.fade.apply(frames)
    write_video(options.out, frames, fps=work.fps, sound=work.sound, total=work.frames, progress=start_bar("join"))
    print_lines(f"wrote {options.out}")


def _count_segments(work, decoder) -> int:
    if decoder is None:
        return -(-work.frames // FRAMES_A_SEGMENT)
    return decoder.count_segments(work.identity, work.motion, work.scene)


def _draw_segments(options, work, numbers: range, make_decoder: Callable) -> None:
    """Draw those of the segments that are not there yet."""
    from ..farm.work import segment_file, write_segment
    from ..replace import ProxyDecoder
    from ..stopwatch import Stopwatch

    decoder = make_decoder(_merge(options, work.settings))
    if decoder is not None:
        _keep_segments(decoder, options.work, work)
        decoder.draw_segments(work.identity, work.motion, work.scene, numbers)
        print_lines(f"segments {numbers[0]} to {numbers[-1]} are in {options.work}")
        return
    decoder = ProxyDecoder()
    for number in numbers:
        if segment_file(options.work, number).is_file():
            continue
        frames = _frames_of(number, work.frames)
        drawn = decoder.draw_part(
            work.identity, work.motion, work.scene, frames, color_match=work.color_match, watch=Stopwatch()
        )
        progress = start_bar(f"segment {number}")
        write_segment(options.work, number, (frame for frame, _ in drawn), total=len(frames), progress=progress)
    print_lines(f"segments {numbers[0]} to {numbers[-1]} are in {options.work}")


def _read_frames(options, work, decoder):
    """The finished frames (H, W, 3) of all segments, in order. Raises InputError for those that are missing."""
    from ..farm.lossless import LosslessFrames
    from ..farm.work import segment_file
    from ..stopwatch import Stopwatch

    if decoder is not None:
        _keep_segments(decoder, options.work, work)
        _refuse_missing(options.work, [number for number in range(work.segments) if not decoder.cache.has(number)])
        drawn = decoder.draw(work.identity, work.motion, work.scene, color_match=work.color_match, watch=Stopwatch())
        return (frame for frame, _ in drawn)
    files = [segment_file(options.work, number) for number in range(work.segments)]
    _refuse_missing(options.work, [number for number, file in enumerate(files) if not file.is_file()])
    shape = (work.scene.height, work.scene.width, 3)
    sources = [LosslessFrames(file, len(_frames_of(number, work.frames)), shape) for number, file in enumerate(files)]
    return (frame for source in sources for frame in source.read(0, len(source)))


def _refuse_missing(folder: Path, missing: list[int]) -> None:
    if missing:
        listed = ", ".join(str(number) for number in missing[:8]) + (", ..." if len(missing) > 8 else "")
        raise InputError(
            f"{folder} lacks the segments {listed}. Draw them: replace --work {folder} --segments {missing[0]}-"
            f"{missing[-1]}"
        )


def _keep_segments(decoder, folder: Path, work) -> None:
    """Let a MIMO decoder keep its segments in a work folder, and find them there."""
    from ..denoise.segment_cache import SegmentCache
    from ..farm.work import SEGMENTS

    decoder.cache = SegmentCache(folder / SEGMENTS, work.key)


def _frames_of(number: int, frames: int) -> range:
    return range(number * FRAMES_A_SEGMENT, min((number + 1) * FRAMES_A_SEGMENT, frames))


def _list_inputs(options) -> list[Path]:
    """The files that a job depends on."""
    files = [getattr(options, name, None) for name in (*INPUT_OPTIONS, "checkpoint", "vae", "image_encoder")]
    scene = Path(options.scene or "none")
    return [Path(file) for file in (*files, scene if scene.is_file() else None) if file is not None]


def _list_settings(options) -> dict[str, object]:
    """The options that tell what is drawn and how, as JSON values."""
    from ..denoise.options import UNHASHED_OPTIONS

    left_out = {*UNHASHED_OPTIONS, *INPUT_OPTIONS, "more_characters", "work", "segments", "device"}
    values = {name: value for name, value in vars(options).items() if name not in left_out}
    return {name: str(value.absolute()) if isinstance(value, Path) else value for name, value in values.items()}


def _merge(options, settings: dict[str, object]) -> argparse.Namespace:
    """The settings that a work folder was prepared with, on the device of this command."""
    merged = argparse.Namespace(**{**vars(options), **settings, "resume": False})
    for name in ("checkpoint", "vae", "image_encoder"):
        value = getattr(merged, name, None)
        setattr(merged, name, Path(value) if value else None)
    return merged


def _parse_span(text: str, count: int) -> range:
    """Segments of "A-B", "A" or "all". A span may reach over the end, as the last of equal chunks does."""
    first, _, last = text.partition("-")
    try:
        numbers = range(count) if text == "all" else range(int(first), int(last or first) + 1)
    except ValueError:
        raise InputError(f"--segments wants numbers like 0-9, one number, or all; got {text!r}.") from None
    numbers = range(numbers.start, min(numbers.stop, count))
    if not numbers or numbers[0] < 0:
        raise InputError(f"--segments {text}: the work folder has the segments 0 to {count - 1}.")
    return numbers
