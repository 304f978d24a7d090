"""The character's hair, from what one picture shows of it: its color, and how far it hangs down behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab
from .surface import BodySurface


HAIR_NEIGHBORS = 12  # seen texels of hair that decide about a hidden one
LEAST_HAIR = 0.1  # share of the head above the nose that must not be skin for it to be hair
HAIR_RANGE = (10, 28)  # levels around its color that are hair: its shine, but neither ribbons nor forehead
HAIR_BAND = 0.05  # meters of height for which hair on the shoulders is asked at a time
LONGEST_HAIR = 8  # such bands below the chin
HAIR_SHARE = 0.12  # of a band's front that must have the hair's color: what hangs at one side of the neck
SURELY_HAIR = 0.5  # of the distance to the face's color that hair on the shoulders may be away from the hair's
BEHIND_EAR = 0.02  # meters before a neck's axis from which hair beside it is seen
SHOULDER_REACH = 0.2  # meters from the middle within which hair is looked for
HAIR_WIDTH, HAIR_FADE = 0.1, 0.02  # meters: half the width of what hangs behind, and of its soft rim


def find_hair(surface: BodySurface, shown: NDArray, trusted: NDArray) -> NDArray:
    """Seen texels (n,) of the head above the nose with the color of its hair; none if too little is seen.

    What is not colored like the face is hair, or a hat. Where nearly all is, the scalp decides: a bald head's is skin.
    """
    visible = np.flatnonzero(surface.hair & trusted)
    face = surface.face & trusted
    if face.sum() >= LEAST_TEXELS:
        above = np.flatnonzero((surface.head > 0.5) & trusted & (surface.place[:, 1] > surface.place[face, 1].max()))
        skin = convert_to_lab(np.median(shown[face], 0)[None])[0]
        other = above[color_distance(convert_to_lab(shown[above]), skin) > SAME_COLOR]
        if len(other) >= max(LEAST_TEXELS, LEAST_HAIR * len(above)):
            visible = other
    if len(visible) < LEAST_TEXELS:
        return visible[:0]
    difference = np.abs(shown[visible] - np.median(shown[visible], 0)).mean(1)
    hair = visible[difference <= np.clip(np.median(difference), *HAIR_RANGE)]
    return hair if len(hair) >= HAIR_NEIGHBORS else hair[:0]


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
    middle, face = np.median(shown[hair], 0), surface.face & trusted
    alike = np.abs(shown - middle).mean(1) < HAIR_RANGE[1]
    if face.any():
        tones = convert_to_lab(np.stack([middle, np.median(shown[face], 0)]))
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
    return shown[source[tree.query(surface.place[target], k=[*range(1, count + 1)], eps=0.5)[1]]]
