"""Stages 1 and 2: the denoiser with its reference UNet and pose guider, on single frames, then on clips."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.pose_guider import PoseGuider
from mimo_core.denoise.reference import ReferenceFeatures
from mimo_core.denoise.reference_unet import ReferenceUNet
from mimo_core.denoise.sampling import NOISE_SCHEDULE

from .latents import Latents
from .loop import Step


SNR_GAMMA = 5.0  # of min-SNR
AT_LEVELS = 0.8  # share of the clips that stand at a noise level of the sampler they are trained for, if one is named
CONDITIONAL, UNCONDITIONAL = 0, 1


class Mimo(nn.Module):
    """The three networks that are trained together, by the names of a checkpoint's parts."""

    def __init__(self, config: MimoConfig):
        super().__init__()
        self.denoising_unet = Denoiser(config)
        self.reference_unet = ReferenceUNet(config)
        self.pose_guider = PoseGuider(config)
        zero_guidance(self)

    @property
    def config(self) -> MimoConfig:
        return self.denoising_unet.config


def zero_guidance(networks: Mimo) -> None:
    """Begin with body codes and motion modules that add nothing, as ControlNet and AnimateDiff do."""
    for layer in (networks.pose_guider.conv_out, *list_motion_outputs(networks.denoising_unet)):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def list_levels(denoiser: Denoiser) -> list[nn.Module]:
    return [*denoiser.down_blocks, denoiser.mid_block, *denoiser.up_blocks]


def list_motion_outputs(denoiser: Denoiser) -> list[nn.Linear]:
    modules = [module for level in list_levels(denoiser) for module in level.motion_modules or ()]
    return [module.temporal_transformer.proj_out for module in modules]


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips of equally many frames, one after the other, and what the denoiser is conditioned on."""

    frames: Tensor  # (N F, 4, h, w) latents to learn
    layers: Tensor  # (N F, 4 per layer, h, w)
    body_code: Tensor  # (N F, S, S, 3) uint8
    visible: Tensor  # (N F, 1, h, w)
    reference: Tensor  # (N, 4, h, w)
    token: Tensor  # (N, 1, D)
    numbers: Tensor | None = None  # (N F,) of the samples
    frame_numbers: Tensor | None = None  # (N F,) of the frames in them

    @property
    def clips(self) -> int:
        return len(self.reference)


@dataclass(frozen=True)
class BatchConfig:
    """How clips are drawn from the data, and what of them is held back."""

    clips: int = 4
    frames: int = 4
    in_order: bool = False  # neighbouring frames, or any
    dropped: float = 0.1  # share of clips that are not conditioned on the character: neither reference nor token
    person: float = 2.0  # how much more the person's pixels count than the scene's
    levels: int = 0  # steps of the sampler whose noise levels most clips stand at; 0 = all levels alike


class DenoiserStage:
    """Trains v with min-SNR weights and zero terminal SNR.

    Without motion modules (stage 1) frames are apart; with them (stage 2) a clip's frames share their noise level.
    """

    def __init__(
        self, name: str, networks: Mimo, data: Latents, layers: tuple[str, ...], batching: BatchConfig, *, motion: bool
    ):
        self.name, self.network, self.data, self.layers, self.batching = name, networks, data, layers, batching
        self.motion, self.signal = motion, compute_signal()
        if not motion:
            for level in list_levels(networks.denoising_unet):
                level.motion_modules = None

    def loss(self, step: Step) -> tuple[Tensor, Mapping[str, float]]:
        batch = self.batch(step)
        rows, each = len(batch.frames), len(batch.frames) // batch.clips
        count, repeats = (batch.clips, each) if self.motion else (rows, 1)
        chosen = self._choose_timesteps(step, count).repeat_interleave(repeats).to(step.device)
        signal = self.signal.to(step.device)[chosen][:, None, None, None]
        noise = step.normal(*batch.frames.shape)
        noisy = signal.sqrt() * batch.frames + (1 - signal).sqrt() * noise
        wanted = signal.sqrt() * noise - (1 - signal).sqrt() * batch.frames
        conditioned = batch.clips - int((step.uniform(batch.clips) < self.batching.dropped).sum())
        found = predict_batch_velocity(self.network, noisy, chosen, batch, conditioned=conditioned)
        error = (found.float() - wanted).square() * (1 + self.batching.person * batch.visible)
        weight = compute_min_snr(signal)
        x0 = (signal.sqrt() * noisy - (1 - signal).sqrt() * found.detach().float() - batch.frames).square()
        late = (chosen > 500).float()[:, None, None, None]
        return (weight * error).mean(), {"x0 from noise": (x0 * late).sum() / (late.sum() * x0[0].numel() + 1e-6)}

    def _choose_timesteps(self, step: Step, count: int) -> Tensor:
        """(count,) of any noise level, or most of them of a sampler's few."""
        anywhere, levels = step.integers(1000, count), self.batching.levels
        if not levels:
            return anywhere
        few = list_sampled_timesteps(levels)[step.integers(levels, count)]
        return torch.where(step.uniform(count).cpu() < AT_LEVELS, few, anywhere)

    def batch(self, step: Step) -> Batch:
        """Clips of the data, all different if there are enough."""
        data, batching = self.data, self.batching
        data.refresh()
        numbers = torch.randperm(len(data), generator=step.generator)[: batching.clips].tolist()
        return self.make_batch([(number, self._frames(step)) for number in numbers], step.device)

    def make_batch(self, picked: list[tuple[int, list[int]]], device: torch.device) -> Batch:
        """A batch of some frames of each of some samples."""
        data, numbers = self.data, [number for number, _ in picked]

        def stacked(name: str) -> Tensor:
            return torch.cat([data.read(name, number, frames) for number, frames in picked])

        reference, token = data.reference(numbers)
        return Batch(
            frames=stacked("frames").to(device),
            layers=torch.cat([stacked(name) for name in self.layers], 1).to(device),
            body_code=torch.cat([data.body_code(number, frames) for number, frames in picked]).to(device),
            visible=stacked("visible").to(device),
            reference=reference.to(device),
            token=token.to(device),
            numbers=torch.tensor([number for number, frames in picked for _ in frames]),
            frame_numbers=torch.tensor([frame for _, frames in picked for frame in frames]),
        )

    def _frames(self, step: Step) -> list[int]:
        count, batching = self.data.frames, self.batching
        if batching.in_order:
            first = int(step.integers(count - batching.frames + 1, 1))
            return list(range(first, first + batching.frames))
        return torch.randperm(count, generator=step.generator)[: batching.frames].tolist()

    def pictures(self) -> None:
        return None


