"""Spatial transformers: self-attention, which may read a reference, then the character's token, then a feed-forward."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import Attention, attend_with_reference
from .blocks import FeedForward
from .elementwise import add_and_normalize, normalize_groups
from .forward_context import ForwardContext
from .layouts import add_to, as_pictures, as_tokens


class TransformerBlock(nn.Module):
    """Three pre-norm residual steps on tokens (rows, h*w, C).

    `path` is the block's name in its UNet. Equal paths in the two UNets are one pair: one writes, the other reads.
    """

    path = ""

    def __init__(self, channels: int, heads: int, context: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        layer = {"dtype": dtype, "device": device}
        self.attn1 = Attention(channels, heads, operations=operations, **layer)
        self.norm1 = operations.LayerNorm(channels, eps=1e-5, **layer)
        self.attn2 = Attention(channels, heads, context_channels=context, operations=operations, **layer)
        self.norm2 = operations.LayerNorm(channels, eps=1e-5, **layer)
        self.ff = FeedForward(channels, operations=operations, **layer)
        self.norm3 = operations.LayerNorm(channels, eps=1e-5, **layer)

    def forward(
        self,
        tokens: Tensor,
        context: Tensor,
        reference: tuple[Tensor, Tensor] | None = None,
        groups: tuple[tuple[int, int, bool], ...] = (),
        options: dict | None = None,
    ) -> Tensor:
        """The three steps where nobody hung a patch in: a function of tensors alone, which can be compiled.

        context: (rows, T, D)
        reference: keys and values (references, tokens, C) that the rows read which `groups` says:
            (start, stop, whether they read it)
        options: ComfyUI's dictionary, for its attention
        """
        _, normed = add_and_normalize(self.norm1, tokens)
        if reference is None:
            attended = self.attn1(normed, normed, options=options)
        else:
            attended = self._attend_by_group(normed, normed, normed, reference, groups, options)
        if context.shape[1] == 1:
            tokens, normed = add_and_normalize(self.norm3, tokens, attended, one=self._attend_to_one(context))
        else:
            tokens, normed = add_and_normalize(self.norm2, tokens, attended)
            tokens, normed = add_and_normalize(self.norm3, tokens, self.attn2(normed, context, options=options))
        return self.ff.add_to_residual(tokens, normed)

    def forward_patched(self, tokens: Tensor, ctx: ForwardContext) -> Tensor:
        """The three steps with everything that others hung into the model, and with the bank if one is recorded."""
        normed = self.norm1(tokens)
        if ctx.banks is not None:
            ctx.banks[self.path] = normed
        options = ctx.make_attention_options(self.attn1.heads, tokens.shape[-1] // self.attn1.heads)
        tokens = tokens + self._attend_to_itself(normed, ctx, options)
        for patch in ctx.patches.get("middle_patch", ()):
            tokens = patch(tokens, options)
        tokens = tokens + self._attend_to_context(tokens, ctx, options)
        return tokens + self.ff(self.norm3(tokens))

    def project_bank(self, bank: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of a reference's features (references, tokens, C). They are normalised already."""
        return self.attn1.to_k(bank), self.attn1.to_v(bank)

    def _attend_to_itself(self, normed: Tensor, ctx: ForwardContext, options: dict) -> Tensor:
        queries = keys = values = normed
        for patch in ctx.patches.get("attn1_patch", ()):
            queries, keys, values = patch(queries, keys, values, options)

        # A stand-in sees the frame's own tokens only: PAG returns `value`, which must have the queries' shape.
        if (replacement := ctx.find_replacement("attn1")) is not None:
            projected = self.attn1.to_q(queries), self.attn1.to_k(keys), self.attn1.to_v(values)
            attended = self.attn1.project_out(replacement(*projected, options))
        elif ctx.reference is None:
            attended = self.attn1(queries, keys, values, options)
        else:
            pair = ctx.get_reference(self.path, queries)
            attended = self._attend_by_group(queries, keys, values, pair, ctx.group_rows(len(queries)), options)

        for patch in ctx.patches.get("attn1_output_patch", ()):
            attended = patch(attended, options)
        return attended

    def _attend_by_group(self, queries: Tensor, keys: Tensor, values: Tensor, reference, groups, options) -> Tensor:
        """Conditional rows read the reference, unconditional rows never do. One group's projections at a time."""
        attended = []
        for start, stop, reads in groups:
            query, key, value = (
                project(tokens[start:stop])
                for project, tokens in ((self.attn1.to_q, queries), (self.attn1.to_k, keys), (self.attn1.to_v, values))
            )
            if reads:
                seen = attend_with_reference(query, key, value, reference, self.attn1.heads, self.attn1.attend, options)
            else:
                seen = self.attn1.attend(query, key, value, self.attn1.heads, options)
            attended.append(self.attn1.project_out(seen))
        return torch.cat(attended) if len(attended) > 1 else attended[0]

    def _attend_to_context(self, tokens: Tensor, ctx: ForwardContext, options: dict) -> Tensor:
        replacement = ctx.find_replacement("attn2")
        context = values = ctx.context
        if context.shape[1] == 1 and replacement is None and "attn2_patch" not in ctx.patches:
            attended = self._attend_to_one(context).expand_as(tokens)
        else:
            queries = self.norm2(tokens)
            for patch in ctx.patches.get("attn2_patch", ()):
                queries, context, values = patch(queries, context, values, options)
            query, key, value = self.attn2.to_q(queries), self.attn2.to_k(context), self.attn2.to_v(values)
            if replacement is None:
                attended = self.attn2.attend(query, key, value, self.attn2.heads, options)
            else:
                attended = replacement(query, key, value, options)
            attended = self.attn2.project_out(attended)

        for patch in ctx.patches.get("attn2_output_patch", ()):
            attended = patch(attended, options)
        return attended

    def _attend_to_one(self, token: Tensor) -> Tensor:
        """Attention to one token (rows, 1, D): the softmax over one key is 1, so queries do not matter."""
        return self.attn2.project_out(self.attn2.to_v(token))


