"""Samples that are made while the training runs, by processes beside it."""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator

from mimo_core.errors import InputError

from .samples import Sample


APART = 900_000  # number of the first sample that is only looked at
TOGETHER = 3  # neighbouring numbers of one worker: they may share what is costly to make, such as a character
SAMPLE_ERRORS = (InputError, ArithmeticError, ImportError, LookupError, OSError, RuntimeError, TypeError, ValueError)
HOPELESS = 10  # samples in a row that could not be made
PATIENCE = 120.0  # seconds without a sample after which something must be wrong
READ_AHEAD = 8  # samples


class SampleStream:
    """Numbered samples in the order in which `workers` processes finish them. Close it at the end.

    make: called with a number in another process, so it must be picklable
    apart: how many of the first samples have numbers from APART on, far from all others
    part: (this training process, number of them); each has workers of its own, which make other samples
    """

    def __init__(self, make: Callable[[int], Sample], workers: int, *, apart: int = 0, part: tuple[int, int] = (0, 1)):
        context = multiprocessing.get_context("spawn")  # a fork of a process in which torch has threads may hang
        made, self._read = context.Queue(maxsize=workers), queue.Queue(maxsize=READ_AHEAD)
        self._processes = [
            context.Process(
                target=_make_samples,
                args=(make, part[0] * workers + worker, part[1] * workers, apart, made),
                daemon=True,
            )
            for worker in range(workers)
        ]
        for process in self._processes:
            process.start()
        threading.Thread(target=_read_ahead, args=(made, self._read), daemon=True).start()
        self.failures: list[str] = []

    def list_ready(self, most: int) -> list[tuple[int, Sample]]:
        """Up to `most` samples that are ready, without waiting for others."""
        ready = []
        while len(ready) < most:
            try:
                number, sample = self._read.get_nowait()
            except queue.Empty:
                break
            if isinstance(sample, str):
                self.failures.append(sample)
            else:
                ready.append((number, sample))
        return ready

    def wait(self, *, patience: float = PATIENCE) -> tuple[int, Sample]:
        """The next sample. Raises InputError if none comes."""
        until, failed = time.monotonic() + patience, len(self.failures)
        while time.monotonic() < until and len(self.failures) - failed < HOPELESS:
            if ready := self.list_ready(1):
                return ready[0]
            if not any(process.is_alive() for process in self._processes) and self._read.empty():
                break
            time.sleep(0.01)
        why = f"the last error was: {self.failures[-1]}" if self.failures else f"nothing came in {patience:.0f} s"
        raise InputError(
            f"No sample was made by {len(self._processes)} processes, {why}. Lower workers in the configuration, or "
            "set it to 0 to make the samples beforehand."
        )

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()


def list_numbers(worker: int, workers: int, apart: int) -> Iterator[int]:
    """The numbers of the samples that one worker makes, without end."""
    yield from range(APART + worker * TOGETHER, APART + apart * TOGETHER, workers * TOGETHER)
    group = worker
    while True:
        yield from range(group * TOGETHER, (group + 1) * TOGETHER)
        group += workers


def _make_samples(make, worker: int, workers: int, apart: int, made) -> None:
    """What a process does: a sample that fails is left out, and said."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    parent = os.getppid()
    for number in list_numbers(worker, workers, apart):
        try:
            sample = make(number)
        except SAMPLE_ERRORS as error:  # one bad sample must not end the training
            sample = f"sample {number}: {error}"
        made.put((number, sample))
        if os.getppid() != parent:
            return


def _read_ahead(made, read: queue.Queue) -> None:
    while True:
        read.put(made.get())
