"""What a stage has let go of does not stay with the process."""

import ctypes
import os
from pathlib import Path

import numpy as np
import pytest

from mimo_core import heap


PIECE, PIECES = 1 << 16, 1600  # bytes that no C library maps one by one; 100 MB of them


@pytest.fixture
def anew():
    heap._find_trim.cache_clear()
    yield
    heap._find_trim.cache_clear()


def measure_resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(heap._find_trim() is None, reason="this C library has no malloc_trim")
def test_freed_memory_below_memory_in_use_goes_back():
    pieces = [np.ones(PIECE, np.uint8) for _ in range(PIECES)]
    last = np.ones(PIECE, np.uint8)
    before = measure_resident()
    del pieces
    heap.give_back_memory()
    assert before - measure_resident() > PIECE * PIECES / 2
    assert last.all()


def test_where_nothing_can_be_given_back_nothing_happens(anew, monkeypatch):
    monkeypatch.setattr(ctypes, "pythonapi", object())
    assert heap._find_trim() is None
    heap.give_back_memory()
