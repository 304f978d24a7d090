"""The body as the fit sees it: 24 joints and 33 landmarks, with derivatives, and no mesh.

Skinning is linear in the rest vertices, and a landmark is a fixed mean of vertices. So each landmark is a sum over
bones of a rotated offset and a share of the bone's position, both linear in the shape values and known beforehand.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from ..body.landmarks import landmark_weights
from ..body.model import BodyModel, free_body
from ..body.person import Person
from ..body.skeleton import PARENTS
from ..geometry.rotations import matrix_from_axis_angle


@dataclass(frozen=True, eq=False)
class BodyState:
    """Where a body stands over F frames, as the fit works on it."""

    rotations: Tensor  # (F, 24, 3, 3), each relative to its parent
    transl: Tensor  # (F, 3)
    betas: Tensor  # (10,)

    @classmethod
    def from_person(cls, person: Person) -> BodyState:
        return cls(matrix_from_axis_angle(person.pose().double()), person.transl.double(), person.betas.double())

    def __len__(self) -> int:
        return len(self.transl)

    def __getitem__(self, frames) -> BodyState:
        return BodyState(self.rotations[frames], self.transl[frames], self.betas)

    def step(self, joints: tuple[int, ...], turns: Tensor, shift: Tensor, betas: Tensor) -> BodyState:
        """Turn some joints by rotation vectors (F, len(joints), 3) in their own axes, shift by (F, 3), add to betas.

        Convention: radians; a turn of (0, 0, pi / 2) brings a joint's X axis to where its Y axis was.
        """
        rotations = self.rotations.clone()
        rotations[:, joints] = rotations[:, joints] @ matrix_from_axis_angle(turns)
        return replace(self, rotations=rotations, transl=self.transl + shift, betas=self.betas + betas)


@dataclass(frozen=True, eq=False)
class PlacedLandmarks:
    """Landmarks of a state in world space, and the pieces that their derivatives need."""

    points: Tensor  # (F, 33, 3)
    pieces: Tensor  # (F, 33, 24, 3): the part of each point that hangs on each bone
    joints: Tensor  # (F, 24, 3)
    frames: Tensor  # (F, 24, 3, 3): world from bone

    def select(self, chosen: Tensor) -> PlacedLandmarks:
        """Only the landmarks `chosen` (F, N) in each frame."""
        row = torch.arange(len(chosen))[:, None]
        return replace(self, points=self.points[row, chosen], pieces=self.pieces[row, chosen])


class Rig:
    """Landmarks and joints of a body as functions of its state, in double precision."""

    def __init__(self, body: BodyModel, landmarks: Tensor):
        """`landmarks` (L, V): each landmark's weights over the vertices of `body`."""
        weights = body.weights.double()
        basis = torch.cat([body.template[..., None], body.shapedirs], -1).double()  # (V, 3, 11)
        self.joints = torch.einsum("jv,vcb->jcb", body.joint_regressor.double(), basis)  # (24, 3, 11)
        self.share = landmarks.double() @ weights  # (L, 24)
        sums = []
        for row in landmarks.double():  # of few vertices each
            used = row.nonzero()[:, 0]
            sums.append(torch.einsum("vj,vcb->jcb", row[used, None] * weights[used], basis[used]))
        self.offsets = torch.stack(sums) - self.share[..., None, None] * self.joints  # (L, 24, 3, 11)
        self.below = _list_descendants()

    def rest_landmarks(self, betas: Tensor) -> Tensor:
        """Landmarks (L, 3) of the body in rest."""
        shape = _append_one(betas)
        return ((self.offsets + self.share[..., None, None] * self.joints) @ shape).sum(1)

    def place(self, state: BodyState) -> PlacedLandmarks:
        """Pose the landmarks in the world, meters and Y up; the same numbers as skinning the mesh gives."""
        shape = _append_one(state.betas)
        joints = self.joints @ shape
        frames, origins = [state.rotations[:, 0]], [joints[0] + state.transl]
        for joint, parent in enumerate(PARENTS[1:], 1):
            origins.append(origins[parent] + frames[parent] @ (joints[joint] - joints[parent]))
            frames.append(frames[parent] @ state.rotations[:, joint])
        frames, origins = torch.stack(frames, 1), torch.stack(origins, 1)
        turned = frames @ (self.offsets @ shape).permute(1, 2, 0)
        turned = turned.permute(0, 3, 1, 2)  # (F, 24, 3, L) -> (F, L, 24, 3)
        pieces = turned + self.share[..., None] * origins[:, None]
        return PlacedLandmarks(pieces.sum(2), pieces, origins, frames)

    def turn_derivatives(
        self, placed: PlacedLandmarks, joints: tuple[int, ...], chosen: Tensor | None = None
    ) -> Tensor:
        """d points / d turns of `joints` about their own axes, (F, L, 3, len(joints), 3).

        `chosen` (F, N) are the landmarks that `placed` holds in each frame, if not all.
        """
        below = self.below[list(joints)]
        share = self.share if chosen is None else self.share[chosen]
        carried = (below @ placed.pieces) - (share @ below.T)[..., None] * placed.joints[:, None, joints]
        x, y, z = carried.unbind(-1)  # (F, L, joints); a small world turn d moves the point by d x carried
        zero = torch.zeros_like(x)
        cross = torch.stack([zero, z, -y, -z, zero, x, y, -x, zero], -1).unflatten(-1, (3, 3))
        return (cross @ placed.frames[:, None, joints]).transpose(2, 3)  # (F, L, joints, 3, 3) -> (F, L, 3, joints, 3)

    def shape_derivatives(self, placed: PlacedLandmarks) -> Tensor:
        """d points / d betas, (F, L, 3, 10)."""
        joints = self.joints[..., 1:]
        origins = [joints[0].expand(len(placed.points), -1, -1)]
        for joint, parent in enumerate(PARENTS[1:], 1):
            origins.append(origins[parent] + placed.frames[:, parent] @ (joints[joint] - joints[parent]))
        origins = torch.stack(origins, 1).flatten(2)  # (F, 24, 30)
        frames = placed.frames.permute(0, 2, 1, 3).flatten(2)  # (F, 3, 24 * 3)
        offsets = self.offsets[..., 1:].flatten(1, 2)  # (L, 24 * 3, 10)
        turned = torch.einsum("fck,lkb->flcb", frames, offsets)
        return turned + (self.share @ origins).unflatten(-1, (3, 10))


@lru_cache(maxsize=1)
def load_rig() -> Rig:
    """The rig of the free body with BlazePose's landmarks."""
    return Rig(free_body(), landmark_weights())


def _list_descendants() -> Tensor:
    """(24, 24): 1 where the second joint hangs on the first one, or is it."""
    below = torch.eye(len(PARENTS), dtype=torch.float64)
    for joint in reversed(range(1, len(PARENTS))):
        below[PARENTS[joint]] += below[joint]
    return below


def _append_one(betas: Tensor) -> Tensor:
    return torch.cat([betas.new_ones(1), betas])
