"""The character framed as tall and at the place where the driver is."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mimo_core.errors import InputError
from mimo_core.example import example_shots
from mimo_core.geometry.box import Box
from mimo_core.identity.encode import encode_identity
from mimo_core.identity.framing import choose_size, frame_character, measure_body_pixels, round_up_length
from mimo_core.media.picture import read_picture
from mimo_core.motion.builtin import builtin_motion
from mimo_core.render.styles import render_motion


@pytest.fixture(scope="module")
def identity():
    return encode_identity(read_picture(example_shots()[0].character))


@pytest.fixture(scope="module")
def standing():
    return builtin_motion("idle")[:4]


def paint(size, color=(0, 0, 255)):
    return np.full((size[1], size[0], 3), color, np.uint8)


def frame(identity, motion, size=None, **options):
    size = size or motion.camera.size
    return frame_character(identity, motion, size=size, background=paint(size), **options)


def drawn_box(motion, size=None):
    mask = next(render_motion(motion[:1], style="mask", size=size))[1]
    return Box.of_mask(np.where(mask > 127, 255, 0).astype(np.uint8))


def box_of(mask):
    return Box.of_mask(np.where(mask > 127, 255, 0).astype(np.uint8))


class TestHeight:
    def test_a_standing_character_is_as_tall_as_a_standing_driver(self, identity, standing):
        """Hair and shoes are no part of the body, so 5 % are left to them."""
        framed, driver = box_of(frame(identity, standing).mask), drawn_box(standing)
        assert framed.height == pytest.approx(driver.height, rel=0.05)

    def test_a_driver_that_crouches_is_measured_as_if_standing(self):
        motion = builtin_motion("squat")
        heights, _ = measure_body_pixels(motion)
        lowest = min(range(0, motion.frames, 10), key=lambda k: drawn_box(motion[k : k + 1]).height)
        assert drawn_box(motion[lowest : lowest + 1]).height < 0.8 * float(heights[lowest])
        assert float(heights.max() / heights.min()) < 1.2

    def test_a_driver_at_twice_the_distance_makes_half_the_character(self, identity, standing):
        camera = standing.camera
        matrix, near = camera.camera_from_world.clone(), box_of(frame(identity, standing).mask)
        depth = camera.view(standing.person.transl[:, None])[:, 0, 2]
        matrix[:, 2, 3] += depth
        far = replace(standing, camera=replace(camera, camera_from_world=matrix))
        assert box_of(frame(identity, far).mask).height == pytest.approx(near.height / 2, rel=0.03)

    def test_without_a_fitted_body_the_matte_counts(self, identity, standing):
        framed = box_of(frame(replace(identity, motion=None), standing).mask)
        wanted = float(measure_body_pixels(standing)[0].median())
        assert framed.height == pytest.approx(wanted, rel=0.02)

    def test_one_frame_can_be_named(self, identity):
        walk = example_shots()[0].motion()
        heights, pelvis = measure_body_pixels(walk)
        last = walk.frames - 1
        assert frame(identity, walk, frame=last).body_height == pytest.approx(float(heights[last]), rel=1e-4)
        middle = box_of(frame(identity, walk, frame=last).mask)
        assert (middle.left + middle.right) / 2 == pytest.approx(float(pelvis[last, 0]), abs=12)


class TestPicture:
    def test_the_background_shows_all_around_the_character(self, identity, standing):
        made = frame(identity, standing)
        assert (made.picture[made.mask == 0] == (0, 0, 255)).all()
        inside = made.picture[made.mask == 255].astype(int)
        assert np.abs(inside - (0, 0, 255)).sum(1).mean() > 150

    def test_a_clip_stretched_to_another_size_stretches_the_character_too(self, identity, standing):
        width, height = standing.camera.size
        plain, wide = (
            box_of(frame(identity, standing).mask),
            box_of(frame(identity, standing, (2 * width, height)).mask),
        )
        assert wide.height == pytest.approx(plain.height, abs=2)
        assert wide.width == pytest.approx(2 * plain.width, abs=4)

    def test_a_character_that_would_stick_out_is_moved_in(self, identity, standing):
        matrix = standing.camera.camera_from_world.clone()
        matrix[:, 0, 3] += 1.2  # metres to the right
        aside = replace(standing, camera=replace(standing.camera, camera_from_world=matrix))
        mask = frame(identity, aside).mask
        whole = np.count_nonzero(frame(identity, standing).mask > 127)
        assert np.count_nonzero(mask > 127) == pytest.approx(whole, rel=0.02)

    def test_a_close_up_is_cut_and_says_so(self, identity, standing):
        near = replace(standing, camera=replace(standing.camera, focal=4 * standing.camera.focal))
        made = frame(identity, near)
        assert made.mask.any()
        assert any("cut off" in note for note in made.notes)
        assert frame(identity, standing).notes == ()


class TestRules:
    def test_sizes_keep_the_clips_shape_in_whole_multiples(self):
        assert choose_size((1280, 720), longest=832, multiple=16) == (832, 464)
        assert choose_size((720, 1280), longest=896, multiple=32) == (512, 896)
        assert choose_size((384, 512), longest=0, multiple=16) == (384, 512)
        assert choose_size((20, 2000), longest=100, multiple=32) == (32, 96)

    def test_lengths_are_four_n_plus_one(self):
        assert [round_up_length(frames) for frames in (1, 2, 5, 48, 81, 82)] == [1, 5, 5, 49, 81, 85]


class TestErrors:
    def test_a_frame_that_is_not_there_or_empty_is_refused(self, identity, standing):
        hidden = standing.with_person(replace(standing.person, visible=torch.tensor([True, False, True, True])))
        with pytest.raises(InputError, match="Nobody is seen in frame 1. Choose another, such as 0"):
            frame(identity, hidden, frame=1)
        with pytest.raises(InputError, match="the motion has the frames 0 to 3"):
            frame(identity, standing, frame=4)

    def test_a_motion_that_shows_nobody_is_refused(self, identity, standing):
        empty = standing.with_person(replace(standing.person, visible=torch.zeros(4, dtype=torch.bool)))
        with pytest.raises(InputError, match="shows nobody"):
            frame(identity, empty)
