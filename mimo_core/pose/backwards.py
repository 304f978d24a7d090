"""The frames before those in which somebody was found, and the first of these, seen from what follows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..media.clip import Clip
from .appearance import compare_appearance, describe_appearance
from .blazepose import BlazePose, FramePose, load_blazepose
from .people import OTHER_PERSON, is_same_place
from .tracking import RETRY_FRAMES, follow_person
from .tracks import PersonTrack


# Frames with which a track begins that are read again: the network has not settled on one of two people who overlap, or
# on the turn of a half body, when it looks where the detector says. Of nine real clips three begin otherwise
# (2026-11-28).
SETTLE_FRAMES = 4
SETTLED = 0.03  # mean distance of landmarks, in sizes of the region, below which another reading says nothing new


def extend_backwards(
    clip: Clip,
    chosen: PersonTrack,
    tracks: Sequence[PersonTrack],
    cuts: set[int],
    *,
    networks: BlazePose | None = None,
    tick: Callable[[], None] = lambda: None,
) -> PersonTrack:
    """A track with the frames before those in which its person was found at last, as far as they can be followed back.

    The first SETTLE_FRAMES of those in which they were found are read anew on the way. `tick` is called for every frame
    that is looked at; it may raise.
    """
    networks = networks or load_blazepose()
    poses = dict(chosen.poses)
    for stop in sorted(frame for frame in chosen.poses if frame - 1 not in chosen.poses or frame in cuts):
        first = max((cut for cut in cuts if cut <= stop), default=0)
        first = max([first, *(frame + 1 for frame in chosen.poses if frame < stop)])
        settled = _find_settled(chosen, stop, cuts)
        for number, image in read_backwards(clip, first, settled):
            tick()
            pose = follow_person(networks, image, poses[number + 1])
            is_theirs = pose is not None and not _is_taken(pose, number, chosen, tracks)
            if is_theirs:
                is_theirs = compare_appearance(chosen.appearance, describe_appearance(image, pose)) <= OTHER_PERSON
            if number in poses:
                is_theirs = is_theirs and _is_better(pose, poses[number])
            elif not is_theirs:
                break
            if is_theirs:
                poses[number] = pose.drop_mask()
    return replace(chosen, poses=poses)


def _find_settled(track: PersonTrack, start: int, cuts: set[int]) -> int:
    """The last of the SETTLE_FRAMES after the frame with which a track begins that it has without a gap or a cut."""
    last = start
    while last < start + SETTLE_FRAMES and last + 1 in track.poses and last + 1 not in cuts:
        last += 1
    return last


def _is_better(pose: FramePose, known: FramePose) -> bool:
    """Whether the pose that the next frame led to says something else than the `known` one, and is as sure."""
    away = float(np.linalg.norm(pose.pixels - known.pixels, axis=1).mean())
    return away > SETTLED * known.region.size and pose.score >= known.score


def read_backwards(clip: Clip, start: int, stop: int) -> Iterator[tuple[int, NDArray]]:
    """Frames from the last one before `stop` to `start`, with their numbers; a few at a time in memory."""
    while stop > start:
        first = max(start, stop - RETRY_FRAMES)
        yield from reversed(list(enumerate(clip.read(first, stop), first)))
        stop = first


def _is_taken(pose: FramePose, frame: int, chosen: PersonTrack, tracks: Sequence[PersonTrack]) -> bool:
    """Whether another person's track is where a pose is. A track of which the chosen one is a part is nobody else's."""
    own = chosen.poses.get(frame)
    others = (track.poses[frame] for track in tracks if track is not chosen and frame in track.poses)
    return any(is_same_place(pose, other) for other in others if other is not own)
