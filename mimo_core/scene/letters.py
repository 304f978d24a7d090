"""Letters and logos that were drawn over the picture: they lie in front of everybody.

A drawn pixel has the same color while the person is at its place and while they are elsewhere, in vivid or black or
white strokes with hard edges. This is looked at in the clip's own size, where strokes are wide enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..media.store import FrameStore
from .filters import channel_maximum, dilate_mask, erode_mask
from .first_guess import WorkingClip
from .frame_views import SURE_PERSON
from .moving_objects import remove_small


# On seven real clips, 2026-11-27: 1100 pixels a frame in the one with captions over the feet, 11 at most in the others.
SAME_LEVELS = 16  # of the first frame of a run: compression changes a drawn pixel by less
RUN_FRAMES = 7  # that a color holds at least
FREE_FRAMES = 2  # of them in which the person is elsewhere
FREE_ALPHA = 20  # of the first guess, below which the person is elsewhere
AWAY = 0.02  # of the body height beyond it: smaller holes in the first guess are the person
DEEP = 0.005  # of the body height inside the first guess: its rim says little
EDGE_LEVELS = 80  # across the edge of a stroke
VIVID, WHITE, BLACK = 150, 235, 20  # saturation and value; all channels above; all below
LEAST_LETTER = 2e-4  # of the squared body height
HELD, FREE, DRAWN, BEGINS = 1, 2, 4, 8  # flags of a pixel in a frame: its run is long, was free, looks drawn, begins


class Letters:
    """Where letters lie over the person in each frame of a clip."""

    def __init__(self, working: WorkingClip, tick: Callable):
        """Look through the clip once, and back through what was noted. `tick(None)` is called once a frame."""
        notes = FrameStore()
        for flags in _note_runs(working):
            notes.append(flags)
            tick(None)
        self.frames, self.store = len(notes), FrameStore()
        total, begins_next = None, None
        least = LEAST_LETTER * working.full_body_height**2
        for frame in reversed(range(self.frames)):
            flags = notes[frame]
            total = flags if total is None else np.where(begins_next, flags, total)
            begins_next = flags & BEGINS > 0
            drawn = (total & HELD > 0) & (total & FREE > 0) & (flags & DRAWN > 0)
            self.store.append(dilate_mask(remove_small(drawn, least), 1).astype(np.uint8) * 255)

    def read(self, frame: int) -> np.ndarray:
        """The letters over the person in a frame, (H, W) uint8."""
        return self.store[self.frames - 1 - frame]


def _note_runs(working: WorkingClip) -> Iterator[np.ndarray]:
    """The flags (H, W) uint8 of each frame; HELD and FREE as far as the run has come."""
    import cv2

    size = working.clip.width, working.clip.height
    reference = length = free = None
    for frame, picture in enumerate(working.clip):
        soft = cv2.resize(working.soft[frame], size, interpolation=cv2.INTER_LINEAR)
        if reference is None:
            begins = np.ones(soft.shape, bool)
            reference, length, free = picture.copy(), np.zeros(soft.shape, np.int32), np.zeros(soft.shape, np.int32)
        else:
            begins = channel_maximum(cv2.absdiff(picture, reference)) > SAME_LEVELS
            reference[begins] = picture[begins]
        length = np.where(begins, 0, length) + 1
        # Who was found nowhere may have been overlooked here.
        is_found = working.boxes[frame] is not None
        free = np.where(begins, 0, free) + (
            ~dilate_mask(soft >= FREE_ALPHA, AWAY * working.full_body_height) & is_found
        )
        deep = erode_mask(soft > SURE_PERSON, DEEP * working.full_body_height)
        flags = HELD * (length >= RUN_FRAMES) + FREE * (free >= FREE_FRAMES) + BEGINS * begins
        yield (flags + DRAWN * (deep & _find_strokes(picture))).astype(np.uint8)


def _find_strokes(picture: np.ndarray) -> np.ndarray:
    """Pixels (H, W) bool of vivid, white or black color near a hard edge."""
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    step = channel_maximum(cv2.subtract(cv2.dilate(picture, kernel), cv2.erode(picture, kernel)))
    hue = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    vivid = (hue[..., 1] > VIVID) & (hue[..., 2] > VIVID)
    plain = (channel_maximum(~picture) < 255 - WHITE) | (channel_maximum(picture) < BLACK)
    return dilate_mask(step > EDGE_LEVELS, 2) & (vivid | plain)
