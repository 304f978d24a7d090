"""Pass 7, background: what lies behind the person at the clip's own size, from frames in which it was free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..geometry.box import Box
from ..media.store import FrameStore
from ..progress import Ticker
from .bystanders import find_bystanders
from .canvas import BackgroundCanvas
from .cast_shadows import follow_shadow
from .continue_texture import continue_texture, extend_softly
from .filters import dilate_mask
from .find_remains import REMAINS_REACH
from .first_guess import WorkingClip
from .frame_light import FrameLight
from .frame_masks import FrameMasks, FrameMaskStore
from .grain import Grain
from .letters import Letters
from .pixel_samples import BackgroundSamples
from .void_samples import VoidSamples


# The reach is the plate's contract (`separate_scene`); the rest by eye on the juggling clip, 2026-11-23.
HOLE_REACH = 0.02  # of the body height: the hole in the plate reaches so far beyond the person
FAINT_ALPHA = 26  # mask values from here on count as person when the hole is cut
# Of the body height: the nearer to the person something is seen, the more it lies in their shadow and compression.
SHADED_REACHES = (0.006, 0.0125, 0.02, 0.03, 0.05)
DIFFUSE_RATIO = 3.0  # of what has to be painted to what was seen: patches of so little would copy whole objects
GRAIN_FRAMES = 6  # of a canvas teach the grain of the source
HOLE, OUTSIDE = 1, 2  # a pixel of a frame that hides the background: it is wanted there; it is not
LETTER_REACH = 0.015  # of the body height: dots and borders of letters lie so near their strokes
CAST_FRAMES = 6  # tell whether the person casts a long shadow,
CAST_SHARE = 0.4  # if so many of them show one
LIT_RANK = 100  # by which samples without shadow are better than any other
GRAIN_SAMPLES = 4  # of a background pixel before the grain is measured against it


@dataclass(frozen=True, eq=False)
class Background:
    """What lies behind the person, on the canvas of some frames."""

    canvas: BackgroundCanvas
    picture: np.ndarray  # (h, w, 3) uint8
    seen: np.ndarray  # (h, w) uint8: 255 where some frame showed it, 0 where it was painted
    grain: Grain
    is_diffuse: bool = False  # too little was seen for texture: what was not is a soft color
    has_long_shadow: bool = False  # the person casts one on it, in most frames

    @classmethod
    def from_samples(
        cls,
        canvas: BackgroundCanvas,
        samples: BackgroundSamples,
        wanted: np.ndarray,
        grain: Grain,
        ask: Callable = lambda: None,
        *,
        light: FrameLight | None = None,
    ) -> Background:
        """The background from its samples. `wanted` (h, w) bool are the pixels that some frame needs.

        With `light` the background is in the light of the frames in which the person was far. Other people that it
        shows are not continued into what was not seen. `ask()` may cancel.
        """
        seen, picture = samples.count > 0, samples.median()
        ask()
        if light is not None:
            picture = light.apply(picture, seen)
        # Only what is both needed and unseen is painted; the rest of the unseen canvas is never looked at.
        unseen = wanted & ~seen
        is_diffuse = bool(seen.any() and unseen.sum() > DIFFUSE_RATIO * seen.sum())
        if unseen.any() and seen.any():
            ask()
            picture = np.where(unseen[..., None], extend_softly(picture, seen), picture)
            ask()
            scenery = seen & ~find_bystanders(picture, seen)
            known = scenery if scenery.any() else seen
            ask()
            if is_diffuse:
                picture = np.where(unseen[..., None], extend_softly(picture, known), picture)
            else:
                picture = continue_texture(picture, unseen, known, ask)
        return cls(canvas, picture, seen.astype(np.uint8) * 255, grain, is_diffuse)


def collect_background(
    working: WorkingClip,
    canvas: BackgroundCanvas,
    masks: FrameMaskStore,
    tick: Ticker,
    letters: Letters | None = None,
) -> Background:
    """The background of a canvas of the clip's own size, outside person, moving objects and letters of every frame.

    What no frame showed is painted where some frame needs it. `tick()` is called for each frame, `tick.ask()`
    between steps of the painting; both may raise.
    """
    import cv2

    samples, light, grain, calm = BackgroundSamples(canvas, is_joint=True), FrameLight(canvas.size), Grain(), []
    wanted, voids = np.zeros(samples.count.shape, bool), VoidSamples(samples.count.shape)
    looks = _Looks(working, canvas, masks, letters)
    step = max(1, (canvas.stop - canvas.start) // GRAIN_FRAMES)
    for frame, source in enumerate(working.clip.read(canvas.first, canvas.last), canvas.first):
        look = looks.take(frame, source)
        picture = light.level(look.picture, look.free, look.away, look.part)
        rank = looks.rank(look.away)
        void = voids.find(source)
        if void is not None:
            black = look.free & (canvas.project(void, frame, flags=cv2.INTER_NEAREST, part=look.part) > 0)
            look.part.cut(voids.black)[:] |= black
            rank[black] = 0
        samples.add(picture, look.free, frame, rank, look.part)
        if frame in masks:
            look.part.cut(wanted)[:] |= look.is_hole
            tick()
        if (frame - canvas.first) % step == 0 and len(calm) < GRAIN_FRAMES:
            calm.append((picture, look.free, look.part))
    voids.remove_from(samples)
    reach = REMAINS_REACH * working.full_body_height
    has_long_shadow = _leave_out_shadows(looks, samples, light, voids.black, reach, tick.ask)
    background = Background.from_samples(canvas, samples, wanted, grain, tick.ask, light=light)
    background = replace(background, has_long_shadow=has_long_shadow)
    for picture, free, part in calm:
        tick()
        measure_grain(grain, picture, free, part, background, samples)
    return background


@dataclass(frozen=True, eq=False)
class _Look:
    """A frame on a part of the canvas."""

    part: Box
    picture: np.ndarray  # (h, w, 3) uint8
    free: np.ndarray  # (h, w) bool: it shows what lies behind
    is_hole: np.ndarray  # (h, w) bool: it hides what is wanted
    away: np.ndarray  # (h, w) float32: pixels to what is not free


class _Looks:
    """Brings frames onto a canvas, with what they show of the background."""

    def __init__(self, working: WorkingClip, canvas: BackgroundCanvas, masks: FrameMaskStore, letters: Letters | None):
        self.working, self.canvas, self.masks, self.letters = working, canvas, masks, letters
        self.reach = max(SHADED_REACHES[-1] * working.full_body_height, 1.0)  # nobody has no height
        steps = np.multiply(SHADED_REACHES, 250 / SHADED_REACHES[-1])
        self.ranks = np.digitize(np.arange(256), steps).astype(np.uint8) + 1

    def take(self, frame: int, source: np.ndarray) -> _Look:
        import cv2

        busy = _find_busy(self.working, frame, self.masks.get(frame))
        if self.letters is not None and self.letters.has_lines:
            # A line that comes later does not lie behind who stood there.
            reach = LETTER_REACH * self.working.full_body_height
            busy[dilate_mask(self.letters.read(frame, source) > 0, reach) & (busy == 0)] = OUTSIDE
        part = self.canvas.find_part(frame, (0, 0, *source.shape[1::-1]))
        picture = self.canvas.project(source, frame, flags=cv2.INTER_LINEAR, part=part)
        blocked = self.canvas.project(busy, frame, flags=cv2.INTER_NEAREST, border=OUTSIDE, part=part)
        free = blocked == 0
        away = cv2.distanceTransform(free.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
        return _Look(part, picture, free, blocked == HOLE, away)

    def rank(self, away: np.ndarray) -> np.ndarray:
        """The rank (h, w) uint8 of samples so many pixels from the person, from 1 on."""
        import cv2

        steps = 250 / self.reach  # to a pixel, of the table of ranks
        return cv2.LUT(np.minimum(steps * np.minimum(away, self.reach * 2), 255).astype(np.uint8), self.ranks)


def _leave_out_shadows(
    looks: _Looks, samples: BackgroundSamples, light: FrameLight, black: np.ndarray, reach: float, ask: Callable
) -> bool:
    """Take the samples again without the long shadow that the person casts, where other frames show the ground lit.

    The shadow may lie where it is in most frames, so that the middle of their colors is that of the shadow. Whether
    there is one: what is darker beside the feet in few frames is something else. Where any frame is `black` (h, w) bool
    up to its border nothing is taken again.
    """
    canvas, clip = looks.canvas, looks.working.clip
    frames = [frame for frame in range(canvas.first, canvas.last) if frame in looks.masks]
    if reach < 1 or not frames:
        return False
    bright, known = samples.bright(), samples.count > 0

    def find(frame: int, source: np.ndarray, is_sure: bool = False) -> tuple[Box, np.ndarray]:
        ask()
        look = looks.take(frame, source)
        part, picture = look.part, light.apply(look.picture, look.free, look.part)
        usable = look.free & part.cut(known)
        return part, follow_shadow(picture, part.cut(bright), look.is_hole, usable, reach, is_sure=is_sure) > 0

    some = {frames[int(at)] for at in np.linspace(0, len(frames) - 1, CAST_FRAMES)}
    if sum(find(frame, clip[frame], is_sure=True)[1].any() for frame in sorted(some)) < CAST_SHARE * len(some):
        return False
    shadows, fallen = FrameStore(), np.zeros(known.shape, bool)
    for frame, source in enumerate(clip.read(canvas.first, canvas.last), canvas.first):
        if frame in looks.masks:
            part, shadow = find(frame, source)
            part.cut(fallen)[:] |= shadow
            shadows.append(shadow.view(np.uint8))
    fallen &= ~black
    number = 0
    for frame, source in enumerate(clip.read(canvas.first, canvas.last), canvas.first):
        ask()
        if frame in looks.masks:
            look = looks.take(frame, source)
            lit = look.free & look.part.cut(fallen) & (shadows[number] == 0)
            picture = light.apply(look.picture, look.free, look.part)
            samples.add(picture, lit, frame, looks.rank(look.away) + np.uint8(LIT_RANK), look.part)
            number += 1
    return True


def measure_grain(
    grain: Grain, picture: np.ndarray, free: np.ndarray, part: Box, background: Background, samples: BackgroundSamples
) -> None:
    """Teach the grain from a picture (h, w, 3) of a part of the canvas where it is `free` (h, w) bool."""
    whole, usable = np.zeros_like(background.picture), np.zeros(samples.count.shape, bool)
    part.cut(whole)[:] = picture
    part.cut(usable)[:] = free & (part.cut(samples.count) >= GRAIN_SAMPLES)
    grain.measure(whole, background.picture, usable)


def _find_busy(working: WorkingClip, frame: int, masks: FrameMasks | None) -> np.ndarray:
    """Where a frame shows person or moving objects, (H, W) uint8 0 or HOLE, generously."""
    import cv2

    if masks is None:
        busy = working.find_hidden(frame)
    else:
        busy = np.zeros(working.size[::-1], bool)
        masks.box.cut(busy)[:] = (masks.person > FAINT_ALPHA) | (masks.moving > FAINT_ALPHA)
    busy = dilate_mask(busy, 1.2 * HOLE_REACH * working.body_height + 1)
    size = working.clip.width, working.clip.height
    outline = cv2.resize(255 * busy.astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)  # without steps
    return HOLE * (outline > 127).astype(np.uint8)
