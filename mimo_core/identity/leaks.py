"""Patches of the background that a matte kept: between arm and body, between the legs, beside a hand.

A patch is background where its colors are those of the background nearby and not those of the body nearby, which is
known along the bones that the network sees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..geometry.box import mask_height
from ..pose.blazepose import (
    ANKLES,
    EARS,
    ELBOWS,
    HEELS,
    HIPS,
    INDICES,
    KNEES,
    PINKIES,
    SEEN_CONFIDENCE,
    SHOULDERS,
    TOES,
    WRISTS,
)
from ..pose.landmarks import Landmarks


CLEAR_LEVEL = 100  # of 255: the network's mask of what is surely not the person
POCKET_RIM = 0.005  # of the figure's height: a pocket's rim may still be the figure's
WORK_SIDE = 720  # pixels of the longer side on which colors are compared
NEARBY = 0.05  # of the figure's height: a cell of the grid on which colors are counted
SAME_COLOR = (12.0, 7.0, 7.0)  # levels of 8-bit CIELAB: its other sides
MOST_CELLS = 48  # along the longer side of what is counted: the grid has five dimensions
CELL_BLUR = (1.2, 1.2, 0.7, 0.7, 0.7)  # cells
FAR_BLUR, FAR_WEIGHT = 3.0, 0.05  # cells: what is farther away counts where nothing near has the color
LEAST_DENSITY = 2e-7  # of a class in a cell: a color that is rarer in both tells nothing
REACH = 0.25  # of the figure's height: how far from the matte the background is looked at
RIM = 0.01  # of the figure's height beside the outline that may be either
SURE = 1.5  # logarithm of how much likelier a color is on one than on the other
LIKELY, POCKET_SHARE = 1.75, 0.5  # the same on average over a patch; the share of it that the network leaves open
# Cloth that is shaded like what is behind it runs into it, a patch of the background ends at an edge: in levels of
# 8-bit CIELAB over four pixels, on a share of the way along which patch and figure meet.
EDGE, EDGE_SHARE = 10.0, 0.8
CLOSED_SHARE = 0.7  # the same of the way along which it meets the outside, from which on it is a thing of its own
FIGURE, OUTSIDE, OTHERS = 1, 2, 2  # numbers of the watershed's regions; patches follow
NETWORK_RIM = 0.015  # of the figure's height: the network's outline is that coarse
MIXED = 0.003  # of the figure's height: half the width of the matte's rim, where colors are mixed
LEAST_PATCH = 2e-4  # of the figure's height squared
# Widths of what is surely the body along a bone, in shoulder widths: well within a slim person's.
BONES = (
    (SHOULDERS, ELBOWS, 0.13),
    (ELBOWS, WRISTS, 0.1),
    (HIPS, KNEES, 0.2),
    (KNEES, ANKLES, 0.14),
    (ANKLES, HEELS, 0.12),
    (ANKLES, TOES, 0.12),
    (HEELS, TOES, 0.12),
    (WRISTS, PINKIES, 0.06),
    (WRISTS, INDICES, 0.06),
)
NECK_WIDTH, LEAST_HEAD = 0.2, 0.12  # the same; the head's radius if it is seen from the side
LEAST_SHOULDERS = 0.6  # of the trunk's length: the width of shoulders that are seen from the side
LARGEST_UNIT = 4096  # pixels: landmarks far outside the picture are beyond what OpenCV draws
TIP_RADIUS = 0.2  # of hands and feet that point at the camera
HAIR = 2.2, 0.035  # head radii around the ears; how deep in the mask hair is sure, of the figure's height


def find_leaks(
    picture: NDArray, inside: NDArray, mask: NDArray, landmarks: Landmarks, pockets: NDArray | None = None
) -> NDArray:
    """The pixels (H, W) bool of a matte that show the background.

    Args:
        picture: (H, W, 3) uint8 RGB.
        inside: (H, W) bool, the matte.
        mask: (H, W) uint8, the network's.
        landmarks: Of one frame, in the picture's pixels.
        pockets: (H, W) bool, what the network encloses but leaves open; background unless its colors are the figure's.
    """
    import cv2

    scale = min(1.0, WORK_SIDE / max(inside.shape))
    size = tuple(max(1, round(side * scale)) for side in inside.shape[::-1])
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    kept = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    seen = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
    height = mask_height(seen > 127)
    if not height:
        return np.zeros(inside.shape, bool)
    body, head, spared = mark_bones(landmarks.pixels[0].numpy() * scale, landmarks.confidence[0].numpy(), kept.shape)
    depth = cv2.distanceTransform((seen > 200).astype(np.uint8), cv2.DIST_L2, 5)
    known = kept & (depth > np.where(body, RIM, HAIR[1]) * height) & (body | head)
    away = cv2.distanceTransform((~(kept | (seen > 127))).astype(np.uint8), cv2.DIST_L2, 5)
    ground = (away > RIM * height) & (away < REACH * height)
    if not known.any() or not ground.any():
        return np.zeros(inside.shape, bool)
    holes = np.zeros(kept.shape, bool)
    if pockets is not None:
        holes = kept & ~known & (cv2.resize(pockets.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)
    asked = kept & ~known & (~spared | (holes & ~head))  # a hand on a hip closes a pocket
    holes &= asked
    ratio = compare_colors(small, known, ground, asked, height)
    leaks = _find_patches(small, ratio, kept, known, asked, holes, height)
    return inside & (cv2.resize(leaks.astype(np.float32), inside.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5)


def mark_bones(points: NDArray, confidence: NDArray, shape: tuple[int, int]) -> tuple[NDArray, NDArray, NDArray]:
    """What is surely the body of a person with landmarks (33, 2), where the hair is, and what no color decides.

    All (H, W) bool. Hair is as dark as any night behind it, and a finger or a shoe is soon lost.
    """
    import cv2

    drawn, head, spared = np.zeros((3, *shape), np.uint8)
    shoulders, hips, ears = (points[list(pair)] for pair in (SHOULDERS, HIPS, EARS))
    trunk = np.linalg.norm(shoulders.mean(0) - hips.mean(0))
    unit = min(max(np.linalg.norm(shoulders[0] - shoulders[1]), LEAST_SHOULDERS * trunk), LARGEST_UNIT)
    radius = max(np.linalg.norm(ears[0] - ears[1]) / 2, LEAST_HEAD * unit)
    cv2.fillConvexPoly(drawn, np.array([*map(_to_pixel, (*shoulders, *hips[::-1]))], np.int32), 1)
    cv2.circle(drawn, _to_pixel(ears.mean(0)), round(radius), 1, -1)
    cv2.circle(head, _to_pixel(ears.mean(0)), round(HAIR[0] * radius), 1, -1)
    cv2.line(drawn, _to_pixel(ears.mean(0)), _to_pixel(shoulders.mean(0)), 1, max(1, round(NECK_WIDTH * unit)))
    for starts, ends, width in BONES:
        for start, end in zip(starts, ends, strict=True):
            if confidence[start] > SEEN_CONFIDENCE:  # its end may lie outside the picture
                cv2.line(drawn, _to_pixel(points[start]), _to_pixel(points[end]), 1, max(1, round(width * unit)))
    for roots, tips in ((WRISTS, INDICES), (ANKLES, TOES)):
        for root, tip in zip(roots, tips, strict=True):
            radius = max(np.linalg.norm(points[root] - points[tip]), TIP_RADIUS * unit)
            cv2.circle(spared, _to_pixel(points[tip]), round(radius), 1, -1)
    return drawn > 0, head > 0, (head | spared) > 0


def _to_pixel(point: NDArray) -> tuple[int, int]:
    x, y = np.clip(point, -LARGEST_UNIT, LARGEST_UNIT)  # of what is far outside OpenCV's fixed point numbers overflow
    return round(float(x)), round(float(y))


def compare_colors(
    picture: NDArray, known: NDArray, ground: NDArray, asked: NDArray, height: int, *, whole: float = 0.0
) -> NDArray:
    """How much likelier (H, W) float32 the colors of the pixels `asked` are on the ground; logarithms, 0 elsewhere.

    Both classes' pixels, (H, W) bool, are counted on a grid over place and color (Chen et al. 2007), blurred. A color
    anywhere in its class counts `whole` as much as one nearby.
    """
    import cv2
    from scipy.ndimage import map_coordinates

    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    counted = known | ground | asked
    rows, columns = (np.flatnonzero(counted.any(axis)) for axis in (1, 0))
    box = max(np.ptp(rows), np.ptp(columns)) + 1
    cell = np.array([max(NEARBY * height, box / MOST_CELLS)] * 2 + list(SAME_COLOR), np.float32)

    def locate(where: NDArray) -> NDArray:
        return np.column_stack([np.argwhere(where), lab[where]]).T / cell[:, None]

    low = np.array([rows[0], columns[0], *lab.min((0, 1))]) / cell
    low[:2] = np.floor(low[:2])  # the cells are those of a grid over the whole picture
    high = np.array([rows[-1] + 1, columns[-1] + 1, *lab.max((0, 1))]) / cell
    shape = tuple((np.ceil(high - low) + 2).astype(int))
    likely = [_count_on_grid(locate(pixels) - low[:, None], shape, whole) for pixels in (ground, known)]
    at = locate(asked) - low[:, None]
    on_ground, on_figure = (map_coordinates(counts, at, order=1, mode="nearest") for counts in likely)
    ratio = np.zeros(asked.shape, np.float32)
    ratio[asked] = np.log((on_ground + LEAST_DENSITY) / (on_figure + LEAST_DENSITY))
    return ratio


def _count_on_grid(places: NDArray, shape: tuple[int, ...], whole: float) -> NDArray:
    """The density of points (5, n) on a grid, blurred, and `whole` times its mean over all places added."""
    from scipy.ndimage import gaussian_filter

    cells = np.ravel_multi_index(np.round(places).astype(int), shape, mode="clip")
    density = np.zeros(shape, np.float32)
    filled, counts = np.unique(cells, return_counts=True)  # next to all cells are empty
    density.flat[filled] = counts / places.shape[1]
    near = gaussian_filter(density, CELL_BLUR, mode="constant", output=density)
    far = gaussian_filter(near, (FAR_BLUR, FAR_BLUR, 0, 0, 0), mode="constant")
    near += np.multiply(far, FAR_WEIGHT, out=far)
    if whole:
        near += whole * near.mean((0, 1))
    return near


def _find_patches(
    picture: NDArray, ratio: NDArray, kept: NDArray, known: NDArray, asked: NDArray, pockets: NDArray, height: int
) -> NDArray:
    """Patches (H, W) bool that are background and end at an edge, of a figure of that height.

    From where colors are sure the picture's edges are looked for (watershed, Meyer 1992).
    """
    import cv2

    smooth = cv2.medianBlur(ratio, 5)
    # The matte's mixed rim joins all patches, and only where a region is wider than the rim it says what it is.
    reach = max(1, round(MIXED * height))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    pockets = _keep_unlike(pockets, smooth)
    middles = cv2.distanceTransform(pockets.astype(np.uint8), cv2.DIST_L2, 5) > NETWORK_RIM * height
    sure = (asked & ((smooth > SURE) | (middles & (smooth > -SURE)))).astype(np.uint8)
    sure = cv2.morphologyEx(sure, cv2.MORPH_OPEN, kernel)
    count, labels = cv2.connectedComponents(sure, connectivity=4)
    beside = cv2.distanceTransform((~pockets).astype(np.uint8), cv2.DIST_L2, 5) <= NETWORK_RIM * height
    figure = known | (asked & ~beside & (smooth < -SURE))
    markers = np.where(labels > 0, labels + OTHERS, 0).astype(np.int32)
    markers[figure & (sure == 0)] = FIGURE
    markers[~kept] = OUTSIDE
    settled = cv2.watershed(picture, markers)
    lab = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), (0, 0), 1).astype(np.float32)
    found = np.zeros(asked.shape, bool)
    for number in range(1, count):
        patch = settled == number + OTHERS
        is_likely = patch.sum() >= LEAST_PATCH * height**2 and (
            ratio[patch].mean() >= LIKELY or pockets[patch].mean() >= POCKET_SHARE
        )
        patch = patch.astype(np.uint8)
        if not is_likely or _share_of_edges(lab, patch, settled == FIGURE) < EDGE_SHARE:
            continue
        # Background runs on outside; a veil, a glow and a colored hem end there too.
        if _share_of_edges(lab, patch, settled == OUTSIDE) <= CLOSED_SHARE:
            found |= cv2.dilate(patch, np.ones((3, 3))) > 0  # the watershed itself is nobody's
    return found & asked


def _keep_unlike(pockets: NDArray, ratio: NDArray) -> NDArray:
    """Those pockets (H, W) bool whose colors are on the whole not clearly the figure's."""
    import cv2

    count, labels = cv2.connectedComponents(pockets.astype(np.uint8), connectivity=4)
    total = np.bincount(labels.ravel(), weights=ratio.ravel(), minlength=count)
    likely = total > -SURE * np.bincount(labels.ravel(), minlength=count)
    likely[0] = False
    return likely[labels]


