"""The proxy: a character's picture baked onto its fitted body, drawn in any motion without a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import free_body
from ..errors import InputError
from ..identity.identity import Identity
from ..motion.motion import Motion
from ..motion.retarget import retarget
from ..progress import Progress, silent, tracked
from .atlas import free_body_atlas
from .hidden import BACK_SIDES, filled, free_body_surface
from .outline import Picture, clothed
from .skin import Skin, at_rest, draw, joint_transforms
from .texture import bake, clean_colors


TEXTURE_SIDE = 1024


@dataclass(frozen=True, eq=False)
class Proxy:
    """A character that can be drawn in any motion."""

    betas: Tensor  # (10,)
    skins: tuple[Skin, ...]  # the body, then what hangs on it

    @classmethod
    def from_identity(cls, identity: Identity, back_side: str = "mirror") -> Proxy:
        """Bake the identity's picture. `back_side` says how the hidden side is made up: mirror or diffuse."""
        if back_side not in BACK_SIDES:
            raise InputError(f"Unknown back side {back_side!r}. Choose one of {', '.join(BACK_SIDES)}.")
        person, camera = identity.motion.person, identity.motion.camera
        body = free_body()
        posed = body.pose(person)
        picture = Picture(identity.matte, camera)
        vertices = clothed(camera.view(posed.vertices)[0], body.faces, picture)
        baked = bake(
            free_body_atlas(TEXTURE_SIDE),
            vertices,
            body.faces,
            picture,
            clean_colors(identity.picture, identity.matte),
        )
        colors = filled(free_body_surface(TEXTURE_SIDE), baked, back_side=back_side)
        texture = free_body_atlas(TEXTURE_SIDE).picture(np.clip(colors + 0.5, 0, 255).astype(np.uint8))
        skin = Skin(
            vertices=at_rest(vertices, body.weights, posed.transforms[0], camera),
            weights=body.weights,
            faces=body.faces,
            corners=body.uv[body.uv_faces] * TEXTURE_SIDE,
            texture=np.dstack([texture, np.full(texture.shape[:2], 255, np.uint8)]),
        )
        return cls(person.betas, (skin,))

    def render(
        self, motion: Motion, *, size: tuple[int, int] | None = None, progress: Progress = silent
    ) -> Iterator[tuple[NDArray, NDArray]]:
        """Frames (H, W, 3) uint8 of straight colours and their alpha (H, W) uint8, seen by the motion's camera.

        Colours reach a few pixels beyond the alpha, so that a feathered mask shows no rim. A motion of another body
        shape is retargeted first. `size` is (width, height), the camera's by default.
        """
        motion = retarget(motion, self.betas)
        person = motion.person
        camera = motion.camera if size is None else motion.camera.scaled(*size)
        transforms = joint_transforms(free_body(), person)
        for frame in tracked(range(motion.frames), motion.frames, progress):
            if person.visible[frame]:
                yield draw(self.skins, transforms[frame], camera, frame)
            else:
                yield np.zeros((*camera.size[::-1], 3), np.uint8), np.zeros(camera.size[::-1], np.uint8)
