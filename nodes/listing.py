"""What lies in ComfyUI's folders, for the choices of nodes: bounded, and read anew only where a folder has changed."""

from __future__ import annotations

import os
import time
from pathlib import Path


MOST_ENTRIES = 20_000  # of a folder with those in it: ComfyUI asks for all choices whenever a page is loaded
FRESH = 2 * 10**9  # nanoseconds after a change in which another could bear the same time

_KNOWN: dict[tuple[str, int], tuple[dict[str, int], tuple[Path, ...]]] = {}  # folders' times, and the files found


def list_folder(root: str | Path, depth: int) -> tuple[Path, ...]:
    """The files of a folder and of those in it, `depth` folders deep, sorted. Hidden ones are left out.

    The result is kept until one of the folders changes.
    """
    key = (str(root), depth)
    times, files = _KNOWN.get(key, ({}, ()))
    fresh = time.time_ns() - FRESH
    if not times or any(changed > fresh or _read_time(folder) != changed for folder, changed in times.items()):
        times, found = {}, []
        _walk_folder(str(root), depth, times, found)
        files = tuple(sorted(found))
        _KNOWN[key] = (times, files)
    return files


def _walk_folder(folder: str, depth: int, times: dict[str, int], found: list[Path]) -> None:
    times[folder] = _read_time(folder)
    deeper = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if len(found) + len(times) >= MOST_ENTRIES:
                    return
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    deeper.append(entry.path)
                else:
                    found.append(Path(entry.path))
    except OSError:  # gone, or not ours to read
        return
    for inner in sorted(deeper) if depth > 1 else ():
        if len(found) + len(times) >= MOST_ENTRIES:
            return
        _walk_folder(inner, depth - 1, times, found)


def _read_time(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return -1
