"""The fitted bodies in the frame: where they would be seen with nothing in front, and which part of whom is where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..body.model import BodyModel, free_body
from ..body.person import Person
from ..body.raster import rasterize
from ..media.store import FrameStore
from ..motion.motion import Motion


BODY_PATCHES = 280  # of about the size of a palm on a body of 1.7 m
LIMB_ENDS = ((7, 10), (8, 11), (15,), (20, 22), (21, 23))  # SMPL's ankles and feet, head, wrists and hands
FEET, HANDS = (0, 1), (3, 4)  # of LIMB_ENDS
BODIES_AT_ONCE = 8  # rasterized together, which bounds memory


@dataclass(frozen=True, eq=False)
class FittedBody:
    """The fitted bodies of N people, mostly one, as they would be seen with nothing in front, in a picture (h, w).

    The patches of person k are numbered from k * BODY_PATCHES.
    """

    silhouette: np.ndarray  # (h, w) bool
    patch: np.ndarray  # (h, w) int32: place on the body; outside of it, that of the nearest body pixel
    centers: np.ndarray  # (N * BODY_PATCHES, 2) pixels, the middle of each patch, seen or not; NaN of who is not there

    def cut(self, box) -> FittedBody:
        x0, y0, x1, y1 = box
        layers = (layer[y0:y1, x0:x1] for layer in (self.silhouette, self.patch))
        return FittedBody(*layers, self.centers - (x0, y0))

    def find_owners(self) -> np.ndarray:
        """Whose body is there or nearest, (h, w) uint8."""
        return (self.patch // BODY_PATCHES).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class DrawnBody:
    """One person's body in a picture (h, w), alone."""

    face: Tensor  # (h, w) long, -1 outside
    centers: Tensor  # (BODY_PATCHES, 2) pixels


def render_bodies(
    motion: Motion, width: int, height: int, ranks: np.ndarray | None = None
) -> Iterator[FittedBody | None]:
    """The bodies of all people in each frame, `width` x `height` pixels; None where nobody is visible.

    `ranks` (F, N) say who of several stands before whom, 0 nearest; without them the first person is nearest.
    """
    patches = face_patches(free_body())
    people = [draw_person(motion, person, width, height) for person in motion.people]
    for frame, drawn in enumerate(zip(*people, strict=True)):
        far_to_near = range(len(drawn))[::-1] if ranks is None else np.argsort(-ranks[frame], kind="stable")
        yield _join_bodies(drawn, far_to_near, patches)


def draw_person(motion: Motion, person: Person, width: int, height: int) -> Iterator[DrawnBody | None]:
    """One person's body in each frame of the motion's camera; None where they are not visible."""
    body = free_body()
    camera = motion.camera.resize(width, height)
    for start in range(0, motion.frames, BODIES_AT_ONCE):
        frames = slice(start, min(start + BODIES_AT_ONCE, motion.frames))
        with torch.no_grad():
            vertices = camera.view(body.pose(person, frames).vertices, frames)
            raster = rasterize(vertices, body.faces, focal=camera.focal, center=camera.center, size=camera.size)
            centers = camera.pixels(_means(vertices, _vertex_patches(body)))
        for face, center, visible in zip(raster.face, centers, person.visible[frames], strict=True):
            yield DrawnBody(face, center) if visible and (face >= 0).any() else None


def _means(vertices: Tensor, patch: Tensor) -> Tensor:
    """The middle (B, BODY_PATCHES, 3) of the vertices (B, V, 3) of each patch."""
    total = vertices.new_zeros(len(vertices), BODY_PATCHES, 3).index_add_(1, patch, vertices)
    return total / torch.bincount(patch, minlength=BODY_PATCHES).clamp_min(1)[:, None]


def _join_bodies(drawn: Sequence[DrawnBody | None], far_to_near: Iterable[int], patches: Tensor) -> FittedBody | None:
    import cv2

    shown = next((body for body in drawn if body is not None), None)
    if shown is None:
        return None
    silhouette, patch = np.zeros(shown.face.shape, bool), np.zeros(shown.face.shape, np.int32)
    for number in far_to_near:
        if (body := drawn[number]) is None:
            continue
        inside = (body.face >= 0).numpy()
        silhouette |= inside
        patch[inside] = patches[body.face[inside]].numpy() + number * BODY_PATCHES
    _, nearest = cv2.distanceTransformWithLabels(
        (~silhouette).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(nearest.max()) + 1, np.int32)
    of_label[nearest[silhouette]] = patch[silhouette]
    nobody = np.full((BODY_PATCHES, 2), np.nan, np.float32)
    centers = np.concatenate([nobody if body is None else body.centers.numpy() for body in drawn])
    return FittedBody(silhouette, of_label[nearest], centers)


