"""The outline of a skirt or dress on the picture: its top, its sides and its hem, or that there is none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import BodyModel
from ..body.skeleton import JOINT
from ..geometry.camera import Camera
from .outline import FittedPicture
from .surface import ARM_JOINTS


SKIRT_SIDE = 224  # pixels: the picture is asked at this size
LEAST_LENGTH, LEAST_GAP = 0.1, 0.05  # meters below the crotch, and between the legs, that cloth must fill
LEAST_CUT_GAP = 0.06  # meters, of a picture that ends above the hem: trousers with a low crotch may be cut there
LEAST_FLOOR_GAP = 0.12  # meters, of cloth down to the ankles: trousers of closed legs fill 0.07
CUT_ROWS, CUT_WIDTH = 0.06, 1.35  # meters above such an end; widths of both legs that make cloth there a skirt
LEAST_BEYOND = 0.05  # of that width that it is wider on each side: a shadow lies on one
FILLED_SHARE = 0.75  # of a row between the legs
HEM_REACH, OPEN_SHARE = 0.05, 0.35  # meters below a hem within which the gap opens, and what may be filled there
LEAST_HEM_WIDTH = 0.85  # of the largest width: wide trousers are gathered below the knees, skirts are not
HEM_RANGE = 0.15  # meters that a hem may be higher or lower than between the legs
WAIST_REACH, WIDE_TOP = 0.14, 1.3  # meters above the hips; times the waist's width, of a skirt that starts there
CUT_LENGTH = 0.92  # of the way from hips to ankles, of a skirt whose hem is not in the picture
LARGEST_FLARE = 0.25  # meters that half the width grows a meter, below the picture's end
LARGEST_TILT = 0.3  # of the hips on the picture, which such a hem follows
LEGS = tuple(tuple(JOINT[f"{side}_{name}"] for name in ("hip", "knee", "ankle")) for side in ("left", "right"))


@dataclass(frozen=True)
class SkirtShape:
    """A skirt on the picture, in pixels at SKIRT_SIDE: its rows, and its middle and half width in every row."""

    top: float
    hem: float  # between the legs
    hems: NDArray  # (W,) for every column
    middle: NDArray  # (H + more,) beyond the picture's end as well
    half: NDArray  # the same
    end: float  # the last row of which the picture shows cloth


def measure_skirt(body: BodyModel, naked: Tensor, matte: NDArray, arms: NDArray, camera: Camera) -> SkirtShape | None:
    """The skirt in a matte (h, w) bool with `arms` before it, or None.

    It fills the gap between the legs or, where the picture ends above its hem, is much wider than both of them. If it
    fills the gap down to the ankles the gap has to be wider, or both of them: trousers fill the one of closed legs.
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
    hem, is_cut, opens = _find_hem(cloth, arms, gaps, crotch, meter)
    hides_feet = hem == max(gaps)
    if (hem - crotch) / meter < LEAST_LENGTH or not (opens or hides_feet):
        return None
    gap = max(gaps[row][1] - gaps[row][0] for row in range(crotch, hem + 1)) / meter
    outline = _trace_outline(body, naked, camera)
    ends = is_cut or hides_feet  # without a gap that opens below
    is_wide = ends and _stands_out(cloth, outline, range(max(0, hem - round(CUT_ROWS * meter)), hem))
    least = LEAST_CUT_GAP if is_cut else LEAST_FLOOR_GAP if hides_feet else LEAST_GAP
    if gap < least and not is_wide:
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
        return SkirtShape(top, last, hems, middle, half, hem - 1.0)
    hems = _trace_hem(body, naked, cloth, camera, (middle, half), hem, HEM_RANGE * meter)
    return SkirtShape(top, hem, hems, middle, half, float(len(cloth)))


def _find_hem(
    cloth: NDArray, arms: NDArray, gaps: dict[int, tuple[int, int]], crotch: int, meter: float
) -> tuple[int, bool, bool]:
    """The last row from `crotch` down in which cloth (h, w) bool fills the gap between the legs, and what ends it.

    That is the end of what the picture shows of cloth, which counts for both, or a gap that opens. What `arms` (h, w)
    bool hide tells nothing.
    """
    known = {row: cloth[row, start:end][~arms[row, start:end]] for row, (start, end) in gaps.items()}
    filled = {row: seen.mean() if len(seen) else 1.0 for row, seen in known.items()}
    hem = crotch
    while filled.get(hem + 1, 0) > FILLED_SHARE:
        hem += 1
    is_cut = bool(hem >= min(len(cloth), np.flatnonzero(cloth.any(1))[-1] + 1) - 2)
    below = [filled[row] for row in range(hem + 1, hem + 2 + round(HEM_REACH * meter)) if row in filled]
    return hem, is_cut, is_cut or (len(below) > 0 and min(below) < OPEN_SHARE)


def _find_gaps(body: BodyModel, naked: Tensor, camera: Camera, rows: tuple[int, int]) -> dict[int, tuple[int, int]]:
    """For every row between the legs' inner outlines the first column between them and the one after the last.

    Legs may have changed sides, as a walker's seen from the side; where one hides the other nothing is between them.
    """
    raster = FittedPicture(np.zeros(camera.size[::-1], np.uint8), camera).raster(naked, body.faces)
    part = np.where(raster.mask[0].numpy(), body.face_parts.numpy()[raster.face[0].numpy()], -1)
    left, right = (np.isin(part, leg) for leg in LEGS)
    gaps = {}
    both = [row for row in range(max(rows[0], 0), min(rows[1], len(part))) if left[row].any() and right[row].any()]
    for row in range(both[0], both[-1] + 1) if both else ():
        columns = [np.flatnonzero(leg[row]) for leg in (left, right)]
        seen = sorted((leg for leg in columns if len(leg)), key=np.mean)
        if len(seen) == 2:
            gaps[row] = (int(seen[0].max()) + 1, int(seen[1].min()))
        elif seen:
            gaps[row] = (int(seen[0].mean()),) * 2
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
    before, after = np.array(runs).T
    left, right = left[known], right[known]
    width = right - left
    beyond = np.median((left - before) / width), np.median((after - right) / width)
    return bool(min(beyond) > LEAST_BEYOND and np.median((after - before) / width) > CUT_WIDTH)


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


def cover_rows(shape: SkirtShape, side: int) -> NDArray:
    """What lies within the outline of a skirt on the picture, (side, side) bool."""
    row, column = np.mgrid[:side, :side]
    inside = np.abs(column + 0.5 - shape.middle[:side, None]) <= shape.half[:side, None]
    return inside & (row >= shape.top) & (row <= np.minimum(shape.hems[None, :side], shape.end))
