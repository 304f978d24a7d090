"""A character with the legs of a cartoon: how long they are, and the body that stands on them.

The fit knows no short legs: it folds those of the body, knees towards the camera and feet under the hips.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..body.limbs import LEG_BONES
from ..body.model import free_body
from ..geometry.rotations import shortest_rotations
from ..motion.legs import LEGS, apply_limb_rotations, pose_skeleton
from ..motion.motion import Motion


CARTOON_HEAD = 1.4  # times the fitted body's head: from here on short legs are the figure's own, no crouch
LEAST_FOLD = 0.85  # of their length that legs must be seen shorter to be short
SHORTEST_LEGS = 0.3
LARGEST_STEP = 0.35  # of a leg's length that feet may be nearer or farther than the hips; who sits has them nearer


def measure_leg_share(joints: Tensor, head_growth: float) -> float:
    """How long a character's legs are over those of the body fitted to it; 1 unless its head is large.

    `joints` (24, 3) are the body's in camera space, `head_growth` is how many times as large as its head the figure's
    is.
    """
    if head_growth < CARTOON_HEAD:
        return 1.0
    bones = torch.stack([joints[end] - joints[start] for start, end in LEG_BONES])
    share = float(bones[:, :2].norm(dim=1).sum() / bones.norm(dim=1).sum())
    steps = torch.stack([joints[ankle, 2] - joints[hip, 2] for hip, _, ankle in LEGS]).abs()
    leg = float(bones.norm(dim=1).sum()) / len(LEGS)
    if share > LEAST_FOLD or float(steps.max()) > LARGEST_STEP * leg:
        return 1.0
    return max(share, SHORTEST_LEGS)


def unfold_legs(motion: Motion) -> Motion:
    """The motion with thighs and shins turned into the camera's plane, each the way that it is seen."""
    body, person = free_body(), motion.person
    skeleton = pose_skeleton(body, body.betas_of(person), person)
    turn = motion.camera.extrinsics()[:, :3, :3].to(skeleton.joints)
    linear = skeleton.linear.clone()
    for start, end in LEG_BONES:
        bone = skeleton.bone(start, end)
        flat = (turn @ bone[..., None])[..., 0] * bone.new_tensor([1.0, 1.0, 0.0])
        goal = (turn.mT @ flat[..., None])[..., 0]
        linear[:, start] = shortest_rotations(bone, goal) @ linear[:, start]
    return motion.with_person(apply_limb_rotations(person, linear, body.parents))
