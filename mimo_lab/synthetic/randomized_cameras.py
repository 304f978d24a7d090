"""Cameras of randomized shots: fixed, pan, hand-held, a dolly and an orbit, near and far, high and low."""

from __future__ import annotations

import numpy as np
import torch

from mimo_core.geometry.camera import Camera

from .benchmark_cameras import measure_direction, measure_outside


RANDOMIZED_CAMERAS = {"fixed": 2, "pan": 2, "hand-held": 2.5, "dolly": 1, "orbit": 1}
TRAVELING_CAMERAS = ("hand-held", "dolly", "orbit")  # these do not only turn


def place_randomized_camera(
    rng: np.random.Generator, points: np.ndarray, size: tuple[int, int], seconds: np.ndarray, *, kind: str
) -> Camera:
    """A camera of one of RICH_CAMERAS that keeps most of the points (F, N, 3) of a person in the frame.

    "hand-held" follows the person late, breathes and shakes. "dolly" travels sideways or closer, "orbit" around.
    """
    width, height = size
    tall = np.ptp(points[..., 1], axis=1).max()
    span = max(tall, np.ptp(points[..., [0, 2]], axis=1).max() * height / width)
    focal = 0.5 * height / np.tan(np.deg2rad(rng.uniform(20, 58)) / 2)
    share = rng.uniform(0.55, 0.9) if rng.random() < 0.9 else rng.uniform(0.95, 1.4)
    azimuth = rng.normal(0, 0.35)
    rise = rng.uniform(-0.35, 0.9) * 1.2
    low, high = points.min((0, 1)), points.max((0, 1))
    aim = (low + high) / 2 + np.array([rng.normal(0, 0.07), rng.normal(0, 0.04), 0]) * tall
    travel = _sample_travel(rng, kind, seconds)
    turn = _sample_rotation(rng, kind, seconds)
    nearest = focal * span / (share * height)
    farthest = max(nearest, focal * span / (min(share, 0.5) * height))
    for distance in np.linspace(nearest, farthest, 8):
        angle = azimuth + travel["orbit"]
        away = distance * (1 + travel["closer"])
        eye = aim + np.stack([np.sin(angle) * away, 0 * angle, np.cos(angle) * away], 1)
        eye[:, 1] = np.clip(aim[1] + rise * tall, 0.25, 3.0)
        eye += travel["shift"] * (1.0, 1.0, 1.0)
        camera = _point_camera(rng, points, size, focal, aim, eye, turn)
        if measure_outside(camera, points) < (0.02 if share < 0.92 else 0.3):
            break
    return camera


def _sample_travel(rng, kind: str, seconds: np.ndarray) -> dict[str, np.ndarray]:
    """How the camera leaves its place: radians around, share of the distance, metres."""
    still = np.zeros(len(seconds))
    path = {"orbit": still, "closer": still, "shift": np.zeros((len(seconds), 3))}
    time = np.linspace(-0.5, 0.5, len(seconds)) if len(seconds) > 1 else still
    if kind == "orbit":
        path["orbit"] = rng.choice([-1, 1]) * rng.uniform(0.15, 0.6) * time
    if kind == "dolly":
        path["closer"] = rng.uniform(-0.3, 0.3) * time
        path["shift"][:, 0] = rng.uniform(-0.7, 0.7) * time
    if kind == "hand-held":
        sway = rng.uniform(0.008, 0.035)
        path["shift"] = sway * np.stack([_sample_wander(rng, seconds) for _ in range(3)], 1)
    return path


def _sample_rotation(rng, kind: str, seconds: np.ndarray) -> dict[str, np.ndarray | float]:
    """How the camera turns: how closely it follows, and yaw, pitch and roll besides, in radians."""
    still = np.zeros(len(seconds))
    turn = {"follow": 0.0, "yaw": still, "pitch": still, "roll": np.full(len(seconds), rng.normal(0, 0.012))}
    time = np.linspace(-1, 1, len(seconds)) if len(seconds) > 1 else still
    if kind == "pan":
        turn["follow"] = rng.uniform(0.3, 0.9)
        turn["yaw"] = rng.choice([-1, 1]) * rng.uniform(0.04, 0.16) * np.sin(np.pi / 2 * time)
        turn["pitch"] = rng.normal(0, 0.025) * time
    if kind == "hand-held":
        shake = np.deg2rad(rng.uniform(0.25, 1.1))
        turn["follow"] = rng.uniform(0.0, 0.7)
        turn |= {axis: shake * _sample_wander(rng, seconds) for axis in ("yaw", "pitch")}
        turn["roll"] = turn["roll"] + 0.6 * shake * _sample_wander(rng, seconds)
    if kind in ("dolly", "orbit"):
        turn["follow"] = rng.uniform(0.5, 1.0)
    return turn


def _sample_wander(rng, seconds: np.ndarray) -> np.ndarray:
    """Breathing and shaking of about unit spread: slow waves with weaker quick ones."""
    speeds = rng.uniform((0.2, 0.6, 1.5, 3.0), (0.5, 1.2, 2.5, 5.0))
    waves = np.sin(2 * np.pi * speeds * seconds[:, None] + rng.uniform(0, 2 * np.pi, 4))
    return waves @ np.array([0.8, 0.5, 0.25, 0.12])


def _point_camera(rng, points, size, focal, aim, eye, turn) -> Camera:
    width, height = size
    middles = (points.min(1) + points.max(1)) / 2
    fixed = np.stack([measure_direction(aim - place) for place in eye])
    loose = np.stack([measure_direction(middle - place) for middle, place in zip(middles, eye, strict=True)])
    angles = fixed + turn["follow"] * (loose - fixed)
    matrices = make_extrinsics(eye, angles[:, 0] + turn["yaw"], angles[:, 1] + turn["pitch"], turn["roll"])
    return Camera(float(focal), (width / 2, height / 2), size, matrices)


def make_extrinsics(eye: np.ndarray, yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> torch.Tensor:
    """camera_from_world (F, 4, 4) of a camera at `eye` (F, 3); positive roll turns the picture clockwise."""
    forward = np.stack([-np.sin(yaw) * np.cos(pitch), np.sin(pitch), -np.cos(yaw) * np.cos(pitch)], 1)
    level = np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], 1)
    down = np.cross(forward, level)
    cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
    rotation = np.stack([cos * level - sin * down, sin * level + cos * down, forward], 1)
    matrix = np.tile(np.eye(4), (len(yaw), 1, 1))
    matrix[:, :3, :3] = rotation
    matrix[:, :3, 3] = -np.einsum("fij,fj->fi", rotation, eye)
    return torch.from_numpy(matrix.astype(np.float32))
