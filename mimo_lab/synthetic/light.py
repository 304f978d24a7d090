"""Light: one key light, light from the sky and from the ground, and the shadow on the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


REACH, CELLS = 3.2, 160  # the shadow map covers +- REACH metres with CELLS squares


@dataclass(frozen=True, eq=False)
class ShotLight:
    """Colours are RGB factors, `direction` the unit vector towards the key light."""

    direction: np.ndarray  # (3,)
    key: np.ndarray  # (3,)
    sky: np.ndarray
    ground: np.ndarray
    softness: float  # blur of the cast shadow, metres
    shadow: float  # darkness of the cast shadow, 0 to 1

    def shade(self, rgb: np.ndarray, normals: np.ndarray, gloss: np.ndarray, towards_camera: np.ndarray) -> np.ndarray:
        """Lit colors (N, 3) of surface points with unit normals (N, 3); `towards_camera` (3) or (N, 3)."""
        facing = normals @ self.direction
        diffuse = np.clip((facing + 0.2) / 1.2, 0, 1)
        up = 0.5 + 0.5 * normals[:, 1]
        half = towards_camera + self.direction
        half = half / np.linalg.norm(half, axis=-1, keepdims=True)
        shine = gloss * np.clip(_dot_rows(normals, half), 0, 1) ** 24
        edge = 1 - np.clip(_dot_rows(normals, towards_camera), 0, 1)
        fall = 1 - 0.25 * edge**2
        lit = []
        for channel, key in enumerate(self.key):  # an array a channel: numpy is slow where the last axis is short
            ambient = self.ground[channel] + (self.sky - self.ground)[channel] * up
            lit.append(rgb[:, channel] * (diffuse * key + ambient) * fall + shine * key)
        return np.stack(lit, 1)

    def floor_shadow(self, points: np.ndarray, middle: np.ndarray) -> np.ndarray:
        """How dark a body's points (V, 3) make the floor around `middle` (x, z): a map (CELLS, CELLS), 0 to 1.

        The key light's shadow, plus a soft dark patch where the body is close to the floor.
        """
        import cv2

        slope = self.direction[[0, 2]] / max(self.direction[1], 0.35)
        cast = _splat(points[:, [0, 2]] - points[:, 1:2] * slope - middle, np.ones(len(points)))
        close = _splat(points[:, [0, 2]] - middle, np.exp(-np.maximum(points[:, 1], 0) / 0.06))
        cell = 2 * REACH / CELLS
        cast = cv2.GaussianBlur(np.minimum(cast, 1), (0, 0), max(self.softness, 0.03) / cell)
        close = cv2.GaussianBlur(np.minimum(close, 1), (0, 0), 0.06 / cell)
        return 1 - (1 - self.shadow * np.clip(1.4 * cast, 0, 1)) * (1 - 0.6 * np.clip(1.6 * close, 0, 1))


def _dot_rows(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The products of rows (N, 3) with rows or one vector, (N,)."""
    return a[:, 0] * b[..., 0] + a[:, 1] * b[..., 1] + a[:, 2] * b[..., 2]


def _splat(places: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    cells = np.floor((places / REACH + 1) * CELLS / 2).astype(int)
    inside = ((cells >= 0) & (cells < CELLS)).all(1)
    flat = cells[inside, 1] * CELLS + cells[inside, 0]
    return np.bincount(flat, amounts[inside], CELLS * CELLS).reshape(CELLS, CELLS).astype(np.float32)


def studio_light() -> ShotLight:
    """Even light for a character picture."""
    direction = np.array([0.35, 0.55, 0.76], np.float32)
    key = np.full(3, 0.5, np.float32)
    return ShotLight(
        direction / np.linalg.norm(direction), key, np.full(3, 0.58, np.float32), np.full(3, 0.42, np.float32), 0.2, 0.2
    )
