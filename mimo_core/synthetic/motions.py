"""Procedural motion: joint angles as functions of time, within joint limits, feet on the floor.

Convention: a joint's rotation is Ry Rx Rz in degrees (z first), in its parent's frame, from the rest pose T with the
front along +Z. Angles are written for the left side; the right side is its mirror image (y and z change sign). So
shoulder z -70 lets an arm hang, shoulder or hip x -30 swings it forward, elbow y -90 bends a hanging arm forward.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..body.skeleton import JOINT
from .streams import pick


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

ARMS = {  # shoulder z, x, y; elbow y, z
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
LEGS = {  # hip x, y, z; knee x
    "stand": (0, 8, 4, 6),
    "wide": (-4, 12, 18, 10),
    "bent": (-32, 12, 12, 52),
    "lift": (-62, 6, 6, 78),
    "kick": (-58, 0, 4, 12),
    "back": (18, 4, 6, 28),
    "side": (-4, 8, 34, 8),
}
KINDS = {
    "walk": 4, "run": 0.8, "dance": 5, "turn": 0.8, "wave": 0.6, "squat": 0.6, "reach": 0.6, "idle": 0.5, "jacks": 0.5,
}  # fmt: skip
STEPS = ("stand", "wide", "bent", "left lift", "right lift", "left side", "right side")  # of a dance on the spot


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
        z, x, y, bend, curl = ARMS[name]
        self.add("shoulder", side, x=x * amount, y=y * amount, z=z * amount)
        self.add("elbow", side, y=bend * amount, z=curl * amount)

    def leg(self, side: str, name: str, amount=1.0):
        """Move a leg towards a pose of LEGS."""
        x, y, z, knee = LEGS[name]
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

    def limited(self) -> np.ndarray:
        """The angles clipped to LIMITS."""
        values = self.values.copy()
        for joint, limits in LIMITS.items():
            for side in ("",) if f"left_{joint}" not in JOINT else ("left", "right"):
                number = JOINT[f"{side}_{joint}" if side else joint]
                for axis, (low, high) in enumerate(limits):
                    if side == "right" and axis > 0:
                        low, high = -high, -low
                    values[:, number, axis] = np.clip(values[:, number, axis], low, high)
        return values


def perform(rng: np.random.Generator, times: np.ndarray, *, kind: str | None = None) -> Performance:
    """A random performance at `times` (F,) in seconds. `kind` is one of KINDS; None draws one."""
    kind = kind or pick(rng, KINDS)
    angles = Angles(times)
    yaw = np.full(len(times), rng.normal(0, 0.45) if rng.random() < 0.75 else rng.uniform(-np.pi, np.pi))
    lift = np.zeros(len(times))
    turn, rise = PERFORMANCES[kind](rng, angles)
    angles.sway(rng, {"idle": 4.0, "dance": 3.0}.get(kind, 2.0))
    angles.flat_feet()
    return Performance(kind, angles.limited(), yaw + turn, lift + rise)


def _walk(rng, angles: Angles, *, running: bool = False):
    """A gait: legs in opposite phase, arms against the legs. Seen from the side or at an angle as a rule."""
    cadence = 2 * np.pi * (rng.uniform(1.2, 1.5) if running else rng.uniform(0.75, 1.0))
    stride = rng.uniform(30, 42) if running else rng.uniform(20, 30)
    bend = rng.uniform(80, 105) if running else rng.uniform(48, 62)
    swing, elbow = stride * rng.uniform(0.7, 1.1), (80 if running else rng.uniform(12, 32))
    start = rng.uniform(0, 2 * np.pi)
    for side, shift in (("left", 0.0), ("right", np.pi)):
        phase = cadence * angles.times + start + shift
        angles.add("hip", side, x=-stride * np.sin(phase) - (8 if running else 4), z=2.0, y=4.0)
        angles.add("knee", side, x=bend * np.clip(np.cos(phase - 0.25), 0, None) ** 1.5 + 6)
        angles.add("foot", side, x=-18 * np.clip(-np.sin(phase), 0, None))
        angles.arm(side, "hang")
        angles.add("shoulder", side, x=swing * np.sin(phase))
        angles.add("elbow", side, y=-elbow - 8 * np.sin(phase))
    wave = np.sin(cadence * angles.times + start)
    angles.add("pelvis", x=8.0 if running else 2.0, y=-4 * wave, z=2 * np.cos(cadence * angles.times + start))
    angles.add("spine3", y=8 * wave)
    heading = rng.choice([-1, 1]) * rng.uniform(0.7, 1.6)
    rise = 0.05 * np.abs(np.sin(cadence * angles.times + start + 0.6)) ** 2 if running else 0.0
    return heading + rng.normal(0, 0.1) * angles.times, rise


def _run(rng, angles: Angles):
    return _walk(rng, angles, running=True)


def blends(rng, times: np.ndarray, beat: float, choices: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Amounts (F,) per pose that move from one random pose to the next on every beat and always sum to 1."""
    beats = int(times.max() / beat) + 3
    order = [choices[i] for i in rng.integers(0, len(choices), beats)]
    place = times / beat + rng.uniform(0, 1)
    number = np.floor(place).astype(int)
    part = np.clip((place - number) * 1.25, 0, 1)
    part = part * part * (3 - 2 * part)
    amounts = {name: np.zeros(len(times)) for name in choices}
    for i, (current, following) in enumerate(zip(order, order[1:], strict=False)):
        inside = number == i
        amounts[current] += inside * (1 - part)
        amounts[following] += inside * part
    return amounts


