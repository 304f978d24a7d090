"""The fit is pulled onto the outline of a mask, on bodies whose pose is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.raster import rasterize
from mimo_core.body.skeleton import JOINT
from mimo_core.geometry.camera import Camera
from mimo_core.media.clip import Masks
from mimo_core.motion.motion import Motion
from mimo_core.pose.estimate import estimate_picture
from mimo_core.pose.fit import fit_motion, fit_portrait
from mimo_core.pose.refine import FREE_JOINTS
from mimo_core.pose.rig import BodyState
from mimo_core.pose.silhouette import CLOTHES_STANDOFF, HAIR_STANDOFF, choose_pool, compare_outline
from mimo_lab.bench.pose import project_true_landmarks
from mimo_lab.synthetic.shot import make_character_picture, make_shot


SIDE = 256
CAMERA = Camera(2.4 * SIDE, (SIDE / 2, SIDE / 2), (SIDE, SIDE))


def standing(*, side=0.0, arm=-1.0) -> Motion:
    pose = torch.zeros(1, 24, 3)
    pose[0, JOINT["left_shoulder"], 2], pose[0, JOINT["right_shoulder"], 2] = arm, 1.0
    person = Person(torch.zeros(10), pose[:, 0], pose[:, 1:].flatten(1), torch.tensor([[side, 0.28, -4.9]]))
    return Motion((person,), 24.0, CAMERA)


def mask_of(motion: Motion) -> np.ndarray:
    seen = CAMERA.view(free_body().pose(motion.person).vertices)
    raster = rasterize(seen, free_body().faces, focal=CAMERA.focal, center=CAMERA.center, size=CAMERA.size)
    return raster.mask[0].numpy().astype(np.uint8) * 255


def misplaced(found: Motion, truth: Motion) -> float:
    """Mean distance of the surface from its true place, pixels."""
    places = [motion.camera.project(free_body().pose(motion.person).vertices)[0] for motion in (found, truth)]
    return float((places[0] - places[1]).norm(dim=1).mean())


class TestOutline:
    def test_on_its_own_outline_a_body_is_asked_to_be_no_more_than_dressed(self):
        state = BodyState.from_person(standing().person)
        outline = compare_outline(state, CAMERA, [mask_of(standing())])
        residuals = outline.linearize(state, FREE_JOINTS)[1][outline.weight > 0.2]
        assert len(residuals) > 50
        assert residuals.min() > -0.002 and residuals.max() < HAIR_STANDOFF + 0.002
        assert residuals.median() == pytest.approx(CLOTHES_STANDOFF, abs=0.002)

    def test_what_is_asked_is_computed_in_double_precision(self):
        """In single precision the fit of a picture ends elsewhere: its shape values move by a tenth."""
        state = BodyState.from_person(standing(side=0.03).person)
        outline = compare_outline(state, CAMERA, [mask_of(standing())])
        assert (outline.weight != outline.weight.float().double()).any()

    def test_a_body_beside_its_mask_is_asked_to_move_there(self):
        state = BodyState.from_person(standing(side=0.03).person)
        outline = compare_outline(state, CAMERA, [mask_of(standing())])
        rows, residuals = outline.linearize(state, FREE_JOINTS)
        weighted = rows * outline.weight[..., None]
        step = torch.linalg.lstsq(weighted[0, :, :3], -(residuals * outline.weight)[0, :, None]).solution[:, 0]
        assert -0.035 < step[0] < -0.015  # far demands count for less, so it takes a few steps
        assert abs(step[1]) < 0.02  # less than the hair that it may have

    @pytest.mark.parametrize(
        "unknown", [0, 2, 5, 3 + 3 * 15 + 2, 3 + 3 * len(FREE_JOINTS), 3 + 3 * len(FREE_JOINTS) + 4]
    )
    def test_derivatives_are_those_of_small_steps(self, unknown):
        state = BodyState.from_person(standing().person)
        outline = compare_outline(state, CAMERA, [mask_of(standing(arm=-0.9))])
        rows, residuals = outline.linearize(state, FREE_JOINTS)
        step = torch.zeros(1, rows.shape[-1], dtype=torch.float64)
        step[0, unknown] = 1e-5
        moved = state.step(FREE_JOINTS, step[:, 3:-10].unflatten(1, (-1, 3)), step[:, :3], step[0, -10:])
        change = (outline.linearize(moved, FREE_JOINTS)[1] - residuals) / 1e-5
        kept = outline.weight > 0
        # Only the mean distance, which turns lines of sight into metres, is taken as constant.
        assert (change - rows[..., unknown])[kept].abs().max() < 0.02

    def test_a_part_that_the_mask_has_lost_asks_for_nothing(self):
        state, mask = BodyState.from_person(standing().person), mask_of(standing())
        mask[:, SIDE // 2 + 20 :] = 0
        outline = compare_outline(state, CAMERA, [mask])
        arm = (free_body().parts == JOINT["left_elbow"])[choose_pool()[outline.points[0]]]
        assert not outline.weight[0][arm].any()


class TestPortrait:
    @pytest.mark.parametrize("seed", [3, 504])
    def test_the_body_under_a_picture_comes_closer_to_the_true_one(self, seed):
        picture = make_character_picture(seed, size=320)
        seen = estimate_picture(picture.image, focal=2.4 * 320)
        fitted = fit_portrait(seen.motion, seen.landmarks, picture.mask)
        assert misplaced(fitted, picture.motion) < 0.93 * misplaced(seen.motion, picture.motion)

    def test_somebody_who_poses_stands_upright_with_straight_limbs(self):
        picture = make_character_picture(3, size=320)
        seen = estimate_picture(picture.image, focal=2.4 * 320)
        lean, upright = (
            motion.person.pose()[0] for motion in (seen.motion, fit_portrait(seen.motion, seen.landmarks, picture.mask))
        )
        limbs = [JOINT[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "knee", "elbow")]
        assert lean[0, 0] > 0.1 and abs(upright[0, 0]) < 0.06
        assert upright[limbs].norm(dim=1).sum() < 1.0


@pytest.fixture(scope="module")
def shown():
    return make_shot(2, size=128, frames=18, samples=1)


@pytest.fixture(scope="module")
def seen(shown):
    """Landmarks that lie two pixels beside the person all the time, as a network's habit may be."""
    exact = project_true_landmarks(shown.motion)
    return replace(exact, pixels=exact.pixels + torch.tensor([2.0, 0.0]))


