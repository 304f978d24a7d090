"""What belongs to the character but lies beyond its body: long hair, skirts, coats, what it carries.

A sheet of the picture, as deep in space as the body beside it, that moves with the body beside it: between the legs
with both, beside the trunk with the trunk alone, so that a lifted arm draws no web.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import BodyModel
from ..body.raster import interpolate
from ..body.skeleton import JOINT
from ..geometry.camera import Camera
from ..identity.push_pull import push_pull
from .behind_hands import find_hair_behind_hands, paint_behind_hands
from .hands import SAME_COLOR, color_distance, convert_to_lab
from .outline import HAND_JOINTS, FittedPicture
from .sheet_ends import REACH, end_smoothly, reach_beyond
from .skin import SkinnedMesh, TexturedMesh, unpose
from .skirt import SkirtMesh
from .skirt_outline import LEGS
from .surface import ARM_JOINTS, ELBOWS


# Set on 12 synthetic shots (2026-11-23): worst silhouette IoU 0.933 -> 0.940.
LAYER_SIDE = 224  # pixels: the sheet's mesh needs no more
LEAST_AREA = 0.002  # of the matte's area: smaller pieces are left out
LAYER_OVERLAP = 8  # pixels at LAYER_SIDE that a sheet reaches under the body, past gaps too narrow to be seen there
TUCK_SLOPE = 2.0  # of the sheet under the body: how fast it goes deeper
DEEPEST_TUCK = 0.08  # meters: deeper it would come out of a limb behind
STIFF_REACH, LOOSE_REACH = 0.05, 0.3  # meters from the body within which a sheet is stiff, and where it is loose
LARGEST_SWAY = 0.8  # of the way that a loose sheet lags behind
FINGER_REACH, FINGER_SHARE = 8, 0.6  # pixels at LAYER_SIDE from a hand; share of a piece within for it to be fingers
CONTACT, SLEEVE_CONTACT = 2, 0.5  # pixels at LAYER_SIDE at which pieces touch the body; share of arms if it is a sleeve
TEAR_CHANGE = 0.3  # change of the arms' or a leg's weight across one quad from which it is left out
TROUSERS_GAP = 0.1  # meters between the legs up to which what is there is trousers, as no skirt was found


def make_cloth_layer(
    body: BodyModel,
    vertices: Tensor,
    transforms: Tensor,
    picture: FittedPicture,
    colors: NDArray,
    skirt: SkirtMesh | None = None,
) -> SkinnedMesh | None:
    """The sheet for what camera-space vertices (V, 3), posed by transforms (24, 4, 4), leave of the matte uncovered.

    `colors` (H, W, 3) are the picture's. What a `skirt` covers needs no sheet. None where both cover all.
    """
    import cv2

    side = min(LAYER_SIDE, len(picture.matte))
    camera = picture.camera.resize(side, side)
    matte = cv2.resize(picture.matte, (side, side), interpolation=cv2.INTER_AREA) > 127
    small = cv2.resize(colors, (side, side), interpolation=cv2.INTER_AREA)
    raster = FittedPicture(matte, camera).raster(vertices, body.faces)
    covered = raster.mask[0].numpy()
    hanging = None if skirt is None else _cover_with(skirt, transforms, camera)
    missing = _find_missing(matte, covered) if hanging is None else _find_beside_skirt(matte, covered, hanging, small)
    joints = np.where(covered, body.face_parts.numpy()[raster.face[0].numpy()], -1)
    hands, reached = np.isin(joints, HAND_JOINTS), np.isin(joints, [*HAND_JOINTS, *ELBOWS])
    missing &= ~find_fingers(missing, hands, small)
    hair, fingers = find_hair_behind_hands(missing, joints == JOINT["head"], reached)
    if hair.any() or fingers.any():
        missing = _keep_pieces(((missing | hair) & ~fingers).astype(np.uint8), LEAST_AREA * matte.sum())
    if not missing.any():
        return None
    weights = interpolate(raster, body.faces, body.weights)[0].numpy()
    beside = np.concatenate([raster.depth[0].numpy()[..., None], weights], 2)
    covered, arms = covered & ~hair, (weights[..., ARM_JOINTS].sum(2) > 0.5) & ~hair
    sleeves = find_sleeves(missing, covered & ~hands, arms, small)
    bound = _extend_weights(missing, covered, arms, sleeves, beside)
    region = bound[..., 0] > 0
    bound[..., 0] += _tuck_under(missing, raster.depth[0].numpy() / camera.focal) * region
    bound = reach_beyond(bound)
    _part_trousers(bound, missing, camera)
    place, depth, weights, faces = _link_pixels(bound)
    if not len(faces):
        return None
    rest = unpose(_unproject(place, depth, camera), weights, transforms, camera)
    alpha = picture.matte
    if hair.any() or fingers.any():
        colors, alpha = paint_behind_hands(colors, alpha, missing | covered, missing, (hair & reached) | fingers)
    alpha = end_smoothly(alpha, region, (covered & ~arms) | sleeves)
    beside, away = _nearest_vertices(rest, body.template)
    return SkinnedMesh(
        sheet=TexturedMesh(
            faces=faces,
            corners=(place * len(alpha) / side)[faces],
            texture=np.dstack([np.clip(colors + 0.5, 0, 255).astype(np.uint8), alpha]),
            two_sided=True,
        ),
        vertices=rest,
        weights=weights,
        shapedirs=body.shapedirs[beside],
        beside=beside,
        sway=LARGEST_SWAY * ((away - STIFF_REACH) / (LOOSE_REACH - STIFF_REACH)).clamp(0, 1),
    )


def _link_pixels(bound: NDArray) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A mesh of the pixels that are bound to a body: places (N, 2), depths (N,), weights (N, 24) and faces (T, 3).

    `bound` (H, W, 25) holds depth and weights, a depth of 0 where there is nothing.
    """
    region = bound[..., 0] > 0
    number = np.full(region.shape, -1)
    number[region] = np.arange(region.sum())
    place = torch.from_numpy(np.argwhere(region)[:, ::-1] + 0.5).float()
    field = torch.from_numpy(bound[region])
    depth, weights = field[:, 0], field[:, 1:] / field[:, 1:].sum(1, keepdim=True)
    corners, torn = _list_quads(number, weights)
    # Trousers overlap by a square where they part, or a slit would show between legs that stand as on the picture.
    copies, first = torn.flatten(), torn[:, :1].expand(-1, 4).flatten()
    corners = torch.cat([corners, len(place) + torch.arange(len(copies)).reshape(-1, 4)])
    place, depth, weights = (
        torch.cat([values, values[added]]) for values, added in ((place, copies), (depth, copies), (weights, first))
    )
    return place, depth, weights, torch.cat([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])


