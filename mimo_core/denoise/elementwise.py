"""What lies between the layers of a UNet: layouts, sums, gates and group norms, in few passes over memory.

Activations are channels-last: (rows, C, h, w) whose memory is (rows, h * w, C), so tokens are a view of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, silu

from . import kernels


# Weight and bias of a norm for an input. ComfyUI hands in its own, for weights that lie elsewhere or carry a LoRA.
ParameterReader = Callable[[nn.GroupNorm | nn.LayerNorm, Tensor], tuple[Tensor, Tensor]]

GATE = """
template <typename T> T gate_with_gelu(T value, T gate) {
    float x = gate;
    return T(float(value) * x * 0.5f * (1.0f + erff(x * 0.70710678118654752f)));
}
"""


def as_tokens(x: Tensor) -> Tensor:
    """(rows, C, h, w) as (rows, h * w, C): a view of a channels-last tensor, else a copy."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def as_pictures(tokens: Tensor, size: Sequence[int]) -> Tensor:
    """(rows, h * w, C) as a channels-last (rows, C, h, w)."""
    return tokens.unflatten(1, tuple(size)).permute(0, 3, 1, 2)


def add_to(fresh: Tensor, other: Tensor) -> Tensor:
    """Their sum, written over `fresh` unless that `is_traced`."""
    return fresh + other if is_traced() else fresh.add_(other)


def gate_with_gelu(hidden: Tensor) -> Tensor:
    """The first half of the channels times the exact GELU of the second: one pass over memory on CUDA and ROCm."""
    if _has_kernels(hidden.unflatten(-1, (2, -1))):  # each half has to be whole packs
        return kernels.gate_with_gelu(hidden)
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
    if _has_kernels(tokens) and (fresh is None or fresh.is_contiguous()):
        weight, bias = find_parameters(norm, tokens)
        return kernels.normalize_layer(tokens, weight, bias, norm.eps, other=fresh, one=one, places=places)
    total = tokens if fresh is None else add_to(fresh, tokens)
    if one is not None:
        total = add_to(total, one)
    normed = norm(total)
    return total, normed if places is None else add_to(normed, places)


def normalize_groups(norm: nn.GroupNorm, x: Tensor, added: Tensor | None = None, *, activates: bool = False) -> Tensor:
    """`norm` of (rows, C, h, w), to which (rows, C) is added first, then SiLU if it `activates`.

    torch's own kernel on CUDA copies a channels-last tensor to another layout and leaves it there. Where that would
    be, this is two kernels of ours, or two sums over each channel and one multiply-add, and adding costs no pass.
    """
    if _has_kernels(tokens := as_tokens(x)):
        parameters = find_parameters(norm, tokens)
        factors = kernels.measure_groups(tokens, *parameters, norm.num_groups, norm.eps, added)
        return as_pictures(kernels.scale_and_shift(tokens, factors, activates=activates), x.shape[2:])
    if _has_own_kernel(x):
        scale, shift = measure_groups(norm, tokens, added)
        normed = as_pictures(scale_and_shift(tokens, scale, shift), x.shape[2:])
    else:
        normed = norm(x if added is None else add_to(x, added[:, :, None, None]))
    return activate(normed) if activates else normed


def normalize_frames(norm: nn.GroupNorm, x: Tensor, frames: int) -> Tensor:
    """`norm` of (chunks * F, C, h, w) as one sequence of frames per position: (chunks * h * w, F, C)."""
    tokens = as_tokens(x)
    if _has_kernels(tokens):
        factors = kernels.measure_groups(tokens, *find_parameters(norm, tokens), norm.num_groups, norm.eps)
        return kernels.scale_and_shift(tokens, factors, frames=frames).flatten(0, 1)
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
    if _has_kernels(tokens) and sequences.is_contiguous():
        return as_pictures(kernels.add_sequences(tokens, sequences, frames), x.shape[2:])
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


def find_parameters(norm: nn.GroupNorm | nn.LayerNorm, like: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of a norm in the type of `like`, as the owner of the norm reads them."""
    reader = getattr(norm, "read_parameters", None)
    weight, bias = (norm.weight, norm.bias) if reader is None else reader(norm, like)
    return weight.to(like.dtype), bias.to(like.dtype)


def _has_kernels(tokens: Tensor) -> bool:
    return not is_traced() and kernels.has_kernels(tokens)


def _has_own_kernel(x: Tensor) -> bool:
    return (x.is_cuda or x.is_meta) and not torch.is_grad_enabled()  # on meta, what a GPU does is counted


def is_traced() -> bool:
    """Whether autograd or a compiler follows what is computed, so that nothing may be written over."""
    return torch.is_grad_enabled() or torch.compiler.is_compiling()


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
