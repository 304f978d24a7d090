"""IMAGE and MASK batches: floats in 0..1 made of the library's uint8 frames, in memory or, when large, in a file.

What a node gives out of a whole clip is a `FrameBatch`: it costs memory once a node of others reads it, and between
nodes of ours never.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator

import comfy.model_management
import folder_paths
import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from ..mimo_core.errors import InputError
from ..mimo_core.media.clip import Clip, Masks
from ..mimo_core.media.store import FrameStore


LARGE = 0.25  # of the free memory
_GETTERS = ("shape", "dtype", "device", "ndim", "layout", "requires_grad", "is_cuda", "is_sparse", "is_quantized")
KNOWN_WITHOUT_FRAMES = {getattr(Tensor, name).__get__ for name in _GETTERS} | {
    Tensor.size, Tensor.dim, Tensor.numel, Tensor.nelement, Tensor.element_size, Tensor.is_floating_point,
    Tensor.__len__, Tensor.__hash__,
}  # fmt: skip


class FrameBatch(Tensor):
    """IMAGE (F, H, W, 3) or MASK (F, H, W) whose floats are made when something first reads them.

    To whoever gets it it is a tensor: its shape is known, single frames and slices of them are made alone, and every
    other operation makes the whole and works on that. `frames` are where the floats come from.
    """

    frames: Clip | Masks

    @staticmethod
    def __new__(cls, frames: Clip | Masks):
        shape = (len(frames), *frames.source.shape)
        batch = Tensor._make_wrapper_subclass(cls, shape, dtype=torch.float32)
        batch.frames, batch._made = frames, None
        return batch

    @property
    def is_made(self) -> bool:
        return self._made is not None

    def make(self) -> Tensor:
        """The floats. They are kept as long as this batch is."""
        if self._made is None:
            self._made = make_batch(self.frames, len(self))
        return self._made

    def pick(self, index) -> Tensor:
        """The floats of one frame, a slice or a list of frames."""
        if self._made is not None:
            return self.make()[index]
        if isinstance(index, int):
            return make_batch([self.frames[index]], 1)[0]
        numbers = range(len(self))[index] if isinstance(index, slice) else index
        if not len(numbers):
            return torch.empty(0, *self.shape[1:])
        return make_batch((self.frames[number] for number in numbers), len(numbers))

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in KNOWN_WITHOUT_FRAMES:
            with torch._C.DisableTorchFunctionSubclass():
                return function(*args, **kwargs)
        if function is Tensor.__getitem__ and isinstance(args[0], FrameBatch) and _names_frames(args[1]):
            return args[0].pick(args[1])
        return cls._work_on_floats(function, args, kwargs)

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        """Compiled code comes here, past `__torch_function__`."""
        return cls._work_on_floats(function, args, kwargs or {})

    @staticmethod
    def _work_on_floats(function, args, kwargs):
        args, kwargs = tree_map_only(FrameBatch, FrameBatch.make, (args, kwargs))
        return function(*args, **kwargs)

    def __repr__(self):
        return f"FrameBatch{tuple(self.shape)}"


def _names_frames(index) -> bool:
    """Whether an index picks whole frames by number."""
    if isinstance(index, list):
        return all(type(number) is int for number in index)
    return isinstance(index, slice) or type(index) is int


class LateFrames:
    """Frames or masks of a clip that are drawn when the first of them is read, and then kept in a temporary file."""

    def __init__(self, draw: Callable[[], Iterable[np.ndarray]], count: int, *shape: int):
        self.draw, self.count, self.shape, self._kept = draw, count, shape, None

    def __len__(self) -> int:
        return self.count

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Frames from `start` up to and without `stop`."""
        if self._kept is None:
            kept = FrameStore()
            for frame in self.draw():
                kept.append(frame)
            self._kept = kept
        return (self._kept[index] for index in range(start, stop))


def keep_batches(drawn: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[FrameBatch, FrameBatch]:
    """Pairs of picture (H, W, 3) and mask (H, W) as IMAGE and MASK, kept in temporary files.

    Raises InputError where there are none.
    """
    pictures, masks, shape = FrameStore(), FrameStore(), None
    for picture, mask in drawn:
        pictures.append(picture)
        masks.append(mask)
        shape = picture.shape
    if shape is None:
        raise InputError("There are no frames to draw.")
    blank = Masks.constant(0, len(masks), *shape[:2])
    return (
        FrameBatch(Clip.still(np.zeros(shape, np.uint8), len(pictures)).derive(pictures.__getitem__)),
        FrameBatch(blank.derive(masks.__getitem__)),
    )


def make_batch(frames: Iterable[np.ndarray], count: int) -> Tensor:
    """`count` pictures (H, W, 3) as IMAGE, or masks (H, W) as MASK."""
    batch = None
    for index, frame in enumerate(frames):
        batch = allocate_batch(count, *frame.shape) if batch is None else batch
        put_frame(batch, index, frame)
    return batch


def copy_to_batch(frames: Iterable[np.ndarray], batch: Tensor) -> Iterator[np.ndarray]:
    """Pass frames on, and keep each in a batch."""
    for index, frame in enumerate(frames):
        put_frame(batch, index, frame)
        yield frame


def put_frame(batch: Tensor, index: int, frame: np.ndarray) -> None:
    """Make the floats of one frame. Raises when the user presses Cancel."""
    comfy.model_management.throw_exception_if_processing_interrupted()
    torch.div(torch.from_numpy(frame), 255, out=batch[index])


def allocate_batch(*shape: int) -> Tensor:
    """An uninitialised float batch. One that is large for the free memory is a mapped file, paged in and out."""
    size = 4 * math.prod(shape)
    if size < LARGE * comfy.model_management.get_free_memory(torch.device("cpu")):
        return torch.empty(shape)
    folder = folder_paths.get_temp_directory()
    _check_room(folder, size)
    handle, path = tempfile.mkstemp(prefix="mimo-batch-", dir=folder)
    os.close(handle)
    batch = torch.from_file(path, shared=True, size=math.prod(shape), dtype=torch.float32).view(shape)
    with contextlib.suppress(PermissionError):  # Windows keeps a mapped file; ComfyUI empties the folder when it starts
        os.unlink(path)
    return batch


def _check_room(folder: str, size: int) -> None:
    """A mapped file that does not fit ends the process without a message, so look first."""
    free = shutil.disk_usage(folder).free
    if size > 0.9 * free:
        raise InputError(
            f"These pictures need {size / 2**30:.1f} GB, more than fits in memory or in {folder} "
            f"({free / 2**30:.1f} GB free). Work on a shorter or smaller clip, or free some space."
        )
