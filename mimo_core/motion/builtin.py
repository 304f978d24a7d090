"""Motions that ship: written by hand as curves of joint angles, without any capture data."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..camera import Camera
from ..errors import InputError
from .cameras import Stand, fixed_camera, following_camera
from .choreography import Angles, Performance, stand
from .edit import smoothed_path
from .ground import on_the_floor, sole_points
from .motion import Motion, Person


FPS = 30.0
SIZE = (512, 512)  # pixels of the camera
CALM = 1.6  # frames: window that takes out the jerk where one foot takes over from the other
SIDES = (("left", 0.0), ("right", 0.5))  # of a step, and how much of a cycle later
# A gait by tenths of a cycle, from one heel strike to the next of the same foot; degrees.
WALK = {
    "hip": (-29, -26, -18, -8, 2, 9, 4, -16, -31, -33),
    "knee": (3, 10, 10, 6, 3, 10, 42, 66, 50, 12),
    "ankle": (-3, 6, 1, -5, -9, -4, 14, 2, -9, -8),
    "foot": (-4, 0, 0, 0, -6, -20, -12, 0, -3, -6),
}
RUN = {
    "hip": (-34, -30, -16, 2, 14, 8, -14, -38, -50, -44),
    "knee": (18, 38, 36, 20, 24, 66, 102, 98, 60, 24),
    "ankle": (-4, -14, -16, 4, 20, 14, 4, 0, -4, -6),
    "foot": (-4, 0, -4, -18, -14, 0, 0, 0, -4, -6),
}


@dataclass(frozen=True)
class _Piece:
    """How a motion that ships is made: who writes the angles, for how long, and from where it is seen."""

    write: Callable[[Angles], tuple]  # adds the angles, returns the yaw in radians and the lift in metres
    seconds: float
    azimuth: float = 20.0  # degrees from the front
    is_followed: bool = False  # by the camera, where the way is long


def builtin_names() -> tuple[str, ...]:
    """Names of the motions that ship, in the order of a menu."""
    return tuple(PIECES)


@functools.lru_cache(maxsize=32)
def builtin_motion(name: str) -> Motion:
    """A motion that ships: 30 frames a second, average body, floor at height 0, seen by a camera that stands still."""
    if name not in PIECES:
        raise InputError(f"There is no built-in motion {name!r}. Choose one of {', '.join(PIECES)}.")
    piece = PIECES[name]
    times = np.arange(round(piece.seconds * FPS)) / FPS
    angles = Angles(times)
    yaw, lift = piece.write(angles)
    angles.sway(np.random.default_rng(len(name)), 0.8)
    frames = len(times)
    made = Performance(name, angles.limited(), np.zeros(frames) + yaw, np.zeros(frames) + lift)
    person = _standing(made)
    motion = on_the_floor(Motion((person,), FPS, Camera.for_size(*SIZE)), floor=0.0)
    stand_at = Stand(azimuth=piece.azimuth, elevation=6.0)
    if piece.is_followed:
        return replace(motion, camera=following_camera(motion.person, motion.camera, FPS, stand_at))
    return replace(motion, camera=fixed_camera(motion.person, motion.camera, stand_at))


def _standing(made: Performance) -> Person:
    """The performance by an average body, moved by the foot that carries it, the way calmed over a few frames."""
    turns = torch.from_numpy(made.rotations())
    frames = len(turns)
    person = Person(torch.zeros(10), turns[:, 0], turns[:, 1:].flatten(1), torch.zeros(frames, 3))
    feet = torch.stack(sole_points(person), 1).numpy()
    footing = stand(feet, made.lift, fps=FPS)
    transl = torch.from_numpy(footing.transl)
    way = smoothed_path(transl, CALM)
    if made.lift.any():
        way[:, 1] = transl[:, 1]
    return replace(person, transl=way, contacts=torch.from_numpy(footing.contacts))


def _round(phase: np.ndarray, values) -> np.ndarray:
    """A smooth closed curve through `values`, evenly spread over phases 0 to 1."""
    from scipy.interpolate import CubicSpline

    knots = np.linspace(0, 1, len(values) + 1)
    return CubicSpline(knots, [*values, values[0]], bc_type="periodic")(phase % 1.0)


def _through(times: np.ndarray, *keys: tuple[float, float]) -> np.ndarray:
    """A curve through (second, value) that comes to rest at each key and stays at the first and the last one."""
    from scipy.interpolate import PchipInterpolator

    moments, values = zip(*keys, strict=True)
    return PchipInterpolator(moments, values)(np.clip(times, moments[0], moments[-1]))


def _wave_of(phase: np.ndarray) -> np.ndarray:
    return np.sin(2 * np.pi * phase)


def _gait(angles: Angles, curves: dict, *, seconds: float, arms: float, elbow: float, lean: float, turn: float):
    """Legs by their curves, arms against the legs, pelvis and shoulders against each other."""
    phase = angles.times / seconds
    for side, later in SIDES:
        own = phase + later
        for joint, values in curves.items():
            angles.add(joint, side, x=_round(own, values))
        swing = np.cos(2 * np.pi * own)  # forward with the other leg
        angles.add("hip", side, z=1.0, y=5.0)
        angles.add("shoulder", side, z=-72, x=arms * swing + 4, y=-4)
        angles.add("elbow", side, y=-elbow + 0.35 * arms * swing)
    wave = np.cos(2 * np.pi * phase)
    angles.add("pelvis", x=lean, y=-turn * wave, z=2.5 * _wave_of(phase))
    angles.add("spine1", x=1.0, z=-1.5 * _wave_of(phase))
    angles.add("spine3", y=1.7 * turn * wave, z=-1.0 * _wave_of(phase))
    angles.add("neck", y=-0.7 * turn * wave, x=-0.5 * lean)


def _walk(angles: Angles):
    _gait(angles, WALK, seconds=1.1, arms=22, elbow=20, lean=2.0, turn=5.0)
    return 0.0, 0.0


def _stroll(angles: Angles):
    """Slow, looking about."""
    calm = WALK | {"hip": tuple(0.8 * value for value in WALK["hip"])}
    _gait(angles, calm, seconds=1.5, arms=12, elbow=14, lean=0.0, turn=3.5)
    angles.add("head", y=_through(angles.times, (0.5, 0), (1.6, 26), (2.6, 24), (3.8, -22), (4.8, -20), (6, 0)), x=4.0)
    return 0.0, 0.0


def _run(angles: Angles):
    _gait(angles, RUN, seconds=0.74, arms=38, elbow=84, lean=9.0, turn=7.0)
    # In the air around each push-off, twice a cycle.
    lift = 0.06 * np.clip(np.sin(4 * np.pi * (angles.times / 0.74 - 0.33)), 0, None) ** 1.5
    return 0.0, lift


def _march(angles: Angles):
    phase = angles.times / 1.1
    for side, later in SIDES:
        own = phase + later
        raised = np.clip(_wave_of(own), 0, None) ** 1.3
        angles.add("hip", side, x=-72 * raised, z=2, y=4)
        angles.add("knee", side, x=84 * raised + 3)
        angles.add("ankle", side, x=22 * raised - 3)
        angles.add("shoulder", side, z=-72, x=34 * _wave_of(own) - 4)
        angles.add("elbow", side, y=-42 + 10 * _wave_of(own))
    angles.add("spine3", y=4 * _wave_of(phase))
    angles.flat_feet()
    return 0.0, 0.0


def _at_ease(angles: Angles, *, arms=("left", "right")):
    """A relaxed stand that breathes, for motions of the upper body."""
    breath = _wave_of(angles.times / 3.6)
    shift = _wave_of(angles.times / 6.0)
    angles.add("hip", "both", x=-5, y=8, z=4)
    angles.add("knee", "both", x=9)
    angles.add("pelvis", z=1.5 * shift)
    angles.add("spine1", z=-1.5 * shift)
    angles.add("spine2", x=1.2 * breath)
    angles.add("neck", x=-0.8 * breath)
    for side in arms:
        angles.add("shoulder", side, z=-70 - 1.0 * breath, x=4, y=-4)
        angles.add("elbow", side, y=-16 - 1.0 * breath)
        angles.add("collar", side, z=1.0 * breath)


def _idle(angles: Angles):
    """Weight from one leg to the other, a look around."""
    weight = _through(angles.times, (0.6, -1), (1.6, 1), (4.2, 1), (5.2, -1))
    _at_ease(angles)
    angles.add("pelvis", z=4 * weight)
    angles.add("spine1", z=-4 * weight)
    angles.add("hip", "both", z=0.0)
    angles.add("knee", "left", x=5 - 5 * weight)
    angles.add("knee", "right", x=5 + 5 * weight)
    angles.add("hip", "left", x=-2.5 + 2.5 * weight)
    angles.add("hip", "right", x=-2.5 - 2.5 * weight)
    angles.add("head", y=_through(angles.times, (1, 0), (1.8, 20), (2.8, 18), (3.6, -16), (4.6, -14), (5.4, 0)))
    angles.flat_feet()
    return 0.0, 0.0


def _wave(angles: Angles):
    """The right arm goes up, waves three times, and comes down."""
    t = angles.times
    up = _through(t, (0.4, 0), (1.1, 1), (3.1, 1), (3.9, 0))
    beat = np.sin(2 * np.pi * 1.6 * (t - 1.1)) * _through(t, (1.0, 0), (1.3, 1), (2.9, 1), (3.2, 0))
    _at_ease(angles, arms=("left",))
    angles.add("shoulder", "right", z=-70 + up * 92 + 4 * beat, x=4 - 18 * up, y=-4 - 6 * up)
    angles.add("elbow", "right", y=-16 - 6 * up, z=up * 52 + 22 * beat)
    angles.add("wrist", "right", z=10 * beat)
    angles.add("spine2", z=2.5 * up)
    angles.add("head", z=-4 * up, y=-6 * up)
    angles.flat_feet()
    return 0.0, 0.0


def _bow(angles: Angles):
    t = angles.times
    down = _through(t, (0.5, 0), (1.5, 1), (2.2, 1), (3.3, 0))
    _at_ease(angles)
    angles.add("pelvis", x=24 * down)
    angles.add("hip", "both", x=-24 * down)
    for joint, degrees in (("spine1", 16), ("spine2", 10), ("spine3", 8), ("neck", 14), ("head", 8)):
        angles.add(joint, x=degrees * down)
    angles.add("shoulder", "both", x=-44 * down)
    return 0.0, 0.0


def _sit(angles: Angles):
    """Down onto a chair that is not there, a while, and up again: the trunk leans forward to shift the weight."""
    t = angles.times
    down = _through(t, (0.5, 0), (1.7, 1), (3.6, 1), (4.8, 0))
    lean = _through(t, (0.4, 0), (1.15, 1), (1.9, 0.1), (3.4, 0.1), (4.0, 1), (4.9, 0))
    angles.add("hip", "both", x=-5 - 79 * down - 14 * lean * (1 - down), z=5, y=7)
    angles.add("knee", "both", x=9 + 80 * down)
    angles.add("pelvis", x=16 * lean)
    angles.add("hip", "both", x=-16 * lean)
    angles.add("spine1", x=16 * lean)
    angles.add("spine2", x=6 * lean)
    angles.add("neck", x=-12 * lean)
    angles.add("shoulder", "both", z=-70 + 6 * down, x=4 - 34 * down - 20 * lean, y=-4)
    angles.add("elbow", "both", y=-16 - 34 * down)
    angles.flat_feet()
    return 0.0, 0.0


def _jump(angles: Angles):
    """Crouch with the arms back, up with the arms, and soften the landing."""
    t, off, air = angles.times, 1.2, 0.52
    crouch = _through(
        t, (0.3, 0), (0.9, 1), (off, -0.05), (off + air - 0.06, 0.1), (off + air + 0.22, 0.8), (off + air + 0.95, 0)
    )
    arms = _through(
        t, (0.3, 0), (0.85, -1), (off + 0.05, 1.25), (off + air, 0.7), (off + air + 0.3, -0.25), (off + air + 0.95, 0)
    )
    point = _through(t, (off - 0.16, 0), (off, 1), (off + air - 0.1, 0.7), (off + air + 0.04, 0))
    angles.add("hip", "both", x=-4 - 74 * crouch, z=4, y=6)
    angles.add("knee", "both", x=8 + 92 * crouch)
    angles.add("pelvis", x=22 * crouch)
    angles.add("spine1", x=10 * crouch)
    angles.add("neck", x=-14 * crouch)
    forward, back = np.clip(arms, 0, None), np.clip(-arms, 0, None)
    angles.add("shoulder", "both", z=-70 + 8 * forward, x=4 - 88 * forward + 44 * back, y=-14 * forward)
    angles.add("elbow", "both", y=-18 - 14 * np.abs(arms))
    angles.flat_feet()
    angles.add("ankle", "both", x=34 * point)
    flight = np.clip(t - off, 0, air)
    return 0.0, 0.5 * 9.81 * flight * (air - flight)


def _jacks(angles: Angles):
    phase = angles.times / 1.0
    open_ = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    angles.add("hip", "both", x=-7, z=3 + 17 * open_, y=4)
    angles.add("knee", "both", x=14 - 6 * open_)
    angles.add("shoulder", "both", z=-68 + 130 * open_, x=-8 * open_)
    angles.add("collar", "both", z=12 * open_)
    angles.add("elbow", "both", y=-12 - 14 * np.sin(np.pi * open_))
    angles.flat_feet()
    return 0.0, 0.06 * np.abs(np.sin(2 * np.pi * phase)) ** 1.5


def _squat(angles: Angles):
    down = 0.5 - 0.5 * np.cos(2 * np.pi * angles.times / 2.4)
    angles.add("pelvis", x=26 * down)
    angles.add("hip", "both", x=-5 - 98 * down, z=8 + 6 * down, y=10 + 8 * down)
    angles.add("knee", "both", x=9 + 106 * down)
    angles.add("spine1", x=12 * down)
    angles.add("neck", x=-18 * down)
    angles.add("shoulder", "both", z=-70 + 62 * down, y=-4 - 72 * down, x=4 * (1 - down))
    angles.add("elbow", "both", y=-16 + 6 * down)
    angles.flat_feet()
    return 0.0, 0.0


def _kick(angles: Angles):
    """Guard, chamber, front kick with the right leg, back."""
    t = angles.times
    raise_ = _through(t, (0.5, 0), (0.95, 1), (1.2, 1.05), (1.45, 0.95), (2.0, 0))
    snap = _through(t, (0.9, 0), (1.15, 1), (1.25, 1), (1.5, 0))
    guard = _through(t, (0.1, 0), (0.5, 1), (2.2, 1), (2.7, 0))
    angles.add("hip", "left", x=-10 * guard - 4, y=14 * guard + 6, z=5)
    angles.add("knee", "left", x=20 * guard + 6)
    angles.add("ankle", "left", x=-0.85 * (16 * guard + 2))
    angles.add("hip", "right", x=-12 * guard - 86 * raise_, y=6, z=5)
    angles.add("knee", "right", x=22 * guard + 84 * raise_ - 96 * snap)
    angles.add("ankle", "right", x=-8 * guard + 14 * snap)
    angles.add("pelvis", x=-10 * raise_, y=10 * raise_)
    angles.add("spine1", x=10 * raise_)
    angles.add("spine3", y=-12 * raise_)
    for side in ("left", "right"):
        angles.add("shoulder", side, z=-70 + 16 * guard, x=4 - 24 * guard, y=-4 - 18 * guard)
        angles.add("elbow", side, y=-16 - 96 * guard)
    return 0.0, 0.0


def _box(angles: Angles):
    """Left, right, left, right: the shoulder turns into each punch, the hand comes back to the chin."""
    phase = angles.times / 1.2
    angles.add("hip", "both", x=-14, z=9)
    angles.add("hip", "left", y=10, x=-8)
    angles.add("hip", "right", y=24, x=4)
    angles.add("knee", "both", x=26.0)
    twist = np.zeros(len(phase))
    for side, later in SIDES:
        punch = np.clip(_wave_of(phase + later), 0, None) ** 1.4
        angles.add("shoulder", side, z=-62 + 56 * punch, x=-14 * (1 - punch), y=-12 - 70 * punch)
        angles.add("elbow", side, y=-126 + 118 * punch, z=12 * (1 - punch))
        angles.add("collar", side, y=-6 * punch)
        twist += (-1 if side == "left" else 1) * punch
    angles.add("pelvis", y=10 * twist, x=4)
    angles.add("spine2", y=10 * twist, x=5)
    angles.add("spine3", y=12 * twist, x=4)
    angles.add("neck", y=-16 * twist)
    angles.add("head", y=-8 * twist)
    angles.flat_feet()
    return 0.0, 0.0


def _turn(angles: Angles):
    """Once round on the spot to the left, in eight small steps."""
    rate, cycle = np.pi / 2, 1.0  # radians and seconds
    t = angles.times
    yaw = rate * t
    for side, later in SIDES:
        phase = t / cycle + later
        part = np.clip((phase % 1.0 - 0.5) * 2, 0, 1)  # the second half of a cycle is spent in the air
        swung = part * part * (3 - 2 * part)
        foot = rate * cycle * (np.floor(phase) + swung - later) + rate * cycle * 0.25
        raised = np.sin(np.pi * part)
        sign = 1.0 if side == "left" else -1.0
        angles.add("hip", side, y=sign * np.degrees(foot - yaw) + 5, x=-6 - 22 * raised, z=4)
        angles.add("knee", side, x=10 + 40 * raised)
        angles.add("shoulder", side, z=-68, x=4 + 8 * _wave_of(phase))
        angles.add("elbow", side, y=-20.0)
    angles.add("neck", y=8.0)
    angles.add("head", y=10.0)
    angles.flat_feet()
    return yaw, 0.0


def _side_step(angles: Angles):
    """Two steps to the left, two to the right, on the beat, with arms that swing along."""
    beat = 0.55
    t = angles.times
    count = t / beat
    for side, leads in (("left", 0), ("right", 4)):
        angles.add("hip", side, y=6)
        for start in range(8):  # two bars: 0 to 3 to the left, 4 to 7 to the right; even counts open, odd ones close
            lifted = start % 2 == (0 if start // 4 == leads // 4 else 1)
            part = np.clip((count % 8) - start, 0, 1)
            raised = np.sin(np.pi * part) * ((count % 8 >= start) & (count % 8 < start + 1))
            if lifted:
                angles.add("hip", side, x=-20 * raised)
                angles.add("knee", side, x=38 * raised)
    opening = 0.5 - 0.5 * np.cos(np.pi * count)
    angles.add("hip", "both", z=3 + 15 * opening, x=-8.0)
    angles.add("knee", "both", x=16 - 6 * opening)
    swing = np.sin(np.pi * count)
    angles.add("pelvis", z=3 * swing)
    angles.add("spine2", z=-3 * swing)
    angles.add("spine3", y=8 * np.cos(np.pi * count))
    for side in ("left", "right"):
        angles.add("shoulder", side, z=-58 + 18 * opening, x=-22 + 14 * np.cos(2 * np.pi * count), y=-8)
        angles.add("elbow", side, y=-70 + 20 * opening)
    angles.add("head", z=4 * swing, x=4 * np.abs(swing))
    angles.flat_feet()
    return 0.0, 0.0


def _disco(angles: Angles):
    """The right hand points up and down across the body while the hips go from side to side."""
    beat = 0.5
    count = angles.times / beat
    high = 0.5 - 0.5 * np.cos(np.pi * count)
    hips = np.sin(np.pi * count)
    bounce = np.abs(np.sin(np.pi * count))
    angles.add("hip", "both", x=-10 - 9 * bounce, z=14, y=10)
    angles.add("knee", "both", x=20 + 18 * bounce)
    angles.add("pelvis", z=8 * hips, y=6 * hips)
    angles.add("spine1", z=-8 * hips)
    angles.add("spine3", y=12 * (1 - 2 * high))
    angles.add("shoulder", "right", z=-62 + 118 * high, x=-20 * (1 - high), y=-46 * (1 - high))
    angles.add("elbow", "right", y=-26 + 12 * high)
    angles.add("shoulder", "left", z=-50, x=26)
    angles.add("elbow", "left", y=-84.0)
    angles.add("head", y=-14 * (2 * high - 1), x=-6 * high)
    angles.flat_feet()
    return 0.0, 0.0


def _twist(angles: Angles):
    """Feet and hips turn one way, shoulders and arms the other, going down and up."""
    t = angles.times
    turn = np.sin(2 * np.pi * t / 0.8)
    low = 0.5 - 0.5 * np.cos(2 * np.pi * t / 4.8)
    angles.add("hip", "both", x=-16 - 24 * low, z=8)
    angles.add("knee", "both", x=30 + 42 * low)
    angles.add("pelvis", y=26 * turn, x=4)
    for joint, degrees in (("spine1", -10), ("spine2", -12), ("spine3", -14)):
        angles.add(joint, y=degrees * turn)
    angles.add("neck", y=10 * turn)
    for side, sign in (("left", 1), ("right", -1)):
        angles.add("shoulder", side, z=-52, x=-10 + sign * 16 * turn, y=-14)
        angles.add("elbow", side, y=-82 + sign * 8 * turn)
    angles.flat_feet()
    return 0.0, 0.0


PIECES = {
    "walk": _Piece(_walk, 5.5, azimuth=50, is_followed=True),
    "stroll": _Piece(_stroll, 7.5, azimuth=30, is_followed=True),
    "run": _Piece(_run, 3.7, azimuth=60, is_followed=True),
    "march": _Piece(_march, 4.4, azimuth=35),
    "idle": _Piece(_idle, 6.0),
    "wave": _Piece(_wave, 4.4, azimuth=10),
    "bow": _Piece(_bow, 4.0, azimuth=40),
    "sit down": _Piece(_sit, 5.5, azimuth=45),
    "jump": _Piece(_jump, 3.2, azimuth=35),
    "jumping jacks": _Piece(_jacks, 4.0, azimuth=5),
    "squat": _Piece(_squat, 4.8, azimuth=40),
    "kick": _Piece(_kick, 3.0, azimuth=50),
    "box": _Piece(_box, 3.6, azimuth=40),
    "turn around": _Piece(_turn, 4.0, azimuth=0),
    "side step": _Piece(_side_step, 8.8, azimuth=5),
    "disco": _Piece(_disco, 4.0, azimuth=10),
    "twist": _Piece(_twist, 4.8, azimuth=20),
}
