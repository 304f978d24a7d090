"""The fit: its rig against the mesh, its closed form, and its refinement against motions that are known exactly."""

import functools
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mimo_core.body.height import measure_height
from mimo_core.body.landmarks import (
    BLAZEPOSE_LANDMARKS,
    LANDMARK_PLACES,
    derive_landmark_weights,
    landmark_place,
    landmark_weights,
)
from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.skeleton import JOINT
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from mimo_core.motion.intervals import find_intervals
from mimo_core.motion.motion import Motion
from mimo_core.pose.contacts import find_contacts
from mimo_core.pose.fit import WINDOW_FRAMES, average_joint_confidence, catch_limbs, fit_closed_form, fit_motion
from mimo_core.pose.inverse_kinematics import rotations_from_landmarks
from mimo_core.pose.landmarks import Landmarks, find_bridges
from mimo_core.pose.rig import BodyState, load_rig
from mimo_lab.bench.pose import add_noise, measure_joint_error, project_true_landmarks


CAMERA = Camera.for_size(512, 512)
FPS = 24.0


@functools.cache
def swinging(frames=24, seed=0):
    """A body that stands and swings all its joints a little, each at its own pace."""
    generator = torch.Generator().manual_seed(seed)
    seconds = torch.arange(frames)[:, None, None] / FPS
    pace, phase, reach = (torch.rand(24, 3, generator=generator) for _ in range(3))
    pose = 0.25 * reach * torch.sin(seconds * (2 + 3 * pace) + 6.28 * phase)
    pose[:, [JOINT["left_hand"], JOINT["right_hand"], JOINT["left_foot"], JOINT["right_foot"]]] = 0
    for side, sign in (("left", 1), ("right", -1)):
        pose[:, JOINT[f"{side}_shoulder"], 2] -= sign * 1.1
        pose[:, JOINT[f"{side}_elbow"]] *= 0.2
        pose[:, JOINT[f"{side}_elbow"], 1] -= sign * 0.6
        pose[:, JOINT[f"{side}_knee"]] *= torch.tensor([1.0, 0.1, 0.1])
        pose[:, JOINT[f"{side}_knee"], 0] += 0.3
    transl = torch.tensor([0.1, 0.3, -3.2]) + 0.05 * torch.sin(seconds[:, 0] + torch.arange(3))
    person = Person(0.5 * torch.randn(10, generator=generator), pose[:, 0], pose[:, 1:].flatten(1), transl)
    return Motion((person,), FPS, CAMERA)


def standing(frames=48):
    """A body that stands still and turns its chest and arms."""
    pose = torch.zeros(frames, 24, 3)
    pose[:, JOINT["left_shoulder"], 2], pose[:, JOINT["right_shoulder"], 2] = -1.1, 1.1
    pose[:, JOINT["spine2"], 1] = 0.3 * torch.sin(torch.arange(frames) / 6)
    person = Person(torch.zeros(10), pose[:, 0], pose[:, 1:].flatten(1), torch.tensor([0, 0.3, -3.5]).repeat(frames, 1))
    return Motion((person,), FPS, CAMERA)


def lifting_a_leg(frames=12):
    """A skater who leans forward on one leg and lifts the other one behind, seen from half behind."""
    share = torch.linspace(0.6, 1, frames)
    pose, lean = torch.zeros(frames, 24, 3), torch.zeros(frames, 3)
    lean[:, 0] = 1.2 * share
    turned = matrix_from_axis_angle(torch.tensor([0, 2.2, 0])) @ matrix_from_axis_angle(lean)
    pose[:, 0] = axis_angle_from_matrix(turned)
    pose[:, JOINT["left_hip"], 0], pose[:, JOINT["right_hip"], 0] = -1.2 * share, 1.2 * share
    pose[:, JOINT["left_shoulder"], 2], pose[:, JOINT["right_shoulder"], 2] = -1.0, 1.0
    place = torch.tensor([0, 0.2, -3.2]).repeat(frames, 1)
    return Motion((Person(torch.zeros(10), pose[:, 0], pose[:, 1:].flatten(1), place),), FPS, CAMERA)


