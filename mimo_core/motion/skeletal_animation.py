"""An animated skeleton of any kind, as BVH and glTF files hold it, and how it becomes a motion of our body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..body.model import free_body
from ..body.person import Person
from ..body.skeleton import JOINT, JOINTS, PARENTS
from ..body.skinning import world_from_rest
from ..errors import InputError
from ..geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from .aim import aim_joints, is_standing, stand_frame
from .bones import LEFT_AND_RIGHT, Bones, find_bones
from .cameras import camera_in_front
from .ground import estimate_floor, find_floor_contacts, locate_soles
from .motion import Motion
from .upright import UP_AXES, UP_CHOICES, find_up, up_matrix


UNITS = (1.0, 0.01)  # metres, in which we write GLB and BVH
SAME_SKELETON = 1e-3  # metres: joints of our own body come back to within this
NEAR_FLOOR = 0.3  # metres: a floor closer than this to 0 is meant to be 0
TENTHS = 1e-3  # relative: frame rates this close to a whole number are one
TOES_BACKWARDS = 0.8  # of 2, both feet together: toes that point further back than this are on the wrong side
FACING = 0.5  # cosine between the front of the body and an axis from which on they point the same way
HALF_TURN = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))  # about Y
Y_UP_TRUST = 0.5  # how much it counts that BVH files usually have Y up, see upright.py


@dataclass(frozen=True, eq=False)
class SkeletalAnimation:
    """An animated skeleton of J joints. Convention: right-handed, any unit of length, Y up unless found otherwise."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: Tensor | None  # (J, 3) places at rest, if there is a rest pose
    rotations: Tensor | None  # (F, J, 3, 3) world from rest, if the file says
    places: Tensor  # (F, J, 3)
    fps: float
    rest_in_world: bool = True  # the rest pose lies in the same world as the places
    up_trust: float = Y_UP_TRUST  # how much it counts that the format has Y up
    notes: tuple[str, ...] = ()  # what was unusual about the file


def animation_from_motion(motion: Motion) -> SkeletalAnimation:
    """The first person's skeleton in metres, with our joint names."""
    body, person = free_body(), motion.person
    betas = body.betas_of(person)
    _, rest = body.shape(betas)
    transforms = world_from_rest(matrix_from_axis_angle(person.pose()), rest, body.parents)
    linear = transforms[..., :3, :3]
    places = (linear @ rest[..., None])[..., 0] + transforms[..., :3, 3] + person.transl[:, None]
    return SkeletalAnimation(JOINTS, PARENTS, rest, linear, places, motion.fps)


def motion_from_animation(
    animation: SkeletalAnimation, *, file: str, up: str = "auto", names: Mapping[str, str] | None = None
) -> Motion:
    """The animation on our body, with a camera in front.

    A skeleton of our own body comes back as it was. Any other keeps the directions of its segments; its path is scaled
    by the length of the legs, and a floor that is nearly at 0 is brought to 0. `up` is the axis of the file that points
    up; auto finds it. `names` maps joints of ours to names of the file. Raises InputError naming `file`.
    """
    if up not in UP_CHOICES:
        raise InputError(f"Unknown axis {up!r} for up. Choose one of {', '.join(UP_CHOICES)}.")
    for values in (animation.places, animation.rotations):
        if values is not None and not torch.isfinite(values).all():
            raise InputError(f"{file} holds NaN or infinity. Export it again.")
    notes = animation.notes
    person = None if names or up not in ("auto", "y") else _own_body(animation)
    if person is None:
        bones = find_bones(animation.names, animation.parents, file=file, given=names)
        animation, note = _set_upright(animation, bones, up)
        notes = (*notes, f"{file}: {note}") if note else notes
        notes = (*notes, *_side_notes(animation, bones, file))
        person = _fit_average_body(animation, bones)
    floor = estimate_floor(person)
    contacts = find_floor_contacts(locate_soles(person), floor, person.visible, animation.fps)
    person = replace(person, contacts=contacts)
    return Motion((person,), animation.fps, camera_in_front(person), notes=notes)


def round_frame_rate(seconds: float) -> float:
    """Frames a second for a time between frames that was rounded when it was written: 0.033333 gives 30."""
    fps = 1 / seconds
    return float(round(fps)) if abs(fps - round(fps)) < TENTHS * fps and round(fps) else fps


def _set_upright(animation: SkeletalAnimation, bones: Bones, up: str) -> tuple[SkeletalAnimation, str]:
    """The animation with Y up, and what there is to say about it."""
    note = ""
    if up == "auto":
        axis, sign, note = _find_up(animation, bones)
    else:
        axis, sign = UP_AXES.index(up), 1.0
    if (axis, sign) == (1, 1.0):
        return animation, note
    turn = up_matrix(axis, sign)
    if (axis, sign) == (1, -1.0) and _faces_away(animation.places @ turn.T, bones):
        turn = HALF_TURN @ turn  # somebody who stands on their head was turned about Z, not about X
    rotations = None if animation.rotations is None else turn @ animation.rotations
    return replace(animation, places=animation.places @ turn.T, rotations=rotations), note


def _faces_away(places: Tensor, bones: Bones) -> bool:
    """Whether somebody (F, J, 3) who stands upright faces -Z in the first frame: those who act begin facing us."""
    hips = [places[0, bones.limbs[f"{side}_hip"]] for side in LEFT_AND_RIGHT]
    front = torch.linalg.cross(hips[0] - hips[1], places[0, bones.head] - (hips[0] + hips[1]) / 2)
    return float(normalize(front, dim=0)[2]) < -FACING


