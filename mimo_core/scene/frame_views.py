"""A frame at working size beside what is known about the place: the view that the passes 3 to 5 judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..media.clip import Clip
from .canvas import BackgroundCanvas
from .carried_things import MOVES
from .coarse_background import CoarseBackground
from .filters import dilate_mask, erode_mask
from .first_guess import POSSIBLE_PERSON, WorkingClip
from .fitted_body import FittedBody, measure_stir


SURE_PERSON = 153  # soft mask values from here on teach what the person looks like
FIT_TOLERANCE = 0.012  # of the body height: so far inside the fitted body a fit error no longer explains what is seen
# The fit may lie beside a part by FIT_LAG of what it moves to the next frame beyond STEADY_STEP body heights: beside a
# kicking leg (0.13 to 0.3), not beside one that dances behind something (0.12 at most).
STEADY_STEP, FIT_LAG = 0.1, 0.4
CARRIED_REACH = 0.02  # of the body height: nor what is carried beyond what moved
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
    lag: np.ndarray | float = 0.0  # (h, w) float32 pixels by which the fit may lie beside a part that moves fast
    carried: np.ndarray | bool = False  # bool: what moves with the person and is not in the first guess
    others: np.ndarray | np.bool_ = np.False_  # bool: where somebody else is known to be

    @cached_property
    def near_person(self) -> np.ndarray:
        """Where the person may be, (h, w) bool."""
        near = dilate_mask(self.soft > POSSIBLE_PERSON, GUESS_REACH * self.body_height)
        return near if np.isscalar(self.carried) else near | dilate_mask(self.carried, CARRIED_REACH * self.body_height)

    @cached_property
    def deep_body(self) -> np.ndarray:
        """Where the fitted body is, less a rim that a fit error explains, (h, w) bool; nowhere without a body."""
        if self.body is None:
            return np.zeros(self.soft.shape, bool)
        return erode_mask(self.body.silhouette, FIT_TOLERANCE * self.body_height)

    @cached_property
    def steady_body(self) -> np.ndarray:
        """`deep_body` without what may lie beside the person because that part moves fast, (h, w) bool."""
        import cv2

        if self.body is None or np.isscalar(self.lag):
            return self.deep_body
        inside = cv2.distanceTransform(self.body.silhouette.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return self.deep_body & (inside > FIT_TOLERANCE * self.body_height + self.lag)

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
        bodies = iter(self.working.bodies(self.canvas.start, self.canvas.stop))
        before, body = None, next(bodies, None)
        for frame in range(self.canvas.start, self.canvas.stop):
            after = next(bodies, None)
            yield self._view(frame, body, measure_stir(body, (before, after)), fixed)
            before, body = body, after

    def _view(self, frame: int, body: FittedBody | None, stir: np.ndarray, fixed: np.ndarray) -> FrameView | None:
        """`stir` (N * BODY_PATCHES,) is how far each patch of the body moves to a neighboring frame."""
        import cv2

        box = self.working.boxes[frame]
        if box is None:
            return None

        def look_up(values, flags=cv2.INTER_NEAREST):
            return self.canvas.lookup(values, frame, box, flags=flags)

        picture = look_up(self.background.picture, cv2.INTER_LINEAR)
        known = look_up(self.background.known.view(np.uint8)) > 0
        if self.plate is not None:
            picture = box.cut(cv2.resize(self.plate[frame], self.working.size, interpolation=cv2.INTER_AREA))
            known = np.ones_like(known)
        return FrameView(
            picture=np.ascontiguousarray(box.cut(self.working.pictures[frame])),
            soft=np.ascontiguousarray(box.cut(self.working.soft[frame])),
            plate=np.ascontiguousarray(picture),
            known=known,
            still=look_up(self.background.still.view(np.uint8)) > 0,
            fixed=look_up(fixed, cv2.INTER_LINEAR),
            carried=box.cut(self.working.find_carried(frame)) == MOVES,
            others=self.working.find_others(frame, box) > 0,
            body=None if body is None else body.cut(box),
            body_height=self.working.body_height,
            lag=0.0 if body is None else measure_lag(stir[box.cut(body.patch)], self.working.body_height),
        )


def measure_lag(stir: np.ndarray, body_height: float) -> np.ndarray:
    """How far the fit may lie beside parts (h, w) that move by `stir` pixels to the next frame, (h, w) in pixels."""
    return FIT_LAG * np.maximum(stir - STEADY_STEP * body_height, 0)
