// The motion viewer: a body walking over a floor, the camera that filmed it, and what that camera saw.
import { Sheets, fetchArrays } from "./files.mjs";
import { Player, element } from "./player.mjs";
import { borrow, release } from "./renderer.mjs";
import { Orbit, fromRows, lensMatrix, multiply, worldFromCamera } from "./space.mjs";
import { textsFor } from "./texts.mjs";

const UNSURE = "#d9a13b";
const BRIDGED = "#9b7fd4";
const MISSING = "#c2504f";
const PLANTED = [1.0, 0.66, 0.18];
const PEOPLE = ["#ff6060", "#58c4ff", "#ffd84d", "#8be36f", "#dd8bff", "#ff9d45"]; // colors of their boxes
const BONES = 24 * 12;
const FRUSTUM_DEPTH = 0.5; // metres
const BEHIND = 0.9; // metres behind the body hangs the picture
const TILE = 0.5; // metres of the floor's grid
const TILES = 12;
const STEADY = 0.4; // seconds over which the view follows the body

export class MotionView {
  // `choose(frame, x, y)` is told of a click on somebody, in pixels of the clip.
  constructor(host, language, choose = () => {}) {
    this.choose = choose;
    this.texts = textsFor(language);
    this.renderer = borrow();
    this.orbit = new Orbit();
    this.player = new Player(host, this.texts, { onFrame: () => this.#draw(), onKey: (event) => this.#key(event) });
    this.canvas = element("canvas", { title: this.texts.motionHint });
    this.canvas.style.cssText = "width: 100%; height: 100%; display: block; touch-action: none; cursor: grab";
    this.player.stage.prepend(this.canvas);
    this.#addTools();
    this.#listen();
    if (!this.renderer) this.player.say(this.texts.noWebGL);
  }

  #addTools() {
    const { texts } = this;
    const tool = (...given) => this.player.tool(...given);
    this.cameraButton = tool(texts.camera, texts.cameraHint, () => this.#toggle("isThroughCamera"));
    this.pictureButton = tool(texts.picture, texts.pictureHint, () => this.#toggle("hasPicture"));
    this.peopleButton = tool(texts.people, texts.peopleHint, () => this.#toggle("hasPeople"));
    this.hasPeople = false;
    tool(texts.reset, texts.resetHint, () => this.#reset());
    this.hasPicture = true;
    this.isThroughCamera = false;
    this.#press();
  }

  #press() {
    this.cameraButton.setAttribute("aria-pressed", this.isThroughCamera);
    this.pictureButton.setAttribute("aria-pressed", this.hasPicture);
    this.peopleButton.setAttribute("aria-pressed", this.hasPeople);
    this.peopleButton.style.display = this.people?.length > 1 ? "" : "none";
    this.pictureButton.hidden = !this.sheets;
    this.pictureButton.style.display = this.sheets ? "" : "none";
  }

  #toggle(name) {
    this[name] = !this[name];
    if (name === "hasPeople" && this.hasPeople) Object.assign(this, { isThroughCamera: true, hasPicture: true });
    this.#press();
    this.player.redraw();
  }

  #reset() {
    this.isThroughCamera = Boolean(this.sheets);
    this.orbit.home(this.azimuth ?? 0);
    this.#press();
    this.player.redraw();
  }

  #key({ key, ctrlKey, metaKey }) {
    const act = { c: () => this.#toggle("isThroughCamera"), v: () => this.#toggle("hasPicture"), r: () => this.#reset() };
    if (ctrlKey || metaKey || !act[key]) return false;
    act[key]();
    return true;
  }

  #listen() {
    const { canvas, orbit } = this;
    const { signal } = this.player.end;
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId), { signal });
    canvas.addEventListener("click", (event) => this.#click(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.#drag(event), { signal });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      event.stopPropagation();
      orbit.zoom(Math.exp(event.deltaY * 0.001));
      this.#leaveCamera();
    }, { signal, passive: false });
  }

  // Choose who is clicked while the people are shown.
  #click(event) {
    if (!this.#showsPeople()) return;
    const { frame } = this.player;
    const bounds = this.canvas.getBoundingClientRect();
    const { scale, left, top } = fitPicture(this.described.size, bounds.width, bounds.height);
    const [x, y] = [(event.clientX - bounds.left - left) / scale, (event.clientY - bounds.top - top) / scale];
    const boxes = this.people.map((person) => boxAt(person, frame));
    const isHit = (box) => box && box[0] <= x && x <= box[2] && box[1] <= y && y <= box[3];
    if (!boxes.some(isHit)) return;
    this.chosen = { frame, x, y };
    this.choose(frame, Math.round(x), Math.round(y));
    this.player.redraw();
  }

  #showsPeople() {
    return this.hasPeople && this.isThroughCamera && this.people?.length > 1;
  }

  #drag(event) {
    if (!event.buttons || this.#showsPeople()) return;
    const { width, height } = this.canvas.getBoundingClientRect();
    const [x, y] = [event.movementX / width, event.movementY / height];
    if (event.shiftKey || event.buttons & 6) this.orbit.move(-x * (width / height) * 0.65, y * 0.65);
    else this.orbit.turn(x * 4, y * 2.5);
    this.#leaveCamera();
  }

  #leaveCamera() {
    this.isThroughCamera = false;
    this.#press();
    this.player.redraw();
  }

  // Load what `motion_view` of the library described. `address(file)` tells where its files are.
  async show(described, address) {
    if (!this.renderer || this.described?.subfolder === described.subfolder) return; // each result has its folder
    const token = (this.token = {});
    const { signal } = this.player.end;
    let arrays;
    try {
      arrays = await fetchArrays(address(described.file), signal);
    } catch {
      if (!signal.aborted && token === this.token) this.player.say(this.texts.lost);
      return;
    }
    if (signal.aborted || token !== this.token) return;
    this.#forget();
    Object.assign(this, { arrays, described, path: rootPath(arrays, described) });
    Object.assign(this, { people: described.people ?? [], chosen: null });
    if (described.files) this.sheets = new Sheets(described.grid, described.files.map(address), () => this.player.redraw());
    const isFirst = this.azimuth === undefined;
    this.azimuth = this.#cameraAzimuth() + 0.4;
    if (isFirst) this.#reset(); // with a clip, seen as it was filmed: the body must cover the person
    this.#press();
    this.player.load(described.frames, described.fps, this.#marks());
  }

  #marks() {
    const { described, texts } = this;
    const kinds = [["unsure", UNSURE], ["bridged", BRIDGED], ["missing", MISSING]];
    return kinds.flatMap(([name, color]) =>
      described[name].map(([first, last]) => ({ first, last, color, text: texts[name] })),
    );
  }

  // camera_from_world of a frame, in rows.
  #camera(frame) {
    const all = this.arrays.camera_from_world;
    const start = all.length > 16 ? 16 * frame : 0;
    return all.subarray(start, start + 16);
  }

  #cameraAzimuth() {
    const eye = worldFromCamera(this.#camera(0), [0, 0, 0]);
    return Math.atan2(eye[0] - this.path[0], eye[2] - this.path[2]);
  }

  #draw() {
    const { canvas, renderer, arrays, described } = this;
    if (!arrays) return;
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const { frame } = this.player;
    const colors = this.#colors();
    const rows = this.#camera(frame);
    const target = this.path.subarray(3 * frame, 3 * frame + 3);
    const clip = this.isThroughCamera
      ? multiply(lensMatrix(described, width, height), fromRows(rows))
      : this.orbit.matrix(target, width, height);
    const isThere = arrays.visible[frame] > 0;
    const bones = arrays.transforms.subarray(BONES * frame, BONES * (frame + 1));

    renderer.begin(width, height, colors.back);
    if (this.hasPicture) this.#drawPicture(clip, rows, target, frame);
    if (isThere && !this.isThroughCamera) renderer.drawShadow(clip, arrays, bones, described.floor);
    if (!this.isThroughCamera) {
      renderer.drawLines(clip, floorLines(target, described.floor), colors.line, 0.22);
      renderer.drawLines(clip, this.#frustum(rows), colors.line, 0.8);
    }
    if (isThere) {
      const feet = arrays.contacts.subarray(2 * frame, 2 * frame + 2);
      renderer.drawBody(clip, arrays, bones, { color: this.#bodyColor(frame, colors.body), planted: PLANTED, feet });
    }
    renderer.end(canvas);
    if (this.#showsPeople()) this.#drawPeople(canvas, frame);
    this.#tell(frame);
  }

  // Boxes with numbers around everybody in this frame, and below for each a line over the frames with them.
  #drawPeople(canvas, frame) {
    const paint = canvas.getContext("2d");
    const { width, height } = canvas;
    const { scale, left, top } = fitPicture(this.described.size, width, height);
    const step = Math.max(4, Math.round(height / 80));
    paint.save();
    paint.lineWidth = Math.max(2, step / 2);
    paint.font = `bold ${4 * step}px sans-serif`;
    paint.textBaseline = "top";
    this.people.forEach((person, number) => {
      paint.strokeStyle = paint.fillStyle = PEOPLE[number % PEOPLE.length];
      const row = height - step * (this.people.length - number) * 1.5;
      for (const { first, boxes } of person.runs) {
        const [start, length] = [first, boxes.length].map((value) => (value / this.described.frames) * width);
        paint.fillRect(start, row, Math.max(length, 1), step);
      }
      const box = boxAt(person, frame);
      if (!box) return;
      const [x0, y0, x1, y1] = box.map((value, k) => value * scale + (k % 2 ? top : left));
      paint.strokeRect(x0, y0, x1 - x0, y1 - y0);
      paint.fillText(String(number), x0 + step, y0 + step);
    });
    if (this.chosen?.frame === frame) {
      paint.strokeStyle = "#fff";
      paint.beginPath();
      paint.arc(this.chosen.x * scale + left, this.chosen.y * scale + top, 2 * step, 0, 2 * Math.PI);
      paint.stroke();
    }
    paint.restore();
  }

  #tell(frame) {
    const { contacts } = this.arrays;
    const isPlanted = contacts[2 * frame] + contacts[2 * frame + 1] > 0;
    this.player.note.textContent = [...this.player.told(frame), ...(isPlanted ? [this.texts.planted] : [])].join(" \u00b7 ");
    this.player.note.title = this.player.note.textContent;
  }

  #bodyColor(frame, plain) {
    const mark = this.player.marks.find(({ first, last }) => first <= frame && frame <= last);
    return mark ? plain.map((value, k) => 0.6 * value + 0.4 * rgb(mark.color)[k]) : plain;
  }

  #drawPicture(clip, rows, target, frame) {
    const part = this.sheets?.at(Math.min(frame, this.described.frames - 1));
    if (!part) return;
    const forward = rows[8] * target[0] + rows[9] * target[1] + rows[10] * target[2] + rows[11];
    this.renderer.drawPicture(clip, this.#corners(rows, Math.max(forward, 0.5) + BEHIND), part);
  }

  // The corners of the camera's picture at a depth, in the world: clockwise from the top left.
  #corners(rows, depth) {
    const { focal, center, size } = this.described;
    const at = (x, y) => worldFromCamera(rows, [((x - center[0]) / focal) * depth, ((y - center[1]) / focal) * depth, depth]);
    return [at(0, 0), at(size[0], 0), at(size[0], size[1]), at(0, size[1])];
  }

  #frustum(rows) {
    const eye = worldFromCamera(rows, [0, 0, 0]);
    const corners = this.#corners(rows, FRUSTUM_DEPTH);
    const lines = corners.flatMap((corner, k) => [...eye, ...corner, ...corner, ...corners[(k + 1) % 4]]);
    const [width, height] = this.described.size;
    const { focal, center } = this.described;
    const peak = [(width / 2 - center[0]) / focal, (-0.25 * height - center[1]) / focal, 1].map((v) => v * FRUSTUM_DEPTH);
    const top = worldFromCamera(rows, peak); // a roof over the picture tells where up is
    return [...lines, ...corners[0], ...top, ...top, ...corners[1]];
  }

  #colors() {
    const style = getComputedStyle(this.player.host);
    const back = rgb(style.getPropertyValue("--comfy-input-bg") || "#222");
    const line = rgb(style.getPropertyValue("--input-text") || "#ddd");
    const isDark = back[0] + back[1] + back[2] < 1.5;
    return { back, line, body: isDark ? [0.74, 0.77, 0.82] : [0.62, 0.66, 0.72] };
  }

  #forget() {
    if (this.arrays) this.renderer.forget(this.arrays);
    this.sheets?.dispose();
    this.sheets = null;
  }

  dispose() {
    this.player.dispose();
    if (!this.renderer) return;
    this.#forget();
    this.arrays = null;
    this.renderer = null;
    release();
  }
}

