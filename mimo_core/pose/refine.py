"""Refinement over a clip: all frames and the shape at once, by Gauss-Newton.

Terms: reprojection under a Geman-McClure loss, 3D landmarks, habits and limits of joints, a prior on the shape,
acceleration, and planted feet. Only neighboring frames touch each other, so the normal equations are banded, with the
shape values as a border: time and memory are linear in the frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import torch
from torch import Tensor

from ..body.height import measure_height
from ..body.model import free_body
from ..body.skeleton import JOINT
from ..geometry.camera import Camera
from ..geometry.rotations import axis_angle_from_matrix
from .landmarks import Landmarks
from .prior import LIMIT_OUTLIER, LIMIT_SIGMA, tabulate_priors
from .rig import BodyState, PlacedLandmarks, Rig
from .silhouette import OutlineTargets


Shape = Literal["free", "fixed"]  # whether the shape values are solved for
Subject = Literal["moving", "posing"]  # somebody in a clip, or who stands for a picture

FREE_JOINTS = tuple(joint for name, joint in JOINT.items() if name.split("_")[-1] not in ("foot", "hand"))
UNKNOWNS = 3 + 3 * len(FREE_JOINTS)  # a frame's translation and turns

# Standard deviations and outlier widths, set with bench pose on seeds 300-329 (2026-11-23): 15 mm from exact
# landmarks, 28 from noisy ones, 80 from BlazePose on frames. Varied on 18 shots on 2026-11-26: none better by 3 %.
PIXEL_SIGMA = 0.016  # meters at the person's depth
PIXEL_OUTLIER = 0.08  # meters: a landmark this far off counts half as much (Geman-McClure)
WIDE_OUTLIER = 0.3  # the same while limbs are caught again that the body has let go of
WORLD_SIGMA = (0.08, 0.08, 0.15)  # meters, along the camera's axes; depth is guessed
POSING_SIGMA = (0.08, 0.08, 0.25)  # of somebody who poses: their landmarks lean by 13 degrees (12 pictures)
STRAIGHT_JOINTS, POSING_SPREAD = (
    ("spine", "neck", "hip", "knee", "elbow"),
    0.4,
)  # of the usual: they bend little in depth
UPRIGHT_SIGMA = 0.1  # radians by which somebody who poses leans forward or back
WORLD_OUTLIER = 0.2  # meters, as PIXEL_OUTLIER
BETA_SIGMA = 1.0  # the shape values of the free body are normalized
# Meters. Nothing in a picture tells the stature, but noise, fast motion and blur make small bodies cheap: a compressed
# and a fast clip gave 1.02 and 1.34 m, which no character could reach. Within the first the stature is free: held there
# as well it cost seed 1003 0.013 of the silhouette, and from 0.2 m on seed 1017 0.2 of what is in front (2026-11-28).
# The second counts in each frame that is seen.
FREE_STATURE = 0.22
STATURE_SIGMA = 0.05
SHIFT_ACCELERATION = (4.0, 4.0, 4.0)  # meters per second squared, of the body as a whole
# Radians per second squared.
TURN_ACCELERATION = {"pelvis": 8.0, "spine": 6.0, "neck": 8.0, "head": 12.0, "collar": 6.0}
LIMB_ACCELERATION = 90.0  # radians per second squared, of arms and legs
LOCK_SIGMA = 0.004  # meters
OUTLINE_SIGMA = 0.015  # meters; many points of an outline are wrong together (18 shots, 2026-11-26)
LARGEST_TURN = 0.6  # radians in one step


@dataclass(frozen=True, eq=False)
class FootLocks:
    """Where landmarks of planted feet are held."""

    points: tuple[int, ...]
    targets: Tensor  # (F, len(points), 3) world
    held: Tensor  # (F, len(points)) 0 or 1


@dataclass(frozen=True, eq=False)
class NormalEquations:
    """Normal equations: frames (F, U, U), border to the shape (F, U, 10), its corner (10, 10), and right-hand sides."""

    frames: Tensor
    border: Tensor
    corner: Tensor
    frame_right: Tensor
    shape_right: Tensor


def refine_pose(
    rig: Rig,
    state: BodyState,
    seen: Landmarks,
    camera: Camera,
    *,
    fps: float,
    smoothing: float = 1.0,
    locks: FootLocks | None = None,
    outline: OutlineTargets | None = None,
    held: int = 0,
    shape: Shape = "free",
    subject: Subject = "moving",
    steps: int = 8,
    wide_steps: int = 0,
    tick: Callable[[], None] = lambda: None,
) -> BodyState:
    """Bring the landmarks of `state` onto those `seen` by a camera in the origin.

    `smoothing` scales the weight of accelerations. The first `held` frames stay as they are, for windows of a longer
    clip. Frames that were not seen follow their neighbors. A `shape` that is "fixed" keeps the betas of `state`. A
    `subject` that is "posing" for a picture stands upright unless it shows otherwise: the depths of landmarks, which
    lean, hardly count. In the first `wide_steps` of the `steps` landmarks that are far off pull too. `tick` is called
    before each step, so that a caller can stop the work by raising.
    """
    acceleration = smoothing * _acceleration_weights(fps)
    for step in range(steps):
        tick()
        placed = rig.place(state)
        outlier = WIDE_OUTLIER if step < wide_steps else PIXEL_OUTLIER
        normal = _build_landmark_terms(rig, placed, state, seen, camera, locks, subject, outlier)
        normal = _add_upright(normal, state) if subject == "posing" else _add_stature(normal, state, seen)
        if outline is not None:
            normal = _add_outline(normal, outline, state)
        normal = _add_joint_priors(normal, state, subject)
        frame_right = normal.frame_right - _acceleration_gradient(state, acceleration)
        if held:
            normal.frames[:held] += 1e12 * torch.eye(UNKNOWNS, dtype=torch.float64)
        change, betas = _solve(normal, frame_right, acceleration, shape)
        turns = change[:, 3:].unflatten(1, (-1, 3))
        turns = turns * (LARGEST_TURN / turns.norm(dim=-1, keepdim=True).clamp_min(LARGEST_TURN))
        state = state.step(FREE_JOINTS, turns, change[:, :3], betas)
    return state


def _build_landmark_terms(
    rig: Rig,
    placed: PlacedLandmarks,
    state: BodyState,
    seen: Landmarks,
    camera: Camera,
    locks: FootLocks | None,
    subject: Subject,
    outlier: float,
) -> NormalEquations:
    frames, count = placed.points.shape[:2]
    derivatives = torch.cat(
        [
            torch.eye(3, dtype=torch.float64).expand(frames, count, 3, 3),
            rig.turn_derivatives(placed, FREE_JOINTS).flatten(3),
            rig.shape_derivatives(placed),
        ],
        -1,
    )  # (F, 33, 3, UNKNOWNS + 10)
    rows, residuals = zip(
        _reprojection_rows(placed.points, derivatives, seen, camera, outlier),
        _world_rows(placed.points, derivatives, seen, POSING_SIGMA if subject == "posing" else WORLD_SIGMA),
        *([] if locks is None else [_lock_rows(placed.points, derivatives, locks)]),
        strict=True,
    )
    rows = torch.cat([block.flatten(1, 2) for block in rows], 1)  # (F, rows, UNKNOWNS + 10)
    residuals = torch.cat([block.flatten(1) for block in residuals], 1)
    squared = rows.mT @ rows  # (F, UNKNOWNS + 10, UNKNOWNS + 10)
    right = -(rows.mT @ residuals[..., None])[..., 0]
    shape_prior = torch.eye(10, dtype=torch.float64) / BETA_SIGMA**2
    return NormalEquations(
        squared[:, :UNKNOWNS, :UNKNOWNS],
        squared[:, :UNKNOWNS, UNKNOWNS:],
        squared[:, UNKNOWNS:, UNKNOWNS:].sum(0) + shape_prior,
        right[:, :UNKNOWNS],
        right[:, UNKNOWNS:].sum(0) - shape_prior @ state.betas,
    )


def _reprojection_rows(
    points: Tensor, derivatives: Tensor, seen: Landmarks, camera: Camera, outlier: float
) -> tuple[Tensor, Tensor]:
    """Rows (F, 33, 2, N) and residuals (F, 33, 2), in meters at the person's depth over their sigma."""
    depth = -points[..., 2:].clamp_max(-0.1)
    scale = depth.mean(1, keepdim=True)
    ray = points[..., :2] / depth
    residuals = (ray - rays_from_pixels(seen.pixels, camera)) * scale
    rows = (derivatives[..., :2, :] + ray[..., None] * derivatives[..., 2:, :]) * (scale / depth)[..., None]
    weight = seen.confidence[..., None].sqrt() * _geman_mcclure_weight(residuals, outlier) / PIXEL_SIGMA
    return rows * weight[..., None], residuals * weight


