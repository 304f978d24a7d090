"""What one picture does not show: colors for the hidden part of the body, from the part that was seen.

The front of a limb stands in for its back, the left side for the right, hair for the back of the head; what is left is
diffused over the surface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .coarse import ask_coarsely
from .diffusion import diffuse_colors
from .hair import falls_beside_neck, find_hair, find_hair_end, find_worn_hair, hang_hair, hides_neck
from .hands import LEAST_TEXELS, clean_hands, color_bare_forearms, color_hidden_hands, narrow_face
from .legs import color_hidden_legs, color_hidden_shoes
from .prints import PlainFront, find_stray_skin
from .scalp import dim_shine, find_locks, grow_head, soften_edge
from .stray import find_stray_colors
from .surface import BodySurface
from .texture import TRUSTED_SHARE, BakedTexture


BACK_SIDE_CHOICES = ("mirror", "diffuse")  # named in the node
NEAR_STAND_IN = 0.012  # meters to the best stand-in on the same limb up to which it is taken as it is
FAR_STAND_IN = 0.04  # the same from which the other limb is asked, else the color around: a seam would be drawn out
SIDE_SINES = (0.8, 0.95)  # of the angle from which a side takes the color around: its last pixels would be drawn out
LOWEST_SHARE = 0.3  # of what is seen of the feet: what is next to the soles
FAR_NEIGHBORS, FAR_SPREAD = 32, 11  # seen texels whose median is the color around, of every so many
FAR_POOL = 200  # seen texels of a limb of which those are taken far from all of them
CALM_START, CALM_END = 0.03, 0.1  # meters from what is seen over which the limb's color takes the place of the nearest
LIMBS = ("trunk", "arms", "legs", "neck")
ALONG_FIRST = np.array([3, 3, 3, 1], np.float32)  # a place along a limb counts more than one around it
INWARD_SHARE = 0.85  # the side of a limb takes what lies a little further in, not the last pixels of the outline


def fill_hidden(
    surface: BodySurface,
    baked: BakedTexture,
    *,
    back_side: str,
    picture: tuple[NDArray, NDArray] | None = None,
    ask: Callable[[], None] = lambda: None,
) -> NDArray:
    """Colours of all texels (N, 3): seen ones as they are, the others made up.

    `picture` is that which was baked, (H, W, 3), with its matte (H, W): it tells of hair beside the body.

    `ask` is called between the steps, each of which takes up to a second; it may raise to cancel.
    """
    surface = narrow_face(surface, baked)
    baked = clean_hands(surface, baked)
    baked = replace(baked, seen=soften_edge(surface, baked))
    trusted = baked.seen > TRUSTED_SHARE
    hair = find_hair(surface, baked.colors, trusted)
    may_hang = picture is None or hides_neck(surface, baked, picture[1])
    is_long = may_hang and picture is not None and falls_beside_neck(surface, baked, hair, *picture)
    locks = find_locks(surface, baked.colors, trusted, hair)
    baked = replace(baked, colors=dim_shine(surface, baked, trusted, hair, is_long=is_long))
    end = find_hair_end(surface, baked.colors, trusted, locks) if len(hair) and may_hang else None
    worn = find_worn_hair(surface, baked, trusted, locks, end)
    stray = (worn & surface.arms) | find_stray_skin(surface, baked, trusted)
    stray |= find_stray_colors(surface, baked, trusted)
    trusted &= ~stray
    beside_arm = np.zeros_like(trusted) if baked.beside_arm is None else baked.beside_arm
    baked = replace(baked, seen=np.where(stray, 0, baked.seen))
    colors = diffuse_colors(surface.atlas, replace(baked, seen=np.where(worn, 0, baked.seen)))
    ask()
    if back_side == "mirror":
        _copy_stand_ins(surface, baked, trusted & ~worn & ~beside_arm, colors, ask)
        ask()
    grow_head(surface, baked.colors, trusted, hair, locks, colors, is_long=is_long or end is not None)
    if end is not None and back_side == "mirror":
        hang_hair(surface, baked.colors, trusted, hair, locks, end, colors)
    ask()
    color_bare_forearms(surface, baked, colors)
    color_hidden_hands(surface, baked, colors)
    color_hidden_legs(surface, baked.colors, trusted, colors)
    _color_soles(surface, baked.colors, trusted, colors)
    color_hidden_shoes(surface, baked.colors, trusted, colors)
    seen = baked.seen[:, None]
    return baked.colors * seen + colors * (1 - seen)


def _copy_stand_ins(
    surface: BodySurface, baked: BakedTexture, trusted: NDArray, colors: NDArray, ask: Callable[[], None]
):
    """Take hidden colors from the same place of the limb's other side, or from the other limb if that is far."""
    from scipy.spatial import cKDTree

    source = np.flatnonzero(trusted & (surface.head < 0.5))
    target = np.flatnonzero((baked.seen < 1) & (surface.head < 0.9))
    if not len(source) or not len(target):
        return
    # On such rows of places a tree without tight boxes is three times as fast, and one of large leaves where much of a
    # limb is missing (0.7 s, now 0.4 s).
    tree = cKDTree(surface.along(source), leafsize=64, compact_nodes=False, balanced_tree=False)
    distance, nearest = tree.query(surface.along(target, inwards=INWARD_SHARE), eps=0.3, workers=-1)
    ask()
    face = baked.colors[surface.face & trusted]
    skin = np.median(face, 0) if len(face) >= LEAST_TEXELS else None
    front = PlainFront.of(surface, baked.colors, source, skin)
    copies = front.copy_onto(target, source[nearest])
    ask()
    away = np.clip((distance - NEAR_STAND_IN) / (FAR_STAND_IN - NEAR_STAND_IN), 0, 1)
    low, high = SIDE_SINES
    aside = np.clip((surface.sideways[target] - low) / (high - low), 0, 1)
    far = np.flatnonzero((away > 0) | (aside > 0))
    away, aside = away[far, None], aside[far, None]
    plain = _blend_far(surface, baked.colors, source[~front.is_print[source]], target[far])
    copies[far] = plain * np.maximum(away, aside) + copies[far] * (1 - np.maximum(away, aside))
    partner = surface.partners(target[far])
    has_partner = away * (trusted[partner] & (surface.head[partner] < 0.5))[:, None]
    copies[far] = front.copy_onto(target[far], partner) * has_partner + copies[far] * (1 - has_partner)
    ask()
    # The head is not mirrored, so the copy fades out over the neck.
    share = np.clip(1 - surface.head[target, None], 0, 1)
    colors[target] = copies * share + colors[target] * (1 - share)


