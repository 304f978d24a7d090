"""Skeletons as people bring them: rest poses of all kinds, other axes, text as it is found, names of many programs."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from mimo_core.body.skeleton import JOINT, JOINTS, PARENTS
from mimo_core.errors import InputError
from mimo_core.geometry.rotations import matrix_from_axis_angle
from mimo_core.motion.bones import find_bones, parse_names
from mimo_core.motion.builtin import builtin_motion, builtin_names
from mimo_core.motion.bvh import read_bvh
from mimo_core.motion.edit import resample_motion
from mimo_core.motion.files import load_motion
from mimo_core.motion.glb import read_glb
from mimo_core.motion.heads import list_animations
from mimo_core.motion.joints import world_joints
from mimo_core.motion.skeletal_animation import motion_from_animation
from mimo_core.motion.upright import posture_notes
from tests.skeleton_names import FAMILIES, SPACED, names_of
from tests.skeletons import MIXAMO_OF, along_bones, both_sides, motion_bvh, motion_gltf, packed_glb


NAMES = both_sides(MIXAMO_OF)
Z_UP, X_UP = Rotation.from_euler("x", 90, degrees=True), Rotation.from_euler("z", -90, degrees=True)
LYING = {name: Rotation.from_euler("x", -90, degrees=True) for name in JOINTS}


@pytest.fixture(scope="module")
def walk():
    return resample_motion(builtin_motion("walk"), 10.0)[:24]


def load_text(text, **options):
    return motion_from_animation(read_bvh(text, file="m.bvh"), file="m.bvh", **options)


def farthest(found, truth):
    """Centimetres between joints of two motions, on the spot and on the way."""
    ours, theirs = world_joints(found.person), world_joints(truth.person)
    pose = ((ours - ours[:, :1]) - (theirs - theirs[:, :1])).norm(dim=-1).max()
    path = ((ours[:, 0] - ours[:1, 0]) - (theirs[:, 0] - theirs[:1, 0])).norm(dim=-1).max()
    return 100 * float(max(pose, path))


def world_angles(found, truth):
    """Degrees (F, 24) between the rotations of the bones of two motions in the world."""
    world = []
    for motion in (found, truth):
        local = matrix_from_axis_angle(motion.person.pose().double())
        turned = [local[:, 0]]
        for joint, parent in enumerate(PARENTS[1:], 1):
            turned.append(turned[parent] @ local[:, joint])
        world.append(torch.stack(turned, 1))
    cosine = ((world[0].mT @ world[1]).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return torch.rad2deg(cosine.clamp(-1, 1).acos())


def move_root(text, move):
    """BVH whose root stands elsewhere: `move` takes its place (3,) and Rotation, and gives both."""
    rows = text.splitlines()
    for number in range(rows.index("MOTION") + 3, len(rows)):
        values = [float(value) for value in rows[number].split()]
        place, turn = move(np.array(values[:3]), Rotation.from_euler("ZXY", values[3:6], degrees=True))
        values[:6] = [*place, *turn.as_euler("ZXY", degrees=True)]
        rows[number] = " ".join(f"{value:.6f}" for value in values)
    return "\n".join(rows)


class TestRestPoses:
    @pytest.mark.parametrize("axis", [0, 1, 2])
    @pytest.mark.parametrize("name", ["walk", "sit down", "disco", "jumping jacks"])
    def test_offsets_along_the_bones_are_no_pose(self, axis, name):
        truth = resample_motion(builtin_motion(name), 10.0)
        found = load_text(motion_bvh(truth, NAMES, axes=along_bones(axis)))
        assert farthest(found, truth) < 2
        assert world_angles(found, truth).mean() < 10

    def test_a_rest_pose_that_lies(self, walk):
        found = load_text(motion_bvh(walk, NAMES, axes=LYING))
        assert farthest(found, walk) < 0.1
        assert found.notes == ()

    def test_hips_turned_and_turned_back_by_joints_without_length(self, walk):
        turn = Rotation.from_euler("y", np.full((walk.frames, 1), 70.0), degrees=True)
        back = {"left_hip": ("LHipJoint", turn), "right_hip": ("RHipJoint", turn), "spine1": ("LowerBack", turn)}
        assert farthest(load_text(motion_bvh(walk, NAMES, before=back)), walk) < 0.1

    @pytest.mark.parametrize("posed", [None, 0, 7, 13])
    def test_nodes_of_a_glb_that_stand_in_some_pose(self, walk, posed):
        content = packed_glb(*motion_gltf(walk, NAMES, posed=posed))
        found = motion_from_animation(read_glb(content, file="m.glb"), file="m.glb")
        assert farthest(found, walk) < 0.5
        assert world_angles(found, walk)[:, JOINT["left_ankle"]].max() < 15

    def test_a_standing_rest_pose_gives_the_turn_of_every_bone_about_its_length(self, walk):
        angles = world_angles(load_text(motion_bvh(walk, NAMES)), walk)
        assert angles.mean() < 1 and angles.max() < 8

    def test_a_take_that_begins_in_a_t_pose_brings_its_rest_pose(self, walk):
        person = walk.person
        pose = person.pose().clone()
        pose[0] = 0
        begun = replace(walk, people=(person.with_pose(pose),))
        angles = world_angles(load_text(motion_bvh(begun, NAMES, axes=along_bones(1))), begun)
        assert angles.mean() < 1 and angles.max() < 8

    def test_swapped_sides_are_said(self, walk):
        swapped = {joint: NAMES[joint.replace("left", "x").replace("right", "left").replace("x", "right")]
                   for joint in NAMES}  # fmt: skip
        found = load_text(motion_bvh(walk, swapped))
        assert any("toes point backwards" in note for note in found.notes)


class TestUp:
    @pytest.mark.parametrize("axes", [None, along_bones(1)], ids=["standing at rest", "along the bones"])
    @pytest.mark.parametrize(("world", "axis"), [(Z_UP, "Z"), (X_UP, "X"), (X_UP * X_UP, "-Y"), (Z_UP * Z_UP, "-Y")])
    def test_is_found_from_head_over_hips_over_feet(self, walk, world, axis, axes):
        found = load_text(motion_bvh(walk, NAMES, world=world, axes=axes))
        assert farthest(found, walk) < 1.5
        assert world_joints(found.person)[:, JOINT["head"], 1].min() > 1.2
        assert f"stands along {axis}," in found.notes[0]

    @pytest.mark.parametrize("name", ["idle", "wave", "squat", "jumping jacks", "side step"])
    def test_is_found_where_the_rest_pose_stands_along_another_axis(self, name):
        truth = resample_motion(builtin_motion(name), 10.0)[:24]
        found = load_text(motion_bvh(truth, NAMES, world=Z_UP.inv()))
        assert farthest(found, truth) < 1.5
        assert "stands along -Z," in found.notes[0]

    @pytest.mark.parametrize("world", [Z_UP, Z_UP.inv(), X_UP, X_UP.inv(), X_UP * X_UP])
    @pytest.mark.parametrize("name", ["idle", "squat", "sit down", "kick"])
    def test_is_found_without_a_way_and_a_floor(self, name, world):
        truth = resample_motion(builtin_motion(name), 10.0)[:24]
        text = move_root(motion_bvh(truth, NAMES, world=world), lambda place, turn: (0 * place, turn))
        joints = world_joints(load_text(text).person)
        assert (joints[:, JOINT["head"], 1] - joints[:, JOINT["left_ankle"], 1]).min() > 0.7

    def test_can_be_said(self, walk):
        text = motion_bvh(walk, NAMES, world=Z_UP)
        assert farthest(load_text(text, up="z"), walk) < 0.1
        lying = world_joints(load_text(text, up="y").person)
        assert (lying[:, JOINT["head"], 1] - lying[:, JOINT["left_ankle"], 1]).abs().max() < 0.8
        with pytest.raises(InputError, match="auto, y, z, x"):
            load_text(text, up="w")

    def test_somebody_who_lies_in_a_file_with_y_up_goes_on_lying(self, tmp_path, walk):
        standing = builtin_motion("idle")[:20]
        lying = Rotation.from_euler("x", -90, degrees=True)
        (tmp_path / "m.bvh").write_text(motion_bvh(standing, NAMES, world=lying, axes=None))
        found = load_motion(tmp_path / "m.bvh", up="y")
        assert any("lies in the whole motion" in note for note in found.notes)

    def test_a_rest_pose_that_stands_and_a_person_who_lies_still_are_told_apart(self):
        """The rest pose says Y, head over feet says Z: somebody lies, and the note says how to change it."""
        lying = Rotation.from_euler("x", -90, degrees=True)
        text = motion_bvh(builtin_motion("idle")[:20], NAMES)
        found = load_text(move_root(text, lambda place, turn: (lying.apply(place) + [0, 12, 0], lying * turn)))
        joints = world_joints(found.person)
        assert (joints[:, JOINT["head"], 1] - joints[:, JOINT["left_ankle"], 1]).abs().max() < 0.4
        assert "Choose up" in found.notes[0]

    def test_a_glb_with_another_axis_up_stands_all_the_same(self, walk):
        document, binary = motion_gltf(walk, NAMES)
        document["nodes"].append({"name": "Armature", "rotation": X_UP.as_quat().tolist(), "children": [0]})
        found = motion_from_animation(read_glb(packed_glb(document, binary), file="m.glb"), file="m.glb")
        assert world_joints(found.person)[:, JOINT["head"], 1].min() > 1.2

    def test_somebody_who_lies_in_a_glb_goes_on_lying(self):
        """glTF has Y up: only who stands and goes along another axis comes from a file that has not."""
        still = builtin_motion("idle")[:30]
        lying = Rotation.from_euler("x", -90, degrees=True)
        root = torch.tensor((lying * Rotation.from_rotvec(still.person.global_orient.numpy())).as_rotvec()).float()
        place = torch.tensor([[0.0, 0.35, 0.0]]).repeat(30, 1)
        person = replace(still.person, global_orient=root, transl=place)
        document, binary = motion_gltf(replace(still, people=(person,)), NAMES)
        found = motion_from_animation(read_glb(packed_glb(document, binary), file="m.glb"), file="m.glb")
        joints = world_joints(found.person)
        assert (joints[:, JOINT["head"], 1] - joints[:, JOINT["left_ankle"], 1]).abs().max() < 0.4

    def test_somebody_on_their_head_is_said(self, tmp_path, walk):
        (tmp_path / "m.bvh").write_text(motion_bvh(walk, NAMES, world=X_UP * X_UP))
        found = load_motion(tmp_path / "m.bvh", up="y")
        assert any("head is below the hips" in note for note in found.notes)

    @pytest.mark.parametrize("name", builtin_names())
    def test_everybody_who_ships_stands(self, name):
        assert posture_notes(builtin_motion(name)) == ()

    @pytest.mark.parametrize(("turn", "axis"), [((0, 0, 0), "Y"), ((90, 0, 0), "Z")])
    def test_an_npz_in_the_form_of_amass_may_have_y_up(self, tmp_path, walk, turn, axis):
        world = Rotation.from_euler("xyz", turn, degrees=True)
        root = (world * Rotation.from_rotvec(walk.person.global_orient.numpy())).as_rotvec()
        trans = world.apply(walk.person.transl.numpy())
        poses = np.concatenate([root, walk.person.body_pose.numpy()], 1)
        np.savez(tmp_path / "m.npz", poses=poses, trans=trans, betas=np.zeros(10), mocap_framerate=10.0)
        found = load_motion(tmp_path / "m.npz")
        assert farthest(found, walk) < 4
        assert bool(found.notes) == (axis == "Y")


@pytest.fixture(scope="module")
def text(walk):
    return motion_bvh(walk, NAMES)


class TestText:
    @pytest.mark.parametrize(
        "change",
        [
            lambda t: t.replace("ROOT", "root").replace("JOINT", "Joint").replace("OFFSET", "Offset"),
            lambda t: t.replace("CHANNELS", "channels").replace("rotation", "ROTATION").replace("End Site", "end site"),
            lambda t: t.replace("MOTION", "motion").replace("Frames:", "frames:").replace("Frame Time", "FRAME TIME"),
            lambda t: t.replace("Frames: ", "Frames:").replace("Frame Time: ", "Frame Time:"),
            lambda t: t.replace("Hips\n{", "Hips {").replace("Spine\n{", "Spine{"),
            lambda t: t.replace(".", ","),
            lambda t: t + "\x1a\0\0",
            lambda t: t + "\ufffd\ufffd\n",
            lambda t: t.replace("Frames: ", "Frames ").replace("Frame Time: ", "Frame Time "),
            lambda t: t.replace("\n", "\r\n"),
            lambda t: t.replace("CHANNELS 6", "CHANNELS 3"),
            lambda t: t.replace("Hips", "Big Skeleton 1:Hips").replace("Spine1", "The Spine1"),
        ],
        ids=[
            "case",
            "case of channels",
            "case of motion",
            "no spaces",
            "braces",
            "commas",
            "zeros",
            "bytes of no text",
            "no colons",
            "lines",
            "count",
            "spaces",
        ],
    )
    def test_is_read_as_programs_write_it(self, text, walk, change):
        assert farthest(load_text(change(text)), walk) < 0.1

    def test_positions_of_zero_are_no_shift_against_the_offset(self, text, walk):
        old = "CHANNELS 3 Zrotation Xrotation Yrotation"
        head, motion = text.replace(old, old.replace("3", "6 Xposition Yposition Zposition")).split("MOTION")
        lines = motion.splitlines()
        for number in range(3, len(lines)):
            values = lines[number].split()
            joints = [values[6:][start : start + 3] for start in range(0, len(values) - 6, 3)]
            lines[number] = " ".join(values[:6] + [value for joint in joints for value in ("0", "0", "0", *joint)])
        assert farthest(load_text(head + "MOTION" + "\n".join(lines)), walk) < 0.1

    def test_in_utf_16(self, tmp_path, text, walk):
        (tmp_path / "m.bvh").write_text(text, "utf-16")
        assert farthest(load_motion(tmp_path / "m.bvh"), walk) < 0.1

    @pytest.mark.parametrize("more", [-1, 1])
    def test_a_count_that_is_one_off_is_noted(self, text, walk, more):
        found = load_text(text.replace(f"Frames: {walk.frames}", f"Frames: {walk.frames + more}"))
        assert found.frames == walk.frames
        assert f"declares {walk.frames + more} frames and holds {walk.frames}" in found.notes[0]

    @pytest.mark.parametrize(
        ("value", "message"), [("30", "rate.*0.033333"), ("0", "0 seconds"), ("33333", "33333 sec")]
    )
    def test_a_frame_time_that_is_none_is_refused(self, text, value, message):
        with pytest.raises(InputError, match=message):
            read_bvh(text.replace("Frame Time: 0.10000000", f"Frame Time: {value}"), file="m.bvh")


class TestNames:
    @pytest.mark.parametrize("family", [*FAMILIES, *SPACED])
    def test_of_many_programs_are_known(self, walk, family):
        names = both_sides(names_of(family))
        found = load_text(motion_bvh(walk, names))
        whole = load_text(motion_bvh(walk, {joint: NAMES[joint] for joint in names}))
        assert farthest(found, whole) < 0.01

    def test_a_map_says_what_is_not_known(self, walk):
        strange = {joint: f"part{number}" for number, joint in enumerate(NAMES)}
        with pytest.raises(InputError, match=r"no left hip, .*right wrist, head that is known by name.*part0, part\d+"):
            load_text(motion_bvh(walk, strange))
        there = load_text(motion_bvh(walk, strange), names=strange)
        back = load_text(motion_bvh(walk, strange), names={name: joint for joint, name in strange.items()})
        assert farthest(there, walk) < 0.1 and farthest(back, walk) < 0.1

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"left_hip": "Thigh"}, "no bone 'Thigh'.*LeftUpLeg"),
            ({"tail": "Hips"}, "one of the two must be pelvis"),
            ({"left_hip": 3}, "must be JSON"),
        ],
    )
    def test_a_map_that_does_not_fit_says_so(self, walk, given, message):
        with pytest.raises(InputError, match=message):
            load_text(motion_bvh(walk, NAMES), names=given)

    def test_a_map_is_json(self):
        assert parse_names('{"left_hip": "Thigh_L"}') == {"left_hip": "Thigh_L"}
        assert parse_names(" \n") == {}
        for text in ("left_hip: Thigh_L", "[1]", "[" * 100_000):
            with pytest.raises(InputError, match="map of names"):
                parse_names(text)

    def test_helpers_and_twists_are_no_joints(self):
        names = ("Hips", "Spine", "Neck", "Head", "LeftArm", "LeftForeArm", "RightArm", "RightForeArm", "LeftUpLegRoll",
                 "LeftUpLeg", "LeftLeg", "RightUpLeg", "RightLeg", "LeftFootIK", "LeftFoot",
                 "LeftArmTwist")  # fmt: skip
        parents = (-1, 0, 1, 2, 1, 4, 1, 6, 0, 0, 9, 0, 11, -1, 10, 4)
        found = find_bones(names, parents, file="m")
        assert names[found.limbs["left_hip"]] == "LeftUpLeg"
        assert names[found.limbs["left_ankle"]] == "LeftFoot"
        assert names[found.limbs["left_shoulder"]] == "LeftArm"


class TestGltf:
    def test_as_json_with_its_numbers_inside_or_beside(self, tmp_path, walk):
        document, binary = motion_gltf(walk, NAMES)
        document["buffers"][0]["uri"] = "m.bin"
        (tmp_path / "m.bin").write_bytes(binary)
        (tmp_path / "beside.gltf").write_text(json.dumps(document))
        inside = base64.b64encode(binary).decode()
        document["buffers"][0]["uri"] = f"data:application/octet-stream;base64,{inside}"
        (tmp_path / "inside.gltf").write_text(json.dumps(document))
        for name in ("beside.gltf", "inside.gltf"):
            assert farthest(load_motion(tmp_path / name), walk) < 0.1

    @pytest.mark.parametrize("form", ["wrapped", "capitals", "beside, from here"])
    def test_with_addresses_as_programs_write_them(self, tmp_path, walk, form):
        document, binary = motion_gltf(walk, NAMES)
        packed = base64.b64encode(binary).decode()
        wrapped = "\n".join(packed[start : start + 76] for start in range(0, len(packed), 76))
        (tmp_path / "a b.bin").write_bytes(binary)
        document["buffers"][0]["uri"] = {
            "wrapped": f"data:application/octet-stream;base64,{wrapped}",
            "capitals": f"DATA:application/octet-stream;BASE64,{packed}",
            "beside, from here": "./a%20b.bin",
        }[form]
        (tmp_path / "m.gltf").write_text(json.dumps(document))
        assert farthest(load_motion(tmp_path / "m.gltf"), walk) < 0.1

    @pytest.mark.parametrize("way", ["STEP", "LINEAR"])
    def test_every_key_is_a_frame(self, tmp_path, walk, way):
        """A time that is rounded up by a float of 32 bits does not give the key before it."""
        document, binary = motion_gltf(walk, NAMES)
        for sampler in document["animations"][0]["samplers"]:
            sampler["interpolation"] = way
        (tmp_path / "m.glb").write_bytes(packed_glb(document, binary))
        assert farthest(load_motion(tmp_path / "m.glb"), walk) < 0.1

    def test_a_node_that_moves_keeps_the_rest_of_its_matrix(self, tmp_path, walk):
        document, binary = motion_gltf(walk, NAMES)
        for node in document["nodes"]:
            matrix = np.eye(4)
            matrix[:3, :3] = Rotation.from_quat(node.pop("rotation", [0, 0, 0, 1])).as_matrix() * node.pop("scale", 1)
            matrix[:3, 3] = node.pop("translation", [0, 0, 0])
            node["matrix"] = matrix.T.ravel().tolist()
        (tmp_path / "m.glb").write_bytes(packed_glb(document, binary))
        assert farthest(load_motion(tmp_path / "m.glb"), walk) < 0.1

    @pytest.mark.parametrize(
        "uri", ["../secret.bin", "/etc/passwd", "http://example.com/a.bin", "missing.bin", "%2e%2e/a"]
    )
    def test_numbers_elsewhere_are_not_fetched(self, tmp_path, walk, uri):
        document, binary = motion_gltf(walk, NAMES)
        folder = tmp_path / "inner"
        folder.mkdir()
        (tmp_path / "secret.bin").write_bytes(binary)
        document["buffers"][0]["uri"] = uri
        (folder / "m.gltf").write_text(json.dumps(document))
        with pytest.raises(InputError, match="in another file"):
            load_motion(folder / "m.gltf")

    def test_bones_of_a_vrm_animation_count_by_its_own_names(self, tmp_path, walk):
        names = {joint: f"node{number}" for number, joint in enumerate(NAMES)}
        document, binary = motion_gltf(walk, names)
        order = [joint for joint in JOINTS if joint in names]
        vrm = both_sides(names_of("vrm"))
        bones = {bone: {"node": order.index(joint)} for joint, bone in vrm.items()}
        document["extensions"] = {"VRMC_vrm_animation": {"humanoid": {"humanBones": bones}}}
        (tmp_path / "m.vrma").write_bytes(packed_glb(document, binary))
        assert farthest(load_motion(tmp_path / "m.vrma"), walk) < 0.1

    def test_an_animation_is_chosen_by_name(self, tmp_path, walk):
        content = packed_glb(*motion_gltf(walk, NAMES, animations=("fast", "slow"), strides=(3, 1)))
        (tmp_path / "m.glb").write_bytes(content)
        longest = load_motion(tmp_path / "m.glb")
        assert longest.frames == walk.frames and "'slow', the longest, is read" in longest.notes[0]
        assert load_motion(tmp_path / "m.glb", animation="fast").frames == walk.frames // 3
        with pytest.raises(InputError, match="no animation 'jump'. It has: fast, slow"):
            load_motion(tmp_path / "m.glb", animation="jump")

    @pytest.mark.parametrize("suffix", [".glb", ".vrma", ".gltf"])
    def test_its_animations_are_listed_without_reading_their_keys(self, tmp_path, walk, suffix):
        document, binary = motion_gltf(walk, NAMES, animations=("fast", ""), strides=(3, 1))
        path = tmp_path / f"m{suffix}"
        path.write_bytes(json.dumps(document).encode() if suffix == ".gltf" else packed_glb(document, binary))
        assert list_animations(path) == ("fast", "animation 1")

    @pytest.mark.parametrize(
        "name, content",
        [("m.bvh", b"HIERARCHY"), ("m.gltf", b"[1, 2"), ("m.gltf", b'{"animations": 3}'), ("m.gltf", b"[" * 99999),
         ("m.glb", b"glTF"), ("m.glb", b"x" * 40), ("m.vrma", b"")],
    )  # fmt: skip
    def test_what_is_no_gltf_or_damaged_lists_none(self, tmp_path, name, content):
        (tmp_path / name).write_bytes(content)
        assert list_animations(tmp_path / name) == ()
        assert list_animations(tmp_path / f"gone_{name}") == ()

    def test_of_two_skeletons_the_one_that_moves_is_read(self, walk):
        document, binary = motion_gltf(walk, NAMES)
        count = len(document["nodes"])
        still = [
            {**node, "children": [child + count for child in node.get("children", [])]} for node in document["nodes"]
        ]
        document["nodes"] += still
        document["skins"] = [{"joints": list(range(count, 2 * count))}, {"joints": list(range(count))}]
        content = packed_glb(document, binary)
        found = motion_from_animation(read_glb(content, file="m.glb"), file="m.glb")
        assert farthest(found, walk) < 0.1

    def test_meshopt_is_named(self, tmp_path, walk):
        document, binary = motion_gltf(walk, NAMES)
        document["extensionsRequired"] = ["EXT_meshopt_compression"]
        for view in document["bufferViews"]:
            view["extensions"] = {"EXT_meshopt_compression": {"buffer": 0}}
        (tmp_path / "m.glb").write_bytes(packed_glb(document, binary))
        with pytest.raises(InputError, match="compressed with meshopt"):
            load_motion(tmp_path / "m.glb")

    def test_draco_packs_meshes_only_and_does_not_matter(self, tmp_path, walk):
        document, binary = motion_gltf(walk, NAMES)
        document["extensionsRequired"] = ["KHR_draco_mesh_compression"]
        (tmp_path / "m.glb").write_bytes(packed_glb(document, binary))
        assert farthest(load_motion(tmp_path / "m.glb"), walk) < 0.1

    def test_nodes_without_a_name_are_no_joints(self, walk):
        document, binary = motion_gltf(walk, NAMES)
        document["nodes"].extend([{"name": ""}, {"name": "_"}, {"name": ":"}])
        content = packed_glb(document, binary)
        found = motion_from_animation(read_glb(content, file="m.glb"), file="m.glb")
        assert farthest(found, walk) < 0.1
