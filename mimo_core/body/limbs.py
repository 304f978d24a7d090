"""Shorter legs on a body: no shape value of the SMPL family makes those of a cartoon."""

from __future__ import annotations

import functools
from dataclasses import replace

import torch
from torch import Tensor

from .model import BodyModel
from .skeleton import JOINT


LEG_BONES = tuple(
    (JOINT[f"{side}_{start}"], JOINT[f"{side}_{end}"])
    for side in ("left", "right")
    for start, end in (("hip", "knee"), ("knee", "ankle"))
)


@functools.lru_cache(maxsize=4)
def scale_legs(body: BodyModel, share: float) -> BodyModel:
    """The body of 24 joints with thighs and shins `share` times as long, and as wide as before, in every shape."""
    if share == 1:
        return body
    joints = body.joint_regressor @ body.template
    stretch = torch.zeros(len(joints), 3, 3)
    for start, end in LEG_BONES:
        along = torch.nn.functional.normalize(joints[end] - joints[start], dim=0)
        stretch[start] = (share - 1) * torch.outer(along, along)
    directions = body.shapedirs.movedim(2, 0)
    moved = torch.stack([_stretch_bones(body, shift, stretch) for shift in directions])
    return replace(
        body, template=_stretch_bones(body, body.template, stretch), shapedirs=moved.movedim(0, 2).contiguous()
    )


def _stretch_bones(body: BodyModel, places: Tensor, stretch: Tensor) -> Tensor:
    """Vertices (V, 3), or their displacement by a shape value, where every joint adds `stretch` (24, 3, 3) of its bone.

    What hangs on a bone moves along with its end.
    """
    joints = body.joint_regressor @ places
    offset = [torch.zeros(3)]
    for joint, parent in enumerate(body.parents[1:], 1):
        offset.append(offset[parent] + stretch[parent] @ (joints[joint] - joints[parent]))
    by_joint = torch.stack(offset) - torch.einsum("jab,jb->ja", stretch, joints)
    mixed = (body.weights @ stretch.flatten(1)).unflatten(1, (3, 3))
    return places + body.weights @ by_joint + torch.einsum("vab,vb->va", mixed, places)
