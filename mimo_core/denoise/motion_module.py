"""Motion modules: attention over time, one sequence of frames per position (AnimateDiff v2's layout)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ..errors import InputError
from .attention import Attention
from .blocks import FeedForward
from .elementwise import add_and_normalize, add_sequences, normalize_frames


NORM_GROUPS = 32  # always, whatever the other norms use


class PositionTable(nn.Module):
    """The sinusoidal table of temporal positions (1, frames, C): sines on even channels, cosines on odd ones.

    It is a buffer of a module without layers, so nothing moves or casts it in time: it follows its input at use.
    """

    def __init__(self, channels: int, frames: int, *, device=None):
        super().__init__()
        position = torch.arange(frames, device=device)[:, None]
        angles = position * torch.exp(torch.arange(0, channels, 2, device=device) * (-math.log(10000) / channels))
        table = torch.stack([angles.sin(), angles.cos()], -1).flatten(1)
        self.register_buffer("pe", table[None])

    def forward(self, tokens: Tensor) -> Tensor:
        """The positions (F, C) of `tokens` (rows, F, C), in their type. Raises InputError if F exceeds the table."""
        frames, longest = tokens.shape[1], self.pe.shape[1]
        if frames > longest:
            raise InputError(
                f"{frames} frames in one window, but these motion modules know {longest} positions. "
                f"Use context windows of at most {longest} frames."
            )
        return self.pe[0, :frames].to(tokens)


class TemporalAttention(Attention):
    """Attention of a sequence to itself. Queries, keys and values all carry the positions of `pos_encoder`."""

    def __init__(self, channels: int, heads: int, frames: int, *, operations=nn, dtype=None, device=None):
        super().__init__(channels, heads, operations=operations, dtype=dtype, device=device)
        self.pos_encoder = PositionTable(channels, frames, device=device)


class TemporalBlock(nn.Module):
    def __init__(self, channels: int, heads: int, frames: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        layer = {"dtype": dtype, "device": device}
        self.attention_blocks = nn.ModuleList(
            TemporalAttention(channels, heads, frames, operations=operations, **layer) for _ in range(2)
        )
        self.norms = nn.ModuleList(operations.LayerNorm(channels, eps=1e-5, **layer) for _ in range(2))
        self.ff = FeedForward(channels, operations=operations, **layer)
        self.ff_norm = operations.LayerNorm(channels, eps=1e-5, **layer)

    def forward(self, tokens: Tensor, options: dict | None = None) -> Tensor:
        attended = None
        for attention, norm in zip(self.attention_blocks, self.norms, strict=True):
            places = attention.pos_encoder(tokens)
            tokens, normed = add_and_normalize(norm, tokens, attended, places=places)
            attended = attention(normed, normed, options=options)
        return self.ff.add_to_residual(*add_and_normalize(self.ff_norm, tokens, attended))


class TemporalTransformer(nn.Module):
    """(chunks * F, C, h, w) in and out. Group statistics are per frame: diffusers' own module takes them over all."""

    def __init__(self, channels: int, heads: int, frames: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        layer = {"dtype": dtype, "device": device}
        self.norm = operations.GroupNorm(NORM_GROUPS, channels, eps=1e-6, **layer)
        self.proj_in = operations.Linear(channels, channels, **layer)
        self.transformer_blocks = nn.ModuleList(
            [TemporalBlock(channels, heads, frames, operations=operations, **layer)],
        )
        self.proj_out = operations.Linear(channels, channels, **layer)

    def forward(self, x: Tensor, frames: int, options: dict | None = None) -> Tensor:
        tokens = self.proj_in(normalize_frames(self.norm, x, frames))  # (chunks * h*w, F, C)
        for block in self.transformer_blocks:
            tokens = block(tokens, options)
        return add_sequences(x, self.proj_out(tokens), frames)


class MotionModule(nn.Module):
    def __init__(self, channels: int, heads: int, frames: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        self.temporal_transformer = TemporalTransformer(
            channels, heads, frames, operations=operations, dtype=dtype, device=device
        )

    def forward(self, x: Tensor, frames: int, options: dict | None = None) -> Tensor:
        return self.temporal_transformer(x, frames, options)
