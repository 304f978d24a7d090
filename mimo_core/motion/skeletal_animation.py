"""An animated skeleton of any kind, as BVH and glTF files hold it, and how it becomes a motion of our body."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..body.model import free_body
from ..body.person import Person
from ..body.skeleton import JOINT, JOINTS, PARENTS
from ..body.skinning import world_from_rest
from ..errors import InputError
from ..geometry.rotations import (
    axis_angle_from_matrix,
    matrix_from_axis_angle,
    matrix_from_quaternion,
    quaternion_from_matrix,
    slerp,
)
from .bones import LEFT_AND_RIGHT, Bones, find_bones
from .cameras import camera_in_front
from .ground import estimate_floor, find_floor_contacts, locate_soles
from .motion import Motion


# Joints whose bone points at another joint; all others keep their angle to the body at rest.
AIMED = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
UNITS = (1.0, 0.01)  # metres, in which we write GLB and BVH
SAME_SKELETON = 1e-3  # metres: joints of our own body come back to within this
NEAR_FLOOR = 0.3  # metres: a floor closer than this to 0 is meant to be 0
TENTHS = 1e-3  # relative: frame rates this close to a whole number are one


@dataclass(frozen=True, eq=False)
class SkeletalAnimation:
    """An animated skeleton. Convention: Y up, right-handed, any unit of length."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: Tensor  # (J, 3) places at rest
    rotations: Tensor  # (F, J, 3, 3) world from rest
    places: Tensor  # (F, J, 3)
    fps: float


def animation_from_motion(motion: Motion) -> SkeletalAnimation:
    """The first person's skeleton in metres, with our joint names."""
    body, person = free_body(), motion.person
    betas = body.betas_of(person)
    _, rest = body.shape(betas)
    transforms = world_from_rest(matrix_from_axis_angle(person.pose()), rest, body.parents)
    linear = transforms[..., :3, :3]
    places = (linear @ rest[..., None])[..., 0] + transforms[..., :3, 3] + person.transl[:, None]
    return SkeletalAnimation(JOINTS, PARENTS, rest, linear, places, motion.fps)


def motion_from_animation(animation: SkeletalAnimation, *, file: str) -> Motion:
    """The animation on our body, with a camera in front.

    A skeleton of our own body comes back as it was. Any other keeps the directions of its limbs; its way is scaled by
    the length of the legs, and a floor that is nearly at 0 is brought to 0. Raises InputError naming `file`.
    """
    if not torch.isfinite(animation.places).all() or not torch.isfinite(animation.rotations).all():
        raise InputError(f"{file} holds NaN or infinity. Export it again.")
    person = _own_body(animation)
    if person is None:
        person = _on_the_average_body(animation, find_bones(animation.names, animation.parents, file=file))
    floor = estimate_floor(person)
    contacts = find_floor_contacts(locate_soles(person), floor, person.visible, animation.fps)
    person = replace(person, contacts=contacts)
    return Motion((person,), animation.fps, camera_in_front(person))


def round_frame_rate(seconds: float) -> float:
    """Frames a second for a time between frames that was rounded when it was written."""
    fps = 1 / seconds
    return float(round(fps)) if abs(fps - round(fps)) < TENTHS * fps and round(fps) else fps


def _own_body(animation: SkeletalAnimation) -> Person | None:
    """The person whose skeleton this is to the millimetre, in metres or centimetres, if there is one."""
    if not set(animation.names) >= set(JOINTS):
        return None
    order = [animation.names.index(name) for name in JOINTS]
    for unit in UNITS:
        rest = animation.rest[order] * unit
        betas = _betas(rest)
        _, joints = free_body().shape(betas)
        if ((rest - rest[:1]) - (joints - joints[:1])).norm(dim=1).max() < SAME_SKELETON:
            return _person(animation.rotations[:, order], betas, animation.places[:, order[0]] * unit - joints[0])
    return None


def _betas(rest: Tensor) -> Tensor:
    """Shape values (10) whose joints come closest to `rest` (24, 3); joints depend on them linearly."""
    body = free_body()
    basis = torch.einsum("jv,vcb->jcb", body.joint_regressor.double(), body.shapedirs.double())
    mean = body.joint_regressor.double() @ body.template.double()
    matrix = (basis - basis[:1])[1:].flatten(0, 1)
    goal = ((rest.double() - rest[:1]) - (mean - mean[:1]))[1:].flatten()
    return torch.linalg.lstsq(matrix, goal[:, None]).solution[:, 0].float()


def _on_the_average_body(animation: SkeletalAnimation, bones: Bones) -> Person:
    body, betas = free_body(), torch.zeros(10)
    _, rest = body.shape(betas)
    world = _world_rotations(animation, bones, rest)
    hips = [JOINT["left_hip"], JOINT["right_hip"]]
    middle = animation.places[:, [bones.limbs["left_hip"], bones.limbs["right_hip"]]].mean(1)
    scale = _leg(rest, {name: JOINT[name] for name in bones.limbs}) / _leg(animation.places[0], bones.limbs)
    hang = world[:, 0] @ (rest[hips].mean(0) - rest[0])
    person = _person(world, betas, scale * middle - hang - rest[0])
    floor = estimate_floor(person)
    if abs(floor) < NEAR_FLOOR:
        person = replace(person, transl=person.transl - torch.tensor([0.0, floor, 0.0]))
    return person


