"""Real networks at tiny size with random weights, for the tests of the denoiser."""

import torch

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
