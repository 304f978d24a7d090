"""SAM3_TRACK_DATA of ComfyUI's own SAM 3 nodes as masks.

A dict: `packed_masks` (F, N, h, w / 8) uint8 or None, eight pixels to a byte with the leftmost in the lowest bit;
`orig_size` (height, width) of the clip; `n_frames`. Read from newer sources of ComfyUI; 0.3.64 has no such node.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..mimo_core.errors import InputError
from ..mimo_core.media.clip import Masks


@dataclass(frozen=True, eq=False)
class Track:
    """What SAM 3 followed through a clip."""

    packed: np.ndarray  # (F, N, h, w / 8) uint8
    size: tuple[int, int]  # (height, width) of the clip

    @classmethod
    def of(cls, value: dict) -> Track:
        missing = [name for name in ("packed_masks", "orig_size", "n_frames") if name not in value]
        if missing:
            raise InputError(f"These tracks lack {', '.join(missing)}. Connect Run SAM3 Video Track, or a MASK.")
        height, width = (int(side) for side in value["orig_size"])
        packed = value["packed_masks"]
        if packed is None:  # nothing was found
            return cls(np.zeros((int(value["n_frames"]), 0, 1, 1), np.uint8), (height, width))
        if packed.ndim != 4 or packed.dtype != torch.uint8:
            raise InputError(
                f"The tracks hold {packed.dtype} {tuple(packed.shape)}, not bytes (frames, objects, height, width / 8)."
            )
        return cls(packed.detach().cpu().numpy(), (height, width))

    @property
    def objects(self) -> int:
        return self.packed.shape[1]

    def masks(self, object: int | None = None) -> Masks:
        """One object, or all of them together, in the size of the clip."""
        chosen = slice(None) if object is None else slice(object, object + 1)
        empty = Masks.constant(0, len(self.packed), *self.size)
        return empty.derive(lambda frame: self._mask(frame, chosen))

    def _mask(self, frame: int, chosen: slice) -> np.ndarray:
        bits = np.unpackbits(self.packed[frame, chosen], axis=-1, bitorder="little").any(0)
        height, width = self.size
        rows, columns = ((np.arange(n) + 0.5) * m / n for n, m in zip(self.size, bits.shape, strict=True))
        return 255 * bits[rows.astype(int)[:, None], columns.astype(int)].astype(np.uint8)


def select_tracked_person(value: dict, person: int | None = None) -> Masks:
    """The object `person` of a track; without a number the only one there is."""
    track = Track.of(value)
    if not track.objects:
        raise InputError("SAM 3 followed nothing in this clip. Change its prompt, or lower its threshold.")
    if person is None and track.objects > 1:
        raise InputError(
            f"The track holds {track.objects} objects. Choose the person with SAM3 Track to Mask, and connect the mask."
        )
    if (person or 0) >= track.objects:
        raise InputError(f"The track holds {track.objects} objects, so there is no person {person}. Count from 0.")
    return track.masks(person or 0)


def split_tracked_people(value: dict) -> list[Masks]:
    """Every object of a track by itself. Raises InputError where there is none."""
    track = Track.of(value)
    if not track.objects:
        raise InputError("SAM 3 followed nothing in this clip. Change its prompt, or lower its threshold.")
    return [track.masks(number) for number in range(track.objects)]


def merge_tracked_objects(value: dict) -> Masks:
    """All objects of a track together; none at all is an empty mask."""
    return Track.of(value).masks()
