"""Hands: fingers of the free body, and what the network sees of bodies whose fingers are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mimo_core.body.fingers import FINGERS
from mimo_core.body.model import bend_hands, free_body, load_hands, vertex_normals
from mimo_core.body.person import Person
from mimo_core.body.raster import interpolate, rasterize
from mimo_core.body.skeleton import FINGER_JOINTS, JOINT
from mimo_core.geometry.camera import Camera
from mimo_core.geometry.rotations import axis_angle_from_matrix
from mimo_core.motion.motion import Motion
from mimo_core.pose.blazepose import CropRegion
from mimo_core.pose.fingers import add_hands, relax_hand, solve_hand
from mimo_core.pose.hand_fit import HandModel, finger_axes
from mimo_core.pose.hands import HandPose, HandStore, load_hand_network


BODY = free_body()
SIDE = 320
CAMERA = Camera(2.4 * SIDE, (SIDE / 2, SIDE / 2), (SIDE, SIDE))
FIST = (1.3, 1.5, 0.8)
HALF = (0.5, 0.7, 0.4)
FLAT = (0.0, 0.0, 0.0)


def curl(side: int, bends: tuple[float, float, float], fingers=FINGERS[:-1]) -> torch.Tensor:
    """Angles (1, 45) of a hand, 0 left and 1 right, whose `fingers` bend at knuckle, middle and end joint."""
    angles = torch.zeros(1, FINGER_JOINTS, 3)
    for finger in fingers:
        number = FINGERS.index(finger)
        axis = finger_axes(load_hands()[side], number)[2].float()
        angles[0, 3 * number : 3 * number + 3] = torch.tensor(bends)[:, None] * axis
    return angles.flatten(1)


def tips_of(side: int, vertices: torch.Tensor) -> torch.Tensor:
    return vertices[..., load_hands()[side].tips, :]


def standing(frames: int = 1, **hands) -> Person:
    """Somebody with one or both hands before them, palms to the camera."""
    pose = torch.zeros(frames, 24, 3)
    return Person(torch.zeros(10), pose[:, 0], pose[:, 1:].flatten(1), torch.zeros(frames, 3), **hands)


class TestBody:
    @pytest.mark.parametrize("side", [0, 1])
    def test_a_fist_brings_the_fingertips_to_the_palm(self, side):
        flat, fist = (bend_hands(BODY.template, *_one(side, curl(side, bends)))[0] for bends in (FLAT, FIST))
        knuckles = load_hands()[side].joints(BODY.template)[[0, 3, 6, 9]]
        ways = [(tips_of(side, hand)[:4] - knuckles).norm(dim=1) for hand in (flat, fist)]
        assert (ways[1] < 0.6 * ways[0]).all()
        assert (tips_of(side, fist)[:4, 1] < tips_of(side, flat)[:4, 1] - 0.01).all()

    def test_zero_angles_are_straight_fingers(self):
        flat = bend_hands(BODY.template, curl(0, FLAT), None)[0]
        rig = load_hands()[0]
        joints = rig.joints(BODY.template)
        for finger in range(4):
            reach = (tips_of(0, flat)[finger] - joints[3 * finger]).norm()
            assert reach > 0.97 * rig.bones[3 * finger : 3 * finger + 3].norm(dim=1).sum()

    def test_only_the_hand_that_is_known_moves_and_nothing_else(self):
        bent = bend_hands(BODY.template, curl(0, FIST), None)[0]
        moved = (bent - BODY.template).norm(dim=1) > 1e-6
        hand = BODY.weights[:, [JOINT["left_wrist"], JOINT["left_hand"]]].sum(1)
        assert moved.any() and (hand[moved] > 0.5).all()

    def test_a_person_without_hands_is_posed_as_ever(self):
        person = standing()
        bent = replace(person, left_hand_pose=curl(0, FIST))
        plain, fist = (BODY.pose(someone).vertices for someone in (person, bent))
        right = BODY.template[:, 0] < 0.5
        assert torch.equal(plain[:, right], fist[:, right])
        assert (plain - fist).norm(dim=-1).max() > 0.03


def _one(side: int, angles: torch.Tensor) -> tuple:
    return (angles, None) if side == 0 else (None, angles)


def photograph_hand(side: int, bends, fingers=FINGERS[:-1], tilt=0.5) -> tuple[np.ndarray, torch.Tensor, CropRegion]:
    """A close picture of the back of a hand at rest in the T pose, its fingertips in camera space, and its region."""
    vertices = bend_hands(BODY.template, *_one(side, curl(side, bends, fingers)))[0]
    joints = BODY.joint_regressor @ BODY.template
    hand = joints[JOINT["left_hand" if side == 0 else "right_hand"]]
    wrist = joints[JOINT["left_wrist" if side == 0 else "right_wrist"]]
    # Seen from above and a little from the front: image x is the body's x, image down its z.
    turn = torch.tensor([[1.0, 0, 0], [0, np.sin(tilt), np.cos(tilt)], [0, -np.cos(tilt), np.sin(tilt)]])
    turn[1] = torch.linalg.cross(turn[2], turn[0])
    seen = (vertices - hand) @ turn.T.float() + torch.tensor([0.0, 0.0, 0.9])
    raster = rasterize(seen[None], BODY.faces, focal=CAMERA.focal, center=CAMERA.center, size=CAMERA.size)
    normals = interpolate(raster, BODY.faces, vertex_normals(seen[None], BODY.faces))[0]
    shade = (0.45 + 0.55 * (normals @ torch.tensor([0.3, -0.4, -0.85])).clamp(0, 1))[..., None]
    picture = torch.where(raster.mask[0][..., None], shade * torch.tensor([224.0, 172.0, 145.0]), 120.0)
    center = CAMERA.pixels(((hand + 0.2 * (hand - wrist)) - hand)[None] @ turn.T.float() + torch.tensor([0, 0, 0.9]))[0]
    region = CropRegion((float(center[0]), float(center[1])), 230.0, np.pi / 2 if side == 0 else -np.pi / 2)
    return picture.numpy().astype(np.uint8), tips_of(side, seen), region


def fingertip_error(side: int, bends, poses: list[HandPose], fingers=FINGERS[:-1]) -> float:
    """Mean distance of fitted fingertips, without the thumb's, from the true ones in millimeters; palm on palm."""
    angles = solve_hand(load_hands()[side], poses, ("left", "right")[side]).fingers
    found = tips_of(side, bend_hands(BODY.template, *_one(side, angles)))[:, :4]
    true = tips_of(side, bend_hands(BODY.template, *_one(side, curl(side, bends, fingers))))[:, :4]
    return float((found - true).norm(dim=-1).mean() * 1000)


