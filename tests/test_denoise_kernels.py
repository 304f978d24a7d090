"""The kernels for NVIDIA's cards against torch's operators: on a card where there is one, else on a CPU."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from mimo_core.denoise import elementwise, kernel_choice, kernels
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.cuda_launch import LaunchError
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.kernel_choice import OPERATIONS, SEQUENCES
from mimo_core.errors import InputError
from tests.cuda_on_cpu import find_compiler, is_candidate_on_cpu, launch_on_cpu
from tests.tiny_networks import TINY, random_weights


FLOAT = torch.float32
NAMES = {operation.name for operation in OPERATIONS}


@pytest.fixture(scope="module")
def launch(tmp_path_factory):
    return launch_on_cpu(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(params=["cpu", "cuda"])
def device(request, monkeypatch, launch):
    """Where kernels run, before anything is decided: one small size to try, and a watch that calls it a draw."""
    monkeypatch.setattr(kernel_choice, "_verdicts", {})
    monkeypatch.setattr(kernel_choice, "COMPARED", ((2, 3, 64),))
    monkeypatch.setattr(kernel_choice, "TIMED", ((2, 3, 64),))
    monkeypatch.setattr(kernel_choice, "measure_time", lambda call, device: 1.0)
    monkeypatch.delenv("MIMO_KERNELS", raising=False)
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("no NVIDIA card")
    elif find_compiler() is None:
        pytest.skip("no C++20 compiler")
    else:
        monkeypatch.setattr(kernels, "launch", launch)
        monkeypatch.setattr(kernels, "THREADS", 64)  # of which a CPU would otherwise start 256 for every block
        monkeypatch.setattr(kernel_choice, "is_candidate", is_candidate_on_cpu)
    return torch.device(request.param, 0) if request.param == "cuda" else torch.device("cpu")


def find_used(device) -> set[str]:
    return {name for name, verdict in kernel_choice.get_verdicts(device, FLOAT).items() if verdict.is_used}


def change_launch(monkeypatch, change):
    """Put `change`, of the launch and what it was given, in the place of every launch."""
    launch = kernels.launch
    monkeypatch.setattr(kernels, "launch", lambda *given, **named: change(launch, *given, **named))


class TestKernels:
    @pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 5e-3)])
    def test_each_does_what_torch_does(self, device, dtype, tolerance, monkeypatch):
        monkeypatch.setattr(kernel_choice, "COMPARED", ((6, 5, 64),))
        monkeypatch.setattr(kernel_choice, "MOST_DIFFERENCE", tolerance)
        drawn = torch.get_rng_state()
        assert all(kernel_choice.is_right(operation, device, dtype) for operation in OPERATIONS)
        assert torch.equal(torch.get_rng_state(), drawn)

    def test_weights_may_lie_anywhere_in_a_buffer(self, device):
        tokens, buffer = (torch.randn(shape, device=device) for shape in ((2, 3, 64), (129,)))
        norm = torch.nn.LayerNorm(64)
        norm.read_parameters = lambda norm, like: (buffer[1:65], buffer[65:])
        assert buffer[1:65].data_ptr() % kernels.PACK_BYTES
        found = kernels.add_and_normalize(norm, tokens)[1]
        torch.testing.assert_close(found, torch.nn.functional.layer_norm(tokens, (64,), buffer[1:65], buffer[65:]))

    def test_a_smaller_tensor_is_repeated_and_one_that_cannot_be_is_refused(self, device):
        """A kernel that took it as it is would read beyond it."""
        norm, x = torch.nn.GroupNorm(8, 64, device=device), torch.randn(2, 64, 3, 3, device=device)
        x = x.contiguous(memory_format=torch.channels_last)
        added = torch.randn(1, 64, device=device)
        with torch.no_grad():
            torch.testing.assert_close(kernels.normalize_groups(norm, x, added), norm(x + added[:, :, None, None]))
            with pytest.raises(RuntimeError, match="expand"):
                kernels.normalize_groups(norm, x, added[:, :32])

    @torch.no_grad()
    def test_a_whole_pass_gives_the_same_and_leaves_its_inputs_alone(self, device, monkeypatch):
        denoiser, generator = random_weights(Denoiser(TINY)).to(device), torch.Generator().manual_seed(0)
        shapes = (4, 8, 5, 6), (2, 32, 5, 6), (1, 1, 16)
        x, pose, token = (torch.randn(shape, generator=generator).to(device) for shape in shapes)
        call = (x, torch.full((4,), 500, device=device), token, None, {"cond_or_uncond": [1, 0]})
        before = x.clone(), pose.clone(), token.clone()
        monkeypatch.setattr(kernel_choice, "is_used", lambda operation, like: False)
        expected, launched = denoiser(*call, pose=pose), []
        change_launch(monkeypatch, lambda launch, *given, **named: (launched.append(given[0]), launch(*given, **named)))
        monkeypatch.setattr(kernel_choice, "is_used", lambda operation, like: is_candidate_on_cpu(like))
        found = denoiser(*call, pose=pose)
        assert (found - expected).norm() < 2e-5 * expected.norm()
        assert all(torch.equal(*pair) for pair in zip((x, pose, token), before, strict=True))
        assert len(set(launched)) == 6


class TestChoice:
    def test_those_that_are_right_and_no_slower_are_used(self, device):
        assert find_used(device) == NAMES

    def test_one_that_is_slower_is_left_out_alone(self, device, monkeypatch):
        def measure_time(call, device):
            return 1.5 if call.args[0] is SEQUENCES.by_kernel else 1.0

        monkeypatch.setattr(kernel_choice, "measure_time", measure_time)
        assert find_used(device) == NAMES - {SEQUENCES.name}
        lines = kernel_choice.describe_verdicts(kernel_choice.get_verdicts(device, FLOAT))
        assert f"{SEQUENCES.name}: left out, 0.67 times as fast as torch's operators" in lines
        assert "gates: used, 1.00 times as fast as torch's operators" in lines

    def test_one_that_is_wrong_is_left_out_alone(self, device, monkeypatch):
        def launch_wrongly(launch, name, like, grid, block, shared, arguments, **rest):
            launch(name, like, grid, block, shared, arguments, **rest)
            if name == "add_sequences":
                arguments[0][0, 0] += 1

        change_launch(monkeypatch, launch_wrongly)
        assert find_used(device) == NAMES - {SEQUENCES.name}

    def test_one_that_cannot_be_started_is_left_out_alone(self, device, monkeypatch):
        def fail(launch, name, *given, **named):
            if name == "add_sequences":
                raise LaunchError("CUDA error 209: add_sequences.")
            launch(name, *given, **named)

        change_launch(monkeypatch, fail)
        assert find_used(device) == NAMES - {SEQUENCES.name}

    def test_the_environment_forces_them_without_timing_or_leaves_them_out(self, device, monkeypatch):
        monkeypatch.setattr(kernel_choice, "measure_time", lambda call, device: pytest.fail("nothing is to be timed"))
        monkeypatch.setenv("MIMO_KERNELS", "on")
        assert find_used(device) == NAMES
        kernel_choice._verdicts.clear()
        monkeypatch.setenv("MIMO_KERNELS", "off")
        assert find_used(device) == set()
        kernel_choice._verdicts.clear()
        monkeypatch.setenv("MIMO_KERNELS", "yes")
        with pytest.raises(InputError, match="`yes`. It can be `on`, `off` or not set"):
            find_used(device)

    def test_sizes_that_memory_does_not_hold_are_not_timed(self, device, monkeypatch):
        def measure_time(call, device):
            if call.func.__self__.given[-1].shape[0] > 2:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return 1.0

        monkeypatch.setattr(kernel_choice, "measure_time", measure_time)
        monkeypatch.setattr(kernel_choice, "OPERATIONS", (kernel_choice.GATE,))
        monkeypatch.setattr(kernel_choice, "TIMED", ((4, 3, 64), (2, 3, 64)))
        assert find_used(device) == {"gates"}
        monkeypatch.setattr(kernel_choice, "TIMED", ((4, 3, 64),))
        kernel_choice._verdicts.clear()
        assert kernel_choice.get_verdicts(device, FLOAT)["gates"].reason == "CUDA out of memory."

    def test_threads_decide_once(self, device, monkeypatch):
        judged, judge = [], kernel_choice.judge
        monkeypatch.setattr(kernel_choice, "judge", lambda *given: (judged.append(given), judge(*given))[1])
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(find_used, [device] * 4))
        assert found == [NAMES] * 4 and len(judged) == len(NAMES)

    @torch.no_grad()
    def test_one_that_fails_in_a_pass_leaves_the_work_to_torch_from_then_on(self, device, monkeypatch, caplog):
        assert find_used(device) == NAMES
        tried = []

        def fail(launch, name, *given, **named):
            tried.append(name)
            raise LaunchError("CUDA error 1: gate_with_gelu.")

        change_launch(monkeypatch, fail)
        hidden = torch.randn(2, 3, 128, device=device)
        value, gate = hidden.chunk(2, -1)
        for _ in range(2):
            expected = value * torch.nn.functional.gelu(gate)
            torch.testing.assert_close(elementwise.gate_with_gelu(hidden), expected)
        assert tried == ["gate_with_gelu"] and "The kernel for gates is left out from now on" in caplog.text
        assert find_used(device) == NAMES - {"gates"}


def test_every_layer_of_the_official_size_has_kernels():
    """The widest are the gates of the deepest levels; a token of theirs is as much as a block of threads may sum."""
    widest = 4 * max(MimoConfig().block_out_channels)
    assert 2 * widest // kernels.PACK_BYTES <= kernels.MOST_LANES <= 1024
    assert kernels.MOST_LANES * kernels.PACK_BYTES // 2 * 8 <= 48 * 1024


@torch.no_grad()
def test_a_cpu_asks_for_no_kernel(monkeypatch):
    monkeypatch.setattr(kernel_choice, "judge", lambda *given: pytest.fail("nothing is to be tried"))
    elementwise.gate_with_gelu(torch.randn(2, 3, 128))
