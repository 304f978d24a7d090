"""Limbs that the picture does not show: the networks put them somewhere all the same, the body lets them hang."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from ..body.skeleton import JOINT
from ..geometry.rotations import matrix_from_axis_angle
from .blazepose import ANKLES, ELBOWS, HEELS, INDICES, KNEES, PINKIES, THUMBS, TOES, WRISTS
from .landmarks import Landmarks
from .prior import tabulate_priors


SEEN_CONFIDENCE = 0.3  # of knee or ankle; on a talking head it took frames with pops from 70 to 24 % (2026-11-27)
SEEN_ARM_CONFIDENCE = 0.1  # of elbow or wrist: the arm behind a body that is seen from the side has 0.2 to 0.5
SEEN_SECONDS = 0.5  # that it is averaged over: what passes in front of a leg for a moment does not make it hang


@dataclass(frozen=True)
class Limb:
    """An arm or a leg of BlazePose: its landmarks as pairs of left and right, the telling ones first."""

    joints: tuple[str, ...]  # of the body, that hang if it is unseen
    pairs: tuple[tuple[int, int], ...]
    seen_confidence: float


LIMBS = (
    Limb(("hip", "knee", "ankle"), (KNEES, ANKLES, HEELS, TOES), SEEN_CONFIDENCE),
    Limb(("shoulder", "elbow", "wrist"), (ELBOWS, WRISTS, INDICES, PINKIES, THUMBS), SEEN_ARM_CONFIDENCE),
)
TELLING = 2  # of a limb's landmarks: knee and ankle, elbow and wrist


def drop_unseen_limbs(landmarks: Landmarks, fps: float) -> Landmarks:
    """The same landmarks, without confidence in those of limbs (F, 33) whose middle and end joint are both unseen."""
    confidence = landmarks.confidence.clone()
    for limb in LIMBS:
        for side in range(2):
            shown = [pair[side] for pair in limb.pairs]
            seen = torch.where(landmarks.found, confidence[:, shown[:TELLING]].amax(1), 0.0)
            is_unseen = _averaged(seen, landmarks.found, fps) < limb.seen_confidence
            confidence[:, shown] = torch.where(is_unseen[:, None], 0.0, confidence[:, shown])
    return replace(landmarks, confidence=confidence)


def _averaged(values: Tensor, found: Tensor, fps: float) -> Tensor:
    """Values (F,) averaged over those of the frames around that are found (F,) bool."""
    reach = round(SEEN_SECONDS * fps / 2)
    both = torch.stack([values, found.to(values)])[:, None]
    total, count = avg_pool1d(both, 2 * reach + 1, stride=1, padding=reach)[:, 0]
    return total / count.clamp_min(1e-6)


def hang_unseen_limbs(rotations: Tensor, confidence: Tensor) -> Tensor:
    """Joint rotations (F, 24, 3, 3), those of the prior in limbs whose landmarks (F, 33) have no weight."""
    hung = rotations.clone()
    for limb in LIMBS:
        for side, name in enumerate(("left", "right")):
            joints = tuple(JOINT[f"{name}_{joint}"] for joint in limb.joints)
            is_unseen = (confidence[:, [pair[side] for pair in limb.pairs[:TELLING]]] == 0).all(1)
            usual = matrix_from_axis_angle(tabulate_priors(joints)[0])
            hung[:, joints] = torch.where(is_unseen[:, None, None, None], usual, hung[:, joints])
    return hung
