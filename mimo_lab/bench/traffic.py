"""`mimo bench traffic`: bytes that the operators of a pass read and write, counted on the meta device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mimo_core.cli.terminal import print_lines
from mimo_core.denoise import kernel_choice, kernels
from mimo_core.denoise.config import MimoConfig
from mimo_core.denoise.denoiser import Denoiser
from mimo_core.denoise.reference_unet import ReferenceUNet


# Operators that touch no values: views, and allocations without a fill.
FREE = frozenset(
    (
        "_unsafe_view",
        "alias",
        "as_strided",
        "chunk",
        "detach",
        "diagonal",
        "empty",
        "empty_like",
        "empty_strided",
        "expand",
        "lift_fresh",
        "narrow",
        "new_empty",
        "permute",
        "reshape",
        "select",
        "slice",
        "split",
        "split_with_sizes",
        "squeeze",
        "t",
        "transpose",
        "unbind",
        "unflatten",
        "unsqueeze",
        "view",
    )
)


class TrafficCounter(TorchDispatchMode):
    """Adds up `bytes_moved` by operator: every distinct tensor read once and every result written once.

    A tensor that is expanded counts by the values it holds in memory, not by its shape. Caches are taken to be empty
    between operators, and full within one. torch's group norms read twice, as their kernels do.
    """

    def __init__(self):
        super().__init__()
        self.bytes_moved: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if name == "convolution" and any(is_channels_last(tensor) for tensor in args[:2]):
            result = result.contiguous(memory_format=torch.channels_last)  # as cuDNN does, but not the meta device
        if name not in FREE:
            read = {id(leaf): leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
            written = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            target = args[0] if name == "copy_" else (kwargs or {}).get("out")
            read.pop(id(target), None)  # it is written, not read
            again = [args[0]] if name == "native_group_norm" else []
            self.bytes_moved[name] += sum(map(count_bytes, [*read.values(), *again, *written]))
            self.calls[name] += 1
        return result

    def count_launch(self, name: str, like, grid, block, shared, arguments, **rest) -> None:
        """In the place of `kernels.launch`: every tensor that is given is read or written once."""
        tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
        self.bytes_moved[name] += sum(map(count_bytes, tensors))
        self.calls[name] += 1

    @property
    def total(self) -> int:
        return sum(self.bytes_moved.values())


class FusedAttention(TorchFunctionMode):
    """Counts an attention as the one kernel that it is on a GPU; on the meta device it would be many."""

    def __init__(self, counter: TrafficCounter):
        super().__init__()
        self.counter = counter

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is not scaled_dot_product_attention:
            return function(*args, **(kwargs or {}))
        query, key, value = args
        rows, heads, tokens, channels = query.shape
        # The kernels write (rows, tokens, heads, channels).
        attended = query.new_empty(rows, tokens, heads, channels).transpose(1, 2)
        self.counter.bytes_moved["attention"] += sum(map(count_bytes, (query, key, value, attended)))
        self.counter.calls["attention"] += 1
        return attended


def is_channels_last(tensor: Tensor) -> bool:
    """Whether (rows, C, h, w) lies as (rows, h, w, C), and in no other order as well."""
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


def count_bytes(tensor: Tensor) -> int:
    """Bytes of the values that a tensor shows, each once: expanded axes repeat theirs."""
    count = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= size if stride or size <= 1 else 1
    return count * tensor.element_size()


@torch.no_grad()
def count_traffic(run: Callable[[], object]) -> TrafficCounter:
    """The counter after one call of `run`, with the kernels that an NVIDIA card has."""
    counter = TrafficCounter()
    with (
        patch.object(kernel_choice, "is_used", lambda operation, like: kernels.fits(like)),
        patch.object(kernels, "launch", counter.count_launch),
        counter,
        FusedAttention(counter),
    ):
        run()
    return counter


def format_traffic(counter: TrafficCounter, rows: int = 12) -> list[str]:
    """A table of the operators that move most, in GB."""
    lines = [f"{'operator':<40} {'calls':>6} {'GB':>9}"]
    for name, moved in counter.bytes_moved.most_common(rows):
        lines.append(f"{name:<40} {counter.calls[name]:>6} {moved / 1e9:>9.2f}")
    return [*lines, f"{'all':<40} {sum(counter.calls.values()):>6} {counter.total / 1e9:>9.2f}"]


def add_traffic_options(parser) -> None:
    """The options of `mimo bench traffic`."""
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=784, help="pixels")


def run_traffic(arguments) -> int:
    """Print what a pass with guidance in float16 moves, at the size of the official release. Needs no GPU."""
    counter = count_traffic(make_pass(MimoConfig(), arguments.frames, arguments.size // 8))
    print("\n".join(format_traffic(counter)))
    print_lines("Operators are counted one by one, as eager torch runs them; a compiler joins some of them.")
    return 0


@torch.no_grad()
def make_pass(
    config: MimoConfig,
    frames: int,
    side: int,
    *,
    device="meta",
    dtype: torch.dtype = torch.float16,
    prepare: Callable[[Denoiser], object] | None = None,
) -> Callable[..., Tensor]:
    """A pass over `frames` latents of side x side with random weights, as a function of its chunks.

    By default it runs both halves of the guidance: chunks are 1 (unconditional) and 0 (conditional). `prepare` changes
    the denoiser before the reference is projected. Further arguments of the function are the denoiser's.
    """
    place = {"device": device, "dtype": dtype}
    denoiser, reference_unet = (
        network(config, **place).requires_grad_(False).to(memory_format=torch.channels_last)
        for network in (Denoiser, ReferenceUNet)
    )
    if prepare is not None:
        prepare(denoiser)
    token = torch.randn(1, 1, config.cross_attention_dim, **place)
    keys = denoiser.project_reference(reference_unet(torch.randn(1, 4, side, side, **place), token))
    x = torch.randn(frames, config.in_channels, side, side, **place)
    pose = torch.randn(frames, config.block_out_channels[0], side, side, **place)

    @torch.no_grad()
    def run(chunks: tuple[int, ...] = (1, 0), **given) -> Tensor:
        rows, options = x.repeat(len(chunks), 1, 1, 1), {"cond_or_uncond": list(chunks)}
        timesteps = torch.full((len(rows),), 500, device=device)
        return denoiser(rows, timesteps, token, transformer_options=options, pose=pose, reference=keys, **given)

    return run
