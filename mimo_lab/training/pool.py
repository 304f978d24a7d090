"""Samples on the device that trains, with their latents, while others are still being made."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from mimo_core.denoise.autoencoder import LATENT_SCALE

from .latents import Encoders
from .samples import Sample
from .stream import APART, SampleStream


POOLED = ("frames", "plate", "proxy", "body_code", "visible", "reference")
TAKEN_AT_ONCE = 2  # samples between two steps
ENCODED_AT_ONCE = 32  # pictures


class SamplePool:
    """The last `capacity` samples of a stream, as uint8 pictures on a device, and once encoded as latents too.

    It is read as `Latents` are. Samples from number APART on are never drawn: they are in `apart`.
    """

    def __init__(self, stream: SampleStream, capacity: int, device: torch.device, *, first: int, apart: int = 0):
        self.stream, self.capacity, self.device = stream, capacity, device
        self.apart: list[dict[str, Tensor]] = []
        self._held: dict[str, Tensor] = {}
        self._encoders: Encoders | None = None
        self._layers: tuple[str, ...] = ()
        self.taken = 0
        while self.taken < first or len(self.apart) < apart:
            self._add(*stream.wait())

    def __len__(self) -> int:
        return min(self.taken, self.capacity)

    @property
    def frames(self) -> int:
        return self._held["visible"].shape[1]

    def refresh(self) -> None:
        """Take in what the stream has ready."""
        for number, sample in self.stream.list_ready(TAKEN_AT_ONCE):
            self._add(number, sample)

    def encode(self, encoders: Encoders, layers: tuple[str, ...]) -> None:
        """Make latents of all samples with these encoders, and of those that come after them."""
        self._encoders, self._layers = encoders, layers
        for row in range(len(self)):
            self._encode_row({name: self._held[name][row] for name in POOLED}, row)
        for sample in self.apart:
            sample |= self._name_latents(sample)

    def pictures(self, name: str, rows: Tensor, frames: Tensor) -> Tensor:
        """(n, S, S, 3) uint8 of frames of samples, or (n, S, S) of what is visible."""
        rows = rows.to(self.device)
        return self._held[name][rows] if name == "reference" else self._held[name][rows, frames.to(self.device)]

    def read(self, name: str, number: int, frames: list[int]) -> Tensor:
        return self._held[f"{name} latents"][number, frames].float()

    def reference(self, numbers: list[int]) -> tuple[Tensor, Tensor]:
        """Latents (N, 4, h, w) and tokens (N, 1, D)."""
        return self._held["reference latents"][numbers].float(), self._held["token latents"][numbers].float()

    def body_code(self, number: int, frames: list[int]) -> Tensor:
        """(n, S, S, 3) uint8."""
        return self._held["body_code"][number, frames]

    def _add(self, number: int, sample: Sample) -> None:
        pictures = {
            name: torch.from_numpy(np.ascontiguousarray(getattr(sample, name))).to(self.device) for name in POOLED
        }
        if number >= APART:
            self.apart.append(pictures)
            return
        row = self.taken % self.capacity
        self._store(pictures, row)
        if self._encoders is not None:
            self._encode_row(pictures, row)
        self.taken += 1

    def _encode_row(self, pictures: dict[str, Tensor], row: int) -> None:
        self._store(self._name_latents(pictures), row)

    def _name_latents(self, pictures: dict[str, Tensor]) -> dict[str, Tensor]:
        return {f"{name} latents": tensor for name, tensor in self._compute_latents(pictures).items()}

    def _store(self, tensors: dict[str, Tensor], row: int) -> None:
        for name, tensor in tensors.items():
            if name not in self._held:
                self._held[name] = tensor.new_empty((self.capacity, *tensor.shape))
            self._held[name][row] = tensor

    @torch.no_grad()
    def _compute_latents(self, pictures: dict[str, Tensor]) -> dict[str, Tensor]:
        """Latents by the names of their pictures, in fp16, with `token` and `visible` at their size."""
        reference = pictures["reference"]
        found = {name: self._encode(pictures[name]) for name in ("frames", *self._layers)}
        token = self._encoders.token(reference.cpu().numpy())
        visible = pictures["visible"][:, None].float() / 255
        return found | {
            "reference": self._encode(reference[None])[0],
            "token": token.reshape(1, -1).to(self.device, torch.float16),
            "visible": adaptive_avg_pool2d(visible, found["frames"].shape[-1]).half(),
        }

    def _encode(self, pictures: Tensor) -> Tensor:
        """(n, 4, h, w) in fp16 of pictures (n, S, S, 3) uint8, without a way over the CPU."""
        autoencoder = self._encoders.autoencoder
        parts = []
        for part in pictures.split(ENCODED_AT_ONCE):
            encoded = autoencoder.network.encode(part.permute(0, 3, 1, 2).float() / 127.5 - 1)
            latents = (encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean).float()
            parts.append((latents / autoencoder.scale + autoencoder.shift) * LATENT_SCALE)
        return torch.cat(parts).half()
