"""IMAGE and MASK batches: floats in 0..1 made of the library's uint8 frames, in memory or, when large, in a file."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator

import comfy.model_management
import folder_paths
import numpy as np
import torch
from torch import Tensor

from ..mimo_core.errors import InputError


LARGE = 0.25  # of the free memory


def make_batch(frames: Iterable[np.ndarray], count: int) -> Tensor:
    """`count` pictures (H, W, 3) as IMAGE, or masks (H, W) as MASK."""
    return make_batches(((frame,) for frame in frames), count)[0]


def make_batches(drawn: Iterable[tuple[np.ndarray, ...]], count: int) -> list[Tensor]:
    """`count` tuples of picture and mask as one batch each."""
    batches = None
    for index, layers in enumerate(drawn):
        batches = batches or [allocate_batch(count, *layer.shape) for layer in layers]
        for batch, layer in zip(batches, layers, strict=True):
            put_frame(batch, index, layer)
    return batches


def copy_to_batch(frames: Iterable[np.ndarray], batch: Tensor) -> Iterator[np.ndarray]:
    """Pass frames on, and keep each in a batch."""
    for index, frame in enumerate(frames):
        put_frame(batch, index, frame)
        yield frame


def put_frame(batch: Tensor, index: int, frame: np.ndarray) -> None:
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
