"""Who is on the picture and what is background, at full resolution, along the picture's edges.

A network's mask is coarse and may lose hair and hems. Where the background is plain, what differs from it belongs to
the character; where it is not, `evidence` weighs network and colors. GrabCut (Rother et al. 2004) follows the edges,
and a guided filter (He et al. 2010) makes them soft.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..geometry.box import Box, mask_height
from ..pose.landmarks import Landmarks
from .backdrop import measure_backdrop
from .evidence import settle_figure
from .leaks import CLEAR_LEVEL, POCKET_RIM, find_leaks, find_pockets


GRABCUT_SIDE = 720  # pixels of the longer side: GrabCut's time grows with the area, its outline is refined afterwards
LINE_WIDTH = 0.03  # of the figure's height: half the width of a drawing's thickest line; a felt pen's is 0.015
LEAST_ENCLOSED = 0.75  # of the ink's area: a boy in felt pen has 1.26, a cat of thick lines 0.92
LINE_GAP = 0.008  # of the picture's longer side: gaps in a drawing's lines that are closed
# Of the ground's noise, by which a hole in a figure differs on the median: pale faces, arms and cloth by 2.2 and
# more, ground seen between limbs and hair by up to 1.8 (25 holes of eight pictures, 2026-11-28).
PALE = 2.0
FRAME = 0.01  # of the picture's shorter side: how wide a line around it may be
CROWN_BAND = 0.12  # of the figure's height around the head where its edge is looked for, elsewhere 0.03
HEAD_PART, HEAD_WIDTH = 0.15, 0.45  # of the figure's height: where the head is, and how wide it is at most
# The same around a person whom the network has found: a street at 0.91 gave its pole and pavement to the figure, a
# misty meadow at 0.96 took a hem; plain walls are at 0.98 and above (2026-11-28).
PLAIN_AROUND_PERSON = 0.97
# Of the person's area, beyond a rim of ADDED_REACH heights: more than this is no garment that the network's mask missed
# but sand, sea and a mat on a beach (1.09; 0.07 at most on 16 pictures with plain grounds, 2026-11-28).
MOST_ADDED, ADDED_REACH = 0.5, 0.02


def refine_matte(
    picture: NDArray,
    mask: NDArray,
    landmarks: Landmarks | None = None,
    look_again: Callable[[], NDArray] | None = None,
    *,
    ask: Callable[[], None] = lambda: None,
) -> NDArray:
    """The soft matte (H, W) uint8 of the person that a network's mask (H, W) uint8 marks in a picture (H, W, 3).

    With the person's `landmarks` patches of the background are found that both took for the person. `look_again` gives
    the mask from several looks; it is asked where the background is not plain. `ask` is called between the steps; it
    may raise to cancel.
    """
    core = _find_core(mask)
    inside = _cut_from_backdrop(picture, mask, core, ask)
    ask()
    if inside is None and landmarks is not None and look_again is not None:
        first, mask = mask, look_again()
        inside = settle_figure(picture, mask, first, landmarks)
    elif inside is None:
        inside = _keep_connected(_run_grabcut(picture, _seed_near_mask(mask, core)), core) & ~find_pockets(mask)
    ask()
    if landmarks is not None:
        inside &= ~find_leaks(picture, inside, mask, landmarks, find_pockets(mask))
        ask()
    return _soften_edge(picture, inside)


def _cut_from_backdrop(picture: NDArray, mask: NDArray, core: NDArray, ask: Callable[[], None]) -> NDArray | None:
    """The person (H, W) bool before a plain background; None before another one.

    One that adds much to the network's mask, or something that reaches a side of the picture which the person does not
    reach, has parts that are not plain.
    """
    import cv2

    distance = _measure_plain_backdrop(picture, mask > 127)
    if distance is None:
        return None
    ask()
    inside = _keep_connected(_run_grabcut(picture, _seed_around_person(distance, mask, core)), core)
    reach = max(1, round(ADDED_REACH * (mask_height(mask > 127) or len(mask))))
    near = cv2.dilate((mask > 127).astype(np.uint8), np.ones((2 * reach + 1,) * 2)) > 0
    added = inside & ~near
    is_more = added.sum() > MOST_ADDED * (inside & (mask > 127)).sum()
    sides = ((added[edge].any(), near[edge].any()) for edge in (np.s_[:, 0], np.s_[:, -1], np.s_[0]))
    return None if is_more or any(is_added and not is_near for is_added, is_near in sides) else inside


def _measure_plain_backdrop(picture: NDArray, covered: NDArray) -> NDArray | None:
    """`measure_backdrop` around a person, with or without the picture's frame."""
    found = _measure_at_sizes(picture, covered)
    if found is not None:
        return found
    # A line around the picture, as scans and screenshots have it, is neither plain nor joined to the rest.
    rim = max(2, round(FRAME * min(covered.shape)))
    inner = picture[rim:-rim, rim:-rim]
    return _measure_at_sizes(np.pad(inner, ((rim, rim), (rim, rim), (0, 0)), "edge"), covered)


