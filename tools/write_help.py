"""Write the help pages of other languages, web/docs/<node>/<language>.md, from the names and tooltips in locales/ and
from the mistakes in tools/help/.

    python tools/write_help.py

They are shorter than the English pages, and say of themselves that a machine made them. A language is left out where
nobody has given its headings here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
HELP = ROOT / "web" / "docs"
MISTAKES = ROOT / "tools" / "help"  # a file a language: a heading, and sentences by node
HEADINGS = {
    "ja": {
        "note": "\u3053\u306e\u30da\u30fc\u30b8\u306f\u6a5f\u68b0\u7ffb\u8a33\u3067\u3059\u3002"
        "\u8a73\u3057\u3044\u8aac\u660e\u306f\u82f1\u8a9e\u7248\u306b\u3042\u308a\u307e\u3059\u3002",
        "inputs": "\u5165\u529b",
        "outputs": "\u51fa\u529b",
        "name": "\u540d\u524d",
        "use": "\u8aac\u660e",
    },
    "zh": {
        "note": "\u672c\u9875\u7531\u673a\u5668\u7ffb\u8bd1\u3002\u82f1\u6587\u9875\u9762\u66f4\u8be6\u7ec6\u3002",
        "inputs": "\u8f93\u5165",
        "outputs": "\u8f93\u51fa",
        "name": "\u540d\u79f0",
        "use": "\u8bf4\u660e",
    },
}


def pages() -> Iterator[tuple[Path, str]]:
    """Every page of another language with its text."""
    for language, words in HEADINGS.items():
        names = json.loads((ROOT / "locales" / language / "nodeDefs.json").read_text("utf-8"))
        mistakes = json.loads((MISTAKES / f"{language}.json").read_text("utf-8"))
        for node, entry in names.items():
            text = page(node, entry, words)
            if node in mistakes:
                text += "\n".join(["", f"## {mistakes['heading']}", "", *(f"- {said}" for said in mistakes[node]), ""])
            yield HELP / node / f"{language}.md", text


def page(node: str, entry: dict, words: dict[str, str]) -> str:
    """Title, note, description, the picture of the English page, and tables of inputs and outputs."""
    picture = re.search(r"!\[[^\]]*\]\((pictures/[^)]+)\)", (HELP / f"{node}.md").read_text("utf-8"))
    parts = [f"# {entry['display_name']}", f"*{words['note']}*", entry["description"], f"![]({picture[1]})"]
    for side in ("inputs", "outputs"):
        rows = [
            f"| {found['name']}{f' (`{key}`)' if side == 'inputs' else ''} | {found['tooltip']} |"
            for key, found in entry[side].items()
        ]
        if rows:
            table = [f"| {words['name']} | {words['use']} |", "| --- | --- |", *rows]
            parts += [f"## {words[side]}", "\n".join(table)]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    count = 0
    for path, text in pages():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
        count += 1
    print(f"wrote {count} pages below {HELP.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
