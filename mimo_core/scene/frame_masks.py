"""Pass 6, owners: what of each frame is the person, what passes and what stands in front of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..geometry.box import Box
from ..media.store import FrameStore
from ..motion.seen import IN_FRONT
from .canvas import BackgroundCanvas
from .carried_shapes import WHOLE_SHARE
from .carried_things import COLORED, MOVES, RESTS
from .filters import dilate_mask, erode_mask
from .first_guess import POSSIBLE_PERSON, WorkingClip
from .labels import ALL_APART, BODY_SHAPE, OWN_COLORED, SEEN_APART, LabelRound
from .object_tracks import END_AREA
from .sprites import ObjectMasks
from .still_scenery import find_still, trim_still


# Of the squared body height: less of what was not tracked and lies beside the body may be an even part of what passes.
SMALLEST_LOOSE = 5e-3
COVERED_REACH = 0.02  # of the body height: so far beyond the fitted body a fixed object may still cover the person
OBJECT_RIM = 0.03  # of the body height: so far around a tracked object the rest of its piece is its own
BESIDE_REACH = 0.06  # of the body height: a piece of the person lies so near the fitted body, or is somebody else's
LOST_END_REACH = 0.15  # of the body height: a hand that the first guess lost is still so near
FRONT_REACH = 0.12  # of the body height: what passes further away hides no character either
HELD_GAP = 0.04  # of the body height: half of what may be missing between a held thing and the hand
RIM = 3  # pixels of a soft mask around its solid part
LEAST_COVERED = 1e-4  # of the squared body height: a fixed object that covers less of the person is not in front there


@dataclass(frozen=True, eq=False)
class FrameMasks:
    """What was found in one frame at working size, within `box` of it. All (h, w) uint8."""

    box: Box
    person: np.ndarray  # soft mask
    moving: np.ndarray  # soft mask of what moves in front
    fixed: np.ndarray  # alpha of what stands in front, 0 where the person is seen


def should_remove_held(
    working: WorkingClip, canvas: BackgroundCanvas, found: LabelRound, objects: ObjectMasks, held_things: str
) -> bool:
    """Whether what the person holds goes away with them: as was chosen, or because it is not whole.

    What is told from the person in a part of the frames only would be there for a while and then gone.
    """
    if held_things == "remove":
        return True
    if working.kept is not None:
        return False
    frames = [frame for frame in range(canvas.start, canvas.stop) if working.boxes[frame] is not None]
    labels = found.labels.tracks.labels_held().keys()
    held = {frame for frame in frames if frame in labels or objects.read_held(frame).any()}
    return 0 < len(held) < WHOLE_SHARE * len(frames)


def assign_owners(
    working: WorkingClip, canvas: BackgroundCanvas, found: LabelRound, objects: ObjectMasks, *, removes_held: bool
) -> Iterator[FrameMasks | None]:
    """The masks of each frame of a canvas, None where nobody is.

    Of the moving objects those stay that pass in front of the person; what turned out to be a part of the person goes
    to their mask, and so does what they hold if `removes_held`.
    """
    owners = _Owners(working, canvas, found, objects, removes_held=removes_held)
    for frame in range(canvas.start, canvas.stop):
        yield None if working.boxes[frame] is None else owners.assign(frame)


@dataclass(frozen=True, eq=False)
class _Pieces:
    """What is known of a frame before its pieces have owners, (h, w) within `box`."""

    box: Box
    number: np.ndarray  # uint8: which piece a pixel is of, 0 none
    hints: np.ndarray  # uint8, see `labels`
    soft: np.ndarray  # uint8: the first guess of the person
    tracked: np.ndarray  # bool: moving objects that were followed
    guessed: np.ndarray  # bool: sure in the first guess, and not scenery

    @property
    def body(self) -> np.ndarray:
        """The fitted body, (h, w) bool."""
        return self.hints & BODY_SHAPE > 0

    @property
    def own_colored(self) -> np.ndarray:
        """What has the person's colors and lies where they are, (h, w) bool."""
        return (self.hints & OWN_COLORED > 0) & (self.body | self.guessed)


