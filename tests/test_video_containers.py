"""Every frame of a file, once, in order, at its time, wherever reading begins: over the containers FFmpeg can write."""

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from mimo_core.errors import InputError
from mimo_core.media.clip import Clip
from mimo_core.media.timing import fit_frame_rate, mend_times
from tests.videos import numbered_picture, read_number, remux, write_numbered


COUNT = 40
X264 = {"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=3"}
OPEN = {"x264-params": "keyint=12:min-keyint=12:scenecut=0:bframes=3:open-gop=1"}
FIELDS = {"x264-params": "tff=1:keyint=12", "flags": "+ildct+ilme"}
X265 = {"x265-params": "keyint=12:min-keyint=12:open-gop=1:bframes=4:log-level=none"}
MPEG = {"g": "12", "bf": "2"}
PLAIN = {"g": "12"}
FILES = [  # suffix, muxer, codec, options, pixels
    *[(name, form, "libx264", X264, "yuv420p") for name, form in (
        ("mp4", None), ("mov", None), ("mkv", None), ("ts", None), ("m2ts", "mpegts"), ("flv", None), ("avi", None),
        ("nut", None), ("3gp", None), ("h264", "h264"))],
    *[(name, None, "libx264", OPEN, "yuv420p") for name in ("mp4", "mkv", "ts", "avi")],
    *[(name, None, "libx264", FIELDS, "yuv420p") for name in ("mp4", "mkv", "ts")],
    *[(name, None, "libx265", X265, "yuv420p") for name in ("mp4", "mkv", "ts", "hevc")],
    *[(name, form, "mpeg2video", MPEG, "yuv420p") for name, form in (
        ("mpg", None), ("vob", "vob"), ("ts", None), ("avi", None), ("mkv", None), ("mxf", None),
        ("m2v", "mpeg2video"))],
    *[(name, form, "mpeg1video", MPEG, "yuv420p") for name, form in (
        ("mpg", None), ("avi", None), ("m1v", "mpeg1video"))],
    *[(name, form, "mpeg4", MPEG, "yuv420p") for name, form in (("avi", None), ("mp4", None), ("m4v", "m4v"))],
    ("wmv", "asf", "wmv2", PLAIN, "yuv420p"),
    ("avi", None, "msmpeg4", PLAIN, "yuv420p"),
    ("flv", None, "flv", PLAIN, "yuv420p"),
    ("webm", None, "libvpx", PLAIN | {"auto-alt-ref": "1", "lag-in-frames": "10"}, "yuv420p"),
    ("webm", None, "libvpx-vp9", PLAIN | {"auto-alt-ref": "1", "lag-in-frames": "10", "cpu-used": "8"}, "yuv420p"),
    ("mp4", None, "libsvtav1", PLAIN | {"preset": "12"}, "yuv420p"),
    ("mkv", None, "ffv1", {}, "yuv420p"),
    ("mov", None, "prores_ks", {}, "yuv422p10le"),
    ("avi", None, "rawvideo", {}, "bgr24"),
    ("avi", None, "mjpeg", {}, "yuvj420p"),
    ("gif", None, "gif", {}, "rgb8"),
    ("y4m", "yuv4mpegpipe", "rawvideo", {}, "yuv420p"),
]  # fmt: skip


def can_write(codec):
    try:
        av.Codec(codec, "w")
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def same(a, b):
    return a.shape == b.shape and (a == b).all()


@pytest.mark.parametrize(
    ("suffix", "form", "codec", "options", "pixels"),
    FILES,
    ids=[f"{file[0]}-{file[2]}-{number}" for number, file in enumerate(FILES)],
)
def test_reading_in_order_at_random_and_in_pieces_gives_each_frame_once(tmp_path, suffix, form, codec, options, pixels):
    if not can_write(codec):
        pytest.skip(f"This wheel of PyAV has no {codec}.")
    path = tmp_path / f"clip.{suffix}"
    write_numbered(path, COUNT, codec=codec, options=options, form=form, pixels=pixels)
    clip = Clip.from_file(path)
    in_order = list(clip)
    assert [read_number(frame) for frame in in_order] == list(range(COUNT))
    assert float(clip.fps) == pytest.approx(24, rel=0.005)
    pieces = [frame for start in range(0, COUNT, 7) for frame in clip.read(start, start + 7)]
    assert all(same(a, b) for a, b in zip(in_order, pieces, strict=True))
    for index in np.random.default_rng(0).permutation(COUNT)[:15].tolist():
        for stop in (index + 1, index + 2):
            assert same(next(iter(clip.read(index, stop))), in_order[index]), (index, stop)


