"""Seen texels that show another part of the body: a trunk on an arm beside it, fingers on a waist or a thigh.

A fit is a few pixels off, so along their common outline two parts show each other's color. It is told by what the part
shows elsewhere: on the other side of the body, or at the same height.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab
from .surface import BodySurface
from .texture import BakedTexture


BAND = 0.04  # meters along a limb that are asked together
SAME_CLOTH = np.array([0.4, 1, 1], np.float32) / 16  # Lab in units within which it is one cloth in light and shade
SPREAD = 8  # every so many of the other side's texels are asked
CONFIRMED_SHARE = 0.05  # of the other arm's texels at that height that must have a color for it to be the arm's
OWN_SHARE = 0.1  # of an arm's texels at a height that the other one must confirm: else the arms differ
PICTURE_REACH = 0.06  # heights of the picture within which a neighbor's color is looked for
FINGER_REACH = 0.07  # heights of the picture around hands within which their fingers may lie
DRESSED_SHARE = 0.6  # of what is seen at a height that must be no skin
SURELY_OTHER = 2.0  # times SAME_CLOTH from all that a trunk shows: its shadows beside arms are nearer
BEFORE_CELLS, BEFORE_REACH = 128, 3  # of the picture's height; of them around arms in which their sleeves may lie
ASKED_SPREADS = (32, 8, 2, 1)  # of a trunk's texels, one after the other: where some are enough, all are
LEAST_SPREAD = 8  # texels, of every SPREAD-th, that are enough to go by


def find_stray_colors(surface: BodySurface, baked: BakedTexture, trusted: NDArray) -> NDArray:
    """Which of the seen texels `trusted` (N,) bool show another part of the body than their own, (N,) bool."""
    face = surface.face & trusted
    lab = convert_to_lab(baked.colors)
    skin = np.median(lab[face], 0) if face.sum() >= LEAST_TEXELS else None
    stray = _find_trunk_on_arms(surface, baked, trusted, lab) | _find_sleeves_on_trunk(surface, baked, trusted, lab)
    return stray if skin is None else stray | _find_fingers(surface, baked, trusted, lab, skin)


def _find_trunk_on_arms(surface: BodySurface, baked: BakedTexture, trusted: NDArray, lab: NDArray) -> NDArray:
    """Which texels (N,) of arms have the color of the trunk beside them and not that of the arms.

    `lab` (N, 3) are all colors. An arm's color is that of the other one at the same height, if it has that at all.
    """
    stray = np.zeros(len(trusted), bool)
    arms = np.flatnonzero(trusted & surface.arms & ~(surface.hands[0] | surface.hands[1]))
    trunk = np.flatnonzero(trusted & (surface.trunk > 0.5))[::SPREAD]
    if not len(arms) or len(trunk) < LEAST_SPREAD:
        return stray
    left = surface.place[arms, 0] > 0
    band = np.floor(np.abs(surface.axis[arms, 0]) / BAND).astype(int)
    like_trunk = _is_beside(baked.place, lab, trunk, arms)
    halves = [np.flatnonzero(left), np.flatnonzero(~left)]
    for mine, other in (halves, halves[::-1]):
        asked = mine[like_trunk[mine]]
        if len(asked) and len(other[::SPREAD]) >= LEAST_SPREAD:
            known, confirmed = _ask_other(surface, lab, arms[mine], arms[other[::SPREAD]])
            own = np.bincount(band[mine], known & confirmed, band.max() + 1) / np.maximum(
                np.bincount(band[mine], minlength=band.max() + 1), 1
            )
            stray[arms[mine[known & ~confirmed & like_trunk[mine] & (own[band[mine]] >= OWN_SHARE)]]] = True
    return stray


def _find_sleeves_on_trunk(surface: BodySurface, baked: BakedTexture, trusted: NDArray, lab: NDArray) -> NDArray:
    """Which texels (N,) of the trunk beside arms have the color of an arm and not that of the trunk at their height.

    Sleeves are wider than the fitted arms. `lab` (N, 3) are all colors.
    """
    from scipy.spatial import cKDTree

    stray = np.zeros(len(trusted), bool)
    trunk = np.flatnonzero(trusted & (surface.trunk > 0.5))
    arms = np.flatnonzero(trusted & surface.arms)[::SPREAD]
    near = trunk[_is_near_arms(surface, baked.place, trunk)]
    if not len(near) or len(arms) < LEAST_SPREAD:
        return stray
    near = near[_is_beside(baked.place, lab, arms, near)]
    others = np.setdiff1d(trunk, near)[::SPREAD]
    if len(near) and len(others) >= LEAST_SPREAD:
        levels, height = np.sort(surface.place[others, 1]), surface.place[near, 1]
        total = np.searchsorted(levels, height + BAND) - np.searchsorted(levels, height - BAND)
        near, total = near[total >= LEAST_SPREAD], total[total >= LEAST_SPREAD]
        features = np.column_stack([lab[others] * SAME_CLOTH, surface.place[others, 1] / BAND])
        for spread in ASKED_SPREADS:
            asked = np.column_stack([lab[near] * SAME_CLOTH, surface.place[near, 1] / BAND])
            alike = cKDTree(features[::spread]).query_ball_point(asked, SURELY_OTHER, return_length=True, workers=-1)
            few = alike < CONFIRMED_SHARE * total
            near, total = near[few], total[few]
        stray[near] = True
    return stray


def _is_near_arms(surface: BodySurface, place: NDArray, texels: NDArray) -> NDArray:
    """Which texels (n,) lie near some of the arms on the picture, by cells of `place` (N, 2), (n,) bool."""
    import cv2

    cells = np.clip(place * BEFORE_CELLS, 0, BEFORE_CELLS - 1).astype(int)
    covered = np.zeros((BEFORE_CELLS, BEFORE_CELLS), np.uint8)
    covered[tuple(cells[surface.arms].T)] = 1
    covered = cv2.dilate(covered, np.ones((2 * BEFORE_REACH + 1,) * 2))
    return covered[tuple(cells[texels].T)] > 0


def _is_beside(place: NDArray, lab: NDArray, source: NDArray, target: NDArray) -> NDArray:
    """Which texels `target` (n,) have the color of one of `source` (m,) near them on the picture, (n,) bool."""
    from scipy.spatial import cKDTree

    features = [
        np.column_stack([place[texels] / PICTURE_REACH, lab[texels] * SAME_CLOTH]) for texels in (source, target)
    ]
    return np.isfinite(cKDTree(features[0]).query(features[1], distance_upper_bound=1.0, workers=-1)[0])


def _ask_other(surface: BodySurface, lab: NDArray, mine: NDArray, other: NDArray) -> tuple[NDArray, NDArray]:
    """Whether enough of the arm `other` (m,) is seen at the height of texels `mine` (n,), and has their color."""
    from scipy.spatial import cKDTree

    along = [np.abs(surface.axis[texels, 0]) for texels in (mine, other)]
    features = [
        np.column_stack([lab[texels] * SAME_CLOTH, at / BAND]) for texels, at in zip((mine, other), along, strict=True)
    ]
    alike = cKDTree(features[1]).query_ball_point(features[0], 1.0, return_length=True, workers=-1)
    levels = np.sort(along[1])
    total = np.searchsorted(levels, along[0] + BAND) - np.searchsorted(levels, along[0] - BAND)
    return total >= LEAST_SPREAD, alike >= CONFIRMED_SHARE * total


def _find_fingers(surface: BodySurface, baked: BakedTexture, trusted: NDArray, lab: NDArray, skin: NDArray) -> NDArray:
    """Which texels (N,) of trunk and legs beside the hands are skin where clothes are seen at the same height."""
    from scipy.spatial import cKDTree

    stray = np.zeros(len(trusted), bool)
    hands = np.flatnonzero(surface.hands[0] | surface.hands[1])
    body = np.flatnonzero(trusted & ~surface.arms & (surface.head <= 0.5))
    if not len(body):
        return stray
    tree = cKDTree(baked.place[hands[::SPREAD]])
    near = np.isfinite(tree.query(baked.place[body], distance_upper_bound=FINGER_REACH, workers=-1)[0])
    bare = color_distance(lab[body], skin) < SAME_COLOR
    band = np.floor(surface.axis[body, 1] / BAND).astype(int)
    band -= band.min()
    total, covered = (np.bincount(band, chosen, band.max() + 1) for chosen in (np.ones_like(bare), ~bare))
    is_dressed = (total >= LEAST_TEXELS) & (covered > DRESSED_SHARE * total)
    stray[body[near & bare & is_dressed[band]]] = True
    return stray
