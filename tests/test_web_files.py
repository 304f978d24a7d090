"""The files that the page gets: few, small, and harmless to other extensions and to the person who opens a workflow."""

import re
from pathlib import Path

import pytest


WEB = Path(__file__).resolve().parents[1] / "web"
SCRIPTS = sorted(path for path in WEB.rglob("*") if path.suffix in (".js", ".mjs"))
FORBIDDEN = {
    "text taken for HTML": r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment",
    "text taken for code": r"\beval\b|new Function|setTimeout\(\s*[\"'`]",
    "another site": r"[\"'`](https?:)?//",
    "something on window or in another's prototype": r"\bwindow\.\w+\s*=[^=]|\.prototype\.\w+\s*=[^=]",
    "a listener on the whole page": r"\b(document|window)\.addEventListener",
    "something kept in the browser": r"localStorage|sessionStorage|indexedDB|document\.cookie",
}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
class TestScripts:
    @pytest.mark.parametrize("what", FORBIDDEN)
    def test_it_does_not_use(self, path, what):
        code = re.sub(r"(?m)^\s*//.*$", "", path.read_text(encoding="utf-8"))
        assert re.findall(FORBIDDEN[what], code) == []

    def test_what_it_imports_is_there(self, path):
        named = re.findall(r"(?:from|import\()\s*\"(\.[^\"]+)\"", path.read_text(encoding="utf-8"))
        ours = [name for name in named if not name.startswith("../../scripts/")]
        assert [name for name in ours if not (path.parent / name).is_file()] == []


class TestFolder:
    def test_only_one_file_is_loaded_at_start_up(self):
        """ComfyUI imports every .js below web/ into the page, for every user."""
        assert [path.name for path in SCRIPTS if path.suffix == ".js"] == ["mimo.js"]

    def test_all_scripts_together_are_small(self):
        assert sum(path.stat().st_size for path in SCRIPTS) < 88_000

    def test_every_language_says_everything(self):
        tables = re.findall(r"const ([A-Z]+) = \{(.*?)\n\};", (WEB / "lib/texts.mjs").read_text(encoding="utf-8"), re.S)
        keys = {name: re.findall(r"^  (\w+):", body, re.M) for name, body in tables}
        assert set(keys) == {"ENGLISH", "CHINESE", "JAPANESE"}
        assert keys["CHINESE"] == keys["JAPANESE"] == keys["ENGLISH"]
