"""Where a person's mask wants the outline of the body: demands of single vertices that the refinement can weigh."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import free_body, vertex_normals
from ..body.outline import SIDEWAYS, is_near_edge, outline_offsets
from ..body.raster import rasterize
from ..body.skeleton import JOINT
from ..body.skinning import blend_skin, world_from_rest
from ..geometry.box import mask_height
from ..geometry.camera import Camera
from .rig import BodyState, Rig


# Set on 18 tuning shots of 256 px, 24 frames (2026-11-26): visible joints 2.26 instead of 2.62 px off.
MASK_SIDE = 320  # pixels of the longer side at which masks are compared
CONTOUR_SEARCH = 0.06  # of the person's height: how far the outline may be off
# Of the height: an outline this far off counts a quarter, for wide clothes and what the mask has lost.
OUTLINE_OUTLIER = 0.02
SHOWN_SHARE = 0.7  # share of a part that the mask must show for its outline to count
COMPARED_AT_ONCE = 16  # frames in memory
POOL_SIZE, FRAME_POINTS = 900, 112  # vertices that may be asked, and that are asked in one frame
CLOTHES_STANDOFF, HAIR_STANDOFF = 0.01, 0.022  # meters by which they usually stand off the body
BARE_PARTS = ("wrist", "hand")  # on which nothing is worn


@dataclass(frozen=True, eq=False)
class OutlineTargets:
    """Vertices of the pool on the outline of each of F frames, and how far across it the mask wants them."""

    points: Tensor  # (F, POINTS) long, into the pool
    direction: Tensor  # (F, POINTS, 2) unit vectors across the outline, x right and y up
    target: Tensor  # (F, POINTS) where along `direction` the line of sight should be, as a share of the distance
    weight: Tensor  # (F, POINTS) 0 to 1

    def linearize(self, state: BodyState, joints: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """Derivatives (F, POINTS, N) by shift, turns of `joints` and shape, and residuals (F, POINTS) in meters."""
        parts = []
        for start in range(0, len(self.points), COMPARED_AT_ONCE):  # the whole pool is placed, 2 MB a frame
            frames = slice(start, start + COMPARED_AT_ONCE)
            few = OutlineTargets(self.points[frames], self.direction[frames], self.target[frames], self.weight[frames])
            parts.append(few._linearize_few(state[frames], joints))
        return tuple(torch.cat(values) for values in zip(*parts, strict=True))

    def _linearize_few(self, state: BodyState, joints: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        rig = load_outline_rig()
        everywhere = rig.place(state)
        placed = everywhere.select(self.points)
        frames, count = self.points.shape
        shape = rig.shape_derivatives(everywhere)[torch.arange(frames)[:, None], self.points]
        shift = torch.eye(3, dtype=torch.float64).expand(frames, count, 3, 3)
        turns = rig.turn_derivatives(placed, joints, self.points).flatten(3)
        derivatives = torch.cat([shift, turns, shape], -1)
        depth = -placed.points[..., 2].clamp_max(-0.1)
        scale = depth.mean(1, keepdim=True)
        ray = placed.points[..., :2] / depth[..., None]
        residuals = ((ray * self.direction).sum(-1) - self.target) * scale
        across = derivatives[..., :2, :] + ray[..., None] * derivatives[..., 2:, :]
        return (across * self.direction[..., None]).sum(2) * (scale / depth)[..., None], residuals


def compare_outline(
    state: BodyState,
    camera: Camera,
    masks: Iterable[NDArray],
    tick: Callable[[], None] = lambda: None,
    *,
    dressed: bool = True,
) -> OutlineTargets:
    """Compare the outline of the body in a state of F frames with masks (H, W) uint8, one a frame.

    Masks of somebody who is `dressed` reach past the body by what clothes and hair usually take. `tick` is called
    every few frames, so that a caller can stop the work by raising.
    """
    small, masks, found = _shrink_camera(camera), shrink_masks(masks, camera), []
    for start in range(0, len(state), COMPARED_AT_ONCE):
        tick()
        frames = slice(start, start + COMPARED_AT_ONCE)
        found += _compare_frames(state[frames], small, masks[frames], dressed)
    return OutlineTargets(*(torch.stack(values) for values in zip(*found, strict=True)))


def shrink_masks(masks: Iterable[NDArray], camera: Camera) -> list[NDArray]:
    """Masks of what a camera sees (H, W) uint8 at the size at which they are compared: smaller, if they are larger."""
    import cv2

    size = _shrink_camera(camera).size
    return [
        mask if mask.shape == size[::-1] else cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in masks
    ]


def _shrink_camera(camera: Camera) -> Camera:
    scale = min(1.0, MASK_SIDE / max(camera.size))
    return camera.resize(*(max(1, round(length * scale)) for length in camera.size))


def _compare_frames(state: BodyState, camera: Camera, masks: list[NDArray], dressed: bool) -> list[tuple[Tensor, ...]]:
    """What is asked in each of a few frames."""
    body, vertices = free_body(), pose_vertices(state)
    seen = camera.view(vertices)
    raster = rasterize(seen, body.faces, focal=camera.focal, center=camera.center, size=camera.size)
    normals = camera.view(vertices + vertex_normals(vertices, body.faces)) - seen
    return [
        _compare_frame(seen[frame], normals[frame], raster.face[frame].numpy(), mask, camera, dressed)
        for frame, mask in zip(range(len(state)), masks, strict=True)
    ]


@lru_cache(maxsize=1)
def load_outline_rig() -> Rig:
    """The rig of the pool's vertices."""
    body = free_body()
    pool = choose_pool()
    landmarks = torch.zeros(len(pool), body.vertices)
    landmarks[torch.arange(len(pool)), pool] = 1
    return Rig(body, landmarks)


