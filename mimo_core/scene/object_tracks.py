"""Moving objects through time: which of them ever touch the person, and which are the person after all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from .fitted_body import FEET, LIMB_ENDS


# Set on the tuning shots 12, 13, 17, 49, 53, 66, 69, 71 and the juggling clip, 2026-11-23.
TRACK_STEP = 0.2  # of the body height: how far from its predicted place an object may be found in the next frame
RESIZE_COST = 0.1  # cost of an object that changes its area by a factor e, in body heights
TRACK_MEMORY = 3  # frames after which an object that was lost is another one
SEED_AREA = 2e-3  # of the squared body height: the area from which an object is followed
FRAMES_APART = 2  # frames in which an object must be seen off the person to be surely an object
BRIEF_FRAMES = 12  # frames: what appears on the person and vanishes there within so few is the person's
BRIEF_SIGHTINGS = 4  # of a small piece at the person: fewer say nothing of its motion
OWN_COLOR_SHARE = 0.5  # of an object never seen apart with colours of a body part beside it: it is the person's

# Set on five real clips and the shots 12 and 71, 2026-11-27: flicker, captions at the feet and people behind cover up
# to 9 % in their second best frame, what passes in front 17 % and more.
COVERING_SHARE = 0.1  # of an object, or of the body if smaller: in this many frames as FRAMES_APART, it is in front
COVERING_FRAMES = 0.2  # and share of the sightings at the person: a bystander's arm covers in fewer
CROSSING_TRAVEL = 0.5  # of the body height: what moves so far across the scene is surely an object,
CROSSING_SHARE = 0.04  # and needs to cover less
MOST_SEEDS = 6  # objects of a canvas that are tracked, those seen most: crowds cost time and hide nobody
HELD_SIGHTINGS = 4  # in which an object must be seen to be held
HELD_SHARE = 0.8  # of them in which it touches the person
CHANCE_SHARE = 0.5  # of the sightings at a hand and at the person: a piece with less is no part of what is held
HELD_CONTRAST = 50.0  # levels from the plate: no shadow, fold or flicker differs so much
HELD_OWN_SHARE = 0.3  # of it may have the colors of the body parts beside it
END_AREA = 1e-2  # of the squared body height: a hand, a shoe or a tuft of hair is smaller
END_SHARE = 0.5  # of the sightings of such a piece at which it is at the end of a limb
ONE_FOOT_SHARE = 0.8  # of those at the end of any limb, of a shoe: a dribbled ball is at both feet
END_TRAVEL = 0.1  # of the body height: the deviation of its place in the scene; what stands still may be a letter
END_SLIP = 0.6  # of that deviation may be left in the limb's own place: it moves with the limb
# Body heights in the scene: what goes so far tells in so few sightings that it moves with the body. A skater's arm,
# 2026-11-27. Where the camera's pan is lost, it counts as travel.
RUSH_TRAVEL, RUSH_SIGHTINGS = 0.5, 3
CARRIED_SLIP = 0.5  # of its travel in the scene may be left in the body's own place: it is carried along
HELD_AREA = 3e-2  # of the squared body height: what is larger is no piece of a thing in the hand
SCENERY_GUESSED = 0.3  # of what is the scene's the first guess takes less, over the frames in which it is followed
HELD_TRAVEL = 0.4  # of the body height: how far it must move in the scene
HANGING_SIGHTINGS = 12  # of what hangs on a hand, whose handle is too thin to be seen,
HANGING_SHARE = 0.9  # and share of them in which it is at a hand
HANGING_TRAVEL = 0.3  # of the body height: how far it must move in the scene,
HANGING_SLIP = 0.75  # and how much of that it may swing against the body


@dataclass(frozen=True, eq=False, slots=True)
class Sighting:
    """A moving component in one frame."""

    frame: int
    number: int  # its label in that frame
    center: np.ndarray  # (2,) pixels of the frame
    area: int
    touches: bool  # the person, in this frame
    own: float  # share of its pixels with colours of the person's near parts
    place: np.ndarray = (0.0, 0.0)  # (2,) pixels of the scene: on the canvas, where the camera stands still
    contrast: float = 255.0  # levels by which it typically differs from the plate
    covers: float | None = None  # share of it, or of the body if smaller, where it hides the body; None without a body
    whole: bool = False  # seen in full: away from the person and from the border of the view
    limb: int = -1  # which of the body's it lies at the end of, -1 for none
    end: np.ndarray = (0.0, 0.0)  # (2,) place in the scene of that end
    body: np.ndarray | None = None  # (2,) place in the scene of the middle of the nearest body
    at_hand: bool = False  # some of it is near a hand
    guessed: float = 1.0  # share of it in the first guess of the person

    def is_stir_of_scene(self) -> bool:
        """Whether it may be a shadow, a fold or flicker: faint, in no color of theirs, not in the first guess."""
        return self.contrast < HELD_CONTRAST and self.guessed < SCENERY_GUESSED and self.own < OWN_COLOR_SHARE


@dataclass
class _ObjectTrack:
    body_height: float
    sightings: list[Sighting] = field(default_factory=list)

    def predict(self, frame: int) -> np.ndarray:
        last = self.sightings[-1]
        if len(self.sightings) < 2:
            return last.center
        before = self.sightings[-2]
        speed = (last.center - before.center) / (last.frame - before.frame)
        return last.center + speed * (frame - last.frame)

    def can_seed(self, area: float) -> bool:
        """Whether enough of it is seen, in colours that are not the person's, to follow it."""
        return (
            len(self.sightings) >= FRAMES_APART and self.seed()[0].area >= area and self.seed()[0].own < OWN_COLOR_SHARE
        )

    def seed(self) -> tuple[Sighting, np.ndarray]:
        """The sighting that shows most of the object, and its speed (2,) a frame there."""
        best = max(self.sightings, key=lambda seen: seen.area * (1 - seen.own) * (2 if seen.whole else 1))
        near = [seen for seen in self.sightings if abs(seen.frame - best.frame) <= TRACK_MEMORY]
        first, last = near[0], near[-1]
        return best, (last.center - first.center) / max(last.frame - first.frame, 1)

    def belongs_to_person(self, frames: range) -> bool:
        """Whether it appears on the person and vanishes there soon, within `frames`: the sole of a white shoe.

        An object comes from aside. What is there when `frames` begin or end may have come before or go later. What is
        as small as a hand or a shoe, never seen apart, and moves with the end of a limb, is that hand or shoe.
        """
        if self.is_end_of_limb():
            return True
        if self.is_held() and not self._is_small():
            return False  # a ball that was lost for a frame begins and ends on the person
        first, last = self.sightings[0].frame, self.sightings[-1].frame
        brief = frames.start < first and last < frames.stop - 1 and last - first < BRIEF_FRAMES
        could_be = self._median_area() < HELD_AREA * self.body_height**2 or self.is_own_colored()
        return brief and could_be and all(seen.touches for seen in self.sightings)

    def is_end_of_limb(self) -> bool:
        """Whether it is a hand, a foot or hair: as small as one, never without it, and moving with it."""
        apart = sum(not seen.touches for seen in self.sightings)
        return apart < FRAMES_APART and self._is_small() and self.moves_with_limb()

    def _is_small(self) -> bool:
        """Whether it is as small as a hand, a shoe or a tuft of hair."""
        return self._median_area() < END_AREA * self.body_height**2

    def _median_area(self) -> float:
        return float(np.median([seen.area for seen in self.sightings]))

    def moves_with_limb(self) -> bool:
        """Whether it is mostly at the end of one limb that moves in the scene, and takes part in the motion."""
        limbs = [seen.limb for seen in self.sightings if seen.limb >= 0]
        limb = max(set(limbs), key=limbs.count, default=-1)
        near = [seen for seen in self.sightings if seen.limb == limb >= 0]
        if len(near) < max(FRAMES_APART, END_SHARE * len(self.sightings)):
            return False
        if limb % len(LIMB_ENDS) in FEET and len(near) < ONE_FOOT_SHARE * len(limbs):
            return False
        place, end = np.array([seen.place for seen in near]), np.array([seen.end for seen in near])
        travel, slip = place.std(0).max(), (place - end).std(0).max()
        return bool(travel >= END_TRAVEL * self.body_height and slip < END_SLIP * travel)

    def is_in_front(self, frames: range) -> bool:
        """Whether it touches the person at some time within `frames`, is no part of them, and has a reason.

        The reason is that it hides a part of the body, or is held. What only lies beside the body is the scene's.
        """
        if not any(seen.touches for seen in self.sightings) or self.belongs_to_person(frames):
            return False
        return not self.is_own_colored() and (self.hides_body() or self.is_held())

    def is_remnant(self, frames: range) -> bool:
        """Whether it is a small piece of the person, never seen without them: it moves with them, or was hardly seen.

        What was hardly seen is at a hand or in their colors, or it may be floor that flickers between the shoes. Left
        in the plate it would hang in the air beside the new character. `frames` are those of the shot.
        """
        if sum(not seen.touches for seen in self.sightings) >= FRAMES_APART or not self._is_small():
            return False
        seems = max(np.mean([seen.at_hand for seen in self.sightings]), np.mean([seen.own for seen in self.sightings]))
        hardly_seen = len(self.sightings) < BRIEF_SIGHTINGS and seems >= OWN_COLOR_SHARE
        return (self._moves_with_body() or hardly_seen) and not self.is_in_front(frames)

    def is_scenery(self, frames: range) -> bool:
        """Whether it is followed for long and is hardly ever in the first guess, no part of the person nor in front."""
        if len(self.sightings) < HELD_SIGHTINGS or self.is_own_colored():
            return False
        area = np.array([seen.area for seen in self.sightings])
        guessed = float(area @ [seen.guessed for seen in self.sightings] / area.sum())
        is_theirs = self.belongs_to_person(frames) or self.is_remnant(frames) or self.is_in_front(frames)
        return guessed < SCENERY_GUESSED and not is_theirs

    def is_beside_by_chance(self) -> bool:
        """Whether it is followed, and for most of that time without the person or not at a hand: a passer-by's."""
        shares = np.mean([(seen.touches, seen.at_hand) for seen in self.sightings], axis=0)
        return len(self.sightings) >= HELD_SIGHTINGS and float(shares.min()) < CHANCE_SHARE

    def is_own_colored(self) -> bool:
        """Whether it is never seen without the person and has colors of theirs."""
        apart = sum(not seen.touches for seen in self.sightings)
        return apart < FRAMES_APART and float(np.mean([seen.own for seen in self.sightings])) >= OWN_COLOR_SHARE

    def hides_body(self) -> bool:
        """Whether enough of it lies over the fitted body; so it is where no body is known."""
        near = [seen for seen in self.sightings if seen.touches]
        if all(seen.covers is None for seen in near):
            return True
        if self.travel() >= CROSSING_TRAVEL:
            least, frames = CROSSING_SHARE, FRAMES_APART
        else:
            least, frames = COVERING_SHARE, max(FRAMES_APART, COVERING_FRAMES * len(near))
        return sum((seen.covers or 0) >= least for seen in near) >= frames

    def travel(self) -> float:
        """How far it moves across the scene, in body heights."""
        return float(np.ptp([seen.place for seen in self.sightings], axis=0).max()) / self.body_height

    def is_held(self) -> bool:
        """Whether it stays with the person and moves, and neither shadow nor their own colors explain it."""
        own = np.mean([seen.own for seen in self.sightings])
        if self._hangs_on_hand() and own < HELD_OWN_SHARE:
            return True
        return self._stays_with_person() and (own < HELD_OWN_SHARE or self._moves_with_body())

    def _hangs_on_hand(self) -> bool:
        """Whether it is at a hand all the time and moves with the body: a bag, also if its handle is not seen."""
        at_hand = np.mean([seen.at_hand for seen in self.sightings])
        contrast = np.median([seen.contrast for seen in self.sightings])
        return bool(
            len(self.sightings) >= HANGING_SIGHTINGS
            and at_hand >= HANGING_SHARE
            and contrast >= HELD_CONTRAST
            and self.travel() >= HANGING_TRAVEL
            and self._slip() < HANGING_SLIP * self.travel()
        )

    def _stays_with_person(self) -> bool:
        touching = np.mean([seen.touches for seen in self.sightings])
        contrast = np.median([seen.contrast for seen in self.sightings])
        return bool(
            len(self.sightings) >= HELD_SIGHTINGS
            and touching >= HELD_SHARE
            and contrast >= HELD_CONTRAST
            and self.travel() >= HELD_TRAVEL
        )

    def _moves_with_body(self) -> bool:
        """Whether it moves far less against the body than across the scene."""
        return bool(self._slip() < CARRIED_SLIP * self.travel())

    def _slip(self) -> float:
        """How far it moves against the nearest body, in body heights; infinite where that was hardly seen."""
        near = [seen for seen in self.sightings if seen.body is not None]
        if len(near) < (RUSH_SIGHTINGS if self.travel() >= RUSH_TRAVEL else HELD_SIGHTINGS):
            return float("inf")
        return float(np.ptp([np.subtract(seen.place, seen.body) for seen in near], axis=0).max()) / self.body_height


