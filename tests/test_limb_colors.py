"""What is not seen of a limb has the color of that limb, and what is seen of another part on it is not its own."""

import numpy as np
import pytest
import torch

from mimo_core.body.skeleton import JOINT
from mimo_core.identity.identity import Identity
from mimo_core.proxy.cloth_layer import find_skirt_pieces, find_sleeves
from mimo_core.proxy.hands import clean_hands, narrow_face
from mimo_core.proxy.hidden import fill_hidden
from mimo_core.proxy.proxy import Proxy
from mimo_core.proxy.stray import find_stray_colors
from mimo_core.proxy.surface import BodySurface, load_surface
from mimo_core.proxy.texture import BakedTexture
from tests.test_proxy import BODY, CAMERA, COLORS, SIDE, identity_of, motion_of, person, rendered


SKIN, SHIRT, HAIR = (np.float32(color) for color in ([220, 170, 140], [60, 90, 190], [40, 30, 25]))


@pytest.fixture(scope="module")
def surface() -> BodySurface:
    return load_surface(512)


def paint_dressed(surface: BodySurface, sleeve: float = 0.0) -> BakedTexture:
    """A front seen from before, in a shirt whose sleeves end `sleeve` meters from the middle; its place is flat."""
    colors = np.tile(SHIRT, (len(surface.place), 1))
    colors[surface.arms & (np.abs(surface.place[:, 0]) > sleeve)] = SKIN
    colors[surface.head > 0.5] = SKIN
    seen = (surface.place[:, 2] > surface.axis[:, 2]).astype(np.float32)
    return BakedTexture(colors, seen, surface.place[:, :2] * [1, -1])


def outer_arm(surface: BodySurface, start: float, end: float) -> np.ndarray:
    """The right arm's front between two distances from the middle, (N,) bool."""
    return surface.arms & (surface.place[:, 0] < -start) & (surface.place[:, 0] > -end)


class TestStray:
    def test_the_trunk_s_color_on_one_of_two_bare_arms_is_the_trunk_s(self, surface):
        baked = paint_dressed(surface)
        baked.place[:] = 0.5  # all of it is close together on the picture
        half = outer_arm(surface, 0.3, 0.45) & (surface.turn > 0)
        baked.colors[half] = SHIRT
        stray = find_stray_colors(surface, baked, baked.seen > 0.5)
        assert stray[half & (baked.seen > 0.5)].mean() > 0.9
        assert not stray[~half].any()

    def test_it_is_the_arm_s_where_the_other_one_wears_it_too_or_the_arm_is_all_of_it(self, surface):
        baked = paint_dressed(surface, sleeve=0.45)
        baked.place[:] = 0.5
        assert not find_stray_colors(surface, baked, baked.seen > 0.5).any()
        sleeve = outer_arm(surface, 0.2, 0.9) & ~surface.hands[1]
        baked.colors[sleeve] = SHIRT
        assert find_stray_colors(surface, baked, baked.seen > 0.5)[sleeve].mean() < 0.03

    def test_fingers_on_a_waist_are_no_part_of_the_shirt(self, surface):
        baked = paint_dressed(surface)
        waist = (surface.trunk > 0.5) & (np.abs(surface.place[:, 1] + 0.1) < 0.04) & (surface.place[:, 0] > 0.05)
        baked.colors[waist] = SKIN
        baked.place[surface.hands[0]] = baked.place[waist & (baked.seen > 0.5)].mean(0)
        stray = find_stray_colors(surface, baked, baked.seen > 0.5)
        assert stray[waist & (baked.seen > 0.5)].mean() > 0.9
        bare = paint_dressed(surface)
        bare.colors[surface.trunk > 0.5] = SKIN
        bare.place[surface.hands[0]] = baked.place[surface.hands[0]]
        assert not find_stray_colors(surface, bare, bare.seen > 0.5)[surface.trunk > 0.5].any()


