"""Shoes for a figure whose picture ends above its feet and whose legs are clothed: trousers have no toes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab
from .surface import BodySurface


CUFF = 0.15  # meters above the feet in which the legs say whether they are bare
SHADE = 0.4  # of the trousers' color: shoes are darker, and of a hue that goes with it


def color_hidden_shoes(surface: BodySurface, shown: NDArray, trusted: NDArray, colors: NDArray):
    """Give feet of which nothing is seen, in `colors` (N, 3), shoes in a shade of what the legs wear.

    Bare legs keep bare feet. `shown` (N, 3) are the picture's colors where texels (N,) are `trusted`.
    """
    if (surface.feet & trusted).sum() >= LEAST_TEXELS:
        return
    ankle = surface.place[surface.feet, 1].max()
    cuff = surface.legs & ~surface.feet & (surface.place[:, 1] < ankle + CUFF)
    tone = np.median(colors[cuff], 0)
    bare = surface.face & trusted, (surface.hands[0] | surface.hands[1]) & trusted
    skins = [np.median(convert_to_lab(shown[part]), 0) for part in bare if part.sum() >= LEAST_TEXELS]
    if not skins or any(color_distance(convert_to_lab(tone[None])[0], skin) < SAME_COLOR for skin in skins):
        return
    colors[surface.feet] = SHADE * tone
