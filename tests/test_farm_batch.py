"""Many jobs: lists of jobs, what is done already, workers that die, and jobs that fail alone."""

import csv
import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from mimo_core.cli import run_command
from mimo_core.errors import InputError
from mimo_core.farm.jobs import read_job_rows
from mimo_core.farm.local import LocalWorkers
from mimo_core.farm.perform import describe_failure
from mimo_core.farm.record import ResultRecord, hash_inputs
from mimo_core.farm.tasks import BatchJob, Outcome, Task, run_jobs
from mimo_core.motion.builtin import builtin_motion
from mimo_core.motion.files import save_motion


@pytest.fixture(scope="module")
def character(tmp_path_factory):
    """A plain square, which is shown as a card: it takes no time to bake."""
    path = tmp_path_factory.mktemp("character") / "somebody.png"
    Image.new("RGB", (64, 64), (200, 40, 40)).save(path)
    return path


@pytest.fixture
def folder(character, tmp_path):
    """A folder with a character and a motion of four frames."""
    (tmp_path / "somebody.png").write_bytes(character.read_bytes())
    save_motion(tmp_path / "short.npz", builtin_motion("walk")[:4])
    return tmp_path


def run_batch(folder: Path, *options: str) -> tuple[int, list[dict]]:
    code = run_command(["batch", str(folder / "jobs.csv"), *options])
    return code, list(csv.DictReader((folder / "summary.csv").open(encoding="utf-8")))


def write_jobs(folder: Path, *rows: str) -> None:
    (folder / "jobs.csv").write_text("\n".join(["character,motion,size,out,decoder", *rows]), "utf-8")


