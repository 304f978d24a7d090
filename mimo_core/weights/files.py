"""Every weight file: where it lies, where it comes from, under which licence, and what works without it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


ASSETS = Path(__file__).parents[1] / "assets"
HUGGING_FACE = ("huggingface.co", "hf.co")  # files lie on a content network below either
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
    url: str = ""  # empty: must be got by hand at `source`
    hosts: tuple[str, ...] = HUGGING_FACE  # where `url` may redirect to; subdomains included
    size: str = ""
    sha256: str = ""  # empty: no hash is published, so none is pinned

    @property
    def ships(self) -> bool:
        return not self.group

    @property
    def pinned(self) -> str:
        return self.sha256 or "not pinned"


def _official(file: str, size: str) -> WeightFile:
    return WeightFile(
        name=file,
        path=f"mimo/{file}",
        without="the proxy decoder; any merged MIMO checkpoint",
        licence=NOT_STATED,
        source="https://huggingface.co/menyifang/MIMO",
        group="mimo",
        url=f"https://huggingface.co/menyifang/MIMO/resolve/main/{file}",
        size=size,
    )


FILES = (
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
        url="https://huggingface.co/stabilityai/sd-vae-ft-mse/resolve/main/diffusion_pytorch_model.safetensors",
        size="0.3 GB",
    ),
    WeightFile(
        name="sd-image-variations.bin",
        path="clip_vision/sd-image-variations.bin",
        without="the proxy decoder",
        licence=OPENRAIL,
        source="https://huggingface.co/lambdalabs/sd-image-variations-diffusers/tree/main/image_encoder",
        group="mimo",
        url="https://huggingface.co/lambdalabs/sd-image-variations-diffusers/resolve/main/image_encoder/pytorch_model.bin",
        size="1.2 GB",
    ),
    WeightFile(
        name="sdc_info.npy",
        path="mimo/sdc_info.npy",
        without="body-code videos of official templates",
        licence=NOT_STATED,
        source="https://huggingface.co/menyifang/MIMO_VidDecomp",
        group="mimo",
        url="https://huggingface.co/menyifang/MIMO_VidDecomp/resolve/main/assets/sdc_info.npy",
    ),
    WeightFile(
        name="SMPL or SMPL-H body",
        path="smpl",
        without="the free body; the official weights then animate official templates only",
        licence="non-commercial, by registration",
        source="https://smpl.is.tue.mpg.de",
        group="smpl",
    ),
    WeightFile(
        name="Stable Diffusion 1.5 UNet",
        path="mimo/sd15_unet.safetensors",
        without="everything but the start of a training",
        licence=OPENRAIL,
        source="https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5",
        group="sd15",
        url="https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main/unet/"
        "diffusion_pytorch_model.safetensors",
        size="3.4 GB in float32",
    ),
)


def models_folder() -> Path:
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


def locate(entry: WeightFile, folders: Iterable[Path] = ()) -> Path | None:
    """The file or folder of an entry, in the assets if it ships, else in `folders` and then `models_folder`."""
    for folder in (ASSETS,) if entry.ships else (*folders, models_folder()):
        path = Path(folder) / entry.path
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            return path
    return None


def command(*words: str) -> str:
    """A command of this package as one line that works in any shell and environment."""
    return f'`cd "{ASSETS.parent.parent}" && "{sys.executable}" -m mimo_core {" ".join(words)}`'


def group(name: str) -> list[WeightFile]:
    """The files that `mimo fetch NAME` is about; empty for an unknown name."""
    return [entry for entry in FILES if entry.group == name]


def table() -> str:
    """All files as a Markdown table, for the README and the node help."""
    rows = ["| file | folder | source | licence | size | works without it |", "| --- | --- | --- | --- | --- | --- |"]
    for entry in FILES:
        folder = "in the package" if entry.ships else f"`models/{entry.path.rpartition('/')[0] or entry.path}`"
        rows.append(
            f"| {entry.name} | {folder} | {entry.source} | {entry.licence} | {entry.size or '-'} | {entry.without} |"
        )
    return "\n".join(rows)
