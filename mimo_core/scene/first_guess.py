"""Pass 1, first guess: the working size, where the person may be in each frame, and the path of the camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..ahead import read_ahead
from ..geometry.box import Box
from ..media.clip import Clip, Masks
from ..media.cuts import find_cuts
from ..media.store import FrameStore
from ..motion.motion import Motion
from ..progress import Ticker
from .camera_motion import CameraPath, CameraTracker
from .carried_colors import complete_by_color
from .carried_shapes import CarriedShapes
from .carried_things import CarriedThings, find_carried_things
from .filters import dilate_mask
from .fitted_body import BodyStore, FittedBody, measure_body_height, render_bodies


# With this working size the juggling clip took 0.26 s a frame on two cores (2026-11-23).
WORKING_BODY_HEIGHT = 230  # pixels of a standing body at working size
WORKING_SIDE = 640  # pixels of the longer side at working size
SHORTEST_SIDE = 8  # pixels of the shorter side at working size
LEAST_BODY_HEIGHT = 16.0  # pixels: below it the radii that count in body heights vanish
POSSIBLE_PERSON = 38  # soft mask value below which nobody is there
GUESS_MARGIN = 0.03  # of the body height: what lies so near the first guess of the person may be the person
VIEW_MARGIN = 0.24  # of the body height: room around the person that the passes look at
BRIDGED_ALPHA = 128  # mask value of a body that was not seen but must be there
OVERLOOKED_FRAMES = 12  # before or after one with a person, in which that person may have been overlooked
MASK_SOURCES = ("estimator", "user")  # a user's mask is believed: nobody was overlooked in it


@dataclass(frozen=True, eq=False)
class WorkingClip:
    """A clip at working size (h, w), with the first guess of the person and the camera's path."""

    clip: Clip
    motion: Motion | None
    mask_source: str  # one of MASK_SOURCES
    scale: float  # working pixels per pixel of the clip
    size: tuple[int, int]  # (w, h)
    full_body_height: float  # pixels of the clip
    body_height: float  # pixels at working size
    pictures: FrameStore  # F of (h, w, 3) uint8
    soft: FrameStore  # F of (h, w) uint8: the first guess
    boxes: list[Box | None]  # the person and what is around them, None in frames with nobody
    path: CameraPath
    cuts: tuple[int, ...] = ()  # first frames after a hard cut
    ranks: np.ndarray | None = None  # (F, N): who of several people stands before whom, 0 nearest
    drawn: BodyStore | None = None  # the fitted bodies of all frames, if the motion is known
    carried: CarriedThings | None = None  # what is held or worn and not in the first guess
    owners: FrameStore | None = None  # F of (h, w) uint8: of several people the one whose body is there or nearest
    others: FrameStore | None = None  # F of (h, w) uint8: where somebody else is BESIDE, BEHIND or IN_FRONT
    kept: CarriedShapes | None = None  # what is carried, if it stays in front

    @property
    def people(self) -> int:
        """How many people are taken out."""
        return 1 if self.motion is None else len(self.motion.people)

    def full_boxes(self) -> list[Box | None]:
        """The boxes in pixels of the clip."""
        width, height = self.clip.width, self.clip.height
        step = width / self.size[0], height / self.size[1]
        return [box and box.scaled(*step, height, width) for box in self.boxes]

    def find_others(self, frame: int, box: Box) -> np.ndarray:
        """Where in a box of a frame somebody else is BESIDE, BEHIND or IN_FRONT, (h, w) uint8, 0 elsewhere."""
        return np.zeros((box.height, box.width), np.uint8) if self.others is None else box.cut(self.others[frame])

    def find_somebody_else(self, frame: int) -> np.ndarray | None:
        """Where in a frame somebody else stands, (h, w) bool; None where nobody else is known."""
        return None if self.others is None else self.others[frame] > 0

    def bodies(self, start: int, stop: int) -> Iterator[FittedBody | None]:
        """The fitted body of each frame from `start` to `stop`, None where there is none."""
        return iter([None] * (stop - start)) if self.drawn is None else self.drawn.read(start, stop)

    def find_carried(self, frame: int) -> np.ndarray:
        """Where something is carried beside the first guess, (h, w) uint8: as `CarriedThings.read`."""
        if self.carried is None:
            return np.zeros(self.size[::-1], np.uint8)
        return self.carried.read(frame, self.size)

    def find_hidden(self, frame: int) -> np.ndarray:
        """Where a person may hide the scene, (h, w) bool: near the first guess.

        Where nobody was found in a frame but shortly before or after, all around that place: nobody vanishes.
        """
        hidden = _near_guess(self.soft[frame], self.body_height)
        if self.carried is not None:
            hidden |= dilate_mask(self.find_carried(frame) > 0, GUESS_MARGIN * self.body_height)
        near = range(max(frame - OVERLOOKED_FRAMES, 0), min(frame + OVERLOOKED_FRAMES + 1, len(self.boxes)))
        if self.boxes[frame] is None and self.mask_source == "estimator":
            seen = [other for other in near if self.boxes[other] is not None]
            for other in sorted(seen, key=lambda other: abs(other - frame))[:1]:
                self.boxes[other].cut(hidden)[:] = True
        return hidden


