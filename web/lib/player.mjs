// What both viewers share: a stage, a row of tools, a time line with marks, keys, and the clock that plays.

const STYLE = `
  :host { display: flex; flex-direction: column; gap: 4px; width: 100%; height: 100%; box-sizing: border-box;
    color: var(--input-text, #ddd); font: 12px/1.3 system-ui, sans-serif; outline: none; user-select: none; }
  :host(:focus-within) .stage { box-shadow: 0 0 0 1px var(--accent); }
  :host { --accent: var(--p-primary-color, #64b5f6); }
  .stage { position: relative; flex: 1 1 0; min-height: 0; border-radius: 4px; overflow: hidden;
    background: var(--comfy-input-bg, #222); }
  ::slotted(textarea) { position: absolute; width: 1px; height: 1px; opacity: 0; pointer-events: none; }
  .row { display: flex; align-items: center; gap: 4px; flex: none; min-height: 22px; flex-wrap: wrap; }
  .line { flex: none; height: 16px; width: 100%; display: block; cursor: pointer; touch-action: none; }
  .tools { display: contents; }
  button { all: unset; box-sizing: border-box; padding: 2px 7px; border-radius: 4px; cursor: pointer; white-space: nowrap;
    color: var(--input-text, #ddd); background: var(--comfy-input-bg, #222); }
  button:hover { filter: brightness(1.25); }
  button:focus-visible { box-shadow: 0 0 0 1px var(--accent); }
  button[aria-pressed="true"] { background: color-mix(in srgb, var(--accent) 35%, var(--comfy-input-bg, #222)); }
  button:disabled { opacity: 0.4; cursor: default; }
  .icon { width: 26px; text-align: center; }
  .count { font-variant-numeric: tabular-nums; color: var(--descrip-text, #999); padding: 0 4px; }
  .note { color: var(--descrip-text, #999); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; flex: 1 1 0;
    min-width: 50px; text-align: right; }
  .message { position: absolute; inset: 0; display: grid; place-items: center; text-align: center; padding: 8px;
    color: var(--descrip-text, #999); pointer-events: none; }
  input[type="range"] { width: 70px; accent-color: var(--accent); }
`;

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export class Player {
  // `onFrame(frame)` draws; `onKey(event)` returns true for a key that it knows.
  constructor(host, texts, { onFrame, onKey = () => false }) {
    Object.assign(this, { host, texts, onFrame, onKey });
    this.frames = 1;
    this.fps = 24;
    this.marks = [];
    this.frame = 0;
    this.isSeen = true;
    this.end = new AbortController();
    this.#build();
    this.#listen();
  }

  #build() {
    const { host, texts } = this;
    host.tabIndex = -1;
    // The page undoes its graph at Ctrl+Z wherever it is pressed, but in a field of text: so that is where keys go.
    this.keys = element("textarea", { readOnly: true });
    this.keys.setAttribute("aria-label", texts.frame);
    host.append(this.keys);
    host.dataset.captureWheel = "true"; // Nodes 2.0 then leaves the wheel to us
    this.root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    this.stage = element("div", { className: "stage" });
    this.message = element("div", { className: "message" });
    this.stage.append(this.message);
    this.button = element("button", { className: "icon", title: texts.play, textContent: "\u25b6" });
    this.button.setAttribute("aria-label", texts.play);
    this.count = element("span", { className: "count" });
    this.tools = element("span", { className: "tools" });
    this.note = element("span", { className: "note" });
    this.line = element("canvas", { className: "line" });
    const row = element("div", { className: "row" }, this.button, this.count, this.tools, this.note);
    this.root.replaceChildren(element("style", { textContent: STYLE }), this.stage, this.line, row, element("slot"));
  }

  // A button among the tools of a view.
  tool(text, title, press) {
    const button = element("button", { textContent: text, title });
    button.addEventListener("click", press);
    this.tools.append(button);
    return button;
  }

  #listen() {
    const { signal } = this.end;
    const on = (target, kind, then, options = {}) => target.addEventListener(kind, then, { signal, ...options });
    on(this.button, "click", () => this.toggle());
    on(this.host, "keydown", (event) => this.#key(event));
    for (const kind of ["pointerdown", "pointermove", "pointerup", "mousedown", "dblclick", "contextmenu"]) {
      on(this.host, kind, (event) => event.stopPropagation()); // or the graph would move the node
    }
    const takeKeys = () => this.keys.focus({ preventScroll: true });
    on(this.host, "pointerdown", takeKeys);
    on(this.host, "focus", (event) => event.composedPath()[0] === this.host && takeKeys());
    on(this.root, "mousedown", (event) => {
      if (!(event.target instanceof HTMLInputElement)) event.preventDefault(); // a button would take the keys
    });
    on(this.line, "pointerdown", (event) => {
      this.line.setPointerCapture(event.pointerId);
      this.#scrub(event);
    });
    on(this.line, "pointermove", (event) => this.#point(event));
    this.sizes = new ResizeObserver(() => this.redraw());
    this.sizes.observe(this.stage);
    this.sight = new IntersectionObserver(([entry]) => {
      this.isSeen = entry.isIntersecting;
      if (!this.isSeen) return;
      this.redraw(); // what changed while it was out of sight
      this.#tick();
    });
    this.sight.observe(this.host);
  }

  // Marks are { first, last, color, text }, drawn in the order given.
  load(frames, fps, marks) {
    Object.assign(this, { frames, fps, marks });
    this.message.textContent = "";
    this.go(Math.min(this.frame, frames - 1));
  }

  say(text) {
    this.message.textContent = text;
  }

  go(frame) {
    this.frame = ((frame % this.frames) + this.frames) % this.frames;
    this.redraw();
  }

  redraw() {
    if (this.waiting || this.end.signal.aborted) return;
    this.waiting = requestAnimationFrame(() => {
      this.waiting = 0;
      if (this.isSeen) this.#draw();
    });
  }

  toggle() {
    this.isPlaying = !this.isPlaying;
    const text = this.isPlaying ? this.texts.pause : this.texts.play;
    this.button.textContent = this.isPlaying ? "\u275a\u275a" : "\u25b6";
    this.button.title = text;
    this.button.setAttribute("aria-label", text);
    this.started = performance.now() - (this.frame / this.fps) * 1000;
    this.#tick();
  }

  #tick() {
    cancelAnimationFrame(this.playing);
    if (!this.isPlaying || !this.isSeen || this.end.signal.aborted) return;
    this.playing = requestAnimationFrame((now) => {
      const frame = Math.floor(((Math.max(now - this.started, 0)) / 1000) * this.fps) % this.frames;
      if (frame !== this.frame) {
        this.frame = frame;
        this.#draw();
      }
      this.#tick();
    });
  }

  #draw() {
    this.count.textContent = `${this.texts.frame} ${this.frame} / ${this.frames - 1}`;
    this.#drawLine();
    this.onFrame(this.frame);
  }

  #drawLine() {
    const { line } = this;
    const scale = Math.min(window.devicePixelRatio || 1, 2);
    const [width, height] = [line.clientWidth, line.clientHeight];
    if (!width) return;
    line.width = width * scale;
    line.height = height * scale;
    const paint = line.getContext("2d");
    paint.scale(scale, scale);
    const style = getComputedStyle(this.host);
    const x = (frame) => (frame / this.frames) * width;
    paint.fillStyle = style.getPropertyValue("--comfy-input-bg") || "#222";
    paint.fillRect(0, 5, width, height - 10);
    for (const { first, last, color } of this.marks) {
      paint.fillStyle = color;
      paint.fillRect(x(first), 5, Math.max(x(last + 1) - x(first), 2), height - 10);
    }
    paint.fillStyle = style.getPropertyValue("--input-text") || "#ddd";
    paint.fillRect(Math.min(x(this.frame + 0.5), width - 1) - 1, 1, 2, height - 2);
  }

  #frameAt(event) {
    const box = this.line.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    return Math.max(0, Math.min(this.frames - 1, Math.floor(share * this.frames)));
  }

  #scrub(event) {
    if (this.isPlaying) this.toggle();
    this.go(this.#frameAt(event));
  }

  #point(event) {
    if (event.buttons & 1) this.#scrub(event);
    const frame = this.#frameAt(event);
    this.line.title = [`${this.texts.frame} ${frame}`, ...this.told(frame)].join("\n");
  }

  // What the marks say about a frame.
  told(frame) {
    return this.marks.filter(({ first, last }) => first <= frame && frame <= last).map(({ text }) => text);
  }

  // The next frame before (-1) or after (1) this one at which a mark begins.
  #nextMark(step) {
    const starts = this.marks.map(({ first }) => first).filter((first) => (first - this.frame) * step > 0);
    return starts.length ? (step > 0 ? Math.min(...starts) : Math.max(...starts)) : this.frame;
  }

  #key(event) {
    const { key } = event;
    const isOnButton = event.composedPath()[0] instanceof HTMLButtonElement;
    if (event.composedPath()[0] instanceof HTMLInputElement && key.startsWith("Arrow")) return event.stopPropagation();
    const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (step) {
      if (this.isPlaying) this.toggle();
      this.go(event.shiftKey ? this.#nextMark(step) : this.frame + step);
    } else if (key === "Home" || key === "End") this.go(key === "Home" ? 0 : this.frames - 1);
    else if (key === " " && !isOnButton) this.toggle();
    else if (key === " " || key === "Enter") return event.stopPropagation();
    else if (!this.onKey(event)) return undefined;
    event.preventDefault();
    return event.stopPropagation(); // the graph has its own use for these keys
  }

  dispose() {
    this.end.abort();
    this.isPlaying = false;
    cancelAnimationFrame(this.playing);
    cancelAnimationFrame(this.waiting);
    this.sizes.disconnect();
    this.sight.disconnect();
    this.root.replaceChildren();
    this.keys.remove();
  }
}
