"""Motions of GEM-X, Kimodo, AIST++, 3DPW, GLAMR and ROMP, in files made here in their forms."""

import pickle

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from mimo_core.body.model import free_body
from mimo_core.body.skeleton import JOINT, JOINTS
from mimo_core.errors import InputError
from mimo_core.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from mimo_core.motion.builtin import builtin_motion
from mimo_core.motion.edit import resample_motion
from mimo_core.motion.files import load_motion, save_motion
from mimo_core.motion.joints import world_joints
from mimo_core.motion.pickled_tensors import LEGACY_HEAD, find_tensor_builder
from mimo_core.motion.place import turn_world
from mimo_core.motion.soma import BODY, KIMODO_SKELETONS, SOMA_77
from tests.test_motion_skeletons import farthest


FLIP = Rotation.from_euler("x", 180, degrees=True)  # the axes of the world to those of a camera
Z_UP, X_UP = Rotation.from_euler("x", 90, degrees=True), Rotation.from_euler("z", -90, degrees=True)
LENS = np.array([[900.0, 0, 640], [0, 900.0, 360], [0, 0, 1]])


@pytest.fixture(scope="module")
def walk():
    return resample_motion(builtin_motion("walk"), 10.0)[:16]


def turned(motion, world):
    """Poses (F, 72) and shifts (F, 3) of SMPL in a world that is turned."""
    pelvis = free_body().shape(torch.zeros(10))[1][0].double().numpy()
    root = (world * Rotation.from_rotvec(motion.person.global_orient.double().numpy())).as_rotvec()
    transl = world.apply(motion.person.transl.double().numpy() + pelvis) - pelvis
    return np.concatenate([root, motion.person.body_pose.numpy()], 1).astype(np.float32), transl.astype(np.float32)


def saved(path, tree):
    path.write_bytes(pickle.dumps(tree))
    return path


class TestAist:
    def test_the_shift_is_in_units_of_its_scaling(self, tmp_path, walk):
        poses, trans = turned(walk, Rotation.identity())
        tree = {"smpl_poses": poses, "smpl_trans": trans * 93.0, "smpl_scaling": np.array([93.0])}
        found = load_motion(saved(tmp_path / "m.pkl", tree))
        assert found.fps == 60 and farthest(found, walk) < 0.1

    def test_a_scaling_of_nothing_is_refused(self, tmp_path, walk):
        poses, trans = turned(walk, Rotation.identity())
        tree = {"smpl_poses": poses, "smpl_trans": trans, "smpl_scaling": np.zeros(1)}
        with pytest.raises(InputError, match="above 0"):
            load_motion(saved(tmp_path / "m.pkl", tree))


class TestCameras:
    """A world with Z up, and a camera that is given from that world: the pixels must come out as in the file."""

    @pytest.fixture
    def cameras(self, walk):
        matrix = np.tile(np.eye(4), (walk.frames, 1, 1))
        linear = (FLIP * Rotation.from_euler("y", 20, degrees=True) * Z_UP.inv()).as_matrix()
        matrix[:, :3, :3], matrix[:, :3, 3] = linear, [0.1, 0.9, 5.0]
        return matrix

    def expected_pixels(self, walk, cameras):
        there = Z_UP.apply(world_joints(walk.person).double().numpy().reshape(-1, 3)).reshape(walk.frames, 24, 3)
        seen = np.einsum("fij,fnj->fni", cameras[:, :3, :3], there) + cameras[:, None, :3, 3]
        return seen[..., :2] / seen[..., 2:] * LENS[0, 0] + [LENS[0, 2], LENS[1, 2]]

    def test_of_3dpw(self, tmp_path, walk, cameras):
        poses, trans = turned(walk, Z_UP)
        tree = {
            "poses": [poses, poses[::-1]], "trans": [trans, trans], "betas": [np.zeros(10), np.zeros(10)],
            "cam_poses": cameras, "cam_intrinsics": LENS, "genders": ["m", "f"], "sequence": "x",
        }  # fmt: skip
        found = load_motion(saved(tmp_path / "m.pkl", tree))
        pixels = found.camera.project(world_joints(found.person)).numpy()
        assert found.camera.size == (1280, 720) and found.fps == 30
        assert np.abs(pixels - self.expected_pixels(walk, cameras)).max() < 1.5  # the pelvis is the average one
        assert farthest(found, walk) < 0.1

    def test_of_glamr(self, tmp_path, walk, cameras):
        poses, trans = turned(walk, Z_UP)
        pelvis = free_body().shape(torch.zeros(10))[1][0].numpy()
        person = {
            "smpl_pose": poses[:, 3:], "smpl_orient_world": poses[:, :3], "root_trans_world": trans + pelvis,
            "smpl_beta": np.zeros((walk.frames, 10)), "cam_K": LENS, "exist_frames": np.ones(walk.frames, bool),
        }  # fmt: skip
        found = load_motion(saved(tmp_path / "m.pkl", {"person_data": {0: person}, "cam_pose": cameras}))
        pixels = found.camera.project(world_joints(found.person)).numpy()
        assert np.abs(pixels - self.expected_pixels(walk, cameras)).max() < 6  # the pelvis is the average one
        assert farthest(found, walk) < 1


