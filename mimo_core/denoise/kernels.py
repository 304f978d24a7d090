"""The kernels of `elementwise.cu` for tensors on NVIDIA's cards, compiled by the NVRTC that comes with torch.

They need no toolkit and no compiler on the machine. Where NVRTC is missing, or a result differs from torch's own, there
are none, and torch's operators do the same in more passes over memory. MIMO_KERNELS=off in the environment has the same
effect.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import gelu, group_norm, layer_norm, silu


VALUES = {torch.float16: 16, torch.bfloat16: 17, torch.float32: 32}  # as elementwise.cu names them
PACK_BYTES = 16  # what a thread reads at a time
THREADS, WARP = 256, 32
MOST_LANES = 640  # threads for the packs of one token, 5120 halves: the sums of a block then take 40 of its 48 kB
BLOCKS = 2048  # of a kernel over all positions, about: a large card runs some 1000 at a time
FEWEST_STEPS = 8  # of a thread in such a kernel
MOST_DIFFERENCE = 0.01  # from torch's operators in float32, as a share: bfloat16 rounds to 0.003


def has_kernels(x: Tensor) -> bool:
    """Whether the kernels do tensors like `x`, (..., C) with the channels last."""
    lanes, rest = divmod(x.shape[-1] * x.element_size(), PACK_BYTES)
    if x.dtype not in VALUES or rest or lanes > MOST_LANES or not x.is_contiguous():
        return False
    return x.is_cuda and x.data_ptr() % PACK_BYTES == 0 and _are_right(x.device, x.dtype)


def measure_groups(
    tokens: Tensor, weight: Tensor, bias: Tensor, groups: int, eps: float, added: Tensor | None = None
) -> Tensor:
    """Factor and summand of a group norm, (rows, 2, C) float32, for tokens (rows, n, C) plus `added` (rows, C)."""
    rows, positions, channels = tokens.shape
    grid, block, stretch = _share_out(tokens)
    sums = tokens.new_empty(rows, grid[0], 2, channels, dtype=torch.float32)
    shared = block * (PACK_BYTES // tokens.element_size()) * 8
    launch("sum_channels", tokens, grid, block, shared, (sums, tokens, positions, channels, stretch))
    factors = tokens.new_empty(rows, 2, channels, dtype=torch.float32)
    read = (sums, added, weight, bias)
    numbers = (grid[0], positions, channels, groups, eps)
    launch("finish_groups", tokens, (rows, 1), THREADS, 8 * (channels + groups), (factors, *read, *numbers))
    return factors


def scale_and_shift(tokens: Tensor, factors: Tensor, *, frames: int = 0, activates: bool = False) -> Tensor:
    """Tokens (rows, n, C) times and plus `factors`, with SiLU if it `activates`.

    With `frames`, rows are chunks of so many, and the result is (chunks, n, frames, C).
    """
    rows, positions, channels = tokens.shape
    scaled = tokens.new_empty((rows // frames, positions, frames, channels) if frames else tokens.shape)
    grid, block, stretch = _share_out(tokens)
    numbers = (positions, channels, stretch, frames, int(activates))
    launch("scale_and_shift", tokens, grid, block, 0, (scaled, tokens, factors, *numbers))
    return scaled


def normalize_layer(
    tokens: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    *,
    other: Tensor | None = None,
    one: Tensor | None = None,
    places: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """(sum, its layer norm) of tokens (rows, n, C) plus `other`, of that shape, plus `one`, (rows or 1, 1, C).

    The sum is written over `other`; without it there is no sum, and `one` is not allowed. `places` (n, C) are added to
    the norm.
    """
    rows, count, channels = tokens.shape
    normed = torch.empty_like(tokens)
    each = 1 if one is None else rows // len(one) * count
    read = (None if tensor is None else _align(tensor) for tensor in (one, places, weight, bias))
    tensors = (other, normed, tokens, other, *read)
    grid, numbers = (-(-rows * count * WARP // THREADS), 1), (rows * count, each, count, eps)
    launch("normalize_layer", tokens, grid, THREADS, 0, (*tensors, *numbers), channels=channels)
    return tokens if other is None else other, normed


def gate_with_gelu(hidden: Tensor) -> Tensor:
    """The first half of the channels of (..., 2 C) times the exact GELU of the second."""
    channels = hidden.shape[-1] // 2
    gated = hidden.new_empty(*hidden.shape[:-1], channels)
    packs = gated.numel() * gated.element_size() // PACK_BYTES
    arguments = (gated, hidden, gated.numel() // channels, channels)
    launch("gate_with_gelu", hidden, (-(-packs // THREADS), 1), THREADS, 0, arguments)
    return gated


def add_sequences(tokens: Tensor, sequences: Tensor, frames: int) -> Tensor:
    """Tokens (chunks * F, n, C) plus sequences (chunks * n, F, C), one for every position."""
    _, positions, channels = tokens.shape
    total = torch.empty_like(tokens)
    grid, block, stretch = _share_out(tokens)
    numbers = (positions, channels, stretch, frames)
    launch("add_sequences", tokens, grid, block, 0, (total, tokens, sequences, *numbers))
    return total


def launch(
    name: str,
    like: Tensor,
    grid: tuple[int, int],
    block: int,
    shared: int,
    arguments: Sequence[Tensor | int | float | None],
    *,
    channels: int = 0,
) -> None:
    """Run a kernel for values of the type of `like`, on its device.

    A tensor that is read and written is given twice, None is a tensor that is not there. `shared` is in bytes;
    `channels` is for kernels that must know their number when they are compiled.
    """
    device = like.device
    function = _load_function(name, device, VALUES[like.dtype], channels)
    values = [_as_argument(argument) for argument in arguments]
    pointers = (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values))
    stream = ctypes.c_void_p(torch.cuda.current_stream(device).cuda_stream)
    with torch.cuda.device(device):
        _check(
            _find_libraries(device)[0].cuLaunchKernel(function, *grid, 1, block, 1, 1, shared, stream, pointers, None),
            name,
        )


def _share_out(tokens: Tensor) -> tuple[tuple[int, int], int, int]:
    """Grid, threads of a block, and positions of a stretch, for tokens (rows, n, C)."""
    rows, positions, channels = tokens.shape
    lanes = channels * tokens.element_size() // PACK_BYTES
    at_once = max(THREADS // lanes, 1)
    stretch = max(-(-positions * rows // BLOCKS), FEWEST_STEPS * at_once)
    return (-(-positions // stretch), rows), lanes * at_once, stretch


def _align(tensor: Tensor) -> Tensor:
    """A contiguous tensor that starts where a pack may: weights that ComfyUI streams in lie anywhere in a buffer."""
    tensor = tensor.contiguous()
    return tensor if tensor.data_ptr() % PACK_BYTES == 0 else tensor.clone()


def _as_argument(argument: Tensor | int | float | None):
    if isinstance(argument, Tensor):
        return ctypes.c_void_p(argument.data_ptr())
    if argument is None:
        return ctypes.c_void_p()
    return ctypes.c_float(argument) if isinstance(argument, float) else ctypes.c_int(argument)


@cache
def _are_right(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether the kernels can be compiled for a device, and do what torch's operators do."""
    if torch.version.hip is not None or os.environ.get("MIMO_KERNELS") == "off":
        return False
    try:
        pairs = compare_kernels(device, dtype)
        return all((found - true).norm() < MOST_DIFFERENCE * true.norm() for found, true in pairs)
    except (ImportError, AttributeError, OSError, RuntimeError):  # another torch, no NVRTC, or one that fails here
        return False


