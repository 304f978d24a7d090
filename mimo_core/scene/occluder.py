"""What passes in front of the person: things that move, and fixed things that the person walks behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .filters import grown, shrunk
from .person import Odds, View
from .tracks import Sighting


SMALLEST = 4e-4  # of the squared stature: smaller components are noise
CLOSED = 0.025  # of the stature: gaps so wide inside a thing belong to it
TOUCH = 0.015  # of the stature: how near a thing must come to touch the person
DEEP = 0.012  # of the stature: so far inside the fitted body a fit error no longer explains what is seen
REACH = 0.15  # of the stature: how far around the body a fixed thing is outlined
FEWEST_SIGHTINGS = 2  # frames in which the body was behind a fixed thing
EDGE = 20.0  # levels that the plate changes across the outline of a fixed thing
OUTLINED = 0.4  # share of the outline that must be such an edge


def things(view: View, odds: Odds) -> np.ndarray:
    """Where a moving thing is seen, (h, w) bool: colours that are neither the scene's nor this part of the person's."""
    import cv2

    found = ((odds.thing > 0) & (odds.different > 10)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    closed = shrunk(grown(found, CLOSED * view.stature), CLOSED * view.stature)
    return without_small(closed, SMALLEST * view.stature**2)


def without_small(mask: np.ndarray, area: float) -> np.ndarray:
    """A mask (h, w) bool without its components smaller than `area` pixels."""
    import cv2

    _, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= area
    large[0] = False
    return large[label]


def sightings(frame: int, view: View, label: np.ndarray, person: np.ndarray, own: np.ndarray, corner) -> list[Sighting]:
    """The components of `label` (h, w) as sightings. `own` (h, w) bool has colours of the person's near parts.

    `corner` (x, y) is where the view lies in the frame.
    """
    near = np.bincount(label[grown(person, TOUCH * view.stature)], minlength=256)
    colored = np.bincount(label[own], minlength=256)
    area = np.bincount(label.reshape(-1), minlength=256)
    clipped = np.bincount(label[view.near_person], minlength=256) > 0
    found = []
    for number in np.flatnonzero(area[1:]) + 1:
        y, x = np.nonzero(label == number)
        center = np.array([x.mean(), y.mean()]) + corner
        count = int(area[number])
        share, touches = float(colored[number] / count), bool(near[number])
        found.append(Sighting(frame, int(number), center, count, touches, share, whole=not clipped[number]))
    return found


@dataclass(frozen=True, eq=False)
class Sightings:
    """How often each canvas pixel was seen in front of the body, and how often it was the person. (h, w) int32."""

    over: np.ndarray
    person: np.ndarray

    @classmethod
    def none(cls, size: tuple[int, int]) -> Sightings:
        width, height = size
        return cls(np.zeros((height, width), np.int32), np.zeros((height, width), np.int32))

    def evidence(self, view: View, odds: Odds, thing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where a frame shows scenery in front of the body, and where the person, (h, w) bool."""
        person = odds.is_person
        if view.body is None:
            return np.zeros_like(person), person
        deep = shrunk(view.body.silhouette, DEEP * view.stature)
        return deep & view.known & (odds.person < -1) & ~thing & ~person, person


def fixed_things(plate: np.ndarray, known: np.ndarray, seen: Sightings, stature: float) -> np.ndarray:
    """How much each canvas pixel belongs to a fixed thing in front of the person, (h, w) float32 in 0 to 1.

    Seeds are pixels that keep showing the scene although the body is there. The plate's own colours and edges then
    say how far the thing goes (GrabCut), and it must have an outline in the plate: a misplaced limb has none.
    """
    import cv2

    none = np.zeros(known.shape, np.float32)
    seeds = (seen.over >= FEWEST_SIGHTINGS) & (seen.over > 1.5 * seen.person)
    seeds = cv2.morphologyEx(seeds.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    if seeds.sum() < 2 * SMALLEST * stature**2:
        return none
    behind = shrunk((seen.person > 0) & (seen.person > seen.over), 1)
    reach = grown(seen.over + seen.person > 0, REACH * stature)
    if not behind.any():
        return none
    labels = np.where(reach, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
    labels[grown(seeds, 0.03 * stature)] = cv2.GC_PR_FGD
    labels[behind] = cv2.GC_BGD
    labels[seeds] = cv2.GC_FGD
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(plate, labels, None, *models, 3, cv2.GC_INIT_WITH_MASK)
    cut = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    return _outlined(cut, seeds, behind, plate).astype(np.float32)


def _outlined(cut: np.ndarray, seeds: np.ndarray, behind: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """The components of `cut` that hold seeds and are set off from the plate where the person was seen beside them."""
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    step = cv2.subtract(cv2.dilate(plate, np.ones((5, 5), np.uint8)), cv2.erode(plate, np.ones((5, 5), np.uint8))).max(
        -1
    )
    count, label = cv2.connectedComponents(cut.astype(np.uint8), connectivity=8)
    kept = np.zeros(cut.shape, bool)
    for number in range(1, count):
        part = label == number
        if not (part & seeds).any():
            continue
        rim = (cv2.dilate(part.astype(np.uint8), kernel) > 0) & ~part & grown(behind, 3)
        if not rim.any() or (step[rim] > EDGE).mean() > OUTLINED:
            kept |= part
    return kept
