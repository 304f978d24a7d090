"""Random performances: who does what, drawn anew for every shot. Angles as motion/choreography.py writes them."""

from __future__ import annotations

import numpy as np

from mimo_core.motion.choreography import ARM_POSES, Angles, Performance

from .streams import pick_weighted


BENCHMARK_MOTIONS = {
    "walk": 4, "run": 0.8, "dance": 5, "turn": 0.8, "wave": 0.6, "squat": 0.6, "reach": 0.6, "idle": 0.5, "jacks": 0.5,
}  # fmt: skip
STEPS = ("stand", "wide", "bent", "left lift", "right lift", "left side", "right side")  # of a dance on the spot


def perform_benchmark_motion(rng: np.random.Generator, times: np.ndarray, *, kind: str | None = None) -> Performance:
    """A random performance at `times` (F,) in seconds. `kind` is one of KINDS; None draws one."""
    kind = kind or pick_weighted(rng, BENCHMARK_MOTIONS)
    angles = Angles(times)
    yaw = np.full(len(times), rng.normal(0, 0.45) if rng.random() < 0.75 else rng.uniform(-np.pi, np.pi))
    lift = np.zeros(len(times))
    turn, rise = BENCHMARK_PERFORMERS[kind](rng, angles)
    angles.sway(rng, {"idle": 4.0, "dance": 3.0}.get(kind, 2.0))
    angles.flat_feet()
    return Performance(kind, angles.clip_to_limits(), yaw + turn, lift + rise)


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


def list_blends(rng, times: np.ndarray, beat: float, choices: tuple[str, ...]) -> dict[str, np.ndarray]:
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
            arms = list_blends(rng, t, beat * rng.choice([1, 2]), tuple(ARM_POSES))
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
    for name, amount in list_blends(rng, angles.times, beat * rng.choice([1, 2]), STEPS).items():
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


BENCHMARK_PERFORMERS = {
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
