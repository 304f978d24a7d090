"""How a person is lit, told from their shading, so that the character can be lit the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import free_body, vertex_normals
from ..body.raster import interpolate, rasterize
from ..body.skeleton import JOINT, MIRRORED_JOINT
from ..motion.motion import Motion
from ..scene.scene import Scene


# ITU-R BT.601.
LUMA_BT601 = np.array([0.299, 0.587, 0.114], np.float32)
# Set on 12 tuning shots, end to end (2026-11-23): PSNR 16.24 -> 16.60, SSIM 0.41 -> 0.44.
TYPICAL_SLOPE = (0.0, 0.35, 0.15)  # light falls from above and comes rather from where the camera stands
TYPICAL_WEIGHT = 0.03  # how much the typical slope counts against the shading that is seen
STEEPEST_SLOPE = 0.8  # beyond it the far side would be black: a misfit, not light
DARKEST_SHADE = 0.2  # of the brightest
BRIGHTNESS_OUTLIER = 0.3  # relative brightness this far from the rest counts a quarter: patterns, folds, misfits
# Mean weight of the samples: below patterns, above shading. Shots for tuning 0.5 to 0.8, real clips 0.3 to 0.8.
EXPLAINED = (0.25, 0.4)
USUAL_NORMAL = (0.0, 0.05, 0.75)  # mean of the normals that a camera sees of somebody
USUAL_SHARE = 0.5  # of the usual brightness against the brightest one in what counts as 1: +0.1 dB on 8 shots
SAMPLED_FRAMES = 12  # frames that are looked at
SHADING_SIDE = 256  # pixels of the longer side: shading is coarse
FEWEST_PIXELS = 50  # pixels a frame that tell anything
LEAST_COVER = 0.5  # share of a mask that the body must cover for the mask to be its own
EXCLUDED_PARTS = ("head", "neck", "wrist", "hand", "ankle", "foot")  # small or of many colors
CHANGE = (0.7, 1.2)  # of brightness: folds and shine on the picture are no reason for more
FACE_CHANGE = (0.8, 1.1)  # the same on the head: skin is bleached by more
SLOPE_ROUNDS = 4  # of reweighting


@dataclass(frozen=True, eq=False)
class SurfaceLight:
    """Light on a matt surface, to first order: brightness is 1 + slope . normal, scaled.

    Exposure makes what is seen come out alike, the brightest and the whole, so the scale says nothing: 1 is half way
    between them. `slope` (3) is in the world's axes.
    """

    slope: Tensor

    def on(self, normals: Tensor) -> Tensor:
        """Brightness (...) of surfaces with unit normals (..., 3)."""
        brightest, usual = self.slope.norm(), self.slope @ self.slope.new_tensor(USUAL_NORMAL)
        full = 1 + brightest + USUAL_SHARE * (usual - brightest)
        return (1 + normals @ self.slope).clamp_min(DARKEST_SHADE) / full


def estimate_scene_light(scene: Scene, motion: Motion, ask: Callable[[], None] = lambda: None) -> SurfaceLight | None:
    """The light on the person whom a scene's source shows doing `motion`; None where nobody can be seen.

    `ask` is called before each frame that is looked at; it may raise to cancel.
    """
    if scene.is_still or scene.frames != motion.frames:
        return None
    shown = motion.person.visible.nonzero()[:, 0]
    if not len(shown):
        return None
    frames = shown[torch.linspace(0, len(shown) - 1, min(SAMPLED_FRAMES, len(shown))).long()].unique().tolist()

    def view(at: int) -> tuple[NDArray, NDArray]:
        ask()
        return scene.source[at], np.where(scene.occluder[at] < 10, scene.person[at], 0)

    return estimate_light(motion, frames, map(view, frames))


def estimate_light(motion: Motion, frames: list[int], views: Iterable[tuple[NDArray, NDArray]]) -> SurfaceLight | None:
    """The light on a person in some `frames` of a motion, given as RGB (H, W, 3) and mask (H, W), uint8.

    Every part of the body, left and right alike, has one color, so what changes with the normal is light. None where
    the masks show too little, or somebody else.
    """
    samples = [_sample_shading(motion[at : at + 1], *view) for at, view in zip(frames, views, strict=True)]
    luma, normals, parts = (np.concatenate(values) for values in zip(*samples, strict=True))
    if len(luma) < FEWEST_PIXELS * len(frames):
        return None
    return SurfaceLight(torch.from_numpy(_fit_slope(luma, normals, parts).astype(np.float32)))


def shading_normals(vertices: Tensor) -> Tensor:
    """Unit normals (V, 3) of the free body's vertices (V, 3) for shading; the head's are those of a ball.

    Nose, brows and lips are the fitted body's, not the character's: their shading would be a patch on the face.
    """
    body = free_body()
    normals = vertex_normals(vertices[None], body.faces)[0]
    head = body.weights[:, JOINT["head"], None]
    middle = (vertices * head).sum(0) / head.sum()
    radial = torch.nn.functional.normalize(vertices - middle, dim=1)
    return torch.nn.functional.normalize(normals * (1 - head) + radial * head, dim=1)


def limit_change(change: Tensor) -> Tensor:
    """Factors (V,) on the colors of the free body's vertices, kept to what folds and skin bear."""
    head = free_body().weights[:, JOINT["head"]]
    return change.clamp(*CHANGE) * (1 - head) + change.clamp(*FACE_CHANGE) * head


