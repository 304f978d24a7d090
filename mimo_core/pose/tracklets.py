"""Tracklets, in which somebody is followed without a gap, joined to tracks of people over gaps and crossings.

What was lost and found again is joined by place and by what the person wears.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from numpy.typing import NDArray

from ..media.store import FrameStore
from .appearance import compare_appearance
from .blazepose import FramePose
from .switches import find_switches, pack_look, unpack_look
from .tracking import measure_distance
from .tracks import PersonTrack


SAME_PERSON = 0.6  # below it two tracklets may be one person
WANDER = 0.5  # sizes of the region by which somebody who is lost moves in a second, beside one jump
STRAY_FRAMES = 6  # in which somebody else was taken for a person who is hidden
MOST_SHARED = 0.1  # of its frames that a part of a person shares with another part
SIZE_CHANGE = 1.8  # between the two ends of a gap


@dataclass(eq=False)
class Tracklet:
    """Somebody who is followed without a gap longer than RETRY_FRAMES."""

    poses: dict[int, FramePose] = field(default_factory=dict)
    appearance: NDArray | float = 0.0
    last_frame: int = 0
    masks: FrameStore | None = None  # takes the masks of its poses
    looks: dict[int, NDArray] = field(default_factory=dict)  # packed appearances, by frame
    light: float = 1.0  # mean level of the last frame whose colors are as they are in the appearance

    def add(self, frame: int, pose: FramePose, appearance: NDArray) -> None:
        self.looks[frame] = pack_look(appearance)
        self.poses[frame] = pose.drop_mask() if self.masks is None else pose.store_mask(self.masks)
        self.appearance = self.appearance + appearance
        self.last_frame = frame

    def drop(self, frame: int) -> None:
        """Forget a frame in which somebody else was taken for this person."""
        del self.poses[frame], self.looks[frame]
        self.last_frame = max(self.poses, default=-1)

    @property
    def last(self) -> FramePose:
        return self.poses[self.last_frame]

    @property
    def first_frame(self) -> int:
        return min(self.poses)


def merge_alternating(tracklets: list[Tracklet], cuts: set[int], fps: float) -> list[Tracklet]:
    """The tracklets, with those as one that take turns: somebody who was found again while they were still looked for.

    Two people would be seen together in more than a few frames.
    """
    merged: list[Tracklet] = []
    for each in sorted((each for each in tracklets if each.poses), key=lambda each: each.first_frame):
        other = next((one for one in merged if _take_turns(one, each, cuts, fps)), None)
        if other is None:
            merged.append(each)
            continue
        other.poses, other.looks = each.poses | other.poses, each.looks | other.looks
        other.appearance = other.appearance + each.appearance
        other.last_frame = max(other.poses)
    return merged


def _take_turns(one: Tracklet, other: Tracklet, cuts: set[int], fps: float) -> bool:
    shared = len(one.poses.keys() & other.poses.keys())
    if other.first_frame > one.last_frame or shared > MOST_SHARED * min(len(one.poses), len(other.poses)):
        return False
    owner = dict.fromkeys(other.poses, other) | dict.fromkeys(one.poses, one)
    frames = sorted(owner)
    turns = [(a, b) for a, b in zip(frames, frames[1:], strict=False) if owner[a] is not owner[b]]
    parts = [
        (
            Tracklet({a: owner[a].poses[a]}, owner[a].appearance, a),
            Tracklet({b: owner[b].poses[b]}, owner[b].appearance, b),
        )
        for a, b in turns
    ]
    return all(_joint_cost(before, after, cuts, fps) is not None for before, after in parts)


def split_at_switches(tracklet: Tracklet, fps: float) -> list[Tracklet]:
    """The parts of a tracklet that show one person each."""
    frames = sorted(tracklet.looks)
    switches = find_switches(frames, [tracklet.looks[frame] for frame in frames], fps)
    if not switches:
        return [tracklet]
    parts = []
    for start, stop in pairwise([frames[0], *switches, frames[-1] + 1]):
        looks = {frame: tracklet.looks[frame] for frame in frames if start <= frame < stop}
        poses = {frame: tracklet.poses[frame] for frame in looks}
        parts.append(Tracklet(poses, sum(unpack_look(look) for look in looks.values()), max(looks), looks=looks))
    return parts


def join_tracklets(whole: list[Tracklet], cuts: set[int], fps: float) -> list[PersonTrack]:
    """Tracks of all people: tracklets that go on where another one ended, the likeliest pairs first.

    A tracklet that goes over to somebody else in other clothes is one person up to there, and another one from there
    on, if either of them is seen elsewhere, before or after; else it stays one, since clothes can be hidden.
    """
    tracklets, parts = [], []
    for each in whole:
        split = split_at_switches(each, fps) if each.poses else []
        parts += [(len(tracklets) + number, len(tracklets) + number + 1) for number in range(len(split) - 1)]
        tracklets += split
    pairs = sorted(
        (cost, first, second)
        for first in range(len(tracklets))
        for second in range(len(tracklets))
        if (first, second) not in parts
        and (cost := _joint_cost(tracklets[first], tracklets[second], cuts, fps)) is not None
    )
    following, preceding = {}, {}
    for _, first, second in pairs:
        if first not in following and second not in preceding:
            following[first], preceding[second] = second, first
    doubtful = [pair for pair in parts if pair[0] not in following and pair[1] not in preceding]
    for first, second in doubtful:
        following[first], preceding[second] = second, first
    people = []
    for start in range(len(tracklets)):
        if start in preceding:
            continue
        chain = [start]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        poses = {frame: pose for at in chain for frame, pose in tracklets[at].poses.items()}
        doubts = tuple(tracklets[second].first_frame for first, second in doubtful if first in chain)
        people.append(PersonTrack(poses, sum(tracklets[at].appearance for at in chain), doubts))
    return people


def _joint_cost(first: Tracklet, second: Tracklet, cuts: set[int], fps: float) -> float | None:
    """How unlikely it is that one person goes on as another, or None where it cannot be."""
    start, stop = first.last_frame, second.first_frame
    if stop <= start or any(start < cut <= stop for cut in cuts):
        return None
    unlike = compare_appearance(first.appearance, second.appearance)
    before, after = first.last.next_region, second.poses[stop].region
    seconds = (stop - start) / fps
    growth = after.size / before.size
    away = measure_distance(before, after) / before.size / (0.5 + WANDER * seconds)
    if unlike > SAME_PERSON or away > 1 or not 1 / SIZE_CHANGE < growth < SIZE_CHANGE:
        return None
    return unlike + 0.3 * away + 0.1 * seconds


def join_crossings(tracks: Sequence[PersonTrack], cuts: set[int], fps: float) -> list[PersonTrack]:
    """The tracks, with those as one that broke where somebody passed behind somebody else, the likeliest pairs first.

    Before a track breaks, the other person may be taken for its own for a few frames: these are dropped.
    """
    tracks = list(tracks)
    while True:
        pairs = [
            (cost, first, second)
            for first in range(len(tracks))
            for second in range(len(tracks))
            if first != second and (cost := _crossing_cost(tracks[first], tracks[second], cuts, fps)) is not None
        ]
        if not pairs:
            return sorted(tracks, key=lambda track: -track.presence)
        _, first, second = min(pairs)
        before, after = tracks[first], tracks[second]
        poses = _cut_poses(before, min(after.poses)) | after.poses
        doubts = tuple(frame for frame in (*before.doubts, *after.doubts) if frame in poses)
        joined = PersonTrack(poses, before.appearance + after.appearance, doubts)
        tracks = [joined, *(track for number, track in enumerate(tracks) if number not in (first, second))]


def _crossing_cost(first: PersonTrack, second: PersonTrack, cuts: set[int], fps: float) -> float | None:
    """How unlikely it is that a person goes on as another after a few wrong frames, or None where it cannot be."""
    poses = _cut_poses(first, min(second.poses))
    wrong = len(first.poses) - len(poses)
    if wrong > min(STRAY_FRAMES, len(poses) // 2):
        return None
    before = Tracklet(poses, first.appearance, max(poses))
    after = Tracklet(dict(second.poses), second.appearance, max(second.poses))
    return _joint_cost(before, after, cuts, fps)


def _cut_poses(track: PersonTrack, stop: int) -> dict[int, FramePose]:
    return {frame: pose for frame, pose in track.poses.items() if frame < stop}
