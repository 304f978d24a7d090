"""Motions on the floor and after each other: sliding feet are held, and what follows starts where it should."""

import math

import pytest
import torch

from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.skeleton import JOINT
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.motion.cameras import facing_angle, following_camera, pelvis_path
from mimo_core.motion.ground import estimate_floor, find_floor_contacts, hold_feet_on_floor, locate_soles, remove_travel
from mimo_core.motion.join import join_motions, repeat_motion
from mimo_core.motion.motion import Motion
from mimo_core.motion.place import place_motion


def standing(frames=24, *, slide=0.0, height=0.0, turn=0.0, fps=24.0, **changes):
    """Somebody who stands with arms down and knees a little bent, and slides to the right."""
    pose = torch.zeros(frames, 24, 3)
    pose[:, 0, 1] = turn
    for side, sign in (("left", -1), ("right", 1)):
        pose[:, JOINT[f"{side}_shoulder"], 2] = 1.2 * sign
        pose[:, JOINT[f"{side}_hip"], 0] = -0.3
        pose[:, JOINT[f"{side}_knee"], 0] = 0.6
        pose[:, JOINT[f"{side}_ankle"], 0] = -0.3
    transl = torch.zeros(frames, 3)
    transl[:, 0] = torch.linspace(0, slide, frames)
    transl[:, 1] = height
    values = {"betas": torch.zeros(10), "global_orient": pose[:, 0], "body_pose": pose[:, 1:].flatten(1)}
    return Motion((Person(**(values | {"transl": transl} | changes)),), fps, Camera.for_size(64, 48))


class TestSoles:
    def test_they_are_the_lowest_points_of_the_skinned_body(self):
        motion = standing(slide=0.3)
        whole = free_body().pose(motion.person).vertices[..., 1].amin(1)
        torch.testing.assert_close(locate_soles(motion.person).lowest.amin(1), whole, atol=1e-5, rtol=0)

    def test_a_leap_does_not_lift_the_floor(self):
        motion = standing()
        leap = motion.person.transl.clone()
        leap[10:20, 1] += 0.5
        jumping = standing(transl=leap)
        assert estimate_floor(jumping.person) == pytest.approx(estimate_floor(motion.person), abs=1e-5)
        soles = locate_soles(jumping.person)
        assert not find_floor_contacts(soles, estimate_floor(jumping.person), jumping.person.visible, 24.0)[12:18].any()


class TestFloorContact:
    def test_feet_that_slide_are_held(self):
        held = hold_feet_on_floor(standing(slide=0.2))
        tips = locate_soles(held.person).tip
        assert held.person.contacts.all()
        assert (tips - tips.mean(0)).norm(dim=-1).max() < 2e-3

    def test_the_body_moves_on_smoothly_over_held_feet(self):
        held = hold_feet_on_floor(standing(slide=0.1))
        assert held.person.transl.diff(n=2, dim=0).abs().max() < 3e-3

    def test_a_foot_that_sinks_is_lifted_to_the_floor(self):
        motion = standing()
        down = motion.person.transl.clone()
        down[8:11, 1] -= 0.04
        held = hold_feet_on_floor(standing(transl=down))
        assert locate_soles(held.person).lowest.amin() > estimate_floor(motion.person) - 2e-3

    def test_feet_that_stand_already_are_left_alone(self):
        motion = standing()
        held = hold_feet_on_floor(motion)
        joints = [free_body().pose(each.person).joints for each in (motion, held)]
        assert (joints[0] - joints[1]).norm(dim=-1).max() < 1e-3

    def test_one_frame_is_enough(self):
        assert hold_feet_on_floor(standing(1)).frames == 1


class TestInPlace:
    def test_the_way_is_taken_out_and_a_jump_stays(self):
        motion = standing(48, slide=3.0)
        up = motion.person.transl.clone()
        up[20:28, 1] += 0.3
        still = remove_travel(standing(48, slide=3.0, transl=up)).person.transl
        assert still[:, [0, 2]].abs().max() < 1e-3
        torch.testing.assert_close(still[:, 1], up[:, 1])

    def test_sway_within_a_step_stays(self):
        motion = standing(96)
        sway = motion.person.transl.clone()
        sway[:, 0] = 0.05 * torch.sin(torch.arange(96) / 24 * 2 * math.pi * 2)
        still = remove_travel(standing(96, transl=sway)).person.transl[:, 0]
        assert (still.amax() - still.amin()) > 0.09


class TestJoin:
    def test_the_length_is_the_sum_less_the_blend(self):
        assert join_motions(standing(24), standing(12), blend=0.25).frames == 24 + 12 - 6
        assert join_motions(standing(24), standing(12), blend=0).frames == 36

    def test_the_second_starts_where_and_as_the_first_ends(self):
        first = standing(24, slide=1.0, turn=0.5)
        second = place_motion(standing(24, slide=1.0, turn=-1.0, height=0.4), shift=(5.0, 0.0, 2.0))
        whole = join_motions(first, second, blend=0.25).person
        step = pelvis_path(whole).diff(dim=0).norm(dim=1)
        assert step.max() < 2 / 23
        assert facing_angle(whole.index(slice(-1, None))) == pytest.approx(0.5, abs=1e-4)
        assert pelvis_path(whole)[:, 1].std() < 1e-3  # on the first's floor

    def test_another_frame_rate_is_brought_to_the_first(self):
        assert join_motions(standing(24), standing(60, fps=60.0), blend=0).frames == 48

    def test_another_body_is_retargeted(self):
        betas = torch.tensor([2.0, *[0.0] * 9])
        whole = join_motions(standing(), standing(betas=betas)).person
        torch.testing.assert_close(whole.betas, torch.zeros(10))

    def test_a_moving_camera_goes_along_with_the_person(self):
        first, second = standing(48, slide=2.0), standing(48, slide=2.0)
        follow = following_camera(first.person, first.camera, 24.0)
        whole = join_motions(Motion(first.people, 24.0, follow), second, blend=0)
        middle = whole.camera.project(pelvis_path(whole.person)[:, None])[:, 0, 0]
        assert (middle - 32).abs().max() < 3

    def test_a_moving_camera_stops_where_the_person_stands(self):
        matrices = torch.eye(4).repeat(24, 1, 1)
        matrices[:, 0, 3] = torch.arange(24.0)
        first = Motion(standing().people, 24.0, Camera(50.0, (32, 24), (64, 48), matrices))
        camera = join_motions(first, standing(), blend=0).camera.camera_from_world
        assert camera[:24, 0, 3].tolist() == list(range(24))
        assert (camera[24:, 0, 3] == 23).all()

    def test_fingers_stay_where_both_have_them(self):
        hand = torch.full((24, 45), 0.1)
        with_hands = standing(left_hand_pose=hand)
        assert (
            join_motions(with_hands, with_hands).person.left_hand_pose.shape[0]
            == join_motions(standing(), standing()).frames
        )
        assert join_motions(with_hands, standing()).person.left_hand_pose is None

    def test_a_blend_below_zero_is_refused(self):
        with pytest.raises(InputError, match="blend"):
            join_motions(standing(), standing(), blend=-1)


class TestLoop:
    def test_once_is_the_motion_itself(self):
        motion = standing()
        assert repeat_motion(motion, 1) is motion

    def test_a_walk_walks_on(self):
        whole = repeat_motion(standing(24, slide=1.0), 3, blend=0)
        assert whole.frames == 72
        assert pelvis_path(whole.person)[-1, 0] > 2.5

    def test_what_would_not_fit_is_refused_before_any_work(self):
        with pytest.raises(InputError, match="more than the limit"):
            repeat_motion(standing(6000), 1000)
