"""The templates that ship: sound as graphs, valid for the nodes they use, and equal to their API twins.

`tests/data/object_info.json` is what ComfyUI 0.3.64 says about these nodes; `tools/freeze_nodes.py` writes it.
"""

import json
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = sorted((ROOT / "workflows").glob("*.json"))
OBJECT_INFO = json.loads((ROOT / "tests" / "data" / "object_info.json").read_text())
NOTES = {"Note", "MarkdownNote"}  # the page's own; the server does not know them
WIDGETS = {"BOOLEAN", "COMBO", "FLOAT", "INT", "STRING"}


@pytest.fixture(params=TEMPLATES, ids=lambda path: path.stem)
def template(request):
    return json.loads(request.param.read_text())


@pytest.fixture(params=TEMPLATES, ids=lambda path: path.stem)
def twins(request):
    api = request.param.parent / "api" / request.param.name
    return json.loads(request.param.read_text()), json.loads(api.read_text())


def by_id(template):
    return {node["id"]: node for node in template["nodes"]}


def working(template):
    return [node for node in template["nodes"] if node["type"] not in NOTES]


def sockets(node):
    """Type and options of every input of a node, by name, required ones first."""
    groups = OBJECT_INFO[node["type"]]["input"]
    return groups.get("required", {}) | groups.get("optional", {})


def widgets(node):
    return {name: (kind, options) for name, (kind, options) in sockets(node).items() if is_widget(kind)}


def is_widget(kind):
    return kind in WIDGETS or isinstance(kind, list)


def options_of(kind, options):
    """What a list offers: older nodes put it in place of the type."""
    return kind if isinstance(kind, list) else options["options"]


def linked(node):
    return {entry["name"] for entry in node.get("inputs", []) if entry.get("link") is not None}


class TestGraph:
    def test_every_link_joins_sockets_that_exist_and_agree(self, template):
        nodes = by_id(template)
        for number, source, out, target, into, kind in template["links"]:
            leaves, enters = nodes[source]["outputs"][out], nodes[target]["inputs"][into]
            assert number in leaves["links"]
            assert enters["link"] == number
            assert kind in (leaves["type"], enters["type"])  # the page writes either
            assert leaves["type"] in enters["type"].split(",")

    def test_every_socket_names_a_link_that_exists(self, template):
        numbers = {link[0] for link in template["links"]}
        for node in template["nodes"]:
            named = [entry["link"] for entry in node.get("inputs", []) if entry.get("link") is not None]
            named += [number for entry in node.get("outputs", []) for number in entry.get("links") or []]
            assert set(named) <= numbers

    def test_the_counters_are_ahead(self, template):
        assert template["last_node_id"] >= max(by_id(template))
        assert template["last_link_id"] >= max(link[0] for link in template["links"])

    def test_it_is_small_grouped_and_explained(self, template):
        assert len(template["nodes"]) <= 8
        assert len(template["groups"]) >= 2
        assert all(group["title"] for group in template["groups"])
        notes = [node for node in template["nodes"] if node["type"] in NOTES]
        assert len(notes) == 1
        assert "Load" in notes[0]["widgets_values"][0]

    def test_every_working_node_lies_in_a_group_and_none_lie_on_each_other(self, template):
        groups = [group["bounding"] for group in template["groups"]]
        boxes = [(*node["pos"][:2], *node["size"][:2]) for node in template["nodes"]]
        for node in working(template):
            assert any(_contains(group, (*node["pos"], *node["size"])) for group in groups), node["type"]
        for index, box in enumerate(boxes):
            assert not any(_overlap(box, other) for other in boxes[index + 1 :])

    def test_it_begins_with_the_example_and_ends_in_something_to_see(self, template):
        types = {node["type"] for node in template["nodes"]}
        assert "MIMO_Example" in types
        assert any(OBJECT_INFO[node["type"]]["output_node"] for node in working(template))


