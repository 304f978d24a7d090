"""How long a node runs without asking whether the user pressed Cancel: in Python calls, and in seconds.

Calls are the same on every machine, so tests compare them; seconds are for the table in docs/reliability.md.
"""

import sys
import time
from collections import Counter
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
DEPTH = 3  # functions that name a place


class Silence:
    """Watches the code in its `with` block. `install` makes something ask it.

    calls, seconds, work: the longest stretch between two questions, by the places (from, to) that asked, in calls of
    Python, seconds, and seconds of the processor
    """

    def __init__(self, *, counts_calls: bool = True):
        self.calls, self.seconds, self.work, self.asked = Counter(), Counter(), Counter(), 0
        self.counts_calls = counts_calls

    def install(self, monkeypatch):
        """Be asked by ComfyUI's progress bars and by its check for Cancel."""
        import comfy.model_management
        import comfy.utils

        ask = lambda *given, **named: self.ask()  # noqa: E731
        monkeypatch.setattr(comfy.utils.ProgressBar, "update_absolute", ask)
        monkeypatch.setattr(comfy.model_management, "throw_exception_if_processing_interrupted", ask)
        return self

    def __enter__(self):
        self._place, self._count, self._since, self._used = "begin", 0, time.perf_counter(), time.process_time()
        if self.counts_calls:
            sys.setprofile(self._notice)
        return self

    def __exit__(self, *error):
        sys.setprofile(None)
        self._close("end")

    def _notice(self, frame, event, argument):
        if event in ("call", "c_call"):
            self._count += 1

    def ask(self):
        self.asked += 1
        self._close(_name_place(sys._getframe(2)))

    def _close(self, place: str) -> None:
        now, used, key = time.perf_counter(), time.process_time(), (self._place, place)
        self.calls[key] = max(self.calls[key], self._count)
        self.seconds[key] = max(self.seconds[key], now - self._since)
        self.work[key] = max(self.work[key], used - self._used)
        self._place, self._count, self._since, self._used = place, 0, time.perf_counter(), time.process_time()


def _name_place(frame) -> str:
    """The innermost functions of the project that lead to a question, outermost last."""
    found = []
    while frame is not None and len(found) < DEPTH:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and "progress" not in path.stem and frame.f_code.co_name not in ("report", "tick"):
            found.append(f"{path.stem}.{frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(found)
