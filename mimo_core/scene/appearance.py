"""Pass 3, appearance: what the person, the scene and what moves look like, and what that says of a pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from ..body.model import free_body
from .balls import find_balls
from .coarse_background import CoarseBackground
from .color_histograms import ColorHistograms, bins_of
from .filters import (
    GuidedFilter,
    channel_maximum,
    channel_norm,
    dilate_mask,
    plate_distance,
    remove_specks,
    shadow_distance,
    split_components,
)
from .first_guess import POSSIBLE_PERSON
from .fitted_body import BODY_PATCHES, patch_neighbors
from .frame_views import SURE_PERSON, FrameView


# Set together on the tuning shots 6-17 and 30-35 (256 px, 24 frames), 2026-11-23: IoU of the person 0.92 to 0.94,
# of moving occluders 0.61 to 0.85. Not varied one by one.
PLATE_CONTRAST = 18.0  # levels from the plate: certainly not what lies behind
TOLERANCE = 6.0  # levels by which a pixel strays from the plate
SPREAD = 12.0  # levels that the colours of the plate around a pixel span
SHADOW_COST = 2.0  # log odds: shadows are rarer than the plain plate
REVEALED_COST = 1.0  # log odds: the plate is wrong more rarely than right
SURELY_REVEALED = 8.0  # levels from the surroundings
REVEALED_LEVELS = 8.0  # from the plate: what is surely the scene in the frame itself
REVEALED_REACH = 0.05  # of the body height: how far around the scene in the frame tells what is here
REVEALED_SUPPORT = 0.15  # share of these surroundings that must be surely the scene
REVEALED_SPREAD = 8.0  # levels by which they vary at most
OUTLIERS = 0.02  # share of pixels that nothing known explains
SOFT_MASK_DOUBT = 0.06  # the soft mask is never trusted beyond 1 - SOFT_MASK_DOUBT
OBJECT_COST = 1.5  # objects are rarer than people and scenery
NEAR_PART = 0.06  # of the body height: body parts so near an object may be what it is
# Log odds: somebody else's colors are rarer than the scene. In frames in which they are known to be there, so near them
# (in body heights), it costs less: masks of people are too small. On a clip of two who embrace and walk, 2026-11-28.
OTHERS_COST, NEAR_OTHERS_COST, OTHERS_REACH = 2.0, 0.5, 0.1
STILL_BONUS = 3.0  # for the plate where it holds still while the body behind it moves
TEXTURE_BONUS = 3.0  # for the plate where its texture is seen: as for what holds still
TEXTURE_MATCH_SIDE = 5  # pixels of the neighbourhood that is compared
TEXTURE_MATCH_SPAN = 48.0  # levels that it must span
TEXTURE_MATCH_LEVELS = 3.0  # mean distance from the plate: compression and sensor noise
OWN_GAIN = 1.0  # log odds by which a colour must be the person's rather than the scene's
SMOOTHNESS = 4e-4  # variance in 0..1 colours, the epsilon of the guided filter (He et al., ECCV 2010)
LOG_RATIO_LIMIT = 8.0  # of the log odds of a single pixel


@dataclass(frozen=True, eq=False)
class LogRatios:
    """Smoothed log odds of each pixel (h, w)."""

    person: np.ndarray  # the person against the scene
    object: np.ndarray  # a moving object against person and scene
    difference: np.ndarray  # levels from the plate, in light or in shadow
    revealed: np.ndarray  # bool: surely the scene, by what goes on around it, whatever the plate shows
    density: np.ndarray  # log density of each colour, not smoothed, where there are only scene and person

    @property
    def is_person(self) -> np.ndarray:
        return (self.person > 0) & (self.object < 0)


def learn_appearance(views: Iterable[FrameView | None], tick: Callable[[], None], people: int = 1) -> AppearanceModel:
    """What everything looks like, from views of which only the first guess is known. `tick()` once a view."""
    model = AppearanceModel(people)
    for view in views:
        if view is not None:
            model.add_guess(view)
        tick()
    return model


class AppearanceModel:
    """What the person, or several people, who else is beside them, the scene and the objects that move look like."""

    def __init__(self, people: int = 1):
        self.person = ColorHistograms(people * BODY_PATCHES, patch_neighbors(free_body(), people))
        self.objects = ColorHistograms()
        self.others = ColorHistograms()  # who else is beside the person in some frames, also where nobody follows them
        self.scene = ColorHistograms()

    def add_guess(self, view: FrameView) -> None:
        """Take in a frame of which only the soft mask is known."""
        bins = bins_of(view.picture)
        away = plate_distance(view.picture, view.plate)
        person = (view.soft > SURE_PERSON) & ((away > PLATE_CONTRAST) | ~view.known) & ~view.still & ~view.others
        self.others.add(bins[view.others])
        self.person.add(bins[person], _select(view.patch, person))
        if not view.has_person:
            return
        outside = ~dilate_mask(view.soft > POSSIBLE_PERSON, 0.03 * view.body_height)
        moving = np.minimum(away, shadow_distance(view.picture, view.plate)) > 1.5 * PLATE_CONTRAST
        moving = remove_specks(outside & view.known & moving & ~view.others)
        self.objects.add(bins[moving])
        self.scene.add(bins[outside & ~moving & ~np.asarray(view.carried) & ~view.others])

    def find_person_in_background(self, scenery: CoarseBackground, body_height: float) -> np.ndarray:
        """Where the plate (h, w) shows the person: a part that hardly moves and that the first guess left out."""
        bins = bins_of(scenery.picture)
        gain = self.person.log_density_of_all(bins) - self.scene.log_density(bins)
        gain = _smooth_evidence(gain, _guide_evidence(scenery.picture, body_height))
        near = dilate_mask(scenery.body_lingers, 0.03 * body_height)
        return remove_specks(scenery.known & ~scenery.surely_still & near & (gain > OWN_GAIN))

    def match_own_colors(self, view: FrameView, label: np.ndarray) -> np.ndarray:
        """Which pixels of labelled components have colours of the body parts near the component, (h, w) bool."""
        found = np.zeros(label.shape, bool)
        if view.body is None:
            return found
        bins = bins_of(view.picture)
        for _, y, x in split_components(label):
            reach = NEAR_PART * view.body_height + max(np.ptp(x), np.ptp(y)) / 2
            middle = np.array([x.mean(), y.mean()])
            parts = np.flatnonzero(np.linalg.norm(view.body.centers - middle, axis=1) < reach)
            if len(parts):
                found[y, x] = self.person.has(bins[y, x], parts)
        return found

    def add_labels(self, view: FrameView, person: np.ndarray, moving: np.ndarray) -> None:
        """Take in a frame that was labelled: where the person is and where an object, (h, w) bool."""
        bins, person, moving = bins_of(view.picture), person & ~view.others, moving & ~view.others
        self.person.add(bins[person], _select(view.patch, person))
        self.objects.add(bins[moving])
        self.others.add(bins[view.others])
        self.scene.add(bins[~person & ~moving & ~view.others])

    def score_pixels(self, view: FrameView) -> LogRatios:
        """How person, scene and moving objects compare in every pixel of a view."""
        bins = bins_of(view.picture)
        away = plate_distance(view.picture, view.plate)
        shadow = shadow_distance(view.picture, view.plate)
        plate = np.logaddexp(_log_normal(away), _log_normal(shadow) - SHADOW_COST)
        revealed = measure_revealed(view, away)
        plate = np.logaddexp(plate, np.log(OUTLIERS / 256**3))
        plate = np.where(view.known, plate, self.scene.log_density(bins)) + STILL_BONUS * np.maximum(
            view.still, view.fixed
        )
        plate = plate + TEXTURE_BONUS * (view.known & find_texture_match(away, view.plate))
        scenery = plate
        if self.others.is_taught:
            near_others = dilate_mask(view.others, OTHERS_REACH * view.body_height)
            cost = np.where(near_others, NEAR_OTHERS_COST, OTHERS_COST)
            plate = np.logaddexp(scenery, self.others.log_density(bins) - cost)
        person = self.person.log_density(bins, view.patch)
        moving = self.objects.log_density(bins) - OBJECT_COST
        belief = log_odds(view.soft)
        guide = _guide_evidence(view.picture, view.body_height)
        as_person = np.where(view.near_person, person + np.minimum(belief, 0), -np.inf)
        against_person = np.minimum(moving - as_person, LOG_RATIO_LIMIT)

        def score_objects(plate: np.ndarray) -> np.ndarray:
            scene = np.logaddexp(plate, _log_normal(revealed) - REVEALED_COST)
            return _smooth_evidence(np.minimum(moving - scene, against_person), guide)

        objects = score_objects(plate)
        if self.others.is_taught:
            alone = score_objects(scenery)
            is_ball = find_balls(remove_specks(alone > 0) & ~near_others, view.body_height)
            objects = np.where(is_ball, alone, objects)
        return LogRatios(
            person=_smooth_evidence(person - plate + belief, guide),
            object=objects,
            difference=np.minimum(np.minimum(away, shadow), revealed),
            revealed=revealed < SURELY_REVEALED,
            density=np.maximum(plate, as_person),
        )


def find_texture_match(away: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Where the plate has texture and all of it is seen in the frame, (h, w) bool.

    `away` (h, w) is the distance of each pixel from the plate. A person hardly ever shows the texture behind them.
    """
    import cv2

    kernel = np.ones((TEXTURE_MATCH_SIDE,) * 2, np.uint8)
    span = channel_maximum(cv2.subtract(cv2.dilate(plate, kernel), cv2.erode(plate, kernel)))
    return (span > TEXTURE_MATCH_SPAN) & (cv2.blur(away, (TEXTURE_MATCH_SIDE,) * 2) < TEXTURE_MATCH_LEVELS)


