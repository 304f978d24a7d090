"""The view from behind: the same character in the same pose, seen by somebody who stands on the other side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import free_body
from ..geometry.camera import Camera
from .atlas import Atlas
from .outline import FittedPicture, move_onto_contour
from .texture import BakedTexture, bake_texture, unmix_colors


def add_back_view(
    front: BakedTexture, atlas: Atlas, vertices: Tensor, camera: Camera, back: tuple[NDArray, NDArray]
) -> BakedTexture:
    """The baked front, and the picture and matte from behind where that shows more.

    `vertices` (V, 3) are the body's in the front camera's space. The body is turned half around its upright axis,
    brought to the size and place of the back's matte, and pulled onto its outline.
    """
    picture, matte = back
    turned = _turn_around(vertices)
    view = FittedPicture(matte, _fit_camera(turned, camera, matte))
    behind = bake_texture(atlas, move_onto_contour(turned, view), free_body().faces, view, unmix_colors(picture, matte))
    share = np.where(behind.seen > front.seen, behind.seen / np.maximum(behind.seen + front.seen, 1e-6), 0)[:, None]
    colors = behind.colors * share + front.colors * (1 - share)
    facing = np.maximum(front.facing, behind.facing)
    return BakedTexture(colors, np.maximum(front.seen, behind.seen), front.place, front.beside_arm, facing)


def _turn_around(vertices: Tensor) -> Tensor:
    """Camera-space vertices (V, 3) after half a turn about the upright axis through their middle."""
    middle = (vertices.amin(0) + vertices.amax(0)) / 2
    half_turn = vertices.new_tensor([-1.0, 1.0, -1.0])
    return (vertices - middle) * half_turn + middle


def _fit_camera(vertices: Tensor, camera: Camera, matte: NDArray) -> Camera:
    """A camera that sees vertices (V, 3) as tall as the matte, their middle in the middle of its box."""
    rows, columns = np.flatnonzero((matte > 127).any(1)), np.flatnonzero((matte > 127).any(0))
    seen = vertices[:, :2] / vertices[:, 2:]
    low, high = seen.amin(0), seen.amax(0)
    focal = (rows[-1] + 1 - rows[0]) / float(high[1] - low[1])
    middle = ((low + high) / 2 * focal).tolist()
    center = ((columns[0] + columns[-1] + 1) / 2 - middle[0], (rows[0] + rows[-1] + 1) / 2 - middle[1])
    return Camera(focal, center, (matte.shape[1], matte.shape[0]))
