// What a run has to say beside its result: until it is closed, or another run begins.

export class Messages {
  // `toast` is the page's; `titleOf(id)` names a node.
  constructor(toast, titleOf) {
    Object.assign(this, { toast, titleOf, told: new Map() });
  }

  // Tell what a node warns of, but nothing twice: two nodes that read a clip may say the same of it.
  warn(id, notes) {
    const texts = notes.filter(({ kind, text }) => kind === "warning" && !this.told.has(text)).map(({ text }) => text);
    if (texts.length) this.#tell("warn", id, texts);
  }

  fail(id, text) {
    this.#tell("error", id, [text.trim()]);
  }

  clear() {
    for (const message of new Set(this.told.values())) this.toast.remove(message);
    this.told.clear();
  }

  #tell(severity, id, texts) {
    const message = { severity, summary: this.titleOf(id), detail: texts.join("\n") };
    for (const text of texts) this.told.set(text, message);
    this.toast.add(message);
  }
}
