"""Prompts of our nodes wired at random, one after the other on a real server, which must not fall or grow."""

import os
import urllib.error
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimo_lab.synthetic import make_character_picture, make_shot
from tests.random_graphs import GraphMaker
from tests.test_comfy import Server, events


pytestmark = pytest.mark.comfy
PROMPTS = int(os.environ.get("MIMO_PROMPTS", "25"))
SEED = int(os.environ.get("MIMO_SEED", "1"))
MOST_GROWTH = 1.1
LEAST_DONE = 0.2  # share of the prompts that must run to their end, else nothing much is tested


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("comfyui"))
    pictures = server.base / "input"
    Image.fromarray(make_character_picture(5, size=96, samples=1).image).save(pictures / "somebody.png")
    Image.fromarray(make_shot(7, size=96, frames=1, samples=1).frames[0]).save(pictures / "clip.png")
    Image.new("RGB", (64, 48), (60, 120, 60)).save(pictures / "lawn.png")
    Image.new("RGBA", (1, 1), (255, 0, 0, 128)).save(pictures / "tiny.png")
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def resident_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return np.nan
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def run_all(server, prompts, ends, wrong):
    """Run them one after the other; returns the server's memory after each, in MB."""
    memory = []
    for number, prompt in enumerate(prompts):
        try:
            entry = server.run(prompt)
        except urllib.error.HTTPError as error:
            assert error.code == 400, error.read()
            ends["refused by the server"] += 1
            continue
        failed = events(entry, "execution_error")
        ends["refused by a node" if failed else "done"] += 1
        wrong += [
            (number, facts["node_type"], facts["exception_type"], facts["exception_message"][:300])
            for facts in failed
            if facts["node_type"].startswith("MIMO_") and not facts["exception_type"].endswith("InputError")
        ]
        memory.append(resident_mb(server.process.pid))
    return memory


def test_random_prompts_leave_the_server_alive_and_as_large(server, capsys):
    """What a first round loads stays, so a second round of the same prompts is what may not grow."""
    maker = GraphMaker(server.get("/object_info"), SEED)
    prompts = [maker.make() for _ in range(PROMPTS)]
    ends, wrong = Counter(), []
    first, second = (run_all(server, prompts, ends, wrong) for _ in range(2))
    with capsys.disabled():
        print(dict(ends), f"{max(first):.0f} MB, then {max(second):.0f} MB at most", flush=True)  # noqa: T201
    assert server.get("/system_stats")
    assert not wrong
    assert ends["done"] >= LEAST_DONE * 2 * PROMPTS, ends
    assert max(second) <= MOST_GROWTH * max(first), [round(value) for value in first + second]
    assert second[-1] <= MOST_GROWTH * first[-1], [round(value) for value in first + second]