// How a picture of a size lies in a window, as the lens draws it: pixels of the window a pixel, and its corner.
function fitPicture(size, width, height) {
  const scale = Math.min(width / size[0], height / size[1]);
  return { scale, left: (width - scale * size[0]) / 2, top: (height - scale * size[1]) / 2 };
}

function boxAt({ runs }, frame) {
  const run = runs.find(({ first, boxes }) => first <= frame && frame < first + boxes.length);
  return run?.boxes[frame - run.first];
}

// Where the body is in each frame, (F * 3), smoothed so that the view does not bob with every step.
function rootPath({ rest, bones, transforms }, { frames, fps }) {
  const middle = [0, 0, 0];
  let count = 0;
  for (let vertex = 0; vertex < bones.length / 4; vertex++) {
    if (bones[4 * vertex] !== 0) continue;
    count += 1;
    for (let k = 0; k < 3; k++) middle[k] += rest[3 * vertex + k];
  }
  const places = new Float32Array(3 * frames);
  for (let frame = 0; frame < frames; frame++) {
    for (let k = 0; k < 3; k++) {
      const row = transforms.subarray(BONES * frame + 4 * k, BONES * frame + 4 * k + 4);
      places[3 * frame + k] = row[3] + (row[0] * middle[0] + row[1] * middle[1] + row[2] * middle[2]) / Math.max(count, 1);
    }
  }
  const reach = Math.round(STEADY * fps);
  return places.map((_, index) => {
    const [frame, k] = [Math.floor(index / 3), index % 3];
    const [first, last] = [Math.max(frame - reach, 0), Math.min(frame + reach, frames - 1)];
    let sum = 0;
    for (let near = first; near <= last; near++) sum += places[3 * near + k];
    return sum / (last - first + 1);
  });
}

function floorLines(target, floor) {
  const [x, z] = [target[0], target[2]].map((value) => Math.round(value / TILE) * TILE);
  const reach = (TILES * TILE) / 2;
  const lines = [];
  for (let k = 0; k <= TILES; k++) {
    const step = k * TILE - reach;
    lines.push(x + step, floor, z - reach, x + step, floor, z + reach);
    lines.push(x - reach, floor, z + step, x + reach, floor, z + step);
  }
  return lines;
}

const known = new Map();

// A CSS color as [r, g, b] in 0..1.
function rgb(color) {
  if (!known.has(color)) {
    const paint = element("canvas", { width: 1, height: 1 }).getContext("2d");
    paint.fillStyle = color.trim();
    paint.fillRect(0, 0, 1, 1);
    known.set(color, [...paint.getImageData(0, 0, 1, 1).data.slice(0, 3)].map((value) => value / 255));
  }
  return known.get(color);
}
