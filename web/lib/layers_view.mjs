// Review Layers: plate, person, occluder and composite side by side, and a brush that corrects the two masks.
import { Sheets } from "./files.mjs";
import { Player, element } from "./player.mjs";
import { LONGEST, drawStroke, readStrokes, stored } from "./strokes.mjs";
import { textsFor } from "./texts.mjs";

const PANELS = ["plate", "person", "occluder", "composite"];
const CHANNEL = { person: 0, occluder: 1 }; // of the masks' sheets
const DOUBT = "#d9a13b";
const PAINTED = "#4a9fe0";
const CARRIED = "#35608a";
const STAND_IN = [150, 154, 162];
const DARK = 0.28; // of the light: what does not belong to a layer
const WIDE = 2.2; // a stage so much wider than high shows the panels in one row
const STYLE = `
  .grid { display: grid; width: 100%; height: 100%; gap: 3px; }
  figure { position: relative; margin: 0; min-width: 0; min-height: 0; overflow: hidden; }
  figure canvas { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; touch-action: none; }
  figcaption { position: absolute; left: 4px; top: 3px; padding: 0 5px; border-radius: 3px; pointer-events: none;
    color: #eee; background: rgb(0 0 0 / 45%); }
  .paint canvas { cursor: crosshair; }
`;

