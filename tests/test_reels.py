"""Reels: clips of several shots in which the person who is followed is not recognised."""

from types import SimpleNamespace

import numpy as np
import pytest

from mimo_core.media.clip import Clip
from mimo_core.pose.estimate import estimate_motion
from mimo_core.pose.shots import find_in_reel
from mimo_core.pose.tracks import PersonTrack
from mimo_lab.synthetic import make_shot


SHOT = 4  # frames


def seen(*frames, size=100.0):
    """A track in some frames, seen as large as that."""
    pixels = np.float32([[0, 0], [0, size]])
    pose = SimpleNamespace(pixels=pixels, confidence=np.ones(2), score=1.0)
    return PersonTrack(dict.fromkeys(frames, pose), np.zeros((2, 256)))


def follow(chosen, *people, shots=3):
    cuts = range(SHOT, shots * SHOT, SHOT)
    return [sorted(track.poses) for track in find_in_reel(chosen, [chosen, *people], cuts, shots * SHOT)]


def test_who_is_seen_most_in_every_other_shot_is_followed():
    first, second, third = (range(start, start + SHOT) for start in (0, SHOT, 2 * SHOT))
    smaller = seen(*second, size=60)
    assert follow(seen(*first), smaller, seen(*second), seen(*third)) == [list(second), list(third)]


def test_somebody_who_is_recognised_again_is_followed_alone():
    assert follow(seen(0, 1, 2, 3, 8, 9, 10, 11), seen(4, 5, 6, 7)) == []


def test_who_is_small_or_passes_by_is_left():
    assert follow(seen(0, 1, 2, 3), seen(4, 5, 6, 7, size=20), seen(8)) == []


def test_a_clip_of_one_shot_is_none():
    assert follow(seen(0, 1, 2), seen(0, 1, 2, 3), shots=1) == []


@pytest.fixture(scope="module")
def reel():
    shots = [make_shot(seed, size=256, frames=SHOT, occluders="none", camera="fixed").frames for seed in (11, 3)]
    return Clip.from_array(np.concatenate([shots[0], 255 - shots[1][..., ::-1]]), 12)


@pytest.fixture(scope="module")
def found(reel):
    return estimate_motion(reel, fingers=False)


def test_a_motion_goes_on_with_somebody_else_after_a_cut_and_says_so(found):
    assert found.motion.person.visible.all()
    assert any("not recognised in other shots" in note for note in found.notes)


def test_whoever_is_pointed_at_is_followed_alone(reel, found):
    first = found.people[0]
    frame = min(first.poses)
    x, y = first.poses[frame].pixels[23:25].mean(0).tolist()
    alone = estimate_motion(reel, at=(frame, x, y), fingers=False)
    assert alone.motion.person.visible.sum() == SHOT
    assert not any("not recognised" in note for note in alone.notes)
