"""Skirts and hair that lag behind the body: loose vertices are where they were a little earlier.

A frame is made of those before it alone, so it is the same whichever frames are drawn.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..body.person import Person
from .skin import SkinnedMesh


LAG_SECONDS = 0.1  # after which a loose sheet has made up two thirds of a movement
LAGS = 2.5  # such times that are looked back
LONGEST_STEP = 0.3  # meters of the hips between two frames that are a jump, after a cut or a gap


def count_lag_frames(fps: float) -> int:
    """How many frames before one it depends on."""
    return max(1, round(LAGS * LAG_SECONDS * fps))


def trace_back(person: Person, frame: int, count: int) -> list[int]:
    """The frames before one, the latest first, at most `count`, up to the clip's begin, a gap or a jump."""
    traced = []
    for before in range(frame - 1, max(frame - count, 0) - 1, -1):
        step = float((person.transl[before + 1] - person.transl[before]).norm())
        if not person.visible[before] or step > LONGEST_STEP:
            break
        traced.append(before)
    return traced


def lag_behind(posed: Tensor, skin: SkinnedMesh, betas: Tensor, transforms: list[Tensor], fps: float) -> Tensor:
    """Posed vertices (V, 3) of a skin drawn towards where it was: `transforms` (24, 4, 4) each, the latest first.

    Skinning is linear in them, so the mean of the places is that under the mean of the transforms.
    """
    if len(transforms) == 1:
        return posed
    ages = torch.arange(len(transforms), dtype=posed.dtype)
    mean = torch.einsum("n,nijk->ijk", torch.softmax(-ages / (LAG_SECONDS * fps), 0), torch.stack(transforms))
    return torch.lerp(posed, skin.posed(mean, betas), skin.sway[:, None])
