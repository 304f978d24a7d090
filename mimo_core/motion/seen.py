"""What an estimator saw while it made a motion: the masks of the person in the clip, as a value that can be saved."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..media.clip import Masks
from ..media.container import check_size
from ..progress import Progress, silent


LARGEST_PACKED = 1 << 30  # bytes of all compressed masks; 10 000 masks of 1920x1080 have about 100 MB


@dataclass(frozen=True, eq=False)
class SeenMasks:
    """The person's masks in the clip that a motion was taken from: one (height, width) uint8 per frame, lossless.

    The masks are soft guesses, 0 to 255, as the estimator made them. Each is compressed by itself with zlib, so that a
    part of the frames costs nothing and random access is cheap. `width` and `height` are those of the clip.
    """

    width: int
    height: int
    packed: tuple[bytes, ...]

    def __post_init__(self):
        if self.width < 1 or self.height < 1:
            raise InputError(f"The masks seen with a motion must have a size, got {self.width}x{self.height}.")
        check_size(self.width, self.height)

    @classmethod
    def from_masks(cls, masks: Masks, progress: Progress = silent) -> SeenMasks:
        """Compress all masks, one after the other."""
        packed = []
        for number, mask in enumerate(masks, 1):
            packed.append(zlib.compress(np.ascontiguousarray(mask), 1))
            progress(number, len(masks))
        return cls(masks.width, masks.height, tuple(packed))

    @classmethod
    def from_arrays(cls, content: NDArray, lengths: NDArray, *, width: int, height: int, name: str) -> SeenMasks:
        """The inverse of `arrays`: compressed bytes (N,) and their lengths (F,).

        Raises InputError naming the file where the arrays do not fit together.
        """
        lengths = [int(length) for length in lengths]
        if content.dtype != np.uint8 or min(lengths, default=0) < 0 or sum(lengths) != len(content):
            raise InputError(f"{name} is damaged: the masks seen with its motion do not fit their lengths.")
        ends = np.cumsum([0, *lengths]).tolist()
        data = content.tobytes()
        packed = tuple(data[start:stop] for start, stop in zip(ends, ends[1:], strict=False))
        return cls(width, height, packed)

    def __len__(self) -> int:
        return len(self.packed)

    def arrays(self) -> tuple[NDArray, NDArray]:
        """All compressed bytes in a row (N,) uint8, and how many of them each frame has (F,) int64."""
        content = np.frombuffer(b"".join(self.packed), np.uint8)
        return content, np.array([len(mask) for mask in self.packed], np.int64)

    def index(self, frames: slice) -> SeenMasks:
        """The masks of some frames."""
        return replace(self, packed=self.packed[frames])

    def mask(self, frame: int) -> NDArray:
        """The mask (height, width) uint8 of a frame. Raises InputError if its bytes are damaged."""
        size = self.width * self.height
        unpack = zlib.decompressobj()
        try:
            content = unpack.decompress(self.packed[frame], size + 1)
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
