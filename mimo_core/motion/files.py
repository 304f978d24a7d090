"""Motion files of all kinds, by their suffix. No code is loaded from them, and sizes are checked before reading."""

from __future__ import annotations

import json
import lzma
import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..body.files import read_npy
from ..body.person import PER_FRAME, Person
from ..errors import InputError
from ..geometry.camera import Camera
from ..media.video import check_size
from ..output import whole_file
from ..weights.torch_file import is_torch_safe, read_torch_file
from . import amass, results, soma
from .builtin import builtin_motion, builtin_names
from .bvh import read_bvh, write_bvh
from .glb import read_glb
from .glb_writer import write_glb
from .heads import GLTF_SUFFIXES
from .joblib_file import LARGEST_FILE_SIZE, read_joblib
from .motion import Motion
from .pickled_tensors import LEGACY_HEAD
from .seen import LARGEST_PACKED, SeenMasks
from .skeletal_animation import animation_from_motion, motion_from_animation
from .upright import UP_CHOICES, posture_notes
from .values import find_rate_name, to_array


OWN_SUFFIXES = (".npz", ".safetensors")
WRITTEN_SUFFIXES = (*OWN_SUFFIXES, ".bvh", ".glb")
TORCH_SUFFIXES, PICKLE_SUFFIXES = (".pt", ".pth"), (".pkl", ".joblib")
READ_SUFFIXES = (*WRITTEN_SUFFIXES, ".gltf", ".vrma", *TORCH_SUFFIXES, *PICKLE_SUFFIXES)
MOTION_FORMAT = "mimo motion 1"
MOST_FRAMES = 200_000  # nearly two hours at 30 frames a second
MOST_PEOPLE = 16
MOST_ARRAYS = 1000  # of a file
LONGEST_VALUE = 64  # bytes of one value, such as a number as text
MOST_VALUES = 1 << 26  # numbers of one array
LARGEST_TEXT = 256 << 20  # bytes of a BVH file; ten minutes at 120 frames a second have 50 MB
MOST_FRAME_VALUES = 600  # numbers per frame and array; AMASS's DMPL and marker arrays are not read


@dataclass(frozen=True)
class _LazyArray:
    """An array in a file that has not been read yet."""

    shape: tuple[int, ...]
    kind: str  # numpy's letter for the kind of its values
    read: Callable[[], np.ndarray]


def save_motion(path: Path | str, motion: Motion) -> None:
    """Write a motion. The file appears when it is complete.

    .npz and .safetensors hold all of it. .bvh (centimetres) and .glb (metres, with the skinned body) hold what the
    first person does, for other programs; camera, fingers and confidence are not in them. Raises InputError for
    another suffix and where nothing can be written.
    """
    path = _check_suffix(path, WRITTEN_SUFFIXES)
    write = {".bvh": _write_bvh, ".glb": _write_glb, ".npz": _write_npz, ".safetensors": _write_safetensors}
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
        arrays, header = (_open_npz if path.suffix.lower() == ".npz" else _open_safetensors)(path)
        if header is not None:
            return results.turn_upright(_motion_from_arrays(path, arrays, header), up)
        if amass.is_amass(arrays):
            return _load_amass(path, arrays, up)
        if soma.is_kimodo(arrays):
            return _load_kimodo(path, arrays, up)
        if results.is_gvhmr(arrays):
            return results.turn_upright(_load_gvhmr(path, arrays), up)
        if "results" in arrays and arrays["results"].kind == "O":
            return _load_romp(path, up)
        return _motion_from_arrays(path, arrays, header)
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


def _motion_arrays(motion: Motion) -> dict[str, Tensor]:
    arrays = {}
    for number, person in enumerate(motion.people):
        arrays[f"{number}.betas"] = person.betas
        for name in PER_FRAME:
            if getattr(person, name) is not None:
                arrays[f"{number}.{name}"] = getattr(person, name)
    if motion.camera.camera_from_world is not None:
        arrays["camera_from_world"] = motion.camera.camera_from_world
    for name, masks in (("seen", motion.seen), ("others", motion.others)):
        if masks is not None:
            content, lengths = masks.arrays()
            arrays[name] = torch.from_numpy(content.copy())
            arrays[f"{name}.lengths"] = torch.from_numpy(lengths)
    return {name: value.detach().cpu().contiguous() for name, value in arrays.items()}


