"""More procedural motions than motions.py has: sitting, kneeling, sport, gestures. Same conventions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mimo_core.motion.choreography import Angles, Performance

from .benchmark_motions import BENCHMARK_MOTIONS, list_blends, perform_benchmark_motion
from .streams import pick_weighted


RANDOMIZED_MOTIONS = {
    **BENCHMARK_MOTIONS, "sit": 1.2, "sit on the floor": 0.7, "kneel": 0.5, "sneak": 0.5, "march": 0.5,
    "stroll backwards": 0.3,
    "kick": 0.6, "box": 0.7, "lunge": 0.6, "throw": 0.6, "jump": 0.6, "hop": 0.3, "spin": 0.5, "grapevine": 0.7,
    "sway": 0.6, "clap": 0.5, "stretch": 0.6, "bow": 0.4, "point": 0.5, "shrug": 0.3, "pick up": 0.5, "conduct": 0.4,
    "disco": 0.8, "robot": 0.5, "ballet": 0.6, "yoga": 0.5,
}  # fmt: skip
ON_THE_BODY = ("sit on the floor", "kneel")  # what touches the floor is not only the feet
FACING_SPREAD = {"sit": 0.9, "sit on the floor": 1.2, "kneel": 1.4}  # radians that these may turn from the camera


def perform_randomized_motion(rng: np.random.Generator, times: np.ndarray, *, kind: str | None = None) -> Performance:
    """A random performance at `times` (F,) in seconds. `kind` is one of RICH_KINDS; None draws one."""
    kind = kind or pick_weighted(rng, RANDOMIZED_MOTIONS)
    if kind in BENCHMARK_MOTIONS:
        return perform_benchmark_motion(rng, times, kind=kind)
    angles = Angles(times)
    yaw = rng.normal(0, 0.5) if rng.random() < 0.75 else rng.uniform(-np.pi, np.pi)
    if kind in FACING_SPREAD:
        yaw = np.clip(rng.normal(0, 0.6), -FACING_SPREAD[kind], FACING_SPREAD[kind])
    turn, rise = RANDOMIZED_PERFORMERS[kind](rng, angles)
    angles.sway(rng, 2.0)
    if kind not in ON_THE_BODY:
        angles.flat_feet()
    made = Performance(kind, angles.clip_to_limits(), np.full(len(times), yaw) + turn, np.zeros(len(times)) + rise)
    return replace(made, rests_on_body=kind in ON_THE_BODY)


def _cycle(rng, times: np.ndarray, slow: float, fast: float) -> np.ndarray:
    """A phase in radians at a random pace between `slow` and `fast` turns a second."""
    return 2 * np.pi * rng.uniform(slow, fast) * times + rng.uniform(0, 2 * np.pi)


def _pulse(phase: np.ndarray, sharp: float = 1.0) -> np.ndarray:
    """0 to 1 and back, once a turn; `sharp` above 1 is shorter."""
    return (0.5 - 0.5 * np.cos(phase)) ** sharp


def _gesture(rng, angles: Angles, choices=("hang", "hip", "chest", "low", "reach", "goal")):
    """Arms that move between a few poses, each on its own."""
    for side in ("left", "right"):
        for name, amount in list_blends(rng, angles.times, rng.uniform(0.7, 1.5), choices).items():
            angles.arm(side, name, amount)


def _sit(rng, angles: Angles):
    """On a seat, feet on the floor, talking with the hands."""
    spread, lean = rng.uniform(2, 16), rng.normal(4, 6)
    sway = np.sin(_cycle(rng, angles.times, 0.15, 0.4))
    angles.add("hip", "both", x=-84.0, z=spread, y=rng.uniform(0, 10))
    angles.add("knee", "both", x=rng.uniform(78, 94))
    if rng.random() < 0.3:  # one leg stretched
        side = rng.choice(["left", "right"])
        angles.add("knee", side, x=-rng.uniform(15, 40))
    angles.add("spine1", x=lean + 4 * sway)
    angles.add("spine3", y=8 * sway)
    angles.add("head", y=18 * np.sin(_cycle(rng, angles.times, 0.1, 0.4)))
    for side in ("left", "right"):
        amount = _pulse(_cycle(rng, angles.times, 0.3, 0.8), 2.0) * (rng.random() < 0.7)
        angles.add("shoulder", side, z=-62 * (1 - amount), x=-22 * (1 - amount))
        angles.add("elbow", side, y=-45 * (1 - amount))
        angles.arm(side, rng.choice(["chest", "reach", "up", "goal", "halo"]), amount)
    return 0.0, 0.0


def _sit_on_the_floor(rng, angles: Angles):
    """Legs stretched out on the floor, together or wide, the knees a little up."""
    for side in ("left", "right"):
        knee = rng.uniform(4, 30)
        angles.add("hip", side, x=-88 - 0.55 * knee, z=rng.uniform(2, 34), y=rng.uniform(0, 20))
        angles.add("knee", side, x=knee)
    angles.add("spine1", x=rng.uniform(-4, 14))
    angles.add("head", y=20 * np.sin(_cycle(rng, angles.times, 0.1, 0.4)))
    _gesture(rng, angles, ("low", "chest", "reach", "hip"))
    return 0.0, 0.0


def _kneel(rng, angles: Angles):
    upright = rng.uniform(0, 1)
    angles.add("hip", "both", x=-70.0 * (1 - upright), z=6)
    angles.add("knee", "both", x=92 + 40 * (1 - upright))
    angles.add("ankle", "both", x=38.0)
    angles.add("spine1", x=8 + 8 * np.sin(_cycle(rng, angles.times, 0.2, 0.5)))
    _gesture(rng, angles)
    return 0.0, 0.0


def _gait(rng, angles: Angles, *, pace, stride, lift, arms, crouch=0.0, way=1.0):
    phase = _cycle(rng, angles.times, *pace)
    for side, wave, up in (
        ("left", np.sin(phase), np.cos(phase)),
        ("right", -np.sin(phase), -np.cos(phase)),
    ):
        swing = np.clip(way * up, 0, None)
        angles.add("hip", side, x=-stride * wave - crouch - lift * 0.6 * swing, z=2, y=4)
        angles.add("knee", side, x=6 + 1.7 * crouch + lift * swing)
        angles.arm(side, "hang")
        angles.add("shoulder", side, x=arms * wave)
        angles.add("elbow", side, y=-18 - 0.5 * arms)
    return phase


def _sneak(rng, angles: Angles):
    _gait(rng, angles, pace=(0.35, 0.55), stride=22, lift=50, arms=12, crouch=26)
    angles.add("spine1", x=18.0)
    angles.add("head", x=-12, y=25 * np.sin(_cycle(rng, angles.times, 0.2, 0.5)))
    return rng.choice([-1, 1]) * rng.uniform(0.5, 1.4), 0.0


def _march(rng, angles: Angles):
    _gait(rng, angles, pace=(0.8, 1.0), stride=16, lift=72, arms=48)
    return rng.choice([-1, 1]) * rng.uniform(0.2, 1.5), 0.0


def _backwards(rng, angles: Angles):
    _gait(rng, angles, pace=(0.6, 0.8), stride=-18, lift=34, arms=-14, way=1.0)
    return rng.choice([-1, 1]) * rng.uniform(0.3, 1.2), 0.0


def _kick(rng, angles: Angles):
    side, other = rng.permutation(["left", "right"])
    amount = _pulse(_cycle(rng, angles.times, 0.5, 0.8), 1.6)
    high = rng.uniform(50, 100)
    angles.add("hip", side, x=20 * (1 - amount) - high * amount, z=rng.uniform(0, 20) * amount)
    angles.add("knee", side, x=30 * (1 - amount) + 10)
    angles.add("hip", other, x=-10, z=4)
    angles.add("knee", other, x=16)
    angles.add("spine1", x=-8 * amount)
    angles.arm(side, "low", amount)
    angles.arm(side, "chest", 1 - amount)
    angles.arm(other, "reach", amount)
    angles.arm(other, "low", 1 - amount)
    return 0.0, 0.0


def _box(rng, angles: Angles):
    """Guard up, jabs with either hand, weight on the move."""
    phase = _cycle(rng, angles.times, 0.9, 1.5)
    for side, punch in (("left", _pulse(phase, 3.0)), ("right", _pulse(0.5 * phase + 2, 5.0))):
        angles.add("shoulder", side, z=-45 * (1 - punch) - 5 * punch, y=-30 * (1 - punch) - 78 * punch)
        angles.add("elbow", side, y=-120 * (1 - punch) - 10 * punch)
    angles.add("hip", "left", x=-26.0, z=8)
    angles.add("hip", "right", x=2.0, z=10)
    angles.add("knee", "both", x=26 + 8 * np.sin(2 * phase))
    angles.add("spine3", y=14 * np.sin(phase))
    angles.add("spine1", x=10.0)
    return rng.normal(0, 0.3) + 0.15 * np.sin(0.5 * phase), 0.0


def _lunge(rng, angles: Angles):
    side, other = rng.permutation(["left", "right"])
    amount = _pulse(_cycle(rng, angles.times, 0.3, 0.6))
    angles.add("hip", side, x=-78 * amount, z=3)
    angles.add("knee", side, x=6 + 80 * amount)
    angles.add("hip", other, x=22 * amount, z=3)
    angles.add("knee", other, x=6 + 48 * amount)
    arms = rng.choice(["hip", "up", "out", "chest"])
    angles.arm("both", "hang", 1 - amount)
    angles.arm("both", arms, amount)
    return 0.0, 0.0


def _throw(rng, angles: Angles):
    side, other = rng.permutation(["left", "right"])
    sign = 1 if side == "left" else -1
    phase = _cycle(rng, angles.times, 0.4, 0.7)
    back, forth = np.clip(np.sin(phase), 0, 1), np.clip(-np.sin(phase), 0, 1)
    rest = 1 - back - forth
    for name, amount in (("goal", back), ("reach", forth), ("low", rest)):
        angles.arm(side, name, amount)
    angles.arm(other, "reach", back)
    angles.arm(other, "low", 1 - back)
    angles.add("spine3", y=sign * (-14 * back + 14 * forth))
    angles.add("spine1", x=-8 * back + 16 * forth)
    angles.leg(other, "bent", 0.6 * forth)
    angles.leg(side, "back", 0.7 * forth)
    return 0.0, 0.0


def _jump(rng, angles: Angles):
    phase = _cycle(rng, angles.times, 0.7, 1.0)
    squat, air = _pulse(phase, 1.5), np.clip(-np.cos(phase + np.pi), 0, 1)
    angles.add("hip", "both", x=-60 * (1 - air) * squat - 4, z=4)
    angles.add("knee", "both", x=80 * (1 - air) * squat + 8)
    angles.arm("both", "hang", 1 - air)
    angles.arm("both", rng.choice(["up", "out", "goal"]), air)
    return 0.0, rng.uniform(0.12, 0.35) * air**2


def _hop(rng, angles: Angles):
    side, other = rng.permutation(["left", "right"])
    phase = _cycle(rng, angles.times, 1.0, 1.5)
    angles.add("hip", side, x=-40.0)
    angles.add("knee", side, x=95.0)
    angles.add("knee", other, x=14 + 16 * _pulse(phase))
    angles.add("hip", other, x=-8 - 8 * _pulse(phase))
    angles.arm("both", "low")
    return 0.0, 0.1 * np.abs(np.sin(phase / 2))


def _spin(rng, angles: Angles):
    side, other = rng.permutation(["left", "right"])
    angles.arm("both", rng.choice(["out", "halo", "up", "chest"]))
    angles.leg(other, "stand")
    angles.add("hip", side, x=-50.0, z=28, y=20)
    angles.add("knee", side, x=100.0)
    return rng.choice([-1, 1]) * rng.uniform(3, 7) * angles.times, 0.0


def _grapevine(rng, angles: Angles):
    phase = _cycle(rng, angles.times, 0.7, 1.1)
    for side, wave in (("left", np.sin(phase)), ("right", np.sin(phase + np.pi / 2))):
        angles.add("hip", side, z=10 + 18 * wave, x=-14 * np.clip(np.cos(phase), 0, 1))
        angles.add("knee", side, x=10 + 26 * np.clip(np.cos(phase), 0, 1))
    _gesture(rng, angles, ("out", "goal", "chest", "hip"))
    angles.add("spine3", y=12 * np.sin(phase))
    return 0.25 * np.sin(phase), 0.0


def _sway(rng, angles: Angles):
    wave = np.sin(_cycle(rng, angles.times, 0.4, 0.8))
    angles.add("pelvis", z=9 * wave)
    angles.add("spine1", z=-12 * wave)
    angles.add("head", z=8 * wave)
    angles.add("hip", "left", z=8 - 8 * wave)
    angles.add("hip", "right", z=8 + 8 * wave)
    for side, sign in (("left", 1), ("right", -1)):
        angles.arm(side, "up")
        angles.add("shoulder", side, z=sign * 22 * wave - 12)
    angles.add("knee", "both", x=10 + 8 * np.abs(wave))
    return 0.0, 0.0


def _clap(rng, angles: Angles):
    amount = _pulse(_cycle(rng, angles.times, 1.2, 2.2))
    high = rng.uniform(-20, 30)
    angles.add("shoulder", "both", z=-25 + high, y=-40 - 34 * amount)
    angles.add("elbow", "both", y=-50.0)
    angles.leg("both", rng.choice(["stand", "wide"]))
    angles.add("knee", "both", x=6 * amount)
    return 0.0, 0.0


def _stretch(rng, angles: Angles):
    wave = np.sin(_cycle(rng, angles.times, 0.2, 0.4))
    angles.arm("left", "halo", np.clip(wave, 0, 1))
    angles.arm("left", "hip", 1 - np.clip(wave, 0, 1))
    angles.arm("right", "halo", np.clip(-wave, 0, 1))
    angles.arm("right", "hip", 1 - np.clip(-wave, 0, 1))
    for joint in ("spine1", "spine2", "spine3"):
        angles.add(joint, z=-12 * wave)
    angles.leg("both", "wide")
    return 0.0, 0.0


def _bow(rng, angles: Angles):
    amount = _pulse(_cycle(rng, angles.times, 0.3, 0.5))
    angles.add("pelvis", x=28 * amount)
    angles.add("hip", "both", x=-28 * amount - 4, z=3)
    for joint in ("spine1", "spine2"):
        angles.add(joint, x=20 * amount)
    angles.arm("left", "hang")
    angles.arm("right", "hang", 1 - amount)
    angles.arm("right", "chest", amount)
    return 0.0, 0.0


def _point(rng, angles: Angles):
    side, other = rng.permutation(["left", "right"])
    sign = 1 if side == "left" else -1
    turn = np.sin(_cycle(rng, angles.times, 0.2, 0.4))
    angles.add("shoulder", side, z=rng.uniform(-20, 45), y=-45 - 35 * turn)
    angles.add("elbow", side, y=-8.0)
    angles.arm(other, rng.choice(["hip", "hang", "chest"]))
    angles.add("head", y=sign * (20 - 20 * turn))
    angles.add("spine3", y=-8 * sign * turn)
    angles.leg("both", rng.choice(["stand", "wide"]))
    return 0.0, 0.0


def _shrug(rng, angles: Angles):
    amount = _pulse(_cycle(rng, angles.times, 0.5, 0.9), 1.5)
    angles.add("collar", "both", z=18 * amount)
    angles.arm("both", "hang")
    angles.add("elbow", "both", y=-70 * amount, z=40 * amount)
    angles.add("head", z=8 * amount)
    angles.leg("both", "stand")
    return 0.0, 0.0


def _pick_up(rng, angles: Angles):
    amount = _pulse(_cycle(rng, angles.times, 0.3, 0.5))
    angles.add("pelvis", x=30 * amount)
    angles.add("hip", "both", x=-95 * amount, z=8)
    angles.add("knee", "both", x=75 * amount + 6)
    angles.add("spine1", x=24 * amount)
    angles.arm("both", "hang", 1 - 0.6 * amount)
    angles.arm("both", "reach", 0.4 * amount)
    angles.add("head", x=-10 * amount)
    return 0.0, 0.0


def _conduct(rng, angles: Angles):
    phase = _cycle(rng, angles.times, 0.5, 0.9)
    for side, shift in (("left", 0.0), ("right", rng.choice([0.0, 0.4]))):
        wave = np.sin(phase + shift)
        angles.add("shoulder", side, z=-18 + 28 * wave, y=-30 + 16 * np.cos(2 * phase))
        angles.add("elbow", side, y=-62 + 28 * np.cos(phase))
    angles.leg("both", "stand")
    angles.add("head", y=12 * np.sin(0.5 * phase))
    return 0.0, 0.0


def _disco(rng, angles: Angles):
    """One arm points up and down across the body, hips swing on the beat."""
    side, other = rng.permutation(["left", "right"])
    phase = _cycle(rng, angles.times, 0.8, 1.2)
    up = _pulse(phase)
    angles.arm(side, "up", up)
    angles.add("shoulder", side, z=-62 * (1 - up), y=-35 * (1 - up))
    angles.add("elbow", side, y=-20 * (1 - up))
    angles.arm(other, "hip")
    angles.add("pelvis", z=9 * np.sin(phase), y=10 * np.sin(phase))
    angles.add("hip", "both", z=10, x=-8)
    angles.add("knee", "both", x=18 + 10 * np.sin(2 * phase))
    angles.add("spine3", y=-14 * np.sin(phase))
    return 0.2 * np.sin(0.5 * phase), 0.0


def _robot(rng, angles: Angles):
    """Poses that are held and left at once."""
    beat = rng.uniform(0.35, 0.6)
    choices = ("goal", "chest", "reach", "low", "out", "hang")
    for side in ("left", "right"):
        for name, amount in list_blends(rng, angles.times, beat, choices).items():
            angles.arm(side, name, np.round(3 * amount) / 3)
    angles.add("head", y=25 * np.round(np.sin(angles.times / beat * 2)))
    angles.add("spine3", y=12 * np.round(np.sin(angles.times / beat + 1)))
    angles.leg("both", "stand")
    angles.add("knee", "both", x=12.0)
    return 0.0, 0.0


def _ballet(rng, angles: Angles):
    side, other = rng.permutation(["left", "right"])
    amount = _pulse(_cycle(rng, angles.times, 0.3, 0.5))
    way = rng.choice(["front", "side", "back"])
    raised = {"front": {"x": -75.0}, "side": {"z": 48.0, "x": -10.0}, "back": {"x": 34.0}}[way]
    angles.add("hip", side, **{axis: value * amount for axis, value in raised.items()})
    angles.add("hip", "both", y=28.0)
    angles.add("knee", side, x=10.0 * amount)
    angles.add("spine1", x=14.0 * amount * (way == "back"))
    for name, share in (("halo", amount), ("low", 1 - amount)):
        angles.arm(side, name, share)
    angles.arm(other, "out")
    return rng.normal(0, 0.4) * np.sin(angles.times), 0.0


def _yoga(rng, angles: Angles):
    """Tree or warrior, held."""
    if rng.random() < 0.5:
        side = rng.choice(["left", "right"])
        angles.add("hip", side, x=-60.0, z=45, y=35)
        angles.add("knee", side, x=115.0)
        angles.arm("both", rng.choice(["up", "halo", "chest"]))
    else:
        side, other = rng.permutation(["left", "right"])
        angles.add("hip", side, z=38.0, x=-45, y=35)
        angles.add("knee", side, x=55.0)
        angles.add("hip", other, z=34.0)
        angles.arm("both", rng.choice(["out", "up"]))
        angles.add("head", y=(25 if side == "left" else -25))
    return 0.0, 0.0


RANDOMIZED_PERFORMERS = {
    "sit": _sit, "sit on the floor": _sit_on_the_floor, "kneel": _kneel, "sneak": _sneak, "march": _march,
    "stroll backwards": _backwards, "kick": _kick, "box": _box, "lunge": _lunge, "throw": _throw, "jump": _jump,
    "hop": _hop, "spin": _spin, "grapevine": _grapevine, "sway": _sway, "clap": _clap, "stretch": _stretch,
    "bow": _bow, "point": _point, "shrug": _shrug, "pick up": _pick_up, "conduct": _conduct, "disco": _disco,
    "robot": _robot, "ballet": _ballet, "yoga": _yoga,
}  # fmt: skip
