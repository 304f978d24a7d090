"""Every weight file: where it lies, where it comes from, under which licence, and what works without it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


ASSETS = Path(__file__).parents[1] / "assets"
NOT_STATED = "not stated for the weights (the code is Apache-2.0)"
OPENRAIL = "CreativeML OpenRAIL-M"


@dataclass(frozen=True)
class WeightFile:
    """One file. `path` is below the models folder, or below the assets for what ships."""

    name: str
    path: str
    without: str  # what works when it is missing
    licence: str
    source: str = "ships with this package"
    group: str = ""  # the NAME of `mimo fetch NAME`
    repository: str = ""  # on the Hugging Face hub; empty: must be got by hand at `source`
    remote_path: str = ""  # of the file in its repository
    size: str = ""
    archive: str = ""  # address of a .tgz that holds the file as `remote_path`
    sha256: str = ""  # of the file, where an archive states none

    @property
    def ships(self) -> bool:
        return not self.group


def _official(file: str, size: str) -> WeightFile:
    return WeightFile(
        name=file,
        path=f"mimo/{file}",
        without="the proxy decoder; any merged MIMO checkpoint",
        licence=NOT_STATED,
        source="https://huggingface.co/menyifang/MIMO",
        group="mimo",
        repository="menyifang/MIMO",
        remote_path=file,
        size=size,
    )


WEIGHT_FILES = (
    WeightFile("body.safetensors", "body.safetensors", "nothing", "Apache-2.0, data CC0"),
    WeightFile("blazepose", "blazepose", "motions from files, masks at the sockets", "Apache-2.0"),
    WeightFile("mimo-tiny.safetensors", "mimo-tiny.safetensors", "the proxy; any MIMO checkpoint", "Apache-2.0"),
    _official("denoising_unet.pth", "3.4 GB in float32"),
    _official("motion_module.pth", "1.8 GB in float32"),
    _official("reference_unet.pth", "3.4 GB in float32"),
    _official("pose_guider.pth", "4 MB in float32"),
    WeightFile(
        name="sd-vae-ft-mse.safetensors",
        path="vae/sd-vae-ft-mse.safetensors",
        without="any other VAE of Stable Diffusion 1.5",
        licence="MIT",
        source="https://huggingface.co/stabilityai/sd-vae-ft-mse",
        group="mimo",
        repository="stabilityai/sd-vae-ft-mse",
        remote_path="diffusion_pytorch_model.safetensors",
        size="0.3 GB",
    ),
    WeightFile(
        name="sd-image-variations.bin",
        path="clip_vision/sd-image-variations.bin",
        without="the proxy decoder",
        licence=OPENRAIL,
        source="https://huggingface.co/lambdalabs/sd-image-variations-diffusers/tree/main/image_encoder",
        group="mimo",
        repository="lambdalabs/sd-image-variations-diffusers",
        remote_path="image_encoder/pytorch_model.bin",
        size="1.2 GB",
    ),
    WeightFile(
        name="sdc_info.npy",
        path="mimo/sdc_info.npy",
        without="body-code videos of official templates",
        licence=NOT_STATED,
        source="https://huggingface.co/menyifang/MIMO_VidDecomp",
        group="mimo",
        repository="menyifang/MIMO_VidDecomp",
        remote_path="assets/sdc_info.npy",
    ),
    WeightFile(
        name="pose_landmark_heavy.tflite",
        path="mimo/pose_landmark_heavy.tflite",
        without="the estimator blazepose, which ships",
        licence="Apache-2.0",
        source="https://www.npmjs.com/package/@mediapipe/pose",
        group="blazepose",
        archive="https://registry.npmjs.org/@mediapipe/pose/-/pose-0.5.1675469404.tgz",
        remote_path="package/pose_landmark_heavy.tflite",
        sha256="59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
        size="28 MB",
    ),
    WeightFile(
        name="SMPL or SMPL-H body",
        path="smpl",
        without="the free body; official weights read your clips in colors learned by `mimo colors`",
        licence="non-commercial, by registration",
        source="https://smpl.is.tue.mpg.de",
        group="smpl",
    ),
)


def get_models_folder() -> Path:
    """Where weights lie outside ComfyUI: $MIMO_MODELS, else a folder `mimo` in the user's cache."""
    if named := os.environ.get("MIMO_MODELS"):
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mimo"


def locate_weights(entry: WeightFile, folders: Iterable[Path] = ()) -> Path | None:
    """The file or folder of an entry, in the assets if it ships, else in `folders` and then `get_models_folder`."""
    for folder in (ASSETS,) if entry.ships else (*folders, get_models_folder()):
        path = Path(folder) / entry.path
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            return path
    return None


def format_command(*words: str) -> str:
    """A command of this package as one line that works in any shell and environment."""
    return f'`cd "{ASSETS.parent.parent}" && "{sys.executable}" -m mimo_core {" ".join(words)}`'


def list_group(name: str) -> list[WeightFile]:
    """The files that `mimo fetch NAME` is about; empty for an unknown name."""
    return [entry for entry in WEIGHT_FILES if entry.group == name]
