"""Templates read without a page: their nodes and sockets, and the prompt that Run would send."""

import json
from pathlib import Path


ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = sorted((ROOT / "workflows").glob("*.json"))
OBJECT_INFO = json.loads((ROOT / "tests" / "data" / "object_info.json").read_text())
MANIFEST = json.loads((ROOT / "workflows" / "api" / "manifest.json").read_text())["templates"]
NOTES = {"Note", "MarkdownNote"}  # the page's own; the server does not know them
WIDGETS = {"BOOLEAN", "COLOR", "COMBO", "FLOAT", "INT", "STRING"}
SEEDS = {"seed", "noise_seed"}  # the page puts "control after generate" behind these
BRANCHING = "COMFY_DYNAMICCOMBO_V3"  # a list of which each choice brings inputs of its own
GROWING = "COMFY_AUTOGROW_V3"  # as many inputs of one kind as are linked, and one more
UPLOADS = ("image_upload", "video_upload")  # the page puts its button to choose a file behind these
MUTED = 2


def working(template):
    return [node for node in template["nodes"] if node["type"] not in NOTES]


def sockets(node, known=OBJECT_INFO):
    """Type and options of every input of a node, by name, required ones first. `known` is what a core says of nodes."""
    groups = known[node["type"]]["input"]
    return _sockets(groups.get("required", {}) | groups.get("optional", {}), "max")


def required_sockets(node):
    """Type and options of the inputs that a node cannot do without."""
    return _sockets(OBJECT_INFO[node["type"]]["input"].get("required", {}), "min")


def _sockets(described, grown):
    """Inputs that grow are as many as their "min" or "max" says."""
    found = {}
    for name, (kind, *options) in described.items():
        if kind == GROWING:
            template = options[0]["template"]
            ((inner, about),) = template["input"]["required"].values()
            found |= {f"{name}.{template['prefix']}{k}": (inner, about) for k in range(template[grown])}
        else:
            found[name] = (kind, options[0] if options else {})
    return found


def is_widget(kind):
    return isinstance(kind, list) or kind in WIDGETS or kind == BRANCHING


def widgets(node, known=OBJECT_INFO):
    """Type and options of the widgets, those that the choices of the first value of a list bring in behind it."""
    found = {}
    for name, (kind, options) in sockets(node, known).items():
        if is_widget(kind):
            found[name] = (kind, options)
        if kind == BRANCHING:
            brought = options["options"][0]["inputs"].get("required", {})
            found |= {f"{name}.{inner}": (kind, options[0]) for inner, (kind, *options) in brought.items()}
    return found


def values(node, known=OBJECT_INFO):
    """What the widgets of a node hold, by name, without what the page adds.

    Newer cores put more widgets behind those of their nodes; the page gives these their defaults.
    """
    held, found = list(node.get("widgets_values") or []), {}
    for name, (_, options) in widgets(node, known).items():
        if not held and known is not OBJECT_INFO and not node["type"].startswith("MIMO_"):
            break
        found[name] = held.pop(0)
        if any(options.get(upload) for upload in UPLOADS):
            assert held.pop(0) == "image"
        if name in SEEDS:
            assert held.pop(0) == "fixed", f"{node['type']} would draw another seed at every run"
    assert not held, f"{node['type']} holds more than its widgets: {held}"
    return found


def chosen(template):
    """Node and widget of what a user of the app fills in."""
    return [entry[:2] for entry in template["extra"].get("linearData", {}).get("inputs", [])]


def misfits(template, entry, known=OBJECT_INFO):
    """The widgets of a template that hold what their node does not take. `entry` is what the manifest says of it."""
    brought = {file["file"] for file in entry.get("files", [])}
    found = []
    for node in working(template):
        for name, value in values(node, known).items():
            if value in brought or (value == "" and [str(node["id"]), name] in chosen(template)):
                continue
            if not _is_allowed(value, *widgets(node, known)[name]):
                found.append(f"{node['type']}.{name} = {value!r}")
    return found


def options_of(kind, options):
    """What a list offers: older nodes put it in place of the type."""
    offered = kind if isinstance(kind, list) else options["options"]
    return [choice["key"] if isinstance(choice, dict) else choice for choice in offered]


def _is_allowed(value, kind, options):
    if kind in ("COMBO", BRANCHING) or isinstance(kind, list):
        return value in options_of(kind, options)
    if kind in ("INT", "FLOAT"):
        return options.get("min", value) <= value <= options.get("max", value)
    return isinstance(value, bool if kind == "BOOLEAN" else str)


def prompt_of(template, *, muted=False):
    """The prompt (API form) of a template; with `muted` as if its muted nodes were switched on."""
    nodes = {node["id"]: node for node in working(template) if muted or node["mode"] != MUTED}
    links = {number: (source, out) for number, source, out, *_ in template["links"]}
    prompt = {}
    for node in nodes.values():
        inputs = values(node)
        for entry in node.get("inputs", []):
            source, out = links.get(entry.get("link"), (None, None))
            if source in nodes:
                inputs[entry["name"]] = [str(source), out]
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt
