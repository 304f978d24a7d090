"""Which parts of the background stand in front of the person: fixed objects that they walk behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .appearance import LogRatios
from .color_histograms import ColorHistograms, bins_of
from .filters import dilate_mask, erode_mask
from .frame_views import FrameView
from .moving_objects import SMALLEST_OBJECT


# Set on the tuning shots 6-17 and 30-35, 2026-11-23: of the fixed occluders of shot 29 0.55 was found.
OCCLUDER_REACH = 0.15  # of the body height: how far around the body a fixed object is outlined, and judged around hits
FEWEST_SIGHTINGS = 2  # frames in which the body was behind a fixed object
HIDDEN_ODDS = 1.5  # so many more times the scene was seen there than the person
LEAST_ODDS = 1.0  # log odds from which a color is the object's
OUTLINE_CONTRAST = 20.0  # levels that the plate changes across the outline of a fixed object
OUTLINE_SHARE = 0.4  # share of the outline that must be such an edge
# Shares of a fixed object near what it hides that must be seen in front of the body, again and again or just once:
# 0.13 and 0.27 of a chest before one leg, 0.4 and 0.7 of a plant, 0.04 of ground on which a foot is misplaced.
HIDING_SHARE, HIT_SHARE = 0.1, 0.2


@dataclass(frozen=True, eq=False)
class BodyCoverage:
    """How often each canvas pixel was seen in front of the body, and how often it was the person. (h, w) int32."""

    over: np.ndarray
    person: np.ndarray

    @classmethod
    def empty(cls, size: tuple[int, int]) -> BodyCoverage:
        width, height = size
        return cls(np.zeros((height, width), np.int32), np.zeros((height, width), np.int32))

    def observe(self, view: FrameView, ratios: LogRatios, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where a frame shows scenery in front of the body, and where the person, (h, w) bool."""
        person = ratios.is_person
        if view.body is None:
            return np.zeros_like(person), person
        return view.steady_body & view.known & (ratios.person < -1) & ~moving & ~person, person


def find_fixed_occluders(plate: np.ndarray, known: np.ndarray, seen: BodyCoverage, body_height: float) -> np.ndarray:
    """How much each canvas pixel belongs to a fixed object in front of the person, (h, w) float32 in 0 to 1.

    Seeds are pixels that keep showing the scene although the body is there, in colors that the scene behind the person
    does not have: a limb beside which the fit lies shows more of that scene. The object goes as far around them as its
    colors do, up to what was seen behind the person, and it must have an outline in the plate.
    """
    none = np.zeros(known.shape, np.float32)
    seeds = _open((seen.over >= FEWEST_SIGHTINGS) & (seen.over > HIDDEN_ODDS * seen.person))
    behind = erode_mask((seen.person > 0) & (seen.person > seen.over), 1)
    if not seeds.any() or not behind.any():
        return none
    odds = _compare_colors(plate, seeds, behind & known)
    seeds = _open(seeds & (odds > 0))
    if seeds.sum() < 2 * SMALLEST_OBJECT * body_height**2:
        return none
    hits = seeds | ((seen.over > HIDDEN_ODDS * seen.person) & (odds > 0))
    reach = dilate_mask(seen.over + seen.person > 0, OCCLUDER_REACH * body_height)
    cut = _cut_out(plate, odds, reach, seeds, behind)
    near = dilate_mask(hits, OCCLUDER_REACH * body_height)
    return _keep_outlined(cut, seeds, hits, near, behind, plate).astype(np.float32)


def _cut_out(
    plate: np.ndarray, odds: np.ndarray, reach: np.ndarray, seeds: np.ndarray, behind: np.ndarray
) -> np.ndarray:
    """What within `reach` is one with `seeds` and not with what is `behind`, (h, w) bool, by color and edges (GrabCut).

    `odds` (h, w) tell the colors apart at first. Beyond the reach the object itself may go on, and what is taken for
    background would be its own colors: there the mean of what is behind stands for the plate.
    """
    import cv2

    labels = np.where(odds > LEAST_ODDS, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[behind | ~reach] = cv2.GC_BGD
    labels[seeds] = cv2.GC_FGD
    picture = np.where(reach[..., None], plate, plate[behind].mean(0).astype(np.uint8))
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(picture, labels, None, *models, 2, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def _compare_colors(plate: np.ndarray, seeds: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """The log odds (h, w) of each color of the plate, of `seeds` against what was seen `behind` the person."""
    bins, front, back = bins_of(plate), ColorHistograms(), ColorHistograms()
    front.add(bins[seeds])
    back.add(bins[behind])
    return front.log_density(bins) - back.log_density(bins)


def _open(mask: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0


def _keep_outlined(
    cut: np.ndarray, seeds: np.ndarray, hits: np.ndarray, near: np.ndarray, behind: np.ndarray, plate: np.ndarray
) -> np.ndarray:
    """The components of `cut` that hold enough seeds and are set off where the person was seen beside them.

    Of a component `near` what it hides, (h, w) bool, enough must have been seen in front of the body, at least once.
    """
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    wide = np.ones((5, 5), np.uint8)
    step = cv2.subtract(cv2.dilate(plate, wide), cv2.erode(plate, wide)).max(-1)
    count, label = cv2.connectedComponents(cut.astype(np.uint8), connectivity=8)
    kept = np.zeros(cut.shape, bool)
    for number in range(1, count):
        part = label == number
        area = max(1, (part & near).sum())
        if (part & seeds).sum() < HIDING_SHARE * area or (part & hits).sum() < HIT_SHARE * area:
            continue
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