class TestRomp:
    @pytest.mark.parametrize("suffix", [".npz", ".pkl"])
    def test_one_person_is_followed_through_the_frames(self, tmp_path, walk, suffix):
        poses, trans = turned(walk, FLIP)
        trans = trans + np.array([0, 0, 4.0], np.float32)
        other = trans + np.array([1.5, 0, 0], np.float32)
        results = {}
        for frame in range(walk.frames):
            pair = [(poses[frame], trans[frame]), (poses[frame] * 0, other[frame])]
            pair = pair[::-1] if frame % 2 else pair
            results[f"{frame:05}.jpg"] = {
                "smpl_thetas": np.stack([each[0] for each in pair]),
                "cam_trans": np.stack([each[1] for each in pair]),
                "smpl_betas": np.zeros((2, 10), np.float32),
            }
        if suffix == ".npz":
            np.savez(tmp_path / "m.npz", results=results)
        else:
            saved(tmp_path / "m.pkl", results)
        found = load_motion(tmp_path / f"m{suffix}")
        assert farthest(found, walk) < 0.1
        seen = found.camera.project(world_joints(found.person))
        assert (found.camera.size, seen.min() > -100) == ((512, 512), True)

    def test_code_in_its_pickle_is_refused_and_never_run(self, tmp_path):
        ran = tmp_path / "ran"

        class Bomb:
            def __reduce__(self):
                return (open, (str(ran), "w"))

        np.savez(tmp_path / "m.npz", results=np.array(Bomb(), dtype=object))
        with pytest.raises(InputError, match="refused"):
            load_motion(tmp_path / "m.npz")
        assert not ran.exists()


