"""All people of a clip, followed from frame to frame before anybody is chosen.

The detector looks for newcomers twice a second, and in every frame in which somebody was just lost; the landmark
network follows everybody. What was lost and found again is joined by place and by what the person wears.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..media.clip import Clip
from ..media.cuts import find_cuts
from ..media.store import FrameStore
from .appearance import UNKNOWN_UNLIKENESS, compare_appearance, describe_appearance
from .blazepose import HIPS, SEEN_CONFIDENCE, SHOULDERS, BlazePose, Detection, FramePose, load_blazepose
from .switches import find_switches, pack_look, unpack_look
from .tracking import MEMORY_FRAMES, RETRY_FRAMES, follow_person, measure_distance, start_track


Scale = Literal["coarse", "fine"]

SEARCH_SECONDS = 0.5  # between two looks for newcomers
FINE_LEVELS = 3  # tiles of the short side of the frame, of a half and of a quarter of it
MOST_FOLLOWED = 6  # people at a time: 11 ms a frame each
# Hellinger distance of appearances. On six real clips a person stays below 0.58 (0.69 in a skater's spin), somebody
# else or the background lies above 0.70 (2026-11-27).
OTHER_PERSON = 0.72
SAME_PERSON = 0.6  # below it two tracklets may be one person
# The same of two shots, where no place helps: 0.12 for one person in two shots of a room, 0.46 for a stranger in dark
# clothes in a street between them (2026-11-28).
SAME_IN_OTHER_SHOT = 0.42
SAME_PLACE = 0.08  # mean distance of landmarks, in sizes of the region, below which two poses are one person
WANDER = 0.5  # sizes of the region by which somebody who is lost moves in a second, beside one jump
SHORTEST_TRACK = 0.2  # seconds: what is seen for less is nobody, unless there is nobody else
STRAY_FRAMES = 6  # in which somebody else was taken for a person who is hidden
# Of the mean score: what has less is nobody, unless there is nobody else. Phantoms beside legs without a body have 0.64
# and 0.67, seed 133, where hardly anything of the person is seen, 0.87, heavy grain 0.83, compression 0.93, other
# people more (2026-11-28).
LEAST_SURE = 0.72
MOST_SHARED = 0.1  # of its frames that a part of a person shares with another part
LARGEST_DIFFERENCE = 2.0  # of a detection's size from that of somebody who is followed, to be the same person
SIZE_CHANGE = 1.8  # between the two ends of a gap


@dataclass(frozen=True, eq=False)
class PersonTrack:
    """One person of a clip: what was seen of them, by frame, without masks."""

    poses: Mapping[int, FramePose]
    appearance: NDArray  # (2, 256), a sum over frames
    doubts: tuple[int, ...] = ()  # frames at which the clothes change, so that this may be somebody else from then on

    @property
    def presence(self) -> float:
        """How long and large the person is seen: the sizes of what is seen of them, summed over frames, in pixels."""
        return sum(measure_seen_size(pose) for pose in self.poses.values())

    @property
    def sureness(self) -> float:
        """The mean score, 0 to 1."""
        return float(np.mean([pose.score for pose in self.poses.values()]))

    def box(self, frame: int) -> NDArray | None:
        """Around the landmarks in a frame: (4,) x0, y0, x1, y1 in pixels; None where the person is not seen."""
        pose = self.poses.get(frame)
        return None if pose is None else np.concatenate([pose.pixels.min(0), pose.pixels.max(0)])


def measure_seen_size(pose: FramePose) -> float:
    """The longer side of the box around the landmarks that are seen, in pixels; less where the network is not sure."""
    seen = pose.pixels[pose.confidence > SEEN_CONFIDENCE]
    return float(np.ptp(seen, axis=0).max()) * pose.score if len(seen) else 0.0


@dataclass(eq=False)
class Tracklet:
    """Somebody who is followed without a gap longer than RETRY_FRAMES."""

    poses: dict[int, FramePose] = field(default_factory=dict)
    appearance: NDArray | float = 0.0
    last_frame: int = 0
    masks: FrameStore | None = None  # takes the masks of its poses
    looks: dict[int, NDArray] = field(default_factory=dict)  # packed appearances, by frame

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


def track_people(
    clip: Clip,
    *,
    cuts: set[int] | None = None,
    scale: Scale = "coarse",
    networks: BlazePose | None = None,
    tick: Callable[[], None] = lambda: None,
) -> list[PersonTrack]:
    """Everybody who is seen in a clip of F frames, the most present first: longest and largest.

    A track ends at a hard cut (`cuts` are the frames that begin a shot, found if not given). `scale` "fine" looks for
    people down to a twentieth of the picture's height, with about a hundred tiles twice a second. `tick` is called once
    a frame; it may raise.
    """
    networks = networks or load_blazepose()
    cuts = find_cuts(clip) if cuts is None else cuts
    search_every = max(1, round(SEARCH_SECONDS * float(clip.fps)))
    tracklets: list[Tracklet] = []
    masks = FrameStore()
    shot_start = 0
    for frame, image in enumerate(clip):
        if frame in cuts:
            shot_start = frame
        since = max(shot_start, frame - MEMORY_FRAMES)
        recent = [each for each in tracklets if each.last_frame >= since]
        _follow_all(networks, frame, image, recent)
        is_lost = not recent or any(each.last_frame != frame for each in recent)
        if is_lost or (frame - shot_start) % search_every == 0:
            looks_closely = scale == "fine" and (frame - shot_start) % search_every == 0
            detections = networks.detect_in_tiles(image, levels=FINE_LEVELS if looks_closely else 1)
            tracklets += _find_newcomers(networks, frame, image, recent, detections, masks)
        tick()
    tracks = join_tracklets(merge_alternating(tracklets, cuts, float(clip.fps)), cuts, float(clip.fps))
    tracks = drop_unsure(tracks)
    longest = max((len(track.poses) for track in tracks), default=0)
    least = min(longest, SHORTEST_TRACK * float(clip.fps))
    tracks = [track for track in tracks if len(track.poses) >= least]
    return sorted(tracks, key=lambda track: -track.presence)


def drop_unsure(tracks: list[PersonTrack]) -> list[PersonTrack]:
    """The tracks without those of which the network is never sure, unless it is sure of none."""
    return [track for track in tracks if track.sureness >= LEAST_SURE] or tracks


def choose_track(
    tracks: Sequence[PersonTrack], person: int = 0, point: tuple[int, float, float] | None = None
) -> PersonTrack | None:
    """Number `person` of the tracks, or whoever is at a `point` (frame, x, y) in pixels; None where nobody is.

    Raises InputError for a negative number and for a point at which nobody is.
    """
    if person < 0:
        raise InputError(f"People are counted from 0, the most present first; got person {person}.")
    if point is None:
        return tracks[person] if person < len(tracks) else None
    frame, x, y = point
    boxes = [(track, track.box(int(frame))) for track in tracks]
    at = [(track, box) for track, box in boxes if box is not None and box[0] <= x <= box[2] and box[1] <= y <= box[3]]
    if not at:
        middles = [(box[:2] + box[2:]) / 2 for _, box in boxes if box is not None]
        seen = ", ".join(f"({left:.0f}, {top:.0f})" for left, top in middles)
        raise InputError(
            f"Nobody is seen at ({x:.0f}, {y:.0f}) in frame {int(frame)}. "
            + (f"People are at {seen}." if seen else "Nobody is seen in that frame at all: choose another one.")
        )
    return min(at, key=lambda each: abs((each[1][0] + each[1][2]) / 2 - x))[0]


def find_in_all_shots(chosen: PersonTrack, tracks: Sequence[PersonTrack], cuts: set[int]) -> PersonTrack:
    """Somebody's track, with those of the other shots (`cuts` begin them) of who looks most like them, if alike at all.

    Who shows neither trunk nor thighs, as in a close-up, may be anybody.
    """
    poses, doubts = dict(chosen.poses), set(chosen.doubts)
    ordered = sorted(cuts)
    shots = {frame: bisect_right(ordered, frame) for track in tracks for frame in track.poses}
    known = {shots[frame] for frame in poses}
    unlike = [compare_appearance(chosen.appearance, track.appearance) for track in tracks]
    for away, track in sorted(zip(unlike, tracks, strict=True), key=lambda pair: pair[0]):
        shot = shots[min(track.poses)]
        if shot not in known and (away < SAME_IN_OTHER_SHOT or away == UNKNOWN_UNLIKENESS):
            poses |= track.poses
            doubts |= set(track.doubts)
            known.add(shot)
    return PersonTrack(poses, chosen.appearance, tuple(sorted(doubts)))


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


def join_shots(tracks: Sequence[PersonTrack], cuts: set[int]) -> list[PersonTrack]:
    """Everybody once, who is most present first: the tracks of a person in several shots as one."""
    left, people = list(tracks), []
    while left:
        whole = find_in_all_shots(left[0], left, cuts)
        left = [track for track in left[1:] if whole.poses.get(min(track.poses)) is not track.poses[min(track.poses)]]
        people.append(whole)
    return sorted(people, key=lambda person: -person.presence)


def _follow_all(networks: BlazePose, frame: int, image: NDArray, recent: list[Tracklet]) -> None:
    """Add the pose of this frame to everybody who is still there."""
    followed: list[tuple[Tracklet, FramePose, NDArray]] = []
    for each in sorted(recent, key=lambda each: -each.last.region.size)[:MOST_FOLLOWED]:
        if frame - each.last_frame > RETRY_FRAMES:
            continue
        pose = follow_person(networks, image, each.last)
        if pose is None:
            continue
        appearance = describe_appearance(image, pose)
        if compare_appearance(each.appearance, appearance) > OTHER_PERSON:
            continue
        rival = next((other for other in followed if is_same_place(pose, other[1])), None)
        if rival is not None:
            if _measure_unlikeness(each, appearance) >= _measure_unlikeness(rival[0], rival[2]):
                continue
            rival[0].drop(frame)
            followed.remove(rival)
        each.add(frame, pose, appearance)
        followed.append((each, pose, appearance))


def _measure_unlikeness(tracklet: Tracklet, appearance: NDArray) -> float:
    """How unlike somebody an appearance is; who was followed longer is believed a little more."""
    return compare_appearance(tracklet.appearance, appearance) - 0.02 * min(len(tracklet.poses), 24) / 24


def _find_newcomers(
    networks: BlazePose,
    frame: int,
    image: NDArray,
    recent: list[Tracklet],
    detections: list[Detection],
    masks: FrameStore,
) -> list[Tracklet]:
    """Tracklets of people whom nobody follows yet; `masks` takes their masks."""
    present = [each.last for each in recent if each.last_frame == frame]
    found = []
    for detection in detections:
        if len(present) >= MOST_FOLLOWED:
            break
        if any(covers_detection(pose, detection) for pose in present):
            continue
        pose = start_track(networks, image, detection.region)
        if pose is None or any(is_same_place(pose, other) for other in present):
            continue
        newcomer = Tracklet(masks=masks)
        newcomer.add(frame, pose, describe_appearance(image, pose))
        present.append(pose)
        found.append(newcomer)
    return found


def covers_detection(pose: FramePose, detection: Detection) -> bool:
    """Whether a detection is the person of a pose: about as large, and hips or shoulders are at the same place."""
    sizes = sorted((detection.region.size, pose.region.size))
    if sizes[1] > LARGEST_DIFFERENCE * sizes[0]:
        return False
    middles = [pose.pixels[list(pair)].mean(0) for pair in (HIPS, SHOULDERS)]
    distances = [np.linalg.norm(detection.keypoints[at] - middle) for at, middle in zip((0, 2), middles, strict=True)]
    return bool(min(distances) < 0.12 * sizes[1])


def is_same_place(one: FramePose, other: FramePose) -> bool:
    """Whether two poses are of one person."""
    size = max(one.region.size, other.region.size)
    return bool(np.linalg.norm(one.pixels - other.pixels, axis=1).mean() < SAME_PLACE * size)


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
