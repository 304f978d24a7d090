"""Frames on disk: what a stage makes is kept in a temporary file, so that memory does not grow with the clip."""

import struct
import tempfile
import threading
import zlib
from array import array

import numpy as np

from ..errors import InputError
from ..output import explain_temporary_errors


SAMPLE_BYTES = 1 << 14  # of an array that tell whether it is worth compressing
LEAST_SAVED = 0.5  # of them: photographs lose less, and would take longer to compress than to compute with


class FrameStore:
    """An append-only list of uint8 arrays of any shapes, in a temporary file that goes with the object.

    Arrays are compressed where that makes them much smaller.
    """

    def __init__(self):
        with explain_temporary_errors():
            self._file = tempfile.TemporaryFile(prefix="mimo-")  # noqa: SIM115 - lives as long as the store
        self._lock = threading.Lock()
        self._ends = array("Q", [0])
        self._last = -1, None  # the frame that was read last: it is often asked for again

    def __len__(self) -> int:
        return len(self._ends) - 1

    def append(self, frame: np.ndarray) -> None:
        """Add a uint8 array. A full disk is an InputError that names the folder."""
        if frame.dtype != np.uint8:
            raise TypeError(f"FrameStore keeps uint8, got {frame.dtype}")
        # The shape lies in the file: in memory a clip whose frames differ would take 200 bytes each for it.
        values = np.ascontiguousarray(frame)
        is_packed = _is_worth_packing(values)
        head = struct.pack(f"<?B{frame.ndim}I", is_packed, frame.ndim, *frame.shape)
        packed = zlib.compress(values, 1) if is_packed else values.reshape(-1).data
        with self._lock:
            self._file.seek(self._ends[-1])
            try:
                self._file.write(head)
                self._file.write(packed)
                self._file.flush()
            except OSError as error:
                raise InputError(
                    f"No room for temporary frames in {tempfile.gettempdir()}: {error.strerror}. "
                    "Free some space there, or set TMPDIR to a folder on another disk."
                ) from error
            self._ends.append(self._ends[-1] + len(head) + len(packed))

    def __getitem__(self, index: int) -> np.ndarray:
        """The array at `index`, a fresh copy that may be written to."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        number, frame = self._last
        if number != index:
            frame = self._read(index)
            self._last = index, frame
        return frame.copy()

    def _read(self, index: int) -> np.ndarray:
        packed = np.empty(self._ends[index + 1] - self._ends[index], np.uint8)
        with self._lock:
            self._file.seek(self._ends[index])
            self._file.readinto(packed)
        is_packed, count = struct.unpack_from("<?B", packed)
        shape = struct.unpack_from(f"<{count}I", packed, 2)
        values = packed[2 + 4 * count :]
        if is_packed:
            values = np.frombuffer(zlib.decompress(values), np.uint8)
        return values.reshape(shape)


def _is_worth_packing(values: np.ndarray) -> bool:
    """Whether a sample from the middle of an array shrinks by LEAST_SAVED; small arrays are always packed."""
    if values.size < 4 * SAMPLE_BYTES:
        return True
    start = (values.size - SAMPLE_BYTES) // 2
    sample = values.reshape(-1)[start : start + SAMPLE_BYTES]
    return len(zlib.compress(sample, 1)) < (1 - LEAST_SAVED) * SAMPLE_BYTES
