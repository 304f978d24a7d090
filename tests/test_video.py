"""Video files: round trips, and the ways in which real files are odd."""

import shutil
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, Sound, write_video
from mimo_core.media.video import fit_frame_rate


def moving_square(count=12, height=48, width=64):
    """A bright square that moves two pixels a frame over a soft ramp."""
    frames = []
    for number in range(count):
        frame = np.full((height, width, 3), 60, np.uint8)
        frame[..., 1] = np.linspace(40, 120, width, dtype=np.uint8)
        frame[16:32, 2 * number : 2 * number + 16] = (200, 180, 160)
        frames.append(frame)
    return frames


@pytest.fixture
def clip_file(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(path, moving_square(), fps=Fraction(24))
    return path


def encode(path, frames, *, codec="libx264", pixel_format="yuv420p", times=None, options=None, rate=24):
    """A video file written the plain way, for what `write_video` never makes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
            frame.pts = times[number] if times else round(number * 1000 / rate)
            frame.time_base = Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


class TestRoundTrip:
    @pytest.mark.parametrize(("width", "height"), [(64, 48), (63, 48), (64, 47), (33, 35)])
    def test_length_size_and_rate_are_kept_for_even_and_odd_sizes(self, tmp_path, width, height):
        frames = moving_square(10, height, width)
        write_video(tmp_path / "a.mp4", frames, fps=Fraction(24000, 1001))
        clip = Clip.from_file(tmp_path / "a.mp4")
        assert (len(clip), clip.width, clip.height, clip.fps) == (10, width, height, Fraction(24000, 1001))
        error = np.abs(np.stack(list(clip)).astype(int) - np.stack(frames))
        assert error.mean() < 3

    def test_reading_single_frames_equals_reading_in_order(self, clip_file):
        clip = Clip.from_file(clip_file)
        in_order = list(clip)
        for index in (5, 6, 2, 11, 0):
            np.testing.assert_array_equal(clip[index], in_order[index])

    def test_bytes_are_as_good_as_a_path(self, clip_file):
        assert len(Clip.from_file(clip_file.read_bytes())) == 12

    def test_one_frame_is_a_clip(self, tmp_path):
        write_video(tmp_path / "one.mp4", moving_square(1), fps=24)
        assert len(Clip.from_file(tmp_path / "one.mp4")) == 1


class TestSound:
    def samples(self, seconds=0.5, rate=48000):
        return (np.sin(np.arange(int(seconds * rate)) * 440 * 2 * np.pi / rate) * 0.3)[None].astype(np.float32)

    def packets(self, path):
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    def test_samples_are_encoded_and_last_as_long_as_the_pictures(self, tmp_path):
        write_video(tmp_path / "a.mp4", moving_square(), fps=24, sound=Sound(samples=self.samples(), rate=48000))
        with av.open(str(tmp_path / "a.mp4")) as container:
            audio = container.streams.audio[0]
            assert float(audio.duration * audio.time_base) == pytest.approx(0.5, abs=0.03)

    def test_the_sound_of_a_file_is_copied_packet_by_packet(self, tmp_path):
        write_video(tmp_path / "a.mp4", moving_square(), fps=24, sound=Sound(samples=self.samples(), rate=48000))
        clip = Clip.from_file(tmp_path / "a.mp4")
        write_video(tmp_path / "b.mp4", clip, fps=clip.fps, sound=clip.sound)
        assert self.packets(tmp_path / "a.mp4") == self.packets(tmp_path / "b.mp4")

    def test_a_silent_file_stays_silent(self, clip_file):
        assert Clip.from_file(clip_file).sound is None


class TestOddFiles:
    def test_a_varying_frame_rate_is_put_on_a_steady_grid(self, tmp_path):
        times = [0, 40, 80, 120, 400, 440, 480, 520]
        encode(tmp_path / "vfr.mp4", moving_square(8), times=times)
        clip = Clip.from_file(tmp_path / "vfr.mp4")
        assert any("varies" in note for note in clip.notes)
        assert float(len(clip) / clip.fps) == pytest.approx(0.52 + 1 / float(clip.fps), abs=0.05)
        rows = [int(np.argmax(frame[20, :, 0] > 130)) for frame in clip]
        assert rows == sorted(rows)

    def test_a_turned_phone_video_is_shown_upright(self, tmp_path):
        frames = moving_square(4)
        for frame in frames:
            frame[:8, :8] = 255  # white in the top left corner as stored
        write_video(tmp_path / "a.mp4", frames, fps=24)
        content = bytearray((tmp_path / "a.mp4").read_bytes())
        matrix = content.index(b"tkhd") + 4 + 40
        quarter = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)  # shown turned clockwise
        content[matrix : matrix + 36] = quarter
        (tmp_path / "turned.mp4").write_bytes(content)
        clip = Clip.from_file(tmp_path / "turned.mp4")
        assert (clip.width, clip.height) == (48, 64)
        assert clip[0][:8, -8:].mean() > 230

    def test_ten_bits_are_brought_to_eight(self, tmp_path):
        encode(tmp_path / "deep.mp4", moving_square(4), pixel_format="yuv420p10le")
        clip = Clip.from_file(tmp_path / "deep.mp4")
        assert clip[0].dtype == np.uint8
        assert any("8 bits" in note for note in clip.notes)

    def test_interlaced_video_is_deinterlaced_frame_for_frame(self, tmp_path):
        encode(tmp_path / "i.mp4", moving_square(8), options={"x264-params": "tff=1", "flags": "+ildct+ilme"})
        clip = Clip.from_file(tmp_path / "i.mp4")
        assert len(list(clip)) == 8
        assert any("interlaced" in note for note in clip.notes)

    def test_alpha_is_ignored_and_said(self, tmp_path):
        frames = [np.dstack([frame, frame[..., :1]]) for frame in moving_square(3)]
        with av.open(str(tmp_path / "a.mov"), "w") as container:
            stream = container.add_stream("qtrle", rate=24)
            stream.height, stream.width, stream.pix_fmt = 48, 64, "argb"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgba").reformat(format="argb")))
            container.mux(stream.encode())
        clip = Clip.from_file(tmp_path / "a.mov")
        assert clip[0].shape == (48, 64, 3)
        assert any("alpha" in note for note in clip.notes)


class TestRefusals:
    def test_a_folder_is_called_one(self, tmp_path):
        with pytest.raises(InputError, match="is a folder"):
            Clip.from_file(tmp_path)

    def test_a_stream_that_nothing_decodes_is_refused(self, tmp_path):
        (tmp_path / "a.mp4").write_text("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")
        with pytest.raises(InputError, match="no picture that can be read"):
            Clip.from_file(tmp_path / "a.mp4")

    def test_a_list_of_other_files_is_not_followed(self, tmp_path, clip_file):
        listed = tmp_path / "list.mp4"
        listed.write_text(f"ffconcat version 1.0\nfile {shutil.copy(clip_file, tmp_path / 'a.mp4').name}\n")
        with pytest.raises(InputError, match="list of other files"):
            Clip.from_file(listed)

    def test_a_missing_file_is_named(self, tmp_path):
        with pytest.raises(InputError, match=r"no file .*gone\.mp4"):
            Clip.from_file(tmp_path / "gone.mp4")

    def test_an_empty_file_is_refused(self, tmp_path):
        (tmp_path / "empty.mp4").write_bytes(b"")
        with pytest.raises(InputError, match="empty"):
            Clip.from_file(tmp_path / "empty.mp4")

    def test_text_named_mp4_is_refused(self, tmp_path):
        (tmp_path / "notes.mp4").write_text("shopping list\n" * 50)
        with pytest.raises(InputError, match="another kind of file"):
            Clip.from_file(tmp_path / "notes.mp4")

    @pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
    def test_a_truncated_file_is_refused_before_any_work(self, tmp_path, clip_file, share):
        content = clip_file.read_bytes()
        (tmp_path / "cut.mp4").write_bytes(content[: int(len(content) * share)])
        with pytest.raises(InputError, match=r"cut off|damaged"):
            Clip.from_file(tmp_path / "cut.mp4")

    def test_sound_alone_is_refused(self, tmp_path):
        with av.open(str(tmp_path / "a.mp4"), "w") as container:
            stream = container.add_stream("aac", rate=8000)
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
        with pytest.raises(InputError, match="no video stream"):
            Clip.from_file(tmp_path / "a.mp4")


class TestWriting:
    def test_an_error_half_way_leaves_nothing_and_keeps_what_was_there(self, tmp_path):
        path = tmp_path / "a.mp4"
        path.write_bytes(b"the old one")

        def failing():
            yield from moving_square(5)
            raise RuntimeError("the source broke")

        with pytest.raises(RuntimeError):
            write_video(path, failing(), fps=24)
        assert path.read_bytes() == b"the old one"
        assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]

    def test_cancel_leaves_nothing(self, tmp_path):
        def cancel(done, total, preview=None):
            if done == 3:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            write_video(tmp_path / "a.mp4", moving_square(), fps=24, progress=cancel)
        assert not list(tmp_path.iterdir())

    def test_no_frames_are_refused(self, tmp_path):
        with pytest.raises(InputError, match="no frames"):
            write_video(tmp_path / "a.mp4", [], fps=24)

    def test_a_frame_of_another_size_is_named(self, tmp_path):
        frames = [*moving_square(2), np.zeros((10, 10, 3), np.uint8)]
        with pytest.raises(InputError, match="Frame 2 is 10x10"):
            write_video(tmp_path / "a.mp4", frames, fps=24)

    def test_a_picture_wider_than_h264_holds_is_refused_and_webm_takes_it(self, tmp_path):
        with pytest.raises(InputError, match=r"16384 pixels.*17000x2.*webm"):
            write_video(tmp_path / "a.mp4", [np.zeros((2, 17000, 3), np.uint8)], fps=24)
        assert write_video(tmp_path / "a.webm", [np.zeros((2, 17000, 3), np.uint8)], fps=24) == 1

    def test_a_missing_folder_is_named(self, tmp_path):
        with pytest.raises(InputError, match="no folder"):
            write_video(tmp_path / "nowhere" / "a.mp4", moving_square(1), fps=24)


class TestSteadyRate:
    def test_small_jitter_keeps_every_frame_once(self):
        times = [0.0, 0.041, 0.084, 0.125, 0.166]
        assert fit_frame_rate(times, Fraction(24)) == (Fraction(24), range(5))

    def test_a_wrong_rate_in_the_header_is_replaced_by_the_measured_one(self):
        rate, shown = fit_frame_rate([k / 25 for k in range(50)], Fraction(90))
        assert (rate, shown) == (Fraction(25), range(50))

    def test_time_stamps_that_say_nothing_leave_the_rate_of_the_header(self):
        assert fit_frame_rate([0.0] * 24, Fraction(24)) == (Fraction(24), range(24))

    def test_a_pause_repeats_the_frame_before_it(self):
        rate, shown = fit_frame_rate([0.0, 0.1, 0.2, 0.8], Fraction(10))
        assert list(shown) == sorted(shown)
        assert shown.count(2) > 1
        assert float(len(shown) / rate) == pytest.approx(0.8, abs=1 / float(rate))
