"""What a skirt gives way to and lies on, hands, forearms and lifted legs, and what it covers: a body without it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..body.model import BodyModel
from ..body.skeleton import JOINT
from .surface import ARM_JOINTS


LEG_RADIUS = 0.085  # meters that cloth lies above the bones of a lifted leg at most
FINGERS = 0.8  # of the way from wrist to knuckles that fingers reach beyond those, a little bent
CLEARANCE = 0.045  # meters that cloth is drawn under the middle of an arm or hand
NEAR, FAR = 0.06, 0.2  # meters beside an arm within which cloth gives way wholly, and at all
DEEPEST = (0.2, 0.3)  # meters that an arm may be inside the cloth; further in it lies before the body or behind it
TOP_FADE, HEM_FADE = 0.08, 0.05  # meters below a skirt's top and above its hem over which the body gets slim
OWN_SIDE = 0.05  # meters from the middle of the hips, outwards, from which an arm is on the cloth's side


@dataclass(frozen=True, eq=False)
class ArmPoints:
    """Points along both forearms, palms and fingers, (P, 3) in the rest pose, and the joints (P,) that move them."""

    places: Tensor
    joints: Tensor

    @classmethod
    def of(cls, body: BodyModel) -> ArmPoints:
        joints = body.joint_regressor @ body.template
        places, moved_by = [], []
        for side in ("left", "right"):
            elbow, wrist, hand = (JOINT[f"{side}_{name}"] for name in ("elbow", "wrist", "hand"))
            tips = joints[hand] + FINGERS * (joints[hand] - joints[wrist])
            ways = (
                (elbow, joints[elbow], joints[wrist]),
                (wrist, joints[wrist], joints[hand]),
                (hand, joints[hand], tips),
            )
            for joint, start, end in ways:
                places += [torch.lerp(start, end, share) for share in (1 / 3, 2 / 3, 1.0)]
                moved_by += [joint] * 3
        return cls(torch.stack(places), torch.tensor(moved_by))

    def posed(self, transforms: Tensor) -> Tensor:
        """World points (P, 3) under joint transforms (24, 4, 4)."""
        moved = transforms[self.joints]
        return (moved[:, :3, :3] @ self.places[..., None])[..., 0] + moved[:, :3, 3]


def slim_body(body: BodyModel, dressed: Tensor, naked: Tensor, top: float, hem: float) -> Tensor:
    """Rest vertices (V, 3) of the `dressed` body with the `naked` hips and legs between the heights of a skirt.

    The outline of the picture makes the body as wide as the skirt, which hangs on its own and gives way to hands.
    """
    height = naked[:, 1]
    share = smoothstep((top - height) / TOP_FADE) * smoothstep((height - hem) / HEM_FADE)
    share = share * (~torch.isin(body.parts, torch.tensor(ARM_JOINTS)))
    return torch.lerp(dressed, naked, share[:, None])


def sag_onto_legs(cloth: Tensor, bones: Tensor) -> Tensor:
    """World points (..., 3) of cloth that legs take along, lowered onto these where they stood up from them.

    `bones` (..., 3) are the points of the leg beside them.
    """
    above = (cloth - bones)[..., 1] - LEG_RADIUS
    return torch.cat([cloth[..., :1], (cloth[..., 1] - above.clamp_min(0))[..., None], cloth[..., 2:]], -1)


def make_room_for_arms(cloth: Tensor, outward: Tensor, arms: Tensor, middle: Tensor) -> Tensor:
    """World points (V, 3) of cloth, drawn in along `outward` (V, 3) where `arms` (P, 3) are inside or touch it.

    `middle` (3,) is that of the hips, around which the cloth hangs.
    """
    away = cloth[:, None] - arms  # (V, P, 3)
    inside = (away * outward[:, None]).sum(-1)
    beside = (away - inside[..., None] * outward[:, None]).norm(dim=-1)
    near = smoothstep((FAR - beside) / (FAR - NEAR))
    near = near * smoothstep((DEEPEST[1] - inside) / (DEEPEST[1] - DEEPEST[0]))
    near = near * ((arms - middle) @ outward.mT > OWN_SIDE).mT
    push = ((inside + CLEARANCE).clamp_min(0) * near).amax(1)
    return cloth - push[:, None] * outward


def smoothstep(value: Tensor) -> Tensor:
    """Values from 0 to 1, evened out at both ends; what lies outside counts as the nearest end."""
    value = value.clamp(0, 1)
    return value * value * (3 - 2 * value)
