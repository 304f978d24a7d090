"""Attention over tokens (rows, tokens, channels), with and without the tokens of a reference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


# attend(query, key, value, heads, options): all (rows, tokens, channels); `options` is ComfyUI's dictionary or None.
AttentionFunction = Callable[[Tensor, Tensor, Tensor, int, dict | None], Tensor]
SCORES_BYTES = 2**30  # at a time, where the scores of an attention are written to memory


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int, options: dict | None = None) -> Tensor:
    """Scaled dot-product attention of (rows, tokens, channels); channels are split into `heads`."""
    split = [_split_heads(tensor, heads) for tensor in (query, key, value)]
    attended = attend_by_parts(*split) if query.device.type == "mps" else scaled_dot_product_attention(*split)
    return attended.transpose(1, 2).flatten(2)  # (rows, heads, tokens, C / heads) -> (rows, tokens, C)


def attend_by_parts(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of (rows, heads, tokens, c), as many rows and heads at a time as `SCORES_BYTES` hold.

    Apple's GPUs write out the scores of all rows: 71 GB in float16 for 24 frames of 784 pixels that read a reference,
    and no tensor there may have more than 4.
    """
    scores = 4 * query.shape[2] * key.shape[2]
    rows, heads = max(SCORES_BYTES // (scores * query.shape[1]), 1), max(SCORES_BYTES // scores, 1)
    attended = []
    for some in zip(*(tensor.split(rows) for tensor in (query, key, value)), strict=True):
        parts = zip(*(tensor.split(heads, 1) for tensor in some), strict=True)
        attended.append(torch.cat([scaled_dot_product_attention(*part) for part in parts], 1))
    return torch.cat(attended)


class Attention(nn.Module):
    """The projections around an attention. The caller says what is attended to.

    `attend` is how it is computed: ComfyUI hands in its own, which follows what the user chose at the start.
    """

    attend: AttentionFunction = staticmethod(attend)

    def __init__(self, channels: int, heads: int, *, context_channels=None, operations=nn, dtype=None, device=None):
        super().__init__()
        layer = {"dtype": dtype, "device": device}
        context_channels = context_channels or channels
        self.heads = heads
        self.to_q = operations.Linear(channels, channels, bias=False, **layer)
        self.to_k = operations.Linear(context_channels, channels, bias=False, **layer)
        self.to_v = operations.Linear(context_channels, channels, bias=False, **layer)
        self.to_out = nn.ModuleList([operations.Linear(channels, channels, **layer)])

    def forward(
        self, tokens: Tensor, context: Tensor, values: Tensor | None = None, options: dict | None = None
    ) -> Tensor:
        values = context if values is None else values
        query, key, value = self.to_q(tokens), self.to_k(context), self.to_v(values)
        return self.project_out(self.attend(query, key, value, self.heads, options))

    def project_out(self, attended: Tensor) -> Tensor:
        return self.to_out[0](attended)


def attend_with_reference(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    reference: tuple[Tensor, Tensor],
    heads: int,
    attend: AttentionFunction = attend,
    options: dict | None = None,
) -> Tensor:
    """Attention of (rows, tokens, channels) to a row's own tokens followed by the reference's.

    `reference` holds keys and values (references, tokens, channels); rows are shared out among them in order.

    A GPU gets one call for all rows. On a CPU the reference's keys are written once into a buffer for one row, beside
    which each row's own keys pass by: nothing is repeated per frame, and the sum is in the order of a concatenation.
    There this is as fast, within 2 %, as repeating the keys for all rows, and as merging two attentions by log-sum-exp.
    """
    rows_each = len(query) // len(reference[0])
    if query.device.type != "cpu" or torch.is_grad_enabled():  # autograd cannot follow writes into one buffer
        keys, values = (
            torch.cat([own, _spread(bank, rows_each)], 1) for own, bank in zip((key, value), reference, strict=True)
        )
        return attend(query, keys, values, heads, options)

    tokens = key.shape[1]
    keys, values = key.new_empty(2, 1, tokens + reference[0].shape[1], key.shape[2])
    attended = torch.empty_like(query)
    for row in range(len(query)):
        if row % rows_each == 0:
            keys[0, tokens:], values[0, tokens:] = (bank[row // rows_each] for bank in reference)
        keys[0, :tokens], values[0, :tokens] = key[row], value[row]
        attended[row] = attend(query[row : row + 1], keys, values, heads, options)[0]
    return attended


def _spread(bank: Tensor, rows_each: int) -> Tensor:
    """(references, tokens, C) for all rows of each reference: a view if there is one reference."""
    return bank.expand(rows_each, -1, -1) if len(bank) == 1 else bank.repeat_interleave(rows_each, 0)


def _split_heads(tokens: Tensor, heads: int) -> Tensor:
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)  # (rows, tokens, C) -> (rows, heads, tokens, C / heads)
