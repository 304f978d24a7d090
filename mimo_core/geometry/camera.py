"""The pinhole camera that every stage shares."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..errors import InputError


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera with square pixels and no distortion.

    Convention: world in metres, Y up, right-handed. Camera space has x right, y down, z forward. Pixel centres lie
    at .5, so with focal 500 and center (256, 256) the camera-space point (0.1, 0, 2) lands at x = 281.
    Without `camera_from_world` the camera stands in the world's origin and looks along -Z, so a body at z = -3 whose
    front is +Z faces it.
    """

    focal: float  # pixels
    center: tuple[float, float]  # (x, y) in pixels
    size: tuple[int, int]  # (width, height)
    camera_from_world: Tensor | None = None  # (F, 4, 4), one per frame

    def __post_init__(self):
        width, height = self.size
        if not self.focal > 0 or width < 1 or height < 1:
            raise InputError(
                f"A camera needs a positive focal length and size, got focal {self.focal}, {width}x{height}."
            )
        if self.camera_from_world is not None and self.camera_from_world.shape[-2:] != (4, 4):
            raise InputError(f"camera_from_world must be (F, 4, 4), got {tuple(self.camera_from_world.shape)}.")

    @classmethod
    def for_size(cls, width: int, height: int, focal: float = 0.0) -> Camera:
        """A camera with its centre in the middle. Focal 0 assumes 1.2 x the longer side, about 45 degrees across."""
        return cls(focal or 1.2 * max(width, height), (width / 2, height / 2), (width, height))

    def extrinsics(self, frames: slice | None = None) -> Tensor:
        """camera_from_world of `frames`, (F, 4, 4), or (1, 4, 4) for a camera that stands still in the origin.

        The latter is diag(1, -1, -1, 1): world Y up becomes camera y down, world -Z becomes forward.
        """
        if self.camera_from_world is None:
            return torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))[None]
        return self.camera_from_world[frames or slice(None)]

    def view(self, points: Tensor, frames: slice | None = None) -> Tensor:
        """World points (F, N, 3) of `frames` in camera space (F, N, 3), metres.

        Convention: camera_from_world maps columns. The camera in the origin sees the world point (0.1, 0, -2) at
        (0.1, 0, 2).
        """
        matrix = self.extrinsics(frames).to(points)
        return points @ matrix[:, :3, :3].mT + matrix[:, None, :3, 3]

    def project(self, points: Tensor, frames: slice | None = None) -> Tensor:
        """World points (F, N, 3) of `frames` to pixels (F, N, 2). Points at or behind the camera give huge values.

        With focal 500 and center (256, 256) the camera in the origin sees the world point (0.1, 0, -2) at (281, 256).
        """
        return self.pixels(self.view(points, frames))

    def pixels(self, points: Tensor) -> Tensor:
        """Camera-space points (..., 3) in metres to pixels (..., 2).

        With focal 500 and center (256, 256) the point (0.1, 0, 2) lands at (281, 256).
        """
        depth = points[..., 2:].clamp_min(1e-6)
        return points[..., :2] / depth * self.focal + points.new_tensor(self.center)

    def slice(self, frames: slice) -> Camera:
        """The camera of some of its frames."""
        if self.camera_from_world is None:
            return self
        return replace(self, camera_from_world=self.camera_from_world[frames])

    def resize(self, width: int, height: int) -> Camera:
        """The same view for pictures of another size.

        The aspect ratio must be kept as well as whole pixels allow: width and height may each be off by one pixel from
        a common scale, as sizes are when both sides are rounded. Raises InputError for another shape.
        """
        scale = height / self.size[1]
        if abs(self.size[0] * height - width * self.size[1]) > self.size[0] + self.size[1]:
            raise InputError(
                f"Cannot scale a {self.size[0]}x{self.size[1]} camera to {width}x{height}: the shape differs."
            )
        center = (self.center[0] * width / self.size[0], self.center[1] * scale)
        return replace(self, focal=self.focal * scale, center=center, size=(width, height))

    def crop(self, left: float, top: float, width: int, height: int) -> Camera:
        """The camera for a part of the picture, or for a larger picture around it where `left` and `top` are negative.

        A point at x = 281 lies at x = 271 in the part that begins at 10.
        """
        return replace(self, center=(self.center[0] - left, self.center[1] - top), size=(width, height))

    def reframe(self, width: int, height: int) -> Camera:
        """The camera for a picture of another shape: as high a view as before, more or less to the sides."""
        scale = height / self.size[1]
        center = (width / 2 + (self.center[0] - self.size[0] / 2) * scale, self.center[1] * scale)
        return replace(self, focal=self.focal * scale, center=center, size=(width, height))
