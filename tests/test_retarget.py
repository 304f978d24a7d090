"""A motion on another body keeps the driver's feet and pose."""

import pytest
import torch
from torch.testing import assert_close

from mimo_core.body.height import measure_height
from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.skeleton import JOINT
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.identity.identity import Identity
from mimo_core.motion.motion import Motion
from mimo_core.motion.retarget import retarget_motion


ANKLES = [JOINT["left_ankle"], JOINT["right_ankle"]]


def walk(frames=9, betas=None, stride=0.35) -> Motion:
    phase = torch.linspace(0, 2 * torch.pi, frames)
    pose = torch.zeros(frames, 24, 3)
    pose[:, JOINT["left_hip"], 0], pose[:, JOINT["right_hip"], 0] = stride * phase.sin(), -stride * phase.sin()
    pose[:, JOINT["left_knee"], 0] = 0.25 + 0.2 * phase.cos()
    pose[:, JOINT["right_knee"], 0] = 0.25 - 0.2 * phase.cos()
    pose[:, JOINT["left_shoulder"], 2] = -1.0
    person = Person(
        betas=torch.zeros(10) if betas is None else betas,
        global_orient=torch.tensor([[0.0, 0.4, 0.0]]).expand(frames, 3),
        body_pose=pose[:, 1:].flatten(1),
        transl=torch.stack([phase * 0.1, 0.02 * phase.sin(), phase * 0 - 4], 1),
    )
    return Motion((person,), 24.0, Camera.for_size(64, 64))


def shape(*values) -> torch.Tensor:
    return torch.tensor([*values, *[0.0] * (10 - len(values))])


@pytest.fixture(scope="module")
def body():
    return free_body()


class TestSameShape:
    def test_the_driver_itself_is_left_as_it_is(self):
        motion = walk(betas=shape(0.5, -1))
        assert retarget_motion(motion, shape(0.5, -1)) is motion
        assert retarget_motion(motion, shape(0.5, -1), stature="own") is motion

    def test_a_hair_of_another_shape_hardly_moves_a_joint(self, body):
        motion = walk()
        moved = retarget_motion(motion, shape(0, 2e-3))
        before, after = (body.pose(each.person).joints for each in (motion, moved))
        assert (after - before).abs().max() < 1e-3

    def test_an_identity_without_a_body_leaves_the_motion_alone(self):
        import numpy as np

        card = Identity(np.zeros((16, 16, 3), np.uint8), np.full((16, 16), 255, np.uint8))
        motion = walk()
        assert retarget_motion(motion, card) is motion


@pytest.mark.parametrize("betas", [shape(2.0), shape(-2.0), shape(0.5, 1.5, -1.0)], ids=["one", "other", "mixed"])
class TestAnotherShape:
    def test_the_shape_becomes_the_characters(self, betas):
        assert_close(retarget_motion(walk(), betas, stature="own").person.betas, betas)

    def test_the_sole_that_stands_stays_to_a_millimetre(self, body, betas):
        motion = walk()
        moved = retarget_motion(motion, betas, stature="own")
        ankles, kept = (body.pose(each.person).joints[:, ANKLES] for each in (motion, moved))
        sole, kept_sole = (_sole_below_ankle(body, each.person.betas) for each in (motion, moved))
        stands = ankles[..., 1] < ankles[..., 1].amin(1, keepdim=True) + 0.03
        assert_close(kept[stands][:, [0, 2]], ankles[stands][:, [0, 2]], atol=1e-3, rtol=0)
        assert_close((kept[..., 1] - kept_sole)[stands], (ankles[..., 1] - sole)[stands], atol=1e-3, rtol=0)

    def test_everything_above_the_legs_keeps_its_rotation(self, betas):
        upper = [JOINT[name] for name in ("pelvis", "spine1", "spine3", "head", "left_shoulder", "right_elbow")]
        motion = walk()
        assert_close(
            retarget_motion(motion, betas, stature="own").person.pose()[:, upper],
            motion.person.pose()[:, upper],
            rtol=0,
            atol=0,
        )

    def test_the_feet_keep_their_direction(self, body, betas):
        motion = walk()
        moved = retarget_motion(motion, betas, stature="own")
        before, after = (body.pose(each.person).transforms[:, ANKLES, :3, :3] for each in (motion, moved))
        assert_close(after, before, atol=1e-4, rtol=0)

    def test_knees_bend_forwards(self, body, betas):
        joints = body.pose(retarget_motion(walk(), betas, stature="own").person).joints
        for side in ("left", "right"):
            hip, knee, ankle = (joints[:, JOINT[f"{side}_{name}"]] for name in ("hip", "knee", "ankle"))
            forwards = torch.tensor([torch.tensor(0.4).sin(), 0, torch.tensor(0.4).cos()])
            assert ((knee - (hip + ankle) / 2) @ forwards > -0.02).all()


