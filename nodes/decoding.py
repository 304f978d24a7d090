"""Makes pictures of latents, a few frames at a time, with detail where the MODEL and the LATENT bring what it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from comfy.model_management import get_torch_device
from numpy.typing import NDArray
from torch import Tensor

from ..mimo_core.denoise.conditioning import ENCODED_AT_ONCE
from ..mimo_core.denoise.memory import run_with_fallbacks
from ..mimo_core.errors import InputError
from ..mimo_core.progress import Progress, silent
from .batches import allocate_batch
from .comfy_model import has_detail, is_mimo, restore_images


# The key under which a LATENT carries its ClipLayers. Samplers and nodes that cut latents copy what they do not know,
# so the layers stay with what is drawn from them: a MODEL could meet the latents of another clip.
LAYERS_KEY = "mimo_layers"
PLAIN = "Decoded without detail:"


@dataclass(frozen=True, eq=False)
class ClipLayers:
    """The layers' pixels beside which the frames of a LATENT are drawn. Temporary files hold them, and go with it.

    squares: frames (S, S, 3) uint8 by the names of DETAIL_LAYERS and of BODY_CODE
    frames: which of the clip they are, as `batch_index`
    """

    squares: Mapping[str, Sequence[NDArray]]
    frames: tuple[int, ...]
    size: int

    def __deepcopy__(self, memo) -> ClipLayers:
        return self  # open files cannot be copied, and nothing changes them

    def find_rows(self, frames: Sequence[int] | None, count: int) -> list[int] | None:
        """Which squares belong to `count` latents of these frames of the clip; None if that is not certain."""
        frames = self.frames if frames is None else tuple(frames)
        if len(frames) != count:
            return None
        if frames == self.frames:
            return list(range(count))
        # Contexts may draw a frame of the clip twice, joined latents hold it twice.
        times = Counter(self.frames)
        rows = {frame: row for row, frame in enumerate(self.frames) if times[frame] == 1}
        is_certain = len(set(frames)) == count and rows.keys() >= set(frames)
        return [rows[frame] for frame in frames] if is_certain else None


def decode_clip(model, vae, latent: Mapping, progress: Progress = silent) -> tuple[Tensor, tuple[str, ...]]:
    """The IMAGE of a LATENT, and notes on why detail was left out though something could have had it.

    Raises InputError without a VAE, if the latents are not those of Stable Diffusion 1.5, or decode to NaN.
    """
    samples = latent["samples"]
    require_vae(vae)
    if samples.ndim != 4 or samples.shape[1] != 4:
        raise InputError(
            f"The latent has the shape {tuple(samples.shape)}, but those that MIMO draws are (frames, 4, height, "
            "width). Use ComfyUI's VAE Decode for latents of other models."
        )
    if note := _explain_lack(model, latent):
        return decode_latents(vae, samples, progress), (note,)
    if not has_detail(model):
        return decode_latents(vae, samples, progress), ()
    layers = latent[LAYERS_KEY]
    rows = layers.find_rows(latent.get("batch_index"), len(samples))

    def restore(pictures: Tensor, start: int) -> Tensor:
        return restore_images(model, pictures, rows[start : start + len(pictures)], layers=layers.squares)

    return decode_latents(vae, samples, progress, restore=restore), ()


def decode_latents(
    vae, latents: Tensor, progress: Progress = silent, *, restore: Callable[[Tensor, int], Tensor] | None = None
) -> Tensor:
    """The IMAGE of latents (F, 4, h, w), made a few frames at a time.

    restore: puts right a part of the IMAGE that begins with a frame
    """
    count, (height, width) = len(latents), latents.shape[2:]
    situation = f"where the VAE should decode {8 * width}x{8 * height} pixels in tiles. Lower the size"
    images = allocate_batch(count, 8 * height, 8 * width, 3)
    for start in range(0, count, ENCODED_AT_ONCE):
        few = latents[start : start + ENCODED_AT_ONCE]
        pictures = run_with_fallbacks(lambda rows: vae.decode(rows), [few], get_torch_device(), situation=situation)
        if not torch.isfinite(pictures).all():
            raise InputError("The VAE's pictures are NaN or infinite. Start ComfyUI with --fp32-vae or --bf16-vae.")
        images[start : start + len(few)] = pictures if restore is None else restore(pictures, start)
        progress(start + len(few), count)
    return images


def require_vae(vae) -> None:
    """Raises InputError where a loader had no VAE to give."""
    if vae is None:
        raise InputError("There is no VAE: the checkpoint brings none. Connect Load VAE with one of SD 1.5.")


def _explain_lack(model, latent: Mapping) -> str:
    """What keeps detail from a LATENT, in words for the user. Empty where nothing does, or the weights have none."""
    if not is_mimo(model):
        kind = type(model.model).__name__
        return f"{PLAIN} this MODEL is a {kind}, not a MIMO. Connect the model of Load MIMO or MIMO Conditioning."
    if not has_detail(model):
        return ""
    samples, layers = latent["samples"], latent.get(LAYERS_KEY)
    if layers is None:
        return (
            f"{PLAIN} the latent brings no plate and proxy. Give the sampler the latent of MIMO Conditioning that got "
            "the same MIMO, and let no node between make a latent of its own."
        )
    height, width = (8 * side for side in samples.shape[2:])
    if (height, width) != (layers.size, layers.size):
        return (
            f"{PLAIN} the latent is {width}x{height} pixels, the plate and proxy of MIMO Conditioning "
            f"{layers.size}x{layers.size}. Set its size instead of scaling the latent."
        )
    if layers.find_rows(latent.get("batch_index"), len(samples)) is None:
        return (
            f"{PLAIN} it is not certain which of the {len(layers.frames)} frames of MIMO Conditioning the latent's "
            f"{len(samples)} are. Decode latents before you join or repeat them."
        )
    return ""
