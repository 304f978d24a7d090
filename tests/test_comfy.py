"""A real ComfyUI server with the pack in it: what it offers, runs, refuses, and how it is stopped.

Needs COMFYUI_PATH and an environment that can run it. Folders of the server are the test's own.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[1]
TWINS = sorted(path for path in (ROOT / "workflows" / "api").glob("*_*.json"))
WITHOUT_FILES = [path for path in TWINS if not path.stem.endswith(("_needs_files", ".app"))]
TINY_MODEL = ROOT / "mimo_core" / "assets" / "mimo-tiny.safetensors"
PATIENCE = 1200  # seconds after which a server is given up; no measure of what it takes
pytestmark = pytest.mark.comfy


class Server:
    """ComfyUI on a port of its own, with the folder of a pack in it. `variables` are added to its environment."""

    def __init__(self, base: Path, variables=None, pack: Path = ROOT):
        self.base = base
        for name in ("custom_nodes", "input", "output", "temp", "models", "user"):
            (base / name).mkdir()
        (base / "custom_nodes" / ("mimo" if pack == ROOT else pack.name)).symlink_to(pack)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        main = Path(os.environ["COMFYUI_PATH"]) / "main.py"
        options = ["--cpu", "--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(base)]
        options += ["--temp-directory", str(base), "--database-url", f"sqlite:///{base}/comfyui.db"]
        options += ["--disable-api-nodes", "--disable-auto-launch"]
        if front_end := os.environ.get("FRONT_END"):
            options += ["--front-end-root", front_end]
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONDONTWRITEBYTECODE": "1"} | (variables or {})
        self.log = (base / "log").open("w")
        self.process = subprocess.Popen(
            [sys.executable, str(main), *options], stdout=self.log, stderr=subprocess.STDOUT, env=environment
        )

    def wait(self):
        for _ in range(PATIENCE * 4):
            assert self.process.poll() is None, (self.base / "log").read_text()[-3000:]
            try:
                return self.get("/system_stats")
            except urllib.error.URLError:
                time.sleep(0.25)
        raise TimeoutError((self.base / "log").read_text()[-3000:])

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=PATIENCE) as reply:
            return json.load(reply)

    def post(self, path, content):
        request = urllib.request.Request(self.url + path, json.dumps(content).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return json.loads(reply.read() or b"null")

    def submit(self, prompt):
        return self.post("/prompt", {"prompt": prompt})["prompt_id"]

    def result(self, number):
        """The entry of a prompt in the history, once it has ended."""
        for _ in range(PATIENCE * 10):
            entry = self.get(f"/history/{number}").get(number)
            if entry and entry["status"]:
                return entry
            time.sleep(0.1)
        raise TimeoutError(f"prompt {number} did not end in {PATIENCE} s")

    def run(self, prompt):
        return self.result(self.submit(prompt))

    def wait_until_running(self, number):
        for _ in range(PATIENCE * 50):
            if any(job[1] == number for job in self.get("/queue")["queue_running"]):
                return
            time.sleep(0.02)
        raise TimeoutError(f"prompt {number} did not begin in {PATIENCE} s")

    def cancel(self, number):
        """Take a prompt away, whether it waits, begins or runs: an interrupt between the two is lost."""
        for _ in range(PATIENCE):
            self.post("/queue", {"delete": [number]})
            self.post("/interrupt", {})
            if not any(number == entry[1] for entries in self.get("/queue").values() for entry in entries):
                return
            time.sleep(1)
        raise TimeoutError(f"prompt {number} could not be taken away in {PATIENCE} s")

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("comfyui"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def events(entry, kind):
    return [facts for name, facts in entry["status"]["messages"] if name == kind]


def error_of(server, prompt):
    """The message on the node that failed, or of the server where it refuses the prompt.

    Newer cores compare the values of V3 lists with the list before anything runs.
    """
    try:
        number = server.submit(prompt)
    except urllib.error.HTTPError as error:
        assert error.code == 400
        return error.read().decode()
    (facts,) = events(server.result(number), "execution_error")
    return facts["exception_message"]


def graph(**nodes):
    """A prompt from `name=(type, inputs)`; its last node is shown by PreviewImage or is an output node."""
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


PLAIN = ("EmptyImage", {"width": 64, "height": 64, "batch_size": 2, "color": 0x808080})
POSE = {"estimator": "auto", "person": 0, "smoothing": 1.0, "fps": 0.0, "focal": 0.0}
SEPARATE = {"camera": "auto", "edge": 2, "fps": 0.0}
EXAMPLE = ("MIMO_Example", {"shot": json.loads(TWINS[0].read_text())["1"]["inputs"]["shot"]} if TWINS else {})


def without_newer(known, frozen):
    """A description without the keys and the choices that only a newer core adds; its colors are texts elsewhere."""
    if isinstance(known, dict) and isinstance(frozen, dict):
        return {key: without_newer(value, frozen[key]) for key, value in known.items() if key in frozen}
    if isinstance(known, list) and isinstance(frozen, list):
        if all(isinstance(value, str) for value in [*known, *frozen]) and set(frozen) <= set(known):
            return frozen
        if known[:1] == ["COLOR"] and frozen[:1] == ["STRING"]:
            return frozen
        if len(known) == len(frozen):
            return [without_newer(*pair) for pair in zip(known, frozen, strict=True)]
    return known


class TestOffer:
    def test_the_nodes_are_described_as_they_were_frozen(self, server):
        frozen = json.loads((ROOT / "tests" / "data" / "object_info.json").read_text())
        known = server.get("/object_info")
        for name in (name for name in frozen if name.startswith("MIMO_")):
            assert without_newer(known[name], frozen[name]) == frozen[name]

    def test_nothing_of_the_pack_failed_to_load(self, server):
        log = (server.base / "log").read_text()
        assert "custom_nodes/mimo" in log
        assert "IMPORT FAILED" not in [line for line in log.splitlines() if "mimo" in line]

    def test_exactly_the_templates_are_offered(self, server):
        assert sorted(server.get("/workflow_templates")["mimo"]) == [path.stem for path in TWINS]

    def test_every_node_has_its_help_page(self, server):
        for name in json.loads((ROOT / "node_list.json").read_text()):
            with urllib.request.urlopen(f"{server.url}/extensions/mimo/docs/{name}.md") as page:
                assert page.read().startswith(b"# ")


class TestTemplates:
    @pytest.mark.parametrize("path", WITHOUT_FILES, ids=lambda path: path.stem)
    def test_it_runs_with_empty_folders_and_gives_something_that_moves(self, server, path):
        if "mimo-tiny" in path.read_text() and not TINY_MODEL.is_file():
            pytest.skip("mimo-tiny is not in this checkout")
        prompt = json.loads(path.read_text())
        if missing := {node["class_type"] for node in prompt.values()} - set(server.get("/object_info")):
            pytest.skip(f"this ComfyUI lacks {', '.join(sorted(missing))}")
        entry = server.run(prompt)
        assert entry["status"]["status_str"] == "success", entry["status"]["messages"][-1]
        saved = [file for output in entry["outputs"].values() for file in output.get("images", [])]
        (video,) = [file for file in saved if file["type"] == "output" and file["filename"].endswith(".mp4")]
        assert changing_frames(server.base / "output" / video["subfolder"] / video["filename"]) >= 8

    def test_a_second_run_computes_nothing(self, server):
        prompt = json.loads(TWINS[0].read_text())
        server.run(prompt)
        (cached,) = events(server.run(prompt), "execution_cached")
        assert set(cached["nodes"]) == set(prompt)


def changing_frames(path):
    """How many frames of a video differ from the one before."""
    import av
    import numpy as np

    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]
    return sum(np.abs(a - b).max() > 24 for a, b in zip(frames, frames[1:], strict=False))


class TestBadInput:
    def test_a_clip_without_a_person(self, server):
        prompt = graph(
            plain=PLAIN,
            pose=("MIMO_EstimatePose", {"clip": ["plain", 0]} | POSE),
            show=("PreviewImage", {"images": ["pose", 1]}),
        )
        assert "Nobody was found in 2 frames" in error_of(server, prompt)

    def test_a_mask_of_another_size(self, server):
        prompt = graph(
            example=EXAMPLE,
            mask=("SolidMask", {"value": 1.0, "width": 32, "height": 48}),
            scene=("MIMO_SeparateScene", {"clip": ["example", 0], "person": ["mask", 0]} | SEPARATE),
            show=("PreviewImage", {"images": ["scene", 1]}),
        )
        assert "32x48" in error_of(server, prompt)

    def test_a_file_that_is_gone(self, server):
        prompt = graph(
            load=("MIMO_LoadMotion", {"file": "gone.npz"}),
            save=("MIMO_SaveMotion", {"motion": ["load", 0], "prefix": "x", "format": "npz"}),
        )
        error = error_of(server, prompt)
        assert "There is no motion gone.npz" in error or "file: 'gone.npz' not in" in error
        assert not list((server.base / "output").glob("x*"))

    def test_a_value_that_the_list_no_longer_has(self, server):
        prompt = graph(
            example=EXAMPLE,
            draw=("MIMO_RenderMotion", {"motion": ["example", 2], "style": "wireframe", "colors": "auto"}),
            show=("PreviewImage", {"images": ["draw", 0]}),
        )
        error = error_of(server, prompt)
        assert "style is 'wireframe'" in error or "style: 'wireframe' not in" in error

    def test_inputs_of_old_names_still_run(self, server):
        prompt = graph(
            example=EXAMPLE,
            draw=("MIMO_RenderMotion", {"motion": ["example", 2], "style": "mask", "colours": "auto"}),
            show=("PreviewImage", {"images": ["draw", 0]}),
        )
        assert server.run(prompt)["status"]["status_str"] == "success"

    def test_the_server_lives_on(self, server):
        prompt = graph(plain=PLAIN, show=("PreviewImage", {"images": ["plain", 0]}))
        assert server.run(prompt)["status"]["status_str"] == "success"


class TestStockNodes:
    def run_if_known(self, server, kind, prompt):
        if kind not in server.get("/object_info"):
            pytest.skip(f"this ComfyUI has no {kind}")
        return server.run(prompt)

    def test_renorm_cfg_runs_on_our_model(self, server):
        prompt = json.loads(next(path for path in TWINS if path.stem == "3_new_scene").read_text())
        (sampler,) = [node for node in prompt.values() if node["class_type"] == "KSampler"]
        prompt["renorm"] = {
            "class_type": "RenormCFG",
            "inputs": {"model": sampler["inputs"]["model"], "cfg_trunc": 100.0, "renorm_cfg": 1.0},
        }
        sampler["inputs"] |= {"model": ["renorm", 0], "steps": 1}
        assert self.run_if_known(server, "RenormCFG", prompt)["status"]["status_str"] == "success"

    def test_sdpose_draws_our_keypoints(self, server):
        import av

        draw = {"motion": ["example", 2], "style": "mask", "colors": "auto"}
        look = {"draw_body": True, "draw_hands": True, "draw_face": True, "draw_feet": False, "draw_head": True}
        look |= {"stick_width": 4, "face_point_size": 3, "score_threshold": 0.3}
        prompt = graph(
            example=EXAMPLE,
            draw=("MIMO_RenderMotion", draw),
            keypoints=("SDPoseDrawKeypoints", {"keypoints": ["draw", 2]} | look),
            first=("ImageFromBatch", {"image": ["keypoints", 0], "batch_index": 0, "length": 1}),
            save=("SaveImage", {"images": ["first", 0], "filename_prefix": "sdpose"}),
        )
        assert self.run_if_known(server, "SDPoseDrawKeypoints", prompt)["status"]["status_str"] == "success"
        with av.open(str(next((server.base / "output").glob("sdpose*.png")))) as picture:
            assert next(picture.decode(video=0)).to_ndarray(format="gray").max() > 100


class TestTenBits:
    def test_the_finished_pictures_become_a_video_of_ten_bits(self, server):
        """Where the core offers it. The frames are those of the 8-bit video."""
        import av

        if "bit_depth" not in server.get("/object_info")["CreateVideo"]["input"].get("optional", {}):
            pytest.skip("this ComfyUI writes 8 bits only")
        prompt = graph(
            example=EXAMPLE,
            identity=("MIMO_EncodeIdentity", {"character": ["example", 1]}),
            motion=("MIMO_LoadMotion", {"file": "walk [built in]", "names": "", "up": "auto", "animation": ""}),
            scene=("MIMO_SceneFromPicture", {"motion": ["motion", 0], "color": "white", "fit": "cover", "length": 0}),
            proxy=("MIMO_DecodeProxy", {"identity": ["identity", 0], "motion": ["motion", 0], "scene": ["scene", 0],
                                        "back_side": "mirror"}),
            composite=("MIMO_Composite", {"scene": ["scene", 0], "images": ["proxy", 0], "mask": ["proxy", 1],
                                          "color_match": "none", "feather": 4, "shadow": 0.5, "behavior": "fixed"}),
            video=("CreateVideo", {"images": ["composite", 1], "fps": 24.0, "bit_depth": 10}),
            save=("SaveVideo", {"video": ["video", 0], "filename_prefix": "ten", "format": "auto", "codec": "auto"}),
        )  # fmt: skip
        assert server.run(prompt)["status"]["status_str"] == "success"
        with av.open(str(next((server.base / "output").glob("ten*.mp4")))) as film:
            assert film.streams.video[0].pix_fmt == "yuv420p10le"
            assert sum(1 for _ in film.decode(video=0)) > 10


class TestColors:
    """A color is chosen in the core's picker where it has one; what older workflows hold goes on working."""

    @pytest.mark.parametrize("value", ["white", "#204060", ["text", 0]])
    def test_a_name_a_number_and_a_linked_text_run(self, server, value):
        prompt = graph(
            text=("PrimitiveString", {"value": "red"}),
            example=EXAMPLE,
            scene=("MIMO_SceneFromPicture", {"motion": ["example", 2], "color": value, "fit": "cover", "length": 1}),
            show=("PreviewAny", {"source": ["scene", 0]}),
        )
        assert server.run(prompt)["status"]["status_str"] == "success"

    def test_a_link_that_does_not_fit_is_refused(self, server):
        prompt = graph(
            example=EXAMPLE,
            scene=("MIMO_SceneFromPicture", {"motion": ["example", 1], "color": "white", "fit": "cover", "length": 1}),
            show=("PreviewAny", {"source": ["scene", 0]}),
        )
        assert "motion takes MIMO_MOTION, got IMAGE" in error_of(server, prompt)


