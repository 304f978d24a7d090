"""The pictures of a shot, layer over layer, and the truth about each."""

from __future__ import annotations

import numpy as np
import torch

from mimo_core.geometry.camera import Camera

from .actor import Actor
from .backgrounds import Rays, cast_rays
from .figure import Figure
from .light import CELLS, REACH, ShotLight
from .occluders import Cutout
from .optics import smear_along_flow
from .stage import ShotStage
from .streams import random_stream


PICTURE_LAYERS = ("frames", "plate", "background")
MASK_LAYERS = ("person", "visible", "occluder", "mover", "shadow")


def compose_layers(seed: int, stage: ShotStage, actor: Actor, figure: Figure) -> dict[str, np.ndarray]:
    """All pictures of the shot, frame by frame."""
    width, height = stage.camera.size
    frames = len(figure.alpha)
    rng = random_stream(seed, "sensor")
    grain = rng.uniform(0.8, 2.6)
    layers = {name: np.zeros((frames, height, width, 3), np.uint8) for name in PICTURE_LAYERS}
    layers |= {name: np.zeros((frames, height, width), np.uint8) for name in MASK_LAYERS}
    layers |= {"depth": np.zeros((frames, height, width), np.float32), "parts": figure.parts}
    layers["flow"] = np.zeros((frames - 1, height, width, 2), np.float32)
    rays = view = None
    for frame in range(frames):
        if rays is None or not _is_still(stage.camera, frame):
            rays = stage.background.end_rays(
                cast_rays(stage.camera, frame, stage.background.distance), stage.camera, frame
            )
            view = stage.background.view(rays)
        pictures = _compose_frame(stage, actor, figure, frame, rays, view)
        noise = rng.standard_normal((height, width, 3), dtype=np.float32)
        for name in PICTURE_LAYERS:
            if name == "background" and pictures["background"] is pictures["plate"]:
                layers[name][frame] = layers["plate"][frame]
            elif stage.optics is None:
                layers[name][frame] = np.clip(np.rint(pictures[name] * 255 + grain * noise), 0, 255)
            else:
                layers[name][frame] = stage.optics.expose(pictures[name], noise)
        for name in MASK_LAYERS:
            layers[name][frame] = np.rint(np.clip(pictures[name], 0, 1) * 255)
        layers["depth"][frame] = pictures["depth"]
        if frame + 1 < frames:
            layers["flow"][frame] = _compose_flow(stage, figure, frame, rays, pictures)
    return layers


def _is_still(camera: Camera, frame: int) -> bool:
    """True where the camera has not moved since the frame before."""
    return frame > 0 and torch.equal(camera.camera_from_world[frame], camera.camera_from_world[frame - 1])


def _compose_frame(stage: ShotStage, actor: Actor, figure: Figure, frame: int, rays: Rays, view: np.ndarray) -> dict:
    """One frame's pictures and masks in 0..1, its depth, and the alpha of every thing.

    Masks and depth are those of the instant; only the pictures know how long the shutter is open.
    """
    alpha, size = figure.alpha[frame], stage.camera.size
    depth = rays.depth
    background, moved, movers = _expose_layer(stage, frame, view, rays=rays), np.zeros_like(alpha), []
    for thing in stage.movers:
        layer = thing.layer(stage.view, frame, size)
        here = layer[..., 3]
        layer = _expose_layer(stage, frame, layer, thing=thing)
        background = background * (1 - layer[..., 3:]) + layer[..., :3]
        depth = np.where(here > 0.5, thing.distance, depth)
        moved = here + moved * (1 - here)
        movers.append(here)
    shadow = _cast_shadow(stage.background.light, actor.points[frame], rays) * (1 - moved)
    body = _expose_layer(stage, frame, np.dstack([figure.rgb[frame], alpha]), figure=figure)
    with_person = background * (1 - shadow)[..., None] * (1 - body[..., 3:]) + body[..., :3]
    depth = np.where(alpha > 0.5, figure.depth[frame], depth)
    plate, occluder, in_front = background, np.zeros_like(alpha), []
    for thing in stage.in_front:
        layer = thing.layer(stage.view, frame, size)
        here = layer[..., 3]
        layer = _expose_layer(stage, frame, layer, thing=thing)
        with_person, plate = (picture * (1 - layer[..., 3:]) + layer[..., :3] for picture in (with_person, plate))
        depth = np.where(here > 0.5, thing.distance, depth)
        occluder = here + occluder * (1 - here)
        in_front.append(here)
    return {
        "frames": with_person,
        "plate": plate,
        "background": background,
        "person": alpha,
        "visible": alpha * (1 - occluder),
        "occluder": occluder,
        "mover": moved * (1 - occluder),
        "shadow": shadow * (1 - occluder),
        "depth": depth,
        "elsewhere": [here * (1 - occluder) for here in movers],
        "in front": in_front,
    }


