"""Motions in a scene: placed, turned, scaled, and seen by cameras that stand, follow, circle or come from core."""

import math

import pytest
import torch

from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.motion.cameras import (
    Viewpoint,
    change_lens,
    fixed_camera,
    following_camera,
    look_at,
    pelvis_path,
    viewer_camera,
)
from mimo_core.motion.motion import Motion
from mimo_core.motion.place import place_motion, scale_motion


def walking(frames=24, *, way=2.0, turn=0.0):
    transl = torch.zeros(frames, 3)
    transl[:, 2] = torch.linspace(-4, -4 + way, frames)
    root = torch.tensor([0.0, turn, 0.0]).expand(frames, 3)
    return Motion((Person(torch.zeros(10), root, torch.zeros(frames, 69), transl),), 24.0, Camera.for_size(96, 64))


def pixels(motion, points):
    return motion.camera.project(points)


class TestPlace:
    def test_nothing_asked_changes_nothing(self):
        moved = place_motion(walking(turn=0.7)).person
        torch.testing.assert_close(moved.transl, walking().person.transl)
        torch.testing.assert_close(moved.global_orient, walking(turn=0.7).person.global_orient)

    def test_a_turn_of_90_degrees_walks_to_the_right(self):
        moved = place_motion(walking(), turn=90.0)
        start, end = pelvis_path(moved.person)[[0, -1]]
        torch.testing.assert_close(start, pelvis_path(walking().person)[0])
        torch.testing.assert_close(end - start, torch.tensor([2.0, 0.0, 0.0]), atol=1e-5, rtol=0)
        torch.testing.assert_close(moved.person.global_orient[0], torch.tensor([0.0, math.pi / 2, 0.0]))

    def test_every_vertex_moves_rigidly(self):
        body, motion = free_body(), walking(3, turn=0.4)
        before, after = body.pose(motion.person), body.pose(place_motion(motion, shift=(1, 2, 3), turn=40.0).person)
        about = pelvis_path(motion.person)[0]
        angle = math.radians(40)
        turn = torch.tensor([[math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)]])
        expected = (before.vertices - about) @ turn.T + about + torch.tensor([1.0, 2.0, 3.0])
        torch.testing.assert_close(after.vertices, expected, atol=1e-5, rtol=0)

    def test_nan_is_refused(self):
        with pytest.raises(InputError, match="finite"):
            place_motion(walking(), turn=float("nan"))


class TestScale:
    def test_twice_as_large_is_twice_as_high_in_the_picture_on_the_same_spot(self):
        motion = walking(4, way=0.0)
        larger = scale_motion(motion, 2.0)
        vertices, _ = free_body().shape(torch.zeros(10))
        pelvis = pelvis_path(motion.person)[0]
        sole = torch.stack([pelvis[0], vertices[:, 1].amin(), pelvis[2]]).expand(4, 1, 3)
        torch.testing.assert_close(pixels(larger, sole), pixels(motion, sole), atol=1e-3, rtol=0)
        head = sole + torch.tensor([0.0, 1.7, 0.0])
        heights = [(pixels(each, head) - pixels(each, sole))[..., 1] for each in (larger, motion)]
        torch.testing.assert_close(heights[0], 2 * heights[1], atol=1e-2, rtol=1e-3)
        torch.testing.assert_close(larger.person.betas, motion.person.betas)

    @pytest.mark.parametrize("scale", [0.0, -1.0, 1000.0, float("nan")])
    def test_other_scales_are_refused(self, scale):
        with pytest.raises(InputError, match="scale"):
            scale_motion(walking(), scale)


class TestLooking:
    def test_from_the_front_it_is_the_default_camera_further_back(self):
        matrix = look_at(torch.tensor([[0.0, 0.0, 3.0]]), torch.zeros(1, 3))[0]
        expected = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
        expected[2, 3] = 3
        torch.testing.assert_close(matrix, expected)

    @pytest.mark.parametrize("eye", [(0.0, 5.0, 0.0), (0.0, -5.0, 0.0), (3.0, 1.0, -2.0)])
    def test_it_is_a_rotation_and_the_target_lies_ahead(self, eye):
        matrix = look_at(torch.tensor([eye]), torch.zeros(1, 3))[0]
        torch.testing.assert_close(matrix[:3, :3] @ matrix[:3, :3].T, torch.eye(3), atol=1e-6, rtol=0)
        assert matrix[:3, :3].det() == pytest.approx(1, abs=1e-5)
        torch.testing.assert_close(matrix[:2, 3], torch.zeros(2), atol=1e-6, rtol=0)


