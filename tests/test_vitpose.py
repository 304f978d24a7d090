"""ViTPose: its heatmaps come back to the picture, and everything after it sees what it sees of BlazePose."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mimo_core.errors import InputError
from mimo_core.media.clip import Clip
from mimo_core.pose.blazepose import (
    ANKLES,
    ELBOWS,
    HEELS,
    INDICES,
    KNEES,
    LANDMARK_COUNT,
    NOSE,
    PINKIES,
    TOES,
    WRISTS,
    CropRegion,
    load_blazepose,
)
from mimo_core.pose.estimate import estimate_motion
from mimo_core.pose.estimators import VITPOSE, find_estimator
from mimo_core.pose.tracking import start_track
from mimo_core.pose.vitpose import (
    COCO_COUNT,
    COCO_LANDMARKS,
    WHOLE_BODY_COUNT,
    JointNetwork,
    PersonNetwork,
    VitPose,
    guess_keypoints,
    map_joints,
    move_joints,
    plan_crop,
)
from mimo_lab.synthetic import make_shot
from tests.tiny_transformers import save_detector, save_vitpose


FRAMES = 5


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    save_vitpose(models / "vitpose")
    save_detector(models / "person_detector")
    return models


@pytest.fixture(scope="module")
def networks(folders):
    return VitPose(folders / "vitpose", folders / "person_detector")


@pytest.fixture(scope="module")
def made():
    return make_shot(11, size=256, frames=FRAMES, occluders="none", camera="fixed")


@pytest.fixture(scope="module")
def pose(made):
    frame = made.frames[0]
    return start_track(load_blazepose(), frame, load_blazepose().detect(frame)[0].region)


def change_settings(folder, **changes):
    settings = json.loads((folder / "config.json").read_text("utf-8")) | changes
    (folder / "config.json").write_text(json.dumps(settings), "utf-8")


class ColorNetwork(torch.nn.Module):
    """Heatmaps (N, K, h, w) of how much each pixel has the color of a joint, on ViTPose's grid of a quarter."""

    def __init__(self, colors, processor):
        super().__init__()
        self.register_buffer("colors", torch.tensor(colors, dtype=torch.float32))
        self.processor = processor

    def forward(self, pixel_values):
        mean, std = (
            torch.tensor(getattr(self.processor, f"image_{name}")).reshape(3, 1, 1) for name in ("mean", "std")
        )
        picture = (pixel_values * std + mean)[:, None]
        like = torch.exp(-40 * ((picture - self.colors[None, :, :, None, None]) ** 2).sum(2))
        size = [side // 4 for side in like.shape[-2:]]
        heatmaps = torch.nn.functional.interpolate(like, size=size, mode="bilinear", align_corners=True)
        return SimpleNamespace(heatmaps=heatmaps)


def paint_joints(points, colors, *, width, height):
    """A black picture with a soft round spot of its color at each joint."""
    y, x = np.mgrid[:height, :width] + 0.5
    picture = np.zeros((height, width, 3))
    for point, color in zip(points, colors, strict=True):
        spot = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * 6.0**2))[..., None]
        picture = picture * (1 - spot) + np.array(color) * spot
    return (255 * picture + 0.5).astype(np.uint8)


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi])
@pytest.mark.parametrize("center", [(200.0, 150.0), (120.0, 130.0)])
def test_joints_of_a_turned_crop_come_back_to_the_picture_within_a_pixel(tmp_path, angle, center):
    network = JointNetwork(save_vitpose(tmp_path))
    network._processor.size = {"height": 256, "width": 192}
    colors = [(r, g, b) for r in (0.1, 0.55, 1.0) for g in (0.1, 0.55, 1.0) for b in (0.1, 1.0)][1:]
    network._network = ColorNetwork(colors, network._processor)
    region = CropRegion(center, 240.0, angle)
    grid = [(x, y) for y in (-90, -45, 0, 45, 90) for x in (-50.3, 0.4, 49.8)] + [(-25.2, 67.1), (25.7, -66.6)]
    cos, sin = np.cos(angle), np.sin(angle)
    points = np.array(grid) @ np.array([[cos, sin], [-sin, cos]]) + center
    frame = paint_joints(points, colors, width=400, height=300)
    found, scores = network.find_joints(frame, region)
    inside = ((points > 8) & (points < (392, 292))).all(1)
    assert inside.sum() >= 12
    assert np.linalg.norm(found - points, axis=1)[inside].max() < 1.0
    assert scores[inside].min() > 0.5