class TestSoma:
    def gemx(self, walk, world, shift=(0.0, 0.0, 0.0)):
        """Our walk as GEM-X's pose parameters: bones of SOMA turned from the T-pose as ours are."""
        local = Rotation.from_rotvec(walk.person.pose().double().numpy().reshape(-1, 3))
        local = [local[joint::24] for joint in range(24)]
        roles = {"LeftLeg": "left_hip", "LeftShin": "left_knee", "LeftFoot": "left_ankle", "LeftToeBase": "left_foot",
                 "LeftShoulder": "left_collar", "LeftArm": "left_shoulder", "LeftForeArm": "left_elbow",
                 "LeftHand": "left_wrist"}  # fmt: skip
        roles |= {name.replace("Left", "Right"): joint.replace("left", "right") for name, joint in roles.items()}
        roles |= {"Spine1": "spine1", "Spine2": "spine2", "Chest": "spine3", "Neck1": "neck", "Head": "head"}
        pose = np.zeros((walk.frames, 76, 3))
        for name, joint in roles.items():
            pose[:, SOMA_77.index(name) - 1] = local[JOINT[joint]].as_rotvec()
        hips = world_joints(walk.person)[:, 0].double().numpy()
        return {
            "global_orient": torch.tensor((world * local[0]).as_rotvec(), dtype=torch.float32),
            "body_pose": torch.tensor(pose.reshape(walk.frames, -1), dtype=torch.float32),
            "transl": torch.tensor(world.apply(hips) + np.array(shift), dtype=torch.float32),
            "identity_coeffs": torch.zeros(walk.frames, 45),
            "scale_params": torch.zeros(walk.frames, 68),
        }

    def test_results_of_gemx_move_as_they_say(self, tmp_path, walk):
        tree = {
            "body_params_global": self.gemx(walk, Rotation.identity()),
            "body_params_incam": self.gemx(walk, FLIP, (0.0, 0.9, 6.0)),
            "K_fullimg": torch.tensor(LENS, dtype=torch.float32).repeat(walk.frames, 1, 1),
            "net_outputs": {"x": torch.zeros(3)},
        }
        torch.save(tree, tmp_path / "hpe_results.pt")
        found = load_motion(tmp_path / "hpe_results.pt")
        assert found.frames == walk.frames and found.fps == 30
        ours, theirs = (matrix_from_axis_angle(each.person.pose()) for each in (found, walk))
        angle = axis_angle_from_matrix(ours.mT @ theirs).norm(dim=-1)
        limbs = [JOINT[f"left_{name}"] for name in ("hip", "knee", "shoulder", "elbow")]
        assert torch.rad2deg(angle[:, limbs]).max() < 15
        joints = world_joints(found.person)
        hips = found.camera.project(joints[:, [JOINT["left_hip"], JOINT["right_hip"]]]).mean(1)
        seen = tree["body_params_incam"]["transl"]
        expected = seen[:, :2] / seen[:, 2:] * 900 + torch.tensor([640.0, 360.0])
        assert (hips - expected).norm(dim=1).max() < 20  # the hips lie 8 cm below SOMA's pelvis
        assert joints[:, JOINT["head"], 1].min() > 1.2

    def test_gemx_without_a_camera_gets_one_in_front(self, tmp_path, walk):
        torch.save({"body_params_global": self.gemx(walk, Rotation.identity())}, tmp_path / "m.pt")
        found = load_motion(tmp_path / "m.pt")
        assert "no camera" in found.notes[0]
        assert found.camera.project(world_joints(found.person)).min() > 0

    def test_a_pose_of_another_size_is_refused(self, tmp_path, walk):
        params = self.gemx(walk, Rotation.identity())
        params["body_pose"] = params["body_pose"][:, :60]
        torch.save({"body_params_global": params}, tmp_path / "m.pt")
        with pytest.raises(InputError, match=r"body_pose in m.pt is \(16, 60\), expected \(16, 228\)"):
            load_motion(tmp_path / "m.pt")

    def test_gem_on_the_body_of_smplx(self, tmp_path, walk):
        poses, trans = turned(walk, Rotation.identity())
        params = {"global_orient": poses[:, :3], "body_pose": poses[:, 3:66], "transl": trans}
        torch.save({"body_params_global": {key: torch.tensor(v) for key, v in params.items()}}, tmp_path / "m.pt")
        assert farthest(load_motion(tmp_path / "m.pt"), walk) < 1.5

    @pytest.mark.parametrize("with_rotations", [True, False])
    def test_joints_of_kimodo_for_smplx(self, tmp_path, walk, with_rotations):
        arrays = {"posed_joints": world_joints(walk.person)[:, :22].numpy(), "fps": np.array(10.0)}
        if with_rotations:
            local = matrix_from_axis_angle(walk.person.pose())[:, :22]
            arrays["global_rot_mats"] = world_rotations(local).numpy()
        np.savez(tmp_path / "m.npz", **arrays)
        found = load_motion(tmp_path / "m.npz")
        assert found.fps == 10 and farthest(found, walk) < 2

    def test_joints_of_kimodo_for_soma(self, tmp_path, walk):
        names = KIMODO_SKELETONS[77]
        rest = np.array([BODY[name][1] if name in BODY else (0, 1, 0) for name in names])
        rising = np.linspace(0, 0.2, 5)[:, None, None] * np.array([0, 1, 0])
        np.savez(tmp_path / "m.npz", posed_joints=rest[None] + rising)
        found = load_motion(tmp_path / "m.npz")
        joints = world_joints(found.person)
        rest_joints = free_body().shape(torch.zeros(10))[1]
        assert (joints[0] - joints[0, :1] - (rest_joints - rest_joints[:1])).norm(dim=1).max() < 0.09
        assert 0.15 < joints[-1, 0, 1] - joints[0, 0, 1] < 0.25

    def test_a_robot_of_kimodo_is_refused(self, tmp_path):
        np.savez(tmp_path / "m.npz", posed_joints=np.zeros((5, 34, 3)))
        with pytest.raises(InputError, match="77, 30 or 22"):
            load_motion(tmp_path / "m.npz")


