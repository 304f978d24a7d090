"""What makes sampling faster and changes its result a little: guidance at some noise levels only, features used twice.

Guidance in an interval is of Kynkaanniemi et al. 2024 (arXiv 2404.07724), deep features that are kept from step to step
of Ma et al. 2024 (DeepCache, arXiv 2312.00858).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError
from .forward_context import ForwardContext


TRAINING_STEPS = 1000  # timesteps of the noise schedule
DEEP_KEY, WINDOWS_KEY = "mimo_deep_features", "mimo_windows"  # in transformer_options


def check_interval(interval: tuple[float, float]) -> None:
    """Raises InputError unless these are two shares of the schedule, the lower first."""
    if not 0 <= interval[0] <= interval[1] <= 1:
        raise InputError(f"The guidance interval is {interval}: give two shares from 0 to 1, the lower first.")


def is_guided(timestep: float, interval: tuple[float, float]) -> bool:
    """Whether a timestep (0 to 999) lies in an interval of shares of the schedule, ends included."""
    low, high = (share * TRAINING_STEPS for share in interval)
    return low <= float(timestep) <= high


class DeepFeatures:
    """The deep features of one run of the sampler, made anew at every n-th step and used again in between.

    They are what goes into the output block before the last `depth` ones: with 0, everything but the first convolution
    and the last block is left out in between. One entry per window, half of the guidance, and set of conditions, so
    that halves may run together or apart. A timestep that was not seen before begins a step.
    """

    def __init__(self, every: int, depth: int = 0):
        if every < 1 or depth < 0:
            raise InputError(f"Deep features are made every {every} steps at depth {depth}: give 1 or more, 0 or more.")
        self.every, self.depth = every, depth
        self.reset()

    def __deepcopy__(self, memo) -> DeepFeatures:
        """Itself: ComfyUI copies the options of a model with all they hold."""
        return self

    def reset(self) -> None:
        """Forget a run."""
        self.timestep, self.step, self.kept = None, -1, {}

    def open_pass(self, ctx: ForwardContext, timesteps: Tensor) -> DeepPass:
        """What a pass of the denoiser at `timesteps` (rows,), all equal, may take from an earlier one, and where it
        leaves its own.
        """
        now = float(timesteps[0])
        if now != self.timestep:
            self.timestep, self.step = now, self.step + 1
        keys = _name_chunks(ctx)
        entries = [self.kept.get(key) for key in keys]
        is_due = self.step % self.every == 0 or any(entry is None for entry in entries)
        return DeepPass(self, keys, None if is_due else torch.cat(entries))


@dataclass(frozen=True, eq=False)
class DeepPass:
    """One pass: the features that it reads, or None where it makes them."""

    features: DeepFeatures
    keys: list[tuple]
    found: Tensor | None

    @property
    def depth(self) -> int:
        return self.features.depth

    def keep(self, hidden: Tensor) -> None:
        """Leave features (rows, C, h, w) for the passes to come."""
        self.features.kept.update(zip(self.keys, hidden.detach().chunk(len(self.keys)), strict=True))


def _name_chunks(ctx: ForwardContext) -> list[tuple]:
    """What each chunk of a pass is: half, conditions, window, whether the pass is patched, and its shape.

    Passes of SAG, PAG and their like evaluate a half again under patches; they must not read each other's features.
    """
    window = getattr(ctx.options.get("context_window"), "index_list", None)
    windows = ctx.options.get(WINDOWS_KEY) or [tuple(window or ())] * len(ctx.chunks)
    conditions = ctx.options.get("uuids") or [None] * len(ctx.chunks)
    shape = (ctx.frames, *ctx.options["original_shape"][2:])
    return [
        (kind, condition, tuple(frames), ctx.is_patched, shape)
        for kind, condition, frames in zip(ctx.chunks, conditions, windows, strict=True)
    ]
