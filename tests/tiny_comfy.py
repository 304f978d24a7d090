"""ComfyUI's own models at tiny size with random weights, and one way to sample. Import it in tests marked `comfy`."""

import json

import torch

from mimo_core.denoise.checkpoints import NETWORKS, Checkpoint, TrainingSettings
from mimo_core.denoise.config import MimoConfig
from tests.tiny_networks import random_weights


CONFIG = MimoConfig(
    block_out_channels=(32, 64, 128, 128),  # the ratios of Stable Diffusion 1.5, which ControlNets and FreeU go by
    heads=4,
    cross_attention_dim=32,
    norm_groups=8,
    motion_heads=4,
    motion_frames=8,
    pose_channels=(4, 8, 8, 8),
)
SIZE = 64  # pixels


def checkpoint(*, config=CONFIG, frame_local=False, trained=None, **extras):
    """A tiny MIMO with random weights. A frame-local one has motion modules that add nothing."""
    built = {
        name: random_weights(make(config), seed).state_dict() for seed, (name, make) in enumerate(NETWORKS.items())
    }
    built["denoising_unet"]["conv_out.weight"] *= 0.3
    if frame_local:
        for name, weight in built["denoising_unet"].items():
            if "temporal_transformer.proj_out" in name:
                weight.zero_()
    trained = trained or TrainingSettings(size=SIZE, window=8, overlap=2, steps=2, cfg=3.5, colors="free")
    return Checkpoint(config, trained, **built, extras=extras)


def controlnet(seed=1, **changed):
    """ComfyUI's ControlNet around its own SD1.5 architecture."""
    import comfy.cldm.cldm
    import comfy.controlnet
    import comfy.model_management

    shape = {
        "image_size": 32,
        "in_channels": 4,
        "model_channels": 32,
        "hint_channels": 3,
        "num_res_blocks": [2, 2, 2, 2],
        "channel_mult": (1, 2, 4, 4),
        "num_heads": 4,
        "use_spatial_transformer": True,
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
        "transformer_depth_middle": 1,
        "context_dim": CONFIG.cross_attention_dim,
        "legacy": False,
        "dtype": torch.float32,
        "device": "cpu",
    }
    network = _filled(comfy.cldm.cldm.ControlNet(**(shape | changed)), seed)
    device = comfy.model_management.get_torch_device()
    return comfy.controlnet.ControlNet(network, load_device=device, manual_cast_dtype=None)


def t2i_adapter(seed=2):
    """ComfyUI's T2I adapter, whose residuals lie in control["input"]."""
    import comfy.controlnet
    import comfy.t2i_adapter.adapter

    shape = {"cin": 192, "channels": CONFIG.block_out_channels, "nums_rb": 2, "ksize": 1, "sk": True, "xl": False}
    network = comfy.t2i_adapter.adapter.Adapter(**shape)
    return comfy.controlnet.T2IAdapter(_filled(network, seed), 3, 8, "nearest-exact", device=torch.device("cpu"))


def vae():
    """ComfyUI's VAE around its own autoencoder."""
    import comfy.sd

    shape = {"double_z": True, "z_channels": 4, "resolution": 64, "in_channels": 3, "out_ch": 3, "ch": 32}
    shape |= {"ch_mult": [1, 1, 1, 1], "num_res_blocks": 1, "attn_resolutions": [], "dropout": 0.0}
    from comfy.ldm.models.autoencoder import AutoencoderKL

    weights = _filled(AutoencoderKL(ddconfig=shape, embed_dim=4), 3).state_dict()
    return comfy.sd.VAE(sd=weights, config={"params": {"ddconfig": shape, "embed_dim": 4}}, dtype=torch.float32)


def small_vae():
    """Weights of the smallest autoencoder that ComfyUI's VAE loader knows, TAESD."""
    import comfy.taesd.taesd

    return _filled(comfy.taesd.taesd.TAESD(), 7).state_dict()