def _world_rows(
    points: Tensor, derivatives: Tensor, seen: Landmarks, sigma: tuple[float, float, float]
) -> tuple[Tensor, Tensor]:
    """Rows (F, 33, 3, N) and residuals (F, 33, 3): both sets about their means, the seen ones scaled for the clip."""
    share = (seen.confidence / seen.confidence.sum(1, keepdim=True).clamp_min(1e-6))[..., None]
    target = world_from_camera_axes(seen.world)
    target = target - (share * target).sum(1, keepdim=True)
    centered = points - (share * points).sum(1, keepdim=True)
    target = target * _fit_scale(centered, target, seen.confidence)
    rows = derivatives - (share[..., None] * derivatives).sum(1, keepdim=True)
    residuals = centered - target
    weight = seen.confidence[..., None].sqrt() * _geman_mcclure_weight(residuals, WORLD_OUTLIER)
    weight = weight / points.new_tensor(sigma)
    return rows * weight[..., None], residuals * weight


def _lock_rows(points: Tensor, derivatives: Tensor, locks: FootLocks) -> tuple[Tensor, Tensor]:
    weight = locks.held[..., None] / LOCK_SIGMA
    residuals = points[:, locks.points] - locks.targets
    return derivatives[:, locks.points] * weight[..., None], residuals * weight