export class LayersView {
  // `store` reads and writes the text of the strokes.
  constructor(host, language, store) {
    this.texts = textsFor(language);
    this.store = store;
    this.undone = [];
    this.mode = "add";
    this.player = new Player(host, this.texts, {
      onFrame: (frame) => this.#draw(frame),
      onKey: (event) => this.#key(event),
    });
    this.player.root.append(element("style", { textContent: STYLE }));
    this.grid = element("div", { className: "grid" });
    this.player.stage.prepend(this.grid);
    this.panels = new Map(PANELS.map((name) => [name, this.#panel(name)]));
    this.#addTools();
    this.reread();
    this.player.say(this.texts.empty);
    this.layout = new ResizeObserver(() => this.#arrange());
    this.layout.observe(this.player.stage);
  }

  #panel(name) {
    const canvas = element("canvas");
    const figure = element("figure", {}, canvas, element("figcaption", { textContent: this.texts[name] }));
    const canPaint = name in CHANNEL;
    figure.title = canPaint ? this.texts.paint : this.texts.enlarge;
    figure.classList.toggle("paint", canPaint);
    figure.addEventListener("dblclick", () => this.#enlarge(name));
    if (canPaint) this.#takeBrush(canvas, name);
    this.grid.append(figure);
    return { canvas, figure };
  }

  #addTools() {
    const { texts } = this;
    const tool = (...given) => this.player.tool(...given);
    this.addButton = tool(texts.add, texts.addHint, () => this.#choose("add"));
    this.removeButton = tool(texts.remove, texts.removeHint, () => this.#choose("remove"));
    this.brush = element("input", { type: "range", min: "2", max: "100", value: "24", title: texts.brush });
    this.brush.setAttribute("aria-label", texts.brush);
    this.brush.addEventListener("input", () => this.player.redraw());
    this.player.tools.append(this.brush);
    this.undoButton = tool("\u21b6", texts.undo, () => this.#undo());
    this.redoButton = tool("\u21b7", texts.redo, () => this.#redo());
    tool(texts.clearFrame, texts.clearFrame, () => this.#keep((stroke) => stroke[1] !== this.player.frame));
    tool(texts.clearAll, texts.clearAll, () => this.#keep(() => false));
    this.#choose("add");
  }

  #choose(mode) {
    this.mode = mode;
    this.addButton.setAttribute("aria-pressed", mode === "add");
    this.removeButton.setAttribute("aria-pressed", mode === "remove");
  }

  #key(event) {
    const key = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) {
      if (key === "z") event.shiftKey ? this.#redo() : this.#undo();
      else if (key === "y") this.#redo();
      else return false;
      return true;
    }
    if (key !== "[" && key !== "]") return false;
    this.brush.value = Number(this.brush.value) * (key === "]" ? 1.2 : 1 / 1.2) + (key === "]" ? 1 : -1);
    this.player.redraw();
    return true;
  }

  // Take the strokes from the workflow, for instance when one was opened.
  reread() {
    this.strokes = readStrokes(this.store.read());
    this.undone = [];
    if (!this.strokes) this.player.say(this.texts.broken);
    if (!this.described) this.applied = JSON.stringify(this.strokes ?? []);
    this.#changed();
  }

  // Load what `write_layers_view` of the library described, after a run or again.
  show(described, address, isRun = true) {
    if (isRun) this.applied = JSON.stringify(this.strokes ?? []);
    if (this.described?.subfolder === described.subfolder) return this.#changed(); // each result has its folder
    this.sheets?.forEach((sheets) => sheets.dispose());
    this.described = described;
    const load = (files) => new Sheets(described.grid, files.map(address), () => this.player.redraw());
    this.sheets = new Map(Object.entries(described.files).map(([name, files]) => [name, load(files)]));
    this.brush.max = String(Math.round(Math.max(...described.size) / 8));
    for (const { canvas } of this.panels.values()) {
      Object.assign(canvas, { width: described.grid.width, height: described.grid.height });
    }
    this.player.load(described.frames, described.fps, this.#marks());
    this.#arrange();
    this.#changed();
  }

  // Another workflow, which has not run yet, has the node of this view now.
  clear() {
    if (!this.described) return;
    this.sheets.forEach((sheets) => sheets.dispose());
    this.described = this.sheets = null;
    for (const { canvas } of this.panels.values()) canvas.width += 0; // wipes it
    this.player.load(1, 24, []);
    this.reread();
    if (this.strokes) this.player.say(this.texts.empty);
  }

  #marks() {
    const { described, texts } = this;
    const marks = [];
    const put = (runs, color, text) => marks.push(...runs.map(([first, last]) => ({ first, last, color, text })));
    for (const [reason, runs] of Object.entries(described.doubts)) put(runs, DOUBT, reason);
    put(described.carried, CARRIED, texts.carried);
    const frames = [...new Set((this.strokes ?? []).map((stroke) => stroke[1]))];
    put(frames.map((frame) => [frame, frame]), PAINTED, texts.painted);
    return marks;
  }

  #arrange() {
    const { clientWidth: width, clientHeight: height } = this.player.stage;
    const shown = this.large ? 1 : PANELS.length;
    const { grid } = this.described ?? { grid: { width: 16, height: 9 } };
    const isRow = width / height > (WIDE * grid.width) / grid.height;
    const across = shown === 1 ? 1 : isRow ? 4 : 2;
    this.grid.style.gridTemplateColumns = `repeat(${across}, minmax(0, 1fr))`;
    this.grid.style.gridTemplateRows = `repeat(${shown / across}, minmax(0, 1fr))`;
    for (const [name, { figure }] of this.panels) figure.style.display = !this.large || this.large === name ? "" : "none";
  }

  #enlarge(name) {
    this.large = this.large ? null : name;
    this.#arrange();
  }

  // Where an event is in pixels of the scene. The picture lies in the middle of its panel, whole.
  #placeOf(event, canvas) {
    const box = canvas.getBoundingClientRect();
    const [width, height] = this.described.size;
    const scale = Math.min(box.width / width, box.height / height);
    return [
      (event.clientX - box.left - (box.width - scale * width) / 2) / scale,
      (event.clientY - box.top - (box.height - scale * height) / 2) / scale,
    ];
  }

  #takeBrush(canvas, layer) {
    const on = (kind, then) => canvas.addEventListener(kind, then);
    on("contextmenu", (event) => event.preventDefault());
    on("pointerdown", (event) => {
      if (!this.described || !this.strokes || event.button === 1) return;
      if (this.player.isPlaying) this.player.toggle();
      canvas.setPointerCapture(event.pointerId);
      const isOther = event.altKey || event.button === 2;
      const mode = isOther === (this.mode === "add") ? "remove" : "add";
      this.painting = [layer, this.player.frame, mode, Number(this.brush.value), [this.#placeOf(event, canvas)]];
      this.player.redraw();
    });
    on("pointermove", (event) => {
      if (!this.described) return;
      this.pointer = { layer, place: this.#placeOf(event, canvas) };
      if (this.painting) this.painting[4].push(this.pointer.place);
      this.player.redraw();
    });
    on("pointerleave", () => {
      this.pointer = null;
      this.player.redraw();
    });
    for (const kind of ["pointerup", "pointercancel"]) on(kind, () => this.#finish());
  }

  #finish() {
    if (!this.painting) return;
    const stroke = stored(...this.painting);
    this.painting = null;
    const strokes = [...this.strokes, stroke];
    if (JSON.stringify(strokes).length > LONGEST) {
      this.player.say(this.texts.full);
      this.player.redraw();
      return;
    }
    this.undone = [];
    this.#write(strokes);
  }

  #undo() {
    if (!this.strokes?.length) return;
    this.undone.push(this.strokes[this.strokes.length - 1]);
    this.#write(this.strokes.slice(0, -1));
  }

  #redo() {
    if (this.undone.length) this.#write([...this.strokes, this.undone.pop()]);
  }

  #keep(wanted) {
    const strokes = (this.strokes ?? []).filter(wanted);
    this.undone = [];
    this.#write(strokes);
  }

  #write(strokes) {
    this.strokes = strokes;
    this.player.say("");
    this.store.write(JSON.stringify(strokes));
    this.#changed();
  }

  #changed() {
    this.undoButton.disabled = !this.strokes?.length;
    this.redoButton.disabled = !this.undone.length;
    if (this.described) this.player.marks = this.#marks();
    this.player.redraw();
  }

