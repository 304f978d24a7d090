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
LARGEST_MATRIX = 1 << 24  # entries, of one and of all before it; SMPL-X's joint regressor has 0.6 million
PLAIN_TYPE = re.compile(r"[<>|=]?([biufcSU])(\d{1,4})|[<>|=]?(O)8?|\|?b1")


class StandIn:
    """Stands in for an object of a pickle: its arguments and its state, nothing else."""

    arguments = ()
    state = None

    def __init__(self, *arguments):
        self.arguments = arguments

    def __setstate__(self, state):
        self.state = state


class StandInType(StandIn):
    """numpy.dtype"""


class _ArrayStandIn(StandIn):
    """numpy.ndarray"""


class _ScalarStandIn(StandIn):
    """A numpy scalar: dtype and bytes."""


class _BufferStandIn(StandIn):
    """numpy's form of arrays in protocol 5: bytes, dtype, shape, order."""


class _CompressedStandIn(StandIn):
    """scipy's csc_matrix and csr_matrix."""

    by_column = True


class _CompressedRowsStandIn(_CompressedStandIn):
    by_column = False


class _ChumpyStandIn(StandIn):
    """chumpy.ch.Ch with its value in `x`, or chumpy.reordering.Select with `a` and `idxs`."""


class _ObjectStandIn(StandIn):
    """object()"""


def find_stand_in(module: str, name: str):
    """The stand-in for a name that may occur in a body file, or None."""
    package, _, rest = module.partition(".")
    if package == "numpy" and rest in ("", "core.multiarray", "_core.multiarray", "core.numeric", "_core.numeric"):
        return {
            "ndarray": _ArrayStandIn,
            "dtype": StandInType,
            "scalar": _ScalarStandIn,
            "_frombuffer": _BufferStandIn,
            # Functions are made anew each time, because a pickle may set attributes of what it is given.
            "_reconstruct": lambda *_: _ArrayStandIn(),
        }.get(name)
    if package == "scipy" and rest.startswith("sparse"):
        return {"csc_matrix": _CompressedStandIn, "csr_matrix": _CompressedRowsStandIn}.get(name)
    if package == "chumpy":
        return _ChumpyStandIn
    return {
        ("copy_reg", "_reconstructor"): lambda kind, *_: _new_object(kind),
        ("copyreg", "_reconstructor"): lambda kind, *_: _new_object(kind),
        ("__builtin__", "object"): _ObjectStandIn,
        ("builtins", "object"): _ObjectStandIn,
        ("__builtin__", "set"): frozenset,
        ("builtins", "set"): frozenset,
        ("collections", "OrderedDict"): dict,
        # How Python 3 writes bytes into old pickles.
        ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
    }.get((module, name))


def _new_object(kind) -> StandIn:
    if not (isinstance(kind, type) and issubclass(kind, StandIn)):
        raise InputError("The pickle makes an object out of something that is not a class.")
    return kind()


class _SafeUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        found = find_stand_in(module, name)
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
        tree = _SafeUnpickler(io.BytesIO(content), encoding="latin1").load()
    except InputError:
        raise
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise InputError(f"The pickle is damaged: {error}.") from error
    return plain_value(tree)


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


def plain_value(value):
    """Dictionaries and lists with arrays in the place of the stand-ins that describe them.

    Raises InputError for deep nesting, arrays that do not fit together, and sparse ones that are large in all.
    """
    return _Builder().build(value, 0)


class _Builder:
    """Builds every value of a pickle once, and counts what sparse matrices unfold to."""

    def __init__(self):
        self.built: dict[int, object] = {}  # by identity
        self.entries = 0

    def build(self, value, depth: int):
        if depth > DEEPEST:
            raise InputError("The pickle is nested too deeply to be a body model.")
        if id(value) not in self.built:
            if isinstance(value, _CompressedStandIn) and self.entries > LARGEST_MATRIX:
                raise InputError("The pickle holds more sparse matrices than a body model has.")
            found = _build_value(value, lambda inner: self.build(inner, depth + 1))
            if isinstance(value, _CompressedStandIn):
                self.entries += found.size
            self.built[id(value)] = found
        return self.built[id(value)]


def _build_value(value, plain):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    build = {
        _ArrayStandIn: _build_array,
        _BufferStandIn: _build_from_buffer,
        _ScalarStandIn: _build_scalar,
        _CompressedStandIn: _build_dense,
        _CompressedRowsStandIn: _build_dense,
        _ChumpyStandIn: _build_chumpy,
    }.get(type(value))
    try:
        return value if build is None else build(value, plain)
    except InputError:
        raise
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise InputError(f"The pickle holds an array that does not fit together: {error}.") from error


def array_type(stand_in: StandInType) -> np.dtype:
    """The dtype that a stand-in describes. Raises InputError for types that hold more than plain numbers."""
    code = stand_in.arguments[0]
    if not PLAIN_TYPE.fullmatch(code):
        raise InputError(f"The pickle holds an array of type {code!r}; a body model needs plain numbers.")
    order = stand_in.state[1] if stand_in.state else "="
    return np.dtype(code).newbyteorder(order if order in "<>" else "=")


def _build_array(stand_in: _ArrayStandIn, plain) -> np.ndarray:
    if stand_in.state is None:
        return np.zeros(0)
    shape, kind, is_fortran, content = stand_in.state[-4:]
    return _fill_array(content, array_type(kind), tuple(shape), "F" if is_fortran else "C", plain)


def _build_from_buffer(stand_in: _BufferStandIn, plain) -> np.ndarray:
    content, kind, shape, order = stand_in.arguments
    return _fill_array(bytes(content), array_type(kind), tuple(shape), order, plain)


def _build_scalar(stand_in: _ScalarStandIn, plain):
    kind, content = stand_in.arguments
    return _fill_array(content, array_type(kind), (1,), "C", plain)[0]


def _fill_array(content, kind: np.dtype, shape: tuple[int, ...], order: str, plain) -> np.ndarray:
    if kind.hasobject:
        array = np.empty(len(content), object)
        array[:] = [plain(item) for item in content]
        return array.reshape(shape, order=order)
    if isinstance(content, str):  # written by Python 2
        content = content.encode("latin1")
    return np.frombuffer(content, kind).reshape(shape, order=order)


def _build_dense(stand_in: _CompressedStandIn, plain) -> np.ndarray:
    """A sparse matrix as a dense float32 array."""
    state = {key.lstrip("_"): plain(value) for key, value in stand_in.state.items()}
    rows, columns = (int(side) for side in state["shape"])
    values, indices, starts = (np.asarray(state[name]) for name in ("data", "indices", "indptr"))
    lengths = np.diff(starts)
    if not 0 < rows * columns <= LARGEST_MATRIX or lengths.min() < 0 or lengths.sum() != len(values):
        raise InputError(
            f"The pickle holds a sparse matrix of {rows}x{columns} that does not fit its {len(values)} values."
        )
    lines = np.repeat(np.arange(len(lengths)), lengths)
    dense = np.zeros((rows, columns), np.float32)
    np.add.at(dense, (indices, lines) if stand_in.by_column else (lines, indices), values)
    return dense


def _build_chumpy(stand_in: _ChumpyStandIn, plain):
    """The value of a chumpy array."""
    state = stand_in.state if isinstance(stand_in.state, dict) else {}
    if "x" in state:
        return np.asarray(plain(state["x"]))
    if "a" in state and "idxs" in state:
        chosen = np.asarray(plain(state["a"])).ravel()[np.asarray(plain(state["idxs"]))]
        shape = state.get("preferred_shape")
        return chosen if shape is None else chosen.reshape(tuple(plain(shape)))
    return None
