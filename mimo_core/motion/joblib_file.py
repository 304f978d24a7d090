"""Arrays out of joblib files (.pkl, .joblib), without joblib and without running anything.

joblib writes a pickle in which every numpy array is announced by a wrapper, with its shape and type, and then follows
as plain bytes in the middle of the stream. Here pickles are read by Python's own interpreter of them, which lets us
take these bytes out; every name in the pickle is replaced by a stub that only keeps what it is given, or refused.
"""

from __future__ import annotations

import gzip
import io
import math
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np

from ..body.pickles import StandIn, array_type, find_stand_in, plain_value
from ..errors import InputError
from .pickled_tensors import find_tensor_builder


LARGEST_FILE_SIZE = 1 << 30  # bytes of a file, and of what it unpacks to


class _Wrapper(StandIn):
    """joblib.numpy_pickle.NumpyArrayWrapper"""


def read_joblib(path: Path):
    """Dictionaries, lists and arrays of a joblib file or a plain pickle. InputError if it holds anything else."""
    if path.stat().st_size > LARGEST_FILE_SIZE:
        raise InputError(
            f"{path.name} has {path.stat().st_size >> 20} MB; at most {LARGEST_FILE_SIZE >> 20} MB are read."
        )
    content = _unpack(path.read_bytes(), path.name)
    try:
        tree = _JoblibUnpickler(io.BytesIO(content), encoding="latin1").load()
        return plain_value(tree)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
    except (
        pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError,
        RecursionError, NotImplementedError, struct.error,
    ) as error:  # fmt: skip
        raise InputError(f"{path.name} is damaged or no joblib file: {error}.") from error


def _unpack(content: bytes, name: str) -> bytes:
    """zlib and gzip, as joblib and PHALP compress, undone up to a limit."""
    if content[:2] == b"\x1f\x8b":
        reader = gzip.GzipFile(fileobj=io.BytesIO(content))
    elif content[:1] == b"\x78" and len(content) > 1 and (content[0] * 256 + content[1]) % 31 == 0:
        return _inflate(content, name)
    elif content[:3] in (b"BZh", b"\xfd7z") or content[:4] == b"\x04\x22\x4d\x18" or content[:2] == b"]\x00":
        raise InputError(f"{name} is compressed in a way that is not read. Save it with compress=3 or without.")
    else:
        return content
    try:
        result = reader.read(LARGEST_FILE_SIZE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name} is cut off or damaged: {error}.") from error
    return _check_unpacked(result, name)


def _inflate(content: bytes, name: str) -> bytes:
    unpack = zlib.decompressobj()
    try:
        result = unpack.decompress(content, LARGEST_FILE_SIZE + 1)
    except zlib.error as error:
        raise InputError(f"{name} is damaged: {error}.") from error
    if not unpack.eof and len(result) <= LARGEST_FILE_SIZE:
        raise InputError(f"{name} is cut off. Copy it again.")
    return _check_unpacked(result, name)


def _check_unpacked(content: bytes, name: str) -> bytes:
    if len(content) > LARGEST_FILE_SIZE:
        raise InputError(f"{name} unpacks to more than {LARGEST_FILE_SIZE >> 20} MB, which is not read.")
    return content


class _JoblibUnpickler(pickle._Unpickler):  # the C one gives no access to the stream between two instructions
    """A pickle whose names are stubs, with joblib's arrays taken out of the stream."""

    dispatch = dict(pickle._Unpickler.dispatch)

    def find_class(self, module, name):
        if name == "NumpyArrayWrapper" and module.partition(".")[0] in ("joblib", "sklearn"):
            return _Wrapper
        if (module, name) == ("collections", "defaultdict"):
            return lambda *_: {}  # made anew each time, because a pickle may set attributes of what it is given
        if (module, name) in (("builtins", "dict"), ("builtins", "list"), ("builtins", "int"), ("builtins", "float")):
            return StandIn  # what a defaultdict would make; it makes nothing
        found = find_stand_in(module, name) or find_tensor_builder(module, name)
        if found is None:
            raise InputError(
                f"The file is refused: it asks for {module}.{name}, which is program code or no part of a motion. "
                "Nothing of it was run."
            )
        return found

    def persistent_load(self, pid):
        raise InputError("The file is refused: it refers to objects outside of itself.")

    def load_build(self):
        super().load_build()
        if isinstance(self.stack[-1], _Wrapper):
            self.stack[-1] = self._array(self.stack[-1].state)

    dispatch[pickle.BUILD[0]] = load_build

    def load_bytearray(self):
        """The arrays of protocol 5. Python's own allocates what the file declares before it reads."""
        size = struct.unpack("<Q", self.read(8))[0]
        if size > LARGEST_FILE_SIZE:
            raise InputError("The file is refused: it reserves memory for bytes that no motion has.")
        self.append(bytearray(self.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray

    def _array(self, state) -> np.ndarray:
        kind = array_type(state["dtype"])
        if kind.hasobject:
            raise InputError("The file is refused: it holds Python objects inside an array. Save plain numbers.")
        shape = tuple(int(size) for size in state["shape"])
        size = math.prod(shape) * kind.itemsize
        if min(shape, default=1) < 0 or size > LARGEST_FILE_SIZE:
            raise InputError(f"The file declares an array of {shape}, which is more than is read.")
        if state.get("numpy_array_alignment_bytes") is not None:
            self._bytes(self._bytes(1)[0])  # what aligns the array in memory
        content = self._bytes(size)
        order = "F" if state["order"] == "F" else "C"
        return np.frombuffer(content, kind).reshape(shape, order=order)

    def _bytes(self, count: int) -> bytes:
        content = self._file_read(count)
        if len(content) != count:
            raise InputError("The file is cut off within an array. Copy it again.")
        return content