def exact_pose(side: int, bends, tilt: float) -> HandPose:
    """What a perfect network would see of a hand."""
    rig, name = load_hands()[side], ("left_wrist", "right_wrist")[side]
    wrist = (BODY.joint_regressor @ BODY.template)[JOINT[name]]
    angles = torch.tensor([[0.0, *bends] * 4 + [0.0] * 9], dtype=torch.float64)
    points = HandModel.of(rig, rig.joints(BODY.template), wrist).points(angles)[0]
    turn = torch.tensor([[1.0, 0, 0], [0, np.sin(tilt), np.cos(tilt)], [0, -np.cos(tilt), np.sin(tilt)]]).double()
    turn[1] = torch.linalg.cross(turn[2], turn[0])
    seen = ((points - points.mean(0)) @ turn.T).numpy().astype(np.float32)
    return HandPose(1.0, seen[:, :2] * 800 + 160, seen)


class TestFit:
    @pytest.mark.parametrize("side", [0, 1])
    @pytest.mark.parametrize("bends", [FLAT, HALF, FIST])
    def test_exact_points_give_the_fingers_back(self, side, bends):
        assert fingertip_error(side, bends, [exact_pose(side, bends, tilt) for tilt in (0.9, 2.6)]) < 10

    def test_fingertips_that_are_seen_are_two_centimeters_off(self):
        errors = []
        for side in (0, 1):
            for tilt in (0.2, 0.9, 2.2, 2.6):
                for bends in (FLAT, HALF):
                    picture, _, region = photograph_hand(side, bends, tilt=tilt)
                    pose = load_hand_network().find_points(picture, region)
                    assert pose.presence > 0.5
                    errors.append(fingertip_error(side, bends, [pose]))
        assert np.mean(errors) < 20

    @pytest.mark.parametrize("side", [0, 1])
    def test_a_pointing_finger_is_told_from_a_fist(self, side):
        ways = {}
        for fingers in (FINGERS[:-1], FINGERS[1:-1]):
            picture, _, region = photograph_hand(side, FIST, fingers, tilt=2.6)
            pose = load_hand_network().find_points(picture, region)
            rig = load_hands()[side]
            angles = solve_hand(rig, [pose], ("left", "right")[side]).fingers
            hand = bend_hands(BODY.template, *_one(side, angles))[0]
            ways[len(fingers)] = (tips_of(side, hand)[0] - rig.joints(BODY.template)[0]).norm()
        assert ways[3] > 1.5 * ways[4]


