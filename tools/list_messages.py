"""Write the messages that say what to do, each with its cure, into docs/troubleshooting.md.

python tools/list_messages.py

The cure is the second sentence of a message. Messages of one sentence, which name a value and what is allowed, need no
row of their own.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"
MARK = "<!-- From here on written by tools/list_messages.py -->"
ERRORS = ("InputError", "OutOfMemory")
SECTIONS = {  # the first that a file's path begins with
    "nodes/": "Nodes",
    "mimo_core/pose": "Pose",
    "mimo_core/motion": "Motions and their files",
    "mimo_core/scene": "Scenes",
    "mimo_core/body": "Bodies and body code",
    "mimo_core/identity": "Characters",
    "mimo_core/proxy": "Proxy",
    "mimo_core/denoise": "Denoiser and its weights",
    "mimo_core/cli": "Command line",
    "mimo_core/": "Video, pictures and files",
}
SENTENCE_END = r"(?<=[^.][.!?])\s+(?=[A-Z`\"(])|(?<=\.{4})\s+(?=[A-Z`\"(])"


def messages() -> Iterator[tuple[str, str]]:
    """(file, message) of every InputError, with `...` for what is filled in."""
    for path in sorted([*(ROOT / "mimo_core").rglob("*.py"), *(ROOT / "nodes").glob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS and node.args:
                text = " ".join(_text(node.args[0]).split())
                if len(re.findall(r"[A-Za-z]{2,}", text)) >= 3:
                    yield path.relative_to(ROOT).as_posix(), text


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    return "..."


def fact_and_cure(message: str) -> tuple[str, str]:
    """The first sentence of a message, and the rest, which says what to do; empty where it is one sentence."""
    fact, *cure = re.split(SENTENCE_END, message, maxsplit=1)
    return fact, "".join(cure)


def tables() -> str:
    found: dict[str, set[tuple[str, str]]] = {}
    for path, message in messages():
        section = next(title for start, title in SECTIONS.items() if path.startswith(start))
        fact, cure = fact_and_cure(message)
        if cure:
            found.setdefault(section, set()).add((fact, cure))
    lines = []
    for title in dict.fromkeys(SECTIONS.values()):
        if title in found:
            lines += ["", f"### {title}", "", "| message | cure |", "| --- | --- |"]
            lines += [f"| {_cell(fact)} | {_cell(cure)} |" for fact, cure in sorted(found[title])]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def page(text: str) -> str:
    """The page with its tables as the code has them now."""
    return text.partition(MARK)[0] + MARK + "\n" + tables()


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page(text), encoding="utf-8")
    print(f"{PAGE.name}: {sum(bool(fact_and_cure(text)[1]) for _, text in messages())} messages", file=sys.stderr)
