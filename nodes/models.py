"""The folders of ComfyUI's models folder that the pack reads: `mimo` and `smpl`."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ..mimo_core.body.colors import LEARNED_NAME
from ..mimo_core.denoise import official_files
from ..mimo_core.denoise.checkpoints import OFFICIAL, name_network
from ..mimo_core.denoise.options import BUILT_IN_CHECKPOINT
from ..mimo_core.errors import InputError
from ..mimo_core.weights.files import format_command, get_models_folder


FOLDERS = {"mimo": {".npy", ".pth", ".safetensors"}, "smpl": {".npz", ".pkl", ".safetensors"}}
FETCHED_FOLDERS = ("vae", "clip_vision")  # folders of ComfyUI's own into which `fetch` puts something, too
LEARN = "Run Learn Body Colors to learn them"  # in messages
BUILT_IN_NAME = "mimo-tiny (built in)"


def register_folders() -> None:
    """Make the folders known, and keep what the user added in extra_model_paths.yaml."""
    for name, suffixes in FOLDERS.items():
        folder_paths.add_model_folder_path(name, os.path.join(folder_paths.models_dir, name))
        folder_paths.add_model_folder_path(name, str(get_models_folder() / name))  # where `fetch` puts files
        paths, known = folder_paths.folder_names_and_paths[name]
        folder_paths.folder_names_and_paths[name] = (paths, set(known) | suffixes)
    for name in FETCHED_FOLDERS:
        folder_paths.add_model_folder_path(name, str(get_models_folder() / name))


def list_checkpoints() -> list[str]:
    """What Load MIMO offers: the one that ships, merged files, and the first of each four official ones."""
    names = [Path(name) for name in folder_paths.get_filename_list("mimo")]
    official = [name for name in names if name_network(name) == OFFICIAL[0]]
    merged = [
        name
        for name in names
        if name.suffix == ".safetensors" and name_network(name) is None and name.stem != Path(LEARNED_NAME).stem
    ]
    return [BUILT_IN_NAME, *(name.as_posix() for name in merged + official)]


def locate_checkpoint(name: str) -> Path:
    """Where a listed checkpoint lies."""
    if name == BUILT_IN_NAME:
        path = BUILT_IN_CHECKPOINT
        if not path.is_file():
            raise InputError(f"{path} is missing: the pack is not whole. Install it again.")
        return path
    if name not in list_checkpoints():
        raise InputError(
            f"There is no MIMO checkpoint {name} in models/mimo. Get the official files with "
            f"{format_command('fetch', 'mimo')}, or copy {', '.join(f'{part}.pth' for part in OFFICIAL)} or a merged "
            f"file to models/mimo, and press R. Or choose {BUILT_IN_NAME}."
        )
    return Path(folder_paths.get_full_path_or_raise("mimo", name))


def find_official_body():
    """The SMPL body and the official colour table (V, 3), else the free body and learned colours."""
    folders = (folder_paths.get_folder_paths(name) for name in ("mimo", "smpl"))
    return official_files.open_official_body(*folders, learn=LEARN)


def find_learned_body():
    """The free body and the official colours as Learn Body Colors found them."""
    return official_files.open_learned_body(folder_paths.get_folder_paths("mimo"), learn=LEARN)


def find_edge_masks():
    """The official edge masks (H, W) uint8 by name."""
    return official_files.read_edge_masks(folder_paths.get_folder_paths("mimo"))
