"""Layouts of what lies between the layers of a UNet, and what may be written over.

Activations are channels-last: (rows, C, h, w) whose memory is (rows, h * w, C), so tokens are a view of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


# Weight and bias of a norm for an input. ComfyUI hands in its own, for weights that lie elsewhere or carry a LoRA.
ParameterReader = Callable[[nn.GroupNorm | nn.LayerNorm, Tensor], tuple[Tensor, Tensor]]


def as_tokens(x: Tensor) -> Tensor:
    """(rows, C, h, w) as (rows, h * w, C): a view of a channels-last tensor, else a copy."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def as_pictures(tokens: Tensor, size: Sequence[int]) -> Tensor:
    """(rows, h * w, C) as a channels-last (rows, C, h, w)."""
    return tokens.unflatten(1, tuple(size)).permute(0, 3, 1, 2)


def add_to(fresh: Tensor, other: Tensor) -> Tensor:
    """Their sum, written over `fresh` unless that `is_traced`."""
    return fresh + other if is_traced() else fresh.add_(other)


def is_traced() -> bool:
    """Whether autograd or a compiler follows what is computed, so that nothing may be written over."""
    return torch.is_grad_enabled() or torch.compiler.is_compiling()


def find_parameters(norm: nn.GroupNorm | nn.LayerNorm, like: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of a norm in the type of `like`, as the owner of the norm reads them."""
    reader = getattr(norm, "read_parameters", None)
    weight, bias = (norm.weight, norm.bias) if reader is None else reader(norm, like)
    return weight.to(like.dtype), bias.to(like.dtype)
