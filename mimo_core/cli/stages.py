"""`mimo pose`, `mimo separate` and `mimo render`: what a clip is made of, in files."""

from __future__ import annotations

from pathlib import Path

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


SEPARATED_FILES = {"plate.mp4", "person.mp4", "occluder.mp4", "motion.npz", "report.txt"}


def add_pose(commands) -> None:
    summary = "Estimate the motion of a person in a video, or bring a motion file into another format."
    command = declare_command(commands, "pose", run_pose, summary, "mimo pose juggle.mp4 --out juggle.npz")
    command.add_argument("clip", type=Path, help=f"a video, or {MOTION_HELP}")
    add_person_options(command, "whose")
    command.add_argument("--smoothing", type=float, default=1.0, help="0 = none")
    command.add_argument("--focal", type=float, default=0, metavar="PIXELS", help="0 = assume 1.2 x the longer side")
    add_output(command, "the motion to write (.npz, .safetensors, .bvh or .glb)")
    add_motion_options(command)


def add_separate(commands) -> None:
    summary = "Take a shot apart: plate, person, occluder and a report."
    command = declare_command(commands, "separate", run_separate, summary, "mimo separate juggle.mp4 --out layers")
    command.add_argument("clip", type=Path)
    add_person_options(command, "who to take out")
    add_held_option(command)
    add_back_end_options(command)
    add_output(command, "the folder to write: plate.mp4, person.mp4, occluder.mp4, motion.npz, report.txt")


def add_render(commands) -> None:
    example = "mimo render juggle.npz --style openpose --out openpose.mp4"
    command = declare_command(commands, "render", run_render, "Draw a motion as a control video.", example)
    command.add_argument("motion", type=Path, help=MOTION_HELP)
    command.add_argument("--style", choices=["body code", "openpose", "depth", "normal", "mask"], default="body code")
    command.add_argument("--size", type=parse_size, metavar="WxH", help="default: as the motion's camera")
    add_output(command, "the video to write")
    add_motion_options(command)


def run_pose(options) -> None:
    from ..media.clip import Clip
    from ..motion.files import check_writable, is_motion, save_motion
    from ..motion.upright import posture_notes
    from ..output import refuse_existing

    refuse_existing(options.out, force=options.force)
    check_writable(options.out)
    if is_motion(options.clip):
        motion = open_motion_file(options.clip, options)
        save_motion(options.out, motion)
        print_lines(*motion.notes, f"wrote {options.out}")
        return
    clip = Clip.from_file(options.clip, progress=start_bar("open"))
    found = _find(clip, options, smoothing=options.smoothing, focal=options.focal)
    save_motion(options.out, found.motion)
    print_lines(*clip.notes, *found.notes, *posture_notes(found.motion), f"wrote {options.out}")


def _find(clip, options, **settings):
    """The estimate of the person, or the people, whom a command means, with others near them."""
    from ..errors import InputError
    from ..pose.estimators import find_estimator
    from ..replace import find_everybody, find_person

    settings |= {"networks": find_estimator(options.estimator), "progress": start_bar("pose")}
    if isinstance(options.person, int):
        return find_person(clip, person=options.person, at=options.at, with_others=True, **settings)
    if options.at:
        raise InputError("--at is a point on one person. Say who several are by --person, such as 0,2.")
    return find_everybody(clip, numbers=options.person, with_others=True, **settings)


def run_separate(options) -> None:
    from ..media.clip import Clip
    from ..motion.files import save_motion
    from ..output import refuse_existing, whole_folder
    from ..scene.back_ends import separate_with

    refuse_existing(options.out, force=options.force)
    back_ends = find_named_back_ends(options)
    clip = Clip.from_file(options.clip, progress=start_bar("open"))
    found = _find(clip, options)
    scene = separate_with(
        back_ends,
        clip,
        motion=found.motion,
        coarse=found.masks,
        held_things=options.held_things,
        progress=start_bar("scene"),
    )
    with whole_folder(options.out, of=SEPARATED_FILES) as folder:
        _write_layers(folder, scene)
        save_motion(folder / "motion.npz", found.motion)
        (folder / "report.txt").write_text(scene.report.text() + "\n", encoding="utf-8")
    print_lines(*clip.notes, *found.notes, scene.report.text(), f"wrote {options.out}")


def _write_layers(folder: Path, scene) -> None:
    import numpy as np

    from ..media.clip import write_video

    for name in ("person", "occluder"):
        frames = (np.repeat(mask[..., None], 3, -1) for mask in getattr(scene, name))
        write_video(folder / f"{name}.mp4", frames, fps=scene.fps, total=scene.frames, progress=start_bar(name))
    write_video(folder / "plate.mp4", scene.plate, fps=scene.fps, total=scene.frames, progress=start_bar("plate"))


def run_render(options) -> None:
    from ..media.video_writer import check_video_name, write_video
    from ..output import refuse_existing
    from ..render.styles import render_motion

    check_video_name(refuse_existing(options.out, force=options.force))
    motion = open_motion_file(options.motion, options)
    frames = (frame for frame, _ in render_motion(motion, style=options.style, size=options.size))
    write_video(options.out, frames, fps=motion.fps, total=motion.frames, progress=start_bar("render"))
    print_lines(*motion.notes, f"wrote {options.out}")
