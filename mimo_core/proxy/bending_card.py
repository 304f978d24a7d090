"""A picture that bends at its joints: a card cut into trunk, arms and legs, for figures that no body fits.

Every bone moves its part of the picture in the plane that faces the camera, as the driver's bone is seen there; near a
joint two bones share it (linear blend skinning). Parts are drawn by the depth of the driver's limbs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..geometry.box import mask_height
from ..identity.joints import LIMBS, PICTURE_JOINTS, PictureJoints, link_pixels
from ..identity.push_pull import push_pull
from .sheet_ends import round_region
from .skin import TexturedMesh


BONES = {  # from one joint to the next
    "trunk": ("pelvis", "neck"),
    "head": ("neck", "head"),
    **{f"{limb}_{part}": LIMBS[limb][part : part + 2] for limb in LIMBS for part in (0, 1)},
}
PARTS = ("trunk", *LIMBS)
PART_BONES = {"trunk": (0, 1)} | {limb: (0, 2 + 2 * at, 3 + 2 * at) for at, limb in enumerate(LIMBS)}
GRID_SIDE = 160  # pixels of the longer side on which the picture is shared out
CELLS = 64  # squares of the mesh along the longer side
BLEND = 0.045  # of the figure's height: how near a joint two bones share the picture
LIMB_RADIUS = 0.035  # of the figure's height: half the width of a limb that lies over the trunk
JOINT_OVERLAP = 0.06  # of the figure's height: how far a limb reaches under the trunk around its joint
THIGH_RADIUS, SHIN_RADIUS = 0.05, 0.035  # of the figure's height: half the width of a leg that another one crosses


@dataclass(frozen=True, eq=False)
class BendingCard:
    """The picture in parts, each with vertices (V, 2) in pixels and the weights (V, 10) of BONES."""

    joints: PictureJoints
    sheets: tuple[TexturedMesh, ...]
    places: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]
    height: float  # pixels from soles to crown, standing upright
    sole_drop: float  # pixels from the lower ankle down to the soles
    upper: float  # pixels from the pelvis to the crown

    def bend(self, joints: Tensor, *, scale: float = 1.0, mirrored: bool = False) -> list[Tensor]:
        """The vertices (V, 2) of every part where PICTURE_JOINTS have moved to `joints` (15, 2), in their units.

        A bone turns and is stretched along itself; across, it is `scale` units wide a pixel. `mirrored` turns the
        picture over. The joints of the picture itself give the picture itself.
        """
        own = torch.from_numpy(self.joints.pixels)
        linear, offset = _transform_bones(own, joints.to(own), scale, mirrored)
        return [
            torch.einsum("vb,bij,vj->vi", weights, linear, places) + weights @ offset
            for places, weights in zip(self.places, self.weights, strict=True)
        ]


def make_bending_card(colors: NDArray, matte: NDArray, joints: PictureJoints) -> BendingCard:
    """The card of a figure's colors (H, W, 3) with its matte (H, W) uint8, bending at its joints."""
    shares = _Shares.measure(matte, joints)
    sheets, places, weights = [], [], []
    for part in PARTS:
        region = shares.regions[part]
        if not region.any():
            continue
        mesh, place, cells = _make_mesh(region, matte.shape)
        texture = _paint_part(colors, matte, shares, part)
        sheets.append(TexturedMesh(mesh, place[mesh], texture, two_sided=True))
        places.append(place)
        weights.append(shares.weigh(part, cells))
    return BendingCard(joints, tuple(sheets), tuple(places), tuple(weights), *_measure_standing(matte, joints))


def _transform_bones(own: Tensor, moved: Tensor, scale: float, mirrored: bool) -> tuple[Tensor, Tensor]:
    """For every bone the linear part (10, 2, 2) and offset (10, 2) that take the picture's joints to the moved ones."""
    index = torch.tensor([[PICTURE_JOINTS.index(name) for name in ends] for ends in BONES.values()])
    start, end = own[index].unbind(1)
    new_start, new_end = moved[index].unbind(1)
    before, after = end - start, new_end - new_start
    length, new_length = (way.norm(dim=1).clamp_min(1e-6) for way in (before, after))
    along, new_along = before / length[:, None], after / new_length[:, None]
    across, new_across = (torch.stack([-way[:, 1], way[:, 0]], 1) for way in (along, new_along))
    wide = -scale if mirrored else scale
    linear = torch.einsum("b,bi,bj->bij", new_length / length, new_along, along)
    linear = linear + wide * torch.einsum("bi,bj->bij", new_across, across)
    return linear, new_start - torch.einsum("bij,bj->bi", linear, start)


