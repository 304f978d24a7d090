"""Training in two processes on a CPU (gloo) by torchrun, as `accelerate launch` does on GPUs; on CPUs it wants MPI."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


pytest.importorskip("accelerate")
pytestmark = pytest.mark.skipif(
    not os.environ.get("MIMO_PROCESSES"), reason="gloo does not always start on a busy machine; set MIMO_PROCESSES=1"
)
ROOT = Path(__file__).parents[1]


def launch(processes: int, folder: Path, result: Path, dying: int = -1) -> int:
    """Run tests/two_processes.py; the exit code of the launcher. What it wrote goes on to stderr."""
    options = ["--standalone", "--nproc_per_node", str(processes), "--max_restarts", "0"]
    command = [sys.executable, "-m", "torch.distributed.run", *options, str(ROOT / "tests" / "two_processes.py")]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(folder), str(result), str(dying)], env=environment, capture_output=True, text=True, timeout=300
    )
    sys.stderr.write(done.stderr[-4000:])
    return done.returncode


def read(result: Path, process: int = 0) -> dict:
    return json.loads(Path(f"{result}.{process}.json").read_text())


def test_two_processes_give_the_losses_and_weights_of_one_with_twice_the_batch(tmp_path):
    assert launch(1, tmp_path / "one", tmp_path / "single") == 0
    assert launch(2, tmp_path / "two", tmp_path / "double") == 0
    one, two, other = read(tmp_path / "single"), read(tmp_path / "double"), read(tmp_path / "double", 1)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["losses"] == other["losses"]
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
    for found, wanted in zip(two["weights"], one["weights"], strict=True):
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    assert one["losses"][-1] < one["losses"][0]


def test_a_run_whose_worker_was_killed_goes_on(tmp_path):
    assert launch(2, tmp_path / "whole", tmp_path / "undisturbed") == 0
    assert launch(2, tmp_path / "killed", tmp_path / "disturbed", dying=1) != 0
    assert launch(2, tmp_path / "killed", tmp_path / "disturbed") == 0
    assert read(tmp_path / "disturbed")["losses"] == read(tmp_path / "undisturbed")["losses"][4:]
