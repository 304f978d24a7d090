"""Clips that begin out of black or end in it."""

import numpy as np
import pytest

from mimo_core.media.clip import Clip
from mimo_core.media.fades import find_fade


FRAMES = 24


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(40, 230, (36, 64, 3)).astype(np.uint8)


def fade(picture, gains):
    return Clip.from_array(np.stack([(picture * gain + 0.5).astype(np.uint8) for gain in gains]), 24)


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
        again = list(found.apply(iter(found.lift(clip)), clip))
        seen = found.gains >= 0.2
        assert all(np.array_equal(a, b) for a, b in zip(np.array(again)[seen], np.array(list(clip))[seen], strict=True))

    def test_what_was_drawn_is_as_dark_as_its_frame(self, picture):
        clip = fade(picture, ramp(FRAMES))
        found = find_fade(clip)
        drawn = np.stack(list(found.lift(clip)))
        drawn[:, 10:20, 10:20] = 200
        levels = [frame[10:20, 10:20].mean() for frame in found.apply(iter(drawn), clip)]
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