@pytest.fixture
def plain_file(tmp_path):
    return write_numbered(tmp_path / "plain.mp4", COUNT, options=X264)


class TestClocks:
    @pytest.mark.parametrize("suffix", ["mkv", "ts", "mov"])
    @pytest.mark.parametrize("shift", [0.5, 7, 26.5 * 3600 - 1])  # the last: a transport stream's clock turns over
    def test_a_clip_may_begin_late(self, tmp_path, plain_file, suffix, shift):
        clip = Clip.from_file(remux(plain_file, tmp_path / f"late.{suffix}", shift=shift))
        assert [read_number(frame) for frame in clip] == list(range(COUNT))
        assert [read_number(clip[k]) for k in (33, 2, 20)] == [33, 2, 20]
        assert clip.fps == 24

    @pytest.mark.parametrize(("codec", "options"), [("libx264", OPEN), ("libx264", X264), ("libx265", X265)])
    @pytest.mark.parametrize("suffix", ["mp4", "mov", "ts", "mkv"])
    def test_a_clip_that_was_cut_without_encoding_opens(self, tmp_path, codec, options, suffix):
        write_numbered(tmp_path / "a.mp4", COUNT, codec=codec, options=options)
        if suffix == "ts" and options is OPEN:
            pytest.skip("PyAV's transport stream repeats the headers only at IDR frames, so this one has none.")
        cut = remux(tmp_path / "a.mp4", tmp_path / f"cut.{suffix}", start=22 / 24, shift=-16 / 24)
        clip = Clip.from_file(cut)
        numbers = [read_number(frame) for frame in clip]
        assert numbers == list(range(numbers[0], COUNT)) and numbers[0] <= 24
        assert [read_number(clip[k]) for k in (9, 3, 15)] == [numbers[k] for k in (9, 3, 15)]

    @pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
    def test_an_avi_that_counts_frames_before_its_first_is_not_cut_off(self, tmp_path, codec):
        """As `-copyts` writes it: the list of frames begins with eleven that are empty."""
        write_numbered(tmp_path / "a.avi", COUNT, codec=codec, options=MPEG if codec == "mpeg4" else X264)
        cut = remux(tmp_path / "a.avi", tmp_path / "cut.avi", start=22 / 24)
        numbers = [read_number(frame) for frame in Clip.from_file(cut)]
        assert sorted(set(numbers)) == list(range(numbers[0], COUNT)) and 10 <= numbers[0] <= 24
        assert numbers == sorted(numbers)

    def test_a_recording_that_begins_between_key_frames_begins_with_the_next(self, tmp_path):
        path = write_numbered(tmp_path / "a.ts", COUNT, codec="mpeg2video", options=MPEG)
        content = path.read_bytes()
        (tmp_path / "cut.ts").write_bytes(content[188 * (len(content) // 188 // 3) :])
        numbers = [read_number(frame) for frame in Clip.from_file(tmp_path / "cut.ts")]
        assert numbers == list(range(numbers[0], COUNT)) and numbers[0] > 5

    def test_two_recordings_in_one_stream_follow_each_other(self, tmp_path):
        """The clock starts again; no frame is lost or comes twice."""
        path = write_numbered(tmp_path / "a.ts", 20, options=X264)
        (tmp_path / "both.ts").write_bytes(path.read_bytes() * 2)
        numbers = [read_number(frame) for frame in Clip.from_file(tmp_path / "both.ts")]
        assert numbers == [*range(20), *range(20)]


class TestFrameRate:
    @pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
    @pytest.mark.parametrize("skipped", [(20,), (5, 6, 7, 8, 30), (1, 3, 5)])
    def test_dropped_frames_leave_the_rate_and_every_other_frame(self, tmp_path, suffix, skipped):
        clip = Clip.from_file(write_numbered(tmp_path / f"a.{suffix}", COUNT, options=X264, skipped=skipped))
        numbers = [read_number(frame) for frame in clip]
        assert clip.fps == 24 and len(clip) == pytest.approx(COUNT, abs=2 if suffix == "avi" else 0)
        assert numbers == sorted(numbers) and set(numbers) == set(range(COUNT)) - set(skipped)

    @pytest.mark.parametrize("rate", ["24000/1001", "30000/1001", "60000/1001"])
    @pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "flv"])
    def test_broadcast_rates_are_exact(self, tmp_path, rate, suffix):
        assert Clip.from_file(write_numbered(tmp_path / f"a.{suffix}", COUNT, rate=rate)).fps == Fraction(rate)

    def test_a_phones_unsteady_clock_keeps_every_frame_once(self):
        noise = np.random.default_rng(1).uniform(-0.008, 0.008, 300)
        rate, shown = fit_frame_rate(np.sort(np.arange(300) / 29.97 + noise).tolist(), Fraction("29.97"))
        assert float(rate) == pytest.approx(29.97, abs=0.05) and list(shown) == list(range(300))

    def test_two_frames_close_together_are_both_shown_where_there_is_room(self):
        rate, shown = fit_frame_rate([0, 0.1, 0.11, 0.3, 0.4, 0.5, 0.7, 0.8], Fraction(10), Fraction(10))
        assert rate == 10 and sorted(set(shown)) == list(range(8))

    def test_a_burst_that_is_faster_than_the_nominal_rate_keeps_its_time(self):
        times = (
            [k / 30 for k in range(60)] + [2 + k / 240 for k in range(20)] + [2 + 20 / 240 + k / 30 for k in range(60)]
        )
        rate, shown = fit_frame_rate(times, Fraction(30), Fraction(30))
        assert len(shown) / rate == pytest.approx(times[-1], abs=0.1)
        assert list(shown) == sorted(shown)

    def test_a_clip_above_240_a_second_loses_as_few_frames_as_it_must_and_says_how_many(self, tmp_path):
        clip = Clip.from_file(write_numbered(tmp_path / "a.mp4", COUNT, rate=960))
        kept = len({read_number(frame) for frame in clip})
        assert clip.fps == 240 and kept >= COUNT / 4
        assert any(f"{COUNT - kept} of {COUNT}" in note for note in clip.notes)

    def test_times_that_are_missing_or_jump_are_mended(self):
        assert mend_times([None, None, None], Fraction(10)) == pytest.approx([0, 0.1, 0.2])
        assert mend_times([5, 5.1, None, 5.3], Fraction(10)) == pytest.approx([5, 5.1, 5.2, 5.3])
        assert mend_times([0, 0.1, 9000, 9000.1, 2, 2.1], Fraction(10)) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])


