// The two kinds of files that the server hands over: arrays as safetensors, frames as sheets of small pictures.

const KINDS = { F32: Float32Array, I8: Int8Array, U8: Uint8Array, U16: Uint16Array };
const KEPT_SHEETS = 12;

// Arrays of a safetensors file, by name. https://huggingface.co/docs/safetensors: length, JSON header, raw numbers.
export function readArrays(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const arrays = {};
  for (const [name, { dtype, data_offsets: [start, stop] }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    arrays[name] = new KINDS[dtype](buffer.slice(8 + length + start, 8 + length + stop));
  }
  return arrays;
}

export async function fetchArrays(url, signal) {
  const reply = await fetch(url, { signal });
  if (!reply.ok) throw new Error(`${reply.status}`);
  return readArrays(await reply.arrayBuffer());
}

// Frames of a clip. A sheet is loaded when one of its frames is first asked for.
export class Sheets {
  constructor(grid, addresses, onLoad) {
    Object.assign(this, { grid, addresses, onLoad });
    this.images = new Map();
    this.perSheet = grid.across * grid.down;
  }

  // { image, x, y, width, height, sheet } of a frame, or null while it loads.
  at(frame) {
    const place = Math.floor(frame / this.grid.every);
    const sheet = Math.min(Math.floor(place / this.perSheet), this.addresses.length - 1);
    this.#load((sheet + 1) % this.addresses.length);
    const image = this.#load(sheet);
    if (!image.complete || !image.naturalWidth) return null;
    const within = Math.min(place - sheet * this.perSheet, this.perSheet - 1);
    const { width, height, across } = this.grid;
    return { image, sheet, x: (within % across) * width, y: Math.floor(within / across) * height, width, height };
  }

  #load(number) {
    let image = this.images.get(number);
    if (!image) {
      image = new Image();
      image.onload = () => this.onLoad();
      image.src = this.addresses[number];
    }
    this.images.delete(number);
    this.images.set(number, image); // the last one asked for is the last one forgotten
    for (const old of this.images.keys()) {
      if (this.images.size <= KEPT_SHEETS) break;
      this.images.delete(old);
    }
    return image;
  }

  dispose() {
    for (const image of this.images.values()) image.onload = null;
    this.images.clear();
  }
}
