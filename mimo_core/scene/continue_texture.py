"""What no frame showed, put together from pieces of what was seen: folds, edges and grain go on, seams are blended."""

from __future__ import annotations

import numpy as np

from .expected_colors import continue_colors
from .fields import extrapolate_field
from .fill_patches import fill_patches
from .filters import LEAST_WEIGHT, average_colors, channel_maximum
from .gradient_blend import EDGE_LEVELS, blend_gradients
from .offset_labels import OffsetLabels
from .patch_offsets import describe_pixels, find_offsets


LABEL_PIXELS = 3000  # of a hole at the size at which its pieces are chosen
THIN_HOLE = 2.5  # pixels from the rim: what is nowhere deeper is filled softly, there is no room for texture
MARGIN = 0.7  # of the hole's longer side: pieces come from so far around it
COLOR_SPAN = 0.3  # of the root of a hole's area: colors averaged over it are those that are expected
BLEND_REACH = 0.16  # of the same: so far colors run over from the rim
RIM_SIGMA = 2.5  # pixels within which a thing that ends at the rim fades out
CALM_SIGMA, CALM_SHARE, CALM_DEPTH = 3.0, 0.45, 8.0  # detail finer than that, how much of it goes, from what depth
# Of the difference that chance gives, how far pieces may miss the rim that they continue; by eye on twenty-two real
# clips, 2026-11-28: 0.04 to 0.35 where walls, curtains, rows of lamps or a skyline went on, 0.42 and more in a
# market, a street, a furnished room. On four synthetic shots pieces of 0.24 to 0.36 are nearer to the truth.
GOOD_FIT = 0.4
LEAST_MARGIN = 16  # pixels
ROUGHNESS_WEIGHT = 2.0  # of the strength of texture against color, where both are compared with what is expected
# What it costs a pixel to come from above or below where all edges around the hole are level: sky over houses over a
# street, a wall over a couch over a table are layers, a curtain is none. By eye on five clips of half bodies.
LEVEL_COST = 24.0
GUIDE_SIGMA = 3.0  # pixels over which colors are averaged before they are compared with the expected ones


def continue_texture(picture: np.ndarray, unseen: np.ndarray, known: np.ndarray, ask=lambda: None) -> np.ndarray:
    """A picture (h, w, 3) uint8 with the pixels of `unseen` (h, w) bool continued from those of `known` (h, w) bool.

    Every connected part is filled by itself: pieces of its surroundings are chosen so that their seams show least
    (`offset_labels`), and their gradients joined (`gradient_blend`). Where surroundings do not repeat, pieces fit badly
    and the hole is filled by small patches instead (`fill_patches`). Pixels that are neither unseen nor known are not
    looked at. The same picture always gives the same. `ask` is called between steps, and may raise.
    """
    import cv2

    if not unseen.any() or not known.any():
        return picture
    result = np.where(unseen[..., None], extend_softly(picture, known), picture)
    ask()
    depth = cv2.distanceTransform(unseen.astype(np.uint8), cv2.DIST_L2, 3)
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(unseen.astype(np.uint8))
    deep = np.bincount(parts[depth >= THIN_HOLE], minlength=count) > 0
    for number in range(1, count):
        if not deep[number]:
            continue
        ask()
        x, y, width, height = boxes[number, :4]
        margin = max(LEAST_MARGIN, round(MARGIN * max(width, height)))
        part = slice(max(y - margin, 0), y + height + margin), slice(max(x - margin, 0), x + width + margin)
        hole = parts[part] == number
        filled = _fill_hole(result[part], hole, known[part], ask)
        result[part][hole] = filled[hole]
    return result


