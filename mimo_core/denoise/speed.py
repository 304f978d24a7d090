"""What makes sampling faster and changes its result a little: guidance at some noise levels only, features used twice.

Guidance in an interval is of Kynkaanniemi et al. 2024 (arXiv 2404.07724), deep features that are kept from step to step
of Ma et al. 2024 (DeepCache, arXiv 2312.00858).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError


TRAINING_STEPS = 1000  # timesteps of the noise schedule


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

    def open_pass(self, timestep: float, chunks: Sequence[Hashable]) -> DeepPass:
        """What a pass at `timestep` may take from an earlier one. Equal `chunks` are those of equal name.

        It is decided here, not in the denoiser, which may be compiled: a graph would hold the first decision.
        """
        if timestep != self.timestep:
            self.timestep, self.step = timestep, self.step + 1
        entries = [self.kept.get(chunk) for chunk in chunks]
        is_due = self.step % self.every == 0 or any(entry is None for entry in entries)
        return DeepPass(self.depth, None if is_due else torch.cat(entries))

    def keep(self, chunks: Sequence[Hashable], deep: DeepPass) -> None:
        """Leave what a pass made, (rows, C, h, w), for the passes to come: a copy, CUDA graphs write over theirs."""
        if deep.made is not None:
            self.kept.update(zip(chunks, deep.made.detach().clone().chunk(len(chunks)), strict=True))


@dataclass(eq=False)
class DeepPass:
    """The deep features of one pass of the denoiser: those that it reads, else, once it ran, those that it made."""

    depth: int
    found: Tensor | None
    made: Tensor | None = None
