"""Presents the MIMO denoiser to ComfyUI as an ordinary MODEL. Nothing else in the pack knows ComfyUI's model internals.

Frames lie in the batch axis, as for AnimateDiff: latents are (F, 4, h, w). The unconditional rows come first, and how
many chunks of frames a call holds is always read from `cond_or_uncond`: it may be one, two or more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import comfy.conds
import comfy.latent_formats
import comfy.ldm.modules.attention
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.patcher_extension
import comfy.supported_models_base
import comfy.utils
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..mimo_core.denoise.checkpoints import NETWORKS, Checkpoint, TrainingSettings, build_networks
from ..mimo_core.denoise.config import MimoConfig
from ..mimo_core.denoise.denoiser import Denoiser
from ..mimo_core.denoise.detail import build_detail_network, restore_detail
from ..mimo_core.denoise.forward_context import has_patches
from ..mimo_core.denoise.memory import run_with_fallbacks
from ..mimo_core.denoise.pose_guider import PoseGuider
from ..mimo_core.denoise.reference import ReferenceFeatures
from ..mimo_core.denoise.sampling import HALVES_APART_FROM
from ..mimo_core.errors import InputError
from .comfy_speed import DEEP_KEY


CLIP_KEY = "mimo_clip"  # the key under which a CONDITIONING carries its ClipConditions
# Attachments of a MODEL, which its copies with LoRAs and patches keep.
REFERENCE_UNET_KEY, TRAINED_KEY, DETAIL_KEY = "mimo_reference_unet", "mimo_trained", "mimo_detail"


@dataclass(frozen=True, eq=False)
class ClipConditions:
    """What the denoiser is told about a clip of F frames beside the character's token. Lies on the CPU.

    Positive and negative hold the same tensors, so that both halves run as one batch.
    """

    concat_latents: Tensor  # (F, 4 per picture, h, w) latents as the VAE gives them
    body_code: Tensor  # (F, 8 h, 8 w, 3) uint8
    reference: ReferenceFeatures
    reads_reference: bool  # False for the unconditional half

    @property
    def frames(self) -> int:
        return len(self.body_code)

    def make_unconditional(self) -> ClipConditions:
        return ClipConditions(self.concat_latents, self.body_code, self.reference, False)


class FrameCond(comfy.conds.CONDNoiseShape):
    """A tensor with one row per frame, kept whole: a stock COND is cut to the first rows, whatever the window."""

    def process_cond(self, batch_size, area=None, **_):
        return self._copy_with(_crop_to_area(self.cond, area, first_axis=2))


class ClipCond(comfy.conds.CONDRegular):
    """ClipConditions on their way to the model: never cast, moved, repeated or cut."""

    def __init__(self, clip: ClipConditions, *, reads_reference: bool, area=None, cache=None):
        super().__init__(clip)
        self.reads_reference, self.area = reads_reference, area
        self.cache = {} if cache is None else cache  # what the model learns during a run

    def process_cond(self, batch_size, area=None, **_):
        return ClipCond(self.cond, reads_reference=self.reads_reference, area=area, cache=self.cache)

    def can_concat(self, other):
        """Whether both halves of the guidance run in one pass: with large pictures that only takes memory."""
        if self.cond.concat_latents[0, 0].numel() >= HALVES_APART_FROM:
            return False
        return self.cond.body_code is other.cond.body_code and self.area == other.area

    def concat(self, others):
        return ClipChunks((self, *others))

    def size(self):
        return [1]


class ClipChunks:
    """The ClipConds of one call's chunks. They differ in whether they read the reference."""

    def __init__(self, conds: tuple[ClipCond, ...]):
        self.conds = conds
        self.reads_reference = tuple(cond.reads_reference for cond in conds)
        first = next((cond for cond in conds if cond.reads_reference), conds[0])
        self.clip, self.area, self.cache = first.cond, first.area, first.cache

    @property
    def parts(self) -> list[int]:
        """In how many parts this call may run: all chunks together, or each alone. A lack of memory takes the first."""
        count = len(self.conds)
        return [1] if count == 1 else self.cache.setdefault(f"parts of {count}", [1, count])


