"""What lies between the layers of a UNet by torch's operators: the same functions as in `elementwise`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, silu

from .layouts import add_to, as_pictures, as_tokens, find_parameters, is_traced


GATE = """
template <typename T> T gate_with_gelu(T value, T gate) {
    float x = gate;
    return T(float(value) * x * 0.5f * (1.0f + erff(x * 0.70710678118654752f)));
}
"""


def gate_with_gelu(hidden: Tensor) -> Tensor:
    """The first half of the channels times the exact GELU of the second: one pass over memory on CUDA and ROCm."""
    value, gate = hidden.chunk(2, -1)
    if is_traced():
        return value * gelu(gate)
    kernel = _load_gate(hidden.device, hidden.dtype) if hidden.is_cuda and hidden.dtype != torch.float64 else None
    return gelu(gate).mul_(value) if kernel is None else kernel(value, gate)


def activate(x: Tensor) -> Tensor:
    """SiLU, in place unless that `is_traced`."""
    return silu(x) if is_traced() else silu(x, inplace=True)


def add_and_normalize(
    norm: nn.LayerNorm,
    tokens: Tensor,
    fresh: Tensor | None = None,
    *,
    one: Tensor | None = None,
    places: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """(sum, its `norm`) of tokens (rows, n, C), `fresh` of that shape, and `one` for each row, (rows or 1, 1, C).

    `fresh` may be written over, and has to be there if there is `one`. `places` (n, C) are added to the norm.
    """
    total = tokens if fresh is None else add_to(fresh, tokens)
    if one is not None:
        total = add_to(total, one)
    normed = norm(total)
    return total, normed if places is None else add_to(normed, places)


def normalize_groups(norm: nn.GroupNorm, x: Tensor, added: Tensor | None = None, *, activates: bool = False) -> Tensor:
    """`norm` of (rows, C, h, w), to which (rows, C) is added first, then SiLU if it `activates`.

    torch's own kernel on CUDA copies a channels-last tensor to another layout and leaves it there. Where that would
    be, this is two sums over each channel and one multiply-add, and adding costs no pass.
    """
    if _has_own_kernel(x):
        tokens = as_tokens(x)
        scale, shift = measure_groups(norm, tokens, added)
        normed = as_pictures(scale_and_shift(tokens, scale, shift), x.shape[2:])
    else:
        normed = norm(x if added is None else add_to(x, added[:, :, None, None]))
    return activate(normed) if activates else normed


def normalize_frames(norm: nn.GroupNorm, x: Tensor, frames: int) -> Tensor:
    """`norm` of (chunks * F, C, h, w) as one sequence of frames per position: (chunks * h * w, F, C)."""
    tokens = as_tokens(x)
    if not _has_own_kernel(x):
        tokens = as_tokens(norm(x)).unflatten(0, (-1, frames))
        return tokens.transpose(1, 2).flatten(0, 1)
    scale, shift = (part.unflatten(0, (-1, frames)) for part in measure_groups(norm, tokens))
    tokens = tokens.unflatten(0, (-1, frames))
    if torch.compiler.is_compiling():
        return scale_and_shift(tokens, scale, shift).transpose(1, 2).flatten(0, 1)
    chunks, _, positions, channels = tokens.shape
    sequences = tokens.new_empty(chunks, positions, frames, channels)
    torch.addcmul(shift, tokens, scale, out=sequences.transpose(1, 2))
    return sequences.flatten(0, 1)


def add_sequences(x: Tensor, sequences: Tensor, frames: int) -> Tensor:
    """(chunks * F, C, h, w) plus a sequence of frames for each position, (chunks * h * w, F, C)."""
    tokens = as_tokens(x)
    sums = tokens.unflatten(0, (-1, frames)) + sequences.unflatten(0, (-1, tokens.shape[1])).transpose(1, 2)
    return as_pictures(sums.flatten(0, 1), x.shape[2:])


def measure_groups(norm: nn.GroupNorm, tokens: Tensor, added: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What a group norm multiplies by and adds, (rows, 1, C) float32 each, for tokens (rows, n, C) plus `added`."""
    rows, positions, channels = tokens.shape
    groups = norm.num_groups
    weight, bias = find_parameters(norm, tokens)
    sums = tokens.sum(1, dtype=torch.float32)
    squares = torch.linalg.vector_norm(tokens, dim=1, dtype=torch.float32).square()
    if added is not None:
        added, before = added.float(), sums
        sums = torch.add(sums, added, alpha=positions)
        squares = torch.addcmul(squares, added, before + sums)
    both = torch.stack((sums, squares)).view(2, rows, groups, -1).sum(3, keepdim=True)
    mean, second = (both * (groups / (positions * channels))).unbind()
    variance = torch.addcmul(second, mean, mean, value=-1).clamp(min=0)
    scale = (variance + norm.eps).rsqrt() * weight.view(groups, -1)
    center = mean if added is None else mean - added.view(rows, groups, -1)
    shift = torch.addcmul(bias.view(groups, -1), center, scale, value=-1)
    return scale.view(rows, 1, channels), shift.view(rows, 1, channels)


def scale_and_shift(tokens: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """tokens * scale + shift, rounded to the type of the tokens once."""
    if torch.compiler.is_compiling():
        return torch.addcmul(shift, tokens.float(), scale).to(tokens.dtype)
    return torch.addcmul(shift, tokens, scale, out=torch.empty_like(tokens))


def _has_own_kernel(x: Tensor) -> bool:
    return (x.is_cuda or x.is_meta) and not torch.is_grad_enabled()  # on meta, what a GPU does is counted


@cache
def _load_gate(device: torch.device, dtype: torch.dtype) -> Callable[[Tensor, Tensor], Tensor] | None:
    """The gate as one kernel, which the runtime compiler inside torch makes; None where that is not to be had."""
    sample = torch.linspace(-4, 4, 99, device=device, dtype=dtype)
    try:
        from torch.cuda.jiterator import _create_jit_fn

        kernel = _create_jit_fn(GATE)
        is_right = torch.allclose(kernel(sample, sample), sample * gelu(sample), rtol=1e-2, atol=1e-3)
    except (ImportError, RuntimeError):
        return None
    return kernel if is_right else None
