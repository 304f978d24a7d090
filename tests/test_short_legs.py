"""Cartoons: a large head and short legs are proportions that a figure keeps, no crouch and no reason for a card."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mimo_core.body.head import grow_head
from mimo_core.body.limbs import scale_legs
from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.raster import rasterize
from mimo_core.body.skeleton import JOINT
from mimo_core.geometry.camera import Camera
from mimo_core.identity.identity import Identity
from mimo_core.identity.joints import find_short_joints
from mimo_core.identity.trust import doubt_fit
from mimo_core.motion.legs import LEGS
from mimo_core.motion.motion import Motion
from mimo_core.motion.retarget import retarget_motion
from mimo_core.pose.blazepose import HIPS, NOSE, SHOULDERS, WRISTS
from mimo_core.proxy.proxy import Proxy


SIDE, SHARE, GROWTH = 256, 0.5, 2.0
CAMERA = Camera(2.4 * SIDE, (SIDE / 2, SIDE / 2), (SIDE, SIDE))
BODY = free_body()
FOLDED = {f"{side}_hip": (-60, 0, 0) for side in ("left", "right")} | {
    f"{side}_knee": (120, 0, 0) for side in ("left", "right")
}


def person(height=0.28, **angles) -> Person:
    pose = torch.zeros(1, 24, 3)
    for name, angle in {"left_shoulder": (0, 0, -55), "right_shoulder": (0, 0, 55), **angles}.items():
        pose[0, JOINT[name]] = torch.deg2rad(torch.tensor(angle, dtype=torch.float32))
    return Person(torch.zeros(10), pose[:, 0], pose[:, 1:].flatten(1), torch.tensor([[0.0, height, -4.9]]))


def draw(vertices: torch.Tensor) -> np.ndarray:
    raster = rasterize(CAMERA.view(vertices), BODY.faces, focal=CAMERA.focal, center=CAMERA.center, size=CAMERA.size)
    return raster.mask[0].numpy().astype(np.uint8) * 255


def photograph_cartoon(head=GROWTH) -> np.ndarray:
    """The mask (H, W) uint8 of a figure with a large head on short legs."""
    vertices = scale_legs(BODY, SHARE).pose(person()).vertices[0]
    return draw(grow_head(BODY, vertices, head)[None])


@pytest.fixture(scope="module")
def cartoon() -> Identity:
    """The cartoon, with the body that a fit makes of it: legs folded until the feet are where they are seen."""
    matte = photograph_cartoon()
    y, x = np.mgrid[:SIDE, :SIDE]
    picture = np.dstack([127 + 90 * np.sin(x / 25), 127 + 90 * np.sin(y / 25), 60 + 0 * x]).astype(np.uint8)
    picture[matte == 0] = 255
    return Identity(picture, matte, Motion((person(**FOLDED),), 24.0, CAMERA))


class TestScaleLegs:
    def test_bones_of_the_legs_are_shorter_and_all_else_is_as_before(self):
        short = scale_legs(BODY, SHARE)
        for betas in (torch.zeros(10), torch.tensor([2.0, -1, 1, 0, 0, 0, 0, 0, 0, 0])):
            (vertices, joints), (own, own_joints) = BODY.shape(betas), short.shape(betas)
            for leg in LEGS:
                for start, end in zip(leg, leg[1:], strict=False):
                    assert float((own_joints[end] - own_joints[start]).norm()) == pytest.approx(
                        SHARE * float((joints[end] - joints[start]).norm()), rel=0.15
                    )
            above = torch.isin(BODY.parts, torch.tensor([JOINT["spine3"], JOINT["head"], JOINT["left_hand"]]))
            assert torch.allclose(vertices[above], own[above], atol=1e-6)
            feet = BODY.parts == JOINT["left_foot"]
            assert torch.allclose(own[feet].std(0), vertices[feet].std(0), rtol=0.02)

    def test_a_whole_share_is_the_body_itself(self):
        assert scale_legs(BODY, 1.0) is BODY


class TestCartoon:
    def test_its_fit_is_believed(self, cartoon):
        assert doubt_fit(cartoon.motion, cartoon.matte) is None

    def test_who_crouches_with_a_head_as_people_have_is_not(self):
        crouching = Motion((person(**FOLDED),), 24.0, CAMERA)
        assert "crouches" in doubt_fit(crouching, photograph_cartoon(head=1.0))

    def test_a_large_head_whose_hips_are_not_found_is_drawn_as_a_card(self, cartoon):
        confidence = torch.ones(1, 24)
        confidence[0, [JOINT["left_hip"], JOINT["right_hip"]]] = 0
        hidden = cartoon.motion.with_person(replace(cartoon.motion.person, joint_confidence=confidence))
        assert "hips are not found" in doubt_fit(hidden, cartoon.matte)

    def test_who_sits_is_not_even_with_a_large_head(self):
        sitting = person(**{name: angle for name, angle in FOLDED.items() if "hip" in name})
        vertices = grow_head(BODY, BODY.pose(sitting).vertices[0], GROWTH)
        motion = Motion((sitting,), 24.0, CAMERA)
        assert "sits" in doubt_fit(motion, draw(vertices[None]))

    def test_its_legs_are_measured_and_unfolded(self, cartoon):
        assert cartoon.leg_share == pytest.approx(SHARE, abs=0.06)
        joints = CAMERA.view(cartoon.body.pose(cartoon.stance.person).joints)[0]
        folded = CAMERA.view(BODY.pose(cartoon.motion.person).joints)[0]
        for hip, knee, ankle in LEGS:
            assert float((joints[knee, 2] - joints[hip, 2]).abs()) < 0.02
            assert torch.allclose(joints[ankle, :2], folded[ankle, :2], atol=0.05)

    def test_it_is_as_tall_as_the_driver_and_stands_on_the_same_floor(self, cartoon):
        another = torch.tensor([0.0, 1, -1, 0, 0, 0, 0, 0, 0, 0])
        driver = Motion((replace(person(), betas=another),), 24.0, CAMERA)
        moved = retarget_motion(driver, cartoon)
        alpha = next(iter(Proxy.from_identity(cartoon, texture=256).render(moved)))[1]
        rows = [np.flatnonzero((mask > 127).any(1)) for mask in (alpha, draw(BODY.pose(driver.person).vertices))]
        assert rows[0][-1] == pytest.approx(rows[1][-1], abs=5)
        assert len(rows[0]) == pytest.approx(len(rows[1]), rel=0.08)

    def test_it_is_drawn_alike_whether_or_not_its_motion_was_retargeted_before(self, cartoon):
        another = torch.tensor([0.0, 1, -1, 0, 0, 0, 0, 0, 0, 0])
        driver = Motion((replace(person(), betas=another),), 24.0, CAMERA)
        proxy = Proxy.from_identity(cartoon, texture=256)
        direct, moved = (next(iter(proxy.render(each))) for each in (driver, retarget_motion(driver, cartoon)))
        assert np.array_equal(direct[1], moved[1]) and np.array_equal(direct[0], moved[0])

    def test_standing_it_looks_like_its_picture(self, cartoon):
        own = Motion((person(),), 24.0, CAMERA)
        alpha = next(iter(Proxy.from_identity(cartoon, texture=256).render(retarget_motion(own, cartoon))))[1]

        def share_of_legs(mask: np.ndarray) -> float:
            """Height of what is split in two below, by that of all."""
            rows = np.flatnonzero((mask > 127).any(1))
            middle = int(np.median(np.nonzero(mask[rows[0] : rows[0] + 10] > 127)[1]))
            split = np.flatnonzero(mask[rows[0] : rows[-1], middle] < 128)
            return len(split) / len(rows)

        assert share_of_legs(alpha) == pytest.approx(share_of_legs(cartoon.matte), abs=0.06)


class TestShortJoints:
    """A doll, nearly half of it head, for whom the network looks for hips below the picture."""

    @pytest.fixture
    @staticmethod
    def doll() -> tuple[np.ndarray, np.ndarray]:
        matte, pixels = np.zeros((200, 160), np.uint8), np.zeros((33, 2), np.float32)
        cv2.circle(matte, (80, 60), 45, 255, -1)
        cv2.rectangle(matte, (52, 100), (108, 165), 255, -1)
        for side in (-1, 1):
            cv2.line(matte, (80 + 24 * side, 108), (80 + 62 * side, 135), 255, 14)
            cv2.rectangle(matte, (80 + 17 * side - 10, 160), (80 + 17 * side + 10, 192), 255, -1)
        pixels[NOSE] = 80, 75
        for (left, right), (x, y) in {SHOULDERS: (104, 105), HIPS: (95, 220), WRISTS: (90, 95)}.items():
            pixels[left], pixels[right] = (x, y), (160 - x, y)
        return matte, pixels

    def test_its_joints_lie_in_the_figure(self, doll):
        matte, pixels = doll
        joints = find_short_joints(pixels, matte)
        for name in ("left_wrist", "right_wrist", "left_knee", "right_ankle", "pelvis"):
            x, y = joints.at(name).astype(int)
            assert matte[y, x] > 0, name
        assert joints.at("left_wrist")[0] > 120 and joints.at("right_wrist")[0] < 40
        assert joints.at("left_ankle")[0] > 85 and joints.at("right_ankle")[0] < 75

    def test_a_figure_that_is_cut_off_above_its_legs_has_none(self, doll):
        matte, pixels = doll
        assert find_short_joints(pixels, matte[:150]) is None

    def test_a_figure_whose_shoulders_are_above_its_head_has_none(self, doll):
        matte, pixels = doll
        pixels[list(SHOULDERS), 1] = 5
        assert find_short_joints(pixels, matte) is None

    def test_hips_that_are_seen_are_believed(self, doll):
        matte, pixels = doll
        pixels[list(HIPS), 1] = 150
        assert find_short_joints(pixels, matte) is None
