"""Pass 5, moving objects: where each rigid object is in every frame, also where the person's colours hide it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .canvas import BackgroundCanvas
from .filters import dilate_mask
from .first_guess import WorkingClip
from .labels import OVER_BODY, FrameLabels
from .moving_objects import TOUCH_DISTANCE
from .object_tracks import COVERING_SHARE, FRAMES_APART
from .sprites import ColorEvidence, ObjectMasks, track_object


CACHED_FRAMES = 64  # kept at hand while an object is tracked
LEAST_SLIP = 0.15  # of the body height: what moves less against the body cannot be told from the body by its motion
KNOWN_SHARE = 0.5  # share of a component that a tracked object covers to be that object


def track_objects(working: WorkingClip, canvas: BackgroundCanvas, labels: FrameLabels) -> ObjectMasks:
    """The masks of rigid objects that touch the person, learned from the frames in which some of them was seen."""

    @lru_cache(maxsize=CACHED_FRAMES)
    def evidence(frame: int) -> ColorEvidence:
        return labels.evidence(frame)

    @lru_cache(maxsize=CACHED_FRAMES)
    def near_person(frame: int) -> np.ndarray:
        return dilate_mask(labels.person(frame) > 127, TOUCH_DISTANCE * working.body_height)

    def touches_person(frame: int, mask: np.ndarray) -> bool:
        box = working.boxes[frame]
        if box is None and working.mask_source == "estimator":
            return False
        return bool((near_person(frame) & box.cut(mask)).any())

    frames, found = range(canvas.start, canvas.stop), ObjectMasks(working.size)
    for seen, speed, is_held in labels.tracks.seeds():
        mask = np.zeros(working.size[::-1], bool)
        working.boxes[seen.frame].cut(mask)[:] = labels.numbers(seen.frame) == seen.number
        if (mask & found.read(seen.frame)).sum() > KNOWN_SHARE * mask.sum():
            continue
        tracked = track_object(mask, seen.frame, speed, frames, evidence, working.body_height)
        masks = [] if tracked is None else list(tracked.draw_masks(working.size))
        near = [(frame, place) for frame, place in masks if touches_person(frame, place)]
        slips = bool(near) and tracked.slip(labels.body_places) >= LEAST_SLIP * working.body_height
        if slips and (is_held or _hides_body(working, labels, near)):
            for frame, place in masks:
                found.add(frame, place, is_held=is_held)
    return found


def _hides_body(working: WorkingClip, labels: FrameLabels, masks: list[tuple[int, np.ndarray]]) -> bool:
    """Whether enough of an object, by its (frame, mask (h, w) bool) near the person, lies over the fitted body.

    Where no body is known it does.
    """
    if working.motion is None:
        return True
    covering = 0
    for frame, mask in masks:
        inside, body = working.boxes[frame].cut(mask), labels.hints(frame) & OVER_BODY > 0
        size = max(min(int(inside.sum()), int(body.sum())), 1)
        covering += int((inside & body).sum()) >= COVERING_SHARE * size
    return covering >= FRAMES_APART
