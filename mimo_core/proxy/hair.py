"""The character's hair, from what one picture shows of it: its color, and how far it hangs down behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab
from .surface import BodySurface
from .texture import TRUSTED_SHARE, BakedTexture


HAIR_NEIGHBORS = 12  # seen texels of hair that decide about a hidden one
LEAST_HAIR = 0.1  # share of the head above the nose that must not be skin for it to be hair
HAIR_RANGE = (10, 28)  # levels around its color that are hair: its shine, but neither ribbons nor forehead
INNER = 0.75  # of the way from the middle of the head to its sides
HAIRLINES = (0.05, 0.35)  # quantiles of the height from which hair is looked for
CROWN = 0.15  # of the way down from the crown that may glow or be outlined
BESIDE_CHIN, HANGING_RANGE, HANGING_SHARE = 0.15, 56, 0.2  # heights above the chin; levels; share of what is seen there
BESIDE_NECK = (0.2, 0.2)  # of the head's width and height: how far beside and below the face hair is looked for
STRANDS = 16  # from left to right over the head, for each of which the hairline is looked up
STRAND_LENGTH = 0.25  # meters that hair from hairline to crown counts for when a strand is looked up
STRAND_TEXELS = 3  # seen texels that make a hidden one: more would blur strands
STRAND_INWARDS = 0.85  # sides take what lies a little further in, not the last pixels of the outline
STRAND_SHARE = 0.5  # of strands from the front, the rest is the tone of the nearest hair: behind it is often in shade
STRAND_FADE = 0.03  # meters over which hair that is seen goes over into strands from elsewhere
HAIR_BAND = 0.05  # meters of height for which hair on the shoulders is asked at a time
LONGEST_HAIR = 8  # such bands below the chin
HAIR_SHARE = 0.12  # of a band's front that must have the hair's color: what hangs at one side of the neck
SURELY_HAIR = 0.5  # of the distance to the face's color that hair on the shoulders may be away from the hair's
BEHIND_EAR = 0.02  # meters before a neck's axis from which hair beside it is seen
SHOULDER_REACH = 0.2  # meters from the middle within which hair is looked for
HAIR_WIDTH, HAIR_FADE = 0.1, 0.02  # meters: half the width of what hangs behind, and of its soft rim


def find_hair(surface: BodySurface, shown: NDArray, trusted: NDArray) -> NDArray:
    """Seen texels (n,) of the head above the nose with the color of its hair; none if too little is seen.

    The scalp and what is not colored like the face are hair, or a hat; a bald head's scalp is skin. Both are asked:
    hair may have the face's color, a scalp a glow around it.
    """
    visible = np.flatnonzero(surface.hair & trusted)
    face = surface.face & trusted
    if face.sum() >= LEAST_TEXELS:
        above = np.flatnonzero((surface.head > 0.5) & trusted & (surface.place[:, 1] > surface.place[face, 1].max()))
        skin = convert_to_lab(np.median(shown[face], 0)[None])[0]
        other = above[color_distance(convert_to_lab(shown[above]), skin) > SAME_COLOR]
        if len(other) >= max(LEAST_TEXELS, LEAST_HAIR * len(above)):
            visible = np.union1d(visible, other)
    if len(visible) < LEAST_TEXELS:
        return visible[:0]
    parts = [visible, *(visible[_find_inner(surface.place, visible, above)] for above in HAIRLINES)]
    part = min(parts, key=lambda texels: float(np.median(shown[texels], 0).sum()))  # neither glow nor face, if asked
    tone = np.median(shown[part], 0)
    spread = np.median(np.abs(shown[part] - tone).mean(1))
    hair = visible[np.abs(shown[visible] - tone).mean(1) <= np.clip(spread, *HAIR_RANGE)]
    return hair if len(hair) >= HAIR_NEIGHBORS else hair[:0]


def _find_inner(place: NDArray, visible: NDArray, hairline: float) -> NDArray:
    """Which of the texels (n,) lie between a quantile of their heights and the crown, not at the outline; all if few.

    At the outline hair glows or is outlined; lower down a fit that is a little off shows the face.
    """
    aside, height = np.abs(place[visible, 0]), place[visible, 1]
    low, middle, high = np.quantile(height, (0.05, hairline, 1.0))
    inner = (aside < INNER * np.quantile(aside, 0.95)) & (height > middle) & (height < high - CROWN * (high - low))
    return inner if inner.sum() >= LEAST_TEXELS else np.ones(len(visible), bool)


def falls_beside_neck(
    surface: BodySurface, baked: BakedTexture, hair: NDArray, colors: NDArray, matte: NDArray
) -> bool:
    """Whether hair is seen on both sides below the face, on the body or beside it, on colors (H, W, 3) in a matte."""
    if not len(hair):
        return False
    side, trusted = len(matte), baked.seen > TRUSTED_SHARE
    left, top, right, chin = _box_of(baked.place[surface.head > 0.5] * side)
    width, height = right - left, chin - top
    rows = slice(max(0, int(chin - BESIDE_CHIN * height)), max(0, int(chin + BESIDE_NECK[1] * height)))
    tone = np.median(baked.colors[hair], 0)
    face = surface.face & trusted
    for start, end in (
        (left - BESIDE_NECK[0] * width, left + width / 3),
        (right - width / 3, right + BESIDE_NECK[0] * width),
    ):
        part = np.s_[rows, max(0, int(start)) : max(0, int(end))]
        seen = colors[part][matte[part] > 127]
        if not len(seen) or _is_tone(seen, tone, baked.colors[face], HANGING_RANGE).mean() < HANGING_SHARE:
            return False
    return True


def _box_of(points: NDArray) -> tuple[float, float, float, float]:
    return tuple(np.quantile(points, (0.01, 0.99), axis=0).ravel().tolist())


def comb_hair(surface: BodySurface, shown: NDArray, hair: NDArray, target: NDArray) -> NDArray:
    """Colors (n, 3) of hidden texels of the head from the `hair` in front: its strands, drawn out over the back.

    Near hair that is seen they continue it.
    """
    from scipy.spatial import cKDTree

    if not len(target):
        return shown[target]
    place = surface.place
    top, width = place[hair, 1].max(), np.quantile(np.abs(place[hair, 0]), 0.9)
    low = _trace_hairline(place[hair], width)
    across = place[target, 0] * STRAND_INWARDS
    along = (place[target, 1] - place[target, 1].min()) / max(np.ptp(place[target, 1]), 1e-6)
    height = top - low[_strand_of(place[hair, 0], width)]
    level = (place[hair, 1] - top) / np.maximum(height, 1e-3) + 1
    tree = cKDTree(np.column_stack([place[hair, 0], level * STRAND_LENGTH]))
    asked = np.column_stack([across, along * STRAND_LENGTH])
    nearest = tree.query(asked, k=[*range(1, STRAND_TEXELS + 1)], eps=0.2, workers=-1)[1]
    strands = shown[hair[nearest]].mean(1)
    beside = nearest_colors(surface, shown, hair, target, HAIR_NEIGHBORS).mean(1)
    away = cKDTree(place[hair]).query(place[target], eps=0.5, workers=-1)[0]
    share = STRAND_SHARE * np.clip(away / STRAND_FADE, 0, 1)[:, None]
    return strands * share + beside * (1 - share)


def _trace_hairline(place: NDArray, width: float) -> NDArray:
    """The height down to which hair at places (n, 3) reaches in every strand, (STRANDS,)."""
    strand = _strand_of(place[:, 0], width)
    low = np.full(STRANDS, np.quantile(place[:, 1], 0.05))
    for number in range(STRANDS):
        if (strand == number).sum() >= HAIR_NEIGHBORS:
            low[number] = np.quantile(place[strand == number, 1], 0.05)
    return low


def _strand_of(across: NDArray, width: float) -> NDArray:
    return np.clip(((across / width + 1) / 2 * STRANDS).astype(int), 0, STRANDS - 1)


def hang_hair(surface: BodySurface, shown: NDArray, trusted: NDArray, hair: NDArray, colors: NDArray):
    """Hair down the neck and the back as far as `hair` (see `find_hair`) is seen to lie on the shoulders in front.

    Nothing changes in `colors` (N, 3) where it is not, or where the clothes have its color.
    """
    end = _find_end(surface, shown, trusted, hair) if len(hair) else None
    if end is None:
        return
    height, aside = surface.place[:, 1], np.abs(surface.place[:, 0])
    behind = ~trusted & ~_is_front(surface) & ~surface.arms & ~surface.hair
    target = np.flatnonzero(behind & (height > end) & (aside < SHOULDER_REACH))
    share = np.clip(np.minimum(HAIR_WIDTH - aside[target], height[target] - end) / HAIR_FADE, 0, 1)[:, None]
    grown = nearest_colors(surface, shown, hair, target, HAIR_NEIGHBORS).mean(1)
    colors[target] = grown * share + colors[target] * (1 - share)


def _find_end(surface: BodySurface, shown: NDArray, trusted: NDArray, hair: NDArray) -> float | None:
    """The height on the template down to which the front shows hair below the chin; None for none, or a garment."""
    chin, height = surface.place[surface.head > 0.5, 1].min(), surface.place[:, 1]
    asked = trusted & _is_front(surface) & ~surface.arms & (surface.head <= 0.5)
    asked &= np.abs(surface.place[:, 0]) < SHOULDER_REACH
    is_hair = _is_colored_like(surface, shown, trusted, hair)
    for number in range(LONGEST_HAIR):
        top = chin - number * HAIR_BAND
        band = asked & (height < top) & (height >= top - HAIR_BAND)
        if band.sum() < LEAST_TEXELS or is_hair[band].mean() < HAIR_SHARE:
            return top if number else None
    return None


def _is_colored_like(surface: BodySurface, shown: NDArray, trusted: NDArray, hair: NDArray) -> NDArray:
    """Which texels (N,) have the color of the `hair` texels and not the face's: fair hair and bare skin are alike."""
    return _is_tone(shown, np.median(shown[hair], 0), shown[surface.face & trusted])


def _is_tone(shown: NDArray, tone: NDArray, face: NDArray, levels: float = HAIR_RANGE[1]) -> NDArray:
    """Which colors (N, 3) are within `levels` of a `tone` of hair (3,), and not those of the face (n, 3)."""
    alike = np.abs(shown - tone).mean(1) < levels
    if len(face):
        tones = convert_to_lab(np.stack([tone, np.median(face, 0)]))
        lab = convert_to_lab(shown)
        to_hair, to_skin = (color_distance(lab, tone) for tone in tones)
        alike &= to_hair < SURELY_HAIR * to_skin
    return alike


def _is_front(surface: BodySurface) -> NDArray:
    return surface.place[:, 2] > surface.axis[:, 2] + BEHIND_EAR


def nearest_colors(surface: BodySurface, shown: NDArray, source: NDArray, target: NDArray, count: int) -> NDArray:
    """The colors of the `count` closest source texels to each target, (n, count, 3)."""
    from scipy.spatial import cKDTree

    tree = cKDTree(surface.place[source])
    return shown[source[tree.query(surface.place[target], k=[*range(1, count + 1)], eps=0.5, workers=-1)[1]]]
