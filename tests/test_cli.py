"""The command line: one clear line for bad input, and no file that is not whole."""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mimo_core.cli import build_parser, run_command
from mimo_core.geometry.camera import Camera
from mimo_core.media.clip import Clip, write_video
from mimo_core.motion.builtin import builtin_motion
from mimo_core.motion.files import save_motion
from mimo_core.motion.motion import Motion
from mimo_lab.synthetic import make_character_picture


ROOT = Path(__file__).resolve().parents[1]


def commands():
    """Name to argument parser of every command but `bench`, which has a parser of its own."""
    actions = [action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return {name: command for name, command in actions[0].choices.items() if name != "bench"}


@pytest.fixture
def empty_lawn(tmp_path):
    """A clip in which nobody is."""
    frames = [np.full((96, 128, 3), 90, np.uint8)] * 6
    write_video(tmp_path / "lawn.mp4", frames, fps=24)
    return tmp_path / "lawn.mp4"


class TestHelp:
    @pytest.mark.parametrize("name", list(commands()))
    def test_every_command_shows_a_real_example_that_parses(self, name, capsys):
        with pytest.raises(SystemExit):
            run_command([name, "--help"])
        example = capsys.readouterr().out.split("example:\n")[1].strip()
        assert example.startswith(f"mimo {name}")
        build_parser().parse_args(example.split()[1:])

    def test_bench_names_its_kinds(self, capsys):
        with pytest.raises(SystemExit):
            run_command(["bench", "--help"])
        assert "quality" in capsys.readouterr().out


def test_the_doctor_finds_the_networks_that_ship():
    from mimo_core.cli.doctor import list_back_ends

    assert "BlazePose on LiteRT usable" in list_back_ends()[0]


class TestMotionFiles:
    @pytest.mark.parametrize("kind", ["npz", "bvh", "glb"])
    def test_pose_brings_a_motion_into_another_format(self, tmp_path, kind):
        from mimo_core.motion.files import load_motion

        assert run_command(["pose", "wave", "--out", str(tmp_path / f"wave.{kind}")]) == 0
        assert run_command(["pose", str(tmp_path / f"wave.{kind}"), "--out", str(tmp_path / "back.npz")]) == 0
        assert load_motion(tmp_path / "back.npz").frames == 132

    def test_pose_takes_an_axis_and_a_map_of_names_for_files_of_other_programs(self, tmp_path, capsys):
        from scipy.spatial.transform import Rotation

        from mimo_core.motion.builtin import builtin_motion
        from mimo_core.motion.files import load_motion
        from mimo_core.motion.joints import world_joints
        from tests.skeletons import MIXAMO_OF, both_sides, motion_bvh

        strange = {joint: f"part{number}" for number, joint in enumerate(both_sides(MIXAMO_OF))}
        walk = builtin_motion("walk")[:20]
        z_up = Rotation.from_euler("x", 90, degrees=True)
        (tmp_path / "m.bvh").write_text(motion_bvh(walk, strange, world=z_up))
        (tmp_path / "names.json").write_text(json.dumps(strange))
        given = ["pose", str(tmp_path / "m.bvh"), "--names", str(tmp_path / "names.json")]
        assert run_command([*given, "--up", "z", "--out", str(tmp_path / "said.npz")]) == 0
        assert run_command([*given, "--out", str(tmp_path / "found.npz")]) == 0
        assert "stands along Z" in capsys.readouterr().err
        for name in ("said.npz", "found.npz"):
            joints = world_joints(load_motion(tmp_path / name).person)
            assert (joints - world_joints(walk.person)).norm(dim=-1).max() < 0.02
        assert run_command(["pose", str(tmp_path / "m.bvh"), "--out", str(tmp_path / "no.npz")]) == 2
        assert "known by name" in capsys.readouterr().err

    def test_render_draws_a_motion_that_ships(self, tmp_path):
        assert (
            run_command(["render", "bow", "--style", "mask", "--size", "32x32", "--out", str(tmp_path / "bow.mp4")])
            == 0
        )
        assert (tmp_path / "bow.mp4").stat().st_size > 0


class TestSeveralPeople:
    def parse(self, *arguments):
        return build_parser().parse_args(["replace", *arguments])

    @pytest.mark.parametrize(("text", "people"), [("2", 2), ("0,2", [0, 2]), ("all", None)])
    def test_people_are_a_number_numbers_or_all(self, text, people):
        assert self.parse("--person", text).person == people

    @pytest.mark.parametrize("text", ["both", "0,0", "1,"])
    def test_another_choice_is_an_argument_error(self, text, capsys):
        with pytest.raises(SystemExit):
            self.parse("--person", text)
        assert "--person" in capsys.readouterr().err

    def test_characters_are_in_order(self):
        options = self.parse("--character", "a.png", "--character", "b.png", "--character", "c.png")
        assert (options.character.name, [path.name for path in options.more_characters]) == (
            "a.png",
            ["b.png", "c.png"],
        )

    def test_two_characters_do_a_motion_of_two(self, tmp_path):
        """Side by side on white: the first on the left, the second on the right, each in its own color."""
        motion = builtin_motion("wave")[:2]
        people = [replace(motion.person, transl=torch.tensor([[side, -0.9, -4.0]] * 2)) for side in (-0.7, 0.7)]
        save_motion(tmp_path / "two.npz", Motion(tuple(people), 24.0, Camera.for_size(96, 64)))
        made = make_character_picture(4, size=128, samples=1)
        for name, color in (("a", (220, 20, 20)), ("b", (20, 40, 220))):
            picture = np.dstack([np.broadcast_to(np.uint8(color), made.image.shape), made.mask])
            Image.fromarray(picture, "RGBA").save(tmp_path / f"{name}.png")
        files = [str(tmp_path / name) for name in ("two.npz", "a.png", "b.png", "out.mp4")]
        given = ["--motion", files[0], "--character", files[1], "--character", files[2], "--out", files[3]]
        assert run_command(["animate", *given]) == 0
        frame = Clip.from_file(files[3])[1].astype(int)
        red, blue = ((np.abs(frame - color).sum(-1) < 150) for color in ((220, 20, 20), (20, 40, 220)))
        assert red[:, :48].sum() > 50 < blue[:, 48:].sum()
        assert not red[:, 52:].any() and not blue[:, :44].any()


class TestBadInput:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [(["replace", "--at", "1,2"], "--at"), (["rplace"], "rplace"), (["pose"], "clip"), (["doctor", "x"], "x")],
    )
    def test_a_wrong_call_is_one_line_that_names_the_help(self, capsys, arguments, said):
        with pytest.raises(SystemExit) as stopped:
            run_command(arguments)
        (line,) = capsys.readouterr().err.splitlines()
        assert stopped.value.code == 2 and said in line and "--help" in line

    def test_a_motion_that_does_not_ship_is_answered_with_those_that_do(self, tmp_path, capsys):
        assert run_command(["animate", "--motion", "wolk", "--out", str(tmp_path / "a.mp4")]) == 2
        assert "walk" in capsys.readouterr().err

    def test_a_point_is_on_one_person(self, tmp_path, capsys):
        given = ["replace", "--person", "all", "--at", "0,1,1", "--out", str(tmp_path / "r.mp4")]
        self.expect(given, capsys, "--at is a point on one person", "--person")

    def test_characters_and_persons_that_do_not_agree_are_refused_before_any_work(self, tmp_path, capsys):
        two = ["--character", "a.png", "--character", "b.png", "--out", str(tmp_path / "r.mp4")]
        self.expect(["replace", "--person", "2", *two], capsys, "--person names one person")

    def test_a_work_folder_draws_one_person(self, tmp_path, capsys):
        given = ["replace", "--person", "all", "--work", str(tmp_path / "w")]
        self.expect(given, capsys, "--work draws one person")

    def test_a_motion_of_two_people_in_a_work_folder_is_refused(self, tmp_path, capsys):
        motion = builtin_motion("wave")[:2]
        save_motion(tmp_path / "two.npz", replace(motion, people=motion.people * 2))
        given = ["animate", "--motion", tmp_path / "two.npz", "--work", tmp_path / "w"]
        self.expect(given, capsys, "has 2 people but --work draws one")

    def expect(self, arguments, capsys, *parts):
        assert run_command([str(argument) for argument in arguments]) == 2
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mimo ")]
        assert len(lines) == 1
        for part in parts:
            assert part in lines[0]

    def test_a_missing_video_is_named(self, tmp_path, capsys):
        self.expect(["pose", tmp_path / "gone.mp4", "--out", tmp_path / "a.npz"], capsys, "gone.mp4")

    def test_a_missing_picture_is_named(self, tmp_path, capsys, empty_lawn):
        arguments = [
            "replace",
            "--character",
            tmp_path / "gone.png",
            "--video",
            empty_lawn,
            "--out",
            tmp_path / "a.mp4",
        ]
        self.expect(arguments, capsys, "gone.png")

    def test_text_named_png_is_refused(self, tmp_path, capsys, empty_lawn):
        (tmp_path / "a.png").write_text("not a picture")
        arguments = ["replace", "--character", tmp_path / "a.png", "--video", empty_lawn, "--out", tmp_path / "a.mp4"]
        self.expect(arguments, capsys, "a.png", "Save it again")

    def test_an_existing_output_is_refused_before_any_work(self, tmp_path, capsys):
        (tmp_path / "a.npz").write_bytes(b"mine")
        self.expect(["pose", tmp_path / "gone.mp4", "--out", tmp_path / "a.npz"], capsys, "--force")
        assert (tmp_path / "a.npz").read_bytes() == b"mine"

    def test_a_clip_without_a_person_writes_nothing(self, tmp_path, capsys, empty_lawn):
        self.expect(["pose", empty_lawn, "--out", tmp_path / "a.npz"], capsys, "person")
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["lawn.mp4"]

    def test_an_unknown_output_format_is_refused_before_any_work(self, tmp_path, capsys):
        self.expect(["pose", tmp_path / "gone.mp4", "--out", tmp_path / "a.fbx"], capsys, ".glb", "a.fbx")

    @pytest.mark.parametrize("command", ["replace", "animate", "render", "join"])
    def test_a_format_in_which_no_video_is_written_is_refused_before_any_work(self, tmp_path, capsys, command):
        given = {"render": ["walk"], "join": [tmp_path / "gone.work"]}.get(command, [])
        arguments = [command, *given, "--out", tmp_path / "a.gif"]
        self.expect(arguments, capsys, "A video is written as .mp4", "a.gif")

    def test_a_sheet_that_is_no_picture_is_refused_before_any_work(self, tmp_path, capsys):
        self.expect(["animate", "--out", tmp_path / "a.mp4", "--sheet", tmp_path / "a.txt"], capsys, "a.txt", ".png")

    def test_a_sheet_of_learned_colors_never_replaces_a_picture_unasked(self, tmp_path, capsys):
        (tmp_path / "a.png").write_bytes(b"mine")
        self.expect(["colors", tmp_path, "--sheet", tmp_path / "a.png"], capsys, "a.png exists already", "--force")
        assert (tmp_path / "a.png").read_bytes() == b"mine"

    def test_an_unknown_colour_is_refused_with_the_choices(self, tmp_path, capsys):
        self.expect(["animate", "--scene", "octarine", "--out", tmp_path / "a.mp4"], capsys, "octarine", "a picture")

    def test_a_folder_with_other_files_is_never_removed(self, tmp_path, capsys, empty_lawn):
        from mimo_core.cli.stages import SEPARATED_FILES
        from mimo_core.errors import InputError
        from mimo_core.output import whole_folder

        (tmp_path / "thesis.txt").write_text("three years of work")
        with pytest.raises(InputError, match=r"thesis\.txt"), whole_folder(tmp_path, of=SEPARATED_FILES):
            pass
        assert (tmp_path / "thesis.txt").exists()

    @pytest.mark.parametrize("size", ["768", "0x10", "axb", "99999x99999"])
    def test_a_bad_size_is_an_argument_error(self, tmp_path, size):
        with pytest.raises(SystemExit) as stop:
            run_command(["animate", "--size", size, "--out", str(tmp_path / "a.mp4")])
        assert stop.value.code == 2


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stopping_half_way_leaves_no_file(tmp_path, tmp_path_factory, how):
    card = tmp_path_factory.mktemp("card") / "card.png"  # takes no time to bake, but enough to draw at this size
    Image.new("RGB", (64, 64), (200, 40, 40)).save(card)
    given = ["--character", str(card), "--out", str(tmp_path / "a.mp4"), "--size", "1600x1200"]
    command = [sys.executable, "-m", "mimo_core", "animate", *given]
    # Tests that a shell runs in the background ignore SIGINT, and so would the command that they start.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    job = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=heed)
    for _ in range(1200):  # until the first frames are being written
        if any(tmp_path.iterdir()) or job.poll() is not None:
            break
        time.sleep(0.05)
    assert job.poll() is None, job.stderr.read()
    job.send_signal(how)
    _, errors = job.communicate(timeout=60)
    assert job.returncode == 130
    assert "nothing was written" in errors
    assert not list(tmp_path.iterdir())


def test_threads_never_spin_while_they_wait():
    """The policy is in force before torch loads, because the parser does not load it."""
    code = (
        "import os, sys, mimo_core.__main__ as entry; sys.argv = ['mimo', '--help']\n"
        "try:\n    entry.main()\n"
        "except SystemExit:\n    print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "PASSIVE False"
