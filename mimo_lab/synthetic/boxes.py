"""Boxes that stand on the floor: seats, crates, plinths."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .light import ShotLight


if TYPE_CHECKING:
    from .backgrounds import Rays

BOX_NORMALS = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], np.float32)


@dataclass(frozen=True, eq=False)
class FloorBox:
    """A box on the floor, turned by `turn` radians about the vertical."""

    place: tuple[float, float]  # x and z of its middle
    size: tuple[float, float, float]  # width, height, depth in metres
    turn: float
    tint: np.ndarray  # (3,)
    trim: np.ndarray  # (3,) of its edges
    slats: float  # metres between its boards; 0: none

    def clip_rays(self, rays: Rays, eye: np.ndarray, number: int) -> Rays:
        """The rays from `eye`, ended where they meet this box."""
        local, start = self._local(rays.x, rays.y, rays.z), self._local(*eye.astype(np.float64))
        half = np.array([self.size[0] / 2, self.size[1] / 2, self.size[2] / 2])
        enter, leave = np.full(rays.depth.shape, -np.inf), np.full(rays.depth.shape, np.inf)
        side = np.zeros(rays.depth.shape, np.int32)
        for axis in range(3):
            along = local[axis] - start[axis]
            along = np.where(np.abs(along) < 1e-9, 1e-9, along)
            near = (-np.sign(along) * half[axis] - start[axis]) / along
            far = (np.sign(along) * half[axis] - start[axis]) / along
            side = np.where(near > enter, 2 * axis + 1 + (along > 0), side)
            enter, leave = np.maximum(enter, near), np.minimum(leave, far)
        met = (enter < leave) & (enter > 0) & (enter < 1)
        if not met.any():
            return rays
        part = np.where(met, enter, 1.0).astype(np.float32)
        x, y, z = (e + (p - e) * part for e, p in zip(eye.astype(np.float32), (rays.x, rays.y, rays.z), strict=True))
        sides = np.zeros_like(side) if rays.side is None else rays.side
        return replace(
            rays, x=x, y=y, z=z, depth=rays.depth * part, is_floor=rays.is_floor & ~met,
            side=np.where(met, 8 * number + side, sides),
        )  # fmt: skip

    def _local(self, x, y, z):
        """World coordinates in the box's own axes, from its middle."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        x, z = x - self.place[0], z - self.place[1]
        return cos * x - sin * z, y - self.size[1] / 2, sin * x + cos * z

    def paint(self, seen: np.ndarray, rays: Rays, number: int, light: ShotLight) -> np.ndarray:
        """The picture (H, W, 3) with the box in it and the floor around it darker."""
        x, y, z = self._local(rays.x, rays.y, rays.z)
        out = np.maximum(np.abs(x) - self.size[0] / 2, np.abs(z) - self.size[2] / 2)
        seen = seen * np.where(rays.is_floor, 1 - 0.5 * np.exp(-np.clip(out, 0, None) / 0.07), 1)[..., None]
        if rays.side is None:
            return seen.astype(np.float32)
        side = np.where(rays.side > 8 * number, rays.side - 8 * number, 0)
        side = np.where(side > 6, 0, side)
        if not side.any():
            return seen.astype(np.float32)
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        world = np.stack(
            [
                cos * BOX_NORMALS[:, 0] + sin * BOX_NORMALS[:, 2],
                BOX_NORMALS[:, 1],
                -sin * BOX_NORMALS[:, 0] + cos * BOX_NORMALS[:, 2],
            ],
            1,
        )
        lit = light.shade(np.tile(self.tint, (6, 1)), world, np.zeros(6), world)
        edge = np.sort(np.stack([self.size[k] / 2 - np.abs(v) for k, v in enumerate((x, y, z))]), 0)[1] < 0.025
        color = lit[np.clip(side - 1, 0, 5)]
        color = np.where(edge[..., None], color * (self.trim / np.maximum(self.tint, 0.05)), color)
        if self.slats:
            color = color * np.where((y % self.slats < 0.012) & (side < 7), 0.7, 1)[..., None]
        return np.where((side > 0)[..., None], np.clip(color, 0, 1), seen).astype(np.float32)
