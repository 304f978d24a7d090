"""One job of the page: from files in the upload folder to a video, pictures of its layers, and a workflow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..media.clip import write_video
from ..media.picture import read_picture, write_picture
from ..motion.builtin import builtin_motion, builtin_names
from ..motion.files import load_motion
from ..motion.motion import Motion
from ..progress import Progress
from ..render.styles import render_motion
from ..replace import Decoder, Job, animate_character, replace_character
from ..scene.picture import scene_from_picture
from ..scene.scene import Scene
from .uploads import USUAL_LIMITS, Limits, check_upload, fit_limits, open_limited_clip, parse_page_color
from .workflow import GraphInputs, write_graph


CLIP, SHIPPED, MOTION_FILE = "a clip", "a motion that ships", "a motion file"
OWN_SCENE, PICTURE, COLOR = "the clip's own", "a picture", "a color"
MOTION_KINDS, SCENE_KINDS = (CLIP, SHIPPED, MOTION_FILE), (OWN_SCENE, PICTURE, COLOR)


@dataclass(frozen=True)
class PageRequest:
    """What a visitor asks for. Paths are as the browser named them: not to be trusted."""

    character: str | None
    motion_kind: str = CLIP
    video: str | None = None
    shipped: str = "walk"
    motion_file: str | None = None
    scene_kind: str = OWN_SCENE
    scene_picture: str | None = None
    color: str | None = "#ffffff"


@dataclass(frozen=True)
class PageResult:
    """Files in the job's folder, and what there is to say."""

    video: Path
    layers: tuple[tuple[Path, str], ...]
    workflow: Path
    notes: tuple[str, ...]


def run_page_job(
    request: PageRequest,
    uploads: Path,
    folder: Path,
    *,
    limits: Limits = USUAL_LIMITS,
    decoder: Decoder | None = None,
    progress_of: Callable[[str], Progress],
) -> PageResult:
    """Do what is asked for and write it to `folder`. Only files below `uploads` are read. Raises InputError."""
    _check_kinds(request)
    character_file = check_upload(request.character, "picture", uploads)
    if character_file is None:
        raise InputError("There is no picture of a character yet. Upload one.")
    character = read_picture(character_file)
    if request.motion_kind == CLIP:
        job, fps, sound, notes = _replace(request, character, uploads, limits, decoder, progress_of)
    else:
        job, fps, sound, notes = _animate(request, character, uploads, limits, decoder, progress_of)
    video = folder / "mimo.mp4"
    frames = (frame for frame, _ in job.drawn)
    write_video(video, frames, fps=fps, sound=sound, total=job.motion.frames, progress=progress_of("draw"))
    workflow = folder / "mimo_workflow.json"
    write_graph(workflow, _describe_inputs(request, character_file))
    return PageResult(video, _write_layers(folder, job), workflow, (*notes, *job.notes))


def _check_kinds(request: PageRequest) -> None:
    for name, value, known in (
        ("motion", request.motion_kind, MOTION_KINDS),
        ("scene", request.scene_kind, SCENE_KINDS),
        ("motion that ships", request.shipped, builtin_names()),
    ):
        if value not in known:
            raise InputError(f"The {name} is one of {', '.join(known)}.")


def _replace(request: PageRequest, character, uploads: Path, limits: Limits, decoder, progress_of):
    path = check_upload(request.video, "video", uploads)
    if path is None:
        raise InputError("There is no clip yet. Upload one, or choose a motion that ships.")
    clip, notes = open_limited_clip(path, limits, progress_of("open"))
    scene = None
    if request.scene_kind != OWN_SCENE:
        scene = _make_scene(request, uploads, clip.width, clip.height, clip.fps)
    job = replace_character(clip, character, scene=scene, decoder=decoder, progress_of=progress_of)
    if scene is None:
        notes = (*notes, job.scene.report.text())
    return job, clip.fps, clip.sound, notes


def _animate(request: PageRequest, character, uploads: Path, limits: Limits, decoder, progress_of):
    if request.motion_kind == SHIPPED:
        motion = builtin_motion(request.shipped)
    else:
        path = check_upload(request.motion_file, "motion", uploads)
        if path is None:
            raise InputError("There is no motion file yet. Upload one, or choose a motion that ships.")
        motion = load_motion(path)
    motion, notes = _limit_motion(motion, limits)
    scene = _make_scene(request, uploads, *motion.camera.size, motion.fps)
    job = animate_character(character, motion, scene, decoder=decoder, progress_of=progress_of)
    return job, Fraction(motion.fps).limit_denominator(1001), None, notes


def _limit_motion(motion: Motion, limits: Limits) -> tuple[Motion, tuple[str, ...]]:
    notes, most = [], max(1, int(limits.seconds * motion.fps))
    if motion.frames > most:
        notes.append(f"The motion was cut from {motion.frames / motion.fps:.1f} to {limits.seconds:g} seconds.")
        motion = motion[:most]
    size = fit_limits(*motion.camera.size, limits)
    if size != tuple(motion.camera.size):
        motion = dataclasses.replace(motion, camera=motion.camera.reframe(*size))
    return motion, tuple(notes)


def _make_scene(request: PageRequest, uploads: Path, width: int, height: int, fps) -> Scene:
    size = {"width": width, "height": height, "fps": fps}
    if request.scene_kind == PICTURE:
        path = check_upload(request.scene_picture, "picture", uploads)
        if path is None:
            raise InputError("There is no picture of the scene yet. Upload one, or choose a color.")
        return scene_from_picture(read_picture(path), **size)
    if request.scene_kind == OWN_SCENE:  # of a motion, which has none
        return scene_from_picture(None, **size)
    return scene_from_picture(None, color=parse_page_color(request.color), **size)


def _write_layers(folder: Path, job: Job) -> tuple[tuple[Path, str], ...]:
    """Pictures of the middle frame's layers, each with its name."""
    middle = job.motion.frames // 2
    at = 0 if job.scene.is_still else middle
    size = (job.scene.width, job.scene.height)
    code, _ = next(render_motion(job.motion[middle : middle + 1], size=size))
    pictures = {"body code": code, "plate": job.scene.plate[at], "character": job.identity.picture}
    if not job.scene.is_still:
        pictures |= {
            "source": job.scene.source[at],
            "person": _as_gray(job.scene.person[at]),
            "in front": _as_gray(job.scene.occluder[at]),
        }
    written = []
    for name, picture in pictures.items():
        path = folder / f"layer_{name.replace(' ', '_')}.png"
        write_picture(path, picture)
        written.append((path, name))
    return tuple(written)


def _as_gray(mask: np.ndarray) -> np.ndarray:
    return np.repeat(mask[..., None], 3, -1)


def _describe_inputs(request: PageRequest, character: Path) -> GraphInputs:
    """The workflow's inputs, by the names of the files that were uploaded."""

    def name_of(path: str | None) -> str:
        return Path(path).name if path else ""

    if request.motion_kind == CLIP:
        video, motion = name_of(request.video), ""
    else:
        video = ""
        motion = f"{request.shipped} [built in]" if request.motion_kind == SHIPPED else name_of(request.motion_file)
    scene = name_of(request.scene_picture) if request.scene_kind == PICTURE else ""
    color = "" if request.scene_kind != COLOR else "#{:02x}{:02x}{:02x}".format(*parse_page_color(request.color))
    return GraphInputs(character.name, video, motion, scene, color)