def stance_of(motion):
    person = motion.person
    return BodyState(matrix_from_axis_angle(person.pose().double()), person.transl.double(), person.betas.double())


def changed(landmarks, **changes):
    fields = {name: getattr(landmarks, name).clone() for name in ("pixels", "world", "confidence", "score")}
    return Landmarks(**(fields | changes))


def without(landmarks, frames):
    score = landmarks.score.clone()
    score[frames] = 0
    return changed(landmarks, score=score)


def slides(points, contacts):
    """How far the toes of points (F, 33, 3) stray from their mean place in each contact, in meters."""
    found = []
    for foot, toe in enumerate((31, 32)):
        for start, stop in find_intervals(contacts[:, foot]):
            place = points[start:stop, toe]
            found.append(float((place - place.mean(0)).norm(dim=1).max()))
    return found


def error_of(motion, truth):
    return measure_joint_error(motion, truth, torch.ones(truth.frames, dtype=torch.bool))


class TestLandmarkTable:
    def test_the_frozen_table_is_what_the_places_give(self):
        table = derive_landmark_weights(free_body())
        expected = torch.zeros(33, free_body().vertices)
        for row, name in enumerate(BLAZEPOSE_LANDMARKS):
            for vertex, weight in table[name]:
                expected[row, vertex] = weight
        vertices = free_body().template
        torch.testing.assert_close(landmark_weights() @ vertices, expected @ vertices, atol=1e-3, rtol=0)

    def test_landmarks_lie_at_their_places(self):
        vertices, joints = free_body().shape(torch.zeros(10))
        for name, point in zip(BLAZEPOSE_LANDMARKS, landmark_weights() @ vertices, strict=True):
            place = landmark_place(name)
            assert (point - joints[JOINT[place.joint]] - torch.tensor(place.offset)).norm() < 0.006, name

    def test_right_is_the_mirror_of_left(self):
        points = dict(zip(BLAZEPOSE_LANDMARKS, landmark_weights() @ free_body().template, strict=True))
        for name in LANDMARK_PLACES:
            if name.startswith("left"):
                mirrored = points[name.replace("left", "right")] * torch.tensor([-1.0, 1, 1])
                torch.testing.assert_close(points[name], mirrored, atol=2e-3, rtol=0)


class TestRig:
    def test_it_places_joints_and_landmarks_where_the_skinned_mesh_has_them(self):
        motion = swinging()
        posed, placed = free_body().pose(motion.person), load_rig().place(stance_of(motion))
        torch.testing.assert_close(placed.joints.float(), posed.joints, atol=1e-5, rtol=0)
        torch.testing.assert_close(placed.points.float(), landmark_weights() @ posed.vertices, atol=1e-5, rtol=0)

    @pytest.mark.parametrize("joint", ["pelvis", "spine3", "left_knee", "right_elbow", "head"])
    def test_derivatives_by_turns_are_those_of_small_steps(self, joint):
        rig, state, step = load_rig(), stance_of(swinging(3)), 1e-6
        placed, joints = rig.place(state), (JOINT[joint],)
        derivative = rig.turn_derivatives(placed, joints)
        zero = torch.zeros(3, 3).double()
        for axis in range(3):
            turn = torch.zeros(3, 1, 3).double()
            turn[..., axis] = step
            moved = rig.place(state.step(joints, turn, zero, torch.zeros(10).double()))
            torch.testing.assert_close(
                (moved.points - placed.points) / step, derivative[:, :, :, 0, axis], atol=1e-5, rtol=0
            )

    def test_derivatives_by_shape_are_exact(self):
        # Landmarks are linear in the shape values, so a step of any size will do.
        rig, state = load_rig(), stance_of(swinging(3))
        betas = torch.randn(10, generator=torch.Generator().manual_seed(1)).double()
        placed = rig.place(state)
        moved = rig.place(BodyState(state.rotations, state.transl, state.betas + betas))
        torch.testing.assert_close(
            moved.points - placed.points, rig.shape_derivatives(placed) @ betas, atol=1e-9, rtol=0
        )


