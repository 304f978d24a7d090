"""Motion files of all kinds, by their suffix. No code is loaded from them, and sizes are checked before reading."""

from __future__ import annotations

import json
import pickle
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..body.person import PER_FRAME, Person
from ..errors import InputError
from ..geometry.camera import Camera
from ..output import whole_file
from . import amass, results
from .builtin import builtin_motion, builtin_names
from .bvh import read_bvh, write_bvh
from .glb import read_glb
from .glb_writer import write_glb
from .joblib_file import LARGEST, read_joblib
from .motion import Motion
from .seen import LARGEST_PACKED, SeenMasks
from .take import motion_of, take_of


OWN = (".npz", ".safetensors")
WRITTEN = (*OWN, ".bvh", ".glb")
TORCH, JOBLIB = (".pt", ".pth"), (".pkl", ".joblib")
READ = (*WRITTEN, *TORCH, *JOBLIB)
FORMAT = "mimo motion 1"
MOST_FRAMES = 200_000  # nearly two hours at 30 frames a second
SAFE_TORCH = (2, 6)  # before it, weights_only=True could be made to run code (CVE-2025-32434)
MOST_PEOPLE = 16
MOST_VALUES = 600  # numbers per frame and array; AMASS's DMPL and marker arrays are not read


@dataclass(frozen=True)
class _Array:
    """An array in a file that has not been read yet."""

    shape: tuple[int, ...]
    kind: str  # numpy's letter for the kind of its values
    read: Callable[[], np.ndarray]


def save_motion(path: Path | str, motion: Motion) -> None:
    """Write a motion. The file appears when it is complete.

    .npz and .safetensors hold all of it. .bvh (centimetres) and .glb (metres, with the skinned body) hold what the
    first person does, for other programs; camera, fingers and confidence are not in them.
    """
    path = _checked_suffix(path, WRITTEN)
    if path.suffix.lower() not in OWN:
        content = write_bvh(take_of(motion)).encode() if path.suffix.lower() == ".bvh" else write_glb(motion)
        _replace(path, lambda file: file.write(content))
        return
    arrays = {name: value.detach().cpu().contiguous() for name, value in _arrays(motion).items()}
    about = {
        "format": FORMAT,
        "fps": motion.fps,
        "focal": motion.camera.focal,
        "center": motion.camera.center,
        "size": motion.camera.size,
        "bodies": [person.body for person in motion.people],
    }
    if motion.seen is not None:
        about["seen"] = (motion.seen.width, motion.seen.height)
    header = json.dumps(about)
    if path.suffix.lower() == ".npz":
        _replace(path, lambda file: _write_npz(file, arrays, header))
        return
    from safetensors.torch import save

    _replace(path, lambda file: file.write(save(arrays, metadata={"motion": header})))


def load_motion(path: Path | str) -> Motion:
    """Read a motion by its suffix.

    .npz: ours, AMASS's (Z up) or GVHMR's; .safetensors: ours; .bvh and .glb: any skeleton with names of SMPL, CMU or
    Mixamo; .pt: GVHMR's result; .pkl and .joblib: results of WHAM and 4D-Humans. Raises InputError.
    """
    path = _checked_suffix(path, READ)
    if not path.is_file():
        raise InputError(f"There is no motion file {path}.")
    suffix = path.suffix.lower()
    if suffix in OWN:
        return _load_arrays(path)
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path.name} has {path.stat().st_size >> 20} MB; at most {LARGEST >> 20} MB are read.")
    if suffix == ".bvh":
        return motion_of(read_bvh(path.read_text("utf-8-sig", "replace"), file=path.name), file=path.name)
    if suffix == ".glb":
        return motion_of(read_glb(path.read_bytes(), file=path.name), file=path.name)
    if suffix in TORCH:
        return _load_torch(path)
    return results.from_joblib(read_joblib(path), name=path.name)


def open_motion(name: Path | str) -> Motion:
    """A motion file, or a motion that ships by its name, such as "walk". A file of that name wins."""
    if str(name) in builtin_names() and not Path(name).is_file():
        return builtin_motion(str(name))
    return load_motion(name)


def is_motion(name: Path | str) -> bool:
    """Whether `open_motion` is for this: the suffix of a motion file, or a motion that ships."""
    return Path(name).suffix.lower() in READ or str(name) in builtin_names()


def check_writable(path: Path | str) -> None:
    """Raise InputError, before any work, where `save_motion` does not know the suffix."""
    _checked_suffix(path, WRITTEN)


