"""Sheets of hair and cloth end in smooth lines where a hand or an arm lay over them, and leave no crumbs behind."""

import numpy as np
import pytest

from mimo_core.proxy.sheet_ends import REACH, end_smoothly, reach_beyond


CELLS, PIXELS = 40, 320
ROWS, COLUMNS = np.mgrid[:CELLS, :CELLS]
FIGURE = np.full((PIXELS, PIXELS), 255, np.uint8)


def edge_of(alpha: np.ndarray) -> np.ndarray:
    """The column (H,) at which each row's alpha falls to half."""
    return (alpha > 127).sum(1)


class TestEnds:
    def test_a_slanted_end_is_a_line_and_no_stair(self):
        region = COLUMNS < 12 + ROWS // 3  # steps of one cell, 8 pixels
        edge = edge_of(end_smoothly(FIGURE, region, region))[60:-60]
        straight = np.polyval(np.polyfit(np.arange(len(edge)), edge, 1), np.arange(len(edge)))
        assert np.abs(np.diff(edge)).max() <= 2
        assert np.abs(edge - straight).max() < 3

    def test_the_mesh_goes_on_under_the_rounded_end_with_what_is_beside_it(self):
        bound = np.zeros((CELLS, CELLS, 25), np.float32)
        bound[:, :10] = np.arange(CELLS, dtype=np.float32)[:, None, None] + 1
        reached = reach_beyond(bound)
        assert np.array_equal(reached[:, 9 + REACH], bound[:, 9])
        assert not reached[:, 10 + REACH :].any()

    def test_the_matte_itself_is_kept_inside(self):
        matte = np.random.default_rng(0).integers(0, 256, (PIXELS, PIXELS), np.uint8)
        everywhere = np.ones((CELLS, CELLS), bool)
        assert np.array_equal(end_smoothly(matte, everywhere, everywhere), matte)

    @pytest.mark.parametrize("side", [2, 16])
    def test_of_the_pieces_that_hang_on_nothing_only_small_ones_go(self, side):
        body = COLUMNS < 10
        piece = np.zeros((CELLS, CELLS), bool)
        piece[8 : 8 + side, 20 : 20 + side] = True
        alpha = end_smoothly(FIGURE, body | piece, body)
        assert (alpha[:, 160:] > 127).any() == (side > 2)
        assert (alpha[:, :64] == 255).all()