class TestClosedForm:
    def test_rest_gives_no_rotation(self):
        rest = load_rig().rest_landmarks(torch.zeros(10).double())
        rotations = rotations_from_landmarks(rest[None], rest)
        torch.testing.assert_close(rotations, torch.eye(3).double().expand(1, 24, 3, 3), atol=1e-6, rtol=0)

    def test_a_turned_scaled_and_shifted_body_turns_only_its_root(self):
        rest = load_rig().rest_landmarks(torch.zeros(10).double())
        turn = matrix_from_axis_angle(torch.tensor([0.3, 2.0, -0.4]).double())
        rotations = rotations_from_landmarks((0.7 * rest @ turn.T + 5)[None], rest)
        expected = torch.eye(3).double().repeat(1, 24, 1, 1)
        expected[:, 0] = turn
        torch.testing.assert_close(rotations, expected, atol=1e-6, rtol=0)

    def test_it_is_within_three_centimetres_for_exact_landmarks(self):
        assert error_of(fit_closed_form(project_true_landmarks(swinging()), CAMERA, fps=FPS), swinging()).position < 30


class TestFit:
    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_exact_landmarks_give_the_pose_back(self, seed):
        motion = swinging(seed=seed)
        assert error_of(fit_motion(project_true_landmarks(motion), CAMERA, fps=FPS), motion).position < 30

    def test_it_is_better_and_steadier_than_the_closed_form_under_noise(self):
        motion = swinging(48)
        noisy = add_noise(project_true_landmarks(motion), torch.Generator().manual_seed(0))
        refined, plain = (error_of(how(noisy, CAMERA, fps=FPS), motion) for how in (fit_motion, fit_closed_form))
        assert refined.position < 40 < plain.position
        assert refined.acceleration < 0.3 * plain.acceleration

    @pytest.mark.parametrize("seed", [0, 1, 2])
    def test_noise_and_haste_make_nobody_small(self, seed):
        """Landmarks that are 3 % of the height off, of somebody who moves three times as fast."""
        motion, generator = swinging(seed=seed), torch.Generator().manual_seed(seed)
        seen = project_true_landmarks(motion)
        height = (seen.pixels[..., 1].amax(1) - seen.pixels[..., 1].amin(1)).mean()
        noise = [0.03 * torch.randn(value.shape, generator=generator) for value in (seen.pixels, seen.world)]
        shaken = changed(seen, pixels=seen.pixels + height * noise[0], world=seen.world + 2 * noise[1])
        found = fit_motion(shaken, CAMERA, fps=FPS / 3)
        heights = [measure_height(free_body(), each.person.betas) for each in (found, motion)]
        assert heights[0] == pytest.approx(heights[1], abs=0.3)

    def test_a_leg_lifted_further_than_the_table_says_leaves_the_standing_one_where_it_is(self):
        truth = lifting_a_leg()
        noisy = add_noise(project_true_landmarks(truth), torch.Generator().manual_seed(1))
        doubted = changed(noisy, confidence=0.5 * noisy.confidence)
        assert error_of(fit_motion(doubted, CAMERA, fps=FPS), truth).position < 60

    def test_a_leg_that_the_body_let_go_of_is_caught_again_and_other_frames_stay(self):
        truth, lost = lifting_a_leg(), 5
        seen, state = project_true_landmarks(truth), BodyState.from_person(truth.person)
        state.rotations[lost, JOINT["left_hip"]] = state.rotations[lost, JOINT["right_hip"]]
        before = state.rotations.clone()
        catch_limbs(load_rig(), state, seen, CAMERA, FPS, tick=lambda: None)
        pixels = CAMERA.project(load_rig().place(state).points.float())
        assert (pixels[lost] - seen.pixels[lost])[[25, 27]].norm(dim=-1).max() < 12
        others = torch.arange(len(before)) != lost
        assert torch.equal(state.rotations[others], before[others])

    def test_limbs_of_which_the_network_is_sure_and_wrong_in_two_frames_stay(self):
        truth, wrong = lifting_a_leg(), [5, 6]
        seen, state = project_true_landmarks(truth), BodyState.from_person(truth.person)
        before = state.rotations.clone()
        for leg, arm in ((25, 13), (27, 15)):
            seen.pixels[wrong, leg], seen.world[wrong, leg] = seen.pixels[wrong, arm], seen.world[wrong, arm]
        catch_limbs(load_rig(), state, seen, CAMERA, FPS, tick=lambda: None)
        assert torch.equal(state.rotations, before)

    def test_landmarks_project_onto_what_was_seen(self):
        truth = project_true_landmarks(swinging())
        found = fit_motion(truth, CAMERA, fps=FPS)
        pixels = project_true_landmarks(found).pixels
        assert (pixels - truth.pixels).norm(dim=-1).median() < 2.0

    def test_a_wild_landmark_hardly_moves_the_rest(self):
        truth = project_true_landmarks(swinging())
        pixels = truth.pixels.clone()
        pixels[:, 15] += 150.0
        calm, wild = (fit_motion(seen, CAMERA, fps=FPS) for seen in (truth, changed(truth, pixels=pixels)))
        away = [joint for joint in range(24) if joint not in (18, 20, 22)]
        moved = (free_body().pose(wild.person).joints - free_body().pose(calm.person).joints)[:, away].norm(dim=-1)
        assert moved.mean() < 0.03

    def test_twice_the_focal_length_is_twice_the_distance(self):
        truth = project_true_landmarks(standing(4))
        near = fit_motion(truth, CAMERA, fps=FPS).person.transl[:, 2].mean()
        far = fit_motion(truth, Camera.for_size(512, 512, focal=2 * CAMERA.focal), fps=FPS).person.transl[:, 2].mean()
        assert float(far / near) == pytest.approx(2, abs=0.15)

    def test_one_frame_is_enough(self):
        motion = swinging()[:1]
        assert error_of(fit_motion(project_true_landmarks(motion), CAMERA, fps=FPS), motion).position < 25

    def test_no_smoothing_still_works(self):
        motion = swinging(6)
        assert (
            error_of(fit_motion(project_true_landmarks(motion), CAMERA, fps=FPS, smoothing=0.0), motion).position < 25
        )

    def test_a_long_clip_in_windows_is_like_a_short_one(self):
        frames = WINDOW_FRAMES + 60
        motion = swinging(frames)
        found = fit_motion(project_true_landmarks(motion), CAMERA, fps=FPS)
        assert error_of(found, motion).position < 30
        joints = free_body().pose(found.person).joints.diff(n=2, dim=0).norm(dim=-1).mean(1)
        assert joints[WINDOW_FRAMES - 4 : WINDOW_FRAMES + 4].max() < 2 * joints.max().clamp(min=joints.median() * 2)

    def test_a_frame_more_takes_a_few_kilobytes(self):
        program = Path(__file__).parent / "long_fit.py"
        run = subprocess.run([sys.executable, program, "2000", "12000"], capture_output=True, text=True, check=True)
        assert float(run.stdout) < 8  # kB a frame; 70 where the landmarks of all frames are placed at once

    def test_cancelling_gets_through(self):
        def cancel(done, total, preview=None):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fit_motion(project_true_landmarks(swinging(4)), CAMERA, fps=FPS, progress=cancel)

    def test_a_moving_camera_is_refused(self):
        camera = Camera(500.0, (256, 256), (512, 512), torch.eye(4)[None])
        with pytest.raises(InputError, match="stands still"):
            fit_motion(project_true_landmarks(swinging(4)), camera, fps=FPS)


