"""The templates that ship: sound as graphs, valid for the nodes they use, and equal to their API twins.

`tests/data/object_info.json` is what ComfyUI 0.3.64 says about these nodes; `tools/freeze_nodes.py` writes it.
"""

import json

import pytest

from tests.template_prompts import (
    MANIFEST,
    MUTED,
    NOTES,
    OBJECT_INFO,
    ROOT,
    SEEDS,
    TEMPLATES,
    chosen,
    is_widget,
    misfits,
    prompt_of,
    required_sockets,
    values,
    widgets,
    working,
)


NEEDS_FILES = [path for path in TEMPLATES if path.stem.endswith("_needs_files")]
APPS = [path for path in TEMPLATES if path.stem.endswith(".app")]


@pytest.fixture(params=TEMPLATES, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def template(path):
    return json.loads(path.read_text())


@pytest.fixture
def entry(path):
    """What the manifest says of a template."""
    (found,) = [entry for entry in MANIFEST if entry["file"] == path.name]
    return found


@pytest.fixture
def twin(path):
    return json.loads((path.parent / "api" / path.name).read_text())


def by_id(template):
    return {node["id"]: node for node in template["nodes"]}


def note_of(template):
    (note,) = [node for node in template["nodes"] if node["type"] in NOTES]
    return note["widgets_values"][0]


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

    def test_no_node_waits_for_itself(self, template):
        left = {name: node["inputs"].values() for name, node in prompt_of(template, muted=True).items()}
        while ready := [name for name, given in left.items() if not _sources(given) & left.keys()]:
            left = {name: given for name, given in left.items() if name not in ready}
        assert not left

    def test_the_counters_are_ahead(self, template):
        assert template["last_node_id"] >= max(by_id(template))
        assert template["last_link_id"] >= max(link[0] for link in template["links"])

    def test_it_is_small_grouped_and_explained(self, template, entry):
        assert len(template["nodes"]) <= (36 if "core" in entry else 22)  # other engines are many nodes
        assert len(template["groups"]) >= 3
        assert all(group["title"] for group in template["groups"])
        assert "### Your own files" in note_of(template) or "### Good to know" in note_of(template)
        assert "Load Image" in note_of(template) or "Load Video" in note_of(template)

    def test_every_working_node_lies_in_a_group_and_none_lie_on_each_other(self, template):
        groups = [group["bounding"] for group in template["groups"]]
        boxes = [(*node["pos"][:2], *node["size"][:2]) for node in template["nodes"]]
        for node in working(template):
            assert any(_contains(group, (*node["pos"], *node["size"])) for group in groups), node["type"]
        for index, box in enumerate(boxes):
            assert not any(_overlap(box, other) for other in boxes[index + 1 :])

    def test_it_begins_with_the_example_or_files_of_the_user_and_ends_in_something_to_see(self, template, path):
        types = {node["type"] for node in template["nodes"]}
        assert ("LoadImage" if path in APPS else "MIMO_Example") in types
        assert any(OBJECT_INFO[node["type"]]["output_node"] for node in working(template))


def _sources(given):
    return {value[0] for value in given if isinstance(value, list)}


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
            open_sockets = [name for name, (kind, _) in required_sockets(node).items() if not is_widget(kind)]
            assert set(open_sockets) <= linked(node), node["type"]

    def test_every_widget_has_its_value_and_it_is_allowed(self, template, entry):
        assert misfits(template, entry) == []

    def test_values_by_name_are_those_by_place(self, template):
        """Newer front ends save both, and may read either."""
        for node in working(template):
            named = node.get("widgets_values_named") or {}
            held = values(node)
            assert {name: named[name] for name in held.keys() & named.keys()} == {
                name: held[name] for name in held.keys() & named.keys()
            }

    def test_seeds_are_fixed(self, template):
        for node in working(template):
            assert all(value == 42 for name, value in values(node).items() if name in SEEDS)

    def test_every_node_says_which_pack_it_is_from(self, template):
        """So that ComfyUI offers to install what is missing."""
        for node in working(template):
            ours = node["type"].startswith("MIMO_")
            assert node["properties"]["cnr_id"] == ("mimo-character" if ours else "comfy-core")

    def test_every_node_of_ours_is_used_somewhere(self):
        used = {node["type"] for path in TEMPLATES for node in json.loads(path.read_text())["nodes"]}
        assert {name for name in OBJECT_INFO if name.startswith("MIMO_")} <= used

    def test_the_frozen_nodes_are_those_of_the_pack(self, node_classes):
        assert {name for name in OBJECT_INFO if name.startswith("MIMO_")} == set(node_classes)


class TestTwins:
    def test_the_api_form_is_what_the_page_would_send(self, template, twin):
        sent = {name: {"class_type": node["class_type"], "inputs": node["inputs"]} for name, node in twin.items()}
        assert sent == prompt_of(template)

    def test_what_is_muted_is_a_whole_group_that_the_note_explains(self, template):
        muted = [node for node in working(template) if node["mode"] == MUTED]
        if muted:
            (group,) = [group for group in template["groups"] if "(muted)" in group["title"]]
            inside = [node for node in working(template) if _contains(group["bounding"], (*node["pos"], *node["size"]))]
            assert inside == muted
            assert "Set Group Nodes to Always" in note_of(template)
            assert len(prompt_of(template, muted=True)) == len(working(template))


class TestFiles:
    """Templates that need files say so in their name, and name every file, its folder and its source."""

    def test_the_manifest_gives_the_class_by_the_name(self, path, entry):
        assert entry["class"] == ("needs files" if path in NEEDS_FILES else "ships")
        assert bool(entry.get("files")) == (path in NEEDS_FILES)

    @pytest.mark.parametrize("path", NEEDS_FILES, ids=lambda path: path.stem)
    def test_the_note_lists_every_file_with_its_folder_and_link(self, template, entry):
        for file in entry["files"]:
            assert file["file"] in note_of(template)
            assert file["folder"] in note_of(template)
            assert file["url"] in note_of(template)

    @pytest.mark.parametrize("path", NEEDS_FILES, ids=lambda path: path.stem)
    def test_loaders_name_their_files_for_the_page_to_offer(self, template, entry):
        urls = {file["file"]: file["url"] for file in entry["files"]}
        loaders = [node for node in working(template) if "models" in node["properties"]]
        assert loaders
        for node in loaders:
            offered = node["properties"]["models"]
            assert all(urls[model["name"]] == model["url"] for model in offered)
            assert {model["name"] for model in offered} & set(values(node).values())


class TestApps:
    """Templates that open without their graph: `linearData` says what is asked for and what is shown."""

    @pytest.mark.parametrize("path", APPS, ids=lambda path: path.stem)
    def test_it_asks_for_widgets_that_exist_in_words_of_its_own(self, template):
        nodes = by_id(template)
        for number, name, options in template["extra"]["linearData"]["inputs"]:
            node = nodes[int(number)]
            assert name in widgets(node)
            (label,) = [entry["label"] for entry in node["inputs"] if entry["name"] == name]
            assert label != name
            assert 5 <= len(options["description"]) <= 36  # the page cuts longer ones

    @pytest.mark.parametrize("path", APPS, ids=lambda path: path.stem)
    def test_it_asks_for_every_file_and_shows_what_is_saved(self, template):
        files = [[str(n["id"]), name] for n in working(template) for name, value in values(n).items() if value == ""]
        assert [entry for entry in files if nodes_type(template, entry[0]).startswith("Load")]
        assert all(entry in chosen(template) for entry in files if nodes_type(template, entry[0]).startswith("Load"))
        saved = [str(node["id"]) for node in working(template) if OBJECT_INFO[node["type"]]["output_node"]]
        assert template["extra"]["linearData"]["outputs"] == saved
        assert template["extra"]["linearMode"] is True

    def test_only_apps_open_as_one(self):
        assert [path.stem for path in APPS] == ["animate_a_picture.app", "replace_a_character.app"]
        others = [json.loads(path.read_text())["extra"] for path in TEMPLATES if path not in APPS]
        assert not any("linearMode" in extra for extra in others)


def nodes_type(template, number):
    return by_id(template)[int(number)]["type"]


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
        assert [entry["file"] for entry in MANIFEST] == [path.name for path in TEMPLATES]
        assert all(entry["title"] and entry["description"] for entry in MANIFEST)


class TestBlueprint:
    """One node for a whole pipeline, or for what stands on either side of another engine.

    Cores from 0.3.67 on offer them among the subgraphs.
    """

    BLUEPRINTS = sorted((ROOT / "subgraphs").glob("*.json"))
    SHOT = {"clip": "IMAGE,VIDEO", "character": "IMAGE"}
    LAYERS = {"scene": "MIMO_SCENE", "plate": "IMAGE", "character_mask": "MASK"}
    DRAWING = {"reference": "IMAGE", "reference_mask": "MASK", "clip": "IMAGE"}
    SOCKETS = {
        "MIMO character pipeline": (SHOT, {"video": "VIDEO"}),
        "MIMO put together": (LAYERS | {"images": "IMAGE"}, {"video": "VIDEO"}),
        "MIMO take apart": (SHOT, LAYERS | DRAWING | dict.fromkeys(("width", "height", "length"), "INT")),
    }

    @pytest.fixture(params=BLUEPRINTS, ids=lambda path: path.stem)
    def blueprint(self, request):
        return json.loads(request.param.read_text())

    def test_there_are_three(self):
        assert {path.stem for path in self.BLUEPRINTS} == set(self.SOCKETS)

    def test_it_is_a_single_node_of_the_subgraph_that_it_holds(self, blueprint):
        (node,), (subgraph,) = blueprint["nodes"], blueprint["definitions"]["subgraphs"]
        assert node["type"] == subgraph["id"]
        assert node["title"] == subgraph["name"]
        for side, wanted in zip(("inputs", "outputs"), self.SOCKETS[node["title"]], strict=True):
            assert {entry["name"]: entry["type"] for entry in node[side]} == wanted
            assert {entry["name"]: entry["type"] for entry in subgraph[side]} == wanted
        assert subgraph["description"] == blueprint["extra"]["BlueprintDescription"]
        assert subgraph["category"] == "MIMO"

    def test_inside_every_socket_that_must_be_is_joined_to_one_that_exists(self, blueprint):
        (subgraph,) = blueprint["definitions"]["subgraphs"]
        inside, inputs, outputs = by_id(subgraph), -10, -20  # what the page calls the border
        for link in subgraph["links"]:
            if link["origin_id"] != inputs:
                leaves = inside[link["origin_id"]]["outputs"][link["origin_slot"]]
                assert leaves["type"] == link["type"]
            else:
                assert link["origin_slot"] < len(subgraph["inputs"])
            if link["target_id"] != outputs:
                assert inside[link["target_id"]]["inputs"][link["target_slot"]]["link"] == link["id"]
            else:
                assert link["target_slot"] < len(subgraph["outputs"])
        for node in subgraph["nodes"]:
            open_sockets = {name for name, (kind, _) in required_sockets(node).items() if not is_widget(kind)}
            assert open_sockets <= linked(node)
            assert values(node).keys() == widgets(node).keys()
