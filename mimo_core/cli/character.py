"""`mimo replace` and `mimo animate`: a character into a video."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from ..denoise.options import add_options
from ..errors import InputError
from .decoder import find_example, make_decoder
from .terminal import (
    MOTION_HELP,
    add_back_end_options,
    add_held_option,
    add_motion_options,
    add_output,
    add_person_options,
    declare_command,
    find_named_back_ends,
    open_motion_file,
    parse_size,
    print_lines,
    start_bar,
)
from .work import add_work_options, run_work


SCENE_HELP = "a picture, a video, a color such as white or #204060, or none for plain white"


def add_replace(commands) -> None:
    example = "mimo replace --character red-jacket.png --video juggle.mp4 --out result.mp4"
    summary = "Put a character into a video, in the place of a person and with what passes in front kept in front."
    command = declare_command(commands, "replace", run_replace, summary, example)
    _add_character(command)
    command.add_argument("--video", type=Path, help="the driving video; default: the example that ships")
    add_person_options(command, "who to replace")
    add_held_option(command)
    add_back_end_options(command)
    add_output(command, "the video to write, with the sound, rate, length and size of the source", required=False)
    add_work_options(command)


def add_animate(commands) -> None:
    example = "mimo animate --character red-jacket.png --motion dance.npz --scene white --size 768x768 --out dance.mp4"
    command = declare_command(
        commands, "animate", run_animate, "Let a character do a motion, in a scene of your choice.", example
    )
    _add_character(command)
    command.add_argument("--motion", type=Path, help=f"{MOTION_HELP}; default: the example that ships")
    command.add_argument("--size", type=parse_size, metavar="WxH", help="default: as the motion's camera")
    command.add_argument("--fps", type=float, default=0, help="0 = as the motion says")
    add_output(command, "the video to write", required=False)
    add_motion_options(command)
    add_work_options(command)


def _add_character(command) -> None:
    command.add_argument(
        "--character",
        type=Path,
        action=_AddCharacter,
        metavar="PICTURE",
        help="default: the example that ships; once for each of several people, or one for all",
    )
    command.set_defaults(more_characters=[])
    command.add_argument("--scene", metavar="SCENE", help=SCENE_HELP)
    command.add_argument("--decoder", choices=["proxy", "mimo"], default="proxy", help="what draws the character")
    command.add_argument("--sheet", type=Path, metavar="PNG", help="also write a contact sheet")
    add_options(command)


class _AddCharacter(argparse.Action):
    """The first picture is `character`, the others are `more_characters`."""

    def __call__(self, parser, namespace, values, option_string=None):
        if namespace.character is None:
            namespace.character = values
        else:
            namespace.more_characters = [*namespace.more_characters, values]


def run_replace(options) -> None:
    from ..media.clip import Clip
    from ..pose.estimators import find_estimator
    from ..replace import replace_character, replace_people

    is_of_several = bool(options.more_characters) or not isinstance(options.person, int)
    if options.work:
        if is_of_several:
            raise InputError("--work draws one person: leave --work out, or give one --character and one --person.")
        run_work(options, lambda: _prepare_replace(options), make_decoder)
        return
    _check_outputs(options)
    if is_of_several and options.at:
        raise InputError("--at is a point on one person. Say who several are by --person, such as 0,2.")
    if options.more_characters and isinstance(options.person, int) and options.person:
        raise InputError("--person names one person but there are several characters: name as many, such as 0,2.")
    characters = _read_characters(options)
    clip = Clip.from_file(options.video or find_example().video, progress=start_bar("open"))
    scene = _make_scene(options.scene, clip.width, clip.height, clip.fps) if options.scene else None
    watch = _start_watch()
    decoder = make_decoder(options, options.video or find_example().video)
    shared = {
        "scene": scene,
        "networks": find_estimator(options.estimator),
        "back_ends": find_named_back_ends(options, scene=scene),
        "held_things": options.held_things,
        "decoder": decoder,
        "progress_of": start_bar,
        "watch": watch,
    }
    if is_of_several:
        numbers = options.person if isinstance(options.person, list) else None
        job = replace_people(clip, characters, numbers=numbers, **shared)
    else:
        job = replace_character(clip, characters[0], person=options.person, at=options.at, **shared)
    _write_job(job, options, watch, fps=clip.fps, sound=clip.sound, length=len(clip), source=clip, notes=clip.notes)
    _forget_segments(decoder)


def _prepare_replace(options):
    """The work of `replace`: all that comes before drawing."""
    from ..farm.work import Work
    from ..identity.encode import encode_identity
    from ..media.clip import Clip
    from ..pose.estimators import find_estimator
    from ..replace import lift_fade, prepare_replacement

    clip = Clip.from_file(options.video or find_example().video, progress=start_bar("open"))
    scene = _make_scene(options.scene, clip.width, clip.height, clip.fps) if options.scene else None
    identity = encode_identity(_read_characters(options)[0])
    clip, fade = lift_fade(clip, scene)
    found, scene = prepare_replacement(
        clip,
        scene=scene,
        person=options.person,
        at=options.at,
        networks=find_estimator(options.estimator),
        back_ends=find_named_back_ends(options, scene=scene),
        held_things=options.held_things,
        progress_of=start_bar,
    )
    notes = (*clip.notes, *identity.notes, *found.notes, *([] if options.scene else [scene.report.text()]))
    return Work(identity, found.motion, scene, clip.fps, clip.sound, "mean", {}, "", notes=notes, fade=fade)


def run_animate(options) -> None:
    from ..replace import animate_people

    if options.work:
        if options.more_characters:
            raise InputError("--work draws one person: leave --work out, or give one --character.")
        run_work(options, lambda: _prepare_animation(options), make_decoder)
        return
    _check_outputs(options)
    motion, scene = _open_animation(options)
    watch = _start_watch()
    decoder = make_decoder(options, options.motion or find_example().motion_file)
    characters = _read_characters(options)
    job = animate_people(characters, motion, scene, decoder=decoder, progress_of=start_bar, watch=watch)
    sound, notes = scene.sound, motion.notes
    _write_job(job, options, watch, fps=motion.fps, sound=sound, length=motion.frames, notes=notes)
    _forget_segments(decoder)


def _open_animation(options):
    """The motion and the scene that `animate` is asked for."""
    from ..motion.edit import resample_motion

    motion = open_motion_file(options.motion, options) if options.motion else find_example().motion()
    if options.fps:
        motion = resample_motion(motion, options.fps)
    if options.size:
        motion = dataclasses.replace(motion, camera=motion.camera.reframe(*options.size))
    return motion, _make_scene(options.scene or "none", *motion.camera.size, motion.fps)


def _prepare_animation(options):
    """The work of `animate`: all that comes before drawing."""
    from fractions import Fraction

    from ..farm.work import Work
    from ..identity.encode import encode_identity

    motion, scene = _open_animation(options)
    if len(motion.people) > 1:
        raise InputError(f"The motion has {len(motion.people)} people but --work draws one person: leave --work out.")
    identity = encode_identity(_read_characters(options)[0])
    fps = Fraction(motion.fps).limit_denominator(1001)
    return Work(identity, motion, scene, fps, scene.sound, "none", {}, "", notes=(*motion.notes, *identity.notes))


def _check_outputs(options) -> None:
    """Raise InputError before any work for an output that exists, or in a format that is not written."""
    from ..media.picture import check_picture_name
    from ..media.video_writer import check_video_name
    from ..output import refuse_existing

    if options.out is None:
        raise InputError("--out is missing: the video to write.")
    if options.segments:
        raise InputError("--segments are those of a work folder: give --work DIR, too.")
    check_video_name(options.out)
    if options.sheet:
        check_picture_name(options.sheet)
    for path in (options.out, options.sheet):
        if path:
            refuse_existing(path, force=options.force)


def _start_watch():
    from ..stopwatch import Stopwatch

    return Stopwatch()


def _read_characters(options) -> list:
    from ..media.picture import read_picture

    return [read_picture(path) for path in (options.character or find_example().character, *options.more_characters)]


def _make_scene(text: str, width: int, height: int, fps):
    """A scene from a file name, a colour, or "none" for white."""
    from PIL import ImageColor

    from ..media.clip import Clip
    from ..media.picture import PICTURE_SUFFIXES, read_picture
    from ..scene.picture import scene_from_picture

    size = {"width": width, "height": height, "fps": fps}
    if Path(text).suffix.lower() in PICTURE_SUFFIXES:
        return scene_from_picture(read_picture(text), **size)
    if Path(text).suffix:
        return scene_from_picture(Clip.from_file(text, progress=start_bar("scene")), **size)
    try:
        color = ImageColor.getrgb("white" if text == "none" else text)[:3]
    except ValueError:
        raise InputError(f"--scene {text}: give {SCENE_HELP}.") from None
    return scene_from_picture(None, color=color, **size)


def _write_job(job, options, watch, *, fps, sound, length, source=None, notes=()) -> None:
    """Draw a job into its video and contact sheet, and say where the time went."""
    from ..media.clip import Clip, write_video
    from ..media.picture import write_picture
    from ..media.sheet import draw_contact_sheet, sample_frames

    with watch.stage("encode"):
        frames = (frame for frame, _ in job.drawn)
        write_video(options.out, frames, fps=fps, sound=sound, total=length, progress=start_bar("draw"))
    if options.sheet:
        result = Clip.from_file(options.out)
        rows = [[result[index] for index in sample_frames(6, length)]]
        if source is not None:
            rows.insert(0, [source[index] for index in sample_frames(6, length)])
        write_picture(options.sheet, draw_contact_sheet(rows))
    separated = source is not None and not options.scene
    report = [job.scene.report.text()] if separated else []
    print_lines(*notes, *job.notes, *report, watch.format_table(length), f"wrote {options.out}")


def _forget_segments(decoder) -> None:
    if decoder is not None and decoder.cache is not None:
        decoder.cache.remove()
