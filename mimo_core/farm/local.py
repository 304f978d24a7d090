"""Workers on this machine: every task is a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from .perform import RunCommand, perform_task
from .tasks import MOST_ATTEMPTS, Outcome, Task


PATIENCE = 20  # seconds that a process may take to end cleanly


class LocalWorkers:
    """Runs up to `count` tasks at once. A task whose process dies is tried again."""

    def __init__(self, count: int, run_command: RunCommand):
        self.run_command = run_command
        self._pool = ThreadPoolExecutor(count)
        self._context = multiprocessing.get_context("spawn")
        self._processes: set = set()
        self._lock = threading.Lock()
        self._is_stopped = False
        # Processes inherit these: cores are shared out, and threads that wait do not spin.
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    def submit(self, task: Task) -> Future:
        return self._pool.submit(self._run, task)

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            running = list(self._processes)
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()
        for process in running:
            process.join(PATIENCE)
            if process.is_alive():
                process.kill()
        self._pool.shutdown()

    def _run(self, task: Task) -> Outcome:
        began = time.monotonic()
        outcome, attempt = None, 0
        while outcome is None and attempt < MOST_ATTEMPTS and not self._is_stopped:
            outcome, code = self._run_once(task)
            attempt += 1
        if attempt == 0:
            return Outcome(False, "It was stopped before it began.")
        if outcome is None:
            cause = f"signal {-code}" if code < 0 else f"exit code {code}"
            outcome = Outcome(False, f"Its process was ended {attempt} times by {cause}; memory may have run out.")
        return replace(outcome, attempts=attempt, seconds=time.monotonic() - began)

    def _run_once(self, task: Task) -> tuple[Outcome | None, int]:
        """The outcome of a task, or None and the exit code of a process that died."""
        receiver, sender = self._context.Pipe(duplex=False)
        arguments = (self.run_command, task.arguments, sender)
        process = self._context.Process(target=_perform_in_child, args=arguments)
        with self._lock:
            if self._is_stopped:
                return None, -signal.SIGTERM
            process.start()
            self._processes.add(process)
        sender.close()
        try:
            outcome = receiver.recv()
        except EOFError:
            outcome = None
        process.join()
        with self._lock:
            self._processes.discard(process)
        return outcome, process.exitcode


def _perform_in_child(run_command: RunCommand, arguments: tuple[str, ...], sender) -> None:
    """Run a task in a process of its own. Ctrl-C at the terminal is left to the parent, bars and logs to nobody."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    sender.send(perform_task(run_command, arguments))
