"""The skeleton as SCAIL was trained on it: 13 lit tubes in space on a black ground.

Source: zai-org/SCAIL-Pose, its NLF renderer: the limbs and colours, tubes of 28 mm, light from the camera, and
brightness that falls with depth. Eyes and ears, which NLF does not give, stay undrawn there too.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from ..body.raster import rasterize, sample_vertices
from ..body.skeleton import JOINT


TUBES = (
    ("neck", "right_shoulder", (255, 0, 0)),
    ("right_shoulder", "right_elbow", (255, 85, 0)),
    ("right_elbow", "right_wrist", (255, 170, 0)),
    ("neck", "left_shoulder", (0, 255, 255)),
    ("left_shoulder", "left_elbow", (0, 170, 255)),
    ("left_elbow", "left_wrist", (0, 85, 255)),
    ("neck", "right_hip", (180, 255, 0)),
    ("right_hip", "right_knee", (0, 255, 0)),
    ("right_knee", "right_ankle", (0, 255, 85)),
    ("neck", "left_hip", (0, 0, 255)),
    ("left_hip", "left_knee", (85, 0, 255)),
    ("left_knee", "left_ankle", (170, 0, 255)),
    ("neck", "head", (150, 150, 150)),
)
TUBE_RADIUS = 0.028  # metres
AMBIENT, DIFFUSE, SPECULAR, SHININESS = 0.3, 0.7, 0.5, 32
BEHIND, FARTHEST = 6.0, 20.0  # metres behind the clip's last point, and in all, at which the light ends
AROUND, CAP_RINGS = 20, 5  # corners around a tube, and rings of each of its round ends


def draw_tubes(
    joints: Tensor, *, focal: float, center: tuple[float, float], size: tuple[int, int], far: float, near: float
):
    """What pixels see of the tubes between camera-space joints (B, 24, 3): a Raster, and colours (N, 3) in 0 to 1.

    Convention: camera x right, y down, z forward. `far` is the depth of the clip's farthest point.
    """
    ends = torch.tensor([[JOINT[start], JOINT[end]] for start, end, _ in TUBES], device=joints.device)
    vertices, normals = _build_capsules(joints[:, ends])
    faces = _capsule_faces(len(TUBES)).to(joints.device)
    raster = rasterize(vertices, faces, focal=focal, center=center, size=size, near=near)
    colors = torch.tensor([color for *_, color in TUBES], device=joints.device) / 300 + 0.15
    color = colors[raster.hit_face // (len(faces) // len(TUBES))]
    normal = torch.nn.functional.normalize(sample_vertices(raster, faces, normals), dim=-1)
    return raster, _shade(color, normal, _view_directions(raster, focal, center), raster.hit_depth, far)


def _shade(color: Tensor, normal: Tensor, sight: Tensor, depth: Tensor, far: float) -> Tensor:
    """Blinn and Phong's light from the camera's direction, fading with depth."""
    toward = torch.tensor([0.0, 0.0, -1.0], device=normal.device)
    half = torch.nn.functional.normalize(toward - sight, dim=-1)
    diffuse = AMBIENT + DIFFUSE * (normal @ toward).clamp(min=0)
    glint = SPECULAR * (normal * half).sum(-1).clamp(min=0) ** SHININESS
    fade = (1 - depth / min(far + BEHIND, FARTHEST)).clamp(0, 1)
    return ((color * diffuse[:, None] + glint[:, None]) * fade[:, None]).clamp(0, 1)


def _view_directions(raster, focal: float, center: tuple[float, float]) -> Tensor:
    """Unit directions (N, 3) in which the camera sees the pixels that were hit."""
    _, height, width = raster.shape
    x = (raster.hits % width + 0.5 - center[0]) / focal
    y = (raster.hits // width % height + 0.5 - center[1]) / focal
    return torch.nn.functional.normalize(torch.stack([x, y, torch.ones_like(x)], -1), dim=-1)


def _build_capsules(ends: Tensor) -> tuple[Tensor, Tensor]:
    """Vertices and normals (B, L * V, 3) of round-ended tubes between points (B, L, 2, 3)."""
    start, end = ends.unbind(2)
    along = torch.nn.functional.normalize(end - start, dim=-1)
    aside = torch.eye(3, device=ends.device)[along.abs().argmin(-1)]  # the axis that the tube follows least
    first = torch.nn.functional.normalize(torch.linalg.cross(along, aside), dim=-1)
    frame = torch.stack([first, torch.linalg.cross(along, first), along], -1)  # (B, L, 3, 3), tube to camera
    unit, is_far = _unit_capsule()
    normals = torch.einsum("blij,vj->blvi", frame, unit.to(ends.device))
    middle = torch.where(is_far.to(ends.device)[:, None], end[..., None, :], start[..., None, :])
    return (middle + TUBE_RADIUS * normals).flatten(1, 2), normals.flatten(1, 2)


@functools.cache
def _unit_capsule() -> tuple[Tensor, Tensor]:
    """Directions (V, 3) from the ends of a tube along z to its skin, in rings from pole to pole, and which end each
    belongs to (V,)."""
    height = torch.linspace(-math.pi / 2, 0, CAP_RINGS)
    height = torch.cat([height, -height.flip(0)])
    angle = torch.arange(AROUND) * (2 * math.pi / AROUND)
    ring = torch.stack([angle.cos(), angle.sin()], -1)
    rings = torch.cat(
        [
            height.cos()[:, None, None] * ring,
            height.sin()[:, None, None].expand(-1, AROUND, 1),
        ],
        -1,
    )
    is_far = torch.arange(2 * CAP_RINGS) >= CAP_RINGS
    return rings.flatten(0, 1), is_far.repeat_interleave(AROUND)


@functools.cache
def _capsule_faces(draw_tubes: int) -> Tensor:
    """Triangles (T, 3), those of one tube after the other, seen from outside counter-clockwise."""
    ring, corner = torch.meshgrid(torch.arange(2 * CAP_RINGS - 1), torch.arange(AROUND), indexing="ij")
    a, b = ring * AROUND + corner, ring * AROUND + (corner + 1) % AROUND
    one = torch.stack([a, b, b + AROUND, a, b + AROUND, a + AROUND], -1).view(-1, 3)
    offset = torch.arange(draw_tubes) * 2 * CAP_RINGS * AROUND
    return (one + offset[:, None, None]).view(-1, 3)
