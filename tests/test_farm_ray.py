"""Jobs on a Ray cluster of two nodes on this machine, whose workers are killed and one of whose nodes goes."""

import contextlib
import csv
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimo_core.cli import run_command
from mimo_core.farm.work import open_work, segment_file
from mimo_core.media.clip import Clip, write_video
from mimo_core.motion.builtin import builtin_motion
from mimo_core.motion.files import save_motion
from mimo_core.proxy.proxy import BODY_TEXTURE_SIDE as FULL_TEXTURE_SIDE  # read before the tests set a smaller one
from mimo_lab.synthetic import make_character_picture, make_shot


os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 starves its workers on a machine that does other things
os.environ.setdefault("RAY_raylet_start_wait_time_s", "300")  # the same
ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")
ROOT = Path(__file__).resolve().parents[1]
JOBS = int(os.environ.get("MIMO_FARM_JOBS", "8"))  # short ones, beside a long one; docs/farm.md tells of 40
KILL_EVERY = float(os.environ.get("MIMO_FARM_KILL_EVERY", "3"))  # seconds
MOST_KILLS = max(3, JOBS // 4)  # each job is given several times, but not for ever


@contextlib.contextmanager
def start_cluster():
    """Two nodes of one core each."""
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        made.add_node(num_cpus=1)
        yield made
    finally:
        if ray.is_initialized():
            ray.shutdown()
        made.shutdown()


@pytest.fixture
def cluster():
    with start_cluster() as made:
        yield made


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A character, two motions and a clip of five seconds."""
    folder = tmp_path_factory.mktemp("sources")
    Image.fromarray(make_character_picture(5, size=96, samples=1).image).save(folder / "somebody.png")
    save_motion(folder / "short.npz", builtin_motion("walk")[:4])
    (folder / "broken.npz").write_bytes(b"not a motion")
    shot = make_shot(7, size=96, frames=60, samples=1)
    write_video(folder / "long.mp4", shot.frames, fps=shot.fps)
    return folder


def read_pixels(path: Path) -> np.ndarray:
    return np.stack(list(Clip.from_file(path)))


def assert_same_pictures(result: Path, wanted: Path) -> None:
    """As many frames, and those within 35 dB: libx264 does not give the same pixels twice on every machine.

    Before they are encoded they are compared bit by bit in test_segments_drawn_under_kills_are_those_of_one_machine.
    """
    result, wanted = (read_pixels(path).astype(np.float64) for path in (result, wanted))
    assert result.shape == wanted.shape
    assert np.square(result - wanted).mean() < 255**2 / 10**3.5


def write_jobs(folder: Path, sources: Path, count: int) -> Path:
    """A list of `count` short jobs, of which one has a broken motion."""
    lines = ["character,motion,size,out,video"]
    lines += [f"{sources}/somebody.png,{sources}/short.npz,{32 + 16 * (n % 3)}x64,{n}.mp4," for n in range(count)]
    lines.append(f"{sources}/somebody.png,{sources}/broken.npz,64x64,broken.mp4,")
    path = folder / "jobs.csv"
    path.write_text("\n".join(lines), "utf-8")
    return path


def statuses(folder: Path) -> list[str]:
    return [row["status"] for row in csv.DictReader((folder / "summary.csv").open(encoding="utf-8"))]


def workers_of(cluster) -> list[int]:
    """Process numbers of the workers that run a task."""
    raylets = {node.all_processes["raylet"][0].process.pid for node in cluster.list_all_nodes()}
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(b"ray::perform"):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found += [int(entry.name)] if parent in raylets else []
        except OSError:  # it has just ended
            continue
    return found


@contextlib.contextmanager
def kill_workers(cluster, *, most: int, every: float = KILL_EVERY, nodes: int = 0):
    """Kill `most` working processes, and after two of them `nodes` nodes; gives the lists of both."""
    killed, removed, is_over, source = [], [], threading.Event(), random.Random(1)

    def disturb():
        while not is_over.wait(every):
            running = workers_of(cluster)
            if running and len(killed) < most:
                killed.append(source.choice(running))
                with contextlib.suppress(ProcessLookupError):
                    os.kill(killed[-1], signal.SIGKILL)
            if len(killed) >= 2 and len(removed) < nodes:
                removed.append(cluster.list_all_nodes()[-1])
                cluster.remove_node(removed[-1], allow_graceful=False)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield killed, removed
    finally:
        is_over.set()
        thread.join()


class TestFaults:
    def test_workers_that_are_killed_and_a_node_that_goes_cost_nothing_but_time(self, cluster, sources, tmp_path):
        jobs = write_jobs(tmp_path, sources, JOBS)
        with jobs.open("a", encoding="utf-8") as file:
            file.write(f"\n{sources}/somebody.png,,,long.mp4,{sources}/long.mp4")
        with kill_workers(cluster, most=MOST_KILLS, nodes=1) as (killed, removed):
            code = run_command(["batch", str(jobs), "--ray", cluster.address, "--split", "2"])
        sys.stderr.write(f"{len(killed)} workers killed, {len(removed)} node removed\n")
        assert removed
        assert code == 1
        assert statuses(tmp_path) == ["done"] * JOBS + ["failed", "done"]
        rows = list(csv.DictReader((tmp_path / "summary.csv").open(encoding="utf-8")))
        assert "cannot be read" in rows[JOBS]["message"] or "broken.npz" in rows[JOBS]["message"]
        left = {path.name for path in tmp_path.iterdir()}
        results = {"long.mp4", *(f"{number}.mp4" for number in range(JOBS))}
        assert left - {f"{name}.job.json" for name in (*results, "broken.mp4")} == {"jobs.csv", "summary.csv", *results}
        self.compare_with_plain_calls(sources, tmp_path)

    def compare_with_plain_calls(self, sources, folder):
        """The results look like those of an undisturbed run, in this process."""
        plain = folder / "plain"
        plain.mkdir()
        for number in range(min(JOBS, 3)):  # they differ by their size alone
            size, out = f"{32 + 16 * number}x64", str(plain / f"{number}.mp4")
            files = ["--character", str(sources / "somebody.png"), "--motion", str(sources / "short.npz")]
            assert run_command(["animate", *files, "--size", size, "--out", out]) == 0
            for other in range(number, JOBS, 3):
                assert_same_pictures(folder / f"{other}.mp4", Path(out))
        files = ["--character", str(sources / "somebody.png"), "--video", str(sources / "long.mp4")]
        assert run_command(["replace", *files, "--out", str(plain / "long.mp4")]) == 0
        assert_same_pictures(folder / "long.mp4", plain / "long.mp4")

    def test_files_are_shipped_where_there_is_no_shared_folder(self, cluster, sources, tmp_path):
        jobs = write_jobs(tmp_path, sources, 1)
        assert run_command(["batch", str(jobs), "--ray", cluster.address, "--ship"]) == 1
        assert statuses(tmp_path) == ["done", "failed"]
        assert len(Clip.from_file(tmp_path / "0.mp4")) == 4


def test_the_same_command_goes_on_where_a_lost_head_left_it(sources, tmp_path):
    jobs = write_jobs(tmp_path, sources, 6)
    with start_cluster() as lost:
        command = [sys.executable, "-m", "mimo_core", "batch", str(jobs), "--ray", lost.address]
        environment = os.environ | {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}  # how long the head is waited for
        with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as running:
            while not list(tmp_path.glob("*.mp4")) and running.poll() is None:
                time.sleep(0.05)
            lost.head_node.kill_all_processes(check_alive=False, allow_graceful=False)
            said = running.stderr.read()
        assert running.returncode != 0, said
    done = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.mp4")}
    assert 0 < len(done) < 6, said
    with start_cluster() as started_again:
        assert run_command(["batch", str(jobs), "--ray", started_again.address]) == 1
    expected = ["skipped" if tmp_path / f"{number}.mp4" in done else "done" for number in range(6)]
    assert statuses(tmp_path) == [*expected, "failed"]
    assert {path: path.stat().st_mtime_ns for path in done} == done
    assert {len(Clip.from_file(tmp_path / f"{number}.mp4")) for number in range(6)} == {4}
    assert not list(tmp_path.glob(".*"))


def test_segments_drawn_under_kills_are_those_of_one_machine(cluster, sources, tmp_path, monkeypatch):
    from mimo_core.farm.lossless import LosslessFrames
    from mimo_core.farm.ray_cluster import RayWorkers
    from mimo_core.farm.tasks import Task
    from mimo_core.replace import ProxyDecoder
    from mimo_core.stopwatch import Stopwatch

    work = tmp_path / "work"
    long = tmp_path / "long.npz"
    save_motion(long, builtin_motion("walk")[:100])
    inputs = ["--character", str(sources / "somebody.png"), "--motion", str(long), "--size", "48x64"]
    assert run_command(["animate", *inputs, "--work", str(work)]) == 0
    workers = RayWorkers(run_command, cluster.address, cpus=1, gpus=0, ship=False)
    tasks = [Task(("replace", "--work", str(work), "--segments", str(number))) for number in (2, 0, 1)]
    with kill_workers(cluster, most=2, every=1) as (killed, _):
        assert all(future.result(timeout=300).is_done for future in [workers.submit(task) for task in tasks])
    assert killed
    job = open_work(work)
    monkeypatch.setattr("mimo_core.proxy.proxy.BODY_TEXTURE_SIDE", FULL_TEXTURE_SIDE)  # as the workers bake
    drawn = ProxyDecoder().draw(job.identity, job.motion, job.scene, color_match=job.color_match, watch=Stopwatch())
    whole = np.stack([frame for frame, _ in drawn])
    for number, count in enumerate((48, 48, 4)):
        part = LosslessFrames(segment_file(work, number), count, whole.shape[1:])
        np.testing.assert_array_equal(np.stack(list(part.read(0, count))), whole[48 * number : 48 * number + count])


def test_a_cluster_that_does_not_answer_is_named(sources, tmp_path, capsys):
    jobs = write_jobs(tmp_path, sources, 1)
    assert run_command(["batch", str(jobs), "--ray", "auto"]) == 2
    assert "Start one: ray start --head" in capsys.readouterr().err
