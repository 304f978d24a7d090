"""Where the denoiser works: what `fixed` mends in the official plan, and the way back into the frame."""

import numpy as np
import pytest

from mimo_core.denoise.paste import (
    EDGE_NAMES,
    cut_network_input,
    make_edge_mask,
    mark_drawn_areas,
    name_edges,
    paste_back,
)
from mimo_core.denoise.regions import ClipPlan, Context, plan_clip
from mimo_core.errors import InputError
from mimo_core.geometry.box import Box


HEIGHT, WIDTH = 120, 160


def body_at(left=None, top=30, width=20, height=60):
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    if left is not None:
        frame[top : top + height, left : left + width] = (180, 90, 200)
    return frame


def covers(region, left, width=20):
    return region.left <= left and region.right >= left + width


class TestFixedPlan:
    def test_empty_frames_neither_move_the_region_nor_split_the_clip(self):
        frames = [body_at(90)] * 4 + [body_at(None)] * 4 + [body_at(90)] * 4
        fixed, without = plan_clip(frames), plan_clip([body_at(90)] * 12)
        assert fixed.contexts == without.contexts
        assert len(plan_clip(frames, behavior="official").contexts) == 3

    def test_frames_that_two_contexts_share_lie_inside_both_regions(self):
        lefts = [3 + 10 * frame for frame in range(14)]
        frames = [body_at(left) for left in lefts]
        for context in plan_clip(frames).contexts:
            assert all(covers(context.region, lefts[frame]) for frame in context.frames)
        official = plan_clip(frames, behavior="official").contexts[1]
        assert not all(covers(official.region, lefts[frame]) for frame in official.frames)

    def test_a_jump_on_the_last_frame_opens_a_context(self):
        frames = [body_at(20)] * 6 + [body_at(130)]
        assert plan_clip(frames).contexts[-1].start == 6
        assert len(plan_clip(frames, behavior="official").contexts) == 1

    def test_a_clip_without_a_body_is_refused(self):
        with pytest.raises(InputError, match="black in all 3 frames"):
            plan_clip([body_at(None)] * 3)

    def test_no_frames_are_refused(self):
        with pytest.raises(InputError, match="no frames"):
            plan_clip([])

    def test_windows_stay_inside_a_context_and_official_ones_do_not(self):
        frames = [body_at(20)] * 20 + [body_at(130)] * 20
        fixed, official = plan_clip(frames), plan_clip(frames, behavior="official")
        border = len(fixed.contexts[0].frames)
        assert all(max(window) < border or min(window) >= border for window in fixed.windows())
        assert any(min(window) < border <= max(window) for window in official.windows())


