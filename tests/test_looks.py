"""Before a busy background several looks of the network, the colors nearby and the edges say who is the figure."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mimo_core.identity.encode import encode_identity
from mimo_core.identity.evidence import settle_figure
from mimo_core.identity.looks import find_person_mask
from mimo_core.identity.matte import refine_matte
from mimo_core.pose.blazepose import ELBOWS
from mimo_core.pose.estimate import estimate_picture
from mimo_lab.synthetic.shot import make_character_picture
from tests.drawn_figure import PLACES, SHIRT, SIZE, TROUSERS, draw_figure, fill_holes, make_landmarks, make_street


@pytest.fixture(scope="module")
def person():
    """A synthetic person before noise, with a dark arch behind the head; truth and estimate."""
    figure = make_character_picture(60, size=448)
    ground = np.random.default_rng(0).normal(0, 12, figure.image.shape) + (120, 110, 90)
    arch = np.zeros(figure.mask.shape, np.uint8)
    rows, columns = np.nonzero(figure.mask > 127)
    top, middle = int(rows.min()), int(np.median(columns[rows < rows.min() + 30]))
    cv2.ellipse(arch, (middle, top + 40), (62, 66), 0, 0, 360, 255, -1)
    ground[arch > 0] = (45, 35, 30)
    share = figure.mask[..., None] / 255
    picture = (figure.image * share + ground.clip(0, 255) * (1 - share)).astype(np.uint8)
    return picture, figure.mask, arch, estimate_picture(picture)


def share_kept(found: np.ndarray, wanted: np.ndarray) -> float:
    return float((found[wanted] > 127).mean())


class TestLooks:
    def test_what_one_look_takes_for_hair_the_others_do_not(self, person):
        picture, truth, arch, seen = person
        beside = (arch > 0) & (cv2.dilate(truth, np.ones((15, 15))) < 128)
        first = np.maximum(seen.masks[0], np.where(arch > 0, 230, 0)).astype(np.uint8)
        mask = find_person_mask(picture, first, seen.landmarks)
        assert share_kept(first, beside) == 1
        assert share_kept(mask, beside) < 0.1
        assert share_kept(mask, truth > 250) > 0.96

    def test_a_person_in_whom_nobody_is_seen_keeps_the_first_look(self, person):
        picture, _, _, seen = person
        nothing = np.zeros(picture.shape[:2], np.uint8)
        assert find_person_mask(picture, nothing, seen.landmarks) is nothing

    def test_a_character_before_a_busy_ground_is_cut_out_whole(self, person):
        picture, truth, _, _ = person
        identity = encode_identity(picture)
        share = (identity.matte > 127).sum() / (truth > 127).sum()
        assert 0.95 < share < 1.05


class TestEvidence:
    @pytest.fixture(scope="class")
    @staticmethod
    def landmarks():
        return make_landmarks()

    def test_rubble_as_dark_as_the_trousers_is_not_the_elbow_s(self, landmarks):
        ground, rubble = make_street(), np.zeros(SIZE, np.uint8)
        x, y = PLACES[ELBOWS]
        cv2.circle(rubble, (x + 18, y - 8), 14, 255, -1)
        for down in range(-60, 61, 20):
            cv2.circle(ground, (x + 28, y + down), 10, TROUSERS, -1)
        ground[rubble > 0] = TROUSERS
        picture, figure = draw_figure(ground)
        rubble[figure] = 0
        mask = np.maximum(figure.astype(np.uint8) * 255, np.where(rubble > 0, 190, 0)).astype(np.uint8)
        assert share_kept(refine_matte(picture, mask, landmarks), rubble > 0) > 0.5
        matte = refine_matte(picture, mask, landmarks, lambda: mask)
        assert share_kept(matte, rubble > 0) < 0.05
        assert share_kept(matte, figure) > 0.95

    def test_a_hem_of_which_the_network_is_not_sure_has_the_figure_s_color(self, landmarks):
        picture, figure = draw_figure(make_street())
        hem = np.zeros(SIZE, np.uint8)
        cv2.fillConvexPoly(hem, np.array([(156, 170), (196, 214), (156, 214)]), 255)
        hem[figure] = 0
        picture[hem > 0] = SHIRT
        mask = np.maximum(figure.astype(np.uint8) * 255, np.where(hem > 0, 50, 0)).astype(np.uint8)
        assert share_kept(refine_matte(picture, mask, landmarks), hem > 0) < 0.8
        assert share_kept(refine_matte(picture, mask, landmarks, lambda: mask), hem > 0) > 0.85

    def test_landmarks_far_outside_the_picture_draw_nothing_that_fails(self, landmarks):
        picture, figure = draw_figure(make_street())
        mask = figure.astype(np.uint8) * 255
        far = replace(landmarks, pixels=landmarks.pixels * 1e5)
        assert settle_figure(picture, mask, mask, far)[figure].mean() > 0.9

    def test_what_arms_and_legs_enclose_is_background(self, landmarks):
        picture, figure = draw_figure(make_street())
        mask = fill_holes(figure)
        matte = refine_matte(picture, mask, landmarks, lambda: mask)
        assert share_kept(matte, cv2.erode(mask - figure * np.uint8(255), np.ones((7, 7))) > 0) < 0.1
        assert share_kept(matte, figure) > 0.95
