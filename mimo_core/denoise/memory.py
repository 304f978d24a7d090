"""Fallbacks when memory runs out: take less at once, and report the numbers when nothing fits."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

import torch

from ..errors import InputError


# A CPU's and a Mac's have no class of their own. The last is of one tensor that is larger than a Mac's GPU ever holds.
PLAIN_ERRORS = ("DefaultCPUAllocator", "MPS backend out of memory", "Invalid buffer size")

Result = TypeVar("Result")
Fallback = TypeVar("Fallback")


class OutOfMemory(InputError, torch.cuda.OutOfMemoryError):
    """The smallest fallback does not fit either. ComfyUI treats it as its own error of memory and frees models."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, has no memory left."""
    if isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in PLAIN_ERRORS)


def release_memory(device: torch.device) -> None:
    """Give what torch keeps for later back to the device."""
    module = torch.get_device_module(device)
    if hasattr(module, "empty_cache"):
        module.empty_cache()


def run_with_fallbacks(
    run: Callable[[Fallback], Result], fallbacks: list[Fallback], device: torch.device, *, situation: str
) -> Result:
    """Call `run` with the first of `fallbacks` that fits into memory, and return its result.

    Entries that do not fit are removed from the list, so later calls do not try them again.
    Raises OutOfMemory, which names `situation` and the free memory, if the last entry does not fit either.
    """
    while True:
        try:
            return run(fallbacks[0])
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(fallbacks) == 1:
                raise OutOfMemory(f"Out of memory {situation}.{_describe_free_memory(device)}") from error
        fallbacks.pop(0)
        release_memory(device)  # outside of `except`, where the error would still hold tensors


def count_fitting(bytes_each: int, most: int, device: torch.device) -> int:
    """How many of `most` equal jobs a device has memory for at once: 1 at least, all where nobody can tell."""
    free = _get_free_memory(device) if device.type != "cpu" else None
    return most if free is None else max(1, min(most, free // bytes_each))


def _describe_free_memory(device: torch.device) -> str:
    """How much memory a device has left, as a sentence; empty where nobody can tell."""
    free = _get_free_memory(device)
    return "" if free is None else f" {free / 2**30:.1f} GB are free."


def _get_free_memory(device: torch.device) -> int | None:
    """Bytes, with what torch holds unused; None where nobody can tell."""
    module = torch.get_device_module(device)
    if hasattr(module, "mem_get_info"):
        unused = module.memory_reserved(device) - module.memory_allocated(device)
        return module.mem_get_info(device)[0] + unused
    if device.type == "cpu" and hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
