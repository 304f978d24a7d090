"""From trained networks to a checkpoint file, and from a checkpoint to networks that are trained further."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mimo_core.denoise.autoencoder import rename_taesd
from mimo_core.denoise.checkpoints import NETWORKS, Checkpoint, TrainingSettings, open_checkpoint, save_checkpoint

from .denoiser import Mimo
from .settings import Run


def export_checkpoint(
    run: Run,
    networks: Mimo,
    out: Path,
    *,
    extras: Mapping[str, Mapping[str, Tensor]],
    before: str = "",
    dtype: torch.dtype = torch.float16,
) -> Checkpoint:
    """Write the networks as one file that Load MIMO and `--checkpoint` open, with how they were trained in its head.

    extras: the tensors of the autoencoder ("vae") and of the image encoder ("clip_vision") that go with them
    before: how the checkpoint came to be that they started from
    """
    states = {name: getattr(networks, name).state_dict() for name in NETWORKS}
    trained = TrainingSettings(
        size=run.data.size,
        window=run.window,
        overlap=min(4, run.window - 1),
        steps=run.steps,
        cfg=run.cfg,
        colors="free",
        concat=run.layers,
        source=describe_run(run, before),
        licence=run.licence,
    )
    checkpoint = Checkpoint(networks.config, trained, **states, extras=extras)
    save_checkpoint(checkpoint, out, dtype=dtype)
    return checkpoint


def vae_tensors(autoencoder: nn.Module) -> dict[str, Tensor]:
    """An AutoencoderTiny by the names that ComfyUI knows."""
    return rename_taesd(autoencoder.state_dict())


def clip_vision_tensors(image_encoder: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in image_encoder.state_dict().items() if not name.endswith("position_ids")}


def describe_run(run: Run, before: str = "") -> str:
    """How a model came to be, in one sentence for its metadata, and what it was `before`."""
    stages = ", ".join(
        f"{name} {f'{stage.seconds:.0f} s' if stage.seconds else stage.steps} x {stage.batch}"
        for name, stage in run.stages.items()
    )
    data = run.data
    clips = f"{data.clips} {data.kind} clips of {data.frames} frames at {data.size} px, seed {data.seed}"
    return (
        f"mimo train, {run.name}: {clips}; steps or time x batch: {stages}"
        + (f"; {run.note}" if run.note else "")
        + (f". Before: {before}" if before else "")
    )


def load_networks(checkpoint: Path | Checkpoint, run: Run) -> Mimo:
    """A checkpoint's networks, to be trained further: with zeros for conditions that it was trained without."""
    checkpoint = checkpoint if isinstance(checkpoint, Checkpoint) else open_checkpoint(checkpoint)
    networks = Mimo(run.networks)
    for name in NETWORKS:
        state = {key: tensor.float() for key, tensor in getattr(checkpoint, name).items()}
        if name == "denoising_unet":
            state["conv_in.weight"] = _widen(state["conv_in.weight"], run.networks.in_channels)
        getattr(networks, name).load_state_dict(state)
    return networks


def _widen(weight: Tensor, channels: int) -> Tensor:
    missing = channels - weight.shape[1]
    return torch.cat([weight, weight.new_zeros(len(weight), missing, *weight.shape[2:])], 1) if missing > 0 else weight
