"""Pass 7, background: what lies behind the person at the clip's own size, from frames in which it was free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..geometry.box import Box
from .bystanders import find_bystanders
from .canvas import BackgroundCanvas
from .continue_texture import continue_texture, extend_softly
from .filters import dilate_mask
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
DIFFUSE_SHARE = 0.8  # of what is wanted was seen in no frame: patches would copy whole objects
GRAIN_FRAMES = 6  # of a canvas teach the grain of the source
HOLE, OUTSIDE = 1, 2  # a pixel of a frame that hides the background: it is wanted there; it is not
LETTER_REACH = 0.015  # of the body height: dots and borders of letters lie so near their strokes
GRAIN_SAMPLES = 4  # of a background pixel before the grain is measured against it


@dataclass(frozen=True, eq=False)
class Background:
    """What lies behind the person, on the canvas of some frames."""

    canvas: BackgroundCanvas
    picture: np.ndarray  # (h, w, 3) uint8
    seen: np.ndarray  # (h, w) uint8: 255 where some frame showed it, 0 where it was painted
    grain: Grain
    is_diffuse: bool = False  # too little was seen for texture: what was not is a soft color

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
        if light is not None:
            picture = light.apply(picture, seen)
        # Only what is both needed and unseen is painted; the rest of the unseen canvas is never looked at.
        unseen = wanted & ~seen
        is_diffuse = bool(seen.any() and unseen.sum() > DIFFUSE_SHARE * wanted.sum())
        if unseen.any() and seen.any():
            picture = np.where(unseen[..., None], extend_softly(picture, seen), picture)
            scenery = seen & ~find_bystanders(picture, seen)
            known = scenery if scenery.any() else seen
            if is_diffuse:
                picture = np.where(unseen[..., None], extend_softly(picture, known), picture)
            else:
                picture = continue_texture(picture, unseen, known, ask)
        return cls(canvas, picture, seen.astype(np.uint8) * 255, grain, is_diffuse)


def collect_background(
    working: WorkingClip,
    canvas: BackgroundCanvas,
    masks: FrameMaskStore,
    tick: Callable,
    ask: Callable,
    letters: Letters | None = None,
) -> Background:
    """The background of a canvas of the clip's own size, outside person, moving objects and letters of every frame.

    What no frame showed is painted where some frame needs it. `tick(None)` is called for each frame, `ask()` between
    steps of the painting; both may raise.
    """
    import cv2

    samples, light, grain, calm = BackgroundSamples(canvas, is_joint=True), FrameLight(canvas.size), Grain(), []
    wanted, voids = np.zeros(samples.count.shape, bool), VoidSamples(samples.count.shape)
    reach = max(SHADED_REACHES[-1] * working.full_body_height, 1.0)  # nobody has no height
    steps = 250 / reach  # to a pixel, of the table of ranks
    ranks = np.digitize(np.arange(256), np.multiply(SHADED_REACHES, 250 / SHADED_REACHES[-1])).astype(np.uint8) + 1
    step = max(1, (canvas.stop - canvas.start) // GRAIN_FRAMES)
    for frame, source in enumerate(working.clip.read(canvas.first, canvas.last), canvas.first):
        busy = _find_busy(working, frame, masks.get(frame))
        if letters is not None and letters.has_lines:  # a line that comes later does not lie behind who stood there
            drawn = dilate_mask(letters.read(frame, source) > 0, LETTER_REACH * working.full_body_height)
            busy[drawn & (busy == 0)] = OUTSIDE
        part = canvas.find_part(frame, (0, 0, *source.shape[1::-1]))
        picture = canvas.project(source, frame, flags=cv2.INTER_LINEAR, part=part)
        blocked = canvas.project(busy, frame, flags=cv2.INTER_NEAREST, border=OUTSIDE, part=part)
        free = blocked == 0
        away = cv2.distanceTransform(free.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_3)
        picture = light.level(picture, free, away, part)
        rank = cv2.LUT(np.minimum(steps * np.minimum(away, reach * 2), 255).astype(np.uint8), ranks)
        void = voids.find(source)
        if void is not None:
            black = free & (canvas.project(void, frame, flags=cv2.INTER_NEAREST, part=part) > 0)
            part.cut(voids.black)[:] |= black
            rank[black] = 0
        samples.add(picture, free, frame, rank, part)
        if frame in masks:
            part.cut(wanted)[:] |= blocked == HOLE
            tick(None)
        if (frame - canvas.first) % step == 0 and len(calm) < GRAIN_FRAMES:
            calm.append((picture, free, part))
    voids.remove_from(samples)
    background = Background.from_samples(canvas, samples, wanted, grain, ask, light=light)
    for picture, free, part in calm:
        tick(None)
        measure_grain(grain, picture, free, part, background, samples)
    return background


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
