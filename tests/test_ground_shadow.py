"""The ground under a character: a shadow at the soles, and the one of the person who was there."""

import numpy as np
import pytest

from mimo_core.compositing.composite import composite
from mimo_core.compositing.ground_shadow import GroundShadow, find_cast_shadow
from mimo_core.media.clip import Clip, Masks
from mimo_core.scene.scene import Scene


HEIGHT, WIDTH, SOLES = 120, 200, 100


@pytest.fixture(scope="module")
def ground():
    """Sand."""
    return np.random.default_rng(0).normal((190, 140, 90), 4, (HEIGHT, WIDTH, 3)).clip(0, 255).astype(np.uint8)


def stand(middle: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:SOLES, middle - 8 : middle + 8] = 255
    return mask


@pytest.fixture(scope="module")
def source(ground):
    """Somebody in dark clothes whose shadow lies to the right of their feet."""
    frame = ground.copy()
    frame[SOLES - 6 : SOLES, 50:130] = (frame[SOLES - 6 : SOLES, 50:130] * 0.6).astype(np.uint8)
    frame[stand(50) > 0] = (40, 40, 60)
    return frame


def draw(source, plate, mask, **options) -> np.ndarray:
    nothing = np.zeros_like(mask)
    scene = Scene(*map(Clip.from_frames, ([source], [plate])), *map(Masks.from_frames, ([stand(50)], [nothing])))
    character = np.full_like(source, 230)
    return next(iter(composite(scene, [character], [mask], color_match="none", **options))).astype(float)


def test_the_shadow_of_the_person_falls_from_the_character_in_their_place(source, ground):
    part = np.s_[SOLES - 5 : SOLES - 1, 75:128]
    drawn = draw(source, ground, stand(50))
    assert abs(drawn[part].mean() - source[part].mean()) < 4
    assert ground[part].mean() > source[part].mean() + 40
    np.testing.assert_array_equal(draw(source, ground, stand(50), shadow=0)[part], ground[part])


def test_a_character_who_stands_elsewhere_does_not_have_it(source, ground):
    part = np.s_[:, 90:130]
    np.testing.assert_array_equal(draw(source, ground, stand(160))[part], ground[part])


def test_what_stood_behind_the_person_is_not_darkened(source, ground):
    plate = ground.copy()
    plate[SOLES - 6 : SOLES, 62:120:4] = 250  # a fence in place of the shadow
    assert find_cast_shadow(source, plate, stand(50), np.zeros((HEIGHT, WIDTH), bool)) is None


def test_what_is_darker_in_another_color_is_no_shadow(source, ground):
    blue = source.copy()
    blue[SOLES - 6 : SOLES, 58:130] = (60, 60, 90)
    assert find_cast_shadow(blue, ground, stand(50), np.zeros((HEIGHT, WIDTH), bool)) is None


def test_the_shadow_at_the_soles_can_be_seen_where_nobody_stood(ground):
    drawn = draw(ground, ground, stand(160))
    below = np.s_[SOLES + 1 : SOLES + 3, 155:165]
    assert drawn[below].mean() < 0.75 * ground[below].mean()
    aside = np.s_[:, :100]
    np.testing.assert_array_equal(drawn[aside], ground[aside])


def test_a_hard_shadow_on_ground_full_of_detail_is_found():
    """Detail fades with the light, so that grass in the sun was taken for something else than grass in the shade."""
    grass = np.random.default_rng(0).normal((110, 140, 80), 25, (HEIGHT, WIDTH, 3)).clip(0, 255).astype(np.uint8)
    source = grass.copy()
    source[SOLES - 20 : SOLES + 10, 50:130] = (source[SOLES - 20 : SOLES + 10, 50:130] * 0.4).astype(np.uint8)
    source[stand(50) > 0] = (40, 40, 60)
    box, dark = find_cast_shadow(source, grass, stand(50), np.zeros((HEIGHT, WIDTH), bool))
    whole = np.zeros((HEIGHT, WIDTH), np.float32)
    box.cut(whole)[:] = dark
    assert abs(whole[SOLES - 10 : SOLES, 75:125].mean() - 0.6) < 0.03


@pytest.mark.parametrize("level", [4, 15])
def test_grain_at_night_is_no_shadow(level):
    rng = np.random.default_rng(0)
    source, plate = rng.normal(level, 1.5, (2, HEIGHT, WIDTH, 3)).clip(0, 255).astype(np.uint8)
    source[stand(50) > 0] = (40, 40, 60)
    assert find_cast_shadow(source, plate, stand(50), np.zeros((HEIGHT, WIDTH), bool)) is None


def test_a_plate_in_another_light_is_not_darkened(ground):
    source = (ground * 0.6).astype(np.uint8)
    source[stand(50) > 0] = (40, 40, 60)
    assert find_cast_shadow(source, ground, stand(50), np.zeros((HEIGHT, WIDTH), bool)) is None


def test_the_shadow_does_not_fall_twice_on_others_who_stand_in_it(source, ground):
    other = stand(100) > 0
    others = [np.where(other[..., None], np.uint8(90), picture) for picture in (source, ground)]
    box, dark = find_cast_shadow(*others, stand(50), other)
    whole = np.zeros((HEIGHT, WIDTH), np.float32)
    box.cut(whole)[:] = dark
    assert whole[SOLES - 4 : SOLES - 1, 70:88].min() > 0.3
    assert whole[20:SOLES, 94:106].max() < 0.01


def test_the_shadow_leaves_with_feet_that_leave_the_frame(source, ground):
    lows = []
    for below in (0, 1, 2, 20):  # rows of ground in the picture
        cut = [picture[: SOLES + below] for picture in (source, ground, stand(50))]
        plate, person = cut[1].copy(), cut[2]
        drawn = GroundShadow(0.5).shade(plate, person, cut[0], person, np.zeros(person.shape, bool))
        lows.append(float(drawn[SOLES - 5 : SOLES - 1, 100:128].mean()))
    assert lows[0] == lows[1] == ground[SOLES - 5 : SOLES - 1, 100:128].mean() > lows[2] > lows[3] + 10