def predict_batch_velocity(
    networks: Mimo, noisy: Tensor, timesteps: Tensor, batch: Batch, *, conditioned: int
) -> Tensor:
    """v of noisy latents (N F, 4, h, w). The first `conditioned` clips are conditioned on the character."""
    features = (
        networks.reference_unet(batch.reference[:conditioned], batch.token[:conditioned]) if conditioned else None
    )
    token = batch.token.clone()
    token[conditioned:] = 0
    each = len(noisy) // batch.clips
    kinds = [CONDITIONAL] * conditioned + [UNCONDITIONAL] * (batch.clips - conditioned)
    body_code = batch.body_code.permute(0, 3, 1, 2).float() / 255
    return networks.denoising_unet(
        torch.cat([noisy, batch.layers], 1),
        timesteps,
        token.repeat_interleave(each, 0),
        transformer_options={"cond_or_uncond": kinds},
        pose=networks.pose_guider(body_code),
        reference=ReferenceFeatures(features.banks) if conditioned else None,
    )


def list_sampled_timesteps(steps: int) -> Tensor:
    """The timesteps (steps,) of a sampler, from pure noise on: 999, 749, 499, 249 for four."""
    return (torch.arange(steps, 0, -1) * 1000 / steps).round().long() - 1


def compute_signal() -> Tensor:
    """The share of the signal's variance (1000,) at every timestep: 0 at the last, as at sampling."""
    import diffusers

    return diffusers.DDIMScheduler(**NOISE_SCHEDULE).alphas_cumprod


def compute_min_snr(signal: Tensor, gamma: float = SNR_GAMMA) -> Tensor:
    """The weight of an error of v: that of x0 counts 1 + min(SNR, gamma).

    Hang et al. 2023 weigh x0 by min(SNR, gamma), which leaves out the step of pure noise, where sampling begins.
    """
    snr = signal / (1 - signal).clamp_min(1e-8)
    return (1 + snr.clamp_max(gamma)) / (1 + snr)
