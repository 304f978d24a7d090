"""Editing motions: laws that hold for every motion, and numbers from closed forms."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.edit import (
    change_speed,
    cut_motion,
    mirror_motion,
    resample_motion,
    reverse_motion,
    smooth_motion,
)
from mimo_core.motion.motion import Motion
from mimo_core.motion.seen import SeenMasks


def wave(frames=24, fps=24.0, **changes):
    """An arm that turns evenly while the body moves evenly to the right."""
    pose = torch.zeros(frames, 24, 3)
    pose[:, 16, 2] = torch.linspace(-1, 1, frames)
    pose[:, 0, 1] = 0.3
    values = {
        "betas": torch.zeros(10),
        "global_orient": pose[:, 0],
        "body_pose": pose[:, 1:].flatten(1),
        "transl": torch.stack([torch.linspace(0, 1, frames), torch.zeros(frames), torch.full((frames,), -3.0)], 1),
    }
    return Motion((Person(**(values | changes)),), fps, Camera.for_size(64, 48))


class TestCut:
    def test_it_keeps_the_asked_frames(self):
        torch.testing.assert_close(cut_motion(wave(), 3, 7).person.transl, wave().person.transl[3:7])

    @pytest.mark.parametrize(("start", "stop"), [(-1, 3), (5, 5), (0, 25)])
    def test_frames_outside_are_refused(self, start, stop):
        with pytest.raises(InputError, match="frames 0 to 23"):
            cut_motion(wave(), start, stop)


class TestResample:
    @pytest.mark.parametrize("fps", [12.0, 23.976, 24.0, 30.0, 60.0])
    def test_the_length_is_that_of_a_clip(self, fps):
        clip = Clip.from_array(np.zeros((24, 4, 4, 3), np.uint8), fps=Fraction(24))
        assert resample_motion(wave(), fps).frames == len(clip.resample(Fraction(fps).limit_denominator(1001)))

    def test_even_motion_stays_even_at_twice_the_rate(self):
        doubled = resample_motion(wave(), 48.0).person
        angle = doubled.pose()[:-1, 16, 2]
        torch.testing.assert_close(angle.diff(), torch.full((46,), 1 / 23), atol=1e-5, rtol=0)
        torch.testing.assert_close(doubled.transl[:-1, 0].diff(), torch.full((46,), 0.5 / 23), atol=1e-5, rtol=0)

    def test_doubling_and_halving_gives_the_motion_back(self):
        back = resample_motion(resample_motion(wave(), 48.0), 24.0)
        torch.testing.assert_close(back.person.pose(), wave().person.pose(), atol=1e-5, rtol=0)

    def test_poses_of_frames_without_the_person_are_not_mixed_in(self):
        visible = torch.ones(24, dtype=torch.bool)
        visible[10:] = False
        transl = wave().person.transl.clone()
        transl[10:] = 1000.0
        resampled = resample_motion(wave(visible=visible, transl=transl), 60.0).person
        assert resampled.transl[resampled.visible].abs().max() < 10

    def test_a_moving_camera_keeps_its_distance(self):
        angle = torch.linspace(0, 1, 24)
        turn = matrix_from_axis_angle(torch.stack([torch.zeros(24), angle, torch.zeros(24)], 1))
        matrices = torch.eye(4).repeat(24, 1, 1)
        matrices[:, :3, :3], matrices[:, 2, 3] = turn, 5.0
        motion = Motion(wave().people, 24.0, Camera(50.0, (32, 24), (64, 48), matrices))
        found = resample_motion(motion, 96.0).camera.camera_from_world
        place = -(found[:, :3, :3].mT @ found[:, :3, 3:])[..., 0]
        torch.testing.assert_close(place.norm(dim=1), torch.full((96,), 5.0), atol=1e-2, rtol=0)

    @pytest.mark.parametrize("fps", [0, -24, float("nan")])
    def test_an_impossible_rate_is_refused(self, fps):
        with pytest.raises(InputError, match="frame rate"):
            resample_motion(wave(), fps)


class TestMirror:
    def test_twice_is_the_same_motion(self):
        contacts = torch.zeros(24, 2, dtype=torch.bool)
        contacts[:5, 0] = True
        motion = wave(contacts=contacts, left_hand_pose=torch.rand(24, 45), right_hand_pose=torch.rand(24, 45))
        twice = mirror_motion(mirror_motion(motion)).person
        for name in ("global_orient", "body_pose", "transl", "contacts", "left_hand_pose", "right_hand_pose"):
            torch.testing.assert_close(getattr(twice, name), getattr(motion.person, name))

    def test_the_picture_is_flipped(self):
        body, motion = free_body(), wave(2)
        off_center = Motion(motion.people, 24.0, Camera(60.0, (20.0, 24.0), (64, 48)))
        joints = off_center.camera.project(body.pose(off_center.person).joints)
        flipped = mirror_motion(off_center)
        found = flipped.camera.project(body.pose(flipped.person).joints)
        swap = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
        expected = torch.stack([64 - joints[..., 0], joints[..., 1]], -1)[:, swap]
        torch.testing.assert_close(found, expected, atol=0.05, rtol=0)  # the body is symmetric to within a millimetre

    def test_masks_are_mirrored_one_frame_after_the_other_and_may_be_stopped(self):
        masks = np.random.default_rng(1).integers(0, 255, (24, 48, 64)).astype(np.uint8)
        motion, done = replace(wave(), seen=SeenMasks.from_masks(Masks.from_array(masks))), []
        mirrored = mirror_motion(motion, lambda frame, total, preview=None: done.append((frame, total)))
        np.testing.assert_array_equal(mirrored.seen.mask(7), masks[7, :, ::-1])
        assert done == [(frame, 24) for frame in range(1, 25)]

        def stop(frame, total, preview=None):
            raise InterruptedError

        with pytest.raises(InterruptedError):
            mirror_motion(motion, stop)

    def test_a_moving_camera_is_mirrored_with_the_world(self):
        matrices = torch.eye(4).repeat(2, 1, 1)
        matrices[:, :3, :3] = matrix_from_axis_angle(torch.tensor([0.1, 0.4, 0.0])) @ torch.diag(
            torch.tensor([1.0, -1, -1])
        )
        motion = Motion(wave(2).people, 24.0, Camera(60.0, (32, 24), (64, 48), matrices))
        point = torch.tensor([[[0.5, 0.3, -3.0]]]).repeat(2, 1, 1)
        seen, seen_mirrored = (
            motion.camera.project(point),
            mirror_motion(motion).camera.project(point * torch.tensor([-1.0, 1, 1])),
        )
        torch.testing.assert_close(seen_mirrored[..., 0], 64 - seen[..., 0])
        torch.testing.assert_close(seen_mirrored[..., 1], seen[..., 1])


class TestSmooth:
    def test_even_motion_is_not_changed(self):
        smoothed = smooth_motion(wave(), 1.0).person
        torch.testing.assert_close(smoothed.pose(), wave().person.pose(), atol=2e-3, rtol=0)
        torch.testing.assert_close(smoothed.transl, wave().person.transl, atol=1e-5, rtol=0)

    def test_strength_zero_is_off(self):
        motion = wave()
        assert smooth_motion(motion, 0.0) is motion

    def test_jitter_shrinks_and_more_strength_shrinks_it_more(self):
        noise = 0.05 * torch.randn(24, 69, generator=torch.Generator().manual_seed(0))
        noisy = wave(body_pose=wave().person.body_pose + noise)
        errors = [
            (smooth_motion(noisy, s).person.body_pose - wave().person.body_pose).square().mean() for s in (0, 0.5, 1, 2)
        ]
        assert errors == sorted(errors, reverse=True)
        assert errors[2] < 0.5 * errors[0]

    def test_there_is_no_delay(self):
        pose = torch.zeros(25, 69)
        pose[:, 5] = torch.exp(-0.5 * ((torch.arange(25) - 12) / 3.0).square())
        assert smooth_motion(wave(25, body_pose=pose)).person.body_pose[:, 5].argmax() == 12

    def test_it_does_not_depend_on_how_rotations_are_written(self):
        turns = torch.zeros(24, 3)
        turns[:, 1] = torch.linspace(3.0, 3.3, 24)
        wrapped = axis_angle_from_matrix(matrix_from_axis_angle(turns))
        one, two = (smooth_motion(wave(global_orient=value)).person.global_orient for value in (turns, wrapped))
        torch.testing.assert_close(matrix_from_axis_angle(one), matrix_from_axis_angle(two), atol=1e-5, rtol=0)

    def test_stretches_without_the_person_keep_apart(self):
        visible = torch.ones(24, dtype=torch.bool)
        visible[10:14] = False
        transl = torch.zeros(24, 3)
        transl[14:] = 5.0
        smoothed = smooth_motion(wave(visible=visible, transl=transl), 3.0).person
        torch.testing.assert_close(smoothed.transl[visible], transl[visible])

    def test_a_single_frame_stays(self):
        torch.testing.assert_close(smooth_motion(wave(1)).person.transl, wave(1).person.transl)

    def test_negative_strength_is_refused(self):
        with pytest.raises(InputError, match="strength"):
            smooth_motion(wave(), -1.0)


class TestReverse:
    def test_twice_is_nothing(self):
        torch.testing.assert_close(reverse_motion(reverse_motion(wave())).person.transl, wave().person.transl)

    def test_the_last_frame_and_its_camera_come_first(self):
        matrices = torch.eye(4).repeat(24, 1, 1)
        matrices[:, 0, 3] = torch.arange(24.0)
        motion = wave()
        motion = Motion(motion.people, 24.0, Camera(50.0, (32, 24), (64, 48), matrices))
        turned = reverse_motion(motion)
        assert turned.camera.camera_from_world[0, 0, 3] == 23
        torch.testing.assert_close(turned.person.pose()[0], motion.person.pose()[-1])


class TestSpeed:
    def test_twice_as_fast_is_half_as_long_at_the_same_rate(self):
        fast = change_speed(wave(), 2.0)
        assert (fast.frames, fast.fps) == (12, 24.0)
        torch.testing.assert_close(fast.person.transl, wave().person.transl[::2])

    def test_slow_motion_may_have_more_frames_than_a_frame_rate_allows(self):
        assert change_speed(wave(fps=240.0), 1 / 16).frames == 24 * 16

    @pytest.mark.parametrize("speed", [0.0, -1.0, 17.0, float("nan")])
    def test_other_speeds_are_refused(self, speed):
        with pytest.raises(InputError, match="speed must lie between"):
            change_speed(wave(), speed)
