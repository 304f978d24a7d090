"""The folders of ComfyUI's models folder that the pack reads: `mimo` and `smpl`."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths

from ..mimo_core.body.colors import read_official_colors
from ..mimo_core.body.files import open_body
from ..mimo_core.errors import InputError


FOLDERS = {"mimo": {".npy", ".safetensors"}, "smpl": {".npz", ".pkl", ".safetensors"}}
TABLE_HINT = "sdc_info.npy to models/mimo"
BODY_HINT = "an SMPL or SMPL-H file (.npz, .pkl or .safetensors) to models/smpl"


def register_folders() -> None:
    """Make the folders known, and keep what the user added in extra_model_paths.yaml."""
    for name, suffixes in FOLDERS.items():
        folder_paths.add_model_folder_path(name, os.path.join(folder_paths.models_dir, name))
        paths, known = folder_paths.folder_names_and_paths[name]
        folder_paths.folder_names_and_paths[name] = (paths, set(known) | suffixes)


def official_body_code():
    """The SMPL body and the official colour table (V, 3) of MIMO's body codes."""
    table = _first("mimo", lambda name: Path(name).name == "sdc_info.npy")
    body = _first("smpl", lambda name: "smplx" not in Path(name).name.lower())
    missing = [hint for found, hint in ((table, TABLE_HINT), (body, BODY_HINT)) if found is None]
    if missing:
        raise InputError(f"The official colours need files that are not there. Copy {' and '.join(missing)}.")
    return open_body(body), read_official_colors(table)


def _first(folder: str, wanted) -> Path | None:
    """The first wanted file of a model folder; neutral bodies come before male and female ones."""
    names = [name for name in folder_paths.get_filename_list(folder) if wanted(name)]
    names.sort(key=lambda name: ("neutral" not in name.lower(), name))
    return Path(folder_paths.get_full_path_or_raise(folder, names[0])) if names else None
