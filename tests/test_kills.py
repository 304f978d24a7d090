"""Jobs that are killed at random moments; `mimo bench kills` tries a hundred kills."""

import dataclasses
import hashlib
import os
import sys
import time

import pytest

from mimo_core.media.clip import Clip
from mimo_core.scene import template  # noqa: F401 - imported here, not in every fork
from mimo_lab.bench import kills


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork.")


def hash_bytes(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def without_inputs(monkeypatch):
    """These jobs need no clip to work on, and little of the library."""
    monkeypatch.setattr(kills, "_make_inputs", lambda folder: folder)
    monkeypatch.setattr(kills, "_import_library", lambda: None)


def kill(monkeypatch, run, seed=3):
    monkeypatch.setattr(kills, "JOBS", {"job": kills.KilledJob(run, "a.txt", hash_bytes)})
    return kills.kill_jobs(["job"], 3, seed=seed)["job"]


def count_frames(folder):
    """What is certain of videos: libx264 gives other bytes now and then, and rarely other pixels."""
    counts = [f"{path.name} {sum(1 for _ in Clip.from_file(path))}" for path in sorted(folder.glob("*.mp4"))]
    return "\n".join([(folder / "config.json").read_text(), *counts])


def test_templates_are_saved_whole_however_often_saving_is_killed(monkeypatch):
    job = dataclasses.replace(kills.JOBS["save template"], hash_result=count_frames)
    monkeypatch.setitem(kills.JOBS, "save template", job)
    found = kills.kill_jobs(["save template"], 2)["save template"]
    assert found["kills"] >= 2
    assert found[kills.EQUAL] == found.total() - found["kills"]


class TestTheBenchItself:
    """It must see what it looks for."""

    def test_half_a_result_differs(self, monkeypatch):
        def run(inputs, folder):
            with (folder / "a.txt").open("w") as file:
                for _ in range(20):
                    file.write("x")
                    file.flush()
                    time.sleep(0.02)

        assert kill(monkeypatch, run)[kills.DIFFERS]

    def test_a_hidden_file_beside_the_result_is_left(self, monkeypatch):
        def run(inputs, folder):
            (folder / f".lock-{os.getpid()}").write_text("")
            time.sleep(0.2)
            (folder / "a.txt").write_text("whole")

        found = kill(monkeypatch, run)
        assert found[kills.LEFT] and not found[kills.EQUAL]
