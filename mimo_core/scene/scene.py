"""A shot taken apart: what stays, who moves, what passes in front."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from numpy.typing import NDArray

from ..errors import InputError
from ..media.clip import Clip, Masks, Sound


@dataclass(frozen=True)
class Doubt:
    """A frame that a person should look at, and why."""

    frame: int
    reason: str


@dataclass(frozen=True)
class SceneReport:
    """What the separator saw, filled and doubted. Shares lie between 0 and 1."""

    camera: str = "none"  # none, pan or homography
    seen: float = 1.0  # share of the filled plate pixels that some other frame showed
    filled: float = 0.0  # share that no frame showed and that was painted
    occluder: float = 0.0  # share of the body that something hides, over the clip
    doubts: tuple[Doubt, ...] = field(default=())
    notes: tuple[str, ...] = ()  # what was changed in the layers that were given

    def text(self) -> str:
        """The report as lines for a person."""
        lines = [
            f"Camera: {self.camera}.",
            f"Plate: {self.seen:.0%} of what the person hid was seen in other frames, {self.filled:.0%} was painted.",
            f"Occluders hide {self.occluder:.1%} of the body.",
        ]
        lines += self.notes
        if self.doubts:
            count = len({doubt.frame for doubt in self.doubts})
            lines.append(f"{count} frame{'s' * (count > 1)} in doubt:")
            lines += [f"  {_format_frames(first, last)}: {reason}" for first, last, reason in self._doubt_intervals()]
        else:
            lines.append("No frame in doubt.")
        return "\n".join(lines)

    def _doubt_intervals(self) -> list[tuple[int, int, str]]:
        """Doubts as (first frame, last frame, reason), neighbours with one reason together."""
        intervals: dict[str, list[list[int]]] = {}
        for doubt in self.doubts:
            spans = intervals.setdefault(doubt.reason, [])
            if spans and doubt.frame <= spans[-1][1] + 1:
                spans[-1][1] = doubt.frame
            else:
                spans.append([doubt.frame, doubt.frame])
        return sorted((first, last, reason) for reason, spans in intervals.items() for first, last in spans)


def _format_frames(first: int, last: int) -> str:
    return f"frame {first}" if first == last else f"frames {first} to {last}"


@dataclass(frozen=True, eq=False)
class DrawnCharacter:
    """A character that was drawn into the plate in the place of a person, and its alpha as it is seen there."""

    number: int
    cover: Masks


@dataclass(frozen=True, eq=False)
class ScenePeople:
    """The N people of a shot: who stands before whom, where, and who was drawn already.

    `owner` (H, W) uint8 is the number of the person whose body is at a pixel or nearest to it; None where the scene
    shows none of them. `number` and `whole` are set in the scene of one person: who, and the scene of all.
    """

    ranks: NDArray  # (F, N) int, 0 is nearest to the camera
    owner: Masks | None = None
    drawn: tuple[DrawnCharacter, ...] = ()
    number: int | None = None
    whole: Scene | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """Layers of one shot, all of one size and length. The plate equals the source outside the person.

    A scene made of a still picture has one frame and stands for any length. Of a shot of several people
    `person` and `occluder` are those of all; `people` tells them apart.
    """

    source: Clip
    plate: Clip
    person: Masks
    occluder: Masks  # alpha of what passes in front of the person
    report: SceneReport = field(default_factory=SceneReport)
    is_still: bool = False
    people: ScenePeople | None = None  # of a shot of several

    def __post_init__(self):
        shape = (len(self.source), self.source.height, self.source.width)
        for name in ("plate", "person", "occluder"):
            layer = getattr(self, name)
            found = (len(layer), layer.height, layer.width)
            if found != shape:
                raise InputError(
                    f"The {name} layer is {found[2]}x{found[1]} with {found[0]} frames, "
                    f"the source {shape[2]}x{shape[1]} with {shape[0]}. Give layers of one size and length."
                )

    @property
    def frames(self) -> int:
        return len(self.source)

    @property
    def width(self) -> int:
        return self.source.width

    @property
    def height(self) -> int:
        return self.source.height

    @property
    def fps(self) -> Fraction:
        return self.source.fps

    @property
    def sound(self) -> Sound | None:
        return self.source.sound
