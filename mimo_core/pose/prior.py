"""What joints like to do and cannot do, by hand; no motion capture data went into it.

Convention: rotation vectors of SMPL joints in rest pose T, radians. Legs and spine bend about X (a knee forward of the
heel is positive, a hip raised to the front negative), the arms lie along X, so the left elbow bends about -Y and the
left arm drops about -Z. The table holds the left side; the right one has Y and Z turned round.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..body.skeleton import JOINTS, MIRRORED_JOINT


Axes = tuple[float, float, float]


@dataclass(frozen=True)
class JointPrior:
    """A joint's usual rotation, how far it strays from it, and where it stops."""

    usual: Axes
    spread: Axes
    low: Axes
    high: Axes


JOINT_PRIORS = {
    "left_hip": JointPrior((-0.15, 0.0, 0.05), (0.8, 0.4, 0.35), (-2.4, -0.8, -0.7), (0.8, 0.8, 1.2)),
    "left_knee": JointPrior((0.2, 0.0, 0.0), (1.0, 0.15, 0.06), (-0.05, -0.4, -0.15), (2.7, 0.4, 0.15)),
    "left_ankle": JointPrior((0.0, 0.0, 0.0), (0.4, 0.25, 0.2), (-0.8, -0.5, -0.5), (1.0, 0.5, 0.5)),
    "spine1": JointPrior((0.05, 0.0, 0.0), (0.2, 0.15, 0.12), (-0.4, -0.5, -0.4), (0.8, 0.5, 0.4)),
    "spine2": JointPrior((0.05, 0.0, 0.0), (0.2, 0.2, 0.12), (-0.4, -0.5, -0.4), (0.7, 0.5, 0.4)),
    "spine3": JointPrior((0.0, 0.0, 0.0), (0.15, 0.2, 0.12), (-0.4, -0.5, -0.4), (0.6, 0.5, 0.4)),
    "neck": JointPrior((0.0, 0.0, 0.0), (0.3, 0.35, 0.2), (-0.8, -0.8, -0.5), (0.8, 0.8, 0.5)),
    "head": JointPrior((0.0, 0.0, 0.0), (0.3, 0.35, 0.2), (-0.7, -0.8, -0.5), (0.7, 0.8, 0.5)),
    "left_collar": JointPrior((0.0, 0.0, 0.0), (0.1, 0.12, 0.15), (-0.3, -0.5, -0.3), (0.3, 0.4, 0.6)),
    "left_shoulder": JointPrior((0.0, 0.0, -1.3), (0.5, 0.8, 0.9), (-1.8, -2.2, -1.9), (1.8, 1.2, 1.6)),
    "left_elbow": JointPrior((0.0, -0.5, 0.0), (0.5, 1.2, 0.1), (-1.6, -2.7, -0.2), (1.6, 0.05, 0.2)),
    "left_wrist": JointPrior((0.0, 0.0, 0.0), (0.5, 0.25, 0.35), (-1.5, -0.7, -1.3), (1.5, 0.7, 1.3)),
}
UNLIMITED = JointPrior((0.0,) * 3, (1e6,) * 3, (-1e6,) * 3, (1e6,) * 3)
LIMIT_SIGMA = 0.08  # radians: how far a joint may be pushed past where it stops
# Radians past where it stops, from which landmarks are believed rather than the table (Geman-McClure): a skater whose
# leg points up was otherwise fitted with both legs up, the standing one far from its landmarks.
LIMIT_OUTLIER = 0.3


def tabulate_priors(joints: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(usual, spread, low, high) of `joints`, each (len(joints), 3). A joint without a habit is free."""
    rows = [_prior_of_joint(joint) for joint in joints]
    fields = ("usual", "spread", "low", "high")
    return tuple(torch.tensor([getattr(row, name) for row in rows], dtype=torch.float64) for name in fields)


def _prior_of_joint(joint: int) -> JointPrior:
    name = JOINTS[joint]
    if not name.startswith("right"):
        return JOINT_PRIORS.get(name, UNLIMITED)
    left = JOINT_PRIORS.get(JOINTS[MIRRORED_JOINT[joint]], UNLIMITED)
    (ux, uy, uz), (lx, ly, lz), (hx, hy, hz) = left.usual, left.low, left.high
    return JointPrior((ux, -uy, -uz), left.spread, (lx, -hy, -hz), (hx, -ly, -lz))