def make_first_guess(
    clip: Clip,
    motion: Motion | None,
    masks: Masks,
    *,
    mask_source: str,
    camera: str,
    tick: Ticker,
    ranks: np.ndarray | None = None,
    others: Masks | None = None,
) -> WorkingClip:
    """Shrink every frame, take the first guess from `masks`, and track the camera outside of it.

    `motion` bridges gaps of the masks; `ranks` (F, N) order its people. `others` say where somebody else is, but for
    what is the person's in masks of the user. `camera` is one of `CAMERA_KINDS`. `tick` is called twice a frame, the
    second time with its picture.
    """
    import cv2

    full_height = _measure_person(clip, motion, masks)
    scale = working_scale(clip.width, clip.height, full_height)
    size = round(clip.width * scale), round(clip.height * scale)
    body_height = max(full_height * scale, LEAST_BODY_HEIGHT)
    pictures, guesses, boxes, tracker, cuts = FrameStore(), FrameStore(), [], CameraTracker(), find_cuts(clip, tick)
    owners = FrameStore() if motion is not None and len(motion.people) > 1 else None
    beside = None if others is None else FrameStore()
    bodies = iter([None] * len(clip)) if motion is None else render_bodies(motion, *size, ranks)
    drawn = None if motion is None else BodyStore()
    for frame, (picture, mask, body) in enumerate(zip(read_ahead(clip), masks, read_ahead(bodies), strict=True)):
        if drawn is not None:
            drawn.append(body)
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        soft = _bridge_gap(cv2.resize(mask, size, interpolation=cv2.INTER_AREA), body)
        if others is not None:
            whose = cv2.resize(others[frame], size, interpolation=cv2.INTER_NEAREST)
            beside.append(np.where(soft > 127, 0, whose).astype(np.uint8) if mask_source == "user" else whose)
        pictures.append(small)
        guesses.append(soft)
        if owners is not None:
            owners.append(np.zeros(soft.shape, np.uint8) if body is None else body.find_owners())
        somebody = soft > POSSIBLE_PERSON if body is None else (soft > POSSIBLE_PERSON) | body.silhouette
        boxes.append(Box.of_mask(somebody, round(VIEW_MARGIN * body_height)))
        if camera != "none":
            hidden = _near_guess(soft, body_height)
            tracker.add(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), hidden.astype(np.uint8), is_cut=frame in cuts)
        tick(picture)
    path = CameraPath.still(len(clip), sorted(cuts)) if camera == "none" else tracker.path(camera)
    carried = None
    if motion is not None and mask_source == "estimator":
        carried = find_carried_things(
            motion, pictures, guesses, boxes, drawn.read(0, len(clip)), path, float(clip.fps), body_height, tick.ask
        )
    working = WorkingClip(
        clip,
        motion,
        mask_source,
        scale=scale,
        size=size,
        full_body_height=full_height,
        body_height=body_height,
        pictures=pictures,
        soft=guesses,
        boxes=boxes,
        path=path,
        cuts=tuple(sorted(cuts)),
        ranks=ranks,
        drawn=drawn,
        carried=carried,
        owners=owners,
        others=beside,
    )
    return working if carried is None else replace(working, carried=complete_by_color(working, tick.ask))


def working_scale(width: int, height: int, body_height: float) -> float:
    """By how much frames of `width` x `height` with a body `body_height` pixels tall are shrunk: at most 1.

    No side becomes shorter than SHORTEST_SIDE unless it is already, so that the shape stays.
    """
    scale = min(WORKING_BODY_HEIGHT / max(body_height, 1), WORKING_SIDE / max(width, height))
    return min(1.0, max(scale, SHORTEST_SIDE / min(width, height)))


def _measure_person(clip: Clip, motion: Motion | None, masks: Masks) -> float:
    """The height of the standing body in pixels of the clip, from the motion, else from the masks; 0 for nobody."""
    tall = 0.0 if motion is None else measure_body_height(motion, clip.width, clip.height)
    if tall:
        return tall
    rows = (np.flatnonzero((mask > 127).any(1)) for mask in masks)
    heights = [np.ptp(found) + 1 for found in rows if len(found)]
    return float(np.median(heights)) if heights else 0.0


def _near_guess(soft: np.ndarray, body_height: float) -> np.ndarray:
    return dilate_mask(soft > POSSIBLE_PERSON, GUESS_MARGIN * body_height)


def _bridge_gap(soft: np.ndarray, body: FittedBody | None) -> np.ndarray:
    """The first guess (h, w) uint8; where it has nobody, the body that the motion bridges the gap with."""
    import cv2

    if body is None or (soft > POSSIBLE_PERSON).any():
        return soft
    return cv2.GaussianBlur(body.silhouette.astype(np.uint8) * BRIDGED_ALPHA, (5, 5), 0)
