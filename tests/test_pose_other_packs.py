"""Poses of other packs: built as peers describe them, from bodies whose truth is known. Not run on a newer core."""

import math
from dataclasses import replace

import pytest
import torch

from mimo_core.body.model import free_body
from mimo_core.body.skeleton import JOINT
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.geometry.rotations import matrix_from_axis_angle
from mimo_core.motion.builtin import builtin_motion
from mimo_core.pose.other_packs import MHR_KEYPOINTS, project_openpose, read_people, read_poses
from mimo_core.pose.rig import BodyState, load_rig
from mimo_core.render.openpose import OPENPOSE_POINTS


NAN = {"pred_keypoints_3d": torch.full((70, 3), math.nan), "pred_cam_t": [0, 0, 3], "focal_length": 9}
STEP = 4  # of 30 frames a second


@pytest.fixture(scope="module", params=["walk", "squat", "kick"])
def truth(request):
    return builtin_motion(request.param)[::STEP]


def in_camera(motion):
    """Joints (F, 24, 3) in camera space."""
    return motion.camera.view(free_body().pose(motion.person).joints)


def read(value, motion, **how):
    defaults = {"frames": motion.frames, "size": motion.camera.size, "fps": 30 / STEP, "smoothing": 0.3}
    return read_poses(value, **(defaults | how))


def nlf(motion):
    return {"joints3d_nonparam": [[1000 * joints[None] for joints in in_camera(motion)]]}


def mhr(motion):
    person = motion.person
    state = BodyState(matrix_from_axis_angle(person.pose().double()), person.transl.double(), person.betas.double())
    points = motion.camera.view(load_rig().place(state).points.float())
    keypoints = torch.zeros(motion.frames, 70, 3)
    keypoints[:, list(MHR_KEYPOINTS.values())] = points[:, list(MHR_KEYPOINTS)]
    root = keypoints[:, 9:11].mean(1)
    return {
        "frames": [
            [
                {
                    "pred_keypoints_3d": (keypoints[frame] - root[frame]).numpy(),
                    "pred_cam_t": root[frame].numpy(),
                    "focal_length": motion.camera.focal,
                }
            ]
            for frame in range(motion.frames)
        ],
        "image_size": motion.camera.size[::-1],
    }


class TestNlf:
    def test_the_joints_come_back_to_the_millimetre(self, truth):
        found = read(nlf(truth), truth, smoothing=0.0, focal=truth.camera.focal)
        assert (in_camera(found) - in_camera(truth)).norm(dim=-1).max() < 3e-3

    def test_a_small_person_is_small(self):
        truth = builtin_motion("wave")[::16]
        small = nlf(truth)
        small["joints3d_nonparam"] = [[0.93 * joints for joints in small["joints3d_nonparam"][0]]]
        found = read(small, truth, smoothing=0.0)
        head = in_camera(found)[:, JOINT["head"]] - in_camera(found)[:, JOINT["left_ankle"]]
        expected = 0.93 * (in_camera(truth)[:, JOINT["head"]] - in_camera(truth)[:, JOINT["left_ankle"]])
        assert (head.norm(dim=1) - expected.norm(dim=1)).abs().max() < 0.03

    def test_frames_without_the_person_are_invisible(self):
        truth = builtin_motion("wave")[::16]
        value = nlf(truth)
        value["joints3d_nonparam"][0][2] = torch.zeros(0, 24, 3)
        found = read(value, truth)
        assert found.person.visible.tolist() == [frame != 2 for frame in range(truth.frames)]

    def test_the_second_person_can_be_chosen(self):
        truth = builtin_motion("wave")[::16]
        value = nlf(truth)
        value["joints3d_nonparam"] = [[torch.cat([joints + 500, joints]) for joints in value["joints3d_nonparam"][0]]]
        found = read(value, truth, person=1, smoothing=0.0)
        assert (in_camera(found) - in_camera(truth)).norm(dim=-1).max() < 3e-3


class TestMhr:
    def test_the_fit_comes_within_two_centimetres_of_exact_keypoints(self, truth):
        found = read(mhr(truth), truth)
        error = (in_camera(found) - in_camera(truth)).norm(dim=-1)
        assert error.mean() < 0.02
        assert error.max() < 0.06
        assert found.camera.focal == pytest.approx(truth.camera.focal)

    def test_a_frame_without_people_is_invisible_or_bridged(self):
        truth = builtin_motion("wave")[::8]
        value = mhr(truth)
        value["frames"][5] = []
        person = read(value, truth).person
        assert person.bridged[5] and person.visible.all()


