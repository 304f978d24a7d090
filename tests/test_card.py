"""Figures without a body: a picture that bends at its joints."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.raster import rasterize
from mimo_core.body.skeleton import JOINT
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.identity.identity import Identity
from mimo_core.identity.joints import LIMBS, PICTURE_JOINTS, PictureJoints, find_silhouette_joints
from mimo_core.identity.trust import doubt_fit
from mimo_core.motion.motion import Motion
from mimo_core.motion.retarget import retarget_motion
from mimo_core.proxy.bending_card import PARTS, BendingCard, make_bending_card
from mimo_core.proxy.card_motion import find_turned, pose_card
from mimo_core.proxy.proxy import Proxy
from mimo_core.proxy.skin import TexturedMesh, draw_meshes


BODY = free_body()
SIDE = 256
CAMERA = Camera(2.4 * SIDE, (SIDE / 2, SIDE / 2), (SIDE, SIDE))
PLACES = {  # a figure of sticks
    "pelvis": (128, 140), "neck": (128, 80), "head": (128, 52),
    "left_shoulder": (150, 84), "left_elbow": (186, 84), "left_wrist": (222, 84),
    "right_shoulder": (106, 84), "right_elbow": (70, 84), "right_wrist": (34, 84),
    "left_hip": (142, 140), "left_knee": (142, 180), "left_ankle": (142, 220),
    "right_hip": (114, 140), "right_knee": (114, 180), "right_ankle": (114, 220),
}  # fmt: skip
JOINTS = PictureJoints(np.array([PLACES[name] for name in PICTURE_JOINTS], np.float32))


CROSSED = {"left_shoulder": (0, -50, -65), "left_elbow": (0, -60, -70)}
CROSSED |= {"right_shoulder": (0, 50, 65), "right_elbow": (0, 60, 70)}


def draw_figure(places: dict[str, tuple[int, int]] = PLACES) -> tuple[np.ndarray, np.ndarray]:
    """A figure of sticks as a smooth pattern of colors on white (H, W, 3), and its matte (H, W)."""
    matte = np.zeros((SIDE, SIDE), np.uint8)
    cv2.rectangle(matte, (106, 76), (150, 146), 255, -1)
    cv2.line(matte, (128, 80), (128, 52), 255, 12)
    cv2.circle(matte, (128, 46), 20, 255, -1)
    for names in LIMBS.values():
        for start, end in zip(names, names[1:], strict=False):
            cv2.line(matte, places[start], places[end], 255, 15)
    y, x = np.mgrid[:SIDE, :SIDE]
    colors = np.dstack([127 + 90 * np.sin(x / 25), 127 + 90 * np.sin(y / 25), 60 + 0 * x]).astype(np.float32)
    return np.where(matte[..., None] > 0, colors, 255).astype(np.uint8), matte


def person(turn=0.0, **angles) -> Person:
    pose = torch.zeros(1, 24, 3)
    angles = {"left_shoulder": (0, 0, -55), "right_shoulder": (0, 0, 55), **angles}
    for name, angle in angles.items():
        pose[0, JOINT[name]] = torch.deg2rad(torch.tensor(angle, dtype=torch.float32))
    pose[0, 0, 1] = np.deg2rad(turn)
    return Person(torch.zeros(10), pose[:, 0], pose[:, 1:].flatten(1), torch.tensor([[0.0, 0.28, -4.9]]))


def photograph(someone: Person) -> np.ndarray:
    """The mask (H, W) uint8 of the body."""
    seen = CAMERA.view(BODY.pose(someone).vertices)
    raster = rasterize(seen, BODY.faces, focal=CAMERA.focal, center=CAMERA.center, size=CAMERA.size)
    return raster.mask[0].numpy().astype(np.uint8) * 255


def overlap(a, b) -> float:
    return ((a > 127) & (b > 127)).sum() / ((a > 127) | (b > 127)).sum()


@pytest.fixture(scope="module")
def card() -> BendingCard:
    picture, matte = draw_figure()
    return make_bending_card(picture.astype(np.float32), matte, JOINTS)


def draw_flat(card: BendingCard, joints: np.ndarray, **options) -> tuple[np.ndarray, np.ndarray]:
    """The card as a camera sees it one unit away on which a unit is a pixel."""
    camera = Camera(1000.0, (0.0, 0.0), (SIDE, SIDE), torch.eye(4)[None])
    parts = card.bend(torch.from_numpy(joints), **options)
    depths = [1000.0] + [999.9] * (len(parts) - 1)  # limbs over the trunk
    lifted = [torch.cat([part, torch.full((len(part), 1), at)], 1) for part, at in zip(parts, depths, strict=True)]
    return draw_meshes(card.sheets, lifted, camera, 0)


class TestBending:
    def test_the_joints_of_the_picture_give_the_picture_back(self, card):
        picture, matte = draw_figure()
        rgb, alpha = draw_flat(card, JOINTS.pixels)
        assert overlap(alpha, matte) > 0.995
        inside = cv2.erode(matte, np.ones((5, 5))) > 0
        assert np.abs(rgb[inside].astype(int) - picture[inside]).max() <= 6

    def test_legs_that_cross_in_the_picture_are_whole_where_the_driver_stands_on_both(self):
        crossed = PLACES | {"left_knee": (118, 180), "right_knee": (138, 180)}
        picture, matte = draw_figure(crossed)
        joints = PictureJoints(np.array([crossed[name] for name in PICTURE_JOINTS], np.float32))
        alpha = draw_flat(make_bending_card(picture.astype(np.float32), matte, joints), JOINTS.pixels)[1]
        legs = np.zeros_like(alpha)
        for names in (LIMBS["left_leg"], LIMBS["right_leg"]):
            for start, end in zip(names, names[1:], strict=False):
                cv2.line(legs, PLACES[start], PLACES[end], 255, 7)
        assert (alpha[legs > 0] > 127).mean() > 0.98

    def test_a_bent_elbow_moves_the_forearm_and_nothing_else(self, card):
        bent = JOINTS.pixels.copy()
        bent[PICTURE_JOINTS.index("left_wrist")] = (186, 120)
        before, after = (draw_flat(card, joints) for joints in (JOINTS.pixels, bent))
        changed = (np.abs(before[0].astype(int) - after[0]).max(2) > 8) | (before[1] != after[1])
        shown = np.zeros((SIDE, SIDE), np.uint8)
        for end in ((222, 84), (186, 120)):
            cv2.line(shown, (186, 84), end, 1, 52)
        assert not (changed & (shown == 0)).any()
        assert after[1][115, 186] == 255 and after[1][84, 215] == 0

    def test_a_limb_turned_and_twice_as_long_is_drawn_so(self, card):
        moved = JOINTS.pixels.copy()
        for name, place in (("left_elbow", (150, 132)), ("left_wrist", (150, 204))):
            moved[PICTURE_JOINTS.index(name)] = place
        alpha = draw_flat(card, moved)[1]
        assert alpha[200, 150] == 255 and alpha[84, 200] == 0

    def test_what_an_arm_covered_is_trunk_when_it_moves(self):
        picture, matte = draw_figure()
        crossed = JOINTS.pixels.copy()
        for name, place in (("left_elbow", (172, 120)), ("left_wrist", (128, 120))):
            crossed[PICTURE_JOINTS.index(name)] = place
        cv2.line(matte, (150, 84), (222, 84), 0, 15)
        cv2.rectangle(matte, (106, 76), (150, 146), 255, -1)
        for start, end in (((150, 84), (172, 120)), ((172, 120), (128, 120))):
            cv2.line(matte, start, end, 255, 13)
            cv2.line(picture, start, end, (250, 10, 10), 13)
        card = make_bending_card(picture.astype(np.float32), matte, PictureJoints(crossed))
        rgb, alpha = draw_flat(card, JOINTS.pixels)
        chest = np.s_[116:125, 118:142]
        assert alpha[chest].min() == 255
        assert (np.abs(rgb[chest].astype(int) - (250, 10, 10)).max(2) < 60).mean() < 0.1

    def test_mirrored_it_is_turned_over(self, card):
        picture, matte = draw_figure()
        swapped = JOINTS.pixels * np.array([-1, 1], np.float32) + np.array([SIDE, 0], np.float32)
        rgb, alpha = draw_flat(card, swapped, mirrored=True)
        assert overlap(alpha, matte[:, ::-1]) > 0.97
        inside = cv2.erode(np.minimum(alpha, matte[:, ::-1]), np.ones((5, 5))) > 0
        assert np.abs(rgb[inside].astype(int) - picture[:, ::-1][inside]).mean() < 8

    def test_weights_sum_to_one_and_all_parts_are_there(self, card):
        assert len(card.sheets) == len(PARTS)
        for weights in card.weights:
            assert torch.allclose(weights.sum(1), torch.ones(len(weights)), atol=1e-5)


class TestFollowing:
    @pytest.fixture(scope="class")
    @staticmethod
    def proxy() -> Proxy:
        return Proxy.from_identity(Identity(*draw_figure(), joints=JOINTS))

    def render(self, proxy, someone: Person) -> tuple[np.ndarray, np.ndarray]:
        return next(iter(proxy.render(Motion((someone,), 24.0, CAMERA))))

    def test_it_is_as_tall_as_the_driver_and_stands_where_they_stand(self, proxy):
        driver = person(left_shoulder=(0, 0, 0), right_shoulder=(0, 0, 0))
        rows = [np.flatnonzero((mask > 127).any(1)) for mask in (self.render(proxy, driver)[1], photograph(driver))]
        assert rows[0][-1] == pytest.approx(rows[1][-1], abs=5)
        assert len(rows[0]) == pytest.approx(len(rows[1]), rel=0.06)

    def place_joint(self, proxy, someone: Person, name: str) -> list[float]:
        """Where a joint of the card's trunk is seen, in pixels."""
        own, card = torch.from_numpy(proxy.card.joints.at(name)), proxy.card
        nearest = int((card.places[0] - own).norm(dim=1).argmin())
        return CAMERA.project(pose_card(card, Motion((someone,), 24.0, CAMERA))(0)[0][None])[0, nearest].tolist()

    def test_in_the_place_of_a_half_body_its_trunk_is_the_driver_s(self, proxy):
        near = replace(person(), transl=torch.tensor([[0.0, -0.3, -2.6]]))  # the feet are far below the picture
        joints = CAMERA.project(BODY.pose(near).joints)[0]
        for name in ("neck", "pelvis"):
            assert self.place_joint(proxy, near, name) == pytest.approx(joints[JOINT[name]].tolist(), abs=3)

    def test_a_large_head_stays_in_the_picture_of_a_half_body(self):
        picture, matte = draw_figure()
        cv2.circle(matte, (128, 46), 30, 255, -1)
        picture[matte == 0] = 255
        proxy = Proxy.from_identity(Identity(picture, matte, joints=JOINTS))
        near = replace(person(), transl=torch.tensor([[0.0, 0.0, -2.2]]))
        alpha = self.render(proxy, near)[1]
        assert (alpha[0] > 127).sum() == 0 and np.flatnonzero((alpha > 127).any(1))[0] < 12

    def test_its_arm_follows_the_driver_s(self, proxy):
        for angle, down in ((-80, True), (40, False)):
            driver = person(left_shoulder=(0, 0, angle), right_shoulder=(0, 0, -angle))
            alpha = self.render(proxy, driver)[1]
            x, y = CAMERA.project(BODY.pose(driver).joints)[0, JOINT["left_wrist"]].round().int().tolist()
            assert alpha[y - 12 : y + 12, x - 12 : x + 12].max() == 255
            chest = int(CAMERA.project(BODY.pose(driver).joints)[0, JOINT["neck"], 1])
            assert (y > chest) == down

    def test_an_arm_before_the_trunk_covers_it_and_one_behind_does_not(self):
        marked = draw_figure()
        cv2.line(marked[0], (178, 84), (226, 84), (255, 0, 0), 15)
        proxy = Proxy.from_identity(Identity(*marked, joints=JOINTS))
        shares = []
        for swing in (-1, 1):
            angles = {"left_shoulder": (0, 30 * swing, -70), "left_elbow": (0, 0, -80)}
            rgb, alpha = self.render(proxy, person(**angles))
            red = (rgb[..., 0] > 180) & (rgb[..., 1] < 80) & (alpha > 200)
            trunk = CAMERA.project(BODY.pose(person()).joints)[0]
            left, right = (int(trunk[JOINT[name], 0]) for name in ("right_hip", "left_hip"))
            shares.append(red[:, left:right].sum())
        assert shares[0] > 40 > 10 > shares[1]

    def test_it_turns_over_once_and_not_at_every_side_view(self, card):
        widths = torch.tensor([0.9, 0.2, -0.1, 0.1, -0.8, -0.2, 0.2, -0.1, 0.9])
        assert find_turned(widths, card) == [False] * 4 + [True] * 4 + [False]

    def test_every_frame_is_drawn_alike_whatever_was_drawn_before(self, proxy):
        several = Motion((person(),), 24.0, CAMERA)
        turned = [person(turn=angle) for angle in (0, 60, 120, 180)]
        moving = replace(
            several.person,
            **{
                name: torch.cat([getattr(one, name) for one in turned])
                for name in ("global_orient", "body_pose", "transl")
            },
            visible=torch.ones(4, dtype=torch.bool),
            confidence=torch.ones(4),
            joint_confidence=torch.ones(4, 24),
            contacts=torch.zeros(4, 2, dtype=torch.bool),
            bridged=torch.zeros(4, dtype=torch.bool),
        )
        motion = Motion((moving,), 24.0, CAMERA)
        whole = list(proxy.render(motion))
        last = next(iter(proxy.render(motion, frames=range(3, 4))))
        assert np.array_equal(whole[3][0], last[0]) and np.array_equal(whole[3][1], last[1])

    def test_the_motion_itself_is_not_retargeted(self):
        motion = Motion((person(),), 24.0, CAMERA)
        assert retarget_motion(motion, Identity(*draw_figure(), joints=JOINTS)) is motion

    def test_the_transparent_rim_of_a_part_hides_nothing_behind_it(self):
        """Three sheets: blue far off, a transparent one nearest, then red between them."""
        camera = Camera(1000.0, (SIDE / 2, SIDE / 2), (SIDE, SIDE), torch.eye(4)[None])
        square = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
        faces, corners = torch.tensor([[0, 1, 2], [0, 2, 3]]), torch.tensor([[0.0, 0], [3, 0], [3, 3], [0, 3]])
        sheets, seen = [], []
        for color, depth in (((0, 0, 255, 255), 6), ((0, 0, 0, 0), 4), ((255, 0, 0, 255), 5)):
            texture = np.tile(np.array(color, np.uint8), (4, 4, 1))
            sheets.append(TexturedMesh(faces, corners[faces], texture, two_sided=True))
            seen.append(square + torch.tensor([0.0, 0, depth]))
        rgb, alpha = draw_meshes(sheets, seen, camera, 0)
        middle = rgb[SIDE // 2, SIDE // 2]
        assert alpha[SIDE // 2, SIDE // 2] == 255 and middle[0] > 250 > 5 > middle[2]


class TestSilhouette:
    @pytest.mark.parametrize("arms", [-55, -20, 30])
    def test_the_joints_of_a_silhouette_are_found(self, arms):
        someone = person(left_shoulder=(0, 0, arms), right_shoulder=(0, 0, -arms))
        mask = photograph(someone)
        mask[5:20, 5:20] = 255  # an island: a star, a hat, a shadow
        found = find_silhouette_joints(mask)
        truth = CAMERA.project(BODY.pose(someone).joints)[0].numpy()
        height = len(np.flatnonzero(mask[:, 30:].any(1)))
        for name in ("left_shoulder", "right_hip", "left_wrist", "right_wrist", "left_ankle", "right_ankle"):
            assert np.linalg.norm(found.at(name) - truth[JOINT[name]]) < 0.09 * height, name

    @pytest.mark.parametrize("body", [(46, 44), (34, 48)])  # a belly that an arm touches, and one that it does not
    def test_a_drawing_s_limbs_are_the_ways_to_its_hands_and_feet(self, body):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for center, axes in (((128, 52), (26, 28)), ((128, 120), body)):
            cv2.ellipse(mask, center, axes, 0, 0, 360, 255, -1)
        cv2.rectangle(mask, (116, 70), (140, 100), 255, -1)
        for column in range(104, 156, 8):
            cv2.line(mask, (128, 44), (column, 8), 255, 4)
        ends = {"left_wrist": (198, 150), "right_wrist": (58, 150), "left_ankle": (168, 232), "right_ankle": (88, 232)}
        roots = ((160, 92), (96, 92), (146, 150), (110, 150))
        for end, root in zip(ends.values(), roots, strict=True):
            cv2.line(mask, root, end, 255, 20)
            cv2.circle(mask, end, 13, 255, -1)
        found = find_silhouette_joints(mask)
        for name, end in ends.items():
            assert np.linalg.norm(found.at(name) - end) < 14, name

    @pytest.mark.parametrize("name", ["ball", "bottle", "nothing"])
    def test_a_thing_has_no_joints(self, name):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        if name == "ball":
            cv2.circle(mask, (128, 128), 80, 255, -1)
        if name == "bottle":
            cv2.rectangle(mask, (100, 90), (156, 230), 255, -1)
            cv2.rectangle(mask, (118, 30), (138, 90), 255, -1)
        assert find_silhouette_joints(mask) is None

    def test_joints_of_another_number_are_refused(self):
        with pytest.raises(InputError, match="15 joints"):
            PictureJoints(np.zeros((17, 2), np.float32))


class TestParts:
    def test_they_end_in_soft_lines_where_they_are_cut_from_each_other(self):
        colors, matte = draw_figure()
        card = make_bending_card(colors.astype(np.float32), matte, JOINTS)
        inside = cv2.erode(matte, np.ones((5, 5))) > 0
        for sheet in card.sheets[1:]:
            alpha = sheet.texture[..., 3][inside]
            assert ((alpha > 20) & (alpha < 235)).any()


class TestTrust:
    @pytest.mark.parametrize(
        "angles",
        [
            {},
            {"left_shoulder": (0, 0, 70), "right_shoulder": (0, 0, -70)},
            {"turn": 35, "left_hip": (-30, 0, 0), "right_hip": (22, 0, 0)},
        ],
    )
    def test_standing_arms_up_and_walking_are_believed(self, angles):
        someone = person(**angles)
        assert doubt_fit(Motion((someone,), 24.0, CAMERA), photograph(someone)) is None

    @pytest.mark.parametrize(
        ("angles", "reason"),
        [
            ({"turn": 85}, "from the side"),
            ({"turn": 30, "neck": (0, 20, 0), "head": (0, 20, 0)}, "its face is seen from the side"),
            (dict.fromkeys(("left_hip", "right_hip"), (-80, 0, 0)), "sits"),
            ({"turn": 45, **dict.fromkeys(("left_hip", "right_hip"), (-80, 0, 0))}, "sits"),
            (CROSSED, "crossed"),
        ],
    )
    def test_side_views_profiles_sitting_and_crossed_arms_are_not(self, angles, reason):
        someone = person(**angles)
        assert reason in doubt_fit(Motion((someone,), 24.0, CAMERA), photograph(someone))

    def test_a_body_beside_the_figure_is_not(self):
        someone = person()
        shifted = np.roll(photograph(someone), 25, axis=1)
        assert "outside the figure" in doubt_fit(Motion((someone,), 24.0, CAMERA), shifted)
