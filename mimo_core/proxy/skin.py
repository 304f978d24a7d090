"""Textured meshes that move with the body's joints, and how they are drawn."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import BodyModel, bend_hands
from ..body.person import Person
from ..body.raster import HIT_FIELDS, Raster, rasterize
from ..body.skinning import blend_skin, world_from_rest
from ..geometry.box import Box
from ..geometry.camera import Camera
from ..geometry.rotations import matrix_from_axis_angle


SAMPLES_PER_AXIS = 2  # per pixel and axis
NEAREST = 0.05  # meters before the camera
BLEED_PIXELS = 9  # pixels that colors reach beyond the alpha
LEVELS, LEAST_LEVEL_SIDE = 4, 32  # halves of a texture for small figures, whose patterns would flicker; pixels
SHARPER = 0.25  # of a level: how far a texture may be finer than the pixels before it is halved
MAP_WIDTH = 4096  # OpenCV takes maps of at most 32767 columns


Hands = tuple[Tensor | None, Tensor | None]


@dataclass(frozen=True, eq=False)
class TexturedMesh:
    """The faces of a textured mesh, wherever its vertices are."""

    faces: Tensor  # (T, 3) long
    corners: Tensor  # (T, 3, 2) texture coordinates in texels, centers at .5
    texture: NDArray  # (H, W, 4) uint8, straight RGB and alpha
    two_sided: bool = False

    @functools.cached_property
    def levels(self) -> list[NDArray]:
        """The texture and its halves, each of half the size of the one before (Williams 1983)."""
        import cv2

        levels = [self.texture]
        while len(levels) < LEVELS and min(levels[-1].shape[:2]) >= 2 * LEAST_LEVEL_SIDE:
            size = (levels[-1].shape[1] // 2, levels[-1].shape[0] // 2)
            levels.append(cv2.resize(levels[-1], size, interpolation=cv2.INTER_AREA))
        return levels

    def choose_level(self, pixels: Tensor) -> int:
        """Which of `levels` has about one texel a pixel, for vertices at pixels (V, 2)."""
        screen = _measure_area(pixels[self.faces])
        seen = screen != 0 if self.two_sided else screen < 0
        texels, samples = _measure_area(self.corners)[seen].abs().sum(), screen[seen].abs().sum()
        if not samples > 0:
            return 0
        return int(np.clip(np.floor(np.log2(max(float(texels / samples), 1.0)) / 2 + SHARPER), 0, len(self.levels) - 1))


def _measure_area(corners: Tensor) -> Tensor:
    """Twice the signed area (T,) of triangles (T, 3, 2)."""
    (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).unbind(1), (corners[:, 2] - corners[:, 0]).unbind(1)
    return ax * by - ay * bx


@dataclass(frozen=True, eq=False)
class SkinnedMesh:
    """A textured mesh in the body's rest pose, which follows the body's joints and shape."""

    sheet: TexturedMesh
    vertices: Tensor  # (V, 3)
    weights: Tensor  # (V, 24)
    shapedirs: Tensor  # (V, 3, 10) displacement per shape value, added to that of the character itself
    beside: Tensor  # (V,) long, the vertices of the body whose light falls on these
    has_hands: bool = False  # whether the vertices are those of the body
    sway: Tensor | None = None  # (V,) 0 to 1: how far vertices lag behind, as cloth and hair do; None for not at all

    def posed(self, transforms: Tensor, betas: Tensor, hands: Hands = (None, None)) -> Tensor:
        """World vertices (V, 3) under joint transforms (24, 4, 4), `betas` (10) away from the character's shape.

        `hands` are the finger angles (1, 45) of left and right, or None; only the body itself has fingers.
        """
        vertices = self.vertices + self.shapedirs @ betas
        if self.has_hands and hands != (None, None):
            vertices = bend_hands(vertices, *hands)
        return blend_skin(vertices, self.weights, transforms[None])[0]


def joint_transforms(body: BodyModel, person: Person) -> Tensor:
    """World from rest for every joint, (F, 24, 4, 4)."""
    joints = body.shape(body.betas_of(person))[1]
    transforms = world_from_rest(matrix_from_axis_angle(person.pose()), joints, body.parents)
    transforms[..., :3, 3] += person.transl[:, None]
    return transforms


def unpose(vertices: Tensor, weights: Tensor, transforms: Tensor, camera: Camera) -> Tensor:
    """Camera-space vertices (V, 3) of a body posed by transforms (24, 4, 4), taken back to the rest pose."""
    world_from_camera = torch.linalg.inv(camera.extrinsics()[0].to(vertices))
    world = vertices @ world_from_camera[:3, :3].mT + world_from_camera[:3, 3]
    mixed = (weights @ transforms.flatten(1)).unflatten(1, (4, 4))
    return torch.linalg.solve(mixed[:, :3, :3], (world - mixed[:, :3, 3])[..., None])[..., 0]


def draw_meshes(
    sheets: Sequence[TexturedMesh],
    vertices: Sequence[Tensor],
    camera: Camera,
    frame: int,
    *,
    shades: Sequence[Tensor] | None = None,
) -> tuple[NDArray, NDArray]:
    """Straight colors (H, W, 3) uint8 and alpha (H, W) uint8 of sheets with world vertices (V, 3) each.

    The camera is that of `frame`. Only the box around the vertices is worked on. `shades` (V,) per sheet are factors
    on the colors.
    """
    width, height = camera.size
    rgb, alpha = np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8)
    seen = [camera.view(points[None], slice(frame, frame + 1))[0] for points in vertices]
    box = _visible_box(torch.cat(seen), camera)
    if box is None:
        return rgb, alpha
    box.cut(rgb)[:], box.cut(alpha)[:] = _unpremultiply(
        _rasterize_samples(sheets, seen, shades or [None] * len(sheets), camera, box)
    )
    return rgb, alpha


def _visible_box(vertices: Tensor, camera: Camera) -> Box | None:
    """The box of what can be seen of vertices (V, 3), with room to bleed; None if nothing can."""
    front = vertices[vertices[:, 2] > NEAREST]
    if not len(front):
        return None
    pixels = camera.pixels(front)
    limit = pixels.new_tensor(camera.size)
    low = (pixels.amin(0).floor() - BLEED_PIXELS).clamp_min(0)
    high = torch.minimum(pixels.amax(0).ceil() + BLEED_PIXELS, limit)
    if not (low < high).all():
        return None
    return Box(int(low[0]), int(low[1]), int(high[0]), int(high[1]))


def _rasterize_samples(
    sheets: Sequence[TexturedMesh], seen: list[Tensor], shades: Sequence[Tensor | None], camera, box: Box
) -> NDArray:
    """Premultiplied RGBA (h * SAMPLES, w * SAMPLES, 4) float32 0..255 of a box, nearer skins over farther ones."""
    left, top, right, bottom = box
    size = ((right - left) * SAMPLES_PER_AXIS, (bottom - top) * SAMPLES_PER_AXIS)
    center = ((camera.center[0] - left) * SAMPLES_PER_AXIS, (camera.center[1] - top) * SAMPLES_PER_AXIS)
    total, nearest = np.zeros((size[0] * size[1], 4), np.float32), np.zeros(size[0] * size[1], np.float32)
    for sheet, vertices, shade in zip(sheets, seen, shades, strict=True):
        raster = rasterize(
            vertices[None],
            sheet.faces,
            focal=camera.focal * SAMPLES_PER_AXIS,
            center=center,
            size=size,
            cull=not sheet.two_sided,
        )
        level = sheet.choose_level(
            vertices[:, :2] / vertices[:, 2:].clamp_min(NEAREST) * camera.focal * SAMPLES_PER_AXIS
        )
        _lay_sheet(total, nearest, sheet, level, raster, shade)
    return total.reshape(size[1], size[0], 4)


def _lay_sheet(
    total: NDArray, nearest: NDArray, sheet: TexturedMesh, level: int, raster: Raster, shade: Tensor | None
) -> None:
    """Mix what a raster sees of a sheet into premultiplied RGBA (N, 4) and the depth (N,) of what is nearest."""
    where, face, bary, depth = (getattr(raster, name).numpy() for name in HIT_FIELDS)
    before = nearest.take(where)
    in_front = (before == 0) | (depth < before)
    visible = np.flatnonzero(in_front | (total[:, 3].take(where) < 255))
    if len(visible) < len(where):
        where, face, depth, before, in_front = (each.take(visible) for each in (where, face, depth, before, in_front))
        bary = bary.take(visible, 0)
    colors = _sample_texture(sheet, level, face, bary, shade)
    shown = colors[:, 3] > 0  # transparent margins hide nothing
    mixed = np.flatnonzero(shown & (before > 0) & ~(in_front & (colors[:, 3] == 255)))
    if len(mixed):
        new, old = colors[mixed], _whole_rows(total).take(where[mixed]).view(np.float32).reshape(-1, 4)
        is_new = in_front[mixed, None]
        over, under = np.where(is_new, new, old), np.where(is_new, old, new)
        colors[mixed] = over + under * (1 - over[:, 3:] / 255)
    nearest[where] = np.where(shown & in_front, depth, before)
    if not shown.all():
        kept = np.flatnonzero(shown)
        where, colors = where[kept], colors[kept]
    _whole_rows(total)[where] = _whole_rows(colors)


def _whole_rows(colors: NDArray) -> NDArray:
    """Rows (N, 4) float32 as N numbers: NumPy copies those ten times faster."""
    return colors.view(np.complex128)[:, 0]


def _sample_texture(sheet: TexturedMesh, level: int, face: NDArray, bary: NDArray, shade: Tensor | None) -> NDArray:
    """Premultiplied RGBA (N, 4) float32 of a level of a sheet at places on faces (N,), (N, 3), times `shade` (V,)."""
    import cv2

    if not len(face):
        return np.zeros((0, 4), np.float32)
    bary = np.ascontiguousarray(bary.T)
    corners = np.ascontiguousarray(sheet.corners.flatten(1).numpy().take(face, 0).T)  # (6, N): x, y of each corner
    place = np.zeros((2, -(-len(face) // MAP_WIDTH) * MAP_WIDTH), np.float32)
    for axis in range(2):
        place[axis, : len(face)] = _mix_corners(corners[axis::2], bary) * np.float32(0.5**level) - np.float32(0.5)
    x, y = place.reshape(2, -1, MAP_WIDTH)
    colors = cv2.remap(sheet.levels[level], x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colors = colors.reshape(-1, 4)[: len(face)].astype(np.float32)
    factors = colors[:, 3] / 255
    rgb, factors = torch.from_numpy(colors)[:, :3], torch.from_numpy(factors)
    rgb *= factors[:, None]
    if shade is not None:
        values = np.ascontiguousarray(shade[sheet.faces].numpy().take(face, 0).T)
        rgb *= torch.from_numpy(_mix_corners(values, bary))[:, None]
    return colors


def _mix_corners(values: NDArray, bary: NDArray) -> NDArray:
    """The weighted sum (N,) of values (3, N) at the corners of faces."""
    return values[0] * bary[0] + values[1] * bary[1] + values[2] * bary[2]


def _unpremultiply(samples: NDArray) -> tuple[NDArray, NDArray]:
    """Straight colors, bled beyond the edge, and alpha of samples (h * SAMPLES, w * SAMPLES, 4) premultiplied."""
    import cv2

    size = (samples.shape[1] // SAMPLES_PER_AXIS, samples.shape[0] // SAMPLES_PER_AXIS)
    pixels = cv2.resize(samples, size, interpolation=cv2.INTER_AREA)
    around = cv2.blur(pixels, (BLEED_PIXELS, BLEED_PIXELS))
    chosen = np.where(pixels[..., 3:] > 0, pixels, around)
    rgb = chosen[..., :3] * (255 / np.maximum(chosen[..., 3:], 1e-3))
    return np.clip(rgb + 0.5, 0, 255).astype(np.uint8), (pixels[..., 3] + 0.5).astype(np.uint8)
