"""Features of the character picture on their way from the reference UNet to the denoiser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class ReferenceFeatures:
    """Self-attention inputs of the reference UNet: (1, tokens, C) for each of its transformer blocks, by path.

    Compared by identity on purpose: ComfyUI merges conditionings by asking `a != b`.
    """

    banks: Mapping[str, Tensor]

    def to(self, device=None, dtype=None) -> ReferenceFeatures:
        return ReferenceFeatures({name: bank.to(device=device, dtype=dtype) for name, bank in self.banks.items()})

    def round_through(self, dtype: torch.dtype = torch.float16) -> ReferenceFeatures:
        """The features after a trip through `dtype`: the official release sends them through float16, always."""
        return ReferenceFeatures({name: bank.to(dtype).to(bank.dtype) for name, bank in self.banks.items()})

    @classmethod
    def join(cls, views: Sequence[ReferenceFeatures]) -> ReferenceFeatures:
        """Several views of one character, side by side in every block. The official release knows one view."""
        return cls({name: torch.cat([view.banks[name] for view in views], 1) for name in views[0].banks})


@dataclass(frozen=True, eq=False)
class ReferenceKeys:
    """Keys and values that a denoiser made of `ReferenceFeatures`: the same for all steps, windows and frames."""

    pairs: Mapping[str, tuple[Tensor, Tensor]]

    def to(self, device=None, dtype=None) -> ReferenceKeys:
        return ReferenceKeys(
            {
                name: (k.to(device=device, dtype=dtype), v.to(device=device, dtype=dtype))
                for name, (k, v) in self.pairs.items()
            }
        )
