"""Skirts and hair that lag behind the body: loose vertices are where they were a little earlier.

A frame is made of those before it alone, so it is the same whichever frames are drawn.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..body.person import Person
from .skin import SkinnedMesh


LAG_SECONDS = 0.1  # after which a loose sheet has made up two thirds of a movement
LAGS = 2.5  # such times that are looked back
FASTEST_HIPS = 7.2  # meters a second; faster is a jump, after a cut or a gap


def trace_back(person: Person, frame: int, fps: float) -> list[int]:
    """The frames before one that its sheets depend on, the latest first, up to the clip's begin, a gap or a jump."""
    count, traced = max(1, round(LAGS * LAG_SECONDS * fps)), []
    for before in range(frame - 1, max(frame - count, 0) - 1, -1):
        step = float((person.transl[before + 1] - person.transl[before]).norm())
        if not person.visible[before] or step * fps > FASTEST_HIPS:
            break
        traced.append(before)
    return traced


def lag_behind(posed: Tensor, skin: SkinnedMesh, betas: Tensor, transforms: list[Tensor], fps: float) -> Tensor:
    """Posed vertices (V, 3) of a skin drawn towards where it was: `transforms` (24, 4, 4) each, the latest first.

    Skinning is linear in them, so the mean of the places is that under the mean of the transforms.
    """
    if len(transforms) == 1:
        return posed
    weights = _weigh_ages(len(transforms), 1 / (LAG_SECONDS * fps)).to(posed)
    mean = torch.einsum("n,nijk->ijk", weights, torch.stack(transforms))
    return torch.lerp(posed, skin.posed(mean, betas), skin.sway[:, None])


def _weigh_ages(count: int, step: float) -> Tensor:
    """Weights (count,) of the last frames, `step` lags apart, that fade exponentially; they sum to 1.

    Between two frames things move straight, so a frame's weight is the integral of the fading over the hat function
    around it: a movement lags as long whatever the frame rate.
    """
    ages = step * torch.arange(count, dtype=torch.float64)
    inside, after = math.exp(-step) - 1 + step, math.exp(step) - 1 - step
    hats = torch.full_like(ages, inside + after)
    hats[0], hats[-1] = inside, after
    weights = hats * torch.exp(-ages)
    return weights / weights.sum()
