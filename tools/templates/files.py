"""Files that some templates need, with where they lie and where they come from."""


def _file(name: str, directory: str, url: str, size: str, licence: str) -> dict:
    return {"file": name, "folder": f"models/{directory}", "url": url, "size": size, "licence": licence}


HUGGING_FACE = "https://huggingface.co"
MIMO = f"{HUGGING_FACE}/menyifang/MIMO/resolve/main"
WAN = f"{HUGGING_FACE}/Comfy-Org"
WAN21, WAN22 = (f"{WAN}/Wan_2.{k}_ComfyUI_{w}epackaged/resolve/main/split_files" for k, w in ((1, "r"), (2, "R")))
NETWORKS = tuple(
    _file(f"{name}.pth", "mimo", f"{MIMO}/{name}.pth", size, "not stated")
    for name, size in (
        ("denoising_unet", "3.4 GB"),
        ("motion_module", "1.8 GB"),
        ("reference_unet", "3.4 GB"),
        ("pose_guider", "4 MB"),
    )
)
VAE = _file(
    "sd-vae-ft-mse.safetensors",
    "vae",
    f"{HUGGING_FACE}/stabilityai/sd-vae-ft-mse/resolve/main/diffusion_pytorch_model.safetensors",
    "0.3 GB",
    "MIT",
)
CLIP_VISION = _file(
    "sd-image-variations.bin",
    "clip_vision",
    f"{HUGGING_FACE}/lambdalabs/sd-image-variations-diffusers/resolve/main/image_encoder/pytorch_model.bin",
    "1.2 GB",
    "CreativeML OpenRAIL-M",
)
OFFICIAL = (*NETWORKS, VAE, CLIP_VISION)
SDC = _file(
    "sdc_info.npy",
    "mimo",
    f"{HUGGING_FACE}/menyifang/MIMO_VidDecomp/resolve/main/assets/sdc_info.npy",
    "0.1 MB",
    "not stated",
)
SMPL = _file("SMPL_NEUTRAL.npz", "smpl", "https://smpl.is.tue.mpg.de", "by registration", "non-commercial")
CONTROLNET = _file(
    "control_v11p_sd15_openpose_fp16.safetensors",
    "controlnet",
    f"{HUGGING_FACE}/comfyanonymous/ControlNet-v1-1_fp16_safetensors/resolve/main/"
    "control_v11p_sd15_openpose_fp16.safetensors",
    "0.7 GB",
    "CreativeML OpenRAIL-M",
)
LORA = _file("my_style_sd15.safetensors", "loras", "", "yours", "any LoRA of Stable Diffusion 1.5")
SCENE_TEMPLATE = {
    "file": "mimo_template",
    "folder": "input",
    "url": f"{HUGGING_FACE}/menyifang/MIMO/tree/main",
    "size": "a folder",
    "licence": "a scene template of the release, or one of Save Scene Template",
}
WAN_UNET = _file(
    "wan2.2_animate_14B_bf16.safetensors",
    "diffusion_models",
    f"{WAN22}/diffusion_models/wan2.2_animate_14B_bf16.safetensors",
    "35 GB",
    "Apache-2.0",
)
WAN_TEXT = _file(
    "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
    "text_encoders",
    f"{WAN21}/text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors",
    "6.7 GB",
    "Apache-2.0",
)
WAN_VAE = _file("wan_2.1_vae.safetensors", "vae", f"{WAN21}/vae/wan_2.1_vae.safetensors", "0.25 GB", "Apache-2.0")
WAN_VISION = _file(
    "clip_vision_h.safetensors",
    "clip_vision",
    f"{WAN21}/clip_vision/clip_vision_h.safetensors",
    "1.3 GB",
    "Apache-2.0",
)
COMFY_ORG = f"{HUGGING_FACE}/Comfy-Org"


def _core_file(repository: str, directory: str, name: str, size: str, licence: str) -> dict:
    """A file that Comfy-Org packs for ComfyUI, in a folder of the repository that is named as ComfyUI's."""
    return _file(name, directory, f"{COMFY_ORG}/{repository}/resolve/main/{directory}/{name}", size, licence)


WAN_ANIMATE2_UNET = _core_file(
    "Wan-Animate-2", "diffusion_models", "wan_animate_2_distill_int8_convrot.safetensors", "15.5 GB", "Apache-2.0"
)
SCAIL2_UNET = _core_file(
    "SCAIL-2", "diffusion_models", "wan2.1_14B_SCAIL_2_int8_convrot.safetensors", "15.5 GB", "Apache-2.0"
)
SCAIL2_DPO = _core_file("SCAIL-2", "loras", "wan2.1_SCAIL_2_DPO_lora_bf16.safetensors", "see the page", "Apache-2.0")
SCAIL2_FAST = _core_file(
    "Wan-Animate-2",
    "loras",
    "lightx2v_I2V_14B_480p_cfg_step_distill_rank64_bf16.safetensors",
    "0.74 GB",
    "Apache-2.0",
)
SAM3 = _core_file("sam3.1", "checkpoints", "sam3.1_multiplex_fp16.safetensors", "1.7 GB", "SAM License")
BIREFNET = _core_file("BiRefNet", "background_removal", "birefnet.safetensors", "0.43 GB", "MIT")
DEPTH_ANYTHING = _core_file(
    "Depth-Anything-3", "geometry_estimation", "depth_anything_3_mono_large.safetensors", "1.3 GB", "Apache-2.0"
)
MOGE = _core_file("MoGe", "geometry_estimation", "moge_2_vitl_normal_fp16.safetensors", "0.63 GB", "MIT")
VOID_PASS1, VOID_PASS2 = (
    _core_file("void-model", "diffusion_models", f"void_pass{k}.safetensors", "11 GB", "Apache-2.0") for k in (1, 2)
)
VOID_VAE = _core_file("void-model", "vae", "cogvideox_vae.safetensors", "0.43 GB", "Apache-2.0")
VOID_FLOW = _core_file(
    "void-model", "optical_flow", "raft_large_C_T_SKHT_V2-ff5fadd5.safetensors", "0.02 GB", "BSD-3-Clause"
)
VOID_TEXT = _file(
    "t5xxl_fp16.safetensors",
    "text_encoders",
    f"{HUGGING_FACE}/comfyanonymous/flux_text_encoders/resolve/main/t5xxl_fp16.safetensors",
    "9.8 GB",
    "Apache-2.0",
)