class TestWhatIsNotSeen:
    def test_nobody_gives_an_invisible_person(self):
        found = fit_motion(without(project_true_landmarks(swinging(4)), slice(None)), CAMERA, fps=FPS)
        assert found.frames == 4 and not found.person.visible.any()

    def test_a_short_gap_is_bridged_flagged_and_close_to_the_truth(self):
        motion = swinging()
        landmarks = without(project_true_landmarks(motion), slice(10, 14))
        landmarks.pixels[10:14], landmarks.world[10:14] = 1e6, float("nan")
        found = fit_motion(landmarks, CAMERA, fps=FPS)
        assert found.person.visible.all()
        assert found.person.bridged.nonzero()[:, 0].tolist() == [10, 11, 12, 13]
        assert error_of(found[10:14], motion[10:14]).position < 60

    def test_a_long_gap_stays_invisible(self):
        found = fit_motion(without(project_true_landmarks(swinging(40)), slice(10, 30)), CAMERA, fps=FPS).person
        assert found.visible.tolist() == [not 10 <= frame < 30 for frame in range(40)]
        assert not found.bridged.any() and not found.contacts[10:30].any()

    @pytest.mark.parametrize(("gap", "is_bridged"), [(12, True), (13, False)])
    def test_half_a_second_is_the_longest_bridge(self, gap, is_bridged):
        found = torch.ones(40, dtype=torch.bool)
        found[10 : 10 + gap] = False
        assert bool(find_bridges(found, 24.0).any()) == is_bridged

    def test_gaps_at_the_ends_are_never_bridged(self):
        assert not find_bridges(torch.tensor([False, True, True, False]), 24.0).any()

    def test_a_half_body_is_fitted_where_it_is_seen(self):
        motion = swinging()
        truth = project_true_landmarks(motion)
        confidence = truth.confidence.clone()
        confidence[:, 25:] = 0
        world = truth.world.clone()
        world[:, 25:] = 0.0
        found = fit_motion(changed(truth, confidence=confidence, world=world), CAMERA, fps=FPS)
        legs = [JOINT[f"{side}_{name}"] for side in ("left", "right") for name in ("knee", "ankle", "foot")]
        assert (found.person.joint_confidence[:, legs] == 0).all()
        rest = [joint for joint in range(24) if joint not in legs]
        assert (found.person.joint_confidence[:, rest] > 0.5).all()
        difference = free_body().pose(found.person).joints - free_body().pose(motion.person).joints
        difference = difference - difference[:, :1]
        assert difference[:, rest].norm(dim=-1).mean() < 0.06
        knees = found.person.pose()[:, [JOINT["left_knee"], JOINT["right_knee"]], 0]
        assert knees.abs().max() < 0.8

    def test_legs_that_are_never_seen_hang_from_the_body_wherever_the_network_puts_them(self):
        truth = project_true_landmarks(standing(12))
        confidence, world = truth.confidence.clone(), truth.world.clone()
        confidence[:, 25:] = 0.25
        world[:, 25:, 1] = truth.world[:, :1, 1] + 0.2
        seen = changed(truth, confidence=confidence, world=world)
        person = fit_motion(seen, CAMERA, fps=FPS).person
        joints = free_body().pose(person).joints
        assert (joints[:, 0, 1:2] - joints[:, [JOINT["left_knee"], JOINT["right_knee"]], 1] > 0.3).all()
        assert (person.joint_confidence[:, [JOINT["left_ankle"], JOINT["right_ankle"]]] == 0).all()

    def test_arms_outside_the_picture_hang_wherever_the_network_waves_them(self):
        truth = project_true_landmarks(standing(12))
        confidence, world = truth.confidence.clone(), truth.world.clone()
        confidence[:, 13:23] = 0.05
        world[:, 13:23, 1] = truth.world[:, :1, 1] - 0.2
        person = fit_motion(changed(truth, confidence=confidence, world=world), CAMERA, fps=FPS).person
        joints = free_body().pose(person).joints
        assert (joints[:, JOINT["neck"], 1:2] - joints[:, [JOINT["left_wrist"], JOINT["right_wrist"]], 1] > 0.3).all()
        assert (person.joint_confidence[:, [JOINT["left_wrist"], JOINT["right_wrist"]]] == 0).all()

    def test_arms_outside_the_picture_hang_close_to_the_body(self):
        truth = project_true_landmarks(standing(12))
        confidence = truth.confidence.clone()
        confidence[:, 13:23] = 0
        joints = free_body().pose(fit_motion(changed(truth, confidence=confidence), CAMERA, fps=FPS).person).joints
        for side in ("left", "right"):
            arm = joints[:, JOINT[f"{side}_elbow"]] - joints[:, JOINT[f"{side}_shoulder"]]
            assert (arm[:, 0].abs() < 0.45 * arm.norm(dim=1)).all()
            assert (arm[:, 1] < 0).all()

    def test_a_leg_that_is_hidden_for_a_moment_does_not_drop(self):
        motion = swinging()
        truth = project_true_landmarks(motion)
        confidence = truth.confidence.clone()
        confidence[12:15, 25::2] = 0.25
        seen = fit_motion(changed(truth, confidence=confidence), CAMERA, fps=FPS)
        assert error_of(seen[12:15], motion[12:15]).position < 30

    def test_a_face_alone_keeps_the_body_upright_below_it(self):
        truth = project_true_landmarks(standing(6))
        confidence = truth.confidence.clone()
        confidence[:, 11:] = 0
        joints = free_body().pose(fit_motion(changed(truth, confidence=confidence), CAMERA, fps=FPS).person).joints
        assert (joints[:, JOINT["head"], 1] > joints[:, 0, 1] + 0.3).all()

    def test_joint_confidence_is_that_of_the_landmarks_that_show_the_joint(self):
        confidence = torch.zeros(1, 33)
        confidence[0, 25] = 0.8
        confidence[0, 26] = 0.05
        joints = average_joint_confidence(confidence)[0]
        assert joints[JOINT["left_knee"]] == pytest.approx(0.8)
        assert joints[JOINT["right_knee"]] == 0
        assert joints.count_nonzero() == 1


