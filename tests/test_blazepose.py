"""BlazePose: decoders against closed forms, networks and tracking on synthetic people."""

import hashlib
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import mimo_core.pose
from mimo_core.errors import InputError
from mimo_core.media.store import FrameStore
from mimo_core.pose.blazepose import (
    NETWORK_FOLDER,
    BlazePose,
    CropRegion,
    find_people,
    load_blazepose,
    refine_from_heatmap,
)
from mimo_core.pose.detector_boxes import decode_boxes, list_anchors, list_tiles, merge_boxes
from mimo_core.pose.estimators import BOTH, HEAVY, find_estimator
from mimo_core.pose.tracking import box_of_mask, start_track, track_guided
from mimo_core.weights.files import find_entry, locate_weights
from mimo_lab.synthetic import make_shot


ASSETS = Path(mimo_core.pose.__file__).parent.parent / "assets" / "blazepose"


@pytest.fixture(scope="module")
def made():
    return make_shot(11, size=256, frames=4, occluders="none", camera="fixed")


@pytest.fixture(scope="module")
def frame(made):
    return made.frames[0]


def find_pose(frame):
    networks = load_blazepose()
    return start_track(networks, frame, networks.detect(frame)[0].region)


@pytest.fixture(scope="module")
def pose(frame):
    return find_pose(frame)