def _person(world: Tensor, betas: Tensor, transl: Tensor) -> Person:
    local = world.clone()
    for joint, parent in enumerate(PARENTS[1:], 1):
        local[:, joint] = world[:, parent].mT @ world[:, joint]
    pose = axis_angle_from_matrix(local)
    return Person(betas=betas, global_orient=pose[:, 0], body_pose=pose[:, 1:].flatten(1), transl=transl)


def _world_rotations(animation: SkeletalAnimation, bones: Bones, rest: Tensor) -> Tensor:
    """World from rest (F, 24, 3, 3) of our joints: what the foreign bones did, after turning our rest into theirs."""
    upright = _body_frame(animation.rest, bones.limbs) @ _body_frame(rest, JOINT).mT
    turned = {"pelvis": animation.rotations[:, bones.pelvis] @ upright}
    turned |= _spine(animation, bones, upright, turned["pelvis"])
    for name, bone in bones.limbs.items():
        turned[name] = animation.rotations[:, bone] @ _aim(animation, bones, rest, name, upright) @ upright
    world = []
    for name, parent in zip(JOINTS, PARENTS, strict=True):
        world.append(turned.get(name, world[parent] if parent >= 0 else None))
    return torch.stack(world, 1)


def _spine(animation: SkeletalAnimation, bones: Bones, upright: Tensor, pelvis: Tensor) -> dict[str, Tensor]:
    """Rotations (F, 3, 3) of spine, neck and head, however many bones the foreign back has."""
    quaternions = [quaternion_from_matrix(pelvis)]
    quaternions += [quaternion_from_matrix(animation.rotations[:, bone] @ upright) for bone in bones.spine]
    turned = {}
    for number, name in enumerate(("spine1", "spine2", "spine3"), 1):
        place = number / 3 * (len(quaternions) - 1)
        low = min(int(place + 1e-6), len(quaternions) - 1)
        high = min(low + 1, len(quaternions) - 1)
        share = torch.full((len(pelvis), 1), place - low)
        turned[name] = matrix_from_quaternion(slerp(quaternions[low], quaternions[high], share))
    for name, bone in (("neck", bones.neck[0] if bones.neck else None), ("head", bones.head)):
        if bone is not None:
            turned[name] = animation.rotations[:, bone] @ upright
    return turned


def _aim(animation: SkeletalAnimation, bones: Bones, rest: Tensor, name: str, upright: Tensor) -> Tensor:
    """The shortest turn (3, 3) of our bone at rest, set upright in the foreign world, onto the foreign one."""
    side, _, joint = name.partition("_")
    child = f"{side}_{AIMED.get(joint)}"
    if joint not in AIMED or child not in bones.limbs:
        return torch.eye(3)
    ours = upright @ (rest[JOINT[child]] - rest[JOINT[name]])
    theirs = animation.rest[bones.limbs[child]] - animation.rest[bones.limbs[name]]
    return shortest_rotation(ours, theirs)


def shortest_rotation(start: Tensor, end: Tensor) -> Tensor:
    """The rotation (3, 3) that turns direction `start` (3,) into `end` (3,)."""
    axis = torch.linalg.cross(start, end)
    angle = torch.atan2(axis.norm(), start @ end)
    if float(axis.norm()) < 1e-9:
        return torch.eye(3)
    return matrix_from_axis_angle(normalize(axis, dim=0) * angle)


def _body_frame(places: Tensor, limbs: dict[str, int]) -> Tensor:
    """Columns left, up, front (3, 3) of a body at rest, from its hips and shoulders."""
    hips, shoulders = ([places[limbs[f"{side}_{joint}"]] for side in LEFT_AND_RIGHT] for joint in ("hip", "shoulder"))
    left = (hips[0] - hips[1]) + (shoulders[0] - shoulders[1])
    left = left - left.new_tensor([0.0, left[1], 0.0])  # both stand on level ground
    left = normalize(left, dim=0)
    up = left.new_tensor([0.0, 1.0, 0.0])
    return torch.stack([left, up, torch.linalg.cross(left, up)], 1)


def _leg(places: Tensor, limbs: dict[str, int]) -> float:
    """Mean length of a leg: thigh, and shin if its end is known."""
    length = 0.0
    for side in LEFT_AND_RIGHT:
        line = [places[limbs[f"{side}_{joint}"]] for joint in ("hip", "knee", "ankle") if f"{side}_{joint}" in limbs]
        length += sum(float((b - a).norm()) for a, b in zip(line, line[1:], strict=False)) / 2
    if length <= 0:
        raise InputError("The skeleton's legs have no length. Export it again with its bones' offsets.")
    return length