class TestMotion:
    def test_fingers_that_are_never_seen_relax(self):
        nothing = replace(exact_pose(0, FIST, 2.6), presence=0.0)
        motion = add_hands(Motion((standing(5),), 24.0, CAMERA), [(nothing, nothing)] * 5)
        for side, hand in enumerate((motion.person.left_hand_pose, motion.person.right_hand_pose)):
            assert torch.allclose(hand, relax_hand(load_hands()[side]).float().expand(5, -1), atol=1e-4)
        assert torch.equal(motion.person.body_pose, standing(5).body_pose)

    def test_hands_that_are_too_small_stay_at_rest(self):
        fist = exact_pose(0, FIST, 2.6)
        fist = replace(fist, pixels=fist.pixels / 4)
        person = add_hands(Motion((standing(5),), 24.0, CAMERA), [(fist, fist), *[(None, None)] * 4]).person
        assert person.left_hand_pose is None and person.right_hand_pose is None

    def test_a_hand_that_comes_into_a_close_picture_is_drawn(self):
        fist = exact_pose(0, FIST, 2.6)
        person = add_hands(Motion((standing(5),), 24.0, CAMERA), [(fist, None), *[(None, None)] * 4]).person
        assert float(person.left_hand_pose[0].abs().max()) > 1
        assert person.right_hand_pose is None

    def test_a_hand_that_is_lost_for_a_moment_keeps_its_fist(self):
        fist = exact_pose(0, FIST, 2.6)
        hands = [(None if 5 <= frame < 8 else fist, None) for frame in range(13)]
        person = add_hands(Motion((standing(13),), 24.0, CAMERA), hands).person
        assert (person.left_hand_pose[6] - person.left_hand_pose[0]).abs().max() < 0.2

    def test_what_is_kept_at_once_grows_with_the_clip_and_not_with_its_square(self):
        class Largest(TorchDispatchMode):
            size = 0

            def __torch_dispatch__(self, function, types, args=(), kwargs=None):
                made = function(*args, **(kwargs or {}))
                if isinstance(made, torch.Tensor):
                    self.size = max(self.size, made.numel())
                return made

        frames, nothing = 3000, HandPose(0.0, np.zeros((21, 2)), np.zeros((21, 3)))
        with Largest() as largest:
            add_hands(Motion((standing(frames),), 24.0, CAMERA), [(nothing, nothing)] * frames)
        assert largest.size <= 24 * 9 * frames

    def test_what_is_hardly_a_hand_does_not_count(self):
        doubtful = replace(exact_pose(0, FIST, 2.6), presence=0.5)
        person = add_hands(Motion((standing(3),), 24.0, CAMERA), [(doubtful, None)] * 3).person
        assert torch.allclose(person.left_hand_pose[0], relax_hand(load_hands()[0]).float(), atol=1e-4)

    @pytest.mark.parametrize("side", [0, 1])
    def test_the_wrist_turns_to_where_the_palm_is(self, side):
        name, rig = ("left", "right")[side], load_hands()[side]
        seen = [exact_pose(side, HALF, 0.9)] * 5
        palm = solve_hand(rig, seen, name).palm[0]
        orient = torch.zeros(5, 3)
        orient[:, 0] = 0.9  # as the picture is seen by the camera, but for half a radian
        turned = replace(standing(5), global_orient=orient)
        hands = [pair if side == 0 else pair[::-1] for pair in zip(seen, [None] * 5, strict=True)]
        found = BODY.pose(add_hands(Motion((turned,), 24.0, CAMERA), hands).person).transforms
        joint = JOINT[f"{name}_wrist"]
        away = [transforms[0, joint, :3, :3].double().mT @ palm for transforms in (found, BODY.pose(turned).transforms)]
        angles = [float(axis_angle_from_matrix(turn).norm()) for turn in away]
        assert angles[0] < 0.15 < 0.3 < angles[1]


class TestHandStore:
    def test_hands_come_back_as_they_were_with_the_missing_ones_missing(self):
        random, store = np.random.default_rng(0), HandStore()
        pairs = [(_random_hand(random), None), (None, None), (_random_hand(random), _random_hand(random))]
        for pair in pairs:
            store.append(pair)
        assert len(store) == 3
        for pair, kept in zip(pairs, store, strict=True):
            assert [hand is None for hand in pair] == [hand is None for hand in kept]
            for hand, other in zip(pair, kept, strict=True):
                assert hand is None or hand.presence == other.presence
                assert hand is None or np.array_equal(hand.pixels, other.pixels)
                assert hand is None or np.array_equal(hand.world, other.world)


def _random_hand(random: np.random.Generator) -> HandPose:
    pixels, world = (random.random((21, numbers), np.float32) for numbers in (2, 3))
    return HandPose(float(random.random(dtype=np.float32)), pixels, world)