class TestStature:
    def test_the_character_becomes_as_tall_as_the_driver(self, body):
        motion = walk(betas=shape(0.7))
        moved = retarget_motion(motion, shape(-1.5, 1.0))
        assert abs(measure_height(body, moved.person.betas) - measure_height(body, motion.person.betas)) < 2e-3
        assert_close(moved.person.betas[1:], shape(-1.5, 1.0)[1:])

    def test_retargeting_twice_changes_nothing_more(self):
        once = retarget_motion(walk(), shape(-1.5, 1.0))
        assert retarget_motion(once, shape(-1.5, 1.0)) is once

    def test_an_unknown_choice_is_refused(self):
        with pytest.raises(InputError, match="stature"):
            retarget_motion(walk(), shape(1.0), stature="giant")


class TestLegLength:
    def test_the_pelvis_follows_the_length_of_the_legs(self, body):
        tall = max((shape(2.0), shape(-2.0)), key=lambda betas: _leg(body, betas))
        motion = walk(stride=0.1)
        rise = (
            body.pose(retarget_motion(motion, tall, stature="own").person).joints[:, 0, 1]
            - body.pose(motion.person).joints[:, 0, 1]
        )
        expected = _leg(body, tall) - _leg(body, torch.zeros(10))
        assert_close(rise.mean(), expected, atol=0.25 * float(expected), rtol=0)

    def test_a_motion_stays_as_smooth_as_it_was(self, body):
        motion = walk(frames=60)
        moved = retarget_motion(motion, shape(-2.0, 1.0), stature="own")
        before, after = (body.pose(each.person).joints.diff(n=2, dim=0).norm(dim=-1).max() for each in (motion, moved))
        assert after < 2 * before + 1e-3

    def test_a_kick_beyond_reach_points_the_same_way(self, body):
        short = min((shape(2.0), shape(-2.0)), key=lambda betas: _leg(body, betas))
        motion = walk(frames=1)
        pose = motion.person.pose().clone()
        pose[:, JOINT["left_hip"], 0] = -1.5
        pose[:, JOINT["left_knee"], 0] = 0.0
        motion = motion.with_person(motion.person.with_pose(pose))
        directions = []
        for each in (motion, retarget_motion(motion, short, stature="own")):
            joints = body.pose(each.person).joints[0]
            bone = joints[JOINT["left_ankle"]] - joints[JOINT["left_hip"]]
            directions.append(bone / bone.norm())
        assert directions[0] @ directions[1] > 0.97


def _sole_below_ankle(body, betas):
    vertices, joints = body.shape(betas)
    feet = [
        (body.parts == JOINT[f"{side}_ankle"]) | (body.parts == JOINT[f"{side}_foot"]) for side in ("left", "right")
    ]
    return torch.stack([joints[ankle, 1] - vertices[foot, 1].min() for ankle, foot in zip(ANKLES, feet, strict=True)])


def _leg(body, betas):
    joints = body.shape(betas)[1]
    return (joints[JOINT["left_hip"]] - joints[JOINT["left_ankle"]]).norm()
