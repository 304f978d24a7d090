"""The network that puts detail back: it starts as nothing, belongs to a checkpoint, and sees each frame by itself."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mimo_core.denoise.checkpoints import TrainingSettings, open_checkpoint, save_checkpoint
from mimo_core.denoise.detail import BODY_CODE, DETAIL_LAYERS, DetailNetwork, build_detail_network, restore_detail
from mimo_core.errors import InputError
from mimo_lab.training.detail import DetailStage
from mimo_lab.training.loop import fit_stage
from mimo_lab.training.picture_loss import PictureLoss
from mimo_lab.training.settings import StageSettings
from tests.test_denoise_pipeline import decoder, drawn, identity, motion, scene  # noqa: F401 - fixtures
from tests.tiny_networks import random_weights, tiny_checkpoint


WIDTHS = (8, 8, 16)


def taught(seed=0, widths=WIDTHS) -> DetailNetwork:
    """A small network that changes pictures by something."""
    network = random_weights(DetailNetwork(widths), seed)
    network.conv_out.weight.data *= 0.1
    return network


def pictures(count, height=40, width=24, seed=0):
    """Drawn pictures (n, H, W, 3) in 0..1 and layers."""
    rng = np.random.default_rng(seed)
    names = (*DETAIL_LAYERS, BODY_CODE)
    layers = {name: rng.integers(0, 256, (count, height, width, 3)).astype(np.uint8) for name in names}
    return torch.from_numpy(rng.random((count, height, width, 3))).float(), layers


def checkpoint_with_detail(network=None, **how):
    made = tiny_checkpoint(layers=("plate", "proxy"), **how)
    return replace(made, extras={**made.extras, "detail": (network or taught()).state_dict()})


class TestNetwork:
    def test_untrained_it_gives_pictures_back_as_they_are(self):
        frames, layers = pictures(2)
        np.testing.assert_allclose(restore_detail(DetailNetwork(WIDTHS), frames, layers, 0), frames, atol=1e-6)

    def test_sizes_need_not_be_those_of_its_levels(self):
        frames, layers = pictures(1, 42, 27)
        padded = {name: np.pad(layer, [(0, 0), (0, 6), (0, 5), (0, 0)], "edge") for name, layer in layers.items()}
        wide = torch.from_numpy(np.pad(frames.numpy(), [(0, 0), (0, 6), (0, 5), (0, 0)], "edge"))
        found = restore_detail(taught(), frames, layers, 0)
        assert (found - frames).abs().max() > 0.01
        np.testing.assert_allclose(found, restore_detail(taught(), wide, padded, 0)[:, :42, :27], atol=1e-5)

    def test_frames_together_are_frames_alone(self):
        """So segments, windows and parts of a clip are those of the whole."""
        frames, layers = pictures(6)
        whole = restore_detail(taught(), frames, layers, 0)
        parts = [restore_detail(taught(), frames[first : first + 2], layers, first) for first in (0, 2, 4)]
        np.testing.assert_allclose(torch.cat(parts), whole, atol=1e-6)

    def test_it_sees_the_layers(self):
        frames, layers = pictures(1)
        found = restore_detail(taught(), frames, layers, 0)
        for name in layers:
            other = layers | {name: 255 - layers[name]}
            assert (restore_detail(taught(), frames, other, 0) - found).abs().max() > 0.01


class TestCheckpoint:
    def test_it_comes_back_from_a_file(self, tmp_path):
        save_checkpoint(checkpoint_with_detail(), tmp_path / "a.safetensors", dtype=torch.float32)
        frames, layers = pictures(1)
        found = build_detail_network(open_checkpoint(tmp_path / "a.safetensors"))
        torch.testing.assert_close(
            restore_detail(found, frames, layers, 0), restore_detail(taught(), frames, layers, 0)
        )

    def test_a_file_without_it_opens_as_ever(self, tmp_path):
        save_checkpoint(tiny_checkpoint(), tmp_path / "a.safetensors")
        assert build_detail_network(open_checkpoint(tmp_path / "a.safetensors")) is None

    def test_tensors_of_another_shape_are_refused(self):
        made = checkpoint_with_detail()
        made.extras["detail"]["conv_out.weight"] = torch.zeros(3, 3)
        with pytest.raises(InputError, match=r"lacks 1 of \d+ tensors.*conv_out.weight"):
            build_detail_network(made)

    @pytest.mark.parametrize(
        ("name", "tensor"),
        [
            ("conv_out.scale", torch.zeros(3)),
            ("down.3.0.first.weight", torch.zeros(16, 16, 3, 3)),
            ("down.0.0.first.weight", torch.tensor(1.0)),
            ("down.1.0.first.weight", torch.zeros(2**40, 0, 3, 3)),
            ("down.2.0.first.weight", torch.zeros(0, 0, 3, 3)),
            ("up.1.1.second.bias", torch.zeros(8)),
        ],
    )
    def test_tensors_that_do_not_belong_to_it_or_claim_another_size_are_refused(self, name, tensor):
        made = checkpoint_with_detail()
        made.extras["detail"][name] = tensor
        with pytest.raises(InputError, match="detail network lacks .* too many, such as"):
            build_detail_network(made)

    def test_one_with_more_levels_takes_pictures_of_any_size(self):
        network = taught(widths=(4, 4, 4, 4, 4, 4))
        found = build_detail_network(checkpoint_with_detail(network))
        frames, layers = pictures(1, 72, 40)
        np.testing.assert_array_equal(
            restore_detail(found, frames, layers, 0), restore_detail(network, frames, layers, 0)
        )

    def test_a_denoiser_without_the_proxy_is_refused(self):
        made = checkpoint_with_detail()
        made = replace(made, trained=TrainingSettings(concat=("plate", "occluder")))
        with pytest.raises(InputError, match="reads plate and proxy, but its denoiser reads plate, occluder"):
            build_detail_network(made)


@pytest.fixture(scope="module")
def plain(identity, motion, scene):  # noqa: F811
    made = tiny_checkpoint(layers=("plate", "proxy"), frame_local=True)
    return drawn(decoder(made, segment=100), identity, motion, scene)


class TestPipeline:
    def draw(self, network, job, **how):
        made = decoder(tiny_checkpoint(layers=("plate", "proxy"), frame_local=True), **how)
        made.detail = network
        return drawn(made, *job)

    def test_an_untrained_one_changes_nothing(self, plain, identity, motion, scene):  # noqa: F811
        frames, _ = self.draw(DetailNetwork(WIDTHS), (identity, motion, scene), segment=100)
        np.testing.assert_array_equal(frames, plain[0])

    def test_a_trained_one_changes_what_is_drawn_and_nothing_else(self, plain, identity, motion, scene):  # noqa: F811
        frames, areas = self.draw(taught(), (identity, motion, scene), segment=100)
        assert (frames != plain[0])[areas == 255].mean() > 0.3
        assert np.abs(frames.astype(int) - plain[0])[areas == 0].max() <= 1  # the rounding of what hardly counts

    def test_segments_give_what_the_whole_gives(self, identity, motion, scene):  # noqa: F811
        job = (identity, motion, scene)
        whole, parts = (self.draw(taught(), job, segment=segment)[0] for segment in (100, 1))
        assert np.abs(whole.astype(int) - parts).max() <= 1


class BlurredClips:
    """Clips whose drawn pictures are the true ones, blurred, and whose proxy is the true one, darker."""

    def __init__(self):
        rng = np.random.default_rng(0)
        frames = rng.integers(0, 256, (3, 8, 8, 3)).astype(np.uint8).repeat(4, 1).repeat(4, 2)
        visible = np.zeros(frames.shape[:3], np.uint8)
        visible[:, 8:24, 8:24] = 255
        drawn = (frames.astype(float) + np.roll(frames, 2, 1) + np.roll(frames, 2, 2)) / 3
        self.arrays = {"frames": frames, "plate": frames // 2, "proxy": frames // 4 * 3}
        self.arrays["body_code"] = visible[..., None].repeat(3, -1)
        self.arrays |= {"drawn": drawn.astype(np.uint8), "visible": visible}

    def __len__(self):
        return 1

    def read(self, number, name, frames):
        return self.arrays[name][frames]


class TestTraining:
    def test_it_learns_to_put_right_what_was_blurred(self, tmp_path):
        accelerator = pytest.importorskip("accelerate").Accelerator(cpu=True)
        torch.manual_seed(0)
        stage = DetailStage(BlurredClips(), DetailNetwork(WIDTHS), batch=2, picture_loss=PictureLoss())
        settings = StageSettings(steps=60, lr=3e-3, warmup=5, ema=0.9, save_every=100, show_every=100)
        report = fit_stage(stage, settings, tmp_path, accelerator=accelerator)
        assert np.mean(report.losses[-5:]) < 0.6 * np.mean(report.losses[:5])
        assert stage.pictures().shape == (3, 6 * 32, 4 * 32)

    def test_streamed_samples_are_refused(self, tmp_path):
        from mimo_lab.training.run import Training
        from mimo_lab.training.settings import Run

        training = Training(Run("a", stages={"detail": StageSettings()}), tmp_path, None)
        training._pool = object()
        with pytest.raises(InputError, match="detail learns from clips in a folder.*workers"):
            training.detail()
