"""The command line. Every command is one function; results go to files, reports to stderr, --json to stdout."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
from pathlib import Path

from .denoise.options import add_options, segments_folder
from .errors import InputError
from .progress import Progress


BAD_INPUT, INTERRUPTED = 2, 130
LAYER_FILES = {"plate.mp4", "person.mp4", "occluder.mp4", "motion.npz", "report.txt"}
MOTION_HELP = "a motion file (.npz, .safetensors, .bvh, .glb, .pt, .pkl) or a motion that ships, such as walk"
SCENE_HELP = "a picture, a video, a colour such as white or #204060, or none for plain white"


def run(arguments: list[str]) -> int:
    """Run one command. Bad input is one line on stderr and exit code 2; Ctrl-C and SIGTERM leave no file."""
    signal.signal(signal.SIGTERM, _interrupt)
    own = arguments[:1] if arguments[:1] == ["bench"] else arguments  # `bench` parses what follows itself
    options = parser().parse_args(own)
    options.rest = arguments[len(own) :]
    try:
        return options.command(options) or 0
    except InputError as error:
        print(f"mimo {options.name}: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print(f"mimo {options.name}: stopped; {_what_is_left(options)}", file=sys.stderr)
        return INTERRUPTED


def _what_is_left(options) -> str:
    if getattr(options, "resume", False) and segments_folder(options.out).is_dir():
        return f"finished segments are in {segments_folder(options.out)}: run the same command again to go on."
    return "nothing was written."


def _interrupt(*_) -> None:
    raise KeyboardInterrupt


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    main = argparse.ArgumentParser(prog="mimo", description="Controllable character video: MIMO.")
    commands = main.add_subparsers(required=True, metavar="COMMAND")
    for add in (_replace, _animate, _pose, _separate, _render, _fetch, _convert, _shots, _train, _doctor, _bench):
        add(commands)
    return main


def _command(commands, name: str, run_it, summary: str, example: str) -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    command = commands.add_parser(
        name, help=summary, description=summary, epilog=f"example:\n  {example}", formatter_class=raw
    )
    command.set_defaults(command=run_it, name=name)
    return command


def _add_output(command, help_text: str) -> None:
    command.add_argument("--out", required=True, type=Path, metavar="FILE", help=help_text)
    command.add_argument("--force", action="store_true", help="replace what lies there")


def _add_character(command) -> None:
    command.add_argument("--character", type=Path, metavar="PICTURE", help="default: the example that ships")
    command.add_argument("--scene", metavar="SCENE", help=SCENE_HELP)
    command.add_argument("--decoder", choices=["proxy", "mimo"], default="proxy", help="what draws the character")
    command.add_argument("--sheet", type=Path, metavar="PNG", help="also write a contact sheet")
    add_options(command)


def _replace(commands) -> None:
    example = "mimo replace --character red-jacket.png --video juggle.mp4 --out result.mp4"
    summary = "Put a character into a video, in the place of a person and with what passes in front kept in front."
    command = _command(commands, "replace", replace, summary, example)
    _add_character(command)
    command.add_argument("--video", type=Path, help="the driving video; default: the example that ships")
    command.add_argument("--person", type=int, default=0, help="who to replace, 0 = the largest")
    _add_output(command, "the video to write, with the sound, rate, length and size of the source")


def _animate(commands) -> None:
    example = "mimo animate --character red-jacket.png --motion dance.npz --scene white --size 768x768 --out dance.mp4"
    command = _command(commands, "animate", animate, "Let a character do a motion, in a scene of your choice.", example)
    _add_character(command)
    command.add_argument("--motion", type=Path, help=f"{MOTION_HELP}; default: the example that ships")
    command.add_argument("--size", type=_size, metavar="WxH", help="default: as the motion's camera")
    command.add_argument("--fps", type=float, default=0, help="0 = as the motion says")
    _add_output(command, "the video to write")


def _pose(commands) -> None:
    summary = "Estimate the motion of a person in a video, or bring a motion file into another format."
    command = _command(commands, "pose", pose, summary, "mimo pose juggle.mp4 --out juggle.npz")
    command.add_argument("clip", type=Path, help=f"a video, or {MOTION_HELP}")
    command.add_argument("--person", type=int, default=0, help="whose, 0 = the largest")
    command.add_argument("--smoothing", type=float, default=1.0, help="0 = none")
    command.add_argument("--focal", type=float, default=0, metavar="PIXELS", help="0 = assume 1.2 x the longer side")
    _add_output(command, "the motion to write (.npz, .safetensors, .bvh or .glb)")


def _separate(commands) -> None:
    summary = "Take a shot apart: plate, person, occluder and a report."
    command = _command(commands, "separate", separate, summary, "mimo separate juggle.mp4 --out layers")
    command.add_argument("clip", type=Path)
    command.add_argument("--person", type=int, default=0, help="who to take out, 0 = the largest")
    _add_output(command, "the folder to write: plate.mp4, person.mp4, occluder.mp4, motion.npz, report.txt")


def _render(commands) -> None:
    example = "mimo render juggle.npz --style openpose --out openpose.mp4"
    command = _command(commands, "render", render, "Draw a motion as a control video.", example)
    command.add_argument("motion", type=Path, help=MOTION_HELP)
    command.add_argument("--style", choices=["body code", "openpose", "depth", "normal", "mask"], default="body code")
    command.add_argument("--size", type=_size, metavar="WxH", help="default: as the motion's camera")
    _add_output(command, "the video to write")


def _fetch(commands) -> None:
    summary = "Download weight files, resumed and verified. Says first what, from where, how large and which licence."
    command = _command(commands, "fetch", fetch, summary, "mimo fetch mimo")
    command.add_argument("group", metavar="NAME", help="which files: mimo, smpl or sd15; `mimo doctor` lists them")
    command.add_argument(
        "--from", dest="source", type=Path, metavar="FILE", help="a file of NAME that you have already"
    )


def _convert(commands) -> None:
    summary = "Merge the four official checkpoints into one half-precision safetensors file."
    command = _command(commands, "convert", convert, summary, "mimo convert models/mimo --out mimo.safetensors")
    command.add_argument("folder", type=Path, metavar="DIR", help="the folder with the official .pth files")
    _add_output(command, "the file to write (.safetensors)")


def _train(commands) -> None:
    summary = "Train a MIMO on synthetic shots or real clips, or train one further. Goes on where it was stopped."
    example = "mimo train --config configs/mimo-tiny.yaml --out runs/mimo-tiny --minutes 60"
    command = _command(commands, "train", train, summary, example)
    command.add_argument("--config", required=True, type=Path, metavar="YAML", help="what to train; see configs/")
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="samples, states, logs, checkpoint")
    command.add_argument("--samples", type=Path, metavar="DIR", help="where samples lie; default: inside DIR")
    command.add_argument("--minutes", type=float, default=0, help="stop cleanly after so many; 0 = when it is done")
    command.add_argument("--smoke", action="store_true", help="30 steps of every stage on 8 clips")
    command.add_argument("--precision", choices=["no", "bf16", "fp16"], default="no", help="mixed precision")
    command.add_argument("--cpu", action="store_true", help="leave GPUs alone")


def _shots(commands) -> None:
    summary = "Make synthetic shots with exact truth as WebDataset shards, for training. A stopped run goes on."
    command = _command(commands, "shots", shots, summary, "mimo shots --out shots --seeds 100000-100999 --size 128")
    command.add_argument("--out", required=True, type=Path, metavar="DIR", help="the folder of the shards")
    command.add_argument(
        "--seeds", default="100000-100999", help="first and last seed, one a shot; default %(default)s"
    )
    command.add_argument("--size", type=int, default=256, help="pixels of the square shots, default %(default)s")
    command.add_argument("--frames", type=int, default=16, help="frames of a shot, default %(default)s")
    command.add_argument("--fps", type=float, default=12, help="frames a second, default %(default)s")
    command.add_argument("--pictures", type=Path, metavar="DIR", help="your backgrounds, in half of the shots")
    command.add_argument("--motions", type=Path, metavar="DIR", help="your motion files, in half of the shots")
    command.add_argument("--workers", type=int, default=1, help="processes that draw, default %(default)s")
    command.add_argument("--plain", action="store_true", help="the plain shots that the benches measure with")


def _doctor(commands) -> None:
    _command(commands, "doctor", doctor, "Print versions, devices, weights and usable back ends.", "mimo doctor")


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 768x768") from None
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise argparse.ArgumentTypeError(f"{text} lies outside 16x16 to 8192x8192")
    return width, height


def replace(options) -> None:
    from .clip import Clip
    from .replace import replace_character

    _check_outputs(options)
    character = _character(options)
    clip = Clip.from_file(options.video or _example().video, progress=_bar("open"))
    scene = _scene(options.scene, clip.width, clip.height, clip.fps) if options.scene else None
    watch = _watch()
    decoder = _decoder(options, options.video or _example().video)
    job = replace_character(
        clip, character, scene=scene, person=options.person, decoder=decoder, progress_of=_bar, watch=watch
    )
    _write(job, options, watch, fps=clip.fps, sound=clip.sound, length=len(clip), source=clip, notes=clip.notes)
    _forget_segments(decoder)


def animate(options) -> None:
    from .motion.edit import resample
    from .motion.files import open_motion
    from .replace import animate_character

    _check_outputs(options)
    motion = open_motion(options.motion) if options.motion else _example().motion()
    if options.fps:
        motion = resample(motion, options.fps)
    if options.size:
        motion = dataclasses.replace(motion, camera=motion.camera.reframed(*options.size))
    width, height = motion.camera.size
    scene = _scene(options.scene or "none", width, height, motion.fps)
    watch = _watch()
    decoder = _decoder(options, options.motion or _example().motion_file)
    job = animate_character(_character(options), motion, scene, decoder=decoder, watch=watch)
    _write(job, options, watch, fps=motion.fps, sound=scene.sound, length=motion.frames)
    _forget_segments(decoder)


def pose(options) -> None:
    from .clip import Clip
    from .motion.files import check_writable, is_motion, open_motion, save_motion
    from .output import refuse_existing
    from .replace import found_person

    refuse_existing(options.out, force=options.force)
    check_writable(options.out)
    if is_motion(options.clip):
        save_motion(options.out, open_motion(options.clip))
        _say(f"wrote {options.out}")
        return
    clip = Clip.from_file(options.clip, progress=_bar("open"))
    found = found_person(
        clip, person=options.person, smoothing=options.smoothing, focal=options.focal, progress=_bar("pose")
    )
    save_motion(options.out, found.motion)
    _say(*clip.notes, *found.notes, f"wrote {options.out}")


def separate(options) -> None:
    from .clip import Clip
    from .motion.files import save_motion
    from .output import refuse_existing, whole_folder
    from .replace import found_person
    from .scene.separate import separate as take_apart

    refuse_existing(options.out, force=options.force)
    clip = Clip.from_file(options.clip, progress=_bar("open"))
    found = found_person(clip, person=options.person, progress=_bar("pose"))
    scene = take_apart(clip, motion=found.motion, coarse=found.masks, progress=_bar("scene"))
    with whole_folder(options.out, of=LAYER_FILES) as folder:
        _write_layers(folder, scene)
        save_motion(folder / "motion.npz", found.motion)
        (folder / "report.txt").write_text(scene.report.text() + "\n")
    _say(*clip.notes, *found.notes, scene.report.text(), f"wrote {options.out}")


def render(options) -> None:
    from .body.render import render_motion
    from .clip import write_video
    from .motion.files import open_motion
    from .output import refuse_existing

    refuse_existing(options.out, force=options.force)
    motion = open_motion(options.motion)
    frames = (frame for frame, _ in render_motion(motion, style=options.style, size=options.size))
    write_video(options.out, frames, fps=motion.fps, total=motion.frames, progress=_bar("render"))
    _say(f"wrote {options.out}")


def fetch(options) -> None:
    from . import fetch as downloads
    from .weights import FILES, group, models_folder

    entries = group(options.group)
    if not entries:
        names = sorted({entry.group for entry in FILES if entry.group})
        raise InputError(f"There is nothing called {options.group}. Choose one of {', '.join(names)}.")
    if options.source:
        entries = [entry for entry in entries if entry.name == options.source.name]
        if not entries:
            names = ", ".join(entry.name for entry in group(options.group))
            raise InputError(f"{options.source.name} is no file of {options.group}. Its files are: {names}.")
        _say(f"wrote {downloads.install(entries[0], options.source, models_folder()).path}")
        return
    for entry in entries:
        _say(f"{entry.name}: {entry.size or 'size unknown'}, {entry.source}, licence: {entry.licence}, {entry.pinned}")
        if entry.url:
            fetched = downloads.fetch(entry, models_folder(), progress=_bar(entry.name, unit="B"))
            _say(f"wrote {fetched.path}, sha256 {fetched.sha256}{'' if fetched.verified else ' (not pinned)'}")
        else:
            _say(f"  get it by hand and put it at {models_folder() / entry.path}")


def convert(options) -> None:
    from .denoise.checkpoints import convert as merge
    from .output import refuse_existing

    refuse_existing(options.out, force=options.force)
    merge(options.folder, options.out, progress=_bar("convert", unit="file"))
    _say(f"wrote {options.out}")


def train(options) -> None:
    from .training.run import train as train_run
    from .training.settings import read_run

    run = read_run(options.config)
    done = train_run(
        run.smoke() if options.smoke else run,
        options.out,
        samples=options.samples,
        minutes=options.minutes,
        precision=options.precision,
        on_cpu=options.cpu,
        progress_of=_bar,
    )
    reached = "done" if done else "stopped after its minutes; the same command goes on"
    _say(f"{run.name}: {reached}; its checkpoint is {options.out / run.name}.safetensors")


def shots(options) -> None:
    from .bench.table import parse_seeds
    from .synthetic import Variety
    from .synthetic.shards import Recipe, write_shards

    seeds = parse_seeds(options.seeds)
    variety = None if options.plain else Variety.of_folders(pictures=options.pictures, motions=options.motions)
    recipe = Recipe(seeds[0], seeds[-1], options.size, options.frames, options.fps, variety=variety)
    files = write_shards(options.out, recipe, workers=options.workers, progress=_bar("shots", unit="shot"))
    _say(f"wrote {len(files)} shards of {recipe.each} shots in {options.out}")


def doctor(options) -> None:
    from .doctor import report

    print(report())


def _bench(commands) -> None:
    command = commands.add_parser("bench", help="Measure quality, parity and speed.", add_help=False)
    command.set_defaults(command=bench, name="bench")


def bench(options) -> int:
    from .bench import run as run_bench

    return run_bench(options.rest)


def _character(options):
    from .picture import read_picture

    return read_picture(options.character or _example().character)


def _decoder(options, driver: Path):
    """What draws: None for the proxy, or the denoiser with the options of the command."""
    if options.decoder == "proxy":
        if options.resume:
            raise InputError("--resume is for --decoder mimo. The proxy is fast: leave it out.")
        return None
    from .denoise.options import decoder_of

    scene = Path(options.scene or "none")
    files = [options.character or _example().character, driver, *([scene] if scene.is_file() else [])]
    return decoder_of(options, files, progress=_bar("denoise", unit="pass"))


def _forget_segments(decoder) -> None:
    if decoder is not None and decoder.kept is not None:
        decoder.kept.remove()


def _example():
    from .example import example_shots

    return example_shots()[0]


def _scene(text: str, width: int, height: int, fps):
    """A scene from a file name, a colour, or "none" for white."""
    from PIL import ImageColor

    from .clip import Clip
    from .picture import PICTURE_SUFFIXES, read_picture
    from .scene.picture import scene_from_picture

    size = {"width": width, "height": height, "fps": fps}
    if Path(text).suffix.lower() in PICTURE_SUFFIXES:
        return scene_from_picture(read_picture(text), **size)
    if Path(text).suffix:
        return scene_from_picture(Clip.from_file(text, progress=_bar("scene")), **size)
    try:
        color = ImageColor.getrgb("white" if text == "none" else text)[:3]
    except ValueError:
        raise InputError(f"--scene {text}: give {SCENE_HELP}.") from None
    return scene_from_picture(None, color=color, **size)


def _check_outputs(options) -> None:
    from .output import refuse_existing

    for path in (options.out, options.sheet):
        if path:
            refuse_existing(path, force=options.force)


def _watch():
    from .stopwatch import Stopwatch

    return Stopwatch()


def _write(job, options, watch, *, fps, sound, length, source=None, notes=()) -> None:
    """Draw a job into its video and contact sheet, and say where the time went."""
    from .clip import Clip, write_video
    from .picture import write_picture
    from .sheet import contact_sheet, spread

    with watch.stage("encode"):
        frames = (frame for frame, _ in job.drawn)
        write_video(options.out, frames, fps=fps, sound=sound, total=length, progress=_bar("draw"))
    if options.sheet:
        result = Clip.from_file(options.out)
        rows = [[result[index] for index in spread(6, length)]]
        if source is not None:
            rows.insert(0, [source[index] for index in spread(6, length)])
        write_picture(options.sheet, contact_sheet(rows))
    separated = source is not None and not options.scene
    report = [job.scene.report.text()] if separated else []
    _say(*notes, *job.notes, *report, watch.table(length), f"wrote {options.out}")


def _write_layers(folder: Path, scene) -> None:
    import numpy as np

    from .clip import write_video

    for name in ("person", "occluder"):
        frames = (np.repeat(mask[..., None], 3, -1) for mask in getattr(scene, name))
        write_video(folder / f"{name}.mp4", frames, fps=scene.fps, total=scene.frames, progress=_bar(name))
    write_video(folder / "plate.mp4", scene.plate, fps=scene.fps, total=scene.frames, progress=_bar("plate"))


def _bar(name: str, unit: str = "frame") -> Progress:
    """A progress bar with the time left, on stderr."""
    from tqdm import tqdm

    bar = tqdm(desc=f"{name:<9}", unit=unit, unit_scale=unit == "B", mininterval=0.5, file=sys.stderr, disable=None)

    def progress(done: int, total: int, preview=None) -> None:
        bar.total = total
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return progress


def _say(*lines: str) -> None:
    for line in lines:
        print(line, file=sys.stderr)
