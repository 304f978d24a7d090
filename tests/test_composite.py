"""Layers put together."""

import tracemalloc

import numpy as np
import pytest

from mimo_core.compositing.color_match import match_tone
from mimo_core.compositing.composite import composite, compute_coverage
from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, Masks
from mimo_core.scene.picture import scene_from_picture
from mimo_core.scene.scene import Scene


FRAMES, HEIGHT, WIDTH = 3, 60, 80


@pytest.fixture()
def scene():
    """A person in the middle, removed from the plate, and a bar with soft edges in front."""
    random = np.random.default_rng(0)
    plate = random.integers(60, 180, (FRAMES, HEIGHT, WIDTH, 3)).astype(np.uint8)
    source, person = plate.copy(), np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    person[:, 15:50, 30:50] = 255
    source[:, 15:50, 30:50] = (200, 60, 60)
    occluder = np.zeros_like(person)
    occluder[:, 28:36] = 255
    occluder[:, [27, 36]] = 128
    return Scene(Clip.from_array(source), Clip.from_array(plate), Masks.from_array(person), Masks.from_array(occluder))


@pytest.fixture()
def character():
    images = np.full((FRAMES, HEIGHT, WIDTH, 3), (40, 90, 220), np.uint8)
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    masks[:, 12:52, 34:46] = 255
    return images, masks


def room_in_light(light, *, wall=(190, 180, 170), clothes=(150, 160, 170)) -> Scene:
    """A person with a face in a room whose things have all grays, under a light of this color."""
    random = np.random.default_rng(0)
    picture = wall + random.normal(0, 25, (HEIGHT, WIDTH, 1))
    picture[:, :20] = np.linspace(20, 235, 20)[:, None]
    person = np.zeros((HEIGHT, WIDTH), np.uint8)
    person[10:50, 30:50] = 255
    picture[10:50, 30:50] = clothes
    picture[10:20, 35:45] = (205, 160, 135)
    frames = np.repeat((picture * light).clip(0, 255).astype(np.uint8)[None], FRAMES, 0)
    return Scene(
        Clip.from_frames(frames, fps=8),
        Clip.from_frames(frames, fps=8),
        Masks.from_frames([person] * FRAMES),
        Masks.constant(0, FRAMES, HEIGHT, WIDTH),
    )


def gray_card() -> tuple[np.ndarray, np.ndarray]:
    """A character of all grays, and its mask."""
    image = np.repeat(np.linspace(30, 220, WIDTH).astype(np.uint8)[None, :, None], HEIGHT, 0).repeat(3, 2)
    return image, np.full((HEIGHT, WIDTH), 255, np.uint8)


def drawn(scene, images, masks, **options):
    return np.stack(list(composite(scene, images, masks, **{"color_match": "none", "shadow": 0, **options})))


class TestExactness:
    def test_without_a_character_the_plate_comes_out_as_it_is(self, scene, character):
        images, masks = character
        frames = drawn(scene, images, np.zeros_like(masks), shadow=0.8)
        same = np.stack(list(scene.occluder)) == 0
        np.testing.assert_array_equal(frames[same], np.stack(list(scene.plate))[same])

    def test_outside_person_character_and_shadow_the_source_is_untouched(self, scene, character):
        frames = drawn(scene, *character, feather=6, shadow=1.0, color_match="mean")
        changed = (frames != np.stack(list(scene.source))).any(-1)
        allowed = (np.stack(list(scene.person)) > 0) | (character[1] > 0)
        allowed[:, 40:] = True  # the shadow lies around the feet
        assert changed.any() and not (changed & ~allowed).any()

    def test_what_is_in_front_is_the_source_s_own_pixels(self, scene, character):
        frames = drawn(scene, *character)
        np.testing.assert_array_equal(frames[:, 28:36], np.stack(list(scene.source))[:, 28:36])

    def test_the_solid_character_keeps_its_colours(self, scene, character):
        frames = drawn(scene, *character)
        assert (frames[:, 16:24, 38:42] == (40, 90, 220)).all()


class TestEdges:
    def test_the_rim_of_what_is_in_front_does_not_hold_the_old_person(self, scene, character):
        rim = drawn(scene, *character)[:, 27, 36:44].astype(int)
        # Half the bar's own colour, (200, 60, 60) where the person stood before it, half the new character.
        np.testing.assert_allclose(rim, np.broadcast_to((120, 75, 140), rim.shape), atol=2)

    def test_feather_softens_inwards_only(self, scene, character):
        images, masks = character
        frames = drawn(scene, images, masks, feather=8)
        np.testing.assert_array_equal(frames[:, 20, 33], drawn(scene, images, masks * 0, feather=8)[:, 20, 33])
        assert (frames[:, 20, 34] != (40, 90, 220)).any()


class TestShadow:
    def test_it_darkens_the_ground_below_the_feet_and_nothing_else(self, scene, character):
        images, masks = character
        masks[:, 44:] = 0
        with_shadow, without = (drawn(scene, images, masks, shadow=value).astype(int) for value in (1.0, 0.0))
        assert with_shadow[:, 44, 36:44].mean() < without[:, 44, 36:44].mean() - 20
        np.testing.assert_array_equal(with_shadow[:, :36], without[:, :36])
        assert (with_shadow <= without).all()

    def test_a_character_cut_by_the_frame_has_none(self, scene, character):
        images, masks = character
        masks[:, 20:, 34:46] = 255
        np.testing.assert_array_equal(drawn(scene, images, masks, shadow=1.0), drawn(scene, images, masks, shadow=0))


