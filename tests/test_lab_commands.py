"""The commands of the laboratory in a package that comes without it, as ComfyUI's registry ships it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[1]
RUN = """
import runpy, sys
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
sys.path = [entry for entry in sys.path if entry != sys.argv[1]]
sys.argv = ["mimo", *sys.argv[2:]]
runpy.run_module("mimo_core", run_name="__main__")
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A folder with `mimo_core` and nothing beside it."""
    folder = tmp_path_factory.mktemp("package")
    try:
        folder.joinpath("mimo_core").symlink_to(ROOT / "mimo_core", target_is_directory=True)
    except OSError:
        pytest.skip("needs symbolic links")
    return folder


class TestWithoutTheLaboratory:
    @pytest.mark.parametrize("arguments", [["train", "--config", "a.yaml"], ["shots", "--out", "b"], ["bench", "tiny"]])
    def test_its_commands_answer_with_one_line_that_says_how_to_get_it(self, package, arguments):
        environment = os.environ | {"PYTHONPATH": str(package)}
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(ROOT), *arguments],
            cwd=package,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.strip().splitlines() == [
            f"mimo {arguments[0]}: this package has no mimo_lab. Get it with: git clone "
            "https://github.com/mimo-character/mimo-character, and run it there."
        ]