def extend_softly(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The colors of the pixels `known` (h, w) bool continued softly over the others, (h, w, 3) uint8."""
    dense = extrapolate_field(picture.astype(np.float32), known.astype(np.float32))
    return dense.clip(0, 255).astype(np.uint8)


def _fill_hole(picture: np.ndarray, hole: np.ndarray, known: np.ndarray, ask) -> np.ndarray:
    """One hole (h, w) bool of a picture, filled by pieces that are chosen at a smaller size; (h, w, 3) uint8."""
    scale = 1
    while hole.sum() > LABEL_PIXELS * scale**2:
        scale *= 2
    whole, rows, columns = (picture, hole, known), *hole.shape
    more = [(0, -side % scale) for side in hole.shape]
    picture, hole, known = np.pad(picture, [*more, (0, 0)]), np.pad(hole, more), np.pad(known, more)
    ask()
    labels, misfit = _choose_pieces(picture, hole, known, scale, ask)
    if labels is None:
        return whole[0]
    if misfit > GOOD_FIT:
        filled = fill_patches(*whole, ask).astype(np.float32)
        return _soften_rim(filled, *whole[1:]).clip(0, 255).round().astype(np.uint8)
    places = np.argwhere(hole)
    number = np.zeros(labels.hole.shape, int)
    number[labels.hole] = labels.labels
    ask()
    fine = OffsetLabels(hole, known, labels.offsets * scale)
    fine.labels = number[tuple((places // scale).T)]
    ask()
    joined = _join_pieces(picture.astype(np.float32), fine, ask)
    return joined[:rows, :columns].clip(0, 255).round().astype(np.uint8)


def _choose_pieces(picture: np.ndarray, hole: np.ndarray, known: np.ndarray, scale: int, ask):
    """Offsets for the hole at a `scale` times smaller size, and how badly pieces from anywhere fit.

    That is how far they miss the rim (`compare_rim`), less where all surroundings are alike (`measure_departure`). None
    and 1 where nothing looks like the rim.
    """
    import cv2

    hole, whole = _split_cells(hole, scale).any(2), _split_cells(known, scale).all(2)
    size = hole.shape[::-1]
    weight = known.astype(np.float32)
    share = np.maximum(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), 1e-6)
    small = cv2.resize(picture * weight[..., None], size, interpolation=cv2.INTER_AREA) / share[..., None]
    small = small.clip(0, 255).astype(np.uint8)
    looks = describe_pixels(small, whole)
    offsets = find_offsets(looks, hole, whole, ask)
    if not len(offsets):
        return None, 1.0
    labels, layers = OffsetLabels(hole, whole, offsets), _measure_layers(looks)
    appearance = _expect_appearance(small, looks, hole, whole, layers, ask)
    labels.choose(looks, *appearance, ask, level_cost=LEVEL_COST * layers)
    misfit = labels.compare_rim(looks) * min(1.0, labels.measure_departure(looks, *appearance))
    return labels, misfit


def _measure_layers(looks: np.ndarray) -> float:
    """How much of the change from pixel to pixel is up and down, 0 to 1; `looks` are those of `describe_pixels`."""
    across, down = np.abs(looks[..., -2:]).sum((0, 1))
    return float(down / max(across + down, 1e-6))


def _expect_appearance(
    picture: np.ndarray, looks: np.ndarray, hole: np.ndarray, known: np.ndarray, layers: float, ask
) -> tuple[np.ndarray, np.ndarray]:
    """Average color and roughness of each place (h, w, 4) float32, and what is expected from around the hole.

    Colors go on across rather than down by as much as the surroundings are `layers`, see `_measure_layers`.
    """
    import cv2

    rough = ROUGHNESS_WEIGHT * np.linalg.norm(looks, axis=2, keepdims=True)
    values = np.concatenate([picture.astype(np.float32), rough], axis=2)
    weight = known.astype(np.float32)
    average = cv2.GaussianBlur(values * weight[..., None], (0, 0), GUIDE_SIGMA)
    average /= np.maximum(cv2.GaussianBlur(weight, (0, 0), GUIDE_SIGMA), 1e-3)[..., None]
    expected = extrapolate_field(average, weight)
    expected[..., :3] += layers * (continue_colors(picture, hole, known, ask) - expected[..., :3])
    return average, expected


def _split_cells(mask: np.ndarray, scale: int) -> np.ndarray:
    """A mask (h, w) as cells of `scale` x `scale` pixels, (h / scale, w / scale, pixels)."""
    rows, columns = (side // scale for side in mask.shape)
    return mask.reshape(rows, scale, columns, scale).swapaxes(1, 2).reshape(rows, columns, -1)


def _join_pieces(picture: np.ndarray, labels: OffsetLabels, ask) -> np.ndarray:
    """The copied pieces (h, w, 3) float32, joined by their gradients: between two pieces, the mean of both."""
    hole, known = labels.hole, labels.known
    sources, is_known = labels.find_sources()
    ask()
    copied = picture.copy()
    copied[hole] = np.where(is_known[:, None], picture[tuple(sources.T)], picture[hole])
    size = np.sqrt(np.count_nonzero(hole))
    ask()
    copied[hole] += average_colors(picture - copied, hole | known, COLOR_SPAN * size)[hole]
    steps = []
    for step in ((0, 1), (1, 0)):
        ask()
        total, seen = np.zeros_like(picture), np.zeros(hole.shape, np.float32)
        for sign in (1, -1):  # as the pixel before and as the pixel after sees the step
            ask()
            beside = (sources + np.multiply(step, sign)).clip(0, np.array(hole.shape) - 1)
            usable = is_known & known[tuple(beside.T)]
            owner = labels.places if sign > 0 else labels.places - step
            usable &= (owner >= 0).all(1)
            at, change = tuple(owner[usable].T), picture[tuple(beside.T)] - picture[tuple(sources.T)]
            total[at] += sign * change[usable]
            seen[at] += 1
        steps.append(total / np.maximum(seen, 1)[..., None])
    joined = blend_gradients(copied, hole, known, *steps, reach=BLEND_REACH * size, ask=ask).astype(np.float32)
    ask()
    softened = _soften_rim(joined, hole, known)
    ask()
    return _calm_depth(softened, hole, known)


def _soften_rim(picture: np.ndarray, hole: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A filled picture (h, w, 3) float32 in which things that end at the rim of the hole fade into it.

    Gradients do not join them (`EDGE_LEVELS`), so they would end in the steps of the hole's outline. Where the hole
    ends with the picture, or at what is not known either, nothing tells what is there, and it stays.
    """
    import cv2

    depth = cv2.distanceTransform((~known).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)  # to what is known
    is_told = cv2.GaussianBlur(known.astype(np.float32), (0, 0), RIM_SIGMA) >= LEAST_WEIGHT
    away = average_colors(picture, known, RIM_SIGMA) - picture
    share = ((channel_maximum(np.abs(away)) - 0.5 * EDGE_LEVELS) / (0.5 * EDGE_LEVELS)).clip(0, 1)
    share *= (hole & is_told & (depth <= 3 * RIM_SIGMA)) * np.exp(-np.maximum(depth - 1, 0) / RIM_SIGMA)
    return picture + share[..., None] * away


def _calm_depth(picture: np.ndarray, hole: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A picture (h, w, 3) float32 with finest detail weaker deep in the hole, where it continues nothing."""
    import cv2

    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    share = CALM_SHARE * (1 - np.exp(-depth / CALM_DEPTH))
    return picture + share[..., None] * (average_colors(picture, hole | known, CALM_SIGMA) - picture)
