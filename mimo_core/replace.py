"""The main job: a character does a motion in a scene."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from .compositing.composite import ClipPart, composite, learn_tone, trace_ground_level
from .errors import InputError
from .identity.encode import encode_identity
from .identity.identity import Identity
from .media.clip import Clip
from .motion.motion import Motion
from .motion.retarget import retarget_motion
from .pose.estimate import Estimate, estimate_motion
from .progress import Progress, silent
from .proxy.light import estimate_scene_light
from .proxy.proxy import Proxy
from .scene.scene import Scene
from .scene.separate import separate_scene
from .stopwatch import Stopwatch


@dataclass(frozen=True, eq=False)
class Job:
    """A job that is ready to be drawn."""

    drawn: Iterator[tuple[np.ndarray, np.ndarray]]
    """Frames (H, W, 3) uint8, each with the character's coverage (H, W) uint8, hidden or not; computed when read."""
    scene: Scene
    motion: Motion
    identity: Identity
    notes: tuple[str, ...]  # what was assumed or had to be left out


class Decoder(Protocol):
    """What draws a character."""

    def draw(
        self, identity: Identity, motion: Motion, scene: Scene, *, color_match: str, watch: Stopwatch
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Finished frames (H, W, 3) uint8 in the scene, each with the character's coverage (H, W) uint8."""


class ProxyDecoder:
    """Draws the picture on the fitted body, without any network, and composes the layers."""

    def draw(
        self, identity: Identity, motion: Motion, scene: Scene, *, color_match: str, watch: Stopwatch
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        with watch.stage("character"):
            render = self._bake(identity, motion, scene)
        images, masks, shown = _unzip_pairs(watch.iterate("character", render(range(motion.frames))))
        frames = composite(scene, images, masks, color_match=color_match)
        return zip(watch.iterate("composite", frames), shown, strict=False)

    def draw_part(
        self, identity: Identity, motion: Motion, scene: Scene, frames: range, *, color_match: str, watch: Stopwatch
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What `draw` gives for some neighbouring frames, equal to the bit. Some more are rendered to learn it."""
        with watch.stage("character"):
            render = self._bake(identity, motion, scene)
            tone = learn_tone(scene, render(range(motion.frames)), color_match)
            level = trace_ground_level(lambda before: (mask for _, mask in render(before)), frames.start, scene.height)
        images, masks, shown = _unzip_pairs(watch.iterate("character", render(frames)))
        part = ClipPart(frames.start, tone, level)
        composed = composite(scene, images, masks, color_match=color_match, part=part)
        return zip(watch.iterate("composite", composed), shown, strict=False)

    def _bake(self, identity: Identity, motion: Motion, scene: Scene) -> Callable[[range], Iterator[tuple]]:
        """A function that renders some frames of the character: images (H, W, 3) and coverage (H, W)."""
        proxy = Proxy.from_identity(identity)
        light = estimate_scene_light(scene, motion)
        motion = retarget_motion(motion, identity)
        return lambda frames: proxy.render(motion, size=(scene.width, scene.height), light=light, frames=frames)


def ignore_stages(stage: str) -> Progress:
    """Report no stage."""
    return silent


def replace_character(
    clip: Clip,
    character: np.ndarray,
    *,
    scene: Scene | None = None,
    person: int = 0,
    at: tuple[int, float, float] | None = None,
    decoder: Decoder | None = None,
    color_match: str = "mean",
    progress_of: Callable[[str], Progress] = ignore_stages,
    watch: Stopwatch | None = None,
) -> Job:
    """Put the character of a picture (H, W, 3 or 4) into the place of a person in a clip.

    The character does what that person does, in the clip's own scene or in `scene`, drawn by `decoder`, else the proxy.
    Raises InputError if nobody is found. Estimation and separation run at once; drawing runs while `drawn` is read.
    """
    watch = watch or Stopwatch()
    with watch.stage("identity"):
        identity = encode_identity(character)
    found, scene = prepare_replacement(clip, scene=scene, person=person, at=at, progress_of=progress_of, watch=watch)
    decoder = decoder or ProxyDecoder()
    drawn = decoder.draw(identity, found.motion, scene, color_match=color_match, watch=watch)
    return Job(drawn, scene, found.motion, identity, (*identity.notes, *found.notes))


def prepare_replacement(
    clip: Clip,
    *,
    scene: Scene | None = None,
    person: int = 0,
    at: tuple[int, float, float] | None = None,
    progress_of: Callable[[str], Progress] = ignore_stages,
    watch: Stopwatch | None = None,
) -> tuple[Estimate, Scene]:
    """What a person does in a clip, and the clip's own scene unless one is given. InputError without a person."""
    watch = watch or Stopwatch()
    with watch.stage("pose"):
        found = find_person(clip, person=person, at=at, progress=progress_of("pose"))
        found = replace(found, people=())  # 1.5 kB a frame and person, which nobody asks for again
    if scene is None:
        with watch.stage("scene"):
            scene = separate_scene(clip, motion=found.motion, coarse=found.masks, progress=progress_of("scene"))
    return found, scene


def animate_character(
    character: np.ndarray,
    motion: Motion,
    scene: Scene,
    *,
    decoder: Decoder | None = None,
    color_match: str = "none",
    watch: Stopwatch | None = None,
) -> Job:
    """Let the character of a picture (H, W, 3 or 4) do a motion in a scene. Drawing runs while `drawn` is read."""
    watch = watch or Stopwatch()
    with watch.stage("identity"):
        identity = encode_identity(character)
    decoder = decoder or ProxyDecoder()
    drawn = decoder.draw(identity, motion, scene, color_match=color_match, watch=watch)
    return Job(drawn, scene, motion, identity, identity.notes)


def find_person(clip: Clip, *, person: int = 0, progress: Progress = silent, **options) -> Estimate:
    """`estimate` a motion (F frames). Raises InputError if nobody is seen in the whole clip."""
    found = estimate_motion(clip, person=person, progress=progress, **options)
    if found.is_found:
        return found
    is_free = options.get("boxes") is options.get("person_mask") is None
    remedies = (
        ["Crop the clip closer to the person"] if is_free else ["Look whether the boxes or the mask fit the clip"]
    )
    remedies += ["give boxes or a mask"] * is_free + [f"set person to {person - 1} or lower"] * (person > 0)
    raise InputError(f"{found.notes[0]} {', or '.join(remedies)}.")


def _unzip_pairs(pairs: Iterator[tuple]) -> tuple[Iterator, Iterator, Iterator]:
    """The first and, twice, the second of every pair, for readers that keep in step.

    `itertools.tee` would keep 57 pairs alive, 200 MB at 1280x720.
    """
    waiting, shown = deque(), deque()

    def first():
        for image, mask in pairs:
            waiting.append(mask)
            shown.append(mask)
            yield image

    def second(masks: deque):
        while masks:
            yield masks.popleft()

    return first(), second(waiting), second(shown)
