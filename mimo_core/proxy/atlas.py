"""The body's texture map: which point of its surface each texel shows."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import BodyModel, free_body
from ..body.raster import rasterize
from ..errors import InputError


@dataclass(frozen=True, eq=False)
class Atlas:
    """Texels of the body, N of them, on a square texture.

    Convention: texture row 0 is v = 0, so texel centers lie at (uv * side) with centers at .5.
    """

    side: int
    row: Tensor  # (N,) long
    column: Tensor  # (N,) long
    face: Tensor  # (N,) long
    bary: Tensor  # (N, 3)
    nearest: NDArray  # (side, side) number of the texel to show, also between the islands

    def at(self, faces: Tensor, attribute: Tensor) -> Tensor:
        """Vertex values (V, C) at every texel, (N, C)."""
        corners = faces.index_select(0, self.face).unbind(1)  # one at a time: all at once take three times the memory
        total = None
        for corner, weight in zip(corners, self.bary.unbind(1), strict=True):
            values = attribute.index_select(0, corner).mul_(weight[:, None])
            total = values if total is None else total.add_(values)
        return total

    def picture(self, values: NDArray) -> NDArray:
        """Texel values (N, C) as a texture (side, side, C) without gutters."""
        return values[self.nearest]


@functools.lru_cache(maxsize=2)
def load_atlas(side: int) -> Atlas:
    return make_atlas(free_body(), side)


def make_atlas(body: BodyModel, side: int) -> Atlas:
    """The atlas of a body with texture coordinates. Where charts overlap the lowest face number wins.

    Raises InputError for a body without them.
    """
    if body.uv is None:
        raise InputError(f"The body {body.name} has no texture coordinates. Use the free body for the proxy.")
    flat = torch.cat([body.uv * side, torch.ones(len(body.uv), 1)], 1)
    raster = rasterize(flat[None], body.uv_faces, focal=1.0, center=(0.0, 0.0), size=(side, side), cull=False)
    row, column = raster.mask[0].nonzero(as_tuple=True)
    return Atlas(
        side=side,
        row=row,
        column=column,
        face=raster.face[0, row, column],
        bary=raster.bary[0, row, column],
        nearest=_nearest_texel(raster.mask[0].numpy()),
    )


def _nearest_texel(used: NDArray) -> NDArray:
    """For every texel of a texture (H, W) bool the number of the closest used one."""
    import cv2

    labels = cv2.distanceTransformWithLabels((~used).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[
        1
    ]
    number = np.zeros(labels.max() + 1, np.int64)
    number[labels[used]] = np.arange(used.sum())
    return number[labels]
