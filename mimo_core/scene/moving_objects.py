"""Which pixels show an object that moves, and what each such piece tells about whose it is."""

from __future__ import annotations

import numpy as np

from ..body.model import free_body
from .appearance import LogRatios
from .filters import dilate_mask, erode_mask, remove_specks, split_components
from .first_guess import POSSIBLE_PERSON
from .fitted_body import BODY_PATCHES, HANDS, LIMB_ENDS, find_limb_ends
from .frame_views import FrameView
from .object_tracks import Sighting


# Set with the appearance model on the tuning shots 6-17 and 30-35, 2026-11-23.
SMALLEST_OBJECT = 4e-4  # of the squared body height: smaller components are noise
OBJECT_GAP = 0.025  # of the body height: gaps so wide inside an object belong to it
LARGEST_HOLE = 3e-2  # of the squared body height: a larger hole in an object is no error
HOLE_DISTANCE = 0.05  # of the body height: how near the fitted body a hole covers it
HOLE_PERSON = 0.2  # of a hole in which the person is seen: it is a real one
HAND_REACH = 0.2  # of the body height: how near a hand a piece of what it holds comes
END_REACH = 0.1  # of the body height: how near the middle of a hand, foot or head a piece of it lies
TOUCH_DISTANCE = 0.015  # of the body height: how near an object must come to touch the person


def detect_moving_objects(view: FrameView, ratios: LogRatios) -> np.ndarray:
    """Where a moving object is seen, (h, w) bool: colours neither of the scene nor of this part of the person.

    Somebody else is no object, nor are their hands.
    """
    found = remove_specks((ratios.object > 0) & (ratios.difference > 10)) & ~view.others
    closed = erode_mask(dilate_mask(found, OBJECT_GAP * view.body_height), OBJECT_GAP * view.body_height)
    closed |= _find_covering_holes(view, ratios, closed)
    return remove_small(closed & ~view.others, SMALLEST_OBJECT * view.body_height**2)


def _find_covering_holes(view: FrameView, ratios: LogRatios, mask: np.ndarray) -> np.ndarray:
    """The holes in moving objects (h, w) bool at places where the body should be seen, yet the person is not.

    No scene is seen through an object there: the plate shows the object, because the place was free only behind it.
    """
    import cv2

    if view.body is None:
        return np.zeros(mask.shape, bool)
    count, label, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    area = stats[:, cv2.CC_STAT_AREA]
    covers = area <= LARGEST_HOLE * view.body_height**2
    covers[np.unique(np.concatenate([label[0], label[-1], label[:, 0], label[:, -1]]))] = False
    near = dilate_mask(view.body.silhouette, HOLE_DISTANCE * view.body_height)
    covers &= np.bincount(label[near], minlength=count) > 0
    person = ratios.is_person | (view.soft > POSSIBLE_PERSON)
    covers &= np.bincount(label[person], minlength=count) < HOLE_PERSON * area
    covers[0] = False
    return covers[label]


def remove_small(mask: np.ndarray, area: float) -> np.ndarray:
    """A mask (h, w) bool without its components smaller than `area` pixels."""
    import cv2

    _, label, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    large = stats[:, cv2.CC_STAT_AREA] >= area
    large[0] = False
    return large[label]


def list_sightings(
    frame: int,
    view: FrameView,
    ratios: LogRatios,
    label: np.ndarray,
    person: np.ndarray,
    own: np.ndarray,
    corner,
    canvas_from_frame: np.ndarray,
) -> list[Sighting]:
    """The components of `label` (h, w) as sightings. `own` (h, w) bool has colours of the person's near parts.

    `corner` (x, y) is where the view lies in the frame, `canvas_from_frame` (3, 3) brings the frame onto the canvas.
    """
    deep = view.deep_body
    covering, size = deep & ~own, max(int(deep.sum()), 1)
    near = np.bincount(label[dilate_mask(person, TOUCH_DISTANCE * view.body_height)], minlength=256)
    colored = np.bincount(label[own], minlength=256)
    area = np.bincount(label.reshape(-1), minlength=256)
    clipped = np.bincount(label[view.near_person], minlength=256) > 0
    limbs = find_limb_ends(free_body(), 1 if view.body is None else len(view.body.centers) // BODY_PATCHES)
    hands = (
        np.zeros((0, 2))
        if view.body is None
        else view.body.centers[np.isin(limbs % len(LIMB_ENDS), HANDS) & (limbs >= 0)]
    )
    found = []
    for number, y, x in split_components(label):
        center = np.array([x.mean(), y.mean()]) + corner
        count = int(area[number])
        share, touches = float(colored[number] / count), bool(near[number])
        contrast = _find_median(ratios.difference[y, x])
        covers = None if view.body is None else float(covering[y, x].sum() / min(count, size))
        at_hand = any(np.hypot(x - hand[0], y - hand[1]).min() < HAND_REACH * view.body_height for hand in hands)
        whole = not clipped[number]
        limb, end = find_limb_end(view, limbs, center - corner)
        middle = _find_nearest_body(view, center - corner)
        body = None if middle is None else map_point(canvas_from_frame, middle + corner)
        place, end = (map_point(canvas_from_frame, at) for at in (center, end + corner))
        found.append(
            Sighting(
                frame,
                number,
                center,
                count,
                touches,
                share,
                place,
                contrast,
                covers,
                whole,
                limb,
                end,
                body,
                at_hand,
                float((view.soft[y, x] > 127).mean()),
            )
        )
    return found


def _find_median(values: np.ndarray) -> float:
    """`np.median` of values (N,) without NaN, in a tenth of its time where N is small."""
    values, half = np.sort(values), len(values) // 2
    return float(values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2)


def _find_nearest_body(view: FrameView, center: np.ndarray) -> np.ndarray | None:
    """The middle (2,) of the fitted body nearest to `center` (2,)."""
    if view.body is None:
        return None
    middles = view.body.centers.reshape(-1, BODY_PATCHES, 2).mean(1)
    return middles[np.nanargmin(np.linalg.norm(middles - center, axis=1))]


def find_limb_end(view: FrameView, limbs: np.ndarray, center: np.ndarray) -> tuple[int, np.ndarray]:
    """The limb whose end is nearest to `center` (2,), -1 where all are far, and where it is, (2,).

    `limbs` are those of `find_limb_ends`.
    """
    if view.body is None:
        return -1, center
    ends = np.flatnonzero(limbs >= 0)
    away = np.linalg.norm(view.body.centers[ends] - center, axis=1)
    if not np.nanmin(away) < END_REACH * view.body_height:
        return -1, center
    nearest = ends[np.nanargmin(away)]
    return int(limbs[nearest]), view.body.centers[nearest]


def map_point(matrix: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Where a homography (3, 3) brings a point (2,)."""
    mapped = matrix @ (*point, 1.0)
    return mapped[:2] / mapped[2]
