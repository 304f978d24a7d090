"""Motion files of all kinds, by their suffix. No code is loaded from them, and sizes are checked before reading."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..body.files import read_npy
from ..errors import InputError
from ..output import whole_file
from ..weights.torch_file import is_torch_safe, read_torch_file
from . import amass, results, soma
from .array_files import MOST_FRAME_VALUES, MOST_FRAMES, LazyArray, open_npz, open_safetensors, read_checked
from .builtin import builtin_motion, builtin_names
from .bvh import read_bvh, write_bvh
from .glb import read_glb
from .glb_writer import write_glb
from .heads import GLTF_SUFFIXES
from .joblib_file import LARGEST_FILE_SIZE, read_joblib
from .motion import Motion
from .own_format import motion_from_arrays, write_npz, write_safetensors
from .pickled_tensors import LEGACY_HEAD
from .skeletal_animation import animation_from_motion, motion_from_animation
from .upright import UP_CHOICES, posture_notes
from .values import find_rate_name


OWN_SUFFIXES = (".npz", ".safetensors")
WRITTEN_SUFFIXES = (*OWN_SUFFIXES, ".bvh", ".glb")
TORCH_SUFFIXES, PICKLE_SUFFIXES = (".pt", ".pth"), (".pkl", ".joblib")
READ_SUFFIXES = (*WRITTEN_SUFFIXES, ".gltf", ".vrma", *TORCH_SUFFIXES, *PICKLE_SUFFIXES)
LARGEST_TEXT = 256 << 20  # bytes of a BVH file; ten minutes at 120 frames a second have 50 MB


def save_motion(path: Path | str, motion: Motion) -> None:
    """Write a motion. The file appears when it is complete.

    .npz and .safetensors hold all of it. .bvh (centimetres) and .glb (metres, with the skinned body) hold what the
    first person does, for other programs; camera, fingers and confidence are not in them. Raises InputError for
    another suffix and where nothing can be written.
    """
    path = _check_suffix(path, WRITTEN_SUFFIXES)
    write = {".bvh": _write_bvh, ".glb": _write_glb, ".npz": write_npz, ".safetensors": write_safetensors}
    with whole_file(path) as partial, partial.open("wb") as file:
        write[path.suffix.lower()](file, motion)


def load_motion(
    path: Path | str, *, up: str = "auto", names: Mapping[str, str] | None = None, animation: str = ""
) -> Motion:
    """Read a motion by its suffix.

    .npz: ours, AMASS's, GVHMR's, Kimodo's or ROMP's; .safetensors: ours; .bvh, .glb, .gltf and .vrma: any skeleton
    whose bones are known by name; .pt: GVHMR's and GEM-X's results; .pkl and .joblib: results of WHAM, 4D-Humans,
    GVHMR, GLAMR and ROMP, and motions of AIST++ and 3DPW.

    `up` is the axis that points up in the file: auto finds it where the format does not say. `names` maps joints of
    ours to names of a skeleton, for those that are not known. `animation` chooses one of a glTF file by name. What was
    unusual about the file stands in the motion's notes. Raises InputError.
    """
    path = _check_suffix(path, READ_SUFFIXES)
    if up not in UP_CHOICES:
        raise InputError(f"Unknown axis {up!r} for up. Choose one of {', '.join(UP_CHOICES)}.")
    if not path.is_file():
        raise InputError(f"There is no motion file {path}.")
    motion = _load(path, up, names, animation)
    return replace(motion, notes=(*motion.notes, *(f"{path.name}: {note}" for note in posture_notes(motion))))


def _load(path: Path, up: str, names: Mapping[str, str] | None, animation: str) -> Motion:
    suffix = path.suffix.lower()
    if suffix in OWN_SUFFIXES:
        return _load_arrays(path, up)
    if path.stat().st_size > LARGEST_FILE_SIZE:
        raise InputError(
            f"{path.name} has {path.stat().st_size >> 20} MB; at most {LARGEST_FILE_SIZE >> 20} MB are read."
        )
    if suffix == ".bvh" and path.stat().st_size > LARGEST_TEXT:
        raise InputError(f"{path.name} has {path.stat().st_size >> 20} MB; at most {LARGEST_TEXT >> 20} MB are read.")
    if suffix == ".bvh":
        return motion_from_animation(
            read_bvh(_decode_text(path.read_bytes()), file=path.name), file=path.name, up=up, names=names
        )
    if suffix in GLTF_SUFFIXES:
        found = read_glb(path.read_bytes(), file=path.name, folder=path.parent, animation=animation, names=names)
        return motion_from_animation(found, file=path.name, up=up, names=names)
    tree = _load_torch(path) if _is_torch(path) else read_joblib(path)
    return results.motion_from_tree(tree, name=path.name, up=up)


def _decode_text(content: bytes) -> str:
    """Text in UTF-8 or UTF-16, whatever else stands in it."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