class TestOpenPose:
    def test_out_and_in_again_stays_on_the_points_in_the_picture(self, truth):
        """Depth is a guess from one camera, so only the picture is held to much."""
        found = read(project_openpose(truth), truth, focal=truth.camera.focal)
        pixels = [truth.camera.pixels(in_camera(motion)) for motion in (found, truth)]
        assert (pixels[0] - pixels[1]).norm(dim=-1).mean() < 5
        relative = [in_camera(motion) - in_camera(motion)[:, :1] for motion in (found, truth)]
        assert (relative[0] - relative[1]).norm(dim=-1).mean() < 0.13

    def test_keypoints_are_pixels_where_the_joints_are(self, truth):
        rows = project_openpose(truth)
        assert len(rows) == truth.frames
        assert (rows[0]["canvas_width"], rows[0]["canvas_height"]) == truth.camera.size
        points = torch.tensor([row["people"][0]["pose_keypoints_2d"] for row in rows]).unflatten(1, (18, 3))
        for name in ("left_knee", "right_wrist"):
            expected = truth.camera.pixels(in_camera(truth)[:, JOINT[name]])
            torch.testing.assert_close(points[:, OPENPOSE_POINTS.index(name), :2], expected, atol=1e-2, rtol=0)

    def test_who_is_not_visible_is_no_person(self):
        motion = builtin_motion("wave")[:3]
        from dataclasses import replace

        hidden = replace(motion.person, visible=torch.tensor([True, False, True]))
        rows = project_openpose(motion.with_person(hidden))
        assert [len(row["people"]) for row in rows] == [1, 0, 1]

    def test_shares_of_another_canvas_are_understood(self):
        truth = builtin_motion("wave")[::16]
        rows = project_openpose(truth)
        for row in rows:
            points = torch.tensor(row["people"][0]["pose_keypoints_2d"]).unflatten(0, (18, 3))
            points[:, :2] /= 512
            row["people"][0]["pose_keypoints_2d"] = points.flatten().tolist()
            row["canvas_width"] = row["canvas_height"] = 1024
        found = read(rows, truth, focal=truth.camera.focal)
        pixels = [truth.camera.pixels(in_camera(motion)) for motion in (found, truth)]
        assert (pixels[0] - pixels[1]).norm(dim=-1).mean() < 5


class TestHalfBodies:
    """Legs below the picture are the network's guess: here somebody kicks where nobody can see it."""

    @pytest.fixture
    def kicking(self):
        motion = builtin_motion("kick")[::STEP]
        width, height = motion.camera.size
        joints = motion.camera.project(free_body().pose(motion.person).joints)
        cut = int(joints[:, [JOINT["left_knee"], JOINT["right_knee"]], 1].min()) - 2
        assert (joints[:, JOINT["head"], 1] < cut).all()
        return motion, (width, cut)

    @staticmethod
    def below(value, motion, size):
        """The same poses, seen by a camera that shows only what is above the cut: its middle lies higher."""
        drop = (motion.camera.size[1] - size[1]) / 2 / motion.camera.focal  # of a point's distance
        if "frames" in value:
            for (person,) in value["frames"]:
                points = person["pred_keypoints_3d"] + person["pred_cam_t"]
                points[:, 1] += drop * points[:, 2]
                person["pred_keypoints_3d"] = points - person["pred_cam_t"]
            return value
        for joints in value["joints3d_nonparam"][0]:
            joints[..., 1] += drop * joints[..., 2]
        return value

    @pytest.mark.parametrize("form", [mhr, nlf])
    def test_legs_below_the_picture_hang_and_are_marked(self, kicking, form):
        motion, size = kicking
        value = self.below(form(motion), motion, size)
        person = read(value, motion, size=size, focal=motion.camera.focal).person
        knees, elbows = ([JOINT[f"{side}_{name}"] for side in ("left", "right")] for name in ("knee", "elbow"))
        assert (person.joint_confidence[:, knees] == 0).all()
        assert (person.joint_confidence[:, elbows] > 0).all()
        bend = person.pose()[:, knees].norm(dim=-1)
        assert bend.max() < 0.5  # the prior's 0.2, smoothed
        assert motion.person.pose()[:, knees].norm(dim=-1).max() > 1.0