def on_canvas(frame, *, left, top, size):
    """The frame somewhere on a larger grey one."""
    canvas = np.full((*size, 3), 120, np.uint8)
    canvas[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return canvas


def beside_a_smaller_one(frame):
    """The same person twice, at three quarters of the size on the left."""
    rows = np.arange(0, 256, 4 / 3).astype(int)
    small = frame[rows][:, rows]
    return np.concatenate([on_canvas(small, left=0, top=64, size=(256, 192)), frame], 1)


def box_from(mask):
    return box_of_mask(mask).tolist()


class TestAssets:
    @pytest.mark.parametrize("name", ["pose_detection.tflite", "pose_landmark_full.tflite"])
    def test_the_notice_states_the_hash_of_each_network(self, name):
        stated = re.search(rf"{name}\n\s+sha256 ([0-9a-f]{{64}})", (ASSETS / "NOTICE").read_text())[1]
        assert hashlib.sha256((ASSETS / name).read_bytes()).hexdigest() == stated

    def test_a_missing_package_is_named_with_the_remedy(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
        with pytest.raises(InputError, match="pip install ai-edge-litert"):
            BlazePose()


class TestDecoders:
    def test_anchors_cover_three_grids(self):
        anchors = list_anchors()
        assert anchors.shape == (28 * 28 * 2 + 14 * 14 * 2 + 7 * 7 * 6, 2)
        assert anchors[0].tolist() == anchors[1].tolist() == [4, 4]
        assert anchors[2].tolist() == [12, 4]
        assert anchors[-1].tolist() == [208, 208]

    def test_boxes_and_keypoints_are_relative_to_their_anchor(self):
        values = np.array([[1, 2, 30, 40, 5, 6, 0, 0, 0, 0, 0, 0]], np.float32)
        decoded = decode_boxes(values, np.array([[100.0, 50.0]]))
        assert decoded[0, :8].tolist() == [101, 52, 30, 40, 105, 56, 100, 50]

    def test_overlapping_detections_become_their_weighted_mean(self):
        boxes = np.zeros((3, 12))
        boxes[:, :4] = [[10, 10, 8, 8], [12, 10, 8, 8], [60, 60, 8, 8]]
        people = merge_boxes(boxes, np.array([0.9, 0.6, 0.7]), 0.5)
        assert [score for score, _ in people] == [0.9, 0.7]
        assert people[0][1][0] == pytest.approx((0.9 * 10 + 0.6 * 12) / 1.5)
        assert people[1][1][0] == pytest.approx(60)

    def test_a_banner_is_not_cut_into_thousands_of_tiles(self):
        assert list_tiles(8000, 8) == list_tiles(2, 2048) == []
        assert {side for _, _, side in list_tiles(8000, 100, levels=3)} == {100}
        assert {side for _, _, side in list_tiles(1920, 1080, levels=3)} == {1080, 540, 270}

    def test_low_scores_are_dropped(self):
        assert merge_boxes(np.ones((2, 12)), np.array([0.2, 0.49]), 0.5) == []

    def test_a_sure_heatmap_moves_the_point_to_its_centre(self):
        y, x = np.mgrid[:64, :64]
        bump = 12 * np.exp(-((x - 22) ** 2 + (y - 31) ** 2) / 2) - 6.0
        heatmap = np.stack([bump, np.full((64, 64), -6.0)], -1)
        refined = refine_from_heatmap(np.array([[84.0, 124.0], [84.0, 124.0]]), heatmap)
        # Cell 22 of 64 stands for pixel 88 of 256, as in MediaPipe.
        np.testing.assert_allclose(refined[0], [88, 124], atol=0.3)
        assert refined[1].tolist() == [84, 124]

    def test_points_outside_the_region_stay(self):
        refined = refine_from_heatmap(np.array([[-5.0, 300.0]]), np.full((64, 64, 1), 9.0))
        assert refined.tolist() == [[-5, 300]]


class TestRegion:
    def test_its_middle_is_its_centre_and_up_is_towards_the_top(self):
        region = CropRegion.from_axis(np.array([50.0, 80.0]), np.array([50.0, 40.0]))
        assert region.size == pytest.approx(2 * 1.25 * 40) and region.angle == pytest.approx(0)
        matrix = region.frame_from_region()
        np.testing.assert_allclose(matrix @ [128, 128, 1], [50, 80])
        np.testing.assert_allclose(matrix @ [128, 0, 1], [50, 30])

    def test_a_person_lying_to_the_right_turns_it_clockwise(self):
        region = CropRegion.from_axis(np.array([50.0, 80.0]), np.array([90.0, 80.0]))
        assert region.angle == pytest.approx(math.pi / 2)
        np.testing.assert_allclose(region.frame_from_region() @ [128, 0, 1], [100, 80], atol=1e-9)


class TestDetector:
    def test_it_finds_the_person_and_where(self, made, frame):
        (found,) = find_people(frame)
        x0, y0, x1, y1 = box_from(made.visible[0])
        assert found.score > 0.5
        assert x0 < found.keypoints[0, 0] < x1 and y0 < found.keypoints[0, 1] < y1
        assert 0.5 < found.region.size / (1.25 * (y1 - y0)) < 2

    @pytest.mark.parametrize("seed", [0, 1, 2, 3])
    def test_it_finds_nobody_where_nobody_is(self, seed):
        assert find_people(make_shot(seed, size=256, frames=1).plate[0]) == []
        noise = np.random.default_rng(seed).integers(0, 256, (120, 200, 3), dtype=np.uint8)
        assert find_people(noise) == []

    @pytest.mark.parametrize(("left", "top", "size"), [(100, 0, (256, 401)), (0, 90, (377, 256)), (30, 40, (301, 333))])
    def test_it_moves_with_the_picture(self, frame, left, top, size):
        before, after = find_people(frame)[0], find_people(on_canvas(frame, left=left, top=top, size=size))[0]
        np.testing.assert_allclose(after.keypoints[0] - before.keypoints[0], [left, top], atol=6)

    def test_two_people_come_with_the_larger_first(self, frame):
        people = load_blazepose().detect_in_tiles(beside_a_smaller_one(frame))
        assert len(people) == 2
        assert people[0].keypoints[0, 0] > 192 > people[1].keypoints[0, 0]


class TestLandmarks:
    def test_joints_are_found_where_the_body_has_them(self, made, pose):
        from mimo_core.body.landmarks import landmark_weights
        from mimo_core.body.model import free_body

        vertices = free_body().pose(made.motion.person).vertices
        truth = made.motion.camera.project(landmark_weights() @ vertices)[0].numpy()
        height = np.ptp(truth[:, 1])
        assert np.median(np.linalg.norm(pose.pixels - truth, axis=1)) < 0.03 * height
        assert pose.score > 0.9

    def test_the_mask_is_the_person(self, made, pose):
        mask, truth = pose.warp_mask(256, 256) > 127, made.visible[0] > 127
        assert (mask & truth).sum() / (mask | truth).sum() > 0.85

    def test_landmarks_move_with_the_picture(self, frame, pose):
        moved = find_pose(on_canvas(frame, left=120, top=33, size=(300, 420)))
        difference = moved.pixels - pose.pixels - [120, 33]
        assert np.median(np.abs(difference)) < 2.0

    def test_a_picture_on_its_side_gives_landmarks_on_their_side(self, frame, pose):
        turned = load_blazepose().find_landmarks(
            np.rot90(frame).copy(),
            CropRegion(
                (pose.region.center[1], 256 - pose.region.center[0]), pose.region.size, pose.region.angle - math.pi / 2
            ),
        )
        # A quarter turn to the left takes (x, y) to (y, 256 - x).
        expected = np.stack([pose.pixels[:, 1], 256 - pose.pixels[:, 0]], 1)
        np.testing.assert_allclose(turned.pixels, expected, atol=2.5)
        np.testing.assert_allclose(turned.world[:, 0], pose.world[:, 1], atol=0.06)

    def test_what_lies_outside_the_frame_has_no_confidence(self, frame, pose):
        thighs = int(pose.pixels[23:27, 1].mean())
        half = find_pose(frame[:thighs].copy())
        assert half.confidence[27:].max() == 0
        assert half.confidence[:13].min() > 0.5

    def test_without_mask_keeps_everything_else(self, pose):
        light = pose.drop_mask()
        assert light.mask is None and light.pixels is pose.pixels and light.region is pose.region

    def test_a_stored_mask_is_the_one_that_a_second_look_gives(self, frame, pose):
        light = pose.store_mask(FrameStore())
        assert light.mask is None and light.pixels is pose.pixels
        assert np.array_equal(light.read_mask(), load_blazepose().find_mask(frame, pose.region))
        assert light.read_mask().max() > 200 and pose.drop_mask().read_mask() is None


class TestGuidedTracking:
    @pytest.mark.parametrize("is_mask", [True, False])
    def test_a_box_or_mask_says_who_is_meant(self, made, frame, is_mask):
        both = np.concatenate([frame, frame], 1)
        mask = np.concatenate([made.visible[0] * 0, made.visible[0]], 1)
        guide = {"person_mask": [mask]} if is_mask else {"boxes": [box_from(mask)]}
        (pose,) = track_guided([both], **guide)
        assert pose.pixels[23:25, 0].mean() > 256

    @pytest.mark.parametrize("empty", [(0, 0, 0, 0), (float("nan"),) * 4, None])
    def test_an_empty_box_says_that_nobody_is_there(self, frame, empty):
        assert list(track_guided([frame], boxes=[empty])) == [None]

    def test_a_box_of_another_form_is_refused(self, frame):
        with pytest.raises(InputError, match="4 numbers"):
            list(track_guided([frame], boxes=[(1, 2, 3)]))


class TestBoth:
    """The mean of two landmark networks. Without the heavy one of MediaPipe the one that ships is its own second."""

    def test_a_network_averaged_with_itself_is_the_network(self, frame):
        twice = BlazePose(second=NETWORK_FOLDER / "pose_landmark_full.tflite")
        region = load_blazepose().detect(frame)[0].region
        one, both = (networks.find_landmarks(frame, region) for networks in (load_blazepose(), twice))
        for name in ("pixels", "world", "confidence"):
            np.testing.assert_allclose(getattr(both, name), getattr(one, name), atol=1e-4)
        np.testing.assert_array_equal(both.mask, one.mask)

    def test_the_heavy_one_lies_half_way_and_leaves_the_mask(self, frame):
        heavy = locate_weights(find_entry(HEAVY))
        if heavy is None:
            pytest.skip("needs pose_landmark_heavy.tflite: python -m mimo_core fetch blazepose")
        region = load_blazepose().detect(frame)[0].region
        one, both = (networks.find_landmarks(frame, region) for networks in (load_blazepose(), find_estimator(BOTH)))
        away = np.linalg.norm(both.pixels - one.pixels, axis=1)
        assert 0 < away.mean() < 0.05 * region.size
        np.testing.assert_array_equal(both.mask, one.mask)

    def test_without_its_file_it_says_how_to_get_it(self, monkeypatch, tmp_path):
        monkeypatch.setenv("MIMO_MODELS", str(tmp_path))
        with pytest.raises(InputError, match=r"pose_landmark_heavy\.tflite \(28 MB\).*fetch blazepose"):
            find_estimator(BOTH)

    def test_another_name_lists_the_choices(self):
        with pytest.raises(InputError, match="auto, blazepose, blazepose both"):
            find_estimator("openpose")
