"""From a clip or a picture to a motion: BlazePose follows the person, the fit puts the body onto the landmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..geometry.camera import Camera
from ..media.clip import Clip, Masks
from ..media.fitting import fit_layer
from ..motion.intervals import find_intervals
from ..motion.motion import Motion
from ..progress import Progress, silent
from .blazepose import FramePose, find_people, load_blazepose
from .fit import fit_motion
from .landmarks import Landmarks
from .overlay import draw_overlay
from .sides import settle_sides
from .tracking import track_backwards, track_person


__all__ = ["Estimate", "draw_overlay", "estimate_motion", "estimate_picture", "find_people"]

FIT_SHARE = 0.5  # the fit of a frame takes about half as long as finding its landmarks


@dataclass(frozen=True, eq=False)
class Estimate:
    """What was seen of one person in a clip."""

    motion: Motion
    masks: Masks  # the person as BlazePose sees them, soft, at the size of the clip
    landmarks: Landmarks
    notes: tuple[str, ...]  # what was assumed, bridged or not found, as sentences
    assumptions: tuple[str, ...] = ()  # those of the notes that are true of every clip without data of its camera

    @property
    def is_found(self) -> bool:
        """Whether anybody was seen in any frame."""
        return bool(self.landmarks.found.any())


def estimate_motion(
    clip: Clip,
    *,
    person: int = 0,
    boxes: Sequence | None = None,
    person_mask: Masks | None = None,
    smoothing: float = 1.0,
    focal: float = 0.0,
    progress: Progress = silent,
) -> Estimate:
    """Estimate the motion of one person.

    Who: `person` counts from 0, the largest first, or `boxes` (F, 4) as x0, y0, x1, y1 in pixels, or a `person_mask`.
    `focal` is in pixels, 0 assumes one. Frames in which nobody is found are marked invisible; gaps of up to half a
    second are bridged. Memory grows by 2 kB a frame: masks go to a temporary file. Raises InputError for guides that do
    not fit the clip.
    """
    _check_guides(clip, boxes, person_mask, smoothing, focal)
    person_mask, resized = fit_layer(person_mask, clip, "person mask")
    frames = len(clip)
    total = frames + max(1, int(FIT_SHARE * frames))
    poses: list[FramePose | None] = []

    def masks() -> Iterator[np.ndarray]:
        empty = np.zeros((clip.height, clip.width), np.uint8)
        for pose in track_person(clip, person=person, boxes=boxes, person_mask=person_mask):
            poses.append(None if pose is None else pose.drop_mask())
            yield empty if pose is None else pose.warp_mask(clip.width, clip.height)
            progress(len(poses), total)

    stored = Masks.from_frames(masks())
    is_free = boxes is person_mask is None
    if is_free and (earlier := track_backwards(clip, poses, tick=lambda: progress(frames, total))):
        stored = _insert_masks(stored, earlier)
        poses = [earlier.get(frame, pose) for frame, pose in enumerate(poses)]
    landmarks = settle_sides(Landmarks.from_poses(poses), float(clip.fps))
    camera = Camera.for_size(clip.width, clip.height, focal)

    def fit_progress(done: int, windows: int, preview=None):
        progress(frames + (total - frames) * done // windows, total, preview)

    outlines = stored if person_mask is None else person_mask
    motion = fit_motion(
        landmarks, camera, fps=float(clip.fps), masks=outlines, smoothing=smoothing, progress=fit_progress
    )
    progress(total, total)
    assumptions = _list_assumptions(motion, focal)
    notes = _list_notes(clip, motion, person, assumptions, is_free)
    return Estimate(motion, stored, landmarks, (*notes, resized) if resized else notes, assumptions)


def estimate_picture(
    picture: np.ndarray,
    *,
    person: int = 0,
    person_mask: np.ndarray | None = None,
    focal: float = 0.0,
) -> Estimate:
    """The same for one RGB picture (H, W, 3) uint8: a motion of one frame. Nobody found is no error, see `is_found`."""
    masks = None if person_mask is None else Masks.from_array(person_mask[None])
    return estimate_motion(Clip.from_array(picture[None]), person=person, person_mask=masks, focal=focal)


def _insert_masks(masks: Masks, earlier: Mapping[int, FramePose]) -> Masks:
    """Masks of the same clip, those of some poses in their frames."""
    size = masks.width, masks.height
    return masks.derive(lambda frame: earlier[frame].warp_mask(*size) if frame in earlier else masks[frame])


def _check_guides(clip: Clip, boxes: Sequence | None, person_mask: Masks | None, smoothing: float, focal: float):
    if boxes is not None and person_mask is not None:
        raise InputError("Give boxes or a person mask, not both: each says where the person is.")
    if boxes is not None and len(boxes) != len(clip):
        raise InputError(f"The clip has {len(clip)} frames but {len(boxes)} boxes were given. Give one box per frame.")
    if smoothing < 0 or focal < 0:
        raise InputError(f"Smoothing and focal length cannot be negative, got {smoothing:g} and {focal:g}.")


def _list_assumptions(motion: Motion, focal: float) -> tuple[str, ...]:
    assumed = f"Focal length assumed: {motion.camera.focal:.0f} px, 1.2 times the longer side."
    return (*([] if focal else [assumed]), "Distances are those of a person of average size.")


def _list_notes(
    clip: Clip, motion: Motion, person: int, assumptions: tuple[str, ...], is_free: bool
) -> tuple[str, ...]:
    seen = motion.person
    notes = list(assumptions)
    if not seen.visible.any():
        return (f"Nobody was found in {len(clip)} frame{'s' * (len(clip) > 1)} (person {person}).",)
    if is_free and (people := len(load_blazepose().detect_in_tiles(clip[int(seen.visible.int().argmax())]))) > 1:
        notes.append(f"{people} people were found; number {person} is followed, counted from the largest.")
    if missing := find_intervals(~seen.visible):
        notes.append(f"The person is not seen in frames {_format_spans(missing)}.")
    if bridged := find_intervals(seen.bridged):
        notes.append(f"Frames {_format_spans(bridged)} are bridged: the person was lost there for a moment.")
    unseen = (seen.joint_confidence[seen.visible] == 0).float().mean(0) > 0.5
    if unseen.any():
        notes.append(f"{int(unseen.sum())} of 24 joints are never or seldom seen; they follow the prior.")
    return tuple(notes)


def _format_spans(runs: list[tuple[int, int]]) -> str:
    return ", ".join(f"{start}" if stop - start == 1 else f"{start}-{stop - 1}" for start, stop in runs)
