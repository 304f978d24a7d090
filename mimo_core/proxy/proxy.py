"""The proxy: a character's picture baked onto its fitted body, drawn in any motion without a network."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..body.head import grow_head
from ..body.person import Person
from ..errors import InputError
from ..geometry.box import Box
from ..identity.identity import Identity
from ..identity.stance import CARTOON_HEAD
from ..motion.half_body import shows_feet
from ..motion.motion import Motion
from ..motion.retarget import retarget_onto_body
from ..progress import Progress, silent, track_progress
from .atlas import load_atlas
from .back import add_back_view
from .bending_card import BendingCard, make_bending_card
from .billboard import make_billboard, place_billboard, place_bust, reach_down
from .card_motion import pose_card
from .cloth_layer import make_cloth_layer
from .hidden import BACK_SIDE_CHOICES, fill_hidden
from .light import SurfaceLight, estimate_light, limit_change, shading_normals
from .outline import FittedPicture, move_onto_contour
from .skin import SkinnedMesh, TexturedMesh, draw_meshes, joint_transforms, unpose
from .skirt import SkirtMesh, make_skirt
from .surface import load_surface
from .sway import lag_behind, trace_back
from .texture import bake_texture, unmix_colors


BODY_TEXTURE_SIDE = 1024  # pixels; 2 mm a texel, about a pixel of a picture 900 pixels tall
POSED_AT_ONCE = 64  # frames; the joints of a whole clip would take 5 kB each


@dataclass(frozen=True, eq=False)
class Proxy:
    """A character that can be drawn in any motion: textured skins on a body, or a card where there is no body."""

    identity: Identity
    skins: tuple[SkinnedMesh | SkirtMesh, ...] = ()  # the body, then what hangs on it
    brightness: Tensor | None = None  # (V,) of the body's vertices under the picture's own light
    card: TexturedMesh | BendingCard | None = None

    @classmethod
    def from_identity(
        cls,
        identity: Identity,
        back_side: str = "mirror",
        *,
        texture: int | None = None,
        progress: Progress = silent,
    ) -> Proxy:
        """Bake the identity's picture, and its back view where there is one.

        `back_side` says how what neither shows is made up: mirror or diffuse. `texture` is the side of the body's
        texture, BODY_TEXTURE_SIDE by default; 512 is baked in half the time and suits frames of 128 pixels.
        `progress` is called between the steps, with 0 of 1 done. Raises InputError for another `back_side`.
        """
        if back_side not in BACK_SIDE_CHOICES:
            raise InputError(f"Unknown back side {back_side!r}. Choose one of {', '.join(BACK_SIDE_CHOICES)}.")
        ask = functools.partial(progress, 0, 1)  # seconds in all, but no loop whose end is known
        colors = unmix_colors(identity.picture, identity.matte)
        ask()
        if identity.motion is None:
            return cls(identity, card=_make_card(identity, colors))
        vertices = _dress_identity(identity)
        ask()
        skins = _make_skins(identity, vertices, colors, back_side, texture or BODY_TEXTURE_SIDE, ask)
        ask()
        return cls(identity, skins, brightness=_picture_brightness(identity, vertices))

    def render(
        self,
        motion: Motion,
        *,
        size: tuple[int, int] | None = None,
        light: SurfaceLight | None = None,
        frames: range | None = None,
        progress: Progress = silent,
    ) -> Iterator[tuple[NDArray, NDArray]]:
        """Frames (H, W, 3) uint8 of straight colors and their alpha (H, W) uint8, seen by the motion's camera.

        Colours reach a few pixels beyond the alpha, so that a feathered mask shows no rim. A motion that is not yet
        this character's is retargeted. `size` is (width, height), the camera's by default. `light` falls on the
        character in place of the picture's. `frames` are those of the motion that are drawn, by default all.
        """
        draw_frame = self.follow_motion(motion, size=size, light=light)
        frames = range(motion.frames) if frames is None else frames
        yield from map(draw_frame, track_progress(frames, len(frames), progress))

    def follow_motion(
        self, motion: Motion, *, size: tuple[int, int] | None = None, light: SurfaceLight | None = None
    ) -> Callable[[int], tuple[NDArray, NDArray]]:
        """A function that draws a frame of the motion as `render` does; what depends on all of them is found once."""
        motion = retarget_onto_body(motion, self.identity)
        camera = motion.camera if size is None else motion.camera.resize(*size)
        sheets, place = self._posed(motion)

        def draw_frame(frame: int) -> tuple[NDArray, NDArray]:
            if not motion.person.visible[frame]:
                return np.zeros((*camera.size[::-1], 3), np.uint8), np.zeros(camera.size[::-1], np.uint8)
            vertices = place(frame)
            return draw_meshes(sheets, vertices, camera, frame, shades=self._shades(vertices, light))

        return draw_frame

    def _shades(self, vertices: list[Tensor], light: SurfaceLight | None) -> list[Tensor] | None:
        """Factors (V,) on the colors of every skin from the picture's light to another one."""
        if light is None or self.brightness is None:
            return None
        change = limit_change(light.on(shading_normals(vertices[0])) / self.brightness)
        return [change[skin.beside] for skin in self.skins]

    def _posed(self, motion: Motion) -> tuple[list[TexturedMesh], Callable[[int], list[Tensor]]]:
        """The sheets and a function of the frame that gives the world vertices (V, 3) of each."""
        if isinstance(self.card, BendingCard):
            return list(self.card.sheets), pose_card(self.card, motion)
        if self.card is not None:
            return [self.card], self._posed_as_billboard(motion)
        return [skin.sheet for skin in self.skins], self._posed_on_skins(motion.person, motion.fps)

    def _posed_as_billboard(self, motion: Motion) -> Callable[[int], list[Tensor]]:
        height, width = self.card.texture.shape[:2]
        bust = self.identity.bust
        if bust is None or shows_feet(motion):
            return lambda frame: list(place_billboard(motion[frame : frame + 1], width / height))
        box = Box.of_mask(self.identity.matte)
        bust = reach_down(motion, bust.moved(-box.left, -box.top), (width, height))
        return lambda frame: list(place_bust(motion[frame : frame + 1], bust, (width, height)))

    def _posed_on_skins(self, person: Person, fps: float) -> Callable[[int], list[Tensor]]:
        body = self.identity.body

        @functools.lru_cache(maxsize=2)
        def transforms_from(start: int) -> Tensor:
            return joint_transforms(body, person.index(slice(start, start + POSED_AT_ONCE)))

        grown = body.betas_of(person) - self.identity.motion.person.betas
        angles = (person.left_hand_pose, person.right_hand_pose)

        def pose_frame(frame: int) -> list[Tensor]:
            hands = tuple(None if hand is None else hand[frame : frame + 1] for hand in angles)
            transforms = transforms_from(frame - frame % POSED_AT_ONCE)[frame % POSED_AT_ONCE]
            posed = [skin.posed(transforms, grown, hands) for skin in self.skins]
            for number, skin in enumerate(self.skins):
                if skin.sway is not None:
                    posed[number] = lag_behind(posed[number], skin, grown, [transforms, *history(frame)], fps)
                if isinstance(skin, SkirtMesh):
                    posed[number] = skin.make_room(posed[number], transforms)
            return posed

        def history(frame: int) -> list[Tensor]:
            """Transforms of the frames before, the latest first, as long as nothing jumps."""
            return [
                transforms_from(at - at % POSED_AT_ONCE)[at % POSED_AT_ONCE] for at in trace_back(person, frame, fps)
            ]

        return pose_frame