class ObjectTracks:
    """Follows objects from frame to frame, each to at most one in the next."""

    def __init__(self, body_height: float):
        self.body_height, self.tracks = body_height, []
        self.frames = range(0)

    def add(self, frame: int, sightings: list[Sighting]) -> None:
        """Take in the sightings of the next frame."""
        self.frames = range(self.frames.start if self.frames else frame, frame + 1)
        left = list(sightings)
        alive = [track for track in self.tracks if frame - track.sightings[-1].frame <= TRACK_MEMORY]
        pairs = sorted(self._pairs(frame, alive, left), key=lambda pair: pair[0])
        taken = set()
        for _, track, sighting in pairs:
            if id(track) in taken or id(sighting) in taken:
                continue
            taken.update((id(track), id(sighting)))
            track.sightings.append(sighting)
            left.remove(sighting)
        self.tracks += [_ObjectTrack(self.body_height, [sighting]) for sighting in left]

    def _pairs(self, frame: int, tracks: list[_ObjectTrack], sightings: list[Sighting]) -> Iterator[tuple]:
        for track in tracks:
            place, area = track.predict(frame), track.sightings[-1].area
            for sighting in sightings:
                distance = float(np.linalg.norm(sighting.center - place)) / self.body_height
                if distance < TRACK_STEP:
                    yield distance + RESIZE_COST * abs(np.log(sighting.area / area)), track, sighting

    def seeds(self) -> list[tuple[Sighting, np.ndarray, bool]]:
        """For each object: where most of it is seen, its speed (2,) a frame there, and whether it is held.

        Those seen most come first. What touches the person without a reason to be in front is left out.
        """
        area = SEED_AREA * self.body_height**2
        tracks = [track for track in self.tracks if track.can_seed(area) and not track.belongs_to_person(self.frames)]
        tracks = [track for track in tracks if track.hides_body() or track.is_held()]
        tracks.sort(key=lambda track: -sum(seen.area for seen in track.sightings))
        return [(*track.seed(), track.is_held()) for track in tracks[:MOST_SEEDS]]

    def labels_in_front(self) -> dict[int, list[int]]:
        """For each frame the labels of the objects that pass in front of the person, also while they are off it."""
        return _labels_by_frame(track for track in self.tracks if track.is_in_front(self.frames))

    def labels_held(self) -> dict[int, list[int]]:
        """For each frame the labels of what is in front of the person because they hold, wear or carry it."""
        return _labels_by_frame(track for track in self.tracks if track.is_held() and track.is_in_front(self.frames))

    def labels_worn(self) -> dict[int, list[int]]:
        """For each frame the labels of what moves with the person in their own colors: it is theirs."""
        return _labels_by_frame(track for track in self.tracks if track.is_held() and track.is_own_colored())

    def labels_at_hand(self) -> dict[int, list[int]]:
        """For each frame the labels of small pieces beside a hand that are not in front for another reason."""
        found: dict[int, list[int]] = {}
        for track in self.tracks:
            if track.is_in_front(self.frames) or track.is_beside_by_chance():
                continue
            for seen in track.sightings:
                is_small = seen.area < HELD_AREA * self.body_height**2
                if seen.at_hand and is_small and seen.contrast >= HELD_CONTRAST:
                    found.setdefault(seen.frame, []).append(seen.number)
        return found

    def labels_of_scenery(self) -> dict[int, list[int]]:
        """For each frame the labels of what is the scene's, however much of it the first guess has there."""
        return _labels_by_frame(track for track in self.tracks if track.is_scenery(self.frames))

    def labels_of_person(self) -> dict[int, list[int]]:
        """For each frame the labels of what was taken for an object and is a part of the person."""
        found: dict[int, list[int]] = {}
        for track in self.tracks:
            if not track.belongs_to_person(self.frames) and not track.is_remnant(self.frames):
                continue
            is_told = track.is_end_of_limb() or track.is_remnant(self.frames)
            for seen in track.sightings:
                if is_told or not seen.is_stir_of_scene():
                    found.setdefault(seen.frame, []).append(seen.number)
        return found


def _labels_by_frame(tracks: Iterable[_ObjectTrack]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for track in tracks:
        for sighting in track.sightings:
            found.setdefault(sighting.frame, []).append(sighting.number)
    return found
