"""Workers on a Ray cluster. Queueing, retries, resources and the way of files are Ray's own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from ..errors import InputError
from ..output import whole_file
from .perform import RunCommand, perform_task
from .tasks import MOST_ATTEMPTS, Outcome, Task


PACKAGE_FOLDER = Path(__file__).parents[2]


class RayWorkers:
    """Runs tasks on the cluster at `address` ("auto": the one of this machine).

    A task takes `cpus` and `gpus` of a node. With `ship`, inputs and results go through Ray's object store, for nodes
    that share no folder with this machine. Raises InputError if Ray is not installed or no cluster answers.
    """

    def __init__(self, run_command: RunCommand, address: str, *, cpus: float, gpus: float, ship: bool):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise InputError("Ray is not installed: pip install 'mimo-character[farm]'") from None
        self.ray, self.run_command, self.ship = ray, run_command, ship
        if not ray.is_initialized():
            self._connect(address)
        options = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": MOST_ATTEMPTS - 1}
        self._perform = ray.remote(**options)(perform_task)
        self._perform_shipped = ray.remote(**options)(perform_shipped_task)
        self._stored: dict[tuple, object] = {}
        self._references: list = []

    def submit(self, task: Task) -> Future:
        if not self.ship:
            reference = self._perform.remote(self.run_command, task.arguments)
            self._references.append(reference)
            return _convert_future(reference.future(), lambda outcome: outcome)
        files = {str(path): self._store(path) for path in task.inputs if path.is_file()}
        reference = self._perform_shipped.remote(self.run_command, task.arguments, str(task.out), files)
        self._references.append(reference)
        return _convert_future(reference.future(), lambda result: _write_shipped(task.out, *result))

    def stop(self) -> None:
        for reference in self._references:
            with contextlib.suppress(Exception):
                self.ray.cancel(reference, force=False)

    def _connect(self, address: str) -> None:
        variables = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(PACKAGE_FOLDER), "OMP_WAIT_POLICY": "PASSIVE"}
        try:
            self.ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": variables})
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"No Ray cluster answers at {address}: {str(error).splitlines()[0]} Start one: ray start --head"
            ) from error

    def _store(self, path: Path):
        """The contents of a file in the object store, once for all tasks that read it."""
        state = path.stat()
        key = (path, state.st_size, state.st_mtime_ns)
        if key not in self._stored:
            self._stored[key] = self.ray.put(path.read_bytes())
        return self._stored[key]


def perform_shipped_task(
    run_command: RunCommand, arguments: tuple[str, ...], out: str, files: dict
) -> tuple[Outcome, bytes | None]:
    """The same where there is no shared folder: inputs come, and the result goes, as bytes."""
    import ray

    with tempfile.TemporaryDirectory(prefix="mimo-") as folder:
        places = {out: str(Path(folder, "out" + Path(out).suffix))}
        for number, (path, reference) in enumerate(files.items()):
            place = Path(folder, f"in-{number}{Path(path).suffix}")
            place.write_bytes(ray.get(reference))
            places[path] = str(place)
        outcome = perform_task(run_command, tuple(places.get(argument, argument) for argument in arguments))
        return outcome, Path(places[out]).read_bytes() if outcome.is_done else None


def _write_shipped(out: Path, outcome: Outcome, data: bytes | None) -> Outcome:
    if data is not None:
        with whole_file(out) as partial:
            partial.write_bytes(data)
    return outcome


def _convert_future(source: Future, convert: Callable) -> Future:
    """A future of what `convert` makes of another one's result."""
    result = Future()

    def done(ended: Future) -> None:
        try:
            result.set_result(convert(ended.result()))
        except BaseException as error:  # noqa: BLE001 - it is handed to whoever waits
            result.set_exception(error)

    source.add_done_callback(done)
    return result
