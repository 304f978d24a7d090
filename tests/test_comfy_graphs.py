"""Graphs of the denoiser in API format, run by a real ComfyUI server with tiny random weights in its folders."""

import copy
import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mimo_core.denoise.checkpoints import save_checkpoint
from mimo_core.example import example_shots
from mimo_core.media.clip import Clip, Masks
from mimo_core.render.styles import render_motion
from mimo_core.scene.scene import Scene
from mimo_core.scene.template import save_template
from tests import tiny_comfy
from tests.test_comfy import Server, error_of, events


GRAPHS = sorted(Path(__file__).with_name("graphs").glob("*.json"))
pytestmark = pytest.mark.comfy


@pytest.fixture(scope="module")
def server(pack, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    checkpoint = tiny_comfy.checkpoint(vae=tiny_comfy.small_vae(), clip_vision=tiny_comfy.clip_vision(folder).get_sd())
    server = Server(tmp_path_factory.mktemp("comfyui"))
    try:
        for kind in ("mimo", "loras"):
            (server.base / "models" / kind).mkdir(exist_ok=True)
        save_checkpoint(checkpoint, server.base / "models" / "mimo" / "tiny.safetensors", dtype=torch.float32)
        save_file(tiny_comfy.lora(), server.base / "models" / "loras" / "tiny_lora.safetensors")
        write_template(server.base / "input" / "walk")
        server.wait()
        yield server
    finally:
        server.stop()


def write_template(folder, frames=10):
    """A template of the example's motion on a white scene, with our own body-code colours."""
    motion = example_shots()[0].motion()[:frames]
    body_code = Clip.from_frames((frame for frame, _ in render_motion(motion)), motion.fps)
    plate = Clip.still(np.full((body_code.height, body_code.width, 3), 255, np.uint8), frames, motion.fps)
    nobody = Masks.constant(0, frames, body_code.height, body_code.width)
    save_template(folder, Scene(plate, plate, nobody, nobody), body_code)


def read(name):
    return json.loads(Path(__file__).with_name("graphs").joinpath(f"{name}.json").read_text())


class TestGraphs:
    @pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.stem)
    def test_it_runs_to_its_end(self, server, path):
        entry = server.run(json.loads(path.read_text()))
        assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1][1].get("exception_message")
        assert len(entry["outputs"]["show"]["images"]) == 10

    def test_the_sampler_node_and_the_wired_graph_give_the_same_latents(self, server):
        for name in ("one_node", "wired"):
            server.run(read(name))
        latents = [
            load_file(sorted((server.base / "output").glob(f"{name}*.latent"))[-1])["latent_tensor"]
            for name in ("one_node", "wired")
        ]
        assert latents[0].shape == (10, 4, 8, 8)
        assert float((latents[0] - latents[1]).abs().max()) == 0

    def test_cancel_stops_a_long_job_soon(self, server):
        graph = read("one_node")
        graph["sampler"]["inputs"]["steps"] = 1000
        number = server.submit(graph)
        server.wait_until_running(number)
        time.sleep(6)
        server.post("/interrupt", {})
        entry = server.result(number)
        assert events(entry, "execution_interrupted")

    def test_a_checkpoint_that_is_gone_is_named(self, server):
        graph = copy.deepcopy(read("one_node"))
        graph["load"]["inputs"]["checkpoint"] = "gone.safetensors"
        error = error_of(server, graph)
        # Newer cores compare combos with their lists before a node is asked.
        refusals = ("There is no MIMO checkpoint gone.safetensors", '"received_value": "gone.safetensors"')
        assert any(refusal in error for refusal in refusals)
