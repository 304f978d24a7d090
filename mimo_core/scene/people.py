"""A shot of several people: the scene as each of them needs it, one character drawn after the other.

A character is drawn in the scene of its own person: their mask, what passes in front of them, and a plate without
anybody, into which the characters drawn before are painted. Those that stand in front count as what passes in front,
so every decoder and the compositor work as for a single person.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..media.clip import Clip, Masks
from ..motion.motion import Motion
from .depth_order import find_ranks
from .scene import DrawnCharacter, Scene, ScenePeople


def select_person(scene: Scene, motion: Motion, number: int) -> Scene:
    """The scene in which one person of a motion of several is drawn. Layers are made when they are read.

    Characters that were drawn before (`add_character`) and stand in front of the person count as what passes in front.
    What passes in front of somebody further away is not in front of this person. A scene that shows nobody, such as a
    picture, is ordered by the motion's distances. Raises InputError for a number that nobody has, a scene of one person
    already, and for people or lengths that differ.
    """
    motion.choose_people([number])
    people = scene.people or ScenePeople(find_ranks(motion))
    if people.number is not None:
        raise InputError(
            f"This scene is that of person {people.number} alone. Give the scene of all people: that of the separator, "
            "or that of the compositor after it drew somebody."
        )
    if people.ranks.shape != (motion.frames, len(motion.people)):
        frames, count = people.ranks.shape
        raise InputError(
            f"The scene is of {count} people over {frames} frames, the motion of {len(motion.people)} over "
            f"{motion.frames}. Give the motion that the scene was separated with."
        )
    selected = replace(people, number=number, whole=replace(scene, people=people))
    layers = _PersonLayers(scene, selected)
    source, person, occluder = scene.source, scene.person, scene.occluder
    if people.owner is not None:
        person = person.derive(layers.person)
    if people.owner is not None or people.drawn:
        occluder = occluder.derive(layers.occluder)
    if people.drawn:
        source = source.derive(layers.source)
    return replace(scene, source=source, person=person, occluder=occluder, people=selected)


def add_character(scene: Scene, frames: Clip, cover: Masks, *, first: int = 0) -> Scene:
    """The scene of all people after a character was drawn in the scene of one (`select_person`).

    `frames` are finished frames from frame `first` of the scene on, `cover` the alpha with which the character is seen
    in them. In a scene of no people, or of all, the character goes into the plate behind everybody who comes after.
    """
    whole = scene if scene.people is None else scene.people.whole or scene
    length = first + len(frames) if whole.is_still else whole.frames
    source, plate, person, occluder = (
        _extend(layer, whole, length) for layer in (whole.source, whole.plate, whole.person, whole.occluder)
    )
    if first or len(frames) < length:
        stop, ground, blank = first + len(frames), plate, np.zeros((whole.height, whole.width), np.uint8)
        covered, drawn = cover, frames
        frames = plate.derive(lambda at: drawn[at - first] if first <= at < stop else ground[at])
        cover = person.derive(lambda at: covered[at - first] if first <= at < stop else blank.copy())
    plate = replace(plate, source=frames.source)
    if whole.people is None:
        nobody = Masks.constant(0, length, whole.height, whole.width)
        return replace(whole, source=plate, plate=plate, person=nobody, occluder=occluder, is_still=False)
    people = whole.people
    if scene.people.number is not None:
        people = replace(people, drawn=(*people.drawn, DrawnCharacter(scene.people.number, cover)))
    return replace(whole, source=source, plate=plate, person=person, occluder=occluder, people=people, is_still=False)


def _extend(layer: Clip | Masks, scene: Scene, length: int) -> Clip | Masks:
    """A layer of a still scene for all frames of a job."""
    if not scene.is_still:
        return layer
    picture = layer[0]
    if isinstance(layer, Clip):
        return Clip.still(picture, length, layer.fps)
    return Masks.constant(0, length, scene.height, scene.width).derive(lambda at: picture.copy())


class _PersonLayers:
    """The layers of one person's scene, frame by frame."""

    def __init__(self, scene: Scene, people: ScenePeople):
        self.scene, self.people, self.number = scene, people, people.number

    def person(self, frame: int) -> NDArray:
        """What is seen of this person, (H, W) uint8."""
        return np.where(self.people.owner[frame] == self.number, self.scene.person[frame], 0).astype(np.uint8)

    def occluder(self, frame: int) -> NDArray:
        """What passes in front of this person, (H, W) uint8: things, and characters that were drawn before."""
        occluder = self.scene.occluder[frame]
        if self.people.owner is not None:
            ranks = self.people.ranks[frame]
            before = ranks[self.people.owner[frame].clip(0, len(ranks) - 1)] <= ranks[self.number]
            occluder = np.where(before, occluder, 0).astype(np.uint8)
        front = self._front(frame)
        return occluder if front is None else np.maximum(occluder, front)

    def source(self, frame: int) -> NDArray:
        """The shot, with the characters that stand in front of this person in it, (H, W, 3) uint8."""
        picture, front = self.scene.source[frame], self._front(frame)
        return picture if front is None else np.where(front[..., None] > 0, self.scene.plate[frame], picture)

    def _front(self, frame: int) -> NDArray | None:
        """The alpha (H, W) uint8 of drawn characters in front of this person; None where there are none."""
        ranks = self.people.ranks[frame]
        covers = [each.cover[frame] for each in self.people.drawn if ranks[each.number] < ranks[self.number]]
        return np.maximum.reduce(covers) if covers else None
