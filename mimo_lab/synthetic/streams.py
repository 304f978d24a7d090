"""Randomness that stays put: one generator per seed and purpose."""

import zlib

import numpy as np

from mimo_core.errors import InputError


def random_stream(seed: int, name: str) -> np.random.Generator:
    """The generator of `seed` for one purpose. Drawing more from one stream shifts no other."""
    if seed < 0:
        raise InputError(f"The seed of a synthetic shot must be 0 or more, got {seed}.")
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def pick_weighted(rng: np.random.Generator, choices: dict):
    """One key of `choices`, which maps each to its weight."""
    weights = np.array(list(choices.values()), np.float64)
    return list(choices)[rng.choice(len(weights), p=weights / weights.sum())]
