"""The parts of a Stable Diffusion 1.5 UNet that see one frame at a time, (rows, C, h, w)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from .elementwise import gate_with_gelu, normalize_groups
from .layouts import add_to, is_traced


HIDDEN_BYTES = 2**28  # of the hidden layer of a feed-forward at a time, beside which all else is small


class TimeEmbedding(nn.Module):
    """Timesteps (rows,) to embeddings (rows, 4 C): a sinusoid with the cosine half first, then two layers."""

    def __init__(self, channels: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        layer = {"dtype": dtype, "device": device}
        self.channels = channels
        self.linear_1 = operations.Linear(channels, 4 * channels, **layer)
        self.linear_2 = operations.Linear(4 * channels, 4 * channels, **layer)

    def forward(self, timesteps: Tensor, dtype: torch.dtype) -> Tensor:
        return self.linear_2(silu(self.linear_1(embed_timesteps(timesteps, self.channels).to(dtype))))


def embed_timesteps(timesteps: Tensor, channels: int) -> Tensor:
    """(rows,) to (rows, channels) float32: cosines, then sines, of t / 10000^(i / half)."""
    half = channels // 2
    frequencies = torch.exp(-math.log(10000) * torch.arange(half, device=timesteps.device, dtype=torch.float32) / half)
    angles = timesteps.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], 1)


class ResnetBlock(nn.Module):
    def __init__(
        self, channels_in: int, channels: int, temb: int, *, groups=32, operations=nn, dtype=None, device=None
    ):
        super().__init__()
        layer = {"dtype": dtype, "device": device}
        self.norm1 = operations.GroupNorm(groups, channels_in, eps=1e-5, **layer)
        self.conv1 = operations.Conv2d(channels_in, channels, 3, padding=1, **layer)
        self.time_emb_proj = operations.Linear(temb, channels, **layer)
        self.norm2 = operations.GroupNorm(groups, channels, eps=1e-5, **layer)
        self.conv2 = operations.Conv2d(channels, channels, 3, padding=1, **layer)
        if channels_in != channels:
            self.conv_shortcut = operations.Conv2d(channels_in, channels, 1, **layer)
        else:
            self.conv_shortcut = None

    def forward(self, x: Tensor, temb: Tensor) -> Tensor:
        hidden = self.conv1(normalize_groups(self.norm1, x, activates=True))
        added = self.time_emb_proj(silu(temb))
        hidden = self.conv2(normalize_groups(self.norm2, hidden, added, activates=True))
        return add_to(hidden, x if self.conv_shortcut is None else self.conv_shortcut(x))


class Downsample(nn.Module):
    """Half the size, rounded up."""

    def __init__(self, channels: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        self.conv = operations.Conv2d(channels, channels, 3, stride=2, padding=1, dtype=dtype, device=device)

    def forward(self, x: Tensor, size=None) -> Tensor:
        return self.conv(x)


class Upsample(nn.Module):
    """Nearest to `size` (h, w), the size of the next skip: 13 goes to 25 for a latent of 98."""

    def __init__(self, channels: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        self.conv = operations.Conv2d(channels, channels, 3, padding=1, dtype=dtype, device=device)

    def forward(self, x: Tensor, size) -> Tensor:
        return self.conv(interpolate(x, size=tuple(size), mode="nearest"))


class GatedGelu(nn.Module):
    def __init__(self, channels: int, inner: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        self.proj = operations.Linear(channels, 2 * inner, dtype=dtype, device=device)

    def forward(self, tokens: Tensor) -> Tensor:
        return gate_with_gelu(self.proj(tokens))


class FeedForward(nn.Module):
    """Four times as wide in between. The name `net.2` is diffusers': a dropout lies between the two layers there."""

    hidden_bytes = HIDDEN_BYTES

    def __init__(self, channels: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        layer = {"dtype": dtype, "device": device}
        self.net = nn.ModuleList(
            [
                GatedGelu(channels, 4 * channels, operations=operations, **layer),
                nn.Identity(),
                operations.Linear(4 * channels, channels, **layer),
            ]
        )

    def forward(self, tokens: Tensor) -> Tensor:
        return self.net[2](self.net[0](tokens))

    def add_to_residual(self, tokens: Tensor, normed: Tensor) -> Tensor:
        """`tokens` (rows, n, C) plus what the layers make of `normed`: in place, some rows at a time, if it may.

        On a CPU all rows go together: how many there are could change the last bits of a matrix product.
        """
        if is_traced() or tokens.device.type == "cpu":
            return add_to(self(normed), tokens)
        return self.add_parts(tokens, normed)

    def add_parts(self, tokens: Tensor, normed: Tensor) -> Tensor:
        """The same in place, as many rows at a time as `hidden_bytes` hold."""
        row_bytes = tokens[0].numel() * 8 * tokens.element_size()
        rows = max(self.hidden_bytes // row_bytes, 1)
        for total, part in zip(tokens.split(rows), normed.split(rows), strict=True):
            total.add_(self(part))
        return tokens