def _fit_scale(centered: Tensor, target: Tensor, confidence: Tensor) -> Tensor:
    weight = confidence[..., None]
    return ((weight * centered * target).sum() / (weight * target * target).sum().clamp_min(1e-6)).clamp(0.5, 2.0)


def _geman_mcclure_weight(residuals: Tensor, outlier: float) -> Tensor:
    """Square root of the weight that makes least squares minimise r^2 / (r^2 + outlier^2)."""
    return outlier**2 / (outlier**2 + residuals.square().sum(-1, keepdim=True))


def _add_upright(normal: NormalEquations, state: BodyState) -> NormalEquations:
    """The pelvis neither leans towards the camera nor away from it."""
    root = state.rotations[:, 0]
    lean = root[:, 2, 1]  # the camera's axis of the body's upwards direction
    rows = torch.stack([root[:, 2, 2], torch.zeros_like(lean), -root[:, 2, 0]], 1) / UPRIGHT_SIGMA
    turns = slice(3, 6)  # the pelvis is the first of FREE
    normal.frames[:, turns, turns] += rows[:, :, None] * rows[:, None]
    normal.frame_right[:, turns] -= rows * lean[:, None] / UPRIGHT_SIGMA
    return normal


def _add_stature(normal: NormalEquations, state: BodyState, seen: Landmarks) -> NormalEquations:
    """The body is not much smaller or taller than the average one, however many frames say otherwise."""
    growth = _stature_growth()
    rise = growth @ state.betas
    excess = rise - rise.clamp(-FREE_STATURE, FREE_STATURE)
    if excess == 0:
        return normal
    weight = int(seen.found.sum()) / STATURE_SIGMA**2
    return replace(
        normal,
        corner=normal.corner + weight * torch.outer(growth, growth),
        shape_right=normal.shape_right - weight * growth * excess,
    )


