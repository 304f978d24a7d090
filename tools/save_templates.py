"""Save the templates of workflows/, their API twins, and the blueprint, from the page of a running ComfyUI.

    python tools/save_templates.py http://127.0.0.1:8188 [NAME ...]

Templates with a `core` need a ComfyUI of that version; all others are saved from the oldest that we support.

What they hold is in tools/templates/. The page itself makes the nodes, joins them and writes the files, so that
they are what a user would have saved. Needs `playwright` and a Chromium; CHROMIUM names one that is installed.
A server that knows the files which a template names writes what the page shows; any server writes the same values.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from templates import TEMPLATES
from templates.blueprints import BLUEPRINTS, Blueprint
from templates.parts import Group, Node, Template


ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / "workflows"
PACK, CORE = {"cnr_id": "mimo-character", "ver": "0.1.0"}, {"cnr_id": "comfy-core"}
TITLE, GAP, COLUMN_GAP, MARGIN, HEAD, GROUP_GAP = 30, 30, 50, 20, 60, 40  # pixels of the canvas
FOOT = 48  # below the last node: Nodes 2.0 adds a line of 24 to a node whose file is missing
# Scale and offset: the text of a note can be read, and the first group lies beside the page's bar and below its menus.
# The page shows a template whole and therefore small; `extra.mimo_template` has web/mimo.js bring this view back.
VIEW = [0.8, 105, 140]
PAPER = "#2c2416"  # of notes: Nodes 2.0 writes in grey, which cannot be read on the page's own brown
READY = "window.app?.graph && Object.keys(window.LiteGraph?.registered_node_types ?? {}).length > 100"

# The least size of a node: the larger one of both renderers. Nodes 2.0 counts the title in.
SIZES = """async nodes => {
  const show = on => app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', on)
  await show(true)
  app.canvas.ds.scale = 1
  app.canvas.ds.offset[0] = app.canvas.ds.offset[1] = 100
  const sizes = []
  for (const {type, width} of nodes) {
    const node = LiteGraph.createNode(type)
    if (!node) throw new Error('the page knows no node ' + type)
    app.graph.add(node)
    const size = [...node.computeSize()]
    node.setSize([Math.max(size[0], width), size[1]])
    await new Promise(done => setTimeout(done, 400))
    const drawn = document.querySelector(`[data-node-id="${node.id}"]`)
    if (drawn && type !== 'MarkdownNote') size[1] = Math.max(size[1], drawn.offsetHeight - 30)
    sizes.push(size)
    app.graph.remove(node)
  }
  await show(false)
  return sizes
}"""

BUILD = """async ({nodes, links, groups, view, extra, app: shown}) => {
  const graph = app.graph, made = {}
  graph.clear()
  for (const entry of nodes) {
    const node = LiteGraph.createNode(entry.type)
    graph.add(node)
    made[entry.key] = node
    node.title_key = entry.key  // not saved
    node.pos = entry.pos
    node.setSize(entry.size)
    node.mode = entry.mode
    if (entry.title) node.title = entry.title
    if (entry.paper) node.bgcolor = entry.paper
    Object.assign(node.properties, entry.properties)
    for (const [name, value] of Object.entries(entry.widgets)) {
      const widget = name === 'text' ? node.widgets[0] : node.widgets.find(one => one.name === name)
      if (!widget) throw new Error(`${entry.key} has no widget ${name}: ${node.widgets.map(one => one.name)}`)
      widget.value = value
    }
  }
  for (const [from, out, to, into] of links) {
    const slot = made[from].outputs.findIndex(one => one.name === out)
    const target = made[to].inputs.findIndex(one => one.name === into)
    if (slot < 0 || target < 0) throw new Error(`no socket for ${from}.${out} > ${to}.${into}`)
    if (!made[from].connect(slot, made[to], target)) throw new Error(`${from}.${out} does not fit ${to}.${into}`)
  }
  for (const entry of groups) {
    const group = new LiteGraph.LGraphGroup(entry.title)
    group.color = entry.color
    group.font_size = 24
    graph.add(group)
    group.pos = entry.box.slice(0, 2)
    group.size = entry.box.slice(2)
  }
  app.canvas.ds.scale = view[0]
  app.canvas.ds.offset[0] = view[1]
  app.canvas.ds.offset[1] = view[2]
  app.canvas.setDirty(true, true)
  await new Promise(done => setTimeout(done, 500))
  Object.assign(app.graph.extra, extra)
  if (shown) {
    const inputs = shown.inputs.map(([key, name, label, description]) => {
      const [input, widget] = [made[key].inputs, made[key].widgets].map(
        all => all.find(one => (one.widget?.name ?? one.name) === name))
      input.label = widget.label = label
      return [String(made[key].id), name, {description}]
    })
    const linearData = {inputs, outputs: shown.outputs.map(key => String(made[key].id))}
    Object.assign(app.graph.extra, {linearMode: true, linearData})
  }
  const {workflow, output} = await app.graphToPrompt()
  return JSON.stringify({workflow, output})  // playwright would turn undefined into null
}"""

ENCLOSE = """({inner, outer, name, names, about, extra}) => {
  const nodes = new Map(app.graph.nodes.map(node => [node.title_key ?? node.id, node]))
  const {subgraph, node} = app.graph.convertToSubgraph(new Set(inner.map(key => nodes.get(key))))
  for (const key of outer) app.graph.remove(nodes.get(key))
  for (const group of [...app.graph.groups]) app.graph.remove(group)
  subgraph.name = node.title = name
  for (const [kind, rename] of [['inputs', 'renameInput'], ['outputs', 'renameOutput']])
    names[kind].forEach((wanted, k) => {
      const slot = subgraph[kind][k]
      if (slot.name !== wanted) subgraph[rename](slot, wanted)
      for (const shown of [slot, node[kind][k]]) {
        shown.name = wanted
        delete shown.label
        if (shown.localized_name) shown.localized_name = wanted
      }
    })
  node.pos = [0, 0]
  app.canvas.ds.scale = 1
  app.canvas.ds.offset[0] = app.canvas.ds.offset[1] = 100
  const saved = app.graph.serialize()
  Object.assign(saved.definitions.subgraphs[0], about)
  saved.extra = {...saved.extra, ...extra}
  return JSON.stringify(saved)
}"""


def placed(template: Template, least: dict[str, list[float]]) -> tuple[list[dict], list[dict]]:
    """Nodes and groups with their places: columns side by side in a group, groups side by side in a row."""
    nodes, groups, top = [], [], 0
    for row in template.rows:
        left, tallest = 0, 0
        for group in row:
            width, height = _place(group, least, left, top, nodes)
            box = [left, top, width, height]
            groups.append({"title": group.title, "color": group.color, "box": box})
            left, tallest = left + width + GROUP_GAP, max(tallest, height)
        top += tallest + GROUP_GAP
    return nodes, groups


def _place(group: Group, least, left: int, top: int, nodes: list[dict]) -> tuple[int, int]:
    x, tallest = left + MARGIN, 0
    for column in group.columns:
        y, widest = top + HEAD + TITLE, 0
        for node in column:
            size = [round(max(a, b)) for a, b in zip(node.size, least[node.key], strict=True)]
            nodes.append(_entry(node, [x, y], size, group.muted))
            y, widest = y + size[1] + TITLE + GAP, max(widest, size[0])
        x, tallest = x + widest + COLUMN_GAP, max(tallest, y - GAP - TITLE)
    return x - COLUMN_GAP + MARGIN - left, tallest + FOOT - top


def _entry(node: Node, pos, size, muted: bool) -> dict:
    entry = {"key": node.key, "type": node.type, "pos": pos, "size": size, "widgets": node.widgets, "title": node.title}
    if node.type == "MarkdownNote":
        entry["paper"] = PAPER
    properties = dict(PACK if node.type.startswith("MIMO_") else {} if node.type == "MarkdownNote" else CORE)
    if node.files:
        properties["models"] = [
            {"name": file["file"], "url": file["url"], "directory": file["folder"].partition("/")[2]}
            for file in node.files
        ]
    return entry | {"mode": 2 if muted else 0, "properties": properties}


def save(page, template: Template) -> None:
    flat = [node for row in template.rows for group in row for column in group.columns for node in column]
    sizes = page.evaluate(SIZES, [{"type": node.type, "width": node.size[0]} for node in flat])
    nodes, groups = placed(template, {node.key: size for node, size in zip(flat, sizes, strict=True)})
    links, extra = _sockets(template.links), {"mimo_template": template.name}
    app = template.app and {"inputs": template.app.inputs, "outputs": template.app.outputs}
    given = {"nodes": nodes, "links": links, "groups": groups, "view": VIEW, "extra": extra, "app": app}
    saved = _as_older_cores_write(json.loads(page.evaluate(BUILD, given)))
    _write(WORKFLOWS / f"{template.name}.json", saved["workflow"])
    _write(WORKFLOWS / "api" / f"{template.name}.json", saved["output"])


ADDED_WIDGETS = {"SaveVideo": (3, "format.codec"), "CreateVideo": (1, "bit_depth")}  # their place and name


def _as_older_cores_write(saved: dict) -> dict:
    """Without the widgets that newer cores added to their nodes: what 0.3.64 writes opens and runs on both."""
    for node in saved["workflow"]["nodes"]:
        if node["type"] in ADDED_WIDGETS:
            place, name = ADDED_WIDGETS[node["type"]]
            node["widgets_values"] = node["widgets_values"][:place]
            saved["output"].get(str(node["id"]), {"inputs": {}})["inputs"].pop(name, None)
    return saved


def save_blueprint(page, blueprint: Blueprint) -> None:
    """A part of a template as one node, with sockets where it was joined to the rest. Newer cores list it."""
    rest = [node.key for node in blueprint.nodes if node.key not in blueprint.inner]
    sizes = page.evaluate(SIZES, [{"type": node.type, "width": node.size[0]} for node in blueprint.nodes])
    entries = [
        _entry(node, [400 * k, 0], [round(side) for side in size], False)
        for k, (node, size) in enumerate(zip(blueprint.nodes, sizes, strict=True))
    ]
    graph = {"nodes": entries, "links": _sockets(blueprint.links), "groups": [], "view": VIEW, "extra": {}}
    page.evaluate(BUILD, graph)
    what = {"inner": blueprint.inner, "outer": rest, "name": blueprint.name, "names": blueprint.names}
    what["about"] = {"category": "MIMO", "description": blueprint.description}
    what["extra"] = {"BlueprintDescription": blueprint.description, "BlueprintSearchAliases": blueprint.aliases}
    _write(ROOT / "subgraphs" / f"{blueprint.name}.json", json.loads(page.evaluate(ENCLOSE, what)))


def _sockets(links) -> list[tuple[str, ...]]:
    return [(*a.split(".", 1), *b.split(".", 1)) for a, _, b in (link.partition(" > ") for link in links)]


def _write(path: Path, content) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(f"wrote {path.relative_to(ROOT)}")


def write_manifest() -> None:
    entries = [
        {
            "file": f"{template.name}.json",
            "title": template.title,
            "description": template.description,
            "class": "needs files" if template.files else "ships",
            **({"core": template.core} if template.core else {}),
            **({"files": [dict(file) for file in template.files]} if template.files else {}),
        }
        for template in TEMPLATES
    ]
    _write(WORKFLOWS / "api" / "manifest.json", {"templates": entries})


def open_page(page, url: str) -> None:
    """A fresh page: front end 1.49 gives new nodes the widget values of earlier ones that had their ids."""
    page.goto(url)
    page.wait_for_function(READY, timeout=60_000)
    page.wait_for_timeout(4000)  # the settings of a fresh profile come late


def main(url: str, names: list[str]) -> None:
    write_manifest()
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=os.environ.get("CHROMIUM"))
        page = browser.new_page(viewport={"width": 1920, "height": 1080}, locale="en-US")
        for template in TEMPLATES:
            if not names or template.name in names:
                open_page(page, url)
                save(page, template)
        for blueprint in BLUEPRINTS:
            if not names or blueprint.name in names:
                open_page(page, url)
                save_blueprint(page, blueprint)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1].rstrip("/"), sys.argv[2:])
