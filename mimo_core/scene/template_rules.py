"""Rules of the official template folders and of the program that makes them, as pure functions.

Sections 1 to 3 of the specification: which frames are kept, how large they are, where the person is, and how weak
cameras and hand orientations become those of the whole frame and body.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.box import Box


TEMPLATE_FPS = 30  # at which time crops count; section 1 of the specification
LONGEST_CLIP = 150  # frames; section 1 of the specification
SHORTER_SIDE = 720  # pixels; section 3 of the specification


def resample_indices(source_fps: float, target_fps: float, frames: int) -> list[int]:
    """Indices of the source frames at another rate: every floor(k * source / target). A higher rate repeats frames."""
    ratio = round(source_fps) / target_fps
    indices = (np.arange(0, frames, ratio)).astype(int)
    return [int(index) for index in indices if index < frames]


def time_crop(fps: float, start: int, end: int, frames: int, *, longest: int = LONGEST_CLIP) -> range:
    """The frames between two indices that a template gives at 30 fps, clamped to the clip and cut to `longest`."""
    first, last = (min(max(int(fps * index / TEMPLATE_FPS), 0), frames) for index in (start, end))
    return range(first, min(last, first + longest))


def template_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) of a template: if both exceed 720, the shorter becomes 720; then both are floored to even."""
    if min(width, height) <= SHORTER_SIDE:
        return width, height
    scale = SHORTER_SIDE / min(width, height)
    return int(width * scale) // 2 * 2, int(height * scale) // 2 * 2


def person_box(mask: NDArray) -> Box:
    """The rectangle of a mask (H, W) with 1 % of its height and width on every side, inside the frame."""
    box = Box.of_mask(mask)
    if box is None:
        return Box(0, 0, 0, 0)
    return box.expanded(int(0.01 * box.width), int(0.01 * box.height), *mask.shape)


def frame_camera(
    weak: tuple[float, float, float], box_center: tuple[float, float], box_size: float, width: int, height: int
) -> tuple[float, NDArray]:
    """Focal length in pixels and translation (3,) of a weak-perspective fit (scale, x, y) in a square box of the frame.

    Convention: x right, y down, z forward; u = f X / Z + width / 2. The focal length is 5000 / 256 of the longer side,
    about 19.5 times: nearly orthographic.
    """
    scale, x, y = weak
    focal = 5000 / 256 * max(width, height)
    pixels = box_size * scale + 1e-9
    return focal, np.array(
        [
            x + 2 * (box_center[0] - width / 2) / pixels,
            y + 2 * (box_center[1] - height / 2) / pixels,
            2 * focal / pixels,
        ]
    )


def local_wrist(global_orient: NDArray, body_pose: NDArray, hand: NDArray, *, side: str) -> NDArray:
    """A hand's orientation (3, 3) in camera space as a rotation of the wrist joint against the forearm.

    `body_pose` is (23, 3, 3), SMPL's joints 1 to 23. Convention: local = (chain to the elbow) transposed x hand.
    """
    chain = global_orient
    for joint in WRIST_CHAINS[side]:
        chain = chain @ body_pose[joint]
    return chain.T @ hand


# spine1, spine2, spine3, collar, shoulder, elbow
WRIST_CHAINS = {"right": (2, 5, 8, 13, 16, 18), "left": (2, 5, 8, 12, 15, 17)}
