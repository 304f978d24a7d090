"""The plate: the source frame with the person filled by what lies behind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.box import Box
from .background import BackgroundSamples, Canvas
from .inpaint import paint_unseen


LIGHT_LIMIT = 40.0  # levels by which local light may lift or lower the background
LIGHT_OUTLIER = 25.0  # a difference of this size is half distrusted: something moves there
GRAIN_BINS = 8  # brightness classes in which the noise of the source is measured
GRAIN_TILE = 256
SOLID = 243  # alpha from here on shows the colour of what is in front alone


@dataclass(frozen=True, eq=False)
class Background:
    """What lies behind the person, on the canvas of some frames."""

    canvas: Canvas
    picture: np.ndarray  # (h, w, 3) uint8
    seen: np.ndarray  # (h, w) uint8: 255 where some frame showed it, 0 where it was painted
    grain: Grain

    @classmethod
    def settled(cls, canvas: Canvas, samples: BackgroundSamples, wanted: np.ndarray, grain: Grain) -> Background:
        """The background from its samples. `wanted` (h, w) bool are the pixels that some frame needs."""
        seen = samples.count > 0
        # Only what is both needed and unseen is painted; the rest of the unseen canvas is never looked at.
        picture = paint_unseen(samples.median(), wanted & ~seen, known=seen)
        return cls(canvas, picture, seen.astype(np.uint8) * 255, grain)


@dataclass(frozen=True, eq=False)
class Patch:
    """The filled part of one plate frame, and how it was filled."""

    box: tuple[int, int, int, int]  # x0, y0, x1, y1
    pixels: np.ndarray  # (h, w, 3) uint8, equal to the source outside the hole
    hole: int  # pixels filled
    unseen: int  # of these, pixels that no frame showed


def fill(
    source: np.ndarray, hole: np.ndarray, background: Background, frame: int, *, front: np.ndarray, feather: float = 1.0
) -> Patch:
    """Fill `hole` (H, W) bool of a source frame (H, W, 3). Outside of it nothing changes.

    `front` (H, W) uint8 is the alpha of what passes in front of the person: it stays in the plate. The fill fades in
    over `feather` pixels from the rim of the hole, where the source must still be free of the person.
    """
    box = _box_around(hole)
    inside, alpha = box.cut(hole), box.cut(front)
    others = alpha > 0
    here = box.cut(source)
    picture, seen, reach = _looked_up(background, frame, box)
    free = ~inside & ~others & reach
    if not background.canvas.is_shift:
        picture = _aligned(picture, here, inside | others | ~reach)
    light = _light(here, picture, free)
    grain = background.grain.frame(picture, frame, box)
    weight = _fade(inside, feather)[..., None]
    filled = here * (1 - weight) + (picture + light + grain) * weight
    share = alpha[..., None].astype(np.float32) / 255
    pixels = (filled * (1 - share) + own_color(here, alpha) * share + 0.5).clip(0, 255).astype(np.uint8)
    pixels[~inside] = here[~inside]
    hidden = inside & (alpha < SOLID)
    return Patch(box, pixels, int(hidden.sum()), int((hidden & ~seen).sum()))


def own_color(source: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The colour (h, w, 3) of what lies in front without what shines through its soft edge: that of its solid part.

    The edge pixels of the source hold the colours of the person who was replaced; used as they are, they make a halo.
    """
    solid = alpha >= SOLID
    if not solid.any():
        return source
    return np.where(solid[..., None], source, continued(source.astype(np.float32), solid.astype(np.float32)))


def _box_around(hole: np.ndarray) -> Box:
    """The hole's box with room around it from which light is taken."""
    box = Box.of_mask(hole)
    margin = max(8, round(0.06 * max(box.width, box.height)))
    return box.expanded(margin, margin, *hole.shape)


