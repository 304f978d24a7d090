"""Body files of the SMPL family: what is read, what is refused, and that smplx agrees."""

import io
import os
import pickle
import struct
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from mimo_core.body import files
from mimo_core.body.colors import choose_colors, read_official_colors
from mimo_core.body.files import open_body, read_npy
from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.body.pickles import unpickle
from mimo_core.body.skeleton import PARENTS, family_joints
from mimo_core.errors import InputError


smplx = pytest.importorskip("smplx")
ROOT = Path(__file__).resolve().parents[1]
VERTICES = {24: 6890, 52: 6890, 55: 10475}
NAME = {24: "smpl", 52: "smplh", 55: "smplx"}


def parents_of(joints: int) -> list[int]:
    if joints == 24:
        return list(PARENTS)
    first = joints - 30  # of the finger joints
    fingers = [first + joint - 1 if joint % 3 else 20 + joint // 15 for joint in range(30)]
    return [*PARENTS[:22], *[15] * (joints - 52), *fingers]


def family_arrays(joints: int) -> dict[str, np.ndarray]:
    """The free body in SMPL's file form, with fingers, pose displacements and another topology made up."""
    body = free_body()
    random = np.random.default_rng(joints)
    extra = VERTICES[joints] - body.vertices
    weights = np.zeros((VERTICES[joints], joints), np.float32)
    weights[: body.vertices, :22] = body.weights[:, :22]
    for hand, columns in zip((22, 23), np.split(np.arange(joints)[22 if joints == 24 else -30 :], 2), strict=True):
        spread = random.dirichlet(np.ones(len(columns)), body.vertices)
        weights[: body.vertices, columns] = body.weights[:, hand : hand + 1].numpy() * spread
    weights[body.vertices :, 0] = 1
    regressor = random.dirichlet(np.full(VERTICES[joints], 0.001), joints)
    kintree = np.array([parents_of(joints), range(joints)], np.int64)
    kintree[0, 0] = 2**32 - 1
    shapes = np.concatenate([body.shapedirs.numpy(), 1e-3 * random.standard_normal((extra, 3, 10))])
    arrays = {
        "v_template": np.concatenate([body.template.numpy(), random.standard_normal((extra, 3))]),
        "f": body.faces.numpy()[::-1].astype(np.uint32),
        "weights": weights,
        "J_regressor": regressor,
        "kintree_table": kintree,
        "shapedirs": shapes,
        "posedirs": 1e-3 * random.random((VERTICES[joints], 3, 9 * (joints - 1)), np.float32),
    }
    if joints > 24:
        arrays |= {"hands_meanl": random.standard_normal(45) / 5, "hands_meanr": random.standard_normal(45) / 5}
    return arrays


@pytest.fixture(scope="module")
def arrays():
    return {joints: family_arrays(joints) for joints in NAME}


def moving(body, frames=2, **changes):
    generator = torch.Generator().manual_seed(1)
    values = {
        "betas": torch.randn(10, generator=generator),
        "global_orient": torch.randn(frames, 3, generator=generator),
        "body_pose": 0.4 * torch.randn(frames, 69, generator=generator),
        "transl": torch.randn(frames, 3, generator=generator),
        "left_hand_pose": 0.4 * torch.randn(frames, 45, generator=generator),
        "right_hand_pose": 0.4 * torch.randn(frames, 45, generator=generator),
        "body": body.name,
    }
    return Person(**{**values, **changes})


def write(path, arrays):
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".safetensors":
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)
    else:
        path.write_bytes(pickle.dumps(arrays, protocol=2))
    return path


@pytest.fixture
def chumpy(monkeypatch):
    """A stand-in that pickles as the real chumpy does; it is gone when the file is read."""
    package, ch, reordering = (types.ModuleType(name) for name in ("chumpy", "chumpy.ch", "chumpy.reordering"))

    class Ch:
        def __init__(self, **state):
            self.__dict__.update(state, _dirty_vars=set(), _itr=None, _parents={})

    class Select(Ch):
        pass

    for owner, kind in ((ch, Ch), (reordering, Select)):
        kind.__module__, kind.__qualname__ = owner.__name__, kind.__name__
        setattr(owner, kind.__name__, kind)
    with monkeypatch.context() as patched:
        for module in (package, ch, reordering):
            patched.setitem(sys.modules, module.__name__, module)
        yield types.SimpleNamespace(Ch=Ch, Select=Select)


