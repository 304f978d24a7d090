"""The sides and the back of the head: where they are hair and where skin, and of what color."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..body.model import free_body
from .coarse import measure_distances
from .hair import OTHER_HUE, blend_nearest, comb_hair
from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab
from .surface import EAR_RADIUS, HAIRLINE_FADE, BodySurface
from .texture import BakedTexture


EVIDENCE_REACH = 0.01  # meters from what is seen at which it counts as much as where hair grows on most heads
HAIRLINE_BLUR = 0.3  # of 1: the range of doubt over which hair goes over into skin
OTHER_RAY = 0.1  # of a color: so far from the skin's in any light it may be hair in the shade
BELOW_EAR, BEFORE_EAR = 0.06, 0.04  # meters from an ear's middle within which hair that covers it hangs
BRIGHTEST_LOCK = 2.4  # times the hair's usual brightness: beyond it is what shines through or behind
ROW, ROWS_BLUR = 0.006, 4  # meters of height that are asked together; such rows around that count
EDGE = 0.003  # of the texture's side: over which what is seen of a head ends
SLANT = (0.15, 0.5)  # cosines to the line of sight; below 0.6 a lit cheek turned gray before ears (2026-11-28)
SIDE_OF_FACE = (0.65, 0.9)  # sines of the angle between a head's front, which keeps its light, and its side
BLEACHED, PALE = 18.0, (0.65, 0.25)  # of Lab's lightness above the face's; of its chroma
DIMMED = 0.7  # of the way to the face's color
GLOW, DIMMED_GLOW = (84.0, 92.0), 0.8  # of Lab's lightness: hair that is blown out; of the way to the hair's color
OUTERMOST = 0.12  # radians around the head
BELOW_NOSE = 0.01  # meters: down to there what is dark beside a face is no beard
UNTOLD = 0.45  # of what is neither hair nor skin: it shines
COVERED_SHARE = 0.8  # of what is seen there; beside bare ears at most 0.63 (six characters, 2026-11-28)


def find_locks(surface: BodySurface, shown: NDArray, trusted: NDArray, hair: NDArray) -> NDArray:
    """The seen texels (m,) of the head that are hair in whatever light, those of `hair` (n,) among them."""
    if not len(hair):
        return hair
    other = np.setdiff1d(np.flatnonzero((surface.head > 0.5) & trusted), hair)
    other = other[shown[other].mean(1) < BRIGHTEST_LOCK * np.median(shown[hair].mean(1))]
    return np.union1d(hair, other[_is_shaded_hair(surface, shown, trusted, other, shown[hair])])


def soften_edge(surface: BodySurface, baked: BakedTexture) -> NDArray:
    """How far texels are seen, (N,) 0 to 1: at a head's sides it ends softly, and specks count for nothing."""
    import cv2

    seen, side = baked.seen, surface.atlas.side
    radius = max(1, round(EDGE * side))
    picture = surface.atlas.picture(seen[:, None].astype(np.float32)).reshape(side, side)
    soft = cv2.GaussianBlur(picture, (0, 0), radius)[surface.atlas.row.numpy(), surface.atlas.column.numpy()]
    softer = np.minimum(seen, np.clip(2 * soft - 1, 0, 1))
    aside = _find_sides(surface, baked.facing)
    return (softer * aside + seen * (1 - aside)).astype(seen.dtype)


def _find_sides(surface: BodySurface, facing: NDArray | None) -> NDArray:
    """How far texels are on a head's sides that the picture shows at a slant, by `facing` (N,) cosines; (N,) 0 to 1.

    A side that it shows from the front is seen as well as any face.
    """
    low, high = SIDE_OF_FACE
    aside = np.clip((surface.sideways - low) / (high - low), 0, 1) * (surface.head > 0.5)
    if facing is None:
        return aside
    low, high = SLANT
    return np.minimum(aside, np.clip((high - facing) / (high - low), 0, 1))