def _load_arrays(path: Path) -> Motion:
    try:
        arrays, header = (_open_npz if path.suffix.lower() == ".npz" else _open_safetensors)(path)
        if header is None and "poses" in arrays:
            return _load_amass(path, arrays)
        if header is None and results.is_gvhmr(arrays):
            return _load_gvhmr(path, arrays)
        return _motion(path, arrays, header)
    except (zipfile.BadZipFile, zlib.error, EOFError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is damaged or no motion file: {error}.") from error


def _load_torch(path: Path) -> Motion:
    """GVHMR's hmr4d_results.pt: dictionaries of tensors, nothing else."""
    version = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if version < SAFE_TORCH:
        raise InputError(f"torch {torch.__version__} cannot open {path.name} safely. Update torch to 2.6 or newer.")
    try:
        # Mapped from the disk: GVHMR also saves what its network put out, which is not wanted.
        tree = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path.name} is damaged, or holds more than tensors, which is not opened: {reason}"
        ) from error
    if not isinstance(tree, dict) or not results.is_gvhmr(tree):
        raise InputError(f"{path.name} is no result of GVHMR: it has no smpl_params_global.")
    return results.from_gvhmr(tree, name=path.name)


def save_amass(path: Path | str, motion: Motion) -> None:
    """Write the first person in AMASS's form (SMPL-H, 156 values a frame, Z up) for other tools."""
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"AMASS files are .npz, got {path.name}.")
    _replace(path, lambda file: np.savez_compressed(file, **amass.to_amass(motion)))


def _checked_suffix(path: Path | str, known: tuple[str, ...]) -> Path:
    path = Path(path)
    if path.suffix.lower() not in known:
        raise InputError(f"Motion files end in {', '.join(known[:-1])} or {known[-1]}, got {path.name}.")
    return path


def _arrays(motion: Motion) -> dict[str, Tensor]:
    arrays = {}
    for number, person in enumerate(motion.people):
        arrays[f"{number}.betas"] = person.betas
        for name in PER_FRAME:
            if getattr(person, name) is not None:
                arrays[f"{number}.{name}"] = getattr(person, name)
    if motion.camera.camera_from_world is not None:
        arrays["camera_from_world"] = motion.camera.camera_from_world
    if motion.seen is not None:
        content, lengths = motion.seen.arrays()
        arrays["seen"] = torch.from_numpy(content.copy())
        arrays["seen.lengths"] = torch.from_numpy(lengths)
    return arrays


def _write_npz(file, arrays: Mapping[str, Tensor], header: str) -> None:
    text = np.frombuffer(header.encode(), np.uint8)
    np.savez_compressed(file, motion=text, **{name: value.numpy() for name, value in arrays.items()})


def _replace(path: Path, write: Callable) -> None:
    with whole_file(path) as partial, partial.open("wb") as file:
        write(file)


def _open_npz(path: Path) -> tuple[dict[str, _Array], dict | None]:
    archive = zipfile.ZipFile(path)
    arrays = {}
    for member in archive.infolist():
        if member.filename.endswith(".npy"):
            name = member.filename[: -len(".npy")]
            arrays[name] = _npy(path, archive, member)
    header = None
    if "motion" in arrays:
        _check_shape(path, "motion", arrays["motion"].shape, limit=(1 << 16,))
        header = json.loads(arrays["motion"].read().astype(np.uint8).tobytes().decode())
    return arrays, header