@lru_cache(maxsize=1)
def _stature_growth() -> Tensor:
    """Meters by which each shape value (10,) makes the average body taller."""
    body, step = free_body(), 0.1
    heights = [measure_height(body, step * unit) for unit in torch.eye(10)]
    return (torch.tensor(heights, dtype=torch.float64) - measure_height(body, torch.zeros(10))) / step


def _add_outline(normal: NormalEquations, outline: OutlineTargets, state: BodyState) -> NormalEquations:
    rows, residuals = outline.linearize(state, FREE_JOINTS)
    weight = outline.weight.sqrt() / OUTLINE_SIGMA
    rows, residuals = rows * weight[..., None], residuals * weight
    squared = rows.mT @ rows
    right = -(rows.mT @ residuals[..., None])[..., 0]
    return NormalEquations(
        normal.frames + squared[:, :UNKNOWNS, :UNKNOWNS],
        normal.border + squared[:, :UNKNOWNS, UNKNOWNS:],
        normal.corner + squared[:, UNKNOWNS:, UNKNOWNS:].sum(0),
        normal.frame_right + right[:, :UNKNOWNS],
        normal.shape_right + right[:, UNKNOWNS:].sum(0),
    )


def _add_joint_priors(normal: NormalEquations, state: BodyState, subject: Subject) -> NormalEquations:
    usual, spread, low, high = tabulate_priors(FREE_JOINTS)
    if subject == "posing":
        at = _find_joints(STRAIGHT_JOINTS)
        usual[at], spread[at] = 0, POSING_SPREAD * spread[at]
    turns = axis_angle_from_matrix(state.rotations[:, FREE_JOINTS])
    beyond = turns - turns.clamp(low, high)
    limit = (beyond != 0) * (LIMIT_OUTLIER**2 / (LIMIT_OUTLIER**2 + beyond.square())) ** 2 / LIMIT_SIGMA**2
    stiffness = spread**-2 + limit
    pull = (turns - usual) / spread**2 + limit * beyond
    derivative = _log_derivative(turns)  # (F, joints, 3, 3)
    blocks = derivative.mT @ (stiffness[..., None] * derivative)
    index = 3 + torch.arange(3 * len(FREE_JOINTS)).view(-1, 3)
    normal.frames[:, index[:, :, None], index[:, None, :]] += blocks
    normal.frame_right[:, 3:] -= (derivative.mT @ pull[..., None]).flatten(1)
    return normal


def _find_joints(kinds: tuple[str, ...]) -> list[int]:
    """Places in FREE of the joints of some kinds."""
    names = {number: name for name, number in JOINT.items()}
    return [at for at, joint in enumerate(FREE_JOINTS) if names[joint].split("_")[-1].rstrip("123") in kinds]


def _log_derivative(turns: Tensor) -> Tensor:
    """d log(R exp(x)) / d x at x = 0 for R = exp(turns), (..., 3, 3): the inverse right Jacobian of rotations."""
    angle = turns.norm(dim=-1)[..., None, None].clamp_min(1e-4)
    x, y, z = turns.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    factor = 1 / angle**2 - (1 + angle.cos()) / (2 * angle * angle.sin().clamp_min(1e-3))
    return torch.eye(3, dtype=turns.dtype) + cross / 2 + factor * (cross @ cross)


def _acceleration_weights(fps: float) -> Tensor:
    """(UNKNOWNS,) one over the variance of second differences between frames."""
    names = {number: name for name, number in JOINT.items()}
    turns = []
    for joint in FREE_JOINTS:
        kind = names[joint].split("_")[-1].rstrip("123")
        turns += [TURN_ACCELERATION.get(kind, LIMB_ACCELERATION)] * 3
    return (torch.tensor([*SHIFT_ACCELERATION, *turns], dtype=torch.float64) / fps**2) ** -2


