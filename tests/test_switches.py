"""A track that goes over to somebody in other clothes is taken apart, and goes on as who it was."""

from dataclasses import replace

import numpy as np
import pytest

from mimo_core.media.clip import Clip
from mimo_core.pose.appearance import compare_appearance, describe_appearance
from mimo_core.pose.follow import describe_switches
from mimo_core.pose.people import track_people
from mimo_core.pose.shots import join_shots
from mimo_core.pose.switches import find_switches, pack_look, unpack_look
from mimo_core.pose.tracklets import Tracklet, join_tracklets
from mimo_lab.synthetic import make_shot


FPS = 24
BLUE, LILAC, TROUSERS = (40, 170, 220), (180, 120, 200), (20, 20, 60)


def dress(color, seed=0):
    """The appearance of somebody in a shirt of a color and in the same trousers as everybody, with some noise."""
    import cv2

    rng = np.random.default_rng(seed)
    bands = []
    for each in (color, TROUSERS):
        pixels = (np.array(each) + rng.normal(0, 12, (40, 40, 3))).clip(0, 255).astype(np.uint8)
        lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
        bands.append(cv2.calcHist([lab], [0, 1, 2], None, (4, 8, 8), [0, 256, 64, 192, 64, 192]).ravel())
    return np.stack(bands) / np.sum(bands, 1, keepdims=True)


def wear(colors):
    """Packed appearances, one of a color for each frame."""
    return [pack_look(dress(color, seed)) for seed, color in enumerate(colors)]


def find(colors):
    return find_switches(list(range(len(colors))), wear(colors), FPS)


def test_a_look_comes_back_from_its_bytes():
    look = dress(BLUE)
    assert np.abs(unpack_look(pack_look(look)) - look).max() < 0.004


def test_other_clothes_from_one_moment_on_are_a_switch_at_that_frame():
    assert find([LILAC] * 20 + [BLUE] * 20) == [20]
    assert find([LILAC] * 20 + [BLUE] * 20 + [LILAC] * 20) == [20, 40]


def test_a_shirt_in_light_that_flashes_for_minutes_is_none():
    looks = wear([LILAC, BLUE])
    flashes = [looks[frame // 8 % 2] for frame in range(3000)]
    assert find_switches(list(range(len(flashes))), flashes, FPS / 2) == []


def test_the_same_clothes_are_none():
    assert find([LILAC] * 40) == []


def test_a_shirt_that_is_hidden_for_a_few_frames_is_none():
    assert find([LILAC] * 20 + [BLUE] * 3 + [LILAC] * 20) == []


def test_clothes_that_change_with_the_turn_of_the_body_are_none():
    """In one and a half seconds: ever more is seen of a back that has another color."""
    shares = np.r_[np.zeros(10), np.linspace(0, 1, 36), np.ones(10)]
    looks = [pack_look((1 - share) * dress(LILAC, at) + share * dress(BLUE, at)) for at, share in enumerate(shares)]
    assert find_switches(list(range(len(looks))), looks, FPS) == []


@pytest.fixture(scope="module")
def pose():
    shot = make_shot(11, size=256, frames=1, samples=1, occluders="none", camera="fixed")
    (track,) = track_people(Clip.from_array(shot.frames, 12))
    return track.poses[0]


def make_tracklet(pose, colors, first, places):
    """Somebody who wears these colors from a frame on, at `places` in sizes of their region."""
    made = Tracklet()
    for frame, (color, place) in enumerate(zip(colors, places, strict=True), first):
        made.add(frame, pose.move((place * pose.region.size, 0)), dress(color, frame))
    return made


def test_who_was_hidden_goes_on_as_themselves_and_the_other_one_too(pose):
    """A tracklet of the child in lilac goes over to the one in blue, who passes in front; both are seen elsewhere."""
    both = make_tracklet(pose, [LILAC] * 20 + [BLUE] * 20, 0, [0.0] * 20 + [0.1] * 20)
    blue = make_tracklet(pose, [BLUE] * 10, 0, [-0.3] * 10)
    lilac = make_tracklet(pose, [LILAC] * 12, 30, [0.0] * 12)
    tracks = join_tracklets([both, blue, lilac], set(), FPS)
    spans = sorted(sorted(track.poses) for track in tracks)
    assert spans == [[*range(20), *range(30, 42)], [*range(10), *range(20, 40)]]
    assert not any(track.doubts for track in tracks)


def test_who_is_seen_nowhere_else_stays_one_and_is_doubted(pose):
    """A shirt can be taken off or hidden, and who is alone is not lost for that."""
    (track,) = join_tracklets([make_tracklet(pose, [LILAC] * 20 + [BLUE] * 20, 0, [0.0] * 40)], set(), FPS)
    assert len(track.poses) == 40 and track.doubts == (20,)
    (whole,) = join_shots([track], set())
    assert whole.doubts == (20,) and "From frame 20 on" in describe_switches(whole)[0]


def test_vivid_clothes_are_told_from_each_other(pose):
    """Colors beyond the range of the bins once counted for nothing: what was left were arms and folds."""
    looks = []
    for color in ((255, 0, 140), (0, 0, 255)):
        frame = np.full((256, 256, 3), color, np.uint8)
        frame[::16] = (128, 128, 128)
        looks.append(describe_appearance(frame, replace(pose, confidence=np.ones(33, np.float32))))
    assert compare_appearance(*looks) > 0.8
