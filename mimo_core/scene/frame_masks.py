"""Pass 6, owners: what of each frame is the person, what passes and what stands in front of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..geometry.box import Box
from ..media.store import FrameStore
from .canvas import BackgroundCanvas
from .first_guess import WorkingClip
from .labels import LabelRound
from .sprites import ObjectMasks


@dataclass(frozen=True, eq=False)
class FrameMasks:
    """What was found in one frame at working size, within `box` of it. All (h, w) uint8."""

    box: Box
    person: np.ndarray  # soft mask
    moving: np.ndarray  # soft mask of what moves in front
    fixed: np.ndarray  # alpha of what stands in front, 0 where the person is seen


def assign_owners(
    working: WorkingClip, canvas: BackgroundCanvas, found: LabelRound, objects: ObjectMasks
) -> Iterator[FrameMasks | None]:
    """The masks of each frame of a canvas, None where nobody is.

    Of the moving objects those stay that pass in front of the person; what turned out to be a part of the person goes
    to their mask.
    """
    import cv2

    labels = found.labels
    in_front, persons = labels.tracks.labels_in_front(), labels.tracks.labels_of_person()
    for frame in range(canvas.start, canvas.stop):
        box = working.boxes[frame]
        if box is None:
            yield None
            continue
        person, number = labels.person(frame), labels.numbers(frame)
        passes = np.isin(number, in_front.get(frame, [])) | box.cut(objects.read(frame))
        moving = cv2.GaussianBlur(passes.astype(np.uint8) * 255, (3, 3), 0)
        # What was taken for an object but belongs to the person fills its place in the mask.
        likely = np.isin(number, persons.get(frame, [])) | (box.cut(working.soft[frame]) > 127)
        own = (number > 0) & ~passes & likely
        person = np.where(own, 255, np.minimum(person, 255 - moving)).astype(np.uint8)
        alpha = canvas.lookup(found.fixed, frame, box, flags=cv2.INTER_LINEAR) * 255
        yield FrameMasks(box, person, moving, alpha.astype(np.uint8))


class FrameMaskStore:
    """The masks of the frames of a canvas in a temporary file, by frame."""

    def __init__(self, start: int, masks: Iterable[FrameMasks | None]):
        self.start, self.store, self.boxes = start, FrameStore(), []
        for found in masks:
            self.boxes.append(None if found is None else found.box)
            empty = np.zeros((3, 1, 1), np.uint8)
            self.store.append(empty if found is None else np.stack([found.person, found.moving, found.fixed]))

    def get(self, frame: int) -> FrameMasks | None:
        """The masks of a frame of the clip; None where nobody is, and outside the canvas."""
        index = frame - self.start
        if not 0 <= index < len(self.boxes) or self.boxes[index] is None:
            return None
        return FrameMasks(self.boxes[index], *self.store[index])

    def __contains__(self, frame: int) -> bool:
        return 0 <= frame - self.start < len(self.boxes)
