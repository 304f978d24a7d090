"""Finding the person and what passes in front of them, at a working size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..geometry.box import Box
from ..media.clip import Clip, Masks
from ..media.store import FrameStore
from ..motion.motion import Motion
from .background import Canvas
from .camera_motion import CameraPath, CameraTracker
from .filters import grown
from .follow import Evidence, Paths, followed
from .occluder import REACH, TOUCH, Sightings, fixed_things, sightings, things, without_small
from .person import UNSURE, Looks, Odds, View, alpha_of
from .silhouette import Body, bodies, stature
from .survey import CoarsePlate, Survey
from .tracks import Tracks


WORKING_STATURE = 230  # pixels of a standing body at working size
LONGEST = 640  # pixels of the longer side at working size
SHORTEST = 8  # pixels of the shorter side at working size
BUSY = 0.03  # of the stature: what lies so near the first guess of the person may be the person
ROUNDS = 2  # the second one knows what the first one labelled
CACHED = 32  # frames kept at hand while a thing is followed
BRIDGED = 128  # mask value of a body that was not seen but must be there
KNOWN = 0.5  # share of a component that a followed thing covers to be that thing
LEAST_DENSITY = -28.0  # log densities are kept from here up
OVERLOOKED = 12  # frames before or after one with a person in which that one may have been overlooked
SPECK = 1e-3  # of the squared stature: smaller pieces of person are noise


def working_scale(width: int, height: int, stature: float) -> float:
    """By how much frames of `width` x `height` with a body `stature` pixels tall are shrunk: at most 1.

    No side becomes shorter than SHORTEST unless it is already, so that the shape stays.
    """
    scale = min(WORKING_STATURE / max(stature, 1), LONGEST / max(width, height))
    return min(1.0, max(scale, SHORTEST / min(width, height)))


@dataclass(frozen=True, eq=False)
class Layers:
    """What was found in one frame at working size, within `box` (x0, y0, x1, y1) of it. All (h, w) uint8."""

    box: tuple[int, int, int, int]
    person: np.ndarray  # soft mask
    thing: np.ndarray  # soft mask of what moves in front
    fixed: np.ndarray  # alpha of what stands in front, 0 where the person is seen


class Analysis:
    """A clip at working size: pictures, first guess of the person, camera, fitted bodies."""

    def __init__(self, clip: Clip, motion: Motion | None, guess: Masks, *, is_given: bool):
        self.clip, self.motion, self.guess, self.is_given = clip, motion, guess, is_given
        self.full_stature = self._stature()
        self.scale = working_scale(clip.width, clip.height, self.full_stature)
        self.size = tuple(round(side * self.scale) for side in (clip.width, clip.height))
        self.stature = max(self.full_stature * self.scale, 16.0)
        self.pictures, self.soft = FrameStore(), FrameStore()
        self.boxes: list[tuple[int, int, int, int] | None] = []
        self.path: CameraPath | None = None

    def _stature(self) -> float:
        tall = 0.0 if self.motion is None else stature(self.motion, self.clip.width, self.clip.height)
        if tall:
            return tall
        heights = [
            np.ptp(rows) + 1 for rows in (np.flatnonzero((mask > 127).any(1)) for mask in self.guess) if len(rows)
        ]
        return float(np.median(heights)) if heights else 0.0

    def bodies(self, start: int = 0, stop: int | None = None) -> Iterator[Body | None]:
        """The fitted body of each frame, None where there is none."""
        stop = len(self.clip) if stop is None else stop
        if self.motion is None:
            return iter([None] * (stop - start))
        return bodies(self.motion[start:stop], *self.size)

    def survey(self, camera: str, tick: Callable[[np.ndarray], None]) -> None:
        """The first pass: shrink every frame, follow the camera, note where the person is."""
        import cv2

        tracker = CameraTracker()
        for picture, mask, body in zip(self.clip, self.guess, self.bodies(), strict=True):
            small = cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA)
            soft = _guess(cv2.resize(mask, self.size, interpolation=cv2.INTER_AREA), body)
            self.pictures.append(small)
            self.soft.append(soft)
            somebody = soft > UNSURE if body is None else (soft > UNSURE) | body.silhouette
            self.boxes.append(Box.of_mask(somebody, round(1.6 * REACH * self.stature)))
            if camera != "none":
                tracker.add(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), self._busy(soft).astype(np.uint8))
            tick(picture)
        self.path = CameraPath.still(len(self.clip)) if camera == "none" else tracker.path(camera)

    def _busy(self, soft: np.ndarray) -> np.ndarray:
        return grown(soft > UNSURE, BUSY * self.stature)

    def hidden(self, frame: int) -> np.ndarray:
        """Where a person may hide the scene, (h, w) bool: near the first guess.

        Where nobody was found in a frame but shortly before or after, all around that place: nobody vanishes. A mask
        that was given is believed.
        """
        busy = self._busy(self.soft[frame])
        near = range(max(frame - OVERLOOKED, 0), min(frame + OVERLOOKED + 1, len(self.boxes)))
        if self.boxes[frame] is None and not self.is_given:
            seen = [other for other in near if self.boxes[other] is not None]
            for other in sorted(seen, key=lambda other: abs(other - frame))[:1]:
                self.boxes[other].cut(busy)[:] = True
        return busy

    def full_boxes(self) -> list[Box | None]:
        """Where the person and their surroundings are in each frame of the clip."""
        width, height = self.clip.width, self.clip.height
        step = width / self.size[0], height / self.size[1]
        return [box and box.scaled(*step, height, width) for box in self.boxes]

    def layers(self, canvas: Canvas, plate: Clip | None, tick: Callable[[np.ndarray], None]) -> Iterator[Layers | None]:
        """Take apart the frames of a canvas at working size, `canvas.start` to `canvas.stop`."""
        scenery = self._scenery(canvas, plate, tick)
        looks, fixed = Looks(), np.zeros(scenery.known.shape, np.float32)
        for view in self._views(canvas, scenery, fixed, plate):
            if view is not None:
                looks.learn(view)
            tick(None)
        paths = Paths(self.size)
        if plate is None:
            scenery = scenery.without(looks.holds_still(scenery, self.stature))
        for _ in range(ROUNDS):
            looks, fixed, labels = self._labelled(canvas, scenery, looks, fixed, plate, paths, tick)
            paths = self._followed(canvas, labels)
        yield from self._kept(canvas, fixed, labels, paths)

    def _scenery(self, canvas: Canvas, plate: Clip | None, tick) -> CoarsePlate:
        survey = Survey(canvas, self.stature)
        for frame, body in zip(range(canvas.first, canvas.last), self.bodies(canvas.first, canvas.last), strict=True):
            survey.add(self.pictures[frame], self.hidden(frame), body, frame)
            if canvas.start <= frame < canvas.stop:
                tick(None)
        return survey.plate()

    def _views(
        self, canvas: Canvas, scenery: CoarsePlate, fixed: np.ndarray, plate: Clip | None
    ) -> Iterator[View | None]:
        frames = range(canvas.start, canvas.stop)
        for frame, body in zip(frames, self.bodies(canvas.start, canvas.stop), strict=True):
            yield self._view(canvas, scenery, fixed, plate, frame, body)

    def _view(self, canvas, scenery, fixed, plate, frame: int, body: Body | None) -> View | None:
        import cv2

        box = self.boxes[frame]
        if box is None:
            return None

        def lookup(layer, flags=cv2.INTER_NEAREST):
            return canvas.lookup(layer, frame, box, flags=flags)

        picture, known = lookup(scenery.picture, cv2.INTER_LINEAR), lookup(scenery.known.astype(np.uint8)) > 0
        if plate is not None:
            picture = box.cut(cv2.resize(plate[frame], self.size, interpolation=cv2.INTER_AREA))
            known = np.ones_like(known)
        return View(
            picture=np.ascontiguousarray(box.cut(self.pictures[frame])),
            soft=np.ascontiguousarray(box.cut(self.soft[frame])),
            plate=np.ascontiguousarray(picture),
            known=known,
            still=lookup(scenery.still.astype(np.uint8)) > 0,
            fixed=lookup(fixed, cv2.INTER_LINEAR),
            body=None if body is None else body.cut(box),
            stature=self.stature,
        )

    def _labelled(self, canvas, scenery, looks: Looks, fixed, plate, paths: Paths, tick):
        """One round: label every frame, learn the looks again from the labels, find what stands in front."""
        import cv2

        seen, learned, labels = Sightings.none(canvas.size), Looks(), _Labels(self.stature)
        for frame, view in enumerate(self._views(canvas, scenery, fixed, plate), canvas.start):
            tick(None)
            if view is None:
                labels.append_nothing(frame)
                continue
            odds = looks.odds(view)
            followed = self.boxes[frame].cut(paths.at(frame))
            # Where the person was overlooked, what moves may be the person.
            thing = (things(view, odds) & view.has_person) | followed
            person, person_odds = self._person(view, odds, thing)
            if person.any():
                learned.relearn(view, person, thing)
            for total, found in zip((seen.over, seen.person), seen.evidence(view, odds, thing), strict=True):
                whole = np.zeros(self.size[::-1], np.uint8)
                self.boxes[frame].cut(whole)[:] = found
                total += canvas.project(whole, frame, flags=cv2.INTER_NEAREST)
            labels.append(frame, view, looks, odds, alpha_of(person_odds), person, thing, self.boxes[frame])
        return learned, fixed_things(scenery.picture, scenery.known, seen, self.stature), labels

    def _person(self, view: View, odds: Odds, thing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where the person is (h, w) bool, and its log odds."""
        if self.is_given:
            inside = view.soft > 127
            return inside & ~thing, np.where(inside, 8.0, -8.0)
        person = without_small(odds.is_person & ~thing & view.near_person, SPECK * self.stature**2)
        around = grown(person, 2)
        return person, np.where(around, odds.person, -8.0)

    def _followed(self, canvas: Canvas, labels: _Labels) -> Paths:
        """Where rigid things are in all frames, learned from those in which some of them was seen."""

        @lru_cache(maxsize=CACHED)
        def evidence(frame: int) -> Evidence:
            return labels.evidence(frame, canvas.start, self.pictures[frame], self.boxes[frame])

        frames, paths = range(canvas.start, canvas.stop), Paths(self.size)
        for seen, speed in labels.tracks.seeds():
            mask = np.zeros(self.size[::-1], bool)
            self.boxes[seen.frame].cut(mask)[:] = labels.store[seen.frame - canvas.start][1] == seen.number
            if (mask & paths.at(seen.frame)).sum() > KNOWN * mask.sum():
                continue
            thing = followed(mask, seen.frame, speed, frames, evidence, self.stature)
            places = [] if thing is None else list(thing.places(self.size))
            if any(self._touches(labels, frame - canvas.start, frame, place) for frame, place in places):
                for frame, place in places:
                    paths.add(frame, place)
        return paths

    def _touches(self, labels: _Labels, index: int, frame: int, thing: np.ndarray) -> bool:
        """Whether a thing (h, w) bool comes near the person in a frame."""
        if self.boxes[frame] is None and not self.is_given:
            return False
        near = grown(labels.store[index][0] > 127, TOUCH * self.stature)
        return bool((near & self.boxes[frame].cut(thing)).any())

    def _kept(self, canvas: Canvas, fixed: np.ndarray, labels: _Labels, paths: Paths) -> Iterator[Layers | None]:
        """The labels of a round as layers; of the moving things those that pass in front of the person."""
        import cv2

        in_front, persons = labels.tracks.in_front(), labels.tracks.persons()
        for frame in range(canvas.start, canvas.stop):
            box = self.boxes[frame]
            if box is None:
                yield None
                continue
            person, label = labels.store[frame - canvas.start][:2]
            passes = np.isin(label, in_front.get(frame, [])) | box.cut(paths.at(frame))
            thing = _soft(passes)
            # What was taken for a thing but belongs to the person fills its place in the mask.
            likely = np.isin(label, persons.get(frame, [])) | (box.cut(self.soft[frame]) > 127)
            own = (label > 0) & ~passes & likely
            person = np.where(own, 255, np.minimum(person, 255 - thing)).astype(np.uint8)
            alpha = canvas.lookup(fixed, frame, box, flags=cv2.INTER_LINEAR) * 255
            yield Layers(box, person, thing, alpha.astype(np.uint8))


