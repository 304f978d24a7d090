"""Keypoints in the picture lifted into space: how far a limb points in depth follows from how short it looks.

After Taylor (2000), with one scale a frame and bones of average length. Whether a limb points towards the camera or
away cannot be seen; knees and hands are taken to be in front of the body. It is a start for the fit, which keeps the
keypoints where they are in the picture; motion in depth stays a guess.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..motion.edit import smooth_path
from ..render.openpose import OPENPOSE_POINTS
from .blazepose import (
    ANKLES,
    EARS,
    ELBOWS,
    EYES,
    HEELS,
    HIPS,
    INDICES,
    KNEES,
    LANDMARK_COUNT,
    MOUTH,
    NOSE,
    PINKIES,
    SHOULDERS,
    THUMBS,
    TOES,
    WRISTS,
)
from .landmarks import Landmarks
from .rig import load_rig


LANDMARK_OF_OPENPOSE = {  # OpenPose's point: BlazePose's landmark
    "nose": NOSE,
    **{
        f"{side}_{name}": pair[number]
        for number, side in enumerate(("left", "right"))
        for name, pair in {
            "shoulder": SHOULDERS, "elbow": ELBOWS, "wrist": WRISTS, "hip": HIPS, "knee": KNEES, "ankle": ANKLES,
            "eye": EYES, "ear": EARS,
        }.items()
    },
}  # fmt: skip
SURE_SCORE = 0.3  # score above which a keypoint counts
SCALE_SECONDS = 0.15  # seconds: window over which the scale is averaged
LARGEST_SHARE = 2.0  # coordinates all below this are shares of the canvas


def lift_openpose(value: Sequence, *, frames: int, size: tuple[int, int], fps: float, person: int) -> Landmarks:
    """POSE_KEYPOINT for a clip as landmarks with a guess of their depth. Raises InputError where it does not fit."""
    if len(value) != frames:
        raise InputError(
            f"POSE_KEYPOINT has {len(value)} frames but the clip has {frames}. Make it from the same clip."
        )
    points = torch.zeros(frames, len(OPENPOSE_POINTS), 3)
    for frame, entry in enumerate(value):
        points[frame] = read_points(entry, frame, size, person)
    pixels, confidence = torch.zeros(frames, LANDMARK_COUNT, 2), torch.zeros(frames, LANDMARK_COUNT)
    for number, name in enumerate(OPENPOSE_POINTS):
        if name in LANDMARK_OF_OPENPOSE:
            pixels[:, LANDMARK_OF_OPENPOSE[name]] = points[:, number, :2]
            confidence[:, LANDMARK_OF_OPENPOSE[name]] = points[:, number, 2].clamp(0, 1)
    trunk = confidence[:, [*SHOULDERS, *HIPS]] > SURE_SCORE
    found = trunk.sum(1) >= 3
    if not found.any():
        raise InputError(f"POSE_KEYPOINT shows no person {person} with shoulders and hips in any frame.")
    world = _lift_points(pixels, confidence, found, fps)
    return Landmarks(pixels, world, confidence, torch.where(found, confidence.amax(1), 0.0))


def read_points(entry: Mapping, frame: int, size: tuple[int, int], person: int) -> Tensor:
    """Points (18, 3) of one person in pixels of the clip; zeros where there is none. InputError for other forms."""
    people = entry.get("people") if isinstance(entry, Mapping) else None
    if people is None:
        raise InputError(f"POSE_KEYPOINT has no people in frame {frame}. Connect the keypoints of a pose node.")
    if person >= len(people):
        return torch.zeros(len(OPENPOSE_POINTS), 3)
    flat = np.asarray(people[person].get("pose_keypoints_2d") or [0.0] * 3 * len(OPENPOSE_POINTS), np.float32)
    if flat.ndim != 1 or len(flat) != 3 * len(OPENPOSE_POINTS) or not np.isfinite(flat).all():
        raise InputError(
            f"POSE_KEYPOINT holds {flat.shape} numbers in frame {frame}; 18 points of x, y, score are read."
        )
    points = torch.from_numpy(flat).view(-1, 3).clone()
    width, height = float(entry.get("canvas_width") or size[0]), float(entry.get("canvas_height") or size[1])
    if float(points[:, :2].max()) <= LARGEST_SHARE:
        points[:, :2] *= torch.tensor([width, height])
    points[:, :2] *= torch.tensor([size[0] / width, size[1] / height])
    return points


def _lift_points(pixels: Tensor, confidence: Tensor, found: Tensor, fps: float) -> Tensor:
    """Landmarks (F, 33, 3) in meters about the hips, in camera axes."""
    rest = load_rig().rest_landmarks(torch.zeros(10, dtype=torch.float64)).float()
    scale = _measure_scale(pixels, confidence, rest, found, fps)[:, None]
    flat = (pixels - pixels[:, HIPS].mean(1, keepdim=True)) / scale[..., None]
    left, right = (flat[:, [SHOULDERS[side], HIPS[side]]] for side in (0, 1))
    # The person's left is on the right of the picture where they face the camera.
    front = torch.where((left - right).mean(1)[:, 0] >= 0, -1.0, 1.0)
    depth = torch.zeros(pixels.shape[:2])
    towards = flat[:, NOSE, 0] - flat[:, SHOULDERS, 0].mean(1)
    turn = torch.where(confidence[:, NOSE] > SURE_SCORE, towards.sign(), 0.0)
    for pair in (SHOULDERS, HIPS):
        half = 0.5 * turn * _hidden_depth(flat, rest, *pair)
        depth[:, pair[0]], depth[:, pair[1]] = half, -half
    for start, end, sign in ((HIPS, KNEES, 1), (KNEES, ANKLES, -1), (SHOULDERS, ELBOWS, 1), (ELBOWS, WRISTS, 1)):
        for side in (0, 1):
            a, b = start[side], end[side]
            depth[:, b] = depth[:, a] + sign * front * _hidden_depth(flat, rest, a, b)
    world = torch.cat([flat, depth[..., None]], 2)
    _add_ends(world, front)
    return world


def _measure_scale(pixels: Tensor, confidence: Tensor, rest: Tensor, found: Tensor, fps: float) -> Tensor:
    """Pixels a meter (F,): the second longest look of a bone, because perspective only makes bones shorter."""
    bones = [(SHOULDERS[0], SHOULDERS[1]), *zip(SHOULDERS, HIPS, strict=True), *zip(HIPS, KNEES, strict=True)]
    bones += [*zip(KNEES, ANKLES, strict=True), *zip(SHOULDERS, ELBOWS, strict=True)]
    looks = []
    for a, b in bones:
        is_sure = (confidence[:, a] > SURE_SCORE) & (confidence[:, b] > SURE_SCORE)
        look = (pixels[:, a] - pixels[:, b]).norm(dim=1) / (rest[a] - rest[b]).norm()
        looks.append(torch.where(is_sure, look, 0.0))
    scale = torch.stack(looks).topk(2, dim=0).values[1]
    usual = scale[found].median().clamp_min(1e-3)
    scale = torch.where(found & (scale > 0.2 * usual), scale, usual)
    return smooth_path(scale[:, None], SCALE_SECONDS * fps)[:, 0].clamp_min(0.1 * usual)


def _hidden_depth(flat: Tensor, rest: Tensor, a: int, b: int) -> Tensor:
    """How far a bone reaches in depth, (F,): what its length leaves beside its look."""
    length = (rest[a] - rest[b]).norm()
    return (length**2 - (flat[:, a] - flat[:, b]).square().sum(1)).clamp_min(0).sqrt()


def _add_ends(world: Tensor, front: Tensor):
    """Face, hands and feet, of which the keypoints show nothing or little in depth."""
    ahead = torch.stack([torch.zeros_like(front), torch.zeros_like(front), front], 1)
    down = world.new_tensor([0.0, 1.0, 0.0])
    world[:, NOSE] += 0.10 * ahead
    for side in (0, 1):
        world[:, MOUTH[side]] = world[:, NOSE] + 0.04 * down
        fore = torch.nn.functional.normalize(world[:, WRISTS[side]] - world[:, ELBOWS[side]], dim=1)
        for fingers, offset in ((INDICES, 0.02), (THUMBS, 0.03), (PINKIES, -0.02)):
            world[:, fingers[side]] = world[:, WRISTS[side]] + 0.08 * fore + offset * ahead
        world[:, HEELS[side]] = world[:, ANKLES[side]] + 0.06 * down - 0.04 * ahead
        world[:, TOES[side]] = world[:, ANKLES[side]] + 0.07 * down + 0.14 * ahead
