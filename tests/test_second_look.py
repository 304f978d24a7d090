"""Parts of bodies that a network takes for somebody, and people of whom only a part is in the picture."""

from dataclasses import replace

import numpy as np
import pytest

from mimo_core import replace as replacing
from mimo_core.body.model import free_body
from mimo_core.errors import InputError
from mimo_core.media.clip import Clip
from mimo_core.pose import second_look
from mimo_core.pose.blazepose import load_blazepose
from mimo_core.pose.estimate import estimate_motion
from mimo_core.pose.estimate_people import estimate_people
from mimo_core.pose.people import track_people
from mimo_core.pose.second_look import drop_phantoms
from mimo_core.pose.tracks import PersonTrack
from mimo_lab.synthetic import make_shot


SIDE = 224
FRAMES = 3
KNEES, RIGHT_SHOULDER = [4, 5], [17]


def show_part(seed, joints, share, down=0.0):
    """A clip of what lies around some joints of a synthetic person: `share` of their height, and so much further."""
    import cv2

    shot = make_shot(seed, size=SIDE, frames=5)
    points = shot.motion.camera.project(free_body().pose(shot.motion.person).joints).numpy()
    tall = float(np.ptp(points[..., 1]))
    x, y = points[:, joints].mean((0, 1)) + (0, down * tall)
    scale = SIDE / (2 * share * tall)
    matrix = np.float32([[scale, 0, SIDE / 2 - scale * x], [0, scale, SIDE / 2 - scale * y]])
    frames = [cv2.warpAffine(frame, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE) for frame in shot.frames]
    return Clip.from_array(np.stack(frames[:FRAMES]), 12)


@pytest.fixture(scope="module", params=[11])
def legs(request):
    return show_part(request.param, KNEES, 0.34)


@pytest.fixture(scope="module")
def phantom(legs):
    return track_people(legs)[0]


@pytest.fixture(scope="module")
def found(legs):
    return estimate_motion(legs, fingers=False)


@pytest.mark.parametrize("legs", [2, 11], indirect=True)
def test_legs_without_a_body_are_nobody(legs, phantom, found):
    assert phantom.poses
    assert not found.is_found and not found.people and not any(mask.any() for mask in found.masks)
    assert "differently at every look" in found.notes[0]


def test_who_asks_for_a_person_is_told_what_to_do_where_they_ask(legs, found, monkeypatch):
    monkeypatch.setattr(replacing, "estimate_motion", lambda *given, **options: found)
    with pytest.raises(InputError, match=r"differently at every look.*give boxes or a mask"):
        replacing.find_person(legs, boxes=None, person_mask=None)
    with pytest.raises(InputError, match=r"Crop the clip closer to the person\.$"):
        replacing.find_person(legs)


def test_nobody_is_among_all(legs, found):
    everybody = estimate_people(legs, fingers=False)
    assert not everybody.is_found and everybody.notes == found.notes and not everybody.motion.person.visible.any()
    assert not any(mask.any() for mask in everybody.masks)


def test_a_single_picture_was_taken_of_somebody(legs, phantom):
    frame = min(phantom.poses)
    picture, seen = Clip.from_array(legs[frame][None]), PersonTrack({0: phantom.poses[frame]}, phantom.appearance)
    assert drop_phantoms(picture, [seen], 1, is_doubtful=True) == ([seen], [])
    assert estimate_motion(picture, fingers=False).is_found


def test_whoever_is_pointed_at_is_believed(legs, phantom):
    frame = min(phantom.poses)
    x, y = phantom.poses[frame].pixels.mean(0).tolist()
    assert estimate_motion(legs, at=(frame, x, y), fingers=False).is_found


def test_whoever_is_in_a_box_is_believed(legs, phantom):
    boxes = [phantom.box(frame) for frame in range(len(legs))]
    assert estimate_motion(legs, boxes=boxes, fingers=False).is_found


def test_a_score_alone_is_not_believed_where_no_landmark_is_sure(legs, phantom):
    scores = {frame: replace(pose, score=1.0) for frame, pose in phantom.poses.items()}
    track = PersonTrack(scores, phantom.appearance)
    assert drop_phantoms(legs, [track], 1) == ([], [track])


@pytest.mark.parametrize(("frames", "detected"), [(FRAMES, True), (FRAMES, False), (FRAMES - 1, True)])
def test_who_is_detected_all_the_time_is_believed_though_no_two_looks_agree(
    legs, phantom, monkeypatch, frames, detected
):
    track = PersonTrack(dict.fromkeys(range(frames), next(iter(phantom.poses.values()))), phantom.appearance)
    monkeypatch.setattr(second_look, "measure_doubt", lambda *_: 5.0)
    monkeypatch.setattr(second_look, "covers_detection", lambda *_: detected)
    monkeypatch.setattr(load_blazepose(), "detect_in_tiles", lambda frame: [None])
    kept, _ = drop_phantoms(legs, [track], 1)
    assert bool(kept) == (frames == FRAMES and detected)


@pytest.mark.parametrize("seed", [2, 8])
def test_head_and_shoulders_are_somebody(seed):
    assert estimate_motion(show_part(seed, RIGHT_SHOULDER, 0.3), fingers=False).is_found


def test_a_sure_track_is_believed_unless_there_is_doubt(legs, phantom):
    sure = {frame: replace(pose, score=1.0, confidence=pose.confidence**0.2) for frame, pose in phantom.poses.items()}
    somebody = PersonTrack(sure, phantom.appearance)
    assert drop_phantoms(legs, [somebody, phantom], 1) == ([somebody, phantom], [])
    assert drop_phantoms(legs, [phantom, somebody], 1) == ([], [phantom, somebody])
    assert drop_phantoms(legs, [somebody], 1, is_doubtful=True) == ([], [somebody])
