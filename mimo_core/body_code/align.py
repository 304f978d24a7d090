"""The free body laid onto a body code: first by its outline, then by its colours too, which the fit itself learns.

A body code shows a bare body in flat colours that never change. Once most of them are known, their gradients say where
every point of the surface lies, inside the outline as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import free_body
from ..body.raster import rasterize
from ..geometry.camera import Camera
from ..pose.landmarks import Landmarks
from ..pose.refine import OUTLINE_SIGMA, refine_pose
from ..pose.rig import BodyState, load_rig
from ..pose.silhouette import OutlineTargets, choose_pool, compare_outline, pose_vertices, shrink_masks
from .extend import extend_colors
from .surface import SeenColors, mark_body, read_colors, sample_pictures


OUTLINE_ROUNDS, COLOR_ROUNDS, ROUND_STEPS = 3, 2, 3
OFFICIAL_FOCAL = 5000 / 256  # of the longer side: section 3 of the specification
CAMERA_FRAMES = 8  # from which the camera is chosen
COLOR_SIGMA = 8.0  # levels, of one of many points that are wrong together
COLOR_OUTLIER = 30.0  # levels: a point this far off counts a quarter
COLOR_POINTS = 120  # of the pool that are asked in one frame
LARGEST_SHIFT = 0.05  # of a metre, that one point may ask for
LANDMARK_SHARE, CONFIDENCE_POWER = 0.1, 3  # landmarks only say what outline and colours leave open
SMOOTHING = 0.02  # of the usual: body codes are made frame by frame, and tremble
BLUR_PIXELS = 1.5
READ_AT_ONCE = 16  # frames


@dataclass(frozen=True, eq=False)
class AlignedBody:
    """The free body where a body code shows a body."""

    state: BodyState
    camera: Camera
    colors: SeenColors
    overlap: float  # intersection over union of the silhouettes


def align_body(
    state: BodyState, seen: Landmarks, camera: Camera, frames: Sequence[NDArray], *, fps: float,
    tick: Callable[[], None] = lambda: None,
) -> AlignedBody:  # fmt: skip
    """Bring a body near the one that frames (H, W, 3) of a body code show onto it.

    `seen` are BlazePose's landmarks of the person in the shot. The official renderer's lens is so long that it hardly
    has perspective; whether `camera` or that lens drew these frames is found out. `tick` is called now and then.
    """
    masks = shrink_masks((mark_body(frame) for frame in frames), camera)
    seen = _weigh_landmarks(seen)
    options = {"fps": fps, "smoothing": SMOOTHING, "steps": ROUND_STEPS, "tick": tick}
    state, camera = _choose_camera(state, seen, camera, masks, options)
    for _ in range(OUTLINE_ROUNDS):
        state = _follow_outline(state, seen, camera, masks, options)
    blurred = [_blur_body(frame) for frame in frames]
    for _ in range(COLOR_ROUNDS):
        colors = _read_state(state, camera, frames, tick)
        table = extend_colors(*colors.average(), free_body())
        demands = _compare_colors(state, camera, blurred, colors, table)
        state = _follow_outline(state, seen, camera, masks, options, demands)
    colors = _read_state(state, camera, frames, tick)
    return AlignedBody(state, camera, colors, _measure_overlap(state, camera, masks))


def _weigh_landmarks(seen: Landmarks) -> Landmarks:
    found = seen.found[:, None]
    return Landmarks(
        torch.where(found[..., None], seen.pixels.double(), 0.0),
        torch.where(found[..., None], seen.world.double(), 0.0),
        torch.where(found, LANDMARK_SHARE * seen.confidence.double() ** CONFIDENCE_POWER, 0.0),
        seen.score.double(),
    )


def _choose_camera(
    state: BodyState, seen: Landmarks, camera: Camera, masks: list[NDArray], options: dict
) -> tuple[BodyState, Camera]:
    """The camera, as given or with the official lens, whose body covers the masks of a few frames better."""
    few = torch.linspace(0, len(state) - 1, min(CAMERA_FRAMES, len(state))).long()
    longer = replace(camera, focal=OFFICIAL_FOCAL * max(camera.size))
    moved = replace(state, transl=state.transl * state.transl.new_tensor([1.0, 1.0, longer.focal / camera.focal]))
    choices = [(state, camera), (moved, longer)]
    overlaps = []
    for start, lens in choices:
        sample, shown = start[few], [masks[frame] for frame in few]
        for _ in range(2):
            sample = _follow_outline(sample, seen[few], lens, shown, options)
        overlaps.append(_measure_overlap(sample, lens, shown))
    return choices[int(np.argmax(overlaps))]


def _follow_outline(
    state: BodyState, seen: Landmarks, camera: Camera, masks: list[NDArray], options: dict,
    demands: OutlineTargets | None = None,
) -> BodyState:  # fmt: skip
    """A few steps towards the outline of masks, and whatever else points of the surface are asked to do."""
    outline = compare_outline(state, camera, masks, options["tick"], dressed=False)
    if demands is not None:
        pairs = zip(vars(outline).values(), vars(demands).values(), strict=True)
        outline = OutlineTargets(*(torch.cat(pair, 1) for pair in pairs))
    return refine_pose(load_rig(), state, seen, camera, outline=outline, **options)


def _measure_overlap(state: BodyState, camera: Camera, masks: list[NDArray]) -> float:
    """Mean intersection over union of the body's silhouettes with masks (H, W)."""
    height, width = masks[0].shape
    small, shares = camera.resize(width, height), []
    for frame, mask in enumerate(masks):
        vertices = small.view(pose_vertices(state[frame : frame + 1]))
        raster = rasterize(vertices, free_body().faces, focal=small.focal, center=small.center, size=small.size)
        drawn, shown = raster.mask[0].numpy(), mask > 127
        shares.append((drawn & shown).sum() / max((drawn | shown).sum(), 1))
    return float(np.mean(shares))