def attend_by_choice(query: Tensor, key: Tensor, value: Tensor, heads: int, options: dict | None = None) -> Tensor:
    """Attention by what the user chose when ComfyUI was started, or by the override in `options`.

    Looked up at every call: other packs replace it.
    """
    attend = comfy.ldm.modules.attention.optimized_attention
    return attend(query, key, value, heads, **({} if options is None else {"transformer_options": options}))


def read_cast_parameters(norm, like: Tensor) -> tuple[Tensor, Tensor]:
    """Weight and bias of a norm where the input lies, with what LoRAs add: ComfyUI may keep them elsewhere.

    What it brought from elsewhere is copied and given back at once: it stays in the card's memory until then.
    """
    if norm.weight.device == like.device or not hasattr(comfy.ops, "uncast_bias_weight"):
        return comfy.ops.cast_bias_weight(norm, like)
    weight, bias, stream = comfy.ops.cast_bias_weight(norm, like, offloadable=True)
    copies = weight.clone(), bias.clone()
    comfy.ops.uncast_bias_weight(norm, weight, bias, stream)
    return copies


class NativeDenoiser(Denoiser):
    """The denoiser with the hook that every UNet of ComfyUI has."""

    in_channels = 4  # RenormCFG reads it

    def forward(self, x, timesteps, context=None, control=None, transformer_options=None, **kwargs):
        wrappers = comfy.patcher_extension.get_all_wrappers(
            comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL, transformer_options or {}
        )
        run = comfy.patcher_extension.WrapperExecutor.new_class_executor(super().forward, self, wrappers)
        return run.execute(x, timesteps, context, control, transformer_options, **kwargs)


class NativeConfig(comfy.supported_models_base.BASE):
    latent_format = comfy.latent_formats.SD15
    # ComfyUI's "linear" is diffusers' "scaled_linear"; zsnr is its rescale_betas_zero_snr.
    sampling_settings = {"beta_schedule": "linear", "linear_start": 0.00085, "linear_end": 0.012, "zsnr": True}
    # Measured on an H200 in float16, 8 to 32 frames of 512 and 784 px: 10.9 to 14.8 kB for a latent pixel of a row,
    # which is 0.52 to 0.7 in ComfyUI's unit. It adds a reserve of its own.
    memory_usage_factor = 0.7

    def __init__(self, networks: MimoConfig):
        # FreeU and savers read these two. With num_res_blocks, LoRA names would be mapped to blocks we do not have.
        self.unet_extra_config = {"model_channels": networks.block_out_channels[0], "in_channels": 4}
        super().__init__({"disable_unet_model_creation": True})
        self.networks = networks