class TestLists:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.csv", "character,video,out,decoder,resume\na.png,b.mp4,c.mp4,,\n"),
            ("a.jsonl", '{"character": "a.png", "video": "b.mp4", "out": "c.mp4"}\n\n'),
            ("a.yaml", "- {character: a.png, video: b.mp4, out: c.mp4}\n"),
        ],
    )
    def test_three_forms_say_the_same(self, tmp_path, name, text):
        (tmp_path / name).write_text(text, "utf-8")
        (row,) = read_job_rows(tmp_path / name)
        assert (row.command, row.values) == ("replace", {"character": "a.png", "video": "b.mp4", "out": "c.mp4"})

    def test_a_row_with_a_motion_and_no_video_is_to_animate(self, tmp_path):
        (tmp_path / "a.jsonl").write_text('{"motion": "walk", "out": "a.mp4"}\n{"command": "replace", "out": "b.mp4"}')
        assert [row.command for row in read_job_rows(tmp_path / "a.jsonl")] == ["animate", "replace"]

    @pytest.mark.parametrize(
        ("name", "text", "said"),
        [
            ("a.txt", "", "not a list of jobs"),
            ("a.csv", "character,out\n", "lists no jobs"),
            ("a.yaml", "{a: 1}", "must be a list"),
            ("a.yaml", "- [", "not valid YAML"),
            ("a.yaml", "- {out: [1, 2]}", "Row 1 of a.yaml: out must be one value"),
            ("a.jsonl", "{", "is damaged"),
            ("a.jsonl", '{"command": "dance", "out": "a.mp4"}', "command is replace or animate"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path, name, text, said):
        (tmp_path / name).write_text(text, "utf-8")
        with pytest.raises(InputError, match=said):
            read_job_rows(tmp_path / name)

    @pytest.mark.parametrize(
        ("row", "said"),
        [
            ('{"motion": "walk", "out": "a.mp4", "colour": "red"}', "animate has no option colour. It has "),
            ('{"motion": "walk", "out": "a.mp4", "work": "w"}', "animate has no option work"),
            ('{"motion": "walk", "out": "a.mp4", "size": "big"}', "Row 1 of jobs.jsonl: argument --size: 'big'"),
            ('{"motion": "walk"}', "has no out"),
            ('{"out": "a.mp4"}\n{"out": "b/../a.mp4"}', "Rows 1 and 2 of jobs.jsonl both write"),
        ],
    )
    def test_rows_that_cannot_run_are_refused_before_anything_does(self, tmp_path, capsys, row, said):
        (tmp_path / "jobs.jsonl").write_text(row, "utf-8")
        assert run_command(["batch", str(tmp_path / "jobs.jsonl")]) == 2
        assert said in capsys.readouterr().err
        assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]


class TestBatch:
    def test_jobs_are_done_once_and_fail_alone(self, folder, capsys):
        (folder / "broken.png").write_bytes(b"not a picture")
        (folder / "foreign.mp4").write_bytes(b"somebody's")
        write_jobs(
            folder,
            "somebody.png,short.npz,64x64,results/a.mp4,",
            "broken.png,short.npz,64x64,results/b.mp4,",
            "somebody.png,short.npz,48x48,foreign.mp4,",
        )
        code, rows = run_batch(folder, "--workers", "2")
        assert code == 1
        assert [row["status"] for row in rows] == ["done", "failed", "failed"]
        assert "broken.png" in rows[1]["message"]
        assert "no batch wrote it" in rows[2]["message"]
        assert (folder / "foreign.mp4").read_bytes() == b"somebody's"
        assert sorted(path.name for path in (folder / "results").glob("*.mp4")) == ["a.mp4"]

        made = (folder / "results" / "a.mp4").stat().st_mtime_ns
        write_jobs(folder, "somebody.png,short.npz,64x64,results/a.mp4,")
        code, rows = run_batch(folder)
        assert (code, rows[0]["status"]) == (0, "skipped")
        assert (folder / "results" / "a.mp4").stat().st_mtime_ns == made

        write_jobs(folder, "somebody.png,short.npz,48x48,results/a.mp4,")
        code, rows = run_batch(folder)
        assert (code, rows[0]["status"]) == (0, "done")
        assert (folder / "results" / "a.mp4").stat().st_mtime_ns != made
        assert "1 jobs: 1 done" in capsys.readouterr().err

    def test_ctrl_c_stops_cleanly_and_the_same_command_goes_on(self, folder):
        write_jobs(folder, *(f"somebody.png,short.npz,64x64,{number}.mp4," for number in range(3)))
        command = [sys.executable, "-m", "mimo_core", "batch", str(folder / "jobs.csv")]
        # As in test_cli: tests that a shell runs in the background ignore SIGINT, and so would what they start.
        listen = functools.partial(signal.signal, signal.SIGINT, signal.default_int_handler)
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as running:
            while not (folder / "0.mp4").exists() and running.poll() is None:
                time.sleep(0.05)
            running.send_signal(signal.SIGINT)
            said = running.stderr.read()
        assert running.returncode == 130
        assert "what is done stays: run the same command again to go on." in said
        assert not list(folder.glob(".*.mp4"))
        statuses = [row["status"] for row in csv.DictReader((folder / "summary.csv").open(encoding="utf-8"))]
        assert statuses[0] in ("done", "stopped")
        assert statuses[2] == "stopped"
        code, rows = run_batch(folder, "--workers", "2")
        assert code == 0
        assert rows[0]["status"] == "skipped"
        assert rows[2]["status"] == "done"


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="The limit of memory is set beyond /proc/self/statm.")
def test_jobs_without_room_memory_or_whole_inputs_fail_alone(folder, monkeypatch):
    from tests.limited_command import FULL_DISK, KILLED, LITTLE_MEMORY, run_limited

    monkeypatch.setattr("mimo_core.cli.run_command", run_limited)
    save_motion(folder / "cut.npz", builtin_motion("walk")[:4])
    os.truncate(folder / "cut.npz", 2000)
    write_jobs(
        folder,
        "somebody.png,short.npz,48x64,a.mp4,",
        f"somebody.png,short.npz,48x64,{FULL_DISK}/a.mp4,",
        f"somebody.png,short.npz,4096x4096,{LITTLE_MEMORY}/a.mp4,",
        f"somebody.png,short.npz,48x64,{KILLED}/a.mp4,",
        "somebody.png,cut.npz,48x64,cut.mp4,",
        "somebody.png,short.npz,48x64,b.mp4,",
    )
    code = run_command(["batch", str(folder / "jobs.csv"), "--workers", "2"])
    rows = list(csv.DictReader((folder / "summary.csv").open(encoding="utf-8")))
    assert code == 1
    assert [row["status"] for row in rows] == ["done", "failed", "failed", "failed", "failed", "done"]
    said = [row["message"] for row in rows]
    assert said[1].startswith("No room ")
    assert said[2]  # of whichever library it was that found no memory
    assert said[3] == "Its process was ended 5 times by signal 9; memory may have run out."
    assert "cut.npz" in said[4]
    assert sorted(path.name for path in folder.rglob("*.mp4")) == ["a.mp4", "b.mp4"]


