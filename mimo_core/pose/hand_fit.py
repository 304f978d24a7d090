"""The hand of the free body brought onto 21 points: what bends only one way cannot point at the camera and away alike.

The network's points are exact in the picture and guesses in depth. A hand of known bones is fitted to the picture, its
depth leans on the guess. Levenberg-Marquardt on 31 numbers a frame, with differences for derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..body.fingers import BONES, FINGERS, HandRig
from ..geometry.rotations import matrix_from_axis_angle


FIRST_POINTS = {"index": 5, "middle": 9, "pinky": 17, "ring": 13, "thumb": 1}  # the first joint's point of each finger
HAND_POINTS = 21  # MediaPipe's: the wrist, then thumb, index, middle, ring and pinky, four points each
ANGLES = 4 * (len(FINGERS) - 1) + 3 * BONES  # spread and three bends of every finger, three turns of the thumb
PLACE = 6  # the palm's turn, its size, its place in the picture
# Radians: how far knuckle, middle and end joint bend; the knuckle also bends back a little.
BEND_LIMITS = ((-0.5, 1.7), (0.0, 1.9), (0.0, 1.3))
SPREAD_LIMIT, THUMB_LIMIT = 0.35, 1.0
USUAL_BENDS, BEND_SPREAD = (0.3, 0.5, 0.3), (1.0, 1.0, 0.57)
TWIST_SPREAD = 0.25  # of a thumb's turns and of fingers' spread
LIMIT_SIGMA = 0.08  # radians: how far a joint may be pushed past where it stops
# Meters. 46 pictures of the free body's hands: fingertips 47.6 -> 20.4 mm off, hidden ones too (2026-11-27).
PICTURE_SIGMA, DEPTH_SIGMA = 0.005, 0.01
STEPS = 12
DAMPING = 1e-3  # of the diagonal
DIFFERENCE = 1e-4  # radians, and shares of the size


@dataclass(frozen=True, eq=False)
class HandModel:
    """Points of one hand of the free body as a function of its angles."""

    wrist: Tensor  # (3,)
    joints: Tensor  # (15, 3)
    bones: Tensor  # (15, 3) straight
    axes: Tensor  # (4, 3, 3): along, up and across of every finger but the thumb

    @classmethod
    def of(cls, rig: HandRig, joints: Tensor, wrist: Tensor) -> HandModel:
        bones = (rig.straight @ rig.bones[..., None])[..., 0].double()
        axes = torch.stack([torch.stack(finger_axes(rig, finger)) for finger in range(len(FINGERS) - 1)])
        return cls(wrist.double(), joints.double(), bones, axes)

    def turns(self, angles: Tensor) -> Tensor:
        """Rotations (F, 15, 3, 3), each relative to the joint before, under angles (F, ANGLES)."""
        fingers = angles[:, :16].unflatten(1, (4, 4))
        bends = matrix_from_axis_angle(fingers[..., 1:, None] * self.axes[:, None, 2])  # (F, 4, 3, 3, 3)
        spread = matrix_from_axis_angle(fingers[..., 0, None] * self.axes[:, 1])
        bends = torch.cat([(spread @ bends[:, :, 0])[:, :, None], bends[:, :, 1:]], 2)
        thumb = matrix_from_axis_angle(angles[:, 16:].unflatten(1, (BONES, 3)))
        return torch.cat([bends.flatten(1, 2), thumb], 1)

    def points(self, angles: Tensor) -> Tensor:
        """Points (F, 21, 3) at rest of the palm."""
        turns = self.turns(angles)
        found: list[Tensor] = [self.wrist.expand(len(angles), 3)] * HAND_POINTS
        for finger, name in enumerate(FINGERS):
            place, frame = self.joints[BONES * finger].expand(len(angles), 3), None
            for joint in range(BONES):
                number = BONES * finger + joint
                found[FIRST_POINTS[name] + joint] = place
                frame = turns[:, number] if frame is None else frame @ turns[:, number]
                place = place + frame @ self.bones[number]
            found[FIRST_POINTS[name] + BONES] = place
        return torch.stack(found, 1)


def finger_axes(rig: HandRig, finger: int) -> tuple[Tensor, Tensor, Tensor]:
    """Along a straight finger at rest, out of the back of the hand, and the axis about which it bends; (3) each."""
    first = BONES * finger
    along = normalize((rig.straight[first] @ rig.bones[first]).double(), dim=0)
    up = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    up = normalize(up - (up @ along) * along, dim=0)
    return along, up, torch.linalg.cross(along, -up)


def fit_hands(model: HandModel, points: Tensor, palm: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Angles (F, ANGLES), palm (F, 3, 3) and misfit in meters (F,) for points (F, 21, 3), from a guess of the palm.

    Points in the world's axes, meters, x and y those of the picture; their origin and size do not matter.
    """
    points = points - points.mean(1, keepdim=True)
    angles = torch.tensor([0.0, *USUAL_BENDS] * 4 + [0.0] * 3 * BONES, dtype=torch.float64)
    values = torch.cat([torch.zeros(PLACE, dtype=torch.float64), angles]).repeat(len(points), 1)
    for _ in range(STEPS):
        residual = _weigh_misfit(model, values, points, palm)
        shifted = values[:, None] + DIFFERENCE * torch.eye(values.shape[1], dtype=torch.float64)
        wide = _weigh_misfit(
            model, shifted.flatten(0, 1), *(each.repeat_interleave(values.shape[1], 0) for each in (points, palm))
        )
        rows = (wide.unflatten(0, (len(values), -1)) - residual[:, None]).mT / DIFFERENCE  # (F, residuals, values)
        normal = rows.mT @ rows
        normal = normal + torch.diag_embed(DAMPING * normal.diagonal(dim1=1, dim2=2) + 1e-6)
        step = torch.linalg.solve(normal, -(rows.mT @ residual[..., None]))[..., 0]
        values = values + step.clamp(-0.5, 0.5)
    away = _weigh_misfit(model, values, points, palm)[:, : 2 * HAND_POINTS].unflatten(1, (HAND_POINTS, 2))
    turn = matrix_from_axis_angle(values[:, :3]) @ palm
    return values[:, PLACE:], turn, away.norm(dim=-1).mean(1) * PICTURE_SIGMA


