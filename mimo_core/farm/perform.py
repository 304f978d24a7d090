"""Running one of our command lines in this process, on behalf of somebody who waits for its outcome."""

from __future__ import annotations

import contextlib
import io
import signal
import time
from collections.abc import Callable

from .tasks import Outcome


RunCommand = Callable[[list[str]], int]
BAD_INPUT = 2  # the exit code of a command that refuses its input


def perform_task(run_command: RunCommand, arguments: tuple[str, ...]) -> Outcome:
    """Run a command line; whatever goes wrong is the outcome's message, so that it does not look like a death."""
    said, before, began = io.StringIO(), signal.getsignal(signal.SIGTERM), time.monotonic()
    try:
        with contextlib.redirect_stderr(said):
            code = run_command(list(arguments))
        message = "" if code == 0 else describe_failure(code, said.getvalue())
    except SystemExit as error:
        code, message = 1, f"It ended with exit code {error.code}."
    except Exception as error:  # noqa: BLE001 - it is the task's failure
        code, message = 1, f"{type(error).__name__}: {error}".splitlines()[0]
    finally:
        signal.signal(signal.SIGTERM, before)
    return Outcome(code == 0, message, seconds=time.monotonic() - began)


def describe_failure(code: int, said: str) -> str:
    """The line that tells why a command ended with an exit code, from what it said on stderr."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not lines:
        return f"It ended with exit code {code} and said nothing."
    if code == BAD_INPUT:
        refused = [line for line in lines if line.startswith("mimo ")]
        return refused[-1].partition(": ")[2] if refused else lines[-1]
    return lines[-1]
