// The strokes of Review Layers: [[layer, frame, add or remove, radius, [[x, y], ...]], ...] in pixels of the scene.

export const LONGEST = 20000; // characters; the server takes no more

export function readStrokes(text) {
  try {
    const strokes = JSON.parse(text.trim() || "[]");
    const isSound = Array.isArray(strokes) && strokes.every((stroke) => Array.isArray(stroke) && Array.isArray(stroke[4]));
    return isSound ? strokes : null;
  } catch {
    return null;
  }
}

// Fewer points for the same line: those that lie nearer than `limit` to the rest go (Ramer, Douglas, Peucker).
export function simplified(points, limit) {
  if (points.length < 3) return points;
  const [[ax, ay], [bx, by]] = [points[0], points[points.length - 1]];
  const length = Math.hypot(bx - ax, by - ay);
  let [farthest, at] = [0, 0];
  for (let k = 1; k < points.length - 1; k++) {
    const [x, y] = points[k];
    const off = length
      ? Math.abs((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / length
      : Math.hypot(x - ax, y - ay);
    if (off > farthest) [farthest, at] = [off, k];
  }
  if (farthest <= limit) return [points[0], points[points.length - 1]];
  return [...simplified(points.slice(0, at + 1), limit).slice(0, -1), ...simplified(points.slice(at), limit)];
}

// A stroke as it is stored: whole pixels, no point more than needed.
export function stored(layer, frame, mode, radius, points) {
  const whole = simplified(points, Math.max(0.5, radius / 8)).map(([x, y]) => [Math.round(x), Math.round(y)]);
  const kept = whole.filter(([x, y], k) => k === 0 || x !== whole[k - 1][0] || y !== whole[k - 1][1]);
  return [layer, frame, mode, Math.round(radius * 10) / 10, kept];
}

// Draw a stroke with a 2D context whose pixels are `scale` to one of the scene.
export function drawStroke(paint, [, , , radius, points], scale) {
  paint.lineCap = paint.lineJoin = "round";
  paint.lineWidth = 2 * radius * scale;
  paint.beginPath();
  paint.moveTo(points[0][0] * scale, points[0][1] * scale);
  for (const [x, y] of points) paint.lineTo(x * scale, y * scale);
  if (points.length === 1) paint.lineTo(points[0][0] * scale + 0.01, points[0][1] * scale);
  paint.stroke();
}
