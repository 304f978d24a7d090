"""What the denoiser is trained on: samples as latents, and who is in them as tokens."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ..errors import InputError
from ..progress import Progress, silent
from .autoencoder import normalized
from .image_encoder import token
from .samples import SHARD, Shards


ENCODED = "latents-{:05d}.safetensors"
PICTURES = ("frames", "plate", "proxy", "occluder")
KEY = "mimo_latents"  # in the head of a file: of which encoders its latents are
AT_ONCE = 16


@torch.no_grad()
def encode_shards(
    folder: Path,
    autoencoder: nn.Module,
    image_encoder: nn.Module,
    *,
    layers: tuple[str, ...],
    part: tuple[int, int] = (0, 1),
    progress: Progress = silent,
) -> None:
    """Write the latents of all samples of a folder beside them, in fp16. Files of the same encoders are kept.

    layers: which pictures are encoded beside the frames and the reference
    part: (this worker, number of workers); workers share the files out among them
    """
    from safetensors.torch import save_file

    key, device = key_of(autoencoder.encoder, image_encoder), next(autoencoder.parameters()).device
    paths = sorted(Path(folder).glob(SHARD.format(0).replace("00000", "*")))[part[0] :: part[1]]
    for done, path in enumerate(paths, 1):
        out = path.with_name(path.name.replace("samples", "latents"))
        if _key(out) != key:
            shards = Shards.of_files([path])
            rows = [
                _encoded(shards, number, autoencoder, image_encoder, layers, device) for number in range(len(shards))
            ]
            tensors = {name: torch.stack([row[name] for row in rows]).half().contiguous() for name in rows[0]}
            partial = out.with_name(out.name + ".part")
            save_file(tensors, partial, metadata={KEY: key})
            os.replace(partial, out)
        progress(done, len(paths))


def _encoded(shards: Shards, number: int, autoencoder, image_encoder, layers, device) -> dict[str, Tensor]:
    reference = shards.read(number, "reference")
    row = {"reference": _latents(autoencoder, reference[None], device)[0], "token": token(image_encoder, reference)}
    for name in ("frames", *layers):
        row[name] = _latents(autoencoder, shards.read(number, name), device)
    visible = torch.from_numpy(shards.read(number, "visible"))[:, None].float() / 255
    side = row["frames"].shape[-1]
    return row | {"visible": adaptive_avg_pool2d(visible, side)}


def _latents(autoencoder: nn.Module, pictures: np.ndarray, device) -> Tensor:
    parts = torch.from_numpy(np.ascontiguousarray(pictures)).split(AT_ONCE)
    return torch.cat([autoencoder.encoder(normalized(part).to(device)).float().cpu() for part in parts])


def key_of(*networks: nn.Module) -> str:
    """A name for the weights of some networks."""
    digest = hashlib.sha256()
    for network in networks:
        for name, tensor in sorted(network.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _key(path: Path) -> str | None:
    from safetensors import safe_open

    if not path.is_file():
        return None
    with safe_open(path, "pt") as file:
        return (file.metadata() or {}).get(KEY)


class Latents:
    """The encoded samples of a folder, with their body codes. Only samples whose latents are of `key` count."""

    def __init__(self, folder: Path, key: str):
        from safetensors.torch import load_file

        paths = [
            path for path in sorted(Path(folder).glob(ENCODED.format(0).replace("00000", "*"))) if _key(path) == key
        ]
        if not paths:
            raise InputError(f"{folder} holds no latents of these encoders. Encode the samples first.")
        self.shards = Shards.of_files([path.with_name(path.name.replace("latents", "samples")) for path in paths])
        files = [load_file(path) for path in paths]
        self.tensors = {name: torch.cat([file[name] for file in files]) for name in files[0]}

    def __len__(self) -> int:
        return len(self.shards)

    @property
    def frames(self) -> int:
        return self.tensors["frames"].shape[1]

    def read(self, name: str, number: int, frames: list[int]) -> Tensor:
        return self.tensors[name][number, frames].float()

    def reference(self, numbers: list[int]) -> tuple[Tensor, Tensor]:
        """Latents (N, 4, h, w) and tokens (N, 1, D)."""
        return self.tensors["reference"][numbers].float(), self.tensors["token"][numbers].float()

    def body_code(self, number: int, frames: list[int]) -> Tensor:
        """(n, S, S, 3) uint8."""
        return torch.from_numpy(self.shards.read(number, "body_code", frames))
