"""`mimo bench gpu`: seconds and peak memory of a pass on the card at hand, as a table to post."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch

from mimo_core.cli.terminal import print_lines
from mimo_core.denoise.compilation import compile_blocks
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.memory import is_out_of_memory, release_memory
from mimo_core.errors import InputError

from .denoise import FIXTURE, PlainBlock, use_block
from .traffic import make_pass


SIZES, FRAMES, REPEATS = (512, 784), 24, 3
VARIANTS = ("plain", "ours", "ours, halves apart", "ours, compiled")


def add_gpu_options(parser) -> None:
    """The options of `mimo bench gpu`."""
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--size", type=int, action="append", help="pixels; may be given twice (default: 512 and 784)")
    parser.add_argument("--no-compile", action="store_true", help="leave out the variant that takes longest to start")
    parser.add_argument("--tiny", action="store_true", help="a small network on any device, to try the command")


def run_gpu(arguments) -> int:
    """Measure and print the table. Raises InputError without a GPU, unless the small network was asked for."""
    device, dtype = choose_device(tiny=arguments.tiny)
    config = FIXTURE if arguments.tiny else MimoConfig()
    print(f"{describe_device(device)}, torch {torch.__version__}, {str(dtype).removeprefix('torch.')}")
    print(f"random weights, one pass with guidance, {arguments.frames} frames, median of {REPEATS}")
    print(f"{'size':>5}  {'variant':<20} {'seconds':>9} {'x plain':>8} {'peak GB':>8}")
    for size in arguments.size or SIZES:
        plain = None
        for variant in VARIANTS:
            if variant.endswith("compiled") and arguments.no_compile:
                continue
            print_lines(f"{size} px: {variant}")
            try:
                seconds, peak = measure_variant(variant, config, arguments.frames, size // 8, device, dtype)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                print(f"{size:>5}  {variant:<20} {'out of memory':>9}")
                continue
            finally:
                release_memory(device)
            plain = seconds if variant == "plain" else plain
            ratio = f"{plain / seconds:8.2f}" if plain else f"{'-':>8}"
            print(f"{size:>5}  {variant:<20} {seconds:9.3f} {ratio} {'-' if peak is None else f'{peak:.2f}':>8}")
    return 0


def choose_device(*, tiny: bool) -> tuple[torch.device, torch.dtype]:
    """The accelerator and float16; a CPU and float32 for the small network alone. Raises InputError otherwise."""
    found = torch.accelerator.current_accelerator(check_available=True) if hasattr(torch, "accelerator") else None
    if found is not None:
        return found, torch.float16
    if not tiny:
        raise InputError(
            "mimo bench gpu found no CUDA, ROCm or MPS device here. Run it where there is one. For the CPU there is "
            "`mimo bench denoise`; --tiny tries this command."
        )
    return torch.device("cpu"), torch.float32


def describe_device(device: torch.device) -> str:
    """The name of a device, with its memory where that is known."""
    if device.type != "cuda":
        return f"{device.type} ({platform.machine()})"
    found = torch.cuda.get_device_properties(device)
    return f"{found.name}, {found.total_memory / 2**30:.0f} GiB"


def measure_variant(variant: str, config, frames: int, side: int, device, dtype) -> tuple[float, float | None]:
    """Seconds of a pass with guidance, and the peak in GB where the device counts it."""
    prepare = {"plain": partial(use_block, block=PlainBlock), "ours, compiled": compile_blocks}.get(variant)
    run = make_pass(config, frames, side, device=device, dtype=dtype, prepare=prepare)
    parts = [(1,), (0,)] if variant == "ours, halves apart" else [(1, 0)]
    time_parts(run, parts, device)  # compiles, and lets libraries choose their kernels
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds = statistics.median(time_parts(run, parts, device) for _ in range(REPEATS))
    return seconds, torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None


def time_parts(run: Callable, parts: list[tuple[int, ...]], device: torch.device) -> float:
    """Seconds for the parts of a pass, one after the other, until the device is done."""
    start = time.perf_counter()
    for chunks in parts:
        run(chunks)
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()
    return time.perf_counter() - start