def _weigh_misfit(model: HandModel, values: Tensor, points: Tensor, palm: Tensor) -> Tensor:
    """Residuals (F, N) over their sigmas: picture, depth, habits, limits."""
    turn = matrix_from_axis_angle(values[:, :3]) @ palm
    placed = (model.points(values[:, PLACE:]) - model.wrist) @ turn.mT * values[:, 3:4, None].exp()
    placed = placed - placed.mean(1, keepdim=True)
    away = placed - points
    flat = (away[..., :2] - values[:, None, 4:6]) / PICTURE_SIGMA
    fingers, thumb = values[:, PLACE : PLACE + 16].unflatten(1, (4, 4)), values[:, PLACE + 16 :]
    usual, spread = (torch.tensor(row, dtype=torch.float64) for row in (USUAL_BENDS, BEND_SPREAD))
    low, high = torch.tensor(BEND_LIMITS, dtype=torch.float64).T
    bends = fingers[..., 1:]
    beyond = [bends - bends.clamp(low, high), fingers[..., :1] - fingers[..., :1].clamp(-SPREAD_LIMIT, SPREAD_LIMIT)]
    parts = [
        flat,
        away[..., 2] / DEPTH_SIGMA,
        (bends - usual) / spread,
        fingers[..., 0] / TWIST_SPREAD,
        thumb / TWIST_SPREAD / 2,
        *(part / LIMIT_SIGMA for part in beyond),
        (thumb - thumb.clamp(-THUMB_LIMIT, THUMB_LIMIT)) / LIMIT_SIGMA,
    ]
    return torch.cat([part.flatten(1) for part in parts], 1)
