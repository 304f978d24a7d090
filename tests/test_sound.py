"""Sound from whatever people bring: in step with the pictures, or left out with a note, never the end of the job."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from mimo_core.media.clip import Clip, Sound, write_video
from mimo_core.media.sound import read_blocks


FPS = 24
SECONDS = 4
BEEP = 2.0  # seconds at which a tone begins


def beep(rate=48000, seconds=SECONDS, at=(BEEP,), length=0.2):
    """Samples (1, N) of silence with a tone of 1 kHz at each of the times."""
    time = np.arange(round(seconds * rate)) / rate
    sounding = sum(((time >= start) & (time < start + length) for start in at), np.zeros(len(time), bool))
    return (0.5 * np.sin(2 * np.pi * 1000 * time) * sounding)[None].astype(np.float32)


def black(count=FPS * SECONDS, size=(16, 16)):
    return (np.zeros((*size, 3), np.uint8) for _ in range(count))


def write_source(path, *, codec, samples, rate, layout="mono", form=None, late=0.0, fps=FPS, frames=None,
                 video="mpeg4", flash=()):  # fmt: skip
    """A video with sound, by FFmpeg's own muxers. `late` seconds lie before the first picture."""
    with av.open(str(path), "w", format=form) as container:
        pictures = container.add_stream(video, rate=Fraction(fps))
        pictures.width = pictures.height = 16
        pictures.pix_fmt = "yuv420p"
        sound = container.add_stream(codec, rate=rate)
        sound.layout = layout
        count = frames if frames is not None else round(SECONDS * Fraction(fps))
        packets = []
        for number in range(count):
            level = 255 if number in flash else 0
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), level, np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.time_base, frame.pts = 1 / Fraction(fps), number + round(late * fps)
            packets += pictures.encode(frame)
        packets += pictures.encode()
        for start in range(0, samples.shape[1], 1024):
            block = np.repeat(samples[:, start : start + 1024], len(sound.layout.channels), 0)
            packed = np.ascontiguousarray(block.T).reshape(1, -1)  # PyAV 18 fails at eight planes
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            packets += sound.encode(frame)
        packets += sound.encode()
        for packet in sorted(packets, key=lambda packet: float((packet.dts or 0) * packet.time_base)):
            container.mux(packet)
    return path


def hear(path):
    """Samples (N,), the loudest of the channels, on the clock of the pictures, and their rate."""
    with av.open(str(path)) as container:
        begin = next(container.decode(container.streams.video[0])).time
    with av.open(str(path)) as container:
        rate, parts, position = container.streams.audio[0].rate, [], 0
        layout = container.streams.audio[0].layout
        resampler = av.AudioResampler(format="flt", layout=layout, rate=rate)
        for frame in container.decode(container.streams.audio[0]):
            start = round((frame.time - begin) * rate)
            frame.pts = None
            for block in resampler.resample(frame):
                values = np.abs(block.to_ndarray().reshape(-1, len(layout.channels))).max(1)
                if abs(start - position) > 0.02 * rate:
                    parts.append(np.zeros(max(start - position, 0)))
                    values = values[max(position - start, 0) :]
                    position = max(start, position)
                parts.append(values)
                position += len(values)
    return np.concatenate(parts), rate


def onsets(path, level=0.15):
    """Seconds at which tones begin, on the clock of the pictures."""
    samples, rate = hear(path)
    loud = np.flatnonzero(samples > level)
    return [loud[k] / rate for k in range(len(loud)) if k == 0 or loud[k] - loud[k - 1] > 0.1 * rate]


def copy_through(source, target):
    clip = Clip.from_file(source)
    write_video(target, clip, fps=clip.fps, sound=clip.sound)
    return clip


