"""From a checkpoint file to ComfyUI's MODEL, VAE and CLIP_VISION."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import comfy.clip_vision
import comfy.sd
import torch

from ..mimo_core.denoise.autoencoder import rename_taesd
from ..mimo_core.denoise.checkpoints import open_checkpoint
from ..mimo_core.denoise.image_encoder import infer_vision_config
from ..mimo_core.errors import InputError
from .comfy_model import build_model
from .comfy_windows import set_windows


def load_checkpoint(path: Path, dtype: torch.dtype | None = None):
    """(MODEL, VAE or None, CLIP_VISION or None). The MODEL samples in the windows it was trained with."""
    checkpoint = open_checkpoint(path)
    how, extras = checkpoint.trained, checkpoint.extras
    model = set_windows(build_model(checkpoint, dtype=dtype), how.window, how.overlap)
    model.cached_patcher_init = (load_model, (path, dtype))
    vae = comfy.sd.VAE(sd=rename_taesd(extras["vae"])) if "vae" in extras else None
    clip_vision = build_clip_vision(extras["clip_vision"]) if "clip_vision" in extras else None
    return model, vae, clip_vision


def load_model(path: Path, dtype: torch.dtype | None, disable_dynamic: bool = False):
    """The MODEL alone: how newer ComfyUI makes another instance of it."""
    return load_checkpoint(path, dtype)[0]


def build_clip_vision(state):
    """A CLIP_VISION of any size. ComfyUI's loader knows a few by their number of layers; ours may be smaller."""
    known = comfy.clip_vision.load_clipvision_from_sd(dict(state))
    if known is not None:
        return known
    shape = {"model_type": "clip_vision_model"} | infer_vision_config(state)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.json")
        path.write_text(json.dumps(shape))
        clip_vision = comfy.clip_vision.ClipVisionModel(path)
    missing, _ = clip_vision.load_sd(dict(state))
    if missing:
        raise InputError(f"The checkpoint's CLIP vision lacks {len(missing)} tensors: {', '.join(missing[:8])}.")
    return clip_vision
