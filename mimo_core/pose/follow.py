"""Who is followed through a clip: the person who is meant, in every shot, and nobody who is not believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..errors import InputError
from ..media.clip import Clip
from ..motion.intervals import format_spans
from .backwards import extend_backwards
from .blazepose import BlazePose, load_blazepose
from .people import track_people
from .second_look import MOST_DOUBT, drop_phantoms, measure_doubt
from .shots import find_in_reel, join_reel, join_shots
from .tracks import PersonTrack, choose_track


REEL_LOOKS = 4  # frames of each shot of a reel that are looked at again


def follow_somebody(
    clip: Clip,
    person: int,
    at: tuple[int, float, float] | None,
    cuts: set[int],
    networks: BlazePose | None,
    tick: Callable[[], None],
) -> tuple[tuple[PersonTrack, ...], PersonTrack, list[PersonTrack]]:
    """Everybody's tracks, that of the person who is meant, and the tracks of those who are not believed.

    A track without poses is nobody's. Small people are looked for if nobody else is. Whoever is at a point is believed.
    """
    doubted: list[PersonTrack] = []
    for scale in ("coarse", "fine"):
        people = join_shots(track_people(clip, cuts=cuts, scale=scale, networks=networks, tick=tick), cuts)
        if at is None and person >= 0:
            doubts = {"is_doubtful": bool(doubted), "networks": networks, "tick": tick}
            people, dropped = drop_phantoms(clip, people, person + 1, **doubts)
            doubted = doubted or dropped
        try:
            chosen = choose_track(people, person, at)
        except InputError:
            if person < 0 or scale == "fine":
                raise
            chosen = None
        if chosen is not None:
            chosen = extend_backwards(clip, chosen, people, cuts, networks=networks, tick=tick)
            return tuple(people), chosen, doubted
    return tuple(people), PersonTrack({}, np.zeros((2, 1))), doubted


def follow_reel(
    clip: Clip,
    chosen: PersonTrack,
    people: Sequence[PersonTrack],
    cuts: set[int],
    networks: BlazePose | None,
    tick: Callable[[], None],
) -> tuple[PersonTrack, list[PersonTrack]]:
    """The chosen person's track, with those of who else is followed in other shots of a reel, and these."""
    if not chosen.poses:
        return chosen, []
    found = find_in_reel(chosen, people, cuts, len(clip))
    networks = networks or load_blazepose()
    found = [each for each in found if measure_doubt(clip, each, networks, tick, looks=REEL_LOOKS) <= MOST_DOUBT]
    found = [extend_backwards(clip, track, people, cuts, networks=networks, tick=tick) for track in found]
    return join_reel(chosen, found), found


def describe_switches(track: PersonTrack) -> tuple[str, ...]:
    """From where on a track among several people may be somebody else, as sentences."""
    return tuple(
        f"From frame {frame} on who is followed wears something else and may be somebody else. "
        "Cut the clip there if so; in ComfyUI a mask or boxes can say who is meant."
        for frame in track.doubts
    )


def describe_nobody(frames: int, doubted: Sequence[PersonTrack] = ()) -> str:
    """That nobody was found in so many frames, and what was taken for somebody and is not believed, as sentences."""
    nobody = f"Nobody was found in {frames} frame{'s' * (frames > 1)}."
    if not doubted:
        return nobody
    seen = sorted(set().union(*(track.poses for track in doubted)))
    spans = format_spans([(seen[0], seen[-1] + 1)])
    return (
        f"{nobody} What looks like somebody in frames {spans} comes out differently at every look, as a part of a body "
        "does."
    )


def count_found(people: int) -> str:
    """How many people were found, as a clause."""
    return "1 person was found" if people == 1 else f"{people} people were found"


def describe_reel(others: Sequence[PersonTrack]) -> str:
    """In which shots of a reel somebody is followed who is not recognised, as a sentence."""
    starts = ", ".join(str(min(track.poses)) for track in others)
    return (
        "Who is followed is not recognised in other shots; whoever is seen most in them is followed from frame "
        f"{starts} on. Point at somebody to follow them alone."
    )
