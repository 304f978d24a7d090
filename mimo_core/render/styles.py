"""A motion as control pictures: body code, OpenPose skeleton, depth, normals, mask, SCAIL's tubes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..body.colors import choose_colors
from ..body.model import BodyModel, Posed, free_body, vertex_normals
from ..body.raster import Raster, rasterize, sample_vertices
from ..errors import InputError
from ..geometry.camera import Camera
from ..motion.motion import Motion
from ..progress import Progress, silent
from .openpose import draw_openpose, openpose_points
from .scail import draw_tubes


STYLES = ("body code", "openpose", "depth", "normal", "mask", "scail")
FRAMES_DRAWN_AT_ONCE = 4
SAMPLES_DRAWN_AT_ONCE = 1 << 23  # of one batch of frames; 16 bytes each
NEAR_PLANE = 0.05  # metres
FARTHEST_BRIGHTNESS = 0.25  # brightness of the farthest point of the clip; the ground is black


@dataclass(frozen=True, eq=False)
class _DrawnFrames:
    """Some frames of a motion, seen by its camera."""

    body: BodyModel
    posed: Posed
    vertices: Tensor  # (B, V, 3), camera space
    raster: Raster
    depths: tuple[float, float] | None  # nearest and farthest of the whole clip, where the style asks for them


def render_motion(
    motion: Motion,
    *,
    body: BodyModel | None = None,
    style: str = "body code",
    size: tuple[int, int] | None = None,
    colors: Tensor | None = None,
    antialias: bool = True,
    progress: Progress = silent,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw the first person of a motion: pairs of RGB frame (H, W, 3) and mask (H, W), both uint8.

    `size` is (width, height), the camera's own if left out. `colors` is the official table for body codes, which fits
    SMPL's topology only. Edges blend with the black ground over 4 samples a pixel, as in the official body codes.
    Frames in which nobody is visible are black. Raises InputError for an unknown style, a size of another shape than
    the camera's, and colours that do not fit the body.
    """
    if style not in STYLES:
        raise InputError(f"Unknown style '{style}'. Styles are: {', '.join(STYLES)}.")
    camera = motion.camera.resize(*size) if size else motion.camera
    device = motion.person.transl.device
    body = body or free_body()
    body = body if body.template.device == device else body.to(device)
    table = choose_colors(body, colors) if style == "body code" else None
    return _render_frames(motion, body, camera, style, table, 2 if antialias else 1, progress)


