"""One clip in segments: work folders, and segments that give what the whole clip gives."""

import argparse
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image

from mimo_core.cli import run_command
from mimo_core.errors import InputError
from mimo_core.farm.lossless import LosslessFrames, write_lossless
from mimo_core.farm.work import Work, open_work, segment_file, write_segment, write_work
from mimo_core.identity.bust import Bust
from mimo_core.identity.encode import encode_identity
from mimo_core.identity.joints import PictureJoints
from mimo_core.media.clip import Clip, Masks, Sound, write_video
from mimo_core.media.fades import find_fade
from mimo_core.media.picture import read_picture
from mimo_core.motion.builtin import builtin_motion
from mimo_core.motion.files import save_motion
from mimo_core.progress import silent
from mimo_core.replace import ProxyDecoder
from mimo_core.scene.scene import Scene
from mimo_core.stopwatch import Stopwatch
from mimo_lab.bench.quality import make_true_scene
from mimo_lab.synthetic import make_character_picture, make_shot


FRAMES, SIZE = 30, 80


@pytest.fixture(scope="module")
def shot():
    """Somebody who jumps, so that the ground is not where the feet are, behind something that passes."""
    return make_shot(7, size=SIZE, frames=FRAMES, samples=1, performance="jacks", occluders="moving")


@pytest.fixture(scope="module")
def work(shot):
    """A job as it is before drawing."""
    identity = encode_identity(make_character_picture(707, size=192, samples=1).image)
    sound = Sound(samples=np.sin(np.arange(30_000) / 30).astype(np.float32)[None], rate=12_000)
    return Work(identity, shot.motion, make_true_scene(shot), Fraction(12), sound, "mean", {"decoder": "proxy"}, "key")


@pytest.fixture(scope="module")
def whole(work):
    """All frames of the job, drawn at once."""
    return np.stack([frame for frame, _ in draw(work)])


DECODER = ProxyDecoder()  # bakes each character once


def draw(work: Work, frames: range | None = None):
    settings = {"color_match": work.color_match, "watch": Stopwatch()}
    if frames is None:
        return DECODER.draw(work.identity, work.motion, work.scene, **settings)
    return DECODER.draw_part(work.identity, work.motion, work.scene, frames, **settings)


def write_plain(folder, work: Work):
    write_work(folder, work)
    return folder


class TestLosslessFrames:
    @pytest.mark.parametrize("shape", [(33, 47, 3), (48, 32, 3), (33, 47)])
    def test_every_byte_comes_back_in_any_order(self, tmp_path, shape):
        rng = np.random.default_rng(3)
        frames = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(40)]
        assert write_lossless(tmp_path / "a.mkv", iter(frames)) == 40
        held = LosslessFrames(tmp_path / "a.mkv", 40, shape)
        np.testing.assert_array_equal(np.stack(list(held.read(0, 40))), np.stack(frames))
        np.testing.assert_array_equal(np.stack(list(held.read(17, 23))), np.stack(frames[17:23]))
        for number in (31, 32, 4, 39, 0):
            np.testing.assert_array_equal(next(held.read(number, number + 1)), frames[number])

    def test_a_file_that_was_cut_is_named(self, tmp_path):
        write_lossless(tmp_path / "a.mkv", np.zeros((3, 16, 16, 3), np.uint8))
        with pytest.raises(InputError, match="a.mkv ends before frame 3"):
            list(LosslessFrames(tmp_path / "a.mkv", 5, (16, 16, 3)).read(0, 5))


class TestParts:
    @pytest.mark.parametrize(("start", "stop"), [(0, 9), (9, 10), (24, 30)])
    def test_a_part_is_equal_to_the_bit_to_those_frames_of_the_whole(self, work, whole, start, stop):
        part = np.stack([frame for frame, _ in draw(work, range(start, stop))])
        np.testing.assert_array_equal(part, whole[start:stop])

    def test_the_character_leaves_the_ground_so_that_parts_depend_on_what_was_before(self, work, whole):
        from mimo_core.compositing import composite

        masks = [mask for _, mask in draw(work)]
        levels = [
            composite.trace_ground_level(lambda some: (masks[k] for k in some), k, SIZE) for k in range(1, FRAMES)
        ]
        bottoms = [int(np.flatnonzero((mask > 127).any(1))[-1]) + 1 for mask in masks[:-1]]
        assert max(np.array(levels) - bottoms) > 0.5