def _side_notes(animation: SkeletalAnimation, bones: Bones, file: str) -> tuple[str, ...]:
    """A note where the toes point backwards: left and right are swapped, or the file is mirrored."""
    places, limbs = animation.places, bones.limbs
    feet = [(limbs.get(f"{side}_ankle"), limbs.get(f"{side}_foot")) for side in LEFT_AND_RIGHT]
    if any(bone is None for foot in feet for bone in foot):
        return ()
    toes = sum(normalize(places[:, toe] - places[:, ankle], dim=1) for ankle, toe in feet)
    left = places[:, limbs["left_hip"]] - places[:, limbs["right_hip"]]
    up = places[:, bones.head] - places[:, [limbs["left_hip"], limbs["right_hip"]]].mean(1)
    front = normalize(torch.linalg.cross(left, up), dim=1)
    if float((toes * front).sum(1).mean()) > -TOES_BACKWARDS:
        return ()
    return (f"{file}: the toes point backwards. If the person looks wrong, left and right are swapped in the file.",)


def _find_up(animation: SkeletalAnimation, bones: Bones) -> tuple[int, float, str]:
    places, limbs = animation.places, bones.limbs
    low = "ankle" if "left_ankle" in limbs and "right_ankle" in limbs else "knee"
    hips, feet = (places[:, [limbs[f"{side}_{joint}"] for side in LEFT_AND_RIGHT]].mean(1) for joint in ("hip", low))
    body = places[:, [bones.head, *limbs.values()]]
    rest = animation.rest
    rest_up = None
    if rest is not None and animation.rest_in_world and is_standing(rest, bones):
        rest_up = stand_frame(rest, bones)[:, 1]
    return find_up(
        places[:, bones.head],
        hips,
        feet,
        torch.stack([body.amin(1), body.amax(1)], -1),
        convention=1,
        trust=animation.up_trust,
        rest_up=rest_up,
    )


def _own_body(animation: SkeletalAnimation) -> Person | None:
    """The person whose skeleton this is to the millimetre, in metres or centimetres, if there is one."""
    if animation.rest is None or animation.rotations is None or not set(animation.names) >= set(JOINTS):
        return None
    order = [animation.names.index(name) for name in JOINTS]
    for unit in UNITS:
        rest = animation.rest[order] * unit
        betas = _fit_betas(rest)
        _, joints = free_body().shape(betas)
        if ((rest - rest[:1]) - (joints - joints[:1])).norm(dim=1).max() < SAME_SKELETON:
            return _person_from_world(
                animation.rotations[:, order], betas, animation.places[:, order[0]] * unit - joints[0]
            )
    return None


def _fit_betas(rest: Tensor) -> Tensor:
    """Shape values (10) whose joints come closest to `rest` (24, 3); joints depend on them linearly."""
    body = free_body()
    basis = torch.einsum("jv,vcb->jcb", body.joint_regressor.double(), body.shapedirs.double())
    mean = body.joint_regressor.double() @ body.template.double()
    matrix = (basis - basis[:1])[1:].flatten(0, 1)
    goal = ((rest.double() - rest[:1]) - (mean - mean[:1]))[1:].flatten()
    return torch.linalg.lstsq(matrix, goal[:, None]).solution[:, 0].float()


def _fit_average_body(animation: SkeletalAnimation, bones: Bones) -> Person:
    betas = torch.zeros(10)
    _, rest = free_body().shape(betas)
    world = aim_joints(animation.places, animation.rotations, animation.rest, bones, rest)
    hips = [JOINT["left_hip"], JOINT["right_hip"]]
    middle = animation.places[:, [bones.limbs["left_hip"], bones.limbs["right_hip"]]].mean(1)
    own_leg = measure_leg(rest, {name: JOINT[name] for name in bones.limbs})
    scale = own_leg / measure_leg(animation.places[0], bones.limbs)
    hang = world[:, 0] @ (rest[hips].mean(0) - rest[0])
    person = _person_from_world(world, betas, scale * middle - hang - rest[0])
    floor = estimate_floor(person)
    if abs(floor) < NEAR_FLOOR:
        person = replace(person, transl=person.transl - torch.tensor([0.0, floor, 0.0]))
    return person


def _person_from_world(world: Tensor, betas: Tensor, transl: Tensor) -> Person:
    local = world.clone()
    for joint, parent in enumerate(PARENTS[1:], 1):
        local[:, joint] = world[:, parent].mT @ world[:, joint]
    pose = axis_angle_from_matrix(local)
    return Person(betas=betas, global_orient=pose[:, 0], body_pose=pose[:, 1:].flatten(1), transl=transl)


def measure_leg(places: Tensor, limbs: Mapping[str, int]) -> float:
    """Mean length of a leg of places (J, 3): thigh, and shin if its end is known. Raises InputError if it is 0."""
    length = 0.0
    for side in LEFT_AND_RIGHT:
        line = [places[limbs[f"{side}_{joint}"]] for joint in ("hip", "knee", "ankle") if f"{side}_{joint}" in limbs]
        length += sum(float((b - a).norm()) for a, b in zip(line, line[1:], strict=False)) / 2
    if length <= 0:
        raise InputError("The skeleton's legs have no length. Export it again with its bones' offsets.")
    return length
