"""Landmarks over a clip: what the fit sees of a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..motion.intervals import find_intervals
from .blazepose import LANDMARK_COUNT, FramePose


BRIDGE_SECONDS = 0.5  # longest gap that is bridged: nobody turns round or sits down meanwhile


@dataclass(frozen=True, eq=False)
class Landmarks:
    """BlazePose's 33 landmarks of one person over F frames.

    `world` is metric up to one factor for the whole clip, centered anywhere, with the camera's axes: x right, y down,
    z forward. Where the person was not found `score` is 0 and the rest means nothing.
    """

    pixels: Tensor  # (F, 33, 2), pixel centers at .5
    world: Tensor  # (F, 33, 3)
    confidence: Tensor  # (F, 33) 0 to 1
    score: Tensor  # (F,) 0 to 1

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, frames) -> Landmarks:
        return Landmarks(self.pixels[frames], self.world[frames], self.confidence[frames], self.score[frames])

    @property
    def found(self) -> Tensor:
        """(F,) bool."""
        return self.score > 0

    @classmethod
    def from_poses(cls, poses: Sequence[FramePose | None]) -> Landmarks:
        """What tracking yielded, None where the person was not found."""
        frames = len(poses)
        landmarks = cls(
            torch.zeros(frames, LANDMARK_COUNT, 2),
            torch.zeros(frames, LANDMARK_COUNT, 3),
            torch.zeros(frames, LANDMARK_COUNT),
            torch.zeros(frames),
        )
        for frame, pose in enumerate(poses):
            if pose is not None:
                landmarks.pixels[frame] = torch.from_numpy(pose.pixels)
                landmarks.world[frame] = torch.from_numpy(pose.world)
                landmarks.confidence[frame] = torch.from_numpy(pose.confidence)
                landmarks.score[frame] = pose.score
        return landmarks


def nearest_known(found: Tensor) -> Tensor:
    """For each of F frames the nearest one of those `found` (F,) bool, the earlier of two; at least one is."""
    known, frames = found.nonzero()[:, 0], torch.arange(len(found))
    after = torch.searchsorted(known, frames).clamp(max=len(known) - 1)
    before = (after - 1).clamp(min=0)
    return torch.where((frames - known[before]).abs() <= (known[after] - frames).abs(), known[before], known[after])


def find_bridges(found: Tensor, fps: float, cuts: Collection[int] = ()) -> Tensor:
    """Frames (F,) bool without the person that lie between frames with them, in gaps of at most half a second.

    A gap across one of the `cuts`, the frames that begin a shot, is none.
    """
    bridged = torch.zeros_like(found)
    for start, stop in find_intervals(~found):
        is_cut = any(start <= cut <= stop for cut in cuts)
        if start > 0 and stop < len(found) and stop - start <= BRIDGE_SECONDS * fps and not is_cut:
            bridged[start:stop] = True
    return bridged
