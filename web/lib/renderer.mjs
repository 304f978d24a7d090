// Draws skinned bodies, lines and one picture with WebGL 2. All viewers of a page share one context, because browsers
// keep only a few; each copies what was drawn for it onto a canvas of its own.

const BODY_VERTEX = `#version 300 es
uniform mat4 clip;
uniform vec4 flatten; // a shadow: w is the height of the floor, xyz the way of the light; w = 1e9 is no shadow
in vec3 place; in vec3 normal; in float foot;
out vec3 facing; out float side;
void main() {
  facing = normal;
  side = foot;
  vec3 world = place;
  if (flatten.w < 1e8) world += flatten.xyz * (world.y - flatten.w);
  gl_Position = clip * vec4(world, 1.0);
}`;

const BODY_FRAGMENT = `#version 300 es
precision mediump float;
uniform vec4 color; // alpha below 1: a shadow
uniform vec3 planted;
uniform vec2 feet; // 1 where the left, the right foot is planted
in vec3 facing; in float side;
out vec4 seen;
void main() {
  bool isPlanted = side > 0.5 && (side < 1.5 ? feet.x : feet.y) > 0.5;
  float light = 0.5 + 0.5 * dot(normalize(facing), normalize(vec3(0.35, 0.8, 0.5)));
  vec3 lit = isPlanted ? planted * (0.75 + 0.35 * light) : color.rgb * (0.35 + 0.75 * light);
  seen = color.a < 1.0 ? color : vec4(lit, 1.0);
}`;

const LINE_VERTEX = `#version 300 es
uniform mat4 clip;
in vec3 place;
void main() { gl_Position = clip * vec4(place, 1.0); }`;

const LINE_FRAGMENT = `#version 300 es
precision mediump float;
uniform vec4 color;
out vec4 seen;
void main() { seen = color; }`;

const PICTURE_VERTEX = `#version 300 es
uniform mat4 clip;
in vec3 place; in vec2 at;
out vec2 uv;
void main() { uv = at; gl_Position = clip * vec4(place, 1.0); }`;

const PICTURE_FRAGMENT = `#version 300 es
precision mediump float;
uniform sampler2D picture;
in vec2 uv;
out vec4 seen;
void main() { seen = vec4(texture(picture, uv).rgb, 1.0); }`;

const NO_SHADOW = [0, 0, 0, 1e9];
const LIGHT = [-0.35, -1, -0.2];
const SHADE = 0.4;

let shared = null;
let users = 0;

// The renderer of the page, or null where there is no WebGL 2. Give it back with `release`.
export function borrow() {
  if (!shared) {
    const canvas = document.createElement("canvas");
    const gl = canvas.getContext("webgl2", { antialias: true, alpha: false, stencil: true, powerPreference: "low-power" });
    if (!gl) return null;
    shared = new Renderer(canvas, gl);
  }
  users += 1;
  return shared;
}

export function release() {
  users -= 1;
  if (users > 0) return;
  shared.gl.getExtension("WEBGL_lose_context")?.loseContext();
  shared = null;
}

