"""Skirts and dresses: one cloth around both legs, closed, from the hips down to the hem that the picture shows.

It hangs from the hips, and each leg pushes it outwards where it would come through: a point is where the hips, the left
or the right leg take it, whichever is farthest out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import BodyModel
from ..body.skeleton import JOINT
from ..body.skinning import blend_skin
from ..geometry.camera import Camera
from ..geometry.rotations import matrix_from_axis_angle
from ..identity.push_pull import push_pull
from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab
from .outline import FittedPicture
from .skin import Hands, TexturedMesh, unpose
from .skirt_contact import ArmPoints, make_room_for_arms, sag_onto_legs, slim_body, smoothstep
from .skirt_outline import LEGS, SKIRT_SIDE, SkirtShape, cover_rows, measure_skirt
from .surface import ARM_JOINTS
from .texture import SOLID


ARM_MARGIN = 3  # pixels at SKIRT_SIDE around arms that hang before a skirt
ROWS, COLUMNS = 19, 36  # of the mesh, from top to hem and around
ROUNDNESS = 0.65  # depth of a wide skirt in widths
EASE = 0.012  # meters between the body and cloth that hangs on it
EASE_START, FLARE_START = 0.05, 0.18  # meters below the top from which there is that much, and from which it is round
SIDE_SQUEEZE, RIM = 0.6, 0.96  # of the picture's own place around the skirt, the rest is even; the outermost pixels go
HIP_BLEND, KNEE_BLEND = (-0.03, 0.12), (-0.06, 0.06)  # meters below a joint over which cloth goes over to the next bone
OTHER_SIDE = 0.7  # of the half width to the other side up to which a leg takes cloth along
UPWARD = 0.7  # how much higher counts against farther out: cloth lies on a thigh that is lifted
SOFTNESS = 0.03  # meters over which one push goes over into the next
LARGEST_SWAY, LOOSE_LENGTH = 0.5, 0.6  # of the way that a hem lags behind; meters of cloth at which it is so loose
ARM_REACH = 12  # pixels at SKIRT_SIDE from arms within which a sleeve wider than the fitted arm may lie
SAME_CLOTH, CLOTH_SPREAD = 10.0, 7  # in Lab; every so many pixels of cloth far from arms are asked
PLUMB = 24  # number among the joints of what hangs down from the hips
LEANING, LYING = math.radians(60), math.radians(95)  # of the hips: cloth hangs, cloth lies along the body


@dataclass(frozen=True, eq=False)
class SkirtMesh:
    """A tube of cloth, each vertex given three times: as the hips, the left leg and the right leg take it along."""

    sheet: TexturedMesh
    vertices: Tensor  # (3, V, 3) in the body's rest pose
    weights: Tensor  # (3, V, 25) of the joints and PLUMB
    pivot: Tensor  # (3,) of the hips in the rest pose
    along: Tensor  # (3, V) 0 to 1: how far each takes the vertex along from where it hangs
    outward: Tensor  # (V, 3) unit vectors in the rest pose of PLUMB
    shapedirs: Tensor  # (V, 3, 10)
    beside: Tensor  # (V,) long, the vertices of the body whose light falls on these
    sway: Tensor  # (V,) 0 to 1
    bones: Tensor  # (2, V, 3) on the left and the right leg's bones, beside the vertices in the rest pose
    arms: ArmPoints

    def posed(self, transforms: Tensor, betas: Tensor, hands: Hands = (None, None)) -> Tensor:
        """World vertices (V, 3) under joint transforms (24, 4, 4); see `SkinnedMesh.posed`. Hands move nothing."""
        transforms = _add_plumb(transforms, self.pivot)
        rest = self.vertices + self.shapedirs @ betas
        taken = blend_skin(rest.flatten(0, 1), self.weights.flatten(0, 1), transforms[None])[0].unflatten(0, (3, -1))
        bones = blend_skin(self.bones.flatten(0, 1), self.weights[1:].flatten(0, 1), transforms[None])[0]
        taken[1:] = sag_onto_legs(taken[1:], bones.unflatten(0, (2, -1)))
        taken = torch.lerp(taken[:1], taken, self.along[..., None])
        outward = self.outward @ transforms[PLUMB, :3, :3].mT
        upward = outward + outward.new_tensor([0.0, UPWARD, 0.0])
        share = ((taken * upward).sum(-1) / SOFTNESS).softmax(0)
        return (taken * share[..., None]).sum(0)

    def make_room(self, cloth: Tensor, transforms: Tensor) -> Tensor:
        """World vertices (V, 3) pushed in where arms and hands lie on the cloth, under joint transforms (24, 4, 4)."""
        hips = transforms[JOINT["pelvis"]]
        outward = self.outward @ _add_plumb(transforms, self.pivot)[PLUMB, :3, :3].mT
        return make_room_for_arms(cloth, outward, self.arms.posed(transforms), hips[:3, :3] @ self.pivot + hips[:3, 3])

    def slim(self, body: BodyModel, dressed: Tensor, naked: Tensor) -> Tensor:
        """Rest vertices (V, 3) of the `dressed` body, `naked` where the skirt covers it."""
        height = self.vertices[1:, :, 1].mean(0).view(ROWS, COLUMNS).mean(1)
        return slim_body(body, dressed, naked, float(height[0]), float(height[-1]))


def make_skirt(
    body: BodyModel, naked: Tensor, vertices: Tensor, transforms: Tensor, picture: FittedPicture, colors: NDArray
) -> SkirtMesh | None:
    """The skirt around the legs of a fitted body, or None where the picture shows none.

    `naked` and `vertices` (V, 3) are the fitted and the dressed body in camera space, posed by `transforms`
    (24, 4, 4). `colors` (H, W, 3) are the picture's.
    """
    import cv2

    side = min(SKIRT_SIDE, len(picture.matte))
    camera = picture.camera.resize(side, side)
    arms = _find_arms(body, vertices, camera)
    shape = measure_skirt(body, naked, _shrink(picture.matte, side), arms, camera)
    if shape is None:
        return None
    angle = torch.arange(COLUMNS) * (2 * torch.pi / COLUMNS)
    seen, pixels = _shape_tube(body, naked, vertices, shape, camera, angle)
    place = _unproject(seen, camera)
    joints = camera.pixels(body.joint_regressor @ naked)
    weights = _weigh_bones(place, joints, camera)
    pivot = body.joint_regressor[JOINT["pelvis"]] @ body.template
    transforms = _add_plumb(transforms, pivot)
    rest = torch.stack([unpose(place, weight, transforms, camera) for weight in weights])
    beside = _find_nearest(rest[0], body.template)
    small = cv2.resize(colors, (side, side), interpolation=cv2.INTER_AREA)
    other = arms | _find_sleeves(small, arms, cover_rows(shape, side) & _shrink(picture.matte, side))
    texture = _paint_cloth(colors, picture.matte, other | _find_bare_legs(body, naked, vertices, small, camera))
    scale = len(picture.matte) / side
    faces = _link_rows()
    drop = (place[:, 1] - place[:, 1].amin()).clamp_min(0)
    return SkirtMesh(
        sheet=TexturedMesh(faces, (pixels * scale)[faces], texture, two_sided=True),
        vertices=rest,
        weights=weights,
        pivot=pivot,
        along=_share_cloth(angle),
        outward=_point_outwards(angle, transforms, camera),
        shapedirs=body.shapedirs[beside],
        beside=beside,
        sway=LARGEST_SWAY * (drop / LOOSE_LENGTH).clamp(0, 1),
        bones=_find_bones(rest[1:], body.joint_regressor @ body.template),
        arms=ArmPoints.of(body),
    )


def _shrink(matte: NDArray, side: int) -> NDArray:
    import cv2

    return cv2.resize(matte, (side, side), interpolation=cv2.INTER_AREA) > 127


def _find_arms(body: BodyModel, vertices: Tensor, camera: Camera) -> NDArray:
    """Where arms and hands are seen, and a little around them, (h, w) bool."""
    import cv2

    raster = FittedPicture(np.zeros(camera.size[::-1], np.uint8), camera).raster(vertices, body.faces)
    arms = raster.mask[0].numpy() & np.isin(body.face_parts.numpy(), ARM_JOINTS)[raster.face[0].numpy()]
    return cv2.dilate(arms.astype(np.uint8), np.ones((2 * ARM_MARGIN + 1,) * 2)) > 0


def _shape_tube(
    body: BodyModel, naked: Tensor, vertices: Tensor, shape: SkirtShape, camera: Camera, angle: Tensor
) -> tuple[Tensor, Tensor]:
    """Pixels and depth (N, 3) of the tube's vertices, row after row, and pixels (N, 2) where the texture shows them."""
    around, before = angle.sin().numpy(), angle.cos().numpy()
    turn = np.arcsin(np.clip(around, -1, 1)) / (np.pi / 2)
    shown = RIM * (SIDE_SQUEEZE * around + (1 - SIDE_SQUEEZE) * turn)
    rows = np.arange(len(shape.half))
    at_hem = np.interp(shape.hem, rows, shape.middle) + np.interp(shape.hem, rows, shape.half) * shown
    hems = np.interp(at_hem, np.arange(len(shape.hems)), shape.hems)
    share = np.linspace(0, 1, ROWS)[:, None]
    row = shape.top + share * (hems[None] - shape.top)  # (ROWS, COLUMNS)
    middle, half = (np.interp(row, rows, values) for values in (shape.middle, shape.half))
    depth, thick = _measure_depth(body, vertices, naked, row, camera)
    meter = depth / camera.focal
    ease = EASE * np.clip((row - shape.top) * meter / EASE_START, 0, 1)
    flare = np.clip((row - shape.top) * meter / FLARE_START, 0, 1)
    thick = np.maximum(thick + ease, ROUNDNESS * half * meter * flare)
    seen = np.stack([middle + half * around, row, depth - thick * before], -1)
    pixels = np.stack([middle + half * shown, np.minimum(row, shape.end)], -1)
    return tuple(torch.from_numpy(values.reshape(ROWS * COLUMNS, -1)).float() for values in (seen, pixels))


