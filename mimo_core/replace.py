"""The main job: a character does a motion in a scene."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from .ahead import read_ahead
from .compositing.composite import (
    FEATHER,
    ClipPart,
    composite,
    compute_coverage,
    count_first,
    learn_tone,
    trace_ground_level,
)
from .errors import InputError
from .identity.encode import encode_identity
from .identity.identity import Identity
from .media.clip import Clip, Masks
from .media.fades import Fade, find_fade
from .media.store import FrameStore
from .motion.motion import Motion
from .pose.blazepose import BlazePose
from .pose.estimate import Estimate, estimate_motion
from .pose.estimate_people import estimate_people
from .progress import Progress, silent, track_progress
from .proxy.bake_ahead import BakeAhead
from .proxy.light import estimate_scene_light
from .proxy.proxy import Proxy
from .scene.back_ends import BackEnds, separate_with
from .scene.depth_order import find_ranks
from .scene.people import add_character, select_person
from .scene.scene import Scene
from .stopwatch import Stopwatch


CROP = "Crop the clip closer to the {}"


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

    def for_person(self, number: int) -> Decoder:
        """The decoder for one of several people."""

    def mark_character(self, identity: Identity, motion: Motion, scene: Scene, masks: Masks) -> Masks:
        """Where the character is, by the coverage that `draw` gave."""


class ProxyDecoder:
    """Draws the picture on the fitted body, without any network, and composes the layers."""

    def __init__(self, ahead: BakeAhead | None = None, *, progress: Progress = silent):
        """`ahead` bakes the characters that will be drawn already; without it they are baked when they are drawn.

        `progress` hears of what comes before the first finished frame: the figure, and the frames that are drawn to
        learn its colors.
        """
        self._ahead, self._progress = ahead, progress
        self._proxies: dict[Identity, Proxy] = {}  # of what was drawn, for other parts of a clip or other people

    def draw(
        self, identity: Identity, motion: Motion, scene: Scene, *, color_match: str, watch: Stopwatch
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        with watch.stage("character"):
            render = self._bake(identity, motion, scene)
        drawn = read_ahead(render(range(motion.frames)))
        drawn = _report_first(drawn, count_first(color_match, motion.frames), self._progress)
        images, masks, shown = _unzip_pairs(watch.iterate("character", drawn))
        frames = composite(scene, images, masks, color_match=color_match)
        return zip(watch.iterate("composite", frames), shown, strict=False)

    def for_person(self, number: int) -> ProxyDecoder:
        """The decoder for one of several people: this one, which bakes each character once."""
        return self

    def mark_character(self, identity: Identity, motion: Motion, scene: Scene, masks: Masks) -> Masks:
        """Where the character is: the coverage that `draw` gave."""
        return masks

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
        if identity not in self._proxies:
            if self._ahead is None:
                self._proxies[identity] = Proxy.from_identity(identity, progress=self._progress)
            else:
                self._proxies[identity] = self._ahead.take(identity, self._ask)
        proxy = self._proxies[identity]
        light = estimate_scene_light(scene, motion, self._ask)
        draw_frame = proxy.follow_motion(motion, size=(scene.width, scene.height), light=light)
        return lambda frames: map(draw_frame, frames)

    def _ask(self) -> None:
        self._progress(0, 1)


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
    held_things: str = "keep",
    networks: BlazePose | None = None,
    back_ends: BackEnds | None = None,
    decoder: Decoder | None = None,
    color_match: str = "mean",
    progress_of: Callable[[str], Progress] = ignore_stages,
    watch: Stopwatch | None = None,
) -> Job:
    """Put the character of a picture (H, W, 3 or 4) into the place of a person in a clip.

    The character does what that person does, in the clip's own scene or in `scene`, drawn by `decoder`, else the proxy.
    `held_things` is keep or remove, see `separate_scene`. `networks` are of `find_estimator`, `back_ends` are of
    `find_back_ends`; left out, what ships does the work.
    Raises InputError if nobody is found. Estimation and separation run at once; drawing runs while `drawn` is read.
    """
    watch = watch or Stopwatch()
    with watch.stage("identity"):
        identity = encode_identity(character, progress=progress_of("identity"))
    with _bake_meanwhile(decoder, [identity], progress_of) as decoder:
        clip, fade = lift_fade(clip, scene)
        found, scene = prepare_replacement(
            clip,
            scene=scene,
            person=person,
            at=at,
            held_things=held_things,
            networks=networks,
            back_ends=back_ends,
            progress_of=progress_of,
            watch=watch,
        )
        drawn = decoder.draw(identity, found.motion, scene, color_match=color_match, watch=watch)
    return Job(_fade_again(drawn, fade), scene, found.motion, identity, (*identity.notes, *found.notes))


@contextmanager
def _bake_meanwhile(
    decoder: Decoder | None, identities: Sequence[Identity], progress_of: Callable[[str], Progress]
) -> Iterator[Decoder]:
    """`decoder`, else a proxy decoder whose characters are baked while the block runs, until it fails."""
    if decoder is not None:
        yield decoder
        return
    ahead = BakeAhead(identities)
    try:
        yield ProxyDecoder(ahead, progress=progress_of("character"))
    except BaseException:
        ahead.stop()
        raise


def lift_fade(clip: Clip, scene: Scene | None) -> tuple[Clip, Fade | None]:
    """The clip without a fade at its ends, and the fade. In another `scene` the character does not fade."""
    fade = find_fade(clip) if scene is None else None
    return (clip, None) if fade is None else (fade.lift(clip), fade)


def _fade_again(
    drawn: Iterator[tuple[np.ndarray, np.ndarray]], fade: Fade | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Finished frames, each with its mask, as dark as the clip was."""
    if fade is None:
        return drawn
    frames, masks, _ = _unzip_pairs(drawn)
    return zip(fade.apply(frames), masks, strict=False)


