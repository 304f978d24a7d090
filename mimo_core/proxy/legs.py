"""Legs and feet that the picture does not show: skin that goes on, trousers below a shirt, and shoes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..body.model import free_body
from ..body.skeleton import JOINT
from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab, find_lit_color
from .surface import BodySurface


CUFF = 0.15  # meters above the feet in which the legs say whether they are bare
SHADE = 0.4  # of the trousers' color: shoes are darker, and of a hue that goes with it
TROUSER_SHADE = 0.5  # of the shirt's color: trousers of it would make pajamas
SEEN_LEGS = 0.01  # of the legs that may be seen for all of their clothes to be unknown
LOWEST_SEEN = 0.02  # quantile of the heights of what is seen
WAISTBAND, SKIN_FADE = 0.012, 0.12  # meters over which trousers begin, and over which bare legs go over into lit skin


def color_hidden_legs(surface: BodySurface, shown: NDArray, trusted: NDArray, colors: NDArray):
    """Give legs below a picture's end, in `colors` (N, 3), the lit skin of bare thighs, or trousers below a shirt.

    The lowest of what is seen lies in the shade of a hem or at the picture's border, and would color all of the leg.
    `shown` (N, 3) are the picture's colors where texels (N,) are `trusted`.
    """
    height, seen = surface.place[:, 1], surface.legs & trusted
    if seen.sum() < SEEN_LEGS * surface.legs.sum():
        _draw_trousers(surface, trusted, colors)
        return
    face = surface.face & trusted
    low = np.quantile(height[seen], LOWEST_SEEN)
    if face.sum() < LEAST_TEXELS or low < _height_of("left_knee"):
        return
    skin = convert_to_lab(find_lit_color(shown[face])[None])[0]
    bare = shown[seen][color_distance(convert_to_lab(shown[seen]), skin) < SAME_COLOR]
    going_on = np.median(colors[surface.legs & (height < _height_of("left_knee"))], 0)
    if len(bare) < LEAST_TEXELS or color_distance(convert_to_lab(going_on[None])[0], skin) > 2 * SAME_COLOR:
        return
    share = (surface.legs * np.clip((low - height) / SKIN_FADE, 0, 1))[:, None]
    colors[:] = find_lit_color(bare) * share + colors * (1 - share)


def _draw_trousers(surface: BodySurface, trusted: NDArray, colors: NDArray):
    """Trousers from the hips down, or from where the trunk is no longer seen, in a shade of what the trunk wears."""
    height = surface.place[:, 1]
    trunk = (surface.trunk > 0.5) & trusted
    if trunk.sum() < LEAST_TEXELS:
        return
    waist = min(_height_of("left_hip"), float(np.quantile(height[trunk], LOWEST_SEEN)))
    lowest = trunk & (height < waist + CUFF)
    tone = np.median(colors[lowest if lowest.sum() >= LEAST_TEXELS else trunk], 0)
    share = np.clip((waist - height) / WAISTBAND, 0, 1) * (~surface.arms)
    colors[:] = TROUSER_SHADE * tone * share[:, None] + colors * (1 - share[:, None])


def _height_of(joint: str) -> float:
    body = free_body()
    return float((body.joint_regressor[JOINT[joint]] @ body.template)[1])


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
