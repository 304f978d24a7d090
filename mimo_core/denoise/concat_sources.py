"""The pictures that are concatenated to the noise. Official weights read the plate; others may be trained on more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..compositing.composite import composite
from ..errors import InputError
from ..identity.identity import Identity
from ..media.clip import Clip, Masks
from ..motion.motion import Motion
from ..motion.retarget import retarget_motion
from ..proxy.proxy import Proxy
from ..scene.scene import Scene
from .segments import BLACK, WHITE


@dataclass(frozen=True)
class ConcatSource:
    """One kind of picture. `make` gives a clip of the scene's size with as many frames as the motion."""

    make: Callable[[Identity, Motion | Clip, Scene, int], Clip]
    fill: int  # grey around a square that reaches out of the frame


def get_plate(identity: Identity, motion: Motion | Clip, scene: Scene, frames: int) -> Clip:
    """What lies behind the character."""
    return extend_clip(scene.plate, frames, is_still=scene.is_still)


def mask_source(identity: Identity, motion: Motion | Clip, scene: Scene, frames: int) -> Clip:
    """What passes in front, on black: the occlusion code of the paper."""
    front = scene.source.derive(lambda index: blend_over(scene.source[index], scene.occluder[index], BLACK))
    return extend_clip(front, frames, is_still=scene.is_still)


_bake_proxy = lru_cache(maxsize=1)(Proxy.from_identity)  # for the layer and for its outline


def draw_proxy(identity: Identity, motion: Motion | Clip, scene: Scene, frames: int) -> Clip:
    """The character as the proxy draws it, before the plate and behind what passes in front.

    Raises InputError for body code instead of a motion.
    """
    if isinstance(motion, Clip):
        raise InputError("These weights also read the proxy, which needs the motion itself. Connect it, not body code.")
    return draw_proxy_in_scene(_bake_proxy(identity), retarget_motion(motion, identity), scene)


def draw_proxy_in_scene(drawn: Proxy, motion: Motion, scene: Scene) -> Clip:
    """A proxy in a scene. Nothing of the source is looked at: the network should not lean on the person who goes."""
    ground = extend_clip(scene.plate, motion.frames, is_still=scene.is_still)
    return replace(scene.plate, source=_ProxyFrames(drawn, motion, ground, scene))


def mark_proxy(identity: Identity, motion: Motion, scene: Scene) -> Masks:
    """Where the proxy covers the scene: the outline that weights which read it were trained to fill."""
    drawn = _bake_proxy(identity).render(retarget_motion(motion, identity), size=(scene.width, scene.height))
    return Masks.from_frames(alpha for _, alpha in drawn)


def blend_over(picture: NDArray, alpha: NDArray, ground: NDArray | int) -> NDArray:
    """`picture` (H, W, 3) uint8 where `alpha` (H, W) uint8 is full, `ground` where it is 0."""
    share = alpha[..., None].astype(np.float32) / 255
    return (picture * share + ground * (1 - share) + 0.5).astype(np.uint8)


def extend_clip(clip: Clip, frames: int, *, is_still: bool) -> Clip:
    """A still layer for all frames, another one as it is if it has as many."""
    if is_still:
        return Clip.still(clip[0], frames, clip.fps)
    check_frame_count("The scene", len(clip), frames)
    return clip


def check_frame_count(name: str, found: int, wanted: int) -> None:
    """Raise InputError if a clip has another number of frames than the motion. `name` begins the sentence."""
    if found != wanted:
        raise InputError(f"{name} has {found} frames but the motion has {wanted}. Give both the same length and fps.")


class _ProxyFrames:
    """Frames of the proxy in a scene, drawn when they are read."""

    def __init__(self, proxy: Proxy, motion: Motion, plate: Clip, scene: Scene):
        self.motion, self.plate, self.scene = motion, plate, scene
        self.draw_frame = proxy.follow_motion(motion, size=(plate.width, plate.height))
        self.shape = (plate.height, plate.width, 3)

    def __len__(self) -> int:
        return self.motion.frames

    def read(self, start: int, stop: int) -> Iterator[NDArray]:
        for frame, ground in enumerate(self.plate.read(start, stop), start):
            picture, alpha = self.draw_frame(frame)
            front = self.scene.occluder[0 if self.scene.is_still else frame]
            layers = Clip.from_array(ground[None]), Masks.from_array(front[None])
            bare = Scene(layers[0], layers[0], Masks.constant(0, 1, *ground.shape[:2]), layers[1])
            yield next(composite(bare, [picture], [alpha], color_match="none", shadow=0))


CONCAT_SOURCES = {
    "plate": ConcatSource(get_plate, WHITE),
    "occluder": ConcatSource(mask_source, BLACK),
    "proxy": ConcatSource(draw_proxy, WHITE),
}