def _acceleration_gradient(state: BodyState, weights: Tensor) -> Tensor:
    """Gradient (F, UNKNOWNS) of half the weighted squared accelerations, for small turns between frames."""
    gradient = torch.zeros(len(state), UNKNOWNS, dtype=torch.float64)
    if len(state) < 3:
        return gradient
    rotations = state.rotations[:, FREE_JOINTS]
    turns = axis_angle_from_matrix(rotations[:-1].mT @ rotations[1:]).flatten(1)
    speed = torch.cat([state.transl.diff(dim=0), turns], 1)
    pull = speed.diff(dim=0) * weights
    gradient[:-2] += pull
    gradient[1:-1] -= 2 * pull
    gradient[2:] += pull
    return gradient


def _solve(normal: NormalEquations, frame_right: Tensor, acceleration: Tensor, shape: Shape) -> tuple[Tensor, Tensor]:
    """The Gauss-Newton step: frames (F, UNKNOWNS) and betas (10)."""
    from scipy.linalg import solveh_banded

    frames = len(frame_right)
    band = _band_matrix(normal.frames, acceleration)
    right = torch.cat([frame_right[..., None], normal.border], -1).flatten(0, 1)
    solved = torch.from_numpy(solveh_banded(band.numpy(), right.numpy(), lower=True, overwrite_ab=True))
    solved = solved.view(frames, UNKNOWNS, 11)
    if shape == "fixed":
        return solved[..., 0], torch.zeros(10, dtype=torch.float64)
    # Schur complement of the frames: what is left for the shape once every frame has followed it.
    corner = normal.corner - torch.einsum("fub,fuc->bc", normal.border, solved[..., 1:])
    betas = torch.linalg.solve(corner, normal.shape_right - torch.einsum("fub,fu->b", normal.border, solved[..., 0]))
    return solved[..., 0] - solved[..., 1:] @ betas, betas


def _band_matrix(blocks: Tensor, acceleration: Tensor) -> Tensor:
    """Lower band (2 UNKNOWNS + 1, F UNKNOWNS) of frame blocks (F, U, U) plus second differences between frames."""
    frames = len(blocks)
    band = torch.zeros(2 * UNKNOWNS + 1, frames, UNKNOWNS, dtype=torch.float64)
    row, column = torch.tril_indices(UNKNOWNS, UNKNOWNS)
    band[row - column, :, column] = blocks[:, row, column].T
    band[0] += 1e-6
    if frames >= 3:
        near, far = torch.zeros(frames, dtype=torch.float64), torch.zeros(frames, dtype=torch.float64)
        middle = torch.zeros(frames, dtype=torch.float64)
        middle[:-2] += 1
        middle[1:-1] += 4
        middle[2:] += 1
        near[:-2] -= 2
        near[1:-1] -= 2
        far[:-2] += 1
        band[0] += middle[:, None] * acceleration
        band[UNKNOWNS] += near[:, None] * acceleration
        band[2 * UNKNOWNS] += far[:, None] * acceleration
    return band.flatten(1)


def rays_from_pixels(pixels: Tensor, camera: Camera) -> Tensor:
    """Pixels (..., 2) as x / distance and y / distance in the world of a camera in the origin, Y up.

    With focal 100 and center (50, 50) the pixel (60, 30) is (0.1, 0.2).
    """
    offset = (pixels - pixels.new_tensor(camera.center)) / camera.focal
    return offset * offset.new_tensor([1.0, -1.0])


def world_from_camera_axes(world: Tensor) -> Tensor:
    """Vectors in camera axes (..., 3), y down and z forward, in the world's, Y up: (1, 2, 3) is (1, -2, -3)."""
    return world * world.new_tensor([1.0, -1.0, -1.0])
