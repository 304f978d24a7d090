"""Colours of the body's surface, read off pictures of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import BodyModel, free_body, vertex_normals
from ..body.raster import Raster, rasterize
from ..geometry.camera import Camera


DARKEST = 24  # of 255: in a body code everything darker is ground, or an edge that blends with it
EDGE_PIXELS = 3.0  # from an edge: nearer colours blend with the ground, and lossy video smears hues over two pixels
DEPTH_STEP = 0.04  # metres between neighbouring pixels that belong to different parts of the body
LEAST_FACING = 0.25  # cosine between a normal and the line of sight


@dataclass(frozen=True, eq=False)
class SeenColors:
    """What F pictures show of the V vertices of a body."""

    colors: Tensor  # (F, V, 3) 0 to 255
    weight: Tensor  # (F, V) 0 to 1; 0 where the vertex is not seen

    def average(self) -> tuple[Tensor, Tensor, Tensor]:
        """What was seen of each vertex: the weighted median (V, 3), the mean deviation from it (V,) in levels, which
        tells how well the body lay there, and the sum of the weights (V,)."""
        order = self.colors.argsort(0)
        values = torch.gather(self.colors, 0, order)
        weight = torch.gather(self.weight[..., None].expand_as(order), 0, order).cumsum(0)
        middle = (weight < weight[-1:] / 2).sum(0, keepdim=True).clamp_max(len(values) - 1)
        median, evidence = torch.gather(values, 0, middle)[0], self.weight.sum(0)
        deviation = (self.weight * (self.colors - median).abs().mean(-1)).sum(0) / evidence.clamp_min(1e-6)
        return median, deviation, evidence

    def measure_agreement(self, table: Tensor, tolerance: float) -> float:
        """Share of what was seen that differs from a table (V, 3) by at most `tolerance` levels in the mean."""
        agrees = (self.colors - table).abs().mean(-1) <= tolerance
        return float((self.weight * agrees).sum() / self.weight.sum().clamp_min(1e-6))


def mark_body(frame: NDArray) -> NDArray:
    """Where a body code (H, W, 3) shows the body, (H, W) uint8 0 or 255."""
    return (frame.max(-1) > DARKEST).astype(np.uint8) * 255


def read_colors(vertices: Tensor, camera: Camera, frames: list[NDArray]) -> SeenColors:
    """Colours of frames (H, W, 3) uint8 at the vertices (F, V, 3), world, of the free body that they show.

    A vertex counts by how squarely it faces the camera, and by its distance from the outlines of body and picture.
    """
    body, seen = free_body(), camera.view(vertices)
    raster = rasterize(seen, body.faces, focal=camera.focal, center=camera.center, size=camera.size)
    normals = camera.view(vertices + vertex_normals(vertices, body.faces)) - seen
    facing = -(normals * torch.nn.functional.normalize(seen, dim=-1)).sum(-1)
    pixels = camera.pixels(seen)
    weight = facing.clamp_min(0) * (facing > LEAST_FACING)
    margins = np.stack([_measure_margin(raster, number, frame) for number, frame in enumerate(frames)])
    margin = sample_pictures(torch.from_numpy(margins)[..., None], pixels)[..., 0]
    weight = weight * ((margin - 1) / (EDGE_PIXELS - 1)).clamp(0, 1) * _find_visible(raster, body, seen)
    colors = sample_pictures(torch.from_numpy(np.stack(frames)).float(), pixels)
    return SeenColors(colors, weight)


def _measure_margin(raster: Raster, number: int, frame: NDArray) -> NDArray:
    """Pixels (H, W) float32 to the next edge: of the body in the picture, of the one drawn, or between parts of it."""
    import cv2

    depth = raster.depth[number].numpy()
    inside = (mark_body(frame) > 0) & (depth > 0)
    near = cv2.erode(np.where(depth > 0, depth, 1e3), np.ones((3, 3)))
    step = inside & (depth - near < DEPTH_STEP)
    far = cv2.dilate(np.where(depth > 0, depth, 0), np.ones((3, 3)))
    step &= far - depth < DEPTH_STEP
    return cv2.distanceTransform(np.pad(step.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]


def _find_visible(raster: Raster, body: BodyModel, seen: Tensor) -> Tensor:
    """(F, V) 1 where a vertex is a corner of a face that is seen in that frame."""
    frames, height, width = raster.shape
    visible = torch.zeros(frames, seen.shape[1])
    visible[(raster.hits // (height * width))[:, None], body.faces[raster.hit_face]] = 1
    return visible


def sample_pictures(pictures: Tensor, pixels: Tensor) -> Tensor:
    """Values (F, N, C) of pictures (F, H, W, C) at pixels (F, N, 2), whose centres lie at .5."""
    height, width = pictures.shape[1:3]
    grid = (pixels / pixels.new_tensor([width, height]) * 2 - 1).to(pictures)
    sampled = torch.nn.functional.grid_sample(
        pictures.permute(0, 3, 1, 2), grid[:, None], align_corners=False, padding_mode="border"
    )
    return sampled[:, :, 0].transpose(1, 2)
