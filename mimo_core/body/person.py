"""One moving body in SMPL's parameters."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from ..errors import InputError


PER_FRAME = {
    "global_orient": (3,),
    "body_pose": (69,),
    "transl": (3,),
    "left_hand_pose": (45,),
    "right_hand_pose": (45,),
    "visible": (),
    "confidence": (),
    "contacts": (2,),
    "bridged": (),
    "joint_confidence": (24,),
}


@dataclass(frozen=True, eq=False)
class Person:
    """One body over F frames, in SMPL's parameters.

    Convention: axis-angle in radians, 24 SMPL joints in SMPL order, rest pose T, front along +Z. `transl` is added
    after skinning, as in smplx. World in metres, Y up. Fields left out are filled: seen in every frame, certain.
    """

    betas: Tensor  # (10,)
    global_orient: Tensor  # (F, 3)
    body_pose: Tensor  # (F, 69), joints 1 to 23
    transl: Tensor  # (F, 3)
    left_hand_pose: Tensor | None = None  # (F, 45)
    right_hand_pose: Tensor | None = None  # (F, 45)
    visible: Tensor | None = None  # (F,) bool: False where nobody was found; the pose there means nothing
    confidence: Tensor | None = None  # (F,) 0 to 1
    contacts: Tensor | None = None  # (F, 2) bool: left and right foot planted
    bridged: Tensor | None = None  # (F,) bool: nobody was seen for a moment, the pose is interpolated
    joint_confidence: Tensor | None = None  # (F, 24): 0 where the joint comes from the prior
    body: str = "free"  # the body model that the betas belong to: free, smpl, smplh, smplx

    def __post_init__(self):
        frames = len(self.body_pose)
        defaults = {
            "visible": torch.ones(frames, dtype=torch.bool),
            "confidence": torch.ones(frames),
            "contacts": torch.zeros(frames, 2, dtype=torch.bool),
            "bridged": torch.zeros(frames, dtype=torch.bool),
            "joint_confidence": torch.ones(frames, 24),
        }
        for name, value in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        if self.betas.shape != (10,):
            raise InputError(f"A motion needs 10 shape values (betas), got {tuple(self.betas.shape)}.")
        for name, shape in PER_FRAME.items():
            self._check(name, (frames, *shape))
        if not torch.isfinite(self.betas).all():
            raise InputError("The shape values (betas) of the motion hold NaN or infinity.")

    def _check(self, name: str, shape: tuple[int, ...]):
        value = getattr(self, name)
        if value is None:
            return
        if tuple(value.shape) != shape:
            hint = " 69 values are 23 joints of SMPL's body." if name == "body_pose" else ""
            raise InputError(f"{name} of a motion must be {shape}, got {tuple(value.shape)}.{hint}")
        if value.is_floating_point() and not torch.isfinite(value).all():
            frame = int((~torch.isfinite(value)).reshape(len(value), -1).any(1).nonzero()[0, 0])
            raise InputError(f"{name} of the motion holds NaN or infinity, first in frame {frame}. Export it again.")

    @property
    def frames(self) -> int:
        return len(self.body_pose)

    def pose(self) -> Tensor:
        """All 24 rotations, (F, 24, 3) axis-angle."""
        return torch.cat([self.global_orient, self.body_pose], 1).unflatten(1, (24, 3))

    def with_pose(self, pose: Tensor) -> Person:
        """The same person with other rotations, (F, 24, 3)."""
        flat = pose.flatten(1)
        return replace(self, global_orient=flat[:, :3], body_pose=flat[:, 3:])

    def index(self, frames) -> Person:
        """The person at some frames: a slice, or a tensor of frame numbers."""
        kept = {name: getattr(self, name) for name in PER_FRAME}
        return replace(self, **{name: None if value is None else value[frames] for name, value in kept.items()})

    def to(self, device) -> Person:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: v.to(device) for name, v in values.items() if isinstance(v, Tensor)})
