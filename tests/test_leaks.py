"""Patches of the background inside a matte are told from the figure by the colors along its bones."""

import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mimo_core.identity.leaks import find_leaks
from mimo_core.identity.matte import refine_matte
from mimo_core.pose.blazepose import INDICES, TOES
from mimo_core.pose.landmarks import Landmarks
from tests.drawn_figure import (
    ARM_POCKETS,
    LEG_POCKET,
    PLACES,
    SHIRT,
    SIZE,
    draw_figure,
    fill_holes,
    make_landmarks,
    make_street,
)


@pytest.fixture(scope="module")
def landmarks() -> Landmarks:
    return make_landmarks()


class TestLeaks:
    def test_what_arms_and_legs_enclose_is_background_before_a_street(self, landmarks):
        picture, figure = draw_figure(make_street())
        mask = fill_holes(figure)
        matte = refine_matte(picture, mask, landmarks)
        for x, y in (*ARM_POCKETS, LEG_POCKET):
            assert refine_matte(picture, mask)[y, x] > 200
            assert matte[y, x] == 0
        assert ((matte > 127) & figure).sum() > 0.95 * figure.sum()

    def test_a_shadow_that_the_network_leaves_open_before_a_plain_wall_is_open(self, landmarks):
        wall = np.full((*SIZE, 3), (190, 170, 210), np.uint8)
        cv2.ellipse(wall, (178, 150), (60, 70), 0, 0, 360, (80, 70, 95), -1)
        picture, figure = draw_figure(cv2.GaussianBlur(wall, (0, 0), 12))
        mask = figure.astype(np.uint8) * 255
        matte = refine_matte(picture, mask, landmarks)
        assert matte[ARM_POCKETS[0][::-1]] == 0
        assert ((matte > 127) & figure).sum() > 0.95 * figure.sum()

    def test_a_shadow_in_a_pocket_beside_a_hand_is_open(self, landmarks):
        wall = np.full((*SIZE, 3), (190, 170, 210), np.uint8)
        cv2.ellipse(wall, (178, 150), (60, 70), 0, 0, 360, (80, 70, 95), -1)
        picture, figure = draw_figure(cv2.GaussianBlur(wall, (0, 0), 12))
        pixels = landmarks.pixels.clone()
        pixels[0, INDICES[0]] = torch.tensor([168.0, 150.0])
        matte = refine_matte(picture, figure.astype(np.uint8) * 255, replace(landmarks, pixels=pixels))
        assert matte[ARM_POCKETS[0][::-1]] == 0
        assert ((matte > 127) & figure).sum() > 0.95 * figure.sum()

    def test_cloth_that_runs_into_what_is_behind_it_stays(self, landmarks):
        """A skirt that fades into the street's color has no edge, so nobody knows where it ends."""
        picture, figure = draw_figure(make_street())
        skirt = np.s_[196:300, 88:152]
        share = np.linspace(0, 1, 104)[:, None, None]
        picture[skirt] = (np.array(SHIRT) * (1 - share) + make_street()[skirt] * share).astype(np.uint8)
        figure[skirt] = True
        assert find_leaks(picture, figure, figure.astype(np.uint8) * 255, landmarks).sum() < 0.01 * figure.sum()

    def test_a_veil_in_the_background_s_color_stays_where_the_background_ends_at_it(self, landmarks):
        street = make_street()
        veil, bright = np.s_[206:296, 160:186], np.s_[200:302, 160:200]
        ground = street.copy()
        ground[bright] = street[bright] // 2 + 120
        for shown, found in ((ground, 0), (street, 1)):
            picture, figure = draw_figure(shown)
            free = np.zeros(SIZE, bool)
            free[veil] = ~figure[veil]
            picture[free] = street[free]
            leaks = find_leaks(picture, figure | free, (figure | free).astype(np.uint8) * 255, landmarks)
            assert round(leaks[free].mean()) == found

    def test_hands_and_shoes_are_no_background_though_they_look_like_it(self, landmarks):
        picture, figure = draw_figure(make_street())
        for x, y in (PLACES[TOES], PLACES[INDICES]):
            for place in (x, 240 - x):
                patch = np.s_[y - 5 : y + 6, place - 5 : place + 6]
                picture[patch] = make_street()[patch]
                figure[patch] = True
        assert not find_leaks(picture, figure, figure.astype(np.uint8) * 255, landmarks).any()

    def test_a_small_figure_in_a_large_picture_takes_no_more_memory_than_a_large_one(self, landmarks):
        """The grid of colors covered the whole picture in cells of the figure's size: 13 GB for one of 54 pixels."""
        picture, figure = draw_figure(make_street())
        mask, peaks = fill_holes(figure), []
        for scale, left, top in ((2.0, 0, 0), (0.4, 100, 300), (0.15, 100, 300)):
            width, height = round(SIZE[1] * scale), round(SIZE[0] * scale)
            place = np.s_[top : top + height, left : left + width]
            shown, seen = cv2.resize(make_street(), (480, 720)), np.zeros((720, 480), np.uint8)
            shown[place], seen[place] = (cv2.resize(one, (width, height)) for one in (picture, mask))
            moved = replace(landmarks, pixels=landmarks.pixels * scale + torch.tensor([left, top]))
            tracemalloc.start()
            leaks = find_leaks(shown, seen > 0, seen, moved)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            x, y = LEG_POCKET
            assert leaks[round(y * scale + top), round(x * scale + left)]
        assert max(peaks[1:]) < 1.5 * peaks[0]

    def test_a_line_around_the_picture_does_not_make_the_wall_busy(self):
        picture, figure = draw_figure(np.full((*SIZE, 3), (100, 90, 165), np.uint8))
        framed = cv2.rectangle(picture.copy(), (0, 0), (SIZE[1] - 1, SIZE[0] - 1), (0, 0, 0), 2)
        mask = figure.astype(np.uint8) * 255
        mask[240:] = 0  # before a plain wall legs come back that the network missed
        shins = figure.copy()
        shins[:260] = False
        assert [(refine_matte(shown, mask)[shins] > 127).mean() > 0.9 for shown in (picture, framed)] == [True, True]