def _measure_at_sizes(picture: NDArray, covered: NDArray) -> NDArray | None:
    """`measure_backdrop` around a person, if the background is plain at GRABCUT_SIDE too.

    In a large picture the steps from pixel to pixel are small, so a door or a shadow's edge is smooth there.
    """
    import cv2

    scale = GRABCUT_SIDE / max(covered.shape)
    if scale < 1:
        size = (max(1, round(covered.shape[1] * scale)), max(1, round(covered.shape[0] * scale)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        small_cover = cv2.resize(covered.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        if measure_backdrop(small, small_cover, plain_share=PLAIN_AROUND_PERSON) is None:
            return None
    return measure_backdrop(picture, covered, plain_share=PLAIN_AROUND_PERSON)


def cut_object(picture: NDArray, *, ask: Callable[[], None] = lambda: None) -> NDArray | None:
    """The matte of whatever stands before a plain background, or None where the background is not plain.

    `ask` is called between the steps; it may raise to cancel.
    """
    import cv2

    distance = measure_backdrop(picture, np.zeros(picture.shape[:2], bool))
    if distance is None:
        return None
    core = cv2.erode((distance > 8).astype(np.uint8), np.ones((3, 3))) > 0
    if not 0.002 < core.mean() < 0.98:
        return None
    ask()
    settled = _run_grabcut(picture, _seed_by_color(distance, core))
    ask()
    settled = _fill_pale_holes(picture, settled)
    ask()
    return _soften_edge(picture, _fill_drawing(settled) if _is_line_drawing(settled) else settled)


def _is_line_drawing(inside: NDArray) -> bool:
    """Whether what is selected (H, W) bool is lines around empty areas, which are nearly as large as all lines."""
    import cv2

    if not inside.any():
        return False
    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5)[inside]
    enclosed = _fill_drawing(inside).sum() - inside.sum()
    # Hair may be colored in, so a fifth of the ink is let off.
    return bool(np.quantile(depth, 0.8) < LINE_WIDTH * mask_height(inside) and enclosed > LEAST_ENCLOSED * inside.sum())


def _fill_pale_holes(picture: NDArray, inside: NDArray) -> NDArray:
    """What is selected (H, W) bool, with what it encloses that is nearly but not quite of the ground's color.

    A face before white paper is pale; where an arm is bent the paper itself shows. In a large picture the background
    would be continued over a face's soft outline, so it is looked at in a small one.
    """
    import cv2

    scale = min(1.0, GRABCUT_SIDE / max(inside.shape))
    size = tuple(max(1, round(side * scale)) for side in inside.shape[::-1])
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    distance = measure_backdrop(small, np.zeros(small.shape[:2], bool))
    if distance is None:
        return inside
    distance = cv2.resize(distance, inside.shape[::-1], interpolation=cv2.INTER_LINEAR)
    labels, stats = cv2.connectedComponentsWithStats((~inside).astype(np.uint8), connectivity=4)[1:3]
    outside = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    within = cv2.erode((~inside).astype(np.uint8), np.ones((3, 3)), borderValue=1) > 0  # the rim is mixed
    filled = inside.copy()
    for number in set(range(1, len(stats))) - set(outside.tolist()):
        x, y, width, height = stats[number, :4]
        box = np.s_[y : y + height, x : x + width]
        hole = labels[box] == number
        shown = distance[box][hole & within[box]]
        if len(shown) and np.median(shown) > PALE:
            filled[box] |= hole
    return filled


def _fill_drawing(inside: NDArray) -> NDArray:
    """Lines (H, W) bool and all that they enclose, also where they have small gaps."""
    import cv2

    reach = max(1, round(LINE_GAP * max(inside.shape)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    lines = cv2.morphologyEx(np.pad(inside.astype(np.uint8), reach + 1), cv2.MORPH_CLOSE, kernel)
    outside = lines.copy()
    cv2.floodFill(outside, None, (0, 0), 2)
    filled = (outside != 2)[reach + 1 : -reach - 1, reach + 1 : -reach - 1]
    return filled | inside


def _find_core(mask: NDArray) -> NDArray:
    """Pixels that surely belong to the person: well inside the network's mask, (H, W) bool."""
    import cv2

    inside = (mask > 200).astype(np.uint8)
    radius = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    return radius > 0.01 * (mask_height(mask > 127) or len(mask))


def _seed_by_color(distance: NDArray, core: NDArray) -> NDArray:
    """GrabCut's labels from the distance to a plain background."""
    import cv2

    seeds = np.where(distance > 4, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[cv2.blur(distance, (5, 5)) < 1.5] = cv2.GC_BGD
    seeds[(distance > 12) | core] = cv2.GC_FGD
    return seeds


def _seed_around_person(distance: NDArray, mask: NDArray, core: NDArray) -> NDArray:
    """GrabCut's labels from the distance to a plain background, and from where the network sees no person.

    What differs from the background but is clear in the mask (H, W) uint8 is open: hair and hems, or a shadow between
    the feet, the floor seen there, a patch of the background that touches the person. What stands apart from the person
    is background, and tells what its patches look like.
    """
    import cv2

    seeds = _seed_by_color(distance, core)
    height = mask_height(mask > 127) or len(mask)
    away = cv2.distanceTransform((mask < CLEAR_LEVEL).astype(np.uint8), cv2.DIST_L2, 5)
    seeds[(seeds == cv2.GC_FGD) & ~core & (away > POCKET_RIM * height)] = cv2.GC_PR_FGD
    labels = cv2.connectedComponents((distance > 4).astype(np.uint8), connectivity=8)[1]
    apart = (labels > 0) & ~np.isin(labels, np.unique(labels[core]))
    seeds[apart & (mask < CLEAR_LEVEL)] = cv2.GC_BGD
    return seeds


def _seed_near_mask(mask: NDArray, core: NDArray) -> NDArray:
    """GrabCut's labels from the mask alone: only a band around its outline is open."""
    import cv2

    height = mask_height(mask > 127) or len(mask)
    outside = cv2.distanceTransform((mask < CLEAR_LEVEL).astype(np.uint8), cv2.DIST_L2, 5)
    seeds = np.where(mask > 127, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[outside > np.where(_is_beside_head(mask), CROWN_BAND, 0.03) * height] = cv2.GC_BGD
    seeds[core] = cv2.GC_FGD
    return seeds


def _is_beside_head(mask: NDArray) -> NDArray:
    """Where large hair, a hat or a cartoon's crown may be that the network's mask leaves out, (H, W) bool."""
    box = Box.of_mask(mask > 127)
    beside = np.zeros(mask.shape, bool)
    if box is None:
        return beside
    top = box.top + round(HEAD_PART * box.height)
    columns = np.flatnonzero((mask[box.top : top] > 127).any(0))
    reach = round(CROWN_BAND * box.height)
    if len(columns) and np.ptp(columns) < HEAD_WIDTH * box.height:  # else arms are raised
        beside[:top, max(0, columns[0] - reach) : columns[-1] + reach] = True
    return beside


def _run_grabcut(picture: NDArray, seeds: NDArray) -> NDArray:
    """The labels settled, (H, W) bool. Worked at GRABCUT_SIDE; certain labels hold at full size."""
    import cv2

    scale = min(1.0, GRABCUT_SIDE / max(seeds.shape))
    size = (max(1, round(seeds.shape[1] * scale)), max(1, round(seeds.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    labels = cv2.resize(seeds, size, interpolation=cv2.INTER_NEAREST)
    has_both = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).any() and np.isin(labels, (cv2.GC_BGD, cv2.GC_PR_BGD)).any()
    if has_both:
        cv2.setRNGSeed(0)  # its mixture models start from random clusters
        cv2.grabCut(small, labels, None, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    inside = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    settled = cv2.resize(inside, seeds.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return (settled | (seeds == cv2.GC_FGD)) & (seeds != cv2.GC_BGD)


def _keep_connected(inside: NDArray, core: NDArray) -> NDArray:
    """Only what is joined to the core: other things before the same wall do not belong to the character."""
    import cv2

    opened = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3)))
    labels = cv2.connectedComponents(opened, connectivity=8)[1]
    kept = np.unique(labels[core & (opened > 0)])
    return np.isin(labels, kept[kept > 0]) if len(kept) else inside


def _soften_edge(picture: NDArray, inside: NDArray) -> NDArray:
    """The matte along the picture's own edges: no specks, no pinholes, a guided filter in a narrow band."""
    import cv2

    radius = max(2, round(max(inside.shape) / 300))
    solid = _remove_specks(inside)
    guide = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    alpha = _guided_filter(guide, solid.astype(np.float32), radius=radius, epsilon=1e-3)
    alpha = np.clip((alpha - 0.35) / 0.6, 0, 1)  # biased inwards: a light rim shows, a lost half pixel does not
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    alpha[cv2.erode(solid.astype(np.uint8), kernel, borderValue=1) > 0] = 1
    alpha[cv2.dilate(solid.astype(np.uint8), kernel) == 0] = 0
    return (alpha * 255 + 0.5).astype(np.uint8)


def _remove_specks(inside: NDArray) -> NDArray:
    """Islands and holes smaller than 0.02 % of the picture removed."""
    import cv2

    least = max(4, int(2e-4 * inside.size))
    for value in (True, False):
        labels, stats = cv2.connectedComponentsWithStats((inside == value).astype(np.uint8), connectivity=4)[1:3]
        small = stats[:, cv2.CC_STAT_AREA] < least
        small[0] = False
        inside = np.where(small[labels], not value, inside)
    return inside


def _guided_filter(guide: NDArray, values: NDArray, *, radius: int, epsilon: float) -> NDArray:
    """He et al. 2010: values (H, W) made locally linear in the guide (H, W), both 0..1."""
    import cv2

    def mean(image: NDArray) -> NDArray:
        return cv2.boxFilter(image, -1, (2 * radius + 1,) * 2)

    center, average = mean(guide), mean(values)
    slope = (mean(guide * values) - center * average) / (mean(guide * guide) - center * center + epsilon)
    return mean(slope) * guide + mean(average - slope * center)