class TestWorkers:
    def test_a_task_whose_process_is_killed_is_tried_again(self, folder):
        out = folder / "a.mp4"
        arguments = ["animate", "--character", str(folder / "somebody.png"), "--motion", str(folder / "short.npz")]
        workers = LocalWorkers(1, run_command)
        future = workers.submit(Task((*arguments, "--size", "64x64", "--out", str(out)), out=out))
        while not workers._processes:
            time.sleep(0.01)
        os.kill(next(iter(workers._processes)).pid, signal.SIGKILL)
        outcome = future.result()
        assert (outcome.is_done, outcome.attempts) == (True, 2)
        assert out.is_file()

    def test_the_line_that_a_command_was_refused_with_is_the_message(self):
        said = "INFO: something\nmimo replace: There is no file a.mp4.\n"
        assert describe_failure(2, said) == "There is no file a.mp4."
        assert describe_failure(1, "Traceback\n  File\nMemoryError: much\n") == "MemoryError: much"

    def test_steps_follow_each_other_and_a_failed_one_ends_its_job_alone(self):
        from concurrent.futures import Future

        class Inline:
            ran = []

            def submit(self, task):
                self.ran.append(task.arguments[0])
                future = Future()
                future.set_result(Outcome(task.arguments[0] != "bad", "refused"))
                return future

            def stop(self):
                raise AssertionError("nothing stops here")

        def steps(*names):
            yield from ([Task((name,)) for name in step] for step in names)

        results, finished = [], []
        jobs = [
            BatchJob(1, Path("a"), lambda: steps(["a"], ["b", "c"], ["d"]), lambda: finished.append(1)),
            BatchJob(2, Path("b"), lambda: steps(["bad"], ["never"]), lambda: finished.append(2)),
        ]
        run_jobs(jobs, Inline(), results.append)
        assert {result.number: (result.status, result.message) for result in results} == {
            1: ("done", ""),
            2: ("failed", "refused"),
        }
        assert finished == [1]
        assert "never" not in Inline.ran
        assert [name for name in Inline.ran if name != "bad"] == ["a", "b", "c", "d"]


class TestRecord:
    def test_a_result_counts_only_for_the_same_inputs_and_settings(self, tmp_path):
        source, out = tmp_path / "a.png", tmp_path / "a.mp4"
        source.write_bytes(b"1")
        key = hash_inputs([source], {"size": "64x64"})
        record = ResultRecord(out)
        record.begin(key, {})
        assert not record.is_done(key)
        out.write_bytes(b"result")
        assert record.is_done(key)  # whoever began it is gone, but it is whole
        record.finish()
        assert record.is_done(key)
        source.write_bytes(b"2!")
        assert not record.is_done(hash_inputs([source], {"size": "64x64"}))
        assert not record.is_done(hash_inputs([source], {"size": "32x32"}))

    def test_an_older_result_is_not_that_of_a_job_that_was_begun_later(self, tmp_path):
        record = ResultRecord(tmp_path / "a.mp4")
        record.out.write_bytes(b"older")
        record.begin("key", {})
        assert not record.is_done("key")
