"""What to do when memory runs out: take less at once, and only then give up, with the numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from ..errors import InputError


Result = TypeVar("Result")
Way = TypeVar("Way")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, has no memory left."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def release(device: torch.device) -> None:
    """Give what torch keeps for later back to the device."""
    module = torch.get_device_module(device)
    if hasattr(module, "empty_cache"):
        module.empty_cache()


def in_memory(run: Callable[[Way], Result], ways: list[Way], device: torch.device, *, told: str) -> Result:
    """`run` in the first of `ways` that fits into memory. Ways that do not are taken off the list for good.

    Raises InputError with `told` and the free memory if the last one does not fit either.
    """
    while True:
        try:
            return run(ways[0])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(ways) == 1:
                raise InputError(f"Out of memory {told}{_free(device)}.") from error
        ways.pop(0)
        release(device)  # outside of `except`, where the error would still hold tensors


def _free(device: torch.device) -> str:
    module = torch.get_device_module(device)
    if not hasattr(module, "mem_get_info"):
        return ""
    free, total = module.mem_get_info(device)
    return f"; {free / 2**30:.1f} of {total / 2**30:.1f} GB are free"
