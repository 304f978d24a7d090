"""The joints of a figure on its picture, in two dimensions, for what no body can be fitted to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..body.landmarks import other_side
from ..errors import InputError
from ..geometry.box import Box, mask_height
from ..pose.blazepose import ANKLES, ELBOWS, HIPS, KNEES, NOSE, SHOULDERS, WRISTS, CropRegion, load_blazepose
from ..pose.tracking import PRESENT_SCORE


LIMBS = {  # joints from the trunk outwards
    "left_arm": ("left_shoulder", "left_elbow", "left_wrist"),
    "right_arm": ("right_shoulder", "right_elbow", "right_wrist"),
    "left_leg": ("left_hip", "left_knee", "left_ankle"),
    "right_leg": ("right_hip", "right_knee", "right_ankle"),
}
LANDMARKS = {"nose": NOSE} | {
    f"{side}_{joint}": numbers[at]
    for joint, numbers in zip(
        ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"),
        (SHOULDERS, ELBOWS, WRISTS, HIPS, KNEES, ANKLES),
        strict=True,
    )
    for at, side in enumerate(("left", "right"))
}
PICTURE_JOINTS = ("pelvis", "neck", "head", *(joint for limb in LIMBS.values() for joint in limb))
TRUNK = ("nose", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
SKIN = (205, 160, 130)  # the color in which the network takes a silhouette for a person; of a drawing it sees the lines
SURE_TRUNK = 0.7  # confidence of shoulders and hips
GRID_SIDE = 128  # pixels of the longer side on which ways inside a silhouette are measured
# Shares of the way from shoulder to fingertips and from hip to toes.
ARM_SHARES, LEG_SHARES = (0.45, 0.85), (0.45, 0.84)
# Of the way from the neck down to the soles, for a figure with a large head.
SHORT_LEGS = (0.65, 0.8, 0.93)  # hips, knees and ankles
LOW_HIPS, APART = 0.85, 0.12  # where the network puts hips at least; how far up legs stand apart
BONE_STEPS = 20  # places along a bone that are asked whether they lie on the figure
LEAST_LIMB = 0.12  # of the figure's height that a limb must be long to be one


@dataclass(frozen=True, eq=False)
class PictureJoints:
    """Where PICTURE_JOINTS lie on a picture, (15, 2) pixels; named as on the body, though legs may be of any length."""

    pixels: NDArray

    def __post_init__(self):
        if self.pixels.shape != (len(PICTURE_JOINTS), 2):
            raise InputError(f"A figure has {len(PICTURE_JOINTS)} joints of 2 values, got {self.pixels.shape}.")

    def at(self, name: str) -> NDArray:
        return self.pixels[PICTURE_JOINTS.index(name)]

    def measure_inside(self, matte: NDArray) -> float:
        """The share of the limbs, as far as they are in the picture, that lies on a matte (H, W) uint8; 1 of none."""
        along = np.linspace(0, 1, BONE_STEPS)[:, None]
        bones = [(self.at(start), self.at(end)) for limb in LIMBS.values() for start, end in pairwise(limb)]
        columns, rows = np.concatenate([start + along * (end - start) for start, end in bones]).T.astype(int)
        shown = (rows >= 0) & (rows < matte.shape[0]) & (columns >= 0) & (columns < matte.shape[1])
        return float((matte[rows[shown], columns[shown]] > 127).mean()) if shown.any() else 1.0

    def moved(self, right: float, down: float) -> PictureJoints:
        return PictureJoints(self.pixels + np.array([right, down], self.pixels.dtype))


def joints_from_landmarks(pixels: NDArray) -> PictureJoints:
    """The joints of a person whose landmarks (33, 2) the network sees."""
    return _assemble({name: pixels[number] for name, number in LANDMARKS.items()})


def find_silhouette_joints(matte: NDArray) -> PictureJoints | None:
    """The joints of a figure of which only the silhouette (H, W) uint8 speaks: a drawing, a toy, an animal upright.

    The network sees the trunk if the silhouette is painted like skin; the limbs are the longest ways inside it, or
    where the network sees them if that is farther. None where there is no trunk or where two limbs or more are missing.
    A figure looks at us, so its left is on our right.
    """
    seen = _find_trunk(matte)
    if seen is None:
        return None
    trunk = {name: place for name, place in seen.items() if name in TRUNK}
    return _follow_limbs(matte, trunk, most_missing=1, guesses=seen)


def find_short_joints(pixels: NDArray, matte: NDArray) -> PictureJoints | None:
    """The joints of a figure on two short legs, (H, W) uint8, whose hips the network puts where its soles are or below.

    Shoulders and nose are those of the network's landmarks `pixels` (33, 2), arms the longest ways inside the matte.
    None for a figure that is cut off, or whose hips are not that low, and where an arm is missing.
    """
    found = {name: pixels[number] for name, number in LANDMARKS.items()}
    neck = (found["left_shoulder"] + found["right_shoulder"]) / 2
    box = Box.of_mask(matte > 127)
    if box is None or not box.top <= neck[1] < box.bottom:
        return None
    length = box.bottom - neck[1]
    lowest = min(found["left_hip"][1], found["right_hip"][1])
    columns = _find_legs(matte, round(box.bottom - APART * length), box.bottom)
    if lowest < neck[1] + LOW_HIPS * length or columns is None:
        return None
    is_mirrored = found["left_shoulder"][0] < found["right_shoulder"][0]
    right, left = columns[::-1] if is_mirrored else columns
    known = {name: found[name] for name in ("nose", "left_shoulder", "right_shoulder")}
    for side, column in (("left", left), ("right", right)):
        for joint, share in zip(("hip", "knee", "ankle"), SHORT_LEGS, strict=True):
            known[f"{side}_{joint}"] = np.array([column, neck[1] + share * length], np.float32)
    below = matte.copy()
    below[: round(neck[1])] = 0  # else the longest way from a shoulder leads through the cheek into the hair
    return _follow_limbs(below, known, most_missing=0)


def _follow_limbs(
    matte: NDArray, trunk: dict[str, NDArray], *, most_missing: int, guesses: dict[str, NDArray] | None = None
) -> PictureJoints | None:
    """The joints of a silhouette with those of its trunk; None where more than `most_missing` limbs are.

    Limbs whose ends are known are not looked for. Of a way and of what `guesses` say what reaches farther counts.
    """
    found = dict(trunk)
    ways = _Ways(matte, trunk)
    missing = 0
    for limb, names in LIMBS.items():
        if names[-1] in found:
            continue
        guess = {name: guesses[name] for name in names[1:]} if guesses else {}
        limbs = [each for each in (_share_way(ways.longest(limb), names), guess) if each]
        if not limbs:
            missing += 1
            continue
        # A way that ends early went round a belly or a cheek; a guess does beside a thick limb.
        found |= max(limbs, key=lambda each: _reach(each[names[-1]], found[names[0]], matte))
    return None if missing > most_missing else _assemble(found)


def _share_way(way: NDArray | None, names: tuple[str, ...]) -> dict[str, NDArray]:
    """Where a limb's joints lie on the way (n, 2) from its root to its end; nowhere without one."""
    if way is None:
        return {}
    shares = ARM_SHARES if names[-1].endswith("wrist") else LEG_SHARES
    return {name: way[round(share * (len(way) - 1))] for name, share in zip(names[1:], shares, strict=True)}


