"""Which kernels of our own a card uses: those that give there what torch's operators give, and are not slower.

The first pass decides it for each device and type, once for a process: the kernels are compiled, compared and timed.
MIMO_KERNELS in the environment is `off` for none of them, or `on` for all that are right, without timing.
"""

from __future__ import annotations

import copy
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from ..errors import InputError
from . import kernels, torch_operators
from .cuda_launch import LaunchError
from .layouts import as_pictures, is_traced


MOST_DIFFERENCE = 0.01  # from torch's operators in float32, as a share: bfloat16 rounds to 0.003
GROUPS_OF_NORM = 32
# Rows, side and channels of what is compared: an odd number of positions, and the channels of the official size.
COMPARED = tuple((6, 5, channels) for channels in (64, 320, 640, 1280))
TIMED = ((24, 64, 320), (24, 8, 1280))  # the first and the last level of a pass of 24 frames of 512 pixels
ROUNDS, CALLS = 3, 4  # the fastest round of so many calls counts


@dataclass(frozen=True)
class Operation:
    """Something that kernels and torch's operators both do. `draw` makes arguments to try, the usual ones first."""

    name: str
    by_kernel: Callable
    by_torch: Callable
    draw: Callable[[Callable[..., Tensor], int, int, int], list[Arguments]]


@dataclass(frozen=True)
class Arguments:
    given: tuple
    named: dict = field(default_factory=dict)

    def hand_to(self, way: Callable):
        return way(*self.given, **self.named)


@dataclass(frozen=True)
class Verdict:
    is_used: bool
    reason: str


def run(operation: Operation, like: Tensor, *given, **named):
    """What an operation gives, by the kernel if that `is_used` for activations `like`, (..., C)."""
    if is_used(operation, like):
        try:
            return operation.by_kernel(*given, **named)
        except LaunchError as error:  # nothing was computed
            _leave_out(operation, like, str(error))
    return operation.by_torch(*given, **named)


def is_used(operation: Operation, like: Tensor) -> bool:
    """Whether the kernel of an operation does activations `like`, (..., C). The first call for a device decides."""
    if is_traced() or not is_candidate(like):
        return False
    return get_verdicts(like.device, like.dtype)[operation.name].is_used


def is_candidate(like: Tensor) -> bool:
    """Whether there are kernels for a device and activations (..., C): NVIDIA's alone."""
    return like.is_cuda and torch.version.hip is None and kernels.fits(like)


def get_verdicts(device: torch.device, dtype: torch.dtype) -> dict[str, Verdict]:
    """What was found for each operation, by its name. While a CUDA graph is recorded nothing new is decided."""
    with _lock:
        if (found := _verdicts.get((device, dtype))) is None:
            if device.type != "cpu" and torch.cuda.is_current_stream_capturing():
                return dict.fromkeys((operation.name for operation in OPERATIONS), Verdict(False, "not yet tried"))
            found = {operation.name: judge(operation, device, dtype) for operation in OPERATIONS}
            _verdicts[device, dtype] = found
            logging.getLogger("mimo").info("Kernels on %s, %s: %s", device, dtype, "; ".join(describe_verdicts(found)))
    return found


def describe_verdicts(verdicts: dict[str, Verdict]) -> list[str]:
    """Of each operation whether its kernel is used, and why."""
    return [
        f"{name}: {'used' if verdict.is_used else 'left out'}, {verdict.reason}" for name, verdict in verdicts.items()
    ]


@torch.no_grad()
def judge(operation: Operation, device: torch.device, dtype: torch.dtype) -> Verdict:
    """Try one kernel. Raises InputError if MIMO_KERNELS is something else than on or off, or if the card stopped."""
    wish = os.environ.get("MIMO_KERNELS", "")
    if wish not in ("", "on", "off"):
        raise InputError(f"MIMO_KERNELS in the environment is `{wish}`. It can be `on`, `off` or not set.")
    if wish == "off":
        return Verdict(False, "MIMO_KERNELS=off")
    try:
        if not is_right(operation, device, dtype):
            return Verdict(False, "differs from torch's operators")
        ratio = None if wish == "on" else compare_times(operation, device, dtype)
    except (ImportError, AttributeError, OSError, RuntimeError) as error:  # another torch, no NVRTC, no memory
        _require_working(device, operation)
        return Verdict(False, str(error).partition("\n")[0] or type(error).__name__)
    if ratio is None:
        return Verdict(True, "MIMO_KERNELS=on")
    return Verdict(ratio >= 1, f"{ratio:.2f} times as fast as torch's operators")


def is_right(operation: Operation, device: torch.device, dtype: torch.dtype) -> bool:
    """Whether a kernel gives for random tensors what torch's operators give for them in float32."""
    generator = torch.Generator(device).manual_seed(0)  # its own, so that nobody's noise changes

    def make(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, device=device, dtype=dtype)

    for size in COMPARED:
        for arguments in operation.draw(make, *size):
            exact = _widen(arguments)  # first: some arguments are written over
            results = map(_as_tuple, (arguments.hand_to(operation.by_kernel), exact.hand_to(operation.by_torch)))
            for found, true in zip(*results, strict=True):
                if not (found.float() - true).norm() < MOST_DIFFERENCE * true.norm():
                    return False
    return True


