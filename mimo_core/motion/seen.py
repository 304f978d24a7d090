"""What an estimator saw while it made a motion, as values that can be saved: masks of the people in the clip, and where
somebody else is."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..media.clip import Masks
from ..media.container import check_size
from ..progress import Progress, silent


BESIDE, BEHIND, IN_FRONT = 1, 2, 3  # of the people of a motion: where somebody else is; 0 is nobody else
SURE_MASK = 160  # value of a soft mask from which on a pixel is somebody's where two people meet
LARGEST_PACKED = 1 << 30  # bytes of all compressed masks; 10 000 masks of 1920x1080 have about 100 MB


@dataclass(frozen=True, eq=False)
class SeenMasks:
    """The masks of the people in the clip that a motion was taken from: (height, width) uint8 per frame and person.

    They are soft guesses, 0 to 255, as the estimator made them, lossless; as the layer of everybody else they hold
    BESIDE, BEHIND and IN_FRONT. Each is compressed by itself with zlib, so that a part of the frames costs nothing and
    random access is cheap: `packed` has all people of the first frame, then of the second. `width` and `height` are
    those of the clip.
    """

    width: int
    height: int
    packed: tuple[bytes, ...]
    people: int = 1

    def __post_init__(self):
        if self.width < 1 or self.height < 1:
            raise InputError(f"The masks seen with a motion must have a size, got {self.width}x{self.height}.")
        check_size(self.width, self.height)
        if self.people < 1 or len(self.packed) % self.people:
            raise InputError(f"{len(self.packed)} masks seen with a motion cannot be those of {self.people} people.")

    @classmethod
    def from_masks(cls, masks: Masks, progress: Progress = silent) -> SeenMasks:
        """Compress all masks, one after the other."""
        packed = []
        for number, mask in enumerate(masks, 1):
            packed.append(zlib.compress(np.ascontiguousarray(mask), 1))
            progress(number, len(masks))
        return cls(masks.width, masks.height, tuple(packed))

    @classmethod
    def join(cls, parts: Sequence[SeenMasks]) -> SeenMasks:
        """Masks of people in one clip, as those of all of them. Raises InputError where clips differ."""
        first = parts[0]
        if any((part.width, part.height, len(part)) != (first.width, first.height, len(first)) for part in parts):
            raise InputError("Masks of people in one clip need one size and length.")
        rows = chain.from_iterable(
            part.packed[at * part.people : (at + 1) * part.people] for at in range(len(first)) for part in parts
        )
        return cls(first.width, first.height, tuple(rows), sum(part.people for part in parts))

    @classmethod
    def from_arrays(
        cls, content: NDArray, lengths: NDArray, *, width: int, height: int, name: str, people: int = 1
    ) -> SeenMasks:
        """The inverse of `arrays`: compressed bytes (N,) and their lengths (F * people,).

        Raises InputError naming the file where the arrays do not fit together.
        """
        if content.dtype != np.uint8 or lengths.dtype.kind not in "iu":
            raise InputError(
                f"{name} is damaged: the masks seen with its motion are {content.dtype} and their lengths "
                f"{lengths.dtype}, not uint8 and whole numbers."
            )
        lengths = [int(length) for length in lengths]
        if min(lengths, default=0) < 0 or sum(lengths) != len(content):
            raise InputError(f"{name} is damaged: the masks seen with its motion do not fit their lengths.")
        ends = np.cumsum([0, *lengths]).tolist()
        data = content.tobytes()
        packed = tuple(data[start:stop] for start, stop in zip(ends, ends[1:], strict=False))
        return cls(width, height, packed, people)

    def __len__(self) -> int:
        return len(self.packed) // self.people

    def arrays(self) -> tuple[NDArray, NDArray]:
        """All compressed bytes in a row (N,) uint8, and how many of them each mask has (F * people,) int64."""
        content = np.frombuffer(b"".join(self.packed), np.uint8)
        return content, np.array([len(mask) for mask in self.packed], np.int64)

    def index(self, frames: slice | Sequence[int]) -> SeenMasks:
        """The masks of some frames, in their order."""
        kept = range(len(self))[frames] if isinstance(frames, slice) else frames
        return replace(self, packed=tuple(each for at in kept for each in self._of_frame(at)))

    def mirror(self, progress: Progress = silent) -> SeenMasks:
        """The masks of mirrored frames."""
        mirrored = []
        for frame in range(len(self)):
            for packed in self._of_frame(frame):
                mirrored.append(zlib.compress(np.ascontiguousarray(self._unpack(frame, packed)[:, ::-1]), 1))
            progress(frame + 1, len(self))
        return replace(self, packed=tuple(mirrored))

    def choose(self, numbers: Sequence[int]) -> SeenMasks:
        """The masks of some of the people."""
        packed = tuple(self._of_frame(frame)[number] for frame in range(len(self)) for number in numbers)
        return replace(self, packed=packed, people=len(numbers))

    def _of_frame(self, frame: int) -> tuple[bytes, ...]:
        return self.packed[frame * self.people : (frame + 1) * self.people]

    def mask(self, frame: int) -> NDArray:
        """The mask (height, width) uint8 of everybody in a frame. Raises InputError if its bytes are damaged."""
        masks = [self._unpack(frame, packed) for packed in self._of_frame(frame)]
        return masks[0] if self.people == 1 else np.maximum.reduce(masks)

    def _unpack(self, frame: int, packed: bytes) -> NDArray:
        size = self.width * self.height
        unpack = zlib.decompressobj()
        try:
            content = unpack.decompress(packed, size + 1)
        except zlib.error as error:
            raise InputError(f"The mask seen in frame {frame} of the motion is damaged: {error}.") from error
        if len(content) != size:
            raise InputError(
                f"The mask seen in frame {frame} of the motion is damaged: it is not {self.width}x{self.height}."
            )
        return np.frombuffer(bytearray(content), np.uint8).reshape(self.height, self.width)

    def masks(self) -> Masks:
        """The masks as stages take them, unpacked when they are read."""
        return Masks.constant(0, len(self), self.height, self.width).derive(self.mask)

    def orders(self) -> Masks:
        """The layer of everybody else, 0 to IN_FRONT. A frame that holds more raises InputError when it is read."""
        return Masks.constant(0, len(self), self.height, self.width).derive(self._find_orders)

    def _find_orders(self, frame: int) -> NDArray:
        layer = self.mask(frame)
        if layer.max() > IN_FRONT:
            raise InputError(
                f"The layer of others in frame {frame} of the motion is damaged: it holds {layer.max()}, not 0 to "
                f"{IN_FRONT}. Estimate the motion again."
            )
        return layer
