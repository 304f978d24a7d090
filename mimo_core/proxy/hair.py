"""The character's hair, from what one picture shows of it: its color, and how far it hangs down behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .coarse import ask_coarsely, measure_distances
from .hands import LEAST_TEXELS, SAME_COLOR, color_distance, convert_to_lab
from .strands import draw_strands
from .surface import BodySurface
from .texture import TRUSTED_SHARE, BakedTexture


HAIR_NEIGHBORS = 12  # seen texels that are enough for hair
LEAST_HAIR = 0.1  # share of the head above the nose that must not be skin for it to be hair
HAIR_RANGE = (10, 28)  # levels around its color that are hair: its shine, but neither ribbons nor forehead
PALEST_HAIR, OTHER_HUE = 0.4, 12.0  # of its chroma that shine leaves; in Lab, across its hue
INNER = 0.75  # of the way from the middle of the head to its sides
HAIRLINES = (0.05, 0.35)  # quantiles of the height from which hair is looked for
CROWN = 0.15  # of the way down from the crown that may glow or be outlined
BESIDE_CHIN, HANGING_RANGE, HANGING_SHARE = 0.15, 56, 0.2  # heights above the chin; levels; share of what is seen there
HANGING_CLEAR = 0.75  # SURELY_HAIR beside the neck, where hair may be of a second color
BESIDE_NECK = (0.2, 0.2)  # of the head's width and height: how far beside and below the face hair is looked for
NECK_WIDTH = 0.87  # of the head's: where hair hangs down it is 0.91 and more, bare necks have up to 0.86 (2026-11-28)
NECK_ROWS = 0.25  # of the rows beside the neck that may be narrower
USUAL_SHARE, USUAL_FADE = 0.5, 0.08  # of all hair's tone far from what is seen; meters over which it comes in
STRAND_FADE = 0.01  # meters beside seen hair over which strands begin
HAIR_BAND = 0.05  # meters of height for which hair on the shoulders is asked at a time
LONGEST_HAIR = 8  # such bands below the chin
HAIR_SHARE = 0.12  # of a band's front that must have the hair's color: what hangs at one side of the neck
SHADES = 3  # tones of hair from shade to light that are asked for
SURELY_HAIR = 0.5  # of the distance to the face's color that hair on the shoulders may be away from the hair's
BEHIND_EAR = 0.02  # meters before a neck's axis from which hair beside it is seen
SHOULDER_REACH = 0.2  # meters from the middle within which hair is looked for
HAIR_WIDTH, HAIR_FADE = 0.1, 0.02  # meters: half the width of what hangs behind, and of its soft rim
HAIR_ROUNDING = 0.06  # meters that its sides end above its middle
TIP_HEIGHT, TIP_WAVES = 0.03, (0.027, 0.011)  # meters that tips differ in height, and from one to the next
WORN_SHARE = 0.35  # of the texels around one that have the hair's color
WORN_REACH, ARM_REACH = 0.3, 0.45  # meters from the middle within which hair may lie on shoulders, and on hanging arms
ARM_BANDS = 2  # of HAIR_BAND further down that hair on arms may reach: locks at the side are longest there
SHADOW_REACH = 0.03  # heights of the picture around hair on an arm in which its shadow lies
GARMENT_SHARE = 0.5  # of a band's front from which on what has the hair's color is a garment
SCATTERED_TEXELS = 600  # seen texels, so far apart that neighbors do not all lie on one line
BLENDED_TEXELS, DISTANCE_POWER, LEAST_DISTANCE = 48, 4, 0.004  # neighbors that are blended; meters


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
    hair = hair[_has_hue(shown[hair], tone)]
    return hair if len(hair) >= HAIR_NEIGHBORS else hair[:0]


def _has_hue(shown: NDArray, tone: NDArray) -> NDArray:
    """Which colors (n, 3) are a `tone` (3,) in more or less light, (n,) bool: a grey flower in fair hair is not."""
    chroma, own = convert_to_lab(shown)[:, 1:], convert_to_lab(tone[None])[0, 1:]
    along = np.clip(chroma @ own / max(float(own @ own), 1.0), PALEST_HAIR, None)
    return np.linalg.norm(chroma - along[:, None] * own, axis=1) < OTHER_HUE


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
    trusted = baked.seen > TRUSTED_SHARE
    left, right, rows = _find_neck(surface, baked, len(matte))
    width = right - left
    tone = np.median(baked.colors[hair], 0)
    face = surface.face & trusted
    for start, end in (
        (left - BESIDE_NECK[0] * width, left + width / 3),
        (right - width / 3, right + BESIDE_NECK[0] * width),
    ):
        part = np.s_[rows, max(0, int(start)) : max(0, int(end))]
        seen = colors[part][matte[part] > 127]
        alike = _is_tone(seen, tone, baked.colors[face], HANGING_RANGE, clear=HANGING_CLEAR)
        if not len(seen) or alike.mean() < HANGING_SHARE:
            return False
    return True


def hides_neck(surface: BodySurface, baked: BakedTexture, matte: NDArray) -> bool:
    """Whether the figure in a matte (H, W) is hardly anywhere much narrower below the face than the head is.

    Hair that hangs down makes it so, also locks beside the neck; below short hair or a knot the neck stands alone.
    """
    left, right, rows = _find_neck(surface, baked, len(matte))
    width = right - left
    aside = slice(*(max(0, int(end)) for end in (left - BESIDE_NECK[0] * width, right + BESIDE_NECK[0] * width)))
    inside = matte[rows, aside] > 127
    widths = np.where(inside.any(1), inside.shape[1] - inside.argmax(1) - inside[:, ::-1].argmax(1), 0)
    return not len(widths) or bool(np.quantile(widths, NECK_ROWS) > NECK_WIDTH * width)


def _find_neck(surface: BodySurface, baked: BakedTexture, side: int) -> tuple[float, float, slice]:
    """The head's left and right end, and the rows from the chin down the neck, on a picture of `side` pixels."""
    left, top, right, chin = _box_of(baked.place[surface.head > 0.5] * side)
    height = chin - top
    return left, right, slice(*(max(0, int(chin + share * height)) for share in (-BESIDE_CHIN, BESIDE_NECK[1])))


