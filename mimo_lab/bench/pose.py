"""How far the pose estimator is from the truth of synthetic shots.

Measure: mean distance over 24 joints and all frames that show at least 60 % of the body, in camera space, pelvis on
pelvis, one scale per clip, no rotation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from mimo_core.body.landmarks import landmark_weights
from mimo_core.body.model import free_body
from mimo_core.cli.terminal import print_lines
from mimo_core.geometry.camera import Camera
from mimo_core.media.clip import Clip
from mimo_core.motion.motion import Motion
from mimo_core.pose.estimate import estimate_motion
from mimo_core.pose.fit import fit_closed_form, fit_motion
from mimo_core.pose.landmarks import Landmarks

from ..synthetic import Shot, make_shot
from .table import BenchRow


FRAMES, SIZE = 24, 512
PIXEL_NOISE = 0.01  # of the body's height in the picture
WORLD_NOISE = 0.04  # metres
LEAST_VISIBLE = 0.6  # share of the body


@dataclass(frozen=True)
class JointError:
    """Means over joints and frames."""

    position: float  # millimetres
    acceleration: float  # of the error: millimetres per frame and frame


def measure_pose(seeds: Iterable[int]) -> dict[str, BenchRow]:
    """The rows of the pose estimator over the shots of `seeds`, 512 pixels square."""
    names = ("exact", "noisy", "unrefined", "seen")
    errors = {name: [] for name in names}
    for seed in seeds:
        shot = make_shot(seed, size=SIZE, frames=FRAMES)
        measured = measure_shot_joints(shot)
        for name in names:
            errors[name].append(measured[name])
        print_lines(
            f"seed {seed}, {shot.kind}: " + ", ".join(f"{name} {measured[name].position:.0f} mm" for name in names)
        )
    position = {name: _mean_of_known(error.position for error in errors[name]) for name in names}
    jitter = {name: _mean_of_known(error.acceleration for error in errors[name]) for name in names}
    return {
        "joints from exact landmarks": BenchRow(position["exact"], 30.0, at_most=True, unit="mm"),
        "joints from noisy landmarks": BenchRow(
            position["noisy"], 60.0, position["unrefined"], at_most=True, unit="mm"
        ),
        "acceleration from noisy landmarks": BenchRow(
            jitter["noisy"], jitter["unrefined"], jitter["unrefined"], at_most=True, unit="mm"
        ),
        "joints from BlazePose on frames": BenchRow(position["seen"], 90.0, at_most=True, unit="mm"),
    }


def measure_shot_joints(shot: Shot) -> dict[str, JointError]:
    """Errors of one shot: from exact landmarks, from noisy ones with and without refinement, and from its frames."""
    truth, fps = shot.motion, shot.fps
    camera = Camera(truth.camera.focal, truth.camera.center, truth.camera.size)
    counted = torch.from_numpy(shot.visible.sum((1, 2)) >= LEAST_VISIBLE * shot.person.sum((1, 2)))
    exact = project_true_landmarks(truth)
    noisy = add_noise(exact, torch.Generator().manual_seed(shot.seed))
    clip = Clip.from_array(shot.frames, Fraction(fps).limit_denominator(1001))
    found = {
        "exact": fit_motion(exact, camera, fps=fps),
        "noisy": fit_motion(noisy, camera, fps=fps),
        "unrefined": fit_closed_form(noisy, camera, fps=fps),
        "seen": estimate_motion(clip, focal=camera.focal).motion,
    }
    return {name: measure_joint_error(motion, truth, counted) for name, motion in found.items()}


def project_true_landmarks(motion: Motion) -> Landmarks:
    """Exact landmarks of a motion, all of them seen, in camera space."""
    vertices = free_body().pose(motion.person).vertices
    points = motion.camera.view(torch.einsum("lv,fvc->flc", landmark_weights(), vertices))
    frames, count = points.shape[:2]
    return Landmarks(motion.camera.pixels(points), points, torch.ones(frames, count), torch.ones(frames))


def add_noise(landmarks: Landmarks, generator: torch.Generator) -> Landmarks:
    """Landmarks with 1 % of the body's height of noise in the picture and 40 mm in 3D, per coordinate."""
    height = torch.median(landmarks.pixels[..., 1].amax(1) - landmarks.pixels[..., 1].amin(1))
    pixels, world = (torch.randn(value.shape, generator=generator) for value in (landmarks.pixels, landmarks.world))
    return Landmarks(
        landmarks.pixels + PIXEL_NOISE * height * pixels,
        landmarks.world + WORLD_NOISE * world,
        landmarks.confidence,
        landmarks.score,
    )


def measure_joint_error(motion: Motion, truth: Motion, counted: Tensor) -> JointError:
    """Errors over the `counted` (F,) frames in which the person of `motion` is visible. NaN where there are none."""
    found, wanted = (_pose_joints(each) for each in (motion, truth))
    counted = counted & motion.person.visible
    if not counted.any():
        return JointError(math.nan, math.nan)
    scale = (found * wanted)[counted].sum() / (found * found)[counted].sum()
    error = scale * found - wanted
    in_a_row = counted[2:] & counted[1:-1] & counted[:-2]
    bend = error.diff(n=2, dim=0)[in_a_row]
    return JointError(
        1000 * float(error[counted].norm(dim=-1).mean()),
        1000 * float(bend.norm(dim=-1).mean()) if len(bend) else math.nan,
    )


def _pose_joints(motion: Motion) -> Tensor:
    """Joints (F, 24, 3) in camera axes, from the pelvis."""
    joints = motion.camera.view(free_body().pose(motion.person).joints)
    return joints - joints[:, :1]


def _mean_of_known(values: Iterable[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