class TestSkinningAgainstSmplx:
    """Reference: smplx 0.1.28."""

    def test_the_free_body_equals_smplx_on_the_same_arrays(self):
        body = free_body()
        person = moving(body, left_hand_pose=None, right_hand_pose=None)
        layer = self.layer(
            v_template=body.template.numpy(),
            f=body.faces.numpy(),
            weights=body.weights.numpy(),
            J_regressor=body.joint_regressor.numpy(),
            shapedirs=body.shapedirs.numpy(),
            posedirs=np.zeros((body.vertices, 3, 207), np.float32),
            kintree_table=np.array([body.parents, range(24)]),
        )
        self.compare(body, person, layer(**self.parameters(person)))

    def test_an_smpl_file_poses_as_smplx_does(self, arrays, tmp_path):
        body = open_body(write(tmp_path / "SMPL_NEUTRAL.npz", arrays[24]))
        assert body.name == "smpl"
        person = moving(body)
        self.compare(body, person, self.layer(**arrays[24])(**self.parameters(person)))

    def test_an_smplh_file_poses_as_smplx_does(self, arrays, tmp_path):
        body = open_body(write(tmp_path / "SMPLH_NEUTRAL.npz", arrays[52]))
        assert body.name == "smplh"
        person = moving(body)
        components = {"hands_componentsl": np.eye(45), "hands_componentsr": np.eye(45)}
        layer = smplx.SMPLH(
            "", data_struct=self.struct(**arrays[52], **components), use_pca=False, flat_hand_mean=True, batch_size=2
        )
        self.compare(body, person, layer(**self.parameters(person, hands=True)))

    def test_an_smplx_file_poses_as_smplx_does(self, arrays, tmp_path):
        body = open_body(write(tmp_path / "SMPLX_NEUTRAL.npz", arrays[55]))
        assert body.name == "smplx"
        person = moving(body)
        landmarks = {"lmk_faces_idx": np.zeros(51, np.int64), "lmk_bary_coords": np.full((51, 3), 1 / 3)}
        components = {"hands_componentsl": np.eye(45), "hands_componentsr": np.eye(45)}
        shapedirs = np.concatenate([arrays[55]["shapedirs"], np.zeros((VERTICES[55], 3, 10))], 2)
        whole = {**arrays[55], **landmarks, **components, "shapedirs": shapedirs}
        path = write(tmp_path / "whole.npz", whole)
        layer = smplx.SMPLX(str(path), ext="npz", use_pca=False, flat_hand_mean=True, batch_size=2)
        self.compare(body, person, layer(**self.parameters(person, hands=True)))

    def test_unknown_hands_are_relaxed(self, arrays, tmp_path):
        body = open_body(write(tmp_path / "SMPLH_NEUTRAL.npz", arrays[52]))
        means = [torch.tensor(arrays[52][f"hands_mean{side}"]).float().expand(2, -1) for side in "lr"]
        unknown = body.pose(moving(body, left_hand_pose=None, right_hand_pose=None))
        relaxed = body.pose(moving(body, left_hand_pose=means[0], right_hand_pose=means[1]))
        torch.testing.assert_close(unknown.vertices, relaxed.vertices)

    @staticmethod
    def struct(**arrays):
        kintree = arrays["kintree_table"].copy()
        kintree[0, 0] = 0
        return smplx.utils.Struct(**{**arrays, "f": arrays["f"].astype(np.int64), "kintree_table": kintree})

    def layer(self, **arrays):
        return smplx.SMPL("", data_struct=self.struct(**arrays), batch_size=2)

    @staticmethod
    def parameters(person, hands=False):
        values = {name: getattr(person, name) for name in ("global_orient", "body_pose", "transl")}
        values["betas"] = person.betas.expand(2, -1)
        if hands:
            values |= {name: getattr(person, name) for name in ("left_hand_pose", "right_hand_pose")}
            values["body_pose"] = person.body_pose[:, :63]
        return values

    @staticmethod
    def compare(body, person, expected):
        posed = body.pose(person)
        torch.testing.assert_close(posed.vertices, expected.vertices.detach(), atol=1e-5, rtol=0)
        joints = expected.joints.detach()[:, list(family_joints(len(body.parents)))]
        torch.testing.assert_close(posed.joints, joints, atol=1e-5, rtol=0)


