"""Torch's tensors inside plain pickles, as numpy arrays: their storages are parsed by us, and nothing is run.

`pickle.dump` keeps a tensor as a call of `torch._utils._rebuild_tensor_v2` on a storage, which is the bytes of an old
torch file: five pickles (a magic number, a version, the system, the storage's type and length, its key), a count, and
the numbers.
"""

from __future__ import annotations

import io
import math
import pickletools
from itertools import islice

import numpy as np

from ..errors import InputError


TORCH_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_HEAD = b"\x80\x02\x8a\x0a" + TORCH_MAGIC.to_bytes(10, "little") + b"."  # of such a storage, and of old files
STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "<u2", "LongStorage": "<i8",
    "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip
MOST_STEPS = 100  # instructions of one of the pickles, which have about 20
MOST_TENSOR_VALUES = 1 << 26  # of one tensor: an expanded one has more than its storage


def find_tensor_builder(module: str, name: str):
    """What builds arrays for a name that torch's tensors have in a pickle, or None.

    Functions are made anew each time, because a pickle may set attributes of what it is given.
    """
    return {
        ("torch.storage", "_load_from_bytes"): lambda content: _read_storage(content),
        ("torch._utils", "_rebuild_tensor_v2"): lambda *arguments: _view_storage(*arguments[:4]),
        ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    }.get((module, name))


def _read_storage(content: bytes) -> np.ndarray:
    """The numbers (N,) of a storage; bfloat16 as float32. Raises InputError."""
    try:
        if not content.startswith(LEGACY_HEAD):
            raise ValueError("its storage has another form")
        file = io.BytesIO(content)
        steps = [list(islice(pickletools.genops(file), MOST_STEPS)) for _ in range(5)]
        kind = next(argument for step, argument, _ in steps[3] if step.name == "GLOBAL").removeprefix("torch ")
        count = int.from_bytes(file.read(8), "little")
        values = np.frombuffer(content, STORAGES[kind], count, file.tell())
    except (ValueError, KeyError, StopIteration, AttributeError, TypeError, OverflowError) as error:
        raise InputError(f"The file is damaged: a tensor in it cannot be read ({error}).") from error
    return (values.astype(np.uint32) << 16).view(np.float32) if kind == "BFloat16Storage" else values


def _view_storage(storage: np.ndarray, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> np.ndarray:
    """An array of `size` that takes every `stride`-th number along each axis, from `offset` on. Raises InputError.

    The storage must hold its numbers side by side: steps over another view could leave its memory.
    """
    whole = [offset, *size, *stride]
    if not _is_storage(storage) or any(type(number) is not int or number < 0 for number in whole):
        raise InputError("The file is damaged: a tensor in it does not fit its numbers.")
    if 0 in size:
        return np.zeros(size, storage.dtype)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=False))
    if len(size) != len(stride) or last >= len(storage) or math.prod(size) > MOST_TENSOR_VALUES:
        raise InputError(
            f"The file is damaged: a tensor of {tuple(size)} in it does not fit its {len(storage)} numbers."
        )
    bytes_apart = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], tuple(size), bytes_apart, writeable=False)


def _is_storage(value) -> bool:
    """Whether a value is a row of plain numbers without gaps or repeats."""
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.flags.c_contiguous and not value.dtype.hasobject