def _find_beside_skirt(matte: NDArray, covered: NDArray, hanging: NDArray, colors: NDArray) -> NDArray:
    """What the body and a skirt that is `hanging` (H, W) bool on it leave of the matte, (H, W) bool."""
    missing = _find_missing(matte, covered | hanging)
    return missing & ~find_skirt_pieces(missing, covered, hanging & matte, colors)


def _cover_with(skirt: SkirtMesh, transforms: Tensor, camera: Camera) -> NDArray:
    """Where a skirt lies on the picture of the body posed by transforms (24, 4, 4), (h, w) bool."""
    import cv2

    seen = camera.view(skirt.posed(transforms, torch.zeros(skirt.shapedirs.shape[-1]))[None])[0]
    faces = torch.cat([skirt.sheet.faces, skirt.sheet.faces.flip(1)])
    mask = FittedPicture(np.zeros(camera.size[::-1], np.uint8), camera).raster(seen, faces).mask[0].numpy()
    return cv2.dilate(mask.astype(np.uint8), np.ones((5, 5))) > 0


def _find_missing(matte: NDArray, covered: NDArray) -> NDArray:
    """What the body leaves of the matte, (H, W) bool, without the slivers along its outline."""
    import cv2

    left = (matte & ~covered).astype(np.uint8)
    opened = cv2.morphologyEx(left, cv2.MORPH_OPEN, np.ones((2, 2)))
    return _keep_pieces(left, LEAST_AREA * matte.sum(), opened > 0)


