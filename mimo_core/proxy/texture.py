"""The picture baked onto the fitted body: colors of the texels that it shows, and how far each can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import free_body, vertex_normals
from ..body.raster import Raster
from ..identity.push_pull import push_pull
from .atlas import Atlas
from .outline import HAND_JOINTS, FittedPicture
from .surface import ARM_JOINTS, load_surface


FACING_COSINES = (0.2, 0.45)  # cosine between surface and line of sight: unseen below, trusted above
HEAD_COSINES = (0.05, 0.2)  # the same of chin and cheeks, where no other side stands in
COVER_EDGE = 0.012  # of the person's height: texels of a covered part so near to what covers it are not trusted
HAND_EDGE = 0.025  # the same around hands, whose fingers the fit spreads otherwise; more took a hem (2026-11-23)
HAND_EDGE_ON_HEAD = 0.006  # hands raised beside the head took its hair and cheeks with 0.025 (2026-11-27)
ARM_EDGE, SIDE_SINE = 0.02, 0.4  # of the person's height around arms, of the angle to them: the trunk's rim beside arms
TRUSTED_SHARE = 0.5  # of 1: texels seen that well stand in for others
SOLID = 200  # of 255: alpha from which colors count; mattes of networks stay a little below full all over the figure
DEPTH_SLACK = 0.015  # meters a texel may lie behind the visible surface


@dataclass(frozen=True, eq=False)
class BakedTexture:
    """Colours (N, 3) float32 of N texels, how far each was seen, (N,) 0..1, and where on the picture they lie.

    `place` (N, 2) is in heights of the picture, x and y. `beside_arm` (N,) bool is the trunk's rim next to an arm,
    on which a sleeve or an arm that is thicker than the fitted one lies; None for nowhere. `facing` (N,) are
    cosines between surface and line of sight; None where they are not known.
    """

    colors: NDArray
    seen: NDArray
    place: NDArray
    beside_arm: NDArray | None = None
    facing: NDArray | None = None


def unmix_colors(picture: NDArray, matte: NDArray) -> NDArray:
    """The character's colors (H, W, 3) float32 without the white behind it, carried on beyond its edge."""
    import cv2

    alpha = matte.astype(np.float32)[..., None] / 255
    straight = (picture.astype(np.float32) - 255 * (1 - alpha)) / np.maximum(alpha, 0.2)
    inside = cv2.erode((matte > SOLID).astype(np.uint8), np.ones((3, 3)), iterations=_rim_width(matte), borderValue=1)
    return np.clip(push_pull(np.clip(straight, 0, 255), inside), 0, 255)


def bake_texture(
    atlas: Atlas, vertices: Tensor, faces: Tensor, picture: FittedPicture, colors: NDArray
) -> BakedTexture:
    """Sample `colors` (H, W, 3) where camera-space vertices (V, 3) put the texels on the picture."""
    import cv2

    raster = picture.raster(vertices, faces)
    points = atlas.at(faces, vertices)
    normals = torch.nn.functional.normalize(atlas.at(faces, vertex_normals(vertices[None], faces)[0]), dim=1)
    facing = -(normals * torch.nn.functional.normalize(points, dim=1)).sum(1)
    pixels = picture.camera.pixels(points).numpy().astype(np.float32)
    x, y = np.ascontiguousarray(pixels[:, 0])[None] - 0.5, np.ascontiguousarray(pixels[:, 1])[None] - 0.5
    sampled = _sample_points(colors, x, y, cv2.INTER_CUBIC)
    surface = load_surface(atlas.side)
    head = surface.head
    seen = _weigh_facing(facing.numpy(), head * (1 - surface.scalp))
    seen *= _sample_points(_trusted_matte(picture.matte), x, y, cv2.INTER_LINEAR)
    seen *= _weigh_uncovered(points[:, 2].numpy(), raster.depth[0].numpy(), x, y, COVER_EDGE * len(picture.matte))
    margin = np.where(head > 0.5, HAND_EDGE_ON_HEAD, HAND_EDGE) * len(picture.matte)
    arms = np.isin(atlas.face.numpy(), np.flatnonzero(_find_faces(ARM_JOINTS)))
    seen *= arms | (_distance_from(raster, HAND_JOINTS, x, y) > margin)
    beside_arm = (surface.trunk > 0.5) & (surface.sideways > SIDE_SINE)
    beside_arm &= _distance_from(raster, ARM_JOINTS, x, y) <= ARM_EDGE * len(picture.matte)
    return BakedTexture(np.clip(sampled, 0, 255), seen, pixels / len(picture.matte), beside_arm, facing.numpy())