def _looked_up(background: Background, frame: int, box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Background colours (float32), where they were seen, and where the canvas reaches."""
    import cv2

    canvas = background.canvas
    picture = canvas.lookup(background.picture, frame, box, flags=cv2.INTER_CUBIC)
    seen = canvas.lookup(background.seen, frame, box, flags=cv2.INTER_NEAREST) > 0
    return picture.astype(np.float32), seen, seen


def _aligned(picture: np.ndarray, here: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """The background moved by the small flow that is left around the hole, continued smoothly into it.

    Parallax and lens distortion make a homography miss by a pixel or two.
    """
    import cv2

    target = np.where(unknown[..., None], picture, here).astype(np.uint8)
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (target, picture.astype(np.uint8))]
    if min(grey[0].shape) < 24:
        return picture
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(*grey, None)
    flow = continued(flow, ~unknown & (np.abs(flow).max(-1) < 4))
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    moved = cv2.remap(picture, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    known = ~unknown
    before, after = (np.abs(image - here).mean(-1)[known].mean() if known.any() else 0.0 for image in (picture, moved))
    return moved if after < 0.95 * before else picture


def _light(here: np.ndarray, picture: np.ndarray, free: np.ndarray) -> np.ndarray:
    """How much brighter the frame is than the background, smooth, continued from the free pixels into the hole."""
    difference = here - picture
    size = np.abs(difference).max(-1)
    trust = free / np.square(1 + np.square(size / LIGHT_OUTLIER))
    return continued(difference.clip(-LIGHT_LIMIT, LIGHT_LIMIT), trust, smooth=3)


def continued(field: np.ndarray, weight: np.ndarray, *, smooth: int = 0) -> np.ndarray:
    """A field (h, w, C) made dense: weighted means of ever larger cells fill what has no weight (pull-push).

    The `smooth` finest levels are left out, which keeps only what varies slowly.
    """
    import cv2

    levels = [(field * weight[..., None].astype(np.float32), weight.astype(np.float32))]
    while max(levels[-1][1].shape) > 1:
        size = tuple((side + 1) // 2 for side in levels[-1][1].shape[::-1])
        levels.append(tuple(cv2.resize(level, size, interpolation=cv2.INTER_AREA) for level in levels[-1]))
    dense = None
    for number in reversed(range(len(levels))):
        total, trust = levels[number]
        total = total.reshape(*trust.shape, -1)
        mean = total / np.maximum(trust, 1e-6)[..., None]
        if dense is None:
            dense = mean
            continue
        dense = cv2.resize(dense, trust.shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(mean.shape)
        if number >= smooth:
            share = np.minimum(trust * 4, 1)[..., None]
            dense = dense + share * (mean - dense)
    return dense


def _fade(inside: np.ndarray, feather: float) -> np.ndarray:
    """0 outside the hole, 1 from `feather` pixels inside: the fill begins softly."""
    import cv2

    depth = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 3)
    return np.minimum(depth / max(feather, 1e-3), 1)


class Grain:
    """The noise of the source, measured against the background, and given back to what is filled."""

    def __init__(self):
        self._variances = [[] for _ in range(GRAIN_BINS)]
        self._correlations = []
        self._tile = None

    def measure(self, picture: np.ndarray, background: np.ndarray, usable: np.ndarray) -> None:
        """Learn from a frame (h, w, 3) and the noise-free background behind it where `usable` (h, w) bool."""
        residual = (picture.astype(np.float32) - background).mean(-1)
        height, width = (side // 8 * 8 for side in residual.shape)
        blocks = residual[:height, :width].reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2).reshape(-1, 8, 8)
        whole = usable[:height, :width].reshape(height // 8, 8, width // 8, 8).all((1, 3)).reshape(-1)
        blocks = blocks[whole] - blocks[whole].mean((1, 2), keepdims=True)
        light = background[:height, :width].mean(-1).reshape(height // 8, 8, width // 8, 8).mean((1, 3)).reshape(-1)
        variance = np.square(blocks).mean((1, 2))
        shelf = (light[whole] * GRAIN_BINS / 256).astype(int)
        for number in np.unique(shelf):
            # The calm quarter: in the others the background itself moves, or is misaligned.
            self._variances[number].append(float(np.percentile(variance[shelf == number], 25)))
        total = variance.sum()
        if total > 0:
            self._correlations.append(float((blocks[:, :, 1:] * blocks[:, :, :-1]).mean() / np.square(blocks).mean()))

    def frame(self, picture: np.ndarray, frame: int, box) -> np.ndarray:
        """Noise (h, w, 1) for a filled picture (h, w, 3), another for every frame."""
        if not self._correlations:
            return np.zeros((*picture.shape[:2], 1), np.float32)
        if self._tile is None:
            self._tile, self._levels = self._noise(), self._sigma()
        rows, columns = np.arange(box[1], box[3]), np.arange(box[0], box[2])
        shift = np.random.default_rng(frame).integers(GRAIN_TILE, size=2)
        tile = self._tile[np.ix_((rows + shift[0]) % GRAIN_TILE, (columns + shift[1]) % GRAIN_TILE)]
        shelf = (picture.mean(-1) * (GRAIN_BINS / 256)).astype(int).clip(0, GRAIN_BINS - 1)
        return (tile * self._levels[shelf])[..., None]

    def _sigma(self) -> np.ndarray:
        known = [number for number, values in enumerate(self._variances) if values]
        sigma = [np.sqrt(np.median(self._variances[number])) for number in known]
        return np.interp(np.arange(GRAIN_BINS), known, sigma).astype(np.float32)

    def _noise(self) -> np.ndarray:
        """White noise smoothed to the neighbour correlation of the source, variance 1."""
        import cv2

        correlation = float(np.clip(np.median(self._correlations), 0, 0.7))
        side = 0.0 if correlation < 0.02 else (1 - np.sqrt(1 - 2 * correlation**2)) / (2 * correlation)
        kernel = np.array([side, 1.0, side])
        white = np.random.default_rng(0).standard_normal((GRAIN_TILE, GRAIN_TILE)).astype(np.float32)
        noise = cv2.sepFilter2D(white, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)
        return noise / noise.std()
