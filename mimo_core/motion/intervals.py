"""Stretches of frames."""

import torch
from torch import Tensor


def find_intervals(flags: Tensor) -> list[tuple[int, int]]:
    """Where flags (F,) are True: (start, stop) of each run."""
    edges = torch.diff(flags.int(), prepend=torch.zeros(1, dtype=torch.int), append=torch.zeros(1, dtype=torch.int))
    starts, stops = (edges == 1).nonzero()[:, 0].tolist(), (edges == -1).nonzero()[:, 0].tolist()
    return list(zip(starts, stops, strict=True))


def format_spans(runs: list[tuple[int, int]]) -> str:
    """Runs of frames (start, stop) as text: 3, 5-9."""
    return ", ".join(f"{start}" if stop - start == 1 else f"{start}-{stop - 1}" for start, stop in runs)
