"""Samples of synthetic shots: unseen truth, but the character's body as our own estimator fits it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch

from mimo_core.identity.encode import encode_identity
from mimo_core.media.clip import Clip, Masks
from mimo_core.motion.motion import Motion
from mimo_core.proxy.proxy import Proxy
from mimo_core.scene.scene import Scene

from ..synthetic import Shot, character_picture, shot
from ..synthetic.variety import Variety
from .regions import square_region_of
from .samples import Sample, clip_of, sample_of


FIRST_SEED = 100_000  # seeds below are for tuning and reporting
CLIPS_EACH = 3  # of a character
OVERSIZE = 1.5  # shots are drawn larger than samples, and sometimes cut to the region around the person
PICTURE = 256
TEXTURE = 512
FPS = 12
ESTIMATED, JITTERED, CUT = 1 / 12, 0.5, 0.4  # shares of the samples
TURN, SHIFT = 0.05, 0.012  # radians and metres by which a jittered motion is off


def synthetic_sample(number: int, *, seed: int = 0, size: int = 128, frames: int = 16, is_rich: bool = False) -> Sample:
    """Sample `number` of the endless data set of `seed`; the same whoever makes it."""
    rng = np.random.default_rng((seed, number))
    character = FIRST_SEED + (seed * 1_000_003 + number // CLIPS_EACH) % 1_000_000_000
    place = FIRST_SEED + (seed * 1_000_003 + number) % 1_000_000_000
    variety, side = Variety() if is_rich else None, round(size * OVERSIZE)
    made = shot(place, size=side, frames=frames, fps=FPS, character=character, samples=1, variety=variety)
    identity, proxy = character_of(character, is_rich)
    motion = _told_motion(made, rng)
    region = square_region_of(motion, side, side) if rng.random() < CUT else None
    return sample_of(made.frames, true_scene(made), made.visible, motion, identity, proxy, size=size, region=region)


@lru_cache(maxsize=2)
def character_of(seed: int, is_rich: bool = False):
    """The identity of a synthetic character and its proxy."""
    identity = encode_identity(character_picture(seed, size=PICTURE, variety=Variety() if is_rich else None).image)
    return identity, Proxy.from_identity(identity, texture=TEXTURE)


def true_scene(made: Shot) -> Scene:
    source = clip_of(made.frames, made.fps)
    return Scene(
        source,
        Clip.from_array(made.plate, source.fps),
        Masks.from_array(made.visible),
        Masks.from_array(made.occluder),
    )


def _told_motion(made: Shot, rng: np.random.Generator) -> Motion:
    """The true motion; or one that is a little off, as estimates are; or the estimate."""
    drawn = rng.random()
    if drawn < ESTIMATED:
        from mimo_core.pose.estimate import estimate_motion

        found = estimate_motion(clip_of(made.frames, made.fps))
        if found.is_found and found.motion.frames == made.motion.frames:
            return found.motion
    if drawn < ESTIMATED + JITTERED:
        return jittered(made.motion, rng)
    return made.motion


def jittered(motion: Motion, rng: np.random.Generator) -> Motion:
    """The motion with joints and place off by a slowly changing error, and another body shape."""
    person, frames = motion.person, motion.frames

    def slow(width: int, spread: float) -> torch.Tensor:
        knots = rng.normal(0, spread, (max(frames // 6, 1) + 2, width))
        at = np.linspace(0, len(knots) - 1.001, frames)
        low = at.astype(int)
        share = (at - low)[:, None]
        return torch.from_numpy(knots[low] * (1 - share) + knots[low + 1] * share).float()

    person = replace(
        person,
        global_orient=person.global_orient + slow(3, TURN / 2),
        body_pose=person.body_pose + slow(69, TURN),
        transl=person.transl + slow(3, SHIFT),
    )
    return replace(motion, people=(person,))