def _weigh_facing(facing: NDArray, face: NDArray) -> NDArray:
    """0..1 for texels (N,) by the cosine under which they are seen; `face` (N,) is their share in the head's skin."""
    on_body, on_head = (np.clip((facing - low) / (high - low), 0, 1) for low, high in (FACING_COSINES, HEAD_COSINES))
    return on_body * (1 - face) + on_head * face


def _sample_points(image: NDArray, x: NDArray, y: NDArray, interpolation: int) -> NDArray:
    """An image at N points; OpenCV takes maps of at most 32767 columns."""
    import cv2

    count = x.shape[1]
    rows = -(-count // 4096)
    maps = [np.pad(values[0], (0, rows * 4096 - count)).reshape(rows, 4096) for values in (x, y)]
    shown = cv2.remap(image, *maps, interpolation, borderMode=cv2.BORDER_CONSTANT)
    return shown.reshape(rows * 4096, -1)[:count].squeeze() if image.ndim == 2 else shown.reshape(-1, 3)[:count]


def _trusted_matte(matte: NDArray) -> NDArray:
    """1 well inside the matte, falling to 0 at its edge, (H, W) float32."""
    import cv2

    inside = cv2.distanceTransform(np.pad((matte > 127).astype(np.uint8), 1, mode="edge"), cv2.DIST_L2, 5)[1:-1, 1:-1]
    return np.clip(inside - _rim_width(matte), 0, 1).astype(np.float32)


def _rim_width(matte: NDArray) -> int:
    """Pixels along the matte's edge whose colors are mixed with the background or are a drawing's outline."""
    return max(1, round(len(matte) / 300))


def _weigh_uncovered(depth: NDArray, surface: NDArray, x: NDArray, y: NDArray, margin: float) -> NDArray:
    """0 for texels at `depth` (N,) behind the seen `surface` (H, W), 0 empty, or close to what is far in front."""
    import cv2

    far = surface.max() + 1
    filled = np.where(surface > 0, surface, far).astype(np.float32)
    # The nearest surface in the neighborhood: an arm covers a rim of the torso that a small misfit would smear.
    size = 2 * max(1, round(margin)) + 1
    around = cv2.erode(filled, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
    local = cv2.erode(filled, np.ones((3, 3)))
    visible = (
        depth
        < _sample_points(cv2.dilate(filled, np.ones((3, 3))), x, y, cv2.INTER_NEAREST).clip(max=far - 0.5) + DEPTH_SLACK
    )
    before = depth - _sample_points(around, x, y, cv2.INTER_LINEAR)
    open_air = np.clip((0.09 - before) / 0.03, 0, 1)
    touching = depth < _sample_points(local, x, y, cv2.INTER_NEAREST) + 4 * DEPTH_SLACK
    return visible * open_air * touching


def _find_faces(joints: list[int]) -> NDArray:
    """The body's faces (T,) bool that belong to these joints."""
    return np.isin(free_body().face_parts.numpy(), joints)


def _distance_from(raster: Raster, joints: list[int], x: NDArray, y: NDArray) -> NDArray:
    """How many pixels from what it sees of these joints' parts a raster shows N points, (N,)."""
    import cv2

    away = np.where(_find_faces(joints)[raster.face[0].numpy()] & raster.mask[0].numpy(), 0, 1).astype(np.uint8)
    distance = cv2.distanceTransform(away, cv2.DIST_L2, 5)
    return _sample_points(distance, x, y, cv2.INTER_NEAREST)
