"""`mimo batch`: many jobs of `replace` and `animate` from a list, on this machine or on a Ray cluster."""

from __future__ import annotations

import argparse
import csv
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from .terminal import declare_command, print_lines


FAILED_JOBS = 1  # exit code where some job failed
NOT_IN_ROWS = ("help", "work", "segments", "resume", "force")  # options that a batch gives itself
SUMMARY_COLUMNS = ("job", "out", "status", "seconds", "attempts", "message")


def add_batch(commands) -> None:
    summary = "Run many jobs of replace and animate from a CSV, YAML or JSONL file. What is done is not done again."
    command = declare_command(commands, "batch", run_batch, summary, "mimo batch shots.csv --workers 2")
    add = command.add_argument
    add("jobs", type=Path, metavar="JOBS", help="a row holds options by their names; paths are relative to the file")
    add("--workers", type=int, default=1, metavar="N", help="processes on this machine, default %(default)s")
    add("--ray", metavar="ADDRESS", help="run on the Ray cluster at ADDRESS, or auto for the one of this machine")
    add("--ship", action="store_true", help="send inputs and results through Ray: nodes share no folder with us")
    add("--cpus", type=float, default=1, metavar="N", help="cores of a job on Ray, default %(default)s")
    add("--gpus", type=float, default=0, metavar="N", help="GPUs of a job on Ray, such as 0.5, default %(default)s")
    add("--split", type=float, default=0, metavar="SECONDS", help="draw longer clips in parts, side by side; 0 = never")
    add("--summary", type=Path, metavar="CSV", help="default: summary.csv beside JOBS")
    add("--force", action="store_true", help="replace results that no batch wrote")


@dataclass(frozen=True)
class ListedJob:
    """A row as a command line, with absolute paths."""

    number: int
    arguments: tuple[str, ...]  # without --out
    inputs: tuple[Path, ...]
    out: Path
    options: argparse.Namespace
    settings: dict[str, object] = field(default_factory=dict)


def run_batch(options) -> int:
    """Run all jobs of a file; exit code 1 if one failed. Raises InputError for options that exclude each other."""
    from ..farm.jobs import read_job_rows
    from ..farm.tasks import run_jobs

    if options.workers < 1:
        raise InputError(f"--workers must be 1 or more, got {options.workers}.")
    if options.ship and not options.ray:
        raise InputError("--ship is for --ray: the processes of this machine read its files anyway.")
    if options.ship and options.split:
        raise InputError("--split keeps its work folder where all workers can read it: leave --ship out.")
    listed = _read_listed(options.jobs, read_job_rows(options.jobs))
    summary = _Summary(options.summary or options.jobs.with_name("summary.csv"), len(listed))
    jobs = [job for job in (_prepare_job(one, options, summary) for one in listed) if job is not None]
    try:
        if jobs:
            run_jobs(jobs, _make_workers(options), summary.add)
    finally:
        summary.write()
    print_lines(summary.describe(), f"wrote {summary.path}")
    return FAILED_JOBS if summary.count("failed") else 0


def _make_workers(options):
    from . import run_command

    if not options.ray:
        from ..farm.local import LocalWorkers

        return LocalWorkers(options.workers, run_command)
    from ..farm.ray_cluster import RayWorkers

    return RayWorkers(run_command, options.ray, cpus=options.cpus, gpus=options.gpus, ship=options.ship)


def _read_listed(path: Path, rows) -> list[ListedJob]:
    """The rows as command lines. Raises InputError for options that do not exist, before anything runs."""
    listed = [_read_row(path.absolute().parent, path.name, row) for row in rows]
    seen: dict[Path, int] = {}
    for job in listed:
        if job.out in seen:
            raise InputError(f"Rows {seen[job.out]} and {job.number} of {path.name} both write {job.out}.")
        seen[job.out] = job.number
    return listed


def _read_row(folder: Path, name: str, row) -> ListedJob:
    actions = _list_options(row.command)
    arguments, inputs, settings = [row.command], [], {"command": row.command}
    if "out" not in row.values:
        raise InputError(f"Row {row.number} of {name} has no out: the file to write.")
    for option, value in row.values.items():
        action = actions.get(option)
        if action is None:
            known = ", ".join(sorted(actions))
            raise InputError(f"Row {row.number} of {name}: {row.command} has no option {option}. It has {known}.")
        if action.nargs == 0:
            if str(value).lower() in ("1", "true", "yes"):
                arguments.append(action.option_strings[-1])
                settings[option] = True
            continue
        text, is_path = _resolve_value(folder, action, value)
        if option == "out":
            continue
        arguments += [action.option_strings[-1], text]
        if is_path and option != "sheet":
            inputs.append(Path(text))
        else:
            settings[option] = text
    out = Path(_resolve_value(folder, actions["out"], row.values["out"])[0])
    options = _parse_arguments(f"Row {row.number} of {name}", [*arguments, "--out", str(out)])
    return ListedJob(row.number, tuple(arguments), tuple(inputs), out, options, settings)


def _resolve_value(folder: Path, action, value) -> tuple[str, bool]:
    """The text of an option, and whether it is a file; files are relative to `folder`."""
    text = str(value)
    may_be_word = action.dest in ("scene", "motion")  # a color, or a motion that ships
    if action.type is not Path and not may_be_word:
        return text, False
    if may_be_word and not Path(text).suffix and not (folder / text).exists():
        return text, False
    return os.path.normpath(folder / text), True


