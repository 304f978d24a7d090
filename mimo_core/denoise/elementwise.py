"""What lies between the layers of a UNet: sums, gates and norms, by kernels of our own where they win, else by torch.

Activations are channels-last: (rows, C, h, w) whose memory is (rows, h * w, C), so tokens are a view of them.
"""

from __future__ import annotations

from torch import Tensor, nn

from .kernel_choice import FRAMES, GATE, GROUPS, LAYER, SEQUENCES, run


def normalize_groups(norm: nn.GroupNorm, x: Tensor, added: Tensor | None = None, *, activates: bool = False) -> Tensor:
    """`norm` of (rows, C, h, w), to which (rows, C) is added first, then SiLU if it `activates`."""
    return run(GROUPS, x.permute(0, 2, 3, 1), norm, x, added, activates=activates)


def normalize_frames(norm: nn.GroupNorm, x: Tensor, frames: int) -> Tensor:
    """`norm` of (chunks * F, C, h, w) as one sequence of frames per position: (chunks * h * w, F, C)."""
    return run(FRAMES, x.permute(0, 2, 3, 1), norm, x, frames)


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
    return run(LAYER, tokens, norm, tokens, fresh, one=one, places=places)


def gate_with_gelu(hidden: Tensor) -> Tensor:
    """The first half of the channels of (..., 2 C) times the exact GELU of the second."""
    return run(GATE, hidden.unflatten(-1, (2, -1)), hidden)  # each half has to be whole packs


def add_sequences(x: Tensor, sequences: Tensor, frames: int) -> Tensor:
    """(chunks * F, C, h, w) plus a sequence of frames for each position, (chunks * h * w, F, C)."""
    return run(SEQUENCES, x.permute(0, 2, 3, 1), x, sequences, frames)
