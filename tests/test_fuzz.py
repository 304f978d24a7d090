"""Damaged and hostile files: read or refused, whatever was done to them. `mimo bench fuzz` tries thousands."""

import contextlib
import json
import random
import sys

import pytest

from mimo_core.cli import run_command
from mimo_core.errors import InputError
from mimo_lab.bench import fuzz


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Limits of a process are POSIX.")


def test_500_damaged_files_are_read_or_refused(capfd):
    found = fuzz.fuzz_readers(range(500), tuple(fuzz.KINDS))
    assert sum(sum(counts.values()) for counts in found.values()) == 500
    worse = {f"{kind} {name}": counts[name] for kind, counts in found.items() for name in fuzz.OUTCOMES[2:]}
    assert not any(worse.values()), capfd.readouterr().err
    assert all(counts[fuzz.REFUSED] for counts in found.values())


@pytest.mark.parametrize("kind", ["motion", "weights"])
def test_a_number_of_a_pickle_that_is_cut_off_is_refused(tmp_path, kind):
    """Found by atheris: torch raises struct.error."""
    (tmp_path / "a.pt").write_bytes(b"J\x0a\xee")
    with pytest.raises(InputError, match="damaged"):
        fuzz.KINDS[kind][1](tmp_path / "a.pt")


class TestTheFuzzerItself:
    """It must see what it looks for."""

    @pytest.fixture
    def reader(self, monkeypatch):
        def put(read):
            def make(folder):
                (folder / "a.txt").write_text("whole")
                return [folder / "a.txt"]

            monkeypatch.setattr(fuzz, "KINDS", {"test": (make, read)})
            monkeypatch.setattr(fuzz, "LONGEST", 1)
            monkeypatch.setattr(fuzz, "START_METHOD", "fork")  # the readers of these tests exist in this process only
            return fuzz.fuzz_readers(range(2), ("test",))["test"]

        return put

    def test_whole_files_are_read_and_bad_ones_refused(self, reader):
        def refuse(path):
            raise InputError("no")

        assert reader(lambda path: None) == {fuzz.READ: 2}
        assert reader(refuse) == {fuzz.REFUSED: 2}

    def test_other_errors_are_faults(self, reader):
        assert reader(lambda path: 1 / 0) == {fuzz.FAULT: 2}

    def test_a_hang_is_seen(self, reader):
        def wait(path):
            while True:
                with contextlib.suppress(Exception):
                    sum(range(1000))

        assert reader(wait) == {fuzz.HANG: 2}

    def test_a_crash_is_seen_and_the_next_input_is_tried(self, reader):
        import os

        assert reader(lambda path: os.kill(os.getpid(), 9)) == {fuzz.CRASH: 2}

    def test_memory_is_seen(self, reader, monkeypatch):
        monkeypatch.setattr(fuzz, "MOST_MEMORY", 1 << 25)
        assert reader(lambda path: bytearray(b"x") * (1 << 26)) == {fuzz.MEMORY: 2}

    def test_a_file_that_was_written_is_seen(self, reader):
        assert reader(lambda path: (path.parent / "new.txt").write_text("x"))[fuzz.ESCAPE] >= 1

    def test_a_seed_is_always_the_same_input(self):
        content = bytes(range(256)) * 8
        made = [fuzz.mutate_bytes(random.Random(7), content) for _ in range(2)]
        assert made[0] == made[1] != content

    def test_the_command_prints_rows(self, capsys):
        assert run_command(["bench", "fuzz", "--seeds", "0-5", "--kinds", "strokes", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)["rows"]
        assert rows["inputs"]["value"] == 6 and rows["all crash"]["ok"]
