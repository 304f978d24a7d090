"""`mimo bench gpu`: seconds and peak memory of a pass on the card at hand, as a table to post."""

from __future__ import annotations

import gc
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from unittest.mock import patch

import numpy as np
import torch

from mimo_core.cli.terminal import print_lines
from mimo_core.denoise import kernel_choice
from mimo_core.denoise.autoencoder import PICTURES_AT_ONCE, Autoencoder
from mimo_core.denoise.blocks import FeedForward
from mimo_core.denoise.compilation import compile_blocks
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.memory import is_out_of_memory, release_memory
from mimo_core.denoise.motion_module import TemporalTransformer
from mimo_core.denoise.transformer import SpatialTransformer
from mimo_core.errors import InputError

from .denoise import FIXTURE, PlainBlock, use_block
from .traffic import make_pass


SIZES, FRAMES, REPEATS = (512, 784), 24, 3
MOST_SECONDS = 180  # of the whole table; compiled variants that would take longer are left out
WIDTHS, TINY_WIDTHS = (128, 256, 512, 512), (32, 32)  # of Stable Diffusion 1.5's autoencoder, and for --tiny


@dataclass(frozen=True)
class Job:
    """What is measured where."""

    config: MimoConfig
    vae_widths: tuple[int, ...]
    frames: int
    size: int  # pixels
    device: torch.device
    dtype: torch.dtype


@dataclass(frozen=True)
class Variant:
    """A row of the table. `make` gives what is timed, for a job; its seconds are divided by `share`."""

    name: str
    make: Callable[[Job], Callable[[], object]]
    is_compiled: bool = False
    share: int = 1


@dataclass(frozen=True)
class Timing:
    seconds: float
    peak: float | None  # GB; None where the device does not count
    start: float  # seconds of the first call, which compiles and lets libraries choose their kernels


