"""Baking characters in a thread of its own: what is drawn last waits for nothing that is found out before."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

from ..ahead import take_result
from ..identity.identity import Identity
from .proxy import Proxy
from .surface import forget_surfaces


class Stopped(Exception):
    """Nobody waits for the figure any more."""


class BakeAhead:
    """The proxies of characters, each baked once, from now on while others work on the clip.

    Baking does not depend on the clip, takes seconds, and leaves Python's lock free for many of them. It ends at its
    next step after `stop`, or when nobody has this object any more.
    """

    def __init__(self, identities: Iterable[Identity]):
        self._stopped = threading.Event()
        weakref.finalize(self, self._stopped.set)
        executor = ThreadPoolExecutor(1, "bake")
        self._proxies: dict[Identity, Future] = {
            identity: executor.submit(_bake, identity, self._stopped) for identity in dict.fromkeys(identities)
        }
        executor.submit(forget_surfaces)  # the scene, which takes most memory, is yet to come
        executor.shutdown(wait=False)

    def take(self, identity: Identity, ask: Callable[[], None] = lambda: None) -> Proxy:
        """The proxy of one of the characters, when it is done. Raises what baking it raised, or `ask` meanwhile."""
        return take_result(self._proxies[identity], ask)

    def stop(self) -> None:
        """Bake no more: the job ended early."""
        self._stopped.set()


def _bake(identity: Identity, stopped: threading.Event) -> Proxy:
    def ask(done: int, total: int, preview=None) -> None:
        if stopped.is_set():
            raise Stopped

    ask(0, 1)
    return Proxy.from_identity(identity, progress=ask)
