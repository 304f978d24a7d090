"""Where the camera stands and how it turns."""

from __future__ import annotations

import numpy as np
import torch

from mimo_core.geometry.camera import Camera


BENCHMARK_CAMERAS = ("fixed", "pan")
TIGHTEST, WIDEST = 0.88, 0.5  # height of the person, as a share of the frame


def place_benchmark_camera(rng: np.random.Generator, points: np.ndarray, size: tuple[int, int], *, kind: str) -> Camera:
    """A camera that keeps points (F, N, 3) of a person in the frame without losing them in the distance.

    "fixed" stands still. "pan" turns about its own centre, following the person loosely and sweeping.
    """
    width, height = size
    frames = len(points)
    low, high = points.min((0, 1)), points.max((0, 1))
    tall = np.ptp(points[..., 1], axis=1).max()
    field = np.deg2rad(rng.uniform(26, 46))
    share = rng.uniform(0.62, TIGHTEST)
    azimuth, rise = rng.normal(0, 0.22), rng.uniform(-0.15, 0.75)
    aim = (low + high) / 2 + np.array([rng.normal(0, 0.06), rng.normal(0, 0.03), 0]) * tall
    follow, sweep = rng.uniform(0.3, 0.9), rng.choice([-1, 1]) * rng.uniform(0.05, 0.16)
    tilt, ease = rng.normal(0, 0.02), rng.uniform(0.8, 1.6)
    focal = 0.5 * height / np.tan(field / 2)
    nearest, farthest = (focal * tall / (part * height) for part in (share, WIDEST))
    for distance in np.linspace(nearest, max(nearest, farthest), 8):
        eye = aim + distance * np.array([np.sin(azimuth), 0, np.cos(azimuth)])
        eye[1] = np.clip(aim[1] + rise * tall, 0.5, 2.4)
        yaw, pitch = (np.full(frames, angle) for angle in measure_direction(aim - eye))
        if kind == "pan":
            middles = np.stack([measure_direction(middle - eye) for middle in (points.min(1) + points.max(1)) / 2])
            time = np.linspace(-1, 1, frames) if frames > 1 else np.zeros(1)
            yaw = yaw + follow * (middles[:, 0] - yaw) + sweep * np.sin(np.pi / 2 * np.clip(time * ease, -1, 1))
            pitch = pitch + tilt * time
        camera = Camera(float(focal), (width / 2, height / 2), size, _extrinsics(eye, yaw, pitch))
        if measure_outside(camera, points) < 0.01:
            break
    return camera


def measure_direction(vector: np.ndarray) -> tuple[float, float]:
    """Yaw (0 looks along -Z, positive turns left) and pitch (positive looks up) of a vector."""
    return np.arctan2(-vector[0], -vector[2]), np.arctan2(vector[1], np.hypot(vector[0], vector[2]))


def _extrinsics(eye: np.ndarray, yaw: np.ndarray, pitch: np.ndarray) -> torch.Tensor:
    """camera_from_world (F, 4, 4) of a camera at `eye` (3) with angles (F)."""
    forward = np.stack([-np.sin(yaw) * np.cos(pitch), np.sin(pitch), -np.cos(yaw) * np.cos(pitch)], 1)
    right = np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], 1)
    rotation = np.stack([right, np.cross(forward, right), forward], 1)
    matrix = np.tile(np.eye(4), (len(yaw), 1, 1))
    matrix[:, :3, :3], matrix[:, :3, 3] = rotation, -rotation @ eye
    return torch.from_numpy(matrix.astype(np.float32))


def measure_outside(camera: Camera, points: np.ndarray) -> float:
    """Share of the points that lie outside the frame or within 2 % of its border."""
    pixels = camera.project(torch.from_numpy(points).float()).numpy()
    place = pixels / np.array(camera.size, np.float32)
    return float(((place < 0.02) | (place > 0.98)).any(-1).mean())
