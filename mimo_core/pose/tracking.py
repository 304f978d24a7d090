"""Following one person through the frames of a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat

import numpy as np
import torch

from ..errors import InputError
from ..geometry.box import Box
from ..media.clip import Clip
from ..motion.intervals import find_intervals
from .blazepose import BlazePose, CropRegion, Detection, FramePose, load_blazepose


PRESENT_SCORE = 0.5  # a pose with a lower score is no person
LARGEST_JUMP = 0.5  # a person who moves further in one frame, in sizes of the region, is another person
LARGEST_GROWTH = 1.6  # the same for the size of the region
# Frames for which the region of a lost person is looked into again, also where the detector sees nobody.
RETRY_FRAMES = 12
MEMORY_FRAMES = 24  # frames for which a lost person is looked for near the place where they were last seen
MASK_LEVEL = 128  # half, in uint8


def track_person(
    frames: Iterable[np.ndarray],
    *,
    person: int = 0,
    boxes: Sequence | None = None,
    person_mask: Iterable[np.ndarray] | None = None,
    networks: BlazePose | None = None,
) -> Iterator[FramePose | None]:
    """Yield the pose of one person in each RGB frame (H, W, 3) uint8, or None where they are not found.

    `person` counts the people of the frame where tracking starts, the largest first. `boxes` (F, 4), as x0, y0, x1, y1
    in pixels, or a `person_mask` per frame (H, W) uint8 say where the person is instead; an empty box or mask says that
    they are not there. From frame to frame the landmark network finds the region of the next frame itself; the detector
    runs only when the person was lost. It is blind to people who are half hidden, so the place where they were last
    seen is looked into again for a while. Raises InputError for a negative `person` and boxes of other than 4 numbers.
    """
    if person < 0:
        raise InputError(f"People are counted from 0, the largest first; got person {person}.")
    networks = networks or load_blazepose()
    if person_mask is not None:
        boxes = (box_of_mask(mask) for mask in person_mask)
    is_guided = boxes is not None
    last: FramePose | None = None
    age = 0
    for frame, box in zip(frames, boxes if is_guided else repeat(None), strict=is_guided):
        pose = _follow_person(networks, frame, last) if last is not None and age <= RETRY_FRAMES else None
        if is_guided:
            box = _check_box(box)
            if box is None or (pose is not None and not _belongs(pose.next_region, box)):
                pose = None
            region = None if box is None else CropRegion.from_box(box)
        else:
            region = (
                None
                if pose is not None
                else _detect_person(networks, frame, person, last if age < MEMORY_FRAMES else None)
            )
        if pose is None and region is not None:
            pose = _start_track(networks, frame, region)
        age = 0 if pose is not None else age + 1
        last = pose or last
        yield pose


def track_backwards(
    clip: Clip,
    poses: Sequence[FramePose | None],
    *,
    networks: BlazePose | None = None,
    tick: Callable[[], None] = lambda: None,
) -> dict[int, FramePose]:
    """Poses of frames before those in which a person was found at last, by number, where they can be followed back.

    `tick` is called for every frame that is looked at; it may raise.
    """
    networks = networks or load_blazepose()
    earlier = {}
    for start, stop in find_intervals(torch.tensor([pose is None for pose in poses], dtype=torch.bool)):
        first = max(start, stop - RETRY_FRAMES)
        pose = poses[stop] if stop < len(poses) else None
        frames = list(clip.read(first, stop)) if pose is not None else []
        for number in reversed(range(first, first + len(frames))):
            tick()
            pose = _follow_person(networks, frames[number - first], pose)
            if pose is None:
                break
            earlier[number] = pose
    return earlier


def box_of_mask(mask: np.ndarray) -> np.ndarray | None:
    """The box (x0, y0, x1, y1) of what a mask (H, W) uint8 selects, or None where it selects nothing."""
    box = Box.of_mask(mask >= MASK_LEVEL)
    return None if box is None else np.array(box, np.float64)


def choose_detection(detections: list[Detection], person: int, last: FramePose | None) -> Detection | None:
    """The detection that is the person `last` saw, or else the one at place `person`."""
    if last is not None:
        near = [found for found in detections if _is_near(last.next_region, found.region)]
        if near:
            return min(near, key=lambda found: _region_distance(last.next_region, found.region))
    return detections[person] if person < len(detections) else None


def _follow_person(networks: BlazePose, frame: np.ndarray, last: FramePose) -> FramePose | None:
    pose = networks.find_landmarks(frame, last.next_region)
    return pose if pose.score >= PRESENT_SCORE and _is_near(last.next_region, pose.next_region) else None


def _start_track(networks: BlazePose, frame: np.ndarray, region: CropRegion) -> FramePose | None:
    """A first look finds the region that the network itself would choose, a second one is as sharp as when tracking."""
    first = networks.find_landmarks(frame, region)
    if first.score < PRESENT_SCORE:
        return None
    second = networks.find_landmarks(frame, first.next_region)
    return second if second.score >= PRESENT_SCORE else first


def _detect_person(networks: BlazePose, frame: np.ndarray, person: int, last: FramePose | None) -> CropRegion | None:
    found = choose_detection(networks.detect(frame) if person == 0 else [], person, last)
    found = found or choose_detection(networks.detect_in_tiles(frame), person, last)
    return None if found is None else found.region


def _region_distance(a: CropRegion, b: CropRegion) -> float:
    return float(np.hypot(a.center[0] - b.center[0], a.center[1] - b.center[1]))


def _is_near(before: CropRegion, after: CropRegion) -> bool:
    growth = after.size / before.size
    return _region_distance(before, after) < LARGEST_JUMP * before.size and 1 / LARGEST_GROWTH < growth < LARGEST_GROWTH


def _belongs(region: CropRegion, box: np.ndarray) -> bool:
    """Whether a tracked region can be that of the person in a box: it is centered there and about as large."""
    x, y = region.center
    share = region.size / CropRegion.from_box(box).size
    return box[0] <= x <= box[2] and box[1] <= y <= box[3] and 0.6 < share < 2.5


def _check_box(box) -> np.ndarray | None:
    if box is None:
        return None
    box = np.asarray(box, np.float64)
    if box.shape != (4,):
        raise InputError(f"A box has 4 numbers (x0, y0, x1, y1), got {box.shape}.")
    is_empty = not np.isfinite(box).all() or box[2] <= box[0] or box[3] <= box[1]
    return None if is_empty else box
