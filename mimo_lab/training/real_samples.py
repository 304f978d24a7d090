"""Samples of real clips, taken apart by our own Separator and Estimator: the paper's road."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from mimo_core.errors import InputError
from mimo_core.identity.encode import encode_identity
from mimo_core.media.clip import Clip
from mimo_core.pose.estimate import estimate_motion
from mimo_core.proxy.proxy import Proxy
from mimo_core.scene.separate import separate_scene

from .regions import find_square_region
from .samples import Sample, make_sample


CLIP_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi"}
CLIP_OVERSIZE = 2  # clips are scaled down to this many times the size of a sample before they are taken apart
CLIP_TEXTURE = 512
MOST_TRIES = 12


def make_real_sample(number: int, *, folder: Path, seed: int = 0, size: int = 128, frames: int = 16) -> Sample:
    """Sample `number`: neighbouring frames of one of the clips in a folder, and the person as another frame shows it.

    The clip, the frames and the picture are drawn by (seed, number). Where nobody is found, others are drawn.
    """
    rng, paths = np.random.default_rng((seed, number)), list_clips(folder)
    for _ in range(MOST_TRIES):
        clip = Clip.from_file(paths[int(rng.integers(len(paths)))])
        if len(clip) < frames:
            continue
        first = int(rng.integers(len(clip) - frames + 1))
        part = _scale_frames(clip, range(first, first + frames), CLIP_OVERSIZE * size)
        picture = _scale_frames(clip, [int(rng.integers(len(clip)))], 4 * size)[0]
        found, identity = estimate_motion(part), encode_identity(picture)
        if not found.is_found or identity.motion is None:
            continue
        region = find_square_region(found.motion, part.width, part.height)
        if region is None:
            continue
        scene = separate_scene(part, motion=found.motion, coarse=found.masks)
        proxy, visible = Proxy.from_identity(identity, texture=CLIP_TEXTURE), np.stack(list(scene.person))
        return make_sample(
            np.stack(list(part)), scene, visible, found.motion, identity, proxy, size=size, region=region
        )
    raise InputError(
        f"{MOST_TRIES} clips of {folder} were tried and none showed a person in {frames} frames. Give clips with one "
        "person in full."
    )


def list_clips(folder: Path) -> list[Path]:
    """The clips in a folder, in the order of their names."""
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in CLIP_SUFFIXES)
    if not paths:
        raise InputError(f"{folder} holds no clips ({', '.join(sorted(CLIP_SUFFIXES))}).")
    return paths


def _scale_frames(clip: Clip, frames, side: int) -> Clip:
    """Some frames in memory, with a shorter side of at most `side` pixels."""
    scale = min(side / min(clip.width, clip.height), 1)
    wide, high = round(clip.width * scale), round(clip.height * scale)
    pictures = [Image.fromarray(frame).resize((wide, high), Image.Resampling.LANCZOS) for frame in clip.select(frames)]
    return Clip.from_array(np.stack([np.asarray(picture) for picture in pictures]), clip.fps)
