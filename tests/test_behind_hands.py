"""Hair that a raised hand hides on the picture is whole once the hand has moved away; heads have no bare slabs."""

import numpy as np

from mimo_core.body.model import free_body
from mimo_core.proxy.behind_hands import find_hair_behind_hands, paint_behind_hands
from mimo_core.proxy.scalp import dim_shine, grow_head, soften_edge
from mimo_core.proxy.surface import load_surface
from mimo_core.proxy.texture import BakedTexture


SIDE = 96
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
HEAD = (ROWS - 40) ** 2 + (COLUMNS - 48) ** 2 < 16**2
HAIR = (abs(ROWS - 44) < 22) & (abs(COLUMNS - 48) < 28) & ~HEAD
HAND = (abs(ROWS - 46) < 3) & (COLUMNS > 60) & (COLUMNS < 90)


class TestHairBehindHands:
    def test_a_finger_before_hair_leaves_no_gap(self):
        hair, fingers = find_hair_behind_hands(HAIR & ~HAND, HEAD, HAND & ~HEAD)
        gap = HAIR & HAND
        assert hair[gap & (COLUMNS < 64)].all()
        assert not hair[HAND & (COLUMNS > 80)].any()
        assert not fingers[HAIR & (COLUMNS < 72)].any()

    def test_rims_of_fingers_in_the_air_are_dropped(self):
        rim = (abs(ROWS - 46) == 4) & (COLUMNS > 77) & (COLUMNS < 82)
        hair, fingers = find_hair_behind_hands((HAIR & ~HAND) | rim, HEAD, HAND & ~HEAD)
        assert fingers[rim].all() and not hair[rim].any()

    def test_hands_far_from_the_head_change_nothing(self):
        hair, fingers = find_hair_behind_hands(HAIR, HEAD, ROWS > 88)
        assert not hair.any() and not fingers.any()

    def test_what_is_hidden_gets_the_color_of_the_hair_around(self):
        colors = np.where(HAIR[..., None], [200.0, 150.0, 60.0], [90.0, 60.0, 50.0]).astype(np.float32)
        colors[HAND] = 250
        hidden = HAIR & HAND
        painted, _ = paint_behind_hands(colors, np.full((SIDE, SIDE), 255, np.uint8), HEAD | HAIR, HAIR, hidden)
        assert np.abs(painted[hidden & (COLUMNS < 70)] - [200, 150, 60]).max() < 40


def see_front(hair_from: float, seen_to: float = 1.05) -> tuple:
    """A head seen from the front up to `seen_to` radians, with skin in its middle and hair beyond `hair_from`."""
    surface = load_surface(256)
    place, head = surface.place, surface.head > 0.5
    ear = free_body().template[free_body().landmarks["left_ear"]]
    angle = np.arctan2(np.abs(place[:, 0]), place[:, 2] - float(ear[2]))
    is_hair = head & ((angle > hair_from) | (place[:, 1] > 0.45))
    colors = np.where(is_hair[:, None], [40.0, 25.0, 20.0], [210.0, 165.0, 140.0]).astype(np.float32)
    return surface, colors, angle, head & (angle < seen_to), np.flatnonzero(is_hair & (angle < seen_to))


class TestSidesOfTheHead:
    def test_behind_hair_beside_a_face_there_is_hair_up_to_the_back(self):
        surface, shown, angle, trusted, hair = see_front(0.6, 0.72)
        colors = np.full_like(shown, 128)
        grow_head(surface, shown, trusted, hair, hair, colors, is_long=True)
        height = surface.place[:, 1]
        behind = (surface.head > 0.5) & (angle > 0.8) & (angle < 2.6) & (height > 0.36) & (height < 0.44)
        assert (colors[behind].mean(1) < 90).mean() > 0.95

    def test_a_bare_side_stays_bare_before_the_ear(self):
        surface, shown, angle, trusted, hair = see_front(9.0)
        colors = np.full_like(shown, 128)
        grow_head(surface, shown, trusted, hair, hair, colors, is_long=False)
        before = (surface.head > 0.5) & (angle > 1.1) & (angle < 1.2) & (np.abs(surface.place[:, 1] - 0.36) < 0.03)
        assert (colors[before].mean(1) > 120).mean() > 0.85

    def test_what_is_seen_ends_softly_at_the_sides_and_nowhere_else(self):
        surface, shown, _, trusted, _ = see_front(0.85)
        baked = BakedTexture(shown, trusted.astype(np.float32), surface.place[:, :2])
        soft, seen = soften_edge(surface, baked), baked.seen
        assert np.array_equal(soft[surface.sideways < 0.6], seen[surface.sideways < 0.6])
        assert ((soft > 0.05) & (soft < 0.95)).any() and (soft <= seen).all()

    def test_a_side_that_the_picture_shows_from_the_front_keeps_its_edge_and_its_light(self):
        surface, shown, angle, trusted, hair = see_front(9.0)
        shown[(surface.head > 0.5) & (angle > 0.75) & (surface.place[:, 0] > 0)] = 250  # shine on one cheek
        slanted, profile = (
            BakedTexture(shown, trusted.astype(np.float32), surface.place[:, :2], None, np.full_like(angle, cosine))
            for cosine in (0.1, 0.9)
        )
        assert np.array_equal(soften_edge(surface, profile), profile.seen)
        assert np.array_equal(dim_shine(surface, profile, trusted, hair, is_long=False), shown)
        assert (soften_edge(surface, slanted) < slanted.seen).any()
        assert (dim_shine(surface, slanted, trusted, hair, is_long=False) < shown - 20).any()
