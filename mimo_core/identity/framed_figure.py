"""Who fills a picture: half bodies, busts, dolls and mascots in which the person detector finds nobody.

It looks for whole people with room around them. With a margin around the picture it finds the head of a bust, of a doll
or of somebody who hides the face too, though not their body. Crops around that head show the mask network what it
knows, and the mean of several of them and of their mirror images follows the figure's outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..pose.blazepose import BlazePose, load_blazepose
from .looks import average_looks, convert_to_mask, look_at


WORKING_SIDE = 640  # pixels of the longer side: a crop shows the networks 256
MARGINS = (0.25, 0.5)  # of the picture's longer side, added on each side
LEAST_SCORE = 0.3  # of a head; a drawing's arm had 0.21 (47 pictures, 2026-11-28)
# Crops around the head: how far below its middle, and how wide, in widths of the head.
SQUARES = tuple((below, size) for size in (3.5, 5.0) for below in (0.5, 1.0, 1.5))
LEAST_BELIEF = 0.35  # mean over the looks; a doll whose belly was taken for a head had 0.3
LEAST_AREA = 0.02  # of the picture
NECK = 0.2  # of the head's height: how far the neck is below the nose at least


@dataclass(frozen=True, eq=False)
class FramedFigure:
    """A figure that fills a picture, in pixels of the picture."""

    mask: NDArray  # (H, W) uint8
    head: NDArray  # (4,) box: x0, y0, x1, y1

    def bears(self, nose: NDArray, neck: NDArray, pelvis: NDArray) -> bool:
        """Whether joints (2,) of a body may be this figure's: the nose in its head, the neck lower, the trunk below."""
        x0, y0, x1, y1 = self.head
        is_in_head = x0 <= nose[0] <= x1 and y0 <= nose[1] <= y1
        return bool(is_in_head and neck[1] > nose[1] + NECK * (y1 - y0) and pelvis[1] > y1)


def find_framed_figure(picture: NDArray) -> FramedFigure | None:
    """The figure that fills a picture (H, W, 3) uint8, or None."""
    import cv2

    networks = load_blazepose()
    height, width = picture.shape[:2]
    scale = min(1.0, WORKING_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    heads = [found for share in MARGINS for found in _find_heads(networks, small, share)]
    if not heads:
        return None
    _, head = max(heads, key=lambda scored: scored[0])
    mask = _find_mask(small, head)
    if mask is None:
        return None
    return FramedFigure(cv2.resize(mask, (width, height), interpolation=cv2.INTER_CUBIC), head / scale)


def _find_heads(networks: BlazePose, picture: NDArray, margin_share: float) -> list[tuple[float, NDArray]]:
    """Scores and boxes (x0, y0, x1, y1) of the heads that show with a margin around the picture."""
    padded, margin = _add_margin(picture, margin_share)
    return [(found.score, found.face - margin) for found in networks.detect(padded, threshold=LEAST_SCORE)]


def _find_mask(picture: NDArray, head: NDArray) -> NDArray | None:
    """The mean mask (H, W) uint8 of the looks around a head, or None where they do not believe in anybody."""
    padded, margin = _add_margin(picture, max(MARGINS))
    center, width = (head[:2] + head[2:]) / 2 + margin, float(head[2] - head[0])
    looks = [
        look_at(padded, center + (0, below * width), size * width, 0.0, mirrored)
        for below, size in SQUARES
        for mirrored in (False, True)
    ]
    mask = convert_to_mask(average_looks(looks, [1.0] * len(looks)))[margin:-margin, margin:-margin]
    is_believed = np.mean([look.belief for look in looks]) >= LEAST_BELIEF
    return mask if is_believed and (mask > 127).mean() >= LEAST_AREA else None


def _add_margin(picture: NDArray, share: float) -> tuple[NDArray, int]:
    """The picture with its border repeated around it, and how wide: beyond a black margin the networks see nobody."""
    import cv2

    margin = max(1, round(share * max(picture.shape[:2])))
    return cv2.copyMakeBorder(picture, *(margin,) * 4, cv2.BORDER_REPLICATE), margin
