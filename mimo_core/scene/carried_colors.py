"""Pass 1, carried things: what they look like, and where their colors are while they hold still.

A bag that hangs still for a moment looks like the scene to whoever seeks what moves. Its colors were learned where it
moved. They count where the scene in view hardly has them; what has them and hangs on the person is the thing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .carried_things import BODY_RIM, COLORED, FREE_ALPHA, LEAST_AREA, CarriedThings
from .color_histograms import ColorHistograms, bins_of
from .filters import dilate_mask
from .fitted_body import FittedBody


if TYPE_CHECKING:
    from .first_guess import WorkingClip

TAUGHT_ALPHA = 153  # soft mask values from here on within the fitted body teach the person's colors
FEWEST_TAUGHT = 200  # pixels that teach the colors of the thing
SCENE_REACH = 0.03  # of the body height around the person and the thing: what is further away teaches the scene's
ODDS = 1.0  # log odds of the colors for the thing against the scene
ODDS_SIDE = 5  # pixels of a neighborhood over which they are averaged
TOLD_SHARE = 0.5  # of all that has the colors is with the person, over the clip: else they tell nothing
LARGEST_PERCENTILE, LARGEST_SHARE = 90, 1.5  # a piece is no larger than so often that area of the thing over the clip
HANG_REACH = 0.08  # of the body height: the handle of a bag, of another color, is as long


@dataclass(frozen=True, eq=False)
class CarriedView:
    """What is known of a frame around the person. All (h, w), within the frame's box."""

    picture: np.ndarray  # (h, w, 3) uint8
    bins: np.ndarray  # int32: of the colors
    guess: np.ndarray  # uint8: soft mask of the person
    carried: np.ndarray  # uint8: as `CarriedThings.read`
    body: np.ndarray  # bool: the fitted body
    unit: float  # pixels of a body height

    @property
    def beside(self) -> np.ndarray:
        """What is carried and not in the first guess, (h, w) bool."""
        return (self.carried > 0) & (self.guess <= FREE_ALPHA)

    @property
    def beyond(self) -> np.ndarray:
        """What the first guess has beyond the fitted body, (h, w) bool."""
        return (self.guess > FREE_ALPHA) & ~self.around_body

    @cached_property
    def around_body(self) -> np.ndarray:
        """The fitted body and its rim, (h, w) bool."""
        return dilate_mask(self.body, BODY_RIM * self.unit)


class CarriedColors:
    """The colors of what is carried, of the person, and of the scene."""

    def __init__(self):
        self.thing, self.person, self.scene = ColorHistograms(), ColorHistograms(), ColorHistograms()
        self.taught = 0

    def add(self, view: CarriedView) -> None:
        """Learn from what is known of a frame."""
        self.taught += int(view.beside.sum())
        near = dilate_mask((view.carried > 0) | (view.guess > FREE_ALPHA), SCENE_REACH * view.unit)
        self.thing.add(view.bins[view.beside])
        self.person.add(view.bins[view.body & (view.guess > TAUGHT_ALPHA)])
        self.scene.add(view.bins[~near])

    @property
    def is_known(self) -> bool:
        """Whether enough was seen of what is carried."""
        return self.taught >= FEWEST_TAUGHT

    def is_unlike_person(self, bins: np.ndarray) -> np.ndarray:
        """Where color bins are the thing's rather than the person's, bool."""
        return self.thing.log_density(bins) - self.person.log_density(bins) > ODDS

    def is_unlike_scene(self, bins: np.ndarray) -> np.ndarray:
        """Where a picture of color bins (h, w) looks like the thing rather than like the scene, bool."""
        return self._compare_scene(bins) > ODDS

    def is_like_scene(self, bins: np.ndarray) -> np.ndarray:
        """Where a picture of color bins (h, w) looks more like the scene than like the thing, bool."""
        return self._compare_scene(bins) < 0

    def _compare_scene(self, bins: np.ndarray) -> np.ndarray:
        """The log odds (h, w) of a picture of color bins for the thing against the scene, over neighborhoods."""
        import cv2

        odds = self.thing.log_density(bins) - self.scene.log_density(bins)
        return cv2.blur(odds, (ODDS_SIDE, ODDS_SIDE))


def view_carried(working: WorkingClip, ask: Callable[[], None]) -> Iterator[CarriedView | None]:
    """Each frame of a clip in which something is carried; None where nobody is."""
    frames = len(working.boxes)
    for frame, (box, body) in enumerate(zip(working.boxes, working.bodies(0, frames), strict=True)):
        ask()
        yield None if box is None or body is None else _view(working, frame, body)


def _view(working: WorkingClip, frame: int, body: FittedBody) -> CarriedView:
    layers = working.pictures[frame], working.soft[frame], working.find_carried(frame), body.silhouette
    picture, guess, carried, silhouette = (working.boxes[frame].cut(layer) for layer in layers)
    return CarriedView(picture, bins_of(picture), guess, carried, silhouette, working.carried.units[frame])


def complete_by_color(working: WorkingClip, ask: Callable[[], None] = lambda: None) -> CarriedThings:
    """The carried things of a clip, which must have some, with COLORED where their colors are on the person.

    Their colors are learned from all of them. Nothing is added where the scene or somebody else has these colors, too.
    `ask()` may raise to cancel.
    """
    carried, colors = working.carried, CarriedColors()
    for view in view_carried(working, ask):
        if view is not None:
            colors.add(view)
    carried.colors = colors
    if not colors.is_known:
        return carried
    largest = LARGEST_SHARE * _measure_thing(view_carried(working, ask), colors)
    completed, theirs, total = CarriedThings(carried.units), 0, 0
    completed.colors = CarriedColors()
    for box, view in zip(working.boxes, view_carried(working, ask), strict=True):
        if view is None:
            completed.append(box, None)
            continue
        claimed = colors.is_unlike_scene(view.bins) & ~view.around_body
        hanging = _keep_hanging(claimed, view, largest)
        total, theirs = total + int(claimed.sum()), theirs + int(hanging.sum())
        layer = np.where(hanging & (view.carried == 0), COLORED, view.carried).astype(np.uint8)
        completed.append(box, layer if layer.any() else None)
        completed.colors.add(replace(view, carried=layer))
    return completed if theirs > TOLD_SHARE * total else carried


def _measure_thing(views: Iterator[CarriedView | None], colors: CarriedColors) -> float:
    """The area of the thing where much of it is seen, in squared body heights, also within the first guess."""
    areas = [0.0]
    for view in views:
        if view is not None:
            seen = view.beside | (view.beyond & colors.is_unlike_person(view.bins))
            areas.append(float(seen.sum()) / view.unit**2)
    return float(np.percentile(areas, LARGEST_PERCENTILE))


def _keep_hanging(claimed: np.ndarray, view: CarriedView, largest: float) -> np.ndarray:
    """The pieces of what is `claimed` by its color (h, w) bool that hang on the person or on what they carry.

    They are at most `largest`, in squared body heights.
    """
    import cv2

    count, label, stats, _ = cv2.connectedComponentsWithStats(claimed.astype(np.uint8), connectivity=8)
    near = dilate_mask((view.guess > FREE_ALPHA) | (view.carried > 0), HANG_REACH * view.unit)
    area = stats[:, cv2.CC_STAT_AREA] / view.unit**2
    kept = (np.bincount(label[near], minlength=count) > 0) & (area >= LEAST_AREA) & (area <= largest)
    kept[0] = False
    return kept[label]
