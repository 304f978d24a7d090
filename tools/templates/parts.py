"""What templates are made of: nodes in columns, columns in groups, groups in rows, and what joins them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


AMBER, BLUE, PURPLE, GREEN, GREY = "#a98a4a", "#4a7fa5", "#8a6aa5", "#5f8f6a", "#6b6b75"
DOCS = "https://github.com/mimo-character/mimo-character/blob/main/docs"
NEWER_CORE = "0.33"  # has nodes that 0.3.64 lacks
PLAIN = (300, 0)  # as wide as this and as high as the widgets need
SMALL, SHOWN = (300, 380), (300, 470)  # with room for the pictures that the node shows
PLAYED = (300, 640)  # with room for a clip in portrait format that the node plays
SEPARATED = (300, 760)  # the same with a few notes and more widgets
FOLLOWED = (340, 1180)  # with room for a motion's viewer, four notes and a clip
DRAWING = (300, 860)  # with room for what a sampler shows
MOVING = (340, 800)  # with room for a motion's viewer, and for pictures
SAVED = (300, 210)  # with room for links to four files
NOTE_WIDTH, LETTERS, LINE = 380, 58, 19  # pixels, letters in a line of a note, pixels of a line
BETWEEN = 0.6  # lines that Nodes 2.0 puts between the entries of a list


@dataclass(frozen=True)
class Node:
    """A node of the page. `widgets` are those that differ from the defaults; `size` is the least it gets."""

    key: str
    type: str
    size: tuple[int, int] = PLAIN
    widgets: Mapping = field(default_factory=dict)
    title: str = ""
    files: tuple[Mapping, ...] = ()  # models that the page offers to download where they are missing


@dataclass(frozen=True)
class Group:
    title: str
    color: str
    columns: tuple[tuple[Node, ...], ...]
    muted: bool = False  # switched off when the template is opened


@dataclass(frozen=True)
class App:
    """What the page shows of a template that opens as an app.

    `inputs` are a node, its widget, its title and what to say of it in some 35 letters; `outputs` are the nodes whose
    results are shown.
    """

    inputs: tuple[tuple[str, str, str, str], ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Template:
    """`files` are what the user has to bring; a template that names some ends in `_needs_files`.

    `core` is the ComfyUI that has its nodes, where the oldest that we support lacks some.
    """

    name: str
    title: str
    description: str
    rows: tuple[tuple[Group, ...], ...]
    links: tuple[str, ...]
    files: tuple[Mapping, ...] = ()
    app: App | None = None
    core: str = ""


def group(title: str, color: str, *columns: list[Node], muted: bool = False) -> Group:
    return Group(title, color, tuple(map(tuple, columns)), muted)


def note(name: str, *files: Mapping) -> Node:
    """The text of notes/<name>.md, with the table of files in it."""
    text = Path(__file__).with_name("notes").joinpath(f"{name}.md").read_text().strip()
    text = text.replace("{docs}", DOCS).replace("{files}", list_files(*files))
    return Node("note", "MarkdownNote", (NOTE_WIDTH, _height(text)), {"text": text}, "Read me")


def _height(text: str) -> int:
    """Pixels that a note needs, about. Links count by what is shown of them."""
    shown = [re.sub(r"\]\([^)]*\)", "", line) for line in text.splitlines()]
    lines = sum(max(math.ceil(len(line) / LETTERS), 1) + BETWEEN * line.startswith("- ") for line in shown)
    return 60 + round(LINE * lines)


def list_files(*files: Mapping) -> str:
    """A list, for in a table Nodes 2.0 cuts long names of folders off."""
    lines = []
    for entry in files:
        name = f"[{entry['file']}]({entry['url']})" if entry["url"] else entry["file"]
        lines.append(f"- {name}, {entry['size']}: `{entry['folder']}`")
    return "\n".join(lines)


def start(name: str, *files: Mapping) -> Group:
    return group("1  Start", AMBER, [Node("example", "MIMO_Example", (NOTE_WIDTH, 460)), note(name, *files)])


# What most templates begin with: whose motion, whose scene.
SHOT_LINKS = ("example.video > pose.clip", "example.video > scene.clip", "pose.motion > scene.motion")


def take_apart(*columns: list[Node], title: str = "2  Take the shot apart") -> Group:
    """The group of estimator and identity encoder, with more columns behind them."""
    pose, identity = Node("pose", "MIMO_EstimatePose", FOLLOWED), Node("identity", "MIMO_EncodeIdentity", SMALL)
    return group(title, BLUE, [pose, identity], *columns)


def save_video(key: str, prefix: str) -> Node:
    return Node(key, "SaveVideo", (340, 560), {"filename_prefix": f"video/{prefix}"})


def ksampler(steps: int = 4, cfg: float = 1.0, sampler: str = "ddim") -> Node:
    widgets = {"seed": 42, "control_after_generate": "fixed", "steps": steps, "cfg": cfg, "sampler_name": sampler}
    return Node("sampler", "KSampler", (300, 560), widgets | {"scheduler": "simple"})
