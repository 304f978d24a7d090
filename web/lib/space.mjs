// 4x4 matrices, column by column as WebGL wants them, and the two cameras of the motion viewer.

export function multiply(a, b) {
  const out = new Float32Array(16);
  for (let column = 0; column < 4; column++) {
    for (let row = 0; row < 4; row++) {
      let sum = 0;
      for (let k = 0; k < 4; k++) sum += a[4 * k + row] * b[4 * column + k];
      out[4 * column + row] = sum;
    }
  }
  return out;
}

export function fromRows(rows) {
  const out = new Float32Array(16);
  for (let row = 0; row < 4; row++) for (let column = 0; column < 4; column++) out[4 * column + row] = rows[4 * row + column];
  return out;
}

// World point of a camera-space point, for a rigid camera_from_world given in rows.
export function worldFromCamera(rows, [x, y, z]) {
  const moved = [x - rows[3], y - rows[7], z - rows[11]];
  return [0, 1, 2].map((k) => rows[k] * moved[0] + rows[4 + k] * moved[1] + rows[8 + k] * moved[2]);
}

// Clip space from camera space (x right, y down, z forward) for a pinhole camera whose picture of `size` is shown whole,
// in the middle of a view of width x height.
export function lensMatrix({ focal, center, size }, width, height, near = 0.05, far = 200) {
  const scale = Math.min(width / size[0], height / size[1]);
  const x = scale * center[0] + (width - scale * size[0]) / 2;
  const y = scale * center[1] + (height - scale * size[1]) / 2;
  return fromRows([
    (2 * scale * focal) / width, 0, (2 * x) / width - 1, 0,
    0, (-2 * scale * focal) / height, 1 - (2 * y) / height, 0,
    0, 0, (far + near) / (far - near), (-2 * far * near) / (far - near),
    0, 0, 1, 0,
  ]);
}

// A camera that circles a target: azimuth from +Z towards +X and elevation in radians, distance in metres.
export class Orbit {
  constructor() {
    this.field = 0.62; // radians from top to bottom
    this.home(0);
  }

  home(azimuth) {
    Object.assign(this, { azimuth, elevation: 0.16, distance: 3.9, shift: [0, 0] });
  }

  turn(right, down) {
    this.azimuth -= right;
    this.elevation = Math.max(-0.2, Math.min(1.5, this.elevation + down));
  }

  move(right, up) {
    this.shift = [this.shift[0] + right * this.distance, this.shift[1] + up * this.distance];
  }

  zoom(factor) {
    this.distance = Math.max(0.4, Math.min(40, this.distance * factor));
  }

  #axes() {
    const [sa, ca, se, ce] = [Math.sin(this.azimuth), Math.cos(this.azimuth), Math.sin(this.elevation), Math.cos(this.elevation)];
    return { right: [ca, 0, -sa], up: [-sa * se, ce, -ca * se], back: [sa * ce, se, ca * ce] };
  }

  matrix(target, width, height, near = 0.05, far = 200) {
    const { right, up, back } = this.#axes();
    const eye = [0, 1, 2].map(
      (k) => target[k] + back[k] * this.distance + right[k] * this.shift[0] + up[k] * this.shift[1],
    );
    const along = (axis) => -(axis[0] * eye[0] + axis[1] * eye[1] + axis[2] * eye[2]);
    const view = fromRows([...right, along(right), ...up, along(up), ...back, along(back), 0, 0, 0, 1]);
    const scale = 1 / Math.tan(this.field / 2);
    const lens = fromRows([
      (scale * height) / width, 0, 0, 0,
      0, scale, 0, 0,
      0, 0, (far + near) / (near - far), (2 * far * near) / (near - far),
      0, 0, -1, 0,
    ]);
    return multiply(lens, view);
  }
}
