"""Rotations as axis-angle, matrix and quaternion.

Convention everywhere: column vectors, right-handed, radians; quaternions are (w, x, y, z). A quarter turn around Z is
axis-angle (0, 0, pi/2), quaternion (0.7071, 0, 0, 0.7071), and turns +X into +Y.
"""

from __future__ import annotations

import torch
from torch import Tensor


__all__ = [
    "axis_angle_from_matrix",
    "axis_angle_from_quaternion",
    "matrix_from_axis_angle",
    "matrix_from_quaternion",
    "quaternion_from_axis_angle",
    "quaternion_from_matrix",
    "shortest_rotations",
    "slerp",
    "unwind_quaternions",
]


def matrix_from_axis_angle(axis_angle: Tensor) -> Tensor:
    """Rotation vectors (..., 3) in radians to matrices (..., 3, 3).

    Convention: column vectors, right-handed, so (0, 0, pi/2) turns +X into +Y. Smooth through the zero rotation.
    """
    square = (axis_angle * axis_angle).sum(-1)[..., None, None]
    small = square < 1e-6  # below it the two Taylor terms are exact to float32
    safe = torch.where(small, torch.ones_like(square), square)
    angle = safe.sqrt()
    sine = torch.where(small, 1 - square / 6, angle.sin() / angle)
    cosine = torch.where(small, 0.5 - square / 24, (1 - angle.cos()) / safe)
    x, y, z = axis_angle.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    return identity + sine * cross + cosine * (cross @ cross)


def quaternion_from_axis_angle(axis_angle: Tensor) -> Tensor:
    """Rotation vectors (..., 3) in radians to unit quaternions (..., 4): (0, 0, pi/2) to (0.7071, 0, 0, 0.7071)."""
    angle = axis_angle.norm(dim=-1, keepdim=True)
    half_sine = torch.sinc(angle / (2 * torch.pi)) / 2  # sin(angle / 2) / angle, exact at zero
    return torch.cat([(angle / 2).cos(), axis_angle * half_sine], -1)


def axis_angle_from_quaternion(quaternion: Tensor) -> Tensor:
    """Unit quaternions (..., 4) of either sign to rotation vectors (..., 3) of at most pi: the inverse of the above."""
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    sine = quaternion[..., 1:].norm(dim=-1, keepdim=True)
    angle = 2 * torch.atan2(sine, quaternion[..., :1])
    small = sine < 1e-7
    return quaternion[..., 1:] * torch.where(small, 2.0, angle / torch.where(small, 1.0, sine))


def matrix_from_quaternion(quaternion: Tensor) -> Tensor:
    """Unit quaternions (..., 4) to matrices (..., 3, 3): (0.7071, 0, 0, 0.7071) turns the column +X into +Y."""
    w, x, y, z = quaternion.unbind(-1)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def quaternion_from_matrix(matrix: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) to unit quaternions (..., 4), exact for every angle (Shepperd 1978)."""
    a, b, c = matrix.unbind(-2)
    xx, yy, zz = a[..., 0], b[..., 1], c[..., 2]
    x, y, z = c[..., 1] - b[..., 2], a[..., 2] - c[..., 0], b[..., 0] - a[..., 1]
    xy, xz, yz = a[..., 1] + b[..., 0], a[..., 2] + c[..., 0], b[..., 2] + c[..., 1]
    candidates = torch.stack(
        [
            torch.stack([1 + xx + yy + zz, x, y, z], -1),
            torch.stack([x, 1 + xx - yy - zz, xy, xz], -1),
            torch.stack([y, xy, 1 - xx + yy - zz, yz], -1),
            torch.stack([z, xz, yz, 1 - xx - yy + zz], -1),
        ],
        -2,
    )
    best = candidates.diagonal(dim1=-2, dim2=-1).argmax(-1)
    chosen = candidates.gather(-2, best[..., None, None].expand(*best.shape, 1, 4))[..., 0, :]
    return torch.nn.functional.normalize(chosen, dim=-1)


def axis_angle_from_matrix(matrix: Tensor) -> Tensor:
    """Rotation matrices (..., 3, 3) to rotation vectors (..., 3) of at most pi radians."""
    return axis_angle_from_quaternion(quaternion_from_matrix(matrix))


def shortest_rotations(start: Tensor, end: Tensor) -> Tensor:
    """Rotations (F, 3, 3) that turn directions `start` into `end`, (F, 3) or (3,) each, the shortest way.

    From (1, 0, 0) to (0, 1, 0) it is the quarter turn around +Z.
    """
    start, end = torch.broadcast_tensors(start, end)
    axis = torch.linalg.cross(start, end)
    sine = axis.norm(dim=1, keepdim=True)
    angle = torch.atan2(sine, (start * end).sum(1, keepdim=True))
    return matrix_from_axis_angle(axis / sine.clamp_min(1e-12) * angle)


def unwind_quaternions(quaternions: Tensor) -> Tensor:
    """Quaternions over time (F, ..., 4) with signs chosen so that neighbours lie close together: q, -q gives q, q."""
    dots = (quaternions[1:] * quaternions[:-1]).sum(-1, keepdim=True)
    signs = torch.where(dots < 0, -1.0, 1.0).to(quaternions).cumprod(0)
    return torch.cat([quaternions[:1], quaternions[1:] * signs])


def slerp(start: Tensor, end: Tensor, share: Tensor) -> Tensor:
    """Between unit quaternions (..., 4) at constant speed along the shorter way; share 0 is start, 1 is end."""
    dot = (start * end).sum(-1, keepdim=True)
    end = torch.where(dot < 0, -end, end)
    angle = torch.acos(dot.abs().clamp(max=1))
    is_close = angle < 1e-4  # the chord is the arc, and the sines below would divide 0 by 0
    sine = torch.where(is_close, 1.0, angle.sin())
    first = torch.where(is_close, 1 - share, ((1 - share) * angle).sin() / sine)
    second = torch.where(is_close, share, (share * angle).sin() / sine)
    return torch.nn.functional.normalize(first * start + second * end, dim=-1)
