"""Fingers of the free body: 15 joints a hand in the order of SMPL-H, bent before the body is skinned.

The free body's skeleton ends at the hands. Its mesh has fingers, so their joints are found on it: along the middle line
of each finger, which geodesic distance from the fingertip measures, at the shares of a finger's length that a hand has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..geometry.rotations import matrix_from_axis_angle
from .skeleton import FINGER_JOINTS, JOINT


if TYPE_CHECKING:
    from .model import BodyModel

FINGERS = ("index", "middle", "pinky", "ring", "thumb")  # in the order of SMPL-H, three joints each
BONES = FINGER_JOINTS // len(FINGERS)
# Meters from fingertip to knuckle, of the middle finger's; a thumb is counted from the joint at the wrist.
FINGER_LENGTHS = {"index": 0.94, "middle": 1.0, "pinky": 0.78, "ring": 0.95, "thumb": 1.12}
JOINT_SHARES = {"thumb": (1.0, 0.62, 0.3)}  # where the three joints lie, of the length from the tip
USUAL_SHARES = (1.0, 0.52, 0.26)
STRAIGHT_PART = (0.45, 0.8)  # of a finger's length: where its middle line tells the way to the knuckle
LINE_STEP = 0.006  # meters along a finger between points of its middle line
JOINT_BLEND = 0.25  # of a bone's length: how far a bend reaches to both sides of its joint
REGRESSOR_VERTICES = 12  # vertices around a joint that carry it when the shape changes


@dataclass(frozen=True, eq=False)
class HandRig:
    """One hand of the free body. Convention: rest pose T, meters; zero angles are straight fingers in the palm's plane.

    Angles are those of SMPL-H: each joint's turn relative to its parent, in the axes of the rest pose.
    """

    vertices: Tensor  # (N,) long, vertices that fingers move
    weights: Tensor  # (N, 15)
    carriers: Tensor  # (15, REGRESSOR_VERTICES) long, vertices whose mean carries each joint
    offsets: Tensor  # (15, 3) from that mean to the joint
    bones: Tensor  # (15, 3) from each joint to the next one or the fingertip, at rest
    straight: Tensor  # (15, 3, 3) from the rest of each bone to a straight finger
    tips: Tensor  # (5,) long, vertices of the fingertips

    def joints(self, vertices: Tensor) -> Tensor:
        """Finger joints (15, 3) of rest vertices (V, 3)."""
        return vertices[self.carriers].mean(1) + self.offsets

    def bend(self, vertices: Tensor, angles: Tensor) -> Tensor:
        """The hand's rest vertices, out of (V, 3), under angles (F, 45): (F, N, 3)."""
        rotations, moved = self._chain(self.joints(vertices), angles)
        away = vertices[self.vertices, None] - self.joints(vertices)  # (N, 15, 3)
        carried = torch.einsum("fjab,njb->fnja", rotations, away) + moved[:, None]
        weights = self.weights[..., None]
        return (carried * weights).sum(2) + vertices[self.vertices] * (1 - weights.sum(1))

    def _chain(self, joints: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
        """Rotations from rest (F, 15, 3, 3) and places (F, 15, 3) of the joints under angles (F, 45)."""
        local = matrix_from_axis_angle(angles.unflatten(1, (FINGER_JOINTS, 3)))
        turns, places = [], []
        for joint in range(FINGER_JOINTS):
            if joint % BONES == 0:
                turns.append(local[:, joint])
                places.append(joints[joint].expand(len(angles), 3))
                continue
            turns.append(turns[-1] @ local[:, joint])
            bone = self.straight[joint - 1] @ (joints[joint] - joints[joint - 1])
            places.append(places[-1] + turns[-2] @ bone)
        return torch.stack(turns, 1) @ self.straight, torch.stack(places, 1)


def make_hand(body: BodyModel, side: str) -> HandRig:
    """The hand of the free body on a side, left or right."""
    joints = body.joint_regressor @ body.template
    wrist, knuckle = (joints[JOINT[f"{side}_{name}"]] for name in ("wrist", "hand"))
    number = np.flatnonzero(body.weights[:, [JOINT[f"{side}_wrist"], JOINT[f"{side}_hand"]]].sum(1).numpy() > 0.5)
    place = body.template[number].double().numpy()
    tips = [int(np.flatnonzero(number == body.landmarks[f"{side}_{finger}"])[0]) for finger in FINGERS]
    away = _measure_ways(place, body.faces.numpy(), number, tips)  # (5, n)
    longest = float((body.template[number[tips[1]]] - knuckle).norm())
    owner = away.argmin(0)
    found, weights = [], np.zeros((len(number), FINGER_JOINTS))
    for finger, name in enumerate(FINGERS):
        length = longest * FINGER_LENGTHS[name]
        own = np.flatnonzero(owner == finger)
        found.append(_find_joints(place, own, away[finger], length, JOINT_SHARES.get(name, USUAL_SHARES)))
        weights[own, BONES * finger : BONES * (finger + 1)] = _share_bones(place[own], found[-1])
    points = torch.from_numpy(np.concatenate([line[:BONES] for line in found])).float()
    bones = torch.from_numpy(np.concatenate([np.diff(line, axis=0) for line in found])).float()
    carriers = torch.cdist(points, body.template[number]).topk(REGRESSOR_VERTICES, largest=False).indices
    used = weights.sum(1) > 1e-3
    carriers = torch.from_numpy(number)[carriers]
    return HandRig(
        vertices=torch.from_numpy(number[used]),
        weights=torch.from_numpy(weights[used]).float(),
        carriers=carriers,
        offsets=points - body.template[carriers].mean(1),
        bones=bones,
        straight=_straighten(bones, knuckle - wrist),
        tips=torch.from_numpy(number[tips]),
    )


def _measure_ways(place: np.ndarray, faces: np.ndarray, number: np.ndarray, starts: list[int]) -> np.ndarray:
    """Ways in meters along the mesh from some of a hand's vertices to all n of them, (len(starts), n)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import dijkstra

    local = np.full(faces.max() + 1, -1)
    local[number] = np.arange(len(number))
    inside = local[faces]
    inside = inside[(inside >= 0).all(1)]
    start, end = inside[:, [0, 1, 2]].ravel(), inside[:, [1, 2, 0]].ravel()
    lengths = np.linalg.norm(place[start] - place[end], axis=1)
    return dijkstra(coo_matrix((lengths, (start, end)), (len(place),) * 2), directed=False, indices=starts)


def _find_joints(place: np.ndarray, own: np.ndarray, away: np.ndarray, length: float, shares) -> np.ndarray:
    """The three joints and the tip of a finger, (4, 3): on its middle line, and beyond it straight on."""
    steps = np.arange(LINE_STEP, STRAIGHT_PART[1] * length, LINE_STEP)
    line = np.stack([place[own[np.abs(away[own] - step) < LINE_STEP]].mean(0) for step in steps])
    tip = place[own[away[own].argmin()]]
    low, high = (np.searchsorted(steps, share * length) for share in STRAIGHT_PART)
    onward = line[min(high, len(line) - 1)] - line[low]
    onward /= np.linalg.norm(onward)
    points = []
    for share in shares:
        wanted = share * length
        if wanted <= steps[-1]:
            points.append([np.interp(wanted, steps, channel) for channel in line.T])
        else:
            points.append(line[-1] + onward * -1 * (steps[-1] - wanted))
    return np.array([*points, tip])


def _share_bones(place: np.ndarray, line: np.ndarray) -> np.ndarray:
    """How much each bone of a finger, joints and tip (4, 3), moves vertices (n, 3): (n, 3), little before the first."""
    shares = []
    for joint in range(BONES):
        bone = line[joint + 1] - line[joint]
        before = bone if joint == 0 else line[joint] - line[joint - 1]
        across = bone / np.linalg.norm(bone) + before / np.linalg.norm(before)
        along = (place - line[joint]) @ (across / np.linalg.norm(across))
        reach = JOINT_BLEND * min(np.linalg.norm(bone), np.linalg.norm(before))
        shares.append(np.clip((along / reach + 1) / 2, 0, 1))
    first, second, third = shares
    second, third = second * first, third * second * first
    return np.stack([first - second, second - third, third], 1)


def _straighten(bones: Tensor, palm: Tensor) -> Tensor:
    """Rotations (15, 3, 3) of bones (15, 3) into the plane of the palm, which lies along `palm` (3); not of thumbs."""
    turns = torch.eye(3).repeat(FINGER_JOINTS, 1, 1)
    for finger in range(len(FINGERS) - 1):
        first = bones[BONES * finger]
        # Level but for the slope of the palm, the way that its first bone points seen from above.
        level = torch.stack([first[0], first[[0, 2]].norm() * palm[1] / palm[[0, 2]].norm(), first[2]])
        for joint in range(BONES * finger, BONES * (finger + 1)):
            turns[joint] = _shortest_turn(bones[joint], level)
    return turns


def _shortest_turn(start: Tensor, end: Tensor) -> Tensor:
    """The rotation (3, 3) that turns `start` (3) into the direction of `end` (3)."""
    start, end = start / start.norm(), end / end.norm()
    axis = torch.linalg.cross(start, end)
    sine = axis.norm().clamp_min(1e-9)
    return matrix_from_axis_angle(axis / sine * torch.atan2(sine, start @ end))
