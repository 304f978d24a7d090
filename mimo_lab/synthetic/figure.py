"""Drawing a dressed body: color, coverage, depth, part labels and motion of every pixel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from mimo_core.body.raster import rasterize
from mimo_core.geometry.camera import Camera

from .garments import DressedBody
from .light import ShotLight


RASTER_SAMPLES_AT_ONCE = 1 << 21  # raster samples of one pass, about 100 MB


@dataclass(frozen=True, eq=False)
class Figure:
    """A person alone. Where nobody is: 0."""

    rgb: np.ndarray  # (F, H, W, 3) float32, times alpha
    alpha: np.ndarray  # (F, H, W) float32
    depth: np.ndarray  # (F, H, W) float32 metres
    parts: np.ndarray  # (F, H, W) uint8, joint + 1
    flow: np.ndarray  # (F - 1, H, W, 2) float32 pixels to the next frame


@dataclass(frozen=True, eq=False)
class PosedSurface:
    """A dressed body over F frames in the world."""

    vertices: torch.Tensor  # (F, V, 3)
    normals: torch.Tensor  # (F, V, 3), unit length

    def shift(self, transl: torch.Tensor) -> PosedSurface:
        """Shifted by (F, 3) metres."""
        return PosedSurface(self.vertices + transl[:, None], self.normals)

    def __getitem__(self, frames: slice) -> PosedSurface:
        return PosedSurface(self.vertices[frames], self.normals[frames])


def skin_surface(dressed: DressedBody, transforms: torch.Tensor) -> PosedSurface:
    """The dressed body under world_from_rest transforms (F, 24, 4, 4)."""
    mixed = (dressed.weights @ transforms[:, :, :3].flatten(2)).unflatten(-1, (3, 4))  # (F, V, 3, 4)
    vertices = (mixed[..., :3] * dressed.rest[None, :, None]).sum(-1) + mixed[..., 3]
    normals = (mixed[..., :3] * dressed.normals[None, :, None]).sum(-1)
    return PosedSurface(vertices, torch.nn.functional.normalize(normals, dim=-1))


Paint = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


def draw_figure(
    paint: Paint, dressed: DressedBody, posed: PosedSurface, camera: Camera, light: ShotLight, *, samples: int = 2
) -> Figure:
    """Render every frame with samples x samples rays a pixel.

    `paint` gives colors (N, 3) and gloss (N,) at points with the marks (N, 7) of garments.MARKS.
    """
    width, height = camera.size
    frames = len(posed.vertices)
    at_once = max(1, RASTER_SAMPLES_AT_ONCE // (width * height * samples * samples))
    pieces = []
    for start in range(0, frames, at_once):
        with_next = slice(start, start + at_once + 1)
        count = min(at_once, frames - start)
        pieces.append(_draw_frames(paint, dressed, posed[with_next], camera.slice(with_next), light, samples, count))
    joined = [np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("rgb", "alpha", "depth", "parts")]
    return Figure(*joined, np.concatenate([piece.flow for piece in pieces]))


def _draw_frames(paint, dressed, posed, camera, light, samples, frames) -> Figure:
    """Render the first `frames` of the given ones; one more, if there, is needed for the flow."""
    width, height = camera.size
    seen = camera.view(posed.vertices)
    fine = camera.resize(width * samples, height * samples)
    raster = rasterize(seen[:frames], dressed.faces, focal=fine.focal, center=fine.center, size=fine.size)
    hit = raster.mask.reshape(-1).nonzero()[:, 0]
    corners = dressed.faces[raster.face.reshape(-1)[hit]]  # (N, 3)
    bary = raster.bary.reshape(-1, 3)[hit][..., None]
    frame = hit // (fine.size[0] * fine.size[1])
    row, column = hit // fine.size[0] % fine.size[1], hit % fine.size[0]

    def at_hits(values, frame=None):
        if frame is None:
            return (values[corners] * bary).sum(1)
        return (values.flatten(0, 1)[corners + frame[:, None] * values.shape[1]] * bary).sum(1)

    rgb, gloss = paint(at_hits(dressed.marks).numpy())
    normal = torch.nn.functional.normalize(at_hits(posed.normals, frame), dim=-1).numpy()
    rotations = camera.extrinsics()[:, :3, :3]
    towards = -rotations[:, 2][frame.clamp_max(len(rotations) - 1)].numpy()
    rgb = light.shade(rgb, normal, gloss, towards).astype(np.float32)

    pixel = ((frame * height + row // samples) * width + column // samples).numpy()
    here = torch.stack([column + 0.5, row + 0.5], 1) / samples
    following = frame.clamp_max(len(seen) - 2) + 1 if len(seen) > 1 else frame
    flow = (camera.pixels(at_hits(seen, following)) - here).numpy()
    flow[following.numpy() == frame.numpy()] = 0
    depth = raster.depth.reshape(-1)[hit].numpy()
    total = np.concatenate([rgb, depth[:, None], flow, np.ones((len(hit), 1), np.float32)], 1)
    sums = (
        torch.zeros(frames * height * width, 7).index_add_(0, torch.from_numpy(pixel), torch.from_numpy(total)).numpy()
    )
    count = np.maximum(sums[:, 6:], 1)
    parts = np.zeros(frames * height * width, np.uint8)
    nearest = corners[torch.arange(len(hit)), raster.bary.reshape(-1, 3)[hit].argmax(1)].numpy()
    parts[pixel] = dressed.parts[nearest] + 1
    shape = (frames, height, width)
    return Figure(
        (sums[:, :3] / samples**2).reshape(*shape, 3),
        (sums[:, 6] / samples**2).reshape(shape),
        (sums[:, 3:4] / count).reshape(shape),
        parts.reshape(shape),
        (sums[:, 4:6] / count).reshape(*shape, 2)[: len(seen) - 1],
    )
