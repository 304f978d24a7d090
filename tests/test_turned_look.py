"""A body that the network reads upside down is read right by a square that is turned."""

from dataclasses import replace

import numpy as np
import pytest

from mimo_core.media.clip import Clip
from mimo_core.pose.blazepose import CropRegion, load_blazepose
from mimo_core.pose.close_look import CloseLook, find_mirrored
from mimo_core.pose.estimate import draw_masks
from mimo_core.pose.turned_look import TURNS, look_turned
from mimo_lab.synthetic import make_shot


@pytest.fixture(scope="module")
def seen():
    """A frame, the pose that is right, and one that differs from its mirror image."""
    frame = make_shot(11, size=256, frames=2, occluders="none", camera="fixed").frames[0]
    networks = load_blazepose()
    right = networks.find_landmarks(frame, networks.detect(frame)[0].region)
    turned = CropRegion(right.region.center, right.region.size, right.region.angle + np.pi)
    wrong = replace(right, region=turned, pixels=2 * np.float32(turned.center) - right.pixels)
    return networks, frame, right, wrong


def distance(pose, right):
    return float(np.median(np.linalg.norm(pose.pixels - right.pixels, axis=1))) / right.region.size


def test_what_agrees_with_its_mirror_image_stays(seen):
    networks, frame, right, _ = seen
    mirrored = find_mirrored(networks, frame, right.region)
    assert look_turned(networks, frame, right, mirrored, None, find_mirrored) == (right, mirrored)


def test_another_turn_is_found_where_the_look_and_its_mirror_image_differ(seen):
    networks, frame, right, wrong = seen
    kept, mirrored = look_turned(networks, frame, wrong, right, None, find_mirrored)
    assert distance(wrong, right) > 0.1
    assert max(distance(kept, right), distance(mirrored, right)) < 0.03


def test_what_is_further_from_the_body_of_the_frame_before_is_not_taken(seen):
    networks, frame, right, wrong = seen
    assert look_turned(networks, frame, wrong, right, wrong, find_mirrored) == (wrong, right)


def test_what_agrees_in_no_turn_stays(seen):
    networks, _, right, wrong = seen
    empty = np.zeros((256, 256, 3), np.uint8)
    assert look_turned(networks, empty, wrong, right, None, find_mirrored) == (wrong, right)


def test_every_further_look_can_be_cancelled(seen):
    networks, _, right, wrong = seen
    empty, asked = np.zeros((256, 256, 3), np.uint8), []
    look_turned(networks, empty, wrong, right, None, find_mirrored, lambda: asked.append(1))
    assert len(asked) == len(TURNS)


def test_the_fit_and_the_masks_take_the_better_pose(seen):
    networks, frame, right, wrong = seen
    poses = [wrong]
    (mask,) = draw_masks(Clip.from_array(frame[None]), poses, CloseLook(fingers=False), networks, lambda number: None)
    assert distance(poses[0], right) < 0.03
    assert (mask > 127).sum() > 0.5 * (right.warp_mask(256, 256) > 127).sum()


@pytest.mark.parametrize("cuts", [(), {1}])
def test_a_body_before_a_cut_does_not_count(seen, cuts):
    networks, frame, right, wrong = seen
    center = 256 - right.region.center[0], 256 - right.region.center[1]
    before = np.ascontiguousarray(frame[::-1, ::-1])
    region = CropRegion(center, right.region.size, right.region.angle + np.pi)
    close = CloseLook(fingers=False, networks=networks, cuts=cuts)
    close.add(before, networks.find_landmarks(before, region))
    assert (distance(close.add(frame, wrong), right) < 0.03) == bool(cuts)
