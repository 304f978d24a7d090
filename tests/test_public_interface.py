"""The names that `mimo_core` promises, and the example of the README that uses them."""

import json
import re
from pathlib import Path

import pytest

import mimo_core
from mimo_core.media.clip import Clip


ROOT = Path(__file__).resolve().parents[1]
FROZEN = ROOT / "tests" / "data" / "public_names.json"


def test_the_public_names_are_the_frozen_ones():
    """A name that goes breaks somebody's script: change the list, CHANGELOG.md and docs/migrations.md together."""
    assert sorted(mimo_core.__all__) == json.loads(FROZEN.read_text())


@pytest.mark.parametrize("name", mimo_core.__all__)
def test_every_public_name_has_a_docstring(name):
    assert getattr(mimo_core, name).__doc__


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'separate'"):
        mimo_core.separate  # noqa: B018


def test_the_example_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})  # noqa: S102
    assert len(Clip.from_file(tmp_path / "result.mp4")) == 12