def _header(motion: Motion) -> str:
    about = {
        "format": MOTION_FORMAT,
        "fps": motion.fps,
        "focal": motion.camera.focal,
        "center": motion.camera.center,
        "size": motion.camera.size,
        "bodies": [person.body for person in motion.people],
    }
    if motion.seen is not None:
        about["seen"] = (motion.seen.width, motion.seen.height)
        if motion.seen.people > 1:
            about["seen_people"] = motion.seen.people
    if motion.others is not None:
        about["others"] = (motion.others.width, motion.others.height)
    return json.dumps(about)


def _write_bvh(file, motion: Motion) -> None:
    file.write(write_bvh(animation_from_motion(motion)).encode())


def _write_glb(file, motion: Motion) -> None:
    file.write(write_glb(motion))


def _write_npz(file, motion: Motion) -> None:
    header = np.frombuffer(_header(motion).encode(), np.uint8)
    np.savez_compressed(file, motion=header, **{name: value.numpy() for name, value in _motion_arrays(motion).items()})


def _write_safetensors(file, motion: Motion) -> None:
    from safetensors.torch import save

    file.write(save(_motion_arrays(motion), metadata={"motion": _header(motion)}))


def _open_npz(path: Path) -> tuple[dict[str, _LazyArray], dict | None]:
    archive = zipfile.ZipFile(path)
    if len(archive.infolist()) > MOST_ARRAYS:
        raise InputError(f"{path.name} holds {len(archive.infolist())} arrays; at most {MOST_ARRAYS} are read.")
    arrays = {}
    for member in archive.infolist():
        if member.filename.endswith(".npy"):
            name = member.filename[: -len(".npy")]
            arrays[name] = _open_npy(path, archive, member)
    header = None
    if "motion" in arrays:
        _check_shape(path, "motion", arrays["motion"].shape, limit=(1 << 16,))
        header = json.loads(arrays["motion"].read().astype(np.uint8).tobytes().decode())
    return arrays, header


def _open_npy(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> _LazyArray:
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

    return _LazyArray(tuple(shape), dtype.kind if dtype.itemsize <= LONGEST_VALUE else "V", read)


def _open_safetensors(path: Path) -> tuple[dict[str, _LazyArray], dict | None]:
    from safetensors import SafetensorError, safe_open

    try:
        file = safe_open(str(path), framework="pt")
    except SafetensorError as error:
        raise InputError(f"{path.name} is damaged or no motion file: {error}.") from error
    header = (file.metadata() or {}).get("motion")
    arrays = {
        name: _LazyArray(
            tuple(file.get_slice(name).get_shape()), "f", lambda name=name: to_array(file.get_tensor(name))
        )
        for name in file.keys()  # noqa: SIM118 (not a mapping)
    }
    return arrays, None if header is None else json.loads(header)


def _motion_from_arrays(path: Path, arrays: Mapping[str, _LazyArray], header: dict | None) -> Motion:
    if not isinstance(header, dict) or header.get("format") != MOTION_FORMAT:
        raise InputError(
            f"{path.name} is not a motion of this program ({MOTION_FORMAT}) and has no AMASS 'poses'. "
            f"It holds: {', '.join(sorted(arrays)) or 'nothing'}."
        )
    try:
        bodies = [str(body) for body in header["bodies"]]
        fps, focal = float(header["fps"]), float(header["focal"])
        (center_x, center_y), (width, height) = header["center"], header["size"]
        center, size = (float(center_x), float(center_y)), (int(width), int(height))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path.name} is damaged: its header lacks or garbles {error}.") from error
    if not all(math.isfinite(value) for value in (focal, *center)) or min(size) < 1:
        raise InputError(f"{path.name} is damaged: its camera has focal {focal:g}, picture {size[0]}x{size[1]}.")
    check_size(*size)
    if not 1 <= len(bodies) <= MOST_PEOPLE:
        raise InputError(f"{path.name} holds {len(bodies)} people; 1 to {MOST_PEOPLE} can be read.")
    extrinsics = None
    if "camera_from_world" in arrays:
        extrinsics = torch.from_numpy(
            _read_checked(path, arrays, "camera_from_world", limit=(MOST_FRAMES, 4, 4))
        ).float()
    people = tuple(_person_from_arrays(path, arrays, number, body) for number, body in enumerate(bodies))
    camera = Camera(focal, center, size, extrinsics)
    count = header.get("seen_people", 1)
    if type(count) is not int or count not in (1, len(bodies)):
        raise InputError(f"{path.name} is damaged: it has {len(bodies)} people but masks of {count}.")
    seen, others = _seen_masks(path, arrays, header, "seen", count), _seen_masks(path, arrays, header, "others")
    return Motion(people, fps, camera, seen, others)