def open_motion(
    name: Path | str, *, up: str = "auto", names: Mapping[str, str] | None = None, animation: str = ""
) -> Motion:
    """A motion file, or a motion that ships by its name, such as "walk". A file of that name wins.

    The options are those of `load_motion`. Raises InputError.
    """
    if not Path(name).is_file():
        if str(name) in builtin_names():
            return builtin_motion(str(name))
        if not Path(name).suffix:
            raise InputError(f"There is no motion {name}. Give a file, or one of {', '.join(builtin_names())}.")
    return load_motion(name, up=up, names=names, animation=animation)


def is_motion(name: Path | str) -> bool:
    """Whether `open_motion` is for this: the suffix of a motion file, or a motion that ships."""
    return Path(name).suffix.lower() in READ_SUFFIXES or str(name) in builtin_names()


def check_writable(path: Path | str) -> None:
    """Raise InputError, before any work, where `save_motion` does not know the suffix."""
    _check_suffix(path, WRITTEN_SUFFIXES)


def _load_arrays(path: Path, up: str) -> Motion:
    try:
        arrays, header = (open_npz if path.suffix.lower() == ".npz" else open_safetensors)(path)
        if header is not None:
            return results.turn_upright(motion_from_arrays(path, arrays, header), up)
        if amass.is_amass(arrays):
            return _load_amass(path, arrays, up)
        if soma.is_kimodo(arrays):
            return _load_kimodo(path, arrays, up)
        if results.is_gvhmr(arrays):
            return results.turn_upright(_load_gvhmr(path, arrays), up)
        if "results" in arrays and arrays["results"].kind == "O":
            return _load_romp(path, up)
        return motion_from_arrays(path, arrays, header)
    except (
        zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, KeyError, RuntimeError,
    ) as error:  # fmt: skip
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path.name} is damaged or no motion file: {error}.") from error


def _load_torch(path: Path):
    """The dictionaries of tensors that GVHMR and GEM-X save, nothing else."""
    if not is_torch_safe():
        raise InputError(f"torch {torch.__version__} cannot open {path.name} safely. Update torch to 2.6 or newer.")
    return read_torch_file(path, content="tensors")


def _is_torch(path: Path) -> bool:
    """Whether torch wrote a file, by its first bytes: results of both kinds are found under either suffix."""
    with path.open("rb") as file:
        head = file.read(len(LEGACY_HEAD))
    is_pickle = head[:1] == b"\x80" and not head.startswith(LEGACY_HEAD)
    return head[:2] == b"PK" or head == LEGACY_HEAD or (path.suffix.lower() in TORCH_SUFFIXES and not is_pickle)


def _check_suffix(path: Path | str, known: tuple[str, ...]) -> Path:
    path = Path(path)
    if path.suffix.lower() not in known:
        raise InputError(f"Motion files end in {', '.join(known[:-1])} or {known[-1]}, got {path.name}.")
    return path


def _write_bvh(file, motion: Motion) -> None:
    file.write(write_bvh(animation_from_motion(motion)).encode())


def _write_glb(file, motion: Motion) -> None:
    file.write(write_glb(motion))


def _load_amass(path: Path, arrays: Mapping[str, LazyArray], up: str) -> Motion:
    given = _read_known(path, arrays, amass.KEYS)
    return amass.motion_from_amass(given, name=path.name, up=up)


def _load_kimodo(path: Path, arrays: Mapping[str, LazyArray], up: str) -> Motion:
    return soma.motion_from_kimodo(
        _read_known(path, arrays, ("posed_joints", "global_rot_mats")), name=path.name, up=up
    )


def _load_romp(path: Path, up: str) -> Motion:
    """ROMP's npz, whose one array is a pickled dictionary: read by the pickle reader that runs nothing."""
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("results.npy")
        if entry.file_size > LARGEST_FILE_SIZE:
            raise InputError(f"results in {path.name} declares {entry.file_size >> 20} MB, which is more than is read.")
        tree = read_npy(archive.read(entry), f"results in {path.name}")
    return results.motion_from_tree(tree.reshape(-1)[0] if tree.size == 1 else tree, name=path.name, up=up)


def _read_known(path: Path, arrays: Mapping[str, LazyArray], keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of these names, each of a size that a motion can have, and the frame rate by any name."""
    given = {}
    rate = find_rate_name(arrays)
    for key in (*keys, *([] if rate is None else [rate])):
        if key in arrays:
            limit = (MOST_FRAMES, MOST_FRAME_VALUES, MOST_FRAME_VALUES, 9)[: len(arrays[key].shape)]
            given[key] = read_checked(path, arrays, key, limit=limit, kinds="bfiuOUS" if key == rate else "bfiuO")
    return given


def _load_gvhmr(path: Path, arrays: Mapping[str, LazyArray]) -> Motion:
    wanted = {"body_pose", "betas", "global_orient", "transl", "K_fullimg"}
    given = {}
    for name, array in arrays.items():
        if name.removesuffix("_incam") in wanted:
            limit = (MOST_FRAMES, MOST_FRAME_VALUES, MOST_FRAME_VALUES)[: len(array.shape)]
            given[name] = read_checked(path, arrays, name, limit=limit)
    return results.motion_from_gvhmr(given, name=path.name)