class TestForms:
    def test_npz_pkl_and_safetensors_open_alike(self, arrays, tmp_path):
        models = [open_body(write(tmp_path / f"body{suffix}", arrays[24])) for suffix in files.BODY_SUFFIXES]
        for name in ("template", "shapedirs", "posedirs", "weights", "joint_regressor", "faces"):
            for model in models[1:]:
                torch.testing.assert_close(getattr(model, name), getattr(models[0], name), atol=0, rtol=0)

    def test_chumpy_and_scipy_objects_are_read_without_chumpy(self, arrays, tmp_path, chumpy):
        scipy_sparse = pytest.importorskip("scipy.sparse")
        plain = arrays[24]
        whole = plain["v_template"]
        shuffled = np.random.default_rng(0).permutation(whole.size)
        chosen = chumpy.Select(
            a=chumpy.Ch(x=whole.ravel()[shuffled]), idxs=np.argsort(shuffled), preferred_shape=whole.shape
        )
        official = {
            **plain,
            "v_template": chosen,
            "shapedirs": chumpy.Ch(x=plain["shapedirs"]),
            "posedirs": chumpy.Ch(x=plain["posedirs"]),
            "J_regressor": scipy_sparse.csc_matrix(plain["J_regressor"]),
            "weights": np.asfortranarray(plain["weights"].astype(">f8")),
            "bs_type": "lrotmin",
        }
        expected = open_body(write(tmp_path / "plain.npz", plain))
        path = write(tmp_path / "official.pkl", official)
        for name in ("chumpy", "chumpy.ch", "chumpy.reordering"):
            del sys.modules[name]
        body = open_body(path)
        for name in ("template", "shapedirs", "posedirs", "weights", "joint_regressor"):
            torch.testing.assert_close(getattr(body, name), getattr(expected, name), atol=1e-7, rtol=0)

    @pytest.mark.parametrize("protocol", range(3))
    def test_chumpy_is_read_from_old_protocols(self, chumpy, protocol):
        read = unpickle(pickle.dumps({"v": chumpy.Ch(x=np.arange(4.0))}, protocol))
        np.testing.assert_array_equal(read["v"], np.arange(4.0))

    def test_arrays_written_by_python_2_are_read(self):
        values = np.array([1.5, -2.0, 1e-300])
        content = (
            b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01K\x03\x85"
            b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x18"
        )
        np.testing.assert_array_equal(unpickle(content + values.tobytes() + b"tb."), values)

    def test_row_compressed_matrices_are_read(self):
        scipy_sparse = pytest.importorskip("scipy.sparse")
        dense = np.random.default_rng(0).random((5, 9)).round()
        for kind in (scipy_sparse.csr_matrix, scipy_sparse.csc_matrix):
            np.testing.assert_array_equal(unpickle(pickle.dumps(kind(dense))), dense)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_every_pickle_protocol_is_read(self, protocol):
        value = {
            "a": np.arange(6, dtype=">i4").reshape(2, 3),
            "b": [1, "x", np.float64(2.5)],
            "c": np.array(["k", {}], object),
        }
        read = unpickle(pickle.dumps(value, protocol))
        np.testing.assert_array_equal(read["a"], value["a"])
        assert read["b"] == [1, "x", 2.5]
        assert list(read["c"]) == ["k", {}]

    def test_object_arrays_in_an_npz_are_read(self, arrays, tmp_path):
        scipy_sparse = pytest.importorskip("scipy.sparse")
        official = {**arrays[24], "J_regressor": np.array(scipy_sparse.csc_matrix(arrays[24]["J_regressor"]), object)}
        body = open_body(write(tmp_path / "official.npz", official))
        expected = torch.tensor(arrays[24]["J_regressor"]).float()
        torch.testing.assert_close(body.joint_regressor, expected)

    def test_landmarks_have_our_names(self, arrays, tmp_path):
        assert open_body(write(tmp_path / "body.npz", arrays[24])).landmarks == free_body().landmarks

    def test_the_free_body_in_smpl_form_is_recognized(self, arrays, tmp_path):
        disguised = {**arrays[24], "f": free_body().faces.numpy()}
        body = open_body(write(tmp_path / "disguised.npz", disguised))
        assert body.name == "free"
        with pytest.raises(InputError, match="belongs to SMPL's vertices"):
            choose_colors(body, torch.rand(6890, 3))