@pytest.mark.parametrize(("joints", "experts"), [(COCO_COUNT, 1), (WHOLE_BODY_COUNT, 1), (COCO_COUNT, 6)])
def test_small_random_networks_of_all_kinds_give_a_place_and_a_score_a_joint(tmp_path, made, joints, experts):
    network = JointNetwork(save_vitpose(tmp_path, joints=joints, experts=experts))
    points, scores = network.find_joints(made.frames[0], CropRegion((128.0, 128.0), 200.0))
    assert points.shape == (joints, 2)
    assert scores.shape == (joints,)
    assert np.isfinite(points).all()


@pytest.mark.parametrize("kind", ["rt_detr", "d_fine"])
def test_detectors_of_both_families_give_boxes_in_pixels(tmp_path, made, kind):
    network = PersonNetwork(save_detector(tmp_path, kind=kind, labels=("person",)))
    boxes, scores = network.detect(made.frames[0], 0.0)
    assert boxes.shape == (12, 4)
    assert scores.shape == (12,)
    assert (boxes[:, 2:] >= boxes[:, :2]).all()


def test_a_detector_counts_people_only(tmp_path, made):
    everything = PersonNetwork(save_detector(tmp_path / "a", labels=("person",))).detect(made.frames[0], 0.0)[0]
    people = PersonNetwork(save_detector(tmp_path / "b", labels=("chair", "person"))).detect(made.frames[0], 0.0)[0]
    assert len(people) < len(everything)


def test_a_guessed_detection_looks_where_the_box_is():
    (values,) = guess_keypoints(np.array([[100.0, 50.0, 160.0, 250.0]]))
    keypoints = values[4:].reshape(4, 2)
    region = CropRegion.from_axis(keypoints[0], keypoints[1])
    expected = CropRegion.from_box((100, 50, 160, 250))
    assert region.center == expected.center
    assert region.size == pytest.approx(expected.size)
    assert 50 < keypoints[2][1] < 150  # shoulders in the upper half


def test_two_people_who_stand_close_together_are_two(networks, monkeypatch):
    boxes = np.array([[100.0, 50.0, 200.0, 350.0], [140.0, 50.0, 240.0, 350.0], [101.0, 51.0, 200.0, 350.0]])
    monkeypatch.setattr(networks._people, "detect", lambda frame, threshold: (boxes, np.array([0.9, 0.8, 0.6])))
    people = networks.detect(np.zeros((400, 400, 3), np.uint8))
    assert sorted(round(person.region.center[0]) for person in people) == [150, 190]


