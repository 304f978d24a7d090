"""The bench of the shipped model: the truth scores perfectly, other pictures do not."""

from dataclasses import replace

import numpy as np
import pytest

from mimo_lab.bench import tiny
from mimo_lab.bench.tiny_measures import (
    find_most_alike,
    mark_difference,
    measure_part_colors,
    measure_sharpness,
    measure_warping_error,
)
from mimo_lab.bench.tiny_sheet import write_tiny_sheet
from mimo_lab.synthetic import make_shot


SIZE = 64


@pytest.fixture(scope="module")
def truth():
    return make_shot(1620, size=SIZE, frames=tiny.TINY_FRAMES, occluders="none")


@pytest.fixture(scope="module")
def other():
    return make_shot(1620, size=SIZE, frames=tiny.TINY_FRAMES, occluders="none", character=1731)


@pytest.fixture(scope="module")
def perfect(truth, other):
    return tiny.DrawnShot(
        seed=1620,
        truth=truth,
        character=truth.frames[0],
        driver=other.frames,
        frames=truth.frames,
        alone=truth.frames,
        proxy=other.frames,
        nearest=other.frames,
        reconstructed=truth.frames,
        found=0,
    )


class TestRows:
    def test_the_truth_meets_every_target_that_is_not_about_time(self, perfect):
        rows = tiny.summarize_tiny([perfect])
        assert [name for name, row in rows.items() if not row.ok] == [
            "silhouette IoU, poses shuffled",  # one shot has no other to be shuffled with
            "warping error against frames alone",  # and is compared with itself
        ]

    def test_every_target_is_measured(self, perfect):
        assert set(tiny.TINY_TARGETS) <= set(tiny.summarize_tiny([perfect]))

    def test_another_character_misses_what_is_about_the_character(self, perfect, other):
        rows = tiny.summarize_tiny([replace(perfect, frames=other.frames, found=3)])
        missed = {name for name, row in rows.items() if not row.ok}
        assert {"person PSNR", "right character among 10"} <= missed
        assert rows["scene PSNR"].ok

    def test_an_empty_scene_misses_what_is_about_the_pose(self, perfect, truth):
        row = tiny.summarize_tiny([replace(perfect, frames=truth.plate)])["silhouette IoU"]
        assert row.value < 0.1
        assert not row.ok

    def test_the_sheet_has_a_row_for_every_shot(self, perfect, tmp_path):
        from PIL import Image

        write_tiny_sheet(tmp_path / "sheet.png", [perfect, perfect])
        assert Image.open(tmp_path / "sheet.png").height > 2 * SIZE


class TestMeasures:
    def test_a_pixel_differs_from_an_eighth_of_full_brightness_on(self):
        plate = np.full((1, 3, 3), 100, np.uint8)
        picture = plate + np.array([[0], [30], [31]], np.uint8)
        assert mark_difference(picture, plate).tolist() == [[False, False, True]]

    def test_the_right_character_is_the_most_alike_in_other_light(self, truth, other):
        dimmed = (truth.frames * 0.9).astype(np.uint8)
        rivals = [measure_part_colors(frames, truth) for frames in (other.frames, truth.frames)]
        assert find_most_alike(measure_part_colors(dimmed, truth), rivals) == 1

    def test_a_blurred_person_is_less_sharp(self, truth):
        import cv2

        soft = np.stack([cv2.blur(frame, (5, 5)) for frame in truth.frames])
        assert measure_sharpness(soft, truth) < 0.8 * measure_sharpness(truth.frames, truth)

    def test_flicker_is_a_warping_error_and_motion_is_not(self, truth):
        steady = measure_warping_error(truth.frames, truth)
        flicker = truth.frames.astype(int)
        flicker[::2] += 20
        assert measure_warping_error(np.clip(flicker, 0, 255).astype(np.uint8), truth) > steady + 10
        shuffled = np.roll(truth.frames, 5, axis=0)
        assert measure_warping_error(shuffled, truth) > 1.5 * steady
