"""Clips, masks and the store: what goes in comes out, wherever it lies."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, Masks
from mimo_core.media.store import FrameStore


def numbered_frames(count, height=6, width=8):
    """Frames whose every value is their number."""
    return [np.full((height, width, 3), number, np.uint8) for number in range(count)]


def numbers(clip):
    return [int(frame[0, 0, 0]) for frame in clip]


class TestFrameStore:
    def test_arrays_of_any_shape_come_back_as_they_were(self):
        store, generator = FrameStore(), np.random.default_rng(0)
        arrays = [generator.integers(0, 256, shape, np.uint8) for shape in [(3, 4), (3, 4), (5, 2, 3), (3, 4)]]
        for array in arrays:
            store.append(array)
        for index in (3, 0, 2, 1):
            np.testing.assert_array_equal(store[index], arrays[index])

    @pytest.mark.parametrize("kind", ["noise", "flat"])
    def test_large_arrays_take_hardly_more_room_than_their_values_and_come_back(self, kind):
        noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
        array, store = noise if kind == "noise" else np.zeros_like(noise), FrameStore()
        store.append(array)
        store.append(array[::-1])
        np.testing.assert_array_equal(store[0], array)
        np.testing.assert_array_equal(store[1], array[::-1])
        store[0][:] = 7
        np.testing.assert_array_equal(store[0], array)
        taken = store._ends[-1] / (2 * array.size)
        assert taken < 1.001 and (kind == "noise" or taken < 0.05)

    def test_what_is_read_may_be_written_to_without_harm(self):
        store = FrameStore()
        store.append(np.zeros((2, 2), np.uint8))
        store[0][:] = 9
        assert store[0].max() == 0

    def test_a_full_disk_is_an_error_with_a_remedy(self, monkeypatch):
        store = FrameStore()

        class Full:
            def seek(self, position): ...

            def write(self, content):
                raise OSError(28, "No space left on device")

        monkeypatch.setattr(store, "_file", Full())
        with pytest.raises(InputError, match="TMPDIR"):
            store.append(np.zeros((2, 2), np.uint8))


class TestClip:
    @pytest.mark.parametrize("index", [-1, 7])
    def test_a_frame_that_the_clip_does_not_have_cannot_be_selected(self, index):
        clip = Clip.from_array(np.zeros((7, 4, 6, 3), np.uint8), 25)
        with pytest.raises(InputError, match=f"no frame {index}: the clip has 7"):
            clip.select([0, index])

    @pytest.mark.parametrize("kind", ["array", "spooled", "computed", "selected"])
    def test_every_source_gives_the_same_frames(self, kind):
        frames = numbered_frames(7)
        plain = Clip.from_array(np.stack(frames))
        clip = {
            "array": plain,
            "spooled": Clip.from_frames(frames),
            "computed": plain.derive(lambda index: frames[index]),
            "selected": plain.select(range(7)),
        }[kind]
        assert (len(clip), clip.height, clip.width) == (7, 6, 8)
        assert numbers(clip) == list(range(7))
        assert numbers(clip.read(2, 5)) == [2, 3, 4]
        assert [int(clip[index][0, 0, 0]) for index in (5, 0, 6, -1)] == [5, 0, 6, 6]

    def test_single_frames_of_a_selection_are_fresh_copies_in_any_order(self):
        clip = Clip.from_frames(numbered_frames(7)).select([1, 1, 4, 6])
        clip[0][:] = 99
        assert [int(clip[index][0, 0, 0]) for index in (0, 1, 3, 2, 2, 0)] == [1, 1, 6, 4, 4, 1]

    def test_floats_are_rounded_and_alpha_is_dropped(self):
        clip = Clip.from_array(torch.tensor([0.0, 0.5, 1.0, 0.25]).expand(1, 2, 2, 4))
        assert clip[0].shape == (2, 2, 3)
        assert clip[0][0, 0].tolist() == [0, 128, 255]

    def test_grey_becomes_rgb(self):
        assert Clip.from_array(np.full((1, 2, 2, 1), 7, np.uint8))[0].tolist() == [[[7] * 3] * 2] * 2

    @pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
    def test_floats_of_any_precision_are_read(self, kind):
        assert Clip.from_array(torch.tensor([0.0, 0.5, 1.0]).expand(1, 2, 2, 3).to(kind))[0][0, 0].tolist() == [
            0,
            128,
            255,
        ]

    def test_nan_is_refused_by_name(self):
        clip = Clip.from_array(torch.full((1, 2, 2, 3), float("nan")))
        with pytest.raises(InputError, match="NaN"):
            clip[0]

    @pytest.mark.parametrize("shape", [(2, 2, 3), (0, 2, 2, 3)])
    def test_a_batch_without_frames_is_refused(self, shape):
        with pytest.raises(InputError, match="at least one frame"):
            Clip.from_array(np.zeros(shape, np.uint8))

    def test_more_than_64_megapixels_are_refused(self):
        with pytest.raises(InputError, match="megapixels"):
            Clip.from_array(np.broadcast_to(np.zeros((), np.uint8), (1, 8001, 8001, 3)))

    def test_frames_of_different_sizes_are_refused(self):
        with pytest.raises(InputError, match="one size"):
            Clip.from_frames([np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3, 3), np.uint8)])

    def test_halving_the_rate_keeps_every_second_frame(self):
        clip = Clip.from_array(np.stack(numbered_frames(8)), fps=24).resample(12)
        assert numbers(clip) == [0, 2, 4, 6]
        assert clip.fps == 12

    def test_raising_the_rate_repeats_frames_by_the_floor_rule(self):
        clip = Clip.from_array(np.stack(numbered_frames(4)), fps=24).resample(36)
        assert numbers(clip) == [0, 0, 1, 2, 2, 3]

    def test_a_still_is_the_same_frame_as_long_as_asked(self):
        clip = Clip.still(numbered_frames(4)[3], 5, Fraction(30))
        assert numbers(clip) == [3] * 5


class TestPictures:
    def test_a_png_whose_head_is_cut_is_refused(self, tmp_path):
        from mimo_core.media.picture import read_picture, write_picture

        write_picture(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
        content = bytearray((tmp_path / "a.png").read_bytes())
        content[8:12] = (3).to_bytes(4, "big")  # the length of IHDR
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(InputError, match="cannot be read as a picture"):
            read_picture(tmp_path / "a.png")

    @pytest.mark.parametrize(("kind", "white"), [("I;16", 65535), ("I", 65535), ("F", 1.0)])
    def test_deep_grey_is_as_bright_as_the_same_in_eight_bits(self, tmp_path, kind, white):
        from PIL import Image

        from mimo_core.media.picture import read_picture

        ramp = np.linspace(0, 1, 256)[None].repeat(4, 0) * white
        values = ramp.astype({"I;16": np.uint16, "I": np.int32, "F": np.float32}[kind])
        Image.fromarray(values).save(tmp_path / "a.tif")
        assert np.abs(read_picture(tmp_path / "a.tif")[..., 0].astype(int) - np.arange(256)).max() <= 1

    def test_what_pillow_would_run_as_a_program_is_no_picture(self, tmp_path):
        from PIL import EpsImagePlugin

        from mimo_core.media.picture import read_picture

        drawing = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
        (tmp_path / "a.png").write_text(drawing)
        assert EpsImagePlugin._accept(drawing.encode())
        with pytest.raises(InputError, match="unknown kind"):
            read_picture(tmp_path / "a.png")

    def test_a_picture_of_a_size_that_pillow_refuses_is_too_large(self, tmp_path, monkeypatch):
        from PIL import Image

        from mimo_core.media.picture import read_picture, write_picture

        write_picture(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
        with pytest.raises(InputError, match="megapixels; the limit is 64. Make it smaller"):
            read_picture(tmp_path / "a.png")

    def test_the_a_of_lab_is_a_color_and_no_alpha(self, tmp_path):
        from PIL import Image

        from mimo_core.media.picture import read_picture

        Image.new("LAB", (4, 4), (128, 128, 128)).save(tmp_path / "a.tif")
        assert read_picture(tmp_path / "a.tif").shape == (4, 4, 3)


class TestMasks:
    @pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.bool])
    def test_masks_of_any_type_are_read(self, kind):
        assert Masks.from_array(torch.tensor([[[0, 1]]]).to(kind))[0].tolist() == [[0, 255]]

    def test_floats_and_bytes_mean_the_same(self):
        floats = torch.rand(3, 4, 5)
        bytes_ = (floats * 255).round().to(torch.uint8)
        for a, b in zip(Masks.from_array(floats), Masks.from_array(bytes_), strict=True):
            assert np.abs(a.astype(int) - b).max() <= 1

    def test_constant_masks_hold_their_value(self):
        masks = Masks.constant(255, 3, 2, 4)
        assert [mask.shape for mask in masks] == [(2, 4)] * 3
        assert all((mask == 255).all() for mask in masks)
