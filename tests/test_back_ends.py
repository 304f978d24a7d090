"""Strong networks in front of the separator: what they find goes the way of what a user gives."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.motion import Motion
from mimo_core.scene import strong_masks
from mimo_core.scene.back_ends import BackEnds, find_back_ends, separate_with
from mimo_core.scene.prompts import list_prompts
from mimo_core.scene.separate import separate_scene
from mimo_core.scene.strong_depth import DepthNetwork
from mimo_core.scene.strong_masks import MaskNetwork
from mimo_core.weights.transformers_networks import keep_on_device
from mimo_lab.synthetic import make_shot
from tests.tiny_transformers import save_depth_network, save_detector, save_edgetam, save_mask_network


FRAMES, SIZE = 8, 160


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save_mask_network(folder / "sam2")
    save_depth_network(folder / "depth_anything")
    return folder


@pytest.fixture(scope="module")
def made():
    return make_shot(1008, size=SIZE, frames=FRAMES, camera="fixed", occluders="moving")


@pytest.fixture(scope="module")
def clip(made):
    return Clip.from_array(made.frames, 12)


@pytest.fixture
def network(models):
    return MaskNetwork(models / "sam2")


def noise(frames):
    pictures = np.random.default_rng(0).integers(0, 255, (1, SIZE, SIZE, 3), dtype=np.uint8)
    return Clip.from_array(np.repeat(pictures, frames, 0), 12)


def stand(made, frames) -> Motion:
    """A motion of so many frames: the first frame of the shot over and over."""
    first = torch.zeros(frames, dtype=torch.long)
    return replace(
        made.motion,
        people=(made.motion.person.index(first),),
        camera=replace(made.motion.camera, camera_from_world=made.motion.camera.camera_from_world[first]),
    )


class KnownMasks:
    """In the place of a network: the true masks (F, H, W) of each object of a session, as log-odds."""

    config = SimpleNamespace(image_size=256, num_maskmem=7, max_object_pointers_in_encoder=16)

    def __init__(self, *people):
        self.people, self.prompts, self.moves = people, [], []

    def to(self, device):
        self.moves.append(device)

    def __call__(self, inference_session, frame, frame_idx):
        for number in inference_session.obj_with_new_inputs:
            inputs = inference_session.point_inputs_per_obj[inference_session.obj_id_to_idx(number)][frame_idx]
            self.prompts.append((frame_idx, number, inputs["point_coords"][0, 0].numpy()))
        inference_session.obj_with_new_inputs.clear()
        logits = [20 * (self.people[number][frame_idx] > 127) - 10.0 for number in inference_session.obj_ids]
        masks = torch.tensor(np.stack(logits), dtype=torch.float32)[:, None]
        return SimpleNamespace(pred_masks=masks)  # what all versions of transformers have


def iou(found, truth):
    return float(
        np.mean([((f > 127) & t).sum() / max(((f > 127) | t).sum(), 1) for f, t in zip(found, truth, strict=True)])
    )


class Canceled(Exception):
    pass


def cancel_at(frame):
    """A tick that is canceled in this frame."""
    calls = []

    def tick():
        calls.append(1)
        if len(calls) == frame:
            raise Canceled

    return tick, calls


@pytest.fixture
def shown_once(monkeypatch):
    """Random networks lose everybody at once; here they go on from memory, as real ones do."""
    monkeypatch.setattr(strong_masks, "LEAST_INSIDE", -1.0)


class TestMasks:
    def test_a_small_random_network_gives_a_soft_mask_a_frame(self, network, clip, made, shown_once):
        masks = network.segment(clip, made.motion)
        assert (len(masks), masks.height, masks.width) == (FRAMES, SIZE, SIZE)
        assert all(mask.dtype == np.uint8 for mask in masks)

    def test_what_it_remembers_does_not_grow_with_the_clip(self, network, made, monkeypatch, shown_once):
        sizes = []
        forget = strong_masks._Follower._forget

        def count(follower):
            forget(follower)
            outputs = follower.session.output_dict_per_obj.values()
            kept = [frame for each in outputs for kind in each.values() for frame in kind.values()]
            tensors = [value for frame in kept for value in frame.values() if isinstance(value, torch.Tensor)]
            sizes.append(sum(value.nbytes for value in tensors))
            assert follower.session.processed_frames is None

        monkeypatch.setattr(strong_masks._Follower, "_forget", count)
        network.segment(noise(40), stand(made, 40))
        assert sizes[39] == sizes[24] > sizes[0] > 0

    def test_shown_again_and_again_it_does_not_grow_either(self, network, made, monkeypatch):
        followers = []
        forget = strong_masks._Follower._forget
        monkeypatch.setattr(strong_masks, "LEAST_INSIDE", 2.0)
        monkeypatch.setattr(strong_masks._Follower, "_forget", lambda each: (forget(each), followers.append(each)))
        network.segment(noise(6), stand(made, 6))
        outputs = followers[-1].session.output_dict_per_obj[0]
        assert list(outputs["cond_frame_outputs"]) == [4, 5]

    def test_a_version_that_remembers_otherwise_is_refused(self, models, monkeypatch):
        monkeypatch.setattr(sys.modules["transformers"], "__version__", "4.56.0")  # takes no second prompt
        with pytest.raises(InputError, match=r"needs transformers 4\.57 or newer, 4\.56\.0 is installed"):
            MaskNetwork(models / "sam2")

    def test_cancel_ends_it_in_the_frame_in_which_it_is_pressed(self, network, clip, made):
        read = []
        watched = clip.derive(lambda frame: read.append(frame) or clip[frame])
        tick, calls = cancel_at(2)
        with pytest.raises(Canceled):
            network.segment(watched, made.motion, tick)
        assert len(calls) == 2
        assert read == [0, 1]

    def test_it_leaves_the_device_when_it_is_done_or_canceled(self, network, clip, made):
        network._network = KnownMasks(made.visible)
        network.segment(clip, made.motion)
        assert network._network.moves == ["cpu", "cpu"]  # this machine's own, and where it waits
        with pytest.raises(Canceled):
            network.segment(clip, made.motion, cancel_at(1)[0])
        assert len(network._network.moves) == 4

    def test_true_masks_go_through_to_the_scene(self, network, clip, made):
        network._network = KnownMasks(made.visible)
        scene = separate_with(BackEnds(masks=network, mask_name="sam2"), clip, motion=made.motion)
        classical = separate_scene(clip, motion=made.motion)
        truth = made.visible > 127
        assert iou(scene.person, truth) > 0.995 > iou(classical.person, truth)
        assert any("masks are those of sam2" in note for note in scene.report.notes)

    def test_the_network_is_shown_points_on_the_body_and_a_box_around_it(self, network, clip, made):
        network._network = KnownMasks(made.visible)
        network.segment(clip, made.motion)
        (frame, number, points), *_ = network._network.prompts
        assert (frame, number) == (0, 0)
        x, y = np.floor(points[2:] * SIZE / 256).astype(int).T
        assert (made.person[0][y, x] > 127).mean() > 0.9
        rows, columns = np.nonzero(made.visible[0] > 127)
        (left, top), (right, bottom) = points[:2] * SIZE / 256
        assert left <= columns.min() and columns.max() <= right and top <= rows.min() and rows.max() <= bottom

    def test_a_mask_that_leaves_the_body_is_shown_the_person_again(self, network, made):
        masks = np.repeat(made.person[:1], 6, 0)
        masks[2] = 0
        network._network = KnownMasks(masks)
        network.segment(Clip.from_array(np.repeat(made.frames[:1], 6, 0), 12), stand(made, 6))
        assert [frame for frame, *_ in network._network.prompts] == [0, 3]

    def test_nobody_is_drawn_while_the_motion_shows_nobody_and_who_returns_is_shown_again(self, network, made):
        network._network = KnownMasks(np.repeat(made.person[:1], 6, 0))
        motion = stand(made, 6)
        visible = torch.tensor([True, True, False, False, True, True])
        motion = motion.with_person(replace(motion.person, visible=visible))
        masks = network.segment(Clip.from_array(np.repeat(made.frames[:1], 6, 0), 12), motion)
        assert [bool(mask.any()) for mask in masks] == visible.tolist()
        assert [frame for frame, *_ in network._network.prompts] == [0, 0]  # of two stretches

    def test_a_cut_begins_anew(self, network, made):
        frames = np.repeat(made.frames[:1], 24, 0)
        frames[12:, :, : SIZE // 2], frames[12:, :, SIZE // 2 :] = (255, 0, 0), (0, 0, 255)
        network._network = KnownMasks(np.repeat(made.person[:1], 24, 0))
        network.segment(Clip.from_array(frames, 12), stand(made, 24))
        assert len(network._network.prompts) == 2

    def test_each_of_several_people_is_an_object_of_its_own(self, network, clip, made):
        motion = replace(made.motion, people=made.motion.people * 2)
        nothing = np.zeros_like(made.person)
        network._network = KnownMasks(nothing, made.person)
        masks = network.segment(clip, motion)
        assert iou(masks, made.person > 127) > 0.99
        assert {number for _, number, _ in network._network.prompts} == {0, 1}


def test_edgetam_goes_the_same_way_as_sam2(tmp_path, clip, made, shown_once):
    pytest.importorskip("timm", reason="needs timm and torchvision")
    masks = MaskNetwork(save_edgetam(tmp_path)).segment(clip, made.motion)
    assert (len(masks), masks.height, masks.width) == (FRAMES, SIZE, SIZE)


def test_a_network_waits_on_the_cpu_also_after_an_error():
    network, moves = torch.nn.Linear(1, 1), []
    network.to = moves.append
    with pytest.raises(Canceled), keep_on_device(network, "cuda:1"):
        raise Canceled
    assert moves == ["cuda:1", "cpu"]


class TestDepth:
    def test_a_small_random_network_gives_a_grey_picture_a_frame(self, models, clip):
        depth = DepthNetwork(models / "depth_anything").estimate(clip)
        assert (len(depth), depth.height, depth.width) == (FRAMES, SIZE, SIZE)
        frame = depth[3]
        assert frame.dtype == np.uint8
        assert (frame[..., 0] == frame[..., 2]).all()
        assert np.ptp(frame) > 200

    def test_it_goes_on_outside_the_mode_in_which_comfyui_loaded_it(self, models, clip):
        with torch.inference_mode():
            network = DepthNetwork(models / "depth_anything")
        network._network.half().float()  # as a move to another device does, in new memory
        assert len(network.estimate(clip)) == FRAMES

    def test_cancel_ends_it_in_the_frame_in_which_it_is_pressed(self, models, clip):
        tick, calls = cancel_at(3)
        with pytest.raises(Canceled):
            DepthNetwork(models / "depth_anything").estimate(clip, tick)
        assert len(calls) == 3

    def test_true_depth_finds_what_is_in_front_but_no_floor(self, models, network, clip, made, monkeypatch):
        depth, depths = DepthNetwork(models / "depth_anything"), iter(1 / made.depth)
        monkeypatch.setattr(depth, "_look", lambda frame: next(depths).astype(np.float32))
        network._network = KnownMasks(made.visible)
        scene = separate_with(BackEnds(network, depth, "sam2", "depth anything"), clip, motion=made.motion)
        hidden = (made.occluder > 127) & (made.person > 127)
        found = np.stack(list(scene.occluder)) > 127
        assert hidden.sum() > 200
        assert found[hidden].mean() > 0.9
        assert found[made.occluder < 20].mean() < 0.002
        assert any("decided by depth anything" in note for note in scene.report.notes)


class TestChoice:
    def test_auto_is_classical_where_no_weights_are(self, clip, made, monkeypatch, tmp_path):
        monkeypatch.setenv("MIMO_MODELS", str(tmp_path))
        found = find_back_ends()
        assert found.masks is None and found.depth is None
        mine, theirs = separate_with(found, clip, motion=made.motion), separate_scene(clip, motion=made.motion)
        for layer in ("plate", "person", "occluder"):
            np.testing.assert_array_equal(list(getattr(mine, layer)), list(getattr(theirs, layer)))
        assert mine.report == theirs.report

    def test_auto_takes_the_weights_that_are_there(self, models, monkeypatch, tmp_path):
        monkeypatch.setenv("MIMO_MODELS", str(tmp_path))
        found = find_back_ends(folders=[models], device="cpu")
        assert (found.mask_name, found.depth_name) == ("sam2", "depth anything")
        chosen = find_back_ends("classical", "classical", [models])
        assert chosen.masks is None and chosen.depth is None

    @pytest.mark.parametrize(
        ("choice", "words"),
        [
            ({"masks": "edgetam"}, r"choice edgetam needs EdgeTAM-hf \(56 MB\) in models/mimo/edgetam.*fetch edgetam"),
            ({"masks": "sam2"}, r"choice sam2 needs sam2\.1-hiera-tiny \(156 MB\).*fetch sam2"),
            ({"depth": "depth anything"}, r"choice depth anything needs Depth-Anything-V2-Small-hf.*fetch depth"),
            ({"masks": "sam9"}, "no masks 'sam9'.*auto, classical, edgetam, sam2"),
        ],
    )
    def test_a_name_without_weights_says_how_to_get_them(self, monkeypatch, tmp_path, choice, words):
        monkeypatch.setenv("MIMO_MODELS", str(tmp_path))
        with pytest.raises(InputError, match=words):
            find_back_ends(**choice)

    def test_what_is_given_wins(self, models, clip, made, monkeypatch):
        found = find_back_ends(folders=[models], device="cpu")
        monkeypatch.setattr(found.masks, "segment", None)
        monkeypatch.setattr(found.depth, "estimate", None)
        given = {"person": Masks.from_array(made.visible), "occluder": Masks.from_array(made.occluder)}
        mine = separate_with(found, clip, motion=made.motion, **given)
        assert mine.report == separate_scene(clip, motion=made.motion, **given).report

    def test_a_motion_of_another_length_is_refused_before_a_network_looks(self, models, clip, made):
        found = find_back_ends(folders=[models], device="cpu")
        with pytest.raises(InputError, match=f"motion has 3 frames but the clip has {FRAMES}"):
            separate_with(found, clip, motion=made.motion[:3])

    def test_progress_goes_up_to_the_end_through_all_networks(self, models, clip, made):
        told = []
        found = find_back_ends(folders=[models], device="cpu")
        separate_with(
            found, clip, motion=made.motion, progress=lambda done, total, preview=None: told.append(done / total)
        )
        assert told == sorted(told)
        assert told[-1] == 1.0

    def test_edgetam_without_timm_says_how_to_install_it(self, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "timm", None)
        (tmp_path / "config.json").write_text('{"model_type": "edgetam_video"}')
        with pytest.raises(InputError, match="pip install timm"):
            MaskNetwork(tmp_path)

    @pytest.mark.parametrize("kind", [MaskNetwork, DepthNetwork])
    def test_another_network_in_the_folder_is_refused(self, tmp_path, kind):
        save_detector(tmp_path)
        with pytest.raises(InputError, match="is a rt_detr"):
            kind(tmp_path)


def test_a_person_outside_the_picture_has_no_prompt(made):
    motion = made.motion
    away = motion.with_person(replace(motion.person, transl=motion.person.transl + torch.tensor([50.0, 0, 0])))
    assert all(row == [None] for row in list_prompts(away, SIZE, SIZE))
