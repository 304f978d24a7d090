"""Head and shoulders alone: how large they are, by the face."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..pose.blazepose import EARS, EYES, MOUTH, NOSE
from .framed_figure import FramedFigure


if TYPE_CHECKING:
    from ..pose.estimate import Estimate


EARS_APART, MOUTH_BELOW = 0.112, 0.065  # meters on the free body: between the ears, and from the eyes to the mouth
SURE_FACE = 0.5  # confidence of the nose, eyes, ears and mouth
CUT_SHARE = 0.3  # of the figure's width that the picture's lower border must cut through


@dataclass(frozen=True)
class Bust:
    """A figure that ends at the picture's lower border, in pixels: between its ears, and a meter of its head."""

    x: float
    y: float
    meter: float

    def moved(self, right: float, down: float) -> Bust:
        return replace(self, x=self.x + right, y=self.y + down)


def measure_bust(seen: Estimate, framed: FramedFigure, matte: NDArray) -> Bust | None:
    """The bust that fills a picture with a matte (H, W) uint8, or None where it is none or its face is not seen.

    The networks see a whole small person in a bust: of that only the face, if it lies in the head that was found, is
    where it is in the picture.
    """
    columns = (matte > 127).any(0)
    if not seen.is_found or (matte[-1] > 127).sum() < CUT_SHARE * max(columns.sum(), 1):
        return None
    points, confidence = seen.landmarks.pixels[0].numpy(), seen.landmarks.confidence[0].numpy()
    x0, y0, x1, y1 = framed.head
    nose = points[NOSE]
    face = [NOSE, *EYES, *EARS, *MOUTH]
    if not (x0 <= nose[0] <= x1 and y0 <= nose[1] <= y1) or confidence[face].min() < SURE_FACE:
        return None
    ears, eyes, mouth = (points[list(pair)] for pair in (EARS, EYES, MOUTH))
    # A head turned aside shows its ears nearer to one another, one that nods its mouth nearer to the eyes.
    apart = float(np.linalg.norm(ears[0] - ears[1])) / EARS_APART
    below = float(np.linalg.norm(eyes.mean(0) - mouth.mean(0))) / MOUTH_BELOW
    return Bust(*map(float, ears.mean(0)), max(apart, below))
