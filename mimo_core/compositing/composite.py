"""Putting the layers together: plate, contact shadow, character, and on top what passes in front."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, repeat

import numpy as np

from ..errors import InputError
from ..geometry.box import Box
from ..media.clip import Masks
from ..progress import Progress, silent
from ..scene.fields import SOLID_ALPHA, extend_solid_color
from ..scene.filters import channel_maximum
from ..scene.scene import Scene
from .color_match import COLOR_MATCHES, Tone, match_tone
from .ground_shadow import GroundShadow


LEVEL_LOOKBACK = 16  # frames before a part that are drawn first, to learn where the character stood
FEATHER = 4  # pixels: softness of the edge, where nothing else is asked for
TONE_LOOKAHEAD = 12  # frames that may be read before the first is given out, to learn the character's colours


@dataclass(frozen=True, eq=False)
class ClipPart:
    """Where in a clip the frames of one part begin, and what the frames before them left behind."""

    first: int  # frame of the scene
    tone: Tone
    ground_level: float | None  # lowest row on which the character stood, see `trace_ground_level`


def composite(
    scene: Scene,
    images: Iterable[np.ndarray],
    masks: Iterable[np.ndarray] | None = None,
    *,
    color_match: str = "mean",
    feather: int = FEATHER,
    shadow: float = 0.5,
    part: ClipPart | None = None,
    progress: Progress = silent,
) -> Iterator[np.ndarray]:
    """Lay character frames (H, W, 3) uint8 into a scene; yields frames (H, W, 3) uint8.

    `masks` (H, W) uint8 are the character's coverage; without them it covers everything. `feather` softens its edge
    inwards, in pixels; `shadow` (0 to 1) is the strength of the contact shadow; from 0.5 on the shadow of the person
    who was there stays whole. `color_match` (none, mean, histogram) brings its brightness nearer to that of the person
    it replaces, by one transform for the clip.

    Where neither plate, character nor shadow differ from the source the result equals it exactly. Frames are made as
    they are read. With `part` the images are those of a part of the clip, which comes out as in the whole. Raises
    InputError where sizes or lengths differ; a still scene lasts as long as the images.
    """
    if color_match not in COLOR_MATCHES:
        raise InputError(f"There is no color match {color_match!r}. Choose one of: {', '.join(COLOR_MATCHES)}.")
    if not 0 <= shadow <= 1 or feather < 0:
        raise InputError(f"shadow lies between 0 and 1 and feather is not negative, got {shadow} and {feather}.")
    for name, layer in (("character frames", images), ("masks", masks)):
        if part is None and not scene.is_still and hasattr(layer, "__len__") and len(layer) != scene.frames:
            raise _length_error(scene, len(layer), name)
    return _composite(scene, images, masks, color_match, feather, shadow, part, progress)


def _composite(scene: Scene, images, masks, color_match: str, feather: int, shadow: float, part, progress: Progress):
    drawn = _check_layers(scene, images, masks)
    if part is None:
        tone, drawn = _learn_tone(scene, drawn, color_match)
        ground, aligned = GroundShadow(shadow), _align_layers(scene, drawn)
    else:
        tone, ground = part.tone, GroundShadow(shadow, part.ground_level)
        aligned = _align_part(scene, drawn, part.first)
    total = len(images) if hasattr(images, "__len__") else scene.frames
    for done, (image, mask, source, plate, occluder) in enumerate(aligned, 1):
        alpha, frame = _feather(mask, feather), 0 if scene.is_still else done - 1 + (part.first if part else 0)
        if shadow:
            plate = ground.shade(plate, mask, source, scene.person[frame], _find_hidden(scene, frame, occluder))
        under = _lay_character(plate, image, alpha, tone)
        frame = _lay_occluder(under, source, occluder)
        yield frame
        progress(done, max(total, done), frame)


def trace_ground_level(masks_of: Callable[[range], Iterable[np.ndarray]], stop: int, height: int) -> float | None:
    """How low the character stood when frame `stop` begins, as in the whole clip, from as few frames as tell it.

    `masks_of` gives the coverage (H, W) uint8 of a range of frames. The level of a frame rises with that of the frame
    before, so where the lowest and the highest that it could have been lead to one level, that is the level.
    """
    count = LEVEL_LOOKBACK
    while True:
        first = max(stop - count, 0)
        lowest, highest = GroundShadow(1.0), GroundShadow(1.0, float(height) if first else None)
        for mask in masks_of(range(first, stop)):
            lowest.settle(mask)
            highest.settle(mask)
        if first == 0 or lowest.level == highest.level:
            return lowest.level
        count *= 2


def count_first(color_match: str, frames: int) -> int:
    """How many of a clip's frames are drawn before the first one is finished."""
    return 1 if color_match == "none" else min(frames, TONE_LOOKAHEAD)


def learn_tone(scene: Scene, drawn: Iterator[tuple[np.ndarray, np.ndarray]], color_match: str) -> Tone:
    """The color transform of a clip, from the images and masks that it begins with."""
    return _learn_tone(scene, drawn, color_match)[0]


def compute_coverage(scene: Scene, masks: Iterable[np.ndarray] | None, *, feather: int = 0) -> Iterator[np.ndarray]:
    """Where the character can be seen, (H, W) uint8: its coverage less what passes in front.

    With the `feather` of `composite` it is the alpha with which the character is laid.
    """
    layers = repeat(scene.occluder[0]) if scene.is_still else iter(scene.occluder)
    masks = Masks.constant(255, scene.frames, scene.height, scene.width) if masks is None else masks
    for mask, occluder in zip(masks, layers, strict=False):
        yield cut_coverage(mask, occluder, feather)


