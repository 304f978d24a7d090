"""Skirts and dresses: a closed cloth around both legs."""

from functools import cache

import cv2
import numpy as np
import pytest
import torch

from mimo_core.body.skeleton import JOINT
from mimo_core.identity.identity import Identity
from mimo_core.proxy.skirt import ROWS, SkirtMesh
from mimo_core.proxy.skirt_outline import measure_skirt
from tests.test_proxy import BODY, CAMERA, SIDE, bake, identity_of, motion_of, overlap, person, rendered


GREEN, SKIN = (30, 140, 50), (220, 170, 140)
SIDES = ("left", "right")
STRIDE = {"left_hip": (-32, 0, 0), "right_hip": (24, 0, 0)}
JOINTS = CAMERA.project(BODY.pose(person()).joints)[0]
HIPS, KNEES, ANKLES = (JOINTS[[left, left + 1]].numpy() for left in (1, 4, 7))


def dress(length: float, *, gap: float = 0.0, flare: float = 8.0) -> Identity:
    """The painted body in green down to `length` of the way from hips to ankles, open between the legs below `gap`."""
    whole = identity_of(person())
    picture, matte = whole.picture.copy(), whole.matte.copy()
    hem = HIPS + length * (ANKLES - HIPS)
    corners = np.array([HIPS[0] + (8, 0), HIPS[1] - (8, 0), hem[1] - (flare, 0), hem[0] + (flare, 0)])
    for image, value in ((picture, GREEN), (matte, 255)):
        cv2.fillConvexPoly(image, corners.round().astype(np.int32), value)
    if gap:
        start = (HIPS + gap * (ANKLES - HIPS)).mean(0)
        notch = np.array([start, hem[0] - (5, -2), hem[1] + (5, 2)])
        for image, value in ((picture, 255), (matte, 0)):
            cv2.fillConvexPoly(image, notch.round().astype(np.int32), (value,) * 3 if image.ndim == 3 else value)
    return Identity(picture, matte, whole.motion)


@cache
def wide_skirt() -> Identity:
    """The painted body with raised arms in a wide skirt from the waist to the knees."""
    whole = identity_of(person(left_shoulder=(0, 0, 20), right_shoulder=(0, 0, -20)))
    picture, matte = whole.picture.copy(), whole.matte.copy()
    waist, knees = (HIPS - (0, 12)) + [(-4, 0), (4, 0)], KNEES + [(24, 0), (-24, 0)]
    corners = np.array([waist[0], HIPS[0] + (22, 0), knees[0], knees[1], HIPS[1] - (22, 0), waist[1]])
    for image, value in ((picture, GREEN), (matte, 255)):
        cv2.fillPoly(image, [corners.round().astype(np.int32)], value)
    return Identity(picture, matte, whole.motion)


def find_skirt(identity: Identity) -> SkirtMesh | None:
    return next((skin for skin in bake(identity).skins if isinstance(skin, SkirtMesh)), None)


@pytest.fixture(scope="module")
def dressed() -> Identity:
    return dress(0.85)


