"""torch.compile where a UNet repeats itself: block by block, so that equal blocks are compiled once."""

from __future__ import annotations

import torch
from torch import nn

from .blocks import ResnetBlock
from .motion_module import TemporalTransformer
from .transformer import SpatialTransformer


REPEATED = (ResnetBlock, SpatialTransformer, TemporalTransformer)
# Shapes that one kind of block may have in a UNet: 14 of the residual blocks, twice for the two halves of the guidance.
SHAPES = 64


def compile_blocks(network: nn.Module, *, kinds: tuple[type[nn.Module], ...] = REPEATED, **settings) -> list[nn.Module]:
    """Compile the repeated blocks of a UNet, or some `kinds`, in place, and return them.

    `settings` go to `torch.compile`.

    The graphs hold no windows, steps or ControlNets: those are outside the blocks. Shapes are taken as they are, so
    another size, window length or number of halves in a pass compiles anew. Raises torch's limit of graphs for one
    function to 64, in this process: the default of 8 is below what one UNet has. Shapes beyond it run uncompiled.
    """
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, SHAPES)
    blocks = [module for module in network.modules() if isinstance(module, kinds)]
    for block in blocks:
        block.compile(**{"dynamic": False} | settings)
    return blocks
