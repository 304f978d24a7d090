"""A frame at working size beside what is known about the place: the view that the passes 3 to 5 judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..media.clip import Clip
from .canvas import BackgroundCanvas
from .coarse_background import CoarseBackground
from .filters import dilate_mask, erode_mask
from .first_guess import POSSIBLE_PERSON, WorkingClip
from .fitted_body import FittedBody


SURE_PERSON = 153  # soft mask values from here on teach what the person looks like
FIT_TOLERANCE = 0.012  # of the body height: so far inside the fitted body a fit error no longer explains what is seen
GUESS_REACH = 0.05  # of the body height: the person does not reach further beyond the first guess


@dataclass(frozen=True, eq=False)
class FrameView:
    """A frame at working size, and what is known about it. All (h, w)."""

    picture: np.ndarray  # (h, w, 3) uint8
    soft: np.ndarray  # uint8, the first guess of the person
    plate: np.ndarray  # (h, w, 3) uint8
    known: np.ndarray  # bool: some frame showed the plate here
    still: np.ndarray  # bool: the picture holds still here although the body moves
    fixed: np.ndarray  # float32: belongs to a fixed object in front of the person, 0 to 1
    body: FittedBody | None
    body_height: float  # of the standing person, in pixels

    @cached_property
    def near_person(self) -> np.ndarray:
        """Where the person may be, (h, w) bool."""
        return dilate_mask(self.soft > POSSIBLE_PERSON, GUESS_REACH * self.body_height)

    @cached_property
    def deep_body(self) -> np.ndarray:
        """Where the fitted body is, less a rim that a fit error explains, (h, w) bool; nowhere without a body."""
        if self.body is None:
            return np.zeros(self.soft.shape, bool)
        return erode_mask(self.body.silhouette, FIT_TOLERANCE * self.body_height)

    @property
    def has_person(self) -> bool:
        """Whether the first guess found the person at all."""
        return bool((self.soft > SURE_PERSON).any())

    @property
    def patch(self) -> np.ndarray | int:
        return 0 if self.body is None else self.body.patch


@dataclass(frozen=True, eq=False)
class FrameViews:
    """The views of the frames of one canvas. A user's `plate` stands for the coarse background."""

    working: WorkingClip
    canvas: BackgroundCanvas
    background: CoarseBackground
    plate: Clip | None = None

    def make(self, fixed: np.ndarray) -> Iterator[FrameView | None]:
        """A view of each frame of the canvas, None where nobody is. `fixed` (h, w) float32 lies on the canvas."""
        frames = range(self.canvas.start, self.canvas.stop)
        for frame, body in zip(frames, self.working.bodies(frames.start, frames.stop), strict=True):
            yield self._view(frame, body, fixed)

    def _view(self, frame: int, body: FittedBody | None, fixed: np.ndarray) -> FrameView | None:
        import cv2

        box = self.working.boxes[frame]
        if box is None:
            return None

        def look_up(values, flags=cv2.INTER_NEAREST):
            return self.canvas.lookup(values, frame, box, flags=flags)

        picture = look_up(self.background.picture, cv2.INTER_LINEAR)
        known = look_up(self.background.known.astype(np.uint8)) > 0
        if self.plate is not None:
            picture = box.cut(cv2.resize(self.plate[frame], self.working.size, interpolation=cv2.INTER_AREA))
            known = np.ones_like(known)
        return FrameView(
            picture=np.ascontiguousarray(box.cut(self.working.pictures[frame])),
            soft=np.ascontiguousarray(box.cut(self.working.soft[frame])),
            plate=np.ascontiguousarray(picture),
            known=known,
            still=look_up(self.background.still.astype(np.uint8)) > 0,
            fixed=look_up(fixed, cv2.INTER_LINEAR),
            body=None if body is None else body.cut(box),
            body_height=self.working.body_height,
        )
