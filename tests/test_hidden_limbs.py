"""Legs and arms that a picture does not show: what colors they are given."""

import numpy as np
import pytest

from mimo_core.proxy.hands import color_hidden_hands
from mimo_core.proxy.legs import color_hidden_legs
from mimo_core.proxy.surface import load_surface
from mimo_core.proxy.texture import BakedTexture


SURFACE = load_surface(256)
SKIN, SHADE, SHIRT = (np.array(color, np.float32) for color in ((230, 190, 170), (150, 105, 85), (120, 150, 200)))


@pytest.fixture
def shown() -> np.ndarray:
    """A shirt, a face, and bare legs that grow dark towards a picture's end at the thighs, (N, 3)."""
    colors = np.tile(SHIRT, (len(SURFACE.place), 1))
    colors[SURFACE.face] = SKIN
    height = SURFACE.place[:, 1]
    low, high = cut_heights()
    light = np.clip((height - low) / (high - low), 0, 1)[:, None]
    colors[SURFACE.legs] = (SKIN * light + SHADE * (1 - light))[SURFACE.legs]
    return colors


def cut_heights() -> tuple[float, float]:
    """Where the picture ends on the thighs, and where the legs begin."""
    top = float(SURFACE.place[SURFACE.legs, 1].max())
    return top - 0.25, top


class TestHiddenLimbs:
    def test_bare_legs_go_on_in_lit_skin_below_the_shade_in_which_the_picture_ends(self, shown):
        trusted = ~SURFACE.legs | (SURFACE.place[:, 1] > cut_heights()[0])
        colors = np.where(trusted[:, None], shown, SHADE)
        color_hidden_legs(SURFACE, shown, trusted, colors)
        feet = np.median(colors[SURFACE.feet], 0)
        assert feet.mean() > 0.8 * SKIN.mean()
        assert (colors[trusted & ~SURFACE.legs] == shown[trusted & ~SURFACE.legs]).all()

    def test_legs_below_a_shirt_that_the_picture_cuts_off_wear_darker_trousers(self, shown):
        trusted = ~SURFACE.legs & (SURFACE.place[:, 1] > cut_heights()[1] - 0.1)
        colors = np.tile(SHIRT, (len(shown), 1))
        color_hidden_legs(SURFACE, shown, trusted, colors)
        assert np.median(colors[SURFACE.feet], 0).mean() < 0.6 * SHIRT.mean()
        chest = (SURFACE.trunk > 0.9) & (SURFACE.place[:, 1] > cut_heights()[1] + 0.1)
        assert (colors[chest] == SHIRT).all()

    def test_legs_that_are_seen_to_the_feet_stay(self, shown):
        colors = shown.copy()
        color_hidden_legs(SURFACE, shown, np.ones(len(shown), bool), colors)
        assert (colors == shown).all()

    def test_hands_have_the_color_of_the_face_and_not_of_the_few_texels_in_the_shade_of_a_sleeve(self, shown):
        forearm = np.flatnonzero(SURFACE.forearms & ~SURFACE.hands[0] & ~SURFACE.hands[1])
        few = forearm[np.abs(SURFACE.place[forearm, 0]).argsort()][: len(forearm) // 40]
        shown[few] = SHADE
        seen = (SURFACE.face | (SURFACE.trunk > 0.5)).astype(np.float32)
        seen[few] = 1
        colors = np.zeros_like(shown)
        color_hidden_hands(SURFACE, BakedTexture(shown, seen, np.zeros((len(shown), 2), np.float32)), colors)
        grip = SURFACE.grip > 0.99
        assert np.abs(colors[grip] - SKIN).max() < 1
