"""Training in two processes on a CPU (gloo) by torchrun, as `accelerate launch` does on GPUs; on CPUs it wants MPI."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest


pytest.importorskip("accelerate")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="torch has no gloo for Windows in every build.")
ROOT = Path(__file__).parents[1]


def launch(processes: int, folder: Path, result: Path, dying: int = -1) -> int:
    """Run tests/two_processes.py; the exit code of the launcher. What it wrote goes on to stderr."""
    options = ["--standalone", "--local-addr", "127.0.0.1", "--nproc_per_node", str(processes), "--max_restarts", "0"]
    command = [sys.executable, "-m", "torch.distributed.run", *options, str(ROOT / "tests" / "two_processes.py")]
    # gloo would ask the name of the machine for an address, which need not be one that it can be reached at.
    loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    address = {"GLOO_SOCKET_IFNAME": loopback, "MASTER_ADDR": "127.0.0.1", "TP_SOCKET_IFNAME": loopback}
    environment = os.environ | address | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(folder), str(result), str(dying)], env=environment, capture_output=True, text=True, timeout=300
    )
    sys.stderr.write(done.stderr[-4000:])
    return done.returncode


def read(result: Path, process: int = 0) -> dict:
    return json.loads(Path(f"{result}.{process}.json").read_text())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """What a run in two processes wrote."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert launch(2, folder / "run", folder / "double") == 0
    return folder / "double"


def test_two_processes_give_the_losses_and_weights_of_one_with_twice_the_batch(undisturbed, tmp_path):
    assert launch(1, tmp_path / "one", tmp_path / "single") == 0
    one, two, other = read(tmp_path / "single"), read(undisturbed), read(undisturbed, 1)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["losses"] == other["losses"]
    assert two["losses"] == pytest.approx(one["losses"], rel=1e-5)
    for found, wanted in zip(two["weights"], one["weights"], strict=True):
        assert found == pytest.approx(wanted, rel=1e-4, abs=1e-6)
    assert one["losses"][-1] < one["losses"][0]


def test_a_run_whose_worker_was_killed_goes_on(undisturbed, tmp_path):
    assert launch(2, tmp_path / "killed", tmp_path / "disturbed", dying=1) != 0
    assert launch(2, tmp_path / "killed", tmp_path / "disturbed") == 0
    assert read(tmp_path / "disturbed")["losses"] == read(undisturbed)["losses"][4:]
