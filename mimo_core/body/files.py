"""Body files of the SMPL family: .npz, .pkl and .safetensors of SMPL, SMPL-H and SMPL-X.

The files are read here, without running what they hold, and go to `smplx` as arrays. Its licence does not allow
commercial use, so it is imported only when such a file is opened.
"""

from __future__ import annotations

import contextlib
import functools
import io
import math
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from .model import BodyModel, free_body
from .pickles import unpickle


BODY_SUFFIXES = (".npz", ".pkl", ".safetensors")
LARGEST_FILE = 2 << 30
LARGEST_ARRAY = 1 << 29  # bytes; SMPL-X's largest, 300 + 100 components in float64, has 100 MB
NEEDED_ARRAYS = ("v_template", "f", "weights", "J_regressor", "kintree_table", "shapedirs", "posedirs")
OPTIONAL_ARRAYS = ("hands_meanl", "hands_meanr")
FAMILY = {(6890, 24): "smpl", (6890, 52): "smplh", (10475, 55): "smplx"}  # vertices, joints
SMPLX_LANDMARKS = {
    "nose": "nose",
    "reye": "right_eye",
    "leye": "left_eye",
    "rear": "right_ear",
    "lear": "left_ear",
    "LBigToe": "left_big_toe",
    "LSmallToe": "left_small_toe",
    "LHeel": "left_heel",
    "RBigToe": "right_big_toe",
    "RSmallToe": "right_small_toe",
    "RHeel": "right_heel",
}
FINGER_NAMES = ("thumb", "index", "middle", "ring", "pinky")


def open_body(path: str | Path) -> BodyModel:
    """The body model in a file of the SMPL family. Opening the same file again costs nothing.

    Raises InputError where the file is missing, damaged, too large or no body.
    """
    path = Path(path)
    if path.suffix.lower() not in BODY_SUFFIXES:
        raise InputError(f"{path.name} is no body file; known are {', '.join(BODY_SUFFIXES)}.")
    if not path.is_file():
        raise InputError(f"There is no body file at {path}.")
    stat = path.stat()
    if stat.st_size > LARGEST_FILE:
        raise InputError(f"{path.name} has {stat.st_size >> 20} MB; a body file has at most {LARGEST_FILE >> 20} MB.")
    return _open_cached(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=1)
