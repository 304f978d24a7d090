"""A motion from the 24 joints of SMPL in 3D, in closed form: bone by bone, with the twist that bends tell."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..body.height import measure_height, scale_to_height
from ..body.model import free_body
from ..body.person import Person
from ..body.skeleton import JOINT, PARENTS
from ..errors import InputError
from ..geometry.camera import Camera
from ..geometry.rotations import axis_angle_from_matrix
from ..motion.edit import smooth_motion
from ..motion.motion import Motion
from .inverse_kinematics import SIDES, STRAIGHT_SINE, frame_from_axes
from .landmarks import nearest_known


# Joints along a leg and an arm, and the bones of the trunk with their ends.
LIMB_CHAINS = (("hip", "knee", "ankle", "foot"), ("shoulder", "elbow", "wrist", "hand"))
TRUNK_BONES = (("spine1", "spine2"), ("spine2", "spine3"), ("spine3", "neck"), ("neck", "head"))
WORLD_FROM_CAMERA = (1.0, -1.0, -1.0)  # a camera in the origin that looks along -Z


def motion_from_joints(joints: Tensor, found: Tensor, camera: Camera, *, fps: float, smoothing: float = 1.0) -> Motion:
    """The motion whose joints come closest to `joints` (F, 24, 3), meters in camera space, where `found` (F,) bool.

    Directions of bones are kept; stature is told by their lengths, other proportions are average. Twist that no bend
    shows, and hands and head, follow the bone before. Convention: camera space has x right, y down, z forward: what
    lies at (0, 1, 3) there is at (0, -1, -3) in the world of the motion. Raises InputError where nobody was found.
    """
    if not found.any():
        raise InputError("Nobody was found in these poses.")
    nearest = nearest_known(found)
    places = joints[nearest].float() * torch.tensor(WORLD_FROM_CAMERA)
    betas = _betas_of_bones(places[found])
    _, rest = free_body().shape(betas)
    world = _solve_world_rotations(places, rest)
    local = world.clone()
    for joint, parent in enumerate(PARENTS[1:], 1):
        local[:, joint] = world[:, parent].mT @ world[:, joint]
    pose = axis_angle_from_matrix(local)
    still = torch.zeros(len(places), 3)
    person = Person(betas, pose[:, 0], pose[:, 1:].flatten(1), still, visible=found, confidence=found.float())
    person = replace(person, transl=(places - free_body().pose(person).joints).mean(1))
    return smooth_motion(Motion((person,), float(fps), camera), smoothing)


def _betas_of_bones(places: Tensor) -> Tensor:
    """The average build at the stature that the bones of legs and trunk tell."""
    body, betas = free_body(), torch.zeros(10)
    _, rest = body.shape(betas)
    bones = [
        (JOINT[name], PARENTS[JOINT[name]])
        for name in JOINT
        if name.split("_")[-1] in ("knee", "ankle", "elbow", "wrist")
    ]
    ours = sum(float((rest[a] - rest[b]).norm()) for a, b in bones)
    theirs = sum((places[:, a] - places[:, b]).norm(dim=1) for a, b in bones).median()
    return scale_to_height(body, betas, measure_height(body, betas) * float(theirs) / ours)


def _solve_world_rotations(places: Tensor, rest: Tensor) -> Tensor:
    """World from rest (F, 24, 3, 3)."""
    hips, shoulders = ([JOINT[f"{side}_{name}"] for side in SIDES] for name in ("hip", "shoulder"))
    world: dict[str, Tensor] = {"pelvis": _bone_rotation(places, rest, ("pelvis", "spine1"), hips)}
    for number, (name, child) in enumerate(TRUNK_BONES):
        world[name] = _bone_rotation(places, rest, (name, child), hips if number == 0 else shoulders)
    world["head"] = world["neck"]
    for side in SIDES:
        world[f"{side}_collar"] = _swing_bone(places, rest, f"{side}_collar", f"{side}_shoulder", world["spine3"])
        for limb in LIMB_CHAINS:
            above = world["pelvis"] if limb[0] == "hip" else world[f"{side}_collar"]
            world |= _limb_rotations(places, rest, [f"{side}_{name}" for name in limb], above)
    return torch.stack([world[name] for name in JOINT], 1)


def _bone_rotation(places: Tensor, rest: Tensor, bone: tuple[str, str], across: list[int]) -> Tensor:
    """The rotation (F, 3, 3) of a bone whose twist a pair of joints shows."""
    start, end = JOINT[bone[0]], JOINT[bone[1]]
    frames = [
        frame_from_axes(each[:, end] - each[:, start], each[:, across[0]] - each[:, across[1]])
        for each in (places, rest[None])
    ]
    return frames[0] @ frames[1].mT


def _swing_bone(places: Tensor, rest: Tensor, name: str, child: str, above: Tensor) -> Tensor:
    """The bone turned the shortest way from where the one above would carry it."""
    bone = above @ (rest[JOINT[child]] - rest[JOINT[name]])
    return _shortest_rotation(bone, places[:, JOINT[child]] - places[:, JOINT[name]]) @ above


def _limb_rotations(places: Tensor, rest: Tensor, names: list[str], above: Tensor) -> dict[str, Tensor]:
    """Rotations of the three bones of an arm or leg; where it bends, the bend shows how it is twisted."""
    root, middle, end, tip = (JOINT[name] for name in names)
    first, second = places[:, middle] - places[:, root], places[:, end] - places[:, middle]
    side = 1.0 if names[0].startswith("left") else -1.0
    hinge_at_rest = rest.new_tensor([1.0, 0.0, 0.0] if "hip" in names[0] else [0.0, -side, 0.0])
    swung = _swing_bone(places, rest, names[0], names[1], above)
    axis = torch.linalg.cross(normalize(first, dim=1), normalize(second, dim=1))
    fallback = swung @ hinge_at_rest
    bend = axis.norm(dim=1, keepdim=True)
    # A slight bend against the joint's own axis is a straight limb that is seen badly.
    is_bend = ((axis * fallback).sum(1, keepdim=True) > 0) | (bend > STRAIGHT_SINE)
    hinge = torch.where(is_bend, axis, 0.0) + (STRAIGHT_SINE - bend).clamp_min(1e-3) * fallback
    found = {}
    for name, bone, still in (
        (names[0], first, rest[middle] - rest[root]),
        (names[1], second, rest[end] - rest[middle]),
    ):
        at_rest = frame_from_axes(still[None], hinge_at_rest[None])
        found[name] = frame_from_axes(bone, hinge) @ at_rest.mT
    found[names[2]] = _swing_bone(places, rest, names[2], names[3], found[names[1]])
    return found | {names[3]: found[names[2]]}


def _shortest_rotation(start: Tensor, end: Tensor) -> Tensor:
    """Rotations (F, 3, 3) that turn `start` into `end`, (F, 3) each, the shortest way."""
    across = torch.linalg.cross(start, end)
    other = torch.where(across.norm(dim=1, keepdim=True) < 1e-8, torch.linalg.cross(start, start.roll(1, 1)), across)
    return frame_from_axes(end, other) @ frame_from_axes(start, other).mT