class Command:
    """What a malicious file holds: a call that the normal pickle reader would make."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def malicious(tmp_path):
    return Command(os.system, f"touch {tmp_path / 'executed'}")


class TestMaliciousFiles:
    @pytest.mark.parametrize("protocol", [0, 2, 4])
    def test_a_command_in_a_pickle_is_refused_and_not_run(self, malicious, arrays, tmp_path, protocol):
        content = pickle.dumps({**arrays[24], "extra": malicious}, protocol)
        path = tmp_path / "body.pkl"
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"\.system"):
            open_body(path)
        assert not (tmp_path / "executed").exists()
        pickle.loads(pickle.dumps(malicious))  # noqa: S301 (shows that the payload is real)
        assert (tmp_path / "executed").exists()

    def test_a_command_in_an_object_array_is_refused_and_not_run(self, malicious, arrays, tmp_path):
        np.savez(tmp_path / "body.npz", **{**arrays[24], "J_regressor": np.array([malicious], object)})
        with pytest.raises(InputError, match=r"\.system"):
            open_body(tmp_path / "body.npz")
        np.save(tmp_path / "sdc_info.npy", np.array({"smpl": malicious}))
        with pytest.raises(InputError, match=r"\.system"):
            read_official_colors(tmp_path / "sdc_info.npy")
        assert not (tmp_path / "executed").exists()

    @pytest.mark.parametrize(
        "name",
        [
            "builtins eval",
            "builtins getattr",
            "os system",
            "numpy load",
            "numpy.core.multiarray set_string_function",
            "numpy.f2py.crackfortran myeval",
            "scipy.sparse load_npz",
            "collections deque",
            "mimo_core.body.pickles _Reader",
        ],
    )
    def test_names_beyond_the_list_are_refused(self, name):
        with pytest.raises(InputError, match="refused"):
            unpickle(f"c{name.replace(' ', chr(10))}\n.".encode())

    def test_the_reconstructor_makes_stubs_only(self):
        with pytest.raises(InputError, match="not a class"):
            unpickle(b"ccopy_reg\n_reconstructor\n(c__builtin__\nset\nc__builtin__\nobject\nNtR.")


class TestDamagedFiles:
    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"hello",
            b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc.",  # declares a terabyte
            b"\x80\x02}r" + struct.pack("<I", 0x7FFFFFFF) + b".",  # would make a memo of 2 billion entries
            pickle.dumps({"a": np.arange(100)})[:-30],
            b"\x80\x02]q\x00h\x07.",
        ],
    )
    def test_a_pickle_that_is_cut_off_or_lies_about_sizes_is_refused(self, content):
        with pytest.raises(InputError):
            unpickle(content)

    def test_an_array_that_does_not_fit_its_shape_is_refused(self):
        content = pickle.dumps(np.arange(6, dtype=np.uint8).reshape(2, 3), protocol=2)
        with pytest.raises(InputError, match="does not fit"):
            unpickle(content.replace(b"K\x02K\x03\x86", b"K\x02K\x04\x86"))

    def test_a_nesting_without_end_is_refused(self):
        with pytest.raises(InputError, match="nested"):
            unpickle(pickle.dumps([[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]))
        endless = []
        endless.append(endless)
        with pytest.raises(InputError, match="nested"):
            unpickle(pickle.dumps(endless))

    def test_lists_of_the_same_list_do_not_grow_without_bound(self):
        level = [0]
        for _ in range(15):
            level = [level] * 50
        read = unpickle(pickle.dumps(level))
        assert read[0] is read[49]

    def test_a_sparse_matrix_that_claims_more_values_than_it_has_is_refused(self):
        scipy_sparse = pytest.importorskip("scipy.sparse")
        matrix = scipy_sparse.csc_matrix(np.eye(3))
        matrix.indptr = np.array([0, 1, 2, 1 << 30])
        with pytest.raises(InputError, match="3x3"):
            unpickle(pickle.dumps(matrix))

    def test_many_sparse_matrices_that_unfold_to_more_than_a_body_has_are_refused(self):
        scipy_sparse = pytest.importorskip("scipy.sparse")
        large = [scipy_sparse.csc_matrix((4000, 4000), dtype=np.float32) for _ in range(12)]
        with pytest.raises(InputError, match="more sparse matrices"):
            unpickle(pickle.dumps(large))

    def test_bytes_changed_inside_an_npz_are_noticed(self, arrays, tmp_path):
        np.savez_compressed(tmp_path / "body.npz", **{**arrays[24], "posedirs": np.zeros((6890, 3, 207))})
        content = bytearray((tmp_path / "body.npz").read_bytes())
        content[5000:5100] = bytes(100)
        (tmp_path / "body.npz").write_bytes(content)
        with pytest.raises(InputError, match="damaged"):
            open_body(tmp_path / "body.npz")

    @pytest.mark.parametrize("header", [{"shape": (-2, -3)}, {"descr": "|S0", "shape": (6,)}])
    def test_an_npy_of_impossible_values_is_refused(self, header):
        file = io.BytesIO()
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, **header})
        content = bytes(48) if "descr" not in header else b""
        with pytest.raises(InputError):
            read_npy(file.getvalue() + content, "v_template")

    def test_an_npy_that_declares_more_than_it_holds_is_refused(self):
        file = io.BytesIO()
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40, 3)})
        with pytest.raises(InputError, match="declares"):
            read_npy(file.getvalue() + bytes(100), "v_template")

    def test_an_npz_entry_that_declares_too_much_is_not_unpacked(self, arrays, tmp_path, monkeypatch):
        path = write(tmp_path / "body.npz", arrays[24])
        monkeypatch.setattr(files, "LARGEST_ARRAY", 1 << 20)
        with pytest.raises(InputError, match="declares"):
            open_body(path)

    @pytest.mark.parametrize("suffix", files.BODY_SUFFIXES)
    @pytest.mark.parametrize("keep", [0, 1000, -1000])
    def test_a_file_that_is_cut_off_is_refused(self, arrays, tmp_path, suffix, keep):
        path = write(tmp_path / f"body{suffix}", arrays[24])
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(InputError):
            open_body(path)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"weights": None}, "lacks weights"),
            ({"v_template": np.zeros((100, 3))}, "v_template"),
            ({"weights": np.zeros((100, 24))}, "100 vertices and 24 joints"),
            ({"f": np.full((10, 3), 6890)}, "vertices 0 to 6889"),
            ({"v_template": np.full((6890, 3), np.nan)}, "NaN"),
            ({"kintree_table": np.full((2, 24), 23)}, "parent"),
            ({"shapedirs": np.zeros((6890, 3, 9))}, "10 or more"),
            ({"J_regressor": np.array(["text"])}, "numbers"),
        ],
    )
    def test_arrays_that_do_not_make_a_body_are_refused(self, arrays, tmp_path, change, message):
        changed = {name: array for name, array in {**arrays[24], **change}.items() if array is not None}
        with pytest.raises(InputError, match=message):
            open_body(write(tmp_path / "body.npz", changed))

    def test_a_missing_or_foreign_file_is_named(self, tmp_path):
        with pytest.raises(InputError, match="no body file at"):
            open_body(tmp_path / "absent.npz")
        with pytest.raises(InputError, match=r"\.npz, \.pkl, \.safetensors"):
            open_body(tmp_path / "body.obj")


class TestColorTable:
    @pytest.mark.parametrize("columns", [3, 4])
    @pytest.mark.parametrize("scale", [1, 1.0, 1 / 255])
    def test_every_form_of_it_gives_the_same_colours(self, tmp_path, columns, scale):
        table = np.random.default_rng(0).integers(0, 256, (6890, columns)).astype(np.uint8)
        stored = table if scale == 1 and isinstance(scale, int) else table * scale
        np.save(tmp_path / "sdc_info.npy", np.array({"smpl": stored}))
        colors = read_official_colors(tmp_path / "sdc_info.npy")
        torch.testing.assert_close(colors, torch.tensor(table[:, :3] / 255).float())

    def test_it_fits_an_smpl_file(self, arrays, tmp_path):
        body = open_body(write(tmp_path / "body.npz", arrays[24]))
        table = torch.rand(6890, 3)
        torch.testing.assert_close(choose_colors(body, table), table)

    def test_a_file_without_the_entry_is_refused(self, tmp_path):
        np.save(tmp_path / "sdc_info.npy", np.array({"smplx": np.zeros((3, 3))}))
        with pytest.raises(InputError, match="no entry 'smpl'"):
            read_official_colors(tmp_path / "sdc_info.npy")


WITHOUT_SMPLX = """
import importlib, pkgutil, sys
sys.modules["smplx"] = None
import torch
import mimo_core
for module in pkgutil.walk_packages(mimo_core.__path__, "mimo_core."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
from mimo_core.body.files import open_body
from mimo_core.render.styles import render_motion
from mimo_core.geometry.camera import Camera
from mimo_core.errors import InputError
from mimo_core.motion.motion import Motion
from mimo_core.body.person import Person
still = Person(torch.zeros(10), torch.zeros(1, 3), torch.zeros(1, 69), torch.tensor([[0, 0.3, -3]]))
(frame, mask), = render_motion(Motion((still,), 24.0, Camera.for_size(64, 64)))
assert mask.any()
try:
    open_body(sys.argv[1])
except InputError as error:
    sys.exit(f"refused: {error}")
"""


class TestWithoutSmplx:
    def test_everything_but_family_files_works(self, arrays, tmp_path):
        path = write(tmp_path / "body.npz", arrays[24])
        command = [sys.executable, "-c", WITHOUT_SMPLX, str(path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert "refused: Files of the SMPL family need the package smplx" in done.stderr
