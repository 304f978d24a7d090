"""Training samples: one clip with everything that the networks are conditioned on, and what they should draw."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from mimo_core.denoise.concat_sources import blend_over, draw_proxy_in_scene
from mimo_core.denoise.segments import BLACK
from mimo_core.errors import InputError
from mimo_core.identity.identity import Identity
from mimo_core.media.clip import Clip
from mimo_core.motion.motion import Motion
from mimo_core.motion.retarget import retarget_motion
from mimo_core.output import whole_file
from mimo_core.progress import Progress, silent
from mimo_core.proxy.proxy import Proxy
from mimo_core.scene.scene import Scene


SAMPLES_KEY = "mimo_samples"
SHARD = "samples-{:05d}.safetensors"


@dataclass(frozen=True, eq=False)
class Sample:
    """uint8 pictures of one clip, all of one square size."""

    frames: np.ndarray  # (F, S, S, 3), what the network should draw
    plate: np.ndarray  # (F, S, S, 3), the scene without the person, with what passes in front
    proxy: np.ndarray  # (F, S, S, 3), the proxy composited into the plate, behind what passes in front
    occluder: np.ndarray  # (F, S, S, 3), what passes in front, on black
    body_code: np.ndarray  # (F, S, S, 3)
    visible: np.ndarray  # (F, S, S), what is seen of the person
    reference: np.ndarray  # (S, S, 3), the character's picture on white

    def __post_init__(self):
        frames, size = self.visible.shape[:2]
        for field in fields(self):
            found = getattr(self, field.name).shape
            wanted = (size, size, 3) if field.name == "reference" else (frames, size, size, 3)
            if found != wanted and not (field.name == "visible" and found == wanted[:3]):
                raise InputError(f"The {field.name} of a training sample is {found}, but must be {wanted}.")


SAMPLE_FIELDS = tuple(field.name for field in fields(Sample))


def make_sample(
    frames: np.ndarray,
    scene: Scene,
    visible: np.ndarray,
    motion: Motion,
    identity: Identity,
    proxy: Proxy,
    *,
    size: int,
    region: tuple[int, int, int] | None = None,
) -> Sample:
    """The sample of a clip (F, H, W, 3) at `size` pixels.

    region: (left, top, side) of the square that the network sees, by default the whole clip, which must be square then
    """
    from mimo_core.render.styles import render_motion

    motion, wide = retarget_motion(motion, identity), (scene.width, scene.height)
    left, top, side = region or (0, 0, scene.width)

    def square(picture: np.ndarray) -> np.ndarray:
        cut = picture[top : top + side, left : left + side]
        return np.asarray(Image.fromarray(cut).resize((size, size), Image.Resampling.LANCZOS))

    def stack(pictures: Iterable[np.ndarray]) -> np.ndarray:
        return np.stack([square(picture) for picture in pictures])

    in_front = (blend_over(picture, alpha, BLACK) for picture, alpha in zip(scene.plate, scene.occluder, strict=True))
    reference = Image.fromarray(identity.picture).resize((size, size), Image.Resampling.LANCZOS)
    return Sample(
        frames=stack(frames),
        plate=stack(scene.plate),
        proxy=stack(draw_proxy_in_scene(proxy, motion, scene)),
        occluder=stack(in_front),
        body_code=stack(code for code, _ in render_motion(motion, size=wide)),
        visible=stack(visible),
        reference=np.asarray(reference),
    )


def write_sample_shards(
    folder: Path,
    make: Callable[[int], Sample],
    count: int,
    *,
    each: int = 16,
    recorded: dict,
    part: tuple[int, int] = (0, 1),
    progress: Progress = silent,
) -> None:
    """Write samples 0 to `count` - 1 to `folder`, `each` of them to a file. Files that are there already are kept.

    A file with fewer samples than its share, of a smaller run, is made again; one that was made otherwise is refused.
    recorded: how they were made, written into every file
    part: (this worker, number of workers); workers share the files out among them
    """
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    worker, workers = part
    shards = range(worker, -(-count // each), workers)
    for done, shard in enumerate(shards, 1):
        path = folder / SHARD.format(shard)
        numbers = range(shard * each, min((shard + 1) * each, count))
        if _count_held(path, recorded) < len(numbers):
            samples = [make(number) for number in numbers]
            arrays = {name: np.stack([getattr(sample, name) for sample in samples]) for name in SAMPLE_FIELDS}
            with whole_file(path) as partial:
                save_file(arrays, partial, metadata={SAMPLES_KEY: json.dumps(recorded)})
        progress(done, len(shards))


def _count_held(path: Path, recorded: dict) -> int:
    """How many samples a file holds, 0 where there is none. Raises InputError if they were made in another way."""
    from safetensors import safe_open

    if not path.is_file():
        return 0
    with safe_open(path, "np") as file:
        noted = read_recorded(file)
        count = count_samples(file)
    for name in noted.keys() & recorded.keys():
        if noted[name] != recorded[name]:
            raise InputError(
                f"The samples in {path.parent} were made with {name} {noted[name]}, not {recorded[name]}. Name a new "
                "folder, or give that setting again."
            )
    return count


def read_recorded(file) -> dict:
    """How the samples in an open file were made. Before 0.1.0, `is_randomized` was called `is_rich`."""
    noted = json.loads(file.metadata()[SAMPLES_KEY])
    return {"is_randomized" if name == "is_rich" else name: value for name, value in noted.items()}


def count_samples(file) -> int:
    """How many samples an open safetensors file of samples or latents holds."""
    return file.get_slice("reference").get_shape()[0]


class Shards:
    """The samples in a folder, by number. Files are mapped, not read: memory does not grow with the folder."""

    def __init__(self, folder: Path):
        files = sorted(Path(folder).glob(SHARD.format(0).replace("00000", "*")))
        if not files:
            raise InputError(f"{folder} holds no training samples. Make them first, or name the folder that has them.")
        self._open(files)

    @classmethod
    def of_files(cls, files: list[Path]) -> Shards:
        """The samples of some files only."""
        shards = cls.__new__(cls)
        shards._open(files)
        return shards

    def _open(self, files: list[Path]) -> None:
        from safetensors import safe_open

        self.files = [safe_open(path, "np") for path in files]
        self.recorded = read_recorded(self.files[0])
        counts = [count_samples(file) for file in self.files]
        self.places = [(file, row) for file, count in enumerate(counts) for row in range(count)]

    def __len__(self) -> int:
        return len(self.places)

    def read(self, number: int, name: str, frames: slice | list[int] = slice(None)) -> np.ndarray:
        """One array of a sample, or some frames of it."""
        file, row = self.places[number]
        array = self.files[file].get_slice(name)[row : row + 1][0]
        return array if name == "reference" else array[frames]

    def sample(self, number: int) -> Sample:
        return Sample(**{name: self.read(number, name) for name in SAMPLE_FIELDS})


def make_clip(frames: np.ndarray, fps: float) -> Clip:
    return Clip.from_array(frames, Fraction(fps).limit_denominator(1000))
