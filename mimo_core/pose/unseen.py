"""Limbs and heads that the picture does not show: networks put them somewhere all the same, the body lets them hang."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import avg_pool1d

from ..body.skeleton import JOINT
from ..geometry.rotations import matrix_from_axis_angle
from .blazepose import ANKLES, ELBOWS, HEELS, HIPS, INDICES, KNEES, NOSE, PINKIES, SHOULDERS, THUMBS, TOES, WRISTS
from .hands import HandPair, plan_region
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
FINGER_POINTS = (INDICES, PINKIES, THUMBS)
# Pixels: side of a hand's square from which on the hand network sees a hand that is there. Wrists of 36 clips that the
# body's network is sure of: of smaller ones 30 % have a presence below 0.1, of these 46 of 230, all in 9 clips whose
# hands are outside the picture, behind something or a collar (2026-11-28).
LARGE_REGION = 110.0
HAND_PRESENCE = (0.1, 0.3)  # of a large hand, averaged over SEEN_SECONDS: nobody's below, surely somebody's above
# Of elbow and wrist, averaged as well: an arm that is seen ends in a fist in a glove, a mitten or behind what it holds.
# In 12 clips of half bodies, 10 frames of each, 11 of 133 large hands are so, all of them rightly (2026-11-28).
ARM_CONFIDENCE = (0.3, 0.5)
OFTEN_COVERED = 0.25  # share of the frames of a large hand: if it is so in so many, it is covered in the others as well
FACE = list(range(11))  # BlazePose's landmarks of the face
HEAD_RISE = 0.5  # of the trunk above the shoulders: the middle of a head,
LOWEST_NOSE = 0.2  # and a nose that is not bowed
FACE_CONFIDENCE = 0.5  # of a nose that is seen
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


def doubt_wrists(landmarks: Landmarks, hands: Sequence[HandPair], fps: float) -> Landmarks:
    """The same landmarks (F, 33), without confidence in wrists and fingers so large that a hand would have been seen,
    where none was in the frames around: collars, sleeves and things are taken for hands. The wrist of an arm that is
    seen up to there is believed all the same, and where that is often so, always."""
    confidence = landmarks.confidence.clone()
    for side in range(2):
        poses = [pair[side] for pair in hands]
        is_large = torch.tensor(
            [
                pose is not None and plan_region(pixels, side).size >= LARGE_REGION
                for pose, pixels in zip(poses, landmarks.pixels.numpy(), strict=True)
            ]
        )
        presence = torch.tensor([0.0 if pose is None else pose.presence for pose in poses])
        shown = _share(_averaged(torch.where(is_large, presence, 0.0), is_large, fps), HAND_PRESENCE)
        arm = landmarks.confidence[:, [ELBOWS[side], WRISTS[side]]].amin(1)
        wrist = torch.maximum(shown, _share(_averaged(arm, landmarks.found, fps), ARM_CONFIDENCE))
        is_covered = is_large & (arm > ARM_CONFIDENCE[1]) & (presence < HAND_PRESENCE[0])
        if is_covered.sum() > OFTEN_COVERED * is_large.sum():
            wrist = torch.ones_like(wrist)
        confidence[:, [pair[side] for pair in FINGER_POINTS]] *= torch.where(is_large, shown, 1.0)[:, None]
        confidence[:, WRISTS[side]] *= torch.where(is_large, wrist, 1.0)
    return replace(landmarks, confidence=confidence)


def _share(values: Tensor, bounds: tuple[float, float]) -> Tensor:
    """0 at the lower bound and below, 1 at the upper one and above."""
    low, high = bounds
    return ((values - low) / (high - low)).clamp(0, 1)


def doubt_faces(landmarks: Landmarks, size: tuple[int, int]) -> Landmarks:
    """The same landmarks (F, 33), without confidence in a face that was seen on the chest of somebody whose head is cut
    off by the edge of a picture of `size`, width and height. A face that is seen where it belongs in any frame, or
    whose place is in the picture, is believed: heads bow.
    """
    shoulders, hips = (landmarks.pixels[:, list(pair)].mean(1) for pair in (SHOULDERS, HIPS))
    up = shoulders - hips
    rise = ((landmarks.pixels[:, NOSE] - shoulders) * up).sum(1) / up.square().sum(1).clamp_min(1e-6)
    head = shoulders + HEAD_RISE * up
    is_cut = ((head < 0) | (head > head.new_tensor(size))).any(1)
    is_low = rise < LOWEST_NOSE
    if (landmarks.found & ~is_low & (landmarks.confidence[:, NOSE] > FACE_CONFIDENCE)).any():
        return landmarks
    confidence = landmarks.confidence.clone()
    confidence[:, FACE] = torch.where((is_cut & is_low)[:, None], 0.0, confidence[:, FACE])
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
