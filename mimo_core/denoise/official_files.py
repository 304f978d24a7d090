"""The files beside the official weights: the colour table, the SMPL body it belongs to, and the edge masks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..body.colors import read_official_colors
from ..body.files import BODY_SUFFIXES, open_body
from ..body.model import BodyModel
from ..errors import InputError
from .paste import EDGE_NAMES


def open_official_body(
    mimo: Iterable[Path], smpl: Iterable[Path], *, models: str = "models"
) -> tuple[BodyModel, Tensor]:
    """The SMPL or SMPL-H body and the official colour table (V, 3), from folders for MIMO and for bodies.

    Neutral bodies come before male and female ones. `models` is the name of the models folder in messages.
    Raises InputError that names the files which are not there.
    """
    table = next((file for file in _walk_files(mimo) if file.name == "sdc_info.npy"), None)
    bodies = [
        file for file in _walk_files(smpl) if file.suffix.lower() in BODY_SUFFIXES and "smplx" not in file.name.lower()
    ]
    body = min(bodies, key=lambda file: ("neutral" not in file.name.lower(), file.name), default=None)
    hints = {
        f"sdc_info.npy to {models}/mimo": table,
        f"an SMPL or SMPL-H file (.npz, .pkl or .safetensors) to {models}/smpl": body,
    }
    if missing := [hint for hint, file in hints.items() if file is None]:
        raise InputError(f"The official colours need files that are not there. Copy {' and '.join(missing)}.")
    return open_body(body), read_official_colors(table)


def read_edge_masks(mimo: Iterable[Path], *, models: str = "models") -> dict[str, NDArray]:
    """The official edge masks (H, W) uint8 by name: masks/alpha2_<name>.png in one of the folders for MIMO.

    Raises InputError if one is missing.
    """
    folders = [Path(folder, "masks") for folder in mimo]
    masks = {}
    for name in EDGE_NAMES:
        file = next((path for folder in folders if (path := folder / f"alpha2_{name}.png").is_file()), None)
        if file is None:
            raise InputError(
                f"alpha2_{name}.png is not in {models}/mimo/masks. Copy the release's folder assets/masks there, or "
                "set the behavior to fixed, which makes its own."
            )
        masks[name] = np.asarray(Image.open(file).convert("L"))
    return masks


def _walk_files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for root, _, names in os.walk(folder, followlinks=True):
            yield from (Path(root, name) for name in sorted(names))
