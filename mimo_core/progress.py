"""How long loops tell their caller where they are, and how the caller stops them."""

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar


Item = TypeVar("Item")


class Progress(Protocol):
    """Called once per unit of work. `preview` is an RGB uint8 frame (H, W, 3) or None.

    It may raise to cancel; the loop then leaves nothing behind.
    """

    def __call__(self, done: int, total: int, preview=None) -> None: ...


def silent(done: int, total: int, preview=None) -> None:
    """Report nothing."""


def track_progress(items: Iterable[Item], total: int, progress: Progress) -> Iterator[Item]:
    """Yield `items` and report each one after it has been worked on."""
    for done, item in enumerate(items, 1):
        yield item
        progress(done, total)


class Ticker:
    """Progress over loops of different lengths, `total` steps in all: called after each step."""

    def __init__(self, progress: Progress, total: int):
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self, preview=None) -> None:
        self.done += 1
        self.ask(preview)

    def ask(self, preview=None) -> None:
        """Report again where the work is, which lets the caller cancel."""
        self.progress(min(self.done, self.total), self.total, preview)


def scale_progress(progress: Progress, number: int, parts: int) -> Progress:
    """`progress` of the whole, for part `number` of `parts` equal ones."""
    return lambda done, total, preview=None: progress(number * total + done, parts * total, preview)
