"""Whether the body that was fitted to a character's picture can be believed."""

from __future__ import annotations

import math

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.head import grow_head
from ..body.model import free_body
from ..body.skeleton import JOINT
from ..motion.motion import Motion
from ..pose.unseen import SEEN_CONFIDENCE
from .proportions import FittedBody, draw_body, measure_head_growth
from .stance import CARTOON_HEAD, measure_leg_share


LARGEST_OUTSIDE = 0.16  # share of the drawn body that may lie outside the matte
SIDE_VIEW = 60.0  # degrees that the trunk may be turned away from the camera, or from straight away from it
PROFILE = 50.0  # degrees that the head may be turned: beyond it the half of a face is not seen
SITTING = 65.0  # degrees that both thighs may be lifted from the trunk's way down
LEAST_THIGH = 0.55  # of their length that thighs must be seen: who sits shows less
CROSSED_DEPTH = 0.08  # meters that both forearms lie before the chest, between the shoulders, if arms are crossed


def doubt_fit(motion: Motion, matte: NDArray) -> str | None:
    """Why the body of a motion of one frame, fitted to a matte (H, W) uint8, should not carry the picture; or None.

    What one picture hides of such a figure no body brings back: its other side, thighs that point at the camera, a
    chest under crossed arms, legs of unknown length under a large head.
    """
    fitted = FittedBody.of(motion)
    growth = measure_head_growth(fitted, matte)
    outside = _measure_outside(fitted, growth, matte)
    if outside > LARGEST_OUTSIDE:
        return f"{outside:.0%} of the fitted body lie outside the figure"
    if growth >= CARTOON_HEAD and not shows_hips(motion):
        return f"its head is {growth:.1f} times as large as the body's, and its hips are not found"
    at = {name: fitted.joints[number] for name, number in JOINT.items()}
    across = at["left_shoulder"] - at["right_shoulder"]
    turn = math.degrees(math.atan2(abs(float(across[2])), abs(float(across[0]))))
    if turn > SIDE_VIEW:
        return f"it is seen from the side, turned by {turn:.0f} degrees"
    profile = _measure_profile(motion)
    if profile > PROFILE:
        return f"its face is seen from the side, turned by {profile:.0f} degrees"
    lifted = min(_measure_lift(at, side) for side in ("left", "right"))
    if lifted > SITTING and shows_hips(motion) and measure_leg_share(fitted.joints, growth) == 1:
        return f"it sits or crouches, with thighs lifted by {lifted:.0f} degrees"
    thighs = max(_seen_share(at[f"{side}_hip"], at[f"{side}_knee"]) for side in ("left", "right"))
    if thighs < LEAST_THIGH and measure_leg_share(fitted.joints, growth) == 1:
        return f"its thighs are {thighs:.0%} as long as the body's, because it sits or crouches"
    if _has_crossed_arms(at):
        return "its arms are crossed in front of it"
    return None


def shows_hips(motion: Motion) -> bool:
    """Whether a hip of a motion's first person is seen in its first frame."""
    confidence = motion.person.joint_confidence[0]
    return bool(max(confidence[JOINT["left_hip"]], confidence[JOINT["right_hip"]]) >= SEEN_CONFIDENCE)


def _measure_outside(fitted: FittedBody, head_growth: float, matte: NDArray) -> float:
    """The share of the drawn body, with the head as large as it is shown, that lies outside a matte (H, W) uint8."""
    drawn = fitted.mask
    if head_growth != 1:
        drawn = draw_body(grow_head(free_body(), fitted.vertices, head_growth), fitted.camera)
    return float((drawn & (matte < 128)).sum() / max(drawn.sum(), 1))


def _measure_profile(motion: Motion) -> float:
    """How far the head of a motion's first frame is turned away from the camera or straight away from it, degrees."""
    head = free_body().pose(motion.person).transforms[0, JOINT["head"], :3, :3]
    across = motion.camera.extrinsics()[0, :3, :3] @ head[:, 0]
    return math.degrees(math.atan2(abs(float(across[2])), abs(float(across[0]))))


def _measure_lift(at: dict[str, Tensor], side: str) -> float:
    """Degrees between a thigh and the trunk's way down."""
    thigh, down = at[f"{side}_knee"] - at[f"{side}_hip"], at["pelvis"] - at["neck"]
    return math.degrees(math.acos(float(torch.cosine_similarity(thigh, down, dim=0).clamp(-1, 1))))


def _seen_share(start: Tensor, end: Tensor) -> float:
    way = end - start
    return float(way[:2].norm() / way.norm().clamp_min(1e-6))


def _has_crossed_arms(at: dict[str, Tensor]) -> bool:
    """Whether each wrist lies before the chest beyond its middle, on the other arm's side."""
    middle = (at["left_shoulder"] + at["right_shoulder"]) / 2
    across = torch.nn.functional.normalize(at["left_shoulder"] - middle, dim=0)
    down = torch.nn.functional.normalize(at["pelvis"] - at["neck"], dim=0)
    crossed = []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        wrist = at[f"{side}_wrist"] - middle
        before = float(middle[2] - at[f"{side}_wrist"][2])
        trunk = float((at["pelvis"] - at["neck"]).norm())
        crossed.append(sign * float(wrist @ across) < 0 and before > CROSSED_DEPTH and 0 < float(wrist @ down) < trunk)
    return all(crossed)