def measure_revealed(view: FrameView, away: np.ndarray) -> np.ndarray:
    """How far each pixel is from the scene's color around it in the frame itself, in levels (h, w).

    Where somebody stood for long the plate shows them. When they are elsewhere what is seen differs from the plate, but
    is what goes on around it. `away` (h, w) is the distance from the plate. 255 where the surroundings tell nothing.
    """
    import cv2

    sure = (away < REVEALED_LEVELS) & view.known & (view.soft <= POSSIBLE_PERSON)
    side = 2 * max(2, round(REVEALED_REACH * view.body_height)) + 1
    weight = sure.astype(np.float32)
    support = cv2.blur(weight, (side, side))
    scene = view.picture.astype(np.float32)
    total = np.maximum(support, 1e-3)[..., None]
    mean = cv2.blur(scene * weight[..., None], (side, side)) / total
    square = cv2.blur(np.square(scene) * weight[..., None], (side, side)) / total
    calm = channel_maximum(square - mean * mean) < REVEALED_SPREAD**2
    told = (support > REVEALED_SUPPORT) & calm & (view.soft <= POSSIBLE_PERSON)
    return np.where(told, channel_norm(scene - mean), 255.0)


def log_odds(soft: np.ndarray) -> np.ndarray:
    """A soft mask (h, w) uint8 as log odds, never surer than SOFT_MASK_DOUBT allows."""
    share = soft.astype(np.float32) / 255 * (1 - 2 * SOFT_MASK_DOUBT) + SOFT_MASK_DOUBT
    return np.log(share / (1 - share))


def alpha_from_log_ratio(ratios: np.ndarray) -> np.ndarray:
    """Log ratios as a soft mask (h, w) uint8."""
    return (255 / (1 + np.exp(-1.5 * ratios.clip(-20, 20))) + 0.5).astype(np.uint8)


def _log_normal(distance: np.ndarray) -> np.ndarray:
    return -0.5 * np.square(distance / TOLERANCE) - 3 * np.log(SPREAD * np.sqrt(2 * np.pi))


def _guide_evidence(picture: np.ndarray, body_height: float) -> GuidedFilter:
    return GuidedFilter(picture, max(2, round(0.012 * body_height)), SMOOTHNESS)


def _smooth_evidence(ratios: np.ndarray, guide: GuidedFilter) -> np.ndarray:
    """Evidence gathered over places of one colour."""
    return guide.smooth(ratios.clip(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT))


def _select(patch: np.ndarray | int, where: np.ndarray) -> np.ndarray | int:
    return patch if np.isscalar(patch) else patch[where]