def make_denoiser_call(
    job: Job, *, prepare: Callable[[Denoiser], object] | None = None, parts=((1, 0),), has_kernels: bool = True
) -> Callable[[], None]:
    """One pass with guidance, in one part or one half after the other, with our kernels or torch's operators alone."""
    choice = nullcontext() if has_kernels else patch.object(kernel_choice, "is_used", lambda operation, like: False)
    with choice:
        run = make_pass(job.config, job.frames, job.size // 8, device=job.device, dtype=job.dtype, prepare=prepare)

    def call() -> None:
        with choice:
            for chunks in parts:
                run(chunks)

    return call


def make_autoencoder_call(job: Job, *, dtype: torch.dtype, is_encoder: bool) -> Callable[[], object]:
    """As many pictures as are worked on at once, with random weights."""
    from diffusers import AutoencoderKL

    levels = len(job.vae_widths)
    with job.device:
        network = AutoencoderKL(
            block_out_channels=job.vae_widths,
            layers_per_block=2,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
        )
    network = network.to(dtype, memory_format=torch.channels_last).eval().requires_grad_(False)
    autoencoder, generator = Autoencoder(network), np.random.default_rng(0)
    if is_encoder:
        pictures = generator.integers(0, 256, (PICTURES_AT_ONCE, job.size, job.size, 3), np.uint8)
        return partial(autoencoder.encode, pictures)
    return partial(autoencoder.decode, torch.randn(PICTURES_AT_ONCE, 4, job.size // 8, job.size // 8))


def set_hidden_bytes(denoiser: Denoiser, count: int) -> None:
    """How much of a feed-forward's hidden layer is in memory at a time."""
    for module in denoiser.modules():
        if isinstance(module, FeedForward):
            module.hidden_bytes = count


VARIANTS = (
    Variant("plain", partial(make_denoiser_call, prepare=partial(use_block, block=PlainBlock), has_kernels=False)),
    Variant("ours, torch's operators", partial(make_denoiser_call, has_kernels=False)),
    Variant("ours", make_denoiser_call),
    Variant("ours, halves apart", partial(make_denoiser_call, parts=((1,), (0,)))),
    *(
        Variant(
            f"VAE {'encode' if is_encoder else 'decode'} a frame, {name}",
            partial(make_autoencoder_call, dtype=getattr(torch, name), is_encoder=is_encoder),
            share=PICTURES_AT_ONCE,
        )
        for is_encoder in (True, False)
        for name in ("float32", "bfloat16")
    ),
    Variant("ours, compiled", partial(make_denoiser_call, prepare=compile_blocks), is_compiled=True),
)
# What was not yet decided by a card: fewer graphs, and feed-forwards whose hidden layer stays in its cache.
MORE_VARIANTS = (
    Variant(
        "transformers compiled",
        partial(make_denoiser_call, prepare=partial(compile_blocks, kinds=(SpatialTransformer, TemporalTransformer))),
        is_compiled=True,
    ),
    *(
        Variant(
            f"ours, hidden {count >> 20} MB",
            partial(make_denoiser_call, prepare=partial(set_hidden_bytes, count=count)),
        )
        for count in (2**24, 2**25, 2**26, 2**27, 2**30)
    ),
)


def add_gpu_options(parser) -> None:
    """The options of `mimo bench gpu`."""
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--size", type=int, action="append", help="pixels; may be given twice (default: 512 and 784)")
    parser.add_argument("--no-compile", action="store_true", help="leave out the variants that take longest to start")
    parser.add_argument("--more", action="store_true", help="also try what is not the default, however long it takes")
    parser.add_argument("--tiny", action="store_true", help="small networks on any device, to try the command")


def run_gpu(arguments) -> int:
    """Measure and print the table; 1 if a row failed. Raises InputError without a GPU, unless --tiny was given."""
    device, dtype = choose_device(tiny=arguments.tiny)
    config, widths = (FIXTURE, TINY_WIDTHS) if arguments.tiny else (MimoConfig(), WIDTHS)
    print(f"{describe_device(device)}, torch {torch.__version__}, {str(dtype).removeprefix('torch.')}")
    print(f"random weights, one pass with guidance, {arguments.frames} frames, median of {REPEATS}")
    print("\n".join(describe_kernels(torch.zeros(1, 1, 64, device=device, dtype=dtype))))
    print(f"{'size':>5}  {'variant':<32} {'seconds':>9} {'x plain':>8} {'peak GB':>8} {'start s':>8}")
    begun, longest, has_failed = time.perf_counter(), 0.0, False
    for size in arguments.size or SIZES:
        job, plain = Job(config, widths, arguments.frames, size, device, dtype), None
        for variant in VARIANTS + MORE_VARIANTS * arguments.more:
            if variant.is_compiled and arguments.no_compile:
                continue
            print_lines(f"{size} px: {variant.name}")
            expected = time.perf_counter() - begun + longest
            if variant.is_compiled and not arguments.more and expected > MOST_SECONDS:
                print(f"{size:>5}  {variant.name:<32} left out for time: --size {size} measures it")
                continue
            timing, reason = try_variant(variant, job)
            if timing is None:
                print(f"{size:>5}  {variant.name:<32} {reason}")
                has_failed |= reason != "out of memory"
                continue
            if variant.name == "plain":
                plain = timing.seconds
            if variant.is_compiled:
                longest = max(longest, timing.start)
            print(format_timing(size, variant, timing, plain))
    return int(has_failed)


def choose_device(*, tiny: bool) -> tuple[torch.device, torch.dtype]:
    """The accelerator and float16; a CPU and float32 for the small networks alone. Raises InputError otherwise."""
    found = torch.accelerator.current_accelerator(check_available=True) if hasattr(torch, "accelerator") else None
    if found is not None:
        return found, torch.float16
    if not tiny:
        raise InputError(
            "mimo bench gpu found no CUDA, ROCm or MPS device here. Run it where there is one. For the CPU there is "
            "`mimo bench denoise`; --tiny tries this command."
        )
    return torch.device("cpu"), torch.float32


def describe_kernels(like: torch.Tensor) -> list[str]:
    """Which of our kernels the denoiser uses for tensors like one, and why."""
    if not kernel_choice.is_candidate(like):
        return ["no kernels of ours for this device: torch's operators in their place"]
    verdicts = kernel_choice.get_verdicts(like.device, like.dtype)
    return ["kernels of ours:", *(f"  {line}" for line in kernel_choice.describe_verdicts(verdicts))]


def describe_device(device: torch.device) -> str:
    """The name of a device, with its memory where that is known."""
    if device.type != "cuda":
        return f"{device.type} ({platform.machine()})"
    found = torch.cuda.get_device_properties(device)
    return f"{found.name}, {found.total_memory / 2**30:.0f} GiB"


def try_variant(variant: Variant, job: Job) -> tuple[Timing | None, str]:
    """Its timing, or None and why there is none. Leaves nothing in memory."""
    try:
        return measure_variant(variant, job), ""
    except Exception as error:  # noqa: BLE001 - a device that lacks an operator or a compiler still has its other rows
        if is_out_of_memory(error):
            return None, "out of memory"
        lines = str(error).strip().splitlines() or [""]
        return None, f"failed: {type(error).__name__}: {lines[0][:160]}"
    finally:
        if variant.is_compiled:
            torch._dynamo.reset()
        gc.collect()  # a compiled block refers to itself
        release_memory(job.device)


def measure_variant(variant: Variant, job: Job) -> Timing:
    """Time a variant. Compiled ones start cold: nothing is taken from the compiler's cache on disk."""
    if variant.is_compiled:
        import torch._inductor.config

        with torch._inductor.config.patch(force_disable_caches=True):
            return _time_calls(variant, job)
    return _time_calls(variant, job)


def format_timing(size: int, variant: Variant, timing: Timing, plain: float | None) -> str:
    """A row of the table. Only what does the same as the plain variant is compared with it."""
    ratio = f"{plain / timing.seconds:.2f}" if plain and variant.share == 1 else "-"
    peak = "-" if timing.peak is None else f"{timing.peak:.2f}"
    return f"{size:>5}  {variant.name:<32} {timing.seconds:9.3f} {ratio:>8} {peak:>8} {timing.start:8.1f}"


def _time_calls(variant: Variant, job: Job) -> Timing:
    module, call = torch.get_device_module(job.device), variant.make(job)
    start = time_call(call, job.device)
    counts_memory = hasattr(module, "reset_peak_memory_stats")
    if counts_memory:
        module.reset_peak_memory_stats(job.device)
    seconds = statistics.median(time_call(call, job.device) for _ in range(REPEATS)) / variant.share
    return Timing(seconds, module.max_memory_allocated(job.device) / 2**30 if counts_memory else None, start)


def time_call(call: Callable[[], object], device: torch.device) -> float:
    """Seconds until the device is done."""
    start = time.perf_counter()
    call()
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()
    return time.perf_counter() - start
