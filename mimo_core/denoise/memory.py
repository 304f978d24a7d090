"""What to do when memory runs out: take less at once, and only then give up, with the numbers."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import torch

from ..errors import InputError


Result = TypeVar("Result")
Way = TypeVar("Way")


class OutOfMemory(InputError, torch.cuda.OutOfMemoryError):
    """Not even the smallest way fits. ComfyUI knows it as an error of memory, and frees its models."""


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

    Raises OutOfMemory with `told` and the free memory if the last one does not fit either.
    """
    while True:
        try:
            return run(ways[0])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(ways) == 1:
                raise OutOfMemory(f"Out of memory {told}.{_free(device)}") from error
        ways.pop(0)
        release(device)  # outside of `except`, where the error would still hold tensors


def _free(device: torch.device) -> str:
    """How much memory a device has left, as a sentence; empty where nobody can tell."""
    module = torch.get_device_module(device)
    if hasattr(module, "mem_get_info"):
        free = module.mem_get_info(device)[0]
    elif device.type == "cpu" and hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    else:
        return ""
    return f" {free / 2**30:.1f} GB are free."
