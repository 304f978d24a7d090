"""Pass 4, labels: for every frame, which pixels are the person, a moving object, or the scene.

Two rounds: the second one knows what the first one labelled, and where rigid objects were tracked (pass 5).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..ahead import read_ahead
from ..geometry.box import Box
from ..media.store import FrameStore
from ..progress import Ticker
from .appearance import AppearanceModel, LogRatios, alpha_from_log_ratio
from .canvas import BackgroundCanvas
from .filters import dilate_mask
from .first_guess import WorkingClip
from .fitted_body import BODY_PATCHES
from .fixed_occluders import BodyCoverage, find_fixed_occluders
from .frame_views import FrameView, FrameViews
from .moving_objects import detect_moving_objects, list_sightings, remove_small
from .object_tracks import END_AREA, ObjectTracks
from .sprites import ColorEvidence, ObjectMasks


PERSON_SPECK = 1e-3  # of the squared body height: smaller pieces of person are noise
END_BEYOND = 0.1  # of the body height: so far beyond the reach of the first guess may be an end of a limb
END_GAP = 0.03  # of the body height: so near the person they are, also where an arm is hidden by the head
# Flags: colors of the body parts beside; deep in the fitted body; in it; apart from the plate; so with its neighbors.
OWN_COLORED, OVER_BODY, BODY_SHAPE, SEEN_APART, ALL_APART = 1, 2, 4, 8, 16
APART_LEVELS = 10.0  # from the plate
APART_SIDE, ALL_APART_LEVELS = 5, 16.0  # pixels of a neighborhood, and its mean distance from the plate
LAYERS = 4  # of a frame: soft person, numbers of objects, densities, flags
LOWEST_DENSITY = -28.0  # log densities are kept from here up


@dataclass(frozen=True, eq=False)
class LabelRound:
    """What one round found on a canvas."""

    model: AppearanceModel  # learned from the labels
    fixed: np.ndarray  # (h, w) float32 on the canvas: how much belongs to a fixed object in front of the person
    labels: FrameLabels


def label_frames(
    views: FrameViews,
    model: AppearanceModel,
    fixed: np.ndarray,
    objects: ObjectMasks,
    tick: Ticker,
) -> LabelRound:
    """Label every frame, learn the appearance again from the labels, and find what stands in front.

    `model` and `fixed` are those of the round before; `objects` are the moving objects that were tracked. `tick()`
    is called once a frame, `tick.ask()` whenever somebody reads the labels of one.
    """
    import cv2

    working, canvas = views.working, views.canvas
    coverage, learned = BodyCoverage.empty(canvas.size), AppearanceModel(working.people)
    labels = FrameLabels(working, canvas, tick.ask)
    scored = read_ahead((view, None if view is None else model.score_pixels(view)) for view in views.make(fixed))
    for frame, (view, ratios) in enumerate(scored, canvas.start):
        tick()
        if view is None:
            labels.append_nothing(frame)
            continue
        box = working.boxes[frame]
        # Where the person was overlooked, what moves may be the person; where the motion bridges a gap they are hidden.
        knows_person = view.has_person or view.body is not None
        moving = (detect_moving_objects(view, ratios) & knows_person) | box.cut(objects.read(frame))
        person, person_ratio = _label_person(view, ratios, moving, working)
        if person.any():
            learned.add_labels(view, person, moving)
        part = canvas.find_part(frame, box)
        totals = coverage.over, coverage.person, coverage.beside
        for total, found in zip(totals, coverage.observe(view, ratios, moving), strict=True):
            whole = np.zeros(working.size[::-1], np.uint8)
            box.cut(whole)[:] = found
            part.cut(total)[:] += canvas.project(whole, frame, flags=cv2.INTER_NEAREST, part=part)
        labels.append(frame, view, model, ratios, alpha_from_log_ratio(person_ratio), person, moving, box)
    background = views.background
    fixed = find_fixed_occluders(background.picture, background.known, coverage, working.body_height)
    return LabelRound(learned, fixed, labels)


def _label_person(
    view: FrameView, ratios: LogRatios, moving: np.ndarray, working: WorkingClip
) -> tuple[np.ndarray, np.ndarray]:
    """Where the person is (h, w) bool, and the log ratio that becomes their soft mask."""
    if working.mask_source == "user":
        inside = view.soft > 127
        return inside & ~moving, np.where(inside, 8.0, -8.0)
    smallest = PERSON_SPECK * working.body_height**2
    looks_so = ratios.is_person & ~moving & ~ratios.revealed
    near = looks_so & view.near_person
    person = remove_small(near | find_ends_beyond(view, looks_so, remove_small(near, smallest)), smallest)
    return person, np.where(dilate_mask(person, 2), ratios.person, -8.0)


def find_ends_beyond(view: FrameView, looks_so: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Ends of limbs that the first guess lost, (h, w) bool: a hand blurred by its motion, a skate.

    They are what `looks_so` (h, w) bool further out than the person may be, small, and beside the `person` found.
    """
    import cv2

    reach = END_BEYOND * view.body_height
    around = dilate_mask(view.near_person, reach)
    beyond = looks_so & ~view.near_person & around
    if not beyond.any():
        return beyond
    count, label, stats, _ = cv2.connectedComponentsWithStats(beyond.astype(np.uint8), connectivity=8)
    kept = np.bincount(label[dilate_mask(person, END_GAP * view.body_height)], minlength=count) > 0
    kept &= stats[:, cv2.CC_STAT_AREA] < END_AREA * view.body_height**2
    kept[np.unique(label[dilate_mask(~around, 1.5)])] = False  # it goes on: somebody else
    kept[0] = False
    return kept[label]