class TestRefusals:
    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (3, "none of MHR_POSE_DATA"),
            ({"joints3d_nonparam": [[]]}, "0 frames but the clip has 2"),
            ({"joints3d_nonparam": [[torch.zeros(1, 17, 3)] * 2]}, "17, 3"),
            ({"joints3d_nonparam": [[torch.zeros(0, 24, 3)] * 2]}, "Nobody"),
            ({"frames": [[]] * 3}, "3 frames but the clip has 2"),
            ({"frames": [[]] * 2}, "no person 0"),
            ({"frames": [[{"bbox": 1}]] * 2}, "lacks pred_keypoints_3d"),
            ({"frames": [[NAN]] * 2}, "NaN"),
            ([{"people": []}] * 2, "no person 0"),
            ([{}] * 2, "no people"),
            ([{"people": [{"pose_keypoints_2d": [0.0] * 10}]}] * 2, "18 points"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_named(self, value, message):
        with pytest.raises(InputError, match=message):
            read_poses(value, frames=2, size=(64, 64), fps=24.0)


@pytest.fixture(scope="module")
def pair():
    one = builtin_motion("wave")[: 12 * STEP : STEP]
    place = torch.tensor([0.0, -0.9, -4.0])
    shifts = torch.linspace(-0.7, 0.7, one.frames)[:, None] * torch.tensor([1.0, 0.0, 0.0])
    people = [
        replace(one.person, transl=place + side * shifts + torch.tensor([0.0, 0.0, -0.8]) * number)
        for number, side in enumerate((1, -1))
    ]
    return [replace(one, people=(person,), camera=Camera.for_size(*one.camera.size)) for person in people]


class TestSeveralPeople:
    """Two people who walk past each other; the detector lists them in another order in every second frame."""

    def mix(self, first, second, frames):
        return [[*a, *b] if at % 2 else [*b, *a] for at, (a, b) in enumerate(zip(first[:frames], second, strict=True))]

    def read_all(self, value, pair):
        one = pair[0]
        return read_people(value, frames=one.frames, size=one.camera.size, fps=30 / STEP, smoothing=0.3)

    def check(self, found, pair, tolerance):
        assert len(found.people) == 2
        hips = torch.stack([in_camera(replace(found, people=(person,)))[:, 0] for person in found.people])
        true = torch.stack([in_camera(motion)[:, 0] for motion in pair])
        away = (hips[:, None] - true[None]).norm(dim=-1).amax(-1)
        assert away.min(1).values.max() < tolerance and away.argmin(1).unique().numel() == 2

    def test_nlf_s_are_told_apart(self, pair):
        first, second = (nlf(motion)["joints3d_nonparam"][0] for motion in pair)
        rows = [torch.stack(row) for row in self.mix(first, second, pair[0].frames)]
        self.check(self.read_all({"joints3d_nonparam": [rows]}, pair), pair, 0.1)

    def test_rows_of_zeros_are_nobody(self, pair):
        """Detectors fill their lists up with them."""
        first, second = (nlf(motion)["joints3d_nonparam"][0] for motion in pair)
        mixed = self.mix(first, second, pair[0].frames)
        rows = [torch.stack([torch.zeros_like(row[0]), *row]) for row in mixed]
        self.check(self.read_all({"joints3d_nonparam": [rows]}, pair), pair, 0.1)

    def test_mhr_s_are_told_apart(self, pair):
        first, second = (mhr(motion) for motion in pair)
        value = first | {"frames": self.mix(first["frames"], second["frames"], pair[0].frames)}
        self.check(self.read_all(value, pair), pair, 0.15)

    def test_openpose_s_keep_their_sides(self, pair):
        first, second = (project_openpose(motion) for motion in pair)
        rows = self.mix([[frame["people"][0]] for frame in first], [[frame["people"][0]] for frame in second], 99)
        value = [frame | {"people": row} for frame, row in zip(first, rows, strict=True)]
        found = self.read_all(value, pair)
        assert len(found.people) == 2
        pixels = torch.stack([found.camera.project(person.transl[:, None])[:, 0, 0] for person in found.people])
        assert pixels.diff(dim=1).mean(1).prod() < 0

    def test_somebody_who_comes_later_is_another_person(self, pair):
        first, second = (nlf(motion)["joints3d_nonparam"][0] for motion in pair)
        half = pair[0].frames // 2
        rows = [torch.cat([a, b]) if at >= half else a for at, (a, b) in enumerate(zip(first, second, strict=True))]
        found = self.read_all({"joints3d_nonparam": [rows]}, pair)
        assert [int(person.visible.sum()) for person in found.people] == [pair[0].frames, pair[0].frames - half]
