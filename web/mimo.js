// Hangs the viewers under the nodes. All else lies in lib/, as .mjs: ComfyUI imports every .js below web/ into the page
// at start-up, but a viewer is needed only once a node has something to show.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { Messages } from "./lib/messages.mjs";
import { Notes } from "./lib/notes.mjs";

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

// The page makes new nodes with the same ids whenever it sets its graph up anew: after Ctrl+Z, or when another tab is
// chosen. A view therefore belongs to a place in the workflow, not to a node: the next node there takes it over, with its
// element, which Nodes 2.0 mounts only once. A view that no node takes over in time is closed.
const views = new Map();
const GRACE = 3000; // milliseconds
const setUp = new WeakSet(); // nodes that the page made while it set a graph up; others have no view to take over
let isSettingUp = false;

// A view below the widgets of a node. `open(host, place)` makes it; `place.node` is the node that has it now.
function addView(node, name, height, open) {
  const key = `${name} ${placeOf(node)}`;
  let place = views.get(key);
  if (!place || !setUp.has(node)) {
    closeView(key);
    const host = document.createElement("div");
    host.style.minHeight = `${height - 20}px`; // Nodes 2.0 asks no widget for its height
    place = { host };
    place.view = open(host, place);
    views.set(key, place);
  }
  clearTimeout(place.ending);
  place.node = node;
  const widget = node.addDOMWidget(name, "MIMO_VIEW", place.host, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => height,
  });
  widget.serialize = false;
  after(node, "onRemoved", () => {
    if (place.node === node && views.get(key) === place) place.ending = setTimeout(() => closeView(key), GRACE);
  });
  const [width, least] = node.computeSize();
  node.setSize([Math.max(node.size[0], width, 320), Math.max(node.size[1], least)]);
  return place.view;
}

function closeView(key) {
  const place = views.get(key);
  if (!place) return;
  clearTimeout(place.ending);
  views.delete(key);
  place.view.then((opened) => opened.dispose());
}

// Workflows of cores without a color picker hold names such as "white". The picker wants numbers.
function numberColors(node) {
  for (const widget of node.widgets ?? []) {
    if (widget.type?.toLowerCase() !== "color" || !CSS.supports("color", widget.value)) continue;
    const pen = document.createElement("canvas").getContext("2d");
    pen.fillStyle = widget.value;
    if (pen.fillStyle.startsWith("#")) widget.value = pen.fillStyle;
  }
}

function showMotion(node, described) {
  node.mimoView ??= addView(node, "motion_view", MOTION_HEIGHT, async (host) => {
    const { MotionView } = await import("./lib/motion_view.mjs");
    return new MotionView(host, language(), (frame, x, y) => choosePerson(node, `${frame},${x},${y}`));
  });
  node.mimoView.then((opened) => opened.show(described, urls(described)));
}

// Write who was clicked into the node, where it is saved with the workflow.
function choosePerson(node, point) {
  const widget = node.widgets?.find(({ name }) => name === "at");
  if (!widget) return;
  widget.value = point;
  widget.callback?.(point);
  app.graph.setDirtyCanvas(true, true);
}

function reviewLayers(node) {
  const strokes = node.widgets.find((widget) => widget.name === "strokes");
  strokes.hidden = true;
  strokes.options.hidden = true;
  whenPlaced(node, () => {
    node.mimoView = addView(node, "layers_view", LAYERS_HEIGHT, async (host, place) => {
      const { LayersView } = await import("./lib/layers_view.mjs");
      const own = () => place.node.widgets.find((widget) => widget.name === "strokes");
      const store = {
        read: () => own().value,
        write: (text) => {
          own().value = text;
          own().callback?.(text);
          app.graph.setDirtyCanvas(true, true);
        },
      };
      return new LayersView(host, language(), store);
    });
    node.setSize([Math.max(node.size[0], 480), node.size[1]]);
  });
  after(node, "onConfigure", () => node.mimoView?.then((opened) => opened.reread()));
}

// What a node says: warnings, details, and files that it saved.
function showNotes(node, output) {
  const said = { notes: output.mimo_notes ?? [], files: output.mimo_files ?? [] };
  if (!node.mimoNotes && !said.notes.length && !said.files.length) return;
  node.mimoNotes ??= new Notes(node, (file) => api.apiURL(`/view?${new URLSearchParams(file)}`));
  node.mimoNotes.show(said);
}

