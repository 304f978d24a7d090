"""AMASS's form of a motion (Mahmood et al. 2019): one body per file, SMPL-H, SMPL-X or SMPL, usually with Z up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..body.person import Person
from ..body.skeleton import JOINT
from ..errors import InputError
from ..geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from .cameras import camera_in_front
from .joints import world_joints
from .motion import Motion
from .upright import UP_AXES, UP_CHOICES, find_up, up_matrix
from .values import check_shape, find_rate_name, mean_betas, read_rate, read_values


BODIES = {72: "smpl", 156: "smplh", 165: "smplx"}  # by the values of a pose
JAW_AND_EYES = slice(66, 75)  # of SMPL-X
AVERAGE_PELVIS = (0.0, -0.22, 0.028)  # metres, the pelvis of an average body in rest
ROOTS, PARTS = ("root_orient", "global_orient"), ("pose_body", "body_pose")
PLACES = ("trans", "transl")
HANDS = ("left_hand_pose", "right_hand_pose")
Z_UP_TRUST = 1.25  # how much it counts that AMASS has Z up, see upright.py: more than that somebody stands along Y
KEYS = ("poses", *ROOTS, *PARTS, "pose_hand", *HANDS, *PLACES, "betas")


def is_amass(arrays: Mapping) -> bool:
    """Whether these are AMASS's arrays: poses, or the parts of them that SMPL-X files have."""
    has_root, has_rate = any(root in arrays for root in ROOTS), find_rate_name(arrays) is not None
    is_seen = any(str(key).endswith("_incam") for key in arrays)  # GVHMR has the same names
    return (
        "poses" in arrays or has_root and ("pose_body" in arrays or "body_pose" in arrays and has_rate and not is_seen)
    )


def motion_from_amass(arrays: Mapping[str, np.ndarray], *, name: str, up: str = "auto") -> Motion:
    """A motion from AMASS's arrays: poses (F, 72, 156 or 165), trans (F, 3), betas (10 or more), a frame rate.

    Without poses, root_orient (F, 3) and pose_body (F, 63), with pose_hand (F, 90) where it is there. Betas may stand
    once or in every frame. The world is turned so that Y is up; `up` says which axis it is in the file, auto finds it.
    Gender is ignored; of the shape values the first 10 count. AMASS has no camera: one is put in front of the body, far
    enough to see all of its path. Raises InputError naming `name`.
    """
    if up not in UP_CHOICES:
        raise InputError(f"Unknown axis {up!r} for up. Choose one of {', '.join(UP_CHOICES)}.")
    poses, hands, body = _read_poses(arrays, name)
    key = next((key for key in PLACES if key in arrays), "trans")
    trans = read_values(arrays, key, name)
    if not len(poses):
        raise InputError(f"{name} has no frames. Choose another file.")
    check_shape(trans, (len(poses), 3), f"{key} beside {len(poses)} poses", name)
    if "betas" not in arrays:
        raise InputError(f"{name} has no 'betas'. An AMASS file has poses, trans, betas and a frame rate.")
    fps = read_rate(arrays, name)
    betas = mean_betas(arrays, "betas", name)
    axis, sign, note = choose_body_up(poses, trans, convention=2, trust=Z_UP_TRUST, up=up)
    root, transl = rotate_world(poses[:, :3], trans, up_matrix(axis, sign))
    person = Person(betas, root, poses[:, 3:72], transl, **hands, body=body)
    notes = (f"{name}: {note}",) if note else ()
    return Motion((person,), fps, camera_in_front(person), notes=notes)


def _read_poses(arrays: Mapping[str, np.ndarray], name: str) -> tuple[Tensor, dict[str, Tensor], str]:
    """Rotations (F, 72), those of the hands (F, 45) each, and which body they belong to."""
    if "poses" in arrays:
        poses = read_values(arrays, "poses", name)
        poses = poses.flatten(1) if poses.ndim == 3 else poses
        if poses.ndim != 2 or poses.shape[1] not in BODIES:
            raise InputError(
                f"poses in {name} is {tuple(poses.shape)}. Expected 72 (SMPL), 156 (SMPL-H) or 165 (SMPL-X) values a "
                "frame."
            )
        body = BODIES[poses.shape[1]]
        if body == "smpl":
            return poses, {}, body
        if body == "smplx":
            poses = torch.cat([poses[:, : JAW_AND_EYES.start], poses[:, JAW_AND_EYES.stop :]], 1)
        return _pad_hands(poses[:, :66]), dict(zip(HANDS, poses[:, 66:].split(45, 1), strict=True)), body
    root = read_values(arrays, next(key for key in ROOTS if key in arrays), name)
    pose = read_values(arrays, next(key for key in PARTS if key in arrays), name)
    root, pose = root.flatten(1), pose.flatten(1)
    if pose.ndim != 2 or pose.shape[1] not in (63, 69):
        raise InputError(f"The body's pose in {name} is {tuple(pose.shape)}; 63 or 69 values a frame are expected.")
    check_shape(root, (len(pose), 3), "root_orient", name)
    hands = {}
    if "pose_hand" in arrays:
        pair = read_values(arrays, "pose_hand", name)
        check_shape(pair, (len(pose), 90), "pose_hand", name)
        hands = dict(zip(HANDS, pair.split(45, 1), strict=True))
    elif all(key in arrays for key in HANDS):
        hands = {key: read_values(arrays, key, name) for key in HANDS}
        hands = hands if all(hand.shape == (len(pose), 45) for hand in hands.values()) else {}
    whole = torch.cat([root, pose], 1)
    return (_pad_hands(whole) if whole.shape[1] == 66 else whole), hands, "smplx"


def _pad_hands(poses: Tensor) -> Tensor:
    return torch.cat([poses, poses.new_zeros(len(poses), 6)], 1)


def choose_body_up(
    poses: Tensor, trans: Tensor, *, convention: int, trust: float, up: str = "auto"
) -> tuple[int, float, str]:
    """The axis and sign of up of SMPL's parameters (F, 72) and (F, 3), and a word where it is not `convention`.

    `up` names the axis; auto finds it.
    """
    if up != "auto":
        return UP_AXES.index(up), 1.0, ""
    joints = world_joints(Person(torch.zeros(10), poses[:, :3], poses[:, 3:72], trans))
    hips, feet = (
        joints[:, [JOINT[f"{side}_{name}"] for side in ("left", "right")]].mean(1) for name in ("hip", "ankle")
    )
    reach = torch.stack([joints.amin(1), joints.amax(1)], -1)
    if not trans.any():
        reach = torch.full_like(reach, torch.nan)  # on the spot in the origin: no floor is known
    return find_up(joints[:, JOINT["head"]], hips, feet, reach, convention=convention, trust=trust)


def rotate_world(root: Tensor, transl: Tensor, yup_from_file: Tensor) -> tuple[Tensor, Tensor]:
    """Turn SMPL's root (F, 3) and shift (F, 3) into another world.

    The root rotates about the pelvis, not about the origin, so the shift depends on where the pelvis is. A body at rest
    whose pelvis lies in the origin keeps it there.
    """
    pelvis = torch.tensor(AVERAGE_PELVIS)
    return (
        axis_angle_from_matrix(yup_from_file @ matrix_from_axis_angle(root)),
        (transl + pelvis) @ yup_from_file.T - pelvis,
    )
