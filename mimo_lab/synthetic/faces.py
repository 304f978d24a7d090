"""Faces, beards and glasses, painted by the body's landmarks, and the grain of hair and cloth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .garments import anatomy
from .regions import BodyPoints


@dataclass(frozen=True, eq=False)
class Face:
    """N points of the head as a face sees them: metres from the eyes, the nose and the mouth."""

    x: np.ndarray  # (N,)
    side: np.ndarray  # metres outwards from the middle of the nearer eye
    up: np.ndarray  # above the eyes
    mouth: np.ndarray  # above the mouth
    front: np.ndarray  # bool
    low: np.ndarray  # bool, below the tip of the nose
    back: np.ndarray  # metres behind the front of the ear

    @classmethod
    def of(cls, place: BodyPoints) -> Face:
        map_ = anatomy()
        return cls(
            place.x,
            np.abs(place.x) - map_.eye[0],
            place.y - map_.eye[1],
            place.y - (map_.nose[1] - 0.043),
            (place.head > 0.5) & (place.z > map_.nose[2] - 0.085),
            place.y < map_.nose[1] - 0.018,
            map_.ear[2] + 0.01 - place.z,
        )


def _jaw(face: Face) -> np.ndarray:
    return face.front & face.low & ((np.abs(face.x) > 0.012) | (face.mouth < -0.012) | (face.mouth > 0.008))


def _moustache(face: Face, long: float) -> np.ndarray:
    curve = face.mouth - 0.014 + 6 * face.x**2
    return face.front & (np.abs(curve) < 0.008) & (np.abs(face.x) < long)


def _chin(face: Face) -> np.ndarray:
    return face.front & (np.abs(face.x) < 0.024) & (face.mouth < -0.013)


BEARD_SHAPES: dict[str, tuple[Callable[[Face], np.ndarray], float]] = {  # where, and how dense
    "stubble beard": (_jaw, 0.3),
    "full beard": (_jaw, 0.85),
    "goatee": (lambda f: _chin(f) | _moustache(f, 0.03), 0.85),
    "moustache": (lambda f: _moustache(f, 0.032), 0.9),
    "handlebar": (lambda f: _moustache(f, 0.05) | (f.front & (np.abs(np.abs(f.x) - 0.042) < 0.007) &
         (np.abs(f.mouth) < 0.02)), 0.9),
    "sideburns": (lambda f: f.front & (np.abs(f.x) > 0.052) & (f.up < 0.01) & (f.mouth > -0.01), 0.9),
    "chin strap": (lambda f: f.front & f.low & ((np.abs(f.x) > 0.047) | (f.mouth < -0.032)), 0.85),
}  # fmt: skip


def _ring(face: Face, wide: float, tall: float, *, square: float = 2.0) -> np.ndarray:
    """1 on the outline of a lens, less inside."""
    inner = np.abs(face.side / wide) ** square + np.abs((face.up + 0.003) / tall) ** square
    return inner ** (1 / square)


def _glasses_frames(wide: float, tall: float, *, square: float = 2.0, thick: float = 0.15):
    def draw(face: Face):
        ring = _ring(face, wide, tall, square=square)
        return np.zeros_like(face.front), face.front & ((np.abs(ring - 1) < thick) | _bridge(face))

    return draw


def _bridge(face: Face) -> np.ndarray:
    return (np.abs(face.up - 0.004) < 0.0032) & (np.abs(face.x) < 0.014)


def _lenses(wide: float, tall: float):
    def draw(face: Face):
        ring = _ring(face, wide, tall, square=2.6)
        return face.front & (ring < 1), face.front & ((np.abs(ring - 1) < 0.12) | _bridge(face))

    return draw


GLASSES_SHAPES: dict[str, Callable[[Face], tuple[np.ndarray, np.ndarray]]] = {  # dark parts, colored parts
    "oval frames": _glasses_frames(0.027, 0.02),
    "square frames": _glasses_frames(0.027, 0.019, square=6.0, thick=0.17),
    "round frames": _glasses_frames(0.025, 0.025, thick=0.11),
    "half frames": lambda f: (np.zeros_like(f.front), f.front & (np.abs(_ring(f, 0.024, 0.02) - 1) < 0.16) &
         (f.up < -0.004)),
    "dark lenses": _lenses(0.028, 0.02),
    "big dark lenses": _lenses(0.036, 0.032),
    "goggles": lambda f: (
        f.front & (np.abs(f.up) < 0.017) & (np.abs(f.x) < 0.065),
        f.front & (np.abs(np.abs(f.up) - 0.022) < 0.007),
    ),
    "eye mask": lambda f: (
        np.zeros_like(f.front),
        f.front & (np.abs(f.up - 0.004) < 0.024 - 0.1 * np.abs(f.side)) &
        ~((f.side / 0.016) ** 2 + (f.up / 0.009) ** 2 < 1),
    ),
    "eye patch": lambda f: (
        f.front & (f.x > 0) & (f.side**2 + f.up**2 < 0.024**2),
        f.front & (np.abs(f.up - 0.02 + 0.5 * f.x) < 0.004),
    ),
    "face mask": lambda f: (np.zeros_like(f.front), f.front & (f.up < -0.022) & (f.mouth > -0.045)),
}  # fmt: skip


def paint_face(appearance, map_, rgb, gloss, points, rows):
    """Eyes, brows, lips, cheeks, beard and glasses, placed by the body's landmarks."""
    x, y, z = points.T
    side = np.abs(x) - map_.eye[0]
    up = y - map_.eye[1]
    front = z > map_.nose[2] - 0.085
    mouth = y - (map_.nose[1] - 0.043)

    def fill(zone, tint, amount=1.0):
        chosen = rows[front & zone]
        rgb[chosen] += amount * (np.asarray(tint, np.float32) - rgb[chosen])

    fill((np.abs(x) < 0.017) & (np.abs(y - map_.nose[1]) < 0.02), appearance.skin * (1.0, 0.86, 0.84), 0.6)
    fill((side**2 + (up + 0.045) ** 2) < 0.02**2, appearance.skin * (1.02, 0.82, 0.80), 0.5)
    if appearance.beard:
        jaw = (y < map_.nose[1] - 0.018) & ((np.abs(x) > 0.012) | (mouth < -0.012) | (mouth > 0.008))
        fill(jaw, appearance.hair * 0.8, appearance.beard)
    fill((side / 0.024) ** 2 + (up / 0.017) ** 2 < 1, appearance.skin * 0.72, 0.6)
    fill((side / 0.0165) ** 2 + (up / 0.0085) ** 2 < 1, (0.93, 0.92, 0.90))
    fill(side**2 + up**2 < 0.0075**2, appearance.eye)
    fill(side**2 + up**2 < 0.0038**2, (0.03, 0.03, 0.03))
    fill((np.abs(side) < 0.018) & (np.abs(up - 0.0095 + 12 * side**2) < 0.0028), (0.08, 0.06, 0.05))
    fill((np.abs(side + 0.002) < 0.022) & (np.abs(up - 0.026 + 9 * side**2) < 0.005), appearance.hair * 0.6)
    fill((np.abs(x) / 0.027) ** 2 + (mouth / 0.0105) ** 2 < 1, appearance.lips)
    fill((np.abs(x) < 0.025) & (np.abs(mouth - 0.001) < 0.0016), appearance.lips * 0.45)
    if appearance.glasses:
        ring = np.sqrt((side / 0.027) ** 2 + (up / 0.02) ** 2)
        fill((np.abs(ring - 1) < 0.14) | ((np.abs(up - 0.004) < 0.003) & (np.abs(x) < 0.014)), (0.07, 0.07, 0.08))


def shade_creases(appearance, points: np.ndarray) -> np.ndarray:
    """Brightness of folded cloth, (N,) around 1."""
    waves = points @ (appearance.folds[:, :3].T * (22.0, 34.0, 55.0)).astype(np.float32) + appearance.folds[:, 3]
    return 1 + 0.035 * np.sin(waves + np.sin(waves[:, ::-1])).sum(1)


def shade_strands(appearance, points: np.ndarray) -> np.ndarray:
    """Brightness of hair, (N,) around 1."""
    x, y, z = points.T
    return (
        1
        + 0.16 * np.sin(150 * x + 60 * z + 6 * np.sin(20 * y))
        + 0.1 * np.sin(70 * z - 40 * x + appearance.folds[0, 3])
    )