def _keep_pieces(left: NDArray, least: float, opened: NDArray | None = None) -> NDArray:
    """The pieces of (H, W) uint8 with an area of at least that many pixels, (H, W) bool, some of it in `opened`."""
    import cv2

    labels, stats = cv2.connectedComponentsWithStats(left, connectivity=8)[1:3]
    kept = stats[:, cv2.CC_STAT_AREA] >= least
    if opened is not None:
        kept &= np.isin(np.arange(len(stats)), labels[opened])
    kept[0] = False
    return kept[labels]


def find_fingers(missing: NDArray, hands: NDArray, colors: NDArray) -> NDArray:
    """Which missing pieces (H, W) bool are fingers that the fit has spread otherwise, beside `hands` (H, W) bool.

    They have the color of the hand, in `colors` (H, W, 3), and would float where the hand was.
    """
    import cv2

    found = np.zeros_like(missing)
    if not hands.any():
        return found
    near = cv2.dilate(hands.astype(np.uint8), np.ones((2 * FINGER_REACH + 1,) * 2)) > 0
    hand = np.median(convert_to_lab(colors[hands]), 0)
    labels = cv2.connectedComponents(missing.astype(np.uint8), connectivity=8)[1]
    for label in range(1, labels.max() + 1):
        piece = labels == label
        is_near = near[piece].mean() > FINGER_SHARE and piece.sum() < hands.sum()
        found |= piece & (is_near and (color_distance(convert_to_lab(colors[piece]), hand) < SAME_COLOR).mean() > 0.5)
    return found


def find_skirt_pieces(missing: NDArray, covered: NDArray, hanging: NDArray, colors: NDArray) -> NDArray:
    """Which missing pieces (H, W) bool are the rest of a skirt, as the wedge between it and a hand beside it.

    They have its color, in `colors` (H, W, 3), and touch what is `hanging` (H, W) bool of it more than what the body
    covers.
    """
    import cv2

    found = np.zeros_like(missing)
    labels = cv2.connectedComponents(missing.astype(np.uint8), connectivity=8)[1]
    for label in range(1, labels.max() + 1):
        piece = labels == label
        around = cv2.dilate(piece.astype(np.uint8), np.ones((2 * CONTACT + 1,) * 2)) > 0
        beside = around & hanging & ~piece
        if beside.sum() > (around & covered & ~hanging).sum():
            cloth = np.median(convert_to_lab(colors[beside]), 0)
            found |= piece & ((color_distance(convert_to_lab(colors[piece]), cloth) < SAME_COLOR).mean() > 0.5)
    return found


def find_sleeves(missing: NDArray, covered: NDArray, arms: NDArray, colors: NDArray) -> NDArray:
    """Which missing pieces (H, W) bool are of wide sleeves: they touch `arms` (H, W) bool most, and have their color.

    `covered` (H, W) bool is what the body covers without its hands, in a picture with `colors` (H, W, 3).
    """
    import cv2

    found = np.zeros_like(missing)
    labels = cv2.connectedComponents(missing.astype(np.uint8), connectivity=8)[1]
    for label in range(1, labels.max() + 1):
        piece = labels == label
        contact = (cv2.dilate(piece.astype(np.uint8), np.ones((2 * CONTACT + 1,) * 2)) > 0) & covered
        if contact.any() and (contact & arms).sum() > SLEEVE_CONTACT * contact.sum():
            sleeve = np.median(convert_to_lab(colors[contact & arms]), 0)
            found |= piece & ((color_distance(convert_to_lab(colors[piece]), sleeve) < SAME_COLOR).mean() > 0.5)
    return found


