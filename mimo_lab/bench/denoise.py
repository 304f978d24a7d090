"""`mimo bench denoise`: the denoiser against a plain variant, in one process, on one thread, in CPU-seconds.

The plain variant does what the official release does: it repeats the reference for every frame and projects it again
in every pass, lets the unconditional half read it, and computes that half a second time without. Same weights, same
numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mimo_core.cli.terminal import print_lines
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.forward_context import ForwardContext
from mimo_core.denoise.motion_module import PositionTable
from mimo_core.denoise.reference import ReferenceFeatures
from mimo_core.denoise.reference_unet import ReferenceUNet
from mimo_core.denoise.transformer import TransformerBlock

from .table import BenchRow, report_rows


FIXTURE = MimoConfig(
    block_out_channels=(32, 32, 32, 64),
    cross_attention_dim=32,
    norm_groups=16,
    pose_channels=(16, 24, 40, 64),
)
PLAIN_TFLOP = 2.21  # SD1.5 width, 4 frames of 256x256, with guidance; within 3 %


@dataclass(frozen=True)
class Case:
    name: str
    config: MimoConfig
    frames: int
    size: int  # pixels
    target: float  # times faster than plain


CASES = (
    Case("fixture width 4x256", FIXTURE, 4, 256, 1.45),
    Case("fixture width 24x128", FIXTURE, 24, 128, 1.25),
    Case("SD1.5 width 4x256", MimoConfig(), 4, 256, 1.10),
)


class PlainBlock(TransformerBlock):
    """The transformer block of the official release, for comparison only."""

    def project_bank(self, bank: Tensor) -> tuple[Tensor, Tensor]:
        return bank, bank  # not projected: that happens in every pass

    def forward(self, tokens, context, reference=None, groups=(), options=None) -> Tensor:
        normed = self.norm1(tokens)
        if reference is None:
            attended = self.attn1(normed, normed)
        else:
            attended = self._attend_by_group(normed, normed, normed, reference, groups, options)
        tokens = tokens + attended
        tokens = tokens + self.attn2(self.norm2(tokens), context)
        return tokens + self.ff(self.norm3(tokens))

    def _attend_by_group(self, queries: Tensor, keys: Tensor, values: Tensor, reference, groups, options) -> Tensor:
        repeated = reference[0].repeat(len(queries), 1, 1)
        attended = self.attn1(queries, torch.cat([queries, repeated], 1))
        for start, stop, reads in groups:
            if not reads:
                attended[start:stop] = self.attn1(queries[start:stop], queries[start:stop])
        return attended


def add_denoise_options(parser) -> None:
    """The options of `mimo bench denoise`."""
    parser.add_argument("--repeats", type=int, default=3, help="passes per variant, of which the fastest counts")
    parser.add_argument("--only", choices=[case.name for case in CASES], action="append", help="may be given twice")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run_denoise(arguments) -> int:
    """Measure on one thread. SD1.5 width needs 6 GB of memory and minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = {"plain TFLOP, SD1.5 width 4x256": _flops()}
        for case in CASES:
            if not arguments.only or case.name in arguments.only:
                rows |= measure_case(case, repeats=arguments.repeats)
    finally:
        torch.set_num_threads(threads)
    return report_rows(rows, (0,), 256, as_json=arguments.json)


@torch.no_grad()
def measure_case(case: Case, *, repeats: int = 3) -> dict[str, BenchRow]:
    """Speed of a pass with guidance, of the reference's pass, and the memory that the reference adds."""
    denoiser = _weighted(Denoiser(case.config, device="meta"))
    height = case.size // 8
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(case.frames, 8, height, height, generator=generator).repeat(2, 1, 1, 1)
    token = torch.randn(1, 1, case.config.cross_attention_dim, generator=generator)
    timesteps = torch.full((len(x),), 500)
    features = _random_features(case.config, height, generator)
    keys = denoiser.project_reference(features)

    def ours() -> Tensor:
        use_block(denoiser, TransformerBlock)
        return denoiser(x, timesteps, token, transformer_options={"cond_or_uncond": [1, 0]}, reference=keys)

    def plain() -> Tensor:
        use_block(denoiser, PlainBlock)
        return denoiser(x, timesteps, token, transformer_options={"cond_or_uncond": [1, 0]}, reference=features)

    difference = ((ours() - plain()).norm() / plain().norm()).item()
    fast, slow = fastest(ours, plain, repeats=repeats)
    print_lines(f"{case.name}: ours {fast:.2f} CPU-s, plain {slow:.2f} CPU-s, relative difference {difference:.1g}")
    name = case.name
    return {
        f"speed, {name}": BenchRow(slow / fast, case.target, unit="x"),
        f"relative difference, {name}": BenchRow(difference, 1e-4, at_most=True),
        f"extra memory of the reference, {name}": _memory(denoiser, features, case, height),
    }


