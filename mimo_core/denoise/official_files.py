"""The files beside the official weights: the colour table and the SMPL body it belongs to, or colours that were learned
on the free body, and the edge masks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..body.colors import LEARNED_NAME, LearnedColors, read_learned_colors, read_official_colors
from ..body.files import BODY_SUFFIXES, open_body
from ..body.model import BodyModel, free_body
from ..errors import InputError
from .paste import EDGE_NAMES


def open_official_body(
    mimo: Iterable[Path], smpl: Iterable[Path], *, models: str = "models", learn: str = ""
) -> tuple[BodyModel, Tensor | LearnedColors]:
    """The SMPL or SMPL-H body and the official colour table (V, 3), from folders for MIMO and for bodies.

    Where one of them is missing, the free body and the official colours as they were learned on it. Neutral bodies come
    before male and female ones. `models` is the name of the models folder in messages, `learn` how to learn colors.
    Raises InputError that names the files which are not there.
    """
    mimo = list(mimo)
    table = next((file for file in _walk_files(mimo) if file.name == "sdc_info.npy"), None)
    bodies = [
        file for file in _walk_files(smpl) if file.suffix.lower() in BODY_SUFFIXES and "smplx" not in file.name.lower()
    ]
    body = min(bodies, key=lambda file: ("neutral" not in file.name.lower(), file.name), default=None)
    if table is not None and body is not None:
        return open_body(body), read_official_colors(table)
    learned = find_learned_colors(mimo)
    if learned is not None:
        return free_body(), read_learned_colors(learned)
    hints = {
        f"sdc_info.npy to {models}/mimo": table,
        f"an SMPL or SMPL-H file (.npz, .pkl or .safetensors) to {models}/smpl": body,
    }
    missing = [hint for hint, file in hints.items() if file is None]
    raise InputError(
        f"The official colors are not there. {learn or 'Learn them'} from an official scene template, which needs no "
        f"other file; or copy {' and '.join(missing)}."
    )


def open_learned_body(mimo: Iterable[Path], *, learn: str = "") -> tuple[BodyModel, LearnedColors]:
    """The free body and the official colours as they were learned on it. Raises InputError where none were."""
    learned = find_learned_colors(mimo)
    if learned is None:
        raise InputError(f"No colors were learned yet. {learn or 'Learn them'} from an official scene template.")
    return free_body(), read_learned_colors(learned)


def find_learned_colors(mimo: Iterable[Path]) -> Path | None:
    """The file of learned colors in one of the folders for MIMO."""
    return next((file for file in _walk_files(mimo) if file.name == LEARNED_NAME), None)


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