class TestSkirt:
    def test_its_own_picture_comes_back(self, dressed):
        rgb, alpha = rendered(bake(dressed), motion_of(person()))
        assert overlap(alpha, dressed.matte) > 0.96
        middle = (0.5 * (KNEES + ANKLES)).mean(0).round().astype(int)
        assert np.abs(rgb[middle[1], middle[0]].astype(float) - GREEN).max() < 12

    @pytest.mark.parametrize("turn", [90, 180])
    def test_a_long_dress_is_one_cloth_between_striding_legs_from_the_side_and_from_behind(self, dressed, turn):
        stride = motion_of(person(turn=turn, **STRIDE))
        rgb, alpha = rendered(bake(dressed), stride)
        joints = CAMERA.project(BODY.pose(stride.person).joints)[0].numpy()
        middle = (0.3 * joints[[4, 5]] + 0.2 * joints[[7, 8]]).sum(0).round().astype(int)
        between = np.s_[middle[1] - 3 : middle[1] + 4, middle[0] - 3 : middle[0] + 4]
        assert alpha[between].min() == 255
        assert np.abs(rgb[between].astype(float) - GREEN).mean() < 15

    def test_it_hangs_where_no_leg_pushes_it(self, dressed):
        skirt = find_skirt(dressed)
        body, frames = bake(dressed).identity.body, [motion_of(person(**pose)).person for pose in ({}, STRIDE)]
        still, striding = (skirt.posed(body.pose(one).transforms[0], torch.zeros(10)) for one in frames)
        moved = striding - still
        lowest = still[:, 1] < still[:, 1].amin() + 0.05
        front = lowest & (skirt.outward[:, 2] > 0.7) & (skirt.outward[:, 0] > 0.3)
        back = lowest & (skirt.outward[:, 2] < -0.7) & (skirt.outward[:, 0] > 0.3)
        assert float(moved[front, 2].min()) > 0.15
        assert float(moved[back, 2].abs().max()) < 0.1

    def test_it_hangs_down_from_hips_that_lean_and_along_those_that_lie(self, dressed):
        skirt, body = find_skirt(dressed), bake(dressed).identity.body
        fall = []
        for lean, bent in ((0, 0), (50, 50), (100, 0)):
            one = person(left_hip=(-bent, 0, 0), right_hip=(-bent, 0, 0))
            one.global_orient[0] = torch.tensor([np.deg2rad(lean), 0.0, 0.0])
            transforms = body.pose(one).transforms[0]
            way = skirt.posed(transforms, torch.zeros(10))[-36:].mean(0) - transforms[0, :3, 3]
            fall.append(float(-way[1] / way.norm()))
        assert min(fall[:2]) > 0.95 and fall[2] < 0.3

    def test_a_wide_one_starts_at_the_waist_and_not_as_a_shelf_at_the_hips(self):
        skirt = find_skirt(wide_skirt())
        across, height = skirt.vertices[0, :, 0].abs(), skirt.vertices[0, :, 1]
        assert float(across[height > height.amax() - 0.01].amax()) < 0.6 * float(across.amax())

    @pytest.mark.parametrize(("turn", "sides"), [(0, SIDES), (40, ("right",))])
    def test_hanging_hands_lie_on_a_wide_one_and_are_seen(self, turn, sides):
        hanging = motion_of(person(turn=turn, left_shoulder=(0, 0, -80), right_shoulder=(0, 0, 80)))
        rgb, alpha = rendered(bake(wide_skirt()), hanging)
        is_skin = (np.abs(rgb.astype(float) - SKIN).max(2) < 40) & (alpha > 127)
        joints = CAMERA.project(BODY.pose(hanging.person).joints)[0].numpy()
        for side in sides:
            x, y = (0.5 * sum(joints[JOINT[f"{side}_{name}"]] for name in ("wrist", "hand"))).astype(int)
            assert is_skin[y - 6 : y + 10, x - 8 : x + 9].sum() > 60

    def test_it_lies_on_the_thighs_of_somebody_who_sits_and_does_not_stand_up_from_them(self):
        skirt, body = find_skirt(wide_skirt()), bake(wide_skirt()).identity.body
        bent = {f"{side}_{joint}": (angle, 0, 0) for side in SIDES for joint, angle in (("hip", -80), ("knee", 80))}
        cloth = skirt.posed(body.pose(person(**bent)).transforms[0], torch.zeros(10))
        height = cloth[skirt.outward[:, 2] > 0.8, 1].view(ROWS, -1).mean(1)
        assert float((height - height.cummin(0).values).max()) < 0.03

    def test_a_circle_of_cloth_whose_hem_is_higher_at_the_sides_is_one(self):
        whole = identity_of(person(left_shoulder=(0, 0, 20), right_shoulder=(0, 0, -20)))
        picture, matte = whole.picture.copy(), whole.matte.copy()
        middle = HIPS.mean(0) + (0, 14)
        hem = 0.35 * HIPS.mean(0) + 0.65 * KNEES.mean(0)
        sides = [middle + (30, 0), hem + (14, 0), hem - (14, 0), middle - (30, 0)]
        corners = np.array([HIPS[0] + (6, -8), *sides, HIPS[1] - (6, 8)])
        for image, value in ((picture, GREEN), (matte, 255)):
            cv2.fillPoly(image, [corners.round().astype(np.int32)], value)
        skirt = find_skirt(Identity(picture, matte, whole.motion))
        height, deep = skirt.vertices[0, :, 1], skirt.vertices[0, :, 2]
        lowest = height < height.amin() + 0.05
        assert float(deep[lowest].amax() - deep[lowest].amin()) > 0.25

    @pytest.mark.parametrize(
        ("flare", "angles", "is_skirt"),
        [
            (30, {}, True),
            (0, {"left_hip": (0, 0, -4), "right_hip": (0, 0, 4)}, False),
            (30, {"left_hip": (-20, 0, -14), "right_hip": (15, 0, 14)}, True),
        ],
    )
    def test_one_that_hides_the_ankles_is_one_and_trousers_of_closed_legs_are_none(self, flare, angles, is_skirt):
        """Nothing opens below it, and a walker's legs change sides."""
        naked, legs = CAMERA.view(BODY.pose(person(**angles)).vertices)[0], BODY.joint_regressor
        joints = CAMERA.pixels(legs @ naked).numpy()
        matte = identity_of(person(**angles)).matte.copy()
        hips, ankles = (sorted(joints[[number, number + 1]], key=lambda place: place[0]) for number in (1, 7))
        corners = np.array([*hips, ankles[1] + (flare, 4), ankles[0] - (flare, -4)])
        cv2.fillConvexPoly(matte, cv2.convexHull(corners.round().astype(np.int32)), 255)
        shape = measure_skirt(BODY, naked, matte > 127, np.zeros((SIDE, SIDE), bool), CAMERA)
        assert (shape is not None) == is_skirt
        assert not is_skirt or shape.hem > ankles[0][1] - 8

    def test_trousers_that_touch_down_to_the_ankles_part_with_the_legs_and_only_then(self):
        whole = identity_of(person(left_hip=(0, 0, -8), right_hip=(0, 0, 8)))
        joints = CAMERA.project(BODY.pose(whole.motion.person).joints)[0].numpy()
        picture, matte = whole.picture.copy(), whole.matte.copy()
        for image, value in ((picture, GREEN), (matte, 255)):
            cv2.fillConvexPoly(image, joints[[1, 2, 8, 7]].round().astype(np.int32), value)
        apart = motion_of(person(left_hip=(0, 0, 20), right_hip=(0, 0, -20)))
        proxy = bake(Identity(picture, matte, whole.motion))
        closed, alpha = (rendered(proxy, motion)[1] for motion in (whole.motion, apart))
        legs = cv2.fillConvexPoly(np.zeros_like(matte), joints[[4, 5, 8, 7]].round().astype(np.int32), 1) > 0
        assert closed[legs].min() > 200
        places = CAMERA.project(BODY.pose(apart.person).joints)[0].numpy()
        column, row = (places[[4, 5, 7, 8]].mean(0)).round().astype(int)
        assert alpha[row - 8 : row + 12, column - 3 : column + 4].max() == 0

    def test_trousers_that_touch_above_the_knees_are_none(self):
        assert find_skirt(dress(0.9, gap=0.35)) is None

    def test_tight_clothes_are_none(self):
        assert find_skirt(identity_of(person())) is None

    def test_one_that_the_picture_cuts_off_goes_on_to_the_ankles(self, dressed):
        row = int((0.8 * KNEES + 0.2 * HIPS)[:, 1].mean())
        picture, matte = dressed.picture.copy(), dressed.matte.copy()
        picture[row:], matte[row:] = 255, 0
        cut = Identity(picture, matte, dressed.motion)
        rgb, alpha = rendered(bake(cut), motion_of(person()))
        shin = (0.5 * (KNEES + ANKLES)).mean(0).round().astype(int)
        assert alpha[shin[1], shin[0]] == 255
        assert np.abs(rgb[shin[1], shin[0]].astype(float) - GREEN).max() < 20

    @pytest.mark.parametrize(("flare", "is_skirt"), [(26, True), (0, False)])
    def test_a_wide_one_before_closed_legs_that_the_picture_cuts_off_goes_on_and_trousers_do_not(self, flare, is_skirt):
        closed = {"left_hip": (0, 0, -5), "right_hip": (0, 0, 5)}
        raised = {"left_shoulder": (0, 0, 20), "right_shoulder": (0, 0, -20)}
        whole = identity_of(person(**closed, **raised))
        picture, matte = whole.picture.copy(), whole.matte.copy()
        hem = 0.4 * HIPS + 0.6 * KNEES
        corners = np.array([HIPS[0] + (4, 0), HIPS[1] - (4, 0), hem[1] - (flare, 0), hem[0] + (flare, 0)])
        for image, value in ((picture, GREEN), (matte, 255)):
            cv2.fillConvexPoly(image, corners.round().astype(np.int32), value)
        row = int(hem[:, 1].mean()) - 1
        picture[row:], matte[row:] = 255, 0
        skirt = find_skirt(Identity(picture, matte, whole.motion))
        assert (skirt is not None) == is_skirt
        if is_skirt:
            assert float(skirt.vertices[0, :, 1].amin()) < float(BODY.template[BODY.parts == 7, 1].amax())

    def test_a_hand_before_it_is_not_painted_on_it(self):
        hand = {"left_shoulder": (0, 0, -78), "right_shoulder": (0, 0, 78)}
        whole = identity_of(person(**hand))
        picture, matte = whole.picture.copy(), whole.matte.copy()
        hem = HIPS + 0.85 * (ANKLES - HIPS)
        corners = np.array([HIPS[0] + (30, -4), HIPS[1] - (30, 4), hem[1] - (30, 0), hem[0] + (30, 0)])
        cover = np.zeros_like(matte)
        cv2.fillConvexPoly(cover, corners.round().astype(np.int32), 1)
        skin = (np.abs(picture.astype(int) - (220, 170, 140)).max(2) < 25) & (matte > 200)
        cover[skin & (np.arange(len(matte))[:, None] < KNEES[:, 1].mean())] = 0
        picture[cover > 0], matte[cover > 0] = GREEN, 255
        skirt = find_skirt(Identity(picture, matte, whole.motion))
        texture, corners = skirt.sheet.texture, skirt.sheet.corners.flatten(0, 1)
        x, y = corners.long().T.numpy()
        below = y > HIPS[:, 1].mean() + 12
        assert texture[y[below], x[below], 0].max() < 120

    def test_arms_before_all_that_is_seen_leave_none(self):
        whole = identity_of(person())
        nothing = np.zeros((SIDE, SIDE), bool)
        naked = CAMERA.view(BODY.pose(person()).vertices)[0]
        assert measure_skirt(BODY, naked, whole.matte > 127, ~nothing, CAMERA) is None
        above = naked + torch.tensor([0.0, -6.0, 0.0])
        assert measure_skirt(BODY, above, whole.matte > 127, nothing, CAMERA) is None