def _box_of(points: NDArray) -> tuple[float, float, float, float]:
    return tuple(np.quantile(points, (0.01, 0.99), axis=0).ravel().tolist())


def comb_hair(
    surface: BodySurface, shown: NDArray, hair: NDArray, target: NDArray, locks: NDArray | None = None
) -> NDArray:
    """Colors (n, 3) of hidden texels from the `hair` in front: its tone there, and strands as it has them.

    `locks` (m,) are all seen texels of hair, also in light and shade: near them their tone goes on, so that no edge
    shows where front and back meet. Without them it is that of `hair`.
    """
    if not len(target):
        return shown[target]
    locks = hair if locks is None else locks
    near = blend_nearest(surface, shown, locks, target)
    usual = blend_nearest(surface, shown, hair, target, DISTANCE_POWER / 4)
    away = measure_distances(surface, locks, target)[:, None]
    share = USUAL_SHARE * np.clip(away / USUAL_FADE, 0, 1)
    strands = 1 + (draw_strands(surface, shown, locks, target)[:, None] - 1) * np.clip(away / STRAND_FADE, 0, 1)
    return np.clip((usual * share + near * (1 - share)) * strands, 0, 255)


def hang_hair(
    surface: BodySurface,
    shown: NDArray,
    trusted: NDArray,
    hair: NDArray,
    locks: NDArray,
    end: float,
    colors: NDArray,
):
    """Hair down the neck and the back as far down as `end` (see `find_hair_end`), in `colors` (N, 3).

    `hair` (n,) and `locks` (m,) are what `comb_hair` asks for.
    """
    height, aside = surface.place[:, 1], np.abs(surface.place[:, 0])
    behind = ~trusted & ~_is_front(surface) & ~surface.arms & (surface.head < 0.5)
    target = np.flatnonzero(behind & (height > end) & (aside < SHOULDER_REACH))
    # Strands end at different heights, those in the middle last.
    tips = end + HAIR_ROUNDING * (aside[target] / HAIR_WIDTH) ** 2 + _vary_tips(surface.place[target, 0])
    share = np.clip(np.minimum(HAIR_WIDTH - aside[target], height[target] - tips) / HAIR_FADE, 0, 1)[:, None]
    colors[target] = comb_hair(surface, shown, hair, target, locks) * share + colors[target] * (1 - share)


def _vary_tips(across: NDArray) -> NDArray:
    """How much higher (n,) than the longest the tips of strands at `across` (n,) meters end, in meters."""
    waves = np.sin(across * 2 * np.pi / TIP_WAVES[0]) + np.sin(across * 2 * np.pi / TIP_WAVES[1] + 1)
    return TIP_HEIGHT * (waves / 4 + 0.5)


def find_worn_hair(
    surface: BodySurface, baked: BakedTexture, trusted: NDArray, hair: NDArray, end: float | None
) -> NDArray:
    """Which texels (N,) of shoulders, chest and arms show hair that lies on them down to `end`, None for none.

    Between strands lie shadows and shine, so the texels around each decide. Down an arm that hangs on the picture hair
    reaches a little further than on the chest beside it.
    """
    shown = baked.colors
    if end is None:
        return np.zeros(len(trusted), bool)
    aside, row = np.abs(surface.place[:, 0]), baked.place[:, 1]
    near = (surface.place[:, 1] > end - HAIR_BAND) & (aside < WORN_REACH)
    beside = trusted & (surface.trunk > 0.5) & (np.abs(surface.place[:, 1] - end + ARM_BANDS * HAIR_BAND) < HAIR_BAND)
    if beside.any():
        near |= surface.arms & (aside < ARM_REACH) & (row < np.median(row[beside]))
    near = np.flatnonzero(near & trusted & (surface.head <= 0.5))
    worn = np.zeros(len(trusted), bool)
    if len(near):
        alike = np.zeros((len(trusted), 1), np.float32)
        alike[near, 0] = _is_colored_like(surface, shown, trusted, hair, near)
        worn[near] = blend_nearest(surface, alike, near, near, DISTANCE_POWER / 4)[:, 0] > WORN_SHARE
        worn |= _find_shadow(surface, baked, trusted, worn)
    return worn


