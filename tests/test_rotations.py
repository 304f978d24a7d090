"""Rotations against closed forms and each other."""

import math

import pytest
import torch

from mimo_core.geometry.rotations import (
    axis_angle_from_matrix,
    axis_angle_from_quaternion,
    matrix_from_axis_angle,
    matrix_from_quaternion,
    quaternion_from_axis_angle,
    quaternion_from_matrix,
    slerp,
    unwind_quaternions,
)


def random_turns(count=200, seed=0):
    generator = torch.Generator().manual_seed(seed)
    axis = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
    return axis * torch.rand(count, 1, generator=generator) * (math.pi - 1e-3)


class TestConversions:
    def test_a_quarter_turn_around_z_takes_x_to_y(self):
        turn = torch.tensor([0.0, 0.0, math.pi / 2])
        expected = torch.tensor([0.0, 1.0, 0.0])
        torch.testing.assert_close(
            matrix_from_axis_angle(turn) @ torch.tensor([1.0, 0, 0]), expected, atol=1e-6, rtol=0
        )
        quaternion = quaternion_from_axis_angle(turn)
        torch.testing.assert_close(quaternion, torch.tensor([math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)]))
        torch.testing.assert_close(matrix_from_quaternion(quaternion), matrix_from_axis_angle(turn), atol=1e-6, rtol=0)

    def test_axis_angle_survives_the_way_through_matrices_and_quaternions(self):
        turns = random_turns()
        torch.testing.assert_close(axis_angle_from_matrix(matrix_from_axis_angle(turns)), turns, atol=2e-5, rtol=0)
        torch.testing.assert_close(
            axis_angle_from_quaternion(quaternion_from_axis_angle(turns)), turns, atol=1e-5, rtol=0
        )

    @pytest.mark.parametrize("axis", range(3))
    def test_half_turns_are_exact(self, axis):
        turn = torch.zeros(3)
        turn[axis] = math.pi
        matrix = matrix_from_axis_angle(turn)
        torch.testing.assert_close(axis_angle_from_matrix(matrix).abs(), turn, atol=1e-5, rtol=0)

    def test_tiny_turns_keep_their_size(self):
        turn = torch.tensor([1e-8, -2e-8, 3e-8])
        torch.testing.assert_close(
            axis_angle_from_quaternion(quaternion_from_axis_angle(turn)), turn, atol=1e-12, rtol=1e-4
        )

    def test_both_signs_of_a_quaternion_are_one_rotation(self):
        quaternions = quaternion_from_axis_angle(random_turns())
        torch.testing.assert_close(matrix_from_quaternion(-quaternions), matrix_from_quaternion(quaternions))
        assert (axis_angle_from_quaternion(-quaternions).norm(dim=1) <= math.pi + 1e-5).all()

    def test_quaternions_of_matrices_have_length_one(self):
        quaternions = quaternion_from_matrix(matrix_from_axis_angle(random_turns()))
        torch.testing.assert_close(quaternions.norm(dim=1), torch.ones(200))


class TestSlerp:
    def test_half_way_of_a_turn_is_half_the_angle(self):
        turns = random_turns()
        middle = slerp(quaternion_from_axis_angle(turns * 0), quaternion_from_axis_angle(turns), torch.tensor(0.5))
        torch.testing.assert_close(axis_angle_from_quaternion(middle), turns / 2, atol=1e-5, rtol=0)

    def test_it_takes_the_shorter_way(self):
        start = quaternion_from_axis_angle(torch.tensor([0.0, 0.0, 0.2]))
        end = -quaternion_from_axis_angle(torch.tensor([0.0, 0.0, 0.4]))
        found = axis_angle_from_quaternion(slerp(start, end, torch.tensor(0.5)))
        torch.testing.assert_close(found, torch.tensor([0.0, 0.0, 0.3]))

    def test_equal_ends_stay(self):
        quaternions = quaternion_from_axis_angle(random_turns())
        torch.testing.assert_close(slerp(quaternions, quaternions, torch.tensor(0.3)), quaternions)


class TestUnwound:
    def test_signs_follow_their_neighbours_and_rotations_stay(self):
        angles = torch.linspace(0, 4 * math.pi, 50)
        turns = torch.stack([torch.zeros(50), angles, torch.zeros(50)], 1)
        flipped = quaternion_from_matrix(matrix_from_axis_angle(turns))
        steady = unwind_quaternions(flipped)
        assert ((steady[1:] * steady[:-1]).sum(1) > 0.9).all()
        torch.testing.assert_close(matrix_from_quaternion(steady), matrix_from_quaternion(flipped))
