"""The pages: what they link to exists, help has its parts, pictures are small."""

import json
import re
from pathlib import Path

import pytest

from mimo_core.cli import doctor
from mimo_core.weights import files as weights
from tests.template_prompts import NOTES, TEMPLATES
from tools import list_messages


ROOT = Path(__file__).resolve().parents[1]
HELP = sorted((ROOT / "web" / "docs").glob("*.md"))
PAGES = [*HELP, *sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s#]+)(#[^)\s]*)?\)")
REPOSITORY = "https://github.com/mimo-character/mimo-character/blob/main/"


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_links_to_exists(page):
    links = [link for link, _ in LINK.findall(page.read_text()) if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_what_a_templates_note_links_to_exists(path):
    notes = [node for node in json.loads(path.read_text())["nodes"] if node["type"] in NOTES]
    links = [link for note in notes for link, _ in LINK.findall(note["widgets_values"][0])]
    ours = [link.removeprefix(REPOSITORY) for link in links if link.startswith(REPOSITORY)]
    assert ours or path.stem.endswith("_needs_files")
    assert [link for link in ours if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("page", HELP, ids=lambda page: page.stem)
def test_a_help_page_has_its_parts_and_a_small_picture(page):
    text = page.read_text()
    assert text.startswith("# ")
    assert "\n## Inputs" in text
    assert "\n## Typical mistakes" in text
    assert "\n## Wire next" in text
    (picture,) = re.findall(r"!\[[^\]]+\]\((pictures/[^)]+)\)", text)
    assert 500 < (page.parent / picture).stat().st_size < 60_000


def test_every_widget_and_socket_stands_on_its_help_page(node_classes):
    absent = []
    for name, node in node_classes.items():
        text = (ROOT / "web" / "docs" / f"{name}.md").read_text()
        if "As on **MIMO Conditioning**" in text:
            text += (ROOT / "web" / "docs" / "MIMO_Conditioning.md").read_text()
        absent += [f"{name}.{entry.id}" for entry in node.GET_SCHEMA().inputs or [] if entry.id not in text]
    assert absent == []


def test_readme_help_and_doctor_name_every_file_of_the_denoiser():
    """Each with its folder, source, licence and what works without it."""
    readme, help_page = (ROOT / "README.md").read_text(), (ROOT / "web" / "docs" / "MIMO_LoadModel.md").read_text()
    report = "\n".join(doctor.list_weights())
    for entry in weights.list_group("mimo"):
        folder = entry.path.rpartition("/")[0]
        for text in (readme, help_page, report):
            assert all(part in text for part in (entry.name, folder, entry.source, entry.licence)), entry.name
        assert entry.without in readme and entry.without in help_page


class TestComplaints:
    PAGE = (ROOT / "docs" / "complaints.md").read_text()

    def test_there_are_twenty_five_each_with_a_test(self):
        rows = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", self.PAGE, re.MULTILINE)
        assert [int(number) for number, _ in rows] == list(range(1, 26))
        assert all("`test_" in tests for _, tests in rows)

    def test_the_tests_that_it_names_exist(self):
        for file, group in re.findall(r"`(test_\w+\.py)(?:::(\w+))?`", self.PAGE):
            text = (ROOT / "tests" / file).read_text()
            assert not group or f"class {group}" in text, f"{file}::{group}"

    def test_the_files_that_it_names_exist(self):
        for name in re.findall(r"`((?:mimo_core|nodes|tools|workflows)[\w/.]*)`", self.PAGE):
            assert (ROOT / name).exists(), name


class TestMessages:
    def test_every_message_stands_on_the_page_with_its_cure(self):
        """`python tools/list_messages.py` writes the page again."""
        text = list_messages.PAGE.read_text(encoding="utf-8")
        assert text == list_messages.page(text)

    @pytest.mark.parametrize(
        ("message", "fact", "cure"),
        [
            ("... is empty. Give one.", "... is empty.", "Give one."),
            ("... has ... GB free. Make room.", "... has ... GB free.", "Make room."),
            ("There is no file ....", "There is no file ....", ""),
        ],
    )
    def test_the_cure_is_what_follows_the_first_sentence(self, message, fact, cure):
        assert list_messages.fact_and_cure(message) == (fact, cure)

    def test_a_message_of_one_sentence_has_no_row(self):
        rows = [line for line in list_messages.tables().splitlines() if line.startswith("| ") and line.count(" | ")]
        assert rows
        assert not [row for row in rows if row.rstrip(" |").endswith("|")]