  #draw(frame) {
    if (!this.described) return;
    const { grid } = this.described;
    const parts = [...this.sheets].map(([name, sheets]) => [name, sheets.at(frame)]);
    if (parts.some(([, part]) => !part)) return; // comes back when the sheets are there
    const pictures = Object.fromEntries(
      parts.map(([name, part]) => [name, this.#pixels(part, name === "masks" ? this.#strokesOn(frame) : [])]),
    );
    for (const [name, { canvas }] of this.panels) {
      const paint = canvas.getContext("2d");
      const image = paint.createImageData(grid.width, grid.height);
      compose(name, pictures, image.data);
      paint.putImageData(image, 0, 0);
      if (name in CHANNEL) this.#drawBrush(paint, name);
    }
    this.#tell(frame);
  }

  #strokesOn(frame) {
    const strokes = (this.strokes ?? []).filter((stroke) => stroke[1] === frame);
    return this.painting ? [...strokes, this.painting] : strokes;
  }

  // Pixels of a frame's picture; strokes are painted into the masks at once.
  #pixels({ image, x, y, width, height }, strokes) {
    this.scratch ??= element("canvas").getContext("2d", { willReadFrequently: true });
    const paint = this.scratch;
    if (paint.canvas.width !== width || paint.canvas.height !== height) Object.assign(paint.canvas, { width, height });
    paint.globalCompositeOperation = "source-over";
    paint.drawImage(image, x, y, width, height, 0, 0, width, height);
    for (const stroke of strokes) {
      const [layer, , mode] = stroke;
      const isAdded = mode === "add";
      // Adding raises one channel of red and green; multiplying by its complement lowers that one alone.
      paint.globalCompositeOperation = isAdded ? "lighter" : "multiply";
      const [raise, lower] = layer === "person" ? ["#f00", "#0ff"] : ["#0f0", "#f0f"];
      paint.strokeStyle = isAdded ? raise : lower;
      drawStroke(paint, stroke, width / this.described.size[0]);
    }
    return paint.getImageData(0, 0, width, height).data;
  }

  #drawBrush(paint, layer) {
    if (this.pointer?.layer !== layer) return;
    const scale = this.described.grid.width / this.described.size[0];
    const [x, y] = this.pointer.place;
    for (const [color, width] of [["#000", 2.5], [this.mode === "add" ? "#fff" : "#ff8a80", 1]]) {
      paint.strokeStyle = color;
      paint.lineWidth = width;
      paint.beginPath();
      paint.arc(x * scale, y * scale, Number(this.brush.value) * scale, 0, 2 * Math.PI);
      paint.stroke();
    }
  }

  #tell(frame) {
    const isPending = JSON.stringify(this.strokes ?? []) !== this.applied;
    const told = this.player.told(frame);
    this.player.note.textContent = [...told, ...(isPending ? [this.texts.pending] : [])].join(" \u00b7 ");
    this.player.note.title = this.player.note.textContent;
  }

  dispose() {
    this.layout.disconnect();
    this.sheets?.forEach((sheets) => sheets.dispose());
    this.described = null;
    this.player.dispose();
  }
}

// Write one panel's pixels from those of source, plate and masks.
function compose(name, { source, plate, masks }, out) {
  for (let k = 0; k < out.length; k += 4) {
    const [person, occluder] = [masks[k] / 255, masks[k + 1] / 255];
    for (let c = 0; c < 3; c++) {
      if (name === "plate") out[k + c] = plate[k + c];
      else if (name === "composite") {
        const under = plate[k + c] + (STAND_IN[c] - plate[k + c]) * person;
        out[k + c] = under + (source[k + c] - under) * occluder;
      } else {
        const share = name === "person" ? person : occluder;
        out[k + c] = source[k + c] * (DARK + (1 - DARK) * share);
      }
    }
    out[k + 3] = 255;
  }
}
