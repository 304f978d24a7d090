"""Write every message that the code can raise for a user, with its cure, into docs/troubleshooting.md.

python tools/list_messages.py

Most messages hold their cure in their second sentence. For those that do not, CURES has one by the words of the
message; a message without any is refused, so that whoever writes one thinks of the cure.
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
    "mimo_lab/training": "Training",
    "mimo_lab/synthetic": "Synthetic shots",
    "mimo_lab/bench": "Command line",
    "mimo_core/cli": "Command line",
    "mimo_core/": "Video, pictures and files",
}
SENTENCE_END = r"(?<=[^.][.!?])\s+(?=[A-Z`\"(])|(?<=\.{4})\s+(?=[A-Z`\"(])"
CURES = {
    r"refused|more than (weights|tensors)|not opened|instructions|nested|something that is not a class|reserves": (
        "Such a file could run code, so it is not opened. Export it as `.npz` or `.safetensors`."
    ),
    r"damaged|cut off|truncated|no (BVH|binary glTF|npz|npy|zip|motion|body|result)|not a pickle|longer than|hangs? on|"
    r"a block|not valid|stands where|does not fit|do not fit|declares|garbles|do not rise|no number|no dictionary|"
    r"no table|holds something else|compressed in a way|is no array|is read|bind matrices": (
        "The file is broken, or another kind of file. Get or export it again."
    ),
    r"NaN|infinit": "Check the program or node that made it, and export it again.",
    r"There (is|are) no|no motion file|no colour table": "Check the name and the folder. In ComfyUI press R.",
    r"seems to be|belongs to no network|is not what its name says|is no body file|is not a|of this version": (
        "Another file lies under this name. Choose the right one, or get it again."
    ),
    r"lacks|has no|holds no|without|names? for each|not in its list|no entry|Nobody was|shows no": (
        "Choose another one, or make it anew with what is missing."
    ),
    r"shape differs|frames but|the (first|noise)|fewer|frames to|equally many|of one size|same number": (
        "Give both the same size and number of frames."
    ),
    r"must|needs?|cannot|at most|at least|between|above|positive|negative|expected|one of|got|wants|counts|limit|"
    r"more than|selects no|too much|rows, but|can be read|in place of|not bytes|are read|is asked|were asked|give|"
    r"says|known are|in \.\.\.|fit": ("Give what the message asks for; it names your value and what is allowed."),
    r"Cannot write|No room|https": "Check the place it writes to, or reads from.",
    r"Out of memory|memory": "Use fewer frames, a smaller size, or less precision.",
    r"refers to": "Export it again as `.npz`.",
}


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
    """The first sentence, and what to do: the rest of the message, or a rule of CURES."""
    parts = re.split(SENTENCE_END, message, maxsplit=1)
    if len(parts) == 2:
        return parts[0], parts[1]
    for words, cure in CURES.items():
        if re.search(words, message):
            return message, cure
    raise LookupError(f"no cure for: {message}")


def tables() -> str:
    found: dict[str, set[tuple[str, str]]] = {}
    for path, message in messages():
        section = next(title for start, title in SECTIONS.items() if path.startswith(start))
        found.setdefault(section, set()).add(fact_and_cure(message))
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
    print(f"{PAGE.name}: {sum(1 for _ in messages())} messages", file=sys.stderr)
