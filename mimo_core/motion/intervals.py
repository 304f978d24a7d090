"""Stretches of frames."""

import torch
from torch import Tensor


def find_intervals(flags: Tensor) -> list[tuple[int, int]]:
    """Where flags (F,) are True: (start, stop) of each run."""
    edges = torch.diff(flags.int(), prepend=torch.zeros(1, dtype=torch.int), append=torch.zeros(1, dtype=torch.int))
    starts, stops = (edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist()
    return list(zip(starts, stops, strict=True))