def _find_shadow(surface: BodySurface, baked: BakedTexture, trusted: NDArray, worn: NDArray) -> NDArray:
    """Which texels (N,) of arms beside `worn` hair (N,) on them are darker than the face's skin and not its color."""
    from scipy.spatial import cKDTree

    shadow = np.zeros(len(worn), bool)
    arms = surface.arms & trusted & ~surface.hands[0] & ~surface.hands[1]
    source, target = np.flatnonzero(worn & arms), np.flatnonzero(arms & ~worn)
    face = surface.face & trusted
    if len(source) < LEAST_TEXELS or not len(target) or face.sum() < LEAST_TEXELS:
        return shadow
    skin = convert_to_lab(np.median(baked.colors[face], 0)[None])[0]
    lab = convert_to_lab(baked.colors[target])
    target = target[(color_distance(lab, skin) > SAME_COLOR) & (lab[:, 0] < skin[0])]
    near = cKDTree(baked.place[source]).query(baked.place[target], distance_upper_bound=SHADOW_REACH)[0]
    shadow[target[np.isfinite(near)]] = True
    return shadow


def find_hair_end(surface: BodySurface, shown: NDArray, trusted: NDArray, hair: NDArray) -> float | None:
    """The height on the template down to which the front shows hair below the chin; None for none, or a garment."""
    chin, height = surface.place[surface.head > 0.5, 1].min(), surface.place[:, 1]
    asked = trusted & _is_front(surface) & ~surface.arms & (surface.head <= 0.5)
    asked &= (np.abs(surface.place[:, 0]) < SHOULDER_REACH) & (height < chin)
    asked = np.flatnonzero(asked & (height >= chin - LONGEST_HAIR * HAIR_BAND))
    is_hair, height = _is_colored_like(surface, shown, trusted, hair, asked), height[asked]
    shares = []
    for number in range(LONGEST_HAIR):
        top = chin - number * HAIR_BAND
        band = (height < top) & (height >= top - HAIR_BAND)
        if band.sum() < LEAST_TEXELS or is_hair[band].mean() < HAIR_SHARE:
            return top if number else None
        shares.append(is_hair[band].mean())
    # Skin in the shade below may look like hair that goes on; it hangs where least is seen of it.
    return None if max(shares) > GARMENT_SHARE else chin - (int(np.argmin(shares)) + 1) * HAIR_BAND


def _is_colored_like(surface: BodySurface, shown: NDArray, trusted: NDArray, hair: NDArray, asked: NDArray) -> NDArray:
    """Which of the texels `asked` (n,) have a color of the `hair` texels (m,), in shade or light, and not the face's.

    Fair hair and bare skin are alike, so nearness to the hair's color has to be clear.
    """
    face = shown[surface.face & trusted]
    by_brightness = hair[np.argsort(shown[hair].sum(1))]
    tones = [np.median(shown[part], 0) for part in np.array_split(by_brightness, SHADES) if len(part)]
    return np.any([_is_tone(shown[asked], tone, face) for tone in tones], axis=0)


def _is_tone(
    shown: NDArray, tone: NDArray, face: NDArray, levels: float = HAIR_RANGE[1], *, clear: float = SURELY_HAIR
) -> NDArray:
    """Which colors (N, 3) are within `levels` of a `tone` of hair (3,), and not those of the face (n, 3)."""
    alike = np.abs(shown - tone).mean(1) < levels
    if len(face):
        tones = convert_to_lab(np.stack([tone, np.median(face, 0)]))
        near = np.flatnonzero(alike)
        lab = convert_to_lab(shown[near])
        to_hair, to_skin = (color_distance(lab, tone) for tone in tones)
        alike[near] = to_hair < clear * to_skin
    return alike


def _is_front(surface: BodySurface) -> NDArray:
    return surface.place[:, 2] > surface.axis[:, 2] + BEHIND_EAR


def blend_nearest(
    surface: BodySurface, shown: NDArray, source: NDArray, target: NDArray, power: float = DISTANCE_POWER
) -> NDArray:
    """Colors (n, C) for texels `target` (n,), without steps, from `shown` (N, C) of the `source` texels around them.

    Inverse distance weighting (Shepard 1968) of a few of them, so that far away no single one shows.
    """
    from scipy.spatial import cKDTree

    scattered = source[:: max(1, len(source) // SCATTERED_TEXELS)]
    count = min(BLENDED_TEXELS, len(scattered))
    tree = cKDTree(surface.place[scattered])

    def blend(asked: BodySurface, texels: NDArray) -> NDArray:
        distance, nearest = tree.query(asked.place[texels], k=[*range(1, count + 1)], workers=-1)
        near = np.maximum(distance, LEAST_DISTANCE)
        weight = (near[:, :1] / near) ** power
        weight /= weight.sum(1, keepdims=True)
        return np.einsum("nk,nkc->nc", weight, shown[scattered[nearest]])

    return ask_coarsely(surface, target, blend)
