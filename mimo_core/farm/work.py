"""Work folders: a job with everything that comes before drawing, so that any machine can draw a part of it.

The estimator and the separator look at a clip as a whole (tracks are smoothed over it, the plate collects what any
frame shows), so a job is prepared once, on one machine. Only drawing is cut into segments.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import astuple, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from .. import __version__
from ..errors import InputError
from ..identity.bust import Bust
from ..identity.identity import Identity
from ..identity.joints import PictureJoints
from ..media.clip import Clip, Masks, Sound
from ..media.fades import Fade
from ..motion.files import load_motion, save_motion
from ..motion.motion import Motion
from ..output import whole_folder
from ..progress import Progress, scale_progress, silent
from ..scene.scene import Scene
from .lossless import LosslessFrames, write_lossless


FORMAT = "mimo work 1"
WORK_FILE = "work.json"  # written last: a folder without it is not a work folder
SEGMENTS = "segments"
LAYER_FILES = {"source": "source.mkv", "plate": "plate.mkv", "person": "person.mkv", "occluder": "occluder.mkv"}
FADED_FILE = "faded.mkv"
WORK_FILES = {
    WORK_FILE, SEGMENTS, FADED_FILE, *LAYER_FILES.values(), "motion.safetensors", "identity.safetensors",
    "body.safetensors", "sound",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Work:
    """A prepared job: F frames of a character's motion in a scene."""

    identity: Identity
    motion: Motion
    scene: Scene
    fps: Fraction
    sound: Sound | None
    color_match: str
    settings: dict[str, object]  # of the decoder, as JSON values
    key: str  # of the inputs and settings
    segments: int = 0
    notes: tuple[str, ...] = ()
    fade: Fade | None = None  # of the clip, which the joined frames get again; the scene has none

    @property
    def frames(self) -> int:
        return self.motion.frames


