"""How far decoded pictures are from what they should be."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, l1_loss, relu

from .perceptual import PerceptualDistance


PERSON_WEIGHT = 2.0  # how much more the person's pixels count
SHARP_WEIGHT = 0.2  # of the steps between neighbouring pixels
ROUGH_WEIGHT, ROUGH_SQUARE = 0.5, 4  # of how rough a square of pixels is, wherever its grain lies
PERCEPTUAL_WEIGHT = 0.01  # of the looks; their gradient is then about as large as that of the pixels
PLAIN_WEIGHT, PLAIN_ERROR = 1.0, 0.2  # of errors that anybody sees: a tenth of the full brightness


class PictureLoss(nn.Module):
    """Errors of pixels and of edges; with a perceptual distance also of looks, of roughness, and of plain mistakes.

    Errors of pixels alone make a decoder smooth: what it is not sure of it averages. `looks` is how many times as much
    perceptual distance and roughness count.
    """

    def __init__(self, perceptual: PerceptualDistance | None = None, *, looks: float = 1.0):
        super().__init__()
        self.perceptual, self.looks = perceptual, looks

    def forward(self, decoded: Tensor, pictures: Tensor, person: Tensor) -> Tensor:
        """Of pictures (N, 3, H, W) in -1..1, where `person` (N, 1, H, W) in 0..1 counts more."""
        error, weight = (decoded - pictures).abs(), 1 + PERSON_WEIGHT * person
        sharp = sum(l1_loss(measure_edges(decoded, axis), measure_edges(pictures, axis)) for axis in (2, 3))
        loss = ((error + 3 * error.square()) * weight).mean() / weight.mean() + SHARP_WEIGHT * sharp
        if self.perceptual is None:
            return loss
        rough = sum(l1_loss(measure_roughness(decoded, axis), measure_roughness(pictures, axis)) for axis in (2, 3))
        plain = relu(error.amax(1, keepdim=True) - PLAIN_ERROR).mean()
        distance = self.perceptual(decoded, pictures, weight)
        return loss + PLAIN_WEIGHT * plain + self.looks * (ROUGH_WEIGHT * rough + PERCEPTUAL_WEIGHT * distance)


def measure_edges(pictures: Tensor, axis: int) -> Tensor:
    return pictures.diff(dim=axis)


def measure_roughness(pictures: Tensor, axis: int) -> Tensor:
    """The mean step between neighbouring pixels along an axis, in squares of ROUGH_SQUARE pixels."""
    return avg_pool2d(measure_edges(pictures, axis).abs(), ROUGH_SQUARE)