class TestColorMatch:
    @pytest.mark.parametrize("kind", ["mean", "histogram"])
    def test_a_dark_character_is_lifted_a_little_in_a_light_scene(self, scene, kind):
        images = [(np.full((HEIGHT, WIDTH, 3), 30, np.uint8), np.full((HEIGHT, WIDTH), 255, np.uint8))]
        lifted = match_tone(scene, images, kind)(images[0][0])
        assert 5 < lifted.mean() - 30 <= 21

    def test_dim_light_is_followed(self):
        gain = match_tone(room_in_light((0.3, 0.3, 0.3)), [gray_card()], "mean").gain
        np.testing.assert_allclose(gain, 3 * [0.4], atol=0.05)

    def test_a_dim_picture_dims_the_character_where_nobody_was_replaced(self):
        scene = scene_from_picture(np.full((HEIGHT, WIDTH, 3), 40, np.uint8))
        assert match_tone(scene, [gray_card()], "mean").gain.max() < 0.4
        assert match_tone(scene, [], "mean").gain is None

    def test_light_around_nobody_is_measured_in_small_pictures(self):
        plate = Clip.from_frames([np.full((540, 960, 3), 40, np.uint8)] * 8, fps=8)
        scene = Scene(plate, plate, Masks.constant(0, 8, 540, 960), Masks.constant(0, 8, 540, 960))
        drawn = [(np.full((540, 960, 3), 200, np.uint8), np.full((540, 960), 255, np.uint8))] * 8
        tracemalloc.start()
        match_tone(scene, drawn, "mean")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20e6

    def test_a_part_of_colored_light_is_followed_and_brightness_stays(self):
        gain = match_tone(room_in_light((0.5, 0.7, 1.0)), [gray_card()], "mean").gain
        assert 1.2 < gain[2] / gain[0] < 2 and gain[0] < gain[1] < gain[2]
        assert gain @ (0.299, 0.587, 0.114) == pytest.approx(0.94, abs=0.07)

    def test_colors_of_things_are_no_light(self):
        lawn = room_in_light((1.0, 1.0, 1.0), wall=(60, 170, 50))
        dressed = room_in_light((1.0, 1.0, 1.0), clothes=(200, 30, 30))
        black = room_in_light((1.0, 1.0, 1.0), clothes=(20, 20, 20))
        assert [match_tone(scene, [gray_card()], "mean").gain for scene in (lawn, dressed, black)] == [None] * 3

    def test_a_character_in_the_same_light_is_left_alone(self):
        image, mask = gray_card()
        blue = (image * (0.5, 0.7, 1.0)).astype(np.uint8)
        gain = match_tone(room_in_light((0.5, 0.7, 1.0)), [(blue, mask)], "mean").gain
        np.testing.assert_allclose(gain, 1, atol=0.01)

    def test_hue_is_kept(self, scene, character):
        tone = match_tone(scene, list(zip(*character, strict=True)), "mean")
        before = np.array([[[40, 90, 200]]], np.uint8)
        change = tone(before).astype(int) - before
        assert np.ptp(change) <= 1

    def test_one_curve_holds_for_the_whole_clip(self, scene, character):
        images, masks = character
        frames = drawn(scene, images, masks, color_match="mean", feather=0)
        assert len(np.unique(frames[:, 16:24, 38:42].reshape(-1, 3), axis=0)) == 1

    def test_none_changes_nothing(self, scene, character):
        assert (drawn(scene, *character)[0, 18, 40] == (40, 90, 220)).all()


class TestLengthsAndSizes:
    def test_a_still_scene_lasts_as_long_as_the_images(self, character):
        scene = scene_from_picture(np.full((HEIGHT, WIDTH, 3), 99, np.uint8))
        frames = drawn(scene, *character)
        assert len(frames) == FRAMES and (frames[:, 0] == 99).all()

    @pytest.mark.parametrize("count", [1, 5])
    @pytest.mark.parametrize("spool", [list, iter], ids=["known length", "stream"])
    def test_another_number_of_images_names_the_counts(self, scene, character, count, spool):
        images = np.repeat(character[0][:1], count, 0)
        with pytest.raises(InputError, match="The scene has 3 frames"):
            drawn(scene, spool(images), iter(np.repeat(character[1][:1], count, 0)))

    def test_too_few_masks_are_named(self, scene, character):
        with pytest.raises(InputError, match="only 2 masks"):
            drawn(scene, iter(character[0]), iter(character[1][:2]))

    def test_another_size_names_both(self, scene, character):
        with pytest.raises(InputError, match="40x30 but the scene is 80x60"):
            drawn(scene, character[0][:, :30, :40], character[1])

    def test_an_unknown_match_names_the_choices(self, scene, character):
        with pytest.raises(InputError, match="none, mean, histogram"):
            composite(scene, *character, color_match="reinhard")


class TestStreaming:
    def test_progress_counts_frames_and_may_stop_the_work(self, scene, character):
        class Stop(Exception):
            pass

        seen = []

        def progress(done, total, preview=None):
            seen.append((done, total))
            if done == 2:
                raise Stop

        with pytest.raises(Stop):
            list(composite(scene, *character, progress=progress))
        assert seen == [(1, 3), (2, 3)]

    def test_coverage_is_the_mask_less_what_is_in_front(self, scene, character):
        shown = np.stack(list(compute_coverage(scene, character[1])))
        assert not shown[:, 28:36].any() and (shown[:, 20, 36:44] == 255).all()