class TestCameras:
    def test_fixed_sees_the_whole_way_from_the_front(self):
        motion = walking(way=3.0)
        camera = fixed_camera(motion.person, motion.camera)
        seen = camera.project(free_body().pose(motion.person).vertices)
        assert seen.amin() > 0 and (seen.amax((0, 1)) < torch.tensor([96.0, 64.0])).all()
        assert camera.camera_from_world[0, 2, 2] == pytest.approx(-1)

    def test_from_the_left_of_the_person_they_face_to_the_left(self):
        """Their left is at +X; a camera there sees the front, +Z, on the left of its picture."""
        motion = walking(4, way=0.0)
        camera = fixed_camera(motion.person, motion.camera, Viewpoint(azimuth=90.0))
        pelvis = pelvis_path(motion.person)[:, None]
        ahead = camera.project(pelvis + torch.tensor([0.0, 0.0, 0.5])) - camera.project(pelvis)
        assert (ahead[..., 0] < -5).all()

    def test_follow_keeps_the_person_in_the_middle_and_its_own_direction(self):
        motion = walking(48, way=6.0)
        camera = following_camera(motion.person, motion.camera, motion.fps)
        middle = camera.project(pelvis_path(motion.person)[:, None])[:, 0]
        assert (middle - torch.tensor([48.0, 32.0])).abs().max() < 1.0
        assert camera.camera_from_world[:, :3, :3].std(0).max() < 1e-6

    def test_orbit_circles_once_in_eight_seconds_at_45_degrees_a_second(self):
        motion = walking(193, way=0.0)
        camera = following_camera(motion.person, motion.camera, motion.fps, Viewpoint(turn_rate=45.0, distance=3.0))
        matrices = camera.camera_from_world
        eyes = -(matrices[:, :3, :3].mT @ matrices[:, :3, 3:])[..., 0]
        pelvis = pelvis_path(motion.person)[0]
        torch.testing.assert_close((eyes - pelvis).norm(dim=1), torch.full((193,), 3.0))
        torch.testing.assert_close(eyes[-1], eyes[0], atol=1e-3, rtol=0)
        torch.testing.assert_close(eyes[48] - pelvis, torch.tensor([3.0, 0.0, 0.0]), atol=1e-3, rtol=0)

    def test_elevation_looks_down(self):
        camera = fixed_camera(walking().person, walking().camera, Viewpoint(elevation=30.0, distance=4.0))
        assert camera.camera_from_world[0, 2, 1] == pytest.approx(-0.5)

    def test_the_lens_is_that_of_the_field(self):
        camera = change_lens(Camera.for_size(96, 64), size=(128, 128), field=90.0)
        assert (camera.focal, camera.size, camera.center) == (pytest.approx(64), (128, 128), (64, 64))


class TestViewerCamera:
    """Core's LOAD3D_CAMERA, as ComfyUI 0.3.64 makes it; newer fields were not run on a newer core."""

    FRONT = {
        "position": {"x": 0.0, "y": 2.5, "z": 10.0},
        "target": {"x": 0.0, "y": 2.5, "z": 0.0},
        "zoom": 1,
        "cameraType": "perspective",
    }

    def seen(self, info):
        motion = walking(2, way=0.0)
        camera = viewer_camera(info, motion.person, motion.camera)
        return camera.project(free_body().pose(motion.person).vertices)

    def test_the_body_is_as_large_as_the_model_was(self):
        """The longest side is 5 units, from 10 units away with 75 degrees over 64 pixels."""
        extent = (self.seen(self.FRONT).amax(1) - self.seen(self.FRONT).amin(1)).amax()
        assert extent == pytest.approx(5 / 10 * 32 / math.tan(math.radians(37.5)), rel=0.03)

    def test_zoom_and_field_act_as_in_the_viewer(self):
        zoomed = self.seen(self.FRONT | {"zoom": 2})
        assert (zoomed.amax(1) - zoomed.amin(1)).amax() == pytest.approx(
            2 * float((self.seen(self.FRONT).amax(1) - self.seen(self.FRONT).amin(1)).amax()), rel=1e-3
        )
        narrow = self.seen(self.FRONT | {"fov": 35})
        assert (narrow.amax(1) - narrow.amin(1)).amax() > 30

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"position": {"x": 0}}, "no position"),
            ({"target": None}, "no target"),
            ({"position": {"x": 0, "y": 2.5, "z": 0}}, "own target"),
            ({"position": {"x": math.nan, "y": 0, "z": 0}}, "not finite"),
            ({"cameraType": "orthographic"}, "orthographic"),
        ],
    )
    def test_what_is_no_such_camera_is_refused(self, change, message):
        with pytest.raises(InputError, match=message):
            self.seen(self.FRONT | change)