def _npy(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _Array:
    """An array of an .npz by its header. Object arrays would need pickle and are refused when they are read."""
    with archive.open(member) as file:
        try:
            version = np.lib.format.read_magic(file)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = reader(file)
        except ValueError as error:
            raise InputError(f"{path.name} is damaged: {member.filename} is no array ({error}).") from error

    def read() -> np.ndarray:
        if dtype.hasobject:
            raise InputError(
                f"{path.name} holds Python objects in {member.filename}, which are not loaded. Save arrays."
            )
        with archive.open(member) as file:
            return np.lib.format.read_array(file, allow_pickle=False)

    return _Array(tuple(shape), dtype.kind, read)


def _open_safetensors(path: Path) -> tuple[dict[str, _Array], dict | None]:
    from safetensors import SafetensorError, safe_open

    try:
        file = safe_open(str(path), framework="np")
    except SafetensorError as error:
        raise InputError(f"{path.name} is damaged or no motion file: {error}.") from error
    header = (file.metadata() or {}).get("motion")
    arrays = {
        name: _Array(tuple(file.get_slice(name).get_shape()), "f", lambda name=name: file.get_tensor(name))
        for name in file.keys()  # noqa: SIM118 (not a mapping)
    }
    return arrays, None if header is None else json.loads(header)


def _motion(path: Path, arrays: Mapping[str, _Array], header: dict | None) -> Motion:
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(
            f"{path.name} is not a motion of this program ({FORMAT}) and has no AMASS 'poses'. "
            f"It holds: {', '.join(sorted(arrays)) or 'nothing'}."
        )
    try:
        bodies = [str(body) for body in header["bodies"]]
        fps, focal = float(header["fps"]), float(header["focal"])
        (center_x, center_y), (width, height) = header["center"], header["size"]
        center, size = (float(center_x), float(center_y)), (int(width), int(height))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path.name} is damaged: its header lacks or garbles {error}.") from error
    if not 1 <= len(bodies) <= MOST_PEOPLE:
        raise InputError(f"{path.name} holds {len(bodies)} people; 1 to {MOST_PEOPLE} can be read.")
    extrinsics = None
    if "camera_from_world" in arrays:
        extrinsics = torch.from_numpy(_read(path, arrays, "camera_from_world", limit=(MOST_FRAMES, 4, 4))).float()
    people = tuple(_person(path, arrays, number, body) for number, body in enumerate(bodies))
    return Motion(people, fps, Camera(focal, center, size, extrinsics), _seen_masks(path, arrays, header))


def _seen_masks(path: Path, arrays: Mapping[str, _Array], header: dict) -> SeenMasks | None:
    if header.get("seen") is None:
        return None
    try:
        width, height = (int(side) for side in header["seen"])
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path.name} is damaged: its header garbles the size of the masks ({error}).") from error
    content = _read(path, arrays, "seen", limit=(LARGEST_PACKED,))
    lengths = _read(path, arrays, "seen.lengths", limit=(MOST_FRAMES,))
    return SeenMasks.from_arrays(content, lengths, width=width, height=height, name=path.name)


def _person(path: Path, arrays: Mapping[str, _Array], number: int, body: str) -> Person:
    values = {"betas": torch.from_numpy(_read(path, arrays, f"{number}.betas", limit=(10,))).float()}
    for name, shape in PER_FRAME.items():
        key = f"{number}.{name}"
        if key in arrays:
            value = torch.from_numpy(
                _read(path, arrays, key, limit=(MOST_FRAMES, *(max(size, MOST_VALUES) for size in shape)))
            )
            values[name] = value if value.dtype == torch.bool else value.float()
    if missing := {"global_orient", "body_pose", "transl"} - values.keys():
        raise InputError(f"{path.name} lacks {', '.join(sorted(missing))} of person {number}.")
    return Person(**values, body=body)


def _load_amass(path: Path, arrays: Mapping[str, _Array]) -> Motion:
    limits = {"poses": (MOST_FRAMES, MOST_VALUES), "trans": (MOST_FRAMES, 3), "betas": (MOST_VALUES,)}
    limits |= dict.fromkeys(amass.RATES, ())
    given = {name: _read(path, arrays, name, limit=limit) for name, limit in limits.items() if name in arrays}
    return amass.from_amass(given, name=path.name)


def _load_gvhmr(path: Path, arrays: Mapping[str, _Array]) -> Motion:
    wanted = {"body_pose", "betas", "global_orient", "transl", "K_fullimg"}
    given = {}
    for name, array in arrays.items():
        if name.removesuffix("_incam") in wanted:
            limit = (MOST_FRAMES, MOST_VALUES, MOST_VALUES)[: len(array.shape)]
            given[name] = _read(path, arrays, name, limit=limit)
    return results.from_gvhmr(given, name=path.name)


def _read(path: Path, arrays: Mapping[str, _Array], name: str, *, limit: tuple[int, ...]) -> np.ndarray:
    if name not in arrays:
        raise InputError(f"{path.name} lacks {name}.")
    _check_shape(path, name, arrays[name].shape, limit=limit)
    if arrays[name].kind not in "bfiuO":  # objects are refused by name when they are read
        raise InputError(f"{name} in {path.name} must hold numbers. Export it again.")
    return np.asarray(arrays[name].read())


def _check_shape(path: Path, name: str, shape: tuple[int, ...], *, limit: tuple[int, ...]) -> None:
    """Refuse what would fill the memory before any of it is read."""
    if len(shape) != len(limit) or any(size > most for size, most in zip(shape, limit, strict=True)):
        raise InputError(f"{name} in {path.name} is {shape}; at most {limit} can be read.")