def _open_cached(path: Path, _changed: int, _size: int) -> BodyModel:
    arrays = read_arrays(path)
    _check_arrays(arrays, path.name)
    name = FAMILY[arrays["v_template"].shape[0], arrays["weights"].shape[1]]
    return _build_with_smplx(arrays, name)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a body file that a body needs, as they lie in it; sparse ones dense. Raises InputError."""
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        return _read_safetensors(path)
    if suffix == ".npz":
        return _read_npz(path)
    content = unpickle(path.read_bytes())
    if not isinstance(content, dict):
        raise InputError(f"{path.name} holds no dictionary of arrays, so it is no body file.")
    return {name: content[name] for name in (*NEEDED_ARRAYS, *OPTIONAL_ARRAYS) if name in content}


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="np") as file:
            present = set(file.keys())
            return {name: file.get_tensor(name) for name in (*NEEDED_ARRAYS, *OPTIONAL_ARRAYS) if name in present}
    except SafetensorError as error:
        raise InputError(f"{path.name} is damaged or no safetensors file: {error}.") from error


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            present = {entry.filename: entry for entry in archive.infolist()}
            for name in (*NEEDED_ARRAYS, *OPTIONAL_ARRAYS):
                entry = present.get(f"{name}.npy")
                if entry is None:
                    continue
                if entry.file_size > LARGEST_ARRAY:
                    raise InputError(
                        f"{name} in {path.name} declares {entry.file_size >> 20} MB; too large for a body."
                    )
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise InputError(f"{name} in {path.name} is compressed in a way that numpy does not write.")
                array = read_npy(archive.read(entry), f"{name} in {path.name}")
                arrays[name] = array.reshape(-1)[0] if array.dtype == object and array.size == 1 else array
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        raise InputError(f"{path.name} is damaged or no npz file: {error}.") from error
    return arrays


def read_npy(content: bytes, name: str) -> np.ndarray:
    """An array from the bytes of an .npy file. Object arrays go through the pickle reader that runs nothing.

    Raises InputError with `name` where shape, type and bytes do not fit.
    """
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, is_fortran, kind = header(file)
        if kind.hasobject:
            return np.asarray(unpickle(content[file.tell() :]), dtype=object)
        held = len(content) - file.tell()
        if math.prod(shape) * kind.itemsize != held:
            raise InputError(f"{name} declares {shape} values of {kind}, but holds {held} bytes.")
        return np.frombuffer(content, kind, offset=file.tell()).reshape(shape, order="F" if is_fortran else "C")
    except InputError:
        raise
    except (ValueError, KeyError) as error:
        raise InputError(f"{name} is damaged or no npy file: {error}.") from error


def _check_arrays(arrays: dict[str, np.ndarray], name: str):
    """Make every array a plain one of the right shape, or say what is wrong."""
    missing = [key for key in NEEDED_ARRAYS if arrays.get(key) is None]
    if missing:
        raise InputError(f"{name} is no body file of the SMPL family: it lacks {', '.join(missing)}.")
    for key, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
            raise InputError(f"{key} in {name} is no array of numbers.")
    if arrays["weights"].ndim != 2 or arrays["v_template"].ndim != 2:
        raise InputError(f"weights and v_template in {name} must be tables.")
    vertices, joints = arrays["weights"].shape
    if (vertices, joints) not in FAMILY:
        known = ", ".join(f"{kind} {v} and {j}" for (v, j), kind in FAMILY.items())
        raise InputError(f"{name} has {vertices} vertices and {joints} joints. Known bodies: {known}.")
    expected = {
        "v_template": (vertices, 3),
        "J_regressor": (joints, vertices),
        "kintree_table": (2, joints),
        "posedirs": (vertices, 3, 9 * (joints - 1)),
    }
    for key, shape in expected.items():
        if arrays[key].shape != shape:
            raise InputError(f"{key} in {name} must be {shape}, got {arrays[key].shape}.")
    faces, shapes = arrays["f"], arrays["shapedirs"]
    if shapes.ndim != 3 or shapes.shape[:2] != (vertices, 3) or shapes.shape[2] < 10:
        raise InputError(f"shapedirs in {name} must be ({vertices}, 3, 10 or more), got {shapes.shape}.")
    if faces.ndim != 2 or faces.shape[1] != 3 or not len(faces) or faces.min() < 0 or faces.max() >= vertices:
        raise InputError(f"The faces f in {name} must be (faces, 3) and name vertices 0 to {vertices - 1}.")
    _check_values(arrays, name)


def _check_values(arrays: dict[str, np.ndarray], name: str):
    for key in NEEDED_ARRAYS:
        if not np.isfinite(arrays[key]).all():
            raise InputError(f"{key} in {name} holds NaN or infinity.")
    for key in OPTIONAL_ARRAYS:
        if key in arrays and (arrays[key].shape != (45,) or not np.isfinite(arrays[key]).all()):
            raise InputError(f"{key} in {name} must be 45 finite numbers, got {arrays[key].shape}.")
    parents = _joint_parents(arrays)
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents[1:], 1)):
        raise InputError(f"kintree_table in {name} must name for each joint a parent that comes before it.")


def _joint_parents(arrays: dict[str, np.ndarray]) -> tuple[int, ...]:
    # The root's parent is written as -1, or as 2^32 - 1.
    return (-1, *(int(parent) for parent in arrays["kintree_table"][0][1:]))


def _build_with_smplx(arrays: dict[str, np.ndarray], name: str) -> BodyModel:
    try:
        import smplx
        from smplx.utils import Struct
        from smplx.vertex_ids import vertex_ids
    except ImportError as error:
        raise InputError(
            "Files of the SMPL family need the package smplx, which may not be used commercially: pip install smplx. "
            "The free body needs neither."
        ) from error
    ids = vertex_ids["smplx" if name == "smplx" else "smplh"]
    plain = {key: np.ascontiguousarray(array, np.float32) for key, array in arrays.items() if key in NEEDED_ARRAYS}
    plain["f"] = arrays["f"].astype(np.int64)
    plain["kintree_table"] = np.array([_joint_parents(arrays), range(len(_joint_parents(arrays)))])
    absent = {f"create_{part}": False for part in ("betas", "global_orient", "body_pose", "transl")}
    # smplx writes a warning about 10 shape components to standard output, where commands print their results.
    with contextlib.redirect_stdout(io.StringIO()):
        # Of the family's classes only SMPL takes arrays without a path; it fits all of them, hands and all.
        layer = smplx.SMPL("", data_struct=Struct(**plain), vertex_ids=ids, **absent)
    names = {**SMPLX_LANDMARKS, **{f"{s}{finger}": f"{side}_{finger}" for s, side in _SIDES for finger in FINGER_NAMES}}
    hands = [arrays.get(key, np.zeros(45)) for key in OPTIONAL_ARRAYS]
    body = BodyModel(
        name=name,
        template=layer.v_template,
        shapedirs=layer.shapedirs,
        posedirs=layer.posedirs.T.reshape(-1, 3, layer.posedirs.shape[0]),
        weights=layer.lbs_weights,
        joint_regressor=layer.J_regressor,
        parents=tuple(layer.parents.tolist()),
        faces=layer.faces_tensor,
        landmarks={names[key]: vertex for key, vertex in ids.items()},
        hands_mean=None if name == "smpl" else torch.from_numpy(np.concatenate(hands).astype(np.float32)),
    )
    return _recognize_free_body(body)


_SIDES = (("l", "left"), ("r", "right"))


def _recognize_free_body(body: BodyModel) -> BodyModel:
    """The free body under its own name when it comes in SMPL's file form: what fits SMPL's vertices does not fit it."""
    free = free_body()
    same = body.faces.shape == free.faces.shape and torch.equal(body.faces, free.faces)
    return replace(body, name="free", uv=free.uv, uv_faces=free.uv_faces) if same else body
