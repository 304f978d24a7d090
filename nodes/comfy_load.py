"""From a checkpoint file to ComfyUI's MODEL, VAE and CLIP_VISION."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import comfy.clip_vision
import comfy.sd
import torch

from ..mimo_core.denoise.checkpoints import open_checkpoint
from ..mimo_core.errors import InputError
from .comfy_model import build
from .comfy_windows import with_windows


CLIP_HEAD = 64  # channels of one head in every CLIP


def load_checkpoint(path: Path, dtype: torch.dtype | None = None):
    """(MODEL, VAE or None, CLIP_VISION or None). The MODEL samples in the windows it was trained with."""
    checkpoint = open_checkpoint(path)
    how, extras = checkpoint.trained, checkpoint.extras
    model = with_windows(build(checkpoint, dtype=dtype), how.window, how.overlap)
    model.cached_patcher_init = (load_model, (path, dtype))
    vae = comfy.sd.VAE(sd=dict(extras["vae"])) if "vae" in extras else None
    clip_vision = clip_vision_from(extras["clip_vision"]) if "clip_vision" in extras else None
    return model, vae, clip_vision


def load_model(path: Path, dtype: torch.dtype | None, disable_dynamic: bool = False):
    """The MODEL alone: how newer ComfyUI makes another instance of it."""
    return load_checkpoint(path, dtype)[0]


def clip_vision_from(state):
    """A CLIP_VISION of any size. ComfyUI's loader knows a few by their number of layers; ours may be smaller."""
    known = comfy.clip_vision.load_clipvision_from_sd(dict(state))
    if known is not None:
        return known
    patch = state["vision_model.embeddings.patch_embedding.weight"]
    positions = len(state["vision_model.embeddings.position_embedding.weight"])
    inner = state["vision_model.encoder.layers.0.mlp.fc1.weight"]
    layers = {name.split(".")[3] for name in state if name.startswith("vision_model.encoder.layers.")}
    shape = {
        "model_type": "clip_vision_model",
        "hidden_act": "quick_gelu",
        "hidden_size": len(patch),
        "intermediate_size": len(inner),
        "num_attention_heads": max(len(patch) // CLIP_HEAD, 1),
        "num_hidden_layers": len(layers),
        "num_channels": patch.shape[1],
        "patch_size": patch.shape[-1],
        "image_size": math.isqrt(positions - 1) * patch.shape[-1],
        "projection_dim": len(state["visual_projection.weight"]),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.json")
        path.write_text(json.dumps(shape))
        clip_vision = comfy.clip_vision.ClipVisionModel(path)
    missing, _ = clip_vision.load_sd(dict(state))
    if missing:
        raise InputError(f"The checkpoint's CLIP vision lacks {len(missing)} tensors: {', '.join(missing[:8])}.")
    return clip_vision
