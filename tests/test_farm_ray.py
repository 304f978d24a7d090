"""Jobs on a Ray cluster of two nodes on this machine, whose workers are killed and one of whose nodes goes."""

import csv
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimo_core.cli import run_command
from mimo_core.farm.work import open_work, segment_file
from mimo_core.media.clip import Clip
from mimo_core.motion.builtin import builtin_motion
from mimo_core.motion.files import save_motion
from mimo_lab.synthetic import make_character_picture


os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")
JOBS = 8


@pytest.fixture
def cluster():
    """Two nodes of one core each."""
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    yield made
    if ray.is_initialized():
        ray.shutdown()
    made.shutdown()


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """A character and two motions."""
    folder = tmp_path_factory.mktemp("sources")
    Image.fromarray(make_character_picture(5, size=96, samples=1).image).save(folder / "somebody.png")
    save_motion(folder / "short.npz", builtin_motion("walk")[:4])
    (folder / "broken.npz").write_bytes(b"not a motion")
    return folder


def write_jobs(folder: Path, sources: Path, count: int) -> Path:
    """A list of `count` short jobs, of which one has a broken motion."""
    lines = ["character,motion,size,out"]
    lines += [f"{sources}/somebody.png,{sources}/short.npz,{32 + 16 * (n % 3)}x64,{n}.mp4" for n in range(count)]
    lines.append(f"{sources}/somebody.png,{sources}/broken.npz,64x64,broken.mp4")
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


class TestFaults:
    def test_workers_that_are_killed_and_a_node_that_goes_cost_nothing_but_time(self, cluster, sources, tmp_path):
        jobs = write_jobs(tmp_path, sources, JOBS)
        killed, is_over = [], threading.Event()

        def disturb():
            while not is_over.wait(3):
                running = workers_of(cluster)
                if running and len(killed) < 3:
                    os.kill(running[0], signal.SIGKILL)
                    killed.append(running[0])
                elif len(killed) == 3:
                    cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
                    return

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            code = run_command(["batch", str(jobs), "--ray", cluster.address])
        finally:
            is_over.set()
            thread.join()
        assert len(killed) > 0
        assert code == 1
        assert statuses(tmp_path) == ["done"] * JOBS + ["failed"]
        assert {len(Clip.from_file(tmp_path / f"{number}.mp4")) for number in range(JOBS)} == {4}
        assert not list(tmp_path.glob(".*.mp4"))

    def test_the_same_command_goes_on_where_a_lost_head_left_it(self, cluster, sources, tmp_path):
        jobs = write_jobs(tmp_path, sources, 2)
        assert run_command(["batch", str(jobs), "--ray", cluster.address]) == 1
        (tmp_path / "1.mp4").unlink()
        ray.shutdown()
        assert run_command(["batch", str(jobs)]) == 1  # on this machine, without any cluster
        assert statuses(tmp_path) == ["skipped", "done", "failed"]

    def test_files_are_shipped_where_there_is_no_shared_folder(self, cluster, sources, tmp_path):
        jobs = write_jobs(tmp_path, sources, 1)
        assert run_command(["batch", str(jobs), "--ray", cluster.address, "--ship"]) == 1
        assert statuses(tmp_path) == ["done", "failed"]
        assert len(Clip.from_file(tmp_path / "0.mp4")) == 4


def test_segments_on_several_nodes_are_those_of_one_machine(cluster, sources, tmp_path):
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
    assert all(future.result(timeout=300).is_done for future in [workers.submit(task) for task in tasks])
    job = open_work(work)
    drawn = ProxyDecoder().draw(job.identity, job.motion, job.scene, color_match=job.color_match, watch=Stopwatch())
    whole = np.stack([frame for frame, _ in drawn])
    for number, count in enumerate((48, 48, 4)):
        part = LosslessFrames(segment_file(work, number), count, whole.shape[1:])
        np.testing.assert_array_equal(np.stack(list(part.read(0, count))), whole[48 * number : 48 * number + count])


def test_a_cluster_that_does_not_answer_is_named(sources, tmp_path, capsys):
    jobs = write_jobs(tmp_path, sources, 1)
    assert run_command(["batch", str(jobs), "--ray", "auto"]) == 2
    assert "Start one: ray start --head" in capsys.readouterr().err