class TestWorkFolder:
    def test_what_was_written_is_read_and_draws_the_same(self, work, whole, tmp_path):
        write_work(tmp_path / "a", work)
        again = open_work(tmp_path / "a")
        assert (again.fps, again.color_match, again.key) == (work.fps, "mean", "key")
        assert torch.equal(again.motion.person.body_pose, work.motion.person.body_pose)
        np.testing.assert_array_equal(again.sound.samples, work.sound.samples)
        part = np.stack([frame for frame, _ in draw(again, range(11, 20))])
        np.testing.assert_array_equal(part, whole[11:20])

    def test_a_card_keeps_its_joints(self, work, tmp_path):
        joints = PictureJoints(np.arange(30, dtype=np.float32).reshape(15, 2))
        write_work(tmp_path / "a", replace(work, identity=replace(work.identity, motion=None, joints=joints)))
        np.testing.assert_array_equal(open_work(tmp_path / "a").identity.joints.pixels, joints.pixels)

    def test_a_bust_keeps_its_place(self, work, tmp_path):
        bust = Bust(3.5, 4.5, 600.0)
        write_work(tmp_path / "a", replace(work, identity=replace(work.identity, motion=None, bust=bust)))
        assert open_work(tmp_path / "a").identity.bust == bust

    def test_the_fade_of_a_clip_is_kept(self, work, whole, tmp_path):
        gains = np.concatenate([np.linspace(0, 1, 9), np.ones(FRAMES - 9)])
        clip = Clip.from_array((whole * gains[:, None, None, None]).astype(np.uint8), 12)
        fade = find_fade(clip)
        write_work(tmp_path / "a", replace(work, fade=fade))
        again = open_work(tmp_path / "a").fade
        np.testing.assert_array_equal(again.gains, fade.gains)
        np.testing.assert_array_equal(list(again.apply(iter(whole))), list(fade.apply(iter(whole))))
        assert open_work(write_plain(tmp_path / "b", work)).fade is None

    def test_a_still_scene_without_occluders_stays_one(self, work, tmp_path):
        still = Clip.still(np.full((SIZE, SIZE, 3), 90, np.uint8), 1)
        nothing = Masks.constant(0, 1, SIZE, SIZE)
        write_work(
            tmp_path / "a", replace(work, scene=Scene(still, still, nothing, nothing, is_still=True), sound=None)
        )
        again = open_work(tmp_path / "a")
        assert again.scene.is_still
        assert again.scene.occluder.is_blank
        assert again.sound is None

    def test_a_folder_that_is_none_is_refused_with_the_command_that_makes_one(self, tmp_path):
        with pytest.raises(InputError, match="not a work folder. Prepare one: replace --character"):
            open_work(tmp_path)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A character, and a motion of more frames than a segment has, as options of `animate`."""
    folder = tmp_path_factory.mktemp("inputs")
    Image.fromarray(make_character_picture(5, size=96, samples=1).image).save(folder / "somebody.png")
    save_motion(folder / "walk.npz", builtin_motion("walk")[:60])
    return ["--character", str(folder / "somebody.png"), "--motion", str(folder / "walk.npz"), "--size", "48x64"]


class TestCommands:
    def test_segments_in_any_order_join_to_what_one_machine_draws(self, inputs, tmp_path, capsys):
        folder, out = tmp_path / "work", tmp_path / "joined.mp4"
        work = str(folder)
        assert run_command(["animate", *inputs, "--work", work]) == 0
        assert run_command(["join", work, "--out", str(out)]) == 2
        assert f"lacks the segments 0, 1. Draw them: replace --work {work} --segments 0-1" in capsys.readouterr().err
        for segment in ("1", "0"):
            assert run_command(["replace", "--work", work, "--segments", segment]) == 0
        assert run_command(["join", work, "--out", str(out)]) == 0
        whole = np.stack([frame for frame, _ in draw(open_work(folder))])
        parts = [
            list(LosslessFrames(segment_file(folder, number), count, whole.shape[1:]).read(0, count))
            for number, count in enumerate((48, 12))
        ]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
        assert len(Clip.from_file(out)) == 60

    def test_a_clip_that_comes_out_of_black_is_prepared_without_its_fade(self, inputs, tmp_path):
        frames = make_shot(3, size=160, frames=10, samples=1, occluders="none", camera="fixed").frames
        gains = np.concatenate([np.linspace(0, 1, 6), np.ones(4)])
        dark = (frames * gains[:, None, None, None]).astype(np.uint8)
        write_video(tmp_path / "dark.mp4", iter(dark), fps=Fraction(12))
        given = ["replace", *inputs[:2], "--video", str(tmp_path / "dark.mp4"), "--work", str(tmp_path / "work")]
        assert run_command(given) == 0
        work = open_work(tmp_path / "work")
        np.testing.assert_allclose(work.fade.gains, gains, atol=0.03)
        assert np.ptp([frame.mean() for frame in work.scene.source]) < 5

    def test_what_is_joined_is_as_dark_as_the_clip(self, work, whole, tmp_path):
        gains = np.concatenate([np.linspace(0, 1, 9), np.ones(FRAMES - 9)])
        fade = find_fade(Clip.from_array((whole * gains[:, None, None, None]).astype(np.uint8), 12))
        write_work(tmp_path / "a", replace(work, fade=fade, segments=1))
        write_segment(tmp_path / "a", 0, whole)
        assert run_command(["join", str(tmp_path / "a"), "--out", str(tmp_path / "a.mp4")]) == 0
        levels = [frame.mean() for frame in Clip.from_file(tmp_path / "a.mp4")]
        np.testing.assert_allclose(levels, gains * [frame.mean() for frame in whole], atol=3)

    def test_a_work_folder_keeps_to_its_inputs_and_its_segments(self, inputs, tmp_path, capsys):
        work = str(tmp_path / "work")
        assert run_command(["animate", *inputs, "--work", work]) == 0
        assert run_command(["animate", *inputs[:-1], "64x64", "--work", work]) == 2
        assert "prepared from other inputs or settings" in capsys.readouterr().err
        assert run_command(["replace", "--work", work, "--segments", "2-3"]) == 2
        assert "has the segments 0 to 1" in capsys.readouterr().err
        assert run_command(["replace", "--work", str(tmp_path / "none"), "--segments", "0"]) == 2
        assert "Prepare it first" in capsys.readouterr().err


class TestDenoiser:
    def test_segments_of_the_denoiser_in_any_order_give_what_one_machine_draws(self, inputs, tmp_path):
        """mimo-tiny, two windows that share frames, one segment each: the cross-fade is made where they are joined."""
        from mimo_core.cli.work import _keep_segments
        from mimo_core.denoise.options import add_options, build_decoder

        parser = argparse.ArgumentParser()
        add_options(parser)
        settings = ["--steps", "1", "--square", "64", "--window", "8", "--overlap", "2", "--segment", "1"]

        def make_decoder():
            return build_decoder(parser.parse_args(settings), [], progress=silent)

        def draw_all(job, decoder):
            drawn = decoder.draw(job.identity, job.motion, job.scene, watch=Stopwatch())
            return np.stack([frame for frame, _ in drawn])

        motion = builtin_motion("walk")[:14]
        motion = replace(motion, camera=motion.camera.reframe(64, 64))
        still = Clip.still(np.full((64, 64, 3), 90, np.uint8), 1)
        nothing = Masks.constant(0, 1, 64, 64)
        scene = Scene(still, still, nothing, nothing, is_still=True)
        job = Work(encode_identity(read_picture(inputs[1])), motion, scene, Fraction(30), None, "none", {}, "key")
        count = make_decoder().count_segments(job.identity, job.motion, job.scene)
        assert count == 2
        write_work(tmp_path / "work", replace(job, segments=count))
        whole = draw_all(job, make_decoder())
        for number in (1, 0):
            decoder, again = make_decoder(), open_work(tmp_path / "work")
            _keep_segments(decoder, tmp_path / "work", again)
            decoder.draw_segments(again.identity, again.motion, again.scene, [number])
        decoder = make_decoder()
        _keep_segments(decoder, tmp_path / "work", job)
        decoder._sampled = None  # joining samples nothing
        np.testing.assert_array_equal(draw_all(open_work(tmp_path / "work"), decoder), whole)
