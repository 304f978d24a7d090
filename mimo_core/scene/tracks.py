"""Moving things through time: which of them ever touch the person, and which are the person after all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np


STEP = 0.2  # of the stature: how far from its predicted place a thing may be found in the next frame
RESIZE = 0.1  # cost of a thing that changes its area by a factor e, in statures
MEMORY = 3  # frames after which a thing that was lost is another one
WHOLE = 0.85  # of its largest area among the last few frames: a smaller sighting is cut
APART = 2  # frames in which a thing must be seen off the person to be surely a thing
OWN = 0.5  # a thing never seen apart is the person's if this share of it has the colours of a body part beside it


@dataclass(frozen=True, eq=False)
class Sighting:
    """A moving component in one frame."""

    frame: int
    number: int  # its label in that frame
    center: np.ndarray  # (2,) pixels
    area: int
    touches: bool  # the person, in this frame
    own: float  # share of its pixels with colours of the person's near parts
    whole: bool = False  # seen in full: away from the person and from the border of the view


@dataclass
class _Track:
    sightings: list[Sighting] = field(default_factory=list)

    def predicted(self, frame: int) -> np.ndarray:
        last = self.sightings[-1]
        if len(self.sightings) < 2:
            return last.center
        before = self.sightings[-2]
        speed = (last.center - before.center) / (last.frame - before.frame)
        return last.center + speed * (frame - last.frame)

    def last_whole(self, step: int) -> Iterator[tuple[Sighting, np.ndarray, int]]:
        """The whole sightings after which, in a direction of time, it is not whole in the next frame."""
        whole = {seen.frame: seen for seen in self.sightings if seen.whole}
        for frame, seen in whole.items():
            if frame + step in whole:
                continue
            before = [whole[other] for other in range(frame - step, frame - 4 * step, -step) if other in whole]
            speed = (seen.center - before[-1].center) / abs(frame - before[-1].frame) if before else np.zeros(2)
            best = max([seen, *before], key=lambda one: one.area)
            yield (seen if seen.area > WHOLE * best.area else best), speed, step

    @property
    def is_in_front(self) -> bool:
        """Whether it touches the person at some time, and is no part of them."""
        if not any(seen.touches for seen in self.sightings):
            return False
        apart = sum(not seen.touches for seen in self.sightings)
        return apart >= APART or float(np.mean([seen.own for seen in self.sightings])) < OWN


class Tracks:
    """Follows things from frame to frame, each to at most one in the next."""

    def __init__(self, stature: float):
        self.stature, self.tracks = stature, []

    def add(self, frame: int, sightings: list[Sighting]) -> None:
        left = list(sightings)
        alive = [track for track in self.tracks if frame - track.sightings[-1].frame <= MEMORY]
        pairs = sorted(self._pairs(frame, alive, left), key=lambda pair: pair[0])
        taken = set()
        for _, track, sighting in pairs:
            if id(track) in taken or id(sighting) in taken:
                continue
            taken.update((id(track), id(sighting)))
            track.sightings.append(sighting)
            left.remove(sighting)
        self.tracks += [_Track([sighting]) for sighting in left]

    def _pairs(self, frame: int, tracks: list[_Track], sightings: list[Sighting]) -> Iterator[tuple]:
        for track in tracks:
            place, area = track.predicted(frame), track.sightings[-1].area
            for sighting in sightings:
                distance = float(np.linalg.norm(sighting.center - place)) / self.stature
                if distance < STEP:
                    yield distance + RESIZE * abs(np.log(sighting.area / area)), track, sighting

    def starts(self) -> Iterator[tuple[Sighting, np.ndarray, int]]:
        """Where things that were seen whole come near the person: sighting, speed (2,) a frame, direction in time."""
        for track in self.tracks:
            if sum(seen.whole for seen in track.sightings) < APART:
                continue
            for step in (1, -1):
                yield from track.last_whole(step)

    def in_front(self) -> dict[int, list[int]]:
        """For each frame the labels of the things that pass in front of the person, also while they are off it."""
        found: dict[int, list[int]] = {}
        for track in self.tracks:
            if track.is_in_front:
                for sighting in track.sightings:
                    found.setdefault(sighting.frame, []).append(sighting.number)
        return found
