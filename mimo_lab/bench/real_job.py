"""One job of the bench of real clips: a clip, a character, and what came of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mimo_core.media.clip import Clip
from mimo_core.media.picture import read_picture
from mimo_core.pose.estimate import Estimate
from mimo_core.scene.scene import Scene

from .real_outlines import Outlines, draw_outlines, read_outlines


@dataclass(frozen=True)
class RealJob:
    """One clip and the picture of the character that replaces its person."""

    clip: Path
    character: Path
    sheet: Path | None  # the file to draw, if any
    step: int  # every `step`-th frame
    frames: int  # at most, of those
    side: int  # pixels of the longer side at most
    outlines: Path | None


@dataclass(frozen=True, eq=False)
class RealResult:
    """One job, done: what was found, and every finished frame (H, W, 3) uint8 with the character's mask (H, W)."""

    clip: Clip
    found: Estimate
    scene: Scene
    frames: list[np.ndarray]
    masks: list[np.ndarray]
    outlines: dict[int, Outlines]  # by the number of the frame in `clip`
    seconds: float  # of CPU


def run_job(job: RealJob) -> RealResult:
    """Replace the person of a clip."""
    from mimo_core.identity.encode import encode_identity
    from mimo_core.replace import ProxyDecoder, prepare_replacement
    from mimo_core.stopwatch import Stopwatch

    torch.set_num_threads(1)
    clip, numbers = open_part(job)
    start = time.process_time()
    found, scene = prepare_replacement(clip)
    identity = encode_identity(read_picture(job.character))
    drawn = ProxyDecoder().draw(identity, found.motion, scene, color_match="mean", watch=Stopwatch())
    frames, masks = (list(layer) for layer in zip(*drawn, strict=True))
    seconds = time.process_time() - start
    outlines = {}
    if job.outlines is not None:
        size, polygons = read_outlines(job.outlines, job.clip)
        outlines = {
            at: draw_outlines(polygons[number], size, clip.width, clip.height)
            for at, number in enumerate(numbers)
            if number in polygons
        }
    return RealResult(clip, found, scene, frames, masks, outlines, seconds)


def open_part(job: RealJob) -> tuple[Clip, list[int]]:
    """The frames of a clip that are measured, no side longer than `job.side`, and their numbers in the file."""
    import cv2

    clip = Clip.from_file(job.clip)
    numbers = list(range(0, len(clip), job.step))[: job.frames]
    scale = min(1.0, job.side / max(clip.width, clip.height))
    size = round(clip.width * scale), round(clip.height * scale)
    part = clip.select(numbers, clip.fps / job.step)
    if scale < 1:
        part = Clip.from_frames((cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in part), part.fps)
    return part, numbers
