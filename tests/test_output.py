"""Files are whole or not there, even when the disk is full."""

import subprocess
import sys
from pathlib import Path

import pytest

from mimo_core.errors import InputError
from mimo_core.output import refuse_existing, whole_file


ROOT = Path(__file__).resolve().parents[1]
FULL_DISK = """
import resource, signal, sys
import numpy as np
from mimo_core.media.clip import write_video
from mimo_core.errors import InputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
noise = np.random.default_rng(0)
frames = (noise.integers(0, 256, (96, 128, 3), np.uint8) for _ in range(60))
try:
    write_video(sys.argv[1], frames, fps=24)
except InputError as error:
    print(error)
"""


class TestWholeFile:
    def test_it_appears_when_all_went_well(self, tmp_path):
        with whole_file(tmp_path / "a.txt") as partial:
            partial.write_text("all of it")
            assert not (tmp_path / "a.txt").exists()
        assert (tmp_path / "a.txt").read_text() == "all of it"

    def test_the_old_one_stays_when_something_fails(self, tmp_path):
        (tmp_path / "a.txt").write_text("old")
        with pytest.raises(RuntimeError), whole_file(tmp_path / "a.txt") as partial:
            partial.write_text("half")
            raise RuntimeError
        assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("a.txt", "old")]

    def test_an_existing_file_is_refused_unless_forced(self, tmp_path):
        (tmp_path / "a.txt").write_text("mine")
        with pytest.raises(InputError, match="exists already"):
            refuse_existing(tmp_path / "a.txt", force=False)
        assert refuse_existing(tmp_path / "a.txt", force=True) == tmp_path / "a.txt"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_a_full_disk_is_named_and_nothing_is_left(tmp_path):
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.mp4")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "No room to write a.mp4" in result.stdout, result.stderr
    assert not list(tmp_path.iterdir())
