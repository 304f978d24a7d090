"""Stage 0: an autoencoder of TAESD's exact shape, so that everything that opens a TAESD opens this one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from .loop import Step
from .picture_loss import PictureLoss
from .pool import SamplePool
from .samples import Shards


LATENT_NOISE = 0.03  # standard deviation that the decoder learns to bear: a denoiser is never exact
WIDEST_LATENT = 2.6  # latents should stay below this, where the decoder's tanh(x / 3) begins to bend them
PICTURES_SHOWN = 6
PERSON_CROPS = 0.7  # share of the crops that show some of the person
SAMPLED_PICTURES = ("frames", "frames", "plate", "proxy", "reference")
COLOURS, MEAN_COLOUR = 3, 0.45
# Brightness, red against blue and green against both, each about 1 wide over natural pictures.
LATENTS_FROM_COLORS = torch.tensor([[1.4, 1.8, 1.2], [5.0, -1.0, -4.0], [-3.5, 7.0, -3.5]])


class AutoencoderStage:
    """Learns to bring pictures through four channels an eighth as wide, on squares of `crop` pixels cut from samples.

    It goes on with `network` if one is given. With `frozen` the encoder stays: latents that exist remain right while
    the decoder learns on.
    """

    def __init__(
        self,
        shards: Shards,
        network: nn.Module | None = None,
        *,
        batch: int = 8,
        crop: int = 64,
        frozen: bool = False,
        picture_loss: PictureLoss | None = None,
    ):
        self.name = "decoder" if frozen else "autoencoder"
        self.network = (make_autoencoder() if network is None else network).requires_grad_(True)
        self.network.encoder.requires_grad_(not frozen)
        self.shards, self.batch, self.crop = shards, batch, crop
        self.picture_loss = picture_loss or PictureLoss()

    def loss(self, step: Step) -> tuple[Tensor, Mapping[str, float]]:
        pictures, person = self._crops(step)
        latents = self.network.encoder(pictures)
        decoded = self.network.decoder(latents + LATENT_NOISE * step.normal(*latents.shape)).float()
        latents = latents.float()
        kept = relu(latents.abs() - WIDEST_LATENT).square().mean() + measure_spread_error(latents)
        loss = self.picture_loss(decoded, pictures, person) + 0.05 * kept
        with torch.no_grad():
            error = (decoded - pictures).square()
            seen = (error * person).sum() / (3 * person.sum() + 1e-6)
            return loss, {
                "PSNR": psnr_of_error(error.mean()),
                "PSNR of persons": psnr_of_error(seen),
            }

    @torch.no_grad()
    def pictures(self) -> Tensor:
        shown = normalize_pictures(self._pictures_shown()).to(next(self.network.parameters()).device)
        decoded = self.network.decoder(self.network.encoder(shown))
        rows = [torch.cat(list(batch), 2) for batch in (shown, decoded)]
        return (torch.cat(rows, 1).float() / 2 + 0.5).clamp(0, 1).cpu()

    def _pictures_shown(self) -> Tensor:
        numbers = np.linspace(0, len(self.shards) - 1, PICTURES_SHOWN).astype(int)
        return torch.from_numpy(np.stack([self.shards.read(number, "frames", [0])[0] for number in numbers]))

    def _crops(self, step: Step) -> tuple[Tensor, Tensor]:
        """Pictures (B, 3, C, C) in -1..1 and where they show a person, (B, 1, C, C) in 0..1."""
        crops, masks = [], []
        for number in step.integers(len(self.shards), self.batch).tolist():
            picture, mask = self._picture(number, step)
            top, left = self._corner(mask, step)
            cut = np.s_[top : top + self.crop, left : left + self.crop]
            turn = np.s_[:, ::-1] if int(step.integers(2, 1)) else np.s_[:]
            crops.append(picture[cut][turn])
            masks.append(mask[cut][turn])
        pictures = normalize_pictures(torch.from_numpy(np.stack(crops))).to(step.device)
        person = torch.from_numpy(np.stack(masks)).to(step.device)[:, None] / 255
        return pictures.contiguous(memory_format=torch.channels_last), person

    def _picture(self, number: int, step: Step) -> tuple[np.ndarray, np.ndarray]:
        """(S, S, 3) uint8 of a sample and where it shows a person, (S, S) uint8."""
        name = SAMPLED_PICTURES[int(step.integers(len(SAMPLED_PICTURES), 1))]
        if name == "reference":
            picture = self.shards.read(number, name)
            return picture, 255 * (picture.min(-1) < 250).astype(np.uint8)
        count = len(self.shards.read(number, "visible"))
        frame = [int(step.integers(count, 1))]
        picture, visible = (self.shards.read(number, part, frame)[0] for part in (name, "visible"))
        return picture, visible if name != "plate" else np.zeros_like(visible)

    def _corner(self, mask: np.ndarray, step: Step) -> tuple[int, int]:
        """Upper left corner of a crop: anywhere, or around some pixel of the person, who is what matters most."""
        last = len(mask) - self.crop
        rows, columns = np.nonzero(mask > 127)
        if not len(rows) or float(step.uniform(1)) > PERSON_CROPS:
            return tuple(step.integers(last + 1, 2).tolist())
        chosen = int(step.integers(len(rows), 1))
        shift = step.integers(self.crop // 2, 2).tolist()
        around = ((rows[chosen], shift[0]), (columns[chosen], shift[1]))
        return tuple(int(min(max(at - self.crop // 4 - move, 0), last)) for at, move in around)


class PooledAutoencoderStage(AutoencoderStage):
    """Learns on whole pictures of a pool, without a way over the CPU."""

    def __init__(self, pool: SamplePool, network: nn.Module, **how):
        super().__init__(pool, network, **how)
        self.pool = pool

    def _crops(self, step: Step) -> tuple[Tensor, Tensor]:
        self.pool.refresh()
        names = [SAMPLED_PICTURES[int(name)] for name in step.integers(len(SAMPLED_PICTURES), self.batch)]
        rows, frames = (step.integers(count, self.batch) for count in (len(self.pool), self.pool.frames))
        pictures, masks = [], []
        for name in sorted(set(names)):
            chosen = torch.tensor([number for number, other in enumerate(names) if other == name])
            found = self.pool.pictures(name, rows[chosen], frames[chosen])
            pictures.append(found)
            if name == "reference":
                masks.append(255 * (found.amin(-1) < 250).to(torch.uint8))
            else:
                visible = self.pool.pictures("visible", rows[chosen], frames[chosen])
                masks.append(torch.zeros_like(visible) if name == "plate" else visible)
        turned = step.uniform(self.batch) < 0.5
        whole, person = normalize_pictures(torch.cat(pictures)), torch.cat(masks)[:, None].float() / 255
        whole, person = (torch.where(turned[:, None, None, None], kind.flip(-1), kind) for kind in (whole, person))
        return whole.contiguous(memory_format=torch.channels_last), person

    def _pictures_shown(self) -> Tensor:
        return torch.stack([sample["frames"][0] for sample in self.pool.apart[:PICTURES_SHOWN]])


def make_autoencoder() -> nn.Module:
    """A new autoencoder in which mean colours pass already: three latent channels are brightness and colour, smoothed.

    From random weights it stays grey for a thousand steps. Three of the 64 channels carry the colors through all
    blocks, which add nothing to them yet; everything else is random and free to learn.
    """
    from diffusers import AutoencoderTiny

    network = AutoencoderTiny()
    with torch.no_grad():
        for coder in (network.encoder, network.decoder):
            for layer in coder.layers:
                if isinstance(layer, nn.Conv2d) and layer.in_channels == layer.out_channels:
                    _set_convolution(layer, torch.eye(COLOURS), is_smooth=True)
                elif not isinstance(layer, nn.Conv2d) and hasattr(layer, "conv"):
                    _set_convolution(layer.conv[-1], torch.zeros(COLOURS, COLOURS))
        offset = LATENTS_FROM_COLORS @ torch.full((COLOURS,), MEAN_COLOUR)
        _set_convolution(network.encoder.layers[0], torch.eye(COLOURS))
        _set_convolution(network.encoder.layers[-1], LATENTS_FROM_COLORS, bias=-offset)
        _set_convolution(
            network.decoder.layers[0], LATENTS_FROM_COLORS.inverse(), bias=torch.full((COLOURS,), MEAN_COLOUR)
        )
        _set_convolution(network.decoder.layers[-1], torch.eye(COLOURS))
    return network.to(memory_format=torch.channels_last)


def _set_convolution(layer: nn.Conv2d, matrix: Tensor, *, bias: Tensor | None = None, is_smooth: bool = False) -> None:
    """Let the first outputs of a convolution be a matrix of the first inputs: of the middle pixel, or of all nine."""
    taps = torch.zeros(3, 3)
    taps[1, 1] = 1
    if is_smooth:
        taps = torch.tensor([0.25, 0.5, 0.25])[:, None] * torch.tensor([0.25, 0.5, 0.25])
    outputs = min(COLOURS, layer.out_channels)
    layer.weight[:outputs] = 0
    layer.weight[:outputs, :COLOURS] = matrix[..., None, None] * taps
    if layer.bias is not None:
        layer.bias[:outputs] = 0 if bias is None else bias


def normalize_pictures(frames: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 to (N, 3, H, W) float in -1..1."""
    return frames.permute(0, 3, 1, 2).float() / 127.5 - 1


def measure_spread_error(latents: Tensor) -> Tensor:
    """How far the channels are from mean 0 and deviation 1, where the noise schedule of the denoiser expects them."""
    channels = latents.transpose(0, 1).flatten(1)
    return channels.mean(1).square().mean() + (channels.std(1) - 1).square().mean()


def psnr_of_error(square: Tensor) -> Tensor:
    """dB of a mean square error of values in -1..1."""
    return -10 * torch.log10(square / 4)
