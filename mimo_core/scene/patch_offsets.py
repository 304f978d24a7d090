"""By how much a picture may be moved so that what it shows continues across the rim of a hole."""

from __future__ import annotations

import numpy as np


# By eye on the clips of a room, captions and a street, 2026-11-27; candidates beyond these were hardly ever chosen.
RIM_PATCHES = 36  # at most, of the rim, far from each other, that look for their like
PATCH_RADIUS = 6  # pixels
MATCHES = 3  # of each patch, and as many more that would fill most of the hole
LEAST_COVER = 0.7  # of what the best offset fills of the hole from what is known
MATCH_DISTANCE = 3  # pixels between two of them
LEAST_KNOWN = 8  # pixels of a patch
SHADE_SIGMA = 10.0  # pixels: what varies more slowly than this is light, and does not count
COLOR_WEIGHT = 0.5  # of color against its change from pixel to pixel


def describe_pixels(picture: np.ndarray, known: np.ndarray) -> np.ndarray:
    """What makes places of a picture (h, w, 3) uint8 alike: color less its slow part, and gradients, (h, w, 5) float32.

    Zero where a picture is not `known` (h, w) bool. Light may differ between places that continue each other.
    """
    import cv2

    weight = known.astype(np.float32)
    shade = cv2.GaussianBlur(picture * weight[..., None], (0, 0), SHADE_SIGMA)
    shade /= np.maximum(cv2.GaussianBlur(weight, (0, 0), SHADE_SIGMA), 1e-3)[..., None]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = np.zeros_like(grey), np.zeros_like(grey)
    across[:, 1:] = np.diff(grey, axis=1) * (known[:, 1:] & known[:, :-1])
    down[1:] = np.diff(grey, axis=0) * (known[1:] & known[:-1])
    return np.dstack([COLOR_WEIGHT * (picture - shade) * weight[..., None], across, down]).astype(np.float32)


def find_offsets(looks: np.ndarray, hole: np.ndarray, known: np.ndarray, ask=lambda: None) -> np.ndarray:
    """The offsets (K, 2), rows and columns, from places at the rim of `hole` (h, w) bool to places that look like them.

    `looks` (h, w, 5) is of `describe_pixels`. The best places of every patch that lie in what is `known` (h, w) bool,
    found by the sum of squared differences over the known part of the patch. `ask` is called for each patch.
    """
    import cv2

    rim = np.argwhere((cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & known)
    window = np.ones((2 * PATCH_RADIUS + 1,) * 2, np.uint8)
    whole = cv2.erode(known.astype(np.uint8), window, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    layers = [np.ascontiguousarray(looks[..., number]) for number in range(looks.shape[2])]
    squares = sum(layer * layer for layer in layers)
    cover = _measure_cover(hole, known)
    offsets = [np.zeros((0, 2), int)]
    for place in _pick_far_apart(rim, min(RIM_PATCHES, 4 + len(rim) // PATCH_RADIUS)):
        ask()
        offsets.append(_match_patch(layers, squares, known, whole, cover, place))
    return np.unique(np.concatenate(offsets), axis=0)


def _pick_far_apart(places: np.ndarray, count: int) -> np.ndarray:
    """At most `count` of some places (N, 2), each as far as can be from those before."""
    chosen, distance = [], np.full(len(places), np.inf)
    while len(chosen) < min(count, len(places)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.square(places - places[chosen[-1]]).sum(1))
    return places[chosen]


def _measure_cover(hole: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The share of the hole that each offset fills from what is known, (2h - 1, 2w - 1), no offset in the middle."""
    from scipy.fft import irfftn, next_fast_len, rfftn  # `scipy.signal` does the same and takes 0.5 s to import

    shape = [2 * side - 1 for side in hole.shape]
    size = [next_fast_len(side, True) for side in shape]
    waves = rfftn(known.astype(np.float32), size) * rfftn(hole[::-1, ::-1].astype(np.float32), size)
    return irfftn(waves, size)[: shape[0], : shape[1]] / hole.sum()


def _match_patch(layers, squares, known: np.ndarray, whole: np.ndarray, cover: np.ndarray, place) -> np.ndarray:
    """The offsets (M, 2) from the patch around a place to the patches most like it."""
    import cv2

    low = np.maximum(place - PATCH_RADIUS, 0)
    high = np.minimum(place + PATCH_RADIUS + 1, known.shape)
    part = slice(low[0], high[0]), slice(low[1], high[1])
    mask = known[part].astype(np.float32)
    if mask.sum() < LEAST_KNOWN:
        return np.zeros((0, 2), int)
    cost = cv2.matchTemplate(squares, mask, cv2.TM_CCORR)
    for layer in layers:
        cost -= 2 * cv2.matchTemplate(layer, layer[part] * mask, cv2.TM_CCORR)
    middle = place - low
    rows, columns = cost.shape
    cost[~whole[middle[0] : middle[0] + rows, middle[1] : middle[1] + columns]] = np.inf
    # The offset from the patch to its like at (0, 0) of `cost` is -low.
    rows_of_cover = slice(known.shape[0] - 1 - low[0], known.shape[0] - 1 - low[0] + rows)
    cover = cover[rows_of_cover, known.shape[1] - 1 - low[1] : known.shape[1] - 1 - low[1] + columns]
    filling = np.where(cover >= LEAST_COVER * cover.max(), cost, np.inf)
    return np.concatenate([_pick_lowest(cost) - low, _pick_lowest(filling) - low])


def _pick_lowest(cost: np.ndarray) -> np.ndarray:
    """The places (M, 2) of the lowest values of a map, which is changed, not too near to each other."""
    found = []
    while len(found) < MATCHES:
        best = np.array(np.unravel_index(cost.argmin(), cost.shape))
        if not np.isfinite(cost[tuple(best)]):
            break
        found.append(best)
        cost[tuple(slice(max(at - MATCH_DISTANCE, 0), at + MATCH_DISTANCE + 1) for at in best)] = np.inf
    return np.array(found, int).reshape(-1, 2)