class SpatialTransformer(nn.Module):
    """(rows, C, h, w) in and out; tokens are views of channels-last activations."""

    def __init__(self, channels: int, heads: int, context: int, *, groups=32, operations=nn, dtype=None, device=None):
        super().__init__()
        layer = {"dtype": dtype, "device": device}
        self.norm = operations.GroupNorm(groups, channels, eps=1e-6, **layer)
        self.proj_in = operations.Conv2d(channels, channels, 1, **layer)
        self.transformer_blocks = nn.ModuleList(
            [TransformerBlock(channels, heads, context, operations=operations, **layer)]
        )
        self.proj_out = operations.Conv2d(channels, channels, 1, **layer)

    def run(self, x: Tensor, ctx: ForwardContext) -> Tensor:
        """One pass, with everything that others hung into the model."""
        ctx.options["activations_shape"], ctx.options["block_index"] = list(x.shape), 0
        (block,) = self.transformer_blocks
        if ctx.is_patched:
            x = self.to_pictures(block.forward_patched(self.to_tokens(x), ctx), x)
        else:
            x = self(x, ctx.context, *ctx.select_reference(block.path, x), ctx.plain_options)
        ctx.options["transformer_index"] += 1
        return x

    def forward(
        self,
        x: Tensor,
        context: Tensor,
        reference: tuple[Tensor, Tensor] | None = None,
        groups: tuple[tuple[int, int, bool], ...] = (),
        options: dict | None = None,
    ) -> Tensor:
        """The pass where nobody hung a patch in, as in its block: a function of tensors, which can be compiled."""
        tokens = self.transformer_blocks[0](self.to_tokens(x), context, reference, groups, options)
        return self.to_pictures(tokens, x)

    def to_pictures(self, tokens: Tensor, x: Tensor) -> Tensor:
        """(rows, h*w, C) -> (rows, C, h, w), projected and added to `x`."""
        return add_to(self.proj_out(as_pictures(tokens, x.shape[2:])), x)

    def to_tokens(self, x: Tensor) -> Tensor:
        """(rows, C, h, w) -> (rows, h*w, C), normalized and projected."""
        return as_tokens(self.proj_in(normalize_groups(self.norm, x)))
