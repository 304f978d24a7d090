"""Memory that was let go of, given back to the system: Linux's C library keeps pieces of up to 32 MB for later."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


def give_back_memory() -> None:
    """Give freed memory back, where the C library can: glibc's `malloc_trim`. For the end of a stage: it takes ms."""
    if (trim := _find_trim()) is not None:
        trim(0)


@cache
def _find_trim() -> Callable[[int], int] | None:
    """Where Python itself sees the function, so that no library is loaded, which registries take for harm."""
    try:
        trim = ctypes.pythonapi.malloc_trim
    except AttributeError:  # another C library, or Windows
        return None
    trim.argtypes = [ctypes.c_size_t]
    return trim
