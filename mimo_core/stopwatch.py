"""Where the time of a job goes, stage by stage."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar


Item = TypeVar("Item")


class Stopwatch:
    """Wall seconds by stage. A stage that runs inside another one stops the outer clock."""

    def __init__(self, clock=time.perf_counter):
        self.seconds: dict[str, float] = {}
        self._clock, self._open, self._since = clock, [], clock()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside under `name`."""
        self._charge()
        self._open.append(name)
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def iterate(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Count what it takes to make the items under `name`, and not what the caller does with them."""
        items = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item

    def _charge(self) -> None:
        now = self._clock()
        if self._open:
            self.seconds[self._open[-1]] = self.seconds.get(self._open[-1], 0.0) + now - self._since
        self._since = now

    def format_table(self, frames: int) -> str:
        """One line per stage: seconds in all, and milliseconds a frame."""
        rows = [*self.seconds.items(), ("in all", sum(self.seconds.values()))]
        return "\n".join(f"{name:<12}{seconds:8.1f} s{1000 * seconds / frames:8.0f} ms/frame" for name, seconds in rows)