def _sample_shading(motion: Motion, image: NDArray, mask: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Brightness (N,), normals in the world (N, 3) and parts (N,) of the pixels of one frame that show the body."""
    import cv2

    body, camera = free_body(), motion.camera
    scale = min(1.0, SHADING_SIDE / max(camera.size))
    size = tuple(max(1, round(length * scale)) for length in camera.size)
    camera = camera.resize(*size)
    image, mask = (cv2.resize(layer, size, interpolation=cv2.INTER_AREA) for layer in (image, mask))
    posed = body.pose(motion.person).vertices
    raster = rasterize(camera.view(posed), body.faces, focal=camera.focal, center=camera.center, size=size)
    seen = mask > 250
    inside = (seen & raster.mask[0].numpy()).astype(np.uint8)
    if inside.sum() < LEAST_COVER * seen.sum():
        inside[:] = 0
    inside = (cv2.erode(inside, np.ones((3, 3))) > 0) & _find_clothed_faces()[raster.face[0].clamp_min(0)].numpy()
    normals = interpolate(raster, body.faces, vertex_normals(posed, body.faces))[0].numpy()[inside]
    parts = torch.minimum(body.face_parts, torch.tensor(MIRRORED_JOINT)[body.face_parts])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return image[inside] @ LUMA_BT601, normals / length.clip(1e-6), parts[raster.face[0].clamp_min(0)].numpy()[inside]


def _find_clothed_faces() -> Tensor:
    """(T,) bool: faces of the trunk and the limbs."""
    bare = [number for name, number in JOINT.items() if name.split("_")[-1] in EXCLUDED_PARTS]
    return ~torch.isin(free_body().face_parts, torch.tensor(bare))


def _fit_slope(luma: NDArray, normals: NDArray, parts: NDArray) -> NDArray:
    """The slope (3) that explains brightness (N,) best if every part (N,) has one unknown color.

    The less of it any slope explains, the nearer to the typical one: a shirt above dark trousers is no light.
    """
    slope = typical = np.array(TYPICAL_SLOPE)
    weight = np.ones(len(luma))
    for _ in range(SLOPE_ROUNDS):
        light = 1 + _average_parts(normals @ slope, parts, weight)
        color = np.maximum(_average_parts(luma, parts, weight), 4)
        relative = (luma / color - 1) * light
        centered = normals - _average_parts(normals, parts, weight)
        weighted = centered * weight[:, None]
        trust = TYPICAL_WEIGHT * weight.sum()
        slope = np.linalg.solve(weighted.T @ centered + trust * np.eye(3), weighted.T @ relative + trust * typical)
        slope *= min(1, STEEPEST_SLOPE / np.linalg.norm(slope))
        weight = 1 / (1 + ((relative - centered @ slope) / BRIGHTNESS_OUTLIER) ** 2) ** 2
    low, high = EXPLAINED
    return typical + (slope - typical) * np.clip((weight.mean() - low) / (high - low), 0, 1)


def _average_parts(values: NDArray, parts: NDArray, weight: NDArray) -> NDArray:
    """Values (N,) or (N, C), each replaced by the weighted mean of its part."""
    total = np.bincount(parts, weight)
    columns = values.reshape(len(values), -1).T
    means = np.stack([np.bincount(parts, weight * column) / np.maximum(total, 1e-9) for column in columns], 1)
    return means[parts].reshape(values.shape)
