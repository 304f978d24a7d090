"""What one picture does not show: colors for the hidden part of the body, from the part that was seen.

The front of a limb stands in for its back, the left side for the right, hair for the back of the head; what is left is
diffused over the surface.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .diffusion import diffuse_colors
from .hair import comb_hair, falls_beside_neck, find_hair, hang_hair, nearest_colors
from .hands import LEAST_TEXELS, clean_hands, color_hidden_hands
from .prints import PlainFront
from .surface import BodySurface
from .texture import TRUSTED_SHARE, BakedTexture


BACK_SIDE_CHOICES = ("mirror", "diffuse")  # named in the node
CHEEK_NEIGHBORS = 40  # seen texels beside the face that decide about a hidden one: of fewer, strands make patches
SCATTERED_TEXELS = 400  # seen texels of the head, so far apart that neighbors do not all lie on one line
FAR_STAND_IN = 0.04  # meters to the best stand-in on the same limb from which the other limb is asked
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
    baked = clean_hands(surface, baked)
    trusted = baked.seen > TRUSTED_SHARE
    colors = diffuse_colors(surface.atlas, baked)
    ask()
    hair = find_hair(surface, baked.colors, trusted)
    is_long = picture is not None and falls_beside_neck(surface, baked, hair, *picture)
    _grow_head(surface, baked.colors, trusted, hair, colors)
    ask()
    if back_side == "mirror":
        _copy_stand_ins(surface, baked, trusted, colors, ask)
        ask()
        hang_hair(surface, baked.colors, trusted, hair, colors)
    if is_long:
        nape = np.flatnonzero(surface.nape & ~trusted)
        colors[nape] = comb_hair(surface, baked.colors, hair, nape)
    color_hidden_hands(surface, baked, colors)
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
    tree = cKDTree(surface.along(source))
    distance, nearest = tree.query(surface.along(target, inwards=INWARD_SHARE), eps=0.3, workers=-1)
    ask()
    chosen = source[nearest]
    partner = surface.partner[target]
    chosen = np.where((distance > FAR_STAND_IN) & trusted[partner], partner, chosen)
    ask()
    face = baked.colors[surface.face & trusted]
    skin = np.median(face, 0) if len(face) >= LEAST_TEXELS else None
    copies = PlainFront.of(surface, baked.colors, source, skin).copy_onto(target, chosen)
    # The head is not mirrored, so the copy fades out over the neck.
    share = np.clip(1 - surface.head[target, None], 0, 1)
    colors[target] = copies * share + colors[target] * (1 - share)


def _grow_head(surface: BodySurface, shown: NDArray, trusted: NDArray, hair: NDArray, colors: NDArray):
    """The sides of the head in the colors next to them, the scalp in those of its seen part; nothing if none was."""
    head = surface.head > 0.5
    beside = np.flatnonzero(head & trusted)
    if len(beside) >= LEAST_TEXELS:
        target = np.flatnonzero(head & ~surface.hair & ~trusted)
        scattered = beside[:: max(1, len(beside) // SCATTERED_TEXELS)]
        around = np.sort(nearest_colors(surface, shown, scattered, target, CHEEK_NEIGHBORS), 1)
        # The middle half leaves out a drawing's outlines.
        colors[target] = around[:, CHEEK_NEIGHBORS // 4 : -(CHEEK_NEIGHBORS // 4)].mean(1)
    if len(hair):
        target = np.flatnonzero(surface.hair & ~trusted)
        colors[target] = comb_hair(surface, shown, hair, target)