class TestTone:
    def test_hair_over_the_cheeks_does_not_make_the_skin_dark(self, surface):
        baked = paint_dressed(surface)
        baked.colors[(surface.head > 0.5) & (np.abs(surface.place[:, 0]) > 0.035)] = HAIR
        assert clean_hands(narrow_face(surface, baked), baked).seen[surface.hands[0]].sum() > 1000
        assert narrow_face(surface, paint_dressed(surface)) is surface

    def test_hands_that_agree_and_are_as_what_is_free_of_the_face_are_bare(self, surface):
        """Hair and glasses were taken for the face's skin, and both hands painted with them."""
        colors = np.tile(np.float32([130, 80, 50]), (len(surface.place), 1))
        face = np.flatnonzero(surface.face)
        free = face[np.random.default_rng(0).random(len(face)) < 0.35]
        hands = surface.hands[0] | surface.hands[1]
        colors[free] = colors[hands] = SKIN
        baked = BakedTexture(colors, np.ones(len(colors)), surface.place[:, :2])
        seen = clean_hands(narrow_face(surface, baked), baked).seen
        assert (seen[hands] == 1).mean() > 0.99
        colors[free] = colors[face[0]]  # gloves in a color that the face has not
        assert np.array_equal(narrow_face(surface, baked).face, surface.face)

    def test_a_hand_that_is_not_seen_has_the_color_of_the_other_one(self, surface):
        baked = paint_dressed(surface)
        left, right = surface.hands
        baked.colors[left | right] = SKIN * 0.8
        baked.seen[right] = 0
        filled = fill_hidden(surface, baked, back_side="mirror")
        assert np.abs(filled[right & (surface.grip == 1)] - SKIN * 0.8).max() < 3

    def test_forearms_that_point_at_the_camera_are_bare_below_a_short_sleeve(self, surface):
        elbow = np.abs(surface.place[surface.forearms, 0]).min()
        baked = paint_dressed(surface, sleeve=elbow - 0.03)
        beyond = surface.beyond_elbow > 0
        baked.seen[beyond] = 0
        filled = fill_hidden(surface, baked, back_side="mirror")
        assert np.abs(filled[surface.beyond_elbow == 1] - SKIN).max() < 3
        sleeved = paint_dressed(surface, sleeve=elbow + 0.3)
        sleeved.seen[beyond] = 0
        filled = fill_hidden(surface, sleeved, back_side="mirror")
        assert np.abs(filled[surface.forearms & (surface.grip == 0)] - SHIRT).mean() < 3

    def test_gauntlets_of_an_armor_are_gloves_beside_hips_of_their_color(self, surface):
        armor = np.float32([150, 25, 35])
        baked = paint_dressed(surface, sleeve=1.0)
        left, right = surface.hands
        hips = (surface.trunk > 0.5) & (surface.place[:, 1] < 0)
        baked.colors[left | right | hips] = armor
        beside = np.abs(surface.place[hips, 0]).max() + 0.02
        for hand, sign in ((left, 1), (right, -1)):
            baked.place[hand] += [sign * beside, 0.1] - baked.place[hand][np.argmin(np.abs(baked.place[hand, 0]))]
        baked.place[:] = baked.place / 3 + 0.5  # the whole figure within the picture
        assert clean_hands(surface, baked).seen[left].sum() > 1000

    def test_a_leg_in_a_slit_dress_is_bare_and_the_other_one_is_not(self, surface):
        baked = paint_dressed(surface)
        bare = surface.legs & (surface.place[:, 0] < 0)
        baked.colors[bare] = SKIN
        filled = fill_hidden(surface, baked, back_side="mirror")
        thigh = surface.legs & (np.abs(surface.place[:, 1] + 0.5) < 0.1)
        for leg, color in ((~bare, SHIRT), (bare, SKIN)):
            assert (np.abs(filled[thigh & leg] - color).max(1) < 8).mean() > 0.99

    def test_legs_that_are_not_in_the_picture_are_alike_though_one_thigh_lies_in_the_shade(self):
        colors = COLORS.clone()
        thighs = {side: BODY.parts == JOINT[f"{side}_hip"] for side in ("left", "right")}
        colors[thighs["left"]], colors[thighs["right"]] = torch.tensor([30.0, 30, 30]), torch.tensor([150.0, 110, 80])
        whole, joints = identity_of(person(), colors=colors), CAMERA.project(BODY.pose(person()).joints)[0]
        cut = int(joints[4, 1])
        lens = type(CAMERA)(CAMERA.focal, (SIDE / 2, SIDE / 2 + SIDE - cut), (SIDE, SIDE))
        picture, matte = np.full_like(whole.picture, 255), np.zeros_like(whole.matte)
        picture[SIDE - cut :], matte[SIDE - cut :] = whole.picture[:cut], whole.matte[:cut]
        proxy = Proxy.from_identity(Identity(picture, matte, motion_of(person(), lens)), texture=512)
        rgb, _ = rendered(proxy, motion_of(person()))
        shins = [joints[[knee, ankle]].mean(0).round().int().tolist() for knee, ankle in ((4, 7), (5, 8))]
        left, right = (rgb[y, x].astype(float) for x, y in shins)
        assert np.abs(left - right).max() < 12


class TestSleeves:
    def test_a_piece_that_touches_an_arm_most_and_has_its_color_hangs_on_it(self):
        covered, arms, missing = (np.zeros((40, 40), bool) for _ in range(3))
        covered[:, :12], covered[5:15, 12:35], arms[5:15, 12:35] = True, True, True
        missing[15:30, 20:32] = True
        colors = np.tile(SHIRT, (40, 40, 1))
        np.testing.assert_array_equal(find_sleeves(missing, covered, arms, colors), missing)
        colors[missing] = SKIN
        assert not find_sleeves(missing, covered, arms, colors).any()
        colors[:], missing[15:30, 12:32] = SHIRT, True
        arms[5:15, 20:35] = False
        assert not find_sleeves(missing, covered, arms, colors).any()

    def test_a_wedge_between_a_skirt_and_the_hand_beside_it_is_the_skirt_s(self):
        covered, hanging, missing = (np.zeros((40, 40), bool) for _ in range(3))
        covered[5:25, 20:24], hanging[10:, :20] = True, True
        missing[25:35, 20:26] = True
        colors = np.tile(SHIRT, (40, 40, 1))
        np.testing.assert_array_equal(find_skirt_pieces(missing, covered, hanging, colors), missing)
        colors[missing] = SKIN
        assert not find_skirt_pieces(missing, covered, hanging, colors).any()
        colors[:], missing[:] = SHIRT, False
        missing[10:25, 24:27] = True
        assert not find_skirt_pieces(missing, covered, hanging, colors).any()