@torch.no_grad()
def compare_kernels(device: torch.device, dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
    """What each kernel gives for random tensors, and what torch gives: pairs of float32."""
    frames, positions, channels, groups, eps = 3, 35, 64, 8, 1e-5
    generator = torch.Generator().manual_seed(0)  # its own, so that nobody's noise changes

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device, dtype)

    tokens, added, hidden = draw(2 * frames, positions, channels), draw(2 * frames, channels), draw(5, 7, 2 * channels)
    other, one, sequences = draw(*tokens.shape), draw(2 * frames, 1, channels), draw(2 * positions, frames, channels)
    places, weight, bias = draw(positions, channels), draw(channels), draw(channels)
    drawn = (tokens, added, other, one, places, weight, bias)
    wide_tokens, wide_added, wide_other, wide_one, wide_places, *affine = (
        tensor.to(torch.float32, copy=True)
        for tensor in drawn  # one is written over
    )
    value, gate = hidden.float().chunk(2, -1)

    factors = measure_groups(tokens, weight, bias, groups, eps, added)
    plain = measure_groups(tokens, weight, bias, groups, eps)
    summed = (wide_tokens + wide_added[:, None]).transpose(1, 2)
    grouped = group_norm(summed, groups, *affine, eps).transpose(1, 2)
    in_time = group_norm(wide_tokens.transpose(1, 2), groups, *affine, eps).transpose(1, 2).unflatten(0, (2, frames))
    total, normed = normalize_layer(tokens, weight, bias, eps, other=other, one=one, places=places)
    true_total = wide_tokens + wide_other + wide_one
    turned = sequences.float().unflatten(0, (2, positions)).transpose(1, 2).flatten(0, 1)
    pairs = [
        (scale_and_shift(tokens, factors, activates=True), silu(grouped)),
        (scale_and_shift(tokens, plain, frames=frames), in_time.transpose(1, 2)),
        (total, true_total),
        (normed, layer_norm(true_total, (channels,), *affine, eps) + wide_places),
        (normalize_layer(tokens, weight, bias, eps)[1], layer_norm(wide_tokens, (channels,), *affine, eps)),
        (gate_with_gelu(hidden), value * gelu(gate)),
        (add_sequences(tokens, sequences, frames), wide_tokens + turned),
    ]
    return [(found.float(), true) for found, true in pairs]


