"""The autoencoder outside ComfyUI: diffusers' AutoencoderKL or AutoencoderTiny, whichever a file's tensors are of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import InputError
from .memory import count_fitting, run_with_fallbacks
from .state_files import describe_state, list_widths


LATENT_SCALE = 0.18215  # from latents as Stable Diffusion 1.5's VAE gives them to those that the denoiser works on
PICTURES_AT_ONCE = 4  # pictures, where memory holds them
VALUES_PER_PIXEL = 2178  # at the peak of a decode; ComfyUI's number for AutoencoderKL
TILE_PX = 512  # pixels
ATTENTION_RENAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}


@dataclass(eq=False)
class Autoencoder:
    """Pictures to latents and back, as many at a time as fit. Where memory runs out: one at a time, then in tiles."""

    network: nn.Module
    scale: float = 1.0  # what the network calls a latent is (latent - shift) * scale
    shift: float = 0.0
    _fallbacks: list[int] = field(
        default_factory=lambda: [PICTURES_AT_ONCE, 1, 0]
    )  # pictures at once; 0 is one in tiles

    @classmethod
    def from_tensors(cls, state: Mapping[str, Tensor], device=None, dtype: torch.dtype = torch.float32) -> Autoencoder:
        """The autoencoder of these tensors. float16 overflows in Stable Diffusion 1.5's; bfloat16 does not."""
        if any("encoder.layers." in name or "taesd_encoder." in name for name in state):
            network, scale, shift = _build_tiny(state)
        else:
            network, scale, shift = _build_kl(state), 1.0, 0.0
        network = network.to(device, dtype, memory_format=torch.channels_last)  # 1.4 times as fast on a CPU
        return cls(network.eval().requires_grad_(False), scale, shift)

    @property
    def dtype(self) -> torch.dtype:
        return next(self.network.parameters()).dtype

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @torch.no_grad()
    def encode(self, pictures: NDArray) -> Tensor:
        """Latents (n, 4, H / 8, W / 8) on the CPU of pictures (n, H, W, 3) uint8, unscaled as ComfyUI's VAEs give them.

        Those of AutoencoderKL are the mean of its distribution, as in the official release.
        Raises InputError if they are not finite.
        """
        latents = torch.cat(self._by_parts(self._encoded, torch.from_numpy(pictures), "encode"))
        if not torch.isfinite(latents).all():
            raise InputError("The VAE's latents are NaN or infinite: its weights are damaged. Fetch it again.")
        return latents / self.scale + self.shift

    @torch.no_grad()
    def decode(self, latents: Tensor) -> NDArray:
        """Pictures (n, H, W, 3) uint8 of unscaled latents (n, 4, H / 8, W / 8).

        Raises InputError if the pictures are not finite.
        """
        decoded = self._by_parts(self._decoded, (latents - self.shift) * self.scale, "decode")
        return torch.cat(decoded).permute(0, 2, 3, 1).contiguous().numpy()

    def _encoded(self, pictures: Tensor) -> Tensor:
        pixels = pictures.to(self.device).permute(0, 3, 1, 2).float() / 127.5 - 1
        encoded = self.network.encode(pixels.to(self.dtype))
        return (encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean).float().cpu()

    def _decoded(self, latents: Tensor) -> Tensor:
        pixels = self.network.decode(latents.to(self.device, self.dtype)).sample.float()
        if not torch.isfinite(pixels).all():
            raise InputError("The VAE's pictures are NaN or infinite: its weights are damaged. Fetch it again.")
        return ((pixels / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).cpu()

    def _by_parts(self, run, rows: Tensor, verb: str) -> list[Tensor]:
        """`run` on all rows, as many at a time as memory holds."""
        situation = (
            f"where the VAE should {verb} one picture of {tuple(rows.shape)} in tiles. "
            "Lower the size, or work on another device"
        )
        pixels = rows[0].numel() // 3 if verb == "encode" else rows[0, 0].numel() * 64
        fitting = count_fitting(VALUES_PER_PIXEL * pixels * self.dtype.itemsize, PICTURES_AT_ONCE, self.device)
        return run_with_fallbacks(
            lambda at_once: self._parts(run, rows, min(at_once, fitting)),
            self._fallbacks,
            self.device,
            situation=situation,
        )

    def _parts(self, run, rows: Tensor, at_once: int) -> list[Tensor]:
        if not at_once:
            self.network.enable_tiling()
        return [run(part) for part in rows.split(at_once or 1)]


def rename_taesd(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A tiny autoencoder of diffusers in the names that ComfyUI knows; any other autoencoder as it is.

    ComfyUI's decoder counts the clamp in front of its layers, and keeps the scale of the latents beside them.
    """
    if not any(name.startswith("encoder.layers.") for name in state):
        return dict(state)
    renamed = {"vae_scale": torch.tensor(LATENT_SCALE), "vae_shift": torch.tensor(0.0)}
    for name, tensor in state.items():
        side, _, number, rest = name.split(".", 3)
        renamed[f"taesd_{side}.{int(number) + (side == 'decoder')}.{rest}"] = tensor
    return renamed


def _build_tiny(state: Mapping[str, Tensor]) -> tuple[nn.Module, float, float]:
    """diffusers' AutoencoderTiny with the scale and shift of its latents."""
    from diffusers import AutoencoderTiny

    own = {}
    for name, tensor in rename_taesd(state).items():
        if match := re.fullmatch(r"taesd_(encoder|decoder)\.(\d+)\.(.+)", name):
            side, number, rest = match.groups()
            own[f"{side}.layers.{int(number) - (side == 'decoder')}.{rest}"] = tensor
    scale, shift = (
        float(state.get(name, default)) for name, default in (("vae_scale", LATENT_SCALE), ("vae_shift", 0))
    )
    return _load_state(AutoencoderTiny(), own), scale, shift


def _build_kl(state: Mapping[str, Tensor]) -> nn.Module:
    """diffusers' AutoencoderKL, its widths read off the tensors, which may have the names of Stable Diffusion."""
    from diffusers import AutoencoderKL
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    state = {name.removeprefix("first_stage_model."): tensor for name, tensor in state.items()}
    original = any(name.startswith("encoder.down.") for name in state)
    block, part = ("down", "block") if original else ("down_blocks", "resnets")
    widths = list_widths(state, rf"encoder\.{block}\.(\d+)\.{part}\.0\.conv1\.weight")
    layers = list_widths(state, rf"encoder\.{block}\.0\.{part}\.(\d+)\.conv1\.weight")
    if not widths or "decoder.conv_in.weight" not in state:
        raise InputError(
            f"This VAE file seems to be {describe_state(state)}. Use a VAE of Stable Diffusion 1.5, such as "
            "sd-vae-ft-mse."
        )
    shape = {
        "block_out_channels": tuple(widths),
        "layers_per_block": len(layers),
        "latent_channels": state["decoder.conv_in.weight"].shape[1],
        "sample_size": TILE_PX,
        "down_block_types": ("DownEncoderBlock2D",) * len(widths),
        "up_block_types": ("UpDecoderBlock2D",) * len(widths),
    }
    if original:
        state = convert_ldm_vae_checkpoint(state, shape)
    return _load_state(AutoencoderKL(**shape), {_rename_attention(name): tensor for name, tensor in state.items()})


def _rename_attention(name: str) -> str:
    """Files made before 2023, sd-vae-ft-mse among them, call the parts of an attention otherwise."""
    for before, after in ATTENTION_RENAMES.items():
        name = name.replace(before, after)
    return name


def _load_state(network: nn.Module, state: Mapping[str, Tensor]) -> nn.Module:
    wanted = network.state_dict()
    wrong = sorted(name for name in wanted if name not in state or state[name].shape != wanted[name].shape)
    if wrong:
        raise InputError(
            f"The VAE file lacks {len(wrong)} of {len(wanted)} tensors, or has them in another shape: "
            f"{', '.join(wrong[:6])}. Fetch it again, or use another VAE of Stable Diffusion 1.5."
        )
    network.load_state_dict({name: state[name] for name in wanted})
    return network
