"""The numbers that a set of MIMO weights was trained with, and the choices of those who sample."""

from __future__ import annotations

from dataclasses import dataclass


SAMPLERS = ("ddim", "euler", "dpm++", "lcm")  # outside ComfyUI
NOISES = ("per_frame", "official")


@dataclass(frozen=True)
class MimoConfig:
    """Widths and counts of the three networks. The defaults are the official release, Stable Diffusion 1.5 in size."""

    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers_per_block: int = 2
    heads: int = 8  # at every level; diffusers' SD1.5 config calls it attention_head_dim
    cross_attention_dim: int = 768  # one CLIP ViT-L image token, not text
    norm_groups: int = 32
    motion_heads: int = 8
    motion_frames: int = 32  # length of the trained table of temporal positions
    pose_channels: tuple[int, ...] = (16, 32, 96, 256)
    in_channels: int = 8  # 4 noisy latent channels, then 4 of the background
    out_channels: int = 4

    @property
    def time_embedding_channels(self) -> int:
        return 4 * self.block_out_channels[0]
