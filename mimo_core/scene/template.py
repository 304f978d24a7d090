"""Official template folders: vid, sdc, bk and occ as mp4, and config.json. Section 1 of the specification."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..media.clip import Clip, Masks, write_video
from ..output import whole_folder
from ..progress import Progress, silent
from .scene import Scene
from .template_rules import TEMPLATE_FPS, resample_indices, time_crop


LONGEST_CONFIG = 1 << 20  # bytes of a config.json that are read; ours has 120
SLOWEST_FPS, FASTEST_FPS = 1.0, 240.0
FARTHEST_INDEX = 10**7  # of a time crop: four days at 30 frames a second


def load_template(folder: Path, *, progress: Progress = silent) -> tuple[Scene, Clip]:
    """(scene, body code) of a template: its frame rate and time crop, at most 150 frames.

    Without occ nothing hides. Raises InputError for a folder that lacks files or whose config.json cannot be read.
    """
    folder = folder.resolve()  # "." has no name
    config = _read_template_config(folder)
    layers = {name: _read_template_video(folder, name, config, progress) for name in ("vid", "sdc", "bk", "occ")}
    if absent := [f"{name}.mp4" for name in ("vid", "sdc", "bk") if layers[name] is None]:
        raise InputError(f"The template {folder.name} lacks {', '.join(absent)}. Copy the whole folder.")
    vid, occ = layers["vid"], layers["occ"]
    shape = (len(vid), vid.height, vid.width)
    nothing = Masks.constant(0, *shape)
    # The occluder's alpha is the first channel, as officially.
    occluder = nothing if occ is None else Masks.from_frames(np.ascontiguousarray(frame[..., 0]) for frame in occ)
    return Scene(vid, layers["bk"], nothing, occluder), layers["sdc"]


def save_template(folder: Path, scene: Scene, body_code: Clip, *, progress: Progress = silent) -> None:
    """Write a scene and its body code as a template of the scene's frame rate, all of it or nothing.

    Raises InputError if the folder exists, or where the lengths differ.
    """
    if len(body_code) != scene.frames:
        raise InputError(f"The body code has {len(body_code)} frames, the scene {scene.frames}. Give both one length.")
    if folder.exists():
        raise InputError(f"{folder} exists already. Give the template another name.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder, of=set()) as partial:
        _write_template(partial, scene, body_code, progress)


def _write_template(folder: Path, scene: Scene, body_code: Clip, progress: Progress) -> None:
    grey = (np.repeat(mask[..., None], 3, -1) for mask in scene.occluder)
    layers = {"vid": scene.source, "sdc": body_code, "bk": scene.plate, "occ": grey}
    for name, frames in layers.items():
        write_video(folder / f"{name}.mp4", frames, fps=scene.fps, total=scene.frames, progress=progress)
    # Indices of a time crop count at 30 fps, whatever the template's rate.
    end = -(-scene.frames * TEMPLATE_FPS // scene.fps)
    config = {"fps": float(scene.fps), "time_crop": {"start_idx": 0, "end_idx": int(end)}}
    (folder / "config.json").write_text(json.dumps(config | {"frame_crop": None, "layer_recover": True}, indent=1))


def _read_template_config(folder: Path) -> dict:
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(f"The template {folder.name} lacks config.json. Copy the whole folder.")
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(LONGEST_CONFIG))
        crop = config["time_crop"]
        read = {"fps": float(config["fps"]), "start": int(crop["start_idx"]), "end": int(crop["end_idx"])}
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"config.json of {folder.name} needs fps and time_crop with start_idx and end_idx.") from error
    if not SLOWEST_FPS <= read["fps"] <= FASTEST_FPS:
        raise InputError(
            f"config.json of {folder.name} has fps {read['fps']:g}. Give one from {SLOWEST_FPS:g} to {FASTEST_FPS:g}."
        )
    if max(abs(read["start"]), abs(read["end"])) > FARTHEST_INDEX:
        raise InputError(
            f"config.json of {folder.name} crops from {read['start']} to {read['end']}; "
            f"indices lie within {FARTHEST_INDEX}."
        )
    return read


def _read_template_video(folder: Path, name: str, config: dict, progress: Progress) -> Clip | None:
    path = folder / f"{name}.mp4"
    if not path.is_file():
        return None
    clip = Clip.from_file(path, progress=progress)
    kept = resample_indices(float(clip.fps), config["fps"], len(clip))
    cropped = [kept[index] for index in time_crop(config["fps"], config["start"], config["end"], len(kept))]
    if not cropped:
        raise InputError(f"The time crop of {folder.name} leaves no frame of {path.name}. Mend config.json.")
    return clip.select(cropped, Fraction(config["fps"]).limit_denominator(1001))
