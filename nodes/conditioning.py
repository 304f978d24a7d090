"""Makes what the denoiser is told about a clip out of a character, a motion and a scene."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from ..mimo_core.body.colors import foreign_share, point_colors
from ..mimo_core.body.model import free_body
from ..mimo_core.body.render import render_motion
from ..mimo_core.clip import Clip
from ..mimo_core.denoise.regions import ClipPlan, plan_clip
from ..mimo_core.denoise.segments import BLACK, WHITE, network_frames, segment
from ..mimo_core.errors import InputError
from ..mimo_core.identity.identity import Identity
from ..mimo_core.identity.prepare import vae_input
from ..mimo_core.motion.motion import Motion
from ..mimo_core.progress import Progress, silent
from ..mimo_core.scene.scene import Scene
from .comfy_model import CLIP, ClipConditions, reference_features, trained
from .comfy_windows import windows_of, with_windows
from .models import official_body_code


ENCODED_AT_ONCE = 8  # pictures that go to the VAE together
FOREIGN = 0.3  # share of a body code's pixels that may have a colour of no vertex
USUAL_SPREAD = 1.25  # of scaled latents: about 0.9 for Stable Diffusion 1.5's VAE, 1.4 for SDXL's


@dataclass(frozen=True, eq=False)
class Conditioned:
    """What a sampler needs, in ComfyUI's own types."""

    model: object
    positive: list
    negative: list
    latent: dict
    plan: ClipPlan


@dataclass(frozen=True)
class Part:
    """Which frames of a clip at which size. 0 is the size the weights were trained at, and the rest of the clip."""

    size: int = 0
    start: int = 0
    length: int = 0
    behaviour: str = "fixed"


def condition(
    model,
    vae,
    identity: Identity,
    motion: Motion | Clip,
    scene: Scene,
    part: Part,
    *,
    text=None,
    start_clip: Clip | None = None,
    progress: Progress = silent,
) -> Conditioned:
    """Plan the clip, encode its plate and the character, and read the reference.

    motion: a Motion, drawn in the colours the weights were trained on, or body code that was drawn already
    text: CONDITIONING for ControlNets; start_clip: frames of the scene's size to begin from instead of noise alone
    """
    if vae is None:
        raise InputError("There is no VAE: the checkpoint brings none. Connect Load VAE with one of SD 1.5.")
    how = trained(model)
    size = part.size or how.size
    if size % 8 or size < 64:
        raise InputError(f"The size is {size}, but must be a multiple of 8 from 64 up. {how.size} suits these weights.")
    token = _token(identity, model)

    body_code = _body_code(motion, scene, how.colours, progress)
    plan = segment(plan_clip(body_code, behaviour=part.behaviour), part.start, part.length)
    plate = _lasting(scene.plate, scene.is_still, len(body_code), "The scene")
    frames = _stacked(network_frames(body_code, plan, size, fill=BLACK), size, len(plan.network_frames), progress)
    clip = ClipConditions(
        background=_encoded(vae, network_frames(plate, plan, size, fill=WHITE), size, progress),
        body_code=frames,
        reference=_reference(model, vae, identity, token, size, part.behaviour),
        reads_reference=True,
    )
    _check_spread(clip.background)
    latents = torch.zeros_like(clip.background)
    if start_clip is not None:
        _check_count("The start images", len(start_clip), len(body_code))
        latents = _encoded(vae, network_frames(start_clip, plan, size, fill=WHITE), size, progress)

    shared = {} if text is None else {"cross_attn_controlnet": text[0][0]}
    lengths = tuple(len(context.frames) for context in plan.contexts)
    return Conditioned(
        model=_windowed(model, how, lengths, part.behaviour),
        positive=[[token[:1], shared | {CLIP: clip}]],
        negative=[[torch.zeros_like(token[:1]), shared | {CLIP: clip.unconditional()}]],
        latent={"samples": latents, "batch_index": [frame for frame, _ in plan.network_frames]},
        plan=plan,
    )


def _windowed(model, how, contexts: tuple[int, ...], behaviour: str):
    """The MODEL with windows that do not join contexts. Windows of another node's making stay as they are."""
    windows = windows_of(model)
    if windows is None and "context_handler" in model.model_options:
        return model
    size, overlap = (windows.context_length, windows.context_overlap) if windows else (how.window, how.overlap)
    schedule = "official" if behaviour == "official" else windows.schedule if windows else "fixed"
    return with_windows(model, size, overlap, schedule, contexts)


def _token(identity: Identity, model) -> Tensor:
    if identity.token is None:
        raise InputError("The identity has no token. Connect CLIP vision (of Load MIMO) to Identity Encoder.")
    width, wanted = identity.token.shape[-1], model.model.diffusion_model.config.cross_attention_dim
    if width != wanted:
        raise InputError(
            f"The CLIP vision model gives embeddings of width {width}, this MIMO reads {wanted}. Use the image encoder "
            "it was trained with: CLIP ViT-L/14 of sd-image-variations for the official weights."
        )
    return identity.token


