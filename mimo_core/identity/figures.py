"""Several figures on one picture: which one is meant.

On a sheet of views the same character stands side by side from the front, the side and behind, before a plain or
transparent ground. Who faces the camera is taken, and cut out of the sheet with the ground around them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..geometry.box import Box, mask_height
from ..pose.blazepose import HIPS, SHOULDERS, CropRegion, FramePose, load_blazepose
from ..pose.tracking import PRESENT_SCORE
from ..pose.tracks import PersonTrack
from .backdrop import measure_backdrop
from .prepare import composite_on_white
from .push_pull import push_pull


SHEET_SIDE = 480  # pixels of the longer side on which views are told apart
STANDS_OUT = 4.0  # of the ground's noise
LEAST_HEIGHT = 0.75  # of all that stands out: how tall each view of a sheet is
LEAST_AREA = 0.3  # of the largest view's: a staff or a pole is no view
LEAST_PART = 0.02  # of the largest area: what is smaller, as letters are, does not count for the height
MOST_OVERLAP = 0.25  # of the narrower one's width, by which views side by side may overlap
MARGIN = 0.08  # of the view's height that is left around it
AS_FRONTAL = 0.8  # of the most frontal shoulders: the first from the left that are so wide are the front
LEAST_PRESENCE = 0.6  # of who is seen largest: smaller people are in the background
FACING = 0.25  # lengths of the trunk: shoulders of people who face the camera are wider
NOTE = (
    "The character picture shows {count} figures: number {number} from the left was taken. For another one crop the "
    "picture to it, or connect a mask of it in ComfyUI."
)


def take_view(colors: NDArray, alpha: NDArray | None) -> tuple[NDArray, NDArray | None, str | None]:
    """The view of a sheet that faces the camera: its part of the picture and of the alpha, and a note.

    A picture (H, W, 3) uint8, with its alpha (H, W) uint8 or without, that is no such sheet stays as it is.
    """
    import cv2

    shape = colors.shape[:2]
    scale = min(1.0, SHEET_SIDE / max(shape))
    size = tuple(max(1, round(side * scale)) for side in shape[::-1])
    small = cv2.resize(colors, size, interpolation=cv2.INTER_AREA)
    if alpha is None:
        distance = measure_backdrop(small, np.zeros(small.shape[:2], bool))
        stands = None if distance is None else distance > STANDS_OUT
    else:
        clear = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
        small, stands = composite_on_white(small, clear), clear > 127
    views = [] if stands is None else find_views(stands)
    if len(views) < 2:
        return colors, alpha, None
    number = _choose_view(small, views)
    own = _find_nearest(views, number)
    margin = round(MARGIN * mask_height(views[number]))
    across, down = shape[1] / size[0], shape[0] / size[1]
    box = Box.of_mask(own & stands, margin).scaled(across, down, *shape)
    ours = box.cut(cv2.resize(own.astype(np.float32), shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5)
    note = NOTE.format(count=len(views), number=number + 1)
    if alpha is not None:
        return box.cut(colors), np.where(ours, box.cut(alpha), 0).astype(np.uint8), note
    ground = push_pull(small, cv2.dilate(stands.astype(np.uint8), np.ones((5, 5))) == 0, blur=3)
    ground = box.cut(cv2.resize(ground, shape[::-1], interpolation=cv2.INTER_LINEAR))
    return np.where(ours[..., None], box.cut(colors), ground).astype(np.uint8), None, note


def find_views(stands: NDArray) -> list[NDArray]:
    """The views of a sheet, each (H, W) bool, from left to right, in what stands out from its ground (H, W) bool.

    Views are about as tall as all that stands out and stand side by side; where not all do, there are none.
    """
    import cv2

    labels, stats = cv2.connectedComponentsWithStats(stands.astype(np.uint8), connectivity=8)[1:3]
    boxes = [(Box(x, y, x + width, y + height), area) for x, y, width, height, area in stats[1:].tolist()]
    least = LEAST_PART * max((area for _, area in boxes), default=0)
    groups: list[tuple[Box, list[int]]] = []  # pale legs stand apart below a skirt: a view is what is above one another
    for number in sorted(range(len(boxes)), key=lambda number: -boxes[number][1]):
        box, area = boxes[number]
        if area >= least:
            at = next((at for at, (group, _) in enumerate(groups) if _overlap(box, group) > 0.5 * box.width), None)
            if at is None:
                groups.append((box, [number + 1]))
            else:
                groups[at] = groups[at][0].union(box), [*groups[at][1], number + 1]
    if not groups:
        return []
    whole = max(box.bottom for box, _ in groups) - min(box.top for box, _ in groups)
    views = [(box, np.isin(labels, pieces)) for box, pieces in groups if box.height >= LEAST_HEIGHT * whole]
    largest = max((view.sum() for _, view in views), default=0)
    views = sorted(((box, view) for box, view in views if view.sum() >= LEAST_AREA * largest), key=lambda view: view[0])
    beside = (
        _overlap(one, other) <= MOST_OVERLAP * min(one.width, other.width)
        for (one, _), (other, _) in zip(views, views[1:], strict=False)
    )
    return [view for _, view in views] if all(beside) else []


def _overlap(one: Box, other: Box) -> int:
    """Columns that two boxes share."""
    return min(one.right, other.right) - max(one.left, other.left)


def choose_person(people: Sequence[PersonTrack]) -> tuple[int, str | None]:
    """Who of the people of a picture, the largest first, is meant, and a note where others are about as large.

    It is the largest, or the largest of those who face the camera.
    """
    large = [track for track in people if track.presence >= LEAST_PRESENCE * people[0].presence]
    if len(large) < 2:
        return 0, None
    facing = (number for number, track in enumerate(large) if _measure_shoulders(track.poses[0]) > FACING)
    chosen = next(facing, 0)
    middles = [float(track.poses[0].pixels[:, 0].mean()) for track in large]
    return chosen, NOTE.format(count=len(large), number=sorted(middles).index(middles[chosen]) + 1)


def _choose_view(picture: NDArray, views: Sequence[NDArray]) -> int:
    """The number of the view that faces the camera; the first where the network sees nobody."""
    widths = [_look_at_shoulders(picture, Box.of_mask(view)) for view in views]
    best = max(widths)
    if best <= 0:
        return widths.index(best)
    return next(number for number, width in enumerate(widths) if width >= AS_FRONTAL * best)


def _look_at_shoulders(picture: NDArray, box: Box) -> float:
    networks, region = load_blazepose(), CropRegion.from_box(box)
    for _ in range(2):
        pose = networks.find_landmarks(picture, region)
        region = pose.next_region
    return _measure_shoulders(pose) if pose.score >= PRESENT_SCORE else -np.inf


def _measure_shoulders(pose: FramePose) -> float:
    """How wide shoulders are in lengths of the trunk; negative where the left one is on our left, as from behind."""
    shoulders, hips = (pose.pixels[list(pair)] for pair in (SHOULDERS, HIPS))
    trunk = float(np.linalg.norm(shoulders.mean(0) - hips.mean(0)))
    return float(shoulders[0, 0] - shoulders[1, 0]) / max(trunk, 1e-6)


def _find_nearest(views: Sequence[NDArray], number: int) -> NDArray:
    """The pixels (H, W) bool that are nearer to one of the views than to any other."""
    import cv2

    away = [cv2.distanceTransform((~view).astype(np.uint8), cv2.DIST_L2, 5) for view in views]
    return np.argmin(away, axis=0) == number