class MimoModel(comfy.model_base.BaseModel):
    """The denoiser, directly under `diffusion_model` (LoRA names follow its keys), and the pose guider beside it."""

    def __init__(self, config: NativeConfig, denoiser: NativeDenoiser, pose_guider: PoseGuider, *, device=None):
        super().__init__(config, comfy.model_base.ModelType.V_PREDICTION, device=device)
        self.diffusion_model = denoiser
        self._beside = (pose_guider,)  # in a tuple: a patcher of its own loads it, not this model's

    def concat_cond(self, **kwargs):
        clip = _require_clip(kwargs)
        return self.process_latent_in(clip.concat_latents).to(kwargs["device"])

    def extra_conds(self, **kwargs):
        clip = _require_clip(kwargs)
        _check_fits(clip, kwargs["noise"])
        _check_control(kwargs)
        conds = super().extra_conds(**kwargs)
        conds["c_concat"] = FrameCond(conds["c_concat"].cond)
        # A positive that was zeroed out to serve as negative still says that it reads the reference.
        reads = clip.reads_reference and kwargs.get("prompt_type") != "negative"
        conds[CLIP_KEY] = ClipCond(clip, reads_reference=reads)
        return conds

    def apply_model(self, x, t, c_concat=None, c_crossattn=None, control=None, transformer_options=None, **kwargs):
        """v of all chunks in one pass, or one chunk after the other once memory did not hold them together."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        chunks: ClipChunks = kwargs.pop(CLIP_KEY)
        inputs = (x, t, c_concat, c_crossattn, control, transformer_options or {}, chunks)

        def run(parts: int) -> Tensor:
            return torch.cat([self._denoised(*_take_share(inputs, part, parts), **kwargs) for part in range(parts)])

        return run_with_fallbacks(run, chunks.parts, x.device, situation=_describe_call(x, len(chunks.conds)))

    def _denoised(self, x, t, c_concat, c_crossattn, control, transformer_options, chunks: ClipChunks, **kwargs):
        count = len(chunks.conds)
        frames = _list_frames(transformer_options, len(x) // count, chunks.clip.frames)
        features, deep = transformer_options.get(DEEP_KEY), None
        if features is not None:
            names = _name_chunks(transformer_options, frames, x)
            deep = features.open_pass(float(t[0]), names)
        denoised = super().apply_model(
            x,
            t,
            c_concat=c_concat if len(c_concat) == len(x) else _select_rows(c_concat, frames, count),
            c_crossattn=c_crossattn,
            control=control,
            transformer_options=transformer_options,
            pose=self._pose(chunks, frames, x.device),
            reference=self._reference(chunks, x.device),
            reads_reference=chunks.reads_reference,
            deep=deep,
            **kwargs,
        )
        if features is not None:
            features.keep(names, deep)
        _check_finite(denoised, t, transformer_options)
        return denoised

    def compute_dtype(self) -> torch.dtype:
        return self.manual_cast_dtype or self.get_dtype()

    def _pose(self, chunks: ClipChunks, frames: list[int], device) -> Tensor:
        """Features (n, C, h, w) of the frames of this call; those of all frames never exist at once."""
        body_code = _crop_to_area(chunks.clip.body_code[frames], chunks.area, first_axis=1, scale=8).to(device)
        return self._beside[0].encode_frames(body_code, dtype=self.compute_dtype())

    def _reference(self, chunks: ClipChunks, device):
        """Keys and values of the reference, projected by the first call of a run that reads them."""
        if not any(chunks.reads_reference):
            return None
        # Hooked weights change from step to step, so nothing made with them can be kept.
        if "keys" not in chunks.cache or self.current_patcher.current_hooks is not None:
            features = chunks.clip.reference.to(device, self.compute_dtype())
            chunks.cache["keys"] = self.diffusion_model.project_reference(features)
        return chunks.cache["keys"]


def build_model(checkpoint: Checkpoint, *, dtype: torch.dtype | None = None):
    """A MODEL (ModelPatcher). `dtype` is that of the weights; None leaves it to ComfyUI's rules for its own models."""
    config, device = NativeConfig(checkpoint.config), comfy.model_management.get_torch_device()
    weights = checkpoint.denoising_unet
    dtype = dtype or comfy.model_management.unet_dtype(
        model_params=comfy.utils.calculate_parameters(weights),
        supported_dtypes=config.supported_inference_dtypes,
        weight_dtype=comfy.utils.weight_dtype(weights),
    )
    cast = comfy.model_management.unet_manual_cast(dtype, device, config.supported_inference_dtypes)
    config.set_inference_dtype(dtype, cast)
    offload = comfy.model_management.unet_offload_device()
    networks = build_networks(
        checkpoint,
        networks=NETWORKS | {"denoising_unet": NativeDenoiser},
        attention=attend_by_choice,
        read_parameters=read_cast_parameters,
        operations=comfy.ops.pick_operations(dtype, cast),
        dtype=dtype,
        device=offload,
    )

    model = make_patcher(MimoModel(config, networks.denoiser, networks.pose_guider, device=offload))
    model.set_additional_models("mimo_pose_guider", [make_patcher(networks.pose_guider)])
    # Sampling does not need the reference UNet: it shares the MODEL's way through the graph, not its memory.
    model.set_attachments(REFERENCE_UNET_KEY, make_patcher(networks.reference_unet))
    model.set_attachments(TRAINED_KEY, networks.trained)
    exact = comfy.ops.pick_operations(torch.float32, None)
    detail = build_detail_network(checkpoint, offload, operations=exact)
    if detail is not None:
        model.set_attachments(DETAIL_KEY, make_patcher(detail))
    return model


