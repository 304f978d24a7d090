"""Every weight file: where it lies, where it comes from, under which licence, and what works without it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError


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
    sha256: str = ""  # of the file, where its archive or the pinned revision of its repository says which one it is
    revision: str = ""  # commit of the repository; empty: the newest
    files: tuple[tuple[str, str], ...] = ()  # of a folder: names in the repository, each with its SHA-256 or ""

    @property
    def ships(self) -> bool:
        return not self.group

    def list_parts(self) -> list[WeightFile]:
        """The files of a folder as entries of their own; a file is its only part."""
        return [
            replace(
                self, name=f"{self.name}/{name}", path=f"{self.path}/{name}", remote_path=name, sha256=digest, files=()
            )
            for name, digest in self.files
        ] or [self]


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


def _transformers_folder(
    path: str,
    repository: str,
    revision: str,
    sha256: str,
    *,
    group: str,
    size: str,
    without: str,
    settings: tuple[str, ...] = ("config.json", "preprocessor_config.json"),
) -> WeightFile:
    """A network of transformers: its weights, which are pinned, and its small settings."""
    return WeightFile(
        name=repository.rpartition("/")[2],
        path=path,
        without=without,
        licence="Apache-2.0",
        source=f"https://huggingface.co/{repository}",
        group=group,
        repository=repository,
        revision=revision,
        files=(*((name, "") for name in settings), ("model.safetensors", sha256)),
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
    _transformers_folder(
        "mimo/vitpose",
        "usyd-community/vitpose-base-simple",
        "a93ac0c67e0b7e2c55287d21d4c460c8f3c54d45",
        "85375373893ddd3641f3912821073e53f5435f9e966e1dca59d004454bfe4fdf",
        group="vitpose",
        size="344 MB",
        without="the estimator blazepose, which ships",
    ),
    _transformers_folder(
        "mimo/person_detector",
        "ustc-community/dfine-small-coco",
        "f79e65b5fbb33ceb9d3ebba042955d7410c608f8",
        "a144baff3a27bfd538fe37b11fa8d4fca5744b8c054b5301e7c699a1379cd18f",
        group="vitpose",
        size="41 MB",
        without="the estimator blazepose, which ships",
    ),
    _transformers_folder(
        "mimo/edgetam",
        "yonigozlan/EdgeTAM-hf",
        "c266ce53b3fc00f0f495b583f6a116c4e57f53bb",
        "8858f8e4757b0b96dab8763f296ecffd845efbbbf698f64163cfa20a63d5fff4",
        group="edgetam",
        size="56 MB",
        without="classical masks",
        settings=("config.json",),
    ),
    _transformers_folder(
        "mimo/sam2",
        "facebook/sam2.1-hiera-tiny",
        "de431c4043854a71d8101e17995dfe596bf101a5",
        "48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7",
        group="sam2",
        size="156 MB",
        without="classical masks",
        settings=("config.json",),
    ),
    _transformers_folder(
        "mimo/depth_anything",
        "depth-anything/Depth-Anything-V2-Small-hf",
        "5426e4f0f36572d16453bbda7a8389317b1bef99",
        "3152477ce0d8d6978d76b995120de97cb5b928701fd0f817769f59e249a16b70",
        group="depth",
        size="99 MB",
        without="classical occluders; depth at the socket",
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
        if _is_whole(entry, path):
            return path
    return None


def locate_network(entry: WeightFile, mimo_folders: Iterable[Path] = ()) -> Path | None:
    """The same for an entry below `mimo`, looked for first in folders that are that folder, such as models/mimo."""
    below = Path(entry.path).relative_to("mimo")
    places = (Path(folder) / below for folder in mimo_folders)
    return next((path for path in places if _is_whole(entry, path)), None) or locate_weights(entry)


def require_network(path: str, mimo_folders: Iterable[Path], *, what: str, instead: str) -> Path:
    """Where the network of an entry of the weights' table lies. Raises InputError where it does not.

    `what` it is for begins the message, and what to choose `instead` ends it.
    """
    entry = find_entry(path)
    folder = locate_network(entry, mimo_folders)
    if folder is None:
        raise InputError(
            f"{what} needs {entry.name} ({entry.size}) in models/{entry.path}. Get it with "
            f"{format_command('fetch', entry.group)}, or choose {instead}."
        )
    return folder


def find_entry(path: str) -> WeightFile:
    """The entry of WEIGHT_FILES with this path."""
    return next(entry for entry in WEIGHT_FILES if entry.path == path)


def _is_whole(entry: WeightFile, path: Path) -> bool:
    """Whether a file, or a folder with all that it must have, is there."""
    if entry.files:
        return all((path / name).is_file() for name, _ in entry.files)
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def format_command(*words: str) -> str:
    """A command of this package as one line that works in any shell and environment."""
    return f'`cd "{ASSETS.parent.parent}" && "{sys.executable}" -m mimo_core {" ".join(words)}`'


def list_group(name: str) -> list[WeightFile]:
    """The files that `mimo fetch NAME` is about; empty for an unknown name."""
    return [entry for entry in WEIGHT_FILES if entry.group == name]