def _extend_weights(missing: NDArray, covered: NDArray, arms: NDArray, sleeves: NDArray, beside: NDArray) -> NDArray:
    """Depth and weights (H, W, 25) continued from the body over each missing piece and a little further, else 0.

    Arms count only for `sleeves` (H, W) bool and if nothing else touches the piece; where they do not, it does not
    reach under them either.
    """
    import cv2

    labels = cv2.connectedComponents(missing.astype(np.uint8), connectivity=8)[1]
    # The very rim of the body is seen edge-on; a pixel further in its depth is sound.
    inner = cv2.erode(covered.astype(np.uint8), np.ones((3, 3))) > 0
    result = np.zeros(beside.shape, np.float32)
    reach = np.ones((2 * LAYER_OVERLAP + 3,) * 2)
    for label in range(1, labels.max() + 1):
        around = cv2.dilate((labels == label).astype(np.uint8), reach) > 0
        near = cv2.dilate((labels == label).astype(np.uint8), np.ones((2 * LAYER_OVERLAP + 1,) * 2)) > 0
        known = inner & ~arms
        if sleeves[labels == label].any():
            known, near = inner & arms, near & (arms | ~covered)
        elif (around & known).sum() < 0.25 * (around & inner).sum():
            known = inner
        else:
            near &= ~arms
        result[near] = _blur_field(push_pull(beside, known))[near]
    return result


def _part_trousers(bound: NDArray, missing: NDArray, camera: Camera):
    """Give each half of a `missing` piece (H, W) bool that is narrow between the legs to its leg in `bound` (H, W, 25).

    Bound to both it would be a web between trousers that touch on the picture. A piece that is wide somewhere is a
    skirt's.
    """
    import cv2

    near = np.median(bound[..., 0][missing])
    row = np.ones((1, round(TROUSERS_GAP * camera.focal / near) + 1))
    labels = cv2.connectedComponents(missing.astype(np.uint8), connectivity=8)[1]
    wide = cv2.morphologyEx(missing.astype(np.uint8), cv2.MORPH_OPEN, row) > 0
    narrow = missing & ~np.isin(labels, labels[wide])
    narrow = cv2.dilate(narrow.astype(np.uint8), np.ones((2 * (LAYER_OVERLAP + REACH) + 3,) * 2)) > 0
    legs = [1 + np.array(leg) for leg in LEGS]
    left, right = (bound[..., leg].sum(-1) for leg in legs)
    for leg, goes_along in zip(legs, (left >= right, right > left), strict=True):
        rows, columns = np.nonzero(narrow & ~goes_along)
        bound[rows[:, None], columns[:, None], leg] = 0


def _tuck_under(missing: NDArray, pixel: NDArray) -> NDArray:
    """How far (H, W) in meters the sheet lies behind the body, which it would pierce as soon as either moves.

    It goes down at an angle from where the body ends; `pixel` (H, W) is the size of a pixel there, 0 beside the body.
    """
    import cv2

    away = cv2.distanceTransform((~missing).astype(np.uint8), cv2.DIST_L2, 3)
    return np.minimum(away * TUCK_SLOPE * pixel, DEEPEST_TUCK)


def _blur_field(values: NDArray) -> NDArray:
    import cv2

    return cv2.GaussianBlur(values, (0, 0), 2.0)


def _list_quads(number: NDArray, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The corners of every square of four numbered pixels, (Q, 4), and of those across which a leg tears loose.

    Where an arm tears loose there is none.
    """
    corners = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], -1).reshape(-1, 4)
    corners = torch.from_numpy(corners[(corners >= 0).all(1)])
    loose = torch.stack([weights[:, list(joints)].sum(1) for joints in (ARM_JOINTS, *LEGS)], 1)
    tears = (loose[corners] - loose[corners[:, :1]]).abs().amax(1) >= TEAR_CHANGE
    arm, leg = tears[:, 0], tears[:, 1:].any(1)
    return corners[~arm & ~leg], corners[leg & ~arm]


def _unproject(pixels: Tensor, depth: Tensor, camera: Camera) -> Tensor:
    """Camera-space points (N, 3) of pixels (N, 2) at depths (N,)."""
    flat = (pixels - pixels.new_tensor(camera.center)) / camera.focal * depth[:, None]
    return torch.cat([flat, depth[:, None]], 1)


def _nearest_vertices(points: Tensor, vertices: Tensor) -> tuple[Tensor, Tensor]:
    """The closest vertex to each point (N,) and how far it is (N,)."""
    from scipy.spatial import cKDTree

    distance, nearest = cKDTree(vertices.numpy()).query(points.numpy())
    return torch.from_numpy(nearest), torch.from_numpy(distance).float()