// An app shows no nodes, and so no notes on them.
function isApp() {
  const workflow = app.extensionManager?.workflow?.activeWorkflow;
  return (workflow?.activeMode ?? workflow?.initialMode) === "app"; // front ends without apps know neither
}

// With its errors in a side panel, the page says only that a node failed; its dialog says why.
function hidesReasons() {
  return app.ui.settings.getSettingValue("Comfy.RightSidePanel.ShowErrorsTab");
}

// The title of a node, or of the node in a subgraph that an id such as 5:2 names.
function titleOf(id) {
  const find = ({ subgraph }, part) => subgraph?.getNodeById(Number(part)) ?? {};
  return String(id).split(":").reduce(find, { subgraph: app.rootGraph ?? app.graph }).title ?? "";
}

function tellOfRuns() {
  const messages = new Messages(app.extensionManager.toast, titleOf);
  api.addEventListener("execution_start", () => messages.clear());
  api.addEventListener("executed", ({ detail }) => {
    const isRun = detail.prompt_id !== ""; // and no earlier result, see present()
    if (isRun && isApp()) messages.warn(detail.display_node ?? detail.node, detail.output?.mimo_notes ?? []);
  });
  api.addEventListener("execution_error", ({ detail }) => {
    if (hidesReasons() && watched().length) messages.fail(detail.node_id, detail.exception_message);
  });
}

function show(node, output, isRun = false) {
  if (output?.mimo_motion?.[0]) showMotion(node, output.mimo_motion[0]);
  const layers = output?.mimo_layers?.[0];
  if (layers) node.mimoView?.then((opened) => opened.show(layers, urls(layers), isRun));
  if (output) showNotes(node, output);
}

// Where a node is, as the page names its results: its id, below the id of its subgraph if it lies in one.
function placeOf(node) {
  const root = app.rootGraph ?? app.graph;
  return !node.graph || node.graph === root ? String(node.id) : `${node.graph.id}:${node.id}`;
}

function whenPlaced(node, then) {
  if (node.graph) then();
  else after(node, "onAdded", then);
}

// All nodes of a workflow with a node of ours: the finished video is shown by a node of the core.
function watched() {
  const root = app.rootGraph ?? app.graph;
  const graphs = [root, ...(root.subgraphs?.values() ?? [])];
  const nodes = graphs.flatMap((graph) => graph.nodes ?? graph._nodes).filter((node) => node.comfyClass);
  return nodes.some((node) => node.comfyClass.startsWith("MIMO_")) ? nodes : [];
}

// Whether two prompts ask for the same of a node: the same node, with the same values, on nodes of which that is true.
function isSame(a, b, id) {
  const [one, other] = [a[id], b[id]];
  if (one?.class_type !== other?.class_type) return false;
  const names = Object.keys(one.inputs);
  return names.length === Object.keys(other.inputs).length && names.every((name) => {
    const [x, y] = [one.inputs[name], other.inputs[name]];
    const areLinks = Array.isArray(x) && Array.isArray(y) && x.length === 2 && typeof x[1] === "number";
    return areLinks ? x[1] === y[1] && x[0] === y[0] && isSame(a, b, x[0]) : JSON.stringify(x) === JSON.stringify(y);
  });
}

async function isThere(output) {
  const described = output.mimo_motion?.[0] ?? output.mimo_layers?.[0];
  const file = described && (described.file ?? Object.values(described.files)[0][0]);
  const picture = output.images?.[0] ?? output.mimo_files?.[0];
  const address = file ? urls(described)(file) : picture && api.apiURL(`/view?${new URLSearchParams(picture)}`);
  return !address || (await fetch(address, { method: "HEAD" })).ok;
}

// Give the page an earlier result as if the server had sent it: only so do its own previews learn of it.
function present(node, output) {
  const id = String(node.id);
  const detail = { node: id, display_node: id, output, prompt_id: "" };
  api.dispatchEvent(new CustomEvent("executed", { detail }));
  app.graph.setDirtyCanvas(true, true);
}

// After a reload, or in a workflow that is opened again, the page knows no results. The server's history does, and a run
// would not send again what it takes from the cache.
const RUNS = 20;
const restored = new Map(); // results by workflow and node; front end 1.27 forgets at Ctrl+Z what no run of its own gave
let asked = null; // the workflow that was last asked for
const NAMED = 400; // milliseconds after which front end 1.49 says which workflow is open; until then it names the one before