class _Labels:
    """Soft person and numbered things of each frame, and the tracks of the things."""

    def __init__(self, stature: float):
        self.store, self.tracks = FrameStore(), Tracks(stature)

    def append(self, frame: int, view: View, looks: Looks, odds: Odds, alpha, person, thing, box) -> None:
        import cv2

        label = cv2.connectedComponents(thing.astype(np.uint8), connectivity=8)[1].clip(0, 255).astype(np.uint8)
        own = looks.own(view, label)
        found = sightings(frame, view, label, person, own, box[:2])
        self.tracks.add(frame, found)
        self.store.append(np.stack([alpha, label, _coded(odds.explained)]))

    def evidence(self, frame: int, start: int, picture: np.ndarray, box) -> Evidence:
        """What a frame shows, and how well scene and person explain it."""
        explained = np.full(picture.shape[:2], np.nan, np.float32)
        if box is not None:
            box.cut(explained)[:] = _decoded(self.store[frame - start][2])
        return Evidence(picture, explained)

    def append_nothing(self, frame: int) -> None:
        self.tracks.add(frame, [])
        self.store.append(np.zeros((3, 1, 1), np.uint8))


def _guess(soft: np.ndarray, body: Body | None) -> np.ndarray:
    """The first guess (h, w) uint8; where it has nobody, the body that the motion bridges the gap with."""
    import cv2

    if body is None or (soft > UNSURE).any():
        return soft
    return cv2.GaussianBlur(body.silhouette.astype(np.uint8) * BRIDGED, (5, 5), 0)


def _coded(density: np.ndarray) -> np.ndarray:
    """Log densities as uint8, a tenth apart."""
    return ((density - LEAST_DENSITY) * 10 + 0.5).clip(0, 255).astype(np.uint8)


def _decoded(code: np.ndarray) -> np.ndarray:
    return code.astype(np.float32) / 10 + LEAST_DENSITY


def _soft(mask: np.ndarray) -> np.ndarray:
    """A mask (h, w) bool with a rim one pixel soft, uint8."""
    import cv2

    return cv2.GaussianBlur(mask.astype(np.uint8) * 255, (3, 3), 0)
