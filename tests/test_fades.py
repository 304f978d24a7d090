"""Clips that begin out of black or end in it."""

import numpy as np
import pytest

from mimo_core.media.clip import Clip
from mimo_core.media.fades import find_fade


FRAMES = 24


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(40, 230, (36, 64, 3)).astype(np.uint8)


def fade(picture, gains, fps=24):
    return Clip.from_array(np.stack([(picture * gain + 0.5).astype(np.uint8) for gain in gains]), fps)


def ramp(frames):
    """Out of black, for some frames as it is, and into black again."""
    up = np.linspace(0, 1, 9)
    return np.concatenate([up, np.ones(frames - 2 * len(up)), up[::-1]])


class TestFade:
    def test_both_ends_are_found(self, picture):
        assert np.allclose(find_fade(fade(picture, ramp(FRAMES))).gains, ramp(FRAMES), atol=0.02)

    def test_without_it_the_clip_has_one_light(self, picture):
        clip = fade(picture, ramp(FRAMES))
        levels = [float(frame.mean()) for frame in find_fade(clip).lift(clip)]
        assert np.ptp(levels) < 5

    def test_what_nobody_changed_comes_back_to_the_last_bit(self, picture):
        clip = fade(picture, ramp(FRAMES))
        found = find_fade(clip)
        again = list(found.apply(iter(found.lift(clip))))
        seen = found.gains >= 0.2
        assert all(np.array_equal(a, b) for a, b in zip(np.array(again)[seen], np.array(list(clip))[seen], strict=True))

    def test_what_was_drawn_is_as_dark_as_its_frame(self, picture):
        clip = fade(picture, ramp(FRAMES))
        found = find_fade(clip)
        drawn = np.stack(list(found.lift(clip)))
        drawn[:, 10:20, 10:20] = 200
        levels = [frame[10:20, 10:20].mean() for frame in found.apply(iter(drawn))]
        assert np.allclose(levels, 200 * ramp(FRAMES), atol=10)

    def test_a_dark_clip_a_bright_one_and_one_with_a_black_frame_have_none(self, picture):
        assert find_fade(fade(picture, np.full(FRAMES, 0.05))) is None
        assert find_fade(fade(picture, np.ones(FRAMES))) is None
        assert find_fade(fade(picture, np.array([0.0] + [1.0] * (FRAMES - 1)))) is None

    def test_another_picture_that_is_brighter_from_frame_to_frame_is_none(self):
        random, frames = np.random.default_rng(0), []
        for gain in ramp(FRAMES):
            frames.append((random.integers(40, 230, (36, 64, 3)) * gain).astype(np.uint8))
        assert find_fade(Clip.from_array(np.stack(frames), 24)) is None

    def test_a_flash_and_a_cut_out_of_black_to_what_becomes_brighter_are_none(self, picture):
        assert find_fade(fade(picture, np.array([0.08, 0.16, 0.3, 0.6] + [0.08] * 20))) is None
        assert find_fade(fade(picture, np.array([0.0] * 5 + [0.5, 0.6, 0.7, 0.8] + [0.8] * 12))) is None

    @pytest.mark.filterwarnings("error")
    def test_one_color_that_becomes_brighter_is_none(self, picture):
        assert find_fade(fade(np.full_like(picture, 120), ramp(FRAMES))) is None

    def test_a_slow_fade_is_found_at_a_high_frame_rate_too(self, picture):
        gains = np.concatenate([np.linspace(0, 1, 100), np.ones(60)])
        assert np.allclose(find_fade(fade(picture, gains, 60)).gains, gains, atol=0.02)

    @pytest.mark.parametrize("frames", [1, 2, 3, 4, 40])
    def test_black_alone_is_none(self, picture, frames):
        assert find_fade(fade(picture, np.zeros(frames))) is None

    def test_of_a_long_black_clip_only_its_ends_are_read(self):
        read = []

        def frame_at(index):
            read.append(index)
            return np.zeros((18, 32, 3), np.uint8)

        clip = Clip.still(np.zeros((18, 32, 3), np.uint8), 4000, 24).derive(frame_at)
        assert find_fade(clip) is None and len(read) < 1000
        assert sorted(read[1:241]) == read[1:241] and sorted(read[242:]) == read[242:]

    def test_parts_of_the_lifted_clip_are_those_of_the_whole(self, picture):
        clip = fade(picture, ramp(FRAMES))
        lifted = find_fade(clip).lift(clip)
        whole = list(lifted)
        assert len(whole) == FRAMES
        assert all(np.array_equal(lifted[index], whole[index]) for index in (23, 0, 5, 2, 20))
        assert all(np.array_equal(one, other) for one, other in zip(lifted.read(3, 9), whole[3:9], strict=True))
