"""Work that other threads do ahead of the one that needs it: decoding, warping and drawing leave Python's lock free."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import ContextVar, copy_context
from threading import Event
from typing import TypeVar

import torch


Item = TypeVar("Item")
Result = TypeVar("Result")

ITEMS_AHEAD = 1  # that wait to be read, which bounds memory
WAIT_SECONDS = 0.2  # after which who waits hears of Ctrl-C, on Windows too
_stopped: ContextVar[Event | None] = ContextVar("stopped", default=None)  # of a thread: its reader has gone


def read_ahead(items: Iterable[Item], count: int = ITEMS_AHEAD) -> Iterator[Item]:
    """The `items` in their order. A thread makes up to `count` of them before they are read.

    What making one raises is raised where it is read. Who stops reading waits for the one that is being made.
    """
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, "ahead") as executor:
        submit = _keep_mode(executor)
        waiting = deque(submit(next, iterator, end) for _ in range(count))
        try:
            while (item := take_result(waiting.popleft())) is not end:
                waiting.append(submit(next, iterator, end))
                yield item
        finally:
            _cancel(waiting)


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = 2,
    ask: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """The results of a `function` of each of the `items`, in their order, made by some `workers` ahead of their reader.

    Items are read by the caller's thread. The function must bear to be called by several threads at once; what takes
    long has to `leave_if_unwanted`. `ask` is called while the reader waits; it may raise to cancel.
    """
    with ThreadPoolExecutor(workers, "ahead") as executor:
        stopped, waiting = Event(), deque()
        submit = _keep_mode(executor, stopped)
        try:
            for item in items:
                waiting.append(submit(function, item))
                if len(waiting) > workers:
                    yield take_result(waiting.popleft(), ask)
            while waiting:
                yield take_result(waiting.popleft(), ask)
        finally:
            stopped.set()
            _cancel(waiting)


class Unwanted(Exception):
    """Who would read what is made has stopped."""


def leave_if_unwanted() -> None:
    """Between two steps of what a thread makes ahead: raise Unwanted once nobody waits for it. No effect elsewhere."""
    stopped = _stopped.get()
    if stopped is not None and stopped.is_set():
        raise Unwanted


def _keep_mode(executor: ThreadPoolExecutor, stopped: Event | None = None) -> Callable[..., Future]:
    """`submit` of an executor whose threads have the caller's context variables and torch's modes of the caller."""
    mode, learns = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def call(function: Callable, *given):
        _stopped.set(stopped)
        with torch.inference_mode(mode), torch.set_grad_enabled(learns):
            return function(*given)

    return lambda *given: executor.submit(copy_context().run, call, *given)


def take_result(future: Future, ask: Callable[[], None] = lambda: None):
    """What a thread made, or the error it raised, as soon as it is there. `ask` is called while it is waited for."""
    try:
        while not wait([future], timeout=WAIT_SECONDS).done:
            ask()
        return future.result()
    finally:
        del future  # what it raises would hold it, and so itself and open files, until garbage is collected


def _cancel(waiting: Iterable[Future]) -> None:
    for future in waiting:
        future.cancel()
