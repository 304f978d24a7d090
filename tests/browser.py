"""Driving ComfyUI's page in an installed Chromium."""

import importlib.util
import json
import os
import re
import shutil
from pathlib import Path

from tests.front_end import ROOT, static_folder


# Chromium draws WebGL by SwiftShader, and resolves no name but its own machine's.
OPTIONS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
SHOTS = Path(os.environ.get("SCREENSHOTS", ROOT / "screenshots"))
PATIENCE = 600_000  # milliseconds after which a page is given up; no measure of what it takes
NODES_2_SINCE = (1, 40)
APPS_SINCE = (1, 41)


def chromium() -> str | None:
    """An installed Chromium: CHROMIUM, else what is on the path."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def lacking() -> str | None:
    """Why no page can be driven here, or None."""
    if importlib.util.find_spec("playwright") is None:
        return "playwright is not installed"
    if chromium() is None:
        return "there is no Chromium; set CHROMIUM"
    return None if static_folder() else "comfyui-frontend-package is not installed"


def front_end_version() -> tuple[int, ...]:
    """Its first two numbers, (0, 0) where they are not known."""
    static = static_folder()
    found = sorted(static.parents[1].glob("comfyui_frontend_package-*.dist-info")) if static else []
    return tuple(int(part) for part in re.findall(r"\d+", found[-1].name)[:2]) if found else (0, 0)


def renderers() -> list[str]:
    """The ways in which the front end draws nodes."""
    return ["canvas", "nodes2"] if front_end_version() >= NODES_2_SINCE else ["canvas"]


class Tab:
    """A page of ComfyUI, with what went wrong in it."""

    def __init__(self, browser, url: str, *, renderer: str = "canvas"):
        self.page = browser.new_page(viewport={"width": 1400, "height": 900})
        self.page.set_default_timeout(PATIENCE)
        self.url, self.errors = url, []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.errors.append(f"{error} {error.stack}"))
        self.page.goto(url, wait_until="domcontentloaded")
        self.wait("() => window.app?.graph && window.LiteGraph?.registered_node_types?.MIMO_ReviewLayers")
        self.wait("() => !document.querySelector('#splash-loader')")
        self.page.wait_for_timeout(3000)  # settings arrive after the node types; opening a graph earlier throws
        if renderer == "nodes2":
            self.run("app.ui.settings.setSettingValueAsync('Comfy.VueNodes.Enabled', true)")
        self.clear()

    def _heard(self, message):
        if message.type == "error":
            self.errors.append(f"{message.text} {message.location.get('url', '')}")

    def ours(self) -> list[str]:
        """Errors that name a file of ours."""
        return [error for error in self.errors if re.search(r"extensions/[^/]*mimo", error, re.I)]

    def run(self, script: str, given=None):
        """Evaluate an expression of `app` and `given` in the page."""
        return self.page.evaluate(f"async (given) => {{ const app = window.app; return await ({script}); }}", given)

    def wait(self, claim: str, given=None):
        self.page.wait_for_function(claim, arg=given, polling=100)

    def clear(self):
        """An empty graph, without the dialogs that the page opens on a first visit."""
        self.page.keyboard.press("Escape")
        # Front end 1.49 gives a new node the values of widgets that one of the same number had.
        self.run("(() => { const last = app.graph.last_node_id; app.graph.clear(); app.graph.last_node_id = last; })()")
        self.run("(() => { app.canvas.ds.scale = 1; app.canvas.ds.offset[0] = 80; app.canvas.ds.offset[1] = 60; })()")
        self.page.wait_for_timeout(300)

    def add(self, kind: str, output: dict | None = None, at=(20, 40)) -> str:
        """A node, given a result as a server would; returns its id."""
        number = self.run(
            "(() => { const node = LiteGraph.createNode(given.kind); node.pos = given.at; app.graph.add(node);"
            " if (given.output) node.onExecuted(given.output); return String(node.id); })()",
            {"kind": kind, "output": output, "at": list(at)},
        )
        self.run("(app.graph.setDirtyCanvas(true, true), null)")
        return number

    def shoot(self, name: str) -> Path:
        """A screenshot among the artefacts of the tests."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{name}.png"
        self.page.screenshot(path=str(path))
        return path

    def open(self, workflow: dict):
        self.run("app.loadGraphData(given)", workflow)
        self.page.wait_for_timeout(1000)

    def fit(self):
        """Bring the whole graph into view, texts and all."""
        self.run(FIT)
        self.page.wait_for_timeout(500)


FIT = """(() => {
  const canvas = app.canvas, graph = canvas.graph ?? app.graph;
  canvas.min_font_size_for_lod = 0;
  const boxes = [...(graph.nodes ?? graph._nodes).map((n) => [n.pos[0], n.pos[1] - 30, n.size[0], n.size[1] + 30]),
    ...(graph.groups ?? graph._groups).map((g) => [...g.pos, ...g.size])];
  const low = [0, 1].map((k) => Math.min(...boxes.map((box) => box[k])));
  const high = [0, 1].map((k) => Math.max(...boxes.map((box) => box[k] + box[k + 2])));
  const view = canvas.canvas.getBoundingClientRect();
  const scale = Math.min((view.width - 140) / (high[0] - low[0]), (view.height - 170) / (high[1] - low[1]), 1);
  canvas.ds.scale = scale;
  [90, 80].forEach((margin, k) => { canvas.ds.offset[k] = margin / scale - low[k]; });
  canvas.setDirty(true, true);
})()"""


def template(name: str) -> tuple[dict, dict]:
    """A template and its API twin."""
    folder = ROOT / "workflows"
    return (json.loads((folder / place / f"{name}.json").read_text()) for place in (".", "api"))
