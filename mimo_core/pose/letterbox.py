"""An estimate that was made of the picture between black bars, in pixels of the whole frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..geometry.box import Box
from ..media.clip import Clip
from ..media.letterbox import pad_masks
from ..motion.seen import SeenMasks
from ..progress import Progress, silent
from .tracks import PersonTrack


if TYPE_CHECKING:
    from .estimate import Estimate


def move_point(at: tuple[int, float, float] | None, picture: Box) -> tuple[int, float, float] | None:
    """A (frame, x, y) in pixels of the whole frame in those of the picture."""
    return None if at is None else (at[0], at[1] - picture.left, at[2] - picture.top)


def move_boxes(boxes: Sequence | None, picture: Box) -> list | None:
    """Boxes (x0, y0, x1, y1), or None for nobody, in pixels of the whole frame in those of the picture."""
    corners = np.tile(picture[:2], 2)
    if boxes is None:
        return None
    return [np.asarray(box, np.float64) - corners if np.shape(box) == (4,) else box for box in boxes]


def pad_estimate(found: Estimate, picture: Box, clip: Clip, progress: Progress = silent) -> Estimate:
    """The estimate of the picture of a clip as one of the whole clip: nobody is seen on the bars.

    `progress`, which stands at its end, may raise to cancel.
    """
    camera = found.motion.camera.crop(-picture.left, -picture.top, clip.width, clip.height)
    shift = picture[:2]
    landmarks = replace(found.landmarks, pixels=found.landmarks.pixels + torch.tensor(shift, dtype=torch.float32))
    masks, *each = (pad_masks(layer, picture, clip.height, clip.width) for layer in (found.masks, *found.masks_each))
    others = found.motion.others
    if others is not None:
        layer = pad_masks(others.orders(), picture, clip.height, clip.width)
        others = SeenMasks.from_masks(layer, lambda _, total: progress(total, total))
    return replace(
        found,
        motion=replace(found.motion, camera=camera, others=others),
        masks=masks,
        landmarks=landmarks,
        people=tuple(_move_track(track, shift) for track in found.people),
        masks_each=tuple(each),
    )


def _move_track(track: PersonTrack, shift: tuple[int, int]) -> PersonTrack:
    return replace(track, poses={frame: pose.move(shift) for frame, pose in track.poses.items()})