def _measure_depth(
    body: BodyModel, vertices: Tensor, naked: Tensor, row: NDArray, camera: Camera
) -> tuple[NDArray, NDArray]:
    """Depth of the middle and half the thickness of trunk and legs in meters at rows (...), smoothly."""
    from scipy.ndimage import gaussian_filter1d

    parts = torch.isin(body.parts, torch.tensor([0, *LEGS[0][:2], *LEGS[1][:2]]))
    place, depth = camera.pixels(vertices[parts])[:, 1].numpy(), vertices[parts, 2].numpy()
    low, high = place.min(), place.max()
    edges = np.linspace(low, high, 17)
    band = np.clip(np.digitize(place, edges) - 1, 0, 15)
    near, far = (
        np.array([choose(depth[band == number]) if (band == number).any() else np.nan for number in range(16)])
        for choose in (np.min, np.max)
    )
    known = np.flatnonzero(np.isfinite(near))
    middles = (edges[:-1] + edges[1:]) / 2
    near, far = (
        gaussian_filter1d(np.interp(np.arange(16), known, values[known]), 1.0, mode="nearest") for values in (near, far)
    )
    return np.interp(row, middles, (near + far) / 2), np.interp(row, middles, (far - near) / 2)


def _unproject(seen: Tensor, camera: Camera) -> Tensor:
    """Camera-space points (N, 3) of pixels and depths (N, 3)."""
    flat = (seen[:, :2] - seen.new_tensor(camera.center)) / camera.focal * seen[:, 2:]
    return torch.cat([flat, seen[:, 2:]], 1)


