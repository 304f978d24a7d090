"""Hard cuts of a clip."""

from __future__ import annotations

import numpy as np

from ..media.clip import Clip


THUMBNAIL_SIZE = (32, 18)  # pixels
LEAST_CUT_CHANGE = 22.0  # of 255: mean difference of two thumbnails across a cut
CUT_RATIO = 3.0  # times the largest change of the frames around: fast cameras change as much, but not in one frame
CUT_SURROUNDINGS = 4  # frames to either side


def find_cuts(clip: Clip) -> set[int]:
    """Numbers of the frames with which a new shot begins, the first frame not counted."""
    import cv2

    previous, changes = None, [0.0]
    for image in clip:
        small = cv2.resize(image, THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
        if previous is not None:
            changes.append(float(np.abs(small - previous).mean()))
        previous = small
    cuts = set()
    for frame, change in enumerate(changes):
        around = changes[max(1, frame - CUT_SURROUNDINGS) : frame] + changes[frame + 1 : frame + 1 + CUT_SURROUNDINGS]
        if change > LEAST_CUT_CHANGE and change > CUT_RATIO * max(around, default=0.0):
            cuts.add(frame)
    return cuts
