"""Which pixels show the person, which the scene, and which a thing that moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.model import free_body
from .appearance import Appearance, bins_of
from .filters import grown, guided, plate_distance
from .silhouette import PATCHES, Body, patch_neighbours
from .survey import CoarsePlate


SURE = 153  # soft mask values from here on teach what the person looks like
UNSURE = 38  # below this nobody is there
DIFFERENT = 18.0  # levels from the plate: certainly not what lies behind
TOLERANCE = 6.0  # levels by which a pixel strays from the plate
SPREAD = 12.0  # levels that the colours of the plate around a pixel span
SHADOW = 0.3  # the person's shadow darkens the plate at most so much
SHADOW_COST = 2.0
SHADOW_NOISE = 3.0  # levels by which sensor noise makes the darkening vary
SHADOW_TEXTURE = 2.0  # weight of its other variation
OUTLIERS = 0.02
BELIEF = 0.06  # the soft mask is never trusted beyond 1 - BELIEF
THING_COST = 1.5  # things are rarer than people and scenery
FAR = 0.05  # of the stature: the person does not reach further beyond the first guess
NEAR_PART = 0.06  # of the stature: body parts so near a thing may be what it is
STILL_BONUS = 3.0  # for the plate where it holds still while the body behind it moves
OWN_GAIN = 1.0  # log odds by which a colour must be the person's rather than the scene's
SMOOTHNESS = 4e-4
LIMIT = 8.0  # of the log odds of a single pixel


@dataclass(frozen=True, eq=False)
class View:
    """A frame at working size, and what is known about it. All (h, w)."""

    picture: np.ndarray  # (h, w, 3) uint8
    soft: np.ndarray  # uint8, the first guess of the person
    plate: np.ndarray  # (h, w, 3) uint8
    known: np.ndarray  # bool: some frame showed the plate here
    still: np.ndarray  # bool: the picture holds still here although the body moves
    fixed: np.ndarray  # float32: belongs to a fixed thing in front of the person, 0 to 1
    body: Body | None
    stature: float  # height of the standing body in pixels

    @property
    def near_person(self) -> np.ndarray:
        """Where the person may be, (h, w) bool."""
        return grown(self.soft > UNSURE, FAR * self.stature)

    @property
    def has_person(self) -> bool:
        """Whether the first guess found the person at all."""
        return bool((self.soft > SURE).any())

    @property
    def patch(self) -> np.ndarray | int:
        return 0 if self.body is None else self.body.patch


@dataclass(frozen=True, eq=False)
class Odds:
    """Smoothed log odds of each pixel (h, w)."""

    person: np.ndarray  # the person against the scene
    thing: np.ndarray  # a moving thing against person and scene
    different: np.ndarray  # levels from the plate, in light or in shadow
    explained: np.ndarray  # log density of each colour, not smoothed, where there are only scene and person

    @property
    def is_person(self) -> np.ndarray:
        return (self.person > 0) & (self.thing < 0)


class Looks:
    """What the person, the scene and the things that move look like."""

    def __init__(self):
        self.person = Appearance(PATCHES, patch_neighbours(free_body()))
        self.things = Appearance()
        self.scene = Appearance()

    def learn(self, view: View) -> None:
        """Take in a frame of which only the soft mask is known."""
        bins = bins_of(view.picture)
        away = plate_distance(view.picture, view.plate)
        person = (view.soft > SURE) & ((away > DIFFERENT) | ~view.known) & ~view.still
        self.person.add(bins[person], _at(view.patch, person))
        if not view.has_person:
            return
        outside = ~grown(view.soft > UNSURE, 0.03 * view.stature)
        moving = np.minimum(away, shadow_distance(view.picture, view.plate)) > 1.5 * DIFFERENT
        thing = _without_specks(outside & view.known & moving)
        self.things.add(bins[thing])
        self.scene.add(bins[outside & ~thing])

    def holds_still(self, scenery: CoarsePlate, stature: float) -> np.ndarray:
        """Where the plate (h, w) shows the person: a part that hardly moves and that the first guess left out."""
        bins = bins_of(scenery.picture)
        gain = self.person.log_density_of_all(bins) - self.scene.log_density(bins)
        gain = _gathered(gain, scenery.picture, max(2, round(0.012 * stature)))
        near = grown(scenery.lingers, 0.03 * stature)
        return _without_specks(scenery.known & near & (gain > OWN_GAIN))

    def own(self, view: View, label: np.ndarray) -> np.ndarray:
        """Which pixels of labelled components have colours of the body parts near the component, (h, w) bool."""
        found = np.zeros(label.shape, bool)
        if view.body is None:
            return found
        bins = bins_of(view.picture)
        for number in range(1, int(label.max()) + 1):
            y, x = np.nonzero(label == number)
            reach = NEAR_PART * view.stature + max(np.ptp(x), np.ptp(y)) / 2 if len(x) else 0
            middle = np.array([x.mean(), y.mean()]) if len(x) else np.zeros(2)
            parts = np.flatnonzero(np.linalg.norm(view.body.centers - middle, axis=1) < reach)
            if len(x) and len(parts):
                found[y, x] = self.person.has(bins[y, x], parts)
        return found

    def relearn(self, view: View, person: np.ndarray, thing: np.ndarray) -> None:
        """Take in a frame that was labelled: where the person is and where a thing, (h, w) bool."""
        bins = bins_of(view.picture)
        self.person.add(bins[person], _at(view.patch, person))
        self.things.add(bins[thing])
        self.scene.add(bins[~person & ~thing])

    def odds(self, view: View) -> Odds:
        bins = bins_of(view.picture)
        away = plate_distance(view.picture, view.plate)
        shadow = shadow_distance(view.picture, view.plate)
        plate = np.logaddexp(_log_normal(away), _log_normal(shadow) - SHADOW_COST)
        plate = np.logaddexp(plate, np.log(OUTLIERS / 256**3))
        plate = np.where(view.known, plate, self.scene.log_density(bins)) + STILL_BONUS * np.maximum(
            view.still, view.fixed
        )
        person = self.person.log_density(bins, view.patch)
        thing = self.things.log_density(bins) - THING_COST
        belief = log_odds(view.soft)
        radius = max(2, round(0.012 * view.stature))
        as_person = np.where(view.near_person, person + np.minimum(belief, 0), -np.inf)
        against_plate, against_person = thing - plate, np.minimum(thing - as_person, LIMIT)
        return Odds(
            person=_gathered(person - plate + belief, view.picture, radius),
            thing=_gathered(np.minimum(against_plate, against_person), view.picture, radius),
            different=np.minimum(away, shadow),
            explained=np.maximum(plate, as_person),
        )


def shadow_distance(picture: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """How far each pixel is from the plate in shadow, in levels (h, w).

    A shadow keeps the plate's hue and its texture: the darkening has no detail. Another thing of the same hue does not.
    """
    import cv2

    here, there = picture.astype(np.float32), plate.astype(np.float32)
    scale = (here * there).sum(-1) / np.maximum(np.square(there).sum(-1), 1)
    hue = np.linalg.norm(here - scale.clip(SHADOW, 1)[..., None] * there, axis=-1)
    fine = scale - cv2.blur(scale, (3, 3))
    texture = np.sqrt(cv2.blur(fine * fine, (3, 3))) * there.mean(-1)
    return hue + SHADOW_TEXTURE * np.maximum(texture - SHADOW_NOISE, 0)


def log_odds(soft: np.ndarray) -> np.ndarray:
    """A soft mask (h, w) uint8 as log odds, never surer than BELIEF allows."""
    share = soft.astype(np.float32) / 255 * (1 - 2 * BELIEF) + BELIEF
    return np.log(share / (1 - share))


def alpha_of(odds: np.ndarray) -> np.ndarray:
    """Log odds as a soft mask (h, w) uint8."""
    return (255 / (1 + np.exp(-1.5 * odds.clip(-20, 20))) + 0.5).astype(np.uint8)


def _log_normal(distance: np.ndarray) -> np.ndarray:
    return -0.5 * np.square(distance / TOLERANCE) - 3 * np.log(SPREAD * np.sqrt(2 * np.pi))


def _gathered(odds: np.ndarray, picture: np.ndarray, radius: int) -> np.ndarray:
    """Evidence gathered over places of one colour."""
    return guided(odds.clip(-LIMIT, LIMIT), picture, radius, SMOOTHNESS)


def _at(patch: np.ndarray | int, where: np.ndarray) -> np.ndarray | int:
    return patch if np.isscalar(patch) else patch[where]


def _without_specks(mask: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
