"""The measures of the bench against closed forms."""

import numpy as np
import pytest

from mimo_lab.bench.measures import dilate, iou, psnr, ssim


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(20, 230, (24, 24, 3), dtype=np.uint8)


class TestPsnr:
    def test_one_grey_level_everywhere_is_48_13_db(self, picture):
        assert psnr(picture, picture + 1) == pytest.approx(20 * np.log10(255), abs=1e-9)

    def test_only_the_mask_counts(self, picture):
        changed, mask = picture.copy(), np.zeros((24, 24), bool)
        changed[:4] = 0
        mask[10:] = True
        assert psnr(picture, changed, mask) == 99

    def test_nothing_to_compare_is_not_a_number(self, picture):
        assert np.isnan(psnr(picture, picture, np.zeros((24, 24), bool)))


class TestSsim:
    def test_equal_pictures_have_one(self, picture):
        assert ssim(picture, picture) == pytest.approx(1)

    def test_two_constants_compare_by_their_means_alone(self):
        a, b = np.full((20, 20, 3), 100, np.uint8), np.full((20, 20, 3), 120, np.uint8)
        c1 = (0.01 * 255) ** 2
        assert ssim(a, b) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-6)

    def test_one_window_follows_the_formula_of_scikit_image(self, picture):
        other = np.random.default_rng(1).integers(0, 255, (24, 24, 3), dtype=np.uint8)
        middle = np.zeros((24, 24), bool)
        middle[12, 10] = True
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        expected = []
        for channel in range(3):
            x, y = (p[9:16, 7:14, channel].astype(float).ravel() for p in (picture, other))
            var_x, cov, var_y = np.cov(x, y)[[0, 0, 1], [0, 1, 1]]  # unbiased, as use_sample_covariance
            above = (2 * x.mean() * y.mean() + c1) * (2 * cov + c2)
            expected.append(above / ((x.mean() ** 2 + y.mean() ** 2 + c1) * (var_x + var_y + c2)))
        assert ssim(picture, other, middle) == pytest.approx(np.mean(expected), abs=1e-9)


class TestMasks:
    def test_half_overlapping_squares_have_a_third(self):
        a, b = np.zeros((2, 8, 8), bool)
        a[:, :4], b[:, 2:6] = True, True
        assert iou(a, b) == pytest.approx(1 / 3)

    def test_two_empty_masks_agree(self):
        assert iou(np.zeros((4, 4), bool), np.zeros((4, 4), bool)) == 1

    def test_a_dilated_pixel_is_a_disc(self):
        mask = np.zeros((21, 21), bool)
        mask[10, 10] = True
        y, x = np.mgrid[:21, :21] - 10
        np.testing.assert_array_equal(dilate(mask, 5), x * x + y * y <= 25)

    def test_an_empty_mask_stays_empty(self):
        assert not dilate(np.zeros((5, 5), bool), 3).any()