def make_patcher(network: torch.nn.Module):
    """What ComfyUI loads, offloads and patches a network by. Newer releases have a class that streams weights."""
    kind = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return kind(
        network,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )


def get_training_settings(model) -> TrainingSettings:
    """How the weights of a MODEL were trained."""
    if not is_mimo(model):
        raise InputError(
            f"This MODEL is a {type(model.model).__name__}, not a MIMO. Connect the model of Load MIMO, with any LoRA "
            "and patches between."
        )
    return model.get_attachment(TRAINED_KEY)


@torch.inference_mode()
def compute_reference(model, latents: Tensor, tokens: Tensor) -> ReferenceFeatures:
    """Run the reference UNet on views of a character: latents (V, 4, h, w) as the VAE gives them, tokens (V, 1, D)."""
    network = model.get_attachment(REFERENCE_UNET_KEY)
    comfy.model_management.load_models_gpu([network])
    device, dtype = network.load_device, model.model.compute_dtype()
    latents = model.model.process_latent_in(latents)
    views = [
        network.model(latent[None].to(device, dtype), token[None].to(device, dtype))
        for latent, token in zip(latents, tokens, strict=True)
    ]
    return ReferenceFeatures.join(views).to(comfy.model_management.intermediate_device())


def is_mimo(model) -> bool:
    """Whether a MODEL is ours, with any LoRA and patches on it."""
    return isinstance(model.model, MimoModel)


def has_detail(model) -> bool:
    """Whether a MODEL brings the network that puts right what the VAE decoded."""
    return model.get_attachment(DETAIL_KEY) is not None


def restore_images(model, images: Tensor, frames: Sequence[int], *, layers: Mapping[str, Sequence[NDArray]]) -> Tensor:
    """IMAGE (n, S, S, 3) as the VAE decoded it, put right by these frames of the layers."""
    network = model.get_attachment(DETAIL_KEY)
    comfy.model_management.load_models_gpu([network])
    few = {name: [layer[frame] for frame in frames] for name, layer in layers.items()}
    return restore_detail(network.model, images, few, 0, device=network.load_device)


def _require_clip(kwargs) -> ClipConditions:
    clip = kwargs.get(CLIP_KEY)
    if clip is None:
        side = kwargs.get("prompt_type", "positive")
        raise InputError(
            f"The {side} conditioning does not come from MIMO Conditioning. Connect both of its outputs, positive and "
            "negative, to the sampler."
        )
    return clip


def _check_fits(clip: ClipConditions, noise: Tensor) -> None:
    if len(noise) != clip.frames:
        raise InputError(
            f"The latent has {len(noise)} frames but MIMO Conditioning made {clip.frames}. Use its latent output."
        )
    if noise.shape[-2:] != clip.concat_latents.shape[-2:]:
        (height, width), (wanted_height, wanted_width) = noise.shape[-2:], clip.concat_latents.shape[-2:]
        raise InputError(
            f"The latent is {width * 8}x{height * 8} pixels but MIMO Conditioning made {wanted_width * 8}x"
            f"{wanted_height * 8}. Use its latent output, or set its size to that of the latent."
        )


