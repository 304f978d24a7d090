"""Feet that a picture does not show: shoes under trousers, bare under bare legs."""

import numpy as np
import pytest

from mimo_core.proxy.hidden import fill_hidden
from mimo_core.proxy.surface import BodySurface, load_surface
from mimo_core.proxy.texture import BakedTexture


SKIN, SHIRT, TROUSERS = (np.float32(color) for color in ([220, 170, 140], [60, 90, 190], [120, 120, 150]))


@pytest.fixture(scope="module")
def surface() -> BodySurface:
    return load_surface(512)


def fill_half_body(surface: BodySurface, legs: np.ndarray, lowest: float) -> np.ndarray:
    """The colors (N, 3) of a body in a shirt, seen from before down to a height in meters."""
    colors = np.tile(SHIRT, (len(surface.place), 1))
    colors[surface.legs] = legs
    colors[(surface.head > 0.5) | surface.hands[0] | surface.hands[1]] = SKIN
    is_seen = (surface.place[:, 2] > surface.axis[:, 2]) & (surface.place[:, 1] > lowest)
    return fill_hidden(
        surface, BakedTexture(colors, is_seen.astype(np.float32), surface.place[:, :2] * [1, -1]), back_side="mirror"
    )


def middle_of_legs(surface: BodySurface) -> float:
    return float(np.median(surface.place[surface.legs, 1]))


class TestShoes:
    def test_trousers_that_the_picture_cuts_off_end_in_shoes(self, surface):
        filled = fill_half_body(surface, TROUSERS, middle_of_legs(surface))
        shin = surface.legs & ~surface.feet
        assert np.abs(np.median(filled[shin], 0) - TROUSERS).max() < 5
        assert np.median(filled[surface.feet], 0).max() < 0.6 * TROUSERS.max()

    def test_bare_legs_end_in_bare_feet(self, surface):
        filled = fill_half_body(surface, SKIN, middle_of_legs(surface))
        assert np.abs(np.median(filled[surface.feet], 0) - SKIN).max() < 5

    def test_feet_that_are_seen_keep_their_color(self, surface):
        filled = fill_half_body(surface, TROUSERS, -9.0)
        assert np.abs(np.median(filled[surface.feet], 0) - TROUSERS).max() < 5
