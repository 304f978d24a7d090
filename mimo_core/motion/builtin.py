"""Motions that ship: written by hand as curves of joint angles, without any capture data."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..body.person import Person
from ..errors import InputError
from ..geometry.camera import Camera
from . import gaits, gestures
from .cameras import Viewpoint, fixed_camera, following_camera
from .choreography import Angles, Performance, plant_feet
from .edit import smooth_path
from .ground import hold_feet_on_floor, pose_sole_points
from .motion import Motion


BUILTIN_FPS = 30.0
SIZE = (512, 512)  # pixels of the camera
FOOT_CHANGE_CALM = 1.6  # frames: window that takes out the jerk where one foot takes over from the other


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
    """A motion that ships: 30 frames a second, average body, floor at height 0, seen by a camera that stands still.

    Raises InputError for a name that does not ship.
    """
    if name not in PIECES:
        raise InputError(f"There is no built-in motion {name!r}. Choose one of {', '.join(PIECES)}.")
    piece = PIECES[name]
    times = np.arange(round(piece.seconds * BUILTIN_FPS)) / BUILTIN_FPS
    angles = Angles(times)
    yaw, lift = piece.write(angles)
    angles.sway(np.random.default_rng(len(name)), 0.8)
    frames = len(times)
    made = Performance(name, angles.clip_to_limits(), np.zeros(frames) + yaw, np.zeros(frames) + lift)
    person = _perform_on_floor(made)
    motion = hold_feet_on_floor(Motion((person,), BUILTIN_FPS, Camera.for_size(*SIZE)), floor=0.0)
    viewpoint = Viewpoint(azimuth=piece.azimuth, elevation=6.0)
    if piece.is_followed:
        return replace(motion, camera=following_camera(motion.person, motion.camera, BUILTIN_FPS, viewpoint))
    return replace(motion, camera=fixed_camera(motion.person, motion.camera, viewpoint))


def _perform_on_floor(made: Performance) -> Person:
    """The performance by an average body, moved by the foot that carries it, the way calmed over a few frames."""
    rotations = torch.from_numpy(made.rotations())
    frames = len(rotations)
    person = Person(torch.zeros(10), rotations[:, 0], rotations[:, 1:].flatten(1), torch.zeros(frames, 3))
    feet = torch.stack(pose_sole_points(person), 1).numpy()
    footing = plant_feet(feet, made.lift, fps=BUILTIN_FPS)
    transl = torch.from_numpy(footing.transl)
    path = smooth_path(transl, FOOT_CHANGE_CALM)
    if made.lift.any():
        path[:, 1] = transl[:, 1]
    return replace(person, transl=path, contacts=torch.from_numpy(footing.contacts))


PIECES = {
    "walk": _Piece(gaits.walk, 5.5, azimuth=50, is_followed=True),
    "stroll": _Piece(gaits.stroll, 7.5, azimuth=30, is_followed=True),
    "run": _Piece(gaits.run_gait, 3.7, azimuth=60, is_followed=True),
    "march": _Piece(gaits.march, 4.4, azimuth=35),
    "idle": _Piece(gestures.idle, 6.0),
    "wave": _Piece(gestures.wave, 4.4, azimuth=10),
    "bow": _Piece(gestures.bow, 4.0, azimuth=40),
    "sit down": _Piece(gestures.sit_down, 5.5, azimuth=45),
    "jump": _Piece(gestures.jump, 3.2, azimuth=35),
    "jumping jacks": _Piece(gestures.jumping_jacks, 4.0, azimuth=5),
    "squat": _Piece(gestures.squat, 4.8, azimuth=40),
    "kick": _Piece(gestures.kick, 3.0, azimuth=50),
    "box": _Piece(gestures.shadow_box, 3.6, azimuth=40),
    "turn around": _Piece(gaits.turn_around, 4.0, azimuth=0),
    "side step": _Piece(gaits.side_step, 8.8, azimuth=5),
    "disco": _Piece(gestures.disco, 4.0, azimuth=10),
    "twist": _Piece(gestures.twist, 4.8, azimuth=20),
}
