"""Results of GVHMR, WHAM and 4D-Humans: what they say comes through, and nothing in them is run."""

import collections
import gzip
import importlib.util
import math
import os
import pickle
import zlib

import numpy as np
import pytest
import torch

from mimo_core.errors import InputError
from mimo_core.geometry.rotations import matrix_from_axis_angle
from mimo_core.motion import joblib_file
from mimo_core.motion.cameras import pelvis_path
from mimo_core.motion.files import load_motion
from mimo_core.motion.joblib_file import read_joblib


FRAMES = 6
needs_joblib = pytest.mark.skipif(importlib.util.find_spec("joblib") is None, reason="joblib is not installed")


def numbers(*shape, seed=0, size=0.3):
    return np.random.default_rng(seed).normal(0, size, shape).astype(np.float32)


def gvhmr():
    def body(seed):
        return {
            "body_pose": torch.from_numpy(numbers(FRAMES, 63, seed=1)),
            "betas": torch.from_numpy(np.repeat(numbers(1, 10, seed=2), FRAMES, 0)),
            "global_orient": torch.from_numpy(numbers(FRAMES, 3, seed=seed, size=1.0)),
            "transl": torch.from_numpy(numbers(FRAMES, 3, seed=seed + 1) + [0, 0, 4]).float(),
        }

    lens = torch.tensor([[900.0, 0, 320], [0, 900, 180], [0, 0, 1]]).repeat(FRAMES, 1, 1)
    return {"smpl_params_global": body(3), "smpl_params_incam": body(5), "K_fullimg": lens, "net_outputs": {}}


def wham(frames=(4, 5, 6, 9, 10, 11)):
    count = len(frames)
    subject = {
        "pose": numbers(count, 72, seed=1),
        "trans": numbers(count, 3, seed=2) + np.float32([0, 0, 5]),
        "pose_world": np.concatenate([numbers(count, 3, seed=4), numbers(count, 72, seed=1)[:, 3:]], 1),
        "trans_world": numbers(count, 3, seed=3),
        "betas": numbers(count, 10, seed=5),
        "verts": numbers(count, 20, 3),
        "frame_ids": np.array(frames),
    }
    short = {name: value[:2] for name, value in subject.items()}
    results = collections.defaultdict(dict)
    results[7], results[0] = short, subject
    return results


def phalp():
    def entry(frame):
        turns = matrix_from_axis_angle(torch.from_numpy(numbers(24, 3, seed=frame))).numpy()
        body = {"global_orient": turns[:1], "body_pose": turns[1:], "betas": numbers(10, seed=9)}
        nobody = {"global_orient": turns[:1], "body_pose": turns[1:], "betas": numbers(10)}
        known = frame != 3
        return {
            "tid": [5, 2] if known else [5],
            "smpl": [nobody, body] if known else [nobody],
            "camera": [np.array([9.0, 9, 99])] + [np.array([0.1, 0.2, 40.0], np.float32)] * known,
            "size": [[480, 640]] * (1 + known),
            "time": frame,
        }

    frames = {f"outputs/_TMP/clip/{frame:06}.jpg": entry(frame) for frame in range(FRAMES)}
    del frames["outputs/_TMP/clip/000005.jpg"]["tid"][0]  # so that 2 is tracked as long as 5
    frames["outputs/_TMP/clip/000000.jpg"]["tid"][0] = 8
    for part in ("smpl", "camera", "size"):
        del frames["outputs/_TMP/clip/000005.jpg"][part][0]
    return frames


def in_camera(motion):
    """The body's orientation (F, 3, 3) and pelvis (F, 3) as the camera sees them."""
    matrix = motion.camera.extrinsics().expand(motion.frames, 4, 4)
    orient = matrix[:, :3, :3] @ matrix_from_axis_angle(motion.person.global_orient)
    return orient, motion.camera.view(pelvis_path(motion.person)[:, None])[:, 0]


def check_seen(motion, orient, transl, frames=slice(None)):
    """The camera sees the body turned and placed as the estimator's values in the camera say."""
    found, pelvis = in_camera(motion)
    offset = pelvis_path(motion.person) - motion.person.transl
    torch.testing.assert_close(found[frames], matrix_from_axis_angle(orient), atol=1e-5, rtol=0)
    torch.testing.assert_close((pelvis - offset)[frames], transl, atol=1e-4, rtol=0)


