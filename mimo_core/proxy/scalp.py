"""The sides and the back of the head: where they are hair and where skin, and of what color."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .hair import blend_nearest, comb_hair
from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab
from .surface import BodySurface


EVIDENCE_REACH = 0.01  # meters from what is seen at which it counts as much as where hair grows on most heads
HAIRLINE_BLUR = 0.3  # of 1: the range of doubt over which hair goes over into skin


def grow_head(surface: BodySurface, shown: NDArray, trusted: NDArray, hair: NDArray, colors: NDArray, *, is_long: bool):
    """Give what is hidden of the head in `colors` (N, 3) the colors of its seen `hair` (n,) or of its skin.

    Hair that `is_long` covers ears and nape. Where nothing of the head is seen nothing changes.
    """
    head = surface.head > 0.5
    seen = np.flatnonzero(head & trusted)
    target = np.flatnonzero((head | (surface.nape & is_long)) & ~trusted)
    if len(seen) < LEAST_TEXELS or not len(target):
        return
    is_hair = np.zeros(len(trusted), bool)
    is_hair[hair] = True
    bare = _find_bare(surface, shown, trusted, seen[~is_hair[seen]], shown[hair])
    painted = blend_nearest(surface, shown, bare if len(bare) >= LEAST_TEXELS else seen, target)
    if len(hair):
        share = _share_hair(surface, is_hair, hair, bare, target, is_long=is_long)[:, None]
        painted = comb_hair(surface, shown, hair, target) * share + painted * (1 - share)
    colors[target] = painted


def _find_bare(surface: BodySurface, shown: NDArray, trusted: NDArray, other: NDArray, hair: NDArray) -> NDArray:
    """Those of the head's seen texels `other` (n,) than hair that have the face's color; all if no face is seen.

    Locks of `hair` (m, 3) in the shade are nearer to it than to the face.
    """
    face = surface.face & trusted
    if face.sum() < LEAST_TEXELS:
        return other
    lab, skin = (convert_to_lab(colors) for colors in (shown[other], np.median(shown[face], 0)[None]))
    to_skin = color_distance(lab, skin[0])
    to_hair = color_distance(lab, convert_to_lab(np.median(hair, 0)[None])[0]) if len(hair) else np.inf
    return other[(to_skin < SAME_COLOR) & (to_skin < to_hair)]


def _share_hair(
    surface: BodySurface, is_hair: NDArray, hair: NDArray, bare: NDArray, target: NDArray, *, is_long: bool
) -> NDArray:
    """How far the hidden texels (n,) are hair, (n,) 0 to 1: what is seen beside them, else where hair mostly grows."""
    usual = np.maximum(surface.scalp, surface.covered)[target] if is_long else surface.scalp[target]
    if not len(bare):
        return np.ones(len(target))
    told = np.concatenate([hair, bare])
    beside = blend_nearest(surface, is_hair[:, None].astype(np.float32), told, target)[:, 0]
    trust = np.exp(-surface.distances(told, target) / EVIDENCE_REACH)
    share = np.clip((beside * trust + usual * (1 - trust) - 0.5) / HAIRLINE_BLUR + 0.5, 0, 1)
    return share * share * (3 - 2 * share)