def cut_coverage(mask: np.ndarray, occluder: np.ndarray, feather: int = 0) -> np.ndarray:
    """The same for one frame: a mask (H, W) uint8, softened, less an occluder (H, W) uint8."""
    return (_feather(mask, feather).astype(np.uint16) * (255 - occluder) // 255).astype(np.uint8)


def _check_layers(scene: Scene, images, masks) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of image and mask, of the scene's size."""
    size = (scene.height, scene.width)
    full = np.full(size, 255, np.uint8)
    masks = repeat(full) if masks is None else _mark_end(masks)
    for number, (image, mask) in enumerate(zip(images, masks, strict=False)):
        if mask is None:
            raise InputError(f"There are only {number} masks for the character frames. Give one per frame.")
        for name, layer in (("character frames are", image), ("masks of the character are", mask)):
            if layer.shape[:2] != size:
                raise InputError(
                    f"The {name} {layer.shape[1]}x{layer.shape[0]} but the scene is {size[1]}x{size[0]}. "
                    "Draw the character in the size of the scene, or resize it."
                )
        yield image[..., :3], mask


def _mark_end(masks) -> Iterator[np.ndarray | None]:
    yield from masks
    yield None


def _align_layers(scene: Scene, drawn) -> Iterator[tuple]:
    """Image and mask with source, plate and occluder of their frame."""
    layers = (scene.source, scene.plate, scene.occluder)
    if scene.is_still:
        source, plate, occluder = (layer[0] for layer in layers)
        for image, mask in drawn:
            yield image, mask, source, plate.copy(), occluder
        return
    count = 0
    for count, (source, plate, occluder) in enumerate(zip(*layers, strict=True), 1):
        pair = next(drawn, None)
        if pair is None:
            raise _length_error(scene, count - 1, "character frames")
        yield *pair, source, plate, occluder
    if next(drawn, None) is not None:
        raise _length_error(scene, f"more than {count}", "character frames")


def _align_part(scene: Scene, drawn, first: int) -> Iterator[tuple]:
    """Image and mask with source, plate and occluder of their frame, for frames from `first` on."""
    if scene.is_still:
        yield from _align_layers(scene, drawn)
        return
    layers = zip(*(layer.read(first) for layer in (scene.source, scene.plate, scene.occluder)), strict=True)
    for pair, (source, plate, occluder) in zip(drawn, layers, strict=False):
        yield *pair, source, plate, occluder


def _length_error(scene: Scene, found, name: str) -> InputError:
    return InputError(
        f"The scene has {scene.frames} frames but there are {found} {name}. "
        "Draw the motion that was estimated on this clip, or give a scene of that length."
    )


def _learn_tone(scene: Scene, drawn: Iterator, color_match: str) -> tuple[Tone, Iterator]:
    """The colour transform of the clip, learned from its first frames, and all frames."""
    if color_match == "none":
        return Tone.none(), drawn
    first = []
    for pair in drawn:
        first.append(pair)
        if len(first) == TONE_LOOKAHEAD:
            break
    return match_tone(scene, first, color_match), chain(first, drawn)


def _feather(mask: np.ndarray, feather: int) -> np.ndarray:
    """Alpha (H, W) uint8, softer towards the inside, never larger than the mask."""
    import cv2

    if not feather:
        return mask
    return np.minimum(mask, cv2.GaussianBlur(mask, (0, 0), feather / 4, borderType=cv2.BORDER_REPLICATE))


def _find_hidden(scene: Scene, frame: int, occluder: np.ndarray) -> np.ndarray:
    """Where a frame does not show the ground behind its person, (H, W) bool, but for the person."""
    hidden = occluder > 0
    if scene.people is None:
        return hidden
    if scene.people.whole is not None:
        hidden |= scene.people.whole.person[frame] > 0
    for character in scene.people.drawn:
        hidden |= character.cover[frame] > 0
    return hidden


def _lay_character(plate: np.ndarray, image: np.ndarray, alpha: np.ndarray, tone: Tone) -> np.ndarray:
    box = Box.of_mask(alpha)
    if box is None:
        return plate
    here, share = box.cut(plate), box.cut(alpha)[..., None].astype(np.float32) / 255
    here[:] = (here * (1 - share) + tone(box.cut(image)) * share + 0.5).astype(np.uint8)
    return plate


def _lay_occluder(frame: np.ndarray, source: np.ndarray, occluder: np.ndarray) -> np.ndarray:
    """Put the source's pixels back where something is in front. Untouched pixels stay the source."""
    import cv2

    near = Box.of_mask(occluder)
    if near is None:
        return frame
    frame, whole, source, occluder = near.cut(frame), frame, near.cut(source), near.cut(occluder)
    changed = (channel_maximum(cv2.absdiff(frame, source)) > 0) & (occluder > 0)
    box = Box.of_mask(changed)
    if box is None:
        return whole
    here, behind, alpha = box.cut(frame), box.cut(source), box.cut(occluder)
    share = alpha[..., None].astype(np.float32) / 255
    color = extend_solid_color(behind, alpha)
    mixed = (here * (1 - share) + color * share + 0.5).astype(np.uint8)
    mixed = np.where((alpha >= SOLID_ALPHA)[..., None], behind, mixed)
    here[:] = np.where(box.cut(changed)[..., None], mixed, here)
    return whole
