"""What the ComfyUI registry gets: complete metadata, a small package, and nothing that its scanner flags."""

import ast
import json
import re
import subprocess
from pathlib import Path

import pytest


try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib


ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LARGEST = 44e6
TEXT = {".py", ".js", ".mjs", ".json", ".md", ".toml", ".txt", ".yaml", ".css", ""}
# Strings that its rules look for, tests and comments included; reported in issues of the registry and of the Manager.
TRAPS = {
    "runs code from text": r"(?<![\w.])(eval|exec|compile|__import__)\(",
    "starts processes": r"\b(subprocess|os\.system|os\.popen|pty\.spawn|Popen)\b",
    "reads accounts": r"/etc/(passwd|shadow)|\.ssh/|id_rsa",
    "decodes hidden text": r"\b(base64|codecs\.decode|marshal|zlib\.decompress)\b.{0,40}\b(eval|exec|loads)\b",
    "loads native code": r"\bctypes\.(CDLL|WinDLL|windll|cdll)\b",
    "uses ciphers": r"^\s*(import|from) (Crypto|cryptography|nacl)\b",
    "installs packages": r"pip(3)?['\", ]+install\b.*(run|call|main)\(",
    "is a blob of text": r"[A-Za-z0-9+/]{400,}={0,2}",
}


@pytest.fixture(scope="module")
def shipped():
    return list_shipped() or pytest.skip("this is no git checkout")


def list_shipped():
    """The list that `comfy node pack` would ship: what git holds, without what .comfyignore names."""
    return sorted(_git("ls-files") - _git("ls-files", "--cached", "--ignored", "--exclude-from=.comfyignore"))


def _git(*words):
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    return set(done.stdout.splitlines()) if done.returncode == 0 else set()


class TestPackage:
    def test_it_is_small(self, shipped):
        assert sum((ROOT / name).stat().st_size for name in shipped) <= LARGEST

    def test_it_holds_what_the_nodes_need(self, shipped):
        needed = [
            "__init__.py",
            "pyproject.toml",
            "requirements.txt",
            "LICENSE",
            "NOTICE",
            "README.md",
            "node_list.json",
        ]
        assert set(needed) <= set(shipped)
        for part in ("nodes/", "mimo_core/", "web/docs/", "workflows/", "mimo_core/assets/"):
            assert any(name.startswith(part) for name in shipped), part

    def test_it_leaves_out_what_only_developers_need(self, shipped):
        for part in ("tests/", "docs/", "tools/", ".ci/", ".github/", "configs/"):
            assert not [name for name in shipped if name.startswith(part)]

    def test_every_package_it_imports_is_in_it(self, shipped):
        """A module that was forgotten, or ignored by mistake, stops the pack from loading."""
        held = {name.removesuffix(".py").removesuffix("/__init__") for name in shipped if name.endswith(".py")}
        for name in (name for name in shipped if name.endswith(".py")):
            folder = name.split("/")[:-1]
            for node in ast.walk(ast.parse((ROOT / name).read_text())):
                if isinstance(node, ast.ImportFrom) and node.level:
                    base = "/".join([*folder[: len(folder) - node.level + 1], *(node.module or "").split(".")]).strip(
                        "/"
                    )
                    assert base in held or any(f"{base}/{alias.name}".strip("/") in held for alias in node.names), (
                        f"{name} imports {base}"
                    )


class TestMetadata:
    def test_it_is_complete(self):
        project, comfy = PROJECT["project"], PROJECT["tool"]["comfy"]
        assert re.fullmatch(r"[a-z][a-z0-9-]+", project["name"]) and not project["name"].startswith("comfyui")
        assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
        assert project["description"].endswith(".") and project["urls"]["Repository"].startswith("https://github.com/")
        assert (ROOT / project["license"]["file"]).is_file()
        assert comfy["PublisherId"] and comfy["DisplayName"]
        assert comfy["requires-comfyui"] == ">=0.3.64"
        assert "web" not in comfy, "WEB_DIRECTORY is registered already; both together load every file twice"

    def test_the_icon_is_in_the_repository_square_and_not_too_large(self):
        from PIL import Image

        path = ROOT / PROJECT["tool"]["comfy"]["Icon"].partition("/main/")[2]
        with Image.open(path) as icon:
            assert icon.width == icon.height <= 400
        assert path.stat().st_size < 60_000

    def test_a_new_version_on_main_is_published(self):
        text = (ROOT / ".github" / "workflows" / "publish.yml").read_text()
        assert re.search(r"branches: \[main\]\n\s+paths: \[pyproject.toml\]", text)
        assert "uses: Comfy-Org/publish-node-action@" in text
        assert "personal_access_token: ${{ secrets.REGISTRY_ACCESS_TOKEN }}" in text

    def test_templates_name_this_pack_and_version(self):
        for path in (ROOT / "workflows").glob("*.json"):
            for node in json.loads(path.read_text())["nodes"]:
                if node["type"].startswith("MIMO_"):
                    assert node["properties"]["cnr_id"] == PROJECT["project"]["name"]
                    assert node["properties"]["ver"] == PROJECT["project"]["version"]


class TestScanner:
    @pytest.mark.parametrize("trap", TRAPS)
    def test_no_shipped_file_looks_harmful(self, shipped, trap):
        flagged = []
        for name in shipped:
            path = ROOT / name
            if path.suffix in TEXT and path.name not in ("LICENSE", "NOTICE"):
                found = re.search(TRAPS[trap], path.read_text(errors="replace"), re.MULTILINE)
                flagged += [f"{name}: {found.group()[:60]}"] if found else []
        assert flagged == []

    def test_nothing_runs_while_it_is_installed(self):
        assert not [name for name in ("install.py", "prestartup_script.py", "uninstall.py") if (ROOT / name).exists()]

    def test_no_old_mapping_hides_the_nodes(self):
        assert "NODE_CLASS_MAPPINGS" not in (ROOT / "__init__.py").read_text()

    def test_one_statement_a_line(self, shipped):
        """`comfy node validate` runs ruff's E702 among others."""
        for name in (name for name in shipped if name.endswith(".py")):
            lines = [
                node.lineno for node in ast.walk(ast.parse((ROOT / name).read_text())) if isinstance(node, ast.stmt)
            ]
            nested = len(lines) - len(set(lines))
            text = (ROOT / name).read_text().splitlines()
            assert not nested or not [k for k in set(lines) if lines.count(k) > 1 and ";" in text[k - 1].split("#")[0]]
