"""Arrays in .npz and .safetensors files that are read when they are asked for, after a look at their sizes."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from .values import to_array


MOST_FRAMES = 200_000  # nearly two hours at 30 frames a second
MOST_FRAME_VALUES = 600  # numbers per frame and array; AMASS's DMPL and marker arrays are not read
MOST_ARRAYS = 1000  # of a file
LONGEST_VALUE = 64  # bytes of one value, such as a number as text
MOST_VALUES = 1 << 26  # numbers of one array


@dataclass(frozen=True)
class LazyArray:
    """An array in a file that has not been read yet."""

    shape: tuple[int, ...]
    kind: str  # numpy's letter for the kind of its values
    read: Callable[[], np.ndarray]


def open_npz(path: Path) -> tuple[dict[str, LazyArray], dict | None]:
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
        check_shape(path, "motion", arrays["motion"].shape, limit=(1 << 16,))
        header = json.loads(arrays["motion"].read().astype(np.uint8).tobytes().decode())
    return arrays, header


def _open_npy(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> LazyArray:
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

    return LazyArray(tuple(shape), dtype.kind if dtype.itemsize <= LONGEST_VALUE else "V", read)


def open_safetensors(path: Path) -> tuple[dict[str, LazyArray], dict | None]:
    from safetensors import SafetensorError, safe_open

    try:
        file = safe_open(str(path), framework="pt")
    except SafetensorError as error:
        raise InputError(f"{path.name} is damaged or no motion file: {error}.") from error
    header = (file.metadata() or {}).get("motion")
    arrays = {
        name: LazyArray(tuple(file.get_slice(name).get_shape()), "f", lambda name=name: to_array(file.get_tensor(name)))
        for name in file.keys()  # noqa: SIM118 (not a mapping)
    }
    return arrays, None if header is None else json.loads(header)


def read_checked(
    path: Path, arrays: Mapping[str, LazyArray], name: str, *, limit: tuple[int, ...], kinds: str = "bfiuO"
) -> np.ndarray:
    """An array of one of some `kinds`, numpy's letters."""
    if name not in arrays:
        raise InputError(f"{path.name} lacks {name}.")
    check_shape(path, name, arrays[name].shape, limit=limit)
    if arrays[name].kind not in kinds:  # objects are refused by name when they are read
        raise InputError(f"{name} in {path.name} must hold numbers. Export it again.")
    return np.asarray(arrays[name].read())


def check_shape(path: Path, name: str, shape: tuple[int, ...], *, limit: tuple[int, ...]) -> None:
    """Refuse what would fill the memory before any of it is read."""
    most = max(MOST_VALUES, math.prod(limit) if len(limit) == 1 else 0)
    is_large = any(size > bound for size, bound in zip(shape, limit, strict=False)) or math.prod(shape) > most
    if len(shape) != len(limit) or is_large:
        raise InputError(f"{name} in {path.name} is {shape}; at most {limit} can be read.")