def _reach(end: NDArray, root: NDArray, matte: NDArray) -> float:
    """How far a limb's end (2,) is from its root; beside the matte it is no end."""
    column, row = (int(value) for value in end)
    height, width = matte.shape
    is_inside = 0 <= row < height and 0 <= column < width and matte[row, column] > 127
    return float(np.linalg.norm(end - root)) if is_inside else 0.0


def _find_legs(matte: NDArray, top: int, bottom: int) -> tuple[float, float] | None:
    """The middles of the two legs that stand apart in the lowest rows of a figure; None for one leg, a hem, or more."""
    inside = (matte[top:bottom] > 127).mean(0) > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    wide = ends - starts > 0.2 * np.max(ends - starts, initial=1)
    if wide.sum() != 2:
        return None
    first, second = ((starts + ends) / 2)[wide].tolist()
    return first, second


def _assemble(found: dict[str, NDArray]) -> PictureJoints:
    neck = (found["left_shoulder"] + found["right_shoulder"]) / 2
    pelvis = (found["left_hip"] + found["right_hip"]) / 2
    found = {**found, "neck": neck, "pelvis": pelvis, "head": found["nose"]}
    return PictureJoints(np.array([found[name] for name in PICTURE_JOINTS], np.float32))


def _find_trunk(matte: NDArray) -> dict[str, NDArray] | None:
    """The network's joints on the silhouette, by name; None where it sees nobody."""
    inside = matte > 127
    painted = np.full((*matte.shape, 3), 255, np.uint8)
    painted[inside] = SKIN
    box = Box.of_mask(inside)
    if box is None:
        return None
    straight = _look_at(painted, box)
    mirrored = None if straight is None else _look_at(painted[:, ::-1], Box.of_mask(inside[:, ::-1]))
    if mirrored is None:
        return None
    width = matte.shape[1]
    mirrored = {other_side(name): np.array([width - x, y], np.float32) for name, (x, y) in mirrored.items()}
    return {name: (place + mirrored[name]) / 2 for name, place in straight.items()}


def _look_at(painted: NDArray, box: Box) -> dict[str, NDArray] | None:
    """The joints of a painted silhouette by name, its left on our right; None where the network sees no trunk."""
    networks, region = load_blazepose(), CropRegion.from_box(box)
    for _ in range(2):
        pose = networks.find_landmarks(painted, region)
        region = pose.next_region
    found = {name: pose.pixels[number] for name, number in LANDMARKS.items()}
    if pose.score < PRESENT_SCORE or pose.confidence[[*SHOULDERS, *HIPS]].min() < SURE_TRUNK:
        return None
    if found["left_shoulder"][0] < found["right_shoulder"][0]:
        found = {other_side(name): place for name, place in found.items()}
    return found