def _dance(rng, angles: Angles):
    """Poses on a beat: each arm, the legs, hips and shoulders on their own."""
    t, beat = angles.times, rng.uniform(0.4, 0.65)
    together = rng.random() < 0.45
    for side in ("left", "right"):
        if side == "left" or not together:
            arms = blends(rng, t, beat * rng.choice([1, 2]), tuple(ARMS))
        for name, amount in arms.items():
            angles.arm(side, name, amount)
    (_sidestep if rng.random() < 0.65 else _step_on_the_spot)(rng, angles, beat)
    pulse = np.sin(np.pi * t / beat + rng.uniform(0, 6.28))
    bounce = 8 * np.abs(pulse)
    angles.add("hip", "both", x=-bounce)
    angles.add("knee", "both", x=2 * bounce)
    angles.add("pelvis", z=5 * pulse, y=8 * rng.normal() * pulse)
    angles.add("spine1", z=-6 * pulse)
    angles.add("spine3", y=12 * rng.normal() * pulse)
    angles.add("head", z=5 * pulse, x=4 * np.abs(pulse))
    return rng.normal(0, 0.5) * np.sin(t * rng.uniform(1, 2.5)), 0.0


def _step_on_the_spot(rng, angles: Angles, beat: float):
    for name, amount in blends(rng, angles.times, beat * rng.choice([1, 2]), STEPS).items():
        free, _, step = name.rpartition(" ")
        for side in ("left", "right"):
            angles.leg(side, step if free in ("", side) else "bent" if step == "side" else "stand", amount)


def _sidestep(rng, angles: Angles, beat: float):
    """One foot steps aside, the other follows: the body travels."""
    lead, follow = rng.permutation(["left", "right"])
    phase = (angles.times / (1.6 * beat) + rng.uniform(0, 1)) % 1.0
    opening = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    angles.add("hip", "both", z=3 + rng.uniform(18, 26) * opening, y=6)
    for side, lifted in ((lead, phase < 0.5), (follow, phase >= 0.5)):
        lift = np.where(lifted, np.abs(np.sin(2 * np.pi * phase)), 0)
        angles.add("hip", side, x=-24 * lift - 4)
        angles.add("knee", side, x=46 * lift + 8)


def _wave(rng, angles: Angles):
    side, other = rng.permutation(["left", "right"])
    pulse = np.sin(2 * np.pi * rng.uniform(1.0, 1.8) * angles.times + rng.uniform(0, 6.28))
    angles.arm(side, "goal")
    angles.add("shoulder", side, z=22 + 6 * pulse)
    angles.add("elbow", side, y=18 + 24 * pulse)
    angles.arm(other, rng.choice(["hang", "hip", "hang"]))
    angles.leg("both", rng.choice(["stand", "wide"]))
    angles.add("spine2", z=3 * pulse)
    return 0.0, 0.0


def _squat(rng, angles: Angles):
    depth = (
        0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(0.4, 0.65) * angles.times + rng.uniform(0, 6.28))
    ) * rng.uniform(0.5, 1)
    angles.leg("both", "wide", 1 - depth)
    angles.add("hip", "both", x=-98 * depth, y=16 * depth, z=18 * depth)
    angles.add("knee", "both", x=112 * depth)
    angles.add("spine1", x=22 * depth)
    angles.arm("both", "hang", 1 - depth)
    angles.arm("both", rng.choice(["reach", "chest", "goal"]), depth)
    return 0.0, 0.0


