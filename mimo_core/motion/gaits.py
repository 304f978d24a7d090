"""Motions that ship on their feet: gaits, a turn, and steps to the side.

Each adds joint angles in degrees and returns the yaw in radians and the lift in metres.
"""

from __future__ import annotations

import numpy as np

from .choreography import STEP_SIDES, Angles, closed_curve, curve_through, sine_wave


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


def _gait(angles: Angles, curves: dict, *, seconds: float, arms: float, elbow: float, lean: float, turn: float):
    """Legs by their curves, arms against the legs, pelvis and shoulders against each other."""
    phase = angles.times / seconds
    for side, later in STEP_SIDES:
        own = phase + later
        for joint, values in curves.items():
            angles.add(joint, side, x=closed_curve(own, values))
        swing = np.cos(2 * np.pi * own)  # forward with the other leg
        angles.add("hip", side, z=1.0, y=5.0)
        angles.add("shoulder", side, z=-72, x=arms * swing + 4, y=-4)
        angles.add("elbow", side, y=-elbow + 0.35 * arms * swing)
    wave = np.cos(2 * np.pi * phase)
    angles.add("pelvis", x=lean, y=-turn * wave, z=2.5 * sine_wave(phase))
    angles.add("spine1", x=1.0, z=-1.5 * sine_wave(phase))
    angles.add("spine3", y=1.7 * turn * wave, z=-1.0 * sine_wave(phase))
    angles.add("neck", y=-0.7 * turn * wave, x=-0.5 * lean)


def walk(angles: Angles):
    """An even walk."""
    _gait(angles, WALK, seconds=1.1, arms=22, elbow=20, lean=2.0, turn=5.0)
    return 0.0, 0.0


def stroll(angles: Angles):
    """Slow, looking about."""
    calm = WALK | {"hip": tuple(0.8 * value for value in WALK["hip"])}
    _gait(angles, calm, seconds=1.5, arms=12, elbow=14, lean=0.0, turn=3.5)
    angles.add(
        "head", y=curve_through(angles.times, (0.5, 0), (1.6, 26), (2.6, 24), (3.8, -22), (4.8, -20), (6, 0)), x=4.0
    )
    return 0.0, 0.0


def run_gait(angles: Angles):
    """An easy run."""
    _gait(angles, RUN, seconds=0.74, arms=38, elbow=84, lean=9.0, turn=7.0)
    # In the air around each push-off, twice a cycle.
    lift = 0.06 * np.clip(np.sin(4 * np.pi * (angles.times / 0.74 - 0.33)), 0, None) ** 1.5
    return 0.0, lift


def march(angles: Angles):
    """On the spot, knees high, arms against the legs."""
    phase = angles.times / 1.1
    for side, later in STEP_SIDES:
        own = phase + later
        raised = np.clip(sine_wave(own), 0, None) ** 1.3
        angles.add("hip", side, x=-72 * raised, z=2, y=4)
        angles.add("knee", side, x=84 * raised + 3)
        angles.add("ankle", side, x=22 * raised - 3)
        angles.add("shoulder", side, z=-72, x=34 * sine_wave(own) - 4)
        angles.add("elbow", side, y=-42 + 10 * sine_wave(own))
    angles.add("spine3", y=4 * sine_wave(phase))
    angles.flat_feet()
    return 0.0, 0.0


def turn_around(angles: Angles):
    """Once round on the spot to the left, in eight small steps."""
    rate, cycle = np.pi / 2, 1.0  # radians and seconds
    t = angles.times
    yaw = rate * t
    for side, later in STEP_SIDES:
        phase = t / cycle + later
        part = np.clip((phase % 1.0 - 0.5) * 2, 0, 1)  # the second half of a cycle is spent in the air
        swung = part * part * (3 - 2 * part)
        foot = rate * cycle * (np.floor(phase) + swung - later) + rate * cycle * 0.25
        raised = np.sin(np.pi * part)
        sign = 1.0 if side == "left" else -1.0
        angles.add("hip", side, y=sign * np.degrees(foot - yaw) + 5, x=-6 - 22 * raised, z=4)
        angles.add("knee", side, x=10 + 40 * raised)
        angles.add("shoulder", side, z=-68, x=4 + 8 * sine_wave(phase))
        angles.add("elbow", side, y=-20.0)
    angles.add("neck", y=8.0)
    angles.add("head", y=10.0)
    angles.flat_feet()
    return yaw, 0.0


def side_step(angles: Angles):
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
