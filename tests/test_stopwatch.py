"""The stopwatch and the contact sheet."""

import itertools

import numpy as np
import pytest

from mimo_core.media.sheet import draw_contact_sheet, sample_frames
from mimo_core.stopwatch import Stopwatch


@pytest.fixture
def watch():
    """A stopwatch whose clock moves on by one second whenever it is read."""
    return Stopwatch(clock=itertools.count().__next__)


def test_an_inner_stage_stops_the_outer_clock(watch):
    with watch.stage("outer"), watch.stage("inner"):
        pass
    assert watch.seconds == {"outer": 2, "inner": 1}


def test_iterating_counts_the_making_and_not_the_using(watch):
    with watch.stage("using"):
        for _ in watch.iterate("making", range(3)):
            watch._clock()
    assert watch.seconds["making"] == 4
    assert watch.seconds["using"] > 4


def test_the_table_has_a_row_per_stage_and_a_sum(watch):
    with watch.stage("pose"):
        pass
    assert "1000 ms/frame" in watch.format_table(frames=1)
    assert watch.format_table(frames=1).splitlines()[-1].startswith("in all")


def test_a_sheet_holds_all_pictures_at_one_height():
    sheet = draw_contact_sheet([[np.zeros((20, 10, 3), np.uint8)] * 3, [np.zeros((40, 80, 3), np.uint8)]], height=40)
    assert sheet.shape == (40 + 4 + 40, 80, 3)


def test_frames_are_spread_from_first_to_last():
    assert sample_frames(3, 101) == [0, 50, 100]
    assert sample_frames(6, 2) == [0, 1]