def _body_code(motion: Motion | Clip, scene: Scene, colours: str, progress: Progress) -> Clip:
    """Body-code frames of the scene's size. Official colours stop here if their files are missing."""
    if isinstance(motion, Clip):
        if (motion.width, motion.height) != (scene.width, scene.height):
            raise InputError(
                f"The body code is {motion.width}x{motion.height}, the scene {scene.width}x{scene.height}. "
                "Give the scene to Render Body Code, too."
            )
        _check_colours(motion, colours)
        return motion
    if not motion.frames:
        raise InputError("The motion has no frames. Give a motion of at least one frame.")
    if not scene.is_still:
        _check_count("The scene", scene.frames, motion.frames)
    body, table = (None, None) if colours == "free" else official_body_code()
    drawn = render_motion(motion, body=body, size=(scene.width, scene.height), colors=table, progress=progress)
    return Clip.from_frames((frame for frame, _ in drawn), motion.fps)


def _check_colours(body_code: Clip, colours: str) -> None:
    """Refuse body code whose colours are not those of the weights; without the table of those nobody can tell."""
    try:
        table = point_colors(free_body()) if colours == "free" else official_body_code()[1]
    except InputError:
        return
    step = max(len(body_code) // 4, 1)
    share = foreign_share([body_code[frame] for frame in range(0, len(body_code), step)], table)
    if share > FOREIGN:
        raise InputError(
            f"{share:.0%} of the body code's pixels have colours that the weights do not know (map: {colours}). "
            "Connect the motion itself, or draw it by Render Body Code in those colours."
        )


def _lasting(clip: Clip, is_still: bool, frames: int, name: str) -> Clip:
    """A still layer for all frames, another one as it is if it has as many."""
    if is_still:
        return Clip.still(clip[0], frames, clip.fps)
    _check_count(name, len(clip), frames)
    return clip


def _check_count(name: str, found: int, wanted: int) -> None:
    if found != wanted:
        raise InputError(f"{name} has {found} frames but the motion has {wanted}. Give both the same length and fps.")


def _stacked(frames: Iterator[np.ndarray], size: int, count: int, progress: Progress) -> Tensor:
    stack = torch.empty(count, size, size, 3, dtype=torch.uint8)
    for index, frame in enumerate(frames):
        stack[index] = torch.from_numpy(frame.copy())
        progress(index + 1, count)
    return stack


def _encoded(vae, frames: Iterable[np.ndarray], size: int, progress: Progress) -> Tensor:
    """Latents (F, 4, size / 8, size / 8) of uint8 frames, a few at a time."""
    frames, latents = iter(frames), []
    while pictures := list(islice(frames, ENCODED_AT_ONCE)):
        latents.append(vae.encode(torch.from_numpy(np.stack(pictures)).float() / 255).cpu())
        if latents[-1].shape[1:] != (4, size // 8, size // 8):
            raise InputError(
                f"This VAE gives latents of {tuple(latents[-1].shape[1:])} for {size}x{size} pixels, MIMO needs "
                f"{(4, size // 8, size // 8)}. Use a VAE of Stable Diffusion 1.5, such as sd-vae-ft-mse."
            )
        if not torch.isfinite(latents[-1]).all():
            raise InputError("The VAE's latents are NaN or infinite. Start ComfyUI with --fp32-vae or --bf16-vae.")
        progress(len(latents), len(latents) + 1)
    return torch.cat(latents)


def _check_spread(latents: Tensor) -> None:
    """An SDXL VAE has latents of the right shape and the wrong scale."""
    spread = float(latents.std()) * 0.18215 if latents.numel() > 1 else 0.0
    if spread > USUAL_SPREAD:
        logging.getLogger("mimo").warning(
            "The VAE's latents spread by %.2f after scaling, where Stable Diffusion 1.5's stay near 1: this looks like "
            "the VAE of another model (SDXL's has the same shapes). Colours will be wrong. Use sd-vae-ft-mse.",
            spread,
        )


def _reference(model, vae, identity: Identity, token: Tensor, size: int, behaviour: str):
    """Features of all views. The official release knows one view, and sends its features through float16."""
    views = [identity.picture] + ([identity.back[0]] if identity.back is not None else [])
    if behaviour == "official":
        views = views[:1]
    if identity.latent is not None and identity.latent.shape[-1] == size // 8:
        latents = identity.latent[: len(views)]
    else:
        # Lanczos to the network's size, then back from -1..1 to what ComfyUI's VAEs take.
        pictures = [(vae_input(view, size, size)[0].permute(1, 2, 0).numpy() + 1) / 2 for view in views]
        latents = _encoded(vae, (np.rint(picture * 255).astype(np.uint8) for picture in pictures), size, silent)
    features = reference_features(model, latents, token[: len(views)])
    return features.rounded() if behaviour == "official" else features


def with_networks(identity: Identity, *, vae=None, clip_vision=None) -> Identity:
    """The identity with the latents of its views (V, 4, h, w) at its own size, and their tokens (V, 1, D).

    The token is the projected embedding, not normalised, of the whole padded square, as in the official release.
    """
    views = [identity.picture] + ([identity.back[0]] if identity.back is not None else [])
    latent = token = None
    if vae is not None and len({len(view) for view in views}) == 1:
        latent = _encoded(vae, views, identity.side, silent)
    if clip_vision is not None:
        pictures = [torch.from_numpy(view.copy()).float()[None] / 255 for view in views]
        token = torch.stack([clip_vision.encode_image(picture, crop=False).image_embeds for picture in pictures])
    return replace(identity, latent=latent, token=None if token is None else token.float())