class FrameLabels:
    """Soft person and numbered objects of each frame of a canvas, and the tracks of the objects."""

    def __init__(self, working: WorkingClip, canvas: BackgroundCanvas, ask: Callable = lambda: None):
        """`ask` is called before a frame is read; it may raise to cancel."""
        self.working, self.canvas, self.start, self.ask = working, canvas, canvas.start, ask
        self.store, self.tracks = FrameStore(), ObjectTracks(working.body_height)
        self.body_places: dict[int, np.ndarray] = {}  # the middle (N, 2) of each person's body; NaN of who is not there

    def append(
        self, frame: int, view: FrameView, model: AppearanceModel, ratios: LogRatios, alpha, person, moving, box: Box
    ) -> None:
        """Take in the next frame: `alpha` (h, w) uint8 and `person`, `moving` (h, w) bool within `box`."""
        import cv2

        number = cv2.connectedComponents(moving.astype(np.uint8), connectivity=8)[1].clip(0, 255).astype(np.uint8)
        own, matrix = model.match_own_colors(view, number), self.canvas.canvas_from_frame[frame]
        self.tracks.add(frame, list_sightings(frame, view, ratios, number, person, own, box[:2], matrix))
        hints = OWN_COLORED * own + OVER_BODY * view.deep_body
        around = cv2.blur(ratios.difference.astype(np.float32), (APART_SIDE, APART_SIDE))
        hints += SEEN_APART * (ratios.difference > APART_LEVELS) + ALL_APART * (around > ALL_APART_LEVELS)
        if view.body is not None:
            self.body_places[frame] = view.body.centers.reshape(-1, BODY_PATCHES, 2).mean(1) + box[:2]
            hints += BODY_SHAPE * view.body.silhouette
        self._append(alpha, number, _encode_density(ratios.density), hints.astype(np.uint8))

    def append_nothing(self, frame: int) -> None:
        """Take in a frame in which nobody is."""
        self.tracks.add(frame, [])
        self._append(*(np.zeros((1, 1), np.uint8) for _ in range(LAYERS)))

    def _append(self, *layers: np.ndarray) -> None:
        for layer in layers:  # one by one: who reads one layer needs none of the others
            self.store.append(layer)

    def _read(self, frame: int, layer: int) -> np.ndarray:
        self.ask()
        return self.store[(frame - self.start) * LAYERS + layer]

    def person(self, frame: int) -> np.ndarray:
        """The soft mask (h, w) uint8 of the person within the frame's box."""
        return self._read(frame, 0)

    def numbers(self, frame: int) -> np.ndarray:
        """The number of the moving object of each pixel within the frame's box, (h, w) uint8, 0 for none."""
        return self._read(frame, 1)

    def hints(self, frame: int) -> np.ndarray:
        """Flags OWN_COLORED to ALL_APART of each pixel within the frame's box, (h, w) uint8."""
        return self._read(frame, 3)

    def evidence(self, frame: int) -> ColorEvidence:
        """What a frame shows, and how well scene and person explain it."""
        picture, box = self.working.pictures[frame], self.working.boxes[frame]
        density = np.full(picture.shape[:2], np.nan, np.float32)
        if box is not None:
            box.cut(density)[:] = _decode_density(self._read(frame, 2))
        return ColorEvidence(picture, density)


def _encode_density(density: np.ndarray) -> np.ndarray:
    """Log densities as uint8, a tenth apart."""
    return ((density - LOWEST_DENSITY) * 10 + 0.5).clip(0, 255).astype(np.uint8)


def _decode_density(code: np.ndarray) -> np.ndarray:
    return code.astype(np.float32) / 10 + LOWEST_DENSITY