SOURCES = [  # suffix, muxer, codec, rate, layout
    ("mp4", None, "aac", 48000, "stereo"),
    ("mp4", None, "aac", 44100, "mono"),
    ("mp4", None, "libmp3lame", 44100, "stereo"),
    ("mp4", None, "ac3", 48000, "5.1"),
    ("ts", None, "mp2", 48000, "stereo"),
    ("ts", None, "libmp3lame", 48000, "stereo"),
    ("m2ts", "mpegts", "ac3", 48000, "stereo"),
    ("vob", "vob", "mp2", 48000, "stereo"),
    ("avi", None, "libmp3lame", 44100, "stereo"),
    ("avi", None, "pcm_s16le", 96000, "mono"),
    ("mov", None, "pcm_s16le", 192000, "mono"),
    ("mov", None, "pcm_f32le", 12345, "mono"),
    ("mov", None, "pcm_s24le", 48000, "5.1"),
    ("mp4", None, "aac", 48000, "7.1"),
    ("mkv", None, "flac", 48000, "7.1"),
    ("wmv", "asf", "wmav2", 44100, "stereo"),
    ("wmv", "asf", "wmav1", 44100, "mono"),
    ("mkv", None, "wmav2", 48000, "stereo"),
    ("mkv", None, "flac", 96000, "stereo"),
    ("mkv", None, "libopus", 48000, "stereo"),
    ("mkv", None, "libvorbis", 44100, "stereo"),
    ("webm", None, "libopus", 48000, "mono"),
    ("3gp", None, "libopencore_amrnb", 8000, "mono"),
    ("flv", None, "aac", 44100, "stereo"),
]


class TestSources:
    @pytest.mark.parametrize(("suffix", "form", "codec", "rate", "layout"), SOURCES)
    @pytest.mark.parametrize("target", ["mp4", "webm"])
    def test_every_kind_is_heard_in_step_with_the_pictures(self, tmp_path, suffix, form, codec, rate, layout, target):
        video = {"webm": "libvpx", "wmv": "wmv2", "flv": "flv", "vob": "mpeg2video", "ts": "mpeg2video"}
        kind = {"video": video.get(suffix, "mpeg2video" if form == "mpegts" else "mpeg4")}
        try:
            source = write_source(
                tmp_path / f"a.{suffix}", codec=codec, samples=beep(rate), rate=rate, layout=layout, form=form, **kind
            )
        except (av.error.FFmpegError, ValueError) as error:
            pytest.skip(f"This wheel cannot write {codec} in {suffix}: {error}")
        copy_through(source, tmp_path / f"b.{target}")
        found = onsets(tmp_path / f"b.{target}")
        assert found == pytest.approx([onsets(source)[0]], abs=0.04)
        assert found == pytest.approx([BEEP], abs=0.08)  # a decoder of an old format is late by some milliseconds

    @pytest.mark.parametrize("codec", ["aac", "libmp3lame", "pcm_s16le"])
    @pytest.mark.parametrize("late", [0.7, 1.5])
    def test_pictures_that_begin_later_than_the_sound_cut_it(self, tmp_path, codec, late):
        source = write_source(tmp_path / "a.mkv", codec=codec, samples=beep(), rate=48000, late=late)
        copy_through(source, tmp_path / "b.mp4")
        assert onsets(tmp_path / "b.mp4") == pytest.approx([BEEP - late], abs=0.04)

    def test_sound_that_cannot_be_decoded_is_left_out_and_said(self, tmp_path):
        source = write_source(tmp_path / "a.mkv", codec="libmp3lame", samples=beep(), rate=48000)
        source.write_bytes(source.read_bytes().replace(b"A_MPEG/L3", b"A_MPEG/L9"))
        clip = copy_through(source, tmp_path / "b.mp4")
        assert clip.sound is None and any("sound of the video cannot be decoded" in note for note in clip.notes)
        assert len(Clip.from_file(tmp_path / "b.mp4")) == FPS * SECONDS

    def test_damage_in_the_sound_does_not_end_the_job(self, tmp_path):
        source = write_source(tmp_path / "a.mkv", codec="flac", samples=beep() + 0.01, rate=48000)
        content = bytearray(source.read_bytes())
        noise = np.random.default_rng(0)
        for place in noise.integers(len(content) // 3, len(content), 200).tolist():
            content[place] ^= 0xFF
        source.write_bytes(content)
        clip = Clip.from_file(source)
        assert write_video(tmp_path / "b.mp4", clip, fps=clip.fps, sound=clip.sound) == len(clip)

    def test_sound_whose_file_is_gone_does_not_end_the_job(self, tmp_path):
        source = write_source(tmp_path / "a.mkv", codec="flac", samples=beep(), rate=48000)
        sound = Clip.from_file(source).sound
        source.unlink()
        assert write_video(tmp_path / "b.mp4", black(), fps=FPS, sound=sound) == FPS * SECONDS


class TestSamples:
    def write(self, tmp_path, samples, rate=48000, count=FPS * SECONDS):
        write_video(tmp_path / "a.mp4", black(count), fps=FPS, sound=Sound(samples=samples, rate=rate))
        return tmp_path / "a.mp4"

    @pytest.mark.parametrize("rate", [8000, 12345, 44100, 96000, 192000])
    def test_every_rate_is_written(self, tmp_path, rate):
        assert onsets(self.write(tmp_path, beep(rate), rate)) == pytest.approx([BEEP], abs=0.04)

    @pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8, 11])
    def test_every_channel_is_heard(self, tmp_path, channels):
        for channel in range(channels):
            samples = np.zeros((channels, 48000), np.float32)
            samples[channel] = beep(seconds=1, at=(0,), length=1)[0]
            if (channels, channel) in ((6, 3), (7, 3), (8, 3)):
                continue  # the effects channel, which a downmix leaves out by ITU-R BS.775
            heard, _ = hear(self.write(tmp_path, samples, count=FPS))
            assert np.sqrt((heard**2).mean()) > 0.015, channel

    def test_what_is_no_number_is_silence(self, tmp_path):
        samples = beep()
        samples[:, :48000] = np.nan
        samples[:, 48000:50000] = np.inf
        assert onsets(self.write(tmp_path, samples)) == pytest.approx([BEEP], abs=0.04)

    def test_longer_sound_is_cut_and_shorter_sound_ends(self, tmp_path):
        for seconds in (0.5, 9):
            path = self.write(tmp_path, beep(seconds=seconds, at=(0.1,)))
            with av.open(str(path)) as container:
                audio = container.streams.audio[0]
                length = float(audio.duration * audio.time_base)
            assert length == pytest.approx(min(seconds, SECONDS), abs=0.05)
            assert len(Clip.from_file(path)) == FPS * SECONDS


