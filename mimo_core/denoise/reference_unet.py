"""The reference UNet: read once per character, for what its self-attentions look at."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import MimoConfig
from .forward_context import ForwardContext
from .reference import ReferenceFeatures
from .unet import UNet


class ReferenceUNet(UNet):
    """Stable Diffusion 1.5's UNet without its output layers, which nothing would read."""

    def __init__(
        self,
        config: MimoConfig,
        *,
        attention=None,
        read_parameters=None,
        operations=nn,
        dtype=None,
        device=None,
    ):
        super().__init__(
            config,
            config.out_channels,
            motion=False,
            attention=attention,
            read_parameters=read_parameters,
            operations=operations,
            dtype=dtype,
            device=device,
        )

    def forward(self, latent: Tensor, token: Tensor) -> ReferenceFeatures:
        """Features of the character's latent (N, 4, h, w) with its CLIP token (N, 1, D), at timestep 0.

        The pass ends at the last self-attention: what follows cannot reach the denoiser. The unconditional pass of the
        official release is left out, because unconditional rows never read it.
        """
        ctx = ForwardContext(latent, token)
        ctx.banks = {}
        temb = self.time_embedding(torch.zeros(len(latent), device=latent.device), latent.dtype)
        hidden = self.open_input(latent)
        skips = [hidden]
        for step in self.list_input_blocks():
            hidden = step(hidden, temb, ctx)
            skips.append(hidden)
        hidden = self.run_middle(hidden, temb, ctx)

        *steps, last = self.list_output_blocks()
        for step in steps:
            hidden = torch.cat([hidden, skips.pop()], 1)
            hidden = step(hidden, temb, ctx, skips[-1].shape[-2:])
        hidden = last.resnet(torch.cat([hidden, skips.pop()], 1), temb)
        block = last.attention.transformer_blocks[0]
        ctx.banks[block.path] = block.norm1(last.attention.to_tokens(hidden))
        return ReferenceFeatures(ctx.banks)
