"""Which parts of the background stand in front of the person: fixed objects that they walk behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.box import Box
from .appearance import LogRatios
from .color_histograms import ColorHistograms, bins_of
from .filters import cut_by_color, dilate_mask, erode_mask, remove_specks
from .frame_views import FrameView
from .moving_objects import SMALLEST_OBJECT


# Set on the tuning shots 6-17 and 30-35, 2026-11-23: of the fixed occluders of shot 29 0.55 was found.
OCCLUDER_REACH = 0.15  # of the body height: how far around the body a fixed object is outlined, and judged around hits
FEWEST_SIGHTINGS = 2  # frames in which the body was behind a fixed object
HIDDEN_ODDS = 1.5  # so many more times the scene was seen there than the person
LEAST_ODDS = 1.0  # log odds from which a color is the object's
# Log odds of its colors, added up over the sightings of a seed, on the average: enough where a color is hardly its own.
# Scenery beside a hand or a chin that the fit misplaced has 1.5 to 11; the edge of a desk before a suit 17 and 29.
LEAST_EVIDENCE = 12.0
ODDS_SIDE, BEHIND_SIDE = 3, 5  # pixels of a neighborhood over which odds, and densities of what is behind, are averaged
TYPICAL_SHARE = 0.5  # of the odds of a typical seed: from there on a neighborhood is the object's
BEHIND_PERCENTILE = 10  # of the densities of what is behind: from there on a color is one of its own
GROWTH = 2.0  # times OCCLUDER_REACH: so far an object of one color goes on
OUTLINE_CONTRAST = 20.0  # levels that the plate changes across the outline of a fixed object
OUTLINE_SHARE = 0.4  # share of the outline that must be such an edge
# Shares of a fixed object near what it hides that must be seen in front of the body, again and again or just once:
# 0.1 and 0.24 of a chest before one leg, 0.4 and 0.7 of a plant, 0.04 of ground on which a foot is misplaced.
HIDING_SHARE, HIT_SHARE = 0.08, 0.2
# The person beside the fitted body, so near an object, by the sightings of the object. A limb that the fit misplaced is
# seen there: 8 to 33 times beside a chin, 5.5 where a wide skirt hangs over a chest. Where hardly any of the person is,
# what should be there is hidden: shins behind a bush, 0.08 and 0.09 of it.
BESIDE_REACH, MISFIT_SHARE, BESIDE_SHARE = 0.06, 7.0, 0.3  # the first of the body height
HIDDEN_SHARE = 0.3  # of HIDING_SHARE and HIT_SHARE that suffices then


@dataclass(frozen=True, eq=False)
class BodyCoverage:
    """How often each canvas pixel was seen in front of the body, how often it was the person, and how often the person
    beside the fitted body. (h, w) int32."""

    over: np.ndarray
    person: np.ndarray
    beside: np.ndarray

    @classmethod
    def empty(cls, size: tuple[int, int]) -> BodyCoverage:
        return cls(*(np.zeros(size[::-1], np.int32) for _ in range(3)))

    def observe(
        self, view: FrameView, ratios: LogRatios, moving: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where a frame shows scenery in front of the body, the person, and the person beside the body, (h, w) bool."""
        person = ratios.is_person
        if view.body is None:
            return np.zeros_like(person), person, np.zeros_like(person)
        over = view.steady_body & view.known & (ratios.person < -1) & ~moving & ~view.others & ~person
        return over, person, person & ~view.body.silhouette


def find_fixed_occluders(plate: np.ndarray, known: np.ndarray, seen: BodyCoverage, body_height: float) -> np.ndarray:
    """How much each canvas pixel belongs to a fixed object in front of the person, (h, w) float32 in 0 to 1.

    Seeds are pixels that keep showing the scene although the body is there, in colors that the scene behind the person
    does not have: a limb beside which the fit lies shows more of that scene. The object goes as far around them as its
    colors do, up to what was seen behind the person, and it must have an outline in the plate.
    """
    none = np.zeros(known.shape, np.float32)
    seeds = remove_specks((seen.over >= FEWEST_SIGHTINGS) & (seen.over > HIDDEN_ODDS * seen.person))
    behind = erode_mask((seen.person > 0) & (seen.person > seen.over), 1)
    if not seeds.any() or not behind.any():
        return none
    odds = ObjectColors.learn(plate, seeds, behind & known).odds
    seeds = remove_specks(seeds & (odds > 0))
    if seeds.sum() < 2 * SMALLEST_OBJECT * body_height**2:
        return none
    colors = ObjectColors.learn(plate, seeds, behind & known)  # without the scene beside which the fit lies
    hits = seeds | ((seen.over > HIDDEN_ODDS * seen.person) & (odds > 0))
    somebody = seen.over + seen.person > 0
    like_behind = colors.like_behind & ~dilate_mask(seeds, 2)
    cut = _cut_out(
        plate, colors, dilate_mask(somebody, OCCLUDER_REACH * body_height), seeds, behind | like_behind, behind
    )
    reach = dilate_mask(somebody, GROWTH * OCCLUDER_REACH * body_height)
    cut = _grow(cut, colors.like_object & (colors.odds > 0) & known & reach & ~behind & ~like_behind, seeds)
    cut = _keep_hiders(cut, seeds, hits, odds, seen, body_height)
    return _keep_outlined(cut, behind, plate).astype(np.float32)


