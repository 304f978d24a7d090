"""What a motion accepts, and how it is taken apart."""

import pytest
import torch

from mimo_core.body.person import Person
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.motion.motion import Motion


def person(frames=4, **changes):
    values = {
        "betas": torch.zeros(10),
        "global_orient": torch.zeros(frames, 3),
        "body_pose": torch.zeros(frames, 69),
        "transl": torch.arange(frames * 3).float().view(frames, 3),
    }
    return Person(**(values | changes))


def motion(frames=4, **changes):
    return Motion((person(frames, **changes),), 24.0, Camera.for_size(64, 48))


class TestPerson:
    def test_what_is_left_out_is_filled_as_seen_and_certain(self):
        filled = person()
        assert filled.visible.all() and not filled.bridged.any() and not filled.contacts.any()
        assert filled.joint_confidence.shape == (4, 24)

    @pytest.mark.parametrize("name", ["global_orient", "body_pose", "transl"])
    def test_nan_is_refused_with_its_frame(self, name):
        value = torch.zeros(4, 69 if name == "body_pose" else 3)
        value[2, 1] = float("nan")
        with pytest.raises(InputError, match=f"{name}.*frame 2"):
            person(**{name: value})

    def test_a_wrong_joint_count_is_refused(self):
        with pytest.raises(InputError, match="23 joints"):
            person(body_pose=torch.zeros(4, 63))

    def test_a_wrong_length_is_refused(self):
        with pytest.raises(InputError, match="transl"):
            person(transl=torch.zeros(3, 3))

    def test_wrong_shape_values_are_refused(self):
        with pytest.raises(InputError, match="10 shape values"):
            person(betas=torch.zeros(16))

    def test_pose_and_with_pose_are_inverse(self):
        pose = torch.randn(4, 24, 3)
        torch.testing.assert_close(person().with_pose(pose).pose(), pose)


class TestMotion:
    def test_a_slice_keeps_every_field(self):
        some = motion(6, contacts=torch.eye(6, 2).bool())[1:4]
        assert some.frames == 3
        torch.testing.assert_close(some.person.transl, motion(6).person.transl[1:4])
        assert some.person.contacts.tolist() == [[False, True], [False, False], [False, False]]

    def test_a_slice_cuts_the_camera_too(self):
        matrices = torch.eye(4).repeat(4, 1, 1)
        matrices[:, 0, 3] = torch.arange(4)
        moving = Motion((person(),), 24.0, Camera(50.0, (32, 24), (64, 48), matrices))
        assert moving[2:].camera.camera_from_world[:, 0, 3].tolist() == [2, 3]

    def test_an_empty_slice_is_refused(self):
        with pytest.raises(InputError, match="no frames"):
            motion()[4:]

    def test_people_of_different_lengths_are_refused(self):
        with pytest.raises(InputError, match=r"\[3, 4\]"):
            Motion((person(3), person(4)), 24.0, Camera.for_size(64, 48))

    @pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), 5000.0])
    def test_an_impossible_frame_rate_is_refused(self, fps):
        with pytest.raises(InputError, match="frame rate"):
            Motion((person(),), fps, Camera.for_size(64, 48))

    def test_a_camera_of_another_length_is_refused(self):
        with pytest.raises(InputError, match="4 frames but its camera has 3"):
            Motion((person(),), 24.0, Camera(50.0, (32, 24), (64, 48), torch.eye(4).repeat(3, 1, 1)))
