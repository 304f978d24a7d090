"""`mimo bench kills`: jobs that get SIGKILL at a random moment, and are then given again until they are done.

Counted is whether the result equals that of an undisturbed run, and whether anything but the result is left: half
files, locks, segments, temporary files.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mimo_core.media import video_writer

from .table import BenchRow, report_rows


MOST_KILLS = 3  # of one job, before it is let through
LEAST_SHARE = 0.02  # of an undisturbed job's time, after which the earliest kill comes
EQUAL, DIFFERS, LEFT, FAILED = "equal", "differs", "files left", "failed"
OUTCOMES = (EQUAL, DIFFERS, LEFT, FAILED)
TRAINING = """\
name: tiny
licence: Apache-2.0
seed: 4
layers: [plate, proxy]
window: 4
steps: 2
cfg: 2.0
data: {kind: synthetic, seed: 4, clips: 4, size: 64, frames: 4}
networks: {block_out_channels: [32, 32], layers_per_block: 1, heads: 2, cross_attention_dim: 16, norm_groups: 8,
           motion_heads: 2, motion_frames: 8, pose_channels: [4, 4, 8, 8]}
stages:
  autoencoder: {steps: 6, batch: 2, lr: 1.0e-3, warmup: 1, save_every: 2}
  image encoder: {steps: 6, batch: 2, lr: 1.0e-3, warmup: 1, save_every: 2}
  images: {steps: 6, batch: 2, frames: 2, lr: 1.0e-3, warmup: 1, save_every: 2}
  clips: {steps: 6, batch: 1, frames: 4, lr: 1.0e-3, warmup: 1, save_every: 2}