def prepare_replacement(
    clip: Clip,
    *,
    scene: Scene | None = None,
    person: int = 0,
    at: tuple[int, float, float] | None = None,
    held_things: str = "keep",
    networks: BlazePose | None = None,
    back_ends: BackEnds | None = None,
    progress_of: Callable[[str], Progress] = ignore_stages,
    watch: Stopwatch | None = None,
) -> tuple[Estimate, Scene]:
    """What a person does in a clip, and the clip's own scene unless one is given. InputError without a person.

    A clip that fades is given as `lift_fade` makes it.
    """
    watch = watch or Stopwatch()
    with watch.stage("pose"):
        asked = {"at": at, "networks": networks, "with_others": scene is None}
        found = find_person(clip, person=person, progress=progress_of("pose"), **asked)
    return _separate_found(clip, found, scene, held_things, back_ends, progress_of, watch)


def _separate_found(
    clip: Clip,
    found: Estimate,
    scene: Scene | None,
    held_things: str,
    back_ends: BackEnds | None,
    progress_of: Callable[[str], Progress],
    watch: Stopwatch,
) -> tuple[Estimate, Scene]:
    """What drawing needs of an estimate, and the clip's own scene unless one is given."""
    found = replace(found, people=())  # 1.5 kB a frame and person, which nobody asks for again
    if scene is None:
        with watch.stage("scene"):
            asked = {"motion": found.motion, "coarse": found.masks, "held_things": held_things}
            scene = separate_with(back_ends or BackEnds(), clip, progress=progress_of("scene"), **asked)
    return found, scene


def replace_people(
    clip: Clip,
    characters: Sequence[np.ndarray],
    *,
    scene: Scene | None = None,
    numbers: Sequence[int] | None = None,
    held_things: str = "keep",
    networks: BlazePose | None = None,
    back_ends: BackEnds | None = None,
    decoder: Decoder | None = None,
    color_match: str = "mean",
    progress_of: Callable[[str], Progress] = ignore_stages,
    watch: Stopwatch | None = None,
) -> Job:
    """Put characters into the places of several people of a clip, behind and in front of each other as those are.

    One picture (H, W, 3 or 4) stands for all, or there is one for each. `numbers` say who: people are counted from 0,
    who is seen longest and largest first; without them as many people as there are pictures, or with one picture
    everybody. Who is not replaced stays in the clip. Raises InputError for too few people or pictures.
    """
    if numbers is not None:
        _check_characters(len(numbers), len(characters))
    watch = watch or Stopwatch()
    with watch.stage("identity"):
        identities = [encode_identity(character, progress=progress_of("identity")) for character in characters]
    with _bake_meanwhile(decoder, identities, progress_of) as decoder:
        clip, fade = lift_fade(clip, scene)
        with watch.stage("pose"):
            asked = {"numbers": numbers, "count": len(characters) if len(characters) > 1 else 0, "networks": networks}
            asked["with_others"] = scene is None
            found = find_everybody(clip, progress=progress_of("pose"), **asked)
        found, scene = _separate_found(clip, found, scene, held_things, back_ends, progress_of, watch)
        notes = tuple(note for identity in identities for note in identity.notes)
        drawn = draw_characters(
            decoder, identities, found.motion, scene, color_match=color_match, progress_of=progress_of, watch=watch
        )
    return Job(_fade_again(drawn, fade), scene, found.motion, identities[0], (*notes, *found.notes))