def _read_state(state: BodyState, camera: Camera, frames: Sequence[NDArray], tick: Callable[[], None]) -> SeenColors:
    """The colours of frames (H, W, 3) at the vertices of a state."""
    parts = []
    for start in range(0, len(state), READ_AT_ONCE):
        tick()
        few = slice(start, start + READ_AT_ONCE)
        parts.append(read_colors(pose_vertices(state[few]), camera, frames[few]))
    return SeenColors(*(torch.cat([getattr(part, name) for part in parts]) for name in ("colors", "weight")))


def _blur_body(frame: NDArray) -> NDArray:
    """A body code (H, W, 3) as float32, blurred within the body, so that its gradients are no noise."""
    import cv2

    inside = cv2.erode((mark_body(frame) > 0).astype(np.float32), np.ones((3, 3)))
    blurred = cv2.GaussianBlur(frame.astype(np.float32) * inside[..., None], (0, 0), BLUR_PIXELS)
    return blurred / np.maximum(cv2.GaussianBlur(inside, (0, 0), BLUR_PIXELS), 1e-3)[..., None]


def _compare_colors(
    state: BodyState, camera: Camera, blurred: list[NDArray], seen: SeenColors, table: Tensor
) -> OutlineTargets:
    """Where the colours of a table (V, 3) want points of the pool: two demands a point, along the gradients' axes."""
    pool = choose_pool()
    vertices = camera.view(pose_vertices(state)[:, pool])
    pixels, found = camera.pixels(vertices), []
    for number, picture in enumerate(blurred):
        weight = seen.weight[number, pool]
        chosen = weight.topk(min(COLOR_POINTS, len(pool))).indices
        wanted, strength, axes = _sample_demands(picture, pixels[number, chosen], table[pool[chosen]])
        depth = vertices[number, chosen, 2:]
        strength = strength * camera.focal / depth  # levels a metre
        shift = (wanted / strength.clamp_min(1.0)).clamp(-LARGEST_SHIFT, LARGEST_SHIFT)
        robust = 1 / (1 + wanted.square().sum(1, keepdim=True) / COLOR_OUTLIER**2) ** 2
        force = (strength / COLOR_SIGMA * OUTLINE_SIGMA).square()
        force = force / (1 + force) * weight[chosen, None] * robust
        ray = (pixels[number, chosen] - pixels.new_tensor(camera.center)) / camera.focal
        target = (axes * ray[:, None]).sum(-1) + shift / depth
        upwards = (axes * axes.new_tensor([1.0, -1.0])).flatten(0, 1)
        found.append((chosen.repeat_interleave(2), upwards, target.flatten(), force.flatten()))
    points, direction, target, weight = (torch.stack(values) for values in zip(*found, strict=True))
    return OutlineTargets(points, direction.double(), target.double(), weight.double())


def _sample_demands(picture: NDArray, pixels: Tensor, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What points at pixels (N, 2) of a picture (H, W, 3) lack to colours (N, 3), along two axes (N, 2, 2) each.

    Levels (N, 2), and how many levels a pixel brings along each axis (N, 2).
    """
    steps = pixels.new_tensor([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    sampled = sample_pictures(torch.from_numpy(picture)[None], (pixels + steps[:, None]).flatten(0, 1)[None])[0]
    here, right, left, below, above = sampled.unflatten(0, (len(steps), -1))
    gradient = torch.stack([(right - left) / 2, (below - above) / 2], -1)  # (N, 3, 2)
    outer, strength, axes = torch.linalg.svd(gradient, full_matrices=False)
    return (outer.mT @ (table - here)[..., None])[..., 0], strength, axes
