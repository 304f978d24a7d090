"""What lies between the layers of a UNet by kernels of our own: the functions of `elementwise`, on NVIDIA's cards.

They take activations that `fits`; the smaller tensors may lie anywhere and be of any type.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .cuda_launch import VALUES, launch
from .layouts import as_pictures, as_tokens, find_parameters


PACK_BYTES = 16  # what a thread reads at a time
THREADS, WARP = 256, 32
MOST_LANES = 640  # threads for the packs of one token, 5120 halves: the sums of a block then take 40 of its 48 kB
BLOCKS = 2048  # of a kernel over all positions, about: a large card runs some 1000 at a time
FEWEST_STEPS = 8  # of a thread in such a kernel


def fits(tokens: Tensor) -> bool:
    """Whether the kernels take activations of this type, layout and number of channels, (..., C)."""
    lanes, rest = divmod(tokens.shape[-1] * tokens.element_size(), PACK_BYTES)
    if tokens.dtype not in VALUES or rest or lanes > MOST_LANES or tokens.numel() == 0:
        return False
    return tokens.is_contiguous() and tokens.data_ptr() % PACK_BYTES == 0


def normalize_groups(norm: nn.GroupNorm, x: Tensor, added: Tensor | None = None, *, activates: bool = False) -> Tensor:
    """`norm` of (rows, C, h, w), to which (rows, C) is added first, then SiLU if it `activates`: two reads, a write."""
    tokens = as_tokens(x)
    factors = measure_groups(norm, tokens, added)
    return as_pictures(_scale_and_shift(tokens, factors, activates=activates), x.shape[2:])


def normalize_frames(norm: nn.GroupNorm, x: Tensor, frames: int) -> Tensor:
    """`norm` of (chunks * F, C, h, w) as one sequence of frames per position: (chunks * h * w, F, C)."""
    tokens = as_tokens(x)
    return _scale_and_shift(tokens, measure_groups(norm, tokens), frames=frames).flatten(0, 1)


def measure_groups(norm: nn.GroupNorm, tokens: Tensor, added: Tensor | None = None) -> Tensor:
    """Factor and summand of a group norm, (rows, 2, C) float32, for tokens (rows, n, C) plus `added` (rows, C)."""
    rows, positions, channels = tokens.shape
    grid, block, stretch = _share_out(tokens)
    sums = tokens.new_empty(rows, grid[0], 2, channels, dtype=torch.float32)
    shared = block * (PACK_BYTES // tokens.element_size()) * 8
    launch("sum_channels", tokens, grid, block, shared, (sums, tokens, positions, channels, stretch))
    factors = tokens.new_empty(rows, 2, channels, dtype=torch.float32)
    affine = (_match(tensor, tokens, (channels,)) for tensor in find_parameters(norm, tokens))
    read = (sums, _match(added, tokens, (rows, channels)), *affine)
    numbers = (grid[0], positions, channels, norm.num_groups, norm.eps)
    shared = 8 * (channels + norm.num_groups)
    launch("finish_groups", tokens, (rows, 1), THREADS, shared, (factors, *read, *numbers))
    return factors


def add_and_normalize(
    norm: nn.LayerNorm,
    tokens: Tensor,
    fresh: Tensor | None = None,
    *,
    one: Tensor | None = None,
    places: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """(sum, its `norm`) of tokens (rows, n, C), `fresh` of that shape, and `one` for each row, (rows or 1, 1, C).

    The sum is written over `fresh`, which has to be there if there is `one`. `places` (n, C) are added to the norm.
    """
    rows, count, channels = tokens.shape
    fresh = _match(fresh, tokens, tokens.shape)
    each = rows * count if one is not None and len(one) == 1 else count
    one = _match(one, tokens, (rows * count // each, 1, channels))
    read = (_match(places, tokens, (count, channels)),)
    read += tuple(_match(tensor, tokens, (channels,)) for tensor in find_parameters(norm, tokens))
    normed = torch.empty_like(tokens)
    grid, numbers = (-(-rows * count * WARP // THREADS), 1), (rows * count, each, count, norm.eps)
    arguments = (fresh, normed, tokens, fresh, one, *read, *numbers)
    launch("normalize_layer", tokens, grid, THREADS, 0, arguments, channels=channels)
    return tokens if fresh is None else fresh, normed


def gate_with_gelu(hidden: Tensor) -> Tensor:
    """The first half of the channels of (..., 2 C) times the exact GELU of the second."""
    channels = hidden.shape[-1] // 2
    gated = hidden.new_empty(*hidden.shape[:-1], channels)
    packs = gated.numel() * gated.element_size() // PACK_BYTES
    arguments = (gated, hidden, gated.numel() // channels, channels)
    launch("gate_with_gelu", hidden, (-(-packs // THREADS), 1), THREADS, 0, arguments)
    return gated


def add_sequences(x: Tensor, sequences: Tensor, frames: int) -> Tensor:
    """(chunks * F, C, h, w) plus a sequence of frames for each position, (chunks * h * w, F, C)."""
    tokens = as_tokens(x)
    rows, positions, channels = tokens.shape
    total = torch.empty_like(tokens)
    sequences = _match(sequences, tokens, (rows // frames * positions, frames, channels))
    grid, block, stretch = _share_out(tokens)
    numbers = (positions, channels, stretch, frames)
    launch("add_sequences", tokens, grid, block, 0, (total, tokens, sequences, *numbers))
    return as_pictures(total, x.shape[2:])


def _scale_and_shift(tokens: Tensor, factors: Tensor, *, frames: int = 0, activates: bool = False) -> Tensor:
    """Tokens (rows, n, C) times and plus `factors`, with SiLU if it `activates`.

    With `frames`, rows are chunks of so many, and the result is (chunks, n, frames, C).
    """
    rows, positions, channels = tokens.shape
    scaled = tokens.new_empty((rows // frames, positions, frames, channels) if frames else tokens.shape)
    grid, block, stretch = _share_out(tokens)
    numbers = (positions, channels, stretch, frames, int(activates))
    launch("scale_and_shift", tokens, grid, block, 0, (scaled, tokens, factors, *numbers))
    return scaled


def _share_out(tokens: Tensor) -> tuple[tuple[int, int], int, int]:
    """Grid, threads of a block, and positions of a stretch, for tokens (rows, n, C)."""
    rows, positions, channels = tokens.shape
    lanes = channels * tokens.element_size() // PACK_BYTES
    at_once = max(THREADS // lanes, 1)
    stretch = max(-(-positions * rows // BLOCKS), FEWEST_STEPS * at_once)
    return (-(-positions // stretch), rows), lanes * at_once, stretch


def _match(tensor: Tensor | None, like: Tensor, shape: Sequence[int]) -> Tensor | None:
    """A tensor in the type of `like`, contiguous, repeated to `shape` if it is smaller, which starts where a pack may.

    So a kernel never reads beyond it: weights that ComfyUI streams in lie anywhere in a buffer. Raises RuntimeError
    if it cannot have that shape.
    """
    if tensor is None:
        return None
    tensor = tensor.to(like.device, like.dtype).expand(shape).contiguous()
    return tensor if tensor.data_ptr() % PACK_BYTES == 0 else tensor.clone()
