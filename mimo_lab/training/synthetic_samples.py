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

from ..synthetic import Shot, make_character_picture, make_shot
from ..synthetic.variety import Variety
from .regions import find_square_region
from .samples import Sample, make_clip, make_sample


FIRST_SEED = 100_000  # seeds below are for tuning and reporting
CLIPS_EACH = 3  # of a character
SHOT_OVERSIZE = 1.5  # shots are drawn larger than samples, and sometimes cut to the region around the person
REFERENCE_SIZE = 256
SHOT_TEXTURE = 512
SHOT_FPS = 12
ESTIMATED, JITTERED, CUT = 1 / 12, 0.5, 0.4  # shares of the samples
TURN, SHIFT = 0.05, 0.012  # radians and metres by which a jittered motion is off


def make_synthetic_sample(
    number: int,
    *,
    seed: int = 0,
    size: int = 128,
    frames: int = 16,
    is_randomized: bool = False,
    randomized_share: float = 0.0,
) -> Sample:
    """Sample `number` of the endless data set of `seed`; the same whoever makes it.

    randomized_share: the share of the characters whose shots are randomized if the others are not
    """
    rng = np.random.default_rng((seed, number))
    if randomized_share:
        drawn = np.random.default_rng((seed, number // CLIPS_EACH, 1)).random()
        is_randomized = is_randomized or drawn < randomized_share
    character = FIRST_SEED + (seed * 1_000_003 + number // CLIPS_EACH) % 1_000_000_000
    place = FIRST_SEED + (seed * 1_000_003 + number) % 1_000_000_000
    variety, side = Variety() if is_randomized else None, round(size * SHOT_OVERSIZE)
    shot = make_shot(place, size=side, frames=frames, fps=SHOT_FPS, character=character, samples=1, variety=variety)
    identity, proxy = fit_character(character, is_randomized)
    motion = _vary_motion(shot, rng)
    region = find_square_region(motion, side, side) if rng.random() < CUT else None
    return make_sample(shot.frames, true_scene(shot), shot.visible, motion, identity, proxy, size=size, region=region)


@lru_cache(maxsize=2)
def fit_character(seed: int, is_randomized: bool = False):
    """The identity of a synthetic character and its proxy."""
    identity = encode_identity(
        make_character_picture(seed, size=REFERENCE_SIZE, variety=Variety() if is_randomized else None).image
    )
    return identity, Proxy.from_identity(identity, texture=SHOT_TEXTURE)


def true_scene(shot: Shot) -> Scene:
    source = make_clip(shot.frames, shot.fps)
    return Scene(
        source,
        Clip.from_array(shot.plate, source.fps),
        Masks.from_array(shot.visible),
        Masks.from_array(shot.occluder),
    )


def _vary_motion(shot: Shot, rng: np.random.Generator) -> Motion:
    """The true motion; or one that is a little off, as estimates are; or the estimate."""
    drawn = rng.random()
    if drawn < ESTIMATED:
        from mimo_core.pose.estimate import estimate_motion

        found = estimate_motion(make_clip(shot.frames, shot.fps))
        if found.is_found and found.motion.frames == shot.motion.frames:
            return found.motion
    if drawn < ESTIMATED + JITTERED:
        return jitter_motion(shot.motion, rng)
    return shot.motion


def jitter_motion(motion: Motion, rng: np.random.Generator) -> Motion:
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