def dim_shine(surface: BodySurface, baked: BakedTexture, trusted: NDArray, hair: NDArray, *, is_long: bool) -> NDArray:
    """The baked colors (N, 3), but calm where light from aside bleaches a head's sides.

    Such light belongs to one view: on a head that turns it is a patch. `hair` (n,) are texels of usual hair.
    """
    shown, face = baked.colors, np.flatnonzero(surface.face & trusted)
    if len(face) < LEAST_TEXELS:
        return shown
    tone = np.median(shown[face], 0)
    lab, own = convert_to_lab(shown), convert_to_lab(tone[None])[0]
    chroma = lab[:, 1:] @ own[1:] / max(float(own[1:] @ own[1:]), 1.0)
    bleached = np.clip((lab[:, 0] - own[0]) / BLEACHED - 1, 0, 1) * np.clip((PALE[0] - chroma) / PALE[1], 0, 1)
    aside = _find_sides(surface, baked.facing)
    bare = np.minimum(1 - surface.scalp, 1 - surface.covered if is_long else 1)
    dimmed = _mix(shown, tone, DIMMED * bleached * aside * bare)
    if not len(hair):
        return dimmed
    tone = np.median(shown[hair], 0)
    is_dark = convert_to_lab(tone[None])[0, 0] < GLOW[0] - BLEACHED
    glow = np.clip((lab[:, 0] - GLOW[0]) / (GLOW[1] - GLOW[0]), 0, 1) * is_dark
    return _mix(dimmed, tone, DIMMED_GLOW * glow * aside * (1 - bare))


def _mix(shown: NDArray, tone: NDArray, share: NDArray) -> NDArray:
    """Colors (N, 3), a `share` (N,) of the way to a `tone` (3,)."""
    return (shown * (1 - share[:, None]) + tone * share[:, None]).astype(shown.dtype)


def grow_head(
    surface: BodySurface,
    shown: NDArray,
    trusted: NDArray,
    hair: NDArray,
    locks: NDArray,
    colors: NDArray,
    *,
    is_long: bool,
):
    """Give what is hidden of the head in `colors` (N, 3) the colors of its seen `hair` (n,) or of its skin.

    `locks` (m,) are what `find_locks` says. Hair that `is_long` covers ears and nape. Where nothing of the head is seen
    nothing changes.
    """
    head = surface.head > 0.5
    seen = np.flatnonzero(head & trusted)
    target = np.flatnonzero((head | (surface.nape & is_long)) & ~trusted)
    if len(seen) < LEAST_TEXELS or not len(target):
        return
    is_hair = np.zeros(len(trusted), bool)
    is_hair[hair] = True
    other = seen[~is_hair[seen]]
    bare = _find_bare(surface, shown, trusted, other, shown[hair])
    painted = blend_nearest(surface, shown, bare if len(bare) >= LEAST_TEXELS else seen, target)
    if len(hair):
        usual = np.where(is_long | _find_covered_sides(surface, seen, locks), surface.covered, 0)
        told = _score_hair(shown, seen, locks, bare, is_long=is_long)
        usual = np.maximum(usual, _find_behind_locks(surface, seen, told, is_long=is_long))
        share = _share_hair(surface, is_hair, hair, bare, target, np.maximum(surface.scalp, usual))[:, None]
        painted = comb_hair(surface, shown, hair, target, locks) * share + painted * (1 - share)
    colors[target] = painted


def _find_bare(surface: BodySurface, shown: NDArray, trusted: NDArray, other: NDArray, hair: NDArray) -> NDArray:
    """Those of the head's seen texels `other` (n,) than hair that have the face's color; all if no face is seen.

    Locks of `hair` (m, 3) in the shade are nearer to it than to the face.
    """
    face = surface.face & trusted
    if face.sum() < LEAST_TEXELS:
        return other
    skin = convert_to_lab(np.median(shown[face], 0)[None])[0]
    alike = color_distance(convert_to_lab(shown[other]), skin) < SAME_COLOR
    return other[alike & ~_is_shaded_hair(surface, shown, trusted, other, hair)]


def _is_shaded_hair(surface: BodySurface, shown: NDArray, trusted: NDArray, other: NDArray, hair: NDArray) -> NDArray:
    """Which texels `other` (n,) are nearer to the color of `hair` (m, 3), in whatever light, than to the face's."""
    face = surface.face & trusted
    if face.sum() < LEAST_TEXELS or not len(hair):
        return np.zeros(len(other), bool)
    colors, tones = shown[other], [np.median(shown[face], 0), np.median(hair, 0)]
    lab = convert_to_lab(colors)
    to_skin, to_hair = (color_distance(lab, convert_to_lab(tone[None])[0]) for tone in tones)
    off_skin, off_hair = (_leave_ray(colors, tone) for tone in tones)
    return ((to_hair < to_skin) & (to_hair < SAME_COLOR)) | ((off_skin > OTHER_RAY) & (off_hair < off_skin / 2))


def _leave_ray(colors: NDArray, tone: NDArray) -> NDArray:
    """How far colors (n, 3) are from a tone (3,) in more or less light, (n,), in shares of themselves."""
    light = colors @ tone / max(float(tone @ tone), 1.0)
    return np.linalg.norm(colors - light[:, None] * tone, axis=1) / np.maximum(np.linalg.norm(colors, axis=1), 1.0)