class TestBlocks:
    def test_gaps_in_the_clock_become_silence_and_overlaps_are_cut(self, tmp_path):
        with av.open(str(tmp_path / "a.mkv"), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000)
            stream.layout = "mono"
            for start in (800, 4000, 4400):  # 1000 samples each: a gap of 2200, then 600 twice
                block = np.full((1, 1000), 8000, np.int16)
                frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
                container.mux(stream.encode(frame))
        sound = Sound(file=tmp_path / "a.mkv", begin=Fraction(1, 10))
        samples = np.concatenate(list(read_blocks(sound, 8000, 1)), 1)[0]
        loud = samples > 0.1
        assert len(samples) == 4600 and not loud[1000:3200].any() and loud[:1000].all() and loud[3200:].all()

    def test_bytes_are_as_good_as_a_file(self, tmp_path):
        source = write_source(tmp_path / "a.mkv", codec="flac", samples=beep(), rate=48000)
        clip = Clip.from_file(io.BytesIO(source.read_bytes()).getvalue())
        write_video(tmp_path / "b.mp4", clip, fps=clip.fps, sound=clip.sound)
        assert onsets(tmp_path / "b.mp4") == pytest.approx([BEEP], abs=0.04)


@pytest.mark.parametrize(("fps", "rate"), [("24000/1001", 44100), ("30000/1001", 48000), ("60000/1001", 48000)])
def test_sound_and_pictures_do_not_drift_apart(tmp_path, fps, rate):
    """Tones at the frames that flash. 1.3 ms in 20 s would be 40 ms in ten minutes (measured there: below 40 ms)."""
    fps, seconds = Fraction(fps), 20
    flashing = [round(fps * second) for second in (1, 10, 19)]
    samples = beep(rate, seconds, at=[float(number / fps) for number in flashing])
    count = int(fps * seconds)
    source = write_source(
        tmp_path / "a.mkv", codec="pcm_s16le", samples=samples, rate=rate, fps=fps, frames=count, flash=flashing
    )
    clip = Clip.from_file(source)
    assert clip.fps == fps and len(clip) == count
    write_video(tmp_path / "b.mp4", clip, fps=clip.fps, sound=clip.sound)
    with av.open(str(tmp_path / "b.mp4")) as container:
        flashes = [frame.time for frame in container.decode(video=0) if frame.to_ndarray().max() > 128]
    apart = np.subtract(onsets(tmp_path / "b.mp4"), flashes)
    assert len(apart) == 3 and np.abs(apart).max() < 0.04 and np.ptp(apart) < 0.0013
