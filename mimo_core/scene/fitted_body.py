"""The fitted body in the frame: where it would be seen with nothing in front, and which part of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..body.model import BodyModel, free_body
from ..body.raster import rasterize
from ..motion.motion import Motion


BODY_PATCHES = 280  # of about the size of a palm on a body of 1.7 m
LIMB_ENDS = ((7, 10), (8, 11), (15,), (20, 22), (21, 23))  # SMPL's ankles and feet, head, wrists and hands
BODIES_AT_ONCE = 8  # rasterized together, which bounds memory


@dataclass(frozen=True, eq=False)
class FittedBody:
    """The fitted body as it would be seen with nothing in front, in a picture (h, w)."""

    silhouette: np.ndarray  # (h, w) bool
    patch: np.ndarray  # (h, w) int32: place on the body; outside of it, that of the nearest body pixel
    depth: np.ndarray  # (h, w) float32 metres, 0 outside
    centers: np.ndarray  # (BODY_PATCHES, 2) pixels, where the middle of each patch lies, seen or not

    def cut(self, box) -> FittedBody:
        x0, y0, x1, y1 = box
        layers = (layer[y0:y1, x0:x1] for layer in (self.silhouette, self.patch, self.depth))
        return FittedBody(*layers, self.centers - (x0, y0))


def render_bodies(motion: Motion, width: int, height: int) -> Iterator[FittedBody | None]:
    """The body of the first person in each frame, `width` x `height` pixels; None where nobody is visible."""
    body = free_body()
    patches = face_patches(body)
    camera = motion.camera.resize(width, height)
    for start in range(0, motion.frames, BODIES_AT_ONCE):
        frames = slice(start, min(start + BODIES_AT_ONCE, motion.frames))
        with torch.no_grad():
            vertices = camera.view(body.pose(motion.person, frames).vertices, frames)
            raster = rasterize(vertices, body.faces, focal=camera.focal, center=camera.center, size=camera.size)
            centers = camera.pixels(_means(vertices, _vertex_patches(body)))
        for face, depth, center, visible in zip(
            raster.face, raster.depth, centers, motion.person.visible[frames], strict=True
        ):
            yield _body(face, depth, center, patches) if visible and (face >= 0).any() else None


def _means(vertices: Tensor, patch: Tensor) -> Tensor:
    """The middle (B, BODY_PATCHES, 3) of the vertices (B, V, 3) of each patch."""
    total = vertices.new_zeros(len(vertices), BODY_PATCHES, 3).index_add_(1, patch, vertices)
    return total / torch.bincount(patch, minlength=BODY_PATCHES).clamp_min(1)[:, None]


def _body(face: Tensor, depth: Tensor, centers: Tensor, patches: Tensor) -> FittedBody:
    import cv2

    silhouette = (face >= 0).numpy()
    patch = patches[face.clamp_min(0)].numpy().astype(np.int32)
    _, nearest = cv2.distanceTransformWithLabels(
        (~silhouette).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(nearest.max()) + 1, np.int32)
    of_label[nearest[silhouette]] = patch[silhouette]
    return FittedBody(silhouette, of_label[nearest], depth.numpy(), centers.numpy())


def measure_body_height(motion: Motion, width: int, height: int) -> float:
    """The height of the standing body in pixels of a picture, in the frame in the middle of what is seen of it."""
    camera = motion.camera.resize(width, height)
    vertices, _ = free_body().shape(free_body().betas_of(motion.person))
    tall = float(vertices[:, 1].max() - vertices[:, 1].min())
    seen = torch.nonzero(motion.person.visible)[:, 0]
    if not len(seen):
        return 0.0
    middles = torch.stack(
        [
            camera.view(motion.person.transl[frame, None, None], slice(int(frame), int(frame) + 1))[0, 0]
            for frame in seen
        ]
    )
    return camera.focal * tall / float(middles[:, 2].clamp_min(0.1).median())


@lru_cache(maxsize=4)
def patch_neighbors(body: BodyModel, count: int = 6) -> np.ndarray:
    """The patches nearest to each patch in the rest pose, itself first, (BODY_PATCHES, count)."""
    middles = _means(body.template[None], _vertex_patches(body))[0]
    return torch.cdist(middles, middles).argsort(1)[:, :count].numpy()


def face_patches(body: BodyModel) -> Tensor:
    """The patch (0 to BODY_PATCHES - 1) of each face (T,): places of about equal size, spread over the rest pose."""
    return _vertex_patches(body)[body.faces[:, 0]]


@lru_cache(maxsize=4)
def find_limb_ends(body: BodyModel) -> np.ndarray:
    """For each patch which of LIMB_ENDS it belongs to, (BODY_PATCHES,) int, -1 for none."""
    patches = _vertex_patches(body)
    share = torch.stack(
        [
            torch.zeros(BODY_PATCHES).index_add_(0, patches, torch.isin(body.parts, torch.tensor(parts)).float())
            for parts in LIMB_ENDS
        ]
    )
    share /= torch.bincount(patches, minlength=BODY_PATCHES).clamp_min(1)
    return torch.where(share.sum(0) > 0.5, share.argmax(0), -1).numpy()


@lru_cache(maxsize=4)
def _vertex_patches(body: BodyModel) -> Tensor:
    points = body.template
    distance = torch.full((len(points),), torch.inf)
    seeds, seed = [], 0
    for _ in range(BODY_PATCHES):
        seeds.append(seed)
        distance = torch.minimum(distance, (points - points[seed]).square().sum(1))
        seed = int(distance.argmax())
    return torch.cat([torch.cdist(part, points[seeds]).argmin(1) for part in points.split(4096)])
