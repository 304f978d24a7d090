"""The height of a body, which one picture cannot tell."""

from __future__ import annotations

from torch import Tensor

from .model import BodyModel


def measure_height(body: BodyModel, betas: Tensor) -> float:
    """Height in metres at rest, soles to crown, for shape values (10,)."""
    height = body.shape(betas)[0][:, 1]
    return float(height.max() - height.min())


def scale_to_height(body: BodyModel, betas: Tensor, height: float) -> Tensor:
    """The same build (10) at another height in metres, by the first shape value, within 5 standard deviations."""
    betas = betas.clone()
    step = betas.new_zeros(len(betas))
    step[0] = 0.1
    for _ in range(3):
        now = measure_height(body, betas)
        betas[0] = (betas[0] + 0.1 * (height - now) / (measure_height(body, betas + step) - now)).clamp(-5, 5)
    return betas
