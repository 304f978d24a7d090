// Hangs the viewers under the nodes. All else lies in lib/, as .mjs: ComfyUI imports every .js below web/ into the page
// at start-up, but a viewer is needed only once a node has something to show.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";

const MOTION_HEIGHT = 250;
const LAYERS_HEIGHT = 420;
const MOTION_FILE = /\.(npz|safetensors|bvh|glb|gltf|vrma|pt|pth|pkl|joblib)$/i;

function language() {
  return app.ui.settings.getSettingValue("Comfy.Locale") ?? "en";
}

function urls(described) {
  return (file) => {
    const query = new URLSearchParams({ filename: file, subfolder: described.subfolder, type: "temp" });
    return api.apiURL(`/view?${query}`);
  };
}

function after(node, method, then) {
  const before = node[method];
  node[method] = function (...given) {
    const result = before?.apply(this, given);
    then.apply(this, given);
    return result;
  };
}

// A place in the node that a view fills once its module is there. It goes with the node.
function addView(node, name, height, open) {
  const host = document.createElement("div");
  let isGone = false;
  const view = open(host);
  const widget = node.addDOMWidget(name, "MIMO_VIEW", host, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => height,
  });
  widget.serialize = false;
  after(node, "onRemoved", () => {
    if (isGone) return;
    isGone = true;
    view.then((opened) => opened.dispose());
  });
  const [width, least] = node.computeSize();
  node.setSize([Math.max(node.size[0], width, 320), Math.max(node.size[1], least)]);
  return view;
}

function showMotions(node) {
  let view = null;
  after(node, "onExecuted", (output) => {
    const described = output?.mimo_motion?.[0];
    if (!described) return;
    view ??= addView(node, "motion_view", MOTION_HEIGHT, async (host) => {
      const { MotionView } = await import("./lib/motion_view.mjs");
      return new MotionView(host, language());
    });
    view.then((opened) => opened.show(described, urls(described)));
  });
}

function reviewLayers(node) {
  const strokes = node.widgets.find((widget) => widget.name === "strokes");
  strokes.hidden = true;
  strokes.options.hidden = true;
  const view = addView(node, "layers_view", LAYERS_HEIGHT, async (host) => {
    const { LayersView } = await import("./lib/layers_view.mjs");
    const store = {
      read: () => strokes.value,
      write: (text) => {
        strokes.value = text;
        strokes.callback?.(text);
        app.graph.setDirtyCanvas(true, true);
      },
    };
    return new LayersView(host, language(), store);
  });
  node.setSize([Math.max(node.size[0], 480), node.size[1]]);
  after(node, "onExecuted", (output) => {
    const described = output?.mimo_layers?.[0];
    if (described) view.then((opened) => opened.show(described, urls(described)));
  });
  after(node, "onConfigure", () => view.then((opened) => opened.reread()));
}

// Motion files dropped on Load Motion go to ComfyUI's input folder. The page itself takes only pictures and sound.
function takeMotionFiles(node) {
  const file = node.widgets.find((widget) => widget.name === "file");
  node.onDragOver = (event) => [...(event.dataTransfer?.items ?? [])].some((item) => item.kind === "file");
  node.onDragDrop = async (event) => {
    const dropped = [...event.dataTransfer.files].find((each) => MOTION_FILE.test(each.name));
    if (!dropped) return false;
    const body = new FormData();
    body.append("image", dropped, dropped.name);
    const reply = await api.fetchApi("/upload/image", { method: "POST", body });
    if (!reply.ok) {
      const detail = `${dropped.name}: ${reply.status} ${reply.statusText}`;
      app.extensionManager?.toast?.add({ severity: "error", summary: "Load Motion (MIMO)", detail, life: 8000 });
      return true;
    }
    const { name, subfolder } = await reply.json();
    const value = subfolder ? `${subfolder}/${name}` : name;
    if (!file.options.values.includes(value)) file.options.values = [value, ...file.options.values];
    file.value = value;
    file.callback?.(value);
    app.graph.setDirtyCanvas(true, true);
    return true;
  };
}

// Widgets that once had another name, by node id: { node: { old: new } }. The server reads the same file for prompts.
const renamed = fetch(new URL("./renamed.json", import.meta.url)).then((reply) => reply.json());

async function renameInputs(workflow) {
  const names = await renamed;
  const graphs = [workflow, ...(workflow?.definitions?.subgraphs ?? [])];
  for (const node of graphs.flatMap((graph) => graph?.nodes ?? [])) {
    for (const input of node.inputs ?? []) {
      const name = names[node.type]?.[input.widget?.name ?? input.name];
      if (!name) continue;
      input.name = name;
      if (input.widget) input.widget.name = name;
    }
  }
}

app.registerExtension({
  name: "mimo.viewers",
  beforeConfigureGraph: renameInputs,
  nodeCreated(node) {
    if (node.comfyClass === "MIMO_LoadMotion") takeMotionFiles(node);
    if (node.comfyClass === "MIMO_ReviewLayers") reviewLayers(node);
    else if (node.comfyClass?.startsWith("MIMO_")) showMotions(node);
  },
});
