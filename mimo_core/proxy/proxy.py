"""The proxy: a character's picture baked onto its fitted body, drawn in any motion without a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..body.model import free_body
from ..errors import InputError
from ..identity.identity import Identity
from ..motion.motion import Motion, Person
from ..motion.retarget import retarget
from ..progress import Progress, silent, tracked
from .atlas import free_body_atlas
from .back import with_back
from .card import card_corners, card_of
from .hidden import BACK_SIDES, filled
from .outline import Picture, clothed
from .shell import shell_of
from .skin import Sheet, Skin, at_rest, draw, joint_transforms
from .surface import free_body_surface
from .texture import bake, clean_colors


TEXTURE_SIDE = 1024


@dataclass(frozen=True, eq=False)
class Proxy:
    """A character that can be drawn in any motion: textured skins on a body, or a card where there is no body."""

    betas: Tensor | None  # (10,)
    skins: tuple[Skin, ...] = ()  # the body, then what hangs on it
    card: Sheet | None = None

    @classmethod
    def from_identity(cls, identity: Identity, back_side: str = "mirror") -> Proxy:
        """Bake the identity's picture, and its back view where there is one.

        `back_side` says how what neither shows is made up: mirror or diffuse.
        """
        if back_side not in BACK_SIDES:
            raise InputError(f"Unknown back side {back_side!r}. Choose one of {', '.join(BACK_SIDES)}.")
        colors = clean_colors(identity.picture, identity.matte)
        if identity.motion is None:
            return cls(None, card=card_of(colors, identity.matte))
        return cls(identity.motion.person.betas, _skins(identity, colors, back_side))

    def render(
        self, motion: Motion, *, size: tuple[int, int] | None = None, progress: Progress = silent
    ) -> Iterator[tuple[NDArray, NDArray]]:
        """Frames (H, W, 3) uint8 of straight colours and their alpha (H, W) uint8, seen by the motion's camera.

        Colours reach a few pixels beyond the alpha, so that a feathered mask shows no rim. A motion that is not yet
        this character's is retargeted. `size` is (width, height), the camera's by default.
        """
        motion = retarget(motion, self.betas)
        camera = motion.camera if size is None else motion.camera.scaled(*size)
        place = self._posed_on_card(motion) if self.card is not None else self._posed_on_skins(motion.person)
        sheets = [self.card] if self.card is not None else [skin.sheet for skin in self.skins]
        for frame in tracked(range(motion.frames), motion.frames, progress):
            if motion.person.visible[frame]:
                yield draw(sheets, place(frame), camera, frame)
            else:
                yield np.zeros((*camera.size[::-1], 3), np.uint8), np.zeros(camera.size[::-1], np.uint8)

    def _posed_on_card(self, motion: Motion) -> Callable[[int], list[Tensor]]:
        height, width = self.card.texture.shape[:2]
        return lambda frame: list(card_corners(motion[frame : frame + 1], width / height))

    def _posed_on_skins(self, person: Person) -> Callable[[int], list[Tensor]]:
        transforms = joint_transforms(free_body(), person)
        grown = free_body().betas_of(person) - self.betas
        return lambda frame: [skin.posed(transforms[frame], grown) for skin in self.skins]


def _skins(identity: Identity, colors: NDArray, back_side: str) -> tuple[Skin, ...]:
    body, camera = free_body(), identity.motion.camera
    posed = body.pose(identity.motion.person)
    picture = Picture(identity.matte, camera)
    vertices = clothed(camera.view(posed.vertices)[0], picture)
    atlas = free_body_atlas(TEXTURE_SIDE)
    baked = bake(atlas, vertices, body.faces, picture, colors)
    if identity.back is not None:
        baked = with_back(baked, atlas, vertices, camera, identity.back)
    texels = filled(free_body_surface(TEXTURE_SIDE), baked, back_side=back_side)
    texture = atlas.picture(np.clip(texels + 0.5, 0, 255).astype(np.uint8))
    skin = Skin(
        sheet=Sheet(
            faces=body.faces,
            corners=body.uv[body.uv_faces] * TEXTURE_SIDE,
            texture=np.dstack([texture, np.full(texture.shape[:2], 255, np.uint8)]),
        ),
        vertices=at_rest(vertices, body.weights, posed.transforms[0], camera),
        weights=body.weights,
        shapedirs=body.shapedirs,
    )
    shell = shell_of(body, vertices, posed.transforms[0], picture, colors)
    return (skin,) if shell is None else (skin, shell)