class TestOnAClip:
    def test_the_estimate_has_the_form_that_blazepose_gives_it(self, made, networks):
        clip = Clip.from_array(made.frames, 12)
        boxes = [(0, 0, clip.width, clip.height)] * FRAMES
        plain, found = (estimate_motion(clip, boxes=boxes, networks=each) for each in (None, networks))
        assert found.is_found
        assert found.motion.frames == plain.motion.frames
        assert found.landmarks.pixels.shape == plain.landmarks.pixels.shape
        assert found.motion.person.body_pose.isfinite().all()
        for mine, theirs in zip(found.masks, plain.masks, strict=True):
            np.testing.assert_array_equal(mine, theirs)

    def test_everybody_whom_the_detector_finds_is_followed(self, made, networks, monkeypatch):
        box = load_blazepose().detect(made.frames[0])[0].region
        x, y, half = *box.center, box.size / 2.5
        boxes = np.array([[x - half / 2, y - half, x + half / 2, y + half]])
        monkeypatch.setattr(networks._people, "detect", lambda frame, threshold: (boxes, np.array([0.9])))
        found = estimate_motion(Clip.from_array(made.frames, 12), networks=networks)
        assert len(found.people) == 1
        assert found.motion.person.visible.all()

    def test_where_the_detector_finds_nobody_nobody_is_followed(self, made, networks, monkeypatch):
        monkeypatch.setattr(networks._people, "detect", lambda frame, threshold: (np.zeros((0, 4)), np.zeros(0)))
        assert not estimate_motion(Clip.from_array(made.frames, 12), networks=networks).is_found

    def test_a_kept_pose_takes_no_more_memory_than_one_of_blazepose(self, made, networks, pose):
        mine = networks.find_landmarks(made.frames[0], pose.region).drop_mask()
        for name in ("pixels", "world", "confidence"):
            ours, theirs = getattr(mine, name), getattr(pose, name)
            assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)

    def test_cancel_ends_it_in_the_frame_in_which_it_is_pressed(self, made, networks):
        class Canceled(Exception):
            pass

        calls = []

        def progress(done, total, preview=None):
            calls.append(done)
            if len(calls) == 2:
                raise Canceled

        clip = Clip.from_array(made.frames, 12)
        boxes = [(0, 0, clip.width, clip.height)] * FRAMES
        with pytest.raises(Canceled):
            estimate_motion(clip, boxes=boxes, networks=networks, progress=progress)
        assert len(calls) == 2


class TestJoints:
    def test_a_joint_that_is_seen_moves_and_takes_the_score(self, pose):
        points, scores = pose.pixels[list(COCO_LANDMARKS)] + (3.0, -2.0), np.full(COCO_COUNT, 0.8)
        moved = move_joints(pose, points, scores, 256, 256)
        known = list(COCO_LANDMARKS)
        np.testing.assert_allclose(moved.pixels[known], points, atol=1e-3)
        np.testing.assert_allclose(moved.confidence[known], 0.8, atol=1e-6)

    def test_what_coco_does_not_know_goes_with_the_joint_it_hangs_on(self, pose):
        points, scores = pose.pixels[list(COCO_LANDMARKS)].astype(float), np.full(COCO_COUNT, 0.8)
        points[COCO_LANDMARKS.index(WRISTS[0])] += (10.0, 4.0)
        points[COCO_LANDMARKS.index(ANKLES[1])] += (-6.0, 0.0)
        moved = move_joints(pose, points, scores, 256, 256)
        for landmark, shift in ((INDICES[0], (10, 4)), (PINKIES[0], (10, 4)), (HEELS[1], (-6, 0)), (TOES[0], (0, 0))):
            np.testing.assert_allclose(moved.pixels[landmark] - pose.pixels[landmark], shift, atol=1e-3)

    def test_a_joint_that_is_not_seen_stays_and_is_doubted(self, pose):
        points, scores = np.zeros((COCO_COUNT, 2)), np.full(COCO_COUNT, 0.1)
        moved = move_joints(pose, points, scores, 256, 256)
        np.testing.assert_array_equal(moved.pixels, pose.pixels)
        assert moved.confidence[list(COCO_LANDMARKS)].max() <= 0.1 + 1e-6
        assert moved.confidence[[*HEELS, *TOES, *INDICES]].max() <= 0.1 + 1e-6

    def test_in_space_landmarks_move_sideways_at_the_scale_of_the_picture(self, pose):
        points, scores = pose.pixels[list(COCO_LANDMARKS)].astype(float), np.full(COCO_COUNT, 0.9)
        arm = np.linalg.norm(pose.pixels[ELBOWS[0]] - pose.pixels[KNEES[0]])
        meters = np.linalg.norm(pose.world[ELBOWS[0], :2] - pose.world[KNEES[0], :2])
        points[COCO_LANDMARKS.index(ELBOWS[0])] += (arm, 0.0)
        moved = move_joints(pose, points, scores, 256, 256)
        shift = moved.world[ELBOWS[0]] - pose.world[ELBOWS[0]]
        assert shift[0] == pytest.approx(meters, rel=0.25)
        assert shift[2] == 0
        np.testing.assert_allclose(moved.world[NOSE], pose.world[NOSE], atol=1e-6)

    def test_a_joint_outside_the_picture_is_not_seen(self, pose):
        points, scores = pose.pixels[list(COCO_LANDMARKS)].astype(float), np.full(COCO_COUNT, 0.9)
        points[COCO_LANDMARKS.index(WRISTS[1])] = (300.0, 100.0)
        assert move_joints(pose, points, scores, 256, 256).confidence[WRISTS[1]] == 0

    def test_a_whole_body_network_tells_toes_heels_and_knuckles_too(self):
        points = np.arange(2.0 * WHOLE_BODY_COUNT).reshape(-1, 2)
        places, scores, known = map_joints(points, np.full(WHOLE_BODY_COUNT, 0.7))
        np.testing.assert_array_equal(places[TOES[0]], points[[17, 18]].mean(0))
        np.testing.assert_array_equal(places[HEELS[1]], points[22])
        np.testing.assert_array_equal(places[INDICES[1]], points[112 + 5])
        assert known.sum() == COCO_COUNT + 10
        assert scores[known].min() == scores[known].max() == 0.7
        assert len(places) == LANDMARK_COUNT

    def test_the_crop_stands_upright_around_what_is_seen(self, pose):
        region = plan_crop(pose)
        inverse = np.linalg.inv(np.vstack([region.frame_from_region(256), [0, 0, 1]]))[:2]
        inside = pose.pixels[pose.confidence > 0.3] @ inverse[:, :2].T + inverse[:, 2]
        assert inside[:, 0].min() > 32  # of the middle 192 columns
        assert inside[:, 0].max() < 224
        assert inside[:, 1].min() > 5
        assert inside[:, 1].max() < 251


