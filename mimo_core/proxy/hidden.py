"""What one picture does not show: colors for the hidden part of the body, from the part that was seen.

The front of a limb stands in for its back, the left side for the right, hair for the back of the head; what is left is
diffused over the surface.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .diffusion import diffuse_colors
from .hands import LEAST_TEXELS, clean_hands, color_hidden_hands
from .prints import PlainFront
from .surface import BodySurface
from .texture import TRUSTED_SHARE, BakedTexture


BACK_SIDE_CHOICES = ("mirror", "diffuse")  # named in the node
NEIGHBORS = 12  # seen texels of the head that decide about a hidden one
SCATTERED_TEXELS = 400  # seen texels of the head, so far apart that neighbors do not all lie on one line
FAR_STAND_IN = 0.04  # meters to the best stand-in on the same limb from which the other limb is asked
HAIR_RANGE = (10, 28)  # levels around the crown's color that are hair: its shine, but neither ribbons nor forehead
INWARD_SHARE = 0.85  # the side of a limb takes what lies a little further in, not the last pixels of the outline


def fill_hidden(surface: BodySurface, baked: BakedTexture, *, back_side: str) -> NDArray:
    """Colours of all texels (N, 3): seen ones as they are, the others made up."""
    baked = clean_hands(surface, baked)
    trusted = baked.seen > TRUSTED_SHARE
    colors = diffuse_colors(surface.atlas, baked)
    _grow_head(surface, baked.colors, trusted, colors)
    if back_side == "mirror":
        _copy_stand_ins(surface, baked, trusted, colors)
    color_hidden_hands(surface, baked, colors)
    seen = baked.seen[:, None]
    return baked.colors * seen + colors * (1 - seen)


def _copy_stand_ins(surface: BodySurface, baked: BakedTexture, trusted: NDArray, colors: NDArray):
    """Take hidden colors from the same place of the limb's other side, or from the other limb if that is far."""
    from scipy.spatial import cKDTree

    source = np.flatnonzero(trusted & (surface.head < 0.5))
    target = np.flatnonzero((baked.seen < 1) & (surface.head < 0.9))
    if not len(source) or not len(target):
        return
    tree = cKDTree(surface.along(source))
    distance, nearest = tree.query(surface.along(target, inwards=INWARD_SHARE), eps=0.3)
    chosen = source[nearest]
    partner = surface.partner[target]
    chosen = np.where((distance > FAR_STAND_IN) & trusted[partner], partner, chosen)
    copies = PlainFront.of(surface, baked.colors, source).copy_onto(target, chosen)
    # The head is not mirrored, so the copy fades out over the neck.
    share = np.clip(1 - surface.head[target, None], 0, 1)
    colors[target] = copies * share + colors[target] * (1 - share)


def _grow_head(surface: BodySurface, shown: NDArray, trusted: NDArray, colors: NDArray):
    """The sides of the head in the colors next to them, the scalp in those of its seen part; nothing if none was."""
    head = surface.head > 0.5
    beside = np.flatnonzero(head & trusted)
    if len(beside) >= LEAST_TEXELS:
        target = np.flatnonzero(head & ~surface.hair & ~trusted)
        scattered = beside[:: max(1, len(beside) // SCATTERED_TEXELS)]
        around = np.sort(_nearest_colors(surface, shown, scattered, target), 1)
        # The middle half leaves out a drawing's outlines.
        colors[target] = around[:, NEIGHBORS // 4 : -NEIGHBORS // 4].mean(1)
    visible = np.flatnonzero(surface.hair & trusted)
    if len(visible) < LEAST_TEXELS:
        return
    height = surface.place[visible, 1]
    crown = shown[visible[height > np.quantile(height, 0.6)]]
    middle = np.median(crown, 0)
    difference = np.abs(shown[visible] - middle).mean(1)
    source = visible[difference <= np.clip(np.median(difference), *HAIR_RANGE)]
    target = np.flatnonzero(surface.hair & ~trusted)
    colors[target] = _nearest_colors(surface, shown, source, target).mean(1)


def _nearest_colors(surface: BodySurface, shown: NDArray, source: NDArray, target: NDArray) -> NDArray:
    """The colors of the NEIGHBORS closest source texels to each target, (n, NEIGHBORS, 3)."""
    from scipy.spatial import cKDTree

    tree = cKDTree(surface.place[source])
    return shown[source[tree.query(surface.place[target], k=[*range(1, NEIGHBORS + 1)], eps=0.5)[1]]]
