// What a node says after a run: warnings that are to be seen, details in one dim line, and links to files it saved.

const STYLE = `
  :host { display: block; width: 100%; box-sizing: border-box; font: 12px/1.35 system-ui, sans-serif;
    color: var(--input-text, #ddd); overflow: hidden; user-select: text; }
  .warning { border-left: 3px solid #d9a13b; padding: 1px 0 1px 6px; margin-bottom: 3px; overflow-wrap: anywhere; }
  .detail { color: var(--descrip-text, #999); overflow-wrap: anywhere; }
  a { color: var(--p-primary-color, #64b5f6); overflow-wrap: anywhere; }
`;
const NARROWEST = 100; // pixels; an element that the page has not laid out yet is narrower, and its text very high
const MARGIN = 20; // pixels that the page leaves around an element, both sides together

function made(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

export class Notes {
  // `address(file)` tells where a file lies that the server names.
  constructor(node, address) {
    Object.assign(this, { node, address, height: 0 });
    this.host = made("div", {});
    this.host.attachShadow({ mode: "open" });
    this.box = made("div", {});
    this.host.shadowRoot.append(made("style", { textContent: STYLE }), this.box);
    this.host.addEventListener("pointerdown", (event) => event.stopPropagation()); // so that text can be selected
    this.widget = node.addDOMWidget("mimo_notes", "MIMO_NOTES", this.host, {
      serialize: false,
      hideOnZoom: false,
      getMinHeight: () => this.#height(),
      getMaxHeight: () => this.#height(),
    });
    this.widget.serialize = false;
    this.sizes = new ResizeObserver(() => this.#grow());
    this.sizes.observe(this.box);
  }

  show({ notes, files }) {
    const kind = (wanted) => notes.filter((note) => note.kind === wanted).map((note) => note.text);
    const lines = kind("warning").map((text) => made("div", { className: "warning", textContent: text }));
    for (const file of files) {
      const name = file.subfolder ? `${file.subfolder}/${file.filename}` : file.filename;
      const link = made("a", { href: this.address(file), target: "_blank", textContent: `${file.type}/${name}` });
      lines.push(made("div", {}, link));
    }
    const details = kind("detail").join(" ");
    if (details) lines.push(made("div", { className: "detail", textContent: details }));
    this.box.replaceChildren(...lines);
    this.#grow();
  }

  #height() {
    return this.height ? this.height + MARGIN : 0;
  }

  // A node with text that it had not before becomes higher by it.
  #grow() {
    const height = Math.ceil(this.box.offsetHeight);
    if (!this.host.isConnected || this.host.offsetWidth < NARROWEST || height === this.height) return;
    this.height = height;
    this.host.style.minHeight = this.host.style.maxHeight = `${height}px`; // at no width would the text be very high
    const { node } = this;
    const least = node.computeSize();
    if (node.size[1] < least[1]) node.setSize([node.size[0], least[1]]);
    node.setDirtyCanvas?.(true, true);
  }
}
