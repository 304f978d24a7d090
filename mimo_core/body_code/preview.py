"""The free body in learned colours, to look at."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..body.colors import LearnedColors
from ..body.person import Person
from ..geometry.camera import Camera
from ..motion.motion import Motion
from ..render.styles import render_motion


SIDES = 4  # from the front, its left, the back, its right
ARMS = 0.7  # radians below the T pose
SIZE = (320, 512)
DISTANCE, LEVEL = 4.6, 0.36  # metres to the camera, and from the pelvis down to what it looks at


def draw_colors(colors: LearnedColors) -> list[NDArray]:
    """The average body from four sides (512, 320, 3) uint8, in learned colours."""
    turns = torch.arange(SIDES) * (2 * np.pi / SIDES)
    pose = torch.zeros(SIDES, 24, 3)
    pose[:, 0, 1] = -turns
    pose[:, 16, 2], pose[:, 17, 2] = -ARMS, ARMS
    place = torch.tensor([0.0, LEVEL, -DISTANCE]).repeat(SIDES, 1)
    person = Person(torch.zeros(10), pose[:, 0], pose[:, 1:].flatten(1), place)
    motion = Motion((person,), 1.0, Camera.for_size(*SIZE))
    return [frame for frame, _ in render_motion(motion, colors=colors)]
