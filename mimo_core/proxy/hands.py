"""Hands that show what lies behind them are worse than hands of one color.

A fit is rarely exact to a finger, so some texels of a hand fall beside it. They are told by their color.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .surface import BodySurface
from .texture import TRUSTED_SHARE, BakedTexture


# Set on 12 synthetic shots with estimated fit (2026-11-23): IoU 0.911 -> 0.917, 17.6 -> 17.8 dB.
LEAST_TEXELS = 50  # seen texels that are enough to go by
SAME_COLOR = 14.0  # in Lab, lightness counting a quarter: shading stays below, clothes and walls above
SURELY_HAND = 7.0  # the same below which a texel is fully trusted: stains of nails and background lie between
SHADOW = 25.0  # of lightness below the hand's color that is shading; all beyond counts in full
LIT_SKIN = (0.5, 0.9)  # of a face's texels by brightness: neither eyes, beard and shadow nor shine
SEEN_SHARE = 0.15  # of a hand's texels that must be seen for them to color the others
PALM_SHARE = 0.5  # share of a hand's seen texels, nearest to its middle, that say what color it is
PALM_ON_FACE = 0.2  # of the face that must have the color of both palms for them to be bare
BESIDE_HAND = 0.06  # heights of the picture around a hand within which what lies behind it is seen
PLACE_CELLS, OPEN_SHARE = 128, 0.6  # of the picture's height; of a hand that must lie beside the body to be in the open
LEAST_BEHIND = 0.05  # share of the texels beside a hand that must have its color for it to be what lies behind
HIDDEN_SHARE, BEFORE_ELBOW = 0.05, 0.08  # of the forearms that may be seen; meters above elbows that are asked
ELBOW_SHARE = 0.1  # of what is seen there that must be skin
BARE_SHARE = 0.5  # of what is seen of forearms that must have the face's color for them to be bare
SPREAD_TEXELS = 300  # seen texels of a hand that are asked for its color elsewhere
NEAREST_TEXELS = 60  # of them, whose median is taken: their shading, without the edges
FACE_MIDDLE = 0.03  # meters: half the width of what no hair hangs over


def narrow_face(surface: BodySurface, baked: BakedTexture) -> BodySurface:
    """The surface with a face as wide as skin is seen: hair over the cheeks widens the fitted head and lies on them.

    It is told by the color of the face's middle, or by both hands' where the face has that too: glasses and shadow
    may be most of its middle.
    """
    middle = surface.face & (np.abs(surface.place[:, 0]) < FACE_MIDDLE)
    trusted = baked.seen > TRUSTED_SHARE
    if (middle & trusted).sum() < LEAST_TEXELS:
        return surface
    whole, skin = (
        convert_to_lab(np.median(baked.colors[part & trusted], 0)[None])[0] for part in (surface.face, middle)
    )
    if color_distance(whole, skin) > SAME_COLOR:
        return surface.with_face(middle)
    return _keep_skin_of_hands(surface, baked, trusted, whole)


def _keep_skin_of_hands(surface: BodySurface, baked: BakedTexture, trusted: NDArray, whole: NDArray) -> BodySurface:
    """The surface with those texels of the face that have the color of both hands, if they agree on another one.

    `whole` (3,) is the face's usual color in Lab. Gloves have a color that no face has.
    """
    palms = [_palm_color(surface, baked.colors, hand & trusted) for hand in surface.hands]
    if any(palm is None for palm in palms) or color_distance(*palms) > SAME_COLOR:
        return surface
    tone = np.mean(palms, 0)
    face = np.flatnonzero(surface.face)
    alike = surface.face.copy()
    alike[face] = color_distance(convert_to_lab(baked.colors[face]), tone) < SAME_COLOR
    share = (alike & trusted).sum() / (surface.face & trusted).sum()
    is_other = color_distance(whole, tone) > SURELY_HAND and share > PALM_ON_FACE
    return surface.with_face(alike) if is_other else surface


def clean_hands(surface: BodySurface, baked: BakedTexture) -> BakedTexture:
    """The same texels, without trust in those of the hands that have not the hand's color.

    That is the face's, unless the middles of both hands agree on another one, gloves, which is not that of what lies
    behind them, trousers with hands in their pockets; beside the body, below sleeves, nothing is behind them.
    """
    trusted = baked.seen > TRUSTED_SHARE
    if (surface.face & trusted).sum() < LEAST_TEXELS:
        return baked
    shown = convert_to_lab(baked.colors)
    skin = np.median(shown[surface.face & trusted], 0)
    seen = baked.seen.copy()
    palms = [_palm_color(surface, baked.colors, hand & trusted) for hand in surface.hands]
    forearms = shown[surface.forearms & trusted]
    has_bare_arms = not len(forearms) or (color_distance(forearms, skin) < SAME_COLOR).mean() > BARE_SHARE
    gloves = all(palm is not None and color_distance(palm, skin) > SAME_COLOR for palm in palms)
    gloves = gloves and max(color_distance(*palms), color_distance(*palms[::-1])) < SAME_COLOR
    gloves = gloves and not any(
        _is_behind(surface, baked, shown, hand, palm) and (has_bare_arms or not _is_in_the_open(surface, baked, hand))
        for hand, palm in zip(surface.hands, palms, strict=True)
    )
    for hand, palm in zip(surface.hands, palms, strict=True):
        tone = palm if gloves else skin
        away = color_distance(shown[hand], tone)
        seen[hand] *= np.clip((SAME_COLOR - away) / (SAME_COLOR - SURELY_HAND), 0, 1)
        if not gloves and (hand & (seen > TRUSTED_SHARE)).sum() < SEEN_SHARE * hand.sum():
            seen[hand] = 0
    return replace(baked, seen=seen)


def color_hidden_hands(surface: BodySurface, baked: BakedTexture, colors: NDArray):
    """Give what is not seen of the hands in `colors` (N, 3) the color of what is seen of skin or gloves.

    It is the hand's own, else the other hand's, else that of bare forearms, else the face's: in pockets or behind the
    back next to nothing of a hand is seen. `baked` is what `clean_hands` left. Where nothing is seen nothing changes.
    """
    trusted = baked.seen > TRUSTED_SHARE
    own = [np.flatnonzero(hand & trusted) for hand in surface.hands]
    for hand, mine, other in zip(surface.hands, own, own[::-1], strict=True):
        texels = np.flatnonzero(hand)
        if len(mine) >= LEAST_TEXELS:
            painted = _continue_colors(surface, baked.colors, mine, texels)
        else:
            tone = _find_skin(surface, baked.colors, trusted, other)
            if tone is None:
                continue
            painted = np.broadcast_to(tone, (len(texels), 3))
        share = surface.grip[texels, None]
        colors[texels] = painted * share + colors[texels] * (1 - share)


def color_bare_forearms(surface: BodySurface, baked: BakedTexture, colors: NDArray):
    """Give forearms of which next to nothing is seen, in `colors` (N, 3), the skin that is seen at the elbows, if any.

    A short sleeve ends there; arms that point at the camera hide the rest.
    """
    trusted = baked.seen > TRUSTED_SHARE
    face = surface.face & trusted
    hands = surface.hands[0] | surface.hands[1]
    if face.sum() < LEAST_TEXELS or (surface.forearms & trusted).sum() > HIDDEN_SHARE * surface.forearms.sum():
        return
    elbow = np.abs(surface.place[surface.forearms, 0]).min()
    near = np.flatnonzero(trusted & surface.arms & ~hands & (np.abs(surface.place[:, 0]) > elbow - BEFORE_ELBOW))
    skin = near[color_distance(convert_to_lab(baked.colors[near]), _face_tone(baked.colors, face)) < SAME_COLOR]
    seen = surface.forearms[near]
    is_bare = len(skin) >= max(LEAST_TEXELS, ELBOW_SHARE * len(near))
    is_bare |= seen.sum() >= LEAST_TEXELS and surface.forearms[skin].sum() >= BARE_SHARE * seen.sum()
    if not is_bare:
        return
    share = surface.beyond_elbow[:, None]
    tone = _find_skin(surface, baked.colors, trusted, np.flatnonzero(hands & trusted))
    colors[:] = tone * share + colors * (1 - share)


def _face_tone(shown: NDArray, face: NDArray) -> NDArray:
    """The face's color in Lab, (3,)."""
    return convert_to_lab(find_lit_color(shown[face])[None])[0]


