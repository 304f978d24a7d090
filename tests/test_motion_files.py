"""Motion files: round trips, AMASS, and everything that is refused."""

import json
import pickle
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from mimo_core.body.model import free_body
from mimo_core.body.person import PER_FRAME, Person
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.amass import AVERAGE_PELVIS, motion_from_amass
from mimo_core.motion.edit import change_speed, mirror_motion, resample_motion, reverse_motion, smooth_motion
from mimo_core.motion.files import load_motion, save_motion
from mimo_core.motion.motion import Motion
from mimo_core.motion.place import place_motion
from mimo_core.motion.seen import SeenMasks


FRAMES = 5


def random_motion(*, hands=True, is_moving=True, body="free"):
    generator = torch.Generator().manual_seed(3)
    hand = (lambda: torch.randn(FRAMES, 45, generator=generator) * 0.2) if hands else (lambda: None)
    person = Person(
        betas=torch.randn(10, generator=generator),
        global_orient=torch.randn(FRAMES, 3, generator=generator) * 0.5,
        body_pose=torch.randn(FRAMES, 69, generator=generator) * 0.2,
        transl=torch.randn(FRAMES, 3, generator=generator),
        left_hand_pose=hand(),
        right_hand_pose=hand(),
        visible=torch.tensor([True, True, False, True, True]),
        contacts=torch.eye(FRAMES, 2).bool(),
        body=body,
    )
    extrinsics = torch.eye(4).repeat(FRAMES, 1, 1) if is_moving else None
    return Motion((person,), 29.97, Camera(500.0, (320.5, 239.0), (640, 480), extrinsics))


def amass_arrays(width=156, **changes):
    generator = np.random.default_rng(0)
    arrays = {
        "poses": generator.normal(0, 0.2, (FRAMES, width)),
        "trans": generator.normal(0, 1, (FRAMES, 3)),
        "betas": generator.normal(0, 1, 16),
        "gender": np.array("female"),
        "mocap_framerate": np.array(120.0),
    }
    return arrays | changes


class TestOwnFiles:
    @pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".NPZ", ".Safetensors"])
    @pytest.mark.parametrize("hands", [True, False])
    @pytest.mark.parametrize("is_moving", [True, False])
    def test_everything_survives(self, tmp_path, suffix, hands, is_moving):
        motion = random_motion(hands=hands, is_moving=is_moving)
        save_motion(tmp_path / f"m{suffix}", motion)
        loaded = load_motion(tmp_path / f"m{suffix}")
        assert loaded.fps == motion.fps
        assert (loaded.camera.focal, loaded.camera.center, loaded.camera.size) == (500.0, (320.5, 239.0), (640, 480))
        assert (loaded.camera.camera_from_world is None) == (not is_moving)
        for name in ("betas", *PER_FRAME):
            before, after = getattr(motion.person, name), getattr(loaded.person, name)
            assert (before is None and after is None) or torch.equal(before, after), name

    def test_two_people_stay_in_order(self, tmp_path):
        one, two = random_motion().person, random_motion(hands=False, body="smpl").person
        save_motion(tmp_path / "m.npz", Motion((one, two), 24.0, Camera.for_size(64, 48)))
        assert [person.body for person in load_motion(tmp_path / "m.npz").people] == ["free", "smpl"]

    @pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
    def test_half_precision_is_read(self, tmp_path, kind):
        save_motion(tmp_path / "a.safetensors", random_motion())
        with safe_open(tmp_path / "a.safetensors", "pt") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            header = file.metadata()
        halved = {name: value.to(kind) if value.is_floating_point() else value for name, value in arrays.items()}
        save_file(halved, tmp_path / "b.safetensors", metadata=header)
        found = load_motion(tmp_path / "b.safetensors").person
        torch.testing.assert_close(found.transl, arrays["0.transl"], rtol=0.01, atol=0.01)

    def test_nothing_is_left_when_the_folder_is_missing(self, tmp_path):
        with pytest.raises(InputError, match="no folder"):
            save_motion(tmp_path / "missing" / "m.npz", random_motion())
        assert list(tmp_path.iterdir()) == []

    def test_only_the_file_itself_is_left(self, tmp_path):
        save_motion(tmp_path / "m.safetensors", random_motion())
        assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


