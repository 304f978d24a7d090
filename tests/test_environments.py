"""Installing us must not break a ComfyUI that works.

The lists in tests/data/environments are what `pip freeze` said before and after `pip install -r requirements.txt` in
two real environments: the newest releases of November 2026, and transformers 4.57.1 with numpy 1.26.4.
"""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[1]
LISTS = ROOT / "tests" / "data" / "environments"
ENVIRONMENTS = ["newest", "transformers_4_57"]
OF_COMFYUI = ["transformers", "tokenizers", "huggingface-hub"]


def frozen(name):
    """Distribution name to version."""
    lines = (LISTS / f"{name}.txt").read_text().split()
    return {canonical(line.split("==")[0]): line.split("==")[1] for line in lines}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements():
    """Distribution name to lowest version, in the order of the file."""
    lines = (ROOT / "requirements.txt").read_text().split()
    return {canonical(line.split(">=")[0]): line.split(">=")[1] for line in lines}


def as_tuple(version):
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


class TestRequirements:
    def test_there_are_lower_bounds_only_and_torch_is_not_named(self):
        for line in (ROOT / "requirements.txt").read_text().split():
            assert re.fullmatch(r"[A-Za-z0-9_.-]+>=[0-9.]+", line), line
        assert not {"torch", "torchvision", "torchaudio"} & set(requirements())

    def test_packages_of_comfyui_come_before_those_that_could_lift_them(self):
        order = list(requirements())
        assert max(order.index(name) for name in [*OF_COMFYUI, "numpy", "safetensors"]) < order.index("diffusers")

    @pytest.mark.parametrize("environment", ENVIRONMENTS)
    def test_what_was_installed_satisfies_the_bounds(self, environment):
        before = frozen(f"{environment}_before")
        for name, lowest in requirements().items():
            if name in before:
                assert as_tuple(before[name]) >= as_tuple(lowest), name

    @pytest.mark.parametrize("environment", ENVIRONMENTS)
    def test_afterwards_everything_we_need_is_there(self, environment):
        assert set(requirements()) <= set(frozen(f"{environment}_after"))

    def test_the_newest_releases_are_left_as_they_are(self):
        before, after = frozen("newest_before"), frozen("newest_after")
        assert {name: after[name] for name in before} == before

    def test_an_older_transformers_stays_with_its_tokenizers_and_hub(self):
        before, after = frozen("transformers_4_57_before"), frozen("transformers_4_57_after")
        for name in OF_COMFYUI:
            assert after[name] == before[name], name


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.skipif(sys.version_info < (3, 11), reason="the frozen environments are of Python 3.11")
def test_pip_finds_a_solution_that_keeps_what_comfyui_needs(tmp_path, environment):
    """A dry run against the package index. Nothing is installed."""
    kept = frozen(f"{environment}_before")
    names = kept if environment == "newest" else OF_COMFYUI
    wanted = tmp_path / "constraints.txt"
    wanted.write_text("\n".join(f"{name}=={kept[name]}" for name in names if name != "torch"))
    torch = importlib.metadata.version("torch").split("+")[0]
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--no-input"]
    command += [
        "--retries",
        "0",
        "--timeout",
        "10",
        "-c",
        str(wanted),
        "-r",
        str(ROOT / "requirements.txt"),
        f"torch=={torch}",
    ]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if result.returncode and re.search(r"connection|resolve host|timed out|retries", result.stderr, re.I):
        pytest.skip("the package index cannot be reached")
    assert result.returncode == 0, result.stderr[-2000:]