def _find_covered_sides(surface: BodySurface, seen: NDArray, locks: NDArray) -> NDArray:
    """Which texels (N,) are on a side of the head whose `seen` ones (n,) beside the ear are nearly all `locks`."""
    body, place = free_body(), surface.place
    is_lock = np.zeros(len(place), bool)
    is_lock[locks] = True
    sides = np.zeros(len(place), bool)
    for name in ("left_ear", "right_ear"):
        ear = body.template[body.landmarks[name]].numpy()
        is_side = place[:, 0] * ear[0] > 0
        down, before = ear[1] - place[seen, 1], place[seen, 2] - ear[2]
        beside = seen[is_side[seen] & (down > 0) & (down < BELOW_EAR) & (before < BEFORE_EAR)]
        if len(beside) >= LEAST_TEXELS and is_lock[beside].mean() > COVERED_SHARE:
            sides |= is_side
    return sides


def _find_behind_locks(surface: BodySurface, seen: NDArray, is_hair: NDArray, *, is_long: bool) -> NDArray:
    """How surely texels (N,) lie behind hair, 0 to 1: at their height the outermost of the `seen` ones (n,) are hair.

    `is_hair` (n,) says how surely those are, see `_score_hair`. From the middle of a face around to the back skin goes
    over into hair once. Hair that is not `is_long` leaves out ears, and below them what is dark may be a beard.
    """
    body, place = free_body(), surface.place
    ear, nose = (body.template[body.landmarks[name]].numpy() for name in ("left_ear", "nose"))
    angle = np.arctan2(np.abs(place[:, 0]), place[:, 2] - ear[2])
    row = np.floor((place[:, 1] - place[:, 1].min()) / ROW).astype(int)
    behind = np.zeros(len(place), np.float32)
    for sign in (-1, 1):
        mine = place[seen, 0] * sign > 0
        rows, angles = row[seen[mine]], angle[seen[mine]]
        last = np.full(row.max() + 1, -np.inf, np.float32)
        np.maximum.at(last, rows, angles)
        outer = angles > last[rows] - OUTERMOST
        sums = [np.bincount(rows[outer], values, len(last)) for values in (is_hair[mine][outer], None)]
        total, count = (np.convolve(values, np.hanning(2 * ROWS_BLUR + 1), mode="same") for values in sums)
        share = np.clip((total / np.maximum(count, 1e-6) - 0.5) / HAIRLINE_BLUR + 0.5, 0, 1)
        beyond = (place[:, 0] * sign > 0) & (surface.head > 0.5) & (angle > last[row] - OUTERMOST)
        behind = np.where(beyond, (share * (count > 0))[row], behind)
    if is_long:
        return behind
    off_ear = np.linalg.norm(place * [0, 1, 1] - ear * [0, 1, 1], axis=1) - EAR_RADIUS
    return behind * np.clip(off_ear / HAIRLINE_FADE, 0, 1) * (place[:, 1] > nose[1] - BELOW_NOSE)


def _score_hair(shown: NDArray, seen: NDArray, locks: NDArray, bare: NDArray, *, is_long: bool) -> NDArray:
    """How surely the `seen` texels (n,) are hair, (n,): 1 for `locks`, 0 for `bare` ones.

    Long hair may have ends of another color: there what has another hue than the skin is hair, too.
    """
    score = np.full(len(shown), UNTOLD, np.float32)
    if len(bare) and is_long:
        chroma, own = convert_to_lab(shown[seen])[:, 1:], convert_to_lab(np.median(shown[bare], 0)[None])[0, 1:]
        off = np.abs(chroma @ np.array([-own[1], own[0]])) / max(float(np.linalg.norm(own)), 1.0)
        score[seen] = np.where(off > OTHER_HUE, 1, UNTOLD)
    score[locks], score[bare] = 1, 0
    return score[seen]


def _share_hair(
    surface: BodySurface, is_hair: NDArray, hair: NDArray, bare: NDArray, target: NDArray, usual: NDArray
) -> NDArray:
    """How far the hidden texels (n,) are hair, (n,) 0 to 1: what is seen beside them, else as `usual` (N,)."""
    if not len(bare):
        return np.ones(len(target))
    told = np.concatenate([hair, bare])
    beside = blend_nearest(surface, is_hair[:, None].astype(np.float32), told, target)[:, 0]
    trust = np.exp(-measure_distances(surface, told, target) / EVIDENCE_REACH)
    share = np.clip((beside * trust + usual[target] * (1 - trust) - 0.5) / HAIRLINE_BLUR + 0.5, 0, 1)
    return share * share * (3 - 2 * share)
