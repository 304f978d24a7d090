"""From a clip to the motion of several people: each is followed and fitted by themselves, in front of one camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..errors import InputError
from ..geometry.camera import Camera
from ..media.clip import Clip, Masks, join_masks
from ..media.cuts import find_cuts
from ..media.fitting import fit_layer
from ..media.letterbox import crop_layer, find_picture
from ..progress import Progress, scale_progress, silent
from .backwards import extend_backwards
from .blazepose import BlazePose
from .close_look import CloseLook
from .estimate import (
    FIT_SHARE,
    Estimate,
    check_guides,
    draw_guided,
    draw_masks,
    fit_poses,
    list_assumptions,
    list_gaps,
    name_cuts,
)
from .fit import fit_motion
from .follow import count_found, describe_nobody, describe_switches
from .landmarks import Landmarks
from .letterbox import move_boxes, pad_estimate
from .others import SeenPerson, describe_others, find_others
from .people import MOST_FOLLOWED, Scale, track_people
from .second_look import drop_phantoms
from .shots import join_shots
from .tracklets import join_crossings
from .tracks import PersonTrack, choose_track


LEAST_PRESENCE = 0.25  # of the presence of who is seen most: people who are seen less are not among "all"


def estimate_people(
    clip: Clip,
    *,
    numbers: Sequence[int] | None = None,
    count: int = 0,
    boxes: Sequence[Sequence] | None = None,
    person_masks: Sequence[Masks] | None = None,
    smoothing: float = 1.0,
    focal: float = 0.0,
    fingers: bool = True,
    with_others: bool = False,
    networks: BlazePose | None = None,
    progress: Progress = silent,
) -> Estimate:
    """Estimate the motion of several people, each as `estimate_motion` does it.

    Who: `numbers` count as its `person`; `count` takes so many from the first on; without both it is everybody who is
    seen at least LEAST_PRESENCE as long and large as the first, at most MOST_FOLLOWED people. Or `boxes` or
    `person_masks` as there, one of them for each person. Fewer people than are asked for are an InputError. Nobody at
    all is none, see `is_found`.
    """
    guides = [(each, None) for each in boxes or ()] + [(None, each) for each in person_masks or ()]
    for box, mask in guides:
        check_guides(clip, box, mask, smoothing, focal)
    settings = {"smoothing": smoothing, "focal": focal, "fingers": fingers, "networks": networks, "progress": progress}
    settings["with_others"] = with_others
    picture = find_picture(clip, lambda: progress(0, len(clip)))
    if picture is None:
        return _estimate_shown(clip, numbers, count, guides, **settings)
    fitted = [(move_boxes(box, picture), fit_layer(mask, clip, "person mask")[0]) for box, mask in guides]
    cropped = [(box, None if mask is None else crop_layer(mask, picture)) for box, mask in fitted]
    found = _estimate_shown(crop_layer(clip, picture), numbers, count, cropped, **settings)
    return pad_estimate(found, picture, clip, progress)


def _estimate_shown(
    clip: Clip,
    numbers: Sequence[int] | None,
    count: int,
    guides: list[tuple[Sequence | None, Masks | None]],
    *,
    smoothing: float,
    focal: float,
    fingers: bool,
    networks: BlazePose | None,
    progress: Progress,
    with_others: bool = False,
) -> Estimate:
    """The same of a clip without bars, by guides of its size."""
    cuts = find_cuts(clip, lambda: progress(0, len(clip)))
    people, chosen, notes, look = (), guides, [], progress
    if not guides:
        look = scale_progress(progress, 1, 2)
        tick = _count_calls(scale_progress(progress, 0, 2), len(clip))
        people, chosen, notes = _find_everybody(clip, numbers, count, cuts, networks, tick)
    if not chosen:
        progress(len(clip), len(clip))
        return _make_nobody(clip, notes, focal)
    parts = [
        _estimate_one(clip, who, cuts, smoothing, focal, fingers, networks, scale_progress(look, number, len(chosen)))
        for number, who in enumerate(chosen)
    ]
    notes += [name_cuts(cuts)] if cuts else []
    found = _join_parts(parts, notes, focal, people)
    if not with_others or guides:
        return found
    seen = [
        SeenPerson([who.poses.get(frame) for frame in range(len(clip))], part.masks)
        for who, part in zip(chosen, parts, strict=True)
    ]
    waiting = _count_calls(lambda done, total: progress(total, total), len(clip))
    others = find_others(clip, people, seen, cuts=cuts, networks=networks, tick=waiting)
    if others is None:
        return found
    motion = replace(found.motion, others=others.layer)
    return replace(found, motion=motion, notes=(*found.notes, describe_others(others.most)))


def _make_nobody(clip: Clip, notes: list[str], focal: float) -> Estimate:
    """The estimate of a clip in which nobody was found."""
    landmarks = Landmarks.from_poses([None] * len(clip))
    motion = fit_motion(landmarks, Camera.for_size(clip.width, clip.height, focal), fps=float(clip.fps))
    return Estimate(motion, Masks.constant(0, len(clip), clip.height, clip.width), landmarks, tuple(notes))


def _join_parts(parts: list[Estimate], notes: list[str], focal: float, people: tuple[PersonTrack, ...]) -> Estimate:
    """The estimate of all people from that of each."""
    motion = replace(parts[0].motion, people=tuple(part.motion.person for part in parts))
    assumptions = list_assumptions(motion, focal)
    masks_each = tuple(part.masks for part in parts)
    found = [part for part in parts if part.is_found]
    notes = [
        *assumptions,
        *notes,
        *(f"Person {number}: {note}" for number, part in enumerate(parts) for note in part.notes),
    ]
    if not found:
        notes = [describe_nobody(motion.frames)]
    landmarks = (found or parts)[0].landmarks
    return Estimate(motion, join_masks(masks_each), landmarks, tuple(notes), assumptions, people, masks_each)


def _estimate_one(
    clip: Clip,
    who: PersonTrack | tuple[Sequence | None, Masks | None],
    cuts: set[int],
    smoothing: float,
    focal: float,
    fingers: bool,
    networks: BlazePose | None,
    progress: Progress,
) -> Estimate:
    """The motion of one of several: of a track, or of boxes or a mask. Its notes are about this person alone."""
    frames = len(clip)
    total = frames + max(1, int(FIT_SHARE * frames))
    notice = lambda: progress(len(close.mirrored), total)  # noqa: E731
    close = CloseLook(fingers=fingers, networks=networks, cuts=cuts, ask=notice)
    notes, mask, poses = [], None, []
    if isinstance(who, PersonTrack):
        poses = [who.poses.get(frame) for frame in range(frames)]
        drawn = draw_masks(clip, poses, close, networks, lambda frame: progress(frame + 1, total))
    else:
        boxes, mask = who
        mask, resized = fit_layer(mask, clip, "person mask")
        notes += [resized] if resized else []
        drawn = draw_guided(clip, boxes, mask, poses, close, networks, lambda frame: progress(frame + 1, total))
    stored = Masks.from_frames(drawn)

    def fit(done: int, windows: int, preview=None) -> None:
        progress(frames + (total - frames) * done // windows, total, preview)

    motion, landmarks = fit_poses(clip, poses, mask or stored, close, cuts, smoothing, focal, fit)
    progress(total, total)
    notes += describe_switches(who) if isinstance(who, PersonTrack) else ()
    return Estimate(motion, stored, landmarks, (*notes, *list_gaps(motion.person)))


def _find_everybody(
    clip: Clip,
    numbers: Sequence[int] | None,
    count: int,
    cuts: set[int],
    networks: BlazePose | None,
    tick: Callable[[], None],
) -> tuple[tuple[PersonTrack, ...], list[PersonTrack], list[str]]:
    """Everybody's tracks, those who are meant with all their shots, and what is to be said about the others."""
    tracks, doubted = _track_believed(clip, "coarse", cuts, networks, tick)
    people = join_shots(tracks, cuts)
    if len(people) <= max(numbers or [count - 1, 0]):
        tracks, dropped = _track_believed(clip, "fine", cuts, networks, tick, is_doubtful=bool(doubted))
        people, doubted = join_shots(tracks, cuts), doubted or dropped
    if not people:
        return (), [], [describe_nobody(len(clip), doubted)]
    whole = join_shots(join_crossings(tracks, cuts, float(clip.fps)), cuts)
    if numbers is not None:
        missing = [number for number in numbers if choose_track(people, number) is None]
        if missing:
            raise InputError(
                f"There is no person {missing[0]}: {count_found(len(people))}. People are counted from 0, who is seen "
                "longest and largest first."
            )
        chosen = list(dict.fromkeys(_find_whole(whole, people[number]) for number in numbers))
    elif count > len(whole):
        raise InputError(
            f"{count} people are asked for, but {count_found(len(whole))}. Ask for fewer, or crop the clip closer to "
            "them."
        )
    else:
        chosen = [each for each in whole if count or each.presence >= LEAST_PRESENCE * whole[0].presence]
        chosen = chosen[: count or MOST_FOLLOWED]
    chosen = [extend_backwards(clip, track, whole, cuts, networks=networks, tick=tick) for track in chosen]
    left = len(whole) - len(chosen)
    notes = [f"{len(people)} people were found; {len(chosen)} are followed."] if len(people) > 1 else []
    if left:
        reason = f"as many as {count} were asked for" if count else "they are seen for a shorter time, or smaller"
        notes.append(f"{left} of them stay as they are: {reason}.")
    return tuple(people), chosen, notes