def _measure_standing(matte: NDArray, joints: PictureJoints) -> tuple[float, float, float]:
    """Pixels from soles to crown if the figure stood upright, those of them below the ankles, and above the pelvis."""

    def measure(*names: str) -> float:
        return sum(float(np.linalg.norm(joints.at(a) - joints.at(b))) for a, b in zip(names, names[1:], strict=False))

    rows, columns = np.nonzero(matte > 127)
    up = joints.at("neck") - joints.at("pelvis")
    up = up / max(np.linalg.norm(up), 1e-6)
    places = np.stack([columns, rows], 1)
    reach = 1.5 * measure("neck", "head")  # neither a raised hand nor what it holds is the crown
    near = np.linalg.norm(places - joints.at("head"), axis=1) < reach
    crown = float(((places[near] - joints.at("neck")) @ up).max()) if near.any() else 0.0
    drop = max(0.0, float(rows.max() + 1 - max(joints.at(name)[1] for name in ("left_ankle", "right_ankle"))))
    legs = max(measure(*LIMBS[limb]) for limb in ("left_leg", "right_leg"))
    upper = crown + measure("pelvis", "neck")
    return upper + legs + drop, drop, upper


@dataclass(frozen=True, eq=False)
class _Shares:
    """A picture shared out among the parts, on a grid of (h, w) cells."""

    regions: dict[str, NDArray]  # (h, w) bool by part; they overlap around joints
    owned: dict[str, NDArray]  # (h, w) bool, without overlap
    distances: NDArray  # (10, h, w) of the bones, in shares of the figure's height

    @classmethod
    def measure(cls, matte: NDArray, joints: PictureJoints) -> _Shares:
        import cv2

        scale = min(1.0, GRID_SIDE / max(matte.shape))
        size = tuple(max(2, round(length * scale)) for length in matte.shape[::-1])
        inside = cv2.resize(matte, size, interpolation=cv2.INTER_AREA) > 8
        at = {name: joints.at(name) * scale for name in PICTURE_JOINTS}
        height = max(mask_height(inside), 1)
        drawn = [_draw_bone(name, at, inside.shape) for name in BONES]
        distances = np.stack([_distance_to(bone) for bone in drawn]) / height
        owner = _share_by_ways(inside, drawn, distances)
        owned = {part: owner == number for number, part in enumerate(PARTS)}
        regions = {part: _overlap_joint(part, owned, inside, at, JOINT_OVERLAP * height) for part in PARTS}
        for leg, other in (("left_leg", "right_leg"), ("right_leg", "left_leg")):
            regions[leg] |= owned[other] & _follow_leg(distances[list(PART_BONES[leg][1:])])
        return cls(regions, owned, distances)

    def weigh(self, part: str, cells: NDArray) -> Tensor:
        """Weights (V, 10) of the bones at cells (V, 2), x and y."""
        bones = np.array(PART_BONES[part])
        away = self.distances[bones][:, cells[:, 1], cells[:, 0]]
        if part != "trunk":  # forearm and shin share nothing with the trunk, however near it they are
            away[0] = np.where(away[2] < away[1], np.inf, away[0])
        near = np.clip(1 - (away - away.min(0)) / BLEND, 0, 1)
        near = near * near * (3 - 2 * near)
        weights = np.zeros((len(cells), len(BONES)), np.float32)
        weights[:, bones] = (near / near.sum(0)).T
        return torch.from_numpy(weights)


