"""Makes what the denoiser is told about a clip, in ComfyUI's own types."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from comfy.model_management import get_torch_device
from torch import Tensor

from ..mimo_core.denoise.conditioning import (
    FrameRange,
    encode_identity_views,
    encode_references,
    encode_start,
    prepare_clip_pictures,
    require_token,
)
from ..mimo_core.denoise.detail import BODY_CODE, DETAIL_LAYERS
from ..mimo_core.denoise.memory import run_with_fallbacks
from ..mimo_core.denoise.regions import ClipPlan
from ..mimo_core.errors import InputError
from ..mimo_core.identity.identity import Identity
from ..mimo_core.media.clip import Clip
from ..mimo_core.motion.motion import Motion
from ..mimo_core.progress import Progress, silent
from ..mimo_core.scene.scene import Scene
from .comfy_model import CLIP_KEY, ClipConditions, compute_reference, get_training_settings, has_detail
from .comfy_windows import get_windows, set_windows
from .decoding import LAYERS_KEY, ClipLayers, require_vae
from .models import find_official_body


@dataclass(frozen=True, eq=False)
class ConditionedClip:
    """What a sampler needs, in ComfyUI's own types."""

    model: object
    positive: list
    negative: list
    latent: dict
    plan: ClipPlan
    notes: tuple[str, ...] = ()


def condition_clip(
    model,
    vae,
    identity: Identity,
    motion: Motion | Clip,
    scene: Scene,
    part: FrameRange,
    *,
    text=None,
    start_clip: Clip | None = None,
    progress: Progress = silent,
) -> ConditionedClip:
    """Plan the clip, encode its layers and the character, and read the reference.

    motion: a Motion, drawn in the colours the weights were trained on, or body code that was drawn already
    text: CONDITIONING for ControlNets; start_clip: frames of the scene's size to begin from instead of noise alone
    The LATENT carries the layers' pixels, too, if the MODEL brings the network that reads them after sampling.
    """
    require_vae(vae)
    how, encode = get_training_settings(model), make_encoder(vae)
    token = require_token(identity, model.model.diffusion_model.config.cross_attention_dim)
    pictures = prepare_clip_pictures(identity, motion, scene, how, part, official=find_official_body, progress=progress)
    plan = pictures.plan
    squares = pictures.keep_squares(plan, DETAIL_LAYERS, progress) if has_detail(model) else {}
    clip = ClipConditions(
        concat_latents=pictures.encode_concat(plan, encode, progress, kept=squares),
        body_code=pictures.cut_body_code(plan, progress),
        reference=_compute_clip_reference(model, identity, encode, token, pictures.size, part.behavior),
        reads_reference=True,
    )
    if start_clip is None:
        latents = clip.concat_latents.new_zeros(clip.frames, 4, *clip.concat_latents.shape[2:])
    else:
        latents = encode_start(pictures, start_clip, encode, progress)

    frames = [frame for frame, _ in plan.network_frames]
    latent = {"samples": latents, "batch_index": frames}
    if squares:
        layers = squares | {BODY_CODE: clip.body_code.numpy()}
        latent[LAYERS_KEY] = ClipLayers(layers, tuple(frames), pictures.size)
    shared = {} if text is None else {"cross_attn_controlnet": text[0][0]}
    lengths = tuple(len(context.frames) for context in plan.contexts)
    return ConditionedClip(
        model=_set_clip_windows(model, how, lengths, part.behavior),
        positive=[[token[:1], shared | {CLIP_KEY: clip}]],
        negative=[[torch.zeros_like(token[:1]), shared | {CLIP_KEY: clip.make_unconditional()}]],
        latent=latent,
        plan=plan,
        notes=pictures.notes,
    )


def encode_views_by_nodes(identity: Identity, *, vae=None, clip_vision=None) -> Identity:
    """The identity with what a VAE and a CLIP_VISION see in its pictures."""
    embed = None
    if clip_vision is not None:
        embed = lambda view: clip_vision.encode_image(_make_image(view[None]), crop=False).image_embeds  # noqa: E731
    return encode_identity_views(identity, encode=None if vae is None else make_encoder(vae), embed=embed)


def make_encoder(vae):
    """How a VAE encodes uint8 pictures (n, H, W, 3). ComfyUI's own goes over to tiles when memory runs out."""

    def encode(pictures: np.ndarray) -> Tensor:
        situation = (
            f"where the VAE should encode {pictures.shape[2]}x{pictures.shape[1]} pixels in tiles. Lower the size"
        )
        latents = run_with_fallbacks(
            lambda rows: vae.encode(_make_image(rows)).cpu(), [pictures], get_torch_device(), situation=situation
        )
        if not torch.isfinite(latents).all():
            raise InputError("The VAE's latents are NaN or infinite. Start ComfyUI with --fp32-vae or --bf16-vae.")
        return latents

    return encode


def _make_image(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(pictures.copy()).float() / 255


def _set_clip_windows(model, how, contexts: tuple[int, ...], behavior: str):
    """The MODEL with windows that do not join contexts. Windows of another node's making stay as they are."""
    windows = get_windows(model)
    if windows is None and "context_handler" in model.model_options:
        return model
    size, overlap = (windows.context_length, windows.context_overlap) if windows else (how.window, how.overlap)
    schedule = "official" if behavior == "official" else windows.schedule if windows else "fixed"
    return set_windows(model, size, overlap, schedule, contexts)


def _compute_clip_reference(model, identity: Identity, encode, token: Tensor, size: int, behavior: str):
    """Features of all views. The official release sends them through float16."""
    latents = encode_references(identity, encode, size=size, behavior=behavior)
    features = compute_reference(model, latents, token[: len(latents)])
    return features.round_through() if behavior == "official" else features
