"""The skeleton as OpenPose ControlNets know it: 18 points, coloured limbs, black ground."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..body.model import BodyModel, Posed, vertex_normals
from ..body.skeleton import JOINT


# OpenPose's order. The neck is the middle between the shoulders, as in COCO's training data.
OPENPOSE_POINTS = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)
FACE = ("nose", "right_eye", "left_eye", "right_ear", "left_ear")
OPENPOSE_LIMBS = (
    ("neck", "right_shoulder"),
    ("neck", "left_shoulder"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("neck", "right_hip"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
    ("neck", "left_hip"),
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("neck", "nose"),
    ("nose", "right_eye"),
    ("right_eye", "right_ear"),
    ("nose", "left_eye"),
    ("left_eye", "left_ear"),
)
# Limbs take the first 17, points all 18.
COLORS = (
    (255, 0, 0),
    (255, 85, 0),
    (255, 170, 0),
    (255, 255, 0),
    (170, 255, 0),
    (85, 255, 0),
    (0, 255, 0),
    (0, 255, 85),
    (0, 255, 170),
    (0, 255, 255),
    (0, 170, 255),
    (0, 85, 255),
    (0, 0, 255),
    (85, 0, 255),
    (170, 0, 255),
    (255, 0, 255),
    (255, 0, 170),
    (255, 0, 85),
)
LIMB_BRIGHTNESS = 0.6
LIMB_RADIUS = 4 / 512  # of points and half the width of limbs, of the shorter side
TURNED_AWAY = 0.35  # cosine between the skin's normal and the line of sight from which the face is not seen
SUBPIXEL = 4  # bits


def openpose_points(body: BodyModel, posed: Posed, to_camera) -> tuple[Tensor, Tensor]:
    """The 18 points in camera space (F, 18, 3), and which of them a detector would see (F, 18).

    `to_camera` takes world points (F, N, 3) to camera space. Points of the face that is turned away count as unseen,
    because that is how OpenPose tells front from back.
    """
    vertices = to_camera(posed.vertices)
    joints = to_camera(posed.joints)
    normals = vertex_normals(vertices, body.faces)
    points, seen = [], []
    for name in OPENPOSE_POINTS:
        if name in FACE:
            vertex = body.landmarks[name]
            point = vertices[:, vertex]
            away = (normals[:, vertex] * torch.nn.functional.normalize(point, dim=-1)).sum(-1)
            seen.append(away < TURNED_AWAY)
        elif name == "neck":
            point = (joints[:, JOINT["left_shoulder"]] + joints[:, JOINT["right_shoulder"]]) / 2
            seen.append(torch.ones_like(point[:, 0], dtype=torch.bool))
        else:
            point = joints[:, JOINT[name]]
            seen.append(torch.ones_like(point[:, 0], dtype=torch.bool))
        points.append(point)
    return torch.stack(points, 1), torch.stack(seen, 1)


def draw_openpose(pixels: np.ndarray, seen: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """One skeleton: pixels (18, 2), seen (18,) bool, to an RGB picture (H, W, 3)."""
    import cv2

    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    radius = max(LIMB_RADIUS * min(width, height), 1.0)
    place = dict(zip(OPENPOSE_POINTS, pixels, strict=True))
    is_seen = dict(zip(OPENPOSE_POINTS, seen, strict=True))
    for (start, end), color in zip(OPENPOSE_LIMBS, COLORS[:-1], strict=True):
        if is_seen[start] and is_seen[end]:
            outline = np.round(_ellipse(place[start], place[end], radius) * 2**SUBPIXEL).astype(np.int32)
            dim = tuple(int(LIMB_BRIGHTNESS * channel) for channel in color)
            cv2.fillConvexPoly(picture, outline, dim, cv2.LINE_AA, SUBPIXEL)
    for name, color in zip(OPENPOSE_POINTS, COLORS, strict=True):
        if is_seen[name]:
            # cv2 counts from the middle of the first pixel.
            x, y = np.round((place[name] - 0.5) * 2**SUBPIXEL).astype(int).tolist()
            cv2.circle(picture, (x, y), round(radius * 2**SUBPIXEL), color, -1, cv2.LINE_AA, SUBPIXEL)
    return picture


def _ellipse(start: np.ndarray, end: np.ndarray, radius: float) -> np.ndarray:
    """The outline (32, 2) of a limb."""
    middle, half = (start + end) / 2 - 0.5, (end - start) / 2
    length = max(float(np.linalg.norm(half)), 1e-6)
    across = np.array([-half[1], half[0]]) / length * radius
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)[:, None]
    return middle + np.cos(angle) * half + np.sin(angle) * across
