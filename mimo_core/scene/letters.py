"""Letters and logos that were drawn over the picture: they lie in front of everybody.

A drawn pixel has the same color while the person is at its place and while they are elsewhere, in vivid or black or
white strokes with hard edges. This is looked at in the clip's own size, where strokes are wide enough. Letters that the
person stands behind for as long as they are there are known by their line: it goes on beside the person
(`lines_of_letters`), or has strokes there of the same vivid color as letters that were found in the clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..media.store import FrameStore
from .filters import channel_maximum, dilate_mask, erode_mask
from .first_guess import WorkingClip
from .frame_views import SURE_PERSON
from .lines_of_letters import add_border, find_line_letters
from .moving_objects import remove_small


# On seven real clips, 2026-11-27: 1100 pixels a frame in the one with captions over the feet, 11 at most in the others.
SAME_LEVELS = 16  # of the first frame of a run: compression changes a drawn pixel by less
RUN_FRAMES = 7  # that a color holds at least
CUT_RUN_FRAMES = 4  # of a run that the clip's first or last frame cuts short
FREE_FRAMES = 2  # of them in which the person is elsewhere
FREE_ALPHA = 20  # of the first guess, below which the person is elsewhere
AWAY = 0.02  # of the body height beyond it: smaller holes in the first guess are the person
DEEP = 0.005  # of the body height inside the first guess: its rim says little
EDGE_LEVELS = 80  # across the edge of a stroke
VIVID, WHITE, BLACK = 150, 235, 20  # saturation and value; all channels above; all below
LEAST_LETTER = 2e-4  # of the squared body height
HUES = 15  # sectors of the color circle, counted from 1; 0 is not vivid
WHITE_INK = HUES + 1
INK_SHARE = 0.1  # of the vivid pixels of letters have the hue of an ink
INK_OWN = 0.3  # of all strokes of that hue over the person are such letters: it is not the hue of their clothes
INK_AREA = 1e-2  # of the squared body height: so many vivid pixels of letters, over all frames, make an ink
LINE_SHARE = 0.3  # of the rows hold lines at most: a color that is everywhere is the scene's
LINE_PIXELS = 2  # of a row beside the person that show ink: there is a line of letters
LINE_MARGIN = 0.01  # of the body height: rows so near belong to the line, and so wide is the white border of a letter
LEAST_BORDER = 3  # pixels: so broad a border is looked for in small pictures, too
WHITE_SHARE = 0.5  # of what is around the ink of the line is white: its letters have a white border
COUNTER_AREA = 1e-3  # of the squared body height: only smaller gaps within letters are filled
PALE, PALE_SHARE = 200, 0.5  # all channels above, in so much of the gap: through a darker one the scene is seen
HELD, FREE, DRAWN, BEGINS = 1, 2, 4, 8  # flags of a pixel in a frame: its run is long, was free, looks drawn, begins
LINE = 1  # the same, once runs are known: it is of a line
HUE_SHIFT = 4  # the hue of vivid strokes lies above the flags


class Letters:
    """Where letters lie over the person in each frame of a clip."""

    def __init__(self, working: WorkingClip, tick: Callable[[], None]):
        """Look through the clip once, and back through what was noted. `tick()` is called once a frame."""
        notes = FrameStore()
        for flags in _note_runs(working):
            notes.append(flags)
            tick()
        self.frames, self.store, self.body_height = len(notes), FrameStore(), working.full_body_height
        total, begins_next, inks, self.has_lines = None, None, _Inks(), False
        least = LEAST_LETTER * self.body_height**2
        for frame in reversed(range(self.frames)):
            flags, colors = notes[frame]
            total = flags if total is None else np.where(begins_next, flags, total)
            begins_next = flags & BEGINS > 0
            still, over = (total & HELD > 0) & (total & FREE > 0), flags & DRAWN > 0
            hue = flags >> HUE_SHIFT
            drawn = remove_small(still & over, least)
            lines = _find_lines(colors * (total & HELD > 0), total & FREE == 0, drawn & (hue > 0), least)
            self.has_lines |= bool(lines.any())
            drawn |= lines & over
            inks.add(hue, over, drawn)
            # What is vivid and stands still may be a line of letters.
            kept = flags * still & ~np.uint8(2**HUE_SHIFT - 1) | np.uint8(DRAWN) * drawn | np.uint8(LINE) * lines
            self.store.append(kept)
        self.inks = inks.find(INK_AREA * self.body_height**2)
        # Within a letter the color may run into the next hue.
        self.shades = np.roll(self.inks[1:], 1) | np.roll(self.inks[1:], -1) | self.inks[1:]
        self.shades = np.concatenate([[False], self.shades])
        self.has_lines |= bool(self.inks.any())  # some are known beside the person, too

    def read(self, frame: int, picture: np.ndarray) -> np.ndarray:
        """The letters over the person in a frame (H, W, 3) uint8, as (H, W) uint8."""
        flags = self.store[self.frames - 1 - frame]
        drawn = flags & DRAWN > 0
        lines = self._complete_lines(picture, self.inks[flags >> HUE_SHIFT]) if self.inks.any() else drawn
        of_line = flags & LINE > 0
        if of_line.any():
            width = max(LEAST_BORDER, LINE_MARGIN * self.body_height)
            # The pale border of a known ink was found above.
            lines = lines | add_border(of_line, picture, width, is_pale=not self.inks.any())
        drawn = dilate_mask(drawn, 1) | erode_mask(dilate_mask(lines, 2), 2)  # between ink and border both are mixed
        return (drawn | find_pale_gaps(drawn, picture, COUNTER_AREA * self.body_height**2)).astype(np.uint8) * 255

    def _complete_lines(self, picture: np.ndarray, still: np.ndarray) -> np.ndarray:
        """Strokes (H, W) bool of ink, and their border, within rows in which ink stands `still` (H, W) bool."""
        line = still.sum(1) >= LINE_PIXELS
        if not 0 < line.mean() < LINE_SHARE:
            return still & False
        width = max(1, LINE_MARGIN * self.body_height)
        strokes, hue = _find_strokes(picture)
        hue = hue * (strokes & (hue <= HUES))
        rows = dilate_mask(line[:, None], width)
        ink = self.inks[hue] & rows
        ink |= _keep_filled(ink | (self.shades[hue] & rows), ink)
        ink = remove_small(ink, LEAST_LETTER * self.body_height**2)
        white = channel_maximum(~picture) < 255 - WHITE
        around = dilate_mask(still, width) & ~dilate_mask(still, 1)
        if around.any() and white[around].mean() > WHITE_SHARE:
            # Where the border runs into white shoes it has no edge, and beside the ink compression tints it.
            ink |= dilate_mask(ink, width) & (channel_maximum(~picture) < 255 - PALE)
        return ink


def _find_lines(colors: np.ndarray, person: np.ndarray, vivid: np.ndarray, least: float) -> np.ndarray:
    """The strokes (H, W) bool of lines of letters that are partly over the `person` (H, W) bool.

    `colors` (H, W) uint8 are those that stand still, 0 elsewhere; a line is of one of them. `vivid` (H, W) bool are
    letters that are known.
    """
    found = np.zeros(colors.shape, bool)
    counts = np.bincount(colors[person], minlength=1)
    for color in np.flatnonzero(counts[1:] > least) + 1:
        strokes = colors == color
        if color == WHITE_INK:  # the white in the rows of vivid letters is their border
            strokes &= ~(found | vivid).any(1, keepdims=True)
        found |= find_line_letters(strokes, person)
    return found


def find_pale_gaps(drawn: np.ndarray, picture: np.ndarray, area: float) -> np.ndarray:
    """The gaps of less than `area` pixels within letters (H, W) bool that are as white as their borders, (H, W) bool.

    A broad white stroke has no edge in its middle, and over white shoes no edge at all.
    """
    import cv2

    if not drawn.any():
        return drawn
    count, label, stats, _ = cv2.connectedComponentsWithStats((~drawn).astype(np.uint8), connectivity=4)
    pale = channel_maximum(~picture) < 255 - PALE
    fills = np.bincount(label[pale & ~drawn], minlength=count) > PALE_SHARE * stats[:, cv2.CC_STAT_AREA]
    fills &= stats[:, cv2.CC_STAT_AREA] < area
    fills[0] = False
    return fills[label]


def _keep_filled(mask: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The components of a mask (H, W) bool of which most is `inside` (H, W) bool."""
    import cv2

    count, label = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    kept = np.bincount(label[inside], minlength=count) > 0.5 * np.bincount(label.reshape(-1), minlength=count)
    kept[0] = False
    return kept[label]


