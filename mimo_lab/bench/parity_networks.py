"""Numbers of the official networks, scheduler and sampling loop, compared in float32."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from mimo_core.denoise.blocks import embed_timesteps
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.motion_module import NORM_GROUPS, PositionTable
from mimo_core.denoise.pose_guider import PoseGuider
from mimo_core.denoise.reference import ReferenceFeatures
from mimo_core.denoise.reference_unet import ReferenceUNet
from mimo_core.denoise.sampling import Conditions, make_scheduler, sample_latents
from mimo_core.denoise.windows import plan_official_windows


Comparison = tuple[str, float, float]  # case, error, tolerance
PARTS, SCHEDULER = 5e-6, 2e-6
FORWARD = {"fp32": 2e-5, "fp16": 2e-4}  # by the dtype that the reference went through
FINAL = {"fp32": 5e-5, "fp16": 4e-4}
RELATIVE = 5e-5  # L2, where float16 ties may fall either way
ILL_CONDITIONED = 2e-4  # a level of 1x1 with one channel per group: x - mean is rounding alone, times 1000


def manifest(folder: Path) -> Iterator[Comparison]:
    """Keys and shapes at real size, counted where they differ."""
    files = json.loads((folder / "checkpoint_manifest.json").read_text())["files"]
    for network, names in (
        (Denoiser, ("denoising_unet.pth", "motion_module.pth")),
        (ReferenceUNet, ("reference_unet.pth",)),
        (PoseGuider, ("pose_guider.pth",)),
    ):
        official = {(entry["key"], tuple(entry["shape"])) for name in names for entry in files[name]["entries"]}
        state = network(MimoConfig(), device="meta").state_dict()
        ours = {(key, tuple(value.shape)) for key, value in state.items()}
        yield f"manifest.{'+'.join(names)}", len(ours ^ official), 0


def scheduler(folder: Path) -> Iterator[Comparison]:
    tensors = load_file(folder / "scheduler.safetensors")
    ddim = make_scheduler("ddim", 25, behavior="official")
    yield "scheduler.alphas_cumprod", _error(ddim.alphas_cumprod, tensors["alphas_cumprod"]), SCHEDULER
    for name in sorted(key for key in tensors if key.endswith(".prev_sample")):
        steps, timestep, _ = name.split(".")
        ddim = make_scheduler("ddim", int(steps.removeprefix("step")), behavior="official")
        stepped = ddim.step(tensors["step.model_output"], int(timestep[1:]), tensors["step.sample"]).prev_sample
        yield f"scheduler.{name}", _error(stepped, tensors[name]), SCHEDULER


def timesteps(folder: Path) -> Iterator[Comparison]:
    for steps, official in _fixtures(folder)["scheduler"]["timesteps_by_steps"].items():
        ours = make_scheduler("ddim", int(steps), behavior="official").timesteps.tolist()
        yield f"timesteps.{steps}", _different(ours, official), 0


@torch.no_grad()
def pose_guider(folder: Path) -> Iterator[Comparison]:
    tensors = load_file(folder / "forward.safetensors")
    guider = _loaded(PoseGuider(_config(folder)), folder, "pose_guider")
    features = guider(_frames(tensors["pose_guider.input"]))
    yield "pose_guider", _error(features, _frames(tensors["pose_guider.output"])), PARTS


@torch.no_grad()
def parts(folder: Path) -> Iterator[Comparison]:
    """Single modules of the denoiser. They see a wrong eps or group count that whole forwards hardly show."""
    tensors = load_file(folder / "forward.safetensors")
    denoiser = _denoiser(folder)
    for case, entry in _cases(folder, "sub."):
        if (steps := tensors.get(f"{case}.timesteps")) is not None:
            channels = denoiser.config.block_out_channels[0]
            yield f"{case}.sinusoid", _error(embed_timesteps(steps, channels), tensors[f"{case}.sinusoid"]), PARTS
            output = denoiser.time_embedding(steps, torch.float32)
        else:
            module = denoiser.get_submodule(entry["module"].split()[0].removeprefix("denoising_unet."))
            output = _run_part(module, tensors, case)
        yield case, _error(output, _rows(tensors[f"{case}.output"])), PARTS
    if (table := tensors.get("sub.pe_table")) is not None:
        yield "sub.pe_table", _error(PositionTable(table.shape[2], table.shape[1]).pe, table), PARTS


def _run_part(module, tensors: dict[str, Tensor], case: str) -> Tensor:
    x = tensors[f"{case}.x"]
    rows, frames = _rows(x), x.shape[2]
    if f"{case}.temb" in tensors:
        return module(rows, tensors[f"{case}.temb"].repeat_interleave(frames, 0))
    if f"{case}.encoder_hidden_states" in tensors:
        context = tensors[f"{case}.encoder_hidden_states"].repeat_interleave(frames, 0)
        return module(rows, context)
    return module(rows, frames)


@torch.no_grad()
def banks(folder: Path) -> Iterator[Comparison]:
    """The reference UNet's features after float16, relative: a value on a tie may fall either way."""
    tensors = load_file(folder / "forward.safetensors")
    reference_unet = _loaded(ReferenceUNet(_config(folder)), folder, "reference_unet")
    for case, _ in _cases(folder, "fwd."):
        stored = _stored_banks(tensors, case)
        if stored:
            features = _features(reference_unet, tensors, case).round_through()
            worst = max(_relative(features.banks[path], bank) for path, bank in stored.items())
            yield f"bank.{case} (relative)", worst, 4 * RELATIVE