def _contains(outer, inner):
    x, y, width, height = outer
    return x <= inner[0] and y <= inner[1] and inner[0] + inner[2] <= x + width and inner[1] + inner[3] <= y + height


def _overlap(a, b):
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


class TestNodes:
    def test_only_our_nodes_and_comfyuis_own_are_used(self, template):
        for node in working(template):
            module = OBJECT_INFO[node["type"]]["python_module"]
            assert module == "nodes" or module.startswith(("comfy_extras.", "custom_nodes.mimo")), node["type"]

    def test_every_required_input_is_linked_or_a_widget(self, template):
        for node in working(template):
            required = OBJECT_INFO[node["type"]]["input"].get("required", {})
            open_sockets = [name for name, (kind, _) in required.items() if not is_widget(kind)]
            assert set(open_sockets) <= linked(node), node["type"]

    def test_every_widget_has_its_value_and_it_is_allowed(self, template):
        for node in working(template):
            values = node.get("widgets_values", [])
            assert len(values) == len(widgets(node)), node["type"]
            for value, (name, (kind, options)) in zip(values, widgets(node).items(), strict=True):
                assert _is_allowed(value, kind, options), f"{node['type']}.{name} = {value!r}"

    def test_every_node_of_ours_is_used_somewhere(self):
        used = {node["type"] for path in TEMPLATES for node in json.loads(path.read_text())["nodes"]}
        # The denoiser's nodes are in graphs of the tests until weights ship that a template can run with.
        graphs = (ROOT / "tests" / "graphs").glob("*.json")
        used |= {node["class_type"] for path in graphs for node in json.loads(path.read_text()).values()}
        assert {name for name in OBJECT_INFO if name.startswith("MIMO_")} <= used

    def test_the_frozen_nodes_are_those_of_the_pack(self, node_classes):
        assert {name for name in OBJECT_INFO if name.startswith("MIMO_")} == set(node_classes)


def _is_allowed(value, kind, options):
    if kind == "COMBO" or isinstance(kind, list):
        return value in options_of(kind, options)
    if kind in ("INT", "FLOAT"):
        return options.get("min", value) <= value <= options.get("max", value)
    return isinstance(value, bool if kind == "BOOLEAN" else str)


class TestTwins:
    def test_the_api_form_holds_the_same_nodes(self, twins):
        page, api = twins
        assert {str(node["id"]): node["type"] for node in working(page)} == {
            name: node["class_type"] for name, node in api.items()
        }

    def test_the_api_form_holds_the_same_links(self, twins):
        page, api = twins
        nodes = by_id(page)
        drawn = {
            (str(target), nodes[target]["inputs"][into]["name"], str(source), out)
            for _, source, out, target, into, _ in page["links"]
        }
        sent = {
            (name, entry, *value)
            for name, node in api.items()
            for entry, value in node["inputs"].items()
            if isinstance(value, list)
        }
        assert sent == drawn

    def test_the_api_form_holds_the_same_values(self, twins):
        page, api = twins
        for node in working(page):
            sent = api[str(node["id"])]["inputs"]
            drawn = dict(zip(widgets(node), node.get("widgets_values", []), strict=True))
            assert {name: sent[name] for name in drawn} == drawn


class TestFolder:
    def test_there_are_templates(self):
        assert [path.stem for path in TEMPLATES][:2] == ["1_replace_a_character", "2_animate_from_a_motion"]

    def test_every_template_has_a_small_square_picture(self):
        from PIL import Image

        for path in TEMPLATES:
            picture = path.with_suffix(".jpg")
            assert picture.stat().st_size < 60_000
            with Image.open(picture) as opened:
                assert opened.width == opened.height >= 256

    def test_the_manifest_lists_them_all(self):
        """It lies in api/, because ComfyUI offers every .json of workflows/ as a template."""
        listed = json.loads((ROOT / "workflows" / "api" / "manifest.json").read_text())["templates"]
        assert [entry["file"] for entry in listed] == [path.name for path in TEMPLATES]
        assert all(entry["title"] and entry["description"] for entry in listed)