def _check_control(kwargs) -> None:
    """ControlNets read the text tokens if there are any, else the character's token; their widths must agree."""
    control, tokens = kwargs.get("control"), kwargs.get("cross_attn_controlnet", kwargs.get("cross_attn"))
    while control is not None and tokens is not None:
        network = getattr(control, "control_model", None)
        for name, weight in network.named_parameters() if network is not None else ():
            if name.endswith("attn2.to_k.weight") and weight.ndim == 2 and weight.shape[1] != tokens.shape[-1]:
                raise InputError(
                    f"This ControlNet reads tokens of width {weight.shape[1]}, the conditioning has {tokens.shape[-1]}"
                    ". MIMO is built on Stable Diffusion 1.5: use a ControlNet made for it, and its CLIP for the text."
                )
        control = control.previous_controlnet


def _take_share(value, part: int, parts: int):
    """The share that one of `parts` equal parts has of whatever is given to a call of the model."""
    if parts == 1:
        return value
    if isinstance(value, Tensor):
        return value.chunk(parts)[part]
    if isinstance(value, ClipChunks):
        return ClipChunks(value.conds[part : part + 1])
    if isinstance(value, tuple):
        return tuple(_take_share(entry, part, parts) for entry in value)
    if isinstance(value, dict) and "cond_or_uncond" in value:
        return value | {name: value[name][part : part + 1] for name in ("cond_or_uncond", "uuids") if name in value}
    if isinstance(value, dict):  # the residuals of ControlNets
        return {name: [_take_share(residual, part, parts) for residual in entry] for name, entry in value.items()}
    return value


def _describe_call(x: Tensor, chunks: int) -> str:
    frames, (height, width) = len(x) // chunks, x.shape[2:]
    return (
        f"with windows of {frames} frames of {8 * width}x{8 * height} pixels, one half of the guidance at a time. Put "
        f"MIMO Context Windows with {max(frames // 2, 1)} frames before this node, lower the size, or load MIMO with "
        "fp8 precision"
    )


def _list_frames(options: dict, count: int, frames: int) -> list[int]:
    """Which frames of the clip the rows of one chunk are: those of the context window, if there is one."""
    window = options.get("context_window")
    if count == frames or window is None:
        return list(range(frames))
    indices = list(window.index_list)
    anchor = getattr(window, "causal_anchor_index", None)  # newer cores may put an earlier frame before a window
    return indices if count == len(indices) else [anchor, *indices]


def _name_chunks(options: dict, frames: list[int], x: Tensor) -> list[tuple]:
    """What each chunk of a call is, so that deep features are taken from its like: half, conditions, frames, size.

    Passes of SAG, PAG and their like evaluate a half again under patches; they must not read each other's features.
    """
    kinds = options["cond_or_uncond"]
    conditions = options.get("uuids") or [None] * len(kinds)
    return [
        (kind, condition, tuple(frames), has_patches(options), tuple(x.shape[2:]))
        for kind, condition in zip(kinds, conditions, strict=True)
    ]


def _select_rows(tensor: Tensor, frames: list[int], chunks: int) -> Tensor:
    """The rows of some frames, of a tensor that holds all frames for each chunk."""
    return tensor.unflatten(0, (chunks, -1))[:, frames].flatten(0, 1)


def _crop_to_area(tensor: Tensor, area, *, first_axis: int, scale: int = 1) -> Tensor:
    """`tensor` cut to an area (height, width, top, left) in latent pixels, as of Conditioning (Set Area)."""
    if area is None:
        return tensor
    for axis in range(2):
        tensor = tensor.narrow(first_axis + axis, area[2 + axis] * scale, area[axis] * scale)
    return tensor


def _check_finite(denoised: Tensor, sigma: Tensor, options: dict) -> None:
    if torch.isfinite(denoised).all():
        return
    sigmas = options.get("sample_sigmas")
    step = "" if sigmas is None else f" at step {int((sigmas - sigma[0].to(sigmas)).abs().argmin()) + 1}"
    total = "" if sigmas is None else f" of {len(sigmas) - 1}"
    raise InputError(
        f"The denoiser's output became NaN or infinite{step}{total}, as happens when half precision overflows. "
        "Set the precision of Load MIMO to bf16 or fp32."
    )