@torch.no_grad()
def forwards(folder: Path) -> Iterator[Comparison]:
    """Whole forward passes. Without the reference UNet those whose features are stored remain."""
    tensors = load_file(folder / "forward.safetensors")
    denoiser, reference_unet = _denoiser(folder), None
    if (folder / "reference_unet.safetensors").is_file():
        reference_unet = _loaded(ReferenceUNet(_config(folder)), folder, "reference_unet")
    for case, entry in _cases(folder, "fwd."):
        reads = entry["reference_attention"]
        features = _features(reference_unet, tensors, case) if reads and reference_unet is not None else None
        stored = _stored_banks(tensors, case)
        for name in sorted(key for key in tensors if key.startswith(f"{case}.pred")):
            kind = "fp16" if name.endswith("fp16") else "fp32"
            if features is not None:
                reference = features.round_through() if kind == "fp16" else features
            elif reads and kind == "fp16" and len(stored) == _block_count(denoiser):
                reference = ReferenceFeatures(stored)
            elif reads:
                continue
            else:
                reference = None
            output = _forward(denoiser, tensors, case, entry, reference)
            tolerance = max(FORWARD[kind], _conditioning(denoiser.config, *output.shape[-2:]))
            yield name, _error(output, _rows(tensors[name])), tolerance
            if kind == "fp16":
                yield f"{name} (relative)", _relative(output, _rows(tensors[name])), RELATIVE


def _conditioning(config: MimoConfig, height: int, width: int) -> float:
    """The tolerance that the deepest level needs by itself."""
    deepest, width_there = 2 ** (len(config.block_out_channels) - 1), config.block_out_channels[-1]
    return ILL_CONDITIONED if max(height, width) <= deepest and width_there <= NORM_GROUPS else 0.0


def _forward(denoiser: Denoiser, tensors, case: str, entry: dict, reference) -> Tensor:
    latents, background, pose = (_frames(tensors[f"{case}.{name}"]) for name in ("latents", "bg_latents", "pose_fea"))
    token = tensors[f"{case}.clip_embed"].float()
    chunks = [1, 0] if entry["cfg_batch"] else [0]
    rows = len(chunks) * len(latents)
    tokens = torch.cat([token if kind == 0 else torch.zeros_like(token) for kind in chunks])
    return denoiser(
        torch.cat([latents, background], 1).repeat(len(chunks), 1, 1, 1),
        torch.full((rows,), entry["timestep"]),
        tokens.repeat_interleave(len(latents), 0),
        transformer_options={"cond_or_uncond": chunks},
        pose=pose,
        reference=reference,
    )


@torch.no_grad()
def runs(folder: Path) -> Iterator[Comparison]:
    """Whole samplings with `behavior` official, and the latents after each step that is stored."""
    tensors = load_file(folder / "sampling.safetensors")
    denoiser = _denoiser(folder)
    reference_unet = _loaded(ReferenceUNet(_config(folder)), folder, "reference_unet")
    for case, entry in _cases(folder, "run"):
        windows = plan_official_windows(
            entry["L"], size=entry["context_frames"], overlap=entry["context_overlap"], stride=entry["context_stride"]
        )
        yield f"{case}.windows", _different(windows, entry["windows"]), 0
        features = _features(reference_unet, tensors, case)
        for kind, reference in (("fp16", features.round_through()), ("fp32", features)):
            if f"{case}.final_latents_bank_{kind}" in tensors:
                yield from _run(denoiser, tensors, case, entry, windows, kind, reference)