class _Ways:
    """Ways inside a silhouette, on a coarse grid, that keep away from its edge."""

    def __init__(self, matte: NDArray, trunk: dict[str, NDArray]):
        import cv2

        self.scale = min(1.0, GRID_SIDE / max(matte.shape))
        size = tuple(max(2, round(length * self.scale)) for length in matte.shape[::-1])
        self.inside = cv2.resize(matte, size, interpolation=cv2.INTER_AREA) > 127
        self.height = mask_height(self.inside)
        self.trunk = {name: place * self.scale for name, place in trunk.items()}
        self.owner = self._share_silhouette()

    def longest(self, limb: str) -> NDArray | None:
        """The way (n, 2) in pixels of the picture from a limb's root to its end, or None if it is too short."""
        from scipy.sparse.csgraph import dijkstra

        own = self.owner == list(LIMBS).index(limb)
        root = self.trunk[LIMBS[limb][0]]
        if not own.any():
            return None
        graph, _ = link_pixels(own)
        places = np.argwhere(own)[:, ::-1]
        start = int(np.linalg.norm(places - root, axis=1).argmin())
        distance, before = dijkstra(graph, indices=start, return_predecessors=True)
        end = int(np.where(np.isfinite(distance), distance, -1).argmax())
        way = [end]
        while way[-1] != start:
            way.append(int(before[way[-1]]))
        steps = np.concatenate([root[None], places[way[::-1]] + 0.5])
        if np.linalg.norm(np.diff(steps, axis=0), axis=1).sum() < LEAST_LIMB * self.height:
            return None
        return steps / self.scale

    def _share_silhouette(self) -> NDArray:
        """Which limb every pixel belongs to, by number in LIMBS, or -1: at whose root a way from it meets the trunk.

        What meets it at the head is no limb.
        """
        from scipy.sparse.csgraph import dijkstra

        graph, number = link_pixels(self.inside)
        trunk, head = self._draw_trunk()
        trunk, head = trunk & self.inside, head & self.inside
        owner = np.full(self.inside.shape, -1)
        if not (trunk | head).any():
            return owner
        distance, _, source = dijkstra(graph, indices=number[trunk | head], min_only=True, return_predecessors=True)
        places = np.argwhere(self.inside)[:, ::-1]
        roots = np.stack([self.trunk[names[0]] for names in LIMBS.values()])
        nearest = np.linalg.norm(places[:, None] - roots, axis=2).argmin(1)
        nearest[number[head & ~trunk]] = -1
        owner[self.inside] = np.where((source >= 0) & (distance > 0), nearest[source.clip(0)], -1)
        return owner

    def _draw_trunk(self) -> tuple[NDArray, NDArray]:
        """The area between shoulders and hips, and the line from the neck to the crown, (H, W) bool each."""
        import cv2

        area, line = np.zeros((2, *self.inside.shape), np.uint8)
        at = self.trunk
        corners = [at[name] for name in ("left_shoulder", "right_shoulder", "right_hip", "left_hip")]
        cv2.fillConvexPoly(area, np.array(corners).round().astype(np.int32), 1)
        neck = (at["left_shoulder"] + at["right_shoulder"]) / 2
        crown = at["nose"] + 0.7 * (at["nose"] - neck)
        cv2.line(line, *(tuple(place.round().astype(int).tolist()) for place in (neck, crown)), 1)
        return area > 0, line > 0


def link_pixels(inside: NDArray, *, even: bool = False):
    """Neighboring pixels of a mask (H, W) bool linked: distances, sparse (N, N), and the pixels' numbers (H, W).

    Ways are cheaper the further they are from the mask's edge, unless all places are `even`.
    """
    import cv2
    from scipy import sparse

    count, number = int(inside.sum()), np.full(inside.shape, -1)
    number[inside] = np.arange(count)
    depth = cv2.distanceTransform(np.pad(inside.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    rows, columns, costs = [], [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = np.s_[: inside.shape[0] - down, max(0, -right) : inside.shape[1] - max(0, right)]
        there = np.s_[down:, max(0, right) : inside.shape[1] + min(0, right)]
        linked = inside[here] & inside[there]
        rows.append(number[here][linked])
        columns.append(number[there][linked])
        narrow = 0 if even else 2 / (depth[here][linked] + depth[there][linked])
        costs.append(np.full(linked.sum(), np.hypot(down, right)) * (1 + narrow))
    places = np.concatenate(rows), np.concatenate(columns)
    matrix = sparse.coo_matrix((np.concatenate(costs), places), (count, count)).tocsr()
    return matrix + matrix.T, number
