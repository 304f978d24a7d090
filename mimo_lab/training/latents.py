"""What the denoiser is trained on: samples as latents, and who is in them as tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from mimo_core.denoise.autoencoder import LATENT_SCALE, Autoencoder
from mimo_core.denoise.image_encoder import embed_picture
from mimo_core.errors import InputError
from mimo_core.output import whole_file
from mimo_core.progress import Progress, silent

from .samples import SHARD, Shards, count_samples


LATENTS_FILE = "latents-{:05d}.safetensors"
ENCODER_KEY = "mimo_latents"  # in the head of a file: of which encoders its latents are


@dataclass(frozen=True, eq=False)
class Encoders:
    """What turns pictures into latents and characters into tokens: trained here, or given."""

    autoencoder: Autoencoder
    image_encoder: nn.Module

    @property
    def key(self) -> str:
        """A name for the weights that latents and tokens depend on: the decoder's are not among them."""
        parts = {name: part for name, part in self.autoencoder.network.named_children() if "decod" not in name}
        return hash_weights(*(parts[name] for name in sorted(parts) if name != "post_quant_conv"), self.image_encoder)

    def latents(self, pictures: np.ndarray) -> Tensor:
        """(n, 4, h, w) as the denoiser works on them, of pictures (n, H, W, 3) uint8."""
        return self.autoencoder.encode(np.ascontiguousarray(pictures)) * LATENT_SCALE

    def token(self, picture: np.ndarray) -> Tensor:
        """(1, D) of a square picture (S, S, 3) uint8."""
        return embed_picture(self.image_encoder, picture)


def encode_shards(
    folder: Path,
    encoders: Encoders,
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

    key = encoders.key
    paths = sorted(Path(folder).glob(SHARD.format(0).replace("00000", "*")))[part[0] :: part[1]]
    for done, path in enumerate(paths, 1):
        out = path.with_name(path.name.replace("samples", "latents"))
        shards = Shards.of_files([path])
        if read_maker(out) != key or _count_latents(out) != len(shards):
            rows = [_encode_sample(shards, number, encoders, layers) for number in range(len(shards))]
            tensors = {name: torch.stack([row[name] for row in rows]).half().contiguous() for name in rows[0]}
            with whole_file(out) as partial:
                save_file(tensors, partial, metadata={ENCODER_KEY: key})
        progress(done, len(paths))


def _encode_sample(shards: Shards, number: int, encoders: Encoders, layers: tuple[str, ...]) -> dict[str, Tensor]:
    reference = shards.read(number, "reference")
    row = {"reference": encoders.latents(reference[None])[0], "token": encoders.token(reference).cpu()}
    for name in ("frames", *layers):
        row[name] = encoders.latents(shards.read(number, name))
    visible = torch.from_numpy(shards.read(number, "visible"))[:, None].float() / 255
    side = row["frames"].shape[-1]
    return row | {"visible": adaptive_avg_pool2d(visible, side)}


def hash_weights(*networks: nn.Module) -> str:
    """A name for the weights of some networks."""
    digest = hashlib.sha256()
    for network in networks:
        for name, tensor in sorted(network.state_dict().items()):
            digest.update(name.encode() + tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def read_maker(path: Path, name: str = ENCODER_KEY) -> str | None:
    """What the head of a file says which networks made it; None where there is no file."""
    from safetensors import safe_open

    if not path.is_file():
        return None
    with safe_open(path, "pt") as file:
        return (file.metadata() or {}).get(name)


def _count_latents(path: Path) -> int:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return count_samples(file)


class Latents:
    """The encoded samples of a folder, with their body codes. Only samples whose latents are of `key` count."""

    def __init__(self, folder: Path, key: str):
        from safetensors.torch import load_file

        paths = [
            path
            for path in sorted(Path(folder).glob(LATENTS_FILE.format(0).replace("00000", "*")))
            if read_maker(path) == key
        ]
        if not paths:
            raise InputError(f"{folder} holds no latents of these encoders. Encode the samples first.")
        self.shards = Shards.of_files([path.with_name(path.name.replace("latents", "samples")) for path in paths])
        files = [load_file(path) for path in paths]
        self.tensors = {name: torch.cat([file[name] for file in files]) for name in files[0]}

    def __len__(self) -> int:
        return len(self.shards)

    def refresh(self) -> None:
        """Nothing comes while the training runs, other than to a `SamplePool`."""

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
