"""A dressed character that performs: body, clothes, motion, feet on the floor."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from mimo_core.body.height import measure_height, scale_to_height
from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.skeleton import JOINT
from mimo_core.motion.choreography import FootPlacement, Performance, plant_feet

from .benchmark_appearance import BenchmarkAppearance
from .figure import PosedSurface, skin_surface
from .garments import DressedBody, dress_body
from .randomized_appearance import RandomizedAppearance
from .recordings import RecordedPerformance


@dataclass(frozen=True, eq=False)
class Actor:
    """A dressed character in action."""

    appearance: BenchmarkAppearance | RandomizedAppearance
    dressed: DressedBody
    person: Person
    posed: PosedSurface

    @property
    def points(self) -> np.ndarray:
        """The surface in the world, (F, V, 3)."""
        return self.posed.vertices.numpy()


def dress_actor(
    worn: BenchmarkAppearance | RandomizedAppearance,
    performance: Performance | RecordedPerformance,
    fps: float,
    *,
    like: Actor | None = None,
) -> Actor:
    """Dress a character and let it perform, standing on the floor.

    With `like` it does what that one does: at the same stature, with its feet where that one's feet stand.
    """
    betas, body = worn.betas, free_body()
    if like is not None:
        betas = scale_to_height(body, betas, measure_height(body, like.person.betas))
    dressed = dress_body(betas, worn.volume(), worn.sheets())
    rotations = torch.from_numpy(performance.rotations())
    frames = len(rotations)
    person = Person(betas, rotations[:, 0], rotations[:, 1:].flatten(1), torch.zeros(frames, 3))
    placed = body.pose(person)
    posed = skin_surface(dressed, placed.transforms)
    shifts = None if like is None else _find_ankles(body.pose(like.person).joints) - _find_ankles(placed.joints)
    footing = _plan_footing(performance, betas, dressed, posed, fps, shifts)
    transl = torch.from_numpy(footing.transl)
    person = replace(person, transl=transl, contacts=torch.from_numpy(footing.contacts))
    return Actor(worn, dressed, person, posed.shift(transl))


def _plan_footing(
    performance: Performance | RecordedPerformance,
    betas,
    dressed: DressedBody,
    posed: PosedSurface,
    fps: float,
    shifts: np.ndarray | None,
) -> FootPlacement:
    if isinstance(performance, RecordedPerformance):
        return performance.footing(posed.vertices, measure_height(free_body(), betas))
    feet = torch.stack([posed.vertices[:, _find_soles(dressed, side)] for side in ("left", "right")], 1)
    if performance.rests_on_body:
        return rest_on_floor(posed.vertices, feet)
    return plant_feet(feet.numpy(), performance.lift, fps=fps, shifts=shifts)


def _find_ankles(joints: torch.Tensor) -> np.ndarray:
    """Where the ankles of joints (F, 24, 3) are over the ground, (F, 2, 2)."""
    return joints[:, [JOINT["left_ankle"], JOINT["right_ankle"]]][..., [0, 2]].numpy()


def rest_on_floor(vertices: torch.Tensor, feet: torch.Tensor) -> FootPlacement:
    """Put bodies (F, V, 3) at the origin on the floor by whatever of them is lowest."""
    transl = torch.zeros(len(vertices), 3)
    transl[:, 1] = -vertices[..., 1].amin(1)
    low = feet[..., 1].amin(2) + transl[:, 1:2]
    return FootPlacement(transl.numpy(), (low < 0.02).numpy())


def _find_soles(dressed: DressedBody, side: str) -> torch.Tensor:
    """The lowest 40 vertices of a foot, so that both sides have as many."""
    weight = dressed.weights[:, JOINT[f"{side}_ankle"]] + dressed.weights[:, JOINT[f"{side}_foot"]]
    return torch.where(weight > 0.6, dressed.rest[:, 1], 1e3).topk(40, largest=False).indices
