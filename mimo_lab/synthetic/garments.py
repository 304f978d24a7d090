"""The dressed body as one mesh: hair and clothes as volume on the body; skirts, long hair and brims as sheets.

Everything is found by joints, weights and landmarks of the body model, never by vertex numbers, so that another free
body dresses the same.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mimo_core.body.model import BodyModel, free_body, vertex_normals
from mimo_core.body.skeleton import JOINT


BODY, SKIRT, HAIR, BRIM = range(4)  # layers: which sheet a face belongs to
ROWS, COLUMNS = 10, 40  # vertices of a sheet


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Where things are on the undressed template, in metres, and what every vertex (V) belongs to."""

    points: np.ndarray  # (V, 3)
    normals: np.ndarray  # (V, 3)
    weights: np.ndarray  # (V, 24)
    joints: dict[str, np.ndarray]
    nose: np.ndarray
    eye: np.ndarray  # the left one; the right one mirrors it
    ear: np.ndarray
    crown: float  # height of the top of the head

    @property
    def head(self) -> np.ndarray:
        return self.weights[:, JOINT["head"]] + self.weights[:, JOINT["neck"]] * (
            self.points[:, 1] > self.nose[1] - 0.1
        )

    @property
    def arm(self) -> np.ndarray:
        return self._sum("shoulder", "elbow", "wrist", "hand")

    @property
    def leg(self) -> np.ndarray:
        return self._sum("hip", "knee", "ankle", "foot")

    def _sum(self, *names: str) -> np.ndarray:
        return self.weights[:, [JOINT[f"{side}_{name}"] for name in names for side in ("left", "right")]].sum(1)

    def along_leg(self, points: np.ndarray) -> np.ndarray:
        """0 at the hip, 1 at the ankle."""
        hip, ankle = self.joints["left_hip"][1], self.joints["left_ankle"][1]
        return (hip - points[..., 1]) / (hip - ankle)

    def along_arm(self, points: np.ndarray) -> np.ndarray:
        """0 at the shoulder, 1 at the wrist."""
        shoulder, wrist = self.joints["left_shoulder"][0], self.joints["left_wrist"][0]
        return (np.abs(points[..., 0]) - shoulder) / (wrist - shoulder)


