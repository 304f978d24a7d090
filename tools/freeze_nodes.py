"""Write down what a running ComfyUI says about our nodes, for the tests that run without it.

    python tools/freeze_nodes.py http://127.0.0.1:8188

`tests/data/nodes.json` gets the names, types, order and defaults that saved workflows depend on; a published one that
would change is refused. `tests/data/object_info.json` gets the full descriptions of our nodes and of ComfyUI's own that
the templates use. Start ComfyUI with empty input, output and models folders.
"""

import json
import sys
from pathlib import Path
from urllib.request import urlopen


ROOT = Path(__file__).resolve().parents[1]
NODES, OBJECT_INFO = (ROOT / "tests" / "data" / name for name in ("nodes.json", "object_info.json"))


def described(node: dict) -> dict:
    """Inputs and outputs of one node in the order that the page gives them: required ones first."""
    inputs = []
    for group in ("required", "optional"):
        for name, (kind, options) in node["input"].get(group, {}).items():
            entry = {"name": name, "type": kind, "group": group}
            inputs.append(entry | {key: options[key] for key in ("default", "advanced") if key in options})
    outputs = [{"name": name, "type": kind} for name, kind in zip(node["output_name"], node["output"], strict=True)]
    return {"inputs": inputs, "outputs": outputs}


def breaking_changes(old: dict, new: dict) -> list[str]:
    """Nodes that are gone, or whose inputs or outputs changed, moved or vanished. Added ones at the end are fine."""
    broken = [name for name in old if name not in new]
    for name in old.keys() & new.keys():
        for side in ("inputs", "outputs"):
            for group in ("required", "optional", None):
                before, after = ([e for e in d[name][side] if e.get("group") == group] for d in (old, new))
                if after[: len(before)] != before:
                    broken.append(f"{name} {group or ''} {side}")
    return broken


def used_in_templates() -> set[str]:
    """Types of all nodes in the templates."""
    templates = [json.loads(path.read_text()) for path in (ROOT / "workflows").glob("*_*.json")]
    return {node["type"] for template in templates for node in template["nodes"]}


def write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=True) + "\n")
    print(f"wrote {path.relative_to(ROOT)}: {', '.join(content)}")


def main(url: str) -> int:
    with urlopen(f"{url}/object_info") as reply:
        known = json.load(reply)
    ours = {name: node for name, node in known.items() if name.startswith("MIMO_")}
    frozen = {name: described(node) for name, node in ours.items()}
    published = json.loads(NODES.read_text()) if NODES.exists() else {}
    broken = breaking_changes(published, frozen)
    if broken:
        print("These are published and may not change:", ", ".join(sorted(broken)), file=sys.stderr)
        return 1
    write(NODES, frozen)
    for node in ours.values():
        node["python_module"] = "custom_nodes.mimo"  # whatever the folder of the checkout is called
    core = {name: known[name] for name in sorted(used_in_templates() & known.keys() - ours.keys())}
    write(OBJECT_INFO, ours | core)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1].rstrip("/")))