def _draw_bone(name: str, at: dict[str, NDArray], shape: tuple[int, int]) -> NDArray:
    """A bone on the grid, (h, w) bool: a line; the trunk is the area between shoulders and hips, the head a disc."""
    import cv2

    image = np.zeros(shape, np.uint8)
    start, end = (at[joint] for joint in BONES[name])
    if name == "trunk":
        corners = [at[joint] for joint in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")]
        cv2.fillConvexPoly(image, np.array(corners).round().astype(np.int32), 1)
    elif name == "head":
        radius = max(1, round(0.6 * float(np.linalg.norm(end - start))))
        cv2.circle(image, tuple(end.round().astype(int).tolist()), radius, 1, -1)
    places = [tuple(place.round().astype(int).tolist()) for place in (start, end)]
    cv2.line(image, *places, 1)
    return image > 0


def _distance_to(drawn: NDArray) -> NDArray:
    import cv2

    if not drawn.any():
        return np.full(drawn.shape, 1e6, np.float32)
    return cv2.distanceTransform((~drawn).astype(np.uint8), cv2.DIST_L2, 5)


def _share_by_ways(inside: NDArray, drawn: list[NDArray], distances: NDArray) -> NDArray:
    """The number in PARTS of every cell (h, w), -1 outside: whose bones are nearest on a way inside the figure."""
    from scipy.sparse.csgraph import dijkstra

    graph, number = link_pixels(inside, even=True)
    trunk = drawn[0] | drawn[1]
    ways = []
    for part in PARTS:
        bones = PART_BONES[part]
        seeds = trunk if part == "trunk" else np.any([drawn[bone] for bone in bones[1:]], 0) & ~trunk
        chosen = number[seeds & inside]
        ways.append(dijkstra(graph, indices=chosen, min_only=True) if len(chosen) else np.full(graph.shape[0], np.inf))
    owner = np.full(inside.shape, -1)
    owner[inside] = np.argmin(ways, 0)
    for part in ("left_arm", "right_arm"):  # an arm in front of the trunk
        over = distances[PART_BONES[part][2]] < LIMB_RADIUS
        owner[inside & over & drawn[0]] = PARTS.index(part)
    return owner


def _overlap_joint(part: str, owned: dict[str, NDArray], inside: NDArray, at, reach: float) -> NDArray:
    """What a part shows (h, w): its own, a rim, a limb also around its root, the trunk also what a limb covers."""
    import cv2

    own = owned[part]
    if not own.any():
        return own
    region = cv2.dilate(own.astype(np.uint8), np.ones((3, 3))) > 0
    if part == "trunk":
        points = np.argwhere(own)[:, ::-1].astype(np.int32)
        below = points[points[:, 1] > at["neck"][1]]
        hull = np.zeros(own.shape, np.uint8)
        if len(below) > 2:
            cv2.fillConvexPoly(hull, cv2.convexHull(below), 1)
        roots = [at[names[0]] for names in LIMBS.values()]
        return (region | (hull > 0) | _draw_discs(own.shape, roots, reach)) & inside
    return (region | _draw_discs(own.shape, [at[LIMBS[part][0]]], reach)) & inside


def _follow_leg(distances: NDArray) -> NDArray:
    """Where a leg lies, (h, w) bool, by the distances (2, h, w) from thigh and shin: whole where another crosses it."""
    return (distances < np.array([THIGH_RADIUS, SHIN_RADIUS])[:, None, None]).any(0)


def _draw_discs(shape: tuple[int, int], centers, radius: float) -> NDArray:
    import cv2

    image = np.zeros(shape, np.uint8)
    for center in centers:
        cv2.circle(image, tuple(center.round().astype(int).tolist()), max(1, round(radius)), 1, -1)
    return image > 0


def _make_mesh(region: NDArray, shape: tuple[int, int]) -> tuple[Tensor, Tensor, NDArray]:
    """Triangles (T, 3) over a region (h, w) of a picture (H, W), vertices (V, 2) in its pixels, their cells (V, 2)."""
    import cv2

    step = max(1, round(max(region.shape) / CELLS))
    rows, columns = (np.append(np.arange(0, length - 1, step), length - 1) for length in region.shape)
    used = cv2.dilate(region.astype(np.uint8), np.ones((2 * step + 1,) * 2))[np.ix_(rows, columns)] > 0
    squares = used[:-1, :-1] & used[1:, :-1] & used[1:, 1:] & used[:-1, 1:]
    number = np.arange(used.size).reshape(used.shape)
    corners = np.stack([number[:-1, :-1], number[1:, :-1], number[1:, 1:], number[:-1, 1:]], -1)[squares]
    kept, index = np.unique(corners, return_inverse=True)
    corners = torch.from_numpy(index.reshape(corners.shape))
    grid = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2)[kept]
    # The outermost cells reach to the picture's border.
    last = np.array([len(columns) - 1, len(rows) - 1])
    at = np.stack(np.meshgrid(np.arange(len(columns)), np.arange(len(rows))), -1).reshape(-1, 2)[kept]
    place = np.where(at == last, np.array(shape[::-1]), grid * np.array(shape[::-1]) / np.array(region.shape[::-1]))
    faces = torch.cat([corners[:, [0, 1, 2]], corners[:, [0, 2, 3]]])
    return faces, torch.from_numpy(place.astype(np.float32)), grid


def _paint_part(colors: NDArray, matte: NDArray, shares: _Shares, part: str) -> NDArray:
    """The picture (H, W, 4) uint8 of a part: its own colors, continued where other parts cover it."""
    import cv2

    size = matte.shape[::-1]
    share = round_region(shares.regions[part], matte.shape)
    region = share > 0
    painted = colors
    if part == "trunk":
        own = cv2.resize(shares.owned[part].astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
        hidden = region & ~own
        if hidden.any() and own.any():
            painted = np.where(hidden[..., None], push_pull(colors, own & (matte > 127)), colors)
    alpha = np.round(matte * share).astype(np.uint8)
    return np.dstack([np.clip(painted + 0.5, 0, 255).astype(np.uint8), alpha])