class TestAnimations:
    def test_the_page_is_told_the_animations_of_a_file(self, server):
        from tests.skeletons import packed_glb

        document = {"nodes": [{"name": "hips"}], "animations": [{"name": "walk"}, {"name": "run"}]}
        (server.base / "input" / "two.glb").write_bytes(packed_glb(document))
        assert server.get("/mimo/animations?file=two.glb") == ["walk", "run"]
        assert server.get("/mimo/animations?file=..%2Flog") == []


class TestOneFrame:
    def test_a_picture_is_a_clip_of_one_frame(self, server):
        prompt = graph(
            example=EXAMPLE,
            pose=("MIMO_EstimatePose", {"clip": ["example", 1]} | POSE),
            scene=("MIMO_SeparateScene", {"clip": ["example", 1], "motion": ["pose", 0]} | SEPARATE),
            show=("PreviewImage", {"images": ["scene", 1]}),
        )
        assert server.run(prompt)["status"]["status_str"] == "success"


class TestCancel:
    def test_a_running_node_stops_and_leaves_nothing(self, server):
        prompt = json.loads(TWINS[0].read_text())
        for node in prompt.values():
            if node["class_type"] == "MIMO_EstimatePose":
                node["inputs"]["smoothing"] = 1.3  # so that nothing of it is cached
        before = set((server.base / "output").rglob("*"))
        number = server.submit(prompt)
        server.wait_until_running(number)
        time.sleep(0.5)
        server.post("/interrupt", {})
        assert events(server.result(number), "execution_interrupted")
        assert set((server.base / "output").rglob("*")) == before
        assert not list((server.base / "temp").rglob(".*"))
