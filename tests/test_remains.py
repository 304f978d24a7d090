"""Shadows of feet and blurred rims beside the mask go with the person."""

import numpy as np
import pytest

from mimo_core.scene.background import Background
from mimo_core.scene.camera_motion import CameraPath
from mimo_core.scene.canvas import plan_canvases
from mimo_core.scene.fill_plate import fill_hole
from mimo_core.scene.find_remains import find_remains
from mimo_core.scene.grain import Grain


HEIGHT, WIDTH, REACH = 160, 200, 24


@pytest.fixture()
def floor():
    noise = np.random.default_rng(0).normal(0, 2, (HEIGHT, WIDTH, 3))
    return (noise + (170, 150, 120)).astype(np.uint8)


@pytest.fixture()
def hole():
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[20:130, 90:115] = True
    return hole


@pytest.fixture()
def background(floor):
    (canvas,) = plan_canvases(CameraPath.still(2), [(0, 0, WIDTH, HEIGHT)] * 2)
    return Background(canvas, floor, np.full((HEIGHT, WIDTH), 255, np.uint8), Grain())


def cast_shadow(floor):
    """The shadow of feet: darkest at (102, 130), wider than the hole."""
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    shade = 0.45 * np.exp(-(((x - 102) / 16) ** 2 + ((y - 129) / 5) ** 2))
    return (floor * (1 - shade[..., None])).astype(np.uint8)


def fill(source, hole, background, remains):
    front = np.zeros(hole.shape, np.uint8)
    patch = fill_hole(source, hole, background, 0, front=front, feather=2, remains=remains)
    plate = source.copy()
    x0, y0, x1, y1 = patch.box
    plate[y0:y1, x0:x1] = patch.pixels
    return plate


def test_the_shadow_of_feet_does_not_stay_in_the_plate(floor, hole, background):
    source = cast_shadow(floor)
    source[hole] = (40, 60, 200)
    outside = ~hole
    before = np.abs(fill(source, hole, background, 0).astype(int) - floor)[outside].max()
    after = np.abs(fill(source, hole, background, REACH).astype(int) - floor)[outside].max()
    assert before > 50
    assert after < 16


def test_the_blurred_rim_of_a_hand_does_not_stay_in_the_plate(floor, hole, background):
    source = floor.copy()
    source[40:48, 113:118] = (150, 90, 80)  # three pixels more than the hole has
    source[hole] = (150, 90, 80)
    plate = fill(source, hole, background, REACH)
    assert np.abs(plate.astype(int) - floor)[40:48, 115:118].mean() < 8


def test_the_floor_and_its_own_shadows_stay_the_source(floor, hole, background):
    source = cast_shadow(floor)
    shadowed = Background(background.canvas, source, background.seen, background.grain)
    found = find_remains(source, source.astype(float), hole, ~hole, REACH)
    assert not found.any()
    np.testing.assert_array_equal(fill(source, hole, shadowed, REACH)[~hole], source[~hole])


def test_somebody_who_stands_close_is_not_cut(floor, hole):
    source = floor.copy()
    source[30:120, 115:160] = (30, 170, 180)
    found = find_remains(source, floor.astype(float), hole, ~hole, REACH)
    assert not found[30:120, 121:160].any()


def test_a_background_that_does_not_fit_changes_nothing_else(floor, hole):
    found = find_remains((floor * 0.7).astype(np.uint8), floor.astype(float), hole, ~hole, REACH)
    assert not found.any()


def dim(picture, rows, columns, share):
    """A copy of a picture that is darker within some rows and columns."""
    picture = picture.copy()
    picture[rows, columns] = (picture[rows, columns] * share).astype(np.uint8)
    return picture


@pytest.mark.parametrize(
    ("rows", "columns", "share"),
    [
        (slice(138, 146), slice(95, 110), 0.7),  # begins away from the feet
        (slice(60, 80), slice(115, 130), 0.75),  # lies beside the trunk
        (slice(125, 140), slice(90, 120), 0.96),  # is as faint as compression
        (slice(90, 160), slice(50, 155), 0.7),  # is everywhere: a background that does not fit
    ],
)
def test_what_is_darker_but_no_shadow_of_feet_stays(floor, hole, rows, columns, share):
    found = find_remains(dim(floor, rows, columns, share), floor.astype(float), hole, ~hole, REACH)
    assert not found.any()


def test_a_shadow_of_feet_that_is_as_wide_as_this_is_found(floor, hole):
    found = find_remains(dim(floor, slice(125, 140), slice(90, 120), 0.7), floor.astype(float), hole, ~hole, REACH)
    assert found[132:138, 92:118].all()
