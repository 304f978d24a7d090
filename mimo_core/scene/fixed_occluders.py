"""Which parts of the background stand in front of the person: fixed objects that they walk behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .appearance import LogRatios
from .filters import dilate_mask, erode_mask
from .frame_views import FrameView
from .moving_objects import SMALLEST_OBJECT


# Set on the tuning shots 6-17 and 30-35, 2026-11-23: of the fixed occluders of shot 29 0.55 was found.
OCCLUDER_REACH = 0.15  # of the body height: how far around the body a fixed object is outlined
FEWEST_SIGHTINGS = 2  # frames in which the body was behind a fixed object
OUTLINE_CONTRAST = 20.0  # levels that the plate changes across the outline of a fixed object
OUTLINE_SHARE = 0.4  # share of the outline that must be such an edge
HIDING_SHARE = 0.1  # of a fixed object must be seen in front of the body: 0.19 of a table before legs, 0.04 of ground


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

    Seeds are pixels that keep showing the scene although the body is there. The plate's own colours and edges then
    say how far the object goes (GrabCut), and it must have an outline in the plate: a misplaced limb has none.
    """
    import cv2

    none = np.zeros(known.shape, np.float32)
    seeds = (seen.over >= FEWEST_SIGHTINGS) & (seen.over > 1.5 * seen.person)
    seeds = cv2.morphologyEx(seeds.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    if seeds.sum() < 2 * SMALLEST_OBJECT * body_height**2:
        return none
    behind = erode_mask((seen.person > 0) & (seen.person > seen.over), 1)
    reach = dilate_mask(seen.over + seen.person > 0, OCCLUDER_REACH * body_height)
    if not behind.any():
        return none
    labels = np.where(reach, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    labels[dilate_mask(seeds, 0.03 * body_height)] = cv2.GC_PR_FGD
    labels[behind] = cv2.GC_BGD
    labels[seeds] = cv2.GC_FGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(plate, labels, None, *models, 3, cv2.GC_INIT_WITH_MASK)
    cut = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return _keep_outlined(cut, seeds, behind, plate).astype(np.float32)


def _keep_outlined(cut: np.ndarray, seeds: np.ndarray, behind: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """The components of `cut` that hold enough seeds and are set off where the person was seen beside them."""
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    step = cv2.subtract(cv2.dilate(plate, np.ones((5, 5), np.uint8)), cv2.erode(plate, np.ones((5, 5), np.uint8))).max(
        -1
    )
    count, label = cv2.connectedComponents(cut.astype(np.uint8), connectivity=8)
    kept = np.zeros(cut.shape, bool)
    for number in range(1, count):
        part = label == number
        if (part & seeds).sum() < max(1, HIDING_SHARE * part.sum()):
            continue
        rim = (cv2.dilate(part.astype(np.uint8), kernel) > 0) & ~part & dilate_mask(behind, 3)
        if not rim.any() or (step[rim] > OUTLINE_CONTRAST).mean() > OUTLINE_SHARE:
            kept |= part
    return kept
