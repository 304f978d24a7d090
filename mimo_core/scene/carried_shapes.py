"""Pass 1, carried things: how steadily they are seen, and which of the first guess is theirs.

A thing that shows itself beside the first guess, or by colors that the scene does not have, in nearly all frames is
whole: it can stay in front of the new character. One that comes and goes cannot. Pieces of it that the first guess has
beyond the fitted body are known by their colors: those of what was found carried beside the guess in any frame, against
those of the person within the fitted body and those of the scene.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..media.store import FrameStore
from .carried_colors import CarriedColors, CarriedView, view_carried
from .carried_things import COLORED, FREE_ALPHA, GAP, LEAST_AREA
from .filters import cut_by_color, dilate_mask, erode_mask


if TYPE_CHECKING:
    from .first_guess import WorkingClip

USUAL_PERCENTILE = 75  # of the area over the frames: as large is the thing when it is seen whole
LEAST_SHOWN = 1 / 3  # of that area: less is a piece of it; a thing that turns its edge to the camera shows more
# Times as large as in a frame beside it, or as small: in one of both a piece of the person or the thing changed sides.
MOST_CHANGE = 2.0
AROUND_REACH = 0.1  # of the body height: so far around a thing is the scene that it is told from
SEEN_BODY = 0.5  # of the fitted body in the first guess: where more is hidden, the thing may be, too
WHOLE_SHARE = 0.7  # of the frames with somebody must show what is held or carried, as a whole, for it to stay


class CarriedShapes:
    """Where the first guess has what is carried in each frame, in a temporary file, and how steadily it is seen."""

    def __init__(self):
        self.store, self.told, self.all = FrameStore(), [], []

    def append(self, shape: np.ndarray | None) -> None:
        """Take in the next frame: `shape` (h, w) bool within its box, None with nobody."""
        self.store.append(np.zeros((1, 1), np.uint8) if shape is None else shape.astype(np.uint8))

    def count(self, told: float, all_area: float) -> None:
        """Take in the areas of what is carried in a frame, in squared body heights: of what is told from the person,
        beside the first guess or by colors that the scene does not have, and of all."""
        self.told.append(told)
        self.all.append(all_area)

    def read(self, frame: int) -> np.ndarray:
        """Where the first guess has what is carried, (h, w) bool within the box of a frame."""
        return self.store[frame] > 0

    @property
    def whole_share(self) -> float:
        """Share of the frames in which the thing shows enough of its usual area, as in those before and after."""
        areas, usual = np.array(self.told), np.percentile(self.all or [0.0], USUAL_PERCENTILE)
        if usual <= 0:
            return 0.0
        before, after = areas[:-1], areas[1:]
        is_step = (after > MOST_CHANGE * before) | (before > MOST_CHANGE * after)
        is_steady = ~np.concatenate([[False], is_step]) & ~np.concatenate([is_step, [False]])
        return float(np.mean((areas >= LEAST_SHOWN * usual) & is_steady))

    @property
    def is_whole(self) -> bool:
        """Whether what is carried can stay in front as a whole."""
        return self.whole_share >= WHOLE_SHARE


def find_carried_shapes(working: WorkingClip, ask: Callable[[], None] = lambda: None) -> CarriedShapes:
    """How the carried things of a clip, which must have some whose colors are known, are seen. `ask()` may raise."""
    colors, shapes = working.carried.colors, CarriedShapes()
    for box, view in zip(working.boxes, view_carried(working, ask), strict=True):
        if view is None or not colors.is_known:
            shapes.append(None if box is None else np.zeros((box.height, box.width), bool))
            continue
        told, shape = find_shape(view, colors)
        shapes.append(shape & (view.guess > FREE_ALPHA))
        if view.body.any() and (view.guess[view.body] > FREE_ALPHA).mean() >= SEEN_BODY:
            shapes.count(float(told.sum()) / view.unit**2, float(shape.sum()) / view.unit**2)
    return shapes


def find_shape(view: CarriedView, colors: CarriedColors) -> tuple[np.ndarray, np.ndarray]:
    """What is told to be carried in a frame without a doubt, and all that is, (h, w) bool."""
    unlike = colors.is_unlike_person(view.bins)
    told = view.beside | ((view.carried == COLORED) & unlike)
    pieces = _keep_pieces(view.beyond & unlike, view.beside, view.unit)
    return told, told | _cut_thing(view, told, pieces, ~colors.is_like_scene(view.bins))


def _cut_thing(view: CarriedView, told: np.ndarray, pieces: np.ndarray, like_thing: np.ndarray) -> np.ndarray:
    """What of `pieces` of the first guess is one with the thing, all (h, w) bool, by color and edges (GrabCut).

    Some of the scene beside a thing is in the first guess, too: the ground before which a bag hangs. The thing is what
    is `told` and, to begin with, what is `like_thing`; the scene is what lies around, out of the first guess.
    """
    import cv2

    theirs, gap = pieces & like_thing, GAP * view.unit
    near = erode_mask(dilate_mask(told | pieces, gap), gap) & ~view.around_body
    around = dilate_mask(near, AROUND_REACH * view.unit) & ~dilate_mask(near, 2)
    around &= (view.guess <= FREE_ALPHA) & (view.carried == 0)
    if not told.any() or not around.any():
        return theirs
    labels = np.full(told.shape, cv2.GC_BGD, np.uint8)
    labels[near], labels[theirs], labels[told] = cv2.GC_PR_BGD, cv2.GC_PR_FGD, cv2.GC_FGD
    # The person is neither: the mean of what lies around stands for them.
    picture = np.where((near | around | told)[..., None], view.picture, view.picture[around].mean(0).astype(np.uint8))
    return cut_by_color(picture, labels)


def _keep_pieces(beyond: np.ndarray, beside: np.ndarray, unit: float) -> np.ndarray:
    """The pixels (h, w) bool `beyond` the body that are a piece of some size, together with what is `beside` it."""
    import cv2

    gap = GAP * unit / 2
    seen = cv2.medianBlur(beyond.astype(np.uint8), 3) > 0
    closed = erode_mask(dilate_mask(seen | beside, gap), gap)
    count, label, stats, _ = cv2.connectedComponentsWithStats(closed.astype(np.uint8), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= LEAST_AREA * unit**2
    kept[0] = False
    return kept[label] & beyond
