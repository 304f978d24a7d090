"""Attention over tokens (rows, tokens, channels), with and without the tokens of a reference."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


class Attention(nn.Module):
    """The projections around an attention. The caller says what is attended to."""

    def __init__(self, channels: int, heads: int, *, context_channels=None, operations=nn, dtype=None, device=None):
        super().__init__()
        layer = {"dtype": dtype, "device": device}
        context_channels = context_channels or channels
        self.heads = heads
        self.to_q = operations.Linear(channels, channels, bias=False, **layer)
        self.to_k = operations.Linear(context_channels, channels, bias=False, **layer)
        self.to_v = operations.Linear(context_channels, channels, bias=False, **layer)
        self.to_out = nn.ModuleList([operations.Linear(channels, channels, **layer)])

    def forward(self, tokens: Tensor, context: Tensor, values: Tensor | None = None) -> Tensor:
        values = context if values is None else values
        return self.out(attend(self.to_q(tokens), self.to_k(context), self.to_v(values), self.heads))

    def out(self, attended: Tensor) -> Tensor:
        return self.to_out[0](attended)


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Scaled dot-product attention of (rows, tokens, channels); channels are split into `heads`."""
    return _joined(
        scaled_dot_product_attention(_split(query, heads), _split(key, heads), _split(value, heads)),
    )


def attend_with_reference(
    query: Tensor, key: Tensor, value: Tensor, reference: tuple[Tensor, Tensor], heads: int
) -> Tensor:
    """Attention of (rows, tokens, channels) to a row's own tokens followed by the reference's.

    `reference` holds keys and values (references, tokens, channels); rows are shared out among them in order.

    The reference's keys are written once into a buffer for one row, beside which each row's own keys pass by: nothing
    is repeated per frame, and the sum is in the order of a concatenation. On a CPU this is as fast, within 2 %, as
    repeating the keys for all rows, and as merging two attentions by log-sum-exp, which needs a second output.
    """
    rows_each = len(query) // len(reference[0])
    if torch.is_grad_enabled():  # autograd cannot follow writes into one buffer
        keys, values = (
            torch.cat([own, bank.repeat_interleave(rows_each, 0)], 1)
            for own, bank in zip((key, value), reference, strict=True)
        )
        return attend(query, keys, values, heads)

    tokens = key.shape[1]
    buffer = key.new_empty(2, 1, tokens + reference[0].shape[1], key.shape[2])
    keys, values = _split(buffer[0], heads), _split(buffer[1], heads)
    queries, attended = _split(query, heads), torch.empty_like(query)
    for row in range(len(query)):
        if row % rows_each == 0:
            buffer[0, 0, tokens:], buffer[1, 0, tokens:] = (bank[row // rows_each] for bank in reference)
        buffer[0, 0, :tokens], buffer[1, 0, :tokens] = key[row], value[row]
        attended[row] = _joined(scaled_dot_product_attention(queries[row : row + 1], keys, values))[0]
    return attended


def _split(tokens: Tensor, heads: int) -> Tensor:
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)  # (rows, tokens, C) -> (rows, heads, tokens, C / heads)


def _joined(tokens: Tensor) -> Tensor:
    return tokens.transpose(1, 2).flatten(2)  # (rows, heads, tokens, C / heads) -> (rows, tokens, C)
