"""The image encoder outside ComfyUI: transformers' CLIP vision with projection, of whatever size its tensors have."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import InputError
from ..identity.prepare import make_clip_input
from .state_files import describe_state, list_widths


HEAD_CHANNELS = 64  # channels of one head in every CLIP


def infer_vision_config(state: Mapping[str, Tensor]) -> dict[str, int | str]:
    """The configuration of a CLIP vision model, read off its tensors.

    Raises InputError if they are of another kind of model.
    """
    if "vision_model.embeddings.patch_embedding.weight" not in state or "visual_projection.weight" not in state:
        raise InputError(
            f"The image encoder must be a CLIP vision model with its projection, but the file seems to be "
            f"{describe_state(state)}. Use the one of sd-image-variations."
        )
    patch = state["vision_model.embeddings.patch_embedding.weight"]
    positions = len(state["vision_model.embeddings.position_embedding.weight"])
    inner = list_widths(state, r"vision_model\.encoder\.layers\.(\d+)\.mlp\.fc1\.weight")
    return {
        "hidden_act": "quick_gelu",
        "hidden_size": len(patch),
        "intermediate_size": inner[0],
        "num_attention_heads": max(len(patch) // HEAD_CHANNELS, 1),
        "num_hidden_layers": len(inner),
        "num_channels": patch.shape[1],
        "patch_size": patch.shape[-1],
        "image_size": math.isqrt(positions - 1) * patch.shape[-1],
        "projection_dim": len(state["visual_projection.weight"]),
    }


def build_image_encoder(state: Mapping[str, Tensor], device=None) -> nn.Module:
    """CLIPVisionModelWithProjection with these tensors, in float32. Raises InputError if some are missing."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    network = CLIPVisionModelWithProjection(CLIPVisionConfig(**infer_vision_config(state)))
    missing, _ = network.load_state_dict(dict(state), strict=False)
    if missing := [name for name in missing if not name.endswith("position_ids")]:
        raise InputError(f"The image encoder lacks {len(missing)} tensors: {', '.join(missing[:8])}. Fetch it again.")
    return network.to(device).eval().requires_grad_(False)


@torch.no_grad()
def embed_picture(network: nn.Module, picture: NDArray) -> Tensor:
    """The embedding (1, D) of a square picture (S, S, 3) uint8: projected, not normalised, nothing cropped away."""
    pixels = make_clip_input(picture, network.config.image_size).to(network.device)
    return network(pixels).image_embeds.cpu()
