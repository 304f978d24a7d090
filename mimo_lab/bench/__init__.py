"""Benches: `mimo bench KIND`, each a module that declares its options and runs with them."""

from __future__ import annotations

import argparse
import importlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Bench:
    """One kind of bench and the functions of the module of its name."""

    summary: str
    add_options: str  # (parser) -> None
    run: str  # (options) -> exit code


BENCHES = {
    "quality": Bench(
        "Compare every stage with the exact truth of synthetic shots.", "add_quality_options", "run_quality"
    ),
    "real": Bench("Do the whole job on real clips: a sheet a clip, and a table.", "add_real_options", "run_real"),
    "parity": Bench(
        "Compare the networks with the official numbers in a folder of fixtures.", "add_parity_options", "run_parity"
    ),
    "denoise": Bench(
        "Measure the denoiser's speed and memory against a plain variant.", "add_denoise_options", "run_denoise"
    ),
    "fuzz": Bench("Read damaged and hostile files of every kind under limits.", "add_fuzz_options", "run_fuzz"),
    "kills": Bench("Kill jobs at random moments and give them again.", "add_kills_options", "run_kills"),
    "gpu": Bench("Time a pass of the denoiser on the card at hand, as a table to post.", "add_gpu_options", "run_gpu"),
    "traffic": Bench(
        "Count the bytes that a pass of the denoiser moves, by operator.", "add_traffic_options", "run_traffic"
    ),
    "colors": Bench(
        "Compare colors learned from made-up scene templates with the hidden ones.", "add_colors_options", "run_colors"
    ),
    "speed": Bench(
        "Measure what faster ways to sample lose and save on the shipped model.", "add_speed_options", "run_speed"
    ),
    "tiny": Bench(
        "Compare what the shipped model draws with the exact truth of unseen synthetic shots.",
        "add_tiny_options",
        "run_tiny",
    ),
}


def run_bench(arguments: list[str]) -> int:
    """Run one bench by its command line and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="mimo bench",
        description="Measure quality, parity and speed.",
        epilog="example:\n  mimo bench quality --seeds 1000-1019 --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    for name, bench in BENCHES.items():
        module = importlib.import_module(f".{name}", __name__)
        kind = kinds.add_parser(name, help=bench.summary, description=bench.summary)
        getattr(module, bench.add_options)(kind)
        kind.set_defaults(run=getattr(module, bench.run))
    options = parser.parse_args(arguments)
    return options.run(options)
