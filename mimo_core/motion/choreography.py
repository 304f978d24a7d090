"""Choreography: joint angles as functions of time, within joint limits, feet on the floor.

Convention: a joint's rotation is Ry Rx Rz in degrees (z first), in its parent's frame, from the rest pose T with the
front along +Z. Angles are written for the left side; the right side is its mirror image (y and z change sign). So
shoulder z -70 lets an arm hang, shoulder or hip x -30 swings it forward, elbow y -90 bends a hanging arm forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.skeleton import JOINT


STEP_SIDES = (("left", 0.0), ("right", 0.5))  # of a step, and how much of a cycle later
LIMITS = {  # degrees about x, y, z, left side
    "hip": ((-115, 35), (-40, 40), (-15, 50)),
    "knee": ((0, 135), (0, 0), (0, 0)),
    "ankle": ((-35, 40), (-15, 15), (-12, 12)),
    "foot": ((-25, 5), (0, 0), (0, 0)),
    "collar": ((-5, 5), (-8, 8), (-5, 18)),
    "shoulder": ((-110, 50), (-100, 40), (-85, 80)),
    "elbow": ((-20, 20), (-135, 0), (-5, 90)),
    "wrist": ((-40, 40), (-20, 20), (-40, 40)),
    "hand": ((0, 0), (0, 0), (-40, 5)),
    "spine1": ((-12, 35), (-15, 15), (-14, 14)),
    "spine2": ((-10, 20), (-15, 15), (-12, 12)),
    "spine3": ((-8, 15), (-15, 15), (-10, 10)),
    "neck": ((-18, 22), (-28, 28), (-12, 12)),
    "head": ((-18, 22), (-32, 32), (-14, 14)),
}

ARM_POSES = {  # shoulder z, x, y; elbow y, z
    "hang": (-70, 0, 0, -15, 0),
    "out": (-5, 0, 0, -10, 0),
    "up": (62, -10, 0, -12, 10),
    "goal": (0, -75, 0, -85, 0),
    "reach": (-8, 0, -75, -12, 0),
    "hip": (-48, 25, 0, -85, 0),
    "chest": (-38, 0, -45, -110, 0),
    "halo": (60, -20, 0, -20, 60),
    "low": (-42, 12, 0, -20, 0),
}
LEG_POSES = {  # hip x, y, z; knee x
    "stand": (0, 8, 4, 6),
    "wide": (-4, 12, 18, 10),
    "bent": (-32, 12, 12, 52),
    "lift": (-62, 6, 6, 78),
    "kick": (-58, 0, 4, 12),
    "back": (18, 4, 6, 28),
    "side": (-4, 8, 34, 8),
}


@dataclass(frozen=True, eq=False)
class Performance:
    """`angles` (F, 24, 3) degrees as above, `yaw` (F,) radians of the whole body, `lift` (F,) metres off the floor."""

    kind: str
    angles: np.ndarray
    yaw: np.ndarray
    lift: np.ndarray
    rests_on_body: bool = False  # what touches the floor is whatever is lowest, not the feet

    def rotations(self) -> np.ndarray:
        """Axis-angle (F, 24, 3), the yaw in the pelvis."""
        from scipy.spatial.transform import Rotation

        frames = len(self.angles)
        joints = Rotation.from_euler("YXZ", self.angles[..., [1, 0, 2]].reshape(-1, 3), degrees=True)
        vectors = joints.as_rotvec().reshape(frames, 24, 3)
        vectors[:, 0] = (Rotation.from_euler("y", self.yaw[:, None]) * Rotation.from_rotvec(vectors[:, 0])).as_rotvec()
        return vectors.astype(np.float32)


class Angles:
    """The angles being written: (F, 24, 3), added to by joint name and side."""

    def __init__(self, times: np.ndarray):
        self.times = times
        self.values = np.zeros((len(times), 24, 3))

    def add(self, joint: str, side: str = "", *, x=0.0, y=0.0, z=0.0):
        """Add degrees to one joint. `side` is "left", "right", "both" or "" for the middle."""
        for name in ("left", "right") if side == "both" else (side,):
            sign = -1.0 if name == "right" else 1.0
            number = JOINT[f"{name}_{joint}" if name else joint]
            for axis, value in enumerate((x, sign * np.asarray(y), sign * np.asarray(z))):
                self.values[:, number, axis] += value

    def arm(self, side: str, name: str, amount=1.0):
        """Move an arm by `amount` (F,) or a number towards a pose of ARMS; amounts over all poses should sum to 1."""
        z, x, y, bend, curl = ARM_POSES[name]
        self.add("shoulder", side, x=x * amount, y=y * amount, z=z * amount)
        self.add("elbow", side, y=bend * amount, z=curl * amount)

    def leg(self, side: str, name: str, amount=1.0):
        """Move a leg towards a pose of LEGS."""
        x, y, z, knee = LEG_POSES[name]
        self.add("hip", side, x=x * amount, y=y * amount, z=z * amount)
        self.add("knee", side, x=knee * amount)

    def sway(self, rng, degrees: float):
        """Slow drift of every joint, so that nothing ever stands quite still."""
        for joint, limits in LIMITS.items():
            for side in ("",) if f"left_{joint}" not in JOINT else ("left", "right"):
                room = np.array([high - low for low, high in limits]) / 60.0
                waves = np.sin(self.times[:, None] * rng.uniform(1.5, 4.0, 3) + rng.uniform(0, 6.28, 3))
                share = 0.3 if joint in ("hip", "knee", "ankle", "foot") else 1.0
                self.add(joint, side, **dict(zip("xyz", (waves * degrees * room * share).T, strict=True)))

    def flat_feet(self):
        """Turn the ankles so that the soles stay level, as far as ankles go."""
        for side in ("left", "right"):
            bend = sum(self.values[:, JOINT[f"{side}_{joint}"], 0] for joint in ("hip", "knee"))
            self.add("ankle", side, x=-0.85 * (bend + self.values[:, 0, 0]))

    def clip_to_limits(self) -> np.ndarray:
        """The angles clipped to LIMITS, (F, 24, 3) degrees."""
        values = self.values.copy()
        for joint, limits in LIMITS.items():
            for side in ("",) if f"left_{joint}" not in JOINT else ("left", "right"):
                number = JOINT[f"{side}_{joint}" if side else joint]
                for axis, (low, high) in enumerate(limits):
                    if side == "right" and axis > 0:
                        low, high = -high, -low
                    values[:, number, axis] = np.clip(values[:, number, axis], low, high)
        return values


def closed_curve(phase: np.ndarray, values) -> np.ndarray:
    """A smooth closed curve (F,) through `values`, evenly spread over phases 0 to 1, at `phase` (F,)."""
    from scipy.interpolate import CubicSpline

    knots = np.linspace(0, 1, len(values) + 1)
    return CubicSpline(knots, [*values, values[0]], bc_type="periodic")(phase % 1.0)


def curve_through(times: np.ndarray, *keys: tuple[float, float]) -> np.ndarray:
    """A curve (F,) through (second, value) at `times` (F,).

    It comes to rest at each key, and stays at the first and the last one.
    """
    from scipy.interpolate import PchipInterpolator

    moments, values = zip(*keys, strict=True)
    return PchipInterpolator(moments, values)(np.clip(times, moments[0], moments[-1]))


def sine_wave(phase: np.ndarray) -> np.ndarray:
    """A sine wave (F,) at `phase` (F,): it begins at phase 0 and repeats after 1, so 0.25 gives 1."""
    return np.sin(2 * np.pi * phase)


@dataclass(frozen=True, eq=False)
class FootPlacement:
    """Where the body stands: `transl` (F, 3) metres and which feet are planted, (F, 2) bool left and right."""

    transl: np.ndarray
    contacts: np.ndarray


def plant_feet(feet: np.ndarray, lift: np.ndarray, *, fps: float, shifts: np.ndarray | None = None) -> FootPlacement:
    """Put a body on the floor y = 0 and let the foot that carries it stay where it is, so that steps move the body.

    `feet` (F, 2, N, 3) are points of the left and right sole of the body at the origin, `lift` (F,) metres in the air.
    With `shifts` (F, 2, 2), metres along x and z from each foot of the body at the origin to where it should stand, the
    foot that carries it stands there.
    """
    height = feet[..., 1].min(2)  # (F, 2)
    lowest = height.min(1)
    height = height - lowest[:, None] + lift[:, None]
    ground = feet.mean(2)[..., [0, 2]]  # (F, 2, 2)
    carries = np.exp(-np.minimum(height, 0.3) / 0.012)
    carries = carries / carries.sum(1, keepdims=True)
    if shifts is None:
        step = ((carries[1:] + carries[:-1])[..., None] / 2 * np.diff(ground, axis=0)).sum(1)
        path = -np.concatenate([np.zeros((1, 2)), np.cumsum(step, 0)])
        path -= path.mean(0)
    else:
        path = (carries[..., None] * shifts).sum(1)
    transl = np.stack([path[:, 0], lift - lowest, path[:, 1]], 1)
    placed = ground + path[:, None]
    speed = np.linalg.norm(np.gradient(placed, axis=0), axis=-1) * fps if len(feet) > 1 else np.zeros(height.shape)
    return FootPlacement(transl.astype(np.float32), (height < 0.02) & (speed < 0.2))