def _run(denoiser, tensors, case: str, entry: dict, windows, kind: str, reference) -> Iterator[Comparison]:
    pose, steps = _frames(tensors[f"{case}.pose_fea"]), []
    latents = sample_latents(
        denoiser,
        _frames(tensors[f"{case}.init_latents"]),
        Conditions(
            concat_latents=_frames(tensors[f"{case}.bg_latents"]),
            token=tensors[f"{case}.clip_embed"].float(),
            reference=reference,
            pose=lambda frames: pose[frames],
        ),
        windows=windows,
        steps=entry["steps"],
        cfg=entry["cfg"],
        behavior="official",
        after_step=lambda _, latents: steps.append(latents),
    )
    tolerance = max(FINAL[kind], _conditioning(denoiser.config, *latents.shape[-2:]))
    for step, stepped in enumerate(steps):
        if kind == "fp16" and (stored := tensors.get(f"{case}.step{step}.latents")) is not None:
            yield f"{case}.step{step}.latents", _error(stepped, _frames(stored)), tolerance
    name = f"{case}.final_latents_bank_{kind}"
    official = _frames(tensors[name])
    yield name, _error(latents, official), tolerance
    if kind == "fp16":
        yield f"{name} (relative)", _relative(latents, official), RELATIVE


def _fixtures(folder: Path) -> dict:
    return json.loads((folder / "fixtures.json").read_text())


def _cases(folder: Path, prefix: str) -> list[tuple[str, dict]]:
    return [(case, entry) for case, entry in _fixtures(folder)["cases"].items() if case.startswith(prefix)]


def _config(folder: Path) -> MimoConfig:
    fixtures = _fixtures(folder)
    official = fixtures["config"]
    return MimoConfig(
        block_out_channels=tuple(official["block_out_channels"]),
        layers_per_block=official["layers_per_block"],
        heads=official["attention_head_dim"],
        cross_attention_dim=official["cross_attention_dim"],
        norm_groups=official["norm_num_groups"],
        motion_heads=official["motion_num_attention_heads"],
        motion_frames=fixtures["unet_additional_kwargs"]["motion_module_kwargs"]["temporal_position_encoding_max_len"],
        pose_channels=tuple(official["pose_guider_block_out_channels"]),
    )


def _loaded(module, folder: Path, *files: str):
    state = {key: value.float() for file in files for key, value in load_file(folder / f"{file}.safetensors").items()}
    module.load_state_dict(state)
    return module.eval()


def _denoiser(folder: Path) -> Denoiser:
    return _loaded(Denoiser(_config(folder)), folder, "denoising_unet", "motion_module")


def _block_count(denoiser: Denoiser) -> int:
    return sum(path.endswith(".attn1") for path, _ in denoiser.named_modules())


def _stored_banks(tensors: dict[str, Tensor], case: str) -> dict[str, Tensor]:
    """The conditional row of the features in the samples; the unconditional one influences nothing."""
    prefix = f"{case}.bank."
    return {name.removeprefix(prefix): bank[-1:].float() for name, bank in tensors.items() if name.startswith(prefix)}


def _features(reference_unet: ReferenceUNet, tensors: dict[str, Tensor], case: str) -> ReferenceFeatures:
    return reference_unet(tensors[f"{case}.ref_latents"].float(), tensors[f"{case}.clip_embed"].float())


def _frames(tensor: Tensor) -> Tensor:
    return tensor.float()[0].transpose(0, 1)  # (1, C, F, h, w) -> (F, C, h, w)


def _rows(tensor: Tensor) -> Tensor:
    return tensor.transpose(1, 2).flatten(0, 1) if tensor.ndim == 5 else tensor  # (B, C, F, h, w) -> (B * F, C, h, w)


def _error(ours: Tensor, official: Tensor) -> float:
    return (ours - official).abs().max().item() if ours.shape == official.shape else float("inf")


def _relative(ours: Tensor, official: Tensor) -> float:
    return ((ours - official).norm() / official.norm()).item() if ours.shape == official.shape else float("inf")


def _different(ours: list, official: list) -> int:
    return sum(a != b for a, b in zip(ours, official, strict=False)) + abs(len(ours) - len(official))
