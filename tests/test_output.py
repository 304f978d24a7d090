"""Files are whole or not there, even when the disk is full."""

import errno
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mimo_core import cli
from mimo_core.errors import InputError
from mimo_core.media.store import FrameStore
from mimo_core.output import find_system_error, make_temporary_folder, refuse_existing, whole_file, whole_folder


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

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes.")
    def test_a_safetensors_file_can_be_read_by_whom_any_other_file_can(self, tmp_path):
        (tmp_path / "plain").touch()
        with whole_file(tmp_path / "new.safetensors") as partial:
            save_file({"a": torch.zeros(1)}, partial)
        with whole_folder(tmp_path / "folder", of=set()) as partial:
            save_file({"a": torch.zeros(1)}, partial / "new.safetensors")
        modes = {(tmp_path / name).stat().st_mode for name in ("plain", "new.safetensors", "folder/new.safetensors")}
        assert len(modes) == 1

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows counts characters.")
    def test_a_name_may_be_as_long_as_the_file_system_allows_in_any_script(self, tmp_path):
        path = tmp_path / ("\u821e" * 80 + ".txt")  # 244 bytes
        with whole_file(path) as partial:
            partial.write_text("all of it")
        assert path.read_text() == "all of it"

    def test_an_existing_file_is_refused_unless_forced(self, tmp_path):
        (tmp_path / "a.txt").write_text("mine")
        with pytest.raises(InputError, match="exists already"):
            refuse_existing(tmp_path / "a.txt", force=False)
        assert refuse_existing(tmp_path / "a.txt", force=True) == tmp_path / "a.txt"

    def test_a_folder_that_is_not_there_is_found_before_any_work(self, tmp_path):
        with pytest.raises(InputError, match="no folder .*Make it first"):
            refuse_existing(tmp_path / "new" / "a.txt", force=False)


KILLED = """
import os, signal, sys
from mimo_core.output import whole_file, whole_folder
make = {"file": whole_file, "folder": lambda path: whole_folder(path, of=set())}[sys.argv[1]]
with make(sys.argv[2]) as partial:
    (partial / "half.txt" if partial.is_dir() else partial).write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


class TestWholeFolder:
    def test_it_appears_whole_or_not_at_all(self, tmp_path):
        with pytest.raises(RuntimeError), whole_folder(tmp_path / "a", of=set()) as partial:
            (partial / "half.txt").write_text("half")
            raise RuntimeError
        assert list(tmp_path.iterdir()) == []
        with whole_folder(tmp_path / "a", of=set()) as partial:
            (partial / "whole.txt").write_text("all of it")
            assert not (tmp_path / "a").exists()
        assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["a", "a/whole.txt"]

    def test_one_of_our_own_is_replaced_and_nothing_stays_beside_it(self, tmp_path):
        for text in ("first", "second"):
            with whole_folder(tmp_path / "a", of={"layer.txt"}) as partial:
                (partial / "layer.txt").write_text(text)
        assert (tmp_path / "a" / "layer.txt").read_text() == "second"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_goes_when_the_output_is_written_again(tmp_path, kind):
    result = subprocess.run([sys.executable, "-c", KILLED, kind, str(tmp_path / "a")], cwd=ROOT, check=False)
    assert result.returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    with whole_file(tmp_path / "a") as running, whole_file(tmp_path / "a") as partial:
        running.write_text("of a process that still runs")
        partial.write_text("all of it")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("kind", [whole_file, lambda path: whole_folder(path, of=set())])
def test_a_name_that_cannot_be_taken_is_an_error_with_a_remedy(tmp_path, kind):
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(InputError, match=r"Cannot write .*a|a holds other files"), kind(tmp_path / "a") as partial:
        (partial / "c" if partial.is_dir() else partial).write_text("c")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_a_full_disk_is_named_and_nothing_is_left(tmp_path):
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.mp4")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "No room to write a.mp4" in result.stdout, result.stderr
    assert not list(tmp_path.iterdir())


FULL_SAVES = """
import resource, signal, sys, tempfile
from pathlib import Path
import numpy as np
from mimo_core.cli import run_command
from mimo_core.errors import InputError
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.builtin import builtin_motion
from mimo_core.motion.files import save_motion
from mimo_core.scene.scene import Scene
from mimo_core.scene.template import save_template
folder, temporary = Path(sys.argv[1], "out"), Path(sys.argv[1], "tmp")
tempfile.tempdir = str(temporary)
clip = Clip.from_array(np.random.default_rng(0).integers(0, 256, (9, 48, 64, 3), np.uint8), 24)
scene = Scene(clip, clip, *(Masks.constant(0, 9, 48, 64),) * 2)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
saves = [lambda: save_template(folder / "a", scene, clip)]
saves += [lambda suffix=suffix: save_motion(folder / f"a.{suffix}", builtin_motion("walk"))
          for suffix in ("npz", "safetensors", "bvh", "glb")]
for save in saves:
    try:
        save()
    except InputError as error:
        print(error)
