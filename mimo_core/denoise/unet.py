"""The skeleton that the reference UNet and the denoiser share: Stable Diffusion 1.5's UNet in diffusers' names."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .attention import Attention, AttentionFunction
from .blocks import Downsample, ResnetBlock, TimeEmbedding, Upsample
from .config import MimoConfig
from .forward_context import ForwardContext
from .layouts import ParameterReader
from .motion_module import MotionModule
from .transformer import SpatialTransformer, TransformerBlock


class UNetBlock(NamedTuple):
    """What runs between two skips, in this order. ComfyUI calls it an input or output block."""

    resnet: ResnetBlock | None
    attention: SpatialTransformer | None
    motion: MotionModule | None
    resample: Downsample | Upsample | None

    def __call__(self, x: Tensor, temb: Tensor, ctx: ForwardContext, size=None) -> Tensor:
        if self.resnet is not None:
            x = self.resnet(x, temb)
        if self.attention is not None:
            x = self.attention.run(x, ctx)
        if self.motion is not None:
            x = self.motion(x, ctx.frames, ctx.plain_options)
        if self.resample is not None:
            x = self.resample(x, size)
        return x


class Level(nn.Module):
    """One resolution on the way down or up, or the middle. Only a container: the names are diffusers'."""

    def __init__(self, resnets, attentions=None, motion_modules=None, downsample=None, upsample=None):
        super().__init__()
        self.resnets = nn.ModuleList(resnets)
        self.attentions = nn.ModuleList(attentions) if attentions else None
        self.motion_modules = nn.ModuleList(motion_modules) if motion_modules else None
        self.downsamplers = nn.ModuleList([downsample]) if downsample is not None else None
        self.upsamplers = nn.ModuleList([upsample]) if upsample is not None else None

    def get_block(self, index: int, resample=None) -> UNetBlock:
        attention, motion = (
            None if modules is None or index >= len(modules) else modules[index]
            for modules in (self.attentions, self.motion_modules)
        )
        return UNetBlock(self.resnets[index], attention, motion, resample)


class UNet(nn.Module):
    """Down, middle and up. Cross-attention at all levels but the deepest; motion modules everywhere, or nowhere."""

    def __init__(
        self,
        config: MimoConfig,
        in_channels: int,
        *,
        motion: bool,
        attention: AttentionFunction | None = None,
        read_parameters: ParameterReader | None = None,
        operations=nn,
        dtype=None,
        device=None,
    ):
        super().__init__()
        self.config, self.dtype = config, dtype
        self._motion = motion
        self._factory = factory = {"operations": operations, "dtype": dtype, "device": device}
        widths = config.block_out_channels
        self.conv_in = operations.Conv2d(in_channels, widths[0], 3, padding=1, dtype=dtype, device=device)
        self.time_embedding = TimeEmbedding(widths[0], **factory)
        self.down_blocks = nn.ModuleList(self._down_level(level) for level in range(len(widths)))
        self.up_blocks = nn.ModuleList(self._up_level(level) for level in reversed(range(len(widths))))
        self.mid_block = self._level([(widths[-1], widths[-1])] * 2, attentions=1, motions=1)
        del self._factory
        for path, module in self.named_modules():
            if isinstance(module, TransformerBlock):
                module.path = path
            if isinstance(module, Attention) and attention is not None:
                module.attend = attention
            if isinstance(module, nn.GroupNorm | nn.LayerNorm) and read_parameters is not None:
                module.read_parameters = read_parameters

    def open_input(self, x: Tensor) -> Tensor:
        """The first convolution, from which on activations are channels-last."""
        return self.conv_in(x.contiguous(memory_format=torch.channels_last))

    def list_input_blocks(self) -> list[UNetBlock]:
        """Everything after `conv_in` on the way down, one per skip."""
        blocks = []
        for level in self.down_blocks:
            blocks += [level.get_block(index) for index in range(len(level.resnets))]
            if level.downsamplers is not None:
                blocks.append(UNetBlock(None, None, None, level.downsamplers[0]))
        return blocks

    def run_middle(self, x: Tensor, temb: Tensor, ctx: ForwardContext) -> Tensor:
        ctx.enter_block("middle", 0)
        x = self.mid_block.get_block(0)(x, temb, ctx)
        return self.mid_block.resnets[1](x, temb)

    def list_output_blocks(self) -> list[UNetBlock]:
        """Everything on the way up; each takes one skip."""
        blocks = []
        for level in self.up_blocks:
            *first, last = range(len(level.resnets))
            blocks += [level.get_block(index) for index in first]
            blocks.append(level.get_block(last, level.upsamplers[0] if level.upsamplers is not None else None))
        return blocks

    def _down_level(self, level: int) -> Level:
        widths, deepest = self.config.block_out_channels, len(self.config.block_out_channels) - 1
        before, width = widths[max(level - 1, 0)], widths[level]
        count = self.config.layers_per_block
        resnets = [(before, width)] + [(width, width)] * (count - 1)
        downsample = Downsample(width, **self._factory) if level < deepest else None
        return self._level(resnets, attentions=count if level < deepest else 0, motions=count, downsample=downsample)

    def _up_level(self, level: int) -> Level:
        widths, deepest = self.config.block_out_channels, len(self.config.block_out_channels) - 1
        below, width, above = widths[min(level + 1, deepest)], widths[level], widths[max(level - 1, 0)]
        count = self.config.layers_per_block + 1
        skips = [width] * (count - 1) + [above]
        resnets = [(hidden + skip, width) for hidden, skip in zip([below] + [width] * (count - 1), skips, strict=True)]
        upsample = Upsample(width, **self._factory) if level > 0 else None
        return self._level(resnets, attentions=count if level < deepest else 0, motions=count, upsample=upsample)

    def _level(self, resnets: list[tuple[int, int]], *, attentions: int, motions: int, **resample) -> Level:
        config, factory, width = self.config, self._factory, resnets[-1][1]
        temb, groups = config.time_embedding_channels, config.norm_groups
        return Level(
            [ResnetBlock(before, after, temb, groups=groups, **factory) for before, after in resnets],
            [
                SpatialTransformer(width, config.heads, config.cross_attention_dim, groups=groups, **factory)
                for _ in range(attentions)
            ],
            [
                MotionModule(width, config.motion_heads, config.motion_frames, **factory)
                for _ in range(motions if self._motion else 0)
            ],
            **resample,
        )
