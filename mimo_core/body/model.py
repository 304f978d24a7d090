"""The body: a mesh with a skeleton and shape components, and the free body that ships."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..body.person import Person
from ..errors import InputError
from ..geometry.rotations import matrix_from_axis_angle
from .fingers import HandRig, make_hand
from .skeleton import PARENTS, family_joints, family_parts
from .skinning import blend_skin, world_from_rest


FREE_BODY = Path(__file__).parent.parent / "assets" / "body.safetensors"
FRAMES_SKINNED_AT_ONCE = 32  # skinning holds 12 numbers a vertex for this many frames, 10 MB


@dataclass(frozen=True, eq=False)
class Posed:
    """A body over F frames, in world space."""

    vertices: Tensor  # (F, V, 3)
    joints: Tensor  # (F, 24, 3)
    transforms: Tensor  # (F, 24, 4, 4), world from rest: transforms[:, j] moves the rest points of joint j


@dataclass(frozen=True, eq=False)
class BodyModel:
    """A body in SMPL's form: template, shape components, skinning weights, joint regressor.

    Convention: metres, Y up, rest pose T, front along +Z, the body's left along +X. `name` is free, smpl, smplh or
    smplx. The free body has SMPL's skeleton, but neither SMPL's topology nor its shape components.
    """

    name: str
    template: Tensor  # (V, 3)
    shapedirs: Tensor  # (V, 3, B), displacement per shape value
    posedirs: Tensor | None  # (V, 3, 9 (J - 1)), displacement per entry of (rotation - identity)
    weights: Tensor  # (V, J)
    joint_regressor: Tensor  # (J, V)
    parents: tuple[int, ...]  # (J), the first is -1
    faces: Tensor  # (T, 3) long, counter-clockwise seen from outside
    uv: Tensor | None = None  # (U, 2), 0 to 1, v upwards
    uv_faces: Tensor | None = None  # (T, 3) long, into uv
    landmarks: dict[str, int] = field(default_factory=dict)  # nose, eyes, ears, toes, heels, finger tips -> vertex
    hands_mean: Tensor | None = None  # (90,) left and right: the relaxed hands of SMPL-H and SMPL-X

    @property
    def vertices(self) -> int:
        return len(self.template)

    @functools.cached_property
    def parts(self) -> Tensor:
        """The SMPL joint (0 to 23) that moves each vertex most, (V,) long."""
        part_of_joint = torch.tensor(family_parts(len(self.parents)), device=self.weights.device)
        return part_of_joint[self.weights.argmax(1)]

    @functools.cached_property
    def face_parts(self) -> Tensor:
        """The part of each face, (T,) long: that of most of its corners, of the first where all differ."""
        a, b, c = self.parts[self.faces].unbind(1)
        return torch.where(b == c, b, a)

    @functools.cached_property
    def mirrored(self) -> Tensor:
        """For each vertex the one closest to its mirror image at rest, (V,) long. Left becomes right."""
        flipped = self.template * self.template.new_tensor([-1.0, 1.0, 1.0])
        return torch.cat([torch.cdist(rows, self.template).argmin(1) for rows in flipped.split(512)])

    def to(self, device) -> BodyModel:
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **{name: value for name, value in moved.items() if name in self.__dataclass_fields__})

    def betas_of(self, person: Person) -> Tensor:
        """The shape values (10) of a person, or zeros where they belong to another body's components.

        SMPL and SMPL-H share theirs. A motion captured on another body then moves the average shape of this one.
        """
        alike = {"smplh": "smpl"}
        if alike.get(person.body, person.body) == alike.get(self.name, self.name):
            return person.betas
        return torch.zeros_like(person.betas)

    def shape(self, betas: Tensor) -> tuple[Tensor, Tensor]:
        """Rest vertices (V, 3) and the 24 rest joints (24, 3) for shape values (10)."""
        vertices, joints = self._shape(betas)
        return vertices, joints[list(family_joints(len(joints)))]

    def _shape(self, betas: Tensor) -> tuple[Tensor, Tensor]:
        count = min(len(betas), self.shapedirs.shape[-1])
        vertices = self.template + self.shapedirs[..., :count] @ betas[:count]
        return vertices, self.joint_regressor @ vertices

    def pose(self, person: Person, frames: slice | None = None) -> Posed:
        """The body of `person` at `frames`, in world space."""
        if frames is not None:
            person = person.index(frames)
        vertices, joints = self._shape(self.betas_of(person))
        rotations = matrix_from_axis_angle(self._complete_pose(person))
        transforms = world_from_rest(rotations, joints, self.parents)
        chunks = [slice(at, at + FRAMES_SKINNED_AT_ONCE) for at in range(0, person.frames, FRAMES_SKINNED_AT_ONCE)]
        skinned = [
            self._skin(self._close_hands(vertices, person, chunk), rotations[chunk], transforms[chunk])
            for chunk in chunks
        ]
        posed = torch.cat(skinned) + person.transl[:, None]
        return self._place_joints(posed, joints, transforms, person.transl)

    def _complete_pose(self, person: Person) -> Tensor:
        """Rotations of all J joints, (F, J, 3). Hands that the motion does not know are relaxed, the jaw closed."""
        pose = person.pose()
        if len(self.parents) == 24:
            return pose
        hands = []
        for side, given in enumerate((person.left_hand_pose, person.right_hand_pose)):
            relaxed = self.hands_mean[45 * side : 45 * (side + 1)]
            hands.append((relaxed.expand(len(pose), -1) if given is None else given).unflatten(1, (15, 3)))
        jaw_and_eyes = pose.new_zeros(len(pose), len(self.parents) - 52, 3)
        return torch.cat([pose[:, :22], jaw_and_eyes, *hands], 1)

    def _close_hands(self, vertices: Tensor, person: Person, frames: slice) -> Tensor:
        """Rest vertices (V, 3), or (F, V, 3) with the fingers of a person whose hands are known, on the free body."""
        if self.name != "free" or person.left_hand_pose is person.right_hand_pose is None:
            return vertices
        angles = (person.left_hand_pose, person.right_hand_pose)
        return bend_hands(vertices, *(None if hand is None else hand[frames] for hand in angles))

    def _skin(self, vertices: Tensor, rotations: Tensor, transforms: Tensor) -> Tensor:
        if self.posedirs is not None:
            feature = (rotations[:, 1:] - torch.eye(3, device=rotations.device)).flatten(1)
            vertices = vertices + (feature @ self.posedirs.flatten(0, 1).mT).unflatten(1, (-1, 3))
        return blend_skin(vertices, self.weights, transforms)

    def _place_joints(self, vertices: Tensor, joints: Tensor, transforms: Tensor, transl: Tensor) -> Posed:
        kept = list(family_joints(len(joints)))
        joints, transforms = joints[kept], transforms[:, kept]
        shift = torch.zeros_like(transforms)
        shift[..., :3, 3] = transl[:, None]
        transforms = transforms + shift
        moved = (transforms[..., :3, :3] @ joints[..., None])[..., 0] + transforms[..., :3, 3]
        return Posed(vertices, moved, transforms)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Unit normals (F, V, 3) of vertices (F, V, 3), weighted by area, outwards for counter-clockwise faces (T, 3)."""
    a, b, c = (vertices[:, faces[:, corner]] for corner in range(3))
    normals = torch.cross(b - a, c - a, dim=-1)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total.index_add_(1, faces[:, corner], normals)
    return torch.nn.functional.normalize(total, dim=-1)


