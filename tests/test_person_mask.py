"""Colours, filters and ratios that tell the person from the scene."""

from dataclasses import replace

import numpy as np
import pytest

from mimo_core.scene.appearance import AppearanceModel, FrameView, find_texture_match, shadow_distance
from mimo_core.scene.color_histograms import ColorHistograms, bins_of
from mimo_core.scene.filters import (
    channel_maximum,
    channel_norm,
    channel_sum,
    dilate_mask,
    erode_mask,
    guided_filter,
    plate_distance,
)


SIZE = 64


@pytest.fixture()
def scene():
    """A textured plate, and a person of one colour in its middle with a sloppy first guess."""
    plate = np.random.default_rng(2).integers(90, 170, (SIZE, SIZE, 3)).astype(np.uint8)
    truth = np.zeros((SIZE, SIZE), bool)
    truth[16:56, 24:42] = True
    picture = plate.copy()
    picture[truth] = (200, 30, 40)
    soft = np.zeros((SIZE, SIZE), np.uint8)
    soft[14:58, 21:40] = 220
    return picture, plate, soft, truth


def a_view(picture, plate, soft):
    nothing = np.zeros((SIZE, SIZE), bool)
    return FrameView(picture, soft, plate, ~nothing, nothing, nothing.astype(np.float32), None, 50.0)


class TestGuided:
    def test_a_constant_stays_constant(self):
        guide = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
        np.testing.assert_allclose(guided_filter(np.full((30, 40), 0.4), guide, 3, 1e-3), 0.4, atol=1e-3)

    def test_the_edge_of_a_mask_moves_onto_the_edge_of_the_picture(self):
        guide = np.zeros((40, 40, 3), np.uint8)
        guide[:, 20:] = 200
        mask = np.zeros((40, 40), np.float32)
        mask[:, 22:] = 1
        smooth = guided_filter(mask, guide, 5, 1e-4)
        assert smooth[20, 19] < 0.1 and smooth[20, 20] > 0.5


def test_reductions_over_the_channels_are_those_of_numpy_to_the_last_bit():
    picture = (100 * np.random.default_rng(3).normal(size=(40, 50, 3))).astype(np.float32)
    np.testing.assert_array_equal(channel_maximum(picture), picture.max(-1))
    np.testing.assert_array_equal(channel_sum(picture), picture.sum(-1))
    np.testing.assert_array_equal(channel_norm(picture), np.linalg.norm(picture, axis=-1))


class TestGrown:
    def test_one_pixel_becomes_a_disc(self):
        mask = np.zeros((21, 21), bool)
        mask[10, 10] = True
        y, x = np.mgrid[:21, :21]
        np.testing.assert_array_equal(dilate_mask(mask, 4), (x - 10) ** 2 + (y - 10) ** 2 <= 16)

    def test_shrinking_undoes_growing_of_a_large_disc(self):
        y, x = np.mgrid[:61, :61]
        disc = (x - 30) ** 2 + (y - 30) ** 2 <= 15**2
        assert (erode_mask(dilate_mask(disc, 5), 5) ^ disc).sum() <= 24


class TestPlateDistance:
    def test_a_plate_that_is_off_by_a_pixel_is_forgiven(self):
        plate = np.random.default_rng(0).integers(0, 255, (20, 20, 3)).astype(np.uint8)
        assert (
            plate_distance(np.roll(plate, 1, 1)[:, 2:-2], plate[:, 2:-2]).max()
            < plate_distance(np.roll(plate, 5, 1)[:, 2:-2], plate[:, 2:-2]).max()
        )
        assert not plate_distance(plate, plate).any()

    def test_a_shadow_is_near_the_plate_and_another_texture_is_not(self):
        plate = np.random.default_rng(3).integers(80, 200, (40, 40, 3)).astype(np.uint8)
        assert shadow_distance((plate * 0.7).astype(np.uint8), plate).mean() < 3
        assert shadow_distance(np.roll(plate, 7, 0), plate).mean() > 15

    def test_a_dark_shadow_with_a_steep_rim_is_near_the_plate(self):
        plate = np.random.default_rng(3).integers(80, 200, (40, 40, 3)).astype(np.uint8)
        ramp = np.interp(np.arange(40), [14, 20], [0.4, 1.0])[None, :, None]
        assert shadow_distance((plate * ramp).astype(np.uint8), plate).max() < 18

    def test_where_a_dark_flat_picture_has_specks_it_is_a_number_all_the_same(self):
        """The blur of squares keeps a running sum, which comes out a hair below zero there."""
        for seed in range(8):
            random = np.random.default_rng(seed)
            picture, plate = (np.full((100, 101, 3), value, np.uint8) for value in (1, 253))
            specks = random.random((100, 101)) < 0.02
            picture[specks], plate[specks] = (random.integers(0, most, (specks.sum(), 3)) for most in (256, 3))
            assert np.isfinite(shadow_distance(picture, plate)).all()


class TestTextureMatch:
    def test_texture_of_the_plate_is_known_again_and_an_even_wall_is_not(self):
        plate = np.random.default_rng(0).integers(40, 200, (40, 60, 3)).astype(np.uint8)
        plate[:, 30:] = 120
        away = plate_distance(plate, plate)
        match = find_texture_match(away, plate)
        assert match[4:-4, 4:26].all() and not match[:, 34:].any()
        assert not find_texture_match(away + 10, plate).any()


