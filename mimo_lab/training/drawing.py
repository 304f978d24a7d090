"""The last stage: draw clips as the sampler does, in a few steps without guidance, and learn from what comes out.

The gradient of the pictures runs back through the decoder and all steps (as in DRaFT, Clark et al. 2023, but towards
the truth): what is trained is what is seen, not each step by itself. The encoder stays, and with it all latents.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from .autoencoder import LATENT_NOISE, normalize_pictures, psnr_of_error
from .denoiser import CONDITIONAL, Batch, BatchConfig, DenoiserStage, Mimo, list_sampled_timesteps
from .loop import Step
from .picture_loss import PERSON_WEIGHT, PictureLoss
from .pool import SamplePool


LATENT_WEIGHT = 0.5  # of the error of the latents, on all frames
STEADY_WEIGHT = 1.0  # of the error of the difference between neighbouring frames
DECODED_FRAMES = 4  # neighbouring frames of a clip that are decoded
SHOWN_FRAMES = 2
TRUE_WEIGHT = 0.5  # of pictures decoded from true latents, which the decoder must not forget
SHARPER_LOOKS = 2.0  # how much more looks count in the last stage


class DrawingNetworks(nn.Module):
    """The three networks of MIMO with the autoencoder whose decoder learns beside them."""

    def __init__(self, mimo: Mimo, autoencoder: nn.Module):
        super().__init__()
        self.mimo, self.autoencoder = mimo, autoencoder
        self.requires_grad_(True)
        autoencoder.encoder.requires_grad_(False)


class DrawingStage(DenoiserStage):
    """Draws clips of a pool in `steps` steps."""

    def __init__(
        self,
        name: str,
        networks: DrawingNetworks,
        data: SamplePool,
        layers: tuple[str, ...],
        batching: BatchConfig,
        *,
        picture_loss: PictureLoss,
        steps: int,
    ):
        super().__init__(name, networks.mimo, data, layers, batching, motion=True)
        self.network, self.picture_loss, self.steps = networks, picture_loss, steps

    def loss(self, step: Step) -> tuple[Tensor, Mapping[str, Tensor]]:
        batch = self.batch(step)
        decoder = self.network.autoencoder.decoder
        latents = self._draw(batch, step.normal(*batch.frames.shape))
        weight = 1 + PERSON_WEIGHT * batch.visible
        missed = ((latents - batch.frames).square() * weight).mean()
        rows = self._choose_rows(batch, step)
        wanted, person = self._pictures(batch, rows)
        decoded = decoder(latents[rows]).float()
        looks = self.picture_loss(decoded, wanted, person)
        steady = measure_unsteadiness(decoded, wanted, person, together=len(rows) // batch.clips)
        kept = self._compare_true(batch, rows[:: len(rows) // batch.clips], step)
        loss = looks + STEADY_WEIGHT * steady + LATENT_WEIGHT * missed + TRUE_WEIGHT * kept
        seen = ((decoded.detach() - wanted).square() * person).sum() / (3 * person.sum() + 1e-6)
        return loss, {"PSNR of persons": psnr_of_error(seen), "latents": missed.detach(), "steady": steady.detach()}

    @torch.no_grad()
    def pictures(self) -> Tensor:
        """Of the samples apart: the character, then proxy, drawn and true frames side by side."""
        rows = []
        for sample in self.data.apart:
            drawn = self.draw_apart(sample)
            frames = torch.linspace(0, len(drawn) - 1, SHOWN_FRAMES + 2).long()[1:-1].to(drawn.device)
            tiles = [sample["reference"]]
            tiles += [picture for clip in (sample["proxy"], drawn, sample["frames"]) for picture in clip[frames]]
            rows.append(torch.cat(tiles, 1))
        return torch.cat(rows).permute(2, 0, 1).float().cpu() / 255

    @torch.no_grad()
    def draw_apart(self, sample: Mapping[str, Tensor]) -> Tensor:
        """(F, S, S, 3) uint8 that the networks draw of a sample of the pool's `apart`."""
        return self.draw_batch(self._take_apart(sample))

    @torch.no_grad()
    def draw_batch(self, batch: Batch, *, seed: int = 0) -> Tensor:
        """(N F, S, S, 3) uint8 that the networks draw of clips, from the noise of a seed."""
        noise = torch.randn(batch.frames.shape, generator=torch.Generator().manual_seed(seed)).to(batch.frames)
        decoded = self.network.autoencoder.decoder(self._draw(batch, noise)).float()
        return ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)

    def _take_apart(self, sample: Mapping[str, Tensor]) -> Batch:
        """A sample of the pool's `apart` as a batch."""
        return Batch(
            frames=sample["frames latents"].float(),
            layers=torch.cat([sample[f"{name} latents"].float() for name in self.layers], 1),
            body_code=sample["body_code"],
            visible=sample["visible latents"].float(),
            reference=sample["reference latents"][None].float(),
            token=sample["token latents"][None].float(),
        )

    def _compare_true(self, batch: Batch, rows: Tensor, step: Step) -> Tensor:
        """The loss of some rows' true latents, decoded."""
        wanted, person = self._pictures(batch, rows)
        latents = batch.frames[rows] + LATENT_NOISE * step.normal(*batch.frames[rows].shape)
        return self.picture_loss(self.network.autoencoder.decoder(latents).float(), wanted, person)

    def _draw(self, batch: Batch, noise: Tensor) -> Tensor:
        """Latents as DDIM draws them without guidance, with the gradient of all steps."""
        mimo, rows = self.network.mimo, len(noise)
        each = rows // batch.clips
        features = mimo.reference_unet(batch.reference, batch.token)
        reference = mimo.denoising_unet.project_reference(features)
        pose = mimo.pose_guider(batch.body_code.permute(0, 3, 1, 2).float() / 255)
        token, latents = batch.token.repeat_interleave(each, 0), noise
        signal = self.signal.to(noise.device)
        timesteps = list_sampled_timesteps(self.steps).tolist()
        for timestep, before in zip(timesteps, [*timesteps[1:], None], strict=True):
            velocity = mimo.denoising_unet(
                torch.cat([latents, batch.layers], 1),
                torch.full((rows,), timestep, device=noise.device),
                token,
                transformer_options={"cond_or_uncond": [CONDITIONAL] * batch.clips},
                pose=pose,
                reference=reference,
            ).float()
            share, rest = signal[timestep].sqrt(), (1 - signal[timestep]).sqrt()
            clean, drawn_noise = share * latents - rest * velocity, rest * latents + share * velocity
            if before is None:
                return clean
            latents = signal[before].sqrt() * clean + (1 - signal[before]).sqrt() * drawn_noise
        return latents

    def _choose_rows(self, batch: Batch, step: Step) -> Tensor:
        """The rows of some neighbouring frames of every clip."""
        each = len(batch.frames) // batch.clips
        count = min(DECODED_FRAMES, each)
        first = step.integers(each - count + 1, batch.clips)
        rows = torch.arange(batch.clips) * each + first
        return (rows[:, None] + torch.arange(count)).flatten().to(step.device)

    def _pictures(self, batch: Batch, rows: Tensor) -> tuple[Tensor, Tensor]:
        """True frames (n, 3, S, S) in -1..1 and where they show the person, (n, 1, S, S) in 0..1."""
        numbers, frames = batch.numbers.to(rows.device)[rows], batch.frame_numbers.to(rows.device)[rows]
        pictures = normalize_pictures(self.data.pictures("frames", numbers, frames))
        return pictures, self.data.pictures("visible", numbers, frames)[:, None].float() / 255


