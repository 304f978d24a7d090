"""Patches of the background inside a matte are told from the figure by the colors along its bones."""

import tracemalloc
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mimo_core.identity.leaks import find_leaks
from mimo_core.identity.matte import refine_matte
from mimo_core.pose.blazepose import ANKLES, EARS, ELBOWS, HEELS, HIPS, INDICES, KNEES, PINKIES, SHOULDERS, TOES, WRISTS
from mimo_core.pose.landmarks import Landmarks


SIZE = 360, 240
PLACES = {  # of the left one; the right one is mirrored at x = 120
    EARS: (132, 50),
    SHOULDERS: (155, 100),
    ELBOWS: (205, 145),
    WRISTS: (158, 190),
    PINKIES: (152, 194),
    INDICES: (150, 190),
    HIPS: (142, 190),
    KNEES: (146, 260),
    ANKLES: (148, 325),
    HEELS: (146, 335),
    TOES: (158, 338),
}
SHIRT, SKIN, TROUSERS = (60, 120, 200), (220, 170, 140), (40, 50, 60)
ARM_POCKETS, LEG_POCKET = ((178, 142), (62, 142)), (120, 290)


@pytest.fixture(scope="module")
def landmarks() -> Landmarks:
    pixels = torch.zeros(1, 33, 2)
    for (left, right), (x, y) in PLACES.items():
        pixels[0, left], pixels[0, right] = torch.tensor([x, y]), torch.tensor([240 - x, y])
    return Landmarks(pixels, torch.zeros(1, 33, 3), torch.ones(1, 33), torch.ones(1))


def draw_figure(ground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A figure with hands on its hips and legs apart, and its mask (H, W) bool."""
    picture, mask = ground.copy(), np.zeros(SIZE, np.uint8)
    for side in (1, -1):

        def at(x, y, side=side):
            return 120 + side * (x - 120), y

        for canvas, arm, leg in ((picture, SKIN, TROUSERS), (mask, 255, 255)):
            cv2.line(canvas, at(*PLACES[SHOULDERS]), at(*PLACES[ELBOWS]), arm, 18)
            cv2.line(canvas, at(*PLACES[ELBOWS]), at(*PLACES[WRISTS]), arm, 16)
            cv2.line(canvas, at(*PLACES[HIPS]), at(*PLACES[ANKLES]), leg, 26)
            cv2.line(canvas, at(*PLACES[HEELS]), at(*PLACES[TOES]), leg, 14)
    for canvas, shirt, head in ((picture, SHIRT, SKIN), (mask, 255, 255)):
        cv2.rectangle(canvas, (84, 90), (156, 196), shirt, -1)
        cv2.circle(canvas, (120, 55), 24, head, -1)
        cv2.rectangle(canvas, (112, 70), (128, 92), head, -1)
    return picture, mask > 0


def make_street() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 8, (*SIZE, 3))
    return (noise + np.linspace(90, 170, SIZE[1])[None, :, None] * (1.0, 0.7, 0.4)).clip(0, 255).astype(np.uint8)


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """What a coarse network sees: also what arms and legs enclose."""
    outline = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    filled = cv2.drawContours(np.zeros(SIZE, np.uint8), outline, -1, 255, -1)
    filled[196:320, 92:148] = 255
    return filled


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
