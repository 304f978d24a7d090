"""Long hair that lies on arms and chest: how far down it goes, and what of the arms it hides."""

import cv2
import numpy as np
import pytest

from mimo_core.proxy.hair import find_hair_end, find_worn_hair, hides_neck
from mimo_core.proxy.surface import load_surface
from mimo_core.proxy.texture import BakedTexture


SURFACE = load_surface(256)
SKIN, HAIR, SHADOW = (np.array(color, np.float32) for color in ((235, 195, 170), (90, 60, 40), (30, 18, 12)))
PLACE, ASIDE = SURFACE.place, np.abs(SURFACE.place[:, 0])
CHIN = float(PLACE[SURFACE.head > 0.5, 1].min())
FRONT = PLACE[:, 2] > SURFACE.axis[:, 2]
SHOULDER = float(ASIDE[SURFACE.arms].min())


def rows_on_picture() -> np.ndarray:
    """How far down texels (N,) lie on a picture on which the arms hang."""
    shoulder = float(np.median(PLACE[SURFACE.arms, 1]))
    return np.where(SURFACE.arms, CHIN - shoulder + ASIDE - SHOULDER, CHIN - PLACE[:, 1]) + 1.0


@pytest.fixture
def colors() -> np.ndarray:
    """Bare skin, and hair on the head and on both sides of the chest (N, 3)."""
    colors = np.tile(SKIN, (len(PLACE), 1))
    lock = (SURFACE.trunk > 0.5) & (ASIDE > 0.08) & (PLACE[:, 1] > CHIN - 0.2)
    colors[SURFACE.hair | lock] = HAIR
    return colors


class TestNeck:
    def test_hair_hides_it_if_the_figure_is_as_wide_there_as_at_the_head(self):
        place = np.column_stack([0.5 + PLACE[:, 0] / 2.2, (CHIN + 0.3 - PLACE[:, 1]) / 2.2]).astype(np.float32)
        matte = np.zeros((256, 256), np.uint8)
        column, row = np.clip(place * 256, 0, 255).astype(int).T
        matte[row, column] = 255
        matte = cv2.morphologyEx(matte, cv2.MORPH_CLOSE, np.ones((5, 5)))
        baked = BakedTexture(np.zeros_like(PLACE), FRONT.astype(np.float32), place)
        assert not hides_neck(SURFACE, baked, matte)
        left, right = np.quantile(column[SURFACE.head > 0.5], (0.01, 0.99)).round().astype(int)
        matte[row[SURFACE.head > 0.5].min() : row[SURFACE.head > 0.5].max() + 20, left : right + 1] = 255
        assert hides_neck(SURFACE, baked, matte)


class TestWornHair:
    def test_down_a_hanging_arm_it_is_found_as_on_the_chest_with_the_shadow_beside_it(self, colors):
        arm, down = SURFACE.arms & (PLACE[:, 0] > 0), rows_on_picture()
        hair, shadow = (arm & (down > low) & (down < high) for low, high in ((1.0, 1.22), (1.22, 1.235)))
        colors[hair], colors[shadow] = HAIR, SHADOW
        baked = BakedTexture(colors, FRONT.astype(np.float32), np.column_stack([PLACE[:, 0], down]).astype(np.float32))
        worn = find_worn_hair(SURFACE, baked, FRONT, np.flatnonzero(SURFACE.hair & FRONT), CHIN - 0.2)
        assert worn[hair & FRONT].mean() > 0.9 and worn[shadow & FRONT].mean() > 0.9
        assert worn[arm & (down > 1.26)].mean() < 0.02
        assert worn[SURFACE.arms & ~arm & (ASIDE > 0.3)].mean() < 0.02

    @pytest.mark.parametrize("ends", [True, False])
    def test_it_ends_where_least_is_seen_of_it_above_skin_in_the_shade_and_a_shirt_is_none(self, colors, ends):
        chest = np.flatnonzero(FRONT & ~SURFACE.arms & (SURFACE.head <= 0.5))
        colors[chest] = SKIN if ends else HAIR
        colors[chest[::3]] = HAIR
        thin = chest[(PLACE[chest, 1] < CHIN - 0.15) & (PLACE[chest, 1] > CHIN - 0.2)]
        colors[np.intersect1d(chest[::3], thin)[::2]] = SKIN if ends else HAIR
        found = find_hair_end(SURFACE, colors, FRONT, np.flatnonzero(SURFACE.hair & FRONT))
        assert (found is not None) == ends
        assert not ends or abs(found - (CHIN - 0.2)) < 0.01
