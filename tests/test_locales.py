"""Translations of the nodes: complete, about nodes and sockets that exist, and honest about who made them."""

import json
import re
from pathlib import Path

import pytest

from tools import write_help, write_notes


LOCALES = Path(__file__).resolve().parents[1] / "locales"
LANGUAGES = sorted(path.name for path in LOCALES.iterdir() if path.is_dir())
FOREIGN = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
UNCHANGED = {"x", "y", "z", "cfg", "VAE"}  # names that are the same everywhere


@pytest.fixture(params=LANGUAGES)
def translated(request):
    return json.loads((LOCALES / request.param / "nodeDefs.json").read_text(encoding="utf-8"))


def test_chinese_and_japanese_are_there():
    assert {"ja", "zh"} <= set(LANGUAGES)


def test_every_node_widget_and_output_has_its_entry_and_nothing_else_has(translated, node_classes):
    assert set(translated) == set(node_classes)
    for name, node in node_classes.items():
        schema = node.GET_SCHEMA()
        assert set(translated[name]["inputs"]) == {entry.id for entry in schema.inputs or []}, name
        assert set(translated[name]["outputs"]) == {str(k) for k in range(len(schema.outputs or []))}, name


def test_names_and_sentences_are_in_the_language(translated):
    for node in translated.values():
        entries = [*node["inputs"].values(), *node["outputs"].values()]
        sentences = [node["description"], *(entry["tooltip"] for entry in entries)]
        assert all(FOREIGN.search(text) and text.endswith("\u3002") for text in sentences)
        assert all(FOREIGN.search(entry["name"]) or entry["name"] in UNCHANGED | {"CLIP Vision"} for entry in entries)
        assert FOREIGN.search(node["display_name"]) and "MIMO" in node["display_name"]


def test_the_page_says_that_a_machine_made_them():
    rows = (LOCALES / "README.md").read_text()
    for language in LANGUAGES:
        assert re.search(rf"`{language}/nodeDefs.json` \| (machine-made|.*read by)", rows)


class TestHelp:
    """Help in other languages: `python tools/write_help.py` writes it from the names and tooltips."""

    def test_every_node_has_a_page_in_every_language_as_the_tool_writes_it(self, node_classes):
        written = dict(write_help.pages())
        assert {path.parent.name for path in written} == set(node_classes)
        assert {path.stem for path in written} == set(LANGUAGES)
        assert [str(path) for path, text in written.items() if path.read_text(encoding="utf-8") != text] == []

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_mistakes_are_those_of_nodes_that_exist_and_name_inputs_that_they_have(self, language):
        mistakes = json.loads((write_help.MISTAKES / f"{language}.json").read_text(encoding="utf-8"))
        names = json.loads((LOCALES / language / "nodeDefs.json").read_text(encoding="utf-8"))
        known = {word for entry in names.values() for word in entry["inputs"]} | {"sdc_info.npy", "none", ".glb"}
        known |= {"scene", "motion"}
        assert mistakes.pop("heading")
        assert set(mistakes) <= set(names)
        for node, said in mistakes.items():
            quoted = {word for text in said for word in re.findall(r"`([^`]+)`", text) if "fetch" not in word}
            assert quoted <= known, node

    def test_every_page_says_that_a_machine_made_it_and_shows_a_picture_that_exists(self):
        for path, text in write_help.pages():
            assert write_help.HEADINGS[path.stem]["note"] in text
            (picture,) = re.findall(r"!\[\]\(([^)]+)\)", text)
            assert (write_help.HELP / picture).is_file()


class TestNotes:
    """Notes and group titles of templates: `python tools/write_notes.py` writes what the page reads."""

    @pytest.fixture(params=write_notes.MADE)
    def written(self, request):
        path = write_notes.ROOT / "web" / "notes" / f"{request.param}.json"
        found = json.loads(path.read_text(encoding="utf-8"))
        assert found == write_notes.texts(request.param)
        return request.param, found

    def test_every_note_says_that_a_machine_made_it_and_keeps_its_links(self, written):
        language, found = written
        for name, text in found["notes"].items():
            english = json.loads((write_notes.ROOT / "workflows" / f"{name}.json").read_text())
            (note,) = [node["widgets_values"][0] for node in english["nodes"] if node["type"] == "MarkdownNote"]
            assert FOREIGN.search(text) and text.endswith(f"*{write_notes.MADE[language]}*")
            links = re.compile(r"\]\(([^)]+)\)")
            assert sorted(links.findall(text)) == sorted(links.findall(note)), name

    def test_every_group_title_is_there_and_nothing_else(self, written):
        titles = set()
        for path in (write_notes.ROOT / "workflows").glob("*.json"):
            titles |= {group["title"] for group in json.loads(path.read_text())["groups"]}
        assert set(written[1]["groups"]) == titles