function workflowOf() {
  return `${app.extensionManager?.workflow?.activeWorkflow?.path} ${(app.rootGraph ?? app.graph).id}`;
}

function earlierOf(node) {
  return restored.get(`${workflowOf()} ${node.comfyClass} ${placeOf(node)}`);
}

// Nodes of the graph itself that the page knows no result of.
function unknown() {
  return watched().filter((node) => !app.nodeOutputs?.[placeOf(node)] && !earlierOf(node) && placeOf(node) === String(node.id));
}

async function restore() {
  const workflow = workflowOf();
  if (workflow === asked) return;
  asked = workflow;
  const graph = (app.rootGraph ?? app.graph).id;
  const reply = await api.fetchApi(`/history?max_items=${RUNS}`);
  const runs = Object.values(await reply.json()).reverse();
  if (!unknown().some((node) => runs.some((run) => run.outputs?.[node.id]))) return;
  const { output: prompt } = await app.graphToPrompt();
  for (const node of unknown()) {
    const output = runs.find((run) => run.outputs?.[node.id] && isSame(prompt, run.prompt[2], node.id))?.outputs[node.id];
    if (!output || !(await isThere(output))) continue;
    if ((app.rootGraph ?? app.graph).id !== graph) return; // another tab was opened meanwhile
    if (!node.graph || app.nodeOutputs?.[node.id]) continue;
    restored.set(`${workflow} ${node.comfyClass} ${node.id}`, output);
    present(node, output);
  }
}

// Show again what is known of every node, after the page has set its graph up.
async function replay() {
  for (const node of watched()) {
    const output = app.nodeOutputs?.[placeOf(node)];
    const earlier = earlierOf(node);
    if (output) show(node, output);
    else if (earlier) present(node, earlier);
    else {
      node.mimoNotes?.show({ notes: [], files: [] });
      if (node.comfyClass === "MIMO_ReviewLayers") node.mimoView?.then((opened) => opened.clear());
    }
  }
  if (!unknown().length) return;
  await new Promise((done) => setTimeout(done, NAMED));
  await restore();
}

// The animations of the chosen file, in place of the line of text that the server knows. Names from older workflows stay.
function offerAnimations(node) {
  const file = node.widgets.find((widget) => widget.name === "file");
  const text = node.widgets.find((widget) => widget.name === "animation");
  if (!text) return;
  const values = [""];
  node.widgets.splice(node.widgets.indexOf(text), 1); // the last one: its successor takes its place
  const options = { values, getOptionLabel: (name) => name || "longest" };
  const chooser = node.addWidget("combo", text.name, text.value, text.callback, options);
  for (const key of ["label", "tooltip"]) if (text[key] !== undefined) chooser[key] = text[key];
  const settle = () => {
    chooser.hidden = chooser.options.hidden = values.length < 2 && !chooser.value; // of use for glTF files only
    app.graph.setDirtyCanvas(true, true);
  };
  let asked = null;
  const refresh = async () => {
    if (asked === file.value) return settle();
    asked = file.value;
    const reply = await api.fetchApi(`/mimo/animations?${new URLSearchParams({ file: file.value })}`);
    if (asked !== file.value) return;
    values.splice(1, values.length, ...(reply.ok ? await reply.json() : []));
    settle();
  };
  settle();
  after(file, "callback", refresh);
  after(node, "onConfigure", refresh);
  refresh();
}

// The text for bones of unknown skeletons takes no room that the node has to spare: few write any.
const NAMES_HEIGHT = 60;

function keepNamesSmall(node) {
  const names = node.widgets.find((widget) => widget.name === "names");
  if (names?.options) names.options.getMaxHeight = () => NAMES_HEIGHT;
}

// The page offers to download model files that a widget names and that are not there. The official weights are several
// files, of which Load MIMO names the first. Unseen widgets name the others that a template says the node needs.
let held = []; // files in models/mimo

async function listHeld(workflow) {
  if (!workflow?.nodes?.some((node) => node.type === "MIMO_LoadModel")) return;
  const reply = await api.fetchApi("/models/mimo");
  held = reply.ok ? await reply.json() : [];
}

