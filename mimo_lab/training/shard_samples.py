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

from ..synthetic.shards import read_shot_shards
from .regions import find_square_region
from .samples import Sample, make_clip, make_sample


SHARD_TEXTURE = 512


def make_shard_sample(number: int, *, folder: Path, size: int = 128, frames: int = 16) -> Sample:
    """Sample `number` of the shots in a folder's shards, counted from the first file on."""
    before = 0
    for file in list_shards(folder):
        shots = _read_shots(file)
        if number < before + len(shots):
            return _convert_shot(shots[number - before], size, frames)
        before += len(shots)
    raise InputError(
        f"{folder} holds {before} shots, clip {number + 1} was asked for. Lower clips, or write more shards."
    )


def list_shards(folder: Path) -> list[Path]:
    """The shards in a folder, in order."""
    files = sorted(Path(folder).glob("*.tar"))
    if not files:
        raise InputError(f"{folder} holds no shards (.tar). docs/synthetic.md says how to write them.")
    return files


@lru_cache(maxsize=1)
def _read_shots(file: Path) -> list[dict]:
    return list(read_shot_shards([file]))


def _convert_shot(shot: dict, size: int, frames: int) -> Sample:
    pictures = shot["frames.npy"]
    if len(pictures) < frames:
        raise InputError(f"Shot {shot['__key__']} has {len(pictures)} frames, a sample needs {frames}.")
    source, plate = (make_clip(shot[name][:frames], shot["json"]["fps"]) for name in ("frames.npy", "plate.npy"))
    visible, occluder = (shot[name][:frames] for name in ("visible.npy", "occluder.npy"))
    scene = Scene(source, plate, Masks.from_array(visible), Masks.from_array(occluder))
    motion = _load_motion_bytes(shot["motion.npz"])[:frames]
    identity = encode_identity(np.asarray(Image.open(io.BytesIO(shot["character.png"]))))
    proxy = Proxy.from_identity(identity, texture=SHARD_TEXTURE)
    region = None if source.width == source.height else find_square_region(motion, source.width, source.height)
    return make_sample(pictures[:frames], scene, visible, motion, identity, proxy, size=size, region=region)


def _load_motion_bytes(data: bytes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "motion.npz")
        path.write_bytes(data)
        return load_motion(path)
