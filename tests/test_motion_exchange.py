"""BVH and GLB: round trips, second readers, skeletons of other families, and everything that is refused."""

import contextlib
import importlib.util
import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.skeleton import JOINT, JOINTS
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.geometry.rotations import matrix_from_axis_angle
from mimo_core.motion.bvh import read_bvh
from mimo_core.motion.files import load_motion, save_motion
from mimo_core.motion.glb import read_glb
from mimo_core.motion.ground import estimate_floor
from mimo_core.motion.motion import Motion
from mimo_core.motion.skeletal_animation import motion_from_animation
from tests.skeletons import CMU, LIMBS, MIXAMO, bvh_text, directions, forward, glb_bytes, key_poses, packed_glb


needs_bvh = pytest.mark.skipif(importlib.util.find_spec("bvh") is None, reason="the package bvh is not installed")
needs_trimesh = pytest.mark.skipif(importlib.util.find_spec("trimesh") is None, reason="trimesh is not installed")


@pytest.fixture(scope="module")
def motion():
    """Bold poses on a body that is not the average one."""
    generator = torch.Generator().manual_seed(5)
    frames = 7
    pose = torch.randn(frames, 24, 3, generator=generator) * 0.5
    pose[3, 0] = torch.tensor([torch.pi / 2, 0.0, 0.0])  # where the angles Z, X, Y lock
    person = Person(
        betas=torch.randn(10, generator=generator),
        global_orient=pose[:, 0],
        body_pose=pose[:, 1:].flatten(1),
        transl=torch.randn(frames, 3, generator=generator),
    )
    return Motion((person,), 29.97, Camera.for_size(64, 64))


def joints(motion):
    return free_body().pose(motion.person).joints


def degrees_between(a, b):
    """Angles (F, 24) between rotation vectors of two persons."""
    turns = (matrix_from_axis_angle(each.person.pose().double()) for each in (a, b))
    relative = next(turns).mT @ next(turns)
    skew = relative - relative.mT
    sine = torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1).norm(dim=-1) / 2
    cosine = (relative.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return torch.rad2deg(torch.atan2(sine, cosine))


class TestRoundTrip:
    @pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".bvh", ".glb"])
    def test_joints_come_back_within_a_millimetre_and_a_tenth_of_a_degree(self, tmp_path, motion, suffix):
        save_motion(tmp_path / f"m{suffix}", motion)
        back = load_motion(tmp_path / f"m{suffix}")
        assert (back.frames, back.fps) == (motion.frames, pytest.approx(motion.fps, rel=1e-4))
        assert (joints(back) - joints(motion)).norm(dim=-1).max() < 1e-3
        assert degrees_between(motion, back).max() < 0.1
        torch.testing.assert_close(back.person.betas, motion.person.betas, atol=1e-2, rtol=0)

    def test_a_byte_order_mark_before_bvh(self, tmp_path, text):
        (tmp_path / "m.bvh").write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert load_motion(tmp_path / "m.bvh").frames == 7

    def test_a_whole_frame_rate_comes_back_whole(self, tmp_path, motion):
        """A frame time is a rounded number; a thousandth off would be a frame after 40 seconds."""
        save_motion(tmp_path / "m.bvh", Motion(motion.people, 24.0, motion.camera))
        assert load_motion(tmp_path / "m.bvh").fps == 24.0


