"""Motions from files as performances of a shot."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from mimo_core.body.height import measure_height
from mimo_core.body.model import free_body
from mimo_core.errors import InputError
from mimo_core.motion.choreography import FootPlacement
from mimo_core.motion.edit import resample_motion
from mimo_core.motion.files import READ_SUFFIXES, load_motion
from mimo_core.motion.motion import Motion


@dataclass(frozen=True, eq=False)
class RecordedPerformance:
    """A stretch of somebody's recorded motion, turned about the vertical. What Performance is for procedural ones."""

    kind: str
    vectors: np.ndarray  # (F, 24, 3) axis-angle
    path: np.ndarray  # (F, 3) metres: over the ground, and how high the lowest point is above the floor
    stature: float  # metres, of who was recorded

    def rotations(self) -> np.ndarray:
        """Axis-angle (F, 24, 3)."""
        return self.vectors

    def footing(self, vertices: torch.Tensor, stature: float) -> FootPlacement:
        """Bodies (F, V, 3) at the origin, moved along the recorded path, as high off the floor as recorded."""
        transl = self.path * (stature / self.stature)
        transl[:, 1] = self.path[:, 1] - vertices[..., 1].amin(1).numpy()
        return FootPlacement(transl.astype(np.float32), np.zeros((len(transl), 2), bool))


def list_motion_files(folder: Path) -> tuple[Path, ...]:
    """All motion files under a folder, in order."""
    found = tuple(sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in READ_SUFFIXES))
    if not found:
        raise InputError(f"There are no motion files ({', '.join(READ_SUFFIXES)}) under {folder}.")
    return found


def sample_recording(rng: np.random.Generator, path: Path, frames: int, fps: float) -> RecordedPerformance:
    """A random stretch of `frames` at `fps` of the first person in a motion file. A short one goes back and forth."""
    from scipy.spatial.transform import Rotation

    motion = _load_at_rate(path, fps)
    last = motion.frames - 1
    start = int(rng.integers(0, max(motion.frames - frames, 0) + 1))
    rows = np.arange(start, start + frames)
    rows = last - np.abs(rows % (2 * last) - last) if last > 0 else np.zeros(frames, int)
    person = motion.person.index(torch.from_numpy(rows))
    turn = Rotation.from_euler("y", rng.uniform(-np.pi, np.pi))
    vectors = person.pose().numpy().copy()
    vectors[:, 0] = (turn * Rotation.from_rotvec(vectors[:, 0])).as_rotvec()
    posed = free_body().pose(person).vertices
    lowest = posed[..., 1].amin(1).numpy()
    ground = person.transl.numpy().copy()
    ground -= ground.mean(0)
    ground = turn.apply(ground)
    ground[:, 1] = np.clip(lowest - np.percentile(lowest, 5), 0, None)
    stature = measure_height(free_body(), free_body().betas_of(person))
    return RecordedPerformance(Path(path).stem, vectors.astype(np.float32), ground, stature)


@functools.lru_cache(maxsize=32)
def _load_at_rate(path: Path, fps: float) -> Motion:
    motion = load_motion(path)
    return motion if motion.fps == fps else resample_motion(motion, fps)