def _seen_masks(
    path: Path, arrays: Mapping[str, _LazyArray], header: dict, name: str, people: int = 1
) -> SeenMasks | None:
    if header.get(name) is None:
        return None
    try:
        width, height = (int(side) for side in header[name])
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path.name} is damaged: its header garbles the size of the masks ({error}).") from error
    content = _read_checked(path, arrays, name, limit=(LARGEST_PACKED,))
    lengths = _read_checked(path, arrays, f"{name}.lengths", limit=(MOST_FRAMES * MOST_PEOPLE,))
    return SeenMasks.from_arrays(content, lengths, width=width, height=height, name=path.name, people=people)


def _person_from_arrays(path: Path, arrays: Mapping[str, _LazyArray], number: int, body: str) -> Person:
    values = {"betas": torch.from_numpy(_read_checked(path, arrays, f"{number}.betas", limit=(10,))).float()}
    for name, shape in PER_FRAME.items():
        key = f"{number}.{name}"
        if key in arrays:
            value = torch.from_numpy(
                _read_checked(path, arrays, key, limit=(MOST_FRAMES, *(max(size, MOST_FRAME_VALUES) for size in shape)))
            )
            values[name] = value if value.dtype == torch.bool else value.float()
    if missing := {"global_orient", "body_pose", "transl"} - values.keys():
        raise InputError(f"{path.name} lacks {', '.join(sorted(missing))} of person {number}.")
    return Person(**values, body=body)


def _load_amass(path: Path, arrays: Mapping[str, _LazyArray], up: str) -> Motion:
    given = _read_known(path, arrays, amass.KEYS)
    return amass.motion_from_amass(given, name=path.name, up=up)


def _load_kimodo(path: Path, arrays: Mapping[str, _LazyArray], up: str) -> Motion:
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


def _read_known(path: Path, arrays: Mapping[str, _LazyArray], keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of these names, each of a size that a motion can have, and the frame rate by any name."""
    given = {}
    rate = find_rate_name(arrays)
    for key in (*keys, *([] if rate is None else [rate])):
        if key in arrays:
            limit = (MOST_FRAMES, MOST_FRAME_VALUES, MOST_FRAME_VALUES, 9)[: len(arrays[key].shape)]
            given[key] = _read_checked(path, arrays, key, limit=limit, kinds="bfiuOUS" if key == rate else "bfiuO")
    return given


def _load_gvhmr(path: Path, arrays: Mapping[str, _LazyArray]) -> Motion:
    wanted = {"body_pose", "betas", "global_orient", "transl", "K_fullimg"}
    given = {}
    for name, array in arrays.items():
        if name.removesuffix("_incam") in wanted:
            limit = (MOST_FRAMES, MOST_FRAME_VALUES, MOST_FRAME_VALUES)[: len(array.shape)]
            given[name] = _read_checked(path, arrays, name, limit=limit)
    return results.motion_from_gvhmr(given, name=path.name)


def _read_checked(
    path: Path, arrays: Mapping[str, _LazyArray], name: str, *, limit: tuple[int, ...], kinds: str = "bfiuO"
) -> np.ndarray:
    """An array of one of some `kinds`, numpy's letters."""
    if name not in arrays:
        raise InputError(f"{path.name} lacks {name}.")
    _check_shape(path, name, arrays[name].shape, limit=limit)
    if arrays[name].kind not in kinds:  # objects are refused by name when they are read
        raise InputError(f"{name} in {path.name} must hold numbers. Export it again.")
    return np.asarray(arrays[name].read())


def _check_shape(path: Path, name: str, shape: tuple[int, ...], *, limit: tuple[int, ...]) -> None:
    """Refuse what would fill the memory before any of it is read."""
    most = max(MOST_VALUES, math.prod(limit) if len(limit) == 1 else 0)
    is_large = any(size > bound for size, bound in zip(shape, limit, strict=False)) or math.prod(shape) > most
    if len(shape) != len(limit) or is_large:
        raise InputError(f"{name} in {path.name} is {shape}; at most {limit} can be read.")