class TestContacts:
    def test_feet_that_stand_are_planted_and_do_not_slide(self):
        noisy = add_noise(project_true_landmarks(standing()), torch.Generator().manual_seed(0))
        found = fit_motion(noisy, CAMERA, fps=FPS)
        assert found.person.contacts.float().mean() > 0.7
        points = landmark_weights() @ free_body().pose(found.person).vertices
        assert max(slides(points, found.person.contacts)) < 0.02

    def test_a_foot_that_swings_is_free_while_the_other_stands(self):
        points = torch.zeros(48, 33, 3)
        points[:, [27, 28], 1] = 0.08
        points[12:36, [27, 29, 31], 1] += 0.3 * torch.sin(torch.linspace(0, 3.14, 24))[:, None]
        points[12:36, [27, 29, 31], 0] += torch.linspace(0, 1.2, 24)[:, None]
        points[36:, [27, 29, 31], 0] += 1.2
        contacts = find_contacts(points, torch.ones(48, dtype=torch.bool), FPS)
        assert contacts[:, 1].all()
        assert contacts[:10, 0].all() and contacts[40:, 0].all() and not contacts[16:32, 0].any()

    def test_a_single_frame_has_none(self):
        assert not find_contacts(torch.zeros(1, 33, 3), torch.ones(1, dtype=torch.bool), FPS).any()
