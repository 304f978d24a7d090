"""Frames on disk: what a stage makes is kept in a temporary file, so that memory does not grow with the clip."""

import tempfile
import threading
import zlib
from array import array

import numpy as np

from ..errors import InputError


class FrameStore:
    """An append-only list of uint8 arrays of any shapes, compressed in a temporary file that goes with the object."""

    def __init__(self):
        self._file = tempfile.TemporaryFile(prefix="mimo-")  # noqa: SIM115 - lives as long as the store
        self._lock = threading.Lock()
        self._ends = array("Q", [0])
        self._shapes: list[tuple[int, ...]] = []
        self._shape_of = array("L")

    def __len__(self) -> int:
        return len(self._shape_of)

    def append(self, frame: np.ndarray) -> None:
        """Add a uint8 array. A full disk is an InputError that names the folder."""
        if frame.dtype != np.uint8:
            raise TypeError(f"FrameStore keeps uint8, got {frame.dtype}")
        packed = zlib.compress(np.ascontiguousarray(frame), 1)
        with self._lock:
            self._file.seek(self._ends[-1])
            try:
                self._file.write(packed)
                self._file.flush()
            except OSError as error:
                raise InputError(
                    f"No room for temporary frames in {tempfile.gettempdir()}: {error.strerror}. "
                    "Free some space there, or set TMPDIR to a folder on another disk."
                ) from error
            self._ends.append(self._ends[-1] + len(packed))
        if not self._shapes or self._shapes[-1] != frame.shape:
            self._shapes.append(frame.shape)
        self._shape_of.append(len(self._shapes) - 1)

    def __getitem__(self, index: int) -> np.ndarray:
        """The array at `index`, a fresh copy that may be written to."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        with self._lock:
            self._file.seek(self._ends[index])
            packed = self._file.read(self._ends[index + 1] - self._ends[index])
        flat = np.frombuffer(bytearray(zlib.decompress(packed)), np.uint8)
        return flat.reshape(self._shapes[self._shape_of[index]])