class TestRefusals:
    def test_a_pickle_inside_is_never_executed(self, tmp_path):
        ran = tmp_path / "ran"

        class Bomb:
            def __reduce__(self):
                return (open, (str(ran), "w"))

        np.savez(tmp_path / "m.npz", poses=np.array([Bomb()], dtype=object), trans=np.zeros((1, 3)), betas=np.zeros(10))
        with pytest.raises(InputError):
            load_motion(tmp_path / "m.npz")
        assert not ran.exists()

    def test_an_object_array_of_the_right_shape_is_refused_by_name(self, tmp_path):
        poses = np.zeros((FRAMES, 156), dtype=object)
        np.savez(tmp_path / "m.npz", **amass_arrays(poses=poses))
        with pytest.raises(InputError, match=r"Python objects in poses\.npy"):
            load_motion(tmp_path / "m.npz")

    def test_a_pickle_with_the_right_name_is_refused(self, tmp_path):
        (tmp_path / "m.npz").write_bytes(pickle.dumps({"poses": [1]}))
        with pytest.raises(InputError, match="damaged"):
            load_motion(tmp_path / "m.npz")

    def test_a_declared_size_is_checked_before_anything_is_read(self, tmp_path):
        header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2000000, 156), }"
        header += b" " * (118 - len(header) - 1) + b"\n"
        with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
            archive.writestr("poses.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        with pytest.raises(InputError, match="2000000"):
            load_motion(tmp_path / "m.npz")

    @pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
    @pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
    def test_a_truncated_file_is_refused(self, tmp_path, suffix, share):
        save_motion(tmp_path / f"m{suffix}", random_motion())
        content = (tmp_path / f"m{suffix}").read_bytes()
        (tmp_path / f"m{suffix}").write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError):
            load_motion(tmp_path / f"m{suffix}")

    def test_nan_is_refused(self, tmp_path):
        poses = np.zeros((FRAMES, 156))
        poses[3, 7] = np.nan
        np.savez(tmp_path / "m.npz", **amass_arrays(poses=poses))
        with pytest.raises(InputError, match="NaN"):
            load_motion(tmp_path / "m.npz")

    @pytest.mark.parametrize("width", [63, 66, 150, 330])
    def test_a_wrong_joint_count_is_refused(self, tmp_path, width):
        np.savez(tmp_path / "m.npz", **amass_arrays(width))
        with pytest.raises(InputError, match="156 .SMPL-H"):
            load_motion(tmp_path / "m.npz")

    @pytest.mark.parametrize("key", ["trans", "betas", "mocap_framerate"])
    def test_a_missing_array_is_named(self, tmp_path, key):
        arrays = amass_arrays()
        del arrays[key]
        np.savez(tmp_path / "m.npz", **arrays)
        with pytest.raises(InputError, match=key):
            load_motion(tmp_path / "m.npz")

    def test_another_npz_is_refused_with_what_it_holds(self, tmp_path):
        np.savez(tmp_path / "m.npz", depth=np.zeros(3))
        with pytest.raises(InputError, match="depth"):
            load_motion(tmp_path / "m.npz")

    def test_another_suffix_and_a_missing_file_are_refused(self, tmp_path):
        with pytest.raises(InputError, match=r"\.pkl or \.joblib, got m\.fbx"):
            load_motion(tmp_path / "m.fbx")
        with pytest.raises(InputError, match="no motion file"):
            load_motion(tmp_path / "m.npz")


