"""Motions of data sets and estimators that pickle SMPL's parameters: AIST++, 3DPW, GLAMR and ROMP.

Read as arrays by the pickle reader that runs nothing; here they only become motions.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..body.person import Person
from ..errors import InputError
from ..geometry.camera import Camera
from .amass import AVERAGE_PELVIS, choose_body_up, rotate_world
from .cameras import camera_in_front
from .motion import Motion
from .upright import up_matrix
from .values import as_numbers, check_shape, lens_from_intrinsics, mean_betas, read_values


AIST_FPS, PW3D_FPS, VIDEO_FPS = 60.0, 30.0, 30.0  # of AIST++, of 3DPW's pictures, and where nothing is said
ROMP_SIZE, ROMP_FOCAL = 512, 443.4  # pixels: ROMP sees a square of 512 with 60 degrees across (Sun et al. 2021)
FLIP = (1.0, -1.0, -1.0)  # the camera's axes (y down, z forward) to the world's
WORLD_TRUST = 0.5  # how much the convention of a data set's world counts, see upright.py


def is_aist(tree: Mapping) -> bool:
    """Whether this is a motion of AIST++."""
    return {"smpl_poses", "smpl_trans"} <= set(tree)


def is_3dpw(tree: Mapping) -> bool:
    """Whether this is a sequence of 3DPW."""
    return {"poses", "trans", "cam_poses"} <= set(tree)


def is_glamr(tree: Mapping) -> bool:
    """Whether this is a result of GLAMR."""
    return "person_data" in tree


def is_romp(tree: Mapping) -> bool:
    """Whether this is a result of ROMP: one picture's, or a dictionary of those of all frames."""
    first = next(iter(tree.values()), None)
    return "smpl_thetas" in tree or (isinstance(first, Mapping) and "smpl_thetas" in first)


def motion_from_aist(tree: Mapping, *, name: str, up: str = "auto") -> Motion:
    """AIST++ (Li et al. 2021): smpl_poses (F, 72), smpl_trans (F, 3) in units of smpl_scaling, 60 frames a second.

    Raises InputError naming `name`.
    """
    poses, trans = (read_values(tree, key, name) for key in ("smpl_poses", "smpl_trans"))
    scaling = float(as_numbers(tree.get("smpl_scaling", 1.0), "smpl_scaling", name).reshape(-1)[0])
    if not scaling > 0:
        raise InputError(f"smpl_scaling in {name} must be above 0, got {scaling:g}.")
    poses = poses.flatten(1) if poses.ndim == 3 else poses
    _check_body(poses, trans, name)
    return _make_motion(torch.zeros(10), poses, trans / scaling, AIST_FPS, convention=1, name=name, up=up)


def motion_from_3dpw(tree: Mapping, *, name: str, up: str = "auto") -> Motion:
    """3DPW (von Marcard et al. 2018): the first person, seen by the camera that filmed them, 30 frames a second.

    Raises InputError naming `name`.
    """
    poses, trans = (as_numbers(tree[key][0], key, name) for key in ("poses", "trans"))
    _check_body(poses, trans, name)
    cameras = read_values(tree, "cam_poses", name)
    check_shape(cameras, (len(poses), 4, 4), "cam_poses", name)
    betas = mean_betas({"betas": tree["betas"][0]} if tree.get("betas") is not None else {}, "betas", name)
    if "cam_intrinsics" not in tree:
        return _make_motion(betas, poses, trans, PW3D_FPS, convention=1, name=name, up=up)
    lens = lens_from_intrinsics(tree["cam_intrinsics"], name)
    return _make_motion(
        betas, poses, trans, PW3D_FPS, convention=1, name=name, up=up, camera_from_world=cameras, lens=lens
    )


