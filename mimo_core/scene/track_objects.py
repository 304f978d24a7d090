"""Pass 5, moving objects: where each rigid object is in every frame, also where the person's colours hide it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .canvas import BackgroundCanvas
from .filters import dilate_mask
from .first_guess import WorkingClip
from .labels import FrameLabels
from .moving_objects import TOUCH_DISTANCE
from .sprites import ColorEvidence, ObjectMasks, track_object


CACHED_FRAMES = 32  # kept at hand while an object is tracked
KNOWN_SHARE = 0.5  # share of a component that a tracked object covers to be that object


def track_objects(working: WorkingClip, canvas: BackgroundCanvas, labels: FrameLabels) -> ObjectMasks:
    """The masks of rigid objects that touch the person, learned from the frames in which some of them was seen."""

    @lru_cache(maxsize=CACHED_FRAMES)
    def evidence(frame: int) -> ColorEvidence:
        return labels.evidence(frame)

    frames, found = range(canvas.start, canvas.stop), ObjectMasks(working.size)
    for seen, speed in labels.tracks.seeds():
        mask = np.zeros(working.size[::-1], bool)
        working.boxes[seen.frame].cut(mask)[:] = labels.numbers(seen.frame) == seen.number
        if (mask & found.read(seen.frame)).sum() > KNOWN_SHARE * mask.sum():
            continue
        tracked = track_object(mask, seen.frame, speed, frames, evidence, working.body_height)
        masks = [] if tracked is None else list(tracked.draw_masks(working.size))
        if any(_touches_person(working, labels, frame, place) for frame, place in masks):
            for frame, place in masks:
                found.add(frame, place)
    return found


def _touches_person(working: WorkingClip, labels: FrameLabels, frame: int, mask: np.ndarray) -> bool:
    """Whether an object's mask (h, w) bool comes near the person in a frame."""
    box = working.boxes[frame]
    if box is None and working.mask_source == "estimator":
        return False
    near = dilate_mask(labels.person(frame) > 127, TOUCH_DISTANCE * working.body_height)
    return bool((near & box.cut(mask)).any())
