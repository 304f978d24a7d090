"""Linear blend skinning as SMPL defines it (Loper et al. 2015, section 3), batched and differentiable."""

from __future__ import annotations

import torch
from torch import Tensor


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


def blend_skin(vertices: Tensor, weights: Tensor, transforms: Tensor) -> Tensor:
    """Rest vertices (V, 3) or (F, V, 3), moved by transforms (F, J, 4, 4) with weights (V, J), to (F, V, 3)."""
    mixed = (weights @ transforms[:, :, :3].flatten(2)).unflatten(-1, (3, 4))  # (F, V, 12) -> (F, V, 3, 4)
    return torch.einsum("fvij,fvj->fvi", mixed[..., :3], vertices.expand(len(transforms), -1, -1)) + mixed[..., 3]