class Renderer {
  constructor(canvas, gl) {
    Object.assign(this, { canvas, gl });
    this.bodies = new Map(); // by the arrays they were made of
    this.texture = { owner: null };
    this.#prepare();
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.bodies.clear();
      this.texture = { owner: null };
      this.#prepare();
    });
  }

  #prepare() {
    const { gl } = this;
    this.body = this.#program(BODY_VERTEX, BODY_FRAGMENT);
    this.line = this.#program(LINE_VERTEX, LINE_FRAGMENT);
    this.picture = this.#program(PICTURE_VERTEX, PICTURE_FRAGMENT);
    this.places = gl.createBuffer();
    this.handle = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this.handle);
    for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, wrap, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR);
    gl.enable(gl.DEPTH_TEST);
  }

  #program(vertex, fragment) {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    const isLinked = gl.getProgramParameter(program, gl.LINK_STATUS) || gl.isContextLost();
    if (!isLinked) throw new Error(gl.getProgramInfoLog(program));
    return program;
  }

  // Buffers of a body, made when it is first drawn.
  #bodyOf(arrays) {
    let found = this.bodies.get(arrays);
    if (found) return found;
    const { gl } = this;
    const vao = gl.createVertexArray();
    gl.bindVertexArray(vao);
    const buffers = [];
    const fill = (target, values, use = gl.STATIC_DRAW) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(target, buffer);
      gl.bufferData(target, values, use);
      buffers.push(buffer);
      return buffer;
    };
    const attribute = (name, values, size, kind, use) => {
      const place = gl.getAttribLocation(this.body, name);
      const buffer = fill(gl.ARRAY_BUFFER, values, use);
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, size, kind, false, 0, 0);
      return buffer;
    };
    const [places, normals] = [new Float32Array(arrays.rest.length), new Float32Array(arrays.rest.length)];
    const placeBuffer = attribute("place", places, 3, gl.FLOAT, gl.DYNAMIC_DRAW);
    const normalBuffer = attribute("normal", normals, 3, gl.FLOAT, gl.DYNAMIC_DRAW);
    attribute("foot", arrays.foot, 1, gl.UNSIGNED_BYTE, gl.STATIC_DRAW);
    fill(gl.ELEMENT_ARRAY_BUFFER, arrays.faces);
    gl.bindVertexArray(null);
    found = { vao, buffers, places, normals, placeBuffer, normalBuffer, start: -1 };
    this.bodies.set(arrays, found);
    return found;
  }

  // The buffers of a body, moved by `bones`, a part of its transforms.
  #posed(arrays, bones) {
    const { gl } = this;
    const body = this.#bodyOf(arrays);
    if (body.start === bones.byteOffset) return body;
    skin(arrays, bones, body.places, body.normals);
    gl.bindBuffer(gl.ARRAY_BUFFER, body.placeBuffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, body.places);
    gl.bindBuffer(gl.ARRAY_BUFFER, body.normalBuffer);
    gl.bufferSubData(gl.ARRAY_BUFFER, 0, body.normals);
    body.start = bones.byteOffset;
    return body;
  }

  forget(arrays) {
    const found = this.bodies.get(arrays);
    if (!found) return;
    found.buffers.forEach((buffer) => this.gl.deleteBuffer(buffer));
    this.gl.deleteVertexArray(found.vao);
    this.bodies.delete(arrays);
  }

  begin(width, height, [red, green, blue]) {
    const { gl, canvas } = this;
    if (canvas.width < width || canvas.height < height) {
      canvas.width = Math.max(canvas.width, width);
      canvas.height = Math.max(canvas.height, height);
    }
    gl.viewport(0, 0, width, height);
    gl.enable(gl.SCISSOR_TEST);
    gl.scissor(0, 0, width, height);
    gl.clearColor(red, green, blue, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT | gl.STENCIL_BUFFER_BIT);
  }

  // Copy what was drawn since `begin` onto a canvas of that size.
  end(canvas) {
    const { width, height } = canvas;
    canvas.getContext("2d").drawImage(this.canvas, 0, this.canvas.height - height, width, height, 0, 0, width, height);
  }

  // `bones` are 24 rows of 3x4; colors are [r, g, b] in 0..1.
  drawBody(clip, arrays, bones, { color, planted, feet }) {
    this.#skinned(clip, arrays, bones, NO_SHADOW, () => {
      const { gl, body } = this;
      gl.uniform4f(gl.getUniformLocation(body, "color"), ...color, 1);
      gl.uniform3f(gl.getUniformLocation(body, "planted"), ...planted);
      gl.uniform2f(gl.getUniformLocation(body, "feet"), ...feet);
    });
  }

  // The shadow on the floor. Each pixel is darkened once, however many triangles fall on it.
  drawShadow(clip, arrays, bones, floor) {
    const { gl, body } = this;
    gl.depthMask(false); // the floor's lines lie in the same plane and are drawn over it
    gl.enable(gl.STENCIL_TEST);
    gl.stencilFunc(gl.EQUAL, 0, 255);
    gl.stencilOp(gl.KEEP, gl.KEEP, gl.INCR);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    this.#skinned(clip, arrays, bones, [...LIGHT, floor], () => {
      gl.uniform4f(gl.getUniformLocation(body, "color"), 0, 0, 0, SHADE);
    });
    gl.disable(gl.BLEND);
    gl.disable(gl.STENCIL_TEST);
    gl.depthMask(true);
  }

  #skinned(clip, arrays, bones, flatten, more) {
    const { gl, body } = this;
    gl.useProgram(body);
    gl.uniformMatrix4fv(gl.getUniformLocation(body, "clip"), false, clip);
    gl.uniform4f(gl.getUniformLocation(body, "flatten"), ...flatten);
    more();
    gl.bindVertexArray(this.#posed(arrays, bones).vao);
    gl.enable(gl.CULL_FACE); // the body is closed, and so is its shadow
    gl.drawElements(gl.TRIANGLES, arrays.faces.length, gl.UNSIGNED_SHORT, 0);
    gl.disable(gl.CULL_FACE);
    gl.bindVertexArray(null);
  }

  // Pairs of points, flat [x, y, z, ...].
  drawLines(clip, points, color, alpha = 1) {
    const { gl, line } = this;
    gl.useProgram(line);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.uniformMatrix4fv(gl.getUniformLocation(line, "clip"), false, clip);
    gl.uniform4f(gl.getUniformLocation(line, "color"), ...color, alpha);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.places);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(points), gl.DYNAMIC_DRAW);
    const place = gl.getAttribLocation(line, "place");
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 0, 0);
    gl.drawArrays(gl.LINES, 0, points.length / 3);
    gl.disableVertexAttribArray(place);
    gl.disable(gl.BLEND);
  }

  // A part { image, x, y, width, height } of a picture on four corners: top left, top right, bottom right, bottom left.
  drawPicture(clip, corners, part) {
    const { gl, picture } = this;
    gl.bindTexture(gl.TEXTURE_2D, this.handle);
    if (this.texture.owner !== part.image) {
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, part.image);
      this.texture = { owner: part.image };
    }
    const { naturalWidth: across, naturalHeight: down } = part.image;
    const [left, top] = [(part.x + 0.5) / across, (part.y + 0.5) / down];
    const [right, bottom] = [(part.x + part.width - 0.5) / across, (part.y + part.height - 0.5) / down];
    const [a, b, c, d] = corners;
    const values = [...a, left, top, ...d, left, bottom, ...b, right, top, ...c, right, bottom];
    gl.useProgram(picture);
    gl.uniformMatrix4fv(gl.getUniformLocation(picture, "clip"), false, clip);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.places);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(values), gl.DYNAMIC_DRAW);
    const [place, at] = [gl.getAttribLocation(picture, "place"), gl.getAttribLocation(picture, "at")];
    gl.enableVertexAttribArray(place);
    gl.enableVertexAttribArray(at);
    gl.vertexAttribPointer(place, 3, gl.FLOAT, false, 20, 0);
    gl.vertexAttribPointer(at, 2, gl.FLOAT, false, 20, 12);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.disableVertexAttribArray(place);
    gl.disableVertexAttribArray(at);
  }
}

// Linear blend skinning: places and normals of a body at rest, moved by 24 rows of 3x4. It is done here and not in a
// shader, because most who look at a motion without a graphics card wait for the vertices.
function skin({ rest, normals, bones, weights }, transforms, places, facing) {
  places.fill(0);
  facing.fill(0);
  for (let influence = 0; influence < bones.length; influence++) {
    const weight = weights[influence] / 255;
    if (weight === 0) continue;
    const at = 3 * (influence >> 2); // four influences a vertex
    const x = rest[at], y = rest[at + 1], z = rest[at + 2];
    const nx = normals[at], ny = normals[at + 1], nz = normals[at + 2];
    for (let row = 0, m = 12 * bones[influence]; row < 3; row++, m += 4) {
      const a = transforms[m], b = transforms[m + 1], c = transforms[m + 2];
      places[at + row] += weight * (a * x + b * y + c * z + transforms[m + 3]);
      facing[at + row] += weight * (a * nx + b * ny + c * nz);
    }
  }
}
