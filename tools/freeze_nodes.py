"""Write down what a running ComfyUI says about our nodes, for the tests that run without it.

    python tools/freeze_nodes.py http://127.0.0.1:8188 [http://127.0.0.1:8189]

`tests/data/nodes.json` gets the names, types, order and defaults that saved workflows depend on. A change that breaks
saved workflows is refused until the newest section of CHANGELOG.md and docs/migrations.md both name the node.
`tests/data/object_info.json` gets the full descriptions of our nodes and of ComfyUI's own that the templates use. Start
ComfyUI with empty input, output and models folders. The second address is of a newer ComfyUI: nodes that only
templates for it use are taken from there.
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


def breaking_changes(old: dict, new: dict) -> dict[str, list[str]]:
    """What changed, by node, so that saved workflows break. New sockets behind those of their kind are fine, and a
    socket that takes more types than before."""
    broken = {name: ["the node is gone"] for name in old if name not in new}
    for name in old.keys() & new.keys():
        found = []
        for side, group in (("inputs", "required"), ("inputs", "optional"), ("outputs", None)):
            before, after = ([e for e in d[name][side] if e.get("group") == group] for d in (old, new))
            found += [f"{side[:-1]} {entry['name']} is gone or moved" for entry in before[len(after) :]]
            found += [
                f"{side[:-1]} {was['name']}: {_in_words(was)} became {_in_words(now)}"
                for was, now in zip(before, after, strict=False)
                if not _takes_over(was, now, side)
            ]
        if found:
            broken[name] = found
    return broken


def _takes_over(was: dict, now: dict, side: str) -> bool:
    """Whether what was saved for one socket fits the other."""
    if side == "inputs" and set(was["type"].split(",")) <= set(now["type"].split(",")):
        was, now = was | {"type": ""}, now | {"type": ""}
    return was == now


def _in_words(entry: dict) -> str:
    return " ".join([entry["name"], entry["type"], *(f"{key}={entry[key]!r}" for key in ("default",) if key in entry)])


def unannounced(broken: dict[str, list[str]], changelog: str, migrations: str) -> dict[str, list[str]]:
    """Those breaking changes that the newest section of the changelog or the page of migrations does not name."""
    newest = changelog.split("\n## ")[1] if "\n## " in changelog else ""
    return {name: facts for name, facts in broken.items() if name not in newest or name not in migrations}


def used_in_templates(*, newer: bool) -> set[str]:
    """Types of all nodes in the templates that need a newer core, or in those that do not."""
    manifest = json.loads((ROOT / "workflows" / "api" / "manifest.json").read_text("utf-8"))["templates"]
    names = [entry["file"] for entry in manifest if ("core" in entry) == newer]
    templates = [json.loads((ROOT / "workflows" / name).read_text("utf-8")) for name in names]
    return {node["type"] for template in templates for node in template["nodes"]}


def without_texts(node: dict) -> dict:
    """A node of ComfyUI's own with its types, names and options, but not its sentences, which are under its licence."""
    kept = {key: node[key] for key in ("input", "input_order", "output", "output_name", "output_node", "python_module")}
    return _drop_tooltips(kept)


def _add_choices(node: dict, newer: dict) -> None:
    """Lists of the node with what a newer core offers in them, too."""
    for group, inputs in node["input"].items():
        for name, (kind, *_) in inputs.items():
            if isinstance(kind, list) and name in newer["input"].get(group, {}):
                kind += [choice for choice in newer["input"][group][name][0] if choice not in kind]


def _drop_tooltips(value):
    """Options of inputs may hold inputs again."""
    if isinstance(value, dict):
        return {key: _drop_tooltips(held) for key, held in value.items() if key != "tooltip"}
    return [_drop_tooltips(held) for held in value] if isinstance(value, list) else value


def write(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=True) + "\n")
    print(f"wrote {path.relative_to(ROOT)}: {', '.join(content)}")


def read_nodes(url: str) -> dict:
    with urlopen(f"{url}/object_info") as reply:
        return json.load(reply)


def main(url: str, newer: str = "") -> int:
    known = read_nodes(url)
    ours = {name: node for name, node in known.items() if name.startswith("MIMO_")}
    frozen = {name: described(node) for name, node in ours.items()}
    published = json.loads(NODES.read_text()) if NODES.exists() else {}
    pages = ((ROOT / page).read_text() for page in ("CHANGELOG.md", "docs/migrations.md"))
    silent = unannounced(breaking_changes(published, frozen), *pages)
    if silent:
        print("Saved workflows would break, and CHANGELOG.md or docs/migrations.md do not say so:", file=sys.stderr)
        print(*(f"  {name}: {'; '.join(facts)}" for name, facts in sorted(silent.items())), sep="\n", file=sys.stderr)
        return 1
    write(NODES, frozen)
    for node in ours.values():
        node["python_module"] = "custom_nodes.mimo"  # whatever the folder of the checkout is called
    sources = dict.fromkeys(used_in_templates(newer=False), known)
    if newer:
        newest = read_nodes(newer)
        for name in used_in_templates(newer=True) & newest.keys():
            if name in sources:
                _add_choices(known[name], newest[name])
            else:
                sources[name] = newest
    core = {name: without_texts(sources[name][name]) for name in sorted(sources.keys() - ours) if name in sources[name]}
    write(OBJECT_INFO, ours | core)
    return 0


if __name__ == "__main__":
    sys.exit(main(*(url.rstrip("/") for url in sys.argv[1:])))
