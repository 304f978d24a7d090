"""ComfyUI's values on their way into the library and back."""

import importlib
import io
from fractions import Fraction

import numpy as np
import pytest
import torch


@pytest.fixture(scope="module")
def media(node_classes):
    return importlib.import_module("pack_under_test.nodes.media")


@pytest.fixture(scope="module")
def batches(node_classes):
    return importlib.import_module("pack_under_test.nodes.batches")


@pytest.fixture(scope="module")
def boxes(node_classes):
    return importlib.import_module("pack_under_test.nodes.boxes")


@pytest.fixture(scope="module")
def writer(node_classes):
    return importlib.import_module("pack_under_test.mimo_core.video_writer")


@pytest.fixture
def latest(pack):
    return importlib.import_module("comfy_api.latest")


def silent(done, total, preview=None):
    pass


def ramp(frames=3, height=16, width=24, channels=3):
    """Pictures that brighten from frame to frame, exact in 8 bits."""
    steps = torch.linspace(0, 255, frames).round() / 255
    return steps[:, None, None, None].expand(frames, height, width, channels).clone()


@pytest.fixture
def video_file(tmp_path, writer):
    path = tmp_path / "clip.mp4"
    frames = (np.full((16, 24, 3), 40 * k, np.uint8) for k in range(6))
    writer.write_video(path, frames, fps=Fraction(30))
    return path


class TestImage:
    def test_a_batch_becomes_a_clip_of_24_frames_a_second(self, media):
        clip = media.clip_from(ramp(), progress=silent)
        assert (len(clip), clip.width, clip.height, clip.fps) == (3, 24, 16, 24)
        np.testing.assert_array_equal(clip[2], np.full((16, 24, 3), 255, np.uint8))

    def test_fps_says_what_the_batch_does_not(self, media):
        clip = media.clip_from(ramp(), fps=29.97, progress=silent)
        assert float(clip.fps) == pytest.approx(29.97)
        assert len(clip) == 3

    def test_alpha_is_dropped_and_grey_is_repeated(self, media):
        for channels in (1, 4):
            clip = media.clip_from(ramp(channels=channels), progress=silent)
            assert clip[0].shape == (16, 24, 3)

    def test_pictures_come_back_as_they_went_in(self, media, batches, close):
        images = ramp(frames=5)
        clip = media.clip_from(images, progress=silent)
        close(batches.batch_from(clip, len(clip)), images)

    def test_a_batch_where_one_picture_is_wanted_is_refused(self, media):
        with pytest.raises(ValueError, match="character takes one picture, got 3"):
            media.picture_from(ramp(), "character")


class TestVideo:
    def test_a_file_is_streamed_with_its_own_rate(self, media, latest, video_file):
        clip = media.clip_from(latest.InputImpl.VideoFromFile(str(video_file)), progress=silent)
        assert (len(clip), clip.width, clip.height, clip.fps) == (6, 24, 16, 30)
        assert abs(int(clip[5].mean()) - 200) <= 2

    def test_a_file_in_memory_is_read_too(self, media, latest, video_file):
        video = latest.InputImpl.VideoFromFile(io.BytesIO(video_file.read_bytes()))
        assert len(media.clip_from(video, progress=silent)) == 6

    def test_fps_resamples(self, media, latest, video_file):
        clip = media.clip_from(latest.InputImpl.VideoFromFile(str(video_file)), fps=15, progress=silent)
        assert (len(clip), clip.fps) == (3, 15)

    def test_made_of_pictures_it_keeps_them_exactly(self, media, batches, latest, close):
        parts = latest.Types.VideoComponents(images=ramp(), frame_rate=Fraction(25), audio=None)
        clip = media.clip_from(latest.InputImpl.VideoFromComponents(parts), progress=silent)
        assert clip.fps == 25
        close(batches.batch_from(clip, 3), ramp())

    def test_made_of_pictures_it_keeps_its_sound(self, media, latest):
        audio = {"waveform": torch.zeros(1, 2, 4800), "sample_rate": 48000}
        parts = latest.Types.VideoComponents(images=ramp(), frame_rate=Fraction(25), audio=audio)
        clip = media.clip_from(latest.InputImpl.VideoFromComponents(parts), progress=silent)
        assert (clip.sound.rate, clip.sound.samples.shape) == (48000, (2, 4800))

    def test_a_trimmed_one_is_taken_as_trimmed(self, media, latest, video_file):
        class Trimmed(latest.InputImpl.VideoFromFile):
            """Newer ComfyUI trims without writing a file."""

            def get_active_trim_window(self):
                return 0.1, 0.1

            def get_components(self):
                return latest.Types.VideoComponents(images=ramp(), frame_rate=Fraction(30), audio=None)

        assert len(media.clip_from(Trimmed(str(video_file)), progress=silent)) == 3

    def test_a_written_one_lies_in_the_temp_folder(self, media, folders):
        frames = (np.full((16, 24, 3), 9, np.uint8) for _ in range(4))
        video = media.video_in_temp(frames, width=24, height=16, fps=Fraction(24))
        assert video.get_dimensions() == (24, 16)
        assert [path.name for path in (folders / "temp").iterdir()] == ["mimo_00001_.mp4"]


