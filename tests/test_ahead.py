"""Threads that work ahead: the same results in the same order, and nothing left behind."""

import gc
import threading
import time
import weakref
from contextvars import ContextVar

import pytest
import torch

from mimo_core.ahead import ITEMS_AHEAD, Unwanted, leave_if_unwanted, map_ahead, read_ahead


def count_threads() -> int:
    return sum(thread.name.startswith("ahead") for thread in threading.enumerate())


def twice(number):
    return 2 * number


class TestReading:
    def test_items_come_in_their_order_and_from_another_thread(self):
        made = ((number, threading.current_thread().name) for number in range(50))
        numbers, names = zip(*read_ahead(made), strict=True)
        assert numbers == tuple(range(50))
        assert all(name.startswith("ahead") for name in names)
        assert count_threads() == 0

    def test_no_more_are_made_than_may_wait(self):
        made = []
        reader = read_ahead(made.append(number) or number for number in range(50))
        assert [next(reader) for _ in range(5)] == [0, 1, 2, 3, 4]
        reader.close()
        assert len(made) <= 5 + ITEMS_AHEAD
        assert count_threads() == 0

    def test_what_making_an_item_raises_is_raised_where_it_is_read(self):
        def make():
            yield 1
            raise InterruptedError("stopped")

        reader = read_ahead(make())
        assert next(reader) == 1
        with pytest.raises(InterruptedError, match="stopped"):
            next(reader)
        assert count_threads() == 0

    def test_nothing_is_read_of_what_is_empty(self):
        assert list(read_ahead([])) == []

    def test_the_threads_know_the_context_and_the_mode_of_who_reads(self):
        node = ContextVar("node")
        node.set("7")
        with torch.inference_mode():
            weights = torch.zeros(2)
            assert list(read_ahead((node.get(), weights.add_(1).tolist()) for _ in range(2))) == [
                ("7", [1.0, 1.0]),
                ("7", [2.0, 2.0]),
            ]

    def test_the_threads_learn_no_more_than_who_reads(self):
        weight = torch.ones(1, requires_grad=True)
        with torch.no_grad():
            assert [made.requires_grad for made in read_ahead(weight * 2 for _ in range(2))] == [False, False]
        assert [made.requires_grad for made in read_ahead(weight * 2 for _ in range(2))] == [True, True]

    @pytest.mark.parametrize("is_cancelled", [False, True])
    def test_what_was_open_is_let_go_of_once_an_error_is_caught(self, is_cancelled):
        class File:
            pass

        files = []

        def make():
            file = File()
            files.append(weakref.ref(file))
            yield 1
            if not is_cancelled:
                raise InterruptedError(file)
            yield 2

        def read():
            for _ in read_ahead(make()):
                if is_cancelled:
                    raise InterruptedError("by who reads")

        gc.collect()
        gc.disable()
        try:
            with pytest.raises(InterruptedError):
                read()
            assert files[0]() is None
            assert count_threads() == 0
        finally:
            gc.enable()


class TestMapping:
    @pytest.mark.parametrize("workers", [1, 2, 3])
    def test_results_come_in_the_order_of_the_items(self, workers):
        assert list(map_ahead(twice, range(40), workers=workers)) == [twice(number) for number in range(40)]
        assert count_threads() == 0

    def test_two_are_worked_on_at_once(self):
        both = threading.Barrier(2, timeout=10)
        assert list(map_ahead(lambda number: both.wait() >= 0 and number, range(6))) == list(range(6))

    def test_what_is_raised_ends_it(self):
        def divide(number):
            return 6 // (3 - number)

        results = map_ahead(divide, range(9))
        assert [next(results) for _ in range(3)] == [2, 3, 6]
        with pytest.raises(ZeroDivisionError):
            next(results)
        assert count_threads() == 0

    def test_who_waits_is_asked_whether_to_go_on(self):
        asked = threading.Event()
        assert list(map_ahead(lambda _: asked.wait(timeout=10), [1], ask=asked.set)) == [True]

    def test_what_nobody_waits_for_any_more_is_left_between_its_steps(self):
        left = []

        def work(number):
            try:
                for _ in range(1000):
                    leave_if_unwanted()
                    time.sleep(0.01)
            except Unwanted:
                left.append(number)
                raise

        def stop():
            raise InterruptedError("stopped")

        with pytest.raises(InterruptedError, match="stopped"):
            next(map_ahead(work, range(9), ask=stop))
        assert sorted(left) == [0, 1] and count_threads() == 0
        leave_if_unwanted()  # here nothing was stopped

    def test_who_stops_reading_leaves_no_thread(self):
        seen = []
        results = map_ahead(lambda number: seen.append(number), range(100))
        next(results)
        results.close()
        assert len(seen) <= 4 and count_threads() == 0