class BodyStore:
    """The fitted bodies of the frames of a clip, in temporary files: every pass over the clip needs them."""

    def __init__(self):
        self._layers, self._centers = FrameStore(), FrameStore()

    def append(self, body: FittedBody | None) -> None:
        """Take in the next frame's; None where nobody is visible."""
        nobody = np.zeros((1, 1), np.uint8)
        if body is None:
            layers, centers = nobody, nobody
        else:  # bytes apart: most of them are as those beside them
            layers = np.stack([body.patch & 255, body.patch >> 8, body.silhouette]).astype(np.uint8)
            centers = np.ascontiguousarray(body.centers).view(np.uint8)
        self._layers.append(layers)
        self._centers.append(centers)

    def read(self, start: int, stop: int) -> Iterator[FittedBody | None]:
        """The body of each frame from `start` to `stop`."""
        for frame in range(start, stop):
            layers = self._layers[frame]
            if len(layers) == 1:
                yield None
                continue
            patch = layers[0] | layers[1].astype(np.int32) << 8
            yield FittedBody(layers[2].view(bool), patch, self._centers[frame].view(np.float32))


def measure_stir(body: FittedBody | None, neighbors: Iterable[FittedBody | None]) -> np.ndarray:
    """How far each patch moves against the middle of its body to the neighboring frames, the most of them, in pixels.

    (N * BODY_PATCHES,) float32, 0 of who is in no neighboring frame; empty without a body.
    """

    def place(drawn: FittedBody) -> np.ndarray:
        centers = drawn.centers.reshape(-1, BODY_PATCHES, 2)
        return (centers - centers.mean(1, keepdims=True)).reshape(-1, 2)

    if body is None:
        return np.zeros(0, np.float32)
    stir, here = np.zeros(len(body.centers), np.float32), place(body)
    for other in neighbors:
        if other is not None:
            np.fmax(stir, np.linalg.norm(place(other) - here, axis=-1), out=stir)  # NaN of who is not there
    return stir


def measure_body_height(motion: Motion, width: int, height: int) -> float:
    """The height of the standing body in pixels of a picture, in the frame in the middle of what is seen of it.

    Of several people that of the tallest in the picture.
    """
    return max(_measure_person_height(motion, person, width, height) for person in motion.people)


def _measure_person_height(motion: Motion, person: Person, width: int, height: int) -> float:
    camera = motion.camera.resize(width, height)
    vertices, _ = free_body().shape(free_body().betas_of(person))
    tall = float(vertices[:, 1].max() - vertices[:, 1].min())
    seen = torch.nonzero(person.visible)[:, 0]
    if not len(seen):
        return 0.0
    middles = torch.stack(
        [camera.view(person.transl[frame, None, None], slice(int(frame), int(frame) + 1))[0, 0] for frame in seen]
    )
    return camera.focal * tall / float(middles[:, 2].clamp_min(0.1).median())


@lru_cache(maxsize=4)
def patch_neighbors(body: BodyModel, people: int = 1, count: int = 6) -> np.ndarray:
    """The patches nearest to each patch in the rest pose, itself first, (people * BODY_PATCHES, count)."""
    middles = _means(body.template[None], _vertex_patches(body))[0]
    near = torch.cdist(middles, middles).argsort(1)[:, :count].numpy()
    return np.concatenate([near + number * BODY_PATCHES for number in range(people)])


def face_patches(body: BodyModel) -> Tensor:
    """The patch (0 to BODY_PATCHES - 1) of each face (T,): places of about equal size, spread over the rest pose."""
    return _vertex_patches(body)[body.faces[:, 0]]


@lru_cache(maxsize=4)
def find_limb_ends(body: BodyModel, people: int = 1) -> np.ndarray:
    """For each patch which of the people's LIMB_ENDS it belongs to, (people * BODY_PATCHES,) int, -1 for none."""
    patches = _vertex_patches(body)
    share = torch.stack(
        [
            torch.zeros(BODY_PATCHES).index_add_(0, patches, torch.isin(body.parts, torch.tensor(parts)).float())
            for parts in LIMB_ENDS
        ]
    )
    share /= torch.bincount(patches, minlength=BODY_PATCHES).clamp_min(1)
    ends = torch.where(share.sum(0) > 0.5, share.argmax(0), -1).numpy()
    return np.concatenate([np.where(ends < 0, ends, ends + number * len(LIMB_ENDS)) for number in range(people)])


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
