"""From a picture to an identity: who is on it, cropped as the networks want it, and the body underneath."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..body.skeleton import JOINT
from ..errors import InputError
from ..motion.motion import Motion
from ..pose.blazepose import HIPS, NOSE, SHOULDERS
from ..pose.unseen import SEEN_CONFIDENCE
from ..progress import Progress, silent
from .bust import Bust, measure_bust
from .figures import choose_person, take_view
from .framed_figure import FramedFigure, find_framed_figure
from .identity import Identity
from .inverted import is_inverted_mask
from .joints import PictureJoints, find_short_joints, find_silhouette_joints, joints_from_landmarks
from .looks import find_person_mask
from .matte import cut_object, refine_matte
from .picture import read_mask, split_alpha
from .prepare import composite_on_white, crop_to_matte, matte_box, pad_to_square, square_padding
from .trust import doubt_fit, shows_hips


if TYPE_CHECKING:
    from ..pose.estimate import Estimate


LONGEST_SIDE = 2048  # pixels: no decoder shows more, and matting takes time in proportion to the area
PORTRAIT_LENS = 2.4  # focal length in longer sides, an 85 mm lens on 35 mm film: a wider one tells of too tall a body
STIFF_NOTE = "No person was found on the character picture: it is shown as a flat, upright card."
BUST_NOTE = (
    "The character picture shows head and shoulders: where the driver's feet are not seen its head is as large as the "
    "driver's, else it is a flat, upright card as tall as the driver. With the body down to the feet it could move."
)
WHOLE_NOTE = (
    "Nothing stands out from a plain background, so the whole picture is used; save it with a transparent background "
    "to cut it out, or connect a mask in ComfyUI."
)
FOUND_JOINTS = (
    "No person was found on the character picture but a figure: it is shown as a card that bends at its joints."
)
CARD_NOTE = (
    "The body does not fit the character: {}. It is shown as a card that bends at its joints. "
    "A picture from the front with arms and legs apart is likelier to carry a body."
)
# Of an object before a plain ground, what is seen as a person whom the detector does not find: a snake's face has 0.43
# of it, a camera's lens 0.24, a line of a drawing 0.01 (2026-11-28).
LARGEST_PART, LEAST_INSIDE = 0.6, 0.8
# Of the limbs that the network sees: 0.87 of a girl before mist, both of whose arms it saw on one side, 0.97 and more
# on 27 of 30 pictures (2026-11-28).
LEAST_ON_FIGURE = 0.93
MOST_MOVED = 0.3  # of the trunk's length, by which the head may be elsewhere at the second look
TRUNK_JOINTS = ("head", "neck", "pelvis")
LIMB_JOINTS = {
    "legs": ("left_knee", "right_knee"),
    "feet": ("left_ankle", "right_ankle"),
    "arms": ("left_elbow", "right_elbow"),
    "hands": ("left_wrist", "right_wrist"),
    "hips": ("left_hip", "right_hip"),
}


def encode_identity(picture, *, mask=None, back=None, progress: Progress = silent) -> Identity:
    """The identity of the character on a picture.

    `picture` and `back`, the same character from behind, are (H, W) or (H, W, 1 to 4), uint8 or float in 0..1. Who is
    on the picture: the given `mask` (H, W), else the alpha channel, else the person that is found, else whatever
    stands before a plain background, else the whole picture; of several views side by side, or several people, who
    faces the camera, and a note says so. A mask of what is around the character, as Load Image gives it, is inverted.
    Without a person on it, or where the body does not fit them, the identity has no body but the joints at which its
    card bends, if it looks like a figure. `progress` is called between the steps, with 0 of 1 done until the end.
    Raises InputError for a mask that selects nothing and for what is no picture.
    """
    from ..pose.fit import fit_portrait

    ask = functools.partial(progress, 0, 1)  # seconds in all, but no loop whose end is known
    colors, alpha = _limit_size(*split_alpha(picture))
    sheet_note = None
    if mask is None:
        colors, alpha, sheet_note = take_view(colors, alpha)
        ask()
    given = alpha if mask is None else read_mask(mask, *colors.shape[:2])
    is_inverted = mask is not None and is_inverted_mask(colors, given)
    given = 255 - given if is_inverted else given
    character = _find_character(colors, given, is_alpha=mask is None, ask=ask)
    ask()
    matte, seen, notes = character.matte, character.seen, character.notes
    fitted = None if seen is None else fit_portrait(seen.motion, seen.landmarks, matte, ask=ask)
    doubt = None if fitted is None else doubt_fit(fitted, matte)
    if doubt is not None:
        fitted, notes = None, (CARD_NOTE.format(doubt),)
    joints = _find_joints(character) if fitted is None else None
    if joints is not None and doubt is None:
        notes = (FOUND_JOINTS, *notes[1:])
    is_bust = fitted is None and joints is None and character.bust is not None
    if is_bust:
        notes = (BUST_NOTE, *notes[1:])
    notes = (*notes, *(note for note in (sheet_note, character.choice) if note is not None))
    if is_inverted:
        notes = (*notes, "The character's mask selects what is around the character, so it was inverted.")
    left, top, right, bottom = matte_box(matte)
    crop, crop_matte = crop_to_matte(composite_on_white(colors, matte), matte)
    padding = square_padding(*crop_matte.shape)
    side = crop_matte.shape[1] + padding[0] + padding[2]
    moved = padding[0] - left, padding[1] - top
    view = None if back is None else _read_back_view(back, ask)
    progress(1, 1)
    return Identity(
        picture=pad_to_square(crop),
        matte=pad_to_square(crop_matte, fill=0),
        motion=None if fitted is None else _recenter_motion(fitted, *moved, side),
        back=view,
        joints=None if joints is None else joints.moved(*moved),
        bust=character.bust.moved(*moved) if is_bust else None,
        notes=notes,
    )


@dataclass(frozen=True, eq=False)
class Character:
    """Who is on a picture."""

    matte: NDArray  # (H, W) uint8
    seen: Estimate | None = None  # of a person
    framed: FramedFigure | None = None  # a figure in which no whole person is found
    bust: Bust | None = None  # that the figure is, if no joints are found
    notes: tuple[str, ...] = (STIFF_NOTE,)
    choice: str | None = None  # which of several people it is, as a sentence


def _find_joints(character: Character) -> PictureJoints | None:
    """The joints at which a card bends: those of the person who was seen, else those of the silhouette."""
    seen, matte, framed = character.seen, character.matte, character.framed
    if seen is None:
        joints = find_silhouette_joints(matte)
        is_wrong = joints is not None and framed is not None and not framed.bears(*map(joints.at, TRUNK_JOINTS))
        return None if is_wrong else joints
    pixels = seen.landmarks.pixels[0].numpy()
    short = None if shows_hips(seen.motion) else find_short_joints(pixels, matte)
    return joints_from_landmarks(pixels) if short is None else short


def _limit_size(colors: NDArray, alpha: NDArray | None) -> tuple[NDArray, NDArray | None]:
    import cv2

    height, width = colors.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale >= 1:
        return colors, alpha
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small_alpha = None if alpha is None else cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(colors, size, interpolation=cv2.INTER_AREA), small_alpha


def _find_character(colors: NDArray, given: NDArray | None, *, is_alpha: bool, ask: Callable[[], None]) -> Character:
    """Who is on a picture (H, W, 3) uint8, with the mask that was `given`, if any."""
    from ..pose.estimate import estimate_picture, find_people

    if given is not None and not given.any():
        raise InputError(f"The character's {'alpha channel' if is_alpha else 'mask'} is empty: it selects no pixel.")
    shown = composite_on_white(colors, given) if given is not None and is_alpha else colors
    focal = PORTRAIT_LENS * max(shown.shape[:2])

    def count_none(done: int, total: int, preview=None) -> None:
        ask()

    def estimate(picture: NDArray, mask: NDArray | None, person: int = 0) -> Estimate:
        return estimate_picture(picture, person=person, person_mask=mask, focal=focal, progress=count_none)

    if given is not None:
        seen = estimate(shown, given)
        return Character(given, seen, notes=_note_unseen(seen.motion)) if seen.is_found else Character(given)

    @functools.cache  # it takes seconds, and is not always asked for
    def look() -> Character | None:
        seen = estimate(colors, None)
        chosen, choice = choose_person(seen.people)
        return _see_person(colors, estimate(colors, None, chosen) if chosen else seen, choice, ask)

    if find_people(colors) and (person := look()) is not None:
        cut_out = functools.partial(estimate, composite_on_white(colors, person.matte), person.matte)
        return settle_person(person, cut_out)
    ask()
    cut = cut_object(colors, ask=ask)
    ask()
    framed = find_framed_figure(colors)
    ask()
    if framed is not None and (cut is None or not is_part(framed.mask, cut)):
        return _describe_framed(colors, framed, estimate(colors, framed.mask), ask)
    person = look()
    if cut is not None and (person is None or is_part(person.matte, cut)):
        return Character(cut)
    whole = Character(np.full(colors.shape[:2], 255, np.uint8), notes=(STIFF_NOTE, WHOLE_NOTE))
    return whole if person is None else person


def _see_person(colors: NDArray, seen: Estimate, choice: str | None, ask: Callable[[], None]) -> Character | None:
    """The person who was seen on a picture (H, W, 3) uint8, if anybody was, with a note on who else was."""
    ask()
    matte = _cut_person(colors, seen, ask) if seen.is_found else np.zeros(colors.shape[:2], np.uint8)
    return Character(matte, seen, notes=_note_unseen(seen.motion), choice=choice) if matte.any() else None


def settle_person(person: Character, estimate_cut_out: Callable[[], Estimate]) -> Character:
    """The person, with the joints that show without the background where those found before it leave the figure."""
    first = joints_from_landmarks(person.seen.landmarks.pixels[0].numpy())
    inside = first.measure_inside(person.matte)
    if inside > LEAST_ON_FIGURE:
        return person
    seen = estimate_cut_out()
    if not seen.is_found:
        return person
    second = joints_from_landmarks(seen.landmarks.pixels[0].numpy())
    trunk = np.linalg.norm(first.at("neck") - first.at("pelvis"))
    is_same = np.linalg.norm(first.at("head") - second.at("head")) < MOST_MOVED * trunk
    is_better = second.measure_inside(person.matte) > max(inside, LEAST_ON_FIGURE)
    return replace(person, seen=seen, notes=_note_unseen(seen.motion)) if is_same and is_better else person


def is_part(matte: NDArray, whole: NDArray) -> bool:
    """Whether a matte (H, W) uint8 is no more than a part of another one."""
    part, whole = matte > 127, whole > 127
    inside = (part & whole).sum()
    return bool(inside > LEAST_INSIDE * part.sum() and inside < LARGEST_PART * whole.sum())


def _describe_framed(colors: NDArray, framed: FramedFigure, seen: Estimate, ask: Callable[[], None]) -> Character:
    """A figure that fills the picture, with the person who is seen where it is if they have its head."""
    if seen.is_found:
        points = seen.landmarks.pixels[0].numpy()
        if framed.bears(points[NOSE], points[list(SHOULDERS)].mean(0), points[list(HIPS)].mean(0)):
            matte = refine_matte(colors, framed.mask, seen.landmarks, lambda: framed.mask, ask=ask)
            return Character(matte, seen, framed, _note_unseen(seen.motion))
    matte = refine_matte(colors, framed.mask, ask=ask)
    return Character(matte, framed=framed, bust=measure_bust(seen, framed, matte))


def _cut_person(colors: NDArray, seen: Estimate, ask: Callable[[], None]) -> NDArray:
    """The matte of the person who was seen on a picture (H, W, 3) uint8."""
    first = seen.masks[0]
    look_again = functools.partial(find_person_mask, colors, first, seen.landmarks, ask)
    return refine_matte(colors, first, seen.landmarks, look_again, ask=ask)


def _note_unseen(motion: Motion) -> tuple[str, ...]:
    confidence = motion.person.joint_confidence[0]
    unseen = [
        name
        for name, joints in LIMB_JOINTS.items()
        if max(confidence[JOINT[joint]] for joint in joints) < SEEN_CONFIDENCE
    ]
    if not unseen:
        return ()
    return (
        f"The character picture does not show {', '.join(unseen)}: their pose is assumed, "
        "and their colors continue those of what is seen. Use a picture of the whole figure if the scene shows them.",
    )


def _recenter_motion(motion: Motion, right: int, down: int, side: int) -> Motion:
    """The fitted body seen by a camera of `side` x `side` whose picture begins that many pixels left and above."""
    camera = motion.camera
    center = (camera.center[0] + right, camera.center[1] + down)
    return replace(motion, camera=replace(camera, center=center, size=(side, side)))


def _read_back_view(back, ask: Callable[[], None]) -> tuple[NDArray, NDArray]:
    """Picture and matte of the view from behind, cropped and padded like the front."""
    colors, alpha = _limit_size(*split_alpha(back))
    matte = _find_character(colors, alpha, is_alpha=True, ask=ask).matte
    crop, crop_matte = crop_to_matte(composite_on_white(colors, matte), matte)
    return pad_to_square(crop), pad_to_square(crop_matte, fill=0)
