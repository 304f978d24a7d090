"""Where the joints of a moving person are."""

from __future__ import annotations

from torch import Tensor

from ..body.model import free_body
from ..body.person import Person
from ..body.skinning import world_from_rest
from ..geometry.rotations import matrix_from_axis_angle


def world_joints(person: Person) -> Tensor:
    """The 24 joints on the free body, (F, 24, 3) metres in the world, without posing its surface."""
    body = free_body()
    _, rest = body.shape(body.betas_of(person))
    transforms = world_from_rest(matrix_from_axis_angle(person.pose()), rest, body.parents)
    return (transforms[..., :3, :3] @ rest[..., None])[..., 0] + transforms[..., :3, 3] + person.transl[:, None]