def _list_options(command: str) -> dict[str, argparse.Action]:
    from . import build_parser

    parsers = next(action for action in build_parser()._actions if isinstance(action, argparse._SubParsersAction))
    return {action.dest: action for action in parsers.choices[command]._actions if action.dest not in NOT_IN_ROWS}


class _BadArgumentsError(Exception):
    """What a row says cannot be understood."""


class _RowParser(argparse.ArgumentParser):
    """Leaves it to the caller to say what is wrong."""

    def error(self, message: str):
        raise _BadArgumentsError(message)


def _parse_arguments(where: str, arguments: list[str]) -> argparse.Namespace:
    from . import build_parser

    try:
        return build_parser(_RowParser).parse_args(arguments)
    except _BadArgumentsError as error:
        raise InputError(f"{where}: {error}.") from None


def _prepare_job(listed: ListedJob, options, summary: _Summary):
    """The job of a row, or None where its result is there already."""
    from ..farm.record import ResultRecord, hash_inputs
    from ..farm.tasks import FAILED, SKIPPED, BatchJob, JobResult

    record = ResultRecord(listed.out)
    key = hash_inputs(listed.inputs, listed.settings)
    if record.is_done(key):
        summary.add(JobResult(listed.number, listed.out, SKIPPED, message="done before, of the same inputs"))
        return None
    if listed.out.exists() and not record.exists and not options.force:
        message = f"{listed.out} exists already and no batch wrote it. Give another name, or --force to replace it."
        summary.add(JobResult(listed.number, listed.out, FAILED, message=message))
        return None

    def begin() -> None:
        listed.out.parent.mkdir(parents=True, exist_ok=True)
        inputs = [str(path) for path in listed.inputs]
        record.begin(key, {"inputs": inputs, "settings": listed.settings})

    return BatchJob(listed.number, listed.out, lambda: _list_steps(listed, options, begin), record.finish)


def _list_steps(listed: ListedJob, options, begin) -> Iterator[list]:
    """The tasks of a job, step by step."""
    from ..farm.tasks import Task

    begin()
    seconds = _measure_seconds(listed.options) if options.split else 0.0
    if seconds <= options.split:
        arguments = (*listed.arguments, "--out", str(listed.out), "--force")
        yield [Task(arguments, listed.inputs, listed.out)]
        return
    yield from _list_long_steps(listed, math.ceil(seconds / options.split))


def _list_long_steps(listed: ListedJob, parts: int) -> Iterator[list]:
    """Prepare a work folder beside the result, draw its segments side by side, join them."""
    import shutil

    from ..farm.tasks import Task
    from ..farm.work import read_about

    work = listed.out.with_name(f"{listed.out.name}.work")
    yield [Task((*listed.arguments, "--work", str(work)), listed.inputs, work)]
    segments = read_about(work)["segments"]
    each = math.ceil(segments / parts)
    spans = [(first, min(first + each, segments) - 1) for first in range(0, segments, each)]
    yield [
        Task(("replace", "--work", str(work), "--segments", f"{first}-{last}"), (work,), work) for first, last in spans
    ]
    yield [Task(("join", str(work), "--out", str(listed.out), "--force"), (work,), listed.out)]
    shutil.rmtree(work, ignore_errors=True)


def _measure_seconds(options) -> float:
    """How long the driving video of a job is; 0 where there is none, or it cannot be read."""
    video = getattr(options, "video", None)
    if video is None:
        return 0.0
    import av

    try:
        with av.open(str(video)) as container:
            return (container.duration or 0) / av.time_base
    except (av.FFmpegError, OSError):  # the job itself says what is wrong
        return 0.0


class _Summary:
    """How the jobs ended: said as they end, and written to a CSV file."""

    def __init__(self, path: Path, total: int):
        self.path, self.total, self.results = path, total, []
        self.began, self.worked = time.monotonic(), 0

    def add(self, result) -> None:
        from ..farm.tasks import SKIPPED

        self.results.append(result)
        self.worked += result.status != SKIPPED
        told = f": {result.message}" if result.message else f" in {result.seconds:.0f} s"
        print_lines(
            f"{len(self.results)}/{self.total} job {result.number}, {result.out.name}: {result.status}{told}"
            f"{self._describe_left()}"
        )

    def count(self, status: str) -> int:
        return sum(result.status == status for result in self.results)

    def describe(self) -> str:
        """All results in one line."""
        counts = {result.status: 0 for result in self.results}
        for result in self.results:
            counts[result.status] += 1
        return f"{len(self.results)} jobs: " + ", ".join(f"{count} {status}" for status, count in counts.items())

    def write(self) -> None:
        """Write the summary, in the order of the list."""
        from ..output import whole_file

        rows = [
            (result.number, result.out, result.status, f"{result.seconds:.1f}", result.attempts, result.message)
            for result in sorted(self.results, key=lambda result: result.number)
        ]
        with whole_file(self.path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([SUMMARY_COLUMNS, *rows])

    def _describe_left(self) -> str:
        left = self.total - len(self.results)
        if not left or not self.worked:
            return ""
        seconds = (time.monotonic() - self.began) / self.worked * left
        return f"; about {seconds / 60:.0f} min left" if seconds >= 60 else f"; about {seconds:.0f} s left"
