"""AMASS's form of a motion (Mahmood et al. 2019): one body per file, Z up, SMPL-H, SMPL-X or SMPL poses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ..body.person import Person
from ..errors import InputError
from ..geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from .cameras import camera_in_front
from .motion import Motion


RATES = ("mocap_framerate", "mocap_frame_rate", "fps")  # spellings in use
BODIES = {72: "smpl", 156: "smplh", 165: "smplx"}  # by the values of a pose
JAW_AND_EYES = slice(66, 75)  # of SMPL-X
AVERAGE_PELVIS = (0.0, -0.22, 0.028)  # metres, the pelvis of an average body in rest
Y_UP_FROM_Z_UP = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def motion_from_amass(arrays: Mapping[str, np.ndarray], *, name: str) -> Motion:
    """A motion from AMASS's arrays: poses (F, 72, 156 or 165), trans (F, 3), betas (10 or more), a frame rate.

    The world is turned from Z up to Y up. Gender is ignored; of the shape values the first 10 count. AMASS has no
    camera: one is put in front of the body, far enough to see all of its way. Raises InputError naming `name`.
    """
    poses, trans, betas = (_float(arrays, key, name) for key in ("poses", "trans", "betas"))
    if poses.ndim != 2 or poses.shape[1] not in BODIES:
        raise InputError(
            f"poses in {name} is {tuple(poses.shape)}. Expected 72 (SMPL), 156 (SMPL-H) or 165 (SMPL-X) values a frame."
        )
    if trans.shape != (len(poses), 3):
        raise InputError(f"trans in {name} is {tuple(trans.shape)}, expected ({len(poses)}, 3) like its poses.")
    if not torch.isfinite(poses).all() or not torch.isfinite(trans).all():
        raise InputError(f"{name} holds NaN or infinity. Export it again.")
    body = BODIES[poses.shape[1]]
    hands = {}
    if body != "smpl":
        if body == "smplx":
            poses = torch.cat([poses[:, : JAW_AND_EYES.start], poses[:, JAW_AND_EYES.stop :]], 1)
        hands = {"left_hand_pose": poses[:, 66:111], "right_hand_pose": poses[:, 111:156]}
        poses = torch.cat([poses[:, :66], poses.new_zeros(len(poses), 6)], 1)
    root, transl = _turned(poses[:, :3], trans, Y_UP_FROM_Z_UP)
    person = Person(_first_ten(betas), root, poses[:, 3:72], transl, **hands, body=body)
    return Motion((person,), _rate(arrays, name), camera_in_front(person))


def _turned(root: Tensor, transl: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
    """Turn the world. The root rotates about the pelvis, not about the origin, so the shift depends on where it is."""
    pelvis = torch.tensor(AVERAGE_PELVIS)
    return (
        axis_angle_from_matrix(turn @ matrix_from_axis_angle(root)),
        (transl + pelvis) @ turn.T - pelvis,
    )


def _float(arrays: Mapping[str, np.ndarray], key: str, name: str) -> Tensor:
    if key not in arrays:
        raise InputError(f"{name} has no {key!r}. An AMASS file has poses, trans, betas and a frame rate.")
    return torch.from_numpy(np.asarray(arrays[key], np.float32))


def _first_ten(betas: Tensor) -> Tensor:
    betas = betas.flatten()[:10]
    return torch.cat([betas, betas.new_zeros(10 - len(betas))])


def _rate(arrays: Mapping[str, np.ndarray], name: str) -> float:
    for spelling in RATES:
        if spelling in arrays:
            return float(arrays[spelling])
    raise InputError(f"{name} has no frame rate ({', '.join(RATES)}).")
