"""What lies between the layers: the paths of a GPU against torch's own operators, on a CPU."""

import pytest
import torch
from torch import nn
from torch.nn.functional import gelu, group_norm
from torch.testing import assert_close

from mimo_core.denoise import torch_operators
from mimo_core.denoise.blocks import FeedForward
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.elementwise import gate_with_gelu, normalize_frames, normalize_groups
from mimo_core.denoise.layouts import as_pictures, as_tokens
from mimo_core.denoise.torch_operators import measure_groups
from tests.tiny_networks import TINY, random_weights


@pytest.fixture
def on_gpu_paths(monkeypatch):
    monkeypatch.setattr(torch_operators, "_has_own_kernel", lambda x: not torch.is_grad_enabled())


def make_norm(dtype):
    norm = nn.GroupNorm(8, 32)
    nn.init.normal_(norm.weight, 1, 0.3)
    nn.init.normal_(norm.bias)
    return norm.to(dtype)


def make_pictures(dtype, mean=0.0):
    generator = torch.Generator().manual_seed(0)
    pictures = (torch.randn(6, 32, 7, 5, generator=generator) + mean).to(dtype)
    return pictures.contiguous(memory_format=torch.channels_last)


def normalize_exactly(norm, x):
    return group_norm(x.double(), norm.num_groups, norm.weight.double(), norm.bias.double(), norm.eps)


class TestLayouts:
    def test_tokens_of_channels_last_pictures_are_a_view_and_go_back(self):
        x = make_pictures(torch.float32)
        tokens = as_tokens(x)
        assert tokens.data_ptr() == x.data_ptr() and tokens.is_contiguous()
        assert torch.equal(as_pictures(tokens, (7, 5)), x)

    @torch.no_grad()
    def test_a_pass_leaves_its_input_alone_and_is_channels_last_inside(self):
        denoiser, x = random_weights(Denoiser(TINY)), torch.randn(2, 8, 6, 7)
        before, seen = x.clone(), []
        for module in denoiser.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda _, __, output: seen.append(output))
        result = denoiser(x, torch.full((2,), 500), torch.full((1, 1, 16), 0.3), pose=torch.randn(2, 32, 6, 7))
        assert torch.equal(x, before) and result.is_contiguous()
        assert len(seen) > 20
        assert all(output.is_contiguous(memory_format=torch.channels_last) for output in seen)


class TestGroupNorm:
    @torch.no_grad()
    @pytest.mark.parametrize(
        ("dtype", "mean", "tolerance"),
        [(torch.float32, 0, 1e-6), (torch.float32, 30, 1e-4), (torch.float16, 30, 5e-4), (torch.bfloat16, 3, 4e-3)],
    )
    def test_it_is_that_of_the_sum_rounded_once(self, on_gpu_paths, dtype, mean, tolerance):
        norm, x, added = make_norm(dtype), make_pictures(dtype, mean), torch.randn(6, 32).to(dtype)
        expected = normalize_exactly(norm, x.double() + added.double()[:, :, None, None])
        normed = normalize_groups(norm, x, added)
        assert normed.dtype == dtype and normed.is_contiguous(memory_format=torch.channels_last)
        assert (normed - expected).norm() / expected.norm() < tolerance

    @torch.no_grad()
    def test_frames_come_back_as_sequences(self, on_gpu_paths):
        norm, x = make_norm(torch.float32), make_pictures(torch.float32)
        expected = as_tokens(norm(x)).unflatten(0, (2, 3)).transpose(1, 2).flatten(0, 1)
        sequences = normalize_frames(norm, x, 3)
        assert sequences.is_contiguous()
        assert_close(sequences, expected, rtol=0, atol=2e-6)

    @torch.no_grad()
    def test_weights_are_read_as_the_owner_of_the_norm_says(self, on_gpu_paths):
        norm, x = make_norm(torch.float32), make_pictures(torch.float32)
        once = measure_groups(norm, as_tokens(x))[0]
        norm.read_parameters = lambda norm, like: (2 * norm.weight, norm.bias)
        assert_close(measure_groups(norm, as_tokens(x))[0], 2 * once)


class TestPasses:
    def test_the_gate_is_the_exact_gelu_with_and_without_gradients(self):
        hidden = torch.randn(5, 3, 16)
        value, gate = hidden.chunk(2, -1)
        with torch.no_grad():
            assert_close(gate_with_gelu(hidden), value * gelu(gate))
        assert_close(gate_with_gelu(hidden.requires_grad_()), value * gelu(gate))

    @torch.no_grad()
    def test_a_feed_forward_by_parts_is_the_whole(self):
        layer, norm, tokens = random_weights(FeedForward(32)), nn.LayerNorm(32), torch.randn(7, 3, 32)
        expected = tokens + layer(norm(tokens))
        layer.hidden_bytes = 2 * 3 * 32 * 8 * 4
        sizes = []
        layer.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
        assert_close(layer.add_parts(tokens.clone(), norm(tokens)), expected)
        assert sizes == [2, 2, 2, 1]

    @torch.no_grad()
    def test_a_whole_pass_on_the_paths_of_a_gpu_gives_the_same(self, monkeypatch):
        denoiser, generator = random_weights(Denoiser(TINY)), torch.Generator().manual_seed(0)
        x, pose = torch.randn(6, 8, 6, 7, generator=generator), torch.randn(3, 32, 6, 7, generator=generator)
        call = (x, torch.full((6,), 500), torch.full((1, 1, 16), 0.3), None, {"cond_or_uncond": [1, 0]})
        expected = denoiser(*call, pose=pose)
        monkeypatch.setattr(torch_operators, "_has_own_kernel", lambda x: True)
        monkeypatch.setattr(FeedForward, "add_to_residual", FeedForward.add_parts)
        assert_close(denoiser(*call, pose=pose), expected, rtol=0, atol=2e-5)