def _find_skin(surface: BodySurface, shown: NDArray, trusted: NDArray, other: NDArray) -> NDArray | None:
    """The color (3,) of a hand that is not seen: of the `other` one (n,), of bare forearms or of the face, or None."""
    if len(other) >= LEAST_TEXELS:
        return np.median(shown[other], 0)
    face = surface.face & trusted
    if face.sum() < LEAST_TEXELS:
        return None
    tone = find_lit_color(shown[face])
    arms = np.flatnonzero(trusted & surface.forearms & ~(surface.hands[0] | surface.hands[1]))
    bare = arms[color_distance(convert_to_lab(shown[arms]), convert_to_lab(tone[None])[0]) < SAME_COLOR]
    # The few texels that are seen at the end of a sleeve lie in its shade.
    is_bare = len(bare) >= max(LEAST_TEXELS, BARE_SHARE * len(arms), HIDDEN_SHARE * surface.forearms.sum())
    return np.median(shown[bare], 0) if is_bare else tone


def _continue_colors(surface: BodySurface, shown: NDArray, source: NDArray, target: NDArray) -> NDArray:
    """Colors (n, 3) for the `target` texels (n,), smoothly from those seen in `source` texels near them."""
    from scipy.spatial import cKDTree

    scattered = source[:: max(1, len(source) // SPREAD_TEXELS)]
    count = min(NEAREST_TEXELS, len(scattered))
    nearest = cKDTree(surface.place[scattered]).query(surface.place[target], k=[*range(1, count + 1)], workers=-1)[1]
    return np.median(shown[scattered[nearest]], 1)


def find_lit_color(shown: NDArray) -> NDArray:
    """The median (3,) of colors (n, 3) of skin that lie in the light."""
    brightness = shown.sum(1)
    low, high = np.quantile(brightness, LIT_SKIN)
    return np.median(shown[(brightness >= low) & (brightness <= high)], 0)


def _is_behind(surface: BodySurface, baked: BakedTexture, shown: NDArray, hand: NDArray, palm: NDArray) -> bool:
    """Whether the color `palm` of a hand (N,) bool is also that of what the picture shows beside it."""
    low, high = baked.place[hand].min(0) - BESIDE_HAND, baked.place[hand].max(0) + BESIDE_HAND
    near = ((baked.place > low) & (baked.place < high)).all(1) & (baked.seen > TRUSTED_SHARE) & ~surface.arms
    return bool(near.sum() >= LEAST_TEXELS and (color_distance(shown[near], palm) < SAME_COLOR).mean() > LEAST_BEHIND)


def _is_in_the_open(surface: BodySurface, baked: BakedTexture, hand: NDArray) -> bool:
    """Whether most of a hand (N,) bool lies beside trunk, legs and head on the picture."""
    cells = np.floor(np.clip(baked.place, 0, 1) * PLACE_CELLS).astype(int)
    cells = np.minimum(cells, PLACE_CELLS - 1)
    body = np.zeros((PLACE_CELLS, PLACE_CELLS), bool)
    body[tuple(cells[~surface.arms].T)] = True
    return bool((~body[tuple(cells[hand].T)]).mean() > OPEN_SHARE)


def _palm_color(surface: BodySurface, shown: NDArray, hand: NDArray) -> NDArray | None:
    """The color (3,) in Lab of the middle of what is seen of a `hand` (N,) bool in RGB `shown` (N, 3)."""
    if hand.sum() < LEAST_TEXELS:
        return None
    away = np.linalg.norm(surface.place[hand] - np.median(surface.place[hand], 0), axis=1)
    return np.median(convert_to_lab(shown[hand][away <= np.quantile(away, PALM_SHARE)]), 0)


def convert_to_lab(colors: NDArray) -> NDArray:
    """RGB (N, 3) 0..255 as Lab (N, 3)."""
    import cv2

    shown = (colors[None] / 255).astype(np.float32)
    return cv2.cvtColor(shown, cv2.COLOR_RGB2LAB)[0] if len(colors) else shown[0]


def color_distance(colors: NDArray, tone: NDArray) -> NDArray:
    """How far Lab colors (..., 3) are from a `tone` (3,), a quarter of the lightness counting, shadows more."""
    difference = (colors - tone) * np.array([0.25, 1, 1], np.float32)
    shadow = np.maximum(tone[..., 0] - colors[..., 0] - SHADOW, 0)
    return np.linalg.norm(difference, axis=-1) + shadow
