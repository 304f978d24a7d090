"""What the blocks of one forward pass need to know. A new one for every pass: nothing is kept on the modules."""

from __future__ import annotations

from itertools import groupby

from torch import Tensor

from ..errors import InputError
from .reference import ReferenceKeys


CONDITIONAL = 0  # ComfyUI's code in cond_or_uncond; 1 is the unconditional half


class ForwardContext:
    """One forward pass: which rows are what, the tokens, the reference, and what others hung into the model.

    Rows are chunks of frames. `transformer_options` is ComfyUI's dictionary, read by its keys and never written:
    `cond_or_uncond` says per chunk whether it is conditional, and so reads the reference. `reads_reference` (per chunk)
    wins over it: where an extra pass evaluates the unconditional half alone, as SAG's does, its code is 0 as well.
    `patches` and `patches_replace` hold the functions of FreeU, IP-Adapter, PAG, SAG, HyperTile and their like.
    """

    def __init__(
        self,
        x: Tensor,
        context: Tensor,
        *,
        reference: ReferenceKeys | None = None,
        transformer_options=None,
        reads_reference: tuple[bool, ...] | None = None,
    ):
        rows = len(x)
        self.options = dict(transformer_options or {}) | {"original_shape": list(x.shape), "transformer_index": 0}
        kinds = self.options.setdefault("cond_or_uncond", [CONDITIONAL])
        self.reads_reference = reads_reference or tuple(kind == CONDITIONAL for kind in kinds)
        if rows % len(self.reads_reference):
            raise InputError(f"{rows} rows cannot be {len(self.reads_reference)} chunks of equally many frames.")
        self.frames = rows // len(self.reads_reference)
        self.context = repeat_per_row(context, rows, "context tokens")
        self.reference = reference
        self.banks: dict[str, Tensor] | None = None
        self.patches = self.options.get("patches", {})
        self.replacements = self.options.get("patches_replace", {})
        # Only an override of the attention needs the dictionary inside the blocks: it would be guarded key by key.
        self.plain_options = self.options if "optimized_attention_override" in self.options else None

    @property
    def is_patched(self) -> bool:
        """Whether the transformer blocks have more to do than their own three steps."""
        return self.banks is not None or has_patches(self.options)

    def get_reference(self, path: str, like: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of the reference for a block, of the dtype and on the device of `like`."""
        keys, values = self.reference.pairs[path]
        return keys.to(like), values.to(like)

    def select_reference(self, path: str, tokens: Tensor) -> tuple[tuple[Tensor, Tensor] | None, tuple]:
        """The reference of a block and the groups of rows that read it; (None, ()) where no row does."""
        if self.reference is None or not any(self.reads_reference):
            return None, ()
        return self.get_reference(path, tokens), tuple(self.group_rows(len(tokens)))

    def enter_block(self, kind: str, number: int) -> None:
        """Name the block about to run as ComfyUI does: ("input", 4), ("middle", 0), ("output", 3)."""
        self.options["block"] = (kind, number)

    def make_attention_options(self, heads: int, head_channels: int) -> dict:
        """The last argument of the patches inside a transformer block."""
        options = {name: value for name, value in self.options.items() if name not in ("patches", "patches_replace")}
        return options | {"n_heads": heads, "dim_head": head_channels, "attn_precision": None}

    def find_replacement(self, attention: str):
        """The function that stands in for `attention` ("attn1" or "attn2") of this block, or None."""
        replacements = self.replacements.get(attention, {})
        block = self.options.get("block")
        return (
            replacements.get((*block, self.options.get("block_index", 0)), replacements.get(block)) if block else None
        )

    def apply_patches(self, name: str, hidden: Tensor) -> Tensor:
        """`hidden` after all block patches of this name."""
        for patch in self.patches.get(name, ()):
            hidden = patch(hidden, self.options)
        return hidden

    def group_rows(self, rows: int) -> list[tuple[int, int, bool]]:
        """(start, stop, whether they read the reference) of neighbouring chunks, for a tensor of `rows` rows.

        A patch may have split rows into tiles, so `rows` need not be the rows of the pass.
        """
        each, start, runs = rows // len(self.reads_reference), 0, []
        for reads, chunks in groupby(self.reads_reference):
            stop = start + each * len(list(chunks))
            runs.append((start, stop, reads))
            start = stop
        return runs


def has_patches(options: dict) -> bool:
    """Whether ComfyUI's dictionary holds functions for the blocks."""
    return any(any(options.get(name, {}).values()) for name in ("patches", "patches_replace"))


def repeat_per_row(tensor: Tensor, rows: int, name: str) -> Tensor:
    """`tensor` with `rows` rows: as it is, one for all, or one for every frame of each chunk.

    Raises InputError if they do not divide.
    """
    if len(tensor) == rows:
        return tensor
    if len(tensor) == 1:
        return tensor.expand(rows, *tensor.shape[1:])
    if rows % len(tensor):
        raise InputError(f"{len(tensor)} rows of {name} do not fit {rows} rows of latents. Give one, or one per frame.")
    return tensor.repeat(rows // len(tensor), *[1] * (tensor.ndim - 1))
