"""What holds for every file of the library and of the project, seen from outside."""

import ast
import re
from pathlib import Path

import pytest


try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib


ROOT = Path(__file__).resolve().parents[1]
LIBRARY = sorted((ROOT / "mimo_core").rglob("*.py"))
OURS = [ROOT / "__init__.py"]
OURS += [
    path
    for folder in ("mimo_core", "mimo_lab", "nodes", "tests", "tools")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


class TestLayers:
    def test_the_contracts_of_pyproject_hold(self):
        """No circle, no import upwards, nothing of ComfyUI and nothing of the laboratory in the library."""
        lint_imports = pytest.importorskip("importlinter.cli").lint_imports
        assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


class TestLibrary:
    @pytest.mark.parametrize("path", LIBRARY, ids=name_of)
    def test_it_imports_fragile_packages_only_where_they_are_used(self, path):
        at_import = imported(_at_module_level(ast.parse(path.read_text())))
        assert at_import.isdisjoint({"cv2", "smplx", "ai_edge_litert", "av", "diffusers", "transformers", "trimesh"})

    @pytest.mark.parametrize("path", LIBRARY, ids=name_of)
    def test_it_names_no_device_and_loads_no_code(self, path):
        text = path.read_text()
        assert not re.search(r"\.cuda\(|[\"']cuda[\"']", text)
        assert not re.search(r"pickle\.loads?\(|allow_pickle=True|(?<![.\w])(eval|exec)\(", text)
        assert all("weights_only=True" in call for call in re.findall(r"torch\.load\([^\n]*", text))

    @pytest.mark.parametrize("path", LIBRARY, ids=name_of)
    def test_it_does_not_count_on_its_own_name(self, path):
        """Inside ComfyUI the library is `<folder of the pack>.mimo_core`."""
        assert imported(ast.walk(ast.parse(path.read_text()))).isdisjoint({"mimo_core"})
        assert 'files("mimo_core")' not in path.read_text()

    def test_it_prints_nothing(self):
        talkative = [
            name_of(path)
            for path in LIBRARY
            if path.name != "__main__.py" and "cli" not in path.parts
            if any(isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print" for node in _walk(path))
        ]
        assert talkative == []


def _walk(path):
    return ast.walk(ast.parse(path.read_text()))


def _at_module_level(tree):
    """Statements that run on import: not those inside functions."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        ]


def imported(statements):
    """Top-level packages that these statements import absolutely."""
    found = set()
    for node in statements:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.split(".")[0])
    return found


class TestFiles:
    @pytest.mark.parametrize("path", OURS, ids=name_of)
    def test_python_files_are_ascii(self, path):
        assert path.read_bytes().isascii()

    def test_requirements_equal_the_dependencies_of_the_project(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        lines = (ROOT / "requirements.txt").read_text().splitlines()
        assert [line for line in lines if line and not line.startswith("#")] == project["dependencies"]

    def test_torch_is_never_named(self):
        lines = (ROOT / "requirements.txt").read_text().split()
        assert not [line for line in lines if re.match(r"torch(vision|audio)?\b", line)]