class SharpeningStage(DrawingStage):
    """Teaches the decoder alone to make sharp pictures of the latents that the other networks draw."""

    def __init__(self, *given, **how):
        super().__init__(*given, **how)
        self.network.mimo.requires_grad_(False)

    def loss(self, step: Step) -> tuple[Tensor, Mapping[str, Tensor]]:
        batch = self.batch(step)
        with torch.no_grad():
            latents = self._draw(batch, step.normal(*batch.frames.shape))
        rows = self._choose_rows(batch, step)
        wanted, person = self._pictures(batch, rows)
        decoded = self.network.autoencoder.decoder(latents[rows]).float()
        kept = self._compare_true(batch, rows[:: len(rows) // batch.clips], step)
        loss = self.picture_loss(decoded, wanted, person) + TRUE_WEIGHT * kept
        seen = ((decoded.detach() - wanted).square() * person).sum() / (3 * person.sum() + 1e-6)
        return loss, {"PSNR of persons": psnr_of_error(seen)}


def measure_unsteadiness(decoded: Tensor, wanted: Tensor, person: Tensor, *, together: int) -> Tensor:
    """How far the change from frame to frame, `together` of a clip, is from the true one, where the person is."""
    changes, true = (frames.unflatten(0, (-1, together)).diff(dim=1) for frames in (decoded, wanted))
    there = person.unflatten(0, (-1, together))[:, 1:]
    return l1_loss(changes * there, true * there) / (there.mean() + 1e-3)
