"""The pose guider: body-code frames to features at the size of the latent."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from .config import MimoConfig


class PoseGuider(nn.Module):
    """(F, 3, H, W) in 0..1 to (F, C, H / 8, W / 8), added to the denoiser's first convolution. Frame by frame."""

    def __init__(self, config: MimoConfig, *, operations=nn, dtype=None, device=None):
        super().__init__()
        layer = {"padding": 1, "dtype": dtype, "device": device}
        first, *_, last = config.pose_channels
        self.conv_in = operations.Conv2d(3, first, 3, **layer)
        self.blocks = nn.ModuleList()
        for narrow, wide in pairwise(config.pose_channels):
            self.blocks.append(operations.Conv2d(narrow, narrow, 3, **layer))
            self.blocks.append(operations.Conv2d(narrow, wide, 3, stride=2, **layer))
        self.conv_out = operations.Conv2d(last, config.block_out_channels[0], 3, **layer)

    def forward(self, frames: Tensor) -> Tensor:
        hidden = silu(self.conv_in(frames))
        for block in self.blocks:
            hidden = silu(block(hidden))
        return self.conv_out(hidden)

    @torch.no_grad()
    def encode_frames(self, frames: Tensor, *, dtype=torch.float32) -> Tensor:
        """The features of body-code frames (F, H, W, 3) uint8, which must have the network's size already."""
        return self(frames.permute(0, 3, 1, 2).to(dtype) / 255)