class TestSecondReaders:
    @needs_bvh
    def test_another_bvh_reader_finds_the_same_joints(self, tmp_path, motion):
        from bvh import Bvh

        save_motion(tmp_path / "m.bvh", motion)
        other = Bvh((tmp_path / "m.bvh").read_text())
        assert set(other.get_joints_names()) == set(JOINTS)
        assert other.nframes == motion.frames
        for frame in range(motion.frames):
            places = {}
            for name in other.get_joints_names():
                parent = other.joint_parent(name)
                channels = other.joint_channels(name)
                values = dict(zip(channels, other.frame_joint_channels(frame, name, channels), strict=True))
                order = "".join(channel[0] for channel in channels if channel.endswith("rotation"))
                angles = [values[f"{axis}rotation"] for axis in order]
                turn = Rotation.from_euler(order, angles, degrees=True)  # upper case: intrinsic, as BVH
                if parent is None:
                    places[name] = (turn, np.array([values[f"{axis}position"] for axis in "XYZ"]))
                else:
                    above, at = places[parent.name]
                    places[name] = (above * turn, at + above.apply(other.joint_offset(name)))
            found = np.stack([places[name][1] for name in JOINTS]) / 100
            assert np.abs(found - joints(motion)[frame].numpy()).max() < 1e-3

    @needs_trimesh
    def test_trimesh_opens_the_glb_with_mesh_and_joints(self, tmp_path, motion):
        import trimesh

        save_motion(tmp_path / "m.glb", motion)
        scene = trimesh.load(tmp_path / "m.glb")
        (mesh,) = scene.geometry.values()
        vertices, rest = free_body().shape(motion.person.betas)
        assert mesh.faces.shape == tuple(free_body().faces.shape)
        assert np.abs(mesh.bounds - np.stack([vertices.amin(0), vertices.amax(0)])).max() < 1e-5
        assert set(JOINTS) <= set(scene.graph.nodes)
        place = scene.graph.get("left_wrist")[0][:3, 3]
        assert np.abs(place - rest[JOINT["left_wrist"]].numpy()).max() < 1e-5

    def test_the_skin_moves_the_mesh_as_our_skinning_does(self, motion):
        """Skinned by the glTF equations from the file's own numbers, with the four largest weights of each vertex."""
        from mimo_core.motion.glb import Glb
        from mimo_core.motion.glb_writer import write_glb

        glb = Glb(write_glb(motion), "m.glb")
        attributes = glb.json["meshes"][0]["primitives"][0]["attributes"]
        places, bones, weights = (glb.accessor(attributes[name]) for name in ("POSITION", "JOINTS_0", "WEIGHTS_0"))
        inverse = glb.accessor(glb.json["skins"][0]["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        posed = free_body().pose(motion.person)
        world = posed.transforms[2].double().numpy() @ np.linalg.inv(inverse)  # world from joint
        mixed = np.einsum("vk,vkij->vij", weights, (world @ inverse)[bones.astype(int)])
        skinned = np.einsum("vij,vj->vi", mixed[:, :3, :3], places) + mixed[:, :3, 3]
        assert np.abs(weights.sum(1) - 1).max() < 1e-5
        _, rest = free_body().shape(motion.person.betas)
        nearest = torch.cdist(torch.from_numpy(skinned).float(), posed.vertices[2]).amin(1)
        assert nearest.median() < 1e-4 and nearest.max() < 0.02


def limb_errors(motion, truth):
    """Degrees between limbs of a motion and of the skeleton that it came from."""
    places = joints(motion).numpy()
    errors = []
    for side in ("left", "right"):
        for joint, child in LIMBS:
            bone = places[:, JOINT[f"{side}_{child}"]] - places[:, JOINT[f"{side}_{joint}"]]
            bone /= np.linalg.norm(bone, axis=1, keepdims=True)
            errors.append(np.degrees(np.arccos(np.clip((bone * truth[side, joint]).sum(1), -1, 1))))
    return np.stack(errors)


class TestOtherSkeletons:
    @pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
    def test_limbs_of_a_cmu_skeleton_point_the_same_way_in_any_order_of_angles(self, order):
        turns, places = key_poses(CMU)
        motion = motion_from_animation(read_bvh(bvh_text(CMU, turns, places, order=order), file="m.bvh"), file="m.bvh")
        assert limb_errors(motion, directions(forward(CMU, turns, places)[1])).max() < 3
        assert motion.fps == 120

    @pytest.mark.parametrize("unit", [1.0, 0.01])
    def test_a_mixamo_skeleton_in_centimetres_or_metres(self, unit):
        turns, places = key_poses(MIXAMO, seed=1)
        motion = motion_from_animation(read_bvh(bvh_text(MIXAMO, turns, places, unit=unit), file="m.bvh"), file="m.bvh")
        assert limb_errors(motion, directions(forward(MIXAMO, turns, places)[1])).max() < 3
        way = motion.person.transl[-1, 0] - motion.person.transl[0, 0]
        assert 0.7 < way < 1.2  # as far as the legs are long, in metres

    def test_a_skeleton_that_looks_to_the_side_at_rest(self):
        turned = {
            name: (parent, tuple(Rotation.from_euler("y", 90, degrees=True).apply(offset)))
            for name, (parent, offset) in MIXAMO.items()
        }
        turns, places = key_poses(turned, seed=2)
        motion = motion_from_animation(read_bvh(bvh_text(turned, turns, places), file="m.bvh"), file="m.bvh")
        assert limb_errors(motion, directions(forward(turned, turns, places)[1])).max() < 3

    @pytest.mark.parametrize("is_rolled", [False, True])
    def test_a_mixamo_glb_below_an_armature_with_z_up(self, is_rolled):
        turns, places = key_poses(MIXAMO, seed=3)
        rng = np.random.default_rng(4)
        roll = {name: Rotation.random(random_state=rng) for name in MIXAMO} if is_rolled else None
        content = glb_bytes(MIXAMO, turns, places, resting=roll)
        motion = motion_from_animation(read_glb(content, file="m.glb"), file="m.glb")
        assert limb_errors(motion, directions(forward(MIXAMO, turns, places)[1])).max() < 3
        assert (motion.frames, motion.fps) == (6, 30)

    def test_somebody_who_stands_stands_on_the_floor(self):
        turns, places = key_poses(MIXAMO)
        still = {name: Rotation.identity(6) for name in turns}
        motion = motion_from_animation(read_bvh(bvh_text(MIXAMO, still, places), file="m.bvh"), file="m.bvh")
        assert abs(estimate_floor(motion.person)) < 1e-4
        assert motion.camera.project(free_body().pose(motion.person).vertices).amin() > 0

    def test_an_unknown_skeleton_names_what_is_missing_and_what_is_there(self):
        skeleton = {"Bone": (None, (0, 0, 0)), "Bone1": ("Bone", (0, 1, 0))}
        still = {name: Rotation.identity(2) for name in skeleton}
        text = bvh_text(skeleton, still, np.zeros((2, 3)))
        with pytest.raises(InputError, match="left hip.*Bone, Bone1"):
            motion_from_animation(read_bvh(text, file="m.bvh"), file="m.bvh")


@pytest.fixture(scope="module")
def text(motion):
    from mimo_core.motion.bvh import write_bvh
    from mimo_core.motion.skeletal_animation import animation_from_motion

    return write_bvh(animation_from_motion(motion))


class TestRefusedBvh:
    @pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.995])
    def test_a_truncated_file(self, text, share):
        with pytest.raises(InputError, match="cut off|no BVH|damaged"):
            read_bvh(text[: int(share * len(text))], file="m.bvh")

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("Frames: 7", "Frames: 99999999", "at most"),
            ("Frames: 7", "Frames: 70", "7 whole frames"),
            ("Frames: 7", "Frames: -7", "-7 frames"),
            ("Frames: 7", "Frames: inf", "inf frames"),
            ("Frames: 7", "Frames: nan", "nan frames"),
            ("Frame Time:", "Frame Time: 0", "0 seconds"),
            ("OFFSET", "OFFSET nan", "nan in its skeleton"),
            ("OFFSET", "OFFSET up", "'up' is no number"),
            ("Xposition", "Wposition", "'Wposition' is no channel"),
            ("ROOT", "LIMB", "'LIMB' stands where a joint"),
            ("HIERARCHY", "HIERARCHY }", "closes that was not open"),
            ("HIERARCHY", "HIERARCHY CHANNELS 1 Xposition", "outside of a joint"),
            ("End Site\n", "End Site { CHANNELS 1 Xposition }\n", "outside of a joint"),
        ],
    )
    def test_a_damaged_file(self, text, old, new, message):
        with pytest.raises(InputError, match=message):
            read_bvh(text.replace(old, new, 1), file="m.bvh")

    def test_frames_without_channels_ask_for_no_memory(self):
        text = "HIERARCHY ROOT hips { OFFSET 0 0 0 } MOTION Frames: 1000000000000000 Frame Time: 0.04"
        with pytest.raises(InputError, match="no channels"):
            read_bvh(text, file="m.bvh")

    def test_nan_in_the_motion(self, text):
        lines = text.splitlines()
        lines[-1] = " ".join(["nan", *lines[-1].split()[1:]])
        with pytest.raises(InputError, match="NaN"):
            motion_from_animation(read_bvh("\n".join(lines), file="m.bvh"), file="m.bvh")

    def test_a_picture_with_that_suffix(self, tmp_path):
        (tmp_path / "m.bvh").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
        with pytest.raises(InputError, match="no BVH"):
            load_motion(tmp_path / "m.bvh")