print(run_command(["animate", "--fps", "2", "--size", "48x64", "--out", str(folder / "a.mp4")]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_no_stage_leaves_half_a_file_on_a_full_disk(tmp_path):
    for name in ("out", "tmp"):
        (tmp_path / name).mkdir()
    command = [sys.executable, "-c", FULL_SAVES, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    *saves, code = result.stdout.splitlines()
    assert len(saves) == 5 and all(line.startswith("No room to write") for line in saves), result.stderr
    assert code == "2" and "No room" in result.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


FULL_WRITERS = """
import resource, signal, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
from mimo_core.errors import InputError
from mimo_core.output import whole_file, whole_folder
from mimo_lab.training.loop import _save_state
from diffusers.training_utils import EMAModel
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
folder = Path(sys.argv[1])
network = torch.nn.Linear(200, 200)
optimizer = torch.optim.AdamW(network.parameters())

def save_tensors():
    with whole_file(folder / "a.safetensors") as partial:
        save_file(network.state_dict(), partial)

def save_state():
    _save_state(folder / "state.pt", 1, 1.0, {}, network, optimizer, EMAModel(network.parameters()))

def save_folder():
    with whole_folder(folder / "a", of=set()) as partial, whole_file(partial / "b") as file:
        file.write_bytes(bytes(30000))

for save in (save_tensors, save_state, save_folder):
    try:
        save()
    except InputError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
def test_a_full_disk_is_named_whatever_writes_and_by_the_name_that_a_folder_will_have(tmp_path):
    command = [sys.executable, "-c", FULL_WRITERS, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    named = [line.split(": ")[0] for line in result.stdout.splitlines()]
    where = [f"No room to write {name} in {tmp_path}" for name in ("a.safetensors", "state.pt")]
    assert named == [*where, f"No room to write b in {tmp_path / 'a'}"], result.stderr
    assert not list(tmp_path.iterdir())


class TestFindSystemError:
    def test_what_followed_from_a_full_disk_is_a_full_disk(self):
        with pytest.raises(RuntimeError) as caught:
            try:
                raise OSError(errno.ENOSPC, "No space left on device")
            except OSError:
                raise RuntimeError("unexpected pos 21824 vs 21744") from None
        assert find_system_error(caught.value) == errno.ENOSPC

    def test_what_followed_from_another_error_is_none_of_the_system(self):
        with pytest.raises(RuntimeError) as caught:
            try:
                raise PermissionError(errno.EACCES, "Permission denied")
            except OSError as error:
                raise RuntimeError from error
        assert find_system_error(caught.value) is None

    def test_safetensors_gives_the_number_in_words(self):
        assert find_system_error(ValueError("I/O error: File too large (os error 27)")) == 27


def test_a_command_that_finds_no_room_says_so_in_one_line(monkeypatch, capsys):
    def fill_disk(options):
        raise OSError(errno.ENOSPC, "No space left on device", "/data/a.log")

    def add_fill(commands):
        commands.add_parser("fill").set_defaults(command=fill_disk, name="fill")

    monkeypatch.setattr(cli, "MAIN_COMMANDS", (add_fill,))
    assert cli.run_command(["fill"]) == 2
    assert capsys.readouterr().err == "mimo fill: No room to write /data/a.log. Free some space.\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_temporary_folder_of_a_killed_process_goes_at_the_next_start(tmp_path, monkeypatch):
    code = (
        "import os, signal, sys, tempfile\nfrom mimo_core.output import make_temporary_folder\n"
        "tempfile.tempdir = sys.argv[1]\n"
        "(make_temporary_folder('web') / 'upload').write_text('a picture')\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=False).returncode == -9
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    running = make_temporary_folder("web")
    assert make_temporary_folder("web") != running
    assert running in list(tmp_path.iterdir()) and len(list(tmp_path.iterdir())) == 2


def test_without_a_folder_for_temporary_files_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(InputError, match=r"No temporary file can be made in .*gone.*TMPDIR"):
        FrameStore()


def test_a_folder_comes_back_when_the_user_stops_between_two_renames(tmp_path, monkeypatch):
    with whole_folder(tmp_path / "a", of={"b"}) as partial:
        (partial / "b").write_text("old")
    renamed, rename = [], Path.rename

    def stop_at_the_second(path, target):
        renamed.append(path)
        if len(renamed) == 2:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "a", of={"b"}) as partial:
        (partial / "b").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a" / "b").read_text() == "old"


def test_a_disk_on_which_no_mode_can_be_set_is_written_to(tmp_path, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refuse)
    with whole_file(tmp_path / "a") as partial:
        partial.write_text("content")
    assert (tmp_path / "a").read_text() == "content"


def run_two(code: str, path: Path) -> None:
    """Two processes at once, with the path and their letter as arguments."""
    jobs = [subprocess.Popen([sys.executable, "-c", code, str(path), letter], cwd=ROOT) for letter in "xy"]
    assert [job.wait(60) for job in jobs] == [0, 0]


def test_two_processes_on_one_folder_leave_one_whole_folder(tmp_path):
    code = (
        "import sys\nfrom mimo_core.output import whole_folder\n"
        "for number in range(40):\n"
        "    with whole_folder(sys.argv[1], of={'b', 'c'}) as partial:\n"
        "        for name in 'bc':\n            (partial / name).write_text(f'{sys.argv[2]} {number}')\n"
    )
    run_two(code, tmp_path / "a")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["a", "a/b", "a/c"]
    assert (tmp_path / "a" / "b").read_text() == (tmp_path / "a" / "c").read_text()


def test_two_processes_on_one_output_leave_one_whole_file(tmp_path):
    code = (
        "import sys, time\nfrom mimo_core.output import whole_file\n"
        "with whole_file(sys.argv[1]) as partial, partial.open('w') as file:\n"
        "    for _ in range(50):\n        file.write(sys.argv[2] * 1000)\n        file.flush()\n"
        "        time.sleep(0.005)\n"
    )
    run_two(code, tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() in ("x" * 50000, "y" * 50000)