class TestAmass:
    @pytest.mark.parametrize(("width", "body"), [(72, "smpl"), (156, "smplh"), (165, "smplx")])
    def test_each_kind_of_pose_is_read(self, tmp_path, width, body):
        np.savez(tmp_path / "m.npz", **amass_arrays(width))
        motion = load_motion(tmp_path / "m.npz")
        assert (motion.person.body, motion.frames, motion.fps) == (body, FRAMES, 120.0)
        assert (motion.person.left_hand_pose is None) == (body == "smpl")

    @pytest.mark.parametrize("spelling", ["mocap_framerate", "mocap_frame_rate", "fps"])
    def test_each_spelling_of_the_rate_is_read(self, spelling):
        arrays = amass_arrays()
        arrays[spelling] = arrays.pop("mocap_framerate")
        assert motion_from_amass(arrays, name="m").fps == 120.0

    def test_hands_of_smplx_stand_behind_jaw_and_eyes(self):
        poses = np.zeros((1, 165))
        poses[0, 75], poses[0, 120] = 0.5, 0.7
        person = motion_from_amass(amass_arrays(poses=poses, trans=np.zeros((1, 3))), name="m").person
        assert person.left_hand_pose[0, 0] == 0.5
        assert person.right_hand_pose[0, 0] == pytest.approx(0.7)

    def test_up_becomes_up(self):
        # In AMASS a body at rest stands along Y; a quarter turn about X raises it to Z.
        poses = np.zeros((1, 156))
        poses[0, 0] = np.pi / 2
        trans = np.array([[1.0, 2.0, 3.0]])
        person = motion_from_amass(amass_arrays(poses=poses, trans=trans), name="m").person
        torch.testing.assert_close(person.global_orient, torch.zeros(1, 3), atol=1e-6, rtol=0)
        # The pelvis at (1, 2, 3) + PELVIS with Z up is at (x, z, -y) with Y up.
        x, y, z = (trans[0] + AVERAGE_PELVIS).tolist()
        torch.testing.assert_close(person.transl[0] + torch.tensor(AVERAGE_PELVIS), torch.tensor([x, z, -y]))

    def test_vertices_turn_with_the_world(self):
        body, arrays = free_body(), amass_arrays(72)
        motion = motion_from_amass(arrays, name="m", up="z")
        still = Person(
            torch.zeros(10),
            *(
                torch.tensor(value, dtype=torch.float32)
                for value in (arrays["poses"][:, :3], arrays["poses"][:, 3:], arrays["trans"])
            ),
        )
        z_up = body.pose(still).vertices
        y_up = body.pose(motion.person).vertices
        expected = torch.stack([z_up[..., 0], z_up[..., 2], -z_up[..., 1]], -1)
        # The pelvis of the asset is within a centimetre of the one assumed for unknown bodies.
        torch.testing.assert_close(y_up, expected, atol=1e-2, rtol=0)

    def test_the_camera_sees_the_whole_way_from_the_front(self):
        poses = np.zeros((FRAMES, 72))
        poses[:, 0] = np.pi / 2
        trans = np.zeros((FRAMES, 3))
        trans[:, 0] = np.linspace(-2, 2, FRAMES)
        motion = motion_from_amass(amass_arrays(poses=poses, trans=trans), name="m")
        pixels = motion.camera.project(free_body().pose(motion.person).vertices)
        assert pixels.min() > 0 and pixels.max() < 1024
        front = motion.camera.camera_from_world[0, :3, :3] @ torch.tensor([0.0, 0.0, 1.0])
        assert front[2] < -0.99


def soft_masks(width=40, height=30):
    return np.random.default_rng(4).integers(0, 256, (FRAMES, height, width)).astype(np.uint8)


class TestMasksThatTheEstimatorSaw:
    @pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
    def test_come_back_from_a_file_to_the_last_bit(self, tmp_path, suffix):
        masks = soft_masks()
        motion = replace(random_motion(), seen=SeenMasks.from_masks(Masks.from_array(masks)))
        save_motion(tmp_path / f"m{suffix}", motion)
        seen = load_motion(tmp_path / f"m{suffix}").seen.masks()
        assert (len(seen), seen.width, seen.height) == (FRAMES, 40, 30)
        assert np.array_equal(np.stack(list(seen)), masks)
        assert np.array_equal(seen[3], masks[3])

    def test_are_cut_with_the_motion(self):
        masks = soft_masks()
        motion = replace(random_motion(), seen=SeenMasks.from_masks(Masks.from_array(masks)))
        assert np.array_equal(np.stack(list(motion[1:3].seen.masks())), masks[1:3])

    def test_go_where_the_person_is_no_longer_where_they_were_seen(self):
        layer = SeenMasks.from_masks(Masks.from_array(soft_masks()))
        moved = place_motion(replace(random_motion(), seen=layer, others=layer))
        assert moved.seen is None and moved.others is layer

    @pytest.mark.parametrize("name", ["seen", "others"])
    def test_follow_edits_of_time(self, name):
        masks = soft_masks()
        motion = replace(random_motion(), **{name: SeenMasks.from_masks(Masks.from_array(masks))})
        assert getattr(smooth_motion(motion), name) is getattr(motion, name)
        clip = Clip.from_array(np.repeat(masks[..., None], 3, 3), int(motion.fps))
        for changed, expected in (
            (reverse_motion(motion), masks[::-1]),
            (mirror_motion(motion), masks[..., ::-1]),
            (change_speed(motion, 2), masks[::2][: FRAMES // 2]),
            (resample_motion(motion, 12), np.stack(list(clip.resample(12)))[..., 0]),
            (resample_motion(motion, 40), np.stack(list(clip.resample(40)))[..., 0]),
        ):
            assert np.array_equal(np.stack(list(getattr(changed, name).masks())), expected)

    @pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
    def test_of_others_come_back_from_a_file_too(self, tmp_path, suffix):
        masks = soft_masks()
        save_motion(
            tmp_path / f"m{suffix}", replace(random_motion(), others=SeenMasks.from_masks(Masks.from_array(masks)))
        )
        motion = load_motion(tmp_path / f"m{suffix}")
        assert motion.seen is None and np.array_equal(np.stack(list(motion.others.masks())), masks)
        assert np.array_equal(np.stack(list(motion[1:3].others.masks())), masks[1:3])

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("others", np.zeros(3, np.float32)),
            ("others", np.zeros((2, 2), np.uint8)),
            ("others.lengths", np.array([1, 2, 3, 4])),
            ("others.lengths", np.full(5, np.nan)),
            ("others.lengths", np.array([-1, 0, 0, 0, 1])),
            ("others.lengths", np.array([1 << 62] * 5)),
        ],
    )
    def test_of_others_whose_arrays_are_garbled_are_refused(self, tmp_path, name, value):
        layer = SeenMasks.from_masks(Masks.from_array(soft_masks() % 4))
        save_motion(tmp_path / "m.npz", replace(random_motion(), others=layer))
        with np.load(tmp_path / "m.npz") as arrays:
            np.savez(tmp_path / "m.npz", **{**arrays, name: value})
        with pytest.raises(InputError):
            load_motion(tmp_path / "m.npz")

    def test_of_others_that_hold_more_than_three_orders_are_refused_when_they_are_read(self):
        layer = SeenMasks.from_masks(Masks.from_array(np.full((FRAMES, 4, 4), 7, np.uint8)))
        with pytest.raises(InputError, match="it holds 7, not 0 to 3"):
            layer.orders()[0]

    def test_of_others_in_another_size_are_refused(self):
        seen, others = (
            SeenMasks.from_masks(Masks.from_array(np.zeros((FRAMES, side, side), np.uint8))) for side in (4, 6)
        )
        with pytest.raises(InputError, match="4x4 and 6x6"):
            replace(random_motion(), seen=seen, others=others)

    def test_of_another_length_are_refused(self):
        seen = SeenMasks.from_masks(Masks.from_array(soft_masks()))
        for name in ("seen", "others"):
            with pytest.raises(InputError, match="5 frames but was seen with 4 masks"):
                replace(random_motion(), **{name: seen.index(slice(4))})

    def test_that_lie_about_their_size_are_refused(self, tmp_path):
        seen = SeenMasks.from_masks(Masks.from_array(soft_masks()))
        with pytest.raises(InputError, match="not 20x30"):
            replace(seen, width=20).mask(0)
        with pytest.raises(InputError, match="megapixels"):
            replace(seen, width=10_000_000)
        content, lengths = seen.arrays()
        with pytest.raises(InputError, match="do not fit"):
            SeenMasks.from_arrays(content, lengths + 1, width=40, height=30, name="m.npz")

    def test_a_motion_without_them_stays_without(self, tmp_path):
        save_motion(tmp_path / "m.npz", random_motion())
        motion = load_motion(tmp_path / "m.npz")
        assert motion.seen is None and motion.others is None


