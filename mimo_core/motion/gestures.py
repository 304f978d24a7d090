"""Motions that ship on the spot: gestures, exercises and dances.

Each adds joint angles in degrees and returns the yaw in radians and the lift in metres.
"""

from __future__ import annotations

import numpy as np

from .choreography import STEP_SIDES, Angles, curve_through, sine_wave


def _relax(angles: Angles, *, arms=("left", "right")):
    """A relaxed stand that breathes, for motions of the upper body."""
    breath = sine_wave(angles.times / 3.6)
    shift = sine_wave(angles.times / 6.0)
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


def idle(angles: Angles):
    """Weight from one leg to the other, a look around."""
    weight = curve_through(angles.times, (0.6, -1), (1.6, 1), (4.2, 1), (5.2, -1))
    _relax(angles)
    angles.add("pelvis", z=4 * weight)
    angles.add("spine1", z=-4 * weight)
    angles.add("hip", "both", z=0.0)
    angles.add("knee", "left", x=5 - 5 * weight)
    angles.add("knee", "right", x=5 + 5 * weight)
    angles.add("hip", "left", x=-2.5 + 2.5 * weight)
    angles.add("hip", "right", x=-2.5 - 2.5 * weight)
    angles.add("head", y=curve_through(angles.times, (1, 0), (1.8, 20), (2.8, 18), (3.6, -16), (4.6, -14), (5.4, 0)))
    angles.flat_feet()
    return 0.0, 0.0


def wave(angles: Angles):
    """The right arm goes up, waves three times, and comes down."""
    t = angles.times
    up = curve_through(t, (0.4, 0), (1.1, 1), (3.1, 1), (3.9, 0))
    beat = np.sin(2 * np.pi * 1.6 * (t - 1.1)) * curve_through(t, (1.0, 0), (1.3, 1), (2.9, 1), (3.2, 0))
    _relax(angles, arms=("left",))
    angles.add("shoulder", "right", z=-70 + up * 92 + 4 * beat, x=4 - 18 * up, y=-4 - 6 * up)
    angles.add("elbow", "right", y=-16 - 6 * up, z=up * 52 + 22 * beat)
    angles.add("wrist", "right", z=10 * beat)
    angles.add("spine2", z=2.5 * up)
    angles.add("head", z=-4 * up, y=-6 * up)
    angles.flat_feet()
    return 0.0, 0.0


def bow(angles: Angles):
    """From the hips, arms hanging, and up again."""
    t = angles.times
    down = curve_through(t, (0.5, 0), (1.5, 1), (2.2, 1), (3.3, 0))
    _relax(angles)
    angles.add("pelvis", x=24 * down)
    angles.add("hip", "both", x=-24 * down)
    for joint, degrees in (("spine1", 16), ("spine2", 10), ("spine3", 8), ("neck", 14), ("head", 8)):
        angles.add(joint, x=degrees * down)
    angles.add("shoulder", "both", x=-44 * down)
    return 0.0, 0.0


def sit_down(angles: Angles):
    """Down onto a chair that is not there, a while, and up again: the trunk leans forward to shift the weight."""
    t = angles.times
    down = curve_through(t, (0.5, 0), (1.7, 1), (3.6, 1), (4.8, 0))
    lean = curve_through(t, (0.4, 0), (1.15, 1), (1.9, 0.1), (3.4, 0.1), (4.0, 1), (4.9, 0))
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


def jump(angles: Angles):
    """Crouch with the arms back, up with the arms, and soften the landing."""
    t, off, air = angles.times, 1.2, 0.52
    crouch = curve_through(
        t, (0.3, 0), (0.9, 1), (off, -0.05), (off + air - 0.06, 0.1), (off + air + 0.22, 0.8), (off + air + 0.95, 0)
    )
    arms = curve_through(
        t, (0.3, 0), (0.85, -1), (off + 0.05, 1.25), (off + air, 0.7), (off + air + 0.3, -0.25), (off + air + 0.95, 0)
    )
    point = curve_through(t, (off - 0.16, 0), (off, 1), (off + air - 0.1, 0.7), (off + air + 0.04, 0))
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


def jumping_jacks(angles: Angles):
    """Legs and arms open and close once a second."""
    phase = angles.times / 1.0
    open_ = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    angles.add("hip", "both", x=-7, z=3 + 17 * open_, y=4)
    angles.add("knee", "both", x=14 - 6 * open_)
    angles.add("shoulder", "both", z=-68 + 130 * open_, x=-8 * open_)
    angles.add("collar", "both", z=12 * open_)
    angles.add("elbow", "both", y=-12 - 14 * np.sin(np.pi * open_))
    angles.flat_feet()
    return 0.0, 0.06 * np.abs(np.sin(2 * np.pi * phase)) ** 1.5


def squat(angles: Angles):
    """Down until the thighs are level, arms forward."""
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


def kick(angles: Angles):
    """Guard, chamber, front kick with the right leg, back."""
    t = angles.times
    raise_ = curve_through(t, (0.5, 0), (0.95, 1), (1.2, 1.05), (1.45, 0.95), (2.0, 0))
    snap = curve_through(t, (0.9, 0), (1.15, 1), (1.25, 1), (1.5, 0))
    guard = curve_through(t, (0.1, 0), (0.5, 1), (2.2, 1), (2.7, 0))
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


def shadow_box(angles: Angles):
    """Left, right, left, right: the shoulder turns into each punch, the hand comes back to the chin."""
    phase = angles.times / 1.2
    angles.add("hip", "both", x=-14, z=9)
    angles.add("hip", "left", y=10, x=-8)
    angles.add("hip", "right", y=24, x=4)
    angles.add("knee", "both", x=26.0)
    twist = np.zeros(len(phase))
    for side, later in STEP_SIDES:
        punch = np.clip(sine_wave(phase + later), 0, None) ** 1.4
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


def disco(angles: Angles):
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


def twist(angles: Angles):
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