def world_rotations(local):
    from mimo_core.body.skeleton import PARENTS

    world = [local[:, 0]]
    for joint, parent in enumerate(PARENTS[1 : local.shape[1]], 1):
        world.append(world[parent] @ local[:, joint])
    return torch.stack(world, 1)


class TestNpzVariants:
    def amass(self, walk, **changes):
        poses, trans = turned(walk, Z_UP)
        hands = np.zeros((walk.frames, 84), np.float32)
        arrays = {"poses": np.concatenate([poses, hands], 1), "trans": trans, "betas": np.zeros(16),
                  "mocap_framerate": np.array(10.0)}  # fmt: skip
        return {key: value for key, value in (arrays | changes).items() if value is not None}

    @pytest.mark.parametrize(
        "changes",
        [
            {"betas": np.zeros((16, 16))},
            {"mocap_framerate": np.array([10.0])},
            {"mocap_framerate": np.array([10])},
            {"mocap_framerate": None, "fps": np.array(10)},
            {"betas": np.zeros((16, 1, 16))},
            {"mocap_framerate": np.array("10.0")},
            {"mocap_framerate": np.array([b"10"])},
            {"mocap_framerate": np.full(16, 10.0)},
            {"mocap_framerate": None, "frameRate": np.array(10)},
        ],
        ids=[
            "betas per frame",
            "rate in a list",
            "whole rate",
            "fps",
            "betas per frame and person",
            "rate as text",
            "rate as bytes in a list",
            "rate per frame",
            "another name of the rate",
        ],
    )
    def test_are_read(self, tmp_path, walk, changes):
        np.savez(tmp_path / "m.npz", **self.amass(walk, **changes))
        found = load_motion(tmp_path / "m.npz")
        assert found.fps == 10 and farthest(found, walk) < 0.1

    @pytest.mark.parametrize(
        "keys",
        [
            ("root_orient", "pose_body", "trans"),
            ("global_orient", "pose_body", "transl"),
            ("global_orient", "body_pose", "transl"),
        ],
    )
    @pytest.mark.parametrize("by_joint", [False, True])
    def test_parts_of_smplx_without_poses(self, tmp_path, walk, keys, by_joint):
        whole = self.amass(walk)
        body = whole["poses"][:, 3:66].reshape(-1, 21, 3) if by_joint else whole["poses"][:, 3:66]
        parts = dict(zip(keys, (whole["poses"][:, :3], body, whole["trans"]), strict=True))
        np.savez(tmp_path / "m.npz", **parts, betas=np.zeros(10), mocap_frame_rate=10.0)
        assert farthest(load_motion(tmp_path / "m.npz"), walk) < 1.5  # without the two joints of the hands

    def test_somebody_on_the_spot_in_the_origin_has_no_floor_that_says_what_is_up(self, tmp_path):
        jumping = builtin_motion("jumping jacks")[:16].person
        poses = torch.cat([jumping.global_orient, jumping.body_pose], 1).numpy()
        np.savez(tmp_path / "m.npz", poses=poses, trans=np.zeros((16, 3)), betas=np.zeros(10), fps=10)
        joints = world_joints(load_motion(tmp_path / "m.npz").person)
        assert (joints[:, JOINT["head"], 1] - joints[:, JOINT["left_ankle"], 1]).min() > 1

    def test_no_frames(self, tmp_path, walk):
        empty = {"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}
        np.savez(tmp_path / "m.npz", **self.amass(walk, **empty))
        with pytest.raises(InputError, match="has no frames"):
            load_motion(tmp_path / "m.npz")

    @pytest.mark.parametrize("rate", [0.0, np.nan, 1e10, [30.0, 60.0], "fast"])
    def test_a_rate_that_is_none_is_refused(self, tmp_path, walk, rate):
        np.savez(tmp_path / "m.npz", **self.amass(walk, mocap_framerate=np.array(rate)))
        with pytest.raises(InputError, match="one number above 0"):
            load_motion(tmp_path / "m.npz")


class TestGvhmr:
    def params(self, walk, world):
        poses, trans = turned(walk, world)
        return {
            "global_orient": poses[:, :3],
            "body_pose": poses[:, 3:66],
            "transl": trans,
            "betas": np.zeros((16, 10)),
        }

    def test_without_a_lens_the_way_is_kept_and_it_is_said(self, tmp_path, walk):
        seen = {f"{key}_incam": value for key, value in self.params(walk, FLIP).items()}
        np.savez(tmp_path / "m.npz", **self.params(walk, Rotation.identity()), **seen)
        found = load_motion(tmp_path / "m.npz")
        assert "no lens" in found.notes[0] and farthest(found, walk) < 1.5

    def test_as_a_pickle(self, tmp_path, walk):
        tree = {"smpl_params_global": self.params(walk, Rotation.identity()),
                "smpl_params_incam": self.params(walk, FLIP), "K_fullimg": LENS[None]}  # fmt: skip
        assert farthest(load_motion(saved(tmp_path / "m.pkl", tree)), walk) < 1.5

    def test_in_bfloat16(self, tmp_path, walk):
        tree = {key: {name: torch.tensor(value).bfloat16() for name, value in self.params(walk, world).items()}
                for key, world in (("smpl_params_global", FLIP * FLIP), ("smpl_params_incam", FLIP))}  # fmt: skip
        torch.save(tree | {"K_fullimg": torch.tensor(LENS[None])}, tmp_path / "m.pt")
        assert farthest(load_motion(tmp_path / "m.pt"), walk) < 5

    def tensors(self, walk, kind=torch.float32):
        """What GVHMR's demo holds in memory, with lenses that are one number seen through strides of 0."""
        tree = {key: {name: torch.tensor(value).to(kind) for name, value in self.params(walk, world).items()}
                for key, world in (("smpl_params_global", FLIP * FLIP), ("smpl_params_incam", FLIP))}  # fmt: skip
        return tree | {"K_fullimg": torch.tensor(LENS).expand(16, 3, 3)}

    @pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("protocol", [2, 4, 5])
    def test_as_a_pickle_of_tensors(self, tmp_path, walk, protocol, kind):
        tree = self.tensors(walk, kind)
        tree["smpl_params_global"]["transl"] = torch.nn.Parameter(tree["smpl_params_global"]["transl"].T.clone().T)
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(tree, protocol=protocol))
        assert farthest(load_motion(tmp_path / "m.pkl"), walk) < (5 if kind == torch.bfloat16 else 1.5)

    def test_under_the_suffix_of_the_other_kind(self, tmp_path, walk):
        torch.save(self.tensors(walk), tmp_path / "zip.pkl")
        torch.save(self.tensors(walk), tmp_path / "old.pkl", _use_new_zipfile_serialization=False)
        (tmp_path / "pickle.pt").write_bytes(pickle.dumps(self.tensors(walk)))
        for name in ("zip.pkl", "old.pkl", "pickle.pt"):
            assert farthest(load_motion(tmp_path / name), walk) < 1.5

    @pytest.mark.parametrize(
        "change",
        [
            lambda c: c.replace(b"FloatStorage", b"SloatStorage"),
            lambda c: c.replace(b"\x8a\nl\xfc\x9c", b"\x8a\nl\xfc\x9d"),
            lambda c: c.replace(b"K\x10K\x03\x86", b"K\x10K\x7f\x86"),
            lambda c: c.replace(b"K\x10K\x03\x86", b"K\x10J\xff\xff\xff\xff\x86"),
            lambda c: c.replace(b"K\x10K\x03\x86", b"K\x10J\xff\xff\xff\x7f\x86"),
        ],
        ids=["type", "magic number", "size", "negative size", "huge size"],
    )
    def test_a_tensor_that_lies_about_itself_is_refused(self, tmp_path, walk, change):
        content = pickle.dumps(self.tensors(walk), protocol=3)
        (tmp_path / "m.pkl").write_bytes(change(content))
        assert change(content) != content
        with pytest.raises(InputError, match="damaged"):
            load_motion(tmp_path / "m.pkl")

    def test_a_storage_of_very_many_instructions_is_not_read_to_its_end(self):
        read = find_tensor_builder("torch.storage", "_load_from_bytes")
        with pytest.raises(InputError, match="cannot be read"):
            read(LEGACY_HEAD + b"\x80\x02" + b"N" * 1000 + b".")

    def test_a_tensor_of_an_expanded_tensor_reads_no_memory_beyond_its_numbers(self):
        view = find_tensor_builder("torch._utils", "_rebuild_tensor_v2")
        expanded = view(np.arange(4.0), 0, (1000,), (0,))
        for storage in (expanded, np.zeros((4, 4)), np.arange(8.0)[::2], np.array([None] * 4)):
            with pytest.raises(InputError, match="damaged"):
                view(storage, 0, (4,), (1,))

    @pytest.mark.parametrize("kept", [0, 30, 0.3, 0.9, 0.999])
    def test_cut_off_is_named(self, tmp_path, walk, kept):
        torch.save({"smpl_params_global": self.params(walk, Rotation.identity())}, tmp_path / "whole.pt")
        content = (tmp_path / "whole.pt").read_bytes()
        (tmp_path / "m.pt").write_bytes(content[: kept if kept > 1 or not kept else int(kept * len(content))])
        with pytest.raises(InputError, match="cut off|damaged"):
            load_motion(tmp_path / "m.pt")

    @pytest.mark.parametrize("content", [b"\0" * 4000, b"<!DOCTYPE html><html>", b"version https://git-lfs.github.com"])
    def test_what_is_no_torch_file_gets_no_advice_to_switch_safety_off(self, tmp_path, content):
        (tmp_path / "m.pt").write_bytes(content)
        with pytest.raises(InputError) as caught:
            load_motion(tmp_path / "m.pt")
        assert "weights_only" not in str(caught.value)


