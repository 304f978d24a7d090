"""What holds for every node, seen from outside: names, tooltips, order, help, and what is published."""

import copy
import json
from pathlib import Path

import pytest

from tools.freeze_nodes import breaking_changes, unannounced


ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "tests" / "data" / "nodes.json"
WIDGETS = {"BOOLEAN", "COMBO", "FLOAT", "INT", "STRING"}


def described(node):
    """What a saved workflow depends on, as `tools/freeze_nodes.py` writes it down."""
    schema = node.GET_SCHEMA()
    inputs = []
    for entry in sorted(schema.inputs or [], key=lambda entry: bool(entry.optional)):
        options = entry.as_dict()
        fact = {
            "name": entry.id,
            "type": str(entry.get_io_type()),
            "group": "optional" if entry.optional else "required",
        }
        inputs.append(fact | {key: options[key] for key in ("default", "advanced") if key in options})
    outputs = [{"name": entry.display_name, "type": str(entry.io_type)} for entry in schema.outputs or []]
    return {"inputs": inputs, "outputs": outputs}


class TestSchemas:
    def test_every_id_begins_with_our_prefix(self, node_classes):
        assert node_classes
        assert [name for name in node_classes if not name.startswith("MIMO_")] == []

    def test_every_node_says_its_name_its_purpose_and_its_place(self, node_classes):
        for node in node_classes.values():
            schema = node.GET_SCHEMA()
            assert "MIMO" in schema.display_name
            assert schema.category.startswith("MIMO")
            assert schema.description.endswith(".")

    def test_every_socket_has_a_tooltip_that_is_a_sentence(self, node_classes):
        for name, node in node_classes.items():
            schema = node.GET_SCHEMA()
            for entry in [*(schema.inputs or []), *(schema.outputs or [])]:
                assert entry.tooltip and entry.tooltip[-1] in ".", f"{name}: {entry}"

    def test_at_most_six_plain_widgets(self, node_classes):
        for name, node in node_classes.items():
            inputs = described(node)["inputs"]
            plain = [entry for entry in inputs if entry["type"] in WIDGETS and "advanced" not in entry]
            assert len(plain) <= 6, name

    def test_sockets_come_before_widgets_and_required_before_optional_sockets(self, node_classes):
        for name, node in node_classes.items():
            inputs = node.GET_SCHEMA().inputs
            rank = [2 if str(entry.get_io_type()) in WIDGETS else int(bool(entry.optional)) for entry in inputs]
            assert rank == sorted(rank), name

    def test_published_schemas_have_not_changed(self, node_classes):
        """Saved workflows break when a published name, type or place changes. New optional inputs go to the end of
        their kind; then `tools/freeze_nodes.py` writes the file again."""
        published = json.loads(PUBLISHED.read_text())
        assert {name: described(node) for name, node in node_classes.items()} == published

    def test_every_node_has_a_help_page_and_a_line_in_the_node_list(self, node_classes):
        pages = {path.stem for path in (ROOT / "web" / "docs").glob("*.md")}
        listed = json.loads((ROOT / "node_list.json").read_text())
        assert pages == set(node_classes)
        assert listed == {name: node.GET_SCHEMA().description for name, node in node_classes.items()}


class TestPublished:
    """What counts as breaking saved workflows, and what has to be written down before it may happen."""

    OLD = {
        "MIMO_X": {
            "inputs": [
                {"name": "clip", "type": "IMAGE", "group": "required"},
                {"name": "edge", "type": "INT", "group": "required", "default": 2},
                {"name": "mask", "type": "MASK", "group": "optional"},
            ],
            "outputs": [{"name": "scene", "type": "MIMO_SCENE"}],
        }
    }

    def changed(self, change):
        new = copy.deepcopy(self.OLD)
        change(new["MIMO_X"])
        return breaking_changes(self.OLD, new)

    @pytest.mark.parametrize(
        "change",
        [
            lambda node: node["inputs"].reverse(),
            lambda node: node["inputs"].pop(),
            lambda node: node["inputs"].insert(0, {"name": "new", "type": "INT", "group": "required"}),
            lambda node: node["inputs"][0].update(type="VIDEO"),
            lambda node: node["inputs"][0].update(name="frames"),
            lambda node: node["inputs"][1].update(default=3),
            lambda node: node["inputs"][2].update(group="required"),
            lambda node: node["outputs"][0].update(type="IMAGE,MIMO_SCENE"),
            lambda node: node["outputs"].clear(),
        ],
    )
    def test_what_saved_workflows_depend_on_is_breaking(self, change):
        assert list(self.changed(change)) == ["MIMO_X"]

    @pytest.mark.parametrize(
        "change",
        [
            lambda node: None,
            lambda node: node["inputs"].append({"name": "new", "type": "INT", "group": "optional"}),
            lambda node: node["inputs"][0].update(type="IMAGE,VIDEO"),
            lambda node: node["outputs"].append({"name": "mask", "type": "MASK"}),
        ],
    )
    def test_what_only_adds_is_not(self, change):
        assert self.changed(change) == {}

    def test_a_node_that_is_gone_is_breaking_and_a_new_one_is_not(self):
        assert breaking_changes(self.OLD, {}) == {"MIMO_X": ["the node is gone"]}
        assert breaking_changes({}, self.OLD) == {}

    def test_it_may_happen_only_when_both_pages_name_the_node(self):
        broken = {"MIMO_X": ["the node is gone"]}
        newest = "# Changelog\n\n## 2.0.0\n\n- MIMO_X is gone.\n\n## 1.0.0\n"
        older = "# Changelog\n\n## 2.0.0\n\n- Other things.\n\n## 1.0.0\n\n- MIMO_X is new.\n"
        assert unannounced(broken, newest, "MIMO_X: use MIMO_Y") == {}
        assert unannounced(broken, newest, "") == broken
        assert unannounced(broken, older, "MIMO_X: use MIMO_Y") == broken
