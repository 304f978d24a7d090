"""A motion for the page: the body at rest, what moves it, and what is known about each frame, in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..body.model import BodyModel, free_body, vertex_normals
from ..body.skeleton import JOINT
from ..media.clip import Clip
from ..motion.motion import Motion
from ..output import whole_file
from ..pose.tracks import PersonTrack
from ..progress import Progress, silent, track_progress
from .layers import group_frames
from .tiles import Grid, write_sheets


BONES = 4  # joints that move a vertex, the strongest ones
POSED_FRAMES = 64  # frames posed at once
DRIVING_LONGEST = 320  # pixels of a driving frame's longer side
LOW_CONFIDENCE = 0.5  # confidence below which a frame is marked
FOOT_JOINTS = {"left": ("left_ankle", "left_foot"), "right": ("right_ankle", "right_foot")}


def write_motion_view(
    motion: Motion,
    folder: Path,
    *,
    clip: Clip | None = None,
    people: Sequence[PersonTrack] = (),
    progress: Progress = silent,
) -> dict:
    """Write the first person of a motion as `motion.safetensors`, and the clip it was seen in as sheets, into a folder.

    The file holds `rest` (V, 3), `normals` (V, 3) int8, `faces` (T, 3) uint16, `bones` and `weights` (V, 4) uint8,
    `foot` (V) uint8 (1 left, 2 right), `transforms` (F, 24, 3, 4) world from rest, `contacts` (F, 2), `confidence` (F),
    `visible` (F), `camera_from_world` (F or 1, 4, 4). Returned are the few numbers that go with it, with the boxes of
    all `people` who were found in the clip.
    """
    from safetensors.numpy import save_file

    arrays, floor = build_motion_arrays(motion, progress=progress)
    with whole_file(folder / "motion.safetensors") as partial:
        save_file(arrays, partial)
    person, camera = motion.person, motion.camera
    unsure = (person.confidence < LOW_CONFIDENCE) & person.visible & ~person.bridged
    described = {
        "file": "motion.safetensors",
        "frames": motion.frames,
        "fps": motion.fps,
        "focal": camera.focal,
        "center": list(camera.center),
        "size": list(camera.size),
        "floor": floor,
        "unsure": _group_frames(unsure),
        "bridged": _group_frames(person.bridged),
        "missing": _group_frames(~person.visible & ~person.bridged),
        "people": [describe_track(track, motion.frames) for track in people],
    }
    if clip is not None:
        grid = Grid.of(len(clip), clip.width, clip.height, DRIVING_LONGEST)
        described["grid"] = vars(grid)
        described["files"] = write_sheets(track_progress(clip, len(clip), progress), folder, "frame", grid)
    return described


def describe_track(track: PersonTrack, frames: int) -> dict:
    """Where a person is seen: runs of frames, each with its first number and a box (x0, y0, x1, y1) a frame."""
    runs: list[dict] = []
    is_gone = True
    for frame in range(frames):
        box = track.box(frame)
        if box is not None:
            if is_gone:
                runs.append({"first": frame, "boxes": []})
            runs[-1]["boxes"].append([round(float(value)) for value in box])
        is_gone = box is None
    return {"runs": runs}


def build_motion_arrays(motion: Motion, *, progress: Progress = silent) -> tuple[dict[str, np.ndarray], float]:
    """What `write_motion_view` writes, and the height of the floor in metres."""
    body, person = free_body(), motion.person
    rest, _ = body.shape(body.betas_of(person))
    weights, bones = body.weights.topk(BONES, 1)
    transforms, heights = [], []
    foot = _assign_feet(body)
    for start in range(0, motion.frames, POSED_FRAMES):
        posed = body.pose(person, slice(start, start + POSED_FRAMES))
        transforms.append(posed.transforms[:, :, :3])
        heights.append(posed.vertices[:, foot > 0, 1].amin(1))
        progress(min(start + POSED_FRAMES, motion.frames), motion.frames)
    arrays = {
        "rest": rest,
        "normals": (vertex_normals(rest[None], body.faces)[0] * 127).round().to(torch.int8),
        "faces": body.faces.to(torch.uint16),
        "bones": bones.to(torch.uint8),
        "weights": (weights / weights.sum(1, keepdim=True) * 255).round().to(torch.uint8),
        "foot": foot,
        "transforms": torch.cat(transforms).float(),
        "contacts": person.contacts.to(torch.uint8),
        "confidence": person.confidence.float(),
        "visible": (person.visible | person.bridged).to(torch.uint8),
        "camera_from_world": motion.camera.extrinsics().float(),
    }
    floor = _estimate_floor(torch.cat(heights), person.contacts.any(1), person.visible)
    return {name: np.ascontiguousarray(value.numpy()) for name, value in arrays.items()}, floor


def _assign_feet(body: BodyModel) -> Tensor:
    """Which foot a vertex belongs to: 0 none, 1 left, 2 right."""
    feet = torch.zeros(body.vertices, dtype=torch.uint8)
    for number, joints in enumerate(FOOT_JOINTS.values(), 1):
        feet[torch.isin(body.parts, torch.tensor([JOINT[name] for name in joints]))] = number
    return feet


def _estimate_floor(heights: Tensor, planted: Tensor, visible: Tensor) -> float:
    """The height on which the soles rest: typical where a foot is planted, else nearly the lowest."""
    if (planted & visible).any():
        return float(heights[planted & visible].median())
    return float(heights[visible].quantile(0.05)) if visible.any() else 0.0


def _group_frames(frames: Tensor) -> list[list[int]]:
    return group_frames(frames.nonzero()[:, 0].tolist())
