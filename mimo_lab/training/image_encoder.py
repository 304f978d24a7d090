"""Stage 0: a small image encoder, which learns to know a character again in other poses, places and light.

It has the shape and the names of a CLIP vision model with projection, so everything that opens one opens it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from mimo_core.identity.prepare import CLIP_SIZE, composite_on_white, crop_to_matte, make_clip_input, pad_to_square

from .loop import Step
from .samples import Shards


TEMPERATURE = 0.1
FEWEST_PERSON_PIXELS = 200  # pixels of a person that tell who it is


class ImageEncoderStage:
    """Brings the picture of a character and a cut-out of the same one in a shot together, and others apart."""

    name = "image encoder"

    def __init__(self, shards: Shards, *, width: int, batch: int = 24):
        self.network, self.shards, self.batch = make_image_encoder(width), shards, batch

    def loss(self, step: Step) -> tuple[Tensor, Mapping[str, float]]:
        chosen = self._characters(step)
        seen = [self._cutout(number, step) for number in chosen]
        shown = [_shrink(self.shards.read(number, "reference")) for number in chosen]
        embedded = self.network(pixel_values=_enlarge(np.stack(shown + seen)).to(step.device)).image_embeds.float()
        embedded = normalize(embedded, dim=-1)
        likeness = embedded[: len(chosen)] @ embedded[len(chosen) :].T / TEMPERATURE
        right = torch.arange(len(chosen), device=step.device)
        found = float((likeness.detach().argmax(0) == right).float().mean())
        return (cross_entropy(likeness, right) + cross_entropy(likeness.T, right)) / 2, {"recognised": found}

    def pictures(self) -> None:
        return None

    def _characters(self, step: Step) -> list[int]:
        """Samples of different characters."""
        chosen: dict[bytes, int] = {}
        for number in torch.randperm(len(self.shards), generator=step.generator).tolist():
            chosen.setdefault(self.shards.read(number, "reference").tobytes(), number)
            if len(chosen) == self.batch:
                break
        return list(chosen.values())

    def _cutout(self, number: int, step: Step) -> np.ndarray:
        """The person in a frame, as a character picture is prepared; the reference itself where hardly any is seen."""
        count = len(self.shards.read(number, "visible"))
        frame = int(step.integers(count, 1))
        visible = self.shards.read(number, "visible", slice(frame, frame + 1))[0]
        if (visible > 127).sum() < FEWEST_PERSON_PIXELS:
            return _shrink(self.shards.read(number, "reference"))
        picture = composite_on_white(self.shards.read(number, "frames", slice(frame, frame + 1))[0], visible)
        return _shrink(pad_to_square(crop_to_matte(picture, visible)[0]))


def make_image_encoder(width: int) -> nn.Module:
    """CLIPVisionModelWithProjection of two layers that gives embeddings of `width`; 49 patches a picture."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    shape = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=1,
        image_size=CLIP_SIZE,
        patch_size=32,
        projection_dim=width,
        hidden_act="quick_gelu",
    )
    return CLIPVisionModelWithProjection(shape)


def _shrink(picture: np.ndarray) -> np.ndarray:
    import cv2

    return cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA)


def _enlarge(pictures: np.ndarray) -> Tensor:
    """(N, 64, 64, 3) uint8 as CLIP vision reads them, (N, 3, 224, 224)."""
    return torch.cat([make_clip_input(picture) for picture in pictures])
