"""The kernels for NVIDIA's cards against torch's operators: on a card where there is one, else on a CPU."""

import pytest
import torch

from mimo_core.denoise import kernels
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.denoiser import Denoiser
from tests.cuda_on_cpu import find_compiler, has_kernels_on_cpu, launch_on_cpu
from tests.tiny_networks import TINY, random_weights


@pytest.fixture(scope="module")
def launch(tmp_path_factory):
    return launch_on_cpu(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(params=["cpu", "cuda"])
def device(request, monkeypatch, launch):
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("no NVIDIA card")
    elif find_compiler() is None:
        pytest.skip("no C++20 compiler")
    else:
        monkeypatch.setattr(kernels, "launch", launch)
        monkeypatch.setattr(kernels, "THREADS", 64)  # of which a CPU would otherwise start 256 for every block
    return torch.device(request.param)


class TestKernels:
    @pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 5e-3)])
    def test_each_does_what_torch_does(self, device, dtype, tolerance):
        drawn = torch.get_rng_state()
        for found, true in kernels.compare_kernels(device, dtype):
            assert (found - true).norm() < tolerance * true.norm()
        assert torch.equal(torch.get_rng_state(), drawn)

    def test_weights_may_lie_anywhere_in_a_buffer(self, device):
        tokens, buffer = (torch.randn(shape, device=device) for shape in ((2, 3, 64), (129,)))
        weight, bias = buffer[1:65], buffer[65:]
        found = kernels.normalize_layer(tokens, weight, bias, 1e-5)[1]
        torch.testing.assert_close(found, torch.nn.functional.layer_norm(tokens, (64,), weight, bias, 1e-5))
        assert weight.data_ptr() % kernels.PACK_BYTES
        assert kernels._align(weight).data_ptr() % kernels.PACK_BYTES == 0

    def test_none_are_used_where_one_is_wrong_or_nobody_wants_them(self, device, monkeypatch):
        dtype = torch.float32
        kernels._are_right.cache_clear()
        assert kernels._are_right(device, dtype)
        monkeypatch.setenv("MIMO_KERNELS", "off")
        kernels._are_right.cache_clear()
        assert not kernels._are_right(device, dtype)
        monkeypatch.delenv("MIMO_KERNELS")
        launch = kernels.launch

        def launch_wrongly(name, like, grid, block, shared, arguments, **rest):
            launch(name, like, grid, block, shared, arguments, **rest)
            if name == "add_sequences":
                arguments[0][0, 0] += 1

        monkeypatch.setattr(kernels, "launch", launch_wrongly)
        kernels._are_right.cache_clear()
        assert not kernels._are_right(device, dtype)
        kernels._are_right.cache_clear()

    @torch.no_grad()
    def test_a_whole_pass_gives_the_same_and_leaves_its_inputs_alone(self, device, monkeypatch):
        denoiser, generator = random_weights(Denoiser(TINY)).to(device), torch.Generator().manual_seed(0)
        shapes = (4, 8, 5, 6), (2, 32, 5, 6), (1, 1, 16)
        x, pose, token = (torch.randn(shape, generator=generator).to(device) for shape in shapes)
        call = (x, torch.full((4,), 500, device=device), token, None, {"cond_or_uncond": [1, 0]})
        before = x.clone(), pose.clone(), token.clone()
        monkeypatch.setattr(kernels, "has_kernels", lambda tokens: False)
        expected, launched, launch = denoiser(*call, pose=pose), [], kernels.launch
        monkeypatch.setattr(kernels, "has_kernels", has_kernels_on_cpu)
        monkeypatch.setattr(kernels, "launch", lambda name, *a, **k: (launched.append(name), launch(name, *a, **k)))
        found = denoiser(*call, pose=pose)
        assert (found - expected).norm() < 2e-5 * expected.norm()
        assert all(torch.equal(*pair) for pair in zip((x, pose, token), before, strict=True))
        assert len(set(launched)) == 6


def test_every_layer_of_the_official_size_has_kernels():
    """The widest are the gates of the deepest levels; a token of theirs is as much as a block of threads may sum."""
    widest = 4 * max(MimoConfig().block_out_channels)
    assert 2 * widest // kernels.PACK_BYTES <= kernels.MOST_LANES <= 1024
    assert kernels.MOST_LANES * kernels.PACK_BYTES // 2 * 8 <= 48 * 1024