@cache
def _load_function(name: str, device: torch.device, value: int, channels: int) -> ctypes.c_void_p:
    """A kernel of elementwise.cu, compiled for a device. Raises OSError or RuntimeError where that cannot be done."""
    with torch.cuda.device(device):
        torch.cuda.current_stream()  # a context must be there
        module, function = ctypes.c_void_p(), ctypes.c_void_p()
        driver, binary = _find_libraries(device)[0], _compile(value, channels, device)
        _check(driver.cuModuleLoadData(ctypes.byref(module), binary), name)
        _check(driver.cuModuleGetFunction(ctypes.byref(function), module, name.encode()), name)
    return function


@cache
def _compile(value: int, channels: int, device: torch.device) -> bytes:
    """elementwise.cu as machine code, for a type of values and a number of channels."""
    compiler, program = _find_libraries(device)[1], ctypes.c_void_p()
    major, minor = torch.cuda.get_device_capability(device)
    options = [f"--gpu-architecture=sm_{major}{minor}", f"-DVALUE={value}"]
    if channels:
        options.append(f"-DCHANNELS={channels}")
    encoded = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
    source = Path(__file__).with_name("elementwise.cu").read_bytes()
    _check(compiler.nvrtcCreateProgram(ctypes.byref(program), source, b"elementwise.cu", 0, None, None), "source")
    try:
        _check(compiler.nvrtcCompileProgram(program, len(options), encoded), "compilation")
        size = ctypes.c_size_t()
        _check(compiler.nvrtcGetCUBINSize(program, ctypes.byref(size)), "size")
        binary = ctypes.create_string_buffer(size.value)
        _check(compiler.nvrtcGetCUBIN(program, binary), "code")
    finally:
        compiler.nvrtcDestroyProgram(ctypes.byref(program))
    return binary.raw


@cache
def _find_libraries(device: torch.device) -> tuple:
    """CUDA's driver and NVRTC, as torch loads them. Raises ImportError, AttributeError or OSError without them."""
    from torch.cuda import _utils

    driver = _utils._get_cuda_library()
    try:
        return driver, _utils._get_nvrtc_library()
    except OSError:
        torch.special.bessel_j1(torch.ones(1, device=device))  # for which torch loads the one beside it
        return driver, _utils._get_nvrtc_library()


def _check(status: int, what: str) -> None:
    if status:
        raise RuntimeError(f"CUDA error {status}: {what}.")