class TestMask:
    def test_one_mask_without_a_frame_axis_stands_for_all_frames(self, media):
        masks = media.masks_from(torch.ones(16, 24), 5)
        assert (len(masks), masks[4].min()) == (5, 255)

    def test_none_stays_none(self, media):
        assert media.masks_from(None, 5) is None

    def test_masks_come_back_as_they_went_in(self, media, batches, close):
        masks = torch.arange(48.0).reshape(3, 4, 4) / 255
        close(batches.batch_from(media.masks_from(masks, 3), 3), masks)


class TestBoxes:
    @pytest.mark.parametrize(
        "value",
        [
            (1, 2, 4, 8),
            [(1, 2, 4, 8)],
            [[(1, 2, 4, 8), (5, 5, 6, 6)]],
            {"x": 1, "y": 2, "width": 3, "height": 6},
            [[{"x": 1, "y": 2, "width": 3, "height": 6}]],
            torch.tensor([[1.0, 2, 4, 8]]),
        ],
    )
    def test_every_form_in_use_gives_the_same_box_for_every_frame(self, boxes, value):
        assert boxes.boxes_from(value, 3) == [(1, 2, 4, 8)] * 3

    def test_one_box_per_frame_is_kept(self, boxes):
        assert boxes.boxes_from([(0, 0, 1, 1), (1, 1, 2, 2)], 2) == [(0, 0, 1, 1), (1, 1, 2, 2)]

    def test_a_frame_without_a_box_is_named(self, boxes):
        with pytest.raises(ValueError, match="Frame 1 has no box"):
            boxes.boxes_from([[(0, 0, 1, 1)], []], 2)


class TestLargeBatches:
    def test_a_batch_that_is_large_for_the_memory_is_a_file_that_goes_with_it(
        self, batches, folders, monkeypatch, close
    ):
        monkeypatch.setattr("comfy.model_management.get_free_memory", lambda device: 1000)
        frames = [np.full((16, 24, 3), 50 * k, np.uint8) for k in range(5)]
        batch = batches.batch_from(frames, 5)
        close(batch, torch.from_numpy(np.stack(frames)).float() / 255)
        assert list((folders / "temp").iterdir()) == []

    def test_what_fits_nowhere_is_refused_before_it_is_begun(self, batches, folders, monkeypatch):
        monkeypatch.setattr("comfy.model_management.get_free_memory", lambda device: 1000)
        with pytest.raises(ValueError, match="more than fits in memory"):
            batches.new_batch(10**6, 10**6)


class TestProgress:
    def test_cancel_passes_through(self, media, monkeypatch):
        import comfy.utils

        class Cancelled(Exception):
            pass

        def cancel(*_, **__):
            raise Cancelled

        bar = comfy.utils.ProgressBar
        monkeypatch.setattr(bar, "hook", cancel, raising=False)
        monkeypatch.setattr(comfy.utils, "PROGRESS_BAR_HOOK", cancel, raising=False)
        with pytest.raises(Cancelled):
            media.node_progress()(1, 2, np.zeros((4, 4, 3), np.uint8))

    def test_a_cancelled_video_leaves_no_file(self, media, folders):
        def cancel(done, total, preview=None):
            if done == 2:
                raise KeyboardInterrupt

        frames = (np.zeros((16, 24, 3), np.uint8) for _ in range(4))
        with pytest.raises(KeyboardInterrupt):
            media.video_in_temp(frames, width=24, height=16, fps=Fraction(24), progress=cancel)
        assert not [path for path in (folders / "temp").rglob("*") if path.is_file()]


class TestPreview:
    @pytest.mark.parametrize(("frames", "shown"), [(1, 1), (2, 2), (4, 4), (100, 4)])
    def test_a_handful_of_frames_is_shown(self, media, folders, frames, shown):
        assert len(media.preview(ramp(frames), None).as_dict()["images"]) == shown