def _weigh_bones(place: Tensor, joints: Tensor, camera: Camera) -> Tensor:
    """Weights (3, N, 25) of the bones for camera-space points (N, 3): hips alone, left leg, right leg."""
    weights = torch.zeros(3, len(place), PLUMB + 1)
    row, meter = camera.pixels(place)[:, 1], camera.focal / place[:, 2].mean()
    low, high = HIP_BLEND
    hangs = smoothstep(((row - joints[JOINT["pelvis"], 1]) / meter - low) / (high - low))
    weights[0, :, JOINT["pelvis"]], weights[0, :, PLUMB] = 1 - hangs, hangs
    for number, (hip, knee, _) in enumerate(LEGS, 1):
        to_hip, to_knee = (
            smoothstep(((row - joints[joint, 1]) / meter - low) / (high - low))
            for joint, (low, high) in ((hip, HIP_BLEND), (knee, KNEE_BLEND))
        )
        weights[number, :, JOINT["pelvis"]] = 1 - to_hip
        weights[number, :, hip] = to_hip * (1 - to_knee)
        weights[number, :, knee] = to_hip * to_knee
    return weights


def _find_bones(rest: Tensor, joints: Tensor) -> Tensor:
    """The points (2, V, 3) of both legs' bones at the height of a skirt's vertices (2, V, 3) in the rest pose."""
    places = []
    for leg, height in zip(LEGS, rest[..., 1].numpy(), strict=True):
        bone = joints[list(leg)].numpy()[::-1]  # np.interp wants heights that grow
        places.append(np.stack([np.interp(height, bone[:, 1], bone[:, axis]) for axis in range(3)], 1))
    return torch.from_numpy(np.stack(places)).float()


def _add_plumb(transforms: Tensor, pivot: Tensor) -> Tensor:
    """Joint transforms (24, 4, 4) and as PLUMB that of the hips turned upright about `pivot` (3,), (25, 4, 4).

    Cloth hangs down however the hips lean; of somebody who lies it lies on the ground as they do.
    """
    hips = transforms[JOINT["pelvis"]]
    up = torch.nn.functional.normalize(hips[:3, 1], dim=0)
    lean = torch.acos(up[1].clamp(-1, 1))
    sunk = lean * ((LYING - lean) / (LYING - LEANING)).clamp(0, 1)
    axis = torch.nn.functional.normalize(torch.linalg.cross(up, up.new_tensor([0.0, 1.0, 0.0])), dim=0)
    turn = matrix_from_axis_angle(axis * sunk)
    place = hips[:3, :3] @ pivot + hips[:3, 3]
    plumb = hips.clone()
    plumb[:3, :3] = turn @ hips[:3, :3]
    plumb[:3, 3] = turn @ (hips[:3, 3] - place) + place
    return torch.cat([transforms, plumb[None]])


