"""The contact sheet of `mimo bench tiny`: character, driver, proxy, what the network drew, and the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


SHEET_FRAMES = 3  # frames of a shot
TILE_GAP = 4


def write_tiny_sheet(out: Path, drawn: list) -> None:
    """A row for each of the shots: the character once, then some frames of driver, proxy, result and truth."""
    rows = [_make_row(one) for one in drawn]
    gap = np.full((TILE_GAP, rows[0].shape[1], 3), 255, np.uint8)
    Image.fromarray(np.concatenate([part for row in rows for part in (row, gap)][:-1])).save(out)


def _make_row(one) -> np.ndarray:
    frames = np.linspace(0, len(one.frames) - 1, SHEET_FRAMES + 2).astype(int)[1:-1]
    side = one.frames.shape[1]
    tiles = [np.asarray(Image.fromarray(one.character).resize((side, side), Image.Resampling.LANCZOS))]
    for clip in (one.driver, one.proxy, one.frames, one.truth.frames):
        tiles += [np.full((side, TILE_GAP, 3), 255, np.uint8), *clip[frames]]
    return np.concatenate(tiles, 1)