def _track_believed(
    clip: Clip,
    scale: Scale,
    cuts: set[int],
    networks: BlazePose | None,
    tick: Callable[[], None],
    *,
    is_doubtful: bool = False,
) -> tuple[list[PersonTrack], list[PersonTrack]]:
    """Everybody's tracks without those that may be among "all" but are nobody, and those."""
    tracks = track_people(clip, cuts=cuts, scale=scale, networks=networks, tick=tick)
    likely = [track for track in tracks if track.presence >= LEAST_PRESENCE * tracks[0].presence]
    doubts = {"is_doubtful": is_doubtful, "networks": networks, "tick": tick}
    _, phantoms = drop_phantoms(clip, likely, len(likely), **doubts)
    return [track for track in tracks if track not in phantoms], phantoms


def _find_whole(whole: Sequence[PersonTrack], part: PersonTrack) -> PersonTrack:
    """The whole track of the person of whom a part is known."""
    shared = [sum(each.poses.get(frame) is pose for frame, pose in part.poses.items()) for each in whole]
    return whole[shared.index(max(shared))]


def _count_calls(progress: Progress, frames: int) -> Callable[[], None]:
    """A function that counts its calls as progress: so many as there are frames are half of the work, and all that
    follow, while somebody is looked for again, take smaller and smaller parts of the rest."""
    calls = 0

    def tick() -> None:
        nonlocal calls
        calls += 1
        again = max(0, calls - frames)
        progress(min(calls, frames) + frames * again // (frames + again), 2 * frames)

    return tick
