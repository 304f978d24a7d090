"""Characters with large heads in the place of drivers of whom only the upper half is seen."""

from dataclasses import replace

import pytest
import torch

from mimo_core.body.head import grow_head
from mimo_core.body.limbs import scale_legs
from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.skeleton import JOINT
from mimo_core.geometry.camera import Camera
from mimo_core.motion import half_body
from mimo_core.motion.half_body import shows_feet, weigh_feet
from mimo_core.motion.legs import FRAMES_AT_ONCE
from mimo_core.motion.motion import Motion
from mimo_core.motion.retarget import move_onto_body, retarget_motion, retarget_onto_body


BODY = free_body()
CAMERA = Camera(600.0, (320.0, 180.0), (640, 360))
GROWTH = 2.2
ANKLES = [JOINT["left_ankle"], JOINT["right_ankle"]]


class Cartoon:
    """What retargeting asks of an identity."""

    def __init__(self, motion: Motion):
        self.motion, self.head_growth, self.body = motion, GROWTH, BODY


def stand(distance: float, height: float, **angles) -> Motion:
    """Somebody with the hips at a height over the camera's axis, hands before the belly."""
    pose = torch.zeros(3, 24, 3)
    arms = {"left_shoulder": (0, -20, -65), "right_shoulder": (0, 20, 65)}
    arms |= {"left_elbow": (0, -90, 0), "right_elbow": (0, 90, 0)}
    for name, angle in {**arms, **angles}.items():
        pose[:, JOINT[name]] = torch.deg2rad(torch.tensor(angle, dtype=torch.float32))
    transl = torch.tensor([[0.0, height, -distance]]).repeat(3, 1)
    return Motion((Person(torch.zeros(10), pose[:, 0], pose[:, 1:].flatten(1), transl),), 24.0, CAMERA)


@pytest.fixture
def cook() -> Motion:
    return stand(1.45, -0.1)


def project(motion: Motion, *names: str) -> torch.Tensor:
    return CAMERA.project(BODY.pose(motion.person).joints)[:, [JOINT[name] for name in names]]


class TestFeet:
    def test_feet_below_the_picture_are_not_seen(self, cook):
        assert not shows_feet(cook)

    def test_feet_in_the_picture_are(self):
        assert shows_feet(stand(5.0, 0.0))

    def test_feet_that_the_estimator_does_not_trust_are_not(self):
        far = stand(5.0, 0.0)
        confidence = torch.ones(3, 24)
        confidence[:, ANKLES] = 0.1
        assert not shows_feet(far.with_person(replace(far.person, joint_confidence=confidence)))


class TestPlacing:
    @pytest.fixture
    def moved(self, cook) -> Motion:
        other = torch.tensor([0.0, 1.5, -1, 0, 0, 0, 0, 0, 0, 0])
        return retarget_motion(cook, Cartoon(cook.with_person(replace(cook.person, betas=other))))

    def test_hips_and_hands_are_where_the_driver_s_are_seen(self, cook, moved):
        assert torch.allclose(project(moved, "pelvis"), project(cook, "pelvis"), atol=1.5)
        hands = ("left_wrist", "right_wrist")
        assert torch.allclose(project(moved, *hands), project(cook, *hands), atol=8)

    def test_shoulders_are_near_the_driver_s(self, cook, moved):
        away = project(moved, "neck")[0, 0, 1] - project(cook, "neck")[0, 0, 1]
        assert 10 < float(away) < 0.15 * CAMERA.size[1]

    def test_the_large_head_is_in_the_picture(self, moved):
        vertices = grow_head(BODY, BODY.pose(moved.person).vertices[0], GROWTH)
        top = CAMERA.project(vertices[None])[0, :, 1].min()
        assert -2 <= float(top) < 40

    @pytest.mark.parametrize("height", [0.0, 1.8])
    def test_who_stands_on_the_hands_is_as_large_as_standing_on_the_feet(self, height):
        """Hips above the picture and the head below them left no room, as if the head were far too large."""
        upside_down = stand(5.0, height)
        turned = upside_down.person.global_orient.clone()
        turned[:, 2] = torch.pi
        upside_down = upside_down.with_person(replace(upside_down.person, global_orient=turned))
        placed = half_body.place_half_body(upside_down, torch.zeros(10), GROWTH)
        depth = (-motion.person.transl[:, 2] for motion in (placed, upside_down))
        assert torch.allclose(*depth, atol=0.02)

    def test_what_is_placed_so_is_not_moved_again(self, moved):
        assert retarget_motion(moved, moved.person.betas) is moved

    def test_feet_that_come_into_the_picture_with_less_size_are_still_assumed(self):
        near, other = stand(2.1, 0.3), torch.tensor([0.0, 1.5, -1, 0, 0, 0, 0, 0, 0, 0])
        cartoon = Cartoon(near.with_person(replace(near.person, betas=other)))
        moved = retarget_motion(near, cartoon)
        assert (
            float(project(moved, "left_ankle")[0, 0, 1]) < CAMERA.size[1] < float(project(near, "left_ankle")[0, 0, 1])
        )
        on_legs = move_onto_body(moved, scale_legs(BODY, 0.5))
        assert torch.allclose(project(on_legs, "pelvis"), project(near, "pelvis"), atol=1.5)

    def test_a_long_clip_takes_no_memory_by_its_length(self, cook, monkeypatch):
        frames = []
        posed = half_body.pose_skeleton
        monkeypatch.setattr(half_body, "pose_skeleton", lambda *given: frames.append(given[2].frames) or posed(*given))
        long = cook.with_person(cook.person.index(torch.zeros(600, dtype=torch.long)))
        retarget_motion(long, Cartoon(cook.with_person(replace(cook.person, betas=torch.ones(10)))))
        assert sum(frames) >= 600 and max(frames) <= FRAMES_AT_ONCE

    def test_a_driver_whose_feet_are_seen_is_stood_upon_the_floor_as_ever(self):
        far = stand(3.2, 0.3)  # so tall in the picture that a large head has no room
        moved = retarget_motion(far, Cartoon(far.with_person(replace(far.person, betas=torch.ones(10)))))
        ankles = ("left_ankle", "right_ankle")
        assert torch.allclose(project(moved, *ankles), project(far, *ankles), atol=3)


