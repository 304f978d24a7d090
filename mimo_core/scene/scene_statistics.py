"""What the passes count for the report of a scene."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .camera_motion import CameraPath
from .fill_plate import FilledPatch
from .filters import dilate_mask
from .scene import Doubt, SceneReport


AREA_JUMP = 1.6  # factor by which the person's area may change between frames before it is doubted
PAINTED_SHARE = 0.4  # of a frame's hole that may be painted before it is doubted


@dataclass
class SceneStatistics:
    """Sums over the frames, in pixels, and the frames in doubt."""

    hole: int = 0
    unseen: int = 0
    body: int = 0
    hidden: int = 0
    area: list[int] = field(default_factory=list)  # of the body, seen or hidden, one a frame
    doubts: list[Doubt] = field(default_factory=list)

    def count_nobody(self, frame: int) -> None:
        """Take in a frame in which nobody was found."""
        self.area.append(0)
        self.doubts.append(Doubt(frame, "nobody was found"))

    def count(self, frame: int, patch: FilledPatch, person: np.ndarray, occluder: np.ndarray, reach: float) -> None:
        """Take in a frame: its filled patch, person and occluder (h, w) uint8. `reach` is that of the hole."""
        area = int((person > 127).sum())
        self.hole += patch.hole
        self.unseen += patch.unseen
        hidden = int(((occluder > 127) & dilate_mask(person > 127, reach)).sum())
        self.hidden += hidden
        self.body += area + hidden
        if patch.unseen > PAINTED_SHARE * patch.hole:
            self.doubts.append(Doubt(frame, "much of what is behind the person was seen in no frame and was painted"))
        last = self.area[-1] if self.area else 0
        if last and not 1 / AREA_JUMP < (area + hidden) / last < AREA_JUMP:
            self.doubts.append(Doubt(frame, "the person's mask changes its size at once"))
        self.area.append(area + hidden)

    def report(self, path: CameraPath, notes: tuple[str, ...]) -> SceneReport:
        """What was counted, for a person to read."""
        lost = [Doubt(frame, "the camera was lost, or the shot was cut") for frame in path.lost]
        filled = self.unseen / max(self.hole, 1)
        return SceneReport(
            camera=path.kind,
            seen=1 - filled,
            filled=filled,
            occluder=self.hidden / max(self.body, 1),
            doubts=tuple(sorted([*self.doubts, *lost], key=lambda doubt: doubt.frame)),
            notes=notes,
        )
