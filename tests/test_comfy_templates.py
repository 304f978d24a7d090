"""Templates that need files or a muted group, run on a real server with small stand-ins for the files.

The stand-ins have random weights, so only that everything is found, fits and runs to its end is tested here.
"""

import copy
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mimo_core.denoise.checkpoints import NETWORKS
from mimo_core.media.clip import Clip
from tests import tiny_comfy
from tests.template_prompts import MANIFEST, MUTED, ROOT, misfits, prompt_of, values, working
from tests.test_body_files import family_arrays
from tests.test_body_files import write as write_body
from tests.test_comfy import EXAMPLE, Server, events, graph
from tests.test_comfy_graphs import write_template
from tests.tiny_networks import random_weights


pytestmark = pytest.mark.comfy
SHOT = ROOT / "mimo_core" / "assets" / "example" / "shot.mp4"
TINY_MODEL = ROOT / "mimo_core" / "assets" / "mimo-tiny.safetensors"
# What weights alone do not tell is official: heads and groups. CLIP ViT-L's token has 768 numbers, and ComfyUI takes
# a ControlNet of unknown size to have heads of 64 channels.
CONFIG = replace(
    tiny_comfy.CONFIG,
    block_out_channels=(64, 128, 256, 256),
    heads=8,
    norm_groups=32,
    motion_heads=8,
    cross_attention_dim=768,
    motion_frames=32,
)
FEWER = {"MIMO_Sampler": {"size": 64, "length": 6, "steps": 1}, "MIMO_Conditioning": {"size": 64, "length": 6}}
FEWER |= {"BasicScheduler": {"steps": 1}, "KSampler": {"steps": 1}}


def read(number):
    """A template by its number or what it begins with, and what the manifest says of it."""
    (entry,) = [entry for entry in MANIFEST if entry["file"].startswith(f"{number}_")]
    return json.loads((ROOT / "workflows" / entry["file"]).read_text()), entry


def smaller(prompt):
    """The same graph with fewer frames, pixels and steps."""
    prompt = copy.deepcopy(prompt)
    for node in prompt.values():
        node["inputs"] |= {
            name: value for name, value in FEWER.get(node["class_type"], {}).items() if name in node["inputs"]
        }
    return prompt


