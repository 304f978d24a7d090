"""Nothing goes out: commands and templates run where every connection to another machine is refused and noted."""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest
from PIL import Image

from mimo_core.media.video_writer import write_video
from mimo_core.motion.builtin import builtin_motion
from mimo_core.motion.files import save_motion
from mimo_lab.synthetic import make_character_picture, make_shot
from tests.template_prompts import MANIFEST, prompt_of


ROOT = Path(__file__).resolve().parents[1]
OFFLINE = ROOT / "tests" / "offline"
COMMANDS = {
    "replace": "replace --character a.png --video clip.mp4 --out replaced.mp4 --sheet sheet.png",
    "animate": "animate --character plain.png --motion walk.npz --scene #204060 --size 48x64 --out animated.mp4",
    "pose": "pose clip.mp4 --out motion.npz",
    "separate": "separate clip.mp4 --out layers",
    "render": "render walk.npz --style openpose --size 64x64 --out pose.mp4",
    "doctor": "doctor",
}

OWN = {"image": "a.png", "file": "clip.mp4"}  # what people choose in templates that bring none


def guarded(folder: Path) -> dict[str, str]:
    """The environment of a process that is refused the network."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(OFFLINE), str(ROOT)]), "MIMO_OUTGOING": str(folder / "out")}


def outgoing(folder: Path) -> str:
    return (folder / "out").read_text("utf-8") if (folder / "out").exists() else ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("offline")
    shot = make_shot(7, size=128, frames=8, samples=1)
    write_video(folder / "clip.mp4", shot.frames, fps=shot.fps)
    Image.fromarray(make_character_picture(5, size=96, samples=1).image).save(folder / "a.png")
    Image.new("RGB", (40, 60), (200, 30, 30)).save(folder / "plain.png")
    save_motion(folder / "walk.npz", builtin_motion("walk")[:6])
    return folder


def test_the_guard_sees_what_goes_out(tmp_path):
    code = "import urllib.request; urllib.request.urlopen('http://192.0.2.1:9/', timeout=2)"
    done = subprocess.run([sys.executable, "-c", code], env=guarded(tmp_path), capture_output=True, text=True)
    assert done.returncode != 0 and "no network here" in done.stderr
    assert "192.0.2.1" in outgoing(tmp_path)


def test_no_command_sends_anything(folder):
    """One process runs them all: it is started once, and what one leaves behind the next would send."""
    lines = [text.split() for text in COMMANDS.values()]
    code = (
        "import json, sys\nfrom mimo_core.cli import run_command\n"
        "print(json.dumps([run_command(line) for line in json.loads(sys.argv[1])]))"
    )
    command = [sys.executable, "-c", code, json.dumps(lines)]
    done = subprocess.run(command, cwd=folder, env=guarded(folder), capture_output=True, text=True, timeout=600)
    codes = json.loads(done.stdout.splitlines()[-1])
    assert dict(zip(COMMANDS, codes, strict=True)) == dict.fromkeys(COMMANDS, 0), done.stderr[-3000:]
    assert outgoing(folder) == ""


@pytest.fixture(scope="module")
def server(pack, folder, tmp_path_factory):
    from tests.test_comfy import Server

    base = tmp_path_factory.mktemp("comfyui")
    server = Server(base, guarded(base))
    try:
        server.wait()
        for name in OWN.values():
            shutil.copy(folder / name, base / "input")
        (base / "out").unlink(missing_ok=True)  # what ComfyUI asks for when it starts is its own
        yield server
    finally:
        server.stop()


@pytest.mark.comfy
@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["file"])
def test_no_template_sends_anything(server, entry):
    """With stand-ins for files: large engines fail when they read theirs, all others run to their end."""
    from tests.test_comfy_templates import smaller, write_files

    files = entry.get("files", [])
    write_files(server.base, files)
    prompt = smaller(prompt_of(json.loads((ROOT / "workflows" / entry["file"]).read_text())))
    for node in prompt.values():
        node["inputs"] |= {name: OWN[name] for name, value in node["inputs"].items() if name in OWN and value == ""}
    try:
        made = server.result(server.submit(prompt), seconds=600)
    except urllib.error.HTTPError as error:
        assert error.code == 400 and "core" in entry, error.read()
    else:
        assert made["status"]["status_str"] == "success" or files, made["status"]["messages"]
    assert outgoing(server.base) == ""
