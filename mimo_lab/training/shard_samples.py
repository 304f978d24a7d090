"""Samples of WebDataset shards, as `mimo_lab.synthetic.shards` writes them."""

from __future__ import annotations

import io
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from mimo_core.errors import InputError
from mimo_core.identity.encode import encode_identity
from mimo_core.media.clip import Masks
from mimo_core.motion.files import load_motion
from mimo_core.proxy.proxy import Proxy
from mimo_core.scene.scene import Scene

from ..synthetic.shards import read_shards
from .regions import square_region_of
from .samples import Sample, clip_of, sample_of


TEXTURE = 512


def shard_sample(number: int, *, folder: Path, size: int = 128, frames: int = 16) -> Sample:
    """Sample `number` of the shots in a folder's shards, counted from the first file on."""
    before = 0
    for file in shards_in(folder):
        shots = _shots(file)
        if number < before + len(shots):
            return _sample(shots[number - before], size, frames)
        before += len(shots)
    raise InputError(
        f"{folder} holds {before} shots, clip {number + 1} was asked for. Lower clips, or write more shards."
    )


def shards_in(folder: Path) -> list[Path]:
    """The shards in a folder, in order."""
    files = sorted(Path(folder).glob("*.tar"))
    if not files:
        raise InputError(f"{folder} holds no shards (.tar). docs/synthetic.md says how to write them.")
    return files


@lru_cache(maxsize=1)
def _shots(file: Path) -> list[dict]:
    return list(read_shards([file]))


def _sample(shot: dict, size: int, frames: int) -> Sample:
    pictures = shot["frames.npy"]
    if len(pictures) < frames:
        raise InputError(f"Shot {shot['__key__']} has {len(pictures)} frames, a sample needs {frames}.")
    source, plate = (clip_of(shot[name][:frames], shot["json"]["fps"]) for name in ("frames.npy", "plate.npy"))
    visible, occluder = (shot[name][:frames] for name in ("visible.npy", "occluder.npy"))
    scene = Scene(source, plate, Masks.from_array(visible), Masks.from_array(occluder))
    motion = _motion(shot["motion.npz"])[:frames]
    identity = encode_identity(np.asarray(Image.open(io.BytesIO(shot["character.png"]))))
    proxy = Proxy.from_identity(identity, texture=TEXTURE)
    region = None if source.width == source.height else square_region_of(motion, source.width, source.height)
    return sample_of(pictures[:frames], scene, visible, motion, identity, proxy, size=size, region=region)


def _motion(data: bytes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "motion.npz")
        path.write_bytes(data)
        return load_motion(path)
