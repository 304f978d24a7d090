"""From a clip or a picture to a motion: BlazePose follows the person, the fit puts the body onto the landmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import tee

import numpy as np

from ..body.person import Person
from ..errors import InputError
from ..geometry.camera import Camera
from ..heap import give_back_memory
from ..media.clip import Clip, Masks
from ..media.cuts import find_cuts
from ..media.fitting import fit_layer
from ..media.letterbox import crop_layer, find_picture
from ..motion.intervals import find_intervals, format_spans
from ..motion.motion import Motion
from ..progress import Progress, silent
from .blazepose import BlazePose, FramePose, find_people, load_blazepose
from .close_look import CloseLook
from .feet import correct_toes
from .fingers import add_hands
from .fit import fit_motion
from .follow import (
    count_found,
    describe_nobody,
    describe_reel,
    describe_switches,
    follow_reel,
    follow_somebody,
)
from .landmarks import Landmarks
from .letterbox import move_boxes, move_point, pad_estimate
from .others import SeenPerson, describe_others, find_others
from .overlay import draw_overlay
from .tracking import track_guided
from .tracks import PersonTrack
from .unseen import doubt_faces, doubt_wrists


__all__ = ["Estimate", "draw_overlay", "estimate_motion", "estimate_picture", "find_people"]

FIT_SHARE = 0.5  # the fit of a frame takes about half as long as finding its landmarks


@dataclass(frozen=True, eq=False)
class Estimate:
    """What was seen of one person in a clip, or of several."""

    motion: Motion
    masks: Masks  # everybody who is followed as BlazePose sees them, soft, at the size of the clip
    landmarks: Landmarks  # of several people, those of the first who was found
    notes: tuple[str, ...]  # what was assumed, bridged or not found, as sentences
    assumptions: tuple[str, ...] = ()  # those of the notes that are true of every clip without data of its camera
    people: tuple[PersonTrack, ...] = ()  # everybody who was seen, who is seen most first; none where guides were given
    masks_each: tuple[Masks, ...] = ()  # of each person, where several are followed

    @property
    def is_found(self) -> bool:
        """Whether anybody was seen in any frame."""
        return bool(self.landmarks.found.any())


def estimate_motion(
    clip: Clip,
    *,
    person: int = 0,
    at: tuple[int, float, float] | None = None,
    boxes: Sequence | None = None,
    person_mask: Masks | None = None,
    smoothing: float = 1.0,
    focal: float = 0.0,
    fingers: bool = True,
    with_others: bool = False,
    networks: BlazePose | None = None,
    progress: Progress = silent,
) -> Estimate:
    """Estimate the motion of one person.

    Who: everybody is followed first. `person` counts them from 0, who is seen longest and largest first; `at` is
    (frame, x, y), a point in pixels on the person in one frame; or `boxes` (F, 4) as x0, y0, x1, y1 in pixels, or a
    `person_mask`, say where the person is. `focal` is in pixels, 0 assumes one. Frames in which nobody is found are
    marked invisible; gaps of up to half a second are bridged, but no hard cut. Black bars around the picture of a
    film are left out. With `fingers` the hands are looked at too; fingers that are not seen relax. `with_others` also
    finds who else is near the person, for `Motion.others`, unless guides are given. `networks` are those of
    `find_estimator`, by default what ships. Memory grows by 3 kB a frame and person, and by 5 kB a frame while the body
    is fitted: masks go to a temporary file. Raises InputError for guides that do not fit the clip.
    """
    check_guides(clip, boxes, person_mask, smoothing, focal)
    _check_point(clip, at)
    person_mask, resized = fit_layer(person_mask, clip, "person mask")
    settings = {"smoothing": smoothing, "focal": focal, "fingers": fingers, "networks": networks, "progress": progress}
    settings["with_others"] = with_others
    picture = find_picture(clip, _StageTicker(progress, len(clip)).wait)
    if picture is None:
        found = _estimate_shown(clip, person, at, boxes, person_mask, **settings)
    else:
        guides = None if person_mask is None else crop_layer(person_mask, picture)
        shown, at, boxes = crop_layer(clip, picture), move_point(at, picture), move_boxes(boxes, picture)
        found = pad_estimate(_estimate_shown(shown, person, at, boxes, guides, **settings), picture, clip, progress)
    return replace(found, notes=(*found.notes, resized)) if resized else found


def _estimate_shown(
    clip: Clip,
    person: int,
    at: tuple[int, float, float] | None,
    boxes: Sequence | None,
    person_mask: Masks | None,
    *,
    smoothing: float,
    focal: float,
    fingers: bool,
    networks: BlazePose | None,
    progress: Progress,
    with_others: bool = False,
) -> Estimate:
    """The same of a clip without bars, by guides of its size."""
    frames = len(clip)
    ticker = _StageTicker(progress, frames)
    cuts = find_cuts(clip, ticker.wait)
    people: tuple[PersonTrack, ...] = ()
    doubted: list[PersonTrack] = []
    reel: list[PersonTrack] = []
    chosen = others = None
    close = CloseLook(fingers=fingers, networks=networks, cuts=cuts, ask=ticker.wait)
    if boxes is person_mask is None:
        people, chosen, doubted = follow_somebody(clip, person, at, cuts, networks, ticker.look)
        if person == 0 and at is None:
            chosen, reel = follow_reel(clip, chosen, people, cuts, networks, ticker.wait)
        poses = [chosen.poses.get(frame) for frame in range(frames)]
        stored = Masks.from_frames(draw_masks(clip, poses, close, networks, ticker.draw))
        if with_others:
            seen = [SeenPerson(poses, stored)]
            others = find_others(clip, people, seen, cuts=cuts, networks=networks, tick=ticker.wait)
    else:
        poses = []
        stored = Masks.from_frames(draw_guided(clip, boxes, person_mask, poses, close, networks, ticker.draw))
    masks = stored if person_mask is None else person_mask
    motion, landmarks = fit_poses(clip, poses, masks, close, cuts, smoothing, focal, ticker.fit)
    progress(ticker.total, ticker.total)
    assumptions = list_assumptions(motion, focal)
    notes = _list_notes(clip, motion, person, assumptions, people, cuts, doubted)
    if chosen is not None and len(people) > 1:
        notes = (*notes, *describe_switches(chosen))
    if reel:
        notes = (*notes, describe_reel(reel))
    if others is not None:
        motion = replace(motion, others=others.layer)
        notes = (*notes, describe_others(others.most))
    return Estimate(motion, stored, landmarks, notes, assumptions, people)


def fit_poses(
    clip: Clip,
    poses: Sequence[FramePose | None],
    masks: Masks,
    close: CloseLook,
    cuts: set[int],
    smoothing: float,
    focal: float,
    progress: Progress,
) -> tuple[Motion, Landmarks]:
    """The motion of one person by their poses, masks and a close look, and their landmarks with sides told apart."""
    give_back_memory()  # of the networks
    first, fps = Landmarks.from_poses(poses), float(clip.fps)
    landmarks = correct_toes(close.settle(first, fps), masks, fps, cuts=cuts)
    hands = close.match_hands(first, landmarks)
    landmarks = doubt_faces(landmarks, (clip.width, clip.height))
    landmarks = doubt_wrists(landmarks, hands, fps) if hands else landmarks
    camera = Camera.for_size(clip.width, clip.height, focal)
    motion = fit_motion(landmarks, camera, fps=fps, masks=masks, cuts=cuts, smoothing=smoothing, progress=progress)
    if hands and landmarks.found.any():
        motion = add_hands(motion, hands)
    return motion, landmarks


class _StageTicker:
    """Progress over two looks at F frames and the fit. Who is looked for again takes a part of the second look's."""

    def __init__(self, progress: Progress, frames: int):
        self.progress, self.frames, self.done = progress, frames, 0
        self.looks = self.drawn_from = 0
        self.total = 2 * frames + max(1, int(FIT_SHARE * frames))

    def wait(self) -> None:
        """Nothing is done yet, but a job can be stopped."""
        self.progress(self.done, self.total)

    def look(self) -> None:
        self.looks += 1
        again = max(0, self.looks - self.frames)
        self.done = min(self.looks, self.frames) + self.frames * again // (2 * (self.frames + again))
        self.progress(self.done, self.total)

    def draw(self, frame: int) -> None:
        self.drawn_from = self.done if frame == 0 else self.drawn_from
        self.done = self.drawn_from + (2 * self.frames - self.drawn_from) * (frame + 1) // self.frames
        self.progress(self.done, self.total)

    def fit(self, done: int, windows: int, preview=None) -> None:
        start = 2 * self.frames
        self.progress(start + (self.total - start) * done // windows, self.total, preview)


def draw_masks(
    clip: Clip,
    poses: list[FramePose | None],
    close: CloseLook,
    networks: BlazePose | None,
    tick: Callable[[int], None],
) -> Iterator[np.ndarray]:
    """Masks (H, W) of poses. Where one was not stored, the network looks once more. Adds every frame to `close`, whose
    better poses take the place of those given."""
    networks = networks or load_blazepose()
    empty = np.zeros((clip.height, clip.width), np.uint8)
    for number, (frame, pose) in enumerate(zip(clip, poses, strict=True)):
        seen = None if pose is None else _with_mask(networks, frame, pose)
        kept = close.add(frame, seen)
        if kept is not seen:
            poses[number] = kept.drop_mask()
        yield empty if kept is None else kept.warp_mask(clip.width, clip.height)
        tick(number)


def _with_mask(networks: BlazePose, frame: np.ndarray, pose: FramePose) -> FramePose:
    mask = pose.read_mask()
    return replace(pose, mask=networks.find_mask(frame, pose.region) if mask is None else mask, stored=None)


def draw_guided(
    clip: Clip,
    boxes: Sequence | None,
    person_mask: Masks | None,
    poses: list,
    close: CloseLook | None,
    networks: BlazePose | None,
    tick: Callable[[int], None],
) -> Iterator[np.ndarray]:
    """Masks (H, W) of the person in boxes or masks; adds their poses to `poses`, frames to `close` if given."""
    empty = np.zeros((clip.height, clip.width), np.uint8)
    followed, shown = tee(clip)
    tracked = track_guided(followed, boxes=boxes, person_mask=person_mask, networks=networks)
    for number, (pose, frame) in enumerate(zip(tracked, shown, strict=True)):
        if close is not None:
            pose = close.add(frame, pose)
        poses.append(None if pose is None else pose.drop_mask())
        yield empty if pose is None else pose.warp_mask(clip.width, clip.height)
        tick(number)


def estimate_picture(
    picture: np.ndarray,
    *,
    person: int = 0,
    person_mask: np.ndarray | None = None,
    focal: float = 0.0,
    progress: Progress = silent,
) -> Estimate:
    """The same for one RGB picture (H, W, 3) uint8: a motion of one frame, fingers at rest.

    Nobody found is no error, see `is_found`.
    """
    masks = None if person_mask is None else Masks.from_array(person_mask[None])
    shown = Clip.from_array(picture[None])
    check_guides(shown, None, masks, 1.0, focal)
    masks, _ = fit_layer(masks, shown, "person mask")
    settings = {"smoothing": 1.0, "focal": focal, "fingers": False, "networks": None, "progress": progress}
    return _estimate_shown(shown, person, None, None, masks, **settings)


def check_guides(clip: Clip, boxes: Sequence | None, person_mask: Masks | None, smoothing: float, focal: float):
    """Raise InputError for guides of one person that exclude each other or do not fit the clip."""
    if boxes is not None and person_mask is not None:
        raise InputError("Give boxes or a person mask, not both: each says where the person is.")
    if boxes is not None and len(boxes) != len(clip):
        raise InputError(f"The clip has {len(clip)} frames but {len(boxes)} boxes were given. Give one box per frame.")
    if smoothing < 0 or focal < 0:
        raise InputError(f"Smoothing and focal length cannot be negative, got {smoothing:g} and {focal:g}.")


def list_assumptions(motion: Motion, focal: float) -> tuple[str, ...]:
    """What is assumed of every clip without data of its camera, as sentences."""
    assumed = f"Focal length assumed: {motion.camera.focal:.0f} px, 1.2 times the longer side."
    return (*([] if focal else [assumed]), "Distances are those of a person of average size.")


def _check_point(clip: Clip, at: tuple[int, float, float] | None):
    if at is None:
        return
    frame, x, y = at
    if not (0 <= frame < len(clip) and 0 <= x <= clip.width and 0 <= y <= clip.height):
        raise InputError(
            f"The point ({x:g}, {y:g}) in frame {frame} is not in the clip, which has {len(clip)} frames of "
            f"{clip.width}x{clip.height}. Give frame, x and y in pixels of the clip, counted from 0."
        )


def _list_notes(
    clip: Clip,
    motion: Motion,
    person: int,
    assumptions: tuple[str, ...],
    people: Sequence[PersonTrack],
    cuts: set[int],
    doubted: Sequence[PersonTrack],
) -> tuple[str, ...]:
    seen = motion.person
    notes = list(assumptions)
    if not seen.visible.any():
        if people:
            return (f"There is no person {person}: {count_found(len(people))}, and they are counted from 0.",)
        return (describe_nobody(len(clip), doubted),)
    if len(people) > 1:
        notes.append(f"{len(people)} people were found; number {person} is followed, counted from who is seen most.")
    if cuts:
        notes.append(name_cuts(cuts))
    return (*notes, *list_gaps(seen))


def name_cuts(cuts: set[int]) -> str:
    """Where a clip is cut, as a sentence."""
    return f"The clip is cut before frame {', '.join(str(cut) for cut in sorted(cuts))}."


def list_gaps(seen: Person) -> tuple[str, ...]:
    """What is not known about a person, as sentences."""
    notes = []
    if missing := find_intervals(~seen.visible):
        notes.append(f"The person is not seen in frames {format_spans(missing)}.")
    if bridged := find_intervals(seen.bridged):
        notes.append(f"Frames {format_spans(bridged)} are bridged: the person was lost there for a moment.")
    unseen = (seen.joint_confidence[seen.visible] == 0).float().mean(0) > 0.5
    if unseen.any():
        notes.append(f"{int(unseen.sum())} of 24 joints are never or seldom seen; they follow the prior.")
    return tuple(notes)
