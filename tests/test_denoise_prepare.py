"""The character picture before the networks, against samples of the official release."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mimo_core.errors import InputError
from mimo_core.identity.prepare import (
    composite_on_white,
    crop_to_matte,
    make_clip_input,
    make_pose_input,
    make_vae_input,
    matte_box,
    pad_to_square,
    square_padding,
)


PARITY = Path(__file__).parent / "data" / "parity"
ROI = json.loads((PARITY / "roi.json").read_text())
IMAGES = np.load(PARITY / "roi_images.npz", allow_pickle=False)


def matte_with(rectangle, height, width):
    top, bottom, left, right = rectangle
    matte = np.zeros((height, width), np.uint8)
    matte[top:bottom, left:right] = 9
    return matte


class TestCropToMatte:
    @pytest.mark.parametrize("case", [c for c in ROI["crop_img_reference"] if c["result_y0y1x0x1"]])
    def test_the_box_is_the_official_one(self, case):
        left, top, right, bottom = matte_box(matte_with(case["alpha_nonzero_rect_y0y1x0x1"], *case["hw"]))
        assert [top, bottom, left, right] == case["result_y0y1x0x1"]

    def test_an_empty_matte_is_refused_with_the_size_and_a_remedy(self):
        with pytest.raises(InputError, match="80x100.*one person"):
            matte_box(np.zeros((100, 80), np.uint8))

    def test_a_matte_of_another_size_is_refused(self):
        with pytest.raises(InputError, match="8x6 but its matte is 8x7"):
            crop_to_matte(np.zeros((6, 8, 3), np.uint8), np.ones((7, 8), np.uint8))


class TestPadToSquare:
    @pytest.mark.parametrize("case", ROI["pad_img"])
    def test_the_padding_is_the_official_one(self, case):
        left, top, right, bottom = square_padding(*case["in_hw"])
        assert [top, bottom, left, right] == case["top_bottom_left_right"]

    def test_the_picture_stays_in_the_middle_of_white(self):
        square = pad_to_square(np.zeros((5, 9, 3), np.uint8))
        assert square.shape == (16, 16, 3)
        assert (square[5:10, 3:12] == 0).all()
        assert (square == 255).sum() == 3 * (16 * 16 - 5 * 9)


class TestNetworkInputs:
    @pytest.mark.parametrize("run", ["edit_occ", "edit_noocc_timecrop", "animate"])
    def test_matted_cropped_and_padded_reference_equals_the_official_one(self, run):
        picture, matte = IMAGES[f"{run}.ref_rgb"], IMAGES[f"{run}.ref_alpha"]
        crop, _ = crop_to_matte(composite_on_white(picture, matte), matte)
        np.testing.assert_array_equal(pad_to_square(crop), IMAGES[f"{run}.net_ref_input"])

    def test_vae_pose_and_clip_inputs_equal_the_official_ones(self):
        image, (height, width) = IMAGES["prep.image"], ROI["prep"]["target_hw"]
        torch.testing.assert_close(
            make_vae_input(image, width, height).numpy(), IMAGES["prep.vae_like_m1_1"], rtol=0, atol=0
        )
        torch.testing.assert_close(
            make_pose_input(image, width, height).numpy(), IMAGES["prep.pose_0_1"], rtol=0, atol=0
        )
        sampled = make_clip_input(image)[..., ::8, ::8].numpy()
        torch.testing.assert_close(sampled, IMAGES["prep.clip_pixel_values_every8"], rtol=0, atol=0)