@dataclass(frozen=True, eq=False)
class ObjectColors:
    """Which colors of the plate are a fixed object's. All (h, w)."""

    odds: np.ndarray  # log odds for the object against what was seen behind the person
    like_object: np.ndarray  # bool: of its colors, over a neighborhood
    like_behind: np.ndarray  # bool: of colors that are as common behind the person, over a neighborhood

    @classmethod
    def learn(cls, plate: np.ndarray, seeds: np.ndarray, behind: np.ndarray) -> ObjectColors:
        """From `seeds` of the object and what was seen `behind` the person, (h, w) bool."""
        import cv2

        bins, front, back = bins_of(plate), ColorHistograms(), ColorHistograms()
        front.add(bins[seeds])
        back.add(bins[behind])
        density = back.log_density(bins).astype(np.float32)
        odds = front.log_density(bins).astype(np.float32) - density
        common = cv2.blur(density, (BEHIND_SIDE,) * 2)
        is_common = common > np.percentile(common[behind], BEHIND_PERCENTILE) if behind.any() else common < -np.inf
        like_behind = is_common & (cv2.blur(odds, (BEHIND_SIDE,) * 2) < 0)
        around = cv2.blur(odds, (ODDS_SIDE,) * 2)
        least = max(LEAST_ODDS, TYPICAL_SHARE * float(np.median(around[seeds])))
        return cls(odds, around > least, like_behind)


def _grow(cut: np.ndarray, like_object: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """What was `cut` out, with what is `like_object` and hangs together with its `seeds`, all (h, w) bool."""
    import cv2

    count, label = cv2.connectedComponents(remove_specks(cut | like_object).astype(np.uint8), connectivity=8)
    has_seeds = np.bincount(label[seeds], minlength=count) > 0
    has_seeds[0] = False
    return cut | has_seeds[label]


def _cut_out(
    plate: np.ndarray, colors: ObjectColors, reach: np.ndarray, seeds: np.ndarray, apart: np.ndarray, behind: np.ndarray
) -> np.ndarray:
    """What within `reach` is one with `seeds` and not with what is `apart`, (h, w) bool, by color and edges (GrabCut).

    Beyond the reach the object itself may go on, and what is taken for background would be its own colors: there the
    mean of what is `behind` the person stands for the plate.
    """
    import cv2

    found = np.zeros(reach.shape, bool)
    box = Box.of_mask(reach | seeds, margin=1)  # GrabCut takes 110 bytes a pixel: 170 MB on a wide canvas
    labels = np.where(box.cut(colors.like_object), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[box.cut(apart | ~reach)] = cv2.GC_BGD
    labels[box.cut(seeds)] = cv2.GC_FGD
    picture = np.where(box.cut(reach)[..., None], box.cut(plate), plate[behind].mean(0).astype(np.uint8))
    box.cut(found)[:] = cut_by_color(picture, labels)
    return found


def _keep_hiders(
    cut: np.ndarray, seeds: np.ndarray, hits: np.ndarray, odds: np.ndarray, seen: BodyCoverage, body_height: float
) -> np.ndarray:
    """The components of `cut` that were seen in front of the body, (h, w) bool.

    Enough of them, near what they hide, were so at least once and again and again, and their colors are unlike what
    was seen behind the person, or were seen so often that little tells.
    """
    import cv2

    near = dilate_mask(hits, OCCLUDER_REACH * body_height)
    count, label = cv2.connectedComponents(cut.astype(np.uint8), connectivity=8)
    kept = np.zeros(cut.shape, bool)
    for number in range(1, count):
        part = label == number
        area, own = max(1, (part & near).sum()), part & seeds
        if not own.any() or (odds[own].mean() < LEAST_ODDS and (odds * seen.over)[own].mean() < LEAST_EVIDENCE):
            continue
        beside = seen.beside[dilate_mask(own, BESIDE_REACH * body_height)].sum() / seen.over[own].sum()
        if beside > MISFIT_SHARE:
            continue
        if beside < BESIDE_SHARE:
            area *= HIDDEN_SHARE
        if own.sum() >= HIDING_SHARE * area and (part & hits).sum() >= HIT_SHARE * area:
            kept |= part
    return kept


def _keep_outlined(cut: np.ndarray, behind: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """The components of `cut` (h, w) bool that are set off in the plate where the person was seen beside them."""
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    wide = np.ones((5, 5), np.uint8)
    step = cv2.subtract(cv2.dilate(plate, wide), cv2.erode(plate, wide)).max(-1)
    count, label = cv2.connectedComponents(cut.astype(np.uint8), connectivity=8)
    kept = np.zeros(cut.shape, bool)
    for number in range(1, count):
        part = label == number
        rim = (cv2.dilate(part.astype(np.uint8), kernel) > 0) & ~part & dilate_mask(behind, 3)
        if not rim.any() or (step[rim] > OUTLINE_CONTRAST).mean() > OUTLINE_SHARE:
            kept |= _fill_holes(part, behind)
    return kept


def _fill_holes(part: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """An object (h, w) bool with the holes in it through which nobody was seen."""
    import cv2

    count, label = cv2.connectedComponents((~part).astype(np.uint8), connectivity=4)
    is_hole = np.bincount(label[behind], minlength=count) == 0
    is_hole[np.unique(np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]]))] = False
    is_hole[0] = True
    return is_hole[label]
