"""Sleeves wider than the fitted arms, which lie on the trunk beside them."""

import numpy as np
import pytest

from mimo_core.proxy.stray import find_stray_colors
from mimo_core.proxy.surface import load_surface
from mimo_core.proxy.texture import BakedTexture


SURFACE = load_surface(256)
SKIN, SLEEVE, WAIST = (np.array(color, np.float32) for color in ((235, 195, 170), (245, 240, 240), (30, 35, 60)))


@pytest.mark.parametrize("has_stripes", [False, True])
def test_a_sleeve_before_the_waist_is_no_part_of_it_unless_the_waist_has_its_color_elsewhere(has_stripes):
    place, front = SURFACE.place, SURFACE.place[:, 2] > SURFACE.axis[:, 2]
    picture = 0.5 + 0.4 * place[:, :2] * (1, -1)
    trunk = (SURFACE.trunk > 0.9) & front
    waist = np.median(place[trunk], 0)
    colors = np.tile(WAIST, (len(place), 1))
    if has_stripes:
        colors[np.flatnonzero(trunk)[::3]] = SLEEVE
    colors[SURFACE.head > 0.5], colors[SURFACE.arms] = SKIN, SLEEVE
    forearm = SURFACE.forearms & (place[:, 0] > 0)
    at = 0.5 + 0.4 * np.array([0.1, -waist[1]])
    picture[forearm] = at + 0.1 * (picture[forearm] - np.median(picture[forearm], 0))
    beside = trunk & (np.linalg.norm(0.5 + 0.4 * place[:, :2] * (1, -1) - at, axis=1) < 0.015)
    colors[beside] = SLEEVE
    seen = front.astype(np.float32)
    stray = find_stray_colors(SURFACE, BakedTexture(colors, seen, picture.astype(np.float32)), front)
    assert beside.sum() > 50
    assert stray[beside].mean() < 0.05 if has_stripes else stray[beside].mean() > 0.95
    assert stray[trunk & ~beside].mean() < 0.02