class TestGvhmr:
    def test_the_way_is_that_in_the_world_and_the_view_that_of_the_camera(self, tmp_path):
        given = gvhmr()
        torch.save(given, tmp_path / "hmr4d_results.pt")
        motion = load_motion(tmp_path / "hmr4d_results.pt")
        world, seen = given["smpl_params_global"], given["smpl_params_incam"]
        torch.testing.assert_close(motion.person.transl, world["transl"])
        torch.testing.assert_close(motion.person.body_pose[:, :63], world["body_pose"])
        torch.testing.assert_close(motion.person.betas, world["betas"][0])
        check_seen(motion, seen["global_orient"], seen["transl"])
        assert (motion.camera.focal, motion.camera.size, motion.fps, motion.person.body) == (
            900,
            (640, 360),
            30,
            "smplx",
        )

    def test_the_npz_of_the_comfyui_pack_says_the_same(self, tmp_path):
        given = gvhmr()
        flat = {name: value.numpy() for name, value in given["smpl_params_global"].items()}
        flat |= {f"{name}_incam": value.numpy() for name, value in given["smpl_params_incam"].items()}
        np.savez(tmp_path / "m.npz", K_fullimg=given["K_fullimg"].numpy(), **flat)
        torch.save(given, tmp_path / "m.pt")
        one, two = load_motion(tmp_path / "m.npz"), load_motion(tmp_path / "m.pt")
        torch.testing.assert_close(one.camera.camera_from_world, two.camera.camera_from_world)
        torch.testing.assert_close(one.person.transl, two.person.transl)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda g: g.pop("smpl_params_global"), "no result of GVHMR"),
            (lambda g: g["smpl_params_global"].pop("transl"), "no 'transl'"),
            (lambda g: g["smpl_params_global"].update(body_pose=torch.zeros(FRAMES, 60)), "63 or 69"),
            (lambda g: g["smpl_params_global"]["transl"].fill_(math.nan), "NaN"),
            (lambda g: g["smpl_params_incam"].update(transl=torch.zeros(2, 3)), "expected"),
            (lambda g: g.update(K_fullimg=torch.zeros(FRAMES, 3, 3)), "gives no camera"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, tmp_path, change, message):
        given = gvhmr()
        change(given)
        torch.save(given, tmp_path / "m.pt")
        with pytest.raises(InputError, match=message):
            load_motion(tmp_path / "m.pt")

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_is_read_from_every_protocol_of_pickles(self, tmp_path, protocol):
        torch.save(gvhmr(), tmp_path / "m.pt")
        arrays = {
            key: {name: value.numpy() for name, value in part.items()} if isinstance(part, dict) else part.numpy()
            for key, part in gvhmr().items()
        }
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(arrays, protocol))
        found, truth = (load_motion(tmp_path / name).person for name in ("m.pkl", "m.pt"))
        assert torch.equal(found.body_pose, truth.body_pose) and torch.equal(found.transl, truth.transl)

    def test_without_frames_says_so(self, tmp_path):
        none = {
            key: {name: value[:0] for name, value in part.items()} if isinstance(part, dict) else part[:0]
            for key, part in gvhmr().items()
        }
        torch.save(none, tmp_path / "m.pt")
        with pytest.raises(InputError, match="m.pt has no frames"):
            load_motion(tmp_path / "m.pt")


@needs_joblib
class TestWham:
    @pytest.mark.parametrize("compress", [0, 3, ("gzip", 3)])
    def test_the_longest_subject_is_read_with_its_gaps(self, tmp_path, compress):
        import joblib

        joblib.dump(wham(), tmp_path / "wham_output.pkl", compress=compress)
        motion = load_motion(tmp_path / "wham_output.pkl")
        assert motion.person.visible.tolist() == [True, True, True, False, False, True, True, True]
        subject = wham()[0]
        seen = motion.person.visible
        torch.testing.assert_close(motion.person.transl[seen], torch.from_numpy(subject["trans_world"]))
        torch.testing.assert_close(motion.person.betas, torch.from_numpy(subject["betas"].mean(0)))
        check_seen(motion, torch.from_numpy(subject["pose"][:, :3]), torch.from_numpy(subject["trans"]), seen)

    def test_a_wrong_joint_count_is_refused(self, tmp_path):
        import joblib

        broken = wham()
        broken[0]["pose_world"] = broken[0]["pose_world"][:, :66]
        joblib.dump(broken, tmp_path / "m.pkl")
        with pytest.raises(InputError, match=r"pose_world in m\.pkl is \(6, 66\), expected \(6, 72\)"):
            load_motion(tmp_path / "m.pkl")


@needs_joblib
class TestFourDHumans:
    def test_the_person_lands_where_the_long_lens_shows_them(self, tmp_path):
        import joblib

        joblib.dump(phalp(), tmp_path / "demo_clip.pkl", compress=3)
        motion = load_motion(tmp_path / "demo_clip.pkl")
        assert motion.person.visible.tolist() == [True, True, True, False, True, True]
        assert (motion.camera.size, motion.camera.focal) == ((640, 480), 5000 / 256 * 640)
        turns = torch.stack(
            [
                torch.from_numpy(phalp()[f"outputs/_TMP/clip/{k:06}.jpg"]["smpl"][-1]["global_orient"][0])
                for k in (0, 1, 2, 4, 5)
            ]
        )
        orient, pelvis = in_camera(motion)
        offset = pelvis_path(motion.person) - motion.person.transl
        torch.testing.assert_close(orient[motion.person.visible], turns, atol=1e-5, rtol=0)
        torch.testing.assert_close(
            pelvis - offset, torch.tensor([[0.1, 0.2, 40.0]]).repeat(FRAMES, 1), atol=1e-4, rtol=0
        )