class _Owners:
    """One run of `assign_owners`."""

    def __init__(
        self,
        working: WorkingClip,
        canvas: BackgroundCanvas,
        found: LabelRound,
        objects: ObjectMasks,
        *,
        removes_held: bool,
    ):
        self.working, self.canvas, self.labels, self.fixed = working, canvas, found.labels, found.fixed
        self.objects, self.removes_held, self.height = objects, removes_held, working.body_height
        tracks = found.labels.tracks
        self.in_front, self.persons = tracks.labels_in_front(), tracks.labels_of_person()
        self.scenery = tracks.labels_of_scenery()
        self.removed = _list_removed(found, objects, removes_held=removes_held)

    def assign(self, frame: int) -> FrameMasks:
        """The masks of a frame in which somebody is."""
        pieces = self._read_pieces(frame)
        passes, standing = self._find_passing(frame, pieces)
        gone = np.isin(pieces.number, self.removed.get(frame, []))
        if self.removes_held:
            gone |= pieces.box.cut(self.objects.read_held(frame))
        passes &= ~gone
        moving = _soften(passes)
        person = self._find_person(frame, pieces, passes, standing, moving)
        if self.working.motion is not None and self.working.mask_source == "estimator":
            body = pieces.body | (pieces.soft > 127)
            person = keep_beside(person, body, BESIDE_REACH * self.height, LOST_END_REACH * self.height)
            moving = keep_beside(moving, body | (person > 127), FRONT_REACH * self.height)
        person, moving, gone = self._place_carried(frame, pieces, passes, person, moving, gone)
        if gone.any():
            person = np.maximum(person, _join_to_person(gone, person, self.height))
        others = self.working.find_others(frame, pieces.box)
        person, moving = _leave_others(others, person, moving)
        return FrameMasks(pieces.box, person, moving, self._find_fixed(frame, pieces, others))

    def _read_pieces(self, frame: int) -> _Pieces:
        box, number = self.working.boxes[frame], self.labels.numbers(frame)
        soft, tracked = box.cut(self.working.soft[frame]), box.cut(self.objects.read(frame))
        # A bag that the first guess has for a moment is not cut up for that.
        guessed = (soft > 127) & ~np.isin(number, self.scenery.get(frame, []))
        return _Pieces(box, number, self.labels.hints(frame), soft, tracked, guessed)

    def _find_passing(self, frame: int, pieces: _Pieces) -> tuple[np.ndarray, np.ndarray]:
        """What passes in front of the person, and what seemed to but stands still, both (h, w) bool."""
        tracked, passes = pieces.tracked, np.isin(pieces.number, self.in_front.get(frame, []))
        if tracked.any():
            # Where the object itself was tracked, what else hangs on to it in the person's colors is the person.
            passes &= dilate_mask(tracked, OBJECT_RIM * self.height) | ~pieces.own_colored
            return passes | tracked, np.zeros_like(passes)
        # Where the plate is right, what differs from it a little may still be like the frames before and after.
        loose = passes & ~pieces.guessed & ~pieces.body & (pieces.hints & ALL_APART > 0)
        least = SMALLEST_LOOSE * self.height**2
        if loose.sum() <= least:
            return passes, np.zeros_like(passes)
        moves = trim_still(passes, loose & find_still(self.working, frame, pieces.box), least)
        return passes & moves, passes & ~moves

    def _find_person(
        self, frame: int, pieces: _Pieces, passes: np.ndarray, standing: np.ndarray, moving: np.ndarray
    ) -> np.ndarray:
        """The person's soft mask. What was taken for an object but belongs to them fills its place in it."""
        beside = dilate_mask(pieces.body | (pieces.soft > POSSIBLE_PERSON), BESIDE_REACH * self.height)
        likely = _take_parts(pieces.number, self.persons.get(frame, []), beside, END_AREA * self.height**2)
        likely |= pieces.guessed | pieces.own_colored
        own = (pieces.number > 0) & ~passes & ~standing & likely
        labeled = np.minimum(self.labels.person(frame), 255 - moving)
        return np.where(own, 255, np.where(standing, 0, labeled)).astype(np.uint8)

    def _place_carried(
        self, frame: int, pieces: _Pieces, passes, person: np.ndarray, moving: np.ndarray, gone: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three masks with what is carried, which stays in front if it is whole, and is `gone` otherwise."""
        place = pieces.box.cut(self.working.find_carried(frame))
        carried = (place == MOVES) & (pieces.hints & SEEN_APART > 0) | (place == RESTS) & (pieces.hints & ALL_APART > 0)
        carried = (carried | (place == COLORED)) & ~passes
        if self.working.kept is not None:
            thing = _close_gaps(carried | self.working.kept.read(frame), HELD_GAP * self.height / 2)
            thing = keep_together(thing, carried & (place != COLORED) | passes)
            front = _soften(thing & ~pieces.body)
            person, moving = np.minimum(person, 255 - front), np.maximum(moving, front)
        elif carried.any():
            gone = gone | _fill_gaps(carried, self.height) & ~passes
        return person, moving, gone

    def _find_fixed(self, frame: int, pieces: _Pieces, others: np.ndarray) -> np.ndarray:
        """The alpha of what stands in front of the person, (h, w) uint8."""
        import cv2

        fixed = self.canvas.lookup(self.fixed, frame, pieces.box, flags=cv2.INTER_LINEAR)
        if self.working.motion is not None:
            body = dilate_mask(pieces.body, COVERED_REACH * self.height)
            fixed = keep_covering(fixed, body, LEAST_COVERED * self.height**2)
        return (np.where((others == 0) | (others == IN_FRONT), fixed, 0) * 255).astype(np.uint8)


def _soften(mask: np.ndarray) -> np.ndarray:
    """A mask (h, w) bool as alpha (h, w) uint8 with a soft edge."""
    import cv2

    return cv2.GaussianBlur(mask.astype(np.uint8) * 255, (3, 3), 0)


def _list_removed(found: LabelRound, objects: ObjectMasks, *, removes_held: bool) -> dict[int, list[int]]:
    """The numbers of the pieces of each frame that go with the person: what is worn, and held if `removes_held`."""
    tracks = found.labels.tracks
    removed = tracks.labels_held() if removes_held else {}
    if removed or (removes_held and objects.held):
        # In other frames it may be seen as pieces beside the hand.
        for frame, numbers in tracks.labels_at_hand().items():
            removed.setdefault(frame, []).extend(numbers)
    for frame, numbers in tracks.labels_worn().items():
        removed.setdefault(frame, []).extend(numbers)
    return removed


def _leave_others(others: np.ndarray, person: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Masks (h, w) uint8 of a person and of what moves in front, by where somebody else is, (h, w) uint8.

    Somebody else is whole in front, if they stand there, or whole in the plate.
    """
    if not others.any():
        return person, moving
    moving = np.where(others == IN_FRONT, 255, np.where(others > 0, 0, moving))
    return np.where(others > 0, 0, person).astype(np.uint8), moving.astype(np.uint8)


def keep_together(thing: np.ndarray, beside: np.ndarray) -> np.ndarray:
    """The pieces of a `thing` (h, w) bool that hang together with what is seen `beside` the person, where any is."""
    import cv2

    if not beside.any():
        return thing
    _, label = cv2.connectedComponents((thing | beside).astype(np.uint8), connectivity=8)
    return thing & np.isin(label, np.unique(label[beside]))


def _fill_gaps(carried: np.ndarray, body_height: float) -> np.ndarray:
    """What is carried (h, w) bool in one piece: spokes and strings with what is between them."""
    import cv2

    closed = _close_gaps(carried, HELD_GAP * body_height / 2).astype(np.uint8)
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(closed, outlines, -1, 1, cv2.FILLED) > 0


def _close_gaps(mask: np.ndarray, reach: float) -> np.ndarray:
    """A mask (h, w) bool without gaps up to twice `reach` pixels wide."""
    return erode_mask(dilate_mask(mask, reach), reach)


def _join_to_person(held: np.ndarray, person: np.ndarray, body_height: float) -> np.ndarray:
    """The mask (h, w) uint8 of what a person holds, (h, w) bool, and of what is thin between it and them."""
    reach = HELD_GAP * body_height
    near = held | ((person > 127) & dilate_mask(held, 3 * reach))
    joined = erode_mask(dilate_mask(near, reach), reach) & dilate_mask(held, 2 * reach)
    return _soften(held | joined)


def keep_covering(fixed: np.ndarray, body: np.ndarray, area: float) -> np.ndarray:
    """The parts of fixed objects (h, w) float32 that cover at least `area` pixels of the body (h, w) bool here."""
    import cv2

    count, label = cv2.connectedComponents((fixed > 0).astype(np.uint8), connectivity=8)
    covers = np.bincount(label[body & (fixed > 0.5)], minlength=count) >= area
    covers[0] = False
    return fixed * covers[label]


def _take_parts(number: np.ndarray, parts: Iterable[int], beside: np.ndarray, area: float) -> np.ndarray:
    """Where numbered pieces (h, w) uint8 are `parts` of the person, (h, w) bool: within `beside` (h, w) bool.

    Those of less than `area` pixels, which are no larger than a hand, are taken whole if any of them is beside.
    """
    found = np.isin(number, parts)
    near = np.bincount(number[beside], minlength=256) > 0
    near &= np.bincount(number.reshape(-1), minlength=256) < area
    return found & (beside | near[number])


def keep_beside(mask: np.ndarray, body: np.ndarray, reach: float, end_reach: float = 0.0) -> np.ndarray:
    """A soft mask (h, w) uint8 without the pieces further than `reach` pixels from the body (h, w) bool, if there is
    one. Pieces that lie within `end_reach` as a whole may be ends of limbs and stay."""
    import cv2

    if not body.any():
        return mask
    count, label = cv2.connectedComponents((mask > 127).astype(np.uint8), connectivity=8)
    near = np.bincount(label[dilate_mask(body, reach)], minlength=count) > 0
    if end_reach > reach:
        near |= np.bincount(label[~dilate_mask(body, end_reach)], minlength=count) == 0
    near[0] = True
    return np.where(dilate_mask(~near[label], RIM), 0, mask).astype(np.uint8)


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