@functools.cache
def anatomy() -> Anatomy:
    """The free body's."""
    body = free_body()
    points, joints = body.shape(torch.zeros(10))
    normals = vertex_normals(points[None], body.faces)[0].numpy()
    points = points.numpy()
    marks = {name: points[number] for name, number in body.landmarks.items()}
    named = {name: joints[number].numpy() for name, number in JOINT.items()}
    weights = body.weights.numpy()
    return Anatomy(
        points, normals, weights, named, marks["nose"], marks["left_eye"], marks["left_ear"],
        float(points[weights[:, JOINT["head"]] > 0.5, 1].max()),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class ClothSheet:
    """An extra piece of surface in the template's rest pose: points (N, 3), faces, skinning weights (N, 24)."""

    points: np.ndarray
    faces: np.ndarray
    weights: np.ndarray
    layer: int
    anchors: tuple[np.ndarray, np.ndarray] | None = None  # (N, K) body vertices that move it with body shape, shares
    closed: bool = False  # seen from outside only


@dataclass(frozen=True, eq=False)
class DressedBody:
    """The mesh to draw. `marks` are what colors are looked up by: see MARKS."""

    rest: Tensor  # (V, 3), shaped
    normals: Tensor  # (V, 3)
    weights: Tensor  # (V, 24)
    faces: Tensor  # (T, 3)
    marks: Tensor  # (V, len(MARKS))
    parts: np.ndarray  # (V,) joint that moves the vertex most


MARKS = ("x", "y", "z", "head", "arm", "leg", "layer")  # the first three are places on the undressed template


def dress_body(betas: Tensor, volume: np.ndarray, sheets: list[ClothSheet]) -> DressedBody:
    """Put `volume` (V,) metres along the normals of the shaped body and hang the sheets on it."""
    body, map_ = free_body(), anatomy()
    shaped, _ = body.shape(betas)
    thick = shaped + vertex_normals(shaped[None], body.faces)[0] * torch.from_numpy(volume.astype(np.float32))[:, None]
    rest, faces, weights, marks = [thick], [body.faces], [body.weights], [_make_marks(map_)]
    count = len(thick)
    for sheet in sheets:
        moved = torch.from_numpy(sheet.points) + _displace(body, shaped, sheet)
        for turned in (False,) if sheet.closed else (False, True):  # both sides, each with its own normals
            rest.append(moved - 0.002 * turned * _measure_outward(moved, sheet))
            faces.append(torch.from_numpy(sheet.faces[:, ::-1].copy() if turned else sheet.faces) + count)
            weights.append(torch.from_numpy(sheet.weights))
            marks.append(_sheet_marks(sheet))
            count += len(moved)
    rest, faces, weights = torch.cat(rest), torch.cat(faces), torch.cat(weights)
    normals = vertex_normals(rest[None], faces)[0]
    return DressedBody(rest, normals, weights, faces, torch.cat(marks), weights.argmax(1).numpy())


def _measure_outward(points: Tensor, sheet: ClothSheet) -> Tensor:
    return vertex_normals(points[None], torch.from_numpy(sheet.faces))[0]


def _make_marks(map_: Anatomy) -> Tensor:
    columns = [map_.points, map_.head[:, None], map_.arm[:, None], map_.leg[:, None], np.zeros((len(map_.points), 1))]
    return torch.from_numpy(np.concatenate(columns, 1).astype(np.float32))


def _sheet_marks(sheet: ClothSheet) -> Tensor:
    marks = np.zeros((len(sheet.points), len(MARKS)), np.float32)
    marks[:, :3], marks[:, 6] = sheet.points, sheet.layer
    return torch.from_numpy(marks)


def _displace(body: BodyModel, shaped: Tensor, sheet: ClothSheet) -> Tensor:
    """How far body shape moves the surface near each point, (N, 3)."""
    if sheet.anchors is not None:
        nearest, share = (torch.from_numpy(values) for values in sheet.anchors)
    else:
        distance, nearest = torch.cdist(torch.from_numpy(sheet.points), body.template).topk(12, largest=False)
        share = torch.softmax(-distance / 0.03, 1)
    return ((shaped - body.template)[nearest] * share[..., None]).sum(1)


def make_skirt(*, waist: float, hem: float, flare: float, room: float, gap: float = 0.0) -> ClothSheet:
    """A tube around hips and legs from height `waist` to `hem`, open in front by `gap` turns.

    It stands `room` metres off the body and `flare` metres more at the hem.
    """
    map_ = anatomy()
    inside = (map_.arm < 0.3) & (map_.head < 0.3)
    body = map_.points[inside]
    heights = np.linspace(waist, hem, ROWS)
    around = 2 * np.pi * np.linspace(gap / 2, 1 - gap / 2, COLUMNS)
    points, widest = [], (0.0, 0.0, 0.0)
    for row, height in enumerate(heights):
        near = body[np.abs(body[:, 1] - height) < 0.035]
        reach = (np.abs(near[:, 0]).max(), near[:, 2].max(), -near[:, 2].min())
        widest = tuple(max(w * 0.97, r) for w, r in zip(widest, reach, strict=True))
        off = room + flare * (row / (ROWS - 1)) ** 1.2
        depth = np.where(np.cos(around) > 0, widest[1], widest[2]) + off
        fold = 1 + 0.5 * flare * row / ROWS * np.sin(9 * around)
        side = (widest[0] + off) * np.sin(around) * fold
        points.append(np.stack([side, np.full(COLUMNS, height), depth * np.cos(around) * fold], 1))
    points = np.concatenate(points).astype(np.float32)
    return ClothSheet(points, _grid_faces(), _skirt_weights(map_, points), SKIRT)


def _skirt_weights(map_: Anatomy, points: np.ndarray) -> np.ndarray:
    """Waist with the trunk, lower with both thighs, smoothly from one to the other so that it never splits."""
    weights = np.zeros((len(points), 24), np.float32)
    below = np.clip((map_.joints["pelvis"][1] - points[:, 1]) / 0.35, 0, 1)
    above = np.clip((points[:, 1] - map_.joints["pelvis"][1]) / 0.12, 0, 1)
    legs = 0.85 * below * below * (3 - 2 * below)
    left = 1 / (1 + np.exp(-points[:, 0] / 0.05))
    weights[:, JOINT["left_hip"]], weights[:, JOINT["right_hip"]] = legs * left, legs * (1 - left)
    weights[:, JOINT["spine1"]] = above * (1 - legs)
    weights[:, JOINT["pelvis"]] = 1 - weights.sum(1)
    return weights


def make_long_hair(*, length: float, width: float) -> ClothSheet:
    """Hair falling from the crown over the back and beside the face, `length` metres below the ears."""
    map_ = anatomy()
    skull = map_.points[map_.weights[:, JOINT["head"]] > 0.5]
    end = map_.ear[1] - length
    heights = np.linspace(map_.crown - 0.012, end, ROWS)
    around = np.pi + 2 * np.pi * np.linspace(-0.33, 0.33, COLUMNS)
    points = []
    for height in heights:
        near = skull[np.abs(skull[:, 1] - max(height, map_.ear[1])) < 0.02]
        fall = np.clip((map_.ear[1] - height) / 0.25, 0, 1)
        side = np.abs(near[:, 0]).max() + 0.012 + width * fall
        back = near[:, 2].min() - 0.016 - 0.02 * fall
        middle = map_.ear[2]
        depth = middle + (middle - back) * np.cos(around) * np.where(np.cos(around) < 0, 1, 0.35)
        points.append(np.stack([side * np.sin(around), np.full(COLUMNS, height), depth], 1))
    points = np.concatenate(points).astype(np.float32)
    weights = np.zeros((len(points), 24), np.float32)
    chest = 0.55 * np.clip((map_.nose[1] - 0.06 - points[:, 1]) / 0.2, 0, 1)
    weights[:, JOINT["head"]], weights[:, JOINT["spine3"]] = 1 - chest, chest
    return ClothSheet(points, _grid_faces(), weights, HAIR)


def make_benchmark_brim(*, height: float, reach: float, front_only: bool) -> ClothSheet:
    """The brim of a hat at `height`, `reach` metres wide; a cap's is in front only."""
    map_ = anatomy()
    skull = map_.points[map_.weights[:, JOINT["head"]] > 0.5]
    near = skull[np.abs(skull[:, 1] - height) < 0.02]
    front, back, side = near[:, 2].max(), near[:, 2].min(), np.abs(near[:, 0]).max()
    middle, depth = (front + back) / 2, (front - back) / 2
    span = 0.2 if front_only else 0.5
    around = 2 * np.pi * np.linspace(-span, span, COLUMNS)
    points = []
    for out in np.linspace(0, 1, ROWS):
        taper = np.cos(around / (4 * span)) if front_only else 1.0
        add = 0.006 + reach * out * taper
        drop = height - 0.25 * reach * out
        points.append(np.stack([
            (side + add) * np.sin(around), np.full(COLUMNS, drop), middle + (depth + add) * np.cos(around),
        ], 1))  # fmt: skip
    points = np.concatenate(points).astype(np.float32)
    weights = np.zeros((len(points), 24), np.float32)
    weights[:, JOINT["head"]] = 1
    return ClothSheet(points, _grid_faces()[:, ::-1].copy(), weights, BRIM)


def _grid_faces() -> np.ndarray:
    """Faces of ROWS x COLUMNS points, rows downwards and columns towards the left of the body seen from the front."""
    number = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    return np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