class TestHostileNumbers:
    def save(self, path, **changes):
        save_motion(path, random_motion())
        with np.load(path) as file:
            arrays = dict(file)
        header = json.loads(arrays["motion"].tobytes()) | changes
        arrays["motion"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez(path, **arrays)

    @pytest.mark.parametrize(
        "changes",
        [
            {"fps": 0},
            {"fps": float("nan")},
            {"fps": float("inf")},
            {"fps": 1e10},
            {"focal": float("nan")},
            {"focal": float("inf")},
            {"center": [float("nan"), 0]},
            {"size": [1e300, 480]},
            {"size": [float("inf"), 480]},
            {"size": [1_000_000, 1_000_000]},
            {"size": [-640, -480]},
            {"bodies": ["free"] * 1000},
            {"seen": [1e300, 2]},
            {"seen": "x"},
        ],
    )
    def test_of_the_header_are_refused(self, tmp_path, changes):
        self.save(tmp_path / "m.npz", **changes)
        with pytest.raises(InputError):
            load_motion(tmp_path / "m.npz")

    def test_a_tiny_frame_rate_does_not_make_a_motion_endless(self):
        slow = replace(random_motion(), fps=1e-6)
        with pytest.raises(InputError, match="the limit is 200000"):
            resample_motion(slow, 24)

    def test_an_archive_of_very_many_arrays_is_refused(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
            for number in range(1100):
                archive.writestr(f"{number}.npy", b"")
        with pytest.raises(InputError, match="holds 1100 arrays"):
            load_motion(tmp_path / "m.npz")

    def test_an_unknown_compression_is_refused(self, tmp_path):
        save_motion(tmp_path / "m.npz", random_motion())
        content = bytearray((tmp_path / "m.npz").read_bytes())
        place = 0
        while (place := content.find(b"PK\x01\x02", place)) >= 0:
            content[place + 10 : place + 12] = b"\x63\x00"
            place += 4
        (tmp_path / "m.npz").write_bytes(bytes(content))
        with pytest.raises(InputError, match="damaged"):
            load_motion(tmp_path / "m.npz")
