"""The three networks: names, shapes and constants of the official ones, and the laws that the shortcuts must keep."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from mimo_core.denoise import attention
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.motion_module import MotionModule, TemporalTransformer
from mimo_core.denoise.pose_guider import PoseGuider
from mimo_core.denoise.reference import ReferenceFeatures
from mimo_core.denoise.reference_unet import ReferenceUNet
from mimo_core.denoise.transformer import SpatialTransformer
from mimo_core.errors import InputError
from tests.tiny_networks import TINY, random_weights


MANIFEST = Path(__file__).parent / "data" / "parity" / "checkpoint_manifest.json"


@pytest.fixture(scope="module")
def denoiser():
    return random_weights(Denoiser(TINY))


@pytest.fixture(scope="module")
def features():
    unet = random_weights(ReferenceUNet(TINY), seed=1)
    with torch.no_grad():
        return unet(torch.randn(1, 4, 6, 7, generator=torch.Generator().manual_seed(2)), torch.full((1, 1, 16), 0.3))


def inputs(frames=3, chunks=2, size=(6, 7)):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(frames, 8, *size, generator=generator).repeat(chunks, 1, 1, 1)
    return x, torch.full((frames * chunks,), 500), torch.full((1, 1, 16), 0.3)


@torch.no_grad()
def predict(denoiser, x, timesteps, token, **rest):
    return denoiser(x, timesteps, token, **rest)


class TestOfficialCheckpoints:
    @pytest.mark.parametrize(
        ("network", "files"),
        [
            (Denoiser, ("denoising_unet.pth", "motion_module.pth")),
            (ReferenceUNet, ("reference_unet.pth",)),
            (PoseGuider, ("pose_guider.pth",)),
        ],
    )
    def test_the_real_size_network_has_the_official_keys_and_shapes(self, network, files):
        manifest = json.loads(MANIFEST.read_text())["files"]
        official = {entry["key"]: entry["shape"] for file in files for entry in manifest[file]["entries"]}
        ours = {key: list(value.shape) for key, value in network(MimoConfig(), device="meta").state_dict().items()}
        assert ours == official

    def test_every_norm_has_the_official_groups_and_eps(self):
        for path, module in Denoiser(MimoConfig(norm_groups=16), device="meta").named_modules():
            if isinstance(module, nn.GroupNorm):
                inside_transformer = "attentions" in path or "motion_modules" in path
                assert module.eps == (1e-6 if inside_transformer else 1e-5), path
                assert module.num_groups == (32 if "motion_modules" in path else 16), path
            if isinstance(module, nn.LayerNorm):
                assert module.eps == 1e-5, path

    def test_heads_are_a_count_at_every_level_and_21_motion_modules_exist(self):
        modules = list(Denoiser(MimoConfig(), device="meta").modules())
        assert {module.heads for module in modules if hasattr(module, "heads")} == {8}
        assert sum(isinstance(module, MotionModule) for module in modules) == 21


class TestReferenceUNet:
    def test_it_equals_diffusers_unet_at_its_sixteen_self_attentions(self):
        from diffusers import UNet2DConditionModel

        config = MimoConfig((32, 32, 32, 64), heads=4, cross_attention_dim=16, norm_groups=16)
        ours = random_weights(ReferenceUNet(config))
        theirs = UNet2DConditionModel(
            block_out_channels=(32, 32, 32, 64), attention_head_dim=4, cross_attention_dim=16, norm_num_groups=16
        ).eval()
        theirs.load_state_dict(ours.state_dict(), strict=False)
        seen = {}
        for path, module in theirs.named_modules():
            if path.endswith("transformer_blocks.0.norm1"):
                module.register_forward_hook(lambda _, __, output, key=path[:-6]: seen.__setitem__(key, output))

        latent, token = torch.randn(1, 4, 14, 10), torch.randn(1, 1, 16)
        with torch.no_grad():
            theirs(latent, torch.zeros(1), token)
            banks = ours(latent, token).banks

        assert len(banks) == 16
        assert_close(dict(banks), {path: seen[path] for path in banks}, rtol=0, atol=2e-5)


class TestAttentionByParts:
    @pytest.mark.parametrize(("held", "sizes"), [(12, {(4, 3)}), (6, {(2, 3)}), (2, {(1, 2), (1, 1)}), (0, {(1, 1)})])
    def test_it_is_the_whole_whatever_fits(self, monkeypatch, held, sizes):
        """Memory for the scores of so many heads, of 4 rows of 3."""
        generator, seen = torch.Generator().manual_seed(0), set()
        query, key, value = (torch.randn(4, 3, count, 8, generator=generator) for count in (5, 9, 9))
        whole = attention.scaled_dot_product_attention
        expected = whole(query, key, value)
        monkeypatch.setattr(attention, "SCORES_BYTES", held * 5 * 9 * 4)
        monkeypatch.setattr(
            attention, "scaled_dot_product_attention", lambda *part: seen.add(tuple(part[0].shape[:2])) or whole(*part)
        )
        torch.testing.assert_close(attention.attend_by_parts(query, key, value), expected)
        assert seen == sizes


class TestReferenceAttention:
    def test_projected_once_equals_projected_in_every_call(self, denoiser, features):
        with torch.no_grad():
            keys = denoiser.project_reference(features)
        assert_close(predict(denoiser, *inputs(), reference=keys), predict(denoiser, *inputs(), reference=features))

    def test_unconditional_rows_never_read_the_reference(self, denoiser, features):
        options = {"cond_or_uncond": [1, 0]}
        without = predict(denoiser, *inputs(), transformer_options=options)
        with_reference = predict(denoiser, *inputs(), transformer_options=options, reference=features)
        assert_close(with_reference[:3], without[:3], rtol=0, atol=0)
        assert (with_reference[3:] - without[3:]).abs().max() > 0.01

    def test_chunks_in_one_batch_equal_chunks_one_by_one(self, denoiser, features):
        x, timesteps, token = inputs(chunks=1)
        together = predict(
            denoiser, *inputs(), transformer_options={"cond_or_uncond": [1, 0]}, reference=features
        ).chunk(2)
        for kind, expected in zip([1, 0], together, strict=True):
            options = {"cond_or_uncond": [kind]}
            alone = predict(denoiser, x, timesteps, token, transformer_options=options, reference=features)
            assert_close(alone, expected, rtol=0, atol=1e-5)

    def test_with_and_without_gradients_it_is_the_same_attention(self, denoiser, features):
        x, timesteps, token = inputs()
        expected = predict(denoiser, x, timesteps, token, reference=features)
        assert_close(denoiser(x, timesteps, token, reference=features).detach(), expected, rtol=0, atol=1e-5)

    def test_the_order_of_several_views_does_not_matter_but_each_view_does(self, denoiser, features):
        other = ReferenceFeatures({name: -bank for name, bank in features.banks.items()})
        one, both, swapped = (
            predict(denoiser, *inputs(), reference=ReferenceFeatures.join(views))
            for views in ([features], [features, other], [other, features])
        )
        assert_close(both, swapped, rtol=0, atol=1e-5)
        assert (both - one).abs().max() > 1e-3

    def test_a_reference_of_another_network_is_refused_with_the_missing_blocks(self, denoiser):
        with pytest.raises(InputError, match="lacks 7 of 7 blocks.*mid_block"):
            denoiser.project_reference(ReferenceFeatures({}))


class TestMotionModules:
    def test_a_single_frame_does_not_see_its_neighbours_when_attention_is_off(self, denoiser):
        module = random_weights(MotionModule(32, 4, 32))
        x = torch.randn(3, 32, 2, 2)
        module.temporal_transformer.proj_out.weight.data.zero_()
        module.temporal_transformer.proj_out.bias.data.zero_()
        assert_close(module(x, 3), x, rtol=0, atol=0)

    @torch.no_grad()
    def test_group_statistics_are_per_frame(self):
        module = random_weights(MotionModule(32, 4, 32)).temporal_transformer
        seen = []
        module.proj_in.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
        x = torch.randn(2, 32, 3, 3)
        module(x, 2)
        module(torch.cat([x[:1], 100 * x[1:]]), 2)
        assert_close(seen[0][:, 0], seen[1][:, 0], rtol=0, atol=0)

    @torch.no_grad()
    def test_order_in_time_matters(self):
        module = random_weights(MotionModule(32, 4, 32))
        x = torch.randn(4, 32, 2, 2)
        assert (module(x.flip(0), 4).flip(0) - module(x, 4)).abs().max() > 0.01

    def test_more_frames_than_positions_are_refused_with_both_counts(self):
        with pytest.raises(InputError, match="33 frames.*know 32 positions"):
            MotionModule(32, 4, 32)(torch.randn(33, 32, 1, 1), 33)


class TestSizes:
    @pytest.mark.parametrize("size", [(13, 13), (8, 6), (5, 9)])
    def test_any_latent_size_comes_back(self, denoiser, size):
        assert predict(denoiser, *inputs(size=size)).shape == (6, 4, *size)

    def test_a_latent_of_98_goes_49_25_13_and_back(self):
        unet = Denoiser(MimoConfig((32, 32, 32, 32), cross_attention_dim=8), device="meta")
        seen = []
        for level in unet.down_blocks:
            level.resnets[-1].register_forward_hook(lambda _, __, output: seen.append(output.shape[-1]))
        for level in unet.up_blocks:
            level.resnets[-1].register_forward_hook(lambda _, __, output: seen.append(output.shape[-1]))
        x = torch.zeros(1, 8, 98, 98, device="meta")
        unet(x, torch.zeros(1, device="meta"), torch.zeros(1, 1, 8, device="meta"))
        assert seen == [98, 49, 25, 13, 13, 25, 49, 98]

    def test_pose_features_of_another_size_are_refused_with_both(self, denoiser):
        with pytest.raises(InputError, match=r"\(32, 5, 7\).*\(32, 6, 7\)"):
            predict(denoiser, *inputs(), pose=torch.zeros(3, 32, 5, 7))


class TestPoseGuider:
    @torch.no_grad()
    def test_it_works_frame_by_frame_at_an_eighth_of_the_size(self):
        guider = random_weights(PoseGuider(TINY))
        frames = torch.rand(3, 3, 40, 56)
        features = guider(frames)
        assert features.shape == (3, 32, 5, 7)
        assert_close(features[1:2], guider(frames[1:2]), rtol=0, atol=1e-6)


@pytest.mark.skipif("MIMO_INDUCTOR" not in os.environ, reason="MIMO_INDUCTOR is not set: compiling takes half a minute")
def test_inductor_compiles_it_to_the_same_numbers():
    denoiser = random_weights(Denoiser(replace(TINY, block_out_channels=(32, 32)))).requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    x, pose = torch.randn(4, 8, 8, 8, generator=generator), torch.randn(2, 32, 8, 8, generator=generator)
    call = (x, torch.full((4,), 500.0), torch.randn(1, 1, TINY.cross_attention_dim, generator=generator))
    options = {"pose": pose, "transformer_options": {"cond_or_uncond": [1, 0]}}
    with torch.no_grad():
        expected = denoiser(*call, **options)
        assert_close(torch.compile(denoiser, backend="inductor")(*call, **options), expected, rtol=0, atol=2e-5)


@pytest.mark.skipif("MIMO_INDUCTOR" not in os.environ, reason="MIMO_INDUCTOR is not set: compiling takes half a minute")
def test_inductor_joins_gates_sums_positions_and_norms():
    from torch._inductor.utils import run_and_get_code

    x = torch.randn(4, 32, 6, 7).contiguous(memory_format=torch.channels_last)
    spatial, temporal = (
        random_weights(SpatialTransformer(32, 4, 16, groups=8)),
        random_weights(TemporalTransformer(32, 4, 8)),
    )
    with torch.no_grad():
        for network, given in ((spatial, torch.randn(4, 1, 16)), (temporal, 4)):
            result, (code,) = run_and_get_code(torch.compile(network, dynamic=False, fullgraph=True), x, given)
            assert_close(result, network(x, given), rtol=0, atol=2e-5)
            kernels = [line for line in code.partition("def call")[2].splitlines() if "cpp_fused" in line]
            assert sum("gelu_mul" in line for line in kernels) == 1
            assert sum("add_native_layer_norm" in line for line in kernels) == (1 if network is spatial else 3)
            assert len(kernels) <= (7 if network is spatial else 8)
