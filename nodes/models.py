"""The folders of ComfyUI's models folder that the pack reads: `mimo` and `smpl`."""

from __future__ import annotations

import os
from pathlib import Path

import folder_paths
import numpy as np
from PIL import Image

from ..mimo_core.body.colors import read_official_colors
from ..mimo_core.body.files import open_body
from ..mimo_core.denoise.checkpoints import OFFICIAL
from ..mimo_core.denoise.paste import EDGE_NAMES
from ..mimo_core.errors import InputError
from ..mimo_core.weights import command, models_folder


FOLDERS = {"mimo": {".npy", ".pth", ".safetensors"}, "smpl": {".npz", ".pkl", ".safetensors"}}
NO_CHECKPOINT = "(none in models/mimo)"
TABLE_HINT = "sdc_info.npy to models/mimo"
BODY_HINT = "an SMPL or SMPL-H file (.npz, .pkl or .safetensors) to models/smpl"


def register_folders() -> None:
    """Make the folders known, and keep what the user added in extra_model_paths.yaml."""
    for name, suffixes in FOLDERS.items():
        folder_paths.add_model_folder_path(name, os.path.join(folder_paths.models_dir, name))
        folder_paths.add_model_folder_path(name, str(models_folder() / name))  # where `fetch` puts files
        paths, known = folder_paths.folder_names_and_paths[name]
        folder_paths.folder_names_and_paths[name] = (paths, set(known) | suffixes)


def checkpoint_names() -> list[str]:
    """What Load MIMO offers: merged files, and the first of each four official ones. Never empty."""
    names = [Path(name) for name in folder_paths.get_filename_list("mimo")]
    official = [name for name in names if name.stem == OFFICIAL[0]]
    merged = [name for name in names if name.suffix == ".safetensors" and name.stem not in OFFICIAL]
    return [name.as_posix() for name in merged + official] or [NO_CHECKPOINT]


def checkpoint_path(name: str) -> Path:
    """Where a listed checkpoint lies."""
    if name not in checkpoint_names() or name == NO_CHECKPOINT:
        raise InputError(
            f"There is no MIMO checkpoint {name} in models/mimo. Get the official files with "
            f"{command('fetch', 'mimo')}, or copy {', '.join(f'{part}.pth' for part in OFFICIAL)} or a merged file to "
            "models/mimo, and press R."
        )
    return Path(folder_paths.get_full_path_or_raise("mimo", name))


def official_body_code():
    """The SMPL body and the official colour table (V, 3) of MIMO's body codes."""
    table = _first("mimo", lambda name: Path(name).name == "sdc_info.npy")
    body = _first("smpl", lambda name: "smplx" not in Path(name).name.lower())
    missing = [hint for found, hint in ((table, TABLE_HINT), (body, BODY_HINT)) if found is None]
    if missing:
        raise InputError(f"The official colours need files that are not there. Copy {' and '.join(missing)}.")
    return open_body(body), read_official_colors(table)


def edge_masks() -> dict[str, np.ndarray]:
    """The official edge masks (H, W) uint8 by name: alpha2_<name>.png in models/mimo/masks."""
    masks, folders = {}, [Path(folder, "masks") for folder in folder_paths.get_folder_paths("mimo")]
    for name in EDGE_NAMES:
        files = [path for folder in folders if (path := folder / f"alpha2_{name}.png").is_file()]
        if not files:
            raise InputError(
                f"alpha2_{name}.png is not in models/mimo/masks. Copy the release's folder assets/masks there, or set "
                "the behaviour to fixed, which makes its own."
            )
        masks[name] = np.asarray(Image.open(files[0]).convert("L"))
    return masks


def _first(folder: str, wanted) -> Path | None:
    """The first wanted file of a model folder; neutral bodies come before male and female ones."""
    names = [name for name in folder_paths.get_filename_list(folder) if wanted(name)]
    names.sort(key=lambda name: ("neutral" not in name.lower(), name))
    return Path(folder_paths.get_full_path_or_raise(folder, names[0])) if names else None
