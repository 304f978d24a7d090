"""A synthetic shot and everything that is true about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from mimo_core.body.model import free_body
from mimo_core.body.person import Person
from mimo_core.errors import InputError
from mimo_core.geometry.camera import Camera
from mimo_core.motion.motion import Motion

from .actor import dress_actor
from .backgrounds import BENCHMARK_PLACES
from .benchmark_appearance import BenchmarkAppearance, sample_benchmark_appearance
from .benchmark_cameras import BENCHMARK_CAMERAS
from .benchmark_motions import BENCHMARK_MOTIONS, a_pose
from .figure import draw_figure, skin_surface
from .garments import dress_body
from .layers import compose_layers
from .light import studio_light
from .randomized_appearance import RandomizedAppearance, sample_randomized_appearance
from .randomized_stage import build_randomized_stage
from .stage import build_benchmark_stage
from .streams import random_stream
from .variety import RANDOMIZED_CHOICES, Variety


OCCLUDER_KINDS = ("none", "fixed", "moving")


@dataclass(frozen=True, eq=False)
class Shot:
    """Frames and their exact truth. Masks are 0 to 255; (F, H, W) unless said otherwise.

    The plate is the shot as it would have been filmed without the person: no person, no shadow of the person, but
    with the sensor's same noise and with what passes in front, just as the plate of a Scene. So it equals the frames
    wherever neither person nor shadow is. The background is the plate without what passes in front.
    """

    seed: int
    character: int
    frames: np.ndarray  # (F, H, W, 3) uint8
    plate: np.ndarray  # (F, H, W, 3) uint8
    background: np.ndarray  # (F, H, W, 3) uint8
    person: np.ndarray  # uint8, the whole person, hidden or not
    visible: np.ndarray  # uint8, what is seen of the person
    occluder: np.ndarray  # uint8, alpha of what passes in front
    mover: np.ndarray  # uint8, alpha of what moves elsewhere and never touches the person
    shadow: np.ndarray  # uint8, how much the person's shadow darkens
    depth: np.ndarray  # float32 metres along the camera's z, of what is seen
    parts: np.ndarray  # uint8, SMPL joint + 1 of the person's surface, hidden or not
    flow: np.ndarray  # (F - 1, H, W, 2) float32, pixels that what is seen moves until the next frame
    motion: Motion
    kind: str  # of motion
    camera: str  # one of CAMERAS
    occluders: str  # one of OCCLUDER_KINDS; randomized shots may have several, "fixed and moving"
    wearing: tuple[str, ...] = ()  # rows of the wardrobe, for a randomized shot

    @property
    def fps(self) -> float:
        return self.motion.fps


@dataclass(frozen=True, eq=False)
class CharacterPicture:
    """A character before a neutral background."""

    image: np.ndarray  # (H, W, 3) uint8
    mask: np.ndarray  # (H, W) uint8
    motion: Motion  # of one frame: the true body and camera


def make_shot(
    seed: int,
    *,
    size: int | tuple[int, int] = 256,
    frames: int = 16,
    fps: float = 12,
    character: int | None = None,
    camera: str | None = None,
    occluders: str | None = None,
    place: str | None = None,
    performance: str | None = None,
    samples: int = 2,
    variety: Variety | None = None,
) -> Shot:
    """The shot of a seed, `size` pixels square or (width, height).

    `character` puts another seed's character into it: same performance, place, camera and occluders; body shape
    (at the first one's stature, which no picture tells), hair and clothes of the other, whose feet stand where the
    first one's stand. `camera`, `occluders`, `place` and `performance` choose what the seed would; `samples` squared
    rays are drawn a pixel.

    Of six seeds in a row three have a panning camera and two something that moves elsewhere; nothing, a fixed thing
    and a moving thing in front take turns every six seeds.

    With a `variety` the shot is randomized: all that Variety allows is drawn from the seed, by streams of its own.
    Without one it is a benchmark shot, which never changes; randomized shots may, from version to version.
    """
    size = (size, size) if isinstance(size, int) else size
    if min(size) < 16 or frames < 1 or not fps > 0:
        raise InputError(f"A shot needs at least 16x16 pixels, 1 frame and a frame rate, got {size}, {frames}, {fps}.")
    _check_choices(variety, camera=camera, occluders=occluders, place=place, performance=performance)
    if variety is None:
        camera, occluders = camera or BENCHMARK_CAMERAS[seed % 2], occluders or OCCLUDER_KINDS[seed // 6 % 3]
        stage = build_benchmark_stage(seed, size, frames, fps, camera, occluders, place, performance)
    else:
        stage = build_randomized_stage(seed, size, frames, fps, camera, occluders, place, performance, variety)
    actor = stage.actor
    if character not in (None, seed):
        actor = dress_actor(_sample_appearance(character, variety), stage.performance, fps, like=stage.actor)
    figure = draw_figure(
        actor.appearance.paint, actor.dressed, actor.posed, stage.camera, stage.background.light, samples=samples
    )
    layers = compose_layers(seed, stage, actor, figure)
    motion = Motion((actor.person,), fps, stage.camera)
    chosen = seed if character is None else character
    return Shot(
        seed, chosen, **layers, motion=motion, kind=stage.performance.kind, camera=stage.camera_kind,
        occluders=stage.occluders, wearing=getattr(actor.appearance, "names", ()),
    )  # fmt: skip


def _sample_appearance(character: int, variety: Variety | None) -> BenchmarkAppearance | RandomizedAppearance:
    return sample_benchmark_appearance(character) if variety is None else sample_randomized_appearance(character)


def _check_choices(variety: Variety | None, **chosen: str | None) -> None:
    """Refuse words that no shot of this kind knows."""
    known = (
        {"camera": BENCHMARK_CAMERAS, "performance": BENCHMARK_MOTIONS, "place": BENCHMARK_PLACES}
        if variety is None
        else RANDOMIZED_CHOICES
    )
    for name, word in chosen.items():
        choices = OCCLUDER_KINDS if name == "occluders" else tuple(known[name])
        if word is not None and word not in choices:
            raise InputError(f"A shot's {name} is one of {', '.join(choices)}, got {word}.")


def make_character_picture(
    seed: int, *, size: int = 512, back: bool = False, samples: int = 3, variety: Variety | None = None
) -> CharacterPicture:
    """The character of a seed in A-pose from the front, or from the back, before a neutral background.

    With a `variety` the character that a randomized shot of this seed has.
    """
    return draw_character_picture(
        _sample_appearance(seed, variety), random_stream(seed, "picture"), size=size, back=back, samples=samples
    )


def draw_character_picture(
    worn: BenchmarkAppearance | RandomizedAppearance,
    rng: np.random.Generator,
    *,
    size: int = 512,
    back: bool = False,
    samples: int = 3,
) -> CharacterPicture:
    """A character in A-pose before a neutral background, whose brightness and grain come from `rng`."""
    dressed = dress_body(worn.betas, worn.volume(), worn.sheets())
    pose = torch.from_numpy(a_pose())
    if back:
        pose[:, 0, 1] = np.pi
    person = Person(worn.betas, pose[:, 0], pose[:, 1:].flatten(1), torch.zeros(1, 3))
    posed = skin_surface(dressed, free_body().pose(person).transforms)
    low, high = posed.vertices.amin((0, 1)), posed.vertices.amax((0, 1))
    focal = 2.4 * size
    distance = float(high[1] - low[1]) * focal / (0.86 * size)
    shift = torch.stack([-(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, torch.tensor(-distance)])
    person = replace(person, transl=shift[None])
    lens = Camera(focal, (size / 2, size / 2), (size, size), torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))[None])
    figure = draw_figure(worn.paint, dressed, posed.shift(shift[None]), lens, studio_light(), samples=samples)
    wall = np.linspace(1.0, 0.9, size, dtype=np.float32)[:, None, None] * rng.uniform(0.62, 0.85)
    alpha = figure.alpha[0][..., None]
    image = wall * (1 - alpha) + figure.rgb[0] + rng.normal(0, 0.003, (size, size, 3))
    image, mask = (np.clip(np.rint(value * 255), 0, 255).astype(np.uint8) for value in (image, figure.alpha[0]))
    return CharacterPicture(image, mask, Motion((person,), 24.0, lens))
