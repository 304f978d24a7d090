"""Motion: who moves, how, and what camera sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..body.person import Person
from ..errors import InputError
from ..geometry.camera import Camera
from .seen import SeenMasks


@dataclass(frozen=True, eq=False)
class Motion:
    """People moving in front of a camera, at a frame rate.

    `seen` holds the masks of the people, or of the first one alone, in the clip that the motion was taken from, where
    an estimator made the motion; `others` says in one layer where somebody else was BESIDE, BEHIND or IN_FRONT of them
    (`motion.seen`). Both follow edits of time; edits of the place of the people drop `seen`. Raises InputError where
    people, camera and masks differ in their number of frames.
    """

    people: tuple[Person, ...]
    fps: float
    camera: Camera
    seen: SeenMasks | None = None
    others: SeenMasks | None = None
    notes: tuple[str, ...] = ()  # what was unusual about the file that the motion was read from

    def __post_init__(self):
        if not self.people:
            raise InputError("A motion needs at least one person.")
        if not 0 < self.fps <= 1000:
            raise InputError(f"The frame rate of a motion must lie between 0 and 1000, got {self.fps}.")
        lengths = {person.frames for person in self.people}
        if len(lengths) > 1:
            raise InputError(f"All people of a motion need the same number of frames, got {sorted(lengths)}.")
        if 0 in lengths:
            raise InputError("The motion has no frames.")
        cameras = self.camera.camera_from_world
        if cameras is not None and len(cameras) != self.frames:
            raise InputError(f"The motion has {self.frames} frames but its camera has {len(cameras)}.")
        for masks in (self.seen, self.others):
            if masks is not None and len(masks) != self.frames:
                raise InputError(f"The motion has {self.frames} frames but was seen with {len(masks)} masks.")
        if self.seen is not None and self.seen.people not in (1, len(self.people)):
            raise InputError(f"The motion has {len(self.people)} people but masks of {self.seen.people}.")
        sizes = {(masks.width, masks.height) for masks in (self.seen, self.others) if masks is not None}
        if len(sizes) > 1:
            (width, height), (other_width, other_height) = sorted(sizes)
            raise InputError(
                f"The motion was seen with masks of one clip in two sizes, {width}x{height} and "
                f"{other_width}x{other_height}. Estimate it again."
            )

    @property
    def person(self) -> Person:
        """The first person."""
        return self.people[0]

    @property
    def frames(self) -> int:
        return self.people[0].frames

    def __getitem__(self, frames: slice) -> Motion:
        """Some of the frames. An empty slice is an error."""
        people = tuple(person.index(frames) for person in self.people)
        return replace(self, people=people, camera=self.camera.slice(frames), **self.index_masks(frames))

    def index_masks(self, frames: slice | Sequence[int]) -> dict[str, SeenMasks | None]:
        """`seen` and `others` of some frames, in their order."""
        masks = {"seen": self.seen, "others": self.others}
        return {name: None if each is None else each.index(frames) for name, each in masks.items()}

    def choose_people(self, numbers: Sequence[int]) -> Motion:
        """The motion of some of the people, counted from 0. Raises InputError for a number that nobody has."""
        wrong = [number for number in numbers if not 0 <= number < len(self.people)]
        if wrong or not numbers:
            raise InputError(
                f"The motion has {len(self.people)} people, counted from 0; there is no "
                f"{', '.join(map(str, wrong)) or 'choice among them'}. Choose from 0 to {len(self.people) - 1}."
            )
        seen = self.seen
        if seen is not None:
            known = [number for number in numbers if number < seen.people]
            seen = seen.choose(numbers) if len(known) == len(numbers) else None
        return replace(self, people=tuple(self.people[number] for number in numbers), seen=seen)

    def with_person(self, person: Person) -> Motion:
        """The same camera and frame rate with another first person."""
        return replace(self, people=(person, *self.people[1:]))
