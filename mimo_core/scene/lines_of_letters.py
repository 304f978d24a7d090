"""Lines of letters that stand before the person for as long as they are there, known by the letters beside the person.

Letters of a line are strokes of one color, about as tall as each other, on a common base. Where such a line stands
still beside the person, what stands still within its rows over the person is more of it: cloth and shoes move with
whoever wears them.
"""

from __future__ import annotations

import numpy as np

from .filters import channel_maximum


FEWEST_LETTERS = 4  # of a line, over the person and beside them
FEWEST_BESIDE = 2  # of them
OVER_SHARE = 0.2  # of a letter that is over the person is not beside them
LEAST_HEIGHT, MOST_HEIGHT = 5, 0.15  # pixels, and of the height of the picture
MOST_WIDTH = 2.5  # heights of the line: a letter, or some that touch
LEAST_SHARE = 0.35  # of the height of its line: dots and dashes are no letters
BASE_SHARE = 0.2  # of the height of the line, by which letters stand above or below its base
ABOVE, BELOW = 0.15, 0.3  # of the height of the line, by which its strokes may reach beyond its rows
GAP = 2.5  # heights of the line: the next letter is so near, also behind a space
STROKE_SHARE = 0.3  # of the height of the line: strokes are thinner
CROWD_SHARE = 0.5  # of the ink of a line that may stand just above and below it
MOST_LINES = 4  # of a color: more are texture
DARK, PALE = 60, 200  # all channels below, all above: a border is one of them,
BORDER_SHARE = 0.5  # in so much of a ring around the letters


def find_line_letters(strokes: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Which strokes are of lines of letters that stand partly over the person, (h, w) bool.

    `strokes` (h, w) bool are those of one color that stand still, `person` (h, w) bool where somebody is all the time.
    """
    import cv2

    if not (strokes & person).any() or not (strokes & ~person).any():
        return np.zeros(strokes.shape, bool)
    count, label, stats, _ = cv2.connectedComponentsWithStats(strokes.astype(np.uint8), connectivity=8)
    over = np.bincount(label[person & strokes], minlength=count)
    depth = cv2.distanceTransform(strokes.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
    thickness, places = np.zeros(count), np.flatnonzero(strokes)
    np.maximum.at(thickness, label.reshape(-1)[places], 2 * depth.reshape(-1)[places])
    letters, kept = _Letters(stats, over > OVER_SHARE * stats[:, cv2.CC_STAT_AREA], thickness), np.zeros(count, bool)
    for numbers in letters.find_lines():
        kept[numbers] = True
    return kept[label]


def add_border(letters: np.ndarray, picture: np.ndarray, reach: float, *, is_pale: bool = True) -> np.ndarray:
    """Letters (h, w) bool of a picture (h, w, 3) uint8 with their border of at most `reach` pixels: a dark one, or a
    pale one too if it `is_pale`.

    How broad the border is, most of the letters tell: over clothes of its color it cannot be seen.
    """
    import cv2

    away = np.ceil(cv2.distanceTransform((~letters).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)).astype(int)
    is_near = (away > 1) & (away <= reach)
    size = np.bincount(away[is_near], minlength=int(reach) + 1)
    found = away <= 1  # right beside a stroke colors are mixed
    for of_border in (channel_maximum(picture) < DARK, (channel_maximum(~picture) < 255 - PALE) & is_pale):
        share = np.bincount(away[is_near & of_border], minlength=len(size)) / np.maximum(size, 1)
        width = 1 + int(np.argmin(np.r_[share[2:] > BORDER_SHARE, False]))
        found |= (away <= width) & of_border
    return found


class _Letters:
    """The connected strokes of one color, from OpenCV's statistics (N, 5), the first of which is no stroke."""

    def __init__(self, stats: np.ndarray, is_over: np.ndarray, thickness: np.ndarray):
        self.left, self.top, width, self.height, self.area = stats.T
        self.right, self.bottom, self.width = self.left + width, self.top + self.height, width
        self.is_over, self.thickness = is_over, thickness
        self.picture_height = int(self.height[0])

    def find_lines(self) -> list[np.ndarray]:
        """For each line that is partly over the person the numbers (N,) of its strokes."""
        may_be = (self.height >= LEAST_HEIGHT) & (self.height <= MOST_HEIGHT * self.picture_height)
        may_be &= self._are_thin(self.height)
        may_be[0] = False
        left, lines = may_be & ~self.is_over, []
        for seed in np.flatnonzero(left)[np.argsort(-self.height[left], kind="stable")]:
            if not left[seed]:
                continue
            tall, base = self.height[seed], self.bottom[seed]
            inside = (self.top >= base - (1 + ABOVE) * tall) & (self.bottom <= base + BELOW * tall)
            inside &= self._are_thin(tall)
            inside[0] = False
            line = self._chain(seed, inside)
            whole = line & (self.height >= LEAST_SHARE * tall) & (np.abs(self.bottom - base) <= BASE_SHARE * tall)
            left &= ~line
            if whole.sum() < FEWEST_LETTERS or (whole & ~self.is_over).sum() < FEWEST_BESIDE:
                continue
            if not self._is_crowded(line, base, tall):
                lines.append((bool((line & self.is_over).any()), np.flatnonzero(line)))
        return [line for is_over, line in lines if is_over] if len(lines) <= MOST_LINES else []

    def _are_thin(self, tall: int | np.ndarray) -> np.ndarray:
        """Which may be strokes (N,) bool of a line as `tall` as that."""
        return (self.thickness <= np.maximum(STROKE_SHARE * tall, 3)) & (self.width <= MOST_WIDTH * tall)

    def _chain(self, seed: int, inside: np.ndarray) -> np.ndarray:
        """Those `inside` (N,) bool the rows of a line that follow each other from `seed` without a wide gap."""
        numbers = np.flatnonzero(inside)
        numbers = numbers[np.argsort(self.left[numbers], kind="stable")]
        ends = np.maximum.accumulate(self.right[numbers])
        breaks = np.r_[0, np.cumsum(self.left[numbers][1:] - ends[:-1] > GAP * self.height[seed])]
        chained = np.zeros(len(inside), bool)
        chained[numbers[breaks == breaks[numbers == seed]]] = True
        return chained

    def _is_crowded(self, line: np.ndarray, base: int, tall: int) -> bool:
        """Whether there is as much of the color just above and below a line: it is no line then, but texture."""
        left, right = self.left[line].min(), self.right[line].max()
        beside = (self.left < right) & (self.right > left) & ~line
        beside[0] = False
        beside &= (self.bottom > base - (1 + BELOW) * tall) & (self.top < base + BELOW * tall)
        return bool(self.area[beside].sum() > CROWD_SHARE * self.area[line].sum())
