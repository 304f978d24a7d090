"""Stable Diffusion 1.5 in its first layout, `model.diffusion_model.input_blocks...`, under diffusers' names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor


PREFIX = "model.diffusion_model."
RESNET = {
    "in_layers.0": "norm1",
    "in_layers.2": "conv1",
    "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2",
    "out_layers.3": "conv2",
    "skip_connection": "conv_shortcut",
}
ENDS = {
    "time_embed.0": "time_embedding.linear_1",
    "time_embed.2": "time_embedding.linear_2",
    "input_blocks.0.0": "conv_in",
    "middle_block.0": "mid_block.resnets.0",
    "middle_block.1": "mid_block.attentions.0",
    "middle_block.2": "mid_block.resnets.1",
    "out.0": "conv_norm_out",
    "out.2": "conv_out",
}


def diffusers_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The UNet of a whole SD1.5 checkpoint by diffusers' names; a state in those names already comes back as it is."""
    if not any(name.startswith(PREFIX) for name in state):
        return dict(state)
    unet = {name.removeprefix(PREFIX): tensor for name, tensor in state.items() if name.startswith(PREFIX)}
    return {_renamed(name): tensor for name, tensor in unet.items()}


def _renamed(name: str) -> str:
    for before, after in ENDS.items():
        if name.startswith(before + "."):
            return _inside(after, name.removeprefix(before + "."))
    side, number, part, rest = re.fullmatch(r"(input|output)_blocks\.(\d+)\.(\d+)\.(.+)", name).groups()
    return _inside(*_block(side, int(number), int(part), rest))


def _block(side: str, number: int, part: int, rest: str) -> tuple[str, str]:
    """Three numbered blocks are one level; the third of them resamples, except at the end."""
    if side == "input":
        level, layer = divmod(number - 1, 3)
        if rest.startswith("op."):
            return f"down_blocks.{level}.downsamplers.0.conv", rest.removeprefix("op.")
        return f"down_blocks.{level}.{'attentions' if part else 'resnets'}.{layer}", rest
    level, layer = divmod(number, 3)
    if rest.startswith("conv."):
        return f"up_blocks.{level}.upsamplers.0.conv", rest.removeprefix("conv.")
    return f"up_blocks.{level}.{'attentions' if part else 'resnets'}.{layer}", rest


def _inside(path: str, rest: str) -> str:
    if ".resnets." in path:
        layer, _, end = rest.rpartition(".")
        return f"{path}.{RESNET[layer]}.{end}"
    return f"{path}.{rest}"