class TestAppearance:
    def test_a_colour_that_was_seen_is_more_probable(self):
        model = ColorHistograms()
        red, blue = (bins_of(np.array([[color]], np.uint8))[0] for color in ((200, 0, 0), (0, 0, 200)))
        model.add(np.repeat(red, 100))
        assert model.log_density(red)[0] > model.log_density(blue)[0] + 3

    def test_what_passes_for_one_frame_in_ten_is_not_a_patch_s_own(self):
        model = ColorHistograms(1, np.zeros((1, 1), int))
        red, white = (bins_of(np.array([[color]], np.uint8))[0] for color in ((200, 0, 0), (250, 250, 250)))
        for frame in range(10):
            model.add(np.repeat(white if frame == 4 else red, 100), 0)
        usual = model.usual()[0]
        assert usual[red[0]] == 1 and usual[white[0]] < 0.05


class TestLooks:
    def test_a_sloppy_guess_is_corrected_to_what_differs_from_the_plate(self, scene):
        picture, plate, soft, truth = scene
        view = a_view(picture, plate, soft)
        model = AppearanceModel()
        model.add_guess(view)
        found = model.score_pixels(view).is_person
        assert (found & truth).sum() / (found | truth).sum() > 0.93

    def test_a_thing_seen_apart_is_told_from_the_person_it_covers(self, scene):
        picture, plate, soft, truth = scene
        model = AppearanceModel()
        for x in (2, 4, 6):
            apart = picture.copy()
            apart[4:12, x : x + 8] = (20, 220, 240)
            model.add_guess(a_view(apart, plate, soft))
        covering = picture.copy()
        covering[30:40, 28:38] = (20, 220, 240)
        ratios = model.score_pixels(a_view(covering, plate, soft))
        assert (ratios.object[31:39, 29:37] > 0).all()
        assert not (ratios.object > 0)[truth & (np.arange(SIZE) > 42)[:, None]].any()


@pytest.mark.parametrize("is_known", [False, True])
def test_who_else_is_known_in_one_frame_is_not_the_person_in_another_where_the_first_guess_has_both(scene, is_known):
    picture, plate, soft, truth = scene
    beside, nobody = np.zeros((SIZE, SIZE), bool), np.zeros((SIZE, SIZE), bool)
    beside[14:58, 42:50] = True
    apart, model = plate.copy(), AppearanceModel()
    apart[14:58, 2:12] = (20, 200, 190)
    model.add_guess(a_view(picture, plate, np.where(truth, 220, 0).astype(np.uint8)))
    other = nobody.copy()
    other[14:58, 2:12] = is_known
    model.add_guess(replace(a_view(apart, plate, np.zeros_like(soft)), others=other))
    both = picture.copy()
    both[beside] = (20, 200, 190)
    guess = np.where(truth | beside, 220, 0).astype(np.uint8)
    found = model.score_pixels(replace(a_view(both, plate, guess), others=nobody)).person > 0
    assert found[truth].mean() > 0.9
    assert found[beside].mean() < 0.1 if is_known else found[beside].mean() > 0.9


@pytest.mark.parametrize(
    ("rows", "columns", "is_ball"),
    [(slice(46, 53), slice(38, 45), True), (slice(26, 53), slice(40, 45), False)],
)
def test_a_ball_in_the_colors_of_who_else_is_there_is_a_thing_and_a_leg_is_none(scene, rows, columns, is_ball):
    picture, plate, soft, truth = scene
    nobody, guess, model = np.zeros((SIZE, SIZE), bool), np.where(truth, 220, 0).astype(np.uint8), AppearanceModel()
    beside, apart, before = nobody.copy(), picture.copy(), picture.copy()
    beside[14:58, 52:62] = True
    apart[2:12], apart[rows, 4:11], before[rows, columns] = (20, 220, 40), 230, 230
    model.add_guess(replace(a_view(np.where(beside[..., None], np.uint8(230), picture), plate, guess), others=beside))
    model.add_guess(replace(a_view(apart, plate, guess), others=nobody))
    found = model.score_pixels(replace(a_view(before, plate, soft), others=nobody)).object[rows, columns] > 0
    assert found.mean() > 0.9 if is_ball else found.mean() < 0.1


def test_the_scene_that_is_seen_where_somebody_stood_for_most_of_the_clip_is_no_moving_object(scene):
    _, _, _, truth = scene
    street, legs = np.full((SIZE, SIZE, 3), (120, 118, 122), np.uint8), np.zeros((SIZE, SIZE), bool)
    legs[30:60, 46:51] = True  # of somebody else, whom the plate shows beside the person
    plate, picture = street.copy(), street.copy()
    plate[legs] = (60, 62, 80)
    picture[truth] = (200, 30, 40)
    model = AppearanceModel()
    model.add_guess(a_view(picture, plate, np.where(truth, 220, 0).astype(np.uint8)))
    ratios = model.score_pixels(a_view(picture, plate, np.where(truth, 220, 0).astype(np.uint8)))
    assert (ratios.object[legs] < 0).all() and (ratios.difference[legs] < 10).all()
    assert ratios.revealed[legs].all() and not ratios.revealed[truth].any()
    plate, picture = street.copy(), picture.copy()
    picture[legs] = (60, 62, 80)  # they are here now
    ratios = model.score_pixels(a_view(picture, plate, np.where(truth, 220, 0).astype(np.uint8)))
    assert (ratios.difference[legs] > 10).mean() > 0.9