class _Inks:
    """The hues of letters that were found over the person, and of all vivid strokes there."""

    def __init__(self):
        self.letters, self.all = np.zeros(HUES + 1, np.int64), np.zeros(HUES + 1, np.int64)

    def add(self, hue: np.ndarray, over: np.ndarray, drawn: np.ndarray) -> None:
        """Take in the hues of a frame: of its strokes `over` the person and of those that are letters, all (H, W)."""
        self.all += np.bincount(hue[over], minlength=HUES + 1)
        self.letters += np.bincount(hue[drawn], minlength=HUES + 1)

    def find(self, least: float) -> np.ndarray:
        """Which hues are inks, bool; none where fewer than `least` vivid pixels of letters were found."""
        total = self.letters[1:].sum()
        inks = (total >= least) & (self.letters > INK_SHARE * total) & (self.letters > INK_OWN * self.all)
        inks[0] = False
        return inks


def _note_runs(working: WorkingClip) -> Iterator[np.ndarray]:
    """The flags of each frame, HELD and FREE as far as the run has come, and its vivid and white colors, (2, H, W)
    uint8."""
    import cv2

    size = working.clip.width, working.clip.height
    reference = length = free = None
    for frame, picture in enumerate(working.clip):
        soft = cv2.resize(working.soft[frame], size, interpolation=cv2.INTER_LINEAR)
        if reference is None:
            begins = np.ones(soft.shape, bool)
            reference, length, free = picture.copy(), np.zeros(soft.shape, np.int32), np.zeros(soft.shape, np.int32)
        else:
            begins = channel_maximum(cv2.absdiff(picture, reference)) > SAME_LEVELS
            cv2.copyTo(picture, begins.view(np.uint8), reference)
        length *= ~begins
        length += 1
        # Who was found nowhere may have been overlooked here.
        is_found = working.boxes[frame] is not None
        free *= ~begins
        if is_found:
            free += ~dilate_mask(soft >= FREE_ALPHA, AWAY * working.full_body_height)
        deep = erode_mask(soft > SURE_PERSON, DEEP * working.full_body_height)
        is_cut = (length == frame + 1) | (frame == len(working.clip) - 1)
        held = (length >= RUN_FRAMES) | (is_cut & (length >= CUT_RUN_FRAMES))
        strokes, colors = _find_strokes(picture)
        flags = colors * (strokes & (colors <= HUES)) << HUE_SHIFT
        for flag, where in (HELD, held), (FREE, free >= FREE_FRAMES), (DRAWN, deep & strokes), (BEGINS, begins):
            flags |= where.view(np.uint8) * np.uint8(flag)
        yield np.stack([flags, colors])


def _find_strokes(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (H, W) bool of vivid, white or black color near a hard edge, and what is vivid anywhere, by its hue, and
    white, by WHITE_INK, (H, W) uint8."""
    import cv2

    kernel = np.ones((3, 3), np.uint8)
    step = channel_maximum(cv2.subtract(cv2.dilate(picture, kernel), cv2.erode(picture, kernel)))
    hue = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)  # hues of 0 to 179
    vivid = (hue[..., 1] > VIVID) & (hue[..., 2] > VIVID)
    white = channel_maximum(~picture) < 255 - WHITE
    edge = dilate_mask(step > EDGE_LEVELS, 2)
    sectors = (1 + np.arange(256) * HUES // 180).astype(np.uint8)
    colors = cv2.LUT(hue[..., 0], sectors) * vivid + np.uint8(WHITE_INK) * white
    return edge & (vivid | white | (channel_maximum(picture) < BLACK)), colors
