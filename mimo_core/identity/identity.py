"""Identity: what one picture tells about a character."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from numpy.typing import NDArray
from torch import Tensor

from ..body.limbs import scale_legs
from ..body.model import BodyModel, free_body
from ..errors import InputError
from ..motion.motion import Motion
from .bust import Bust
from .joints import PictureJoints
from .proportions import FittedBody, measure_head_growth
from .stance import measure_leg_share, unfold_legs


@dataclass(frozen=True, eq=False)
class Identity:
    """A character: picture on white, cropped and padded to a square, with its matte and the body fitted to it."""

    picture: NDArray  # (S, S, 3) uint8 RGB, white outside the matte
    matte: NDArray  # (S, S) uint8
    motion: Motion | None = None  # one frame, camera of size S x S; None for nobody whom a body fits
    back: tuple[NDArray, NDArray] | None = None  # picture (B, B, 3) and matte (B, B) of the same character from behind
    joints: PictureJoints | None = None  # of a figure that is drawn as a card because no body fits it
    bust: Bust | None = None  # of a figure without joints that the picture's lower border cuts off
    notes: tuple[str, ...] = ()  # what was assumed, in sentences for the user
    latent: Tensor | None = None  # (V, 4, S / 8, S / 8) of the front and, if there is one, the back; unscaled
    token: Tensor | None = None  # (V, 1, D) of CLIP vision, not normalized

    def __post_init__(self):
        _check_square("picture", self.picture, self.matte)
        if self.back is not None:
            _check_square("back view", *self.back)
        side = len(self.matte)
        if self.motion is not None and (self.motion.frames != 1 or self.motion.camera.size != (side, side)):
            raise InputError(
                f"The body of an identity needs one frame and a camera of {side}x{side}, "
                f"got {self.motion.frames} and {self.motion.camera.size}."
            )

    @functools.cached_property
    def _fitted(self) -> FittedBody:
        return FittedBody.of(self.motion)

    @functools.cached_property
    def head_growth(self) -> float:
        """How many times as large the head is as that of the fitted body."""
        return 1.0 if self.motion is None else measure_head_growth(self._fitted, self.matte)

    @functools.cached_property
    def leg_share(self) -> float:
        """How long the legs are over those of the fitted body."""
        return 1.0 if self.motion is None else measure_leg_share(self._fitted.joints, self.head_growth)

    @property
    def body(self) -> BodyModel:
        """The free body with legs as long as the character's."""
        return scale_legs(free_body(), self.leg_share)

    @property
    def stance(self) -> Motion | None:
        """One frame, in which `body` stands as the character does on its picture; `motion` poses the free body."""
        return self.motion if self.leg_share == 1 else unfold_legs(self.motion)

    @property
    def side(self) -> int:
        return len(self.matte)


def _check_square(name: str, picture: NDArray, matte: NDArray):
    side = len(matte)
    if matte.shape != (side, side) or picture.shape != (side, side, 3):
        raise InputError(
            f"The {name} of an identity must be square, (S, S, 3) with a matte (S, S), "
            f"got {picture.shape} and {matte.shape}."
        )
