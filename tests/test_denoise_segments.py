"""Parts of a clip: their plan, their frames, and how they go back into the frame."""

import numpy as np
import pytest

from mimo_core.denoise.paste import mark_drawn_areas, paste_back
from mimo_core.denoise.regions import ClipPlan, Context
from mimo_core.denoise.segments import BLACK, cut_network_frames, extend_layer, select_frames
from mimo_core.errors import InputError
from mimo_core.geometry.box import Box
from mimo_core.media.clip import Clip


LEFT, RIGHT = Box(0, 0, 16, 16), Box(16, 8, 48, 40)
PLAN = ClipPlan((Context(0, 0, 6, LEFT), Context(2, 6, 10, RIGHT)), 48, 40)


def frames(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 40, 48, 3), np.uint8)


class TestSegment:
    def test_the_whole_is_a_segment(self):
        assert select_frames(PLAN, 0) == PLAN and select_frames(PLAN, 0, 10) == PLAN

    def test_frames_keep_their_numbers_and_regions(self):
        part = select_frames(PLAN, 4, 4)
        assert part.contexts == (Context(4, 4, 6, LEFT), Context(4, 6, 8, RIGHT))
        assert (part.first, part.frames) == (4, 8)

    def test_contexts_outside_are_left_out(self):
        assert select_frames(PLAN, 7).contexts == (Context(7, 7, 10, RIGHT),)
        assert select_frames(PLAN, 0, 3).contexts == (Context(0, 0, 3, LEFT),)

    @pytest.mark.parametrize(("start", "length"), [(10, 0), (-1, 2), (8, 3)])
    def test_frames_that_the_clip_lacks_are_refused(self, start, length):
        with pytest.raises(InputError, match="frames 0 to 9"):
            select_frames(PLAN, start, length)


class TestFrames:
    def test_each_frame_is_its_region_padded_and_scaled(self):
        shot = frames(10)
        made = list(cut_network_frames(Clip.from_array(shot), PLAN, 32, fill=BLACK))
        assert len(made) == 14 and all(frame.shape == (32, 32, 3) for frame in made)
        np.testing.assert_array_equal(made[6], shot[2][8:40, 16:48])  # a square of the network's size is not resized

    def test_a_still_lasts_and_a_short_scene_does_not(self):
        still = Clip.from_array(frames(1))
        assert len(extend_layer(still, 5, is_still=True)) == 5
        with pytest.raises(InputError, match="scene has 1 frames but the plan goes to 5"):
            extend_layer(still, 5, is_still=False)


class TestPaste:
    def test_what_was_cut_out_goes_back(self):
        """Squares of the shot itself over the shot: nothing changes, at every frame of the part."""
        shot = frames(10)
        part = select_frames(PLAN, 7)
        squares = cut_network_frames(Clip.from_array(shot), part, 32, fill=BLACK)
        pasted = list(paste_back(part, squares, shot))
        assert len(pasted) == 3
        assert max(np.abs(frame.astype(int) - shot[7 + k]).max() for k, frame in enumerate(pasted)) <= 1

    def test_the_area_is_where_pixels_change_and_stops_at_the_occluder(self):
        part = select_frames(PLAN, 7)
        occluder = np.zeros((10, 40, 48), np.uint8)
        occluder[:, :, 32:] = 255
        black, white = np.zeros((10, 40, 48, 3), np.uint8), [np.full((32, 32, 3), 255, np.uint8)] * 3
        pasted = list(paste_back(part, white, black, source=black, occluder=occluder))
        areas = list(mark_drawn_areas(part, occluder))
        assert len(areas) == 3
        for area, frame in zip(areas, pasted, strict=True):
            np.testing.assert_allclose(area, frame[..., 0], atol=1)
            assert area[:, 32:].max() == 0 and area[24, 24] == 255