def _color_soles(surface: BodySurface, shown: NDArray, trusted: NDArray, colors: NDArray):
    """One color for the soles in `colors` (N, 3), that of the lowest of what is seen of the feet.

    What the picture shows above, laces and straps, and the shadow below, would make stains.
    """
    seen = np.flatnonzero(surface.feet & trusted)
    if len(seen) < LEAST_TEXELS:
        return
    height = surface.place[seen, 1]
    tone = np.median(shown[seen[height <= np.quantile(height, LOWEST_SHARE)]], 0)
    share = surface.sole[:, None]
    colors[:] = tone * share + colors * (1 - share)


def _blend_far(surface: BodySurface, shown: NDArray, source: NDArray, target: NDArray) -> NDArray:
    """The usual color (n, 3) of `source` texels at the place along the limb of hidden texels `target` (n,).

    Arms, legs, neck and trunk are asked each for themselves, or the trunk for a limb that is not seen. Far from all
    that is seen, more of the limb is asked, left and right together.
    """
    usual = np.empty((len(target), shown.shape[1]), np.float32)
    limbs = _list_limbs(surface)
    trunk = source[limbs[source] == LIMBS.index("trunk")]
    for number in range(len(LIMBS)):
        chosen = np.flatnonzero(limbs[target] == number)
        pools = (source[limbs[source] == number], trunk, source)
        if len(chosen):
            own = next((pool for pool in pools if len(pool) >= LEAST_TEXELS), source)
            usual[chosen] = _take_usual(surface, shown, own, target[chosen])
    return usual


def _list_limbs(surface: BodySurface) -> NDArray:
    """The number in LIMBS of the limb that each texel belongs to, (N,)."""
    neck = surface.trunk < 0.5
    limbs = [LIMBS.index(name) for name in ("arms", "legs", "neck")]
    return np.select([surface.arms, surface.legs, neck], limbs, LIMBS.index("trunk"))


def _take_usual(surface: BodySurface, shown: NDArray, source: NDArray, target: NDArray) -> NDArray:
    """The median color (n, 3) of `source` texels near hidden texels `target` (n,) or, far away, of the whole limb."""
    from scipy.spatial import cKDTree

    if not len(source):
        return shown[target]
    near = source[:: max(1, min(FAR_SPREAD, len(source) // FAR_NEIGHBORS))]
    limb = source[:: max(1, len(source) // FAR_POOL)]
    near_tree, limb_tree = cKDTree(surface.along(near) * ALONG_FIRST), cKDTree(surface.fold(limb) * ALONG_FIRST)

    def take_nearest(tree: cKDTree, pool: NDArray, places: NDArray) -> tuple[NDArray, NDArray]:
        count = min(FAR_NEIGHBORS, len(pool))
        distance, nearest = tree.query(places, k=[*range(1, count + 1)], eps=0.3, workers=-1)
        return distance[:, :1] / ALONG_FIRST[0], np.median(shown[pool[nearest]], 1)

    def ask(asked: BodySurface, texels: NDArray) -> NDArray:
        away, own = take_nearest(near_tree, near, asked.along(texels) * ALONG_FIRST)
        _, calm = take_nearest(limb_tree, limb, asked.fold(texels) * ALONG_FIRST)
        share = np.clip((away - CALM_START) / (CALM_END - CALM_START), 0, 1)
        return own * (1 - share) + calm * share

    return ask_coarsely(surface, target, ask)