@lru_cache(maxsize=1)
def choose_pool() -> Tensor:
    """POOL vertices spread evenly over the body: each the farthest from those before it."""
    place = free_body().template
    chosen, distance = [0], torch.full((len(place),), torch.inf)
    for _ in range(POOL_SIZE - 1):
        distance = torch.minimum(distance, (place - place[chosen[-1]]).square().sum(1))
        chosen.append(int(distance.argmax()))
    return torch.tensor(chosen)


@lru_cache(maxsize=1)
def _usual_standoff() -> NDArray:
    """Metres (POOL,) by which clothes and hair usually stand off."""
    body = free_body()
    parts = body.parts[choose_pool()]
    bare = torch.isin(
        parts, torch.tensor([number for name, number in JOINT.items() if name.split("_")[-1] in BARE_PARTS])
    )
    head = parts == JOINT["head"]
    place, nose, ear = (
        body.template[index] for index in (choose_pool(), body.landmarks["nose"], body.landmarks["left_ear"])
    )
    hair = head & ((place[:, 2] < ear[2]) | (place[:, 1] > nose[1] + 0.06))
    return torch.where(hair, HAIR_STANDOFF, torch.where(bare | head, 0.0, CLOTHES_STANDOFF)).numpy()


def pose_vertices(state: BodyState) -> Tensor:
    """World vertices (F, V, 3) float32."""
    body = free_body()
    rest, joints = body.shape(state.betas.float())
    transforms = world_from_rest(state.rotations.float(), joints, body.parents)
    return blend_skin(rest, body.weights, transforms) + state.transl.float()[:, None]


def _compare_frame(
    vertices: Tensor, normals: Tensor, face: NDArray, mask: NDArray, camera: Camera, dressed: bool
) -> tuple[Tensor, ...]:
    """One frame's points, directions, targets and weights; points that nothing is asked of have weight 0."""
    pool = choose_pool()
    body = (face >= 0).astype(np.uint8) * 255
    pixels, across = camera.pixels(vertices[pool]).numpy(), normals[pool, :2].numpy()
    length = np.linalg.norm(across, axis=1)
    height = np.float64(mask_height(body) or 1)  # a numpy scalar keeps what follows in double precision
    rim = np.flatnonzero((length > SIDEWAYS) & is_near_edge(body, pixels) & _find_shown_vertices(face, mask)[pool])
    rim = rim[:: -(-len(rim) // FRAME_POINTS)] if len(rim) else rim
    points, direction = torch.zeros(FRAME_POINTS, dtype=torch.long), torch.zeros(FRAME_POINTS, 2, dtype=torch.float64)
    target, weight = torch.zeros(2, FRAME_POINTS, dtype=torch.float64)
    if not len(rim):
        return points, direction, target, weight
    unit = across[rim] / length[rim, None]
    offset, certain = outline_offsets(mask, body, pixels[rim], unit, reach=CONTOUR_SEARCH * height)
    depth = vertices[pool[rim], 2].numpy()
    if dressed:
        offset = offset - _usual_standoff()[rim] * camera.focal / depth
    wanted = (pixels[rim] + offset[:, None] * unit - camera.center) / camera.focal
    count = len(rim)
    points[:count] = torch.from_numpy(rim)
    direction[:count] = torch.from_numpy(unit * (1, -1))
    target[:count] = torch.from_numpy((wanted * unit).sum(1))
    weight[:count] = torch.from_numpy(certain / (1 + (offset / (OUTLINE_OUTLIER * height)) ** 2) ** 2)
    return points, direction, target, weight


def _find_shown_vertices(face: NDArray, mask: NDArray) -> NDArray:
    """(V,) bool: vertices of parts of which the mask shows most."""
    body = free_body()
    drawn = face >= 0
    parts = body.face_parts.numpy()[face[drawn]]
    count = np.bincount(parts, minlength=24)
    shown = np.bincount(parts, mask[drawn] > 127, minlength=24)
    return (shown > SHOWN_SHARE * np.maximum(count, 1))[body.parts.numpy()]