class TestUp:
    """What a note advises works for every kind of file."""

    def write(self, kind, path, walk, world):
        poses, trans = turned(walk, world)
        params = {"global_orient": poses[:, :3], "body_pose": poses[:, 3:66], "transl": trans, "betas": np.zeros(10)}
        joints = world.apply(world_joints(walk.person)[:, :22].reshape(-1, 3).numpy()).reshape(-1, 22, 3)
        if kind == "ours":
            matrix = torch.from_numpy(world.as_matrix()).float()
            save_motion(path / "m.npz", turn_world(walk, matrix))
        elif kind == "kimodo":
            np.savez(path / "m.npz", posed_joints=joints, fps=10)
        elif kind == "gvhmr":
            np.savez(path / "m.npz", **params, K_fullimg=LENS)
        elif kind == "aist":
            saved(path / "m.pkl", {"smpl_poses": poses, "smpl_trans": trans})
        elif kind == "gvhmr pickled":
            saved(path / "m.pkl", {"smpl_params_global": params})
        return next(path.glob("m.*"))

    @pytest.mark.parametrize("kind", ["ours", "kimodo", "gvhmr", "aist", "gvhmr pickled"])
    @pytest.mark.parametrize(("world", "up"), [(Rotation.identity(), "y"), (Z_UP, "z"), (X_UP, "x")])
    def test_it_can_be_said(self, tmp_path, walk, kind, world, up):
        found = load_motion(self.write(kind, tmp_path, walk, world), up=up)
        assert farthest(found, walk) < 2

    def test_the_camera_sees_the_same_in_another_world(self, walk):
        turned_walk = turn_world(walk, torch.from_numpy(Z_UP.as_matrix()).float())
        seen = [motion.camera.view(world_joints(motion.person)) for motion in (walk, turned_walk)]
        torch.testing.assert_close(*seen, rtol=0, atol=1e-3)


def test_notes_do_not_stop_a_motion_from_being_saved(tmp_path, walk):
    np.savez(tmp_path / "m.npz", posed_joints=world_joints(walk.person)[:, :22].numpy())
    found = load_motion(tmp_path / "m.npz")
    save_motion(tmp_path / "again.npz", found)
    assert load_motion(tmp_path / "again.npz").frames == walk.frames
    assert JOINTS[:22] == KIMODO_SKELETONS[22]
