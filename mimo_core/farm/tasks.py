"""Tasks of jobs, and the loop that gives them to workers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


DONE, SKIPPED, FAILED, STOPPED = "done", "skipped", "failed", "stopped"
MOST_ATTEMPTS = 5  # of a task whose worker dies


@dataclass(frozen=True)
class Task:
    """One command line of ours, and the files that it reads and writes."""

    arguments: tuple[str, ...]
    inputs: tuple[Path, ...] = ()
    out: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """How a task ended."""

    is_done: bool
    message: str = ""  # in one line, why it failed
    attempts: int = 1
    seconds: float = 0.0  # that it was worked on


Steps = Generator[list[Task], None, None]  # tasks that may run side by side; the next list when all of them are done


@dataclass(eq=False)
class BatchJob:
    """A listed job: how it is told apart, and its steps."""

    number: int
    out: Path
    steps: Callable[[], Steps]
    finish: Callable[[], None] = lambda: None  # when all steps are done


@dataclass(eq=False)
class JobResult:
    """How a job ended, for the summary."""

    number: int
    out: Path
    status: str
    seconds: float = 0.0
    attempts: int = 1
    message: str = ""


class Workers(Protocol):
    """What runs tasks."""

    def submit(self, task: Task) -> Future:
        """Start a task as soon as there is room; a future of its Outcome. An error in it is the task's failure."""

    def stop(self) -> None:
        """End what runs. Nothing half is left."""


@dataclass(eq=False)
class _Running:
    job: BatchJob
    steps: Steps
    seconds: float = 0.0
    open_tasks: int = 0
    attempts: int = 1
    message: str = ""


def run_jobs(jobs: Iterable[BatchJob], workers: Workers, report: Callable[[JobResult], None]) -> None:
    """Run all jobs; `report` gets the result of each when it ends. A job that fails leaves the others alone.

    When the loop is interrupted (KeyboardInterrupt), workers are stopped and the rest is reported as stopped.
    """
    waiting, futures = {}, {}
    try:
        for job in jobs:
            running = _Running(job, job.steps())
            waiting[job.number] = running
            _advance(running, workers, futures, waiting, report)
        while futures:
            ended, _ = wait(futures, return_when=FIRST_COMPLETED)
            for future in ended:
                running = futures.pop(future)
                _note(running, future)
                if running.open_tasks == 0:
                    _advance(running, workers, futures, waiting, report)
    except BaseException:
        workers.stop()
        for running in waiting.values():
            report(_result(running, STOPPED, "stopped before it was done"))
        raise


def _advance(running: _Running, workers: Workers, futures: dict, waiting: dict, report) -> None:
    """Submit the next step of a job, or report how it ended."""
    tasks = None
    try:
        if not running.message:
            tasks = next(running.steps, None)
        if tasks is None and not running.message:
            running.job.finish()
    except Exception as error:  # noqa: BLE001 - whatever one job meets, the others go on
        running.message = str(error) or type(error).__name__
        tasks = None
    if tasks:
        running.open_tasks = len(tasks)
        futures |= {workers.submit(task): running for task in tasks}
        return
    del waiting[running.job.number]
    report(_result(running, FAILED if running.message else DONE, running.message))


def _note(running: _Running, future: Future) -> None:
    running.open_tasks -= 1
    try:
        outcome = future.result()
    except Exception as error:  # noqa: BLE001 - whatever ended a task, the others go on
        outcome = Outcome(False, f"{type(error).__name__}: {error}".splitlines()[0])
    running.seconds += outcome.seconds
    running.attempts = max(running.attempts, outcome.attempts)
    if not outcome.is_done and not running.message:
        running.message = outcome.message


def _result(running: _Running, status: str, message: str) -> JobResult:
    job = running.job
    return JobResult(job.number, job.out, status, running.seconds, running.attempts, message)
