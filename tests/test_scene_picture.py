"""Scenes from pictures, videos and colours."""

from fractions import Fraction

import numpy as np
import pytest

from mimo_core.errors import InputError
from mimo_core.media.clip import Clip
from mimo_core.scene.picture import fit_picture, scene_from_picture


@pytest.fixture()
def picture():
    return np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)


class TestFit:
    def test_cover_fills_the_frame_and_crops_the_middle(self, picture):
        np.testing.assert_array_equal(fit_picture(picture, (40, 40), "cover", 0), picture[:, 10:50])

    def test_contain_shows_all_of_it_between_bars(self, picture):
        fitted = fit_picture(picture, (60, 60), "contain", (9, 8, 7))
        np.testing.assert_array_equal(fitted[10:50], picture)
        assert (fitted[:10] == (9, 8, 7)).all() and (fitted[50:] == (9, 8, 7)).all()

    def test_stretch_uses_all_of_both(self):
        flat = np.full((10, 20, 3), 77, np.uint8)
        fitted = fit_picture(flat, (30, 50), "stretch", 0)
        assert fitted.shape == (50, 30, 3) and (fitted == 77).all()


class TestSceneFromPicture:
    def test_a_picture_is_a_still_scene_in_its_own_size(self, picture):
        scene = scene_from_picture(picture)
        assert scene.is_still and (scene.width, scene.height) == (60, 40)
        np.testing.assert_array_equal(scene.plate[0], picture)
        assert not scene.person[0].any() and not scene.occluder[0].any()

    def test_a_colour_fills_the_size_that_is_asked_for(self):
        scene = scene_from_picture(None, color=(1, 2, 3), width=32, height=16, length=5, fps=12)
        assert (scene.frames, scene.fps, scene.is_still) == (5, 12, False)
        assert (scene.plate[4] == (1, 2, 3)).all()

    def test_a_video_keeps_its_length_and_rate(self, picture):
        video = Clip.from_array(np.stack([picture, picture[::-1]]), Fraction(30))
        scene = scene_from_picture(video)
        assert (scene.frames, scene.fps) == (2, 30)
        np.testing.assert_array_equal(scene.plate[1], picture[::-1])

    def test_a_longer_scene_repeats_the_video(self, picture):
        video = Clip.from_array(np.stack([picture, picture[::-1]]))
        scene = scene_from_picture(video, length=3, width=30, height=20)
        assert scene.frames == 3
        np.testing.assert_array_equal(scene.plate[2], scene.plate[0])

    def test_a_foreground_is_the_occluder_and_is_seen_in_the_source(self, picture):
        front = np.zeros((40, 60, 4), np.uint8)
        front[20:, :, 0] = front[20:, :, 3] = 255
        scene = scene_from_picture(picture, foreground=front)
        assert (scene.occluder[0][20:] == 255).all() and not scene.occluder[0][:20].any()
        assert (scene.source[0][20:] == (255, 0, 0)).all()
        np.testing.assert_array_equal(scene.source[0][:20], picture[:20])

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"fit": "fill"}, "cover, contain, stretch"),
            ({"length": -1}, "negative"),
            ({"foreground": np.zeros((4, 4, 3), np.uint8)}, "no alpha channel"),
            ({"foreground_mask": np.zeros((4, 4), np.uint8)}, "needs a foreground picture"),
            (
                {"foreground": np.zeros((4, 4, 3), np.uint8), "foreground_mask": np.zeros((8, 4), np.uint8)},
                "4x8 but the foreground 4x4",
            ),
        ],
    )
    def test_bad_input_says_what_is_wrong(self, picture, given, message):
        with pytest.raises(InputError, match=message):
            scene_from_picture(picture, **given)
