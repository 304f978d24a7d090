"""The layers of a scene for the page that reviews them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..progress import Progress, silent, track_progress
from ..scene.review import ReviewedScene
from .tiles import Grid, write_sheets


LAYER_LONGEST = 448  # pixels of a picture's longer side


def write_layers_view(reviewed: ReviewedScene, folder: Path, *, progress: Progress = silent) -> dict:
    """Write source, plate and masks of a scene as sheets into a folder, and describe them in a few numbers.

    The sheets of the masks hold the person in red and the occluder in green. Frames in doubt, painted on and carried
    to come as runs of first and last frame.
    """
    scene = reviewed.scene
    grid = Grid.of(scene.frames, scene.width, scene.height, LAYER_LONGEST)
    layers = (("source", scene.source, ".jpg"), ("plate", scene.plate, ".jpg"), ("masks", _color_masks(scene), ".png"))
    total, files = len(layers) * scene.frames, {}
    for number, (name, frames, suffix) in enumerate(layers):
        done = number * scene.frames

        def report(count, _, preview=None, done=done):
            progress(done + count, total)

        files[name] = write_sheets(track_progress(frames, scene.frames, report), folder, name, grid, suffix=suffix)
    doubts: dict[str, list[int]] = {}
    for doubt in scene.report.doubts:
        doubts.setdefault(doubt.reason, []).append(doubt.frame)
    return {
        "frames": scene.frames,
        "fps": float(scene.fps),
        "size": [scene.width, scene.height],
        "grid": vars(grid),
        "files": files,
        "doubts": {reason: group_frames(frames) for reason, frames in doubts.items()},
        "painted": group_frames(reviewed.painted),
        "carried": group_frames(reviewed.propagated),
    }


def _color_masks(scene):
    for person, occluder in zip(scene.person, scene.occluder, strict=True):
        yield np.dstack([person, occluder, np.zeros_like(person)])


def group_frames(frames) -> list[list[int]]:
    """Ascending frame numbers as [first, last] of each run."""
    found: list[list[int]] = []
    for frame in frames:
        if found and frame <= found[-1][1] + 1:
            found[-1][1] = frame
        else:
            found.append([frame, frame])
    return found
