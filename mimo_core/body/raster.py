"""A rasteriser in plain torch: which face every pixel sees, where on it, and how far away.

Faces are cut into square stamps of pixels, equal stamps are tested together as one dense block, and the nearest face
wins by one scatter of packed (1 / depth, face) keys. The same code runs on a CPU and on CUDA.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor


STAMPS = (2, 3, 4, 6, 8, 16)  # sides in pixels; larger faces are cut into the last
FRAGMENTS_AT_ONCE = 1 << 20  # pixels tested in one block, about 25 MB
FACES_AT_ONCE = 1 << 18  # faces set up in one pass over the frames, about 60 MB


@dataclass(frozen=True, eq=False)
class Raster:
    """What each pixel centre sees. Where it sees nothing: face -1, bary and depth 0."""

    face: Tensor  # (B, H, W) long
    bary: Tensor  # (B, H, W, 3), perspective-correct weights of the face's corners, sum 1
    depth: Tensor  # (B, H, W), along the camera's z

    @property
    def mask(self) -> Tensor:
        return self.face >= 0

    @functools.cached_property
    def hits(self) -> Tensor:
        """The flat numbers (N,) of the pixels that see a face."""
        return (self.face.view(-1) >= 0).nonzero()[:, 0]

    def only(self, frames: Tensor) -> Raster:
        """Nothing seen except in the frames (B,) that are True."""
        if frames.all():
            return self
        kept = frames[:, None, None]
        return Raster(self.face.where(kept, self.face.new_tensor(-1)), self.bary * kept[..., None], self.depth * kept)


@dataclass(frozen=True, eq=False)
class _Triangles:
    """N triangles that may be seen, as edge functions e(x, y) = slope . (x - origin_x, y - origin_y) + offset."""

    slope: Tensor  # (N, 3, 2), edge i lies opposite corner i; e > 0 inside
    origin: Tensor  # (N, 3, 2), whole pixels
    offset: Tensor  # (N, 3)
    weight: Tensor  # (N, 3): sum of weight * e is 1 / depth
    first: Tensor  # (N, 2) long, first pixel column and row
    count: Tensor  # (N, 2) long, pixel columns and rows
    frame: Tensor  # (N,) long
    face: Tensor  # (N,) long
    corners: Tensor | None  # (N, 3, 3), barycentrics of the corners where faces were clipped, else None


def rasterize(
    vertices: Tensor,
    faces: Tensor,
    *,
    focal: float,
    center: tuple[float, float],
    size: tuple[int, int],
    cull: bool = True,
    near: float = 0.01,
) -> Raster:
    """Draw faces (T, 3) of camera-space vertices (B, V, 3) on pictures of `size` (width, height).

    Convention: camera x right, y down, z forward; pixel centres at .5. A face is seen from the side on which its
    corners run counter-clockwise; `cull` drops faces seen from behind. What is nearer than `near` is cut away.
    Pixel centres on an edge belong to both faces, so closed surfaces have no gaps; of faces at equal depth the one
    with the lowest number wins.
    """
    width, height = size
    frames_at_once = max(1, FACES_AT_ONCE // max(len(faces), 1))
    parts = [
        _rasterize(chunk, faces, focal, center, (width, height), cull, near) for chunk in vertices.split(frames_at_once)
    ]
    if len(parts) == 1:
        return parts[0]
    return Raster(*(torch.cat([getattr(part, name) for part in parts]) for name in ("face", "bary", "depth")))


def _rasterize(vertices, faces, focal, center, size, cull, near) -> Raster:
    width, height = size
    frames = len(vertices)
    triangles = _set_up(vertices, faces, focal, center, size, cull, near)
    # Stamps may reach past the right and lower border, so the buffer is wider than the picture.
    rows, columns = height + STAMPS[-1], width + STAMPS[-1]
    nearest = torch.zeros(frames * rows * columns, dtype=torch.int64, device=vertices.device)
    for chosen, first, side in _stamps(triangles):
        _draw(nearest, triangles, chosen, first, side, rows, columns)
    nearest = nearest.view(frames, rows, columns)[:, :height, :width].reshape(-1)
    return _resolve(nearest, triangles, (frames, height, width))


def _set_up(vertices, faces, focal, center, size, cull, near) -> _Triangles:
    count = len(faces)
    depth = vertices[..., 2:]
    pixels = vertices[..., :2] / depth.clamp_min(near) * focal + vertices.new_tensor(center)
    projected = torch.cat([pixels, 1 / depth.clamp_min(near)], -1)
    points = projected[:, faces].flatten(0, 1)  # (B * T, 3 corners, x y 1/z)
    is_near = (depth < near)[:, faces, 0].flatten(0, 1)
    area = _cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    whole = ((area < 0) if cull else (area != 0)) & ~is_near.any(1)
    source = (whole & _on_screen(points, size)).nonzero()[:, 0]
    points, corners = points[source], None
    crossing = (is_near.any(1) & ~is_near.all(1)).nonzero()[:, 0]
    if len(crossing):
        frame, face = crossing // count, crossing % count
        cut, cut_corners, parent = _clip(vertices[frame[:, None], faces[face]], near)
        cut = torch.cat([cut[..., :2] / cut[..., 2:] * focal + cut.new_tensor(center), 1 / cut[..., 2:]], -1)
        area = _cross(cut[:, 1] - cut[:, 0], cut[:, 2] - cut[:, 0])
        kept = (((area < 0) if cull else (area != 0)) & _on_screen(cut, size)).nonzero()[:, 0]
        identity = torch.eye(3, dtype=points.dtype, device=points.device).expand(len(points), 3, 3)
        points, source = torch.cat([points, cut[kept]]), torch.cat([source, crossing[parent[kept]]])
        corners = torch.cat([identity, cut_corners[kept]])
    return _edges(points, source // count, source % count, corners, size)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _on_screen(points: Tensor, size) -> Tensor:
    """True where the box around the corners (N, 3, 3) holds a pixel centre."""
    first, last = _pixel_box(points, size)
    return (first <= last).all(1)


def _pixel_box(points: Tensor, size) -> tuple[Tensor, Tensor]:
    """First and last pixel column and row, (N, 2) floats. Empty boxes have first > last."""
    limit = points.new_tensor(size)
    low, high = points[..., :2].amin(1), points[..., :2].amax(1)
    return torch.ceil(low - 0.5).clamp_min(0), torch.minimum(torch.floor(high - 0.5), limit - 1)


def _clip(corners: Tensor, near: float) -> tuple[Tensor, Tensor, Tensor]:
    """Cut triangles (N, 3, 3) that cross the near plane: pieces (M, 3, 3), their barycentrics, parent numbers (M,)."""
    is_near = corners[..., 2] < near
    # Turn each triangle until the odd corner, alone on its side of the plane, comes first.
    is_odd = is_near == (is_near.sum(1, keepdim=True) == 1)
    turn = (is_odd.int().argmax(1)[:, None] + torch.arange(3, device=corners.device)) % 3
    identity = torch.eye(3, dtype=corners.dtype, device=corners.device)
    bary = identity[turn]
    apex, left, right = bary.unbind(1)
    depth = torch.gather(corners[..., 2], 1, turn)
    to_left = ((near - depth[:, :1]) / (depth[:, 1:2] - depth[:, :1])).clamp(0, 1)
    to_right = ((near - depth[:, :1]) / (depth[:, 2:] - depth[:, :1])).clamp(0, 1)
    on_left, on_right = torch.lerp(apex, left, to_left), torch.lerp(apex, right, to_right)
    tip = torch.stack([apex, on_left, on_right], 1)
    trunk = torch.stack([torch.stack([on_left, left, right], 1), torch.stack([on_left, right, on_right], 1)], 1)
    tip_is_seen = torch.gather(is_near, 1, turn[:, :1])[:, 0].logical_not()
    seen, hidden = tip_is_seen.nonzero()[:, 0], (~tip_is_seen).nonzero()[:, 0]
    parent = torch.cat([seen, hidden.repeat_interleave(2)])
    bary = torch.cat([tip[seen], trunk[hidden].flatten(0, 1)])
    pieces = bary @ corners[parent]
    pieces[..., 2].clamp_(min=near)
    return pieces, bary, parent


def _edges(points: Tensor, frame: Tensor, face: Tensor, corners: Tensor | None, size) -> _Triangles:
    start, end = points[:, [1, 2, 0], :2], points[:, [2, 0, 1], :2]
    # Both faces of an edge use the same origin and exactly negated numbers: no pixel falls between them.
    origin = torch.floor((start + end) / 2)
    area = _cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    sign = area.sign()[:, None]
    along = (end - start) * sign[..., None]
    first, last = _pixel_box(points, size)
    return _Triangles(
        slope=torch.stack([-along[..., 1], along[..., 0]], -1),
        origin=origin,
        offset=_cross(start - origin, end - origin) * sign,
        weight=points[..., 2] / area.abs()[:, None],
        first=first.long(),
        count=(last - first).long() + 1,
        frame=frame,
        face=face,
        corners=corners,
    )


def _stamps(triangles: _Triangles) -> Iterator[tuple[Tensor, Tensor, int]]:
    """Blocks of (triangle numbers (M,), first pixels (M, 2), side) which together cover every triangle's box."""
    longest = triangles.count.amax(1) if len(triangles.count) else triangles.frame
    smaller = 0
    for side in STAMPS[:-1]:
        chosen = ((longest > smaller) & (longest <= side)).nonzero()[:, 0]
        smaller = side
        at_once = FRAGMENTS_AT_ONCE // (side * side)
        for part in chosen.split(at_once):
            yield part, triangles.first[part], side
    large = (longest > smaller).nonzero()[:, 0]
    yield from _tiles(triangles, large, STAMPS[-1])