def _expose_layer(
    stage: ShotStage, frame: int, picture: np.ndarray, *, rays=None, thing: Cutout | None = None, figure=None
):
    """A layer's picture while the shutter is open: smeared along its own movement."""
    frames = len(stage.view.pixel_from_tangent)
    if stage.optics is None or stage.optics.shutter == 0 or frames < 2:
        return picture
    start = min(frame, frames - 2)
    if figure is not None:
        flow = figure.flow[start]
    elif thing is not None:
        flow = _homography_flow(thing.flow(stage.view, start), *stage.camera.size)
    else:
        flow = _background_flow(stage, start, rays)
    return smear_along_flow(picture, flow, stage.optics.shutter, alone=rays is not None)


def _cast_shadow(light: ShotLight, points: np.ndarray, rays: Rays) -> np.ndarray:
    """How much the body darkens the floor, (H, W) in 0..1."""
    import cv2

    middle = points[:, [0, 2]].mean(0)
    map_ = light.floor_shadow(points, middle)
    columns, rows = (((rays.x, rays.z)[axis] - middle[axis]) / REACH * CELLS / 2 + CELLS / 2 - 0.5 for axis in (0, 1))
    seen = cv2.remap(map_, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR)
    return np.where(rays.is_floor & (seen > 1 / 255), seen, 0)


def _compose_flow(stage: ShotStage, figure: Figure, frame: int, rays: Rays, pictures: dict) -> np.ndarray:
    """Pixels (H, W, 2) by which what is seen moves until the next frame."""
    size = stage.camera.size
    flow = _background_flow(stage, frame, rays)
    for thing, alpha in zip(stage.movers, pictures["elsewhere"], strict=True):
        flow = np.where(alpha[..., None] > 0.5, _homography_flow(thing.flow(stage.view, frame), *size), flow)
    flow = np.where(pictures["person"][..., None] > 0.5, figure.flow[frame], flow)
    for thing, alpha in zip(stage.in_front, pictures["in front"], strict=True):
        flow = np.where(alpha[..., None] > 0.5, _homography_flow(thing.flow(stage.view, frame), *size), flow)
    return flow


def _background_flow(stage: ShotStage, frame: int, rays: Rays) -> np.ndarray:
    """The flow of what stands still in the world."""
    width, height = stage.camera.size
    lens = stage.view.pixel_from_tangent
    if stage.view.shift is None:
        return _homography_flow(lens[frame + 1] @ np.linalg.inv(lens[frame]), width, height)
    points = torch.from_numpy(np.stack([rays.x, rays.y, rays.z], -1).reshape(1, -1, 3))
    there = stage.camera.slice(slice(frame + 1, frame + 2)).project(points.float())[0].numpy()
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    return (there.reshape(height, width, 2) - np.stack([x, y], -1)).astype(np.float32)


def _homography_flow(matrix: np.ndarray, width: int, height: int) -> np.ndarray:
    x = np.arange(width)[None] + 0.5
    y = np.arange(height)[:, None] + 0.5
    u, v, w = (matrix[row, 0] * x + matrix[row, 1] * y + matrix[row, 2] for row in range(3))
    return np.stack([u / w - x, v / w - y], -1).astype(np.float32)