class TestEdgeMask:
    @pytest.mark.parametrize("name", EDGE_NAMES)
    def test_it_fades_at_borders_inside_the_frame_only(self, name):
        touched = name.split("_")
        region = Box(
            0 if "left" in touched else 10,
            0 if "up" in touched else 10,
            WIDTH if "right" in touched else 110,
            HEIGHT if "down" in touched else 90,
        )
        mask = make_edge_mask(region, WIDTH, HEIGHT)
        middle = mask[region.height // 2], mask[:, region.width // 2]
        ends = {"left": middle[0][0], "right": middle[0][-1], "up": middle[1][0], "down": middle[1][-1]}
        assert name_edges(region, WIDTH, HEIGHT) == name
        assert mask.shape == (region.height, region.width)
        assert {border for border, value in ends.items() if value == 1} == set(touched) - {"inner"}

    def test_the_ramp_is_linear_over_eight_percent(self):
        row = make_edge_mask(Box(10, 0, 110, HEIGHT), WIDTH, HEIGHT)[60]
        np.testing.assert_allclose(row[:9], [*((np.arange(8) + 0.5) / 8), 1], rtol=1e-6)


def one_context(frames=3, region=None):
    region = region or Box(40, 20, 104, 84)
    return ClipPlan((Context(0, 0, frames, region),), WIDTH, HEIGHT)


class TestPasteBack:
    def test_outside_the_region_the_background_is_untouched(self):
        background = np.random.default_rng(0).integers(0, 255, (3, HEIGHT, WIDTH, 3), np.uint8)
        made = [np.zeros((40, 40, 3), np.uint8)] * 3
        result = np.stack(list(paste_back(one_context(), made, background)))
        outside = np.ones((HEIGHT, WIDTH), bool)
        outside[20:84, 40:104] = False
        np.testing.assert_array_equal(result[:, outside], background[:, outside])
        assert (result[:, 52, 72] == 0).all()

    def test_the_cropped_background_as_network_output_gives_the_background(self):
        background = np.random.default_rng(0).integers(0, 255, (3, HEIGHT, WIDTH, 3), np.uint8)
        region = Box(40, 0, 104, 53)
        made = [cut_network_input(frame, region, fill=255) for frame in background]
        result = np.stack(list(paste_back(one_context(region=region), made, background)))
        assert np.abs(result.astype(int) - background).max() <= 1

    def test_within_a_mask_and_its_close_surroundings_only_the_squares_count(self):
        background = np.random.default_rng(0).integers(100, 255, (3, HEIGHT, WIDTH, 3), np.uint8)
        made = [np.zeros((40, 40, 3), np.uint8)] * 3
        within = np.zeros((3, HEIGHT, WIDTH), np.uint8)
        within[:2, 45:60, 60:80] = 255
        result = np.stack(list(paste_back(one_context(), made, background, within=within)))
        areas = np.stack(list(mark_drawn_areas(one_context(), within=within)))
        assert (result[:2, 45:60, 60:80] <= 2).all()
        far = np.ones((HEIGHT, WIDTH), bool)
        far[40:65, 55:85] = False
        np.testing.assert_array_equal(result[:, far], background[:, far])
        np.testing.assert_array_equal(result[2], background[2])  # nobody there
        assert (areas[:2, 45:60, 60:80] >= 252).all() and not areas[:, far].any() and not areas[2].any()

    def test_a_full_occluder_shows_the_source(self):
        source = np.full((3, HEIGHT, WIDTH, 3), 77, np.uint8)
        occluder = np.full((3, HEIGHT, WIDTH), 255, np.uint8)
        made = [np.zeros((40, 40, 3), np.uint8)] * 3
        result = paste_back(one_context(), made, np.zeros_like(source), source=source, occluder=occluder)
        np.testing.assert_array_equal(np.stack(list(result)), source)

    def test_shared_frames_cross_fade_by_fifths(self):
        region = Box(0, 0, WIDTH, HEIGHT)
        plan = ClipPlan((Context(0, 0, 6, region), Context(2, 6, 8, region)), WIDTH, HEIGHT)
        made = [np.full((160, 160, 3), 0, np.uint8)] * 6 + [np.full((160, 160, 3), 200, np.uint8)] * 6
        result = list(paste_back(plan, made, np.zeros((8, HEIGHT, WIDTH, 3), np.uint8)))
        assert [int(frame[60, 80, 0]) for frame in result] == [0, 0, 40, 80, 120, 160, 200, 200]

    def test_a_frame_comes_out_as_soon_as_no_later_one_can_change_it(self):
        made = iter([np.zeros((40, 40, 3), np.uint8)] * 6)
        region = Box(40, 20, 104, 84)
        plan = ClipPlan((Context(0, 0, 3, region), Context(1, 3, 4, region)), WIDTH, HEIGHT)
        frames = paste_back(plan, made, np.zeros((4, HEIGHT, WIDTH, 3), np.uint8))
        left = []
        for _ in frames:
            left.append(made.__length_hint__())
        assert left == [5, 2, 1, 0]

    def test_frames_of_two_contexts_fade_evenly_and_officially_by_fifths(self):
        region, squares = (
            Box(0, 0, WIDTH, WIDTH),
            [np.full((16, 16, 3), grey, np.uint8) for grey in (0,) * 3 + (90,) * 3],
        )
        for behavior, expected in (("fixed", [0, 30, 60, 90]), ("official", [0, 18, 36, 90])):
            plan = ClipPlan((Context(0, 0, 3, region), Context(1, 3, 4, region)), WIDTH, WIDTH, behavior)
            pasted = paste_back(plan, squares, np.zeros((4, WIDTH, WIDTH, 3), np.uint8))
            assert [int(frame[WIDTH // 2, WIDTH // 2, 0]) for frame in pasted] == expected

    def test_too_few_generated_frames_are_refused(self):
        with pytest.raises(InputError, match="fewer generated frames than the plan's 3"):
            list(paste_back(one_context(), [], np.zeros((3, HEIGHT, WIDTH, 3), np.uint8)))

    def test_an_occluder_without_its_source_is_refused(self):
        with pytest.raises(InputError, match="needs the source"):
            list(paste_back(one_context(), [], [], occluder=[]))