class TestClip:
    def test_masks_draw_the_body_back_onto_the_person(self, shown, seen):
        camera = Camera.for_size(128, 128)
        blind = fit_motion(seen, camera, fps=shown.fps)
        looking = fit_motion(seen, camera, fps=shown.fps, masks=Masks.from_array(shown.visible))
        without, with_masks = (across(motion, shown.motion) for motion in (blind, looking))
        assert without == pytest.approx(2, abs=0.4)
        assert with_masks < 0.7 * without

    def test_where_nobody_is_shown_nothing_is_asked(self, shown, seen):
        camera = Camera.for_size(128, 128)
        nothing = fit_motion(seen, camera, fps=shown.fps, masks=Masks.constant(0, 18, 128, 128))
        assert across(nothing, shown.motion) == pytest.approx(
            across(fit_motion(seen, camera, fps=shown.fps), shown.motion), abs=0.1
        )

    def test_a_clip_is_compared_frame_by_frame_however_long_it_is(self, shown):
        state, camera = BodyState.from_person(shown.motion.person), Camera.for_size(128, 128)
        together = compare_outline(state, camera, shown.visible)
        apart = [compare_outline(state[at : at + 1], camera, shown.visible[at : at + 1]) for at in range(len(state))]
        for name in ("points", "direction", "target", "weight"):
            torch.testing.assert_close(
                getattr(together, name), torch.cat([getattr(one, name) for one in apart]), rtol=0, atol=1e-6
            )


def across(found: Motion, truth: Motion) -> float:
    """Mean distance of the joints from their true places across the picture, left or right, pixels."""
    places = [motion.camera.project(free_body().pose(motion.person).joints) for motion in (found, truth)]
    return float((places[0] - places[1])[..., 0].mean())