function nameFiles(node) {
  const names = (node.properties?.models ?? []).map((model) => model.name);
  const chosen = node.widgets.find((widget) => widget.name === "checkpoint").value;
  if (!names.includes(chosen)) return;
  for (const name of names) {
    if (name === chosen || node.widgets.some((widget) => widget.name === name)) continue;
    const options = { values: () => held, serialize: false, hidden: true };
    Object.assign(node.addWidget("combo", name, name, () => {}, options), { serialize: false, hidden: true });
  }
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
    const values = node.widgets_values_named ?? {};
    for (const [old, name] of Object.entries(names[node.type] ?? {})) {
      if (!(old in values)) continue;
      values[name] ??= values[old];
      delete values[old];
    }
    for (const input of node.inputs ?? []) {
      const name = names[node.type]?.[input.widget?.name ?? input.name];
      if (!name) continue;
      input.name = name;
      if (input.widget) input.widget.name = name;
    }
  }
}

// The page shows a template whole, too small to read: bring back the view that it was saved with. A workflow that is
// opened in another way has its view already, and one that is set up anew, after Ctrl+Z, has the user's.
const viewed = new WeakSet();
const FITS = 10; // times 500 ms in which the page may show a template whole: late, if an app was open before

async function bringView() {
  const active = () => app.extensionManager?.workflow?.activeWorkflow;
  const workflow = active();
  if (workflow && viewed.has(workflow)) return;
  if (workflow) viewed.add(workflow);
  const graph = app.rootGraph ?? app.graph;
  const { extra } = graph;
  if (!extra?.ds) return;
  const [{ ds }, shown] = [extra, app.canvas.ds];
  let isTurned = false;
  addEventListener("wheel", () => (isTurned = true), { capture: true, once: true });
  for (let waited = 0; shown.scale >= ds.scale; waited++) {
    if (!active()?.isTemporary || waited === FITS) return;
    await new Promise((done) => setTimeout(done, 500));
    if (graph.extra !== extra || isTurned) return; // another workflow was opened meanwhile, or the user zooms
  }
  shown.scale = ds.scale;
  [shown.offset[0], shown.offset[1]] = [ds.offset[0], ds.offset[1]];
  app.graph.setDirtyCanvas(true, true);
}

// Note and group titles of a template in the language of the page, once: what is saved then says so.
const TRANSLATED = ["zh"];

async function translate() {
  const graph = app.rootGraph ?? app.graph;
  const { extra } = graph;
  if (extra.mimo_language || !TRANSLATED.includes(language())) return;
  extra.mimo_language = language();
  const reply = await fetch(new URL(`./notes/${extra.mimo_language}.json`, import.meta.url));
  const { groups, notes } = await reply.json();
  if (graph.extra !== extra) return; // another workflow was opened meanwhile
  for (const group of graph.groups ?? graph._groups) group.title = groups[group.title] ?? group.title;
  const note = (graph.nodes ?? graph._nodes).find(({ type }) => type === "MarkdownNote");
  if (note && notes[extra.mimo_template]) note.widgets[0].value = notes[extra.mimo_template];
  app.graph.setDirtyCanvas(true, true);
}

app.registerExtension({
  name: "mimo.viewers",
  setup: tellOfRuns,
  async beforeConfigureGraph(workflow) {
    isSettingUp = true;
    await Promise.all([renameInputs(workflow), listHeld(workflow)]);
  },
  refreshComboInNodes: () => listHeld((app.rootGraph ?? app.graph).serialize()),
  afterConfigureGraph() {
    isSettingUp = false;
    if ((app.rootGraph ?? app.graph).extra?.mimo_template) {
      // By now the page may still name the workflow before; what Ctrl+Z sets up says so itself.
      const isUndone = app.extensionManager?.workflow?.activeWorkflow?.changeTracker?._restoringState;
      if (!isUndone) setTimeout(bringView, 500);
      translate();
    }
    setTimeout(replay, 0); // the page puts the results of a tab in place right after this
  },
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("MIMO_")) return;
    if (isSettingUp) setUp.add(node);
    if (node.comfyClass === "MIMO_LoadMotion") {
      offerAnimations(node);
      keepNamesSmall(node);
      takeMotionFiles(node);
    }
    if (node.comfyClass === "MIMO_ReviewLayers") reviewLayers(node);
    if (node.comfyClass === "MIMO_LoadModel") after(node, "onConfigure", () => nameFiles(node));
    after(node, "onConfigure", () => numberColors(node));
    after(node, "onExecuted", (output) => show(node, output, true));
  },
});