FAR, NEAR = 5.0, 1.45


def come_up_to_camera(frames: int = 96) -> Motion:
    """Somebody who comes from where their feet are seen to where they are not, and goes back."""
    way = 0.5 - 0.5 * torch.cos(torch.linspace(0, 2 * torch.pi, frames))
    still = stand(FAR, 0.0).person.index(torch.zeros(frames, dtype=torch.long))
    transl = torch.stack([torch.zeros(frames), -0.1 * way, -(FAR + (NEAR - FAR) * way)], 1)
    return Motion((replace(still, transl=transl),), 24.0, CAMERA)


class TestComingNearer:
    @pytest.fixture
    def driver(self) -> Motion:
        return come_up_to_camera()

    @pytest.fixture
    def moved(self, driver) -> Motion:
        other = torch.tensor([0.0, 1.5, -1, 0, 0, 0, 0, 0, 0, 0])
        return retarget_motion(driver, Cartoon(driver.with_person(replace(driver.person, betas=other))))

    def test_feet_count_while_they_are_seen(self, driver):
        feet = weigh_feet(driver)
        assert feet[0] == feet[-1] == 1 and feet[48] == 0
        assert feet.diff().abs().max() < 0.1

    def test_feet_that_are_seen_for_a_moment_change_nothing(self, cook):
        frames = cook.person.index(torch.zeros(48, dtype=torch.long))
        confidence = torch.ones(48, 24)
        transl = frames.transl.clone()
        transl[20:24] = torch.tensor([0.0, 0.0, -FAR])
        person = replace(frames, transl=transl, joint_confidence=confidence)
        assert not weigh_feet(cook.with_person(person)).any()

    def test_where_feet_are_seen_it_stands_on_them(self, driver, moved):
        ankles = ("left_ankle", "right_ankle")
        assert torch.allclose(project(moved, *ankles)[[0, -1]], project(driver, *ankles)[[0, -1]], atol=3)

    def test_close_up_its_face_is_in_the_picture(self, moved):
        assert float(project(moved, "neck")[48, 0, 1]) < CAMERA.size[1]

    def test_it_comes_as_steadily_as_the_driver(self, driver, moved):
        jerks = [project(motion, "pelvis")[:, 0, 1].diff(n=2).abs().max() for motion in (driver, moved)]
        assert jerks[1] < jerks[0] + 2

    def test_short_legs_stand_there_too(self, driver):
        character = Cartoon(driver.with_person(replace(driver.person, betas=torch.ones(10))))
        character.body = scale_legs(BODY, 0.5)
        onto = retarget_onto_body(driver, character)
        ankles = project_ankles(onto, character.body)
        assert torch.allclose(ankles[0], project(driver, "left_ankle", "right_ankle")[0], atol=6)


def project_ankles(motion: Motion, body) -> torch.Tensor:
    return CAMERA.project(body.pose(motion.person).joints)[:, ANKLES]