def use_block(denoiser: Denoiser, block: type) -> None:
    """Make every spatial transformer block one of this class, in place."""
    for module in denoiser.modules():
        if isinstance(module, TransformerBlock):
            module.__class__ = block


def fastest(*variants: Callable[[], Tensor], repeats: int) -> list[float]:
    """CPU-seconds of the fastest of several runs of each variant, taken in turns."""
    seconds = [float("inf")] * len(variants)
    for _ in range(repeats):
        for index, variant in enumerate(variants):
            start = time.process_time()
            variant()
            seconds[index] = min(seconds[index], time.process_time() - start)
    return seconds


def _memory(denoiser: Denoiser, features: ReferenceFeatures, case: Case, height: int) -> BenchRow:
    """What the reference adds to the peak of the first self-attention, as a share of what it adds in the plain one."""
    block = denoiser.down_blocks[0].attentions[0].transformer_blocks[0]
    rows, channels = 2 * case.frames, case.config.block_out_channels[0]
    normed = torch.randn(rows, height * height, channels)
    token = torch.zeros(1, 1, case.config.cross_attention_dim)

    def peak(kind: type, reference) -> int:
        use_block(denoiser, kind)
        ctx = ForwardContext(normed, token, reference=reference, transformer_options={"cond_or_uncond": [1, 0]})
        if reference is None:
            return peak_bytes(lambda: block.attn1(normed, normed))
        pair, groups = ctx.select_reference(block.path, normed)
        return peak_bytes(lambda: block._attend_by_group(normed, normed, normed, pair, groups, None))

    use_block(denoiser, TransformerBlock)
    keys = denoiser.project_reference(features)
    alone = peak(TransformerBlock, None)
    ours = peak(TransformerBlock, keys) - alone
    use_block(denoiser, PlainBlock)
    plain = peak(PlainBlock, denoiser.project_reference(features)) - alone
    print_lines(
        f"{case.name}: one attention {alone / 1e6:.1f} MB, the reference adds {ours / 1e6:.1f}, plain {plain / 1e6:.1f}"
    )
    return BenchRow(ours / plain, 1 / case.frames, at_most=True)


def peak_bytes(function: Callable[[], object]) -> int:
    """The most memory that tensors on the CPU held at one time while the function ran."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        function()
    held = most = 0
    for event in sorted(profile.profiler.kineto_results.events(), key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def _flops() -> BenchRow:
    """FLOPs of the plain variant, counted on the meta device."""
    config = MimoConfig()
    denoiser = Denoiser(config, device="meta")
    use_block(denoiser, PlainBlock)
    features = _random_features(config, 32, None)
    features = ReferenceFeatures({name: bank.to("meta") for name, bank in features.banks.items()})
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        denoiser(
            torch.empty(8, 8, 32, 32, device="meta"),
            torch.empty(8, device="meta"),
            torch.empty(1, 1, config.cross_attention_dim, device="meta"),
            transformer_options={"cond_or_uncond": [1, 0]},
            reference=features,
        )
    counted = counter.get_total_flops() / 1e12
    print_lines(
        f"plain variant at SD1.5 width, 4 frames of 256x256: {counted:.3f} TFLOP, expected {PLAIN_TFLOP} within 3 %"
    )
    return BenchRow(abs(counted / PLAIN_TFLOP - 1), 0.03, at_most=True)


def _random_features(config: MimoConfig, height: int, generator: torch.Generator | None) -> ReferenceFeatures:
    """Features of the right shapes; their values do not matter for speed."""
    latent, token = torch.empty(1, 4, height, height, device="meta"), torch.empty(1, 1, config.cross_attention_dim)
    shapes = ReferenceUNet(config, device="meta")(latent, token.to("meta")).banks
    return ReferenceFeatures({name: torch.randn(bank.shape, generator=generator) for name, bank in shapes.items()})


def _weighted(denoiser: Denoiser) -> Denoiser:
    """Random weights that keep activations near 1, drawn once and used over: 1.3 billion draws would take a minute."""
    noise = torch.randn(1 << 24, generator=torch.Generator().manual_seed(0))
    denoiser.to_empty(device="cpu")
    for name, parameter in denoiser.named_parameters():
        if parameter.ndim == 1:
            parameter.fill_(1.0 if "norm" in name and name.endswith("weight") else 0.0)
        else:
            count, fan_in = parameter.numel(), parameter[0].numel()
            drawn = noise.repeat(-(-count // len(noise)))[:count]
            parameter.copy_(drawn.view(parameter.shape) / fan_in**0.5)
    for module in denoiser.modules():
        if isinstance(module, PositionTable):
            module.pe.copy_(PositionTable(module.pe.shape[2], module.pe.shape[1]).pe)
    return denoiser.requires_grad_(False)