def clip_vision(folder, width=CONFIG.cross_attention_dim):
    """ComfyUI's CLIP vision with projection."""
    import comfy.clip_vision

    shape = {"model_type": "clip_vision_model", "hidden_size": 64, "intermediate_size": 64, "num_attention_heads": 1}
    shape |= {
        "num_hidden_layers": 2,
        "num_channels": 3,
        "patch_size": 32,
        "image_size": 224,
        "hidden_act": "quick_gelu",
    }
    (folder / "clip_vision.json").write_text(json.dumps(shape | {"projection_dim": width, "num_positions": 50}))
    clip = comfy.clip_vision.ClipVisionModel(folder / "clip_vision.json")
    _filled(clip.model, 4)
    return clip


def lora(config=CONFIG):
    """A LoRA for Stable Diffusion 1.5 in kohya's names, for three layers."""
    generator = torch.Generator().manual_seed(0)
    narrow, widest = config.block_out_channels[0], config.block_out_channels[-1]
    targets = {
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q": (narrow, narrow),
        "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_v": (widest, config.cross_attention_dim),
        "lora_unet_up_blocks_1_attentions_2_transformer_blocks_0_ff_net_0_proj": (8 * widest, widest),
    }
    weights = {}
    for name, (rows, columns) in targets.items():
        weights[f"{name}.lora_up.weight"] = torch.randn(rows, 4, generator=generator)
        weights[f"{name}.lora_down.weight"] = torch.randn(4, columns, generator=generator)
        weights[f"{name}.alpha"] = torch.tensor(4.0)
    return weights


def frame_hints(frames, size=SIZE):
    """Control pictures (F, size, size, 3), every one different."""
    generator = torch.Generator().manual_seed(11)
    return torch.rand(frames, size, size, 3, generator=generator)


def _filled(network, seed):
    with torch.no_grad():
        random_weights(network, seed)
    return network.requires_grad_(False)


def conditions(module, model, frames, *, seed=5, size=SIZE):
    """(positive, negative) of a clip of random latents and body code. `module` is the pack's `nodes.comfy_model`."""
    generator = torch.Generator().manual_seed(seed)
    width = model.model.diffusion_model.config.cross_attention_dim
    token = torch.randn(1, 1, width, generator=generator)
    character = torch.randn(1, 4, size // 8, size // 8, generator=generator)
    background = 4 * torch.randn(frames, 4, size // 8, size // 8, generator=generator)
    body_code = torch.randint(0, 256, (frames, size, size, 3), generator=generator).to(torch.uint8)
    reference = module.compute_reference(model, character, token)
    clip = module.ClipConditions(background, body_code, reference, True)
    return [[token, {module.CLIP_KEY: clip}]], [[torch.zeros_like(token), {module.CLIP_KEY: clip.make_unconditional()}]]


def empty_latent(frames, size=SIZE):
    return {"samples": torch.zeros(frames, 4, size // 8, size // 8)}


def sample(model, positive, negative, *, frames=6, seed=1, steps=2, cfg=3.5, sampler="ddim", scheduler="simple", **how):
    """Latents (F, 4, h, w) of the stock KSampler."""
    import nodes

    latent = how.pop("latent", None) or empty_latent(frames)
    with torch.inference_mode():
        (out,) = nodes.common_ksampler(
            model, seed, steps, cfg, sampler, scheduler, positive, negative, latent, **({"denoise": 1.0} | how)
        )
    return out["samples"]


def assert_alike(actual, expected):
    """Equal but for the order of sums.

    How many rows a matrix product has, and how its operands are aligned, decides by which kernel a processor computes
    it, so a frame in a window of four may differ from the same frame in a clip of seven: by nothing on some processors,
    by 6e-4 on others, of latents with a deviation of 3.6. A frame with the body code of its neighbour differs by 0.017
    or more, with its background by 4.
    """
    torch.testing.assert_close(actual, expected, rtol=0, atol=2e-3)


def apply_control(positive, negative, net, hints, *, strength=1.0, start=0.0, end=1.0):
    """The stock node Apply ControlNet."""
    import nodes

    return nodes.ControlNetApplyAdvanced().apply_controlnet(positive, negative, net, hints, strength, start, end)