"""


@dataclass(frozen=True)
class KilledJob:
    """A job in a folder: `run(inputs, folder)` does it, `result` is the file or folder that comes out."""

    run: Callable[[Path, Path], None]
    result: str
    hash_result: Callable[[Path], str]
    is_alone: bool = True  # nothing but the result may lie in the folder afterwards


def add_kills_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=100, help="in all, shared out among the jobs; default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the moments; default %(default)s")
    parser.add_argument("--jobs", nargs="*", choices=list(JOBS), help="default: all")
    parser.add_argument("--json", action="store_true", help="one object on stdout")


def run_kills(options) -> int:
    """Kill jobs until all kills are spent; the exit code is 1 if one result differed or left something behind."""
    names = options.jobs or list(JOBS)
    found = kill_jobs(names, options.kills, seed=options.seed)
    rows = {}
    for name in names:
        rows |= {f"{name} {what}": BenchRow(found[name][what], None) for what in ("kills", *OUTCOMES)}
    rows["kills"] = BenchRow(sum(found[name]["kills"] for name in names), None)
    for what in OUTCOMES[1:]:
        rows[f"all {what}"] = BenchRow(sum(found[name][what] for name in names), 0, at_most=True)
    return report_rows(rows, range(options.seed, options.seed + 1), 0, as_json=options.json)


def kill_jobs(names: list[str], kills: int, *, seed: int = 0) -> dict[str, Counter]:
    """Kill each job in turn, `kills` times in all, and count outcomes by job. Faults are told on stderr.

    The jobs are forked from this process, in which the library is imported already: a kill falls into work.
    """
    source, found = random.Random(seed), {name: Counter() for name in names}
    with tempfile.TemporaryDirectory(prefix="mimo-kills-") as folder:
        folder = Path(folder)
        _import_library()
        inputs = _make_inputs(folder / "inputs")
        whole, seconds = {}, {}
        for name in names:
            place, start = _make_place(folder / f"{name} whole"), time.monotonic()
            if _run_job(name, inputs, place, None) != 0:
                raise RuntimeError(f"The job {name} fails undisturbed.")
            seconds[name] = time.monotonic() - start
            whole[name] = JOBS[name].hash_result(place / "out" / JOBS[name].result)
        number = 0
        while sum(counts["kills"] for counts in found.values()) < kills:
            name = names[number % len(names)]
            place = _make_place(folder / f"{name} {number}")
            outcome = _kill_and_finish(name, inputs, place, source, seconds[name], whole[name], found[name])
            found[name][outcome] += 1
            if outcome != EQUAL:
                left = sorted(str(path.relative_to(place)) for path in place.rglob("*"))
                print(f"run {number}, {name}: {outcome}: {left}", file=sys.stderr)
            number += 1
    return found


def _kill_and_finish(name, inputs, place: Path, source, seconds: float, whole: str, counts: Counter) -> str:
    """Kill a job up to MOST_KILLS times, let it end, and look at what is there."""
    job = JOBS[name]
    for _ in range(source.randint(1, MOST_KILLS)):
        if _run_job(name, inputs, place, source.uniform(LEAST_SHARE, 1) * seconds) != -signal.SIGKILL:
            break
        counts["kills"] += 1
    result = place / "out" / job.result
    if not result.exists() and _run_job(name, inputs, place, None) != 0:
        return FAILED
    if job.hash_result(result) != whole:
        return DIFFERS
    beside = {entry.name for entry in (place / "out").iterdir()} - {job.result}
    half = [path for path in place.rglob(".*") if path.is_file()]
    temporary = [entry for entry in (place / "tmp").iterdir() if not entry.name.startswith("torchinductor")]
    if half or temporary or (beside and job.is_alone):
        return LEFT
    return EQUAL


def _make_place(folder: Path) -> Path:
    for name in ("out", "tmp"):
        (folder / name).mkdir(parents=True)
    return folder


def _run_job(name: str, inputs: Path, place: Path, kill_after: float | None) -> int:
    """Exit code of the job, -9 if it was killed after so many seconds."""
    process = multiprocessing.get_context("fork").Process(target=_be_job, args=(name, inputs, place))
    process.start()
    process.join(kill_after)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode


def _be_job(name: str, inputs: Path, place: Path) -> None:
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    tempfile.tempdir = str(place / "tmp")
    # Its assembly gives other pixels now and then on some machines, without any kill: docs/reliability.md.
    video_writer.H264[1]["x264-params"] = "asm=0"
    JOBS[name].run(inputs, place / "out")


def _import_library() -> None:
    """Import what the jobs import, once and for all that are forked."""
    for name in ("replace", "denoise.pipeline", "denoise.image_encoder", "farm.work", "scene.template", "cli.work"):
        importlib.import_module(f"mimo_core.{name}")
    importlib.import_module("mimo_lab.training.run")


def _make_inputs(folder: Path) -> Path:
    """A clip, a character and a configuration for training, all small."""
    from PIL import Image

    from mimo_core.media.video_writer import write_video
    from mimo_core.motion.builtin import builtin_motion
    from mimo_core.motion.files import save_motion

    from ..synthetic import make_character_picture, make_shot

    folder.mkdir()
    shot = make_shot(7, size=128, frames=12, samples=1)
    write_video(folder / "clip.mp4", shot.frames, fps=shot.fps)
    Image.fromarray(make_character_picture(5, size=128, samples=1).image).save(folder / "somebody.png")
    save_motion(folder / "short.npz", builtin_motion("walk")[:6])
    save_motion(folder / "long.npz", builtin_motion("walk")[:24])
    (folder / "tiny.yaml").write_text(TRAINING)
    return folder


def _run_command(*arguments) -> None:
    from mimo_core.cli import run_command

    code = run_command([str(argument) for argument in arguments])
    if code:
        sys.exit(code)


def _replace(inputs: Path, folder: Path) -> None:
    files = ("--character", inputs / "somebody.png", "--video", inputs / "clip.mp4")
    _run_command("replace", *files, "--out", folder / "a.mp4")


def _animate(inputs: Path, folder: Path) -> None:
    files = ("--character", inputs / "somebody.png", "--motion", inputs / "short.npz")
    _run_command("animate", *files, "--size", "64x64", "--out", folder / "a.mp4")


def _animate_in_segments(inputs: Path, folder: Path) -> None:
    files = ("--character", inputs / "somebody.png", "--motion", inputs / "long.npz", "--decoder", "mimo")
    settings = ("--steps", 1, "--segment", 1, "--size", "48x64")
    _run_command("animate", *files, *settings, "--resume", "--out", folder / "a.mp4")


def _train(inputs: Path, folder: Path) -> None:
    _run_command("train", "--config", inputs / "tiny.yaml", "--out", folder, "--cpu")


def _draw_work(inputs: Path, folder: Path) -> None:
    files = ("--character", inputs / "somebody.png", "--motion", inputs / "long.npz", "--size", "64x64")
    _run_command("animate", *files, "--work", folder / "work", "--segments", "all")
    _run_command("join", folder / "work", "--out", folder / "a.mp4", "--force")


def _save_motion(inputs: Path, folder: Path) -> None:
    """What the node Save Motion does, in every format."""
    from mimo_core.motion.builtin import builtin_motion
    from mimo_core.motion.files import save_motion

    for number in range(12):  # long enough to be hit
        for suffix in ("npz", "safetensors", "bvh", "glb"):
            save_motion(folder / f"a{number}.{suffix}", builtin_motion("walk"))
    save_motion(folder / "last.npz", builtin_motion("walk"))


def _save_template(inputs: Path, folder: Path) -> None:
    """What the node Save Template does."""
    from mimo_core.media.clip import Clip, Masks
    from mimo_core.scene.scene import Scene
    from mimo_core.scene.template import save_template

    clip = Clip.from_array(np.random.default_rng(0).integers(0, 256, (120, 96, 96, 3), np.uint8), 24)
    save_template(folder / "a", Scene(clip, clip, *(Masks.constant(0, 120, 96, 96),) * 2), clip)


def hash_frames(path: Path) -> str:
    """The pixels of a video."""
    from mimo_core.media.clip import Clip

    digest = hashlib.sha256()
    for frame in Clip.from_file(path):
        digest.update(frame.tobytes())
    return digest.hexdigest()


def hash_tensors(path: Path) -> str:
    """The tensors of a safetensors file."""
    from safetensors import safe_open

    digest = hashlib.sha256()
    with safe_open(path, "np") as file:
        for name in sorted(file.keys()):
            digest.update(name.encode() + file.get_tensor(name).tobytes())
    return digest.hexdigest()


def _hash_motion(path: Path) -> str:
    """The arrays of all motions beside the last one."""
    digest = hashlib.sha256()
    for file in sorted(path.parent.glob("[!.]*")):
        digest.update(file.name.encode() + (b"" if file.suffix == ".npz" else file.read_bytes()))
    with np.load(path, allow_pickle=False) as arrays:
        for name in sorted(arrays.files):
            digest.update(name.encode() + arrays[name].tobytes())
    return digest.hexdigest()


def _hash_template(path: Path) -> str:
    videos = "".join(hash_frames(file) for file in sorted(path.glob("*.mp4")))
    return hashlib.sha256((path / "config.json").read_bytes() + videos.encode()).hexdigest()


JOBS = {
    "replace": KilledJob(_replace, "a.mp4", hash_frames),
    "animate": KilledJob(_animate, "a.mp4", hash_frames),
    "animate --resume": KilledJob(_animate_in_segments, "a.mp4", hash_frames),
    "animate --work, join": KilledJob(_draw_work, "a.mp4", hash_frames, is_alone=False),
    "train": KilledJob(_train, "tiny.safetensors", hash_tensors, is_alone=False),
    "save motions": KilledJob(_save_motion, "last.npz", _hash_motion, is_alone=False),
    "save template": KilledJob(_save_template, "a", _hash_template),
}