def compare_times(operation: Operation, device: torch.device, dtype: torch.dtype) -> float:
    """How many times as fast as torch's operators a kernel is, over all sizes of `TIMED` that memory holds.

    Raises torch.OutOfMemoryError if it holds none.
    """

    def make(*shape: int) -> Tensor:
        return torch.zeros(shape, device=device, dtype=dtype)

    sums, error = [0.0, 0.0], None
    for size in TIMED:
        try:
            arguments = operation.draw(make, *size)[0]
            ways = operation.by_torch, operation.by_kernel
            times = [measure_time(partial(arguments.hand_to, way), device) for way in ways]
        except torch.OutOfMemoryError as full:
            error = full
        else:
            sums = [total + time for total, time in zip(sums, times, strict=True)]
    if error is not None and not all(sums):
        raise error
    return sums[0] / sums[1]


def measure_time(call: Callable[[], object], device: torch.device) -> float:
    """Milliseconds that a call takes on a card, between calls of its kind and after one that does not count."""
    with torch.cuda.device(device):
        call()
        rounds = []
        for _ in range(ROUNDS):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for _ in range(CALLS):
                call()
            end.record()
            end.synchronize()
            rounds.append(start.elapsed_time(end) / CALLS)
    return min(rounds)


def _leave_out(operation: Operation, like: Tensor, reason: str) -> None:
    """From now on torch's operators do it on that device."""
    logging.getLogger("mimo").warning("The kernel for %s is left out from now on: %s", operation.name, reason)
    with _lock:
        _verdicts[like.device, like.dtype][operation.name] = Verdict(False, reason)


def _require_working(device: torch.device, operation: Operation) -> None:
    """Raises InputError if a kernel has stopped the card for this process, which nothing can undo."""
    try:
        if device.type != "cpu":
            torch.cuda.synchronize(device)
    except RuntimeError as error:
        raise InputError(
            f"The kernel for {operation.name} stopped the card for this process. "
            "Set MIMO_KERNELS=off in the environment and start again."
        ) from error


def _as_tuple(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return result if isinstance(result, tuple) else (result,)


def _widen(arguments: Arguments) -> Arguments:
    """A copy in float32."""

    def widen(value):
        if isinstance(value, Tensor):
            return value.to(torch.float32, copy=True)
        return copy.deepcopy(value).float() if isinstance(value, nn.Module) else value

    named = {name: widen(value) for name, value in arguments.named.items()}
    return Arguments(tuple(map(widen, arguments.given)), named)


def _make_norm(norm: nn.GroupNorm | nn.LayerNorm, make: Callable[..., Tensor]) -> nn.GroupNorm | nn.LayerNorm:
    norm.weight, norm.bias = (nn.Parameter(make(len(norm.weight)), requires_grad=False) for _ in range(2))
    return norm


def _draw_groups(make, rows: int, side: int, channels: int) -> list[Arguments]:
    norm = _make_norm(nn.GroupNorm(GROUPS_OF_NORM, channels, device="meta"), make)
    x = as_pictures(make(rows, side * side, channels), (side, side))
    return [Arguments((norm, x, make(rows, channels)), {"activates": True}), Arguments((norm, x))]


def _draw_frames(make, rows: int, side: int, channels: int) -> list[Arguments]:
    norm = _make_norm(nn.GroupNorm(GROUPS_OF_NORM, channels, device="meta"), make)
    x = as_pictures(make(rows, side * side, channels), (side, side))
    return [Arguments((norm, x, rows // 2))]


def _draw_layer(make, rows: int, side: int, channels: int) -> list[Arguments]:
    norm = _make_norm(nn.LayerNorm(channels, device="meta"), make)
    tokens, fresh = (make(rows, side * side, channels) for _ in range(2))
    return [
        Arguments((norm, tokens, fresh), {"one": make(1, 1, channels)}),
        Arguments((norm, tokens, fresh), {"one": make(rows, 1, channels), "places": make(side * side, channels)}),
        Arguments((norm, tokens)),
    ]


def _draw_gate(make, rows: int, side: int, channels: int) -> list[Arguments]:
    return [Arguments((make(rows, side * side, 2 * channels),))]


def _draw_sequences(make, rows: int, side: int, channels: int) -> list[Arguments]:
    x = as_pictures(make(rows, side * side, channels), (side, side))
    return [Arguments((x, make(2 * side * side, rows // 2, channels), rows // 2))]


def _pair(name: str, function: str, draw: Callable[..., list[Arguments]]) -> Operation:
    return Operation(name, getattr(kernels, function), getattr(torch_operators, function), draw)


GROUPS = _pair("group norms", "normalize_groups", _draw_groups)
FRAMES = _pair("group norms of sequences", "normalize_frames", _draw_frames)
LAYER = _pair("sums with layer norms", "add_and_normalize", _draw_layer)
GATE = _pair("gates", "gate_with_gelu", _draw_gate)
SEQUENCES = _pair("sums of sequences", "add_sequences", _draw_sequences)
OPERATIONS = (GROUPS, FRAMES, LAYER, GATE, SEQUENCES)
_verdicts: dict[tuple[torch.device, torch.dtype], dict[str, Verdict]] = {}
_lock = threading.Lock()