def write_files(base, names):
    """Stand-ins for files of the manifest, in the folders that it names."""
    for entry in names:
        path = base / entry["folder"] / entry["file"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            STAND_INS.get(entry["file"], lambda path: path.write_bytes(b""))(path)


def write_network(path):
    name = "denoising_unet" if path.stem == "motion_module" else path.stem
    seed = list(NETWORKS).index(name)
    state = random_weights(NETWORKS[name](CONFIG), seed).state_dict()
    if name == "denoising_unet":
        is_motion = path.stem == "motion_module"
        state = {key: value for key, value in state.items() if ("motion_modules" in key) == is_motion}
    torch.save(state, path)


def write_clip_vision(path):
    """CLIP ViT-L, which ComfyUI knows by its size, of zeros that take no room: every tensor repeats one number."""
    import comfy.clip_model
    import comfy.ops

    shape = json.loads(Path(os.environ["COMFYUI_PATH"], "comfy", "clip_vision_config_vitl.json").read_text())
    model = comfy.clip_model.CLIPVisionModelProjection(shape, torch.float32, "meta", comfy.ops.disable_weight_init)
    zero = torch.zeros(1, dtype=torch.float16)
    torch.save({name: zero.expand(tensor.shape) for name, tensor in model.state_dict().items()}, path)


def write_controlnet(path):
    state = tiny_comfy.controlnet(
        model_channels=64, num_heads=-1, num_head_channels=64, context_dim=768
    ).control_model.state_dict()
    save_file({name: value.contiguous() for name, value in state.items()}, path)


STAND_INS = {f"{name}.pth": write_network for name in (*NETWORKS, "motion_module")} | {
    "sd-vae-ft-mse.safetensors": lambda path: save_file(tiny_comfy.small_vae(), path),
    "sd-image-variations.bin": write_clip_vision,
    "sdc_info.npy": lambda path: np.save(path, np.random.default_rng(0).integers(60, 256, (6890, 3), np.uint8)),
    "SMPL_NEUTRAL.npz": lambda path: write_body(path, family_arrays(24)),
    "control_v11p_sd15_openpose_fp16.safetensors": write_controlnet,
    "my_style_sd15.safetensors": lambda path: save_file(tiny_comfy.lora(CONFIG), path),
    "mimo_template": lambda path: write_template(path),
}


@pytest.fixture(scope="module")
def server(pack, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("comfyui"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


@pytest.fixture
def files(server):
    """Put a template's files there, and take them away again: those of one change what another does."""
    written = []

    def write(entry):
        write_files(server.base, entry["files"])
        written.extend(server.base / file["folder"] / file["file"] for file in entry["files"])

    yield write
    for path in written:
        if path.is_file():
            path.unlink()


def finished(server, prompt):
    entry = server.run(prompt)
    errors = [facts["exception_message"] for facts in events(entry, "execution_error")]
    assert not errors, errors
    return entry


class TestNeedsFiles:
    @pytest.mark.parametrize("number", [4, 6])
    def test_with_files_of_these_names_it_runs_to_its_end(self, server, files, number):
        template, entry = read(number)
        files(entry)
        made = finished(server, smaller(prompt_of(template)))
        (video,) = [
            file
            for output in made["outputs"].values()
            for file in output.get("images", [])
            if "video" in file["subfolder"]
        ]
        assert video["filename"].endswith(".mp4")

    def test_without_them_the_server_says_which_are_missing(self, server):
        """Lists of ComfyUI's own loaders are checked before anything runs."""
        import urllib.error

        template, _ = read(6)
        with pytest.raises(urllib.error.HTTPError) as refused:
            server.submit(prompt_of(template))
        reply = json.loads(refused.value.read())
        assert "sd-vae-ft-mse.safetensors" in json.dumps(reply["node_errors"])

    @pytest.mark.parametrize("name", ["8_wan_animate", "wan_animate_2", "scail_2", "core_perception", "void_plate"])
    def test_a_large_engine_is_a_valid_graph_once_its_files_are_there(self, server, files, name):
        """Their networks are far too large to run here; tests/test_comfy_engines.py runs tiny ones."""
        template, entry = read(name)
        if "core" in entry and "WanSCAILToVideo" not in server.get("/object_info"):
            pytest.skip("this ComfyUI lacks the nodes")
        files(entry)
        number = server.submit(prompt_of(template))  # raises where the server refuses the graph
        server.cancel(number)


def expand(name, given, prefix):
    """The prompt of a blueprint whose sockets get the links `given`, and where its own outputs come from, by name."""
    blueprint = json.loads((ROOT / "subgraphs" / f"{name}.json").read_text())
    (inner,) = blueprint["definitions"]["subgraphs"]
    entering, leaving = -10, -20  # what the page calls the border
    links, prompt, made = {link["id"]: link for link in inner["links"]}, {}, {}
    for node in inner["nodes"]:
        inputs = values(node)
        for entry in node["inputs"]:
            if link := links.get(entry["link"]):
                source = [f"{prefix}{link['origin_id']}", link["origin_slot"]]
                is_border = link["origin_id"] == entering
                inputs[entry["name"]] = given[inner["inputs"][link["origin_slot"]]["name"]] if is_border else source
        prompt[f"{prefix}{node['id']}"] = {"class_type": node["type"], "inputs": inputs}
    for link in links.values():
        if link["target_id"] == leaving:
            name = inner["outputs"][link["target_slot"]]["name"]
            made[name] = [f"{prefix}{link['origin_id']}", link["origin_slot"]]
    return prompt, made


class TestBlueprints:
    SHOT = {"clip": ["example", 0], "character": ["example", 1]}

    def video_of(self, server, prompt, made):
        save = {"video": made["video"], "filename_prefix": "video/blueprint", "format": "auto", "codec": "auto"}
        entry = finished(server, graph(example=EXAMPLE) | prompt | graph(save=("SaveVideo", save)))
        (file,) = entry["outputs"]["save"]["images"]
        return Clip.from_file(server.base / "output" / file["subfolder"] / file["filename"])

    def test_between_take_apart_and_put_together_any_pictures_become_the_shot(self, server):
        """The engine here gives back the clip that it got: its size, its length and its sound are the clip's again."""
        apart, layers = expand("MIMO take apart", self.SHOT, "a")
        images = {"images": layers["clip"]}
        together, made = expand("MIMO put together", images | layers, "b")
        video, shot = self.video_of(server, apart | together, made), Clip.from_file(SHOT)
        assert (video.width, video.height, len(video), video.fps) == (shot.width, shot.height, len(shot), shot.fps)
        assert max(abs(video[k].astype(int) - shot[k]).mean() for k in (0, len(shot) // 2)) < 12

    def test_the_pipeline_alone_replaces_the_person(self, server):
        prompt, made = expand("MIMO character pipeline", self.SHOT, "p")
        video, shot = self.video_of(server, prompt, made), Clip.from_file(SHOT)
        assert (video.width, video.height, len(video)) == (shot.width, shot.height, len(shot))
        assert np.abs(video[20].astype(int) - shot[20]).max(-1).mean() > 3


class TestThisCore:
    """What templates and documentation say of the core's nodes, compared with the core that runs here."""

    @pytest.fixture(scope="class")
    def known(self, server):
        return server.get("/object_info")

    @pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
    def test_every_widget_of_a_template_holds_what_its_node_takes(self, known, entry):
        template = json.loads((ROOT / "workflows" / entry["file"]).read_text())
        if "core" in entry and "WanSCAILToVideo" not in known:
            pytest.skip("this ComfyUI lacks the nodes")
        assert misfits(template, entry, known) == []

    def test_nodes_have_the_names_that_the_page_on_bridges_gives_them(self, known):
        if "WanSCAILToVideo" not in known:
            pytest.skip("the names are those of a newer ComfyUI")
        names = {node.get("display_name") or name for name, node in known.items()}
        text = (ROOT / "docs" / "bridges.md").read_text()
        said = set(re.findall(r"(?<![*\w])\*([^*\n`]+)\*(?!\*)", text))
        assert len(said) > 20
        assert {name for name in said if not {name, f"{name} (MIMO)"} & names} == set()


class TestWanAnimate:
    def test_its_node_takes_our_pose_plate_and_mask(self, node_classes):
        """The real node with the real VAE's architecture and random weights, on five small frames."""
        import comfy.sd
        from comfy.ldm.wan.vae import WanVAE
        from comfy_extras.nodes_wan import WanAnimateToVideo

        run = lambda name, **inputs: node_classes[name].execute(**inputs).args  # noqa: E731
        motion = run("MIMO_Example", shot="dance")[2][40:45]
        (scene,) = run("MIMO_SceneFromPicture", motion=motion, color="#806040", fit="cover", length=0)
        pose, mask, _ = run("MIMO_RenderMotion", motion=motion, scene=scene, style="openpose", colors="auto")
        shape = {"dim": 96, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": []}
        network = WanVAE(**shape, temperal_downsample=[False, True, True], dropout=0.0)
        vae = comfy.sd.VAE(sd=network.state_dict(), dtype=torch.float32)
        empty = [[torch.zeros(1, 4, 32), {}]]
        plate = torch.rand(pose.shape)
        made = WanAnimateToVideo.execute(
            empty, empty, vae, 64, 96, 5, 1, 5, 0, reference_image=plate[:1], pose_video=pose, background_video=plate,
            character_mask=mask,
        ).args  # fmt: skip
        told = made[0][0][1]
        assert told["pose_video_latent"].shape[2:] == (2, 12, 8)
        assert told["concat_mask"].shape[-2:] == (12, 8)
        assert made[2]["samples"].shape[1:] == (16, 3, 12, 8)


class TestMuted:
    @pytest.mark.parametrize("number", [1, 2])
    @pytest.mark.skipif(not TINY_MODEL.is_file(), reason="mimo-tiny is not in this checkout")
    def test_switched_on_the_denoiser_draws_too(self, server, number):
        template, _ = read(number)
        assert any(node["mode"] == MUTED for node in working(template))
        made = finished(server, prompt_of(template, muted=True))
        videos = [
            file["filename"]
            for output in made["outputs"].values()
            for file in output.get("images", [])
            if file["filename"].endswith(".mp4") and file["type"] == "output"  # previews of clips are temporary
        ]
        assert len(videos) == 2
