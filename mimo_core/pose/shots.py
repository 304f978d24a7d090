"""People over the shots of a clip, where nothing but what they wear says who is who."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

from .appearance import UNKNOWN_UNLIKENESS, compare_appearance
from .tracks import PersonTrack


# Hellinger distance of appearances, where no place helps: 0.12 for one person in two shots of a room, 0.46 for a
# stranger in dark clothes in a street between them (2026-11-28).
SAME_IN_OTHER_SHOT = 0.42
# Of a reel, whose shots show somebody in other clothes or somebody else: who is followed is
LEAST_SHOWN = 0.5  # at least so long seen, in frames of the shot,
LEAST_AS_LARGE = 0.25  # and so large, by the mean size of who was chosen.


def join_shots(tracks: Sequence[PersonTrack], cuts: set[int]) -> list[PersonTrack]:
    """Everybody once, who is most present first: the tracks of a person in several shots as one."""
    left, people = list(tracks), []
    while left:
        whole = find_in_all_shots(left[0], left, cuts)
        left = [track for track in left[1:] if whole.poses.get(min(track.poses)) is not track.poses[min(track.poses)]]
        people.append(whole)
    return sorted(people, key=lambda person: -person.presence)


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


def find_in_reel(
    chosen: PersonTrack, people: Sequence[PersonTrack], cuts: Collection[int], frames: int
) -> list[PersonTrack]:
    """Whoever is most present in each shot that does not show the `chosen` person, if the clip of so many `frames` is a
    reel: if the chosen one is recognised in no other shot, or in less than half of those that show somebody.

    Tracks in the order of the shots, each in one shot; none in a clip without `cuts`, or where a person is recognised
    again and others are strangers.
    """
    edges = [0, *sorted(cuts), frames]
    shots = [range(*edge) for edge in pairwise(edges)]
    known = [shot for shot in shots if any(frame in chosen.poses for frame in shot)]
    usual = chosen.presence / max(1, len(chosen.poses))
    found = []
    for shot in shots:
        if shot in known:
            continue
        parts = [_cut_out(person, shot) for person in people]
        parts = [
            part
            for part in parts
            if len(part.poses) >= LEAST_SHOWN * len(shot) and part.presence >= LEAST_AS_LARGE * usual * len(part.poses)
        ]
        found += [max(parts, key=lambda part: part.presence)] if parts else []
    is_reel = len(known) == 1 or len(known) < len(found)
    return found if is_reel else []


def _cut_out(track: PersonTrack, shot: range) -> PersonTrack:
    """The part of a track in the frames of a shot."""
    poses = {frame: pose for frame, pose in track.poses.items() if frame in shot}
    return replace(track, poses=poses, doubts=tuple(frame for frame in track.doubts if frame in poses))


def join_reel(chosen: PersonTrack, others: Sequence[PersonTrack]) -> PersonTrack:
    """The track of who is followed through a reel: the chosen person's and, in other shots, that of `others`."""
    poses, doubts = dict(chosen.poses), set(chosen.doubts)
    for other in others:
        poses |= other.poses
        doubts |= set(other.doubts)
    return replace(chosen, poses=poses, doubts=tuple(sorted(doubts)))
