"""Linear blend skinning as SMPL defines it (Loper et al. 2015, section 3), batched and differentiable."""

from __future__ import annotations

import torch
from torch import Tensor


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


def world_from_rest(rotations: Tensor, joints: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Joint rotations (F, J, 3, 3) about rest joints (J, 3) or (F, J, 3) to rigid transforms (F, J, 4, 4).

    Each transform moves rest points of its joint into the posed body: transform[j] @ joints[j] is where joint j lands.
    """
    joints = joints.expand(len(rotations), -1, -1)
    linear, origin = [rotations[:, 0]], [joints[:, 0]]
    for joint, parent in enumerate(parents[1:], 1):
        bone = joints[:, joint] - joints[:, parent]
        origin.append(origin[parent] + (linear[parent] @ bone[..., None])[..., 0])
        linear.append(linear[parent] @ rotations[:, joint])
    linear, origin = torch.stack(linear, 1), torch.stack(origin, 1)
    offset = origin - (linear @ joints[..., None])[..., 0]
    bottom = linear.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*linear.shape[:2], 1, 4)
    return torch.cat([torch.cat([linear, offset[..., None]], -1), bottom], -2)


def blend(vertices: Tensor, weights: Tensor, transforms: Tensor) -> Tensor:
    """Rest vertices (V, 3) or (F, V, 3), moved by transforms (F, J, 4, 4) with weights (V, J), to (F, V, 3)."""
    mixed = (weights @ transforms[:, :, :3].flatten(2)).unflatten(-1, (3, 4))  # (F, V, 12) -> (F, V, 3, 4)
    return torch.einsum("fvij,fvj->fvi", mixed[..., :3], vertices.expand(len(transforms), -1, -1)) + mixed[..., 3]
