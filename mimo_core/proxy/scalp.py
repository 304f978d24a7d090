"""The sides and the back of the head: where they are hair and where skin, and of what color."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..body.model import free_body
from .coarse import measure_distances
from .hair import blend_nearest, comb_hair
from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab
from .surface import BodySurface


EVIDENCE_REACH = 0.01  # meters from what is seen at which it counts as much as where hair grows on most heads
HAIRLINE_BLUR = 0.3  # of 1: the range of doubt over which hair goes over into skin
OTHER_RAY = 0.1  # of a color: so far from the skin's in any light it may be hair in the shade
BELOW_EAR, BEFORE_EAR = 0.06, 0.04  # meters from an ear's middle within which hair that covers it hangs
BRIGHTEST_LOCK = 2.4  # times the hair's usual brightness: beyond it is what shines through or behind
COVERED_SHARE = 0.8  # of what is seen there; beside bare ears at most 0.63 (six characters, 2026-11-28)


def find_locks(surface: BodySurface, shown: NDArray, trusted: NDArray, hair: NDArray) -> NDArray:
    """The seen texels (m,) of the head that are hair in whatever light, those of `hair` (n,) among them."""
    if not len(hair):
        return hair
    other = np.setdiff1d(np.flatnonzero((surface.head > 0.5) & trusted), hair)
    other = other[shown[other].mean(1) < BRIGHTEST_LOCK * np.median(shown[hair].mean(1))]
    return np.union1d(hair, other[_is_shaded_hair(surface, shown, trusted, other, shown[hair])])


def grow_head(
    surface: BodySurface,
    shown: NDArray,
    trusted: NDArray,
    hair: NDArray,
    locks: NDArray,
    colors: NDArray,
    *,
    is_long: bool,
):
    """Give what is hidden of the head in `colors` (N, 3) the colors of its seen `hair` (n,) or of its skin.

    `locks` (m,) are what `find_locks` says. Hair that `is_long` covers ears and nape. Where nothing of the head is seen
    nothing changes.
    """
    head = surface.head > 0.5
    seen = np.flatnonzero(head & trusted)
    target = np.flatnonzero((head | (surface.nape & is_long)) & ~trusted)
    if len(seen) < LEAST_TEXELS or not len(target):
        return
    is_hair = np.zeros(len(trusted), bool)
    is_hair[hair] = True
    other = seen[~is_hair[seen]]
    bare = _find_bare(surface, shown, trusted, other, shown[hair])
    painted = blend_nearest(surface, shown, bare if len(bare) >= LEAST_TEXELS else seen, target)
    if len(hair):
        usual = np.where(is_long | _find_covered_sides(surface, seen, locks), surface.covered, 0)
        share = _share_hair(surface, is_hair, hair, bare, target, np.maximum(surface.scalp, usual))[:, None]
        painted = comb_hair(surface, shown, hair, target, locks) * share + painted * (1 - share)
    colors[target] = painted


def _find_bare(surface: BodySurface, shown: NDArray, trusted: NDArray, other: NDArray, hair: NDArray) -> NDArray:
    """Those of the head's seen texels `other` (n,) than hair that have the face's color; all if no face is seen.

    Locks of `hair` (m, 3) in the shade are nearer to it than to the face.
    """
    face = surface.face & trusted
    if face.sum() < LEAST_TEXELS:
        return other
    skin = convert_to_lab(np.median(shown[face], 0)[None])[0]
    alike = color_distance(convert_to_lab(shown[other]), skin) < SAME_COLOR
    return other[alike & ~_is_shaded_hair(surface, shown, trusted, other, hair)]


def _is_shaded_hair(surface: BodySurface, shown: NDArray, trusted: NDArray, other: NDArray, hair: NDArray) -> NDArray:
    """Which texels `other` (n,) are nearer to the color of `hair` (m, 3), in whatever light, than to the face's."""
    face = surface.face & trusted
    if face.sum() < LEAST_TEXELS or not len(hair):
        return np.zeros(len(other), bool)
    colors, tones = shown[other], [np.median(shown[face], 0), np.median(hair, 0)]
    lab = convert_to_lab(colors)
    to_skin, to_hair = (color_distance(lab, convert_to_lab(tone[None])[0]) for tone in tones)
    off_skin, off_hair = (_leave_ray(colors, tone) for tone in tones)
    return ((to_hair < to_skin) & (to_hair < SAME_COLOR)) | ((off_skin > OTHER_RAY) & (off_hair < off_skin / 2))


def _leave_ray(colors: NDArray, tone: NDArray) -> NDArray:
    """How far colors (n, 3) are from a tone (3,) in more or less light, (n,), in shares of themselves."""
    light = colors @ tone / max(float(tone @ tone), 1.0)
    return np.linalg.norm(colors - light[:, None] * tone, axis=1) / np.maximum(np.linalg.norm(colors, axis=1), 1.0)


def _find_covered_sides(surface: BodySurface, seen: NDArray, locks: NDArray) -> NDArray:
    """Which texels (N,) are on a side of the head whose `seen` ones (n,) beside the ear are nearly all `locks`."""
    body, place = free_body(), surface.place
    is_lock = np.zeros(len(place), bool)
    is_lock[locks] = True
    sides = np.zeros(len(place), bool)
    for name in ("left_ear", "right_ear"):
        ear = body.template[body.landmarks[name]].numpy()
        is_side = place[:, 0] * ear[0] > 0
        down, before = ear[1] - place[seen, 1], place[seen, 2] - ear[2]
        beside = seen[is_side[seen] & (down > 0) & (down < BELOW_EAR) & (before < BEFORE_EAR)]
        if len(beside) >= LEAST_TEXELS and is_lock[beside].mean() > COVERED_SHARE:
            sides |= is_side
    return sides


def _share_hair(
    surface: BodySurface, is_hair: NDArray, hair: NDArray, bare: NDArray, target: NDArray, usual: NDArray
) -> NDArray:
    """How far the hidden texels (n,) are hair, (n,) 0 to 1: what is seen beside them, else as `usual` (N,)."""
    if not len(bare):
        return np.ones(len(target))
    told = np.concatenate([hair, bare])
    beside = blend_nearest(surface, is_hair[:, None].astype(np.float32), told, target)[:, 0]
    trust = np.exp(-measure_distances(surface, told, target) / EVIDENCE_REACH)
    share = np.clip((beside * trust + usual[target] * (1 - trust) - 0.5) / HAIRLINE_BLUR + 0.5, 0, 1)
    return share * share * (3 - 2 * share)
