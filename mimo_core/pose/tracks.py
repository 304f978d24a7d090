"""The track of one person of a clip, and the choice of one among all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .blazepose import SEEN_CONFIDENCE, FramePose


# Of the mean score: what has less is nobody, unless there is nobody else. Phantoms beside legs without a body have 0.64
# and 0.67, seed 133, where hardly anything of the person is seen, 0.87, heavy grain 0.83, compression 0.93, other
# people more (2026-11-28).
LEAST_SURE = 0.72


@dataclass(frozen=True, eq=False)
class PersonTrack:
    """One person of a clip: what was seen of them, by frame, without masks."""

    poses: Mapping[int, FramePose]
    appearance: NDArray  # (2, 256), a sum over frames
    doubts: tuple[int, ...] = ()  # frames at which the clothes change, so that this may be somebody else from then on

    @property
    def presence(self) -> float:
        """How long and large the person is seen: the sizes of what is seen of them, summed over frames, in pixels."""
        return sum(measure_seen_size(pose) for pose in self.poses.values())

    @property
    def sureness(self) -> float:
        """The mean score, 0 to 1."""
        return float(np.mean([pose.score for pose in self.poses.values()]))

    @property
    def clearness(self) -> float:
        """The mean confidence of landmarks that are in the picture, 0 to 1."""
        shown = (pose.confidence[pose.confidence > 0] for pose in self.poses.values())
        return float(np.mean([each.mean() if len(each) else 0.0 for each in shown]))

    def box(self, frame: int) -> NDArray | None:
        """Around the landmarks in a frame: (4,) x0, y0, x1, y1 in pixels; None where the person is not seen."""
        pose = self.poses.get(frame)
        return None if pose is None else np.concatenate([pose.pixels.min(0), pose.pixels.max(0)])


def measure_seen_size(pose: FramePose) -> float:
    """The longer side of the box around the landmarks that are seen, in pixels; less where the network is not sure."""
    seen = pose.pixels[pose.confidence > SEEN_CONFIDENCE]
    return float(np.ptp(seen, axis=0).max()) * pose.score if len(seen) else 0.0


def drop_unsure(tracks: list[PersonTrack]) -> list[PersonTrack]:
    """The tracks without those of which the network is never sure, unless it is sure of none."""
    return [track for track in tracks if track.sureness >= LEAST_SURE] or tracks


def choose_track(
    tracks: Sequence[PersonTrack], person: int = 0, point: tuple[int, float, float] | None = None
) -> PersonTrack | None:
    """Number `person` of the tracks, or whoever is at a `point` (frame, x, y) in pixels; None where nobody is.

    Raises InputError for a negative number and for a point at which nobody is.
    """
    if person < 0:
        raise InputError(f"People are counted from 0, the most present first; got person {person}.")
    if point is None:
        return tracks[person] if person < len(tracks) else None
    frame, x, y = point
    boxes = [(track, track.box(int(frame))) for track in tracks]
    at = [(track, box) for track, box in boxes if box is not None and box[0] <= x <= box[2] and box[1] <= y <= box[3]]
    if not at:
        middles = [(box[:2] + box[2:]) / 2 for _, box in boxes if box is not None]
        seen = ", ".join(f"({left:.0f}, {top:.0f})" for left, top in middles)
        raise InputError(
            f"Nobody is seen at ({x:.0f}, {y:.0f}) in frame {int(frame)}. "
            + (f"People are at {seen}." if seen else "Nobody is seen in that frame at all: choose another one.")
        )
    return min(at, key=lambda each: abs((each[1][0] + each[1][2]) / 2 - x))[0]