@functools.cache
def free_body() -> BodyModel:
    """The body that ships: 24 SMPL joints, 10 shape values, on the CPU. Treat it as read-only."""
    return read_free_body(FREE_BODY)


@functools.cache
def load_hands() -> tuple[HandRig, HandRig]:
    """Left and right hand of the free body."""
    return make_hand(free_body(), "left"), make_hand(free_body(), "right")


def bend_hands(vertices: Tensor, left: Tensor | None, right: Tensor | None) -> Tensor:
    """Rest vertices (V, 3) of the free body with fingers under angles (F, 45) of each hand, (F, V, 3).

    A hand without angles stays as it is at rest.
    """
    frames = len(left if left is not None else right)
    bent = vertices.expand(frames, -1, 3).clone()
    for angles, rig in zip((left, right), load_hands(), strict=True):
        if angles is not None:
            bent[:, rig.vertices] = rig.bend(vertices, angles.to(vertices))
    return bent


def read_free_body(path: Path) -> BodyModel:
    """Expand the compact asset that tools/bake_body.py writes. Raises InputError if it is missing."""
    from safetensors import safe_open

    if not path.is_file():
        raise InputError(f"The free body is missing at {path}. Install the package again.")
    with safe_open(str(path), framework="np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        about = json.loads(file.metadata()["body"])
    count = len(arrays["template"])
    weights = _expand_sparse(arrays, "weights", (count, len(PARENTS)))
    has_uv = "uv" in arrays
    return BodyModel(
        name="free",
        template=torch.from_numpy(arrays["template"]),
        shapedirs=torch.from_numpy(arrays["shapedirs"]).float(),
        posedirs=None,
        weights=weights / weights.sum(1, keepdim=True),
        joint_regressor=_expand_sparse(arrays, "joint_regressor", (len(PARENTS), count)),
        parents=PARENTS,
        faces=torch.from_numpy(arrays["faces"].astype(np.int64)),
        uv=torch.from_numpy(arrays["uv"].astype(np.float32) / 65535) if has_uv else None,
        uv_faces=torch.from_numpy(arrays["uv_faces"].astype(np.int64)) if has_uv else None,
        landmarks=about["landmarks"],
    )


def _expand_sparse(arrays: dict[str, np.ndarray], name: str, shape: tuple[int, int]) -> Tensor:
    dense = np.zeros(shape, np.float32)
    dense[arrays[f"{name}.row"], arrays[f"{name}.column"]] = arrays[f"{name}.value"]
    return torch.from_numpy(dense)
