"""The frames of a shot that are taken apart, collected in temporary files until they are a scene."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..geometry.box import Box
from ..media.clip import Clip, Masks
from ..media.letterbox import crop_layer, pad_masks
from ..media.store import FrameStore
from .carried_shapes import WHOLE_SHARE, CarriedShapes
from .fill_plate import FilledPatch
from .first_guess import WorkingClip
from .overrides import Overrides
from .scene import Scene
from .scene_statistics import SceneStatistics


@dataclass(frozen=True, eq=False)
class FinishedFrame:
    """A frame taken apart. Without a `patch` nobody is removed, but something may pass in front."""

    frame: int
    box: Box | None = None  # of the layers
    occluder: np.ndarray | None = None  # (h, w) uint8
    person: np.ndarray | None = None  # (h, w) uint8
    patch: FilledPatch | None = None
    reach: float = 0.0  # pixels of the hole beyond the person


class _PatchStore:
    """Parts of frames, one per frame, in a temporary file."""

    def __init__(self):
        self.store, self.boxes = FrameStore(), []

    def append(self, box: Box | None, pixels: np.ndarray | None) -> None:
        self.boxes.append(box)
        self.store.append(np.zeros((1, 1), np.uint8) if pixels is None else pixels)

    def paste(self, index: int, picture: np.ndarray) -> np.ndarray:
        """`picture` with the part of a frame in its place, changed in place."""
        if self.boxes[index] is not None:
            self.boxes[index].cut(picture)[:] = self.store[index]
        return picture


@dataclass
class SeparatedClip:
    """The finished frames, in temporary files."""

    clip: Clip
    picture: Box  # of each frame, between the bars that a film may have
    overrides: Overrides  # of the size of the clip
    patches: _PatchStore = field(default_factory=_PatchStore)
    people: _PatchStore = field(default_factory=_PatchStore)
    occluders: _PatchStore = field(default_factory=_PatchStore)
    statistics: SceneStatistics = field(default_factory=SceneStatistics)
    lost_held: bool = False  # what is held was to be kept, but could not be told from the person
    carried: CarriedShapes | None = None  # how what is carried is seen, if it was to be kept
    is_diffuse: bool = False  # some background was too little seen to be painted

    def add(self, one: FinishedFrame) -> None:
        """Take in the next frame. One without a person stays as it is; what passes in front may hide all of them."""
        box, patch = self._place(one.box), one.patch
        self.occluders.append(box, one.occluder)
        if patch is None:
            self.patches.append(None, None)
            self.people.append(None, None)
            self.statistics.count_nobody(one.frame)
            return
        self.patches.append(self._place(patch.box), patch.pixels)
        self.people.append(box, one.person)
        self.statistics.count(one.frame, patch, one.person, one.occluder, one.reach)

    def _place(self, box: Box | None) -> Box | None:
        """A box of the picture in pixels of the clip."""
        return box and Box(*(side + corner for side, corner in zip(box, self.picture[:2] * 2, strict=True)))

    @property
    def has_bars(self) -> bool:
        return self.picture != (0, 0, self.clip.width, self.clip.height)

    def pad(self, masks: Masks, value: int = 0) -> Masks:
        """Masks of the picture, or their part in it, with `value` on the bars."""
        clip, picture = self.clip, self.picture
        if not self.has_bars:
            return masks
        if (masks.width, masks.height) == (clip.width, clip.height):
            masks = crop_layer(masks, picture)
        return pad_masks(masks, picture, clip.height, clip.width, value)

    def scene(self, working: WorkingClip) -> Scene:
        """The layers of the clip. Bars are in front of everybody, so nothing is drawn on them."""
        clip, overrides = self.clip, self.overrides
        empty = Masks.constant(0, len(clip), clip.height, clip.width)
        blank = empty[0]
        person = overrides.person or empty.derive(lambda index: self.people.paste(index, blank.copy()))
        occluder = overrides.occluder or empty.derive(lambda index: self.occluders.paste(index, blank.copy()))
        return Scene(
            source=clip,
            plate=clip.derive(lambda index: self.patches.paste(index, clip[index])),
            person=self.pad(person),
            occluder=self.pad(occluder, 255),
            report=self.statistics.report(working.path, (*overrides.notes, *self._notes(working))),
        )

    def _notes(self, working: WorkingClip) -> list[str]:
        bars = "The picture lies between black bars, on which nothing is drawn."
        notes = [bars] * self.has_bars
        notes += [
            f"The shot is cut at frame {frame}: what lies behind the person is taken from each side alone."
            for frame in working.cuts
        ]
        if self.carried is not None:
            notes.append(self._describe_carried(self.carried))
        elif self.lost_held:
            notes.append(
                "What the person holds could not be told from them in many frames and is removed with them. "
                "In ComfyUI an occluder mask keeps it in front."
            )
        if self.is_diffuse:
            notes.append(
                "Hardly anything of the scene was seen in any frame: behind the person it is filled with a soft color. "
                "In ComfyUI a plate of yours says what is there."
            )
        return notes

    def _describe_carried(self, shapes: CarriedShapes) -> str:
        if shapes.is_whole:
            return (
                f"What the person carries is seen whole in {shapes.whole_share:.0%} of the frames and stays in front. "
                "Set held_things to remove to take it away with them."
            )
        return (
            f"What the person carries is seen whole in {shapes.whole_share:.0%} of the frames, too few to stay "
            f"({WHOLE_SHARE:.0%}), and is removed with them. In ComfyUI an occluder mask keeps it in front."
        )