def write_work(folder: Path, work: Work, *, progress: Progress = silent) -> None:
    """Write a prepared job to a folder, all of it or nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder, of=WORK_FILES) as partial:
        _write_layers(partial, work.scene, progress)
        save_motion(partial / "motion.safetensors", work.motion)
        _write_identity(partial, work.identity)
        has_sound = _write_sound(partial, work.sound)
        if work.fade is not None:
            write_lossless(partial / FADED_FILE, work.fade.dark)
        (partial / SEGMENTS).mkdir()
        about = {
            "format": FORMAT,
            "version": __version__,
            "key": work.key,
            "frames": work.frames,
            "segments": work.segments,
            "fps": str(work.fps),
            "size": [work.scene.width, work.scene.height],
            "is_still": work.scene.is_still,
            "has_occluder": not work.scene.occluder.is_blank,
            "sound": has_sound,
            "color_match": work.color_match,
            "settings": work.settings,
            "notes": list(work.notes),
            "identity_notes": list(work.identity.notes),
            "gains": [] if work.fade is None else work.fade.gains.tolist(),
        }
        (partial / WORK_FILE).write_text(json.dumps(about, indent=1), "utf-8")


def is_work(folder: Path) -> bool:
    """Whether a folder holds a prepared job."""
    return (folder / WORK_FILE).is_file()


def read_about(folder: Path) -> dict:
    """What `work.json` says. Raises InputError if the folder is none of ours or of another format."""
    try:
        about = json.loads((folder / WORK_FILE).read_text("utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{folder} is not a work folder. Prepare one: replace --character FILE --video FILE --work {folder}"
        ) from None
    except ValueError as error:
        raise InputError(f"{folder / WORK_FILE} is damaged: {error}. Prepare the work folder again.") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise InputError(f"{folder} is a work folder of another version. Prepare it again with this one.")
    return about


def open_work(folder: Path) -> Work:
    """The job that lies in a work folder; frames stay on disk. Raises InputError."""
    about = read_about(folder)
    scene = _open_scene(folder, about)
    fps = Fraction(about["fps"])
    sound = None
    if about["sound"] == "file":
        sound = Sound(file=str(folder / "sound"))
    elif about["sound"]:
        sound = _read_samples(folder)
    return Work(
        _read_identity(folder, tuple(about["identity_notes"])),
        load_motion(folder / "motion.safetensors"),
        replace(scene, source=replace(scene.source, fps=fps, sound=sound)),
        fps,
        sound,
        about["color_match"],
        about["settings"],
        about["key"],
        about["segments"],
        tuple(about["notes"]),
        _open_fade(folder, about),
    )


def _write_layers(folder: Path, scene: Scene, progress: Progress) -> None:
    for number, (name, file) in enumerate(LAYER_FILES.items()):
        layer = getattr(scene, name)
        if name == "occluder" and scene.occluder.is_blank:
            continue
        part = scale_progress(progress, number, len(LAYER_FILES))
        write_lossless(folder / file, layer, total=len(layer), progress=part)


def _open_scene(folder: Path, about: dict) -> Scene:
    (width, height), count = about["size"], 1 if about["is_still"] else about["frames"]
    source, plate = (
        Clip(LosslessFrames(folder / LAYER_FILES[name], count, (height, width, 3)), Fraction(about["fps"]))
        for name in ("source", "plate")
    )
    person = Masks(LosslessFrames(folder / LAYER_FILES["person"], count, (height, width)))
    if about["has_occluder"]:
        occluder = Masks(LosslessFrames(folder / LAYER_FILES["occluder"], count, (height, width)))
    else:
        occluder = Masks.constant(0, count, height, width)
    return Scene(source, plate, person, occluder, is_still=about["is_still"])


def _open_fade(folder: Path, about: dict) -> Fade | None:
    gains, (width, height) = np.array(about.get("gains", ())), about["size"]
    if not len(gains):
        return None
    frames = LosslessFrames(folder / FADED_FILE, int((gains < 1).sum()), (height, width, 3))
    return Fade(gains, Clip(frames, Fraction(about["fps"])))


def _write_identity(folder: Path, identity: Identity) -> None:
    """Pictures and mattes, and the body that was fitted to them, where there is one."""
    from safetensors.numpy import save_file

    arrays = {"picture": identity.picture, "matte": identity.matte}
    if identity.back is not None:
        arrays |= {"back_picture": identity.back[0], "back_matte": identity.back[1]}
    if identity.joints is not None:
        arrays["joints"] = identity.joints.pixels
    if identity.bust is not None:
        arrays["bust"] = np.array(astuple(identity.bust))
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "identity.safetensors")
    if identity.motion is not None:
        save_motion(folder / "body.safetensors", identity.motion)


def _read_identity(folder: Path, notes: tuple[str, ...]) -> Identity:
    from safetensors.numpy import load_file

    arrays = load_file(folder / "identity.safetensors")
    body = folder / "body.safetensors"
    back = (arrays["back_picture"], arrays["back_matte"]) if "back_picture" in arrays else None
    motion = load_motion(body) if body.is_file() else None
    joints = PictureJoints(arrays["joints"]) if "joints" in arrays else None
    bust = Bust(*arrays["bust"].tolist()) if "bust" in arrays else None
    return Identity(arrays["picture"], arrays["matte"], motion, back=back, joints=joints, bust=bust, notes=notes)


def _write_sound(folder: Path, sound: Sound | None) -> str:
    """Keep the sound: the file that holds it as it is, so that its packets can be copied, or its samples."""
    from safetensors.numpy import save_file

    if sound is None:
        return ""
    if sound.file is None:
        rate = np.array([sound.rate], np.int64)
        save_file({"samples": np.ascontiguousarray(sound.samples, np.float32), "rate": rate}, folder / "sound")
        return "samples"
    if isinstance(sound.file, bytes):
        (folder / "sound").write_bytes(sound.file)
    else:
        shutil.copyfile(sound.file, folder / "sound")
    return "file"


def _read_samples(folder: Path) -> Sound:
    from safetensors.numpy import load_file

    arrays = load_file(folder / "sound")
    return Sound(samples=arrays["samples"], rate=int(arrays["rate"][0]))


def segment_file(folder: Path, number: int) -> Path:
    """Where the finished frames of a proxy's segment lie."""
    return folder / SEGMENTS / f"frames-{number:05d}.mkv"


def write_segment(folder: Path, number: int, frames, *, total: int = 0, progress: Progress = silent) -> None:
    """Write the frames (H, W, 3) of a segment, whole or not at all."""
    (folder / SEGMENTS).mkdir(exist_ok=True)
    write_lossless(segment_file(folder, number), frames, total=total, progress=progress)


def read_key(folder: Path) -> str:
    """The key of the inputs and settings that a work folder was prepared from."""
    return read_about(folder)["key"]
