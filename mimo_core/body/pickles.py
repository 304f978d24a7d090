"""Arrays out of pickles, without running them.

SMPL's files are pickles of numpy, scipy and chumpy objects. Here every class that may occur in them is replaced by a
stub which only keeps what it is given; any other name is refused before anything of it runs. The arrays are then
built by us from the bytes that the stubs hold.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import re

import numpy as np

from ..errors import InputError


MOST_OPERATIONS = 2_000_000  # an SMPL file has a few thousand
DEEPEST = 20
PLAIN_TYPE = re.compile(r"[<>|=]?([biufcSU])(\d{1,4})|[<>|=]?(O)8?|\|?b1")


class _Kept:
    """Stands in for an object of a pickle: its arguments and its state, nothing else."""

    arguments = ()
    state = None

    def __init__(self, *arguments):
        self.arguments = arguments

    def __setstate__(self, state):
        self.state = state


class _Type(_Kept):
    """numpy.dtype"""


class _Array(_Kept):
    """numpy.ndarray"""


class _Scalar(_Kept):
    """A numpy scalar: dtype and bytes."""


class _Buffer(_Kept):
    """numpy's form of arrays in protocol 5: bytes, dtype, shape, order."""


class _Compressed(_Kept):
    """scipy's csc_matrix and csr_matrix."""

    by_column = True


class _CompressedRows(_Compressed):
    by_column = False


class _Chumpy(_Kept):
    """chumpy.ch.Ch with its value in `x`, or chumpy.reordering.Select with `a` and `idxs`."""


class _Plain(_Kept):
    """object()"""


def _new_array(*_) -> _Array:
    return _Array()


def _new_object(kind, *_):
    """copyreg._reconstructor, for stubs only."""
    if not (isinstance(kind, type) and issubclass(kind, _Kept)):
        raise InputError("The pickle makes an object out of something that is not a class.")
    return kind()


def _latin1(text: str, _encoding: str) -> bytes:
    """How Python 3 writes bytes into old pickles."""
    return text.encode("latin1")


def _harmless(module: str, name: str):
    """The stand-in for a name that may occur in a body file, or None."""
    package, _, rest = module.partition(".")
    if package == "numpy":
        names = {
            "ndarray": _Array,
            "dtype": _Type,
            "scalar": _Scalar,
            "_reconstruct": _new_array,
            "_frombuffer": _Buffer,
        }
        parts = {"", "core.multiarray", "_core.multiarray", "core.numeric", "_core.numeric"}
        return names.get(name) if rest in parts else None
    if package == "scipy" and rest.startswith("sparse"):
        return {"csc_matrix": _Compressed, "csr_matrix": _CompressedRows}.get(name)
    if package == "chumpy":
        return _Chumpy
    return {
        ("copy_reg", "_reconstructor"): _new_object,
        ("copyreg", "_reconstructor"): _new_object,
        ("__builtin__", "object"): _Plain,
        ("builtins", "object"): _Plain,
        ("__builtin__", "set"): frozenset,
        ("builtins", "set"): frozenset,
        ("collections", "OrderedDict"): dict,
        ("_codecs", "encode"): _latin1,
    }.get((module, name))


class _Reader(pickle.Unpickler):
    def find_class(self, module, name):
        found = _harmless(module, name)
        if found is None:
            raise InputError(
                f"The file is refused: its pickle asks for {module}.{name}, which is program code, no part of a body "
                "model. Nothing of it was run. Get the file from its official source."
            )
        return found

    def persistent_load(self, pid):
        raise InputError("The file is refused: its pickle refers to objects outside of itself.")


def unpickle(content: bytes):
    """Dictionaries, lists and numpy arrays out of a pickle. InputError if it holds anything else or is cut off."""
    _check_sizes(content)
    try:
        tree = _Reader(io.BytesIO(content), encoding="latin1").load()
    except InputError:
        raise
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise InputError(f"The pickle is damaged: {error}.") from error
    return _plain(tree, 0)


def _check_sizes(content: bytes):
    """Refuse declared sizes beyond the file, and memory for numbers that no instruction fills."""
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(content), 1):
            if count > MOST_OPERATIONS:
                raise InputError(f"The pickle has more than {MOST_OPERATIONS} instructions; this is no body model.")
            if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and argument > count:
                raise InputError("The pickle is damaged: it numbers objects that it does not hold.")
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"The file is not a pickle, or it is cut off: {error}.") from error


def _plain(value, depth: int):
    """Replace stubs by the arrays that they describe."""
    if depth > DEEPEST:
        raise InputError("The pickle is nested too deeply to be a body model.")
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value]
    build = {
        _Array: _array,
        _Buffer: _buffer,
        _Scalar: _scalar,
        _Compressed: _compressed,
        _CompressedRows: _compressed,
        _Chumpy: _chumpy,
    }.get(type(value))
    try:
        return value if build is None else build(value, depth + 1)
    except InputError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise InputError(f"The pickle holds an array that does not fit together: {error}.") from error


def _type(kept: _Type) -> np.dtype:
    code = kept.arguments[0]
    if not PLAIN_TYPE.fullmatch(code):
        raise InputError(f"The pickle holds an array of type {code!r}; a body model needs plain numbers.")
    order = kept.state[1] if kept.state else "="
    return np.dtype(code).newbyteorder(order if order in "<>" else "=")


def _array(kept: _Array, depth: int) -> np.ndarray:
    if kept.state is None:
        return np.zeros(0)
    shape, kind, is_fortran, content = kept.state[-4:]
    return _filled(content, _type(kind), tuple(shape), "F" if is_fortran else "C", depth)


def _buffer(kept: _Buffer, depth: int) -> np.ndarray:
    content, kind, shape, order = kept.arguments
    return _filled(bytes(content), _type(kind), tuple(shape), order, depth)


def _filled(content, kind: np.dtype, shape: tuple[int, ...], order: str, depth: int) -> np.ndarray:
    if kind.hasobject:
        array = np.empty(len(content), object)
        array[:] = [_plain(item, depth + 1) for item in content]
        return array.reshape(shape, order=order)
    if isinstance(content, str):  # written by Python 2
        content = content.encode("latin1")
    return np.frombuffer(content, kind).reshape(shape, order=order)


def _scalar(kept: _Scalar, depth: int):
    kind, content = kept.arguments
    return _filled(content, _type(kind), (1,), "C", depth)[0]


def _compressed(kept: _Compressed, depth: int) -> np.ndarray:
    """A sparse matrix as a dense float32 array."""
    state = {key.lstrip("_"): _plain(value, depth) for key, value in kept.state.items()}
    rows, columns = (int(side) for side in state["shape"])
    data, indices, starts = (np.asarray(state[name]) for name in ("data", "indices", "indptr"))
    if rows * columns > 1 << 26 or len(data) != len(indices):
        raise InputError(f"The pickle holds a sparse matrix of {rows}x{columns} with {len(data)} values; too large.")
    lines = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    dense = np.zeros((rows, columns), np.float32)
    np.add.at(dense, (indices, lines) if kept.by_column else (lines, indices), data)
    return dense


def _chumpy(kept: _Chumpy, depth: int):
    """The value of a chumpy array."""
    state = kept.state if isinstance(kept.state, dict) else {}
    if "x" in state:
        return np.asarray(_plain(state["x"], depth))
    if "a" in state and "idxs" in state:
        chosen = np.asarray(_plain(state["a"], depth)).ravel()[np.asarray(_plain(state["idxs"], depth))]
        shape = state.get("preferred_shape")
        return chosen if shape is None else chosen.reshape(tuple(_plain(shape, depth)))
    return None