def _share_cloth(angle: Tensor) -> Tensor:
    """How far the hips, the left and the right leg take vertices at each angle of every row along, (3, V) 0 to 1."""
    side_of = -angle.sin().repeat(ROWS)  # 1 at the character's right, the picture's left
    legs = (smoothstep((sign * side_of + OTHER_SIDE) / (2 * OTHER_SIDE)) for sign in (-1, 1))
    return torch.stack([torch.ones(len(side_of)), *legs])


def _point_outwards(angle: Tensor, transforms: Tensor, camera: Camera) -> Tensor:
    """Unit vectors (V, 3) away from the tube's middle, in the rest pose of the hips."""
    flat = torch.stack([angle.sin(), torch.zeros_like(angle), -angle.cos()], 1)
    world = flat @ camera.extrinsics()[0, :3, :3].to(flat)  # rows times a rotation are its inverse times columns
    return (world @ transforms[PLUMB, :3, :3]).repeat(ROWS, 1)


def _link_rows() -> Tensor:
    """Two triangles for every four neighbors on the tube, (T, 3)."""
    number = torch.arange(ROWS * COLUMNS).view(ROWS, COLUMNS)
    beside = number.roll(-1, 1)
    corners = torch.stack([number[:-1], number[1:], beside[1:], beside[:-1]], -1).reshape(-1, 4)
    return torch.cat([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])


def _find_sleeves(colors: NDArray, arms: NDArray, cloth: NDArray) -> NDArray:
    """Where around `arms` (h, w) bool a skirt's `cloth` (h, w) bool has a color that it shows nowhere else, (h, w).

    Sleeves are wider than fitted arms, and fingers spread. `colors` (h, w, 3) are the picture's.
    """
    import cv2
    from scipy.spatial import cKDTree

    near = cv2.dilate(arms.astype(np.uint8), np.ones((2 * ARM_REACH + 1,) * 2)) > 0
    known, asked = colors[cloth & ~near][::CLOTH_SPREAD], cloth & near & ~arms
    found = np.zeros_like(arms)
    if len(known) < LEAST_TEXELS or not asked.any():
        return found
    tree = cKDTree(convert_to_lab(known))
    found[asked] = np.isinf(tree.query(convert_to_lab(colors[asked]), distance_upper_bound=SAME_CLOTH)[0])
    return cv2.dilate(found.astype(np.uint8), np.ones((3, 3))) > 0


def _find_bare_legs(body: BodyModel, naked: Tensor, vertices: Tensor, small: NDArray, camera: Camera) -> NDArray:
    """Where a leg shows its skin, in a slit, (h, w) bool: it has the face's color, and cloth would hide it.

    `small` (h, w, 3) are the picture's colors.
    """
    import cv2

    empty = np.zeros(camera.size[::-1], np.uint8)
    parts = [
        np.where(raster.mask[0].numpy(), body.face_parts.numpy()[raster.face[0].numpy()], -1)
        for raster in (FittedPicture(empty, camera).raster(points, body.faces) for points in (naked, vertices))
    ]
    head, legs = parts[1] == JOINT["head"], np.isin(parts[0], np.ravel(LEGS))
    lower = np.flatnonzero(head.any(1))
    if not len(lower):
        return legs & False
    face = head & (np.arange(len(head))[:, None] >= lower.mean())
    skin = convert_to_lab(np.median(small[face], 0)[None])[0]
    lab = convert_to_lab(small.reshape(-1, 3)).reshape(small.shape)
    bare = legs & (color_distance(lab, skin) < SAME_COLOR)
    return cv2.dilate(bare.astype(np.uint8), np.ones((5, 5))) > 0


def _paint_cloth(colors: NDArray, matte: NDArray, other: NDArray) -> NDArray:
    """The picture (H, W, 4) uint8, opaque, with cloth in place of what is `other` (h, w) bool."""
    import cv2

    height, width = matte.shape
    known = (cv2.resize(other.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) == 0) & (
        matte > SOLID
    )
    painted = np.where(known[..., None], colors, push_pull(colors, known.astype(np.uint8)))
    return np.dstack([np.clip(painted + 0.5, 0, 255).astype(np.uint8), np.full(matte.shape, 255, np.uint8)])


def _find_nearest(points: Tensor, vertices: Tensor) -> Tensor:
    """The closest vertex to each point, (N,) long."""
    from scipy.spatial import cKDTree

    return torch.from_numpy(cKDTree(vertices.numpy()).query(points.numpy())[1])
