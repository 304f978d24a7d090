"""What nodes hand to the viewers of the page: files in ComfyUI's temp folder, and where they lie."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import folder_paths

from ..mimo_core.media.clip import Clip
from ..mimo_core.motion.motion import Motion
from ..mimo_core.progress import Progress
from ..mimo_core.scene.review import ReviewedScene
from ..mimo_core.view.layers import write_layers_view
from ..mimo_core.view.motion import write_motion_view


def show_motion(motion: Motion, *, clip: Clip | None = None, people=(), progress: Progress) -> dict:
    """A motion for the viewer on its node, with the clip that it was seen in and the tracks of people found there."""

    def write(folder: Path) -> dict:
        return write_motion_view(motion, folder, clip=clip, people=people, progress=progress)

    return _write_view("mimo_motion", write)


def show_layers(reviewed: ReviewedScene, *, progress: Progress) -> dict:
    """The layers of a scene for Review Layers."""
    return _write_view("mimo_layers", lambda folder: write_layers_view(reviewed, folder, progress=progress))


def _write_view(name: str, write: Callable[[Path], dict]) -> dict:
    """What the page finds in the node's result under `name`. After Cancel or an error no file is left."""
    temp = folder_paths.get_temp_directory()
    Path(temp).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="mimo-view-", dir=temp))
    is_done = False
    try:
        described = write(folder)
        is_done = True
    finally:
        if not is_done:
            shutil.rmtree(folder, ignore_errors=True)
    return {name: [described | {"subfolder": folder.name}]}