def _render_frames(motion, body, camera, style, table, samples, progress):
    paint = _choose_paint(body, style, table)
    depths = _depth_range(motion, body, camera, progress) if style in ("depth", "scail") else None
    total = motion.frames
    width, height = camera.size
    at_once = min(max(SAMPLES_DRAWN_AT_ONCE // (width * height * samples**2), 1), FRAMES_DRAWN_AT_ONCE)
    for start in range(0, total, at_once):
        frames = slice(start, min(start + at_once, total))
        with torch.no_grad():
            pictures, masks = _draw_batch(motion, body, camera, frames, style, paint, depths, samples)
        for number, pair in enumerate(zip(pictures, masks, strict=True), start + 1):
            yield pair
            progress(number, total, pair[0])


def _draw_batch(motion, body, camera, frames, style, paint, depths, samples) -> tuple[np.ndarray, np.ndarray]:
    posed = body.pose(motion.person, frames)
    width, height = camera.size
    fine = camera.resize(width * samples, height * samples)
    vertices = camera.view(posed.vertices, frames)
    raster = rasterize(vertices, body.faces, focal=fine.focal, center=fine.center, size=fine.size, near=NEAR_PLANE)
    visible = motion.person.visible[frames]
    raster = raster.only(visible)
    view = _DrawnFrames(body, posed, vertices, raster, depths)
    values = torch.ones(len(raster.hits), 1, device=vertices.device)
    if paint is not None:
        values = torch.cat([paint(view), values], 1)
    pictures = _average_samples(raster, values, samples)
    masks = pictures[..., -1]
    if style == "openpose":
        return _draw_skeletons(view, camera, frames, visible), masks
    if style == "scail":
        return _draw_tube_pictures(view, camera.view(posed.joints, frames), fine, visible, samples), masks
    return (pictures[..., :3] if paint is not None else np.repeat(masks[..., None], 3, -1)), masks


def _average_samples(raster: Raster, values: Tensor, samples: int) -> np.ndarray:
    """Values (N, C) in 0 to 1 of the seen pixels, averaged over samples x samples, as uint8 (B, H, W, C)."""
    frames, fine_height, fine_width = raster.shape
    height, width = fine_height // samples, fine_width // samples
    line = raster.hits // fine_width  # over all frames
    column = raster.hits % fine_width // samples
    row = line // fine_height * height + line % fine_height // samples
    total = values.new_zeros(frames * height * width, values.shape[1])
    total.index_add_(0, row * width + column, values)
    total = (total * (255 / samples**2)).round_().clamp_(0, 255)
    return total.to(torch.uint8).view(frames, height, width, -1).cpu().numpy()


def _choose_paint(body, style, table) -> Callable[[_DrawnFrames], Tensor] | None:
    """What gives the seen pixels of a view their colours (N, 3), or None where the mask is all there is."""
    if style == "body code":
        return lambda view: sample_vertices(view.raster, body.faces, table)
    if style == "normal":
        return _normal_colors
    if style == "depth":
        return _depth_colors
    return None


def _normal_colors(view: _DrawnFrames) -> Tensor:
    """ControlNet's colours for normals: blue towards the camera, red to its left, green up."""
    normals = sample_vertices(view.raster, view.body.faces, vertex_normals(view.vertices, view.body.faces))
    # Camera space has x right, y down, z forward; the colours count left, up and backward.
    return 0.5 - 0.5 * torch.nn.functional.normalize(normals, dim=-1)


def _depth_colors(view: _DrawnFrames) -> Tensor:
    """White at the clip's nearest point, falling with 1 / depth as in MiDaS, to a quarter at its farthest."""
    near, far = view.depths
    depth = view.raster.hit_depth.clamp(near, far)
    share = (1 / depth - 1 / far) / max(1 / near - 1 / far, 1e-6)
    return (FARTHEST_BRIGHTNESS + (1 - FARTHEST_BRIGHTNESS) * share)[:, None].expand(-1, 3)


def _depth_range(motion: Motion, body: BodyModel, camera: Camera, progress: Progress) -> tuple[float, float]:
    """Nearest and farthest point of the body over the whole clip, so that brightness does not flicker."""
    near, far = float("inf"), NEAR_PLANE
    for start in range(0, motion.frames, 16):
        progress(0, motion.frames)
        frames = slice(start, min(start + 16, motion.frames))
        depth = camera.view(body.pose(motion.person, frames).vertices, frames)[..., 2]
        depth = depth[motion.person.visible[frames]]
        depth = depth[depth > NEAR_PLANE]
        if len(depth):
            near, far = min(near, float(depth.min())), max(far, float(depth.max()))
    return min(near, far), far


def _draw_skeletons(view: _DrawnFrames, camera: Camera, frames: slice, visible: Tensor) -> np.ndarray:
    points, seen = openpose_points(view.body, view.posed, lambda world: camera.view(world, frames))
    seen = seen & (points[..., 2] > NEAR_PLANE) & visible[:, None]
    pixels = camera.pixels(points).double().cpu().numpy()
    limit = 4 * max(camera.size)
    seen = seen.cpu().numpy() & (np.abs(pixels) < limit).all(-1)
    return np.stack([draw_openpose(*frame, camera.size) for frame in zip(pixels, seen, strict=True)])


def _draw_tube_pictures(view: _DrawnFrames, joints: Tensor, fine: Camera, visible: Tensor, samples: int) -> np.ndarray:
    seen, colors = draw_tubes(
        joints, focal=fine.focal, center=fine.center, size=fine.size, near=NEAR_PLANE, far=view.depths[1]
    )
    # The raster keeps hits in order, so that colours of hidden frames can be left out with them.
    _, height, width = seen.shape
    return _average_samples(seen.only(visible), colors[visible[seen.hits // (height * width)]], samples)