def _share_of_edges(lab: NDArray, patch: NDArray, other: NDArray) -> float:
    """The share of where a patch (H, W) uint8 meets another region that is an edge of the picture's colors (H, W, 3).

    0 where they do not meet.
    """
    shares = []
    for down, right in ((0, 4), (4, 0), (0, -4), (-4, 0)):
        beside = np.roll(patch, (down, right), (0, 1)) > 0
        meets = beside & other
        difference = np.linalg.norm(lab - np.roll(lab, (down, right), (0, 1)), axis=2)
        shares.append(difference[meets] > EDGE)
    found = np.concatenate(shares)
    return float(found.mean()) if len(found) else 0.0


def find_pockets(mask: NDArray) -> NDArray:
    """What a network's mask leaves clear and encloses, (H, W) bool, without the rim.

    A network loses hair and hems along the outline, but what it leaves open between arm and head is open.
    """
    import cv2

    clear = (mask < CLEAR_LEVEL).astype(np.uint8)
    labels = cv2.connectedComponents(clear, connectivity=4)[1]
    open_labels = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    depth = cv2.distanceTransform(clear, cv2.DIST_L2, 5)
    return (depth > POCKET_RIM * (mask_height(mask > 127) or len(mask))) & ~np.isin(labels, open_labels)
