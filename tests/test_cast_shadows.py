"""The long shadow that the person casts on the ground leaves the plate; shadows of what stands still stay."""

import numpy as np
import pytest

from mimo_core.media.clip import Clip, Masks
from mimo_core.scene.background import Background
from mimo_core.scene.camera_motion import CameraPath
from mimo_core.scene.canvas import plan_canvases
from mimo_core.scene.cast_shadows import follow_shadow
from mimo_core.scene.fill_plate import fill_hole
from mimo_core.scene.grain import Grain
from mimo_core.scene.separate import separate_scene


HEIGHT, WIDTH, REACH = 120, 240, 12
BODY, SHADOW = np.s_[40:100, 60:80], np.s_[97:103, 80:170]


@pytest.fixture()
def ground():
    noise = np.random.default_rng(0).normal(0, 2, (HEIGHT, WIDTH, 3))
    return (noise + (190, 120, 90)).astype(np.uint8)


@pytest.fixture()
def hole():
    hole = np.zeros((HEIGHT, WIDTH), bool)
    hole[BODY] = True
    return hole


def dim(picture, part, share=0.6):
    """A copy of a picture that is darker in a part."""
    picture = picture.copy()
    picture[part] = (picture[part] * share).astype(np.uint8)
    return picture


def follow(frame, background, hole, usable=True, **limits):
    return follow_shadow(frame, background.astype(np.float32), hole, ~hole & usable, REACH, **limits)


def test_a_shadow_is_followed_from_the_feet_to_its_end(ground, hole):
    found = follow(dim(ground, SHADOW), ground, hole)
    assert (found[SHADOW] == 1).mean() > 0.95
    assert not found[:90].any() and not found[:, 180:].any()


@pytest.mark.parametrize(
    ("part", "share"),
    [
        (np.s_[97:103, 120:200], 0.6),  # begins away from the feet
        (np.s_[97:103, 80:88], 0.6),  # ends near them: that is found as remains
        (np.s_[60:66, 80:170], 0.6),  # begins at the trunk
        (np.s_[97:103, 80:170], 0.97),  # is as faint as compression
        (np.s_[80:120, 0:240], 0.6),  # is everywhere: another light
    ],
)
def test_what_is_darker_elsewhere_is_no_cast_shadow(ground, hole, part, share):
    assert not follow(dim(ground, part, share), ground, hole).any()


def test_a_colored_stripe_and_a_shadow_of_the_scene_are_none(ground, hole):
    stripe = ground.copy()
    stripe[SHADOW] = (190, 60, 30)
    assert not follow(stripe, ground, hole).any()
    shaded = dim(ground, SHADOW)
    assert not follow(shaded, shaded, hole).any()


def test_a_dark_thing_that_the_shadow_touches_is_not_cut(ground, hole):
    frame = dim(dim(ground, np.s_[97:103, 80:100]), np.s_[88:110, 100:130], 0.1)
    assert not follow(frame, ground, hole).any()


def test_an_uneven_dark_thing_is_no_sure_shadow(ground, hole):
    frame = dim(ground, SHADOW, 0.75)
    for x in range(90, 170, 16):
        frame = dim(frame, np.s_[97:103, x : x + 4], 0.55)
    known = ~hole
    assert follow_shadow(frame, ground.astype(np.float32), hole, known, REACH).any()
    assert not follow_shadow(frame, ground.astype(np.float32), hole, known, REACH, is_sure=True).any()


def test_where_the_ground_is_no_longer_known_a_shadow_fades(ground, hole):
    known = np.broadcast_to(np.arange(WIDTH) < 140, hole.shape)
    found = follow(dim(ground, SHADOW), ground, hole, known)[100]
    assert found[100] == 1 and 0 < found[137] < 0.6 and found[141] == 0
    assert (np.diff(found[120:140]) <= 0).all()


def test_of_a_shadow_on_ground_that_is_hardly_known_nobody_is_sure(ground, hole):
    frame, band = dim(ground, SHADOW), np.zeros(hole.shape, bool)
    band[96:104] = True
    assert follow(frame, ground, hole, is_sure=True).any()
    assert follow(frame, ground, hole, band).any()
    assert not follow(frame, ground, hole, band, is_sure=True).any()


def test_the_plate_of_a_frame_is_lit_where_the_shadow_was(ground, hole):
    (canvas,) = plan_canvases(CameraPath.still(1), [(0, 0, WIDTH, HEIGHT)])
    background = Background(canvas, ground, np.full(hole.shape, 255, np.uint8), Grain(), has_long_shadow=True)
    source = dim(ground, SHADOW)
    source[hole] = (30, 60, 150)
    patch = fill_hole(source, hole, background, 0, front=np.zeros(hole.shape, np.uint8), feather=2, remains=REACH)
    plate = source.copy()
    patch.box.cut(plate)[:] = patch.pixels
    assert np.abs(plate.astype(int) - ground)[SHADOW].mean() < 6
    np.testing.assert_array_equal(plate[:80, 100:], source[:80, 100:])


def walk(ground, void=None):
    """Frames and masks of somebody who walks to the right with their shadow before them; `void` is black later on."""
    frames, masks = [], []
    for frame in range(20):
        x = 8 * frame
        picture, mask = dim(ground, np.s_[97:103, x + 20 : x + 110]), np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[40:100, x : x + 20] = 255
        picture[mask > 0] = (30, 60, 150)
        if void is not None and frame >= 8:
            picture[void] = 0
        frames.append(picture)
        masks.append(mask)
    return frames, Masks.from_array(np.stack(masks))


def test_ground_that_lies_in_the_shadow_in_most_frames_is_lit_in_the_plate(ground):
    line = np.s_[30:36, 0:60]  # a shadow of the scene, which stays
    ground = dim(ground, line)
    frames, masks = walk(ground)
    scene = separate_scene(Clip.from_frames(frames, 24), coarse=masks, camera="none")
    for frame in (4, 10, 16):
        difference = np.abs(scene.plate[frame].astype(int) - ground)[95:105, :180]
        assert difference.mean() < 5, frame
    np.testing.assert_array_equal(scene.plate[10][line], frames[10][line])


def test_black_borders_of_later_frames_do_not_come_into_the_plate_where_the_shadow_fell(ground):
    frames, masks = walk(ground, void=np.s_[70:, :40])
    scene = separate_scene(Clip.from_frames(frames, 24), coarse=masks, camera="none")
    for frame in (0, 2, 4):
        assert scene.plate[frame][97:103, 2:60].min() > 40, frame