class Bomb:
    """What runs when a careless program opens it."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


class TestSafety:
    @pytest.mark.parametrize("suffix", [".pkl", ".joblib", ".pt"])
    def test_a_pickle_with_code_is_refused_and_never_run(self, tmp_path, suffix):
        ran = tmp_path / "ran"
        (tmp_path / f"m{suffix}").write_bytes(pickle.dumps({"a": Bomb(ran)}))
        with pytest.raises(InputError, match="refused|damaged|more than tensors"):
            load_motion(tmp_path / f"m{suffix}")
        assert not ran.exists()

    def test_a_torch_file_with_code_is_refused_and_never_run(self, tmp_path):
        torch.save({"smpl_params_global": Bomb(tmp_path / "ran")}, tmp_path / "m.pt")
        with pytest.raises(InputError, match="more than tensors"):
            load_motion(tmp_path / "m.pt")
        assert not (tmp_path / "ran").exists()

    @needs_joblib
    @pytest.mark.parametrize("compress", [0, 3])
    def test_a_joblib_file_with_code_behind_an_array_is_refused_and_never_run(self, tmp_path, compress):
        import joblib

        joblib.dump({"a": np.zeros(5), "b": Bomb(tmp_path / "ran")}, tmp_path / "m.pkl", compress=compress)
        with pytest.raises(InputError, match="refused"):
            load_motion(tmp_path / "m.pkl")
        assert not (tmp_path / "ran").exists()

    @needs_joblib
    def test_objects_inside_an_array_are_refused(self, tmp_path):
        import joblib

        joblib.dump({"a": np.array([Bomb(tmp_path / "ran")], object)}, tmp_path / "m.pkl")
        with pytest.raises(InputError, match="refused"):
            read_joblib(tmp_path / "m.pkl")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        "name", ["os.system", "builtins.eval", "posix.system", "numpy.load", "joblib.load", "torch.load"]
    )
    def test_every_name_of_a_program_is_refused(self, tmp_path, name):
        module, _, function = name.rpartition(".")
        (tmp_path / "m.pkl").write_bytes(f"c{module}\n{function}\n(S'true'\ntR.".encode())
        with pytest.raises(InputError, match=f"asks for {name}"):
            load_motion(tmp_path / "m.pkl")

    def test_memory_is_not_reserved_for_bytes_that_are_not_there(self, tmp_path):
        (tmp_path / "m.pkl").write_bytes(b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".")
        with pytest.raises(InputError, match="reserves memory"):
            load_motion(tmp_path / "m.pkl")

    @needs_joblib
    def test_an_array_larger_than_the_file_is_refused(self, tmp_path):
        import joblib

        joblib.dump({"a": np.zeros(1000, np.float32)}, tmp_path / "m.pkl")
        content = (tmp_path / "m.pkl").read_bytes()
        (tmp_path / "m.pkl").write_bytes(content.replace(b"M\xe8\x03\x85", b"J\xff\xff\xff\x00\x85".ljust(4)))
        with pytest.raises(InputError):
            load_motion(tmp_path / "m.pkl")

    @pytest.mark.parametrize("pack", [lambda b: zlib.compress(b, 9), gzip.compress])
    def test_a_bomb_is_unpacked_only_to_the_limit(self, tmp_path, pack, monkeypatch):
        monkeypatch.setattr(joblib_file, "LARGEST_FILE_SIZE", 1 << 20)
        (tmp_path / "m.pkl").write_bytes(pack(bytes(1 << 22)))
        with pytest.raises(InputError, match="unpacks to more than 1 MB"):
            read_joblib(tmp_path / "m.pkl")

    def test_a_zip_bomb_of_arrays_is_refused_by_its_declared_size(self, tmp_path):
        np.savez_compressed(
            tmp_path / "m.npz", poses=np.zeros((250_000, 72), np.uint8), trans=np.zeros(3), betas=np.zeros(10)
        )
        assert os.path.getsize(tmp_path / "m.npz") < 100_000
        with pytest.raises(InputError, match=r"\(250000, 72\); at most \(200000"):
            load_motion(tmp_path / "m.npz")

    def test_values_of_a_gigabyte_each_are_refused_before_they_are_read(self, tmp_path):
        text = np.zeros((1, 72), "U1000")
        np.savez_compressed(tmp_path / "m.npz", poses=text, trans=np.zeros((1, 3)), betas=np.zeros(10), fps=30.0)
        with pytest.raises(InputError, match="must hold numbers"):
            load_motion(tmp_path / "m.npz")

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    @needs_joblib
    def test_a_truncated_file_is_refused(self, tmp_path, share):
        import joblib

        joblib.dump(wham(), tmp_path / "m.pkl")
        content = (tmp_path / "m.pkl").read_bytes()
        (tmp_path / "m.pkl").write_bytes(content[: int(share * len(content))])
        with pytest.raises(InputError):
            load_motion(tmp_path / "m.pkl")

    def test_something_else_is_named_as_such(self, tmp_path):
        (tmp_path / "m.pkl").write_bytes(pickle.dumps({"a": 1}))
        with pytest.raises(InputError, match="no result of GVHMR, GEM-X, WHAM, 4D-Humans"):
            load_motion(tmp_path / "m.pkl")
