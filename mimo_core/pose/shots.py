"""People over the shots of a clip, where nothing but what they wear says who is who."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from .appearance import UNKNOWN_UNLIKENESS, compare_appearance
from .tracks import PersonTrack


# Hellinger distance of appearances, where no place helps: 0.12 for one person in two shots of a room, 0.46 for a
# stranger in dark clothes in a street between them (2026-11-28).
SAME_IN_OTHER_SHOT = 0.42


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
