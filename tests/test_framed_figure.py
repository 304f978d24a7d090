"""Dolls and busts, in which the detector finds nobody, are cut out by looks around the head that a margin shows."""

import cv2
import numpy as np
import pytest

from mimo_core.identity.encode import encode_identity
from mimo_core.identity.framed_figure import FramedFigure, find_framed_figure
from mimo_core.pose.blazepose import load_blazepose


SIDE = 384


def draw_doll() -> tuple[np.ndarray, np.ndarray]:
    """A shaded green doll with a round head before a wall of colored tiles, and its mask."""
    tiles = np.random.default_rng(0).integers(0, 255, (20, 20, 3)).astype(np.uint8)
    picture = cv2.resize(tiles, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    head, body = np.zeros((2, SIDE, SIDE), np.uint8)
    cv2.ellipse(head, (192, 130), (61, 67), 0, 0, 360, 255, -1)
    cv2.ellipse(body, (192, 276), (76, 92), 0, 0, 360, 255, -1)
    for side in (-1, 1):
        cv2.line(body, (192 + 61 * side, 238), (192 + 115 * side, 299), 255, 30)
        cv2.line(body, (192 + 30 * side, 326), (192 + 34 * side, 364), 255, 38)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    light = 1.15 - 0.5 * np.hypot(columns - 0.4, rows - 0.3)[..., None]
    for part, color in ((body, (70, 150, 70)), (head, (90, 180, 80))):
        picture[part > 0] = (np.array(color) * light).clip(0, 255).astype(np.uint8)[part > 0]
    for side in (-1, 1):
        cv2.circle(picture, (192 + 25 * side, 127), 9, (30, 25, 20), -1)
    cv2.ellipse(picture, (192, 155), (21, 11), 0, 0, 180, (140, 50, 40), -1)
    return cv2.GaussianBlur(picture, (3, 3), 0), np.maximum(head, body)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a > 127, b > 127
    return float((a & b).sum() / (a | b).sum())


@pytest.fixture(scope="module")
def doll():
    return draw_doll()


class TestFramedFigure:
    def test_a_doll_in_which_nobody_is_found_is_cut_out_before_a_busy_wall(self, doll):
        picture, truth = doll
        assert load_blazepose().detect(picture) == []
        assert overlap(find_framed_figure(picture).mask, truth) > 0.95
        identity = encode_identity(picture)
        rows, columns = (np.flatnonzero(truth.any(axis)) for axis in (1, 0))
        assert identity.side < SIDE
        assert 0.93 < (identity.matte > 127).sum() / (truth > 127).sum() < 1.07
        assert abs(np.ptp(np.flatnonzero((identity.matte > 127).any(1))) - np.ptp(rows)) <= 6
        assert abs(np.ptp(np.flatnonzero((identity.matte > 127).any(0))) - np.ptp(columns)) <= 6

    def test_its_place_and_size_do_not_hang_on_the_picture_s_size(self, doll):
        picture, truth = doll
        large = cv2.resize(picture, (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_CUBIC)
        figure = find_framed_figure(large)
        assert overlap(cv2.resize(figure.mask, (SIDE, SIDE), interpolation=cv2.INTER_AREA), truth) > 0.95
        assert np.abs(figure.head / 2 - find_framed_figure(picture).head).max() < 0.1 * SIDE

    def test_noise_holds_no_figure(self):
        noise = np.random.default_rng(1).integers(0, 255, (120, 90, 3)).astype(np.uint8)
        assert find_framed_figure(noise) is None

    @pytest.mark.parametrize(
        ("nose", "neck", "pelvis", "is_borne"),
        [
            ((50, 60), (50, 95), (50, 180), True),
            ((50, 20), (50, 95), (50, 180), False),  # above the head
            ((50, 60), (50, 65), (50, 180), False),  # shoulders beside the mouth
            ((50, 60), (50, 85), (50, 95), False),  # a whole body inside the head
        ],
    )
    def test_a_body_that_lies_in_its_face_is_not_the_figure_s(self, nose, neck, pelvis, is_borne):
        figure = FramedFigure(np.zeros((200, 100), np.uint8), np.array([20, 30, 80, 100]))
        assert figure.bears(*map(np.array, (nose, neck, pelvis))) == is_borne