def set_matrix(path, target, *matrix):
    """Write a display matrix (a, b, c, d) into an mp4."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    target.write_bytes(content)
    return target


class TestAsPlayersShowIt:
    @pytest.mark.parametrize(
        ("matrix", "shown"),
        [
            ((1, 0, 0, 1), lambda p: p),
            ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
            ((1, 0, 0, -1), lambda p: p[::-1]),
            ((-1, 0, 0, -1), lambda p: p[::-1, ::-1]),
            ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
            ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
            ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
            ((0, -1, -1, 0), lambda p: np.rot90(p.swapaxes(0, 1), 2)),
        ],
    )
    def test_all_eight_display_matrices(self, tmp_path, plain_file, matrix, shown):
        clip = Clip.from_file(set_matrix(plain_file, tmp_path / "turned.mp4", *matrix))
        assert same(clip[5], shown(Clip.from_file(plain_file)[5]))

    def test_a_photo_as_a_clip_is_turned_by_its_exif(self, tmp_path):
        from PIL import Image

        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(numbered_picture(77)).rotate(90, expand=True).save(tmp_path / "a.jpg", exif=exif)
        clip = Clip.from_file(tmp_path / "a.jpg")
        assert read_number(clip[0]) == 77
        assert "The clip is one picture." in clip.notes

    def test_a_tiff_as_a_clip_is_read(self, tmp_path):
        from PIL import Image

        Image.fromarray(numbered_picture(77)).save(tmp_path / "a.tiff")
        assert read_number(Clip.from_file(tmp_path / "a.tiff")[0]) == 77

    def test_an_opaque_gif_has_no_alpha(self, tmp_path):
        clip = Clip.from_file(write_numbered(tmp_path / "a.gif", 3, codec="gif", pixels="rgb8"))
        assert not any("alpha" in note for note in clip.notes)

    def test_of_two_streams_the_larger_is_the_clip(self, tmp_path):
        with av.open(str(tmp_path / "a.mp4"), "w") as container:
            streams = [container.add_stream("libx264", rate=24) for _ in range(2)]
            for stream, scale in zip(streams, (1, 2), strict=True):
                stream.width, stream.height, stream.pix_fmt = 128 * scale, 64 * scale, "yuv420p"
            for stream, scale in zip(streams, (1, 2), strict=True):
                picture = numbered_picture(scale).repeat(scale, 0).repeat(scale, 1)
                for _ in range(3):
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
                container.mux(stream.encode())
        clip = Clip.from_file(tmp_path / "a.mp4")
        assert (clip.width, clip.height) == (256, 128) and read_number(clip[0]) == 2

    @pytest.mark.parametrize(("aspect", "size"), [("4/3", (170, 64)), ("1/2", (128, 128)), ("1001/1000", (128, 64))])
    @pytest.mark.parametrize("suffix", ["mp4", "mkv"])
    def test_pixels_become_square(self, tmp_path, aspect, size, suffix):
        def mark(stream):
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)

        clip = Clip.from_file(write_numbered(tmp_path / f"a.{suffix}", 6, mark=mark))
        assert (clip.width, clip.height) == size
        assert [read_number(frame) for frame in clip] == list(range(6))

    @pytest.mark.parametrize(("kind", "code"), [("HLG", 18), ("PQ", 16)])
    def test_hdr_is_brought_to_the_tones_of_standard_video(self, tmp_path, kind, code):
        """A grey ramp of known light comes out as a standard display would need it."""
        from mimo_core.media.tone_mapping import map_tones

        levels = np.linspace(0, 1, 128)
        signal = np.broadcast_to((levels * 65535).astype(np.uint16)[None, :, None], (64, 128, 3)).copy()
        with av.open(str(tmp_path / "a.mp4"), "w") as container:
            options = {"x265-params": f"lossless=1:log-level=none:colorprim=9:transfer={code}:colormatrix=9"}
            stream = container.add_stream("libx265", rate=24, options=options)
            stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p10le"
            context = stream.codec_context
            context.colorspace, context.color_primaries, context.color_trc, context.color_range = 9, 9, code, 1
            frame = av.VideoFrame.from_ndarray(signal, format="rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace="BT2020")
            for number in range(3):
                frame.pts = number
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        clip = Clip.from_file(tmp_path / "a.mp4")
        assert any(f"HDR ({kind})" in note for note in clip.notes)
        wanted = map_tones(np.repeat(levels[:, None], 3, 1), kind) * 255
        assert np.abs(clip[1][32].astype(float) - wanted).max() < 4

    def test_diffuse_white_of_both_kinds_is_nearly_white(self):
        from mimo_core.media.tone_mapping import map_tones

        for kind, white in (("HLG", 0.75), ("PQ", 0.5806)):
            assert map_tones(np.full((1, 3), white), kind) == pytest.approx(0.94, abs=0.03)
            assert map_tones(np.zeros((1, 3)), kind).max() == 0
            assert map_tones(np.ones((1, 3)), kind).min() > 0.98

    def test_an_animated_webp_is_a_clip(self, tmp_path):
        from PIL import Image

        pictures = [Image.fromarray(numbered_picture(number)) for number in range(8)]
        path = tmp_path / "a.webp"
        pictures[0].save(
            path, save_all=True, append_images=pictures[1:], duration=[50] * 5 + [150, 50, 50], lossless=True
        )
        clip = Clip.from_file(path)
        assert clip.fps == 20
        assert [read_number(frame) for frame in clip] == [0, 1, 2, 3, 4, 5, 5, 5, 6, 7]
        assert [read_number(clip[k]) for k in (9, 0, 4)] == [7, 0, 4]
        assert len(Clip.from_file(path.read_bytes())) == 10
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(InputError, match="cannot be read as a picture"):
            Clip.from_file(path)


class TestDamage:
    def test_a_few_unreadable_packets_are_skipped_and_said(self, tmp_path):
        """As a player goes on; most of the file must be whole."""
        path = write_numbered(tmp_path / "a.mkv", COUNT, codec="ffv1")
        content = bytearray(path.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 200] = bytes(200)
        path.write_bytes(content)
        clip = Clip.from_file(path)
        numbers = [read_number(frame) for frame in clip]
        # What a decoder shows for a damaged frame, it may choose: the one before, or an older one on several threads.
        assert sum(number == place for place, number in enumerate(numbers)) >= COUNT - 6

    def test_an_album_cover_is_no_video(self, tmp_path):
        with av.open(str(tmp_path / "a.mp3"), "w") as container:
            sound = container.add_stream("libmp3lame", rate=44100)
            cover = container.add_stream("mjpeg", rate=1)
            cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24").reformat(
                format="yuvj420p"
            )
            container.mux(cover.encode(frame))
            container.mux(cover.encode())
            silence = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), format="fltp", layout="stereo")
            silence.sample_rate = 44100
            for packet in (*sound.encode(silence), *sound.encode()):
                container.mux(packet)
        with pytest.raises(InputError, match="no video stream"):
            Clip.from_file(tmp_path / "a.mp3")
