"""The pictures of a shot, layer over layer, and the truth about each."""

from __future__ import annotations

import functools

import numpy as np
import torch

from mimo_core.geometry.camera import Camera

from .actor import Actor
from .backgrounds import Rays, cast_rays
from .figure import Figure
from .light import CELLS, REACH, ShotLight
from .occluders import Cutout
from .optics import find_box, smear_along_flow
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
        still = _background_flow(stage, min(frame, frames - 2), rays) if frames > 1 else None
        pictures = _compose_frame(stage, actor, figure, frame, rays, view, still)
        noise = rng.standard_normal((height, width, 3), dtype=np.float32)
        names = PICTURE_LAYERS[: 2 if pictures["background"] is pictures["plate"] else 3]
        clean = [pictures[name] for name in names]
        optics = stage.optics
        exposed = optics.expose_all(clean, noise) if optics else _grain_pictures(clean, grain * noise)
        for number, name in enumerate(PICTURE_LAYERS):
            layers[name][frame] = exposed[min(number, len(exposed) - 1)]
        for name in MASK_LAYERS:
            layers[name][frame] = np.rint(np.clip(pictures[name], 0, 1) * 255)
        layers["depth"][frame] = pictures["depth"]
        if frame + 1 < frames:
            layers["flow"][frame] = _compose_flow(stage, figure, frame, still, pictures)
    return layers


def _grain_pictures(pictures: list[np.ndarray], grain: np.ndarray) -> list[np.ndarray]:
    """The pictures (H, W, 3) in 0..1 with fine grain, of 255."""
    return [np.clip(np.rint(picture * 255 + grain), 0, 255).astype(np.uint8) for picture in pictures]


def _is_still(camera: Camera, frame: int) -> bool:
    """True where the camera has not moved since the frame before."""
    return frame > 0 and torch.equal(camera.camera_from_world[frame], camera.camera_from_world[frame - 1])


def _compose_frame(stage: ShotStage, actor: Actor, figure: Figure, frame: int, rays: Rays, view, still) -> dict:
    """One frame's pictures and masks in 0..1, its depth, and the alpha of every thing.

    Masks and depth are those of the instant; only the pictures know how long the shutter is open.
    """
    alpha, size = figure.alpha[frame], stage.camera.size
    depth = rays.depth
    background, moved, movers = _expose_layer(stage, frame, view, still=still), np.zeros_like(alpha), []
    for thing in stage.movers:
        layer = thing.layer(stage.view, frame, size)
        here = layer[..., 3]
        layer = _expose_layer(stage, frame, layer, thing=thing)
        background = lay_over(background, layer)
        depth = np.where(here > 0.5, thing.distance, depth)
        moved = here + moved * (1 - here)
        movers.append(here)
    shadow = cast_shadow(stage.background.light, actor.points[frame], rays) * (1 - moved)
    body = _expose_layer(stage, frame, np.dstack([figure.rgb[frame], alpha]), figure=figure)
    with_person = lay_over(darken(background, shadow), body)
    depth = np.where(alpha > 0.5, figure.depth[frame], depth)
    plate, occluder, in_front = background, np.zeros_like(alpha), []
    for thing in stage.in_front:
        layer = thing.layer(stage.view, frame, size)
        here = layer[..., 3]
        layer = _expose_layer(stage, frame, layer, thing=thing)
        with_person, plate = (lay_over(picture, layer) for picture in (with_person, plate))
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


def darken(picture: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) under a shadow (H, W) in 0..1."""
    box = find_box(shadow > 0)
    return _put_in_box(picture, box, _scale_pixels(picture[box], 1 - shadow[box]))


def lay_over(picture: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) with a layer (H, W, 4), whose colors are times alpha, over it."""
    box = find_box(layer[..., 3] > 0)
    part = layer[box]
    return _put_in_box(picture, box, _scale_pixels(picture[box], 1 - part[..., 3]) + part[..., :3])


def _scale_pixels(picture: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) times a factor (H, W)."""
    return picture * np.repeat(factor, 3, 1).reshape(picture.shape)  # faster than a last axis of one


def _put_in_box(picture: np.ndarray, box: tuple[slice, slice], part: np.ndarray) -> np.ndarray:
    whole = picture.astype(np.result_type(picture, part))
    whole[box] = part
    return whole


def _expose_layer(
    stage: ShotStage, frame: int, picture: np.ndarray, *, still=None, thing: Cutout | None = None, figure=None
):
    """A layer's picture while the shutter is open: smeared along its own movement; `still` is the background's."""
    frames = len(stage.view.pixel_from_tangent)
    if stage.optics is None or stage.optics.shutter == 0 or frames < 2:
        return picture
    start = min(frame, frames - 2)
    if figure is not None:
        flow = figure.flow[start]
    elif thing is not None:
        flow = _homography_flow(thing.flow(stage.view, start), *stage.camera.size)
    else:
        flow = still
    return smear_along_flow(picture, flow, stage.optics.shutter, alone=still is not None)


def cast_shadow(light: ShotLight, points: np.ndarray, rays: Rays) -> np.ndarray:
    """How much the body darkens the floor, (H, W) in 0..1."""
    import cv2

    middle = points[:, [0, 2]].mean(0)
    map_ = light.floor_shadow(points, middle)
    columns, rows = (((rays.x, rays.z)[axis] - middle[axis]) / REACH * CELLS / 2 + CELLS / 2 - 0.5 for axis in (0, 1))
    seen = cv2.remap(map_, columns.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR)
    return np.where(rays.is_floor & (seen > 1 / 255), seen, 0)


def _compose_flow(stage: ShotStage, figure: Figure, frame: int, still: np.ndarray, pictures: dict) -> np.ndarray:
    """Pixels (H, W, 2) by which what is seen moves until the next frame."""
    import cv2

    size = stage.camera.size
    flow = still.copy()
    for thing, alpha in zip(stage.movers, pictures["elsewhere"], strict=True):
        cv2.copyTo(_homography_flow(thing.flow(stage.view, frame), *size), (alpha > 0.5).view(np.uint8), flow)
    cv2.copyTo(figure.flow[frame], (pictures["person"] > 0.5).view(np.uint8), flow)
    for thing, alpha in zip(stage.in_front, pictures["in front"], strict=True):
        cv2.copyTo(_homography_flow(thing.flow(stage.view, frame), *size), (alpha > 0.5).view(np.uint8), flow)
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
    return _flow_of_homography(tuple(matrix.ravel().tolist()), width, height)


@functools.lru_cache(maxsize=16)
def _flow_of_homography(matrix: tuple[float, ...], width: int, height: int) -> np.ndarray:
    """The same for a matrix as nine numbers. A frame asks twice for each: to smear it, and for its truth."""
    x = np.arange(width)[None] + 0.5
    y = np.arange(height)[:, None] + 0.5
    u, v, w = (matrix[row] * x + matrix[row + 1] * y + matrix[row + 2] for row in (0, 3, 6))
    flow = np.empty((height, width, 2), np.float32)
    flow[..., 0], flow[..., 1] = u / w - x, v / w - y
    flow.flags.writeable = False
    return flow