def motion_from_glamr(tree: Mapping, *, name: str, up: str = "auto") -> Motion:
    """GLAMR (Yuan et al. 2022): the person that is seen in most frames, in a world with Z up, and the camera.

    Raises InputError naming `name`.
    """
    people = list(tree["person_data"].values())
    if not people:
        raise InputError(f"Nobody was found in {name}.")
    person = max(people, key=lambda each: len(each["smpl_pose"]))
    pose, orient, root = (
        read_values(person, key, name) for key in ("smpl_pose", "smpl_orient_world", "root_trans_world")
    )
    check_shape(pose, (len(orient), 69), "smpl_pose", name)
    poses, trans = torch.cat([orient, pose], 1), root - torch.tensor(AVERAGE_PELVIS)
    _check_body(poses, trans, name)
    betas = mean_betas(person, "smpl_beta", name)
    cameras = tree.get("cam_pose")
    matrix = person.get("cam_K", tree.get("cam_K"))
    if cameras is None or matrix is None:
        return _make_motion(betas, poses, trans, VIDEO_FPS, convention=2, name=name, up=up)
    cameras = as_numbers(cameras, "cam_pose", name)
    check_shape(cameras, (len(poses), 4, 4), "cam_pose", name)
    lens = lens_from_intrinsics(matrix, name)
    return _make_motion(
        betas, poses, trans, VIDEO_FPS, convention=2, name=name, up=up, camera_from_world=cameras, lens=lens
    )


def motion_from_romp(tree: Mapping, *, name: str) -> Motion:
    """ROMP (Sun et al. 2021): one person through all frames, in the space of the camera, which stands in the origin.

    Where several people are seen, the one that stands closest to where the person was before. Raises InputError.
    """
    frames = [tree] if "smpl_thetas" in tree else [tree[key] for key in sorted(tree, key=str)]
    poses, places, betas = [], [], []
    for frame in frames:
        thetas, trans, shape = (as_numbers(frame[key], key, name) for key in ("smpl_thetas", "cam_trans", "smpl_betas"))
        check_shape(thetas, (len(trans), 72), "smpl_thetas", name)
        check_shape(trans, (len(thetas), 3), "cam_trans", name)
        chosen = int((trans - places[-1]).norm(dim=1).argmin()) if places else 0
        poses.append(thetas[chosen]), places.append(trans[chosen]), betas.append(shape[chosen])
    poses, places = torch.stack(poses), torch.stack(places)
    flip = torch.diag(torch.tensor(FLIP))
    root, transl = rotate_world(poses[:, :3], places, flip)
    betas = mean_betas({"betas": torch.stack(betas)}, "betas", name)
    person = Person(betas, root, poses[:, 3:], transl, body="smpl")
    camera = Camera.for_size(ROMP_SIZE, ROMP_SIZE, focal=ROMP_FOCAL)
    return Motion((person,), VIDEO_FPS, camera)


def _check_body(poses: Tensor, trans: Tensor, name: str):
    if not len(poses):
        raise InputError(f"{name} has no frames. Choose another file.")
    check_shape(poses, (len(poses), 72), "poses", name)
    check_shape(trans, (len(poses), 3), "trans", name)


def _make_motion(
    betas: Tensor,
    poses: Tensor,
    trans: Tensor,
    fps: float,
    *,
    convention: int,
    name: str,
    up: str,
    camera_from_world: Tensor | None = None,
    lens: Camera | None = None,
) -> Motion:
    """SMPL's parameters (F, 72) and (F, 3) in a world whose up is found, with the file's camera or one in front."""
    axis, sign, note = choose_body_up(poses, trans, convention=convention, trust=WORLD_TRUST, up=up)
    yup_from_file = up_matrix(axis, sign)
    root, transl = rotate_world(poses[:, :3], trans, yup_from_file)
    person = Person(betas, root, poses[:, 3:], transl, body="smpl")
    notes = (f"{name}: {note}",) if note else ()
    if camera_from_world is None or lens is None:
        return Motion((person,), fps, camera_in_front(person), notes=notes)
    matrix = camera_from_world.clone()
    matrix[:, :3, :3] = camera_from_world[:, :3, :3] @ yup_from_file.T
    return Motion((person,), fps, Camera(lens.focal, lens.center, lens.size, matrix), notes=notes)
