"""Frames as small pictures on sheets, many to a file, so that a page can scrub through a clip."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..output import whole_file


ACROSS, DOWN = 5, 5  # pictures on a sheet
MOST = 900  # pictures of a clip; of longer ones every second, third ... frame is kept
QUALITY = 80


@dataclass(frozen=True)
class Grid:
    """How the frames of a clip lie on its sheets: row by row, `every` n-th frame, sheet after sheet."""

    width: int  # of a picture
    height: int
    every: int
    across: int = ACROSS
    down: int = DOWN

    @classmethod
    def of(cls, frames: int, width: int, height: int, longest: int) -> Grid:
        """The grid for a clip, its pictures at most `longest` pixels wide and high."""
        scale = min(1.0, longest / max(width, height))
        return cls(max(1, round(width * scale)), max(1, round(height * scale)), -(-frames // MOST))


def write_sheets(frames: Iterable[np.ndarray], folder: Path, name: str, grid: Grid, *, suffix: str = ".jpg") -> list:
    """Write frames (H, W, 3) uint8 as sheets `name`_0, `name`_1 ... into a folder; returns the files' names.

    .jpg is small, .png exact.
    """
    files, sheet, count = [], None, 0
    size = grid.across * grid.down
    for number, frame in enumerate(frames):
        if number % grid.every:
            continue
        place = count % size
        if place == 0:
            sheet = np.zeros((grid.down * grid.height, grid.across * grid.width, 3), np.uint8)
        row, column = divmod(place, grid.across)
        _shrink(frame, grid, sheet[row * grid.height :, column * grid.width :])
        count += 1
        if place == size - 1:
            files.append(_write_sheet(sheet, folder, name, len(files), suffix))
    if count % size:
        rows = -(-(count % size) // grid.across)
        files.append(_write_sheet(sheet[: rows * grid.height], folder, name, len(files), suffix))
    return files


def _shrink(frame: np.ndarray, grid: Grid, place: np.ndarray) -> None:
    import cv2

    place[: grid.height, : grid.width] = cv2.resize(frame, (grid.width, grid.height), interpolation=cv2.INTER_AREA)


def _write_sheet(sheet: np.ndarray, folder: Path, name: str, number: int, suffix: str) -> str:
    from PIL import Image

    file = f"{name}_{number}{suffix}"
    settings = {"quality": QUALITY} if suffix == ".jpg" else {"compress_level": 3}
    with whole_file(folder / file) as partial:
        Image.fromarray(sheet).save(partial, **settings)
    return file
