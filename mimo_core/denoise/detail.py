"""A network after the decoder that sees the layers: it puts back what the autoencoder lost of plate and proxy.

A decoder that reads more than the latents (as the asymmetric one of Zhu et al. 2023, arXiv 2306.04632), but as a
network of its own behind any decoder. Where the drawn picture and the proxy agree up to softness, the proxy's pixels
are at hand, relit; where the scene shows, the plate's; elsewhere the drawn picture stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad, pixel_shuffle, pixel_unshuffle, relu

from ..errors import InputError
from .checkpoints import Checkpoint
from .memory import run_with_fallbacks
from .state_files import list_widths


DETAIL_LAYERS = ("plate", "proxy")  # of `TrainingSettings.concat`
BODY_CODE = "body code"  # read beside them: where the body is, in whatever colors
DETAIL_WIDTHS = (48, 64, 96, 96)  # channels at a half, a quarter, an eighth and a sixteenth of the width
DETAIL_BLOCKS = 1  # at each width, on the way down and up
INPUTS, OUTPUTS = 12, 9  # channels
RESTORED_AT_ONCE = 4  # where memory holds them


class DetailNetwork(nn.Module):
    """A small UNet in pixel space. Untrained it gives the drawn pictures back as they are."""

    def __init__(
        self, widths: Sequence[int] = DETAIL_WIDTHS, blocks: int = DETAIL_BLOCKS, *, operations=nn, device=None
    ):
        super().__init__()
        convolve = partial(operations.Conv2d, device=device)
        steps = list(pairwise(widths))
        self.multiple = 2 ** len(widths)  # pixels of a side, to which pictures are filled up
        self.conv_in = convolve(4 * INPUTS, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_make_blocks(width, blocks, convolve) for width in widths)
        self.narrow = nn.ModuleList(convolve(width, wider, 3, stride=2, padding=1) for width, wider in steps)
        self.widen = nn.ModuleList(convolve(wider, width, 1) for width, wider in steps)
        self.up = nn.ModuleList(_make_blocks(width, blocks, convolve) for width in widths[:-1])
        self.conv_out = convolve(widths[0], 4 * OUTPUTS, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, drawn: Tensor, plate: Tensor, proxy: Tensor, body_code: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) of drawn ones and of the layers that they were drawn from, all in -1..1."""
        height, width = drawn.shape[2:]
        layers = torch.cat([drawn, plate, proxy, body_code], 1)
        more = (0, -width % self.multiple, 0, -height % self.multiple)
        mixed = self._mix(pad(layers, more, mode="replicate") if any(more) else layers)[..., :height, :width]
        toward_plate, toward_proxy, added = mixed.chunk(3, 1)
        return drawn + toward_plate * (plate - drawn) + toward_proxy * (proxy - drawn) + added

    def _mix(self, layers: Tensor) -> Tensor:
        hidden, kept = self.conv_in(pixel_unshuffle(layers, 2)), []
        for level, blocks in enumerate(self.down):
            hidden = blocks(hidden)
            if level < len(self.narrow):
                kept.append(hidden)
                hidden = self.narrow[level](hidden)
        for level in reversed(range(len(self.up))):
            hidden = interpolate(self.widen[level](hidden), scale_factor=2, mode="nearest") + kept[level]
            hidden = self.up[level](hidden)
        return pixel_shuffle(self.conv_out(relu(hidden)), 2)


class ResidualBlock(nn.Module):
    """Two convolutions whose result is added; nothing at first."""

    def __init__(self, width: int, convolve: Callable[..., nn.Module]):
        super().__init__()
        self.first, self.second = (convolve(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.second(relu(self.first(relu(hidden))))


def _make_blocks(width: int, count: int, convolve: Callable[..., nn.Module]) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width, convolve) for _ in range(count)))


@torch.no_grad()
def restore_detail(
    network: DetailNetwork, drawn: Tensor, layers: Mapping[str, Sequence[NDArray]], first: int, *, device=None
) -> Tensor:
    """Pictures (n, H, W, 3) in 0..1 of decoded ones, which are frames `first` and so on of the layers.

    layers: frames (H, W, 3) uint8 by the names of DETAIL_LAYERS, and of BODY_CODE
    """
    device = device or next(network.parameters()).device
    frames = range(first, first + len(drawn))
    inputs = [drawn.float().cpu() * 2 - 1]
    for name in (*DETAIL_LAYERS, BODY_CODE):
        inputs.append(torch.from_numpy(np.stack([layers[name][frame] for frame in frames])).float() / 127.5 - 1)

    def run(at_once: int) -> Tensor:
        parts = [part.movedim(-1, 1).split(at_once) for part in inputs]
        return torch.cat([network(*(part.to(device) for part in few)).cpu() for few in zip(*parts, strict=True)])

    situation = f"where detail should be put back into pictures of {drawn.shape[2]}x{drawn.shape[1]}. Lower the size"
    restored = run_with_fallbacks(run, [RESTORED_AT_ONCE, 1], torch.device(device), situation=situation)
    return (restored / 2 + 0.5).clamp(0, 1).movedim(1, -1)


def build_detail_network(checkpoint: Checkpoint, device=None, *, operations=nn) -> DetailNetwork | None:
    """The network of a checkpoint, in float32, for inference; None where it brings none.

    Raises InputError if its tensors are not those of the network, or its denoiser does not read the layers.
    """
    state = checkpoint.extras.get("detail")
    if state is None:
        return None
    if not set(DETAIL_LAYERS) <= set(checkpoint.trained.concat):
        raise InputError(
            f"The checkpoint's detail network reads {' and '.join(DETAIL_LAYERS)}, but its denoiser reads "
            f"{', '.join(checkpoint.trained.concat)}. Its metadata is damaged, or was written by another version."
        )
    # Only what the file really holds gives a size: a tensor without numbers may claim any.
    network = DetailNetwork(
        *_infer_shape({name: tensor for name, tensor in state.items() if _is_kernel(tensor)}),
        operations=operations,
        device="meta",
    )
    wanted = network.state_dict()
    absent = [name for name in wanted if name not in state or state[name].shape != wanted[name].shape]
    if wrong := absent + sorted(state.keys() - wanted.keys()):
        raise InputError(
            f"The checkpoint's detail network lacks {len(absent)} of {len(wanted)} tensors, or has them in another "
            f"shape, and has {len(wrong) - len(absent)} too many, such as {wrong[0]}. Get the file again."
        )
    state = {
        name: tensor.to(device, torch.float32, memory_format=_choose_layout(tensor)) for name, tensor in state.items()
    }
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _infer_shape(state: Mapping[str, Tensor]) -> tuple[tuple[int, ...], int]:
    """Widths and blocks of a network by its tensors."""
    widths = list_widths(state, r"down\.(\d+)\.0\.first\.weight")
    return tuple(widths) or DETAIL_WIDTHS, len(list_widths(state, r"down\.0\.(\d+)\.first\.weight"))


def _is_kernel(tensor: Tensor) -> bool:
    """Whether it is the kernel of a convolution between equally many channels."""
    return tensor.ndim == 4 and tensor.shape[0] == tensor.shape[1] and tensor.numel() > 0


def _choose_layout(tensor: Tensor) -> torch.memory_format:
    return torch.channels_last if tensor.ndim == 4 else torch.preserve_format