def _tiles(triangles: _Triangles, large: Tensor, side: int) -> Iterator[tuple[Tensor, Tensor, int]]:
    tiles = (triangles.count[large] + side - 1) // side  # (M, 2) columns and rows of tiles
    per_triangle = tiles.prod(1)
    at_once = FRAGMENTS_AT_ONCE // (side * side)
    ends = per_triangle.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    for begin in range(0, total, at_once):
        tile = torch.arange(begin, min(begin + at_once, total), device=ends.device)
        owner = torch.searchsorted(ends, tile, right=True)
        within = tile - (ends - per_triangle)[owner]
        step = torch.stack([within % tiles[owner, 0], within // tiles[owner, 0]], 1) * side
        chosen = large[owner]
        first = triangles.first[chosen] + step
        touched = _touches(triangles, chosen, first, side)
        yield chosen[touched], first[touched], side


def _touches(triangles: _Triangles, chosen: Tensor, first: Tensor, side: int) -> Tensor:
    """False where a tile lies wholly outside one edge."""
    slope = triangles.slope[chosen]
    best = first[:, None] + torch.where(slope > 0, side - 1, 0) + 0.5 - triangles.origin[chosen]
    # A whole pixel of slack keeps rounding here from mattering.
    highest = (slope * best).sum(-1) + triangles.offset[chosen] + slope.abs().sum(-1)
    return (highest >= 0).all(1)


def _draw(nearest: Tensor, triangles: _Triangles, chosen: Tensor, first: Tensor, side: int, rows: int, columns: int):
    """Enter the pixels of (M) stamps into the buffer of keys."""
    if not len(chosen):
        return
    steps = torch.arange(side, device=nearest.device)
    place = (first[:, None] + steps[:, None] + 0.5)[:, None] - triangles.origin[chosen][:, :, None]  # (M, 3, side, 2)
    terms = place * triangles.slope[chosen][:, :, None]
    across, down = terms[..., 0], terms[..., 1] + triangles.offset[chosen][..., None]  # (M, 3, side) each
    edges = [down[:, edge, :, None] + across[:, edge, None, :] for edge in range(3)]
    inside = torch.minimum(torch.minimum(edges[0], edges[1]), edges[2]) >= 0
    stamp, pixel = inside.view(len(chosen), -1).nonzero(as_tuple=True)
    flat = stamp * (side * side) + pixel
    weight = triangles.weight[chosen][stamp]
    inverse = sum(edge.reshape(-1)[flat] * weight[:, corner] for corner, edge in enumerate(edges))
    start = (triangles.frame[chosen] * rows + first[:, 1]) * columns + first[:, 0]
    offsets = (steps[:, None] * columns + steps).reshape(-1)
    # Positive floats order as their bits do; the complement lets the lowest number win among equals.
    bits = inverse.float().view(torch.int32).long() << 32
    key = bits | (0x7FFFFFFF - chosen[stamp])
    nearest.scatter_reduce_(0, start[stamp] + offsets[pixel], key, "amax")


def _resolve(nearest: Tensor, triangles: _Triangles, shape: tuple[int, int, int]) -> Raster:
    frames, height, width = shape
    hit = nearest.nonzero()[:, 0]
    chosen = 0x7FFFFFFF - (nearest[hit] & 0x7FFFFFFF)
    x, y = hit % width + 0.5, hit // width % height + 0.5
    place = torch.stack([x, y], 1)[:, None] - triangles.origin[chosen]
    terms = place * triangles.slope[chosen]
    edges = terms[..., 0] + (terms[..., 1] + triangles.offset[chosen])
    parts = edges * triangles.weight[chosen]
    inverse = parts.sum(1, keepdim=True)
    bary = parts / inverse
    if triangles.corners is not None:
        bary = (bary[:, None] @ triangles.corners[chosen])[:, 0]
    pixels = frames * height * width
    out_face = torch.full((pixels,), -1, dtype=torch.int64, device=nearest.device)
    out_bary = bary.new_zeros(pixels, 3)
    out_depth = bary.new_zeros(pixels)
    out_face[hit] = triangles.face[chosen]
    out_bary[hit] = bary
    out_depth[hit] = 1 / inverse[:, 0]
    return Raster(out_face.view(shape), out_bary.view(*shape, 3), out_depth.view(shape))


def sample(raster: Raster, faces: Tensor, attribute: Tensor) -> Tensor:
    """Vertex values (V, C) or (B, V, C) at the pixels that see a face, (N, C) in the order of `raster.hits`."""
    corners = attribute[..., faces, :].flatten(-2)  # ([B,] T, 3 C)
    row = raster.face.view(-1)[raster.hits]
    if attribute.dim() == 3:
        row = row + raster.hits // raster.face[0].numel() * len(faces)
        corners = corners.flatten(0, 1)
    return (corners[row].unflatten(1, (3, -1)) * raster.bary.view(-1, 3)[raster.hits][..., None]).sum(1)


def interpolate(raster: Raster, faces: Tensor, attribute: Tensor) -> Tensor:
    """Vertex values (V, C) or (B, V, C) at every pixel, (B, H, W, C); 0 where nothing is seen."""
    picture = attribute.new_zeros(raster.face.numel(), attribute.shape[-1])
    picture[raster.hits] = sample(raster, faces, attribute)
    return picture.view(*raster.face.shape, -1)