def _make_card(identity: Identity, colors: NDArray) -> TexturedMesh | BendingCard:
    if identity.joints is None:
        return make_billboard(colors, identity.matte)
    return make_bending_card(colors, identity.matte, identity.joints)


def _dress_identity(identity: Identity) -> Tensor:
    """Camera-space vertices (V, 3) of the identity's body, hair and clothes on it."""
    body, camera = identity.body, identity.motion.camera
    vertices = camera.view(body.pose(identity.stance.person).vertices)[0]
    grown = grow_head(body, vertices, identity.head_growth)
    keep_face = identity.head_growth < CARTOON_HEAD
    return move_onto_contour(grown, FittedPicture(identity.matte, camera), keep_face=keep_face)


def _picture_brightness(identity: Identity, vertices: Tensor) -> Tensor | None:
    """How bright the picture's light makes each vertex, (V,); what it hides shows the colors of the side it shows."""
    light = estimate_light(identity.motion, [0], [(identity.picture, identity.matte)])
    if light is None:
        return None
    camera = identity.motion.camera
    normals = shading_normals(vertices)
    normals = torch.cat([normals[:, :2], -normals[:, 2:].abs()], 1)
    return light.on(normals @ camera.extrinsics()[0, :3, :3])


def _make_skins(
    identity: Identity, vertices: Tensor, colors: NDArray, back_side: str, side: int, ask: Callable[[], None]
) -> tuple[SkinnedMesh | SkirtMesh, ...]:
    """The body with the picture's colors (H, W, 3) on it, and what hangs on it."""
    body, camera = identity.body, identity.motion.camera
    posed = body.pose(identity.stance.person)
    transforms = posed.transforms[0]
    picture = FittedPicture(identity.matte, camera)
    atlas = load_atlas(side)
    baked = bake_texture(atlas, vertices, body.faces, picture, colors)
    if identity.back is not None:
        baked = add_back_view(baked, atlas, vertices, camera, identity.back)
    ask()
    surface = load_surface(side)
    ask()
    texels = fill_hidden(surface, baked, back_side=back_side, picture=(colors, identity.matte), ask=ask)
    texture = atlas.picture(np.clip(texels + 0.5, 0, 255).astype(np.uint8))
    # Legs that are shorter than the fit's are thick besides: what fills the gap between them is no cloth.
    naked = camera.view(posed.vertices)[0] if identity.leg_share == 1 else None
    skirt = None if naked is None else make_skirt(body, naked, vertices, transforms, picture, colors)
    rest = unpose(vertices, body.weights, transforms, camera)
    if skirt is not None:
        rest = skirt.slim(body, rest, unpose(naked, body.weights, transforms, camera))
    skin = SkinnedMesh(
        sheet=TexturedMesh(
            faces=body.faces,
            corners=body.uv[body.uv_faces] * side,
            texture=np.dstack([texture, np.full(texture.shape[:2], 255, np.uint8)]),
        ),
        vertices=rest,
        weights=body.weights,
        shapedirs=body.shapedirs,
        beside=torch.arange(body.vertices),
        has_hands=True,
    )
    shell = make_cloth_layer(body, vertices, transforms, picture, colors, skirt=skirt)
    return tuple(each for each in (skin, skirt, shell) if each is not None)
