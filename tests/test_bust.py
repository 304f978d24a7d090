"""Head and shoulders alone stand where the driver's head is, as large as it, where the driver's feet are not seen."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mimo_core.body.landmarks import landmark_weights
from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.geometry.camera import Camera
from mimo_core.identity.bust import EARS_APART, MOUTH_BELOW, Bust, measure_bust
from mimo_core.identity.framed_figure import FramedFigure
from mimo_core.identity.identity import Identity
from mimo_core.motion.motion import Motion
from mimo_core.pose.blazepose import EARS, EYES, MOUTH, NOSE
from mimo_core.proxy.billboard import LARGEST_BUST, place_bust, reach_down
from mimo_core.proxy.proxy import Proxy


SIDE, METER = 256, 400.0
BUST = Bust(30.0, 50.0, METER)
SIZE = 60, 120
FAR = Camera(1.6 * SIDE, (SIDE / 2, SIDE / 2), (SIDE, SIDE))
NEAR = Camera(6.0 * SIDE, (SIDE / 2, SIDE / 2), (SIDE, SIDE))  # shows no feet


def stand(camera: Camera, height: float = -0.2) -> Motion:
    """One frame of somebody upright, five meters before the camera and moved up by that many."""
    place = torch.tensor([[0.0, height, -5.0]])
    person = Person(torch.zeros(10), torch.zeros(1, 3), torch.zeros(1, 69), place, joint_confidence=torch.ones(1, 24))
    return Motion((person,), 24.0, camera)


def find_ears(motion: Motion) -> torch.Tensor:
    return landmark_weights()[list(EARS)] @ free_body().pose(motion.person).vertices[0]


def see_face(x: float, y: float, meter: float) -> SimpleNamespace:
    """What the networks say of a face between whose ears that pixel lies; the rest of the body lies at 0, 0."""
    points, confidence = torch.zeros(1, 33, 2), torch.full((1, 33), 0.9)
    for numbers, down in ((EYES, -0.014), (EARS, 0), (MOUTH, MOUTH_BELOW - 0.014)):
        for number, side in zip(numbers, (1, -1), strict=True):
            points[0, number] = torch.tensor([x + side * EARS_APART / 2 * meter, y + down * meter])
    points[0, NOSE] = torch.tensor([x, y + 0.02 * meter])
    return SimpleNamespace(is_found=True, landmarks=SimpleNamespace(pixels=points, confidence=confidence))


def fill_down(rows: int) -> np.ndarray:
    matte = np.zeros((100, 100), np.uint8)
    matte[10:rows, 20:80] = 255
    return matte


class TestMeasureBust:
    framed = FramedFigure(fill_down(100), np.array([30.0, 20, 70, 60]))

    def test_the_face_tells_where_and_how_large_the_head_is(self):
        bust = measure_bust(see_face(50, 40, 200.0), self.framed, fill_down(100))
        assert (bust.x, bust.y, bust.meter) == pytest.approx((50, 40, 200), rel=1e-3)

    def test_a_figure_that_ends_inside_the_picture_is_no_bust(self):
        assert measure_bust(see_face(50, 40, 200.0), self.framed, fill_down(90)) is None

    def test_a_face_elsewhere_than_the_head_tells_nothing(self):
        assert measure_bust(see_face(50, 90, 200.0), self.framed, fill_down(100)) is None

    def test_a_face_that_is_guessed_tells_nothing(self):
        seen = see_face(50, 40, 200.0)
        seen.landmarks.confidence[0, MOUTH[0]] = 0.2
        assert measure_bust(seen, self.framed, fill_down(100)) is None


class TestPlaceBust:
    def test_its_ears_lie_between_the_drivers_and_a_meter_of_its_head_is_one(self):
        motion = stand(NEAR)
        top_left, _, bottom_right, _ = place_bust(motion, BUST, SIZE)[0]
        ears = find_ears(motion)
        grown = float((ears[0] - ears[1]).norm()) / EARS_APART
        extent = torch.tensor([SIZE[0], -SIZE[1], 0.0]) / METER * grown
        torch.testing.assert_close(bottom_right - top_left, extent, atol=1e-4, rtol=0)
        between = top_left + torch.tensor([BUST.x, -BUST.y, 0.0]) / METER * grown
        torch.testing.assert_close(between, ears.mean(0), atol=1e-4, rtol=0)

    def test_it_grows_until_its_end_is_below_the_picture(self):
        motion = stand(NEAR, height=-0.6)  # the ears a quarter of the picture above its lower border
        low = float(NEAR.project(find_ears(motion)[None]).mean(1)[0, 1])
        ends = (SIDE - low) / 1.15 / NEAR.focal * 5.0  # meters below the ears where the card's end is seen
        card = Bust(30.0, 50.0, (SIZE[1] - 50.0) / ends)
        grown = card.meter / reach_down(motion, card, SIZE).meter
        assert grown == pytest.approx(1.15, rel=0.05)

    def test_it_grows_no_further_than_a_head_may(self):
        tiny = Bust(30.0, 50.0, 100 * METER)
        assert tiny.meter / reach_down(stand(NEAR), tiny, SIZE).meter == pytest.approx(LARGEST_BUST)


class TestProxyOfABust:
    @pytest.fixture
    def identity(self) -> Identity:
        picture, matte = np.full((128, 128, 3), 255, np.uint8), np.zeros((128, 128), np.uint8)
        picture[8:128, 34:94], matte[8:128, 34:94] = (30, 90, 160), 255
        return Identity(picture, matte, bust=Bust(64.0, 58.0, METER))

    def draw(self, identity: Identity, camera: Camera) -> np.ndarray:
        ((_, alpha),) = Proxy.from_identity(identity).render(stand(camera))
        return alpha > 127

    def test_it_is_as_tall_as_a_driver_whose_feet_are_seen(self, identity):
        body = free_body().pose(stand(FAR).person).vertices
        tall = np.ptp(FAR.project(body)[0, :, 1].numpy())
        assert self.draw(identity, FAR).any(1).sum() == pytest.approx(tall, rel=0.1)

    def test_it_is_at_the_head_of_a_driver_whose_feet_are_not_seen(self, identity):
        shown = self.draw(identity, NEAR)
        ears = NEAR.project(find_ears(stand(NEAR))[None])[0].mean(0)
        columns = np.flatnonzero(shown.any(0))
        assert columns.mean() == pytest.approx(float(ears[0]), abs=2)
        assert len(columns) < 1.1 * LARGEST_BUST * 60 / METER / 5.0 * NEAR.focal