class TestChoice:
    def test_it_is_found_in_the_folder_of_comfyui(self, folders):
        assert isinstance(find_estimator(VITPOSE, [folders], device="cpu"), VitPose)
        assert find_estimator(VITPOSE, [folders], device="cpu") is find_estimator(VITPOSE, [folders], device="cpu")

    def test_without_its_files_it_says_how_to_get_them(self, monkeypatch, tmp_path):
        monkeypatch.setenv("MIMO_MODELS", str(tmp_path))
        with pytest.raises(InputError, match=r"vitpose needs vitpose-base-simple \(344 MB\).*fetch vitpose.*blazepose"):
            find_estimator(VITPOSE)

    def test_a_half_copied_folder_counts_as_missing(self, monkeypatch, tmp_path):
        monkeypatch.setenv("MIMO_MODELS", str(tmp_path / "none"))
        save_vitpose(tmp_path / "vitpose")
        (tmp_path / "vitpose" / "preprocessor_config.json").unlink()
        with pytest.raises(InputError, match="vitpose-base-simple"):
            find_estimator(VITPOSE, [tmp_path])

    def test_without_transformers_it_says_how_to_install_it(self, monkeypatch, folders):
        monkeypatch.setitem(sys.modules, "transformers", None)
        with pytest.raises(InputError, match=r"package transformers.*pip install"):
            JointNetwork(folders / "vitpose")

    def test_an_older_transformers_is_named_with_the_version_that_is_needed(self, monkeypatch, folders):
        monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(__version__="4.40.0"))
        with pytest.raises(InputError, match=r"needs transformers 4\.\d+ or newer, 4\.40\.0 is installed"):
            JointNetwork(folders / "vitpose")

    def test_a_network_with_other_joints_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="has 21 joints"):
            JointNetwork(save_vitpose(tmp_path, joints=21))

    def test_a_detector_of_another_family_is_refused(self, tmp_path):
        (tmp_path / "config.json").write_text('{"model_type": "yolos"}')
        with pytest.raises(InputError, match="yolos"):
            PersonNetwork(tmp_path)
        with pytest.raises(InputError, match=r"is a folder without config\.json"):
            PersonNetwork(tmp_path / "nothing")

    def test_a_detector_without_people_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="knows no person"):
            PersonNetwork(save_detector(tmp_path, labels=("cat", "dog")))

    def test_damaged_weights_are_refused_with_their_folder(self, tmp_path):
        save_vitpose(tmp_path)
        (tmp_path / "model.safetensors").write_bytes(b"nothing")
        with pytest.raises(InputError, match=r"does not hold the files of VitPoseForPoseEstimation"):
            JointNetwork(tmp_path)

    def test_weights_of_another_network_are_refused(self, tmp_path):
        save_detector(tmp_path / "detector")
        save_vitpose(tmp_path / "pose")
        weights = (tmp_path / "detector" / "model.safetensors").read_bytes()
        (tmp_path / "pose" / "model.safetensors").write_bytes(weights)
        with pytest.raises(InputError, match="tensors are missing"):
            JointNetwork(tmp_path / "pose")

    def test_weights_without_the_head_are_refused_not_filled_with_random_numbers(self, tmp_path):
        save_vitpose(tmp_path)
        weights = load_file(tmp_path / "model.safetensors")
        kept = {name: value for name, value in weights.items() if not name.startswith("head.")}
        save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
        with pytest.raises(InputError, match=r"2 of \d+ tensors are missing, all of head"):
            JointNetwork(tmp_path)

    def test_weights_in_half_precision_are_taken_too(self, tmp_path, made):
        for folder, save in ((tmp_path / "joints", save_vitpose), (tmp_path / "people", save_detector)):
            save(folder)
            weights = load_file(folder / "model.safetensors")
            halves = {name: value.half() if value.is_floating_point() else value for name, value in weights.items()}
            save_file(halves, folder / "model.safetensors", {"format": "pt"})
            change_settings(folder, dtype="float16")
        points, _ = JointNetwork(tmp_path / "joints").find_joints(made.frames[0], CropRegion((128.0, 128.0), 200.0))
        boxes, _ = PersonNetwork(tmp_path / "people").detect(made.frames[0], 0.0)
        assert np.isfinite(points).all() and np.isfinite(boxes).all()

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("attn_implementation", "somebody/kernel"),
            ("attn_implementation", {"": "somebody/kernel"}),
            ("quantization_config", {"quant_method": "gptq", "bits": 4}),
            ("use_pretrained_backbone", True),
            ("architecture", "hf-hub:somebody/network"),
            ("model_args", {"checkpoint_path": "network.pth"}),
        ],
    )
    def test_settings_that_ask_for_programs_or_weights_from_elsewhere_are_refused(self, tmp_path, key, value):
        save_vitpose(tmp_path)
        change_settings(tmp_path, part={"nested": [{key: value}]})
        with pytest.raises(InputError, match=f"{key} in config.json asks for what is not in the folder"):
            JointNetwork(tmp_path)

    def test_changed_settings_are_refused_with_their_folder(self, tmp_path):
        save_vitpose(tmp_path)
        change_settings(tmp_path, backbone_config=[1])
        with pytest.raises(InputError, match="does not hold the files of VitPoseForPoseEstimation"):
            JointNetwork(tmp_path)
        save_vitpose(tmp_path)
        (tmp_path / "preprocessor_config.json").write_text("[]")
        with pytest.raises(InputError, match="does not hold the settings of VitPoseImageProcessor"):
            JointNetwork(tmp_path)

    def test_nothing_of_transformers_is_loaded_for_what_ships(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "transformers", None)
        assert find_estimator("auto") is find_estimator("blazepose") is None
