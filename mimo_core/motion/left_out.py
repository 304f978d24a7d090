"""Some of the people of a motion, with those who are left out as somebody else near them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..body.person import Person
from ..media.clip import Masks
from ..progress import Progress, silent
from .motion import Motion
from .seen import BEHIND, BESIDE, IN_FRONT, SURE_MASK, SeenMasks


LEVEL = 0.3  # meters of depth by which people who stand side by side differ at most


def choose_people_among(motion: Motion, numbers: Sequence[int], progress: Progress = silent) -> Motion:
    """`Motion.choose_people`, in whose `others` are those who are left out, where the motion has masks of everybody.

    Who is nearer is told by the median distance from the camera over all frames. `progress` may raise to cancel. Raises
    InputError as there.
    """
    chosen = motion.choose_people(numbers)
    left = [number for number in range(len(motion.people)) if number not in numbers]
    if not left or motion.seen is None or motion.seen.people < len(motion.people):
        return chosen
    layer = SeenMasks.from_masks(Masks.from_frames(_draw_left_out(motion, numbers, left, progress)))
    return replace(chosen, others=layer)


def _draw_left_out(
    motion: Motion, numbers: Sequence[int], left: Sequence[int], progress: Progress
) -> Iterator[NDArray]:
    """Each frame of `Motion.others` (H, W) uint8: what it was, or the greatest order of somebody who is left out."""
    depths = [_measure_depth(motion, person) for person in motion.people]
    orders = {other: max(_find_order(motion, depths, other, number) for number in numbers) for other in left}
    mine, known = motion.seen.choose(numbers).masks(), None if motion.others is None else motion.others.orders()
    theirs = {other: motion.seen.choose([other]).masks() for other in left}
    for frame, own in enumerate(mine):
        progress(frame, len(mine))
        found = np.zeros_like(own) if known is None else known[frame]
        for other, masks in theirs.items():
            mask = masks[frame]
            is_theirs = (mask > SURE_MASK) & (mask > own)
            found = np.where(is_theirs, np.maximum(found, np.uint8(orders[other])), found)
        yield found


def _find_order(motion: Motion, depths: Sequence[Tensor], other: int, number: int) -> int:
    """Whether a person is BESIDE, BEHIND or IN_FRONT of another one."""
    both = motion.people[other].visible & motion.people[number].visible
    if not both.any():
        return BESIDE
    away = float((depths[other] - depths[number])[both].median())
    if abs(away) < LEVEL:
        return BESIDE
    return BEHIND if away > 0 else IN_FRONT


def _measure_depth(motion: Motion, person: Person) -> Tensor:
    """How far a person is from the camera (F,), in meters along its axis."""
    matrix = motion.camera.extrinsics()
    return (matrix[..., 2, :3] * person.transl).sum(-1) + matrix[..., 2, 3]
