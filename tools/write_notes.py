"""Write the notes and group titles of templates in other languages, web/notes/<language>.json, for the page.

    python tools/write_notes.py

The texts lie in tools/templates/notes/<language>/ and say of themselves that a machine made them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from templates import TEMPLATES  # noqa: E402
from templates.parts import DOCS, list_files  # noqa: E402


MADE = {"zh": "\u672c\u9875\u7531\u673a\u5668\u7ffb\u8bd1\u3002"}


def texts(language: str) -> dict:
    """Group titles by the English ones, and notes by template."""
    folder = ROOT / "tools" / "templates" / "notes" / language
    notes = {}
    for template in TEMPLATES:
        text = (folder / f"{template.name}.md").read_text("utf-8").strip()
        text = text.replace("{docs}", DOCS).replace("{files}", list_files(*template.files))
        notes[template.name] = f"{text}\n\n*{MADE[language]}*"
    return {"groups": json.loads((folder / "groups.json").read_text("utf-8")), "notes": notes}


def main() -> None:
    for language in MADE:
        path = ROOT / "web" / "notes" / f"{language}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(texts(language), indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