@pytest.fixture(scope="module")
def content(motion):
    from mimo_core.motion.glb_writer import write_glb

    return write_glb(motion)


def changed(content, change):
    """The file with its description changed by a function."""
    size = struct.unpack_from("<I", content, 12)[0]
    document = json.loads(content[20 : 20 + size])
    change(document)
    return packed_glb(document, content[28 + size :])


class TestRefusedGlb:
    @pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
    def test_a_truncated_file(self, content, share):
        with pytest.raises(InputError, match="cut off|no binary"):
            read_glb(content[: int(share * len(content))], file="m.glb")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda d: d.update(animations=[]), "no animation"),
            (lambda d: d["accessors"][-1].update(count=10**9), "does not hold"),
            (lambda d: d["accessors"][-1].pop("bufferView"), "sparsely"),
            (lambda d: d["buffers"][0].update(uri="http://example.com/a.bin"), "another file"),
            (lambda d: d["nodes"][10].update(children=[0]), "circle|on two"),
            (lambda d: d.update(nodes=[]), "0 nodes"),
            (lambda d: d.update(accessors=[]), "do not fit together"),
            (lambda d: d.update(skins=[{"joints": [10**6]}]), "do not fit together"),
            (lambda d: d["nodes"][3].update(matrix=[1.0, 0.0, 0.0]), "do not fit together"),
            (lambda d: d["accessors"][-1].update(count=float("inf")), "do not fit together"),
        ],
    )
    def test_a_damaged_file(self, content, change, message):
        with pytest.raises(InputError, match=message):
            read_glb(changed(content, change), file="m.glb")

    def test_a_long_animation_of_many_nodes_asks_for_no_memory(self, motion):
        from mimo_core.motion.glb_writer import write_glb

        slow = write_glb(replace(motion, fps=0.1))
        with pytest.raises(InputError, match="60 seconds, which is too long"):
            read_glb(changed(slow, lambda d: d["nodes"].extend({} for _ in range(19_000))), file="m.glb")

    def test_fuzzed_bytes_never_raise_anything_else(self, content):
        rng = np.random.default_rng(0)
        size = struct.unpack_from("<I", content, 12)[0]
        for _ in range(40):
            damaged = bytearray(content)
            for place in rng.integers(12, 20 + size, 6):
                damaged[place] = rng.integers(32, 127)
            with contextlib.suppress(InputError):
                motion_from_animation(read_glb(bytes(damaged), file="m.glb"), file="m.glb")


class TestWriting:
    def test_bvh_is_in_centimetres_with_y_up(self, tmp_path):
        person = Person(torch.zeros(10), torch.zeros(2, 3), torch.zeros(2, 69), torch.tensor([[0.0, 1.0, 0.0]] * 2))
        save_motion(tmp_path / "m.bvh", Motion((person,), 24.0, Camera.for_size(64, 64)))
        last = (tmp_path / "m.bvh").read_text().splitlines()[-1].split()
        pelvis = free_body().shape(torch.zeros(10))[1][0, 1]
        assert float(last[1]) == pytest.approx(100 * (1 + float(pelvis)), abs=1e-3)

    def test_the_second_of_two_people_is_left_out_without_a_crash(self, motion):
        from mimo_core.motion.glb_writer import write_glb

        pair = Motion((motion.person, motion.person), 24.0, motion.camera)
        assert motion_from_animation(read_glb(write_glb(pair), file="m.glb"), file="m.glb").frames == motion.frames
