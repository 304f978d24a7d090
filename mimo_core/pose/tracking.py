"""Following one person from frame to frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ..errors import InputError
from ..geometry.box import Box
from .blazepose import BlazePose, CropRegion, FramePose, load_blazepose


PRESENT_SCORE = 0.5  # a pose with a lower score is no person
# Who is lost by a score alone is looked for once more in a wider region, and believed if the network is sure there and
# sees the same body: 0.44 and 0.89 of a man whom somebody's head hides to the chest, landmarks 0.03 away (2026-11-28).
WIDER = 1.15
SURE_SCORE = 0.8
SAME_BODY = 0.06  # mean distance of landmarks, in sizes of the region
# Scores alone find people in walls and floors, with the landmarks outside of the picture or nowhere sure.
LEAST_LANDMARKS = 4  # seen of somebody: a head that leaves the picture still shows some
LARGEST_JUMP = 0.5  # a person who moves further in one frame, in sizes of the region, is another person
LARGEST_GROWTH = 1.6  # the same for the size of the region
# Frames for which the region of a lost person is looked into again, also where the detector sees nobody.
RETRY_FRAMES = 12
MEMORY_FRAMES = 24  # frames for which a lost person is looked for near the place where they were last seen
MASK_LEVEL = 128  # half, in uint8


def track_guided(
    frames: Iterable[np.ndarray],
    *,
    boxes: Iterable | None = None,
    person_mask: Iterable[np.ndarray] | None = None,
    networks: BlazePose | None = None,
) -> Iterator[FramePose | None]:
    """Yield the pose of one person in each RGB frame (H, W, 3) uint8, or None where they are not found.

    `boxes` (F, 4), as x0, y0, x1, y1 in pixels, or a `person_mask` per frame (H, W) uint8 say where the person is; an
    empty box or mask says that they are not there. From frame to frame the landmark network finds the region of the
    next frame itself. Raises InputError for boxes of other than 4 numbers.
    """
    networks = networks or load_blazepose()
    if person_mask is not None:
        boxes = (box_of_mask(mask) for mask in person_mask)
    last, age = None, 0
    for frame, given in zip(frames, boxes, strict=True):
        box = _check_box(given)
        pose = follow_person(networks, frame, last) if last is not None and age <= RETRY_FRAMES else None
        if box is None or (pose is not None and not _belongs(pose.next_region, box)):
            pose = None
        if pose is None and box is not None:
            pose = start_track(networks, frame, CropRegion.from_box(box))
        age = 0 if pose is not None else age + 1
        last = pose or last
        yield pose


def box_of_mask(mask: np.ndarray) -> np.ndarray | None:
    """The box (x0, y0, x1, y1) of what a mask (H, W) uint8 selects, or None where it selects nothing."""
    box = Box.of_mask(mask >= MASK_LEVEL)
    return None if box is None else np.array(box, np.float64)


def follow_person(networks: BlazePose, frame: np.ndarray, last: FramePose) -> FramePose | None:
    """The pose of the next frame (H, W, 3) of somebody, or None where nobody is or somebody else."""
    pose = networks.find_landmarks(frame, last.next_region)
    if pose.score < PRESENT_SCORE:
        pose = _look_wider(networks, frame, last) or pose
    return pose if _shows_somebody(networks, pose) and _is_near(last.next_region, pose.next_region) else None


def _look_wider(networks: BlazePose, frame: np.ndarray, last: FramePose) -> FramePose | None:
    """The pose in a wider region where the network is sure of the body that was there, else None."""
    region = last.next_region
    pose = networks.find_landmarks(frame, replace(region, size=WIDER * region.size))
    away = float(np.linalg.norm(pose.pixels - last.pixels, axis=1).mean())
    return pose if pose.score >= SURE_SCORE and away < SAME_BODY * region.size else None


def start_track(networks: BlazePose, frame: np.ndarray, region: CropRegion) -> FramePose | None:
    """A first look finds the region that the network itself would choose, a second one is as sharp as when tracking."""
    first = networks.find_landmarks(frame, region)
    if first.score < PRESENT_SCORE:
        return None
    second = networks.find_landmarks(frame, first.next_region)
    found = second if second.score >= PRESENT_SCORE else first
    return found if _shows_somebody(networks, found) else None


def _shows_somebody(networks: BlazePose, pose: FramePose) -> bool:
    return pose.score >= PRESENT_SCORE and int((pose.confidence > networks.seen_confidence).sum()) >= LEAST_LANDMARKS


def measure_distance(a: CropRegion, b: CropRegion) -> float:
    """Between the centers of two regions, in pixels."""
    return float(np.hypot(a.center[0] - b.center[0], a.center[1] - b.center[1]))


def _is_near(before: CropRegion, after: CropRegion) -> bool:
    growth = after.size / before.size
    return measure_distance(before, after) < LARGEST_JUMP * before.size and 1 / LARGEST_GROWTH < growth < LARGEST_GROWTH


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
