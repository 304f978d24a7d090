"""Drawing a dressed body: color, coverage, depth, part labels and motion of every pixel."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from mimo_core.body.raster import Raster, rasterize
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
    seen = camera.view(posed.vertices)
    fine = camera.resize(camera.size[0] * samples, camera.size[1] * samples)
    raster = rasterize(seen[:frames], dressed.faces, focal=fine.focal, center=fine.center, size=fine.size)
    hits = _SurfaceHits.of(raster, dressed.faces)
    rgb, gloss = paint(hits.sample(dressed.marks.numpy()).T)
    normals = torch.nn.functional.normalize(torch.from_numpy(hits.sample(posed.normals.numpy()).T.copy()), dim=-1)
    normals = normals.numpy()
    rotations = camera.extrinsics()[:, :3, :3]
    towards = -rotations[:, 2].numpy()
    for frame, some in enumerate(hits.frames):
        seen_from = towards[min(frame, len(towards) - 1)]
        rgb[some] = light.shade(rgb[some], normals[some], gloss[some], seen_from)

    following = [min(frame, len(seen) - 2) + 1 if len(seen) > 1 else frame for frame in range(frames)]
    there = hits.sample(seen[following].numpy())
    depth = np.maximum(there[2], np.float32(1e-6))
    total = np.empty((len(hits.row), 7), np.float32)
    total[:, :3] = rgb
    total[:, 3] = raster.hit_depth.numpy()
    for axis, place in enumerate((hits.column, hits.row)):
        here = (place + np.float32(0.5)) / np.float32(samples)
        total[:, 4 + axis] = there[axis] / depth * np.float32(camera.focal) + np.float32(camera.center[axis]) - here
    for frame, some in enumerate(hits.frames):
        if following[frame] == frame:
            total[some, 4:6] = 0
    total[:, 6] = 1
    return _gather_samples(hits, total, dressed.parts, camera.size, samples, frames, len(seen) - 1)


@dataclass(frozen=True, eq=False)
class _SurfaceHits:
    """What N samples of a raster see, in its order. Values are sampled column by column: that is fastest."""

    corners: tuple[np.ndarray, ...]  # 3 x (N,) vertices
    weights: tuple[np.ndarray, ...]  # 3 x (N,)
    row: np.ndarray  # (N,) int32 of the fine picture
    column: np.ndarray
    frames: tuple[slice, ...]  # the samples of each frame

    @classmethod
    def of(cls, raster: Raster, faces: torch.Tensor) -> _SurfaceHits:
        count, height, width = raster.shape
        hit, face = raster.hits.numpy(), raster.hit_face.numpy()
        ends = np.searchsorted(hit, np.arange(count + 1) * height * width)
        frames = tuple(slice(start, end) for start, end in zip(ends[:-1], ends[1:], strict=True))
        within = hit.astype(np.int32)
        for frame, some in enumerate(frames):
            within[some] -= frame * height * width
        row = within // np.int32(width)
        return cls(
            tuple(corner[face] for corner in faces.numpy().T.copy()),
            tuple(raster.hit_bary.numpy().T.copy()),
            row, within - row * np.int32(width), frames,
        )  # fmt: skip

    def sample(self, values: np.ndarray) -> np.ndarray:
        """Vertex values (V, C), or of every frame (F, V, C), at the samples: (C, N)."""
        sampled = np.empty((values.shape[-1], len(self.row)), np.float32)
        whole = slice(0, len(self.row))
        for frame, some in enumerate(self.frames) if values.ndim == 3 else [(..., whole)]:
            for channel, column in enumerate(np.ascontiguousarray(values[frame].T)):
                terms = (
                    column.take(corner[some]) * weight[some]
                    for corner, weight in zip(self.corners, self.weights, strict=True)
                )
                sampled[channel, some] = functools.reduce(np.add, terms)
        return sampled

    def nearest_corners(self) -> np.ndarray:
        """The vertex that weighs most, (N,)."""
        first, second, third = self.weights
        nearest = np.where(second > first, self.corners[1], self.corners[0])
        return np.where(third > np.maximum(first, second), self.corners[2], nearest)


def _gather_samples(hits: _SurfaceHits, total, parts, size, samples: int, frames: int, flows: int) -> Figure:
    """Pictures of `size` from what the samples see: `total` (N, 7) is color, depth, flow, 1."""
    width, height = size
    pixel = (hits.row // np.int32(samples) * np.int32(width) + hits.column // np.int32(samples)).astype(np.int64)
    for frame, some in enumerate(hits.frames):
        pixel[some] += frame * height * width
    sums = torch.zeros(frames * height * width, 7)
    sums = sums.index_add_(0, torch.from_numpy(pixel), torch.from_numpy(total)).numpy()
    count = np.maximum(sums[:, 6], 1)
    shape = (frames, height, width)
    labels = np.zeros(frames * height * width, np.uint8)
    labels[pixel] = parts[hits.nearest_corners()] + 1
    flow = np.stack([sums[:, 4] / count, sums[:, 5] / count], -1).reshape(*shape, 2)
    return Figure(
        (sums[:, :3] / samples**2).reshape(*shape, 3),
        (sums[:, 6] / samples**2).reshape(shape),
        (sums[:, 3] / count).reshape(shape),
        labels.reshape(shape),
        flow[:flows],
    )
