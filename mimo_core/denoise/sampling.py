"""From noise to latents without ComfyUI: diffusers' schedulers, windows over frames, guidance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from ..errors import InputError
from ..progress import Progress, scale_progress, silent
from .config import SAMPLERS
from .denoiser import Denoiser
from .memory import run_with_fallbacks
from .noise import make_step_generators
from .reference import ReferenceFeatures, ReferenceKeys
from .speed import TRAINING_STEPS, DeepFeatures, check_interval, is_guided


NOISE_SCHEDULE = {
    "num_train_timesteps": TRAINING_STEPS,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
}


# Pixels of a latent, those of 512 x 512: from there on the halves of the guidance run one after the other. Together
# they are no faster (0.648 against 0.652 s at 784 px) and take a third more memory (14.7 against 11.0 GB with 24
# frames), as measured on an H200 on 2026-11-27.
HALVES_APART_FROM = 64 * 64


@dataclass(frozen=True, eq=False)
class Conditions:
    """What the denoiser is told about a clip of F frames."""

    concat_latents: Tensor  # (F, 4 per picture, h, w) latents that are concatenated to the noise, the plate's first
    token: Tensor  # (1, 1, D), the character's CLIP image embedding
    reference: ReferenceFeatures | ReferenceKeys | None = None
    pose: Callable[[Sequence[int]], Tensor] | None = None  # features (n, C, h, w) of n frames, made per window


def make_scheduler(name: str, steps: int, *, behavior: str = "fixed"):
    """A diffusers scheduler for MIMO's noise schedule with its timesteps set.

    For some step counts (61, 103, 121, ...) the float arithmetic of trailing timesteps gives one too many, at -1.
    `official` keeps it, `fixed` drops it.
    Raises InputError for an unknown name or no steps.
    """
    import diffusers

    if steps < 1:
        raise InputError(f"{steps} steps cannot be sampled. Use at least 1; 25 is what the official weights expect.")
    if name == "ddim":
        scheduler = diffusers.DDIMScheduler(**NOISE_SCHEDULE, clip_sample=False, steps_offset=1)
    elif name == "euler":
        scheduler = diffusers.EulerDiscreteScheduler(**NOISE_SCHEDULE, steps_offset=1)
    elif name == "dpm++":
        scheduler = diffusers.DPMSolverMultistepScheduler(**NOISE_SCHEDULE, algorithm_type="dpmsolver++")
    elif name == "lcm":
        scheduler = diffusers.LCMScheduler(**NOISE_SCHEDULE)
    else:
        raise InputError(f"There is no sampler {name!r} here. Choose one of {', '.join(SAMPLERS)}.")
    scheduler.set_timesteps(steps)
    if behavior == "fixed" and name == "ddim":
        scheduler.timesteps = scheduler.timesteps[:steps]
    return scheduler


@dataclass(frozen=True)
class Passes:
    """How the windows of a step are shared out among passes of the denoiser."""

    batches: tuple[tuple[Sequence[int], ...], ...]  # windows of equal length that share one pass
    halves_together: bool = True  # both halves of the guidance in one pass, or one after the other


@torch.no_grad()
def sample_latents(
    denoiser: Denoiser,
    noise: Tensor,
    conditions: Conditions,
    *,
    windows: Sequence[Sequence[int]],
    steps: int = 25,
    cfg: float = 3.5,
    sampler: str = "ddim",
    guidance_interval: tuple[float, float] = (0.0, 1.0),
    reuse_every: int = 1,
    reuse_depth: int = 0,
    behavior: str = "fixed",
    seed: int = 0,
    frames: Sequence[int] | None = None,
    start: Tensor | None = None,
    denoise: float = 1.0,
    windows_at_once: int = 1,
    after_step: Callable[[int, Tensor], None] | None = None,
    progress: Progress = silent,
) -> Tensor:
    """Latents (F, 4, h, w) from noise of that shape. `progress` is called after every pass of the denoiser.

    windows: frames seen together (`windows.py`); predictions of a frame are averaged with equal weight
    cfg: guidance strength; at 1 and below only the conditional half runs
    guidance_interval: the timesteps, as shares of the schedule from 0 (clean) to 1 (noise), that are guided;
        elsewhere only the conditional half runs (Kynkaanniemi et al. 2024)
    reuse_every, reuse_depth: make deep features anew only at every n-th step, see `speed.DeepFeatures`
    seed, frames: for samplers that draw noise on the way (lcm), by seed and absolute frame
    windows_at_once: windows that share a pass; fewer, and then one half at a time, once memory has run out
    after_step: called with the step and its latents, for previews
    start, denoise: latents (F, 4, h, w) to begin from, and the share of the steps, the last ones, that is run on them
    Raises InputError if shapes do not fit or latents become infinite, OutOfMemory if no fallback fits.
    """
    _check_inputs(denoiser, noise, conditions, windows, start, denoise)
    check_interval(guidance_interval)
    scheduler = make_scheduler(sampler, steps, behavior=behavior)
    timesteps = scheduler.timesteps
    if start is None:
        latents = noise * scheduler.init_noise_sigma
    else:
        timesteps = timesteps[len(timesteps) - max(round(steps * denoise), 1) :]
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(len(scheduler.timesteps) - len(timesteps))
        latents = scheduler.add_noise(start, noise, timesteps[:1])
    frames = range(len(noise)) if frames is None else frames
    drawn_on_the_way = {"generator": make_step_generators(seed, frames)} if sampler == "lcm" else {}

    conditions = _project_reference(conditions, denoiser)
    fallbacks, device = _list_fallbacks(windows, windows_at_once, noise[0, 0].numel()), _get_device(denoiser)
    situation = _describe_job(windows, noise, _get_dtype(denoiser))
    deep = DeepFeatures(reuse_every, reuse_depth) if reuse_every != 1 else None
    for step, timestep in enumerate(timesteps):
        scaled, report = scheduler.scale_model_input(latents, timestep), scale_progress(progress, step, len(timesteps))
        guided = is_guided(timestep, guidance_interval)
        run = partial(
            predict_velocity,
            denoiser,
            scaled,
            timestep,
            conditions,
            cfg=cfg if guided else 1.0,
            behavior=behavior if guided else "fixed",
            deep=deep,
            progress=report,
        )
        velocity = run_with_fallbacks(run, fallbacks, device, situation=situation)
        latents = scheduler.step(velocity, timestep, latents, **drawn_on_the_way).prev_sample
        if not torch.isfinite(latents).all():
            raise InputError(
                f"The latents became NaN or infinite at step {step + 1} of {len(timesteps)}, as happens when "
                f"{_get_dtype(denoiser)} overflows. Run the denoiser in bfloat16 or float32."
            )
        if after_step is not None:
            after_step(step, latents)
    return latents


def predict_velocity(
    denoiser: Denoiser,
    latents: Tensor,
    timestep: Tensor,
    conditions: Conditions,
    passes: Passes,
    *,
    cfg: float = 3.5,
    behavior: str = "fixed",
    deep: DeepFeatures | None = None,
    progress: Progress = silent,
) -> Tensor:
    """v (F, 4, h, w) of all frames: windows averaged, then guided. `deep` is what a run keeps between its steps.

    Without guidance the official release forgets to divide by the number of windows that saw a frame; so does
    `official` here.
    """
    kinds = (1, 0) if cfg > 1 else (0,)  # unconditional half first
    together = [kinds] if passes.halves_together else [(kind,) for kind in kinds]
    mean = latents.new_zeros(len(kinds), *latents.shape)
    seen = latents.new_zeros(len(latents), 1, 1, 1)
    for done, batch in enumerate(passes.batches, 1):
        pose = None if conditions.pose is None else conditions.pose([frame for window in batch for frame in window])
        predicted = torch.cat(
            [_denoise_windows(denoiser, latents, timestep, conditions, batch, half, deep, pose) for half in together]
        )
        for window, velocities in zip(batch, predicted.unbind(1), strict=True):
            seen[window] += 1
            # A running mean: equal predictions leave it as it is to the last bit, which a sum would not.
            mean[:, window] += (velocities - mean[:, window]) / seen[window]
        progress(done, len(passes.batches))
    if cfg > 1:
        unconditional, conditional = mean
        return unconditional + cfg * (conditional - unconditional)
    return mean[0] * seen if behavior == "official" else mean[0]


def _denoise_windows(denoiser, latents, timestep, conditions, batch, kinds, deep, pose) -> Tensor:
    """v (kinds, windows, n, 4, h, w) of windows of n frames each in one pass."""
    frames = [frame for window in batch for frame in window]
    device, dtype = _get_device(denoiser), _get_dtype(denoiser)
    x = torch.cat([latents[frames], conditions.concat_latents[frames].to(latents)], 1).to(device, dtype)
    token = conditions.token.to(device, dtype)
    context = torch.cat([token if kind == 0 else torch.zeros_like(token) for kind in kinds])
    rows = len(frames) * len(kinds)
    chunks = [(kind, tuple(window)) for kind in kinds for window in batch]
    features = None if deep is None else deep.open_pass(float(timestep), chunks)
    velocity = denoiser(
        x.repeat(len(kinds), 1, 1, 1),
        torch.as_tensor(timestep, device=device).expand(rows),
        context.repeat_interleave(len(frames), 0),
        transformer_options={"cond_or_uncond": [kind for kind, _ in chunks]},
        pose=None if pose is None else pose.to(device, dtype),
        reference=conditions.reference,
        deep=features,
    )
    if deep is not None:
        deep.keep(chunks, features)
    return velocity.to(latents).unflatten(0, (len(kinds), len(batch), -1))


def _list_fallbacks(windows: Sequence[Sequence[int]], at_once: int, pixels: int) -> list[Passes]:
    """From `at_once` windows in a pass, halved again and again, to one window and one half of the guidance."""
    together = pixels < HALVES_APART_FROM
    counts = [at_once >> shift for shift in range(at_once.bit_length())]
    fallbacks = [Passes(_batch_windows(windows, count), together) for count in counts]
    return [*fallbacks, Passes(_batch_windows(windows, 1), False)] if together else fallbacks


def _batch_windows(windows: Sequence[Sequence[int]], at_once: int) -> tuple[tuple[Sequence[int], ...], ...]:
    """Neighbouring windows of equal length, at most `at_once` together."""
    batches: list[list[Sequence[int]]] = []
    for window in windows:
        if batches and len(batches[-1]) < at_once and len(batches[-1][0]) == len(window):
            batches[-1].append(window)
        else:
            batches.append([window])
    return tuple(tuple(batch) for batch in batches)


def _describe_job(windows: Sequence[Sequence[int]], noise: Tensor, dtype: torch.dtype) -> str:
    frames, (height, width) = max(len(window) for window in windows), noise.shape[2:]
    name = str(dtype).removeprefix("torch.")
    return (
        f"with one window of {frames} frames of {8 * width}x{8 * height} pixels in {name} and "
        "one half of the guidance at a time. Lower the size or the window, or use half precision"
    )


def _project_reference(conditions: Conditions, denoiser: Denoiser) -> Conditions:
    """The same conditions with the reference as keys and values, projected once for the whole clip."""
    if not isinstance(conditions.reference, ReferenceFeatures):
        return conditions
    features = conditions.reference.to(denoiser.conv_in.weight.device, _get_dtype(denoiser))
    return replace(conditions, reference=denoiser.project_reference(features))


def _get_device(denoiser: Denoiser) -> torch.device:
    return denoiser.conv_in.weight.device


def _get_dtype(denoiser: Denoiser) -> torch.dtype:
    return denoiser.dtype or denoiser.conv_in.weight.dtype


def _check_inputs(
    denoiser: Denoiser, noise: Tensor, conditions: Conditions, windows, start: Tensor | None, denoise: float
) -> None:
    frames = len(noise)
    if not frames:
        raise InputError("There are no frames to sample. Give a motion of at least one frame.")
    wanted = (frames, denoiser.conv_in.weight.shape[1] - 4, *noise.shape[2:])
    if conditions.concat_latents.shape != wanted:
        raise InputError(
            f"The concatenated latents are {tuple(conditions.concat_latents.shape)} but must be {wanted} for noise of "
            f"{tuple(noise.shape)}: (frames, 4 for each picture, height / 8, width / 8)."
        )
    if seen := set(range(frames)) - {frame for window in windows for frame in window}:
        raise InputError(f"No window shows frame {min(seen)} of {frames}. Plan the windows for {frames} frames.")
    if start is None and denoise < 1:
        raise InputError(f"Denoise {denoise} needs latents to start from. Give start frames, or set denoise to 1.")
    if start is not None and start.shape != noise.shape:
        raise InputError(f"The start latents are {tuple(start.shape)} but the noise is {tuple(noise.shape)}.")
    if not 0 < denoise <= 1:
        raise InputError(f"Denoise must be above 0 and at most 1, got {denoise}.")
