"""Shots as WebDataset shards: tar files that training reads from front to back, on any machine.

A sample is a shot. Its key is its seed, its fields are the arrays of Shot and a little more, see FIELDS.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mimo_core.errors import InputError
from mimo_core.motion.files import save_motion
from mimo_core.output import whole_file
from mimo_core.progress import Progress, silent

from .shot import Shot, make_character_picture, make_shot
from .variety import Variety


SHARD_ARRAYS = (
    "frames", "plate", "background", "person", "visible", "occluder", "mover", "shadow", "depth", "parts", "flow",
)  # fmt: skip
SHARD_FIELDS = ("json", *(f"{name}.npy" for name in SHARD_ARRAYS), "motion.npz", "character.png", "character_mask.png")
SHARD, ABOUT = "shots-{:06d}.tar", "shots.json"
SHARD_FORMAT = "mimo shots 1"


@dataclass(frozen=True)
class Recipe:
    """Everything that a set of shards depends on."""

    first: int  # seed
    last: int  # seed, too
    size: int | tuple[int, int] = 256
    frames: int = 16
    fps: float = 12
    each: int = 32  # shots in a shard
    picture: int = 512  # pixels of the character's picture
    variety: Variety | None = Variety()

    def __post_init__(self):
        if not 0 <= self.first <= self.last:
            raise InputError(f"Seeds run from a first to a last one, 0 or more; got {self.first} to {self.last}.")
        if self.each < 1:
            raise InputError(f"A shard needs at least one shot, got {self.each}.")

    def shards(self) -> list[range]:
        """The seeds of each shard."""
        return [
            range(start, min(start + self.each, self.last + 1)) for start in range(self.first, self.last + 1, self.each)
        ]

    def as_json(self) -> dict:
        """Its fields as JSON values."""
        return json.loads(json.dumps({"format": SHARD_FORMAT, **asdict(self)}, default=str))


def write_shot_shards(
    folder: Path | str, recipe: Recipe, *, workers: int = 1, progress: Progress = silent
) -> tuple[Path, ...]:
    """Write the shards of a recipe to `folder` and return their files. It may have been begun before.

    A shard is written under another name and renamed when it is whole, so after a kill the same call goes on with the
    first shard that is missing, and the result is the same to the byte. Files that are there are never written again;
    a folder begun with another recipe is refused. `workers` processes draw; with 1 no other process is started.
    """
    folder = Path(folder)
    _check_recipe(folder, recipe)
    files = tuple(folder / SHARD.format(number) for number in range(len(recipe.shards())))
    missing = [(file, seeds) for file, seeds in zip(files, recipe.shards(), strict=True) if not file.exists()]
    total = sum(len(seeds) for _, seeds in missing)
    samples = _draw_samples([seed for _, seeds in missing for seed in seeds], recipe, workers)
    done = 0
    try:
        for file, seeds in missing:
            with whole_file(file) as partial, tarfile.open(partial, "w") as archive:
                for _ in seeds:
                    _add_sample(archive, *next(samples))
                    done += 1
                    progress(done, total)
    finally:
        samples.close()
    return files


def _check_recipe(folder: Path, recipe: Recipe) -> None:
    """Note the recipe in the folder, or compare it with the one that is noted."""
    about = folder / ABOUT
    if about.is_file():
        noted = json.loads(about.read_text())
        wanted = recipe.as_json()
        differs = sorted(name for name in wanted.keys() | noted.keys() if wanted.get(name) != noted.get(name))
        if differs:
            name = differs[0]
            raise InputError(
                f"{folder} was begun with {name} {noted.get(name)}, not {wanted.get(name)}. Name a new folder, or give "
                f"the settings in {ABOUT} to go on."
            )
        return
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} holds other files. Name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(about) as partial:
        partial.write_text(json.dumps(recipe.as_json(), indent=1))


def _draw_samples(seeds: list[int], recipe: Recipe, workers: int) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The samples in order, drawn here or by other processes, a few ahead."""
    if workers <= 1:
        yield from (_draw_sample(seed, recipe) for seed in seeds)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_use_one_thread)
    try:
        ahead = []
        for seed in seeds:
            ahead.append(pool.submit(_draw_sample, seed, recipe))
            if len(ahead) > 2 * workers:
                yield ahead.pop(0).result()
        for future in ahead:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _use_one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _draw_sample(seed: int, recipe: Recipe) -> tuple[str, dict[str, bytes]]:
    """Key and fields of one shot."""
    shot = make_shot(seed, size=recipe.size, frames=recipe.frames, fps=recipe.fps, variety=recipe.variety)
    picture = make_character_picture(seed, size=recipe.picture, variety=recipe.variety)
    about = {
        "seed": shot.seed, "character": shot.character, "fps": shot.fps, "motion": shot.kind, "camera": shot.camera,
        "passing": shot.occluders, "wearing": shot.wearing,
    }  # fmt: skip
    fields = {"json": json.dumps(about).encode()}
    fields |= {f"{name}.npy": _encode_npy(getattr(shot, name)) for name in SHARD_ARRAYS}
    fields |= {
        "motion.npz": _encode_motion(shot),
        "character.png": _encode_png(picture.image),
        "character_mask.png": _encode_png(picture.mask),
    }
    return f"{seed:09d}", fields


def _encode_npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _encode_png(picture: np.ndarray) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png", compress_level=1)  # the usual 6 takes a tenth of a shot's time
    return buffer.getvalue()


def _encode_motion(shot: Shot) -> bytes:
    """The file that load_motion reads."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "motion.npz"
        save_motion(path, shot.motion)
        return path.read_bytes()


def _add_sample(archive: tarfile.TarFile, key: str, fields: dict[str, bytes]) -> None:
    """Append a sample. No times and owners, so that the same samples make the same bytes."""
    for name, data in fields.items():
        entry = tarfile.TarInfo(f"{key}.{name}")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))


def read_shot_shards(files: Iterable[Path | str]) -> Iterator[dict]:
    """The samples of some shards, one after the other: "__key__" and the fields, arrays and JSON decoded.

    The rest, motion.npz and the PNG pictures, comes as bytes. For a stream with shuffling and batches use the
    package webdataset, which reads the same files.
    """
    for file in files:
        sample = {}
        with tarfile.open(file) as archive:
            for entry in archive:
                key, _, name = entry.name.partition(".")
                if sample and sample["__key__"] != key:
                    yield sample
                    sample = {}
                sample |= {"__key__": key, name: _decode(name, archive.extractfile(entry).read())}
        if sample:
            yield sample


def _decode(name: str, data: bytes):
    if name.endswith(".npy"):
        return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return json.loads(data) if name == "json" else data
