"""Procedural surfaces measured in metres, so that a shot looks the same at every size."""

from __future__ import annotations

import colorsys

import numpy as np


def color_of_hsv(hue: float, saturation: float, value: float) -> np.ndarray:
    """RGB in 0..1 from hue (turns), saturation and value."""
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value), np.float32)


class Texture:
    """A picture of a flat surface: `image` (h, w, 3) in 0..1, `scale` pixels a metre.

    Positions are metres: x to the right from `left`, y up, with `top` the height of the upper edge.
    """

    def __init__(self, left: float, top: float, width: float, height: float, *, scale: float, base=(0.5, 0.5, 0.5)):
        self.left, self.top, self.width, self.height, self.scale = left, top, width, height, scale
        shape = (max(2, round(height * scale)), max(2, round(width * scale)), 3)
        self.image = np.empty(shape, np.float32)
        self.image[:] = base

    def grid(self) -> tuple[np.ndarray, np.ndarray]:
        """The positions of the pixels: x (1, w) and y (h, 1) in metres."""
        h, w = self.image.shape[:2]
        x = self.left + (np.arange(w, dtype=np.float32) + 0.5) / self.scale
        y = self.top - (np.arange(h, dtype=np.float32) + 0.5) / self.scale
        return x[None], y[:, None]

    def noise(self, rng, *, cells: float, octaves: int = 4, fall: float = 0.6) -> np.ndarray:
        """Fractal noise (h, w) of about unit spread; the first octave has `cells` random values a metre.

        Octaves finer than the pixels are left out: they would only alias.
        """
        import cv2

        h, w = self.image.shape[:2]
        total = np.zeros((h, w), np.float32)
        for child, octave in zip(rng.spawn(octaves), range(octaves), strict=True):
            density = cells * 2**octave
            if octave and density > 0.7 * self.scale:
                break
            rows, columns = max(2, round(self.height * density)), max(2, round(self.width * density))
            lattice = child.standard_normal((rows, columns), dtype=np.float32)
            total += fall**octave * cv2.resize(lattice, (w, h), interpolation=cv2.INTER_CUBIC)
        power = sum(fall ** (2 * octave) for octave in range(octaves))
        return total / np.sqrt(power) * 1.3

    def shade(self, factor: np.ndarray):
        """Multiply by `factor` (h, w) or broadcastable to it."""
        self.image *= np.asarray(factor, np.float32)[..., None]

    def box(self, x: float, y: float, width: float, height: float, tint):
        """A rectangle whose lower left corner is (x, y). `tint` is a color or a picture to stretch over it."""
        import cv2

        h, w = self.image.shape[:2]
        x0, x1 = (int(np.clip(round((v - self.left) * self.scale), 0, w)) for v in (x, x + width))
        y0, y1 = (int(np.clip(round((self.top - v) * self.scale), 0, h)) for v in (y + height, y))
        if x1 <= x0 or y1 <= y0:
            return
        tint = np.asarray(tint, np.float32)
        if tint.ndim == 3:
            tint = cv2.resize(tint, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        self.image[y0:y1, x0:x1] = tint

    def disc(self, x: float, y: float, radius: float, tint):
        """A filled circle."""
        import cv2

        center = (round((x - self.left) * self.scale), round((self.top - y) * self.scale))
        cv2.circle(self.image, center, max(1, round(radius * self.scale)), [float(v) for v in tint], -1)

    def polygon(self, points, tint):
        """A filled polygon through `points` (N, 2)."""
        import cv2

        corners = (np.asarray(points, np.float32) - (self.left, self.top)) * (self.scale, -self.scale)
        cv2.fillPoly(self.image, [np.round(corners).astype(np.int32)], [float(v) for v in tint])


def paint_bricks(surface: Texture, rng, tint, *, width: float, height: float, joint: float, bond: float = 0.5):
    """Courses of bricks, planks or tiles; every piece has its own brightness. `bond` shifts every other course."""
    x, y = surface.grid()
    course = np.floor(y / height)
    column = np.floor(x / width + bond * (course % 2))
    table = rng.normal(1.0, 0.1, (64, 64)).astype(np.float32)
    tone = table[course.astype(int) % 64, column.astype(int) % 64]
    across = _line_mask(surface, (x / width + bond * (course % 2)) % 1.0 * width, width, joint)
    along = _line_mask(surface, y % height, height, joint)
    surface.image[:] = np.asarray(tint, np.float32) * tone[..., None]
    surface.shade(1 + (rng.choice([0.6, 1.25]) - 1) * np.maximum(across, along))


def _line_mask(surface: Texture, place: np.ndarray, period: float, thick: float) -> np.ndarray:
    """How much of each pixel lies on lines `thick` metres wide at multiples of `period`; `place` is in 0..period."""
    distance = np.minimum(place, period - place)
    cover = np.clip((thick / 2 - distance) * surface.scale + 0.5, 0, 1)
    return np.minimum(cover, thick * surface.scale)


def paint_stripes(surface: Texture, rng, tint, *, width: float):
    """Wallpaper: upright stripes of two tones."""
    x, _ = surface.grid()
    surface.image[:] = np.asarray(tint, np.float32)
    surface.shade(np.where(np.floor(x / width) % 2 == 0, np.float32(1.0), np.float32(rng.uniform(0.75, 0.92))))


def paint_art(rng, pixels: int = 48) -> np.ndarray:
    """A small abstract picture of bands and clouds for a frame on a wall, (pixels, pixels, 3).

    Blobs above each other pass for portraits with a person detector, bands do not.
    """
    import cv2

    hue = rng.random()
    picture = cv2.resize(rng.random((4, 4, 3), dtype=np.float32), (pixels, pixels), interpolation=cv2.INTER_CUBIC)
    picture = picture * 0.3 + color_of_hsv(hue, rng.uniform(0.2, 0.6), rng.uniform(0.4, 0.9)) * 0.7
    y, x = np.mgrid[:pixels, :pixels] / pixels
    for _ in range(rng.integers(2, 6)):
        tint = color_of_hsv(hue + rng.choice([0, 0.5, 0.33]), rng.uniform(0.3, 0.8), rng.uniform(0.2, 1))
        angle = rng.uniform(0, np.pi)
        band = np.abs(np.cos(angle) * (x - rng.random()) + np.sin(angle) * (y - rng.random())) < rng.uniform(0.03, 0.15)
        picture[band] = tint
    return np.clip(picture, 0, 1)
