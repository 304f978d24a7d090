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
from .surface import ARM_JOINTS


SKIRT_SIDE = 224  # pixels: the picture is asked at this size
LEAST_LENGTH, LEAST_GAP = 0.1, 0.05  # meters below the crotch, and between the legs, that cloth must fill
LEAST_CUT_GAP = 0.06  # meters, of a picture that ends above the hem: trousers with a low crotch may be cut there
CUT_ROWS, CUT_WIDTH = 0.06, 1.35  # meters above such an end; widths of both legs that make cloth there a skirt
FILLED_SHARE = 0.75  # of a row between the legs
HEM_REACH, OPEN_SHARE = 0.05, 0.35  # meters below a hem within which the gap opens, and what may be filled there
LEAST_HEM_WIDTH = 0.85  # of the largest width: wide trousers are gathered below the knees, skirts are not
HEM_RANGE = 0.15  # meters that a hem may be higher or lower than between the legs
WAIST_REACH, WIDE_TOP = 0.14, 1.3  # meters above the hips; times the waist's width, of a skirt that starts there
ARM_MARGIN = 3  # pixels at SKIRT_SIDE around arms that hang before a skirt
ROWS, COLUMNS = 19, 36  # of the mesh, from top to hem and around
ROUNDNESS = 0.65  # depth of a wide skirt in widths
EASE = 0.012  # meters between the body and cloth that hangs on it
EASE_START, FLARE_START = 0.05, 0.18  # meters below the top from which there is that much, and from which it is round
SIDE_SQUEEZE, RIM = 0.6, 0.96  # of the picture's own place around the skirt, the rest is even; the outermost pixels go
HIP_BLEND, KNEE_BLEND = (-0.03, 0.12), (-0.06, 0.06)  # meters below a joint over which cloth goes over to the next bone
OTHER_SIDE = 0.7  # of the half width to the other side up to which a leg takes cloth along
SOFTNESS = 0.03  # meters over which one push goes over into the next
LARGEST_SWAY, LOOSE_LENGTH = 0.5, 0.6  # of the way that a hem lags behind; meters of cloth at which it is so loose
CUT_LENGTH = 0.92  # of the way from hips to ankles, of a skirt whose hem is not in the picture
LARGEST_FLARE = 0.25  # meters that half the width grows a meter, below the picture's end
LARGEST_TILT = 0.3  # of the hips on the picture, which such a hem follows
ARM_REACH = 12  # pixels at SKIRT_SIDE from arms within which a sleeve wider than the fitted arm may lie
SAME_CLOTH, CLOTH_SPREAD = 10.0, 7  # in Lab; every so many pixels of cloth far from arms are asked
PLUMB = 24  # number among the joints of what hangs down from the hips
LEANING, LYING = math.radians(60), math.radians(95)  # of the hips: cloth hangs, cloth lies along the body
LEGS = tuple(tuple(JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle")) for side in ("left", "right"))


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

    def posed(self, transforms: Tensor, betas: Tensor, hands: Hands = (None, None)) -> Tensor:
        """World vertices (V, 3) under joint transforms (24, 4, 4); see `SkinnedMesh.posed`. Hands move nothing."""
        transforms = _add_plumb(transforms, self.pivot)
        rest = self.vertices + self.shapedirs @ betas
        taken = blend_skin(rest.flatten(0, 1), self.weights.flatten(0, 1), transforms[None])[0].unflatten(0, (3, -1))
        taken = torch.lerp(taken[:1], taken, self.along[..., None])
        outward = self.outward @ transforms[PLUMB, :3, :3].mT
        share = ((taken * outward).sum(-1) / SOFTNESS).softmax(0)
        return (taken * share[..., None]).sum(0)


@dataclass(frozen=True)
class _Shape:
    """A skirt on the picture, in pixels at SKIRT_SIDE: its rows, and its middle and half width in every row."""

    top: float
    hem: float  # between the legs
    hems: NDArray  # (W,) for every column
    middle: NDArray  # (H + more,) beyond the picture's end as well
    half: NDArray  # the same
    end: float  # the last row of which the picture shows cloth


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
    shape = _measure_skirt(body, naked, _shrink(picture.matte, side), arms, camera)
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
    side_of = -angle.sin().repeat(ROWS)  # 1 at the character's right, the picture's left
    along = [
        torch.ones(len(place)),
        *(_smoothstep((sign * side_of + OTHER_SIDE) / (2 * OTHER_SIDE)) for sign in (-1, 1)),
    ]
    beside = _find_nearest(rest[0], body.template)
    small = cv2.resize(colors, (side, side), interpolation=cv2.INTER_AREA)
    other = arms | _find_sleeves(small, arms, _cover_rows(shape, side) & _shrink(picture.matte, side))
    texture = _paint_cloth(colors, picture.matte, other | _find_bare_legs(body, naked, vertices, small, camera))
    scale = len(picture.matte) / side
    faces = _link_rows()
    drop = (place[:, 1] - place[:, 1].amin()).clamp_min(0)
    return SkirtMesh(
        sheet=TexturedMesh(faces, (pixels * scale)[faces], texture, two_sided=True),
        vertices=rest,
        weights=weights,
        pivot=pivot,
        along=torch.stack(along),
        outward=_point_outwards(angle, transforms, camera),
        shapedirs=body.shapedirs[beside],
        beside=beside,
        sway=LARGEST_SWAY * (drop / LOOSE_LENGTH).clamp(0, 1),
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


def _measure_skirt(body: BodyModel, naked: Tensor, matte: NDArray, arms: NDArray, camera: Camera) -> _Shape | None:
    """The skirt in a matte (h, w) bool with `arms` before it, or None.

    It fills the gap between the legs or, where the picture ends above its hem, is much wider than both of them.
    """
    cloth = matte & ~arms
    meter = camera.focal / float(naked[:, 2].mean())  # in pixels
    joints = camera.pixels(body.joint_regressor @ naked).numpy()
    hips, knees, ankles = (np.array([joints[leg[number]] for leg in LEGS]) for number in range(3))
    top, knee, ankle = (float(points[:, 1].mean()) for points in (hips, knees, ankles))
    gaps = _find_gaps(body, naked, camera, (int(top), int(ankle)))
    if not gaps or top < 0 or not cloth.any():  # hips above the picture, or arms over all of it
        return None
    crotch = min((row for row in gaps if row < knee), key=lambda row: gaps[row][1] - gaps[row][0], default=None)
    if crotch is None:
        return None
    filled = {row: cloth[row, start:end].mean() if end > start else 1.0 for row, (start, end) in gaps.items()}
    hem = crotch
    while filled.get(hem + 1, 0) > FILLED_SHARE:
        hem += 1
    gap = max(gaps[row][1] - gaps[row][0] for row in range(crotch, hem + 1)) / meter
    is_cut = hem >= min(len(cloth), np.flatnonzero(cloth.any(1))[-1] + 1) - 2
    below = [filled[row] for row in range(hem + 1, hem + 2 + round(HEM_REACH * meter)) if row in filled]
    opens = is_cut or (len(below) and min(below) < OPEN_SHARE)
    outline = _trace_outline(body, naked, camera)
    is_wide = is_cut and _stands_out(cloth, outline, range(max(0, hem - round(CUT_ROWS * meter)), hem))
    if (hem - crotch) / meter < LEAST_LENGTH or not opens:
        return None
    if gap < (LEAST_CUT_GAP if is_cut else LEAST_GAP) and not is_wide:
        return None
    rows = range(max(0, int(top - WAIST_REACH * meter)), min(hem + 1, len(cloth)))
    middle, half = _trace_sides(cloth, arms, outline, gaps, hips[:, 0].mean(), rows)
    top = _find_waist(half, top, WAIST_REACH * meter)
    if half[hem] < LEAST_HEM_WIDTH * half[int(top) : hem + 1].max():
        if hem > knee:
            return None
        half = np.maximum.accumulate(half)  # a circle of cloth, whose hem is higher at the sides
    if is_cut:
        last = top + CUT_LENGTH * (ankle - top)
        middle, half = _flare_out(middle, half, hem, last, meter)
        (left, low), (right, high) = hips
        tilt = np.clip((high - low) / (right - left), -LARGEST_TILT, LARGEST_TILT) if abs(right - left) > 1 else 0.0
        hems = last + tilt * (np.arange(cloth.shape[1]) - hips[:, 0].mean())
        return _Shape(top, last, hems, middle, half, hem - 1.0)
    hems = _trace_hem(body, naked, cloth, camera, (middle, half), hem, HEM_RANGE * meter)
    return _Shape(top, hem, hems, middle, half, float(len(cloth)))


def _find_gaps(body: BodyModel, naked: Tensor, camera: Camera, rows: tuple[int, int]) -> dict[int, tuple[int, int]]:
    """For every row between the legs' inner outlines the first column between them and the one after the last."""
    raster = FittedPicture(np.zeros(camera.size[::-1], np.uint8), camera).raster(naked, body.faces)
    part = np.where(raster.mask[0].numpy(), body.face_parts.numpy()[raster.face[0].numpy()], -1)
    left, right = (np.isin(part, leg) for leg in LEGS)
    gaps = {}
    for row in range(max(rows[0], 0), min(rows[1], len(part))):
        columns = np.flatnonzero(left[row]), np.flatnonzero(right[row])
        if all(map(len, columns)):
            gaps[row] = (int(columns[1].max()) + 1, int(columns[0].min()))
    return gaps


def _trace_outline(body: BodyModel, naked: Tensor, camera: Camera) -> tuple[NDArray, NDArray]:
    """First column of the body without its arms in every row and the one after the last, (H,) each, NaN for none."""
    others = body.faces[torch.from_numpy(~np.isin(body.face_parts.numpy(), ARM_JOINTS))]
    mask = FittedPicture(np.zeros(camera.size[::-1], np.uint8), camera).raster(naked, others).mask[0].numpy()
    left, right = mask.argmax(1).astype(float), mask.shape[1] - mask[:, ::-1].argmax(1).astype(float)
    empty = ~mask.any(1)
    left[empty] = right[empty] = np.nan
    return left, right


def _stands_out(cloth: NDArray, outline: tuple[NDArray, NDArray], rows: range) -> bool:
    """Whether cloth (h, w) bool is one piece in those rows, and much wider than the body's `outline` (h,) there."""
    left, right = (side[rows] for side in outline)
    known = np.isfinite(left)
    if not known.any():
        return False
    runs = [
        _list_run(cloth[row], (start + end) / 2)
        for row, start, end in zip(rows, left, right, strict=True)
        if start < end
    ]
    widths = np.array([end - start for start, end in runs])
    return bool(np.median(widths / (right - left)[known]) > CUT_WIDTH)


def _list_run(cloth: NDArray, column: float) -> tuple[int, int]:
    """The first of the columns of cloth (w,) bool on both sides of one without a gap, and the one after the last."""
    middle = min(max(int(column), 0), len(cloth) - 1)
    empty = np.flatnonzero(~cloth)
    before, after = empty[empty <= middle], empty[empty >= middle]
    return (int(before[-1]) + 1 if len(before) else 0), (int(after[0]) if len(after) else len(cloth))


def _trace_sides(
    cloth: NDArray,
    arms: NDArray,
    outline: tuple[NDArray, NDArray],
    gaps: dict[int, tuple[int, int]],
    center: float,
    rows: range,
) -> tuple[NDArray, NDArray]:
    """Middle and half width (H,) of the cloth in every row, followed outwards from between the legs; smooth.

    Above the legs it is followed from the column `center`. Where it ends at an arm it goes on behind it: as between
    the rows above and below, or as the body's `outline` above all of them.
    """
    from scipy.ndimage import gaussian_filter1d, median_filter

    height, width = cloth.shape
    sides = np.full((2, height), np.nan)
    for row in rows:
        start, end = gaps.get(row, (int(center), int(center)))
        middle = min(max((start + end) // 2, 0), width - 1)
        outside = np.flatnonzero(~cloth[row])
        before, after = outside[outside < min(start, middle)], outside[outside > max(end, middle)]
        first, last = before[-1] + 1 if len(before) else 0, after[0] if len(after) else width
        sides[0, row] = np.nan if len(before) and arms[row, before[-1]] else first
        sides[1, row] = np.nan if len(after) and arms[row, after[0]] else last
    every = np.arange(height)
    for side, edge in zip(sides, outline, strict=True):
        seen = np.flatnonzero(np.isfinite(side))
        above = every < (seen[0] if len(seen) else rows.stop)
        side[above] = edge[above]
        known = np.flatnonzero(np.isfinite(side))
        side[:] = gaussian_filter1d(np.interp(every, known, median_filter(side[known], 7, mode="nearest")), 2.0)
    left, right = sides
    return (left + right) / 2, (right - left) / 2


def _find_waist(half: NDArray, top: float, reach: float) -> float:
    """The row from which a skirt hangs: the narrowest within `reach` above `top`, if it is much wider there."""
    first = max(int(top - reach), 0)
    narrowest = first + int(half[first : int(top) + 1].argmin())
    return float(narrowest) if half[int(top)] > WIDE_TOP * half[narrowest] else top


def _flare_out(middle: NDArray, half: NDArray, end: int, last: float, meter: float) -> tuple[NDArray, NDArray]:
    """The same for a skirt that goes on below the picture's `end` down to the row `last`."""
    reach = max(1, round(0.1 * meter))
    before = max(0, end - reach)
    slope = np.clip((half[end - 1] - half[before]) / max(1, end - 1 - before), 0, LARGEST_FLARE)
    rows = np.arange(max(len(half), int(last) + 2))
    beyond = np.maximum(rows - (end - 1), 0)
    at = np.minimum(rows, end - 1)
    return middle[at], half[at] + slope * beyond


def _trace_hem(
    body: BodyModel, naked: Tensor, cloth: NDArray, camera: Camera, sides, hem: int, reach: float
) -> NDArray:
    """The last row of cloth in every column (W,): between and beside the legs as seen, before them in between."""
    import cv2
    from scipy.ndimage import gaussian_filter1d, median_filter

    raster = FittedPicture(np.zeros(camera.size[::-1], np.uint8), camera).raster(naked, body.faces)
    legs = cv2.dilate(raster.mask[0].numpy().astype(np.uint8), np.ones((5, 5))) > 0
    middle, half = sides
    rows = np.arange(max(int(hem - reach), 0), min(int(hem + reach) + 1, len(cloth)))
    known, last = [], []
    for column in range(int(middle[hem] - half[hem]), int(middle[hem] + half[hem]) + 1):
        if not 0 <= column < cloth.shape[1] or not cloth[rows[0], column]:
            continue
        empty = np.flatnonzero(~cloth[rows, column])
        row = rows[empty[0]] if len(empty) else rows[-1]
        if len(empty) and not legs[min(row, len(legs) - 1), column] and not legs[row - 1, column]:
            known.append(column)
            last.append(float(row))
    every = np.arange(cloth.shape[1])
    if len(known) < 3:
        return np.full(len(every), float(hem))
    return gaussian_filter1d(np.interp(every, known, median_filter(np.array(last), 5, mode="nearest")), 1.5)


def _shape_tube(
    body: BodyModel, naked: Tensor, vertices: Tensor, shape: _Shape, camera: Camera, angle: Tensor
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
    hangs = _smoothstep(((row - joints[JOINT["pelvis"], 1]) / meter - low) / (high - low))
    weights[0, :, JOINT["pelvis"]], weights[0, :, PLUMB] = 1 - hangs, hangs
    for number, (hip, knee, _) in enumerate(LEGS, 1):
        to_hip, to_knee = (
            _smoothstep(((row - joints[joint, 1]) / meter - low) / (high - low))
            for joint, (low, high) in ((hip, HIP_BLEND), (knee, KNEE_BLEND))
        )
        weights[number, :, JOINT["pelvis"]] = 1 - to_hip
        weights[number, :, hip] = to_hip * (1 - to_knee)
        weights[number, :, knee] = to_hip * to_knee
    return weights


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


def _smoothstep(value: Tensor) -> Tensor:
    value = value.clamp(0, 1)
    return value * value * (3 - 2 * value)


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


def _cover_rows(shape: _Shape, side: int) -> NDArray:
    """What lies within the outline of a skirt on the picture, (side, side) bool."""
    row, column = np.mgrid[:side, :side]
    inside = np.abs(column + 0.5 - shape.middle[:side, None]) <= shape.half[:side, None]
    return inside & (row >= shape.top) & (row <= np.minimum(shape.hems[None, :side], shape.end))


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
    known = (cv2.resize(other.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) == 0) & (matte > 250)
    painted = np.where(known[..., None], colors, push_pull(colors, known.astype(np.uint8)))
    return np.dstack([np.clip(painted + 0.5, 0, 255).astype(np.uint8), np.full(matte.shape, 255, np.uint8)])


def _find_nearest(points: Tensor, vertices: Tensor) -> Tensor:
    """The closest vertex to each point, (N,) long."""
    from scipy.spatial import cKDTree

    return torch.from_numpy(cKDTree(vertices.numpy()).query(points.numpy())[1])
