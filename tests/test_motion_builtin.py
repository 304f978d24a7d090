"""Motions that ship: on the floor, within what joints can do, seen whole, and repeated without a hitch."""

import numpy as np
import pytest
import torch

from mimo_core.body.model import free_body
from mimo_core.body.skeleton import JOINT
from mimo_core.errors import InputError
from mimo_core.motion.builtin import builtin_motion, builtin_names
from mimo_core.motion.cameras import pelvis_path
from mimo_core.motion.files import load_motion, open_motion, save_motion
from mimo_core.motion.ground import locate_soles
from mimo_core.motion.join import repeat_motion


NAMES = builtin_names()


class TestEveryMotion:
    def test_there_are_more_than_a_dozen_and_the_issue_names_these(self):
        assert len(NAMES) >= 12
        assert {"walk", "run", "turn around", "wave", "sit down", "jump", "side step"} <= set(NAMES)

    @pytest.mark.parametrize("name", NAMES)
    def test_feet_stay_on_the_floor_and_planted_ones_do_not_slide(self, name):
        motion = builtin_motion(name)
        soles, planted = locate_soles(motion.person), motion.person.contacts
        assert soles.lowest.amin() > -0.005
        assert planted.any(0).all()
        speed = soles.tip.diff(dim=0)[..., [0, 2]].norm(dim=2) * motion.fps
        held = planted[1:] & planted[:-1]
        assert speed[held].mean() < 0.02
        assert speed[held].max() < 0.2

    @pytest.mark.parametrize("name", NAMES)
    def test_nothing_jerks(self, name):
        """No joint turns faster than 20 radians a second, no pelvis is pushed harder than a jump pushes."""
        motion = builtin_motion(name)
        turns = motion.person.pose().diff(dim=0).norm(dim=2) * motion.fps
        assert turns[:, 1:].amax() < 20
        push = pelvis_path(motion.person).diff(n=2, dim=0).norm(dim=1) * motion.fps**2
        assert push.max() < 80

    @pytest.mark.parametrize("name", NAMES)
    def test_the_camera_sees_the_whole_body_in_every_frame(self, name):
        motion = builtin_motion(name)[::6]
        pixels = motion.camera.project(free_body().pose(motion.person).vertices)
        assert pixels.amin() > 0 and pixels.amax() < 512
        height = pixels[..., 1].amax(1) - pixels[..., 1].amin(1)
        assert height.max() > 200


class TestWhatTheyDo:
    def test_a_walk_goes_forward_at_walking_pace_and_a_run_faster(self):
        speeds = []
        for name in ("walk", "run"):
            motion = builtin_motion(name)
            way = pelvis_path(motion.person)[[0, -1]]
            speeds.append(float((way[1] - way[0])[2]) / (motion.frames / motion.fps))
        assert 1.0 < speeds[0] < 1.6
        assert 2.0 < speeds[1] < 4.5

    def test_a_runner_is_in_the_air_and_a_walker_never(self):
        heights = {name: locate_soles(builtin_motion(name).person).lowest.amin(1) for name in ("walk", "run", "jump")}
        assert heights["walk"].max() < 0.02
        assert heights["run"].max() > 0.03
        assert 0.25 < heights["jump"].max() < 0.45

    def test_who_sits_is_low_and_gets_up_again(self):
        height = pelvis_path(builtin_motion("sit down").person)[:, 1]
        assert height.min() < height[0] - 0.3
        assert height[-1] == pytest.approx(float(height[0]), abs=0.02)

    def test_who_turns_around_faces_front_again(self):
        root = builtin_motion("turn around").person.global_orient
        from mimo_core.geometry.rotations import matrix_from_axis_angle

        front = matrix_from_axis_angle(root)[..., 2]
        angle = np.unwrap(np.arctan2(front[:, 0].numpy(), front[:, 2].numpy()))
        assert angle[-1] - angle[0] == pytest.approx(2 * np.pi, rel=0.03)

    def test_who_waves_raises_the_right_hand_over_the_shoulder(self):
        joints = free_body().pose(builtin_motion("wave").person).joints
        over = joints[:, JOINT["right_wrist"], 1] - joints[:, JOINT["right_shoulder"], 1]
        assert over.max() > 0.2 and over[0] < 0 and over[-1] < 0

    @pytest.mark.parametrize("name", ["walk", "run", "squat", "jumping jacks", "box"])
    def test_repeated_it_goes_on_without_a_hitch(self, name):
        once, twice = builtin_motion(name), repeat_motion(builtin_motion(name), 2)
        fastest = [motion.person.pose()[:, 1:].diff(dim=0).norm(dim=2).amax() for motion in (once, twice)]
        assert fastest[1] < 1.3 * fastest[0]
        if name in ("walk", "run"):
            way = [
                float(pelvis_path(motion.person)[-1, 2] - pelvis_path(motion.person)[0, 2]) for motion in (once, twice)
            ]
            assert way[1] > 1.5 * way[0]


class TestByName:
    def test_a_name_opens_a_motion_and_a_file_of_that_name_wins(self, tmp_path, monkeypatch):
        assert open_motion("walk") is builtin_motion("walk")
        save_motion(tmp_path / "m.npz", builtin_motion("wave"))
        assert torch.equal(open_motion(tmp_path / "m.npz").person.transl, load_motion(tmp_path / "m.npz").person.transl)

    def test_another_name_lists_the_names(self):
        with pytest.raises(InputError, match="fly.*walk, stroll"):
            builtin_motion("fly")
