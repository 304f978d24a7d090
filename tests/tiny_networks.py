"""Real networks at tiny size with random weights, for the tests of the denoiser."""

from dataclasses import replace

import torch

from mimo_core.denoise.checkpoints import NETWORKS, Checkpoint, TrainingSettings
from mimo_core.denoise.config import MimoConfig


TINY = MimoConfig(
    block_out_channels=(32, 32, 64),
    layers_per_block=1,
    heads=4,
    cross_attention_dim=16,
    norm_groups=8,
    motion_heads=4,
    pose_channels=(4, 8, 8, 8),
)


def random_weights(module, seed=0):
    """Normals of a size that keeps activations near 1. Zeros, as at the start of training, would hide mistakes."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in module.named_parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 16
        noise = torch.randn(parameter.shape, generator=generator) / fan_in**0.5
        parameter.data = 1 + noise if "norm" in name and name.endswith("weight") else noise
    return module.eval()


def tiny_autoencoder(seed=7):
    """diffusers' AutoencoderTiny, the smallest of the autoencoders."""
    from diffusers import AutoencoderTiny

    network = random_weights(AutoencoderTiny(), seed)
    network.encoder.layers[-1].weight.data *= 0.1  # keeps latents where the denoiser's are
    return network


def tiny_image_encoder(width=TINY.cross_attention_dim, seed=4):
    """transformers' CLIP vision with projection."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    shape = {"hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 1, "num_hidden_layers": 2}
    shape |= {"patch_size": 32, "image_size": 64, "hidden_act": "quick_gelu", "projection_dim": width}
    return random_weights(CLIPVisionModelWithProjection(CLIPVisionConfig(**shape)), seed)


def tiny_checkpoint(*, layers=("plate",), frame_local=False, trained=None):
    """A MIMO with random weights, an autoencoder and an image encoder. A frame-local one has idle motion modules."""
    config = replace(TINY, in_channels=4 * (1 + len(layers)))
    built = {
        name: random_weights(make(config), seed).state_dict() for seed, (name, make) in enumerate(NETWORKS.items())
    }
    if frame_local:
        for name, weight in built["denoising_unet"].items():
            if "temporal_transformer.proj_out" in name:
                weight.zero_()
    trained = trained or TrainingSettings(size=64, window=4, overlap=2, steps=2, cfg=2.0, colors="free", concat=layers)
    extras = {"vae": tiny_autoencoder().state_dict(), "clip_vision": tiny_image_encoder().state_dict()}
    return Checkpoint(config, trained, **built, extras=extras)
