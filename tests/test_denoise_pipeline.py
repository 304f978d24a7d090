"""The denoiser outside ComfyUI: from a character, a motion and a scene to frames, in segments, stopped and resumed."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from mimo_core.cli import run_command
from mimo_core.denoise.autoencoder import Autoencoder
from mimo_core.denoise.checkpoints import build_networks, open_checkpoint, save_checkpoint
from mimo_core.denoise.concat_sources import mark_proxy
from mimo_core.denoise.image_encoder import build_image_encoder
from mimo_core.denoise.pipeline import MimoDecoder, SamplingSettings
from mimo_core.denoise.segment_cache import SegmentCache, hash_job
from mimo_core.errors import InputError
from mimo_core.example import example_shots
from mimo_core.identity.identity import Identity
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.motion import Motion
from mimo_core.progress import silent
from mimo_core.replace import draw_characters
from mimo_core.scene.depth_order import find_ranks
from mimo_core.scene.people import select_person
from mimo_core.scene.scene import Scene
from mimo_core.stopwatch import Stopwatch
from tests.tiny_networks import tiny_checkpoint


ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT, FRAMES = 48, 64, 8


@pytest.fixture(scope="module")
def motion():
    dance = example_shots()[0].motion()[20 : 20 + FRAMES]  # one region serves all
    return Motion(dance.people, dance.fps, dance.camera.reframe(WIDTH, HEIGHT))


@pytest.fixture(scope="module")
def identity():
    generator = np.random.default_rng(0)
    return Identity(generator.integers(0, 256, (64, 64, 3), np.uint8), np.full((64, 64), 255, np.uint8))


@pytest.fixture(scope="module")
def scene():
    frames = np.random.default_rng(1).integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
    ball = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    ball[:, 20:40, 20:30] = 255
    return Scene(Clip.from_array(frames), Clip.from_array(255 - frames), Masks.from_array(ball), Masks.from_array(ball))


def decoder(checkpoint=None, *, cache=None, progress=silent, **settings):
    checkpoint = checkpoint or tiny_checkpoint()
    parts = Autoencoder.from_tensors(checkpoint.extras["vae"]), build_image_encoder(checkpoint.extras["clip_vision"])
    return MimoDecoder(build_networks(checkpoint), *parts, SamplingSettings(**settings), cache=cache, progress=progress)


def drawn(made, identity, motion, scene):
    frames, areas = zip(*made.draw(identity, motion, scene, watch=Stopwatch()), strict=True)
    return np.stack(frames), np.stack(areas)


@pytest.fixture(scope="module")
def whole(identity, motion, scene):
    """All windows in one segment."""
    return drawn(decoder(segment=100), identity, motion, scene)


class TestDraw:
    def test_every_frame_is_drawn_where_the_body_is_and_nowhere_else(self, whole, scene):
        frames, areas = whole
        assert frames.shape == (FRAMES, HEIGHT, WIDTH, 3) and areas.any((1, 2)).all()
        outside = (areas == 0) & (np.stack(list(scene.occluder)) == 0)
        assert outside.any()
        np.testing.assert_array_equal(frames[outside], np.stack(list(scene.plate))[outside])

    def test_what_passes_in_front_is_the_source(self, whole, scene):
        front = np.stack(list(scene.occluder)) == 255
        np.testing.assert_array_equal(whole[0][front], np.stack(list(scene.source))[front])

    def test_the_same_seed_gives_the_same_frames_and_another_does_not(self, whole, identity, motion, scene):
        again, _ = drawn(decoder(segment=100), identity, motion, scene)
        other, _ = drawn(decoder(segment=100, seed=1), identity, motion, scene)
        np.testing.assert_array_equal(again, whole[0])
        assert (other != whole[0]).any()

    def test_the_character_and_the_plate_are_seen(self, whole, identity, motion, scene):
        mirrored = replace(identity, picture=255 - identity.picture)
        bare = Scene(scene.source, scene.source, scene.person, scene.occluder)
        inside = whole[1] == 255
        for told in ((mirrored, motion, scene), (identity, motion, bare)):
            assert (drawn(decoder(segment=100), *told)[0][inside] != whole[0][inside]).any()

    @pytest.mark.parametrize("sampler", ["euler", "dpm++", "lcm"])
    def test_every_scheduler_draws(self, whole, identity, motion, scene, sampler):
        frames, _ = drawn(decoder(segment=100, sampler=sampler), identity, motion, scene)
        assert (frames != whole[0]).any()

    def test_weights_may_read_the_occluder_and_the_proxy_beside_the_plate(self, identity, motion, scene):
        checkpoint = tiny_checkpoint(layers=("plate", "occluder", "proxy"))
        short = motion[:2]
        part = Scene(*(layer_part(layer, 2) for layer in (scene.source, scene.plate, scene.person, scene.occluder)))
        frames, _ = drawn(decoder(checkpoint, segment=100), identity, short, part)
        nothing = Scene(part.source, part.plate, part.person, Masks.constant(0, 2, HEIGHT, WIDTH))
        without, areas = drawn(decoder(checkpoint, segment=100), identity, short, nothing)
        seen = (areas == 255) & (np.stack(list(part.occluder)) == 0)
        assert (frames[seen] != without[seen]).any()


def layer_part(layer, count):
    frames = np.stack(list(layer.read(0, count)))
    return Clip.from_array(frames) if frames.ndim == 4 else Masks.from_array(frames)


class TestSeveralPeople:
    """Two people, the second of whom comes from behind the first to before them."""

    @pytest.fixture
    def two(self, motion):
        way = torch.linspace(-0.8, 0.8, FRAMES)[:, None] * torch.tensor([0.0, 0.0, 1.0]) + torch.tensor(
            [0.15, 0.0, 0.0]
        )
        other = replace(motion.person, transl=motion.person.transl + way)
        return replace(motion, people=(motion.person, other), seen=None)

    def test_each_is_one_pass_and_whoever_is_in_front_keeps_what_was_drawn(self, identity, two, scene, tmp_path):
        cache = SegmentCache(tmp_path / "parts", "job")
        made = decoder(segment=100, cache=cache)
        frames, masks = (
            np.stack(layer)
            for layer in zip(
                *draw_characters(made, [identity], two, scene, color_match="none", watch=Stopwatch()), strict=True
            )
        )
        assert {part.name for part in (tmp_path / "parts").iterdir()} == {"person-0", "person-1"}
        ranks = find_ranks(two)
        assert ranks[0, 0] == 0 == ranks[-1, 1]
        first = int(ranks.mean(0).argmax())
        alone = select_person(scene, two, first)
        before, _ = drawn(made.for_person(first), identity, two.choose_people([first]), alone)
        outline = np.stack(list(mark_proxy(identity, two.choose_people([first]), alone)))
        hidden = np.stack(list(scene.occluder)) > 0
        core = np.stack([cv2.erode(mask, np.ones((9, 9), np.uint8)) == 255 for mask in outline]) & ~hidden
        is_front = ranks[:, first] == 0
        assert core[is_front].any() and core[~is_front].any()
        np.testing.assert_array_equal(frames[is_front][core[is_front]], before[is_front][core[is_front]])
        assert (frames[~is_front][core[~is_front]] != before[~is_front][core[~is_front]]).any()
        assert (masks >= outline).all()


class TestSegments:
    def test_segments_that_share_no_window_are_the_whole_bit_for_bit(self, identity, motion, scene):
        """Two windows of four frames without overlap, in one segment and in two; lcm also draws noise on the way."""
        for sampler in ("ddim", "lcm"):
            one, two = (
                drawn(decoder(overlap=0, segment=count, sampler=sampler), identity, motion, scene)[0]
                for count in (2, 1)
            )
            np.testing.assert_array_equal(one, two)

    def test_outside_the_cross_fade_other_segments_stay_near_the_whole(self, whole, identity, motion, scene):
        """Segments (0-3), (2-5), (4-7), each faded into the one before over two frames."""
        frames, areas = drawn(decoder(segment=1), identity, motion, scene)
        assert frames.shape == whole[0].shape
        error = ((frames.astype(float) - whole[0]) ** 2)[[0, 1, 6, 7]].mean()
        assert 0 < error < 255**2 / 10**2.5

    def test_a_long_clip_is_in_memory_one_segment_at_a_time(self, identity, motion, scene, monkeypatch):
        sizes, sample = [], MimoDecoder._sampled

        def watch(self, pictures, part, *rest):
            sizes.append(len(part.network_frames))
            return sample(self, pictures, part, *rest)

        monkeypatch.setattr(MimoDecoder, "_sampled", watch)
        frames = decoder(segment=1).draw(identity, motion, scene, watch=Stopwatch())
        next(frames)
        assert sizes == [4]
        list(frames)
        assert sizes == [4, 4, 4]


class Stop(Exception):
    """Somebody presses Ctrl-C."""


class TestResume:
    def stopped_after(self, passes):
        def progress(done, total, preview=None):
            if done > passes:
                raise Stop

        return progress

    def test_a_stopped_job_goes_on_at_the_last_finished_segment(self, identity, motion, scene, tmp_path):
        undisturbed, _ = drawn(decoder(segment=1), identity, motion, scene)
        cache = SegmentCache(tmp_path / "cache", hash_job([], "the same"))
        with pytest.raises(Stop):  # two passes a segment: in the second segment
            drawn(decoder(segment=1, cache=cache, progress=self.stopped_after(3)), identity, motion, scene)
        assert [file.name for file in cache.folder.iterdir()] == ["segment-00000.safetensors"]
        passes = []
        note = lambda done, total, preview=None: passes.append((done, total))  # noqa: E731
        frames, _ = drawn(decoder(segment=1, cache=cache, progress=note), identity, motion, scene)
        assert passes == [(3, 6), (4, 6), (5, 6), (6, 6)]
        np.testing.assert_array_equal(frames, undisturbed)
        cache.remove()
        assert not cache.folder.exists()

    def test_segments_of_other_inputs_or_damaged_ones_are_made_again(self, identity, motion, scene, tmp_path):
        def passes(key, motion):
            count = []
            cache = SegmentCache(tmp_path / "cache", key)
            note = lambda done, total, preview=None: count.append(done)  # noqa: E731
            drawn(decoder(segment=1, cache=cache, progress=note), identity, motion, scene)
            return len(count)

        assert passes("one", motion) == 6
        assert passes("one", motion) == 0
        assert passes("another", motion) == 6
        moved = motion.with_person(replace(motion.person, transl=motion.person.transl + torch.tensor([0.3, 0.0, 0.0])))
        assert passes("another", moved) == 6
        (tmp_path / "cache" / "segment-00002.safetensors").write_bytes(b"half a file")
        assert passes("another", moved) == 2

    def test_the_key_follows_the_contents_of_files_and_every_setting(self, tmp_path):
        file = tmp_path / "a.png"
        file.write_bytes(b"one")
        key = hash_job([file, None], {"seed": 1})
        assert hash_job([file, None], {"seed": 1}) == key
        assert hash_job([file, None], {"seed": 2}) != key
        file.write_bytes(b"two")
        assert hash_job([file, None], {"seed": 1}) != key
        assert hash_job([tmp_path], {"seed": 1}) == hash_job([tmp_path], {"seed": 1})


@pytest.fixture(scope="module")
def checkpoint_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save_checkpoint(tiny_checkpoint(), path, dtype=torch.float32)
    return path


class TestCommand:
    def arguments(self, checkpoint_file, out, *more):
        options = ["--decoder", "mimo", "--checkpoint", checkpoint_file, "--size", "48x64", "--out", out, *more]
        return ["animate", *map(str, options)]

    def test_animate_writes_a_clip_and_leaves_no_segments(self, checkpoint_file, tmp_path):
        out = tmp_path / "a.mp4"
        assert run_command(self.arguments(checkpoint_file, out, "--fps", 4, "--steps", 1, "--resume")) == 0
        assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
        assert len(Clip.from_file(out)) == 12

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
    def test_a_stopped_command_leaves_whole_segments_and_goes_on(self, checkpoint_file, tmp_path):
        out = tmp_path / "a.mp4"
        arguments = self.arguments(checkpoint_file, out, "--resume", "--segment", 1, "--fps", 8)
        command = [sys.executable, "-m", "mimo_core", *arguments]
        job = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        segments = tmp_path / "a.mp4.segments"
        while job.poll() is None and not (segments / "segment-00001.safetensors").exists():
            time.sleep(0.02)
        job.send_signal(signal.SIGTERM)
        _, errors = job.communicate(timeout=60)
        assert job.returncode == 130 and "run the same command again" in errors
        assert [file.name for file in tmp_path.iterdir()] == ["a.mp4.segments"]
        assert all(file.name.startswith("segment-") for file in segments.iterdir())
        assert run_command(arguments) == 0
        assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]

    def test_resume_is_refused_for_the_proxy(self, tmp_path, capsys):
        assert run_command(["animate", "--resume", "--out", str(tmp_path / "a.mp4")]) == 2
        assert "--resume is for --decoder mimo" in capsys.readouterr().err

    def test_missing_official_files_are_answered_with_the_whole_command(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setenv("MIMO_MODELS", str(tmp_path / "models"))
        (tmp_path / "models" / "mimo").mkdir(parents=True)
        arguments = self.arguments(tmp_path / "models" / "mimo", tmp_path / "a.mp4")
        assert run_command(arguments) == 2
        message = capsys.readouterr().err
        assert "denoising_unet.pth" in message and f'"{sys.executable}" -m mimo_core fetch mimo' in message

    def test_a_device_that_is_not_there_is_named(self, checkpoint_file, tmp_path, capsys):
        assert run_command(self.arguments(checkpoint_file, tmp_path / "a.mp4", "--device", "cuda:7")) == 2
        assert "--device cuda:7 cannot be used" in capsys.readouterr().err


def test_a_merged_file_comes_back_with_its_layers(tmp_path):
    save_checkpoint(tiny_checkpoint(layers=("plate", "proxy")), tmp_path / "a.safetensors", dtype=torch.float32)
    assert open_checkpoint(tmp_path / "a.safetensors").trained.concat == ("plate", "proxy")
    wrong = tiny_checkpoint(layers=("plate", "proxy"))
    wrong = replace(wrong, trained=replace(wrong.trained, concat=("plate",)))
    save_checkpoint(wrong, tmp_path / "b.safetensors", dtype=torch.float32)
    with pytest.raises(InputError, match="reads 12 channels.*make 8"):
        open_checkpoint(tmp_path / "b.safetensors")
