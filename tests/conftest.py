"""The pack loaded as ComfyUI loads it, on the real ComfyUI where COMFYUI_PATH names one, else on a stand-in."""

import asyncio
import importlib.util
import os
import sys
from pathlib import Path

import pytest
import torch

from tests.browser import lacking


ROOT = Path(__file__).resolve().parents[1]
TEXTURE_SIDE = 256
COMFYUI_PATH = os.environ.get("COMFYUI_PATH")
TOLERANCE = {
    torch.float64: {"rtol": 1e-9, "atol": 1e-9},
    torch.float32: {"rtol": 1e-5, "atol": 1e-5},
    torch.float16: {"rtol": 2e-3, "atol": 1e-3},
    torch.bfloat16: {"rtol": 1.6e-2, "atol": 1e-2},
}


def pytest_collection_modifyitems(items):
    missing = {
        "browser": lacking(),
        "comfy": None if COMFYUI_PATH else "COMFYUI_PATH is not set",
        "gpu": None if torch.cuda.is_available() else "there is no CUDA device",
    }
    for item in items:
        for mark, reason in missing.items():
            if reason and mark in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter):
    reason = lacking()
    skipped = terminalreporter.stats.get("skipped", [])
    count = sum("browser" in getattr(report, "keywords", ()) for report in skipped)  # a skipped module has none
    if count and reason:
        terminalreporter.write_line(f"{count} browser tests skipped: {reason}")


@pytest.fixture(scope="session")
def close():
    """assert_close with the tolerance of the expected value's dtype, or a wider one where a test says why."""

    def check(actual, expected, **wider):
        torch.testing.assert_close(actual, expected, **(TOLERANCE.get(expected.dtype, {}) | wider))

    return check


@pytest.fixture(scope="session", autouse=True)
def small_textures():
    """Figures are baked with small textures, which suit the small frames of tests; a full one takes seconds."""
    proxy = importlib.import_module("mimo_core.proxy.proxy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proxy, "BODY_TEXTURE_SIDE", TEXTURE_SIDE)
        yield


@pytest.fixture(scope="session")
def pack():
    """The pack's root module, imported under a private name as ComfyUI does."""
    if COMFYUI_PATH:
        _use_real_comfyui()
    else:
        _load("comfy_stub", ROOT / "tests" / "comfy_stub.py").install()
    pack = _load("pack_under_test", ROOT / "__init__.py")
    importlib.import_module("pack_under_test.mimo_core.proxy.proxy").BODY_TEXTURE_SIDE = TEXTURE_SIDE
    return pack


def _use_real_comfyui():
    sys.path.insert(0, COMFYUI_PATH)  # ComfyUI's `nodes` module must win over our `nodes/` folder
    from comfy.cli_args import args

    args.cpu = True  # before anything of comfy looks for a device
    import nodes

    assert Path(nodes.__file__).name == "nodes.py"


def _load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def node_classes(pack):
    """Our nodes by id, in the order of the menu."""

    async def collect():
        extension = await pack.comfy_entrypoint()
        return {node.GET_SCHEMA().node_id: node for node in await extension.get_node_list()}

    return asyncio.run(collect())


@pytest.fixture
def folders(pack, tmp_path):
    """ComfyUI's input, output and temp folders in a place of the test's own."""
    import folder_paths

    for kind in ("input", "output", "temp"):
        (tmp_path / kind).mkdir()
        getattr(folder_paths, f"set_{kind}_directory")(str(tmp_path / kind))
    return tmp_path
