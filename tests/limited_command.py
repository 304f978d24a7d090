"""Our command line with little room or memory, for workers: picked by the name of the folder that it writes to."""

from __future__ import annotations

import importlib
import os
import resource
import signal
from pathlib import Path

from mimo_core.cli import run_command


FULL_DISK, LITTLE_MEMORY, KILLED = "full_disk", "little_memory", "killed"
ROOM = 300  # bytes a file
MORE_MEMORY = 1 << 27  # bytes beyond those that the process has


def run_limited(arguments: list[str]) -> int:
    """Run a command as on a disk without room, beyond a limit of memory, or as one that is killed for its memory."""
    where = Path(arguments[arguments.index("--out") + 1]).parent.name
    if where == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if where == FULL_DISK:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        return run_within(resource.RLIMIT_FSIZE, ROOM, arguments)
    if where == LITTLE_MEMORY:
        for name in ("av", "cv2", "mimo_core.replace"):  # a library that finds no memory ends the process
            importlib.import_module(name)

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return run_within(resource.RLIMIT_AS, pages * resource.getpagesize() + MORE_MEMORY, arguments)
    return run_command(arguments)


def run_within(kind: int, limit: int, arguments: list[str]) -> int:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit, before[1]))
    try:
        return run_command(arguments)
    finally:
        resource.setrlimit(kind, before)
