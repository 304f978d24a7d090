"""How a process ends that trained together with others."""

from __future__ import annotations

import os
import sys


def end_process() -> None:
    """End this process at once, with exit code 0, if it is one of several that train together; else return.

    What is buffered for stdout and stderr is written; nothing else is taken down. An orderly end runs C++
    destructors beside gloo's threads, which aborts about one process in twenty (torch 2.13) after all is saved, and
    a launcher then counts the whole run as failed.
    """
    from accelerate import PartialState

    if PartialState().num_processes > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
