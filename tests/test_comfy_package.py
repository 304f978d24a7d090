"""The folder that the registry would ship, unpacked into a real ComfyUI: nodes, templates, page and assets work."""

import json
import shutil
import urllib.request

import pytest

from tests.test_comfy import EXAMPLE, ROOT, Server, graph
from tests.test_registry import list_shipped


pytestmark = pytest.mark.comfy
LARGEST_PACK = 40e6  # bytes, zipped


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """A copy of the shipped files that was packed and unpacked, and the size of the pack."""
    source, target = (tmp_path_factory.mktemp(name) for name in ("shipped", "unpacked"))
    for name in list_shipped() or pytest.skip("this is no git checkout"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    packed = shutil.make_archive(str(target / "node"), "zip", source)
    shutil.unpack_archive(packed, target / "mimo-character")
    return target / "mimo-character", (target / "node.zip").stat().st_size


@pytest.fixture(scope="module")
def server(unpacked, tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("comfyui"), pack=unpacked[0])
    try:
        server.wait()
        yield server
    finally:
        server.stop()


def test_the_pack_is_below_forty_megabytes(unpacked):
    assert unpacked[1] < LARGEST_PACK


def test_all_nodes_are_offered_from_it(server):
    frozen = json.loads((ROOT / "tests" / "data" / "nodes.json").read_text())
    known = server.get("/object_info")
    assert set(frozen) <= set(known)
    assert {known[name]["python_module"] for name in frozen} == {"custom_nodes.mimo-character"}


def test_all_templates_are_offered_from_it(server):
    offered = server.get("/workflow_templates")["mimo-character"]
    assert set(offered) == {path.stem for path in (ROOT / "workflows").glob("*.json")}


def test_the_page_gets_its_script_and_the_help(server):
    for place in ("mimo.js", "lib/motion_view.mjs", "docs/MIMO_Example.md", "docs/MIMO_Example/zh.md"):
        with urllib.request.urlopen(f"{server.url}/extensions/mimo-character/{place}", timeout=30) as reply:
            assert reply.read() == (ROOT / "web" / place).read_bytes()


def test_a_character_is_drawn_with_what_it_holds(server):
    prompt = graph(
        example=EXAMPLE,
        identity=("MIMO_EncodeIdentity", {"character": ["example", 1]}),
        motion=("MIMO_EditMotion", {"motion": ["example", 2], "start": 0, "length": 2, "speed": 1.0, "loop": 1,
                                    "mirror": False, "floor_contact": False, "reverse": False, "in_place": False,
                                    "smoothing": 0.0, "blend": 0.3}),
        proxy=("MIMO_DecodeProxy", {"identity": ["identity", 0], "motion": ["motion", 0], "back_side": "mirror"}),
        shown=("PreviewImage", {"images": ["proxy", 0]}),
    )  # fmt: skip
    entry = server.run(prompt)
    assert entry["status"]["status_str"] == "success"
    assert len(entry["outputs"]["shown"]["images"]) == 2
