"""LoRA: a small addition to the denoiser's attention that learns one character, or one style, from a few clips."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mimo_core.denoise.denoiser import Denoiser
from mimo_core.output import whole_file


LORA_TARGETS = ("to_q", "to_k", "to_v", "to_out.0")


class LowRank(nn.Module):
    """A weight (out, in) plus up (out, rank) x down (rank, in), which is zero at the start."""

    def __init__(self, weight: Tensor, rank: int):
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, weight.shape[1]) / rank)
        self.up = nn.Parameter(torch.zeros(weight.shape[0], rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down).to(weight)


def add_lora(denoiser: Denoiser, *, rank: int = 8) -> None:
    """Freeze a denoiser and let the projections of its attentions learn by `rank` numbers a channel."""
    denoiser.requires_grad_(False)
    for _, layer in _projections(denoiser):
        parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank))


def lora_tensors(denoiser: Denoiser) -> dict[str, Tensor]:
    """The additions under the names that ComfyUI's Load LoRA looks for."""
    tensors = {}
    for name, layer in _projections(denoiser):
        if parametrize.is_parametrized(layer, "weight"):
            learned = layer.parametrizations.weight[0]
            tensors[f"diffusion_model.{name}.lora_up.weight"] = learned.up.detach()
            tensors[f"diffusion_model.{name}.lora_down.weight"] = learned.down.detach()
    return tensors


def save_lora(denoiser: Denoiser, out: Path, *, source: str) -> None:
    """Write the additions in fp16. ComfyUI takes their strength as rank / alpha; without an alpha it is 1."""
    from safetensors.torch import save_file

    tensors = {name: tensor.half().contiguous().cpu() for name, tensor in lora_tensors(denoiser).items()}
    with whole_file(out) as partial:
        save_file(tensors, partial, metadata={"mimo_lora": json.dumps({"source": source})})


def _projections(denoiser: Denoiser) -> list[tuple[str, nn.Linear]]:
    return [(name, layer) for name, layer in denoiser.named_modules() if name.endswith(LORA_TARGETS)]
