"""The camera: one worked number per convention."""

import numpy as np
import pytest
import torch

from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera


POINT = torch.tensor([[[0.1, 0.0, -2.0]]])  # 10 cm to the right, 2 m in front of the camera in the origin


def test_the_worked_example_of_the_docstring():
    camera = Camera(500.0, (256.0, 256.0), (512, 512))
    assert camera.project(POINT)[0, 0].tolist() == pytest.approx([281.0, 256.0])


def test_up_in_the_world_is_up_in_the_picture():
    camera = Camera.for_size(640, 480)
    assert camera.project(torch.tensor([[[0.0, 1.0, -3.0]]]))[0, 0, 1] < 240


def test_a_scaled_camera_sees_the_same_at_another_size():
    camera = Camera(500.0, (250.0, 130.0), (512, 256))
    torch.testing.assert_close(camera.resize(1024, 512).project(POINT), camera.project(POINT) * 2)


def test_a_camera_follows_every_size_whose_sides_were_rounded():
    random = np.random.default_rng(0)
    for width, height, scale in zip(*random.integers(16, 4097, (2, 2000)), random.uniform(0.01, 1, 2000), strict=True):
        size = tuple(max(1, round(side * scale)) for side in (int(width), int(height)))
        assert Camera.for_size(int(width), int(height)).resize(*size).size == size


def test_scaling_to_another_shape_is_refused():
    with pytest.raises(InputError, match="shape differs"):
        Camera.for_size(512, 256).resize(512, 512)


def test_reframing_keeps_the_height_of_the_view():
    camera = Camera.for_size(512, 256).reframe(300, 512)
    assert (camera.size, camera.center) == ((300, 512), (150, 256))
    assert camera.focal == pytest.approx(2 * Camera.for_size(512, 256).focal)


def test_every_frame_has_its_own_place_of_the_camera():
    places = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0])).repeat(2, 1, 1)
    places[1, 0, 3] = 0.4  # the camera moves 40 cm to the left, so the world moves right
    camera = Camera(500.0, (256.0, 256.0), (512, 512), places)
    assert camera.project(POINT.expand(2, 1, 3))[:, 0, 0].tolist() == pytest.approx([281.0, 381.0])


@pytest.mark.parametrize(("focal", "size"), [(0.0, (10, 10)), (-1.0, (10, 10)), (5.0, (0, 10)), (float("nan"), (4, 4))])
def test_a_camera_that_cannot_be_is_refused(focal, size):
    with pytest.raises(InputError, match="positive"):
        Camera(focal, (1.0, 1.0), size)