def draw_characters(
    decoder: Decoder,
    identities: Sequence[Identity],
    motion: Motion,
    scene: Scene,
    *,
    color_match: str,
    progress_of: Callable[[str], Progress] = ignore_stages,
    watch: Stopwatch,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Finished frames of all people of a motion, each with where any character is; one pass of the decoder a person.

    Who is further away on the whole is drawn first. All but the last are drawn when the first frame is read, and kept
    in temporary files. Raises InputError unless there is one identity, or one for each person.
    """
    people = len(motion.people)
    _check_characters(people, len(identities))
    if people == 1:
        return decoder.draw(identities[0], motion, scene, color_match=color_match, watch=watch)
    return _draw_in_turn(decoder, identities, motion, scene, color_match, progress_of, watch)


def _check_characters(people: int, characters: int) -> None:
    if characters not in (1, people):
        raise InputError(
            f"There are {people} people to replace but {characters} characters. Give one character for all, or "
            "one for each."
        )


def _draw_in_turn(decoder, identities, motion: Motion, scene: Scene, color_match, progress_of, watch):
    ranks = find_ranks(motion) if scene.people is None else scene.people.ranks
    order, shown = np.argsort(-ranks.mean(0), kind="stable").tolist(), []
    for number in order:
        alone, identity = select_person(scene, motion, number), identities[min(number, len(identities) - 1)]
        person, one = motion.choose_people([number]), decoder.for_person(number)
        drawn = one.draw(identity, person, alone, color_match=color_match, watch=watch)
        if number == order[-1]:
            break
        frames, masks = _store_pairs(track_progress(drawn, motion.frames, progress_of(f"person {number}")))
        masks = one.mark_character(identity, person, alone, masks)
        with watch.stage("composite"):
            cover = Masks.from_frames(compute_coverage(alone, masks, feather=FEATHER))
            scene = add_character(alone, frames, cover)
        shown.append(masks)
    for frame, (picture, mask) in enumerate(drawn):
        yield picture, np.maximum.reduce([mask, *(masks[frame] for masks in shown)])


def _store_pairs(pairs: Iterator[tuple[np.ndarray, np.ndarray]]) -> tuple[Clip, Masks]:
    """Frames and masks of the same number, in temporary files."""
    store = FrameStore()

    def store_masks():
        for frame, mask in pairs:
            store.append(mask)
            yield frame

    clip = Clip.from_frames(store_masks())
    return clip, Masks.constant(0, len(clip), clip.height, clip.width).derive(store.__getitem__)


def animate_people(
    characters: Sequence[np.ndarray],
    motion: Motion,
    scene: Scene,
    *,
    decoder: Decoder | None = None,
    color_match: str = "none",
    progress_of: Callable[[str], Progress] = ignore_stages,
    watch: Stopwatch | None = None,
) -> Job:
    """Let characters do what the people of a motion do, in a scene: one picture for all, or one for each."""
    watch = watch or Stopwatch()
    with watch.stage("identity"):
        identities = [encode_identity(character, progress=progress_of("identity")) for character in characters]
    notes = tuple(note for identity in identities for note in identity.notes)
    drawn = draw_characters(
        decoder or ProxyDecoder(progress=progress_of("character")), identities, motion, scene, color_match=color_match,
        progress_of=progress_of, watch=watch,
    )  # fmt: skip
    return Job(drawn, scene, motion, identities[0], notes)


def animate_character(
    character: np.ndarray,
    motion: Motion,
    scene: Scene,
    *,
    decoder: Decoder | None = None,
    color_match: str = "none",
    progress_of: Callable[[str], Progress] = ignore_stages,
    watch: Stopwatch | None = None,
) -> Job:
    """Let the character of a picture (H, W, 3 or 4) do a motion in a scene. Drawing runs while `drawn` is read."""
    watch = watch or Stopwatch()
    with watch.stage("identity"):
        identity = encode_identity(character, progress=progress_of("identity"))
    decoder = decoder or ProxyDecoder(progress=progress_of("character"))
    drawn = decoder.draw(identity, motion, scene, color_match=color_match, watch=watch)
    return Job(drawn, scene, motion, identity, identity.notes)


def find_person(clip: Clip, *, person: int = 0, progress: Progress = silent, **options) -> Estimate:
    """`estimate` a motion (F frames). Raises InputError if nobody is seen in the whole clip.

    Boxes and masks are a remedy only where they can be given: to who passes `boxes` or `person_mask`, be it None.
    """
    found = estimate_motion(clip, person=person, progress=progress, **options)
    if found.is_found:
        return found
    is_free = options.get("boxes") is options.get("person_mask") is None
    remedies = [CROP.format("person") if is_free else "Look whether the boxes or the mask fit the clip"]
    remedies += ["give boxes or a mask"] * (is_free and "boxes" in options)
    if found.people:
        remedies.append(f"set person to {len(found.people) - 1}" + " or lower" * (len(found.people) > 1))
    raise InputError(f"{found.notes[0]} {', or '.join(remedies)}.")


def find_everybody(
    clip: Clip, *, numbers: Sequence[int] | None = None, progress: Progress = silent, **options
) -> Estimate:
    """`estimate_people`. Raises InputError, as `find_person` does, if none of them is seen in the whole clip."""
    found = estimate_people(clip, numbers=numbers, progress=progress, **options)
    if found.is_found:
        return found
    remedies = [CROP.format("people"), *["give boxes or masks"] * ("boxes" in options)]
    raise InputError(f"{found.notes[0]} {', or '.join(remedies)}.")


def _report_first(items: Iterator, count: int, progress: Progress) -> Iterator:
    """The items; the first `count` are reported as they come."""
    for done, item in enumerate(items, 1):
        if done <= count:
            progress(done, count)
        yield item


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