def _turn(rng, angles: Angles):
    """Stepping round on the spot."""
    rate = rng.choice([-1, 1]) * rng.uniform(1.2, 3.2)
    phase = 2 * np.pi * rng.uniform(0.8, 1.2) * angles.times + rng.uniform(0, 6.28)
    for side, wave in (("left", np.sin(phase)), ("right", -np.sin(phase))):
        angles.leg(side, "stand")
        angles.add("hip", side, x=-28 * np.clip(wave, 0, None))
        angles.add("knee", side, x=48 * np.clip(wave, 0, None))
        angles.arm(side, rng.choice(["hang", "low", "out", "hip"]))
    angles.add("head", y=np.sign(rate) * 18)
    return rate * angles.times, 0.0


def _reach(rng, angles: Angles):
    side, other = rng.permutation(["left", "right"])
    amount = 0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(0.35, 0.6) * angles.times + rng.uniform(0, 6.28))
    angles.arm(side, "hang", 1 - amount)
    angles.arm(side, rng.choice(["reach", "up", "out", "chest"]), amount)
    angles.arm(other, rng.choice(["hang", "hip", "chest", "low"]))
    angles.leg(side, "bent", 0.5 * amount)
    angles.leg(other, "wide")
    sign = 1 if side == "left" else -1
    angles.add("spine1", x=14 * amount, z=-6 * sign * amount)
    angles.add("spine3", y=-10 * sign * amount)
    angles.add("head", y=14 * sign * amount)
    return 0.0, 0.0


def _idle(rng, angles: Angles):
    for side in ("left", "right"):
        angles.arm(side, rng.choice(["hang", "hang", "hip", "chest", "low"]))
        angles.leg(side, rng.choice(["stand", "stand", "wide"]))
    shift = np.sin(2 * np.pi * rng.uniform(0.2, 0.4) * angles.times + rng.uniform(0, 6.28))
    angles.add("pelvis", z=4 * shift)
    angles.add("spine1", z=-4 * shift)
    angles.add("head", y=18 * np.sin(2 * np.pi * rng.uniform(0.2, 0.5) * angles.times + rng.uniform(0, 6.28)))
    return 0.0, 0.0


def _jacks(rng, angles: Angles):
    phase = 2 * np.pi * rng.uniform(0.7, 1.0) * angles.times + rng.uniform(0, 6.28)
    amount = 0.5 - 0.5 * np.cos(phase)
    angles.arm("both", "hang", 1 - amount)
    angles.arm("both", "up", amount)
    angles.leg("both", "stand", 1 - amount)
    angles.leg("both", "wide", amount)
    angles.add("hip", "both", x=-6.0)
    angles.add("knee", "both", x=12.0)
    return 0.0, 0.07 * np.abs(np.sin(phase))


PERFORMANCES = {
    "walk": _walk, "run": _run, "dance": _dance, "wave": _wave, "squat": _squat, "turn": _turn, "reach": _reach,
    "idle": _idle, "jacks": _jacks,
}  # fmt: skip


def a_pose() -> np.ndarray:
    """Axis-angle (1, 24, 3) of somebody standing for a picture, arms a little away from the body."""
    angles = Angles(np.zeros(1))
    angles.add("shoulder", "both", z=-52)
    angles.add("elbow", "both", y=-8)
    angles.add("hip", "both", z=3, y=6)
    return Performance("stand", angles.values, np.zeros(1), np.zeros(1)).rotations()


@dataclass(frozen=True, eq=False)
class Footing:
    """Where the body stands: `transl` (F, 3) metres and which feet are planted, (F, 2) bool left and right."""

    transl: np.ndarray
    contacts: np.ndarray


def stand(feet: np.ndarray, lift: np.ndarray, *, fps: float) -> Footing:
    """Put a body on the floor y = 0 and let the foot that carries it stay where it is, so that steps move the body.

    `feet` (F, 2, N, 3) are points of the left and right sole of the body at the origin, `lift` (F,) metres in the air.
    """
    height = feet[..., 1].min(2)  # (F, 2)
    lowest = height.min(1)
    height = height - lowest[:, None] + lift[:, None]
    ground = feet.mean(2)[..., [0, 2]]  # (F, 2, 2)
    carries = np.exp(-np.minimum(height, 0.3) / 0.012)
    carries = carries / carries.sum(1, keepdims=True)
    step = ((carries[1:] + carries[:-1])[..., None] / 2 * np.diff(ground, axis=0)).sum(1)
    path = -np.concatenate([np.zeros((1, 2)), np.cumsum(step, 0)])
    path -= path.mean(0)
    transl = np.stack([path[:, 0], lift - lowest, path[:, 1]], 1)
    placed = ground + path[:, None]
    speed = np.linalg.norm(np.gradient(placed, axis=0), axis=-1) * fps if len(feet) > 1 else np.zeros(height.shape)
    return Footing(transl.astype(np.float32), (height < 0.02) & (speed < 0.2))
